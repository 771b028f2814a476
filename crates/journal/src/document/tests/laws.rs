//! Merging obeys its laws, whatever was written: against a model that reads the changes one by one.

use std::collections::HashMap;

use super::*;
use crate::batch::tests::any_field;
use crate::change::{OpRef, Step, actor, steps};
use crate::document::{Claim, Revision};

type Replica = BTreeMap<DocumentId, Document>;

fn documents() -> [DocumentId; 3] {
    let december = DocumentId::month(2026, 12).unwrap();
    [DocumentId::Profile, month(), december]
}

fn empty() -> Replica {
    let all = documents().into_iter();
    all.map(|id| (id, Document::empty(id))).collect()
}

/// All that a replica has, as a snapshot carries it.
fn snapshot(replica: &Replica) -> Option<Batch> {
    let mut changes = Vec::new();
    let mut actors = BTreeSet::new();
    for (id, document) in replica {
        for change in document.inner.get_changes(&[]) {
            actors.insert(actor(change.actor_id()).unwrap());
            changes.push((*id, change.raw_bytes().to_vec()));
        }
    }
    let changes: Vec<_> = changes
        .iter()
        .map(|(id, bytes)| (*id, bytes.as_slice()))
        .collect();
    if changes.is_empty() {
        return None;
    }
    let bytes = encode(&changes).unwrap();
    assert_eq!(bytes, encode(&changes).unwrap());
    Some(decode(&bytes, &Authors::Listed(&actors)).unwrap())
}

/// Returns the first with all that the second has, and how many changes were new.
fn union(one: &Replica, other: &Replica) -> (Replica, usize) {
    let mut all = one.clone();
    let mut new = 0;
    for (id, part) in snapshot(other)
        .into_iter()
        .flat_map(|batch| batch.documents)
    {
        let document = all.get_mut(&id).unwrap();
        let before = document.clone();
        let merged = document.merge(&part).unwrap();
        assert_eq!(merged.saved, document.save());
        assert_eq!(merged.changes > 0, before.heads() != document.heads());
        touched_is_what_changed(&before, document, &merged.touched);
        new += merged.changes;
    }
    (all, new)
}

/// Whatever reads otherwise than before must be named, or a read model that follows would be wrong.
fn touched_is_what_changed(before: &Document, after: &Document, touched: &BTreeSet<String>) {
    for item in after.items() {
        let same = before.item(&item.key).as_ref() == Some(&item);
        assert!(same || touched.contains(&item.key), "{}", item.key);
    }
    assert_eq!(after.items_of(touched).len(), touched.len());
}

type State = BTreeMap<DocumentId, (Vec<change::ChangeHash>, Vec<Item>, Vec<Vec<Revision>>)>;

fn state(replica: &Replica) -> State {
    let read = |document: &Document| {
        let items = document.items();
        let histories = items.iter().map(|item| document.history(&item.key));
        let histories = histories.collect();
        (document.heads(), items, histories)
    };
    let all = replica.iter();
    all.map(|(id, document)| (*id, read(document))).collect()
}

/// Reads every item from the changes themselves: what was set and replaced by nobody stands, the greatest wins.
fn model(document: &Document) -> Vec<Item> {
    let mut items: BTreeMap<String, Actor> = BTreeMap::new();
    let mut keys: HashMap<OpRef, String> = HashMap::new();
    let mut values: BTreeMap<OpRef, (String, String, Value)> = BTreeMap::new();
    let mut gone: BTreeSet<OpRef> = BTreeSet::new();
    let mut makers: BTreeMap<String, OpRef> = BTreeMap::new();
    for change in document.inner.get_changes(&[]) {
        let author = actor(change.actor_id()).unwrap();
        let mut here = String::new();
        for (counter, step) in steps(&change.decode()).unwrap() {
            let by = OpRef {
                counter,
                actor: author,
            };
            match step {
                Step::Make { key } => {
                    keys.insert(by, key.clone());
                    let first = makers.entry(key.clone()).or_insert(by);
                    *first = by.min(*first);
                    here = key;
                }
                Step::Select { item } => here = keys[&item].clone(),
                Step::Set {
                    field,
                    value,
                    replaces,
                } => {
                    gone.extend(replaces);
                    values.insert(by, (here.clone(), field, value));
                }
                Step::Remove { replaces, .. } => gone.extend(replaces),
            }
        }
    }
    items.extend(makers.into_iter().map(|(key, by)| (key, by.actor)));
    let mut read: BTreeMap<String, Item> = BTreeMap::new();
    for (key, created_by) in items {
        let item = Item {
            document: document.id(),
            key: key.clone(),
            fields: Fields::new(),
            created_by,
            conflicts: BTreeMap::new(),
        };
        read.insert(key, item);
    }
    // From the last written to the first.
    for (by, (key, field, value)) in values.into_iter().rev() {
        if gone.contains(&by) {
            continue;
        }
        let item = read.get_mut(&key).unwrap();
        let Some(winner) = item.fields.get(&field) else {
            item.fields.insert(field, value);
            continue;
        };
        let actor = by.actor;
        let known = item.conflicts.get(&field);
        let known = known.is_some_and(|lost| lost.iter().any(|claim| claim.value == value));
        if *winner != value && !known {
            let lost = item.conflicts.entry(field).or_default();
            lost.push(Claim { actor, value });
        }
    }
    read.into_values().collect()
}

