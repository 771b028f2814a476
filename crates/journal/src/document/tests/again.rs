//! Recording again: what was lost comes back once, where nobody said otherwise since.

use super::*;
use crate::document::Lost;

const LOSER: Actor = Actor([2; 16]);
const NEW: Actor = Actor([7; 16]);

fn removed(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Edits by the chain whose changes are lost: the document that has them, and the one without.
fn lose(before: &Document, edits: &[(u8, Fields, &[&str])]) -> (Document, Document) {
    let mut with = before.clone();
    for (item, set, gone) in edits {
        with.put(LOSER, TIME, &key(*item), set, &removed(gone))
            .unwrap();
    }
    (with, before.clone())
}

fn lost(with: &Document, without: &Document) -> BTreeMap<String, Lost> {
    with.lost_to(without, &BTreeSet::from([LOSER]))
}

fn one(level: i64) -> Fields {
    fields(&[("level", level)])
}

/// A document with an item of another chain.
fn base() -> Document {
    let mut document = Document::empty(month());
    let set = fields(&[("effort", 2), ("level", 6)]);
    document
        .put(Actor([1; 16]), TIME, &key(1), &set, &removed(&[]))
        .unwrap();
    document
}

fn again(document: &mut Document, lost: &BTreeMap<String, Lost>) -> Vec<NewChange> {
    let put = lost.iter().map(|(key, lost)| {
        let made = document.put(NEW, TIME, key, &lost.set, &lost.removed);
        made.unwrap()
    });
    put.flatten().collect()
}

#[test]
fn the_last_that_was_said_of_a_field_is_what_was_lost() {
    let edits: [(u8, Fields, &[&str]); 4] = [
        (1, one(5), &[]),
        (1, one(4), &["effort"]),
        (1, fields(&[("effort", 9), ("more", 1)]), &[]),
        (1, Fields::new(), &["more", "level"]),
    ];
    let (with, without) = lose(&base(), &edits);
    let lost = lost(&with, &without);
    let expected = Lost {
        by: Some(LOSER),
        set: fields(&[("effort", 9)]),
        removed: removed(&["level", "more"]),
    };
    assert_eq!(lost, BTreeMap::from([(key(1), expected)]));
    let mut rebuilt = without;
    assert_eq!(again(&mut rebuilt, &lost).len(), 1);
    let item = rebuilt.item(&key(1)).unwrap();
    assert_eq!(item.fields, with.item(&key(1)).unwrap().fields);
    assert!(again(&mut rebuilt, &lost).is_empty());
}

#[test]
fn what_others_said_since_is_not_taken_back() {
    let edits: [(u8, Fields, &[&str]); 2] = [
        (1, fields(&[("level", 5), ("more", 1)]), &["effort"]),
        (1, fields(&[("third", 3)]), &[]),
    ];
    let (mut with, without) = lose(&base(), &edits);
    let other = Actor([3; 16]);
    let since = fields(&[("effort", 7), ("level", 8)]);
    with.put(other, TIME, &key(1), &since, &removed(&["more"]))
        .unwrap();
    let lost = lost(&with, &without);
    let said = &lost[&key(1)];
    assert_eq!(
        (&said.set, said.removed.len()),
        (&fields(&[("third", 3)]), 0)
    );
    // And nothing at all, once that is said otherwise too.
    with.put(other, TIME, &key(1), &Fields::new(), &removed(&["third"]))
        .unwrap();
    assert!(self::lost(&with, &without).is_empty());
}

#[test]
fn an_item_whose_making_was_lost_is_made_again() {
    let set = fields(&[("effort", 1), ("level", 3)]);
    let edits: [(u8, Fields, &[&str]); 2] = [(2, set, &[]), (2, one(4), &["effort"])];
    let (with, without) = lose(&base(), &edits);
    let lost = lost(&with, &without);
    assert_eq!(lost[&key(2)].set, one(4));
    assert_eq!(lost[&key(2)].removed, removed(&["effort"]));
    let mut rebuilt = without.clone();
    let made = again(&mut rebuilt, &lost);
    let item = rebuilt.item(&key(2)).unwrap();
    assert_eq!((item.fields, item.created_by), (one(4), NEW));
    // The same on every device that does it with the same chain.
    assert_eq!(again(&mut without.clone(), &lost), made);
    let batch = travel(NEW, &made);
    let mut other = without;
    other.merge(&batch.documents[&month()]).unwrap();
    assert_eq!(other.heads(), rebuilt.heads());
}

#[test]
fn a_removal_from_an_item_that_there_is_not_makes_none() {
    let edits: [(u8, Fields, &[&str]); 1] = [(1, Fields::new(), &["effort"])];
    let (with, _) = lose(&base(), &edits);
    let mut without = Document::empty(month());
    let lost = lost(&with, &without);
    assert_eq!(lost[&key(1)].removed, removed(&["effort"]));
    assert!(again(&mut without, &lost).is_empty());
    assert!(without.items().is_empty());
}

#[test]
fn only_changes_of_the_named_chains_count_as_lost() {
    let edits: [(u8, Fields, &[&str]); 1] = [(1, one(5), &[])];
    let (with, without) = lose(&base(), &edits);
    let others = BTreeSet::from([Actor([1; 16]), NEW]);
    assert!(with.lost_to(&without, &others).is_empty());
    assert!(without.lost_to(&with, &BTreeSet::from([LOSER])).is_empty());
    let empty = Document::empty(month());
    let both = BTreeSet::from([Actor([1; 16]), LOSER]);
    let lost = with.lost_to(&empty, &both);
    let expected = Lost {
        by: Some(LOSER),
        set: fields(&[("effort", 2), ("level", 5)]),
        removed: BTreeSet::new(),
    };
    assert_eq!(lost, BTreeMap::from([(key(1), expected)]));
}

/// The loser made an item that another device made too, and edited both as one.
#[test]
fn an_edit_of_an_item_made_twice_is_recorded_again_as_one() {
    let here = base();
    let mut there = Document::empty(month());
    there
        .put(LOSER, TIME, &key(1), &one(3), &removed(&[]))
        .unwrap();
    let changes = there.inner.get_changes(&[]);
    let mut both = here.clone();
    let batch = travel(LOSER, &[NewChange::of(&changes[0])]);
    both.merge(&batch.documents[&month()]).unwrap();
    assert_eq!(both.item(&key(1)).unwrap().conflicts.len(), 1);
    both.put(LOSER, TIME, &key(1), &one(4), &removed(&[]))
        .unwrap();
    assert!(both.item(&key(1)).unwrap().conflicts.is_empty());
    let lost = lost(&both, &here);
    assert_eq!(lost[&key(1)].set, one(4));
    assert!(lost[&key(1)].removed.is_empty());
    let mut rebuilt = here;
    again(&mut rebuilt, &lost);
    let item = rebuilt.item(&key(1)).unwrap();
    assert_eq!(item.fields, fields(&[("effort", 2), ("level", 4)]));
}

#[test]
fn what_cannot_be_recorded_leaves_the_document_as_it_was() {
    let mut document = base();
    let before = (document.heads(), document.save());
    let long = Fields::from([("note".to_owned(), "a".repeat(70_000).into())]);
    for item in [1, 2] {
        let put = document.put(NEW, TIME, &key(item), &long, &removed(&[]));
        assert!(put.is_err());
        assert!(
            document
                .put(NEW, -1, &key(item), &one(1), &removed(&[]))
                .is_err()
        );
    }
    assert!(
        document
            .put(NEW, TIME, "No Key", &one(1), &removed(&[]))
            .is_err()
    );
    assert_eq!((document.heads(), document.save()), before);
}
