//! What a member with the right to write may try: each is refused by its name, and the month is as it was, and usable.

use automerge::legacy::OpId;

use super::super::UpdateError;
use super::*;
use crate::batch::BatchPart;
use crate::batch::tests::forge::{DEPENDENCIES, Forged, varints};
use crate::change::{ChangeHash, InvalidItem, OpRef, Operations};

/// The member who tries, and the one whose item it is about.
const OTHER: Actor = Actor([9; 16]);
const MAKER: Actor = Actor([1; 16]);

fn part_of(changes: &[&[u8]]) -> BatchPart {
    let changes: Vec<_> = changes.iter().map(|change| (month(), *change)).collect();
    let bytes = encode(&changes).unwrap();
    let mut batch = decode(&bytes, &Authors::One(OTHER)).unwrap();
    batch.documents.remove(&month()).unwrap()
}

/// A document with an item of two fields and a list, which an honest device made in one change and edited in another.
fn target() -> (Device, ChangeHash, ChangeHash) {
    let mut here = devices().remove(0);
    let mut set = fields(&[("effort", 2), ("level", 6)]);
    set.insert("parts".to_owned(), Value::List(vec![Scalar::Int(1)]));
    here.put(&key(1), &set, &[]);
    here.put(&key(1), &fields(&[("level", 5)]), &[]);
    let (first, second) = (here.made[0].tip.hash, here.made[1].tip.hash);
    (here, first, second)
}

/// The operations of [`target`]: its item, its effort, its level, and its list; the element; then the new level.
fn by(counter: u64) -> OpRef {
    OpRef {
        counter,
        actor: MAKER,
    }
}

fn names(operations: &[OpRef]) -> Vec<OpId> {
    operations.iter().map(|by| OpId::from(*by)).collect()
}

/// Writes a change with the number 1 by the member who tries.
fn raw(deps: &[ChangeHash], start: u64, write: impl FnOnce(&mut Operations)) -> Vec<u8> {
    let mut operations = Operations::new(OTHER, start);
    write(&mut operations);
    let deps = deps.iter().map(|hash| (*hash).into()).collect();
    operations.finish(1, TIME, deps).raw_bytes().to_vec()
}