fn reads_as_its_changes_say(replica: &Replica) {
    for document in replica.values() {
        let (items, expected) = (document.items(), model(document));
        assert_eq!(items, expected);
        for item in &expected {
            assert_eq!(document.item(&item.key).as_ref(), Some(item));
        }
        let keys: BTreeSet<String> = items.iter().map(|item| item.key.clone()).collect();
        assert_eq!(document.items_of(&keys), items);
        let all = |document: &Document| {
            let changes = document.inner.get_changes(&[]);
            let parts: Vec<_> = changes.iter().map(|c| c.raw_bytes().to_vec()).collect();
            parts
        };
        // A document stored in parts is the document.
        let parts = all(document);
        let parts = parts.iter().map(Vec::as_slice);
        let loaded = Document::load(document.id(), None, parts).unwrap();
        assert_eq!(loaded.heads(), document.heads());
        assert_eq!(loaded.items(), items);
        assert_eq!(loaded.tips(), document.tips());
    }
}

#[derive(Clone, Debug)]
enum Did {
    Set(usize, usize, u8, String, Value),
    Remove(usize, usize, u8, String),
    Delete(usize, usize, u8),
    Hear(usize, usize),
}

fn did() -> impl Strategy<Value = Did> {
    let place = || (0..4usize, 0..3usize, 0..3u8);
    prop_oneof![
        6 => (place(), any_field()).prop_map(|((a, d, k), (f, v))| Did::Set(a, d, k, f, v)),
        2 => (place(), "[a-d]").prop_map(|((a, d, k), f)| Did::Remove(a, d, k, f)),
        1 => place().prop_map(|(a, d, k)| Did::Delete(a, d, k)),
        3 => (0..4usize, 0..4usize).prop_map(|(to, from)| Did::Hear(to, from)),
    ]
}

fn play(all: &[Did]) -> Vec<Replica> {
    let mut replicas = vec![empty(); 4];
    for did in all {
        let (mut set, mut removed) = (Fields::new(), BTreeSet::new());
        let (a, d, k) = match did {
            Did::Set(a, d, k, field, value) => {
                set.insert(field.clone(), value.clone());
                (*a, *d, *k)
            }
            Did::Remove(a, d, k, field) => {
                removed.insert(field.clone());
                (*a, *d, *k)
            }
            Did::Delete(a, d, k) => {
                set.insert("status".to_owned(), "entered-in-error".into());
                (*a, *d, *k)
            }
            Did::Hear(to, from) => {
                replicas[*to] = union(&replicas[*to], &replicas[*from]).0;
                continue;
            }
        };
        let document = replicas[a].get_mut(&documents()[d]).unwrap();
        let (actor, time) = (Actor([a as u8 + 1; 16]), TIME + 60 * a as i64);
        document.put(actor, time, &key(k), &set, &removed).unwrap();
    }
    replicas
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        all in proptest::collection::vec(did(), 1..30),
    ) {
        let replicas = play(&all);
        let [a, b, c, d] = &replicas[..] else { unreachable!() };
        let ab = union(a, b).0;
        prop_assert_eq!(state(&ab), state(&union(b, a).0));
        let left = union(&ab, c).0;
        let right = union(a, &union(b, c).0).0;
        prop_assert_eq!(state(&left), state(&right));
        let (same, new) = union(&left, &left);
        prop_assert_eq!(new, 0);
        prop_assert_eq!(state(&same), state(&left));
        prop_assert_eq!(union(&left, a).1, 0);
        let whole = union(&left, d).0;
        prop_assert_eq!(state(&whole), state(&union(d, &right).0));
        for replica in replicas.iter().chain([&whole]) {
            reads_as_its_changes_say(replica);
        }
    }

    #[test]
    fn a_snapshot_in_an_empty_replica_is_the_replica(
        all in proptest::collection::vec(did(), 1..30),
    ) {
        for replica in play(&all) {
            let read = union(&empty(), &replica).0;
            prop_assert_eq!(state(&read), state(&replica));
            for (id, document) in &replica {
                let again = &read[id];
                prop_assert_eq!(again.save(), document.save());
                prop_assert_eq!(again.tips(), document.tips());
                let saved = document.save();
                let loaded = Document::load(*id, Some(&saved), []).unwrap();
                prop_assert_eq!(loaded.save(), saved);
                prop_assert_eq!(loaded.items(), document.items());
            }
        }
    }
}