fn hostile(device: &mut Device, part: &BatchPart, expected: Hostile, what: &str) {
    let before = (device.state(), device.document.save());
    match device.document.merge(part) {
        Err(MergeError::Hostile(found)) => assert_eq!(found, expected, "{what}"),
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!((device.state(), device.document.save()), before, "{what}");
    usable(device.document.clone());
}

/// Makes sure that a document loads, saves, takes an entry, an edit, and an honest batch.
pub(super) fn usable(mut document: Document) {
    let saved = document.save();
    let loaded = Document::load(month(), Some(&saved), []).unwrap();
    assert_eq!(loaded.heads(), document.heads());
    let honest = Actor([77; 16]);
    let set = fields(&[("level", 1)]);
    let made = change::create(honest, None, TIME, &[(&key(200), &set)]).unwrap();
    let batch = travel(honest, &[made]);
    let merged = document.merge(&batch.documents[&month()]).unwrap();
    assert_eq!(merged.changes, 1);
    assert_eq!(document.item(&key(200)).unwrap().fields, set);
    let edit = document.update(honest, TIME, &key(200), &fields(&[("level", 2)]), &[]);
    let mut again = Document::load(month(), Some(&merged.saved), []).unwrap();
    let batch = travel(honest, &[edit.unwrap().unwrap()]);
    again.merge(&batch.documents[&month()]).unwrap();
    assert_eq!(again.heads(), document.heads());
}

#[test]
fn an_edit_of_what_its_writer_cannot_know_is_refused() {
    let (mut here, first, second) = target();
    let start = here.made[1].tip.max_op + 1;
    let elsewhere = OpRef {
        counter: 1,
        actor: Actor([44; 16]),
    };
    let cases: [(&str, ChangeHash, u64, OpRef); 6] = [
        ("an operation that there is not", second, start, by(99)),
        ("an item of no known chain", second, start, elsewhere),
        ("a value as an item", second, start, by(2)),
        ("a list as an item", second, start, by(4)),
        ("an element as an item", second, start, by(5)),
        ("an operation of a later change", first, 6, by(6)),
    ];
    for (what, dep, start, item) in cases {
        let change = raw(&[dep], start, |to| {
            to.select(item);
            to.set("level", &Value::from(1), Vec::new());
        });
        hostile(&mut here, &part_of(&[&change]), Hostile::UnknownItem, what);
    }
    // An item that is there, and of which the change knows nothing.
    let change = raw(&[], 1, |to| {
        to.select(by(1));
        to.set("level", &Value::from(1), Vec::new());
    });
    let part = part_of(&[&change]);
    hostile(&mut here, &part, Hostile::UnknownItem, "a concurrent item");
}

#[test]
fn replacing_what_is_no_value_of_that_field_is_refused() {
    let (mut here, first, second) = target();
    here.put(&key(2), &fields(&[("level", 3)]), &[]);
    let third = here.made[2].tip;
    assert_eq!(third.max_op, 8);
    let start = third.max_op + 1;
    let cases: [(&str, ChangeHash, u64, OpRef); 8] = [
        ("no operation", third.hash, start, by(99)),
        ("an item", third.hash, start, by(1)),
        ("a value of another field", third.hash, start, by(2)),
        ("an element of a list", third.hash, start, by(5)),
        ("a value of another item", third.hash, start, by(8)),
        ("a concurrent value", first, 6, by(6)),
        ("a value of a later change", second, 7, by(8)),
        (
            "a value of no known chain",
            third.hash,
            start,
            OpRef {
                counter: 2,
                actor: Actor([44; 16]),
            },
        ),
    ];
    for (what, dep, start, replaced) in cases {
        let set = raw(&[dep], start, |to| {
            to.select(by(1));
            to.set("level", &Value::from(1), names(&[replaced]));
        });
        let remove = raw(&[dep], start, |to| {
            to.select(by(1));
            to.remove("level", names(&[replaced]));
        });
        for change in [set, remove] {
            hostile(&mut here, &part_of(&[&change]), Hostile::UnknownValue, what);
        }
    }
    // A true value beside a wrong one does not help.
    let both = raw(&[third.hash], start, |to| {
        to.select(by(1));
        to.set("level", &Value::from(1), names(&[by(2), by(6)]));
    });
    let part = part_of(&[&both]);
    hostile(&mut here, &part, Hostile::UnknownValue, "one of two");
    // What was replaced already may be replaced once more: its writer may not have known.
    let late = raw(&[third.hash], start, |to| {
        to.select(by(1));
        to.set("level", &Value::from(1), names(&[by(3), by(6)]));
    });
    let merged = here.document.merge(&part_of(&[&late])).unwrap();
    assert_eq!(merged.touched, BTreeSet::from([key(1)]));
    usable(here.document.clone());
}

#[test]
fn a_change_replaces_nothing_of_its_own() {
    let (mut here, _, second) = target();
    let start = here.made[1].tip.max_op + 1;
    let own = |counter| OpRef {
        counter,
        actor: OTHER,
    };
    // In an item that it makes itself.
    let change = raw(&[second], start, |to| {
        to.make(&key(3));
        to.set("level", &Value::from(1), names(&[own(start + 1)]));
    });
    let part = part_of(&[&change]);
    hostile(&mut here, &part, Hostile::UnknownValue, "its own value");
    // An item that it makes, come back to.
    let mut operations = Operations::new(OTHER, start);
    operations.make(&key(3));
    operations.make(&key(4));
    operations.select(own(start));
    operations.set("level", &Value::from(1), Vec::new());
    let change = operations.finish(1, TIME, vec![second.into()]);
    assert!(encode(&[(month(), change.raw_bytes())]).is_err());
}

/// Numbers and counters are not in a batch; the receiver's own lead to other hashes than such a writer's.
#[test]
fn a_gap_in_the_numbers_or_a_wrong_start_leads_to_other_heads() {
    let (mut here, _, second) = target();
    let start = here.made[1].tip.max_op + 1;
    let write = |seq: u64, start: u64| {
        let mut operations = Operations::new(OTHER, start);
        operations.make(&key(3));
        operations.set("level", &Value::from(1), Vec::new());
        let change = operations.finish(seq, TIME, vec![second.into()]);
        change.raw_bytes().to_vec()
    };
    for (what, seq, start) in [
        ("a gap", 2, start),
        ("a great gap", 1 << 40, start),
        ("number 0", 0, start),
        ("a start too early", 1, start - 1),
        ("a start too late", 1, start + 1),
        (
            "a start near the end of 32 bits",
            1,
            u64::from(u32::MAX) - 1,
        ),
    ] {
        let part = part_of(&[&write(seq, start)]);
        hostile(&mut here, &part, Hostile::Heads, what);
    }
    here.document.merge(&part_of(&[&write(1, start)])).unwrap();
}

#[test]
fn a_wrong_head_is_refused_and_so_is_one_of_a_known_change() {
    let (mut here, _, second) = target();
    let set = fields(&[("level", 3)]);
    let first = change::create(OTHER, None, TIME, &[(&key(2), &set)]).unwrap();
    let next = change::create(OTHER, Some(&first.tip), TIME, &[(&key(3), &set)]).unwrap();
    let bytes = encode(&[(month(), &first.bytes), (month(), &next.bytes)]).unwrap();
    let whole = Forged::read(&bytes);
    let read = |forged: &Forged| {
        let mut batch = decode(&forged.bytes(), &Authors::One(OTHER)).unwrap();
        batch.documents.remove(&month()).unwrap()
    };
    for head in [[0; 32], second.0, first.tip.hash.0] {
        let mut forged = whole.clone();
        forged.documents[0].heads = vec![head];
        hostile(&mut here, &read(&forged), Hostile::Heads, "a wrong head");
    }
    here.document.merge(&read(&whole)).unwrap();
    // Now that it is known.
    let mut forged = whole.clone();
    forged.documents[0].heads = vec![[0; 32]];
    hostile(&mut here, &read(&forged), Hostile::Heads, "of a known one");
}

#[test]
fn dependencies_twice_or_in_another_order_are_refused() {
    let (mut here, ..) = target();
    let set = fields(&[("level", 3)]);
    let other = change::create(Actor([5; 16]), None, TIME, &[(&key(2), &set)]).unwrap();
    let batch = travel(Actor([5; 16]), std::slice::from_ref(&other));
    here.document.merge(&batch.documents[&month()]).unwrap();
    let heads = here.document.heads();
    assert_eq!(heads.len(), 2);
    let start = 1 + here.made[1].tip.max_op;
    let change = raw(&heads, start, |to| to.make(&key(3)));
    let bytes = encode(&[(month(), &change)]).unwrap();
    let honest = Forged::read(&bytes);
    let read = |forged: &Forged| {
        let mut batch = decode(&forged.bytes(), &Authors::One(OTHER)).unwrap();
        batch.documents.remove(&month()).unwrap()
    };
    let mut twice = honest.clone();
    twice.columns[DEPENDENCIES] = varints(&[3, 0, 0, 0, 1, 0, 1]);
    let repeated = Hostile::RepeatedDependency;
    hostile(&mut here, &read(&twice), repeated, "by one index");
    let mut named = honest.clone();
    named.documents[0].outside[1] = named.documents[0].outside[0];
    hostile(&mut here, &read(&named), repeated, "by two indexes");
    let mut turned = honest.clone();
    turned.documents[0].outside.reverse();
    hostile(&mut here, &read(&turned), Hostile::Heads, "turned round");
    here.document.merge(&read(&honest)).unwrap();
    usable(here.document.clone());
}

/// One change under a number twice in a batch, and a second one that depends on what is new.
#[test]
fn forks_are_named_however_they_are_brought() {
    let (mut here, _, second) = target();
    let set = fields(&[("level", 3)]);
    let fork = Hostile::Fork {
        actor: OTHER,
        seq: 1,
    };
    let one = change::create(OTHER, None, TIME, &[(&key(2), &set)]).unwrap();
    let two = change::create(OTHER, None, TIME + 1, &[(&key(2), &set)]).unwrap();
    let part = part_of(&[&one.bytes, &two.bytes]);
    hostile(&mut here, &part, fork, "both in one batch");
    let start = here.made[1].tip.max_op + 1;
    let later = raw(&[second], start, |to| to.make(&key(2)));
    here.document.merge(&part_of(&[&one.bytes])).unwrap();
    let part = part_of(&[&later]);
    hostile(&mut here, &part, fork, "the other depends on more");
    let part = part_of(&[&two.bytes]);
    hostile(&mut here, &part, fork, "another time alone");
    // Once more in one batch.
    let mut forged = Forged::read(&encode(&[(month(), &one.bytes)]).unwrap());
    forged.documents[0].changes = 2;
    forged.documents[0].heads = vec![one.tip.hash.0; 2];
    for column in &mut forged.columns {
        *column = column.repeat(2);
    }
    forged.columns[crate::batch::tests::forge::KEY_TIMES] = {
        let same = Forged::read(&encode(&[(month(), &one.bytes)]).unwrap());
        same.columns[crate::batch::tests::forge::KEY_TIMES].clone()
    };
    forged.values[0].push(1);
    let before = here.state();
    if let Ok(batch) = decode(&forged.bytes(), &Authors::One(OTHER)) {
        assert!(here.document.merge(&batch.documents[&month()]).is_err());
    }
    assert_eq!(here.state(), before);
    // And the same change again is none.
    let merged = here.document.merge(&part_of(&[&one.bytes])).unwrap();
    assert_eq!((merged.changes, merged.touched.len()), (0, 0));
}

#[test]
fn an_entry_in_another_month_is_kept_and_in_no_view() {
    let (mut here, ..) = target();
    let december = EntryId::mint(NOVEMBER_MS + 40 * 86_400_000, [1; 10]).to_string();
    let ancient = EntryId::mint(0, [1; 10]).to_string();
    let latest = EntryId::mint((1 << 48) - 1, [1; 10]).to_string();
    let odd = "plan:morning".to_owned();
    let set = fields(&[("level", 3)]);
    let mut keys = vec![december, ancient, latest, odd];
    let items: Vec<_> = keys.iter().map(|key| (key.as_str(), &set)).collect();
    let change = change::create(OTHER, None, TIME, &items).unwrap();
    here.document.merge(&part_of(&[&change.bytes])).unwrap();
    keys.sort();
    let misplaced = here.document.items().into_iter().filter(Item::misplaced);
    let misplaced: Vec<String> = misplaced.map(|item| item.key).collect();
    assert_eq!(misplaced, keys);
    assert!(!here.document.item(&key(1)).unwrap().misplaced());
    usable(here.document.clone());
    let mut profile = Document::empty(DocumentId::Profile);
    let error = profile.merge(&part_of(&[&change.bytes]));
    assert!(matches!(error, Err(MergeError::OtherDocument)));
    assert!(profile.items().is_empty());
}

#[test]
fn counters_end_before_automerge_does() {
    let set = fields(&[("level", 3)]);
    let tip = |max_op| Tip {
        seq: 1,
        max_op,
        hash: ChangeHash([0; 32]),
    };
    let last = crate::batch::limits::MAX_COUNTER;
    let create = |max_op| change::create(OTHER, Some(&tip(max_op)), TIME, &[("a", &set)]);
    assert!(create(last - 3).is_ok());
    for max_op in [last - 2, last, u64::from(u32::MAX)] {
        assert_eq!(create(max_op), Err(change::CreateError::Exhausted));
    }
}

/// Whoever fills an item must not take from others the means to edit, to delete, or to send what they wrote.
#[test]
fn an_item_that_was_filled_up_can_still_be_edited_and_deleted() {
    let (mut here, _, second) = target();
    let start = here.made[1].tip.max_op + 1;
    let full = |to: &mut Operations, names: std::ops::Range<u32>| {
        to.select(by(1));
        for name in names {
            to.set(&format!("x{name}"), &Value::from(1), Vec::new());
        }
    };
    let one = raw(&[second], start, |to| full(to, 0..190));
    here.document.merge(&part_of(&[&one])).unwrap();
    let tip = here.document.tips()[&OTHER];
    let mut more = Operations::new(OTHER, tip.max_op + 1);
    full(&mut more, 190..380);
    let two = more.finish(2, TIME, vec![tip.hash.into()]);
    here.document.merge(&part_of(&[two.raw_bytes()])).unwrap();
    here.put(&key(1), &fields(&[("level", 1)]), &[]);
    here.put(&key(1), &fields(&[("status", 0)]), &["x1", "x300"]);
    let item = here.document.item(&key(1)).unwrap();
    assert_eq!(item.fields["status"], Value::from(0));
    assert_eq!(item.fields.len(), 3 + 380 + 1 - 2);
    // An edit of more fields than a receiver takes is none, also here.
    let set = |range: std::ops::Range<u32>| -> Fields {
        let names = range.map(|name| format!("x{name}"));
        names.map(|name| (name, Value::from(2))).collect()
    };
    let gone: Vec<String> = (150..260).map(|name| format!("x{name}")).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    let edit = here
        .document
        .update(MAKER, TIME, &key(1), &set(2..150), &gone);
    assert!(matches!(
        edit,
        Err(UpdateError::Item(InvalidItem::TooManyFields))
    ));
    here.put(&key(1), &set(2..150), &gone[..40]);
    let last = here.made.last().unwrap().clone();
    assert!(
        decode(
            &encode(&[(month(), &last.bytes)]).unwrap(),
            &Authors::One(MAKER)
        )
        .is_ok()
    );
    // One that is not full may not be filled beyond.
    here.put(&key(2), &set(0..200), &[]);
    let edit = here
        .document
        .update(MAKER, TIME, &key(2), &fields(&[("status", 0)]), &[]);
    assert!(edit.unwrap().is_some());
    here.put(&key(3), &set(0..199), &[]);
    let edit = here
        .document
        .update(MAKER, TIME, &key(3), &set(199..201), &[]);
    assert!(matches!(
        edit,
        Err(UpdateError::Item(InvalidItem::TooManyFields))
    ));
    usable(here.document.clone());
}

#[test]
fn an_edit_of_an_item_made_too_often_is_refused_before_it_jams_the_chain() {
    let name = "n".repeat(64);
    let mut operations = Operations::new(OTHER, 1);
    for _ in 0..66_000 {
        operations.make(&key(1));
        operations.set(&name, &Value::from(1), Vec::new());
    }
    let change = operations.finish(1, TIME, Vec::new());
    let mut document = Document::load(month(), None, [change.raw_bytes()]).unwrap();
    let set = Fields::from([(name, Value::from(2))]);
    let edit = document.update(MAKER, TIME, &key(1), &set, &[]);
    assert!(matches!(edit, Err(UpdateError::TooLarge)));
    // Other fields can be edited, and that can be sent.
    let edit = document.update(MAKER, TIME, &key(1), &fields(&[("level", 2)]), &[]);
    encode(&[(month(), &edit.unwrap().unwrap().bytes)]).unwrap();
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "that it is quick is what is tested"
)]
fn a_field_with_a_hundred_thousand_values_is_read_at_once() {
    let mut operations = Operations::new(OTHER, 1);
    operations.make(&key(1));
    for value in 0..100_000 {
        operations.set("level", &Value::from(value), Vec::new());
    }
    let change = operations.finish(1, TIME, Vec::new());
    let document = Document::load(month(), None, [change.raw_bytes()]).unwrap();
    let start = std::time::Instant::now();
    let items = document.items();
    // Looking at every pair of values took most of a minute.
    assert!(start.elapsed() < std::time::Duration::from_secs(15));
    assert_eq!(items[0].conflicts["level"].len(), 99_999);
    assert_eq!(items[0].fields, fields(&[("level", 99_999)]));
    assert_eq!(document.item(&key(1)).as_ref(), items.first());
}

/// A whole batch of the smallest changes, the most that its receiver must rebuild.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "that it is quick is what is tested"
)]
fn many_changes_of_one_field_merge_in_a_time_that_grows_with_their_number() {
    let (mut here, _, second) = target();
    let mut made = Vec::new();
    let mut deps = vec![second.into()];
    let mut start = here.made[1].tip.max_op + 1;
    for number in 1..=10_000_u64 {
        let mut operations = Operations::new(OTHER, start);
        operations.select(by(1));
        let replaced = names(&[by(6)]);
        operations.set("level", &Value::from(number.cast_signed()), replaced);
        let change = operations.finish(number, TIME, deps);
        (start, deps) = (change.max_op() + 1, vec![change.hash()]);
        made.push(change.raw_bytes().to_vec());
    }
    let made: Vec<&[u8]> = made.iter().map(Vec::as_slice).collect();
    let part = part_of(&made);
    let begin = std::time::Instant::now();
    let merged = here.document.merge(&part).unwrap();
    assert!(begin.elapsed() < std::time::Duration::from_secs(10));
    assert_eq!(merged.changes, 10_000);
    let conflicts = here.document.item(&key(1)).unwrap().conflicts;
    assert_eq!(conflicts["level"].len(), 9_999);
    usable(here.document.clone());
}
