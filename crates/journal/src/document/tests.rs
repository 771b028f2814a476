//! Batches and documents together: merge laws, round trips, and bytes that no honest device sends.

mod again;
mod hostile;
mod laws;
mod made;
mod mutated;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Document, Hostile, Item, MergeError};
use crate::batch::{Authors, Batch, BatchError, decode, encode};
use crate::change::{self, NewChange, Tip};
use crate::{Actor, DocumentId, EntryId, Fields, Scalar, Value};

/// 2026-11-01T00:00:00Z.
const NOVEMBER_MS: u64 = 1_793_491_200_000;
const TIME: i64 = 1_793_500_000;

fn month() -> DocumentId {
    DocumentId::month(2026, 11).unwrap()
}

fn key(number: u8) -> String {
    EntryId::mint(NOVEMBER_MS + u64::from(number), [number; 10]).to_string()
}

fn fields(pairs: &[(&str, i64)]) -> Fields {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect()
}

/// One device: its document, and the changes that it made, in order.
struct Device {
    actor: Actor,
    document: Document,
    made: Vec<NewChange>,
    /// How many of them stand in envelopes, each with where it ends.
    sealed: Vec<usize>,
    /// How many envelopes of each device have been merged here.
    seen: Vec<usize>,
}

fn devices() -> Vec<Device> {
    let device = |number: u8| Device {
        actor: Actor([number; 16]),
        document: Document::empty(month()),
        made: Vec::new(),
        sealed: Vec::new(),
        seen: vec![0; 3],
    };
    vec![device(1), device(2), device(3)]
}

/// Packs changes as an envelope of their device would carry them, and reads them as its receiver would.
fn travel(actor: Actor, changes: &[NewChange]) -> Batch {
    let changes = changes.iter();
    let changes: Vec<_> = changes
        .map(|change| (month(), change.bytes.as_slice()))
        .collect();
    decode(&encode(&changes).unwrap(), &Authors::One(actor)).unwrap()
}

impl Device {
    fn put(&mut self, key: &str, set: &Fields, remove: &[&str]) {
        let removed: BTreeSet<String> = remove.iter().map(|name| (*name).to_owned()).collect();
        let change = self.document.put(self.actor, TIME, key, set, &removed);
        self.made.extend(change.unwrap());
    }

    fn state(&self) -> (Vec<change::ChangeHash>, Vec<super::Item>) {
        (self.document.heads(), self.document.items())
    }
}

/// Seals what device `from` has not sealed, and brings its next envelope to device `to`, if its dependencies are there.
fn deliver(devices: &mut [Device], from: usize, to: usize) -> bool {
    let (made, sealed) = (devices[from].made.len(), &mut devices[from].sealed);
    if sealed.last().copied().unwrap_or(0) < made {
        sealed.push(made);
    }
    let next = devices[to].seen[from];
    let (sealed, seen) = (&devices[from].sealed, next.checked_sub(1));
    let Some(&end) = sealed.get(next).filter(|_| from != to) else {
        return false;
    };
    let start = seen.map_or(0, |last| sealed[last]);
    let new = devices[from].made[start..end].to_vec();
    let batch = travel(devices[from].actor, &new);
    let before = devices[to].state();
    match devices[to].document.merge(&batch.documents[&month()]) {
        Ok(merged) => {
            assert_eq!(merged.changes, new.len());
            devices[to].seen[from] += 1;
            true
        }
        Err(MergeError::MissingDependencies(missing)) => {
            assert!(!missing.is_empty());
            let after = devices[to].state();
            assert_eq!(after, before, "what does not fit changes nothing");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn deliver_all(devices: &mut [Device], order: &[(usize, usize)]) {
    while order
        .iter()
        .filter(|(from, to)| deliver(devices, *from, *to))
        .count()
        > 0
    {}
}

fn agree(devices: &[Device]) {
    let first = devices[0].state();
    for device in devices {
        assert_eq!(device.state(), first);
        let saved = device.document.save();
        let loaded = Document::load(month(), Some(&saved), []).unwrap();
        assert_eq!(loaded.heads(), first.0);
        // Reading all at once is a path of its own: it must say what Automerge's own reading says.
        for item in &first.1 {
            assert_eq!(device.document.item(&item.key).as_ref(), Some(item));
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(usize, u8, usize, i64),
    Remove(usize, u8, usize),
    Deliver(usize, usize),
}

const NAMES: [&str; 3] = ["level", "note", "status"];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3usize, 0..3u8, 0..3usize, 0..4i64).prop_map(|(d, k, f, v)| Act::Put(d, k, f, v)),
        1 => (0..3usize, 0..3u8, 0..3usize).prop_map(|(d, k, f)| Act::Remove(d, k, f)),
        3 => (0..3usize, 0..3usize).prop_map(|(from, to)| Act::Deliver(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_written_where_all_devices_end_with_the_same(
        acts in proptest::collection::vec(act(), 1..40),
        order in Just((0..9).map(|n| (n / 3, n % 3)).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut devices = devices();
        for act in acts {
            match act {
                Act::Put(device, item, field, value) => {
                    devices[device].put(&key(item), &fields(&[(NAMES[field], value)]), &[]);
                }
                Act::Remove(device, item, field) => {
                    if devices[device].document.item(&key(item)).is_some() {
                        devices[device].put(&key(item), &Fields::new(), &[NAMES[field]]);
                    }
                }
                Act::Deliver(from, to) => {
                    deliver(&mut devices, from, to);
                }
            }
        }
        deliver_all(&mut devices, &order);
        agree(&devices);
        // Once more changes nothing.
        let (made, actor) = (devices[0].made.clone(), devices[0].actor);
        if !made.is_empty() {
            let before = devices[1].state();
            let batch = travel(actor, &made);
            let merged = devices[1].document.merge(&batch.documents[&month()]).unwrap();
            prop_assert_eq!(merged.changes, 0);
            prop_assert_eq!(devices[1].state(), before);
        }
    }

    #[test]
    fn random_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&bytes, &Authors::One(Actor([1; 16]))).is_err());
    }

    #[test]
    fn altered_batches_never_get_in_and_the_document_stays_usable(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (mut device, bytes) = sample();
        let mut altered = bytes.clone();
        for (place, value) in cuts {
            let place = place.index(altered.len());
            altered[place] = value;
        }
        prop_assume!(altered != bytes);
        let before = device.state();
        if let Ok(batch) = decode(&altered, &Authors::One(Actor([9; 16]))) {
            for part in batch.documents.values().filter(|part| part.document() == month()) {
                prop_assert!(device.document.merge(part).is_err());
            }
        }
        prop_assert_eq!(device.state(), before);
        device.put(&key(7), &fields(&[("level", 1)]), &[]);
    }
}

/// A device with an entry, and a batch by another that edits it, makes one, and removes a field.
fn sample() -> (Device, Vec<u8>) {
    let mut all = devices();
    let mut here = all.remove(0);
    here.put(&key(1), &fields(&[("level", 6), ("effort", 2)]), &[]);
    let mut there = Device {
        actor: Actor([9; 16]),
        document: here.document.clone(),
        made: Vec::new(),
        sealed: Vec::new(),
        seen: vec![0; 3],
    };
    there.put(&key(1), &fields(&[("level", 4)]), &["effort"]);
    let listed = Value::List(vec![
        Scalar::Text("legs".into()),
        Scalar::Text("hips".into()),
    ]);
    let mut more = fields(&[("level", 3)]);
    more.insert("areas".to_owned(), listed);
    more.insert(
        "note".to_owned(),
        Value::Scalar(Scalar::Text("é".repeat(40))),
    );
    there.put(&key(2), &more, &[]);
    let changes: Vec<_> = there
        .made
        .iter()
        .map(|change| (month(), change.bytes.as_slice()))
        .collect();
    let bytes = encode(&changes).unwrap();
    (here, bytes)
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let (mut device, bytes) = sample();
    let allowed = Authors::One(Actor([9; 16]));
    let before = device.state();
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], &allowed).is_err(), "{length}");
    }
    assert!(decode(&[&bytes[..], &[0]].concat(), &allowed).is_err());
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[place] ^= 1 << bit;
            let merged = decode(&altered, &allowed).map(|batch| {
                let part = batch.documents.get(&month());
                part.map(|part| device.document.merge(part).is_ok())
            });
            assert_ne!(merged.ok().flatten(), Some(true), "byte {place}, bit {bit}");
        }
    }
    assert_eq!(device.state(), before);
    let whole = decode(&bytes, &allowed).unwrap();
    let merged = device.document.merge(&whole.documents[&month()]).unwrap();
    assert_eq!((merged.changes, merged.touched.len()), (2, 2));
}

#[test]
fn a_batch_may_carry_only_the_changes_of_its_own_chain() {
    let (_, bytes) = sample();
    let error = decode(&bytes, &Authors::One(Actor([8; 16]))).unwrap_err();
    assert_eq!(error, BatchError::Author(Actor([9; 16])));
    let listed = BTreeSet::from([Actor([8; 16]), Actor([9; 16])]);
    assert!(decode(&bytes, &Authors::Listed(&listed)).is_ok());
}

#[test]
fn a_second_change_under_one_number_is_named_a_fork() {
    let (mut device, _) = sample();
    let by = |level: i64| {
        let items = fields(&[("level", level)]);
        change::create(Actor([5; 16]), None, TIME, &[(&key(4), &items)]).unwrap()
    };
    let (first, second) = (by(1), by(2));
    let part = |change: NewChange| travel(Actor([5; 16]), &[change]);
    device
        .document
        .merge(&part(first).documents[&month()])
        .unwrap();
    let before = device.state();
    let error = device.document.merge(&part(second).documents[&month()]);
    let fork = Hostile::Fork {
        actor: Actor([5; 16]),
        seq: 1,
    };
    assert!(matches!(error, Err(MergeError::Hostile(found)) if found == fork));
    assert_eq!(device.state(), before);
}

#[test]
fn a_change_without_what_it_depends_on_waits_for_it() {
    let mut all = devices();
    all[0].put(&key(1), &fields(&[("level", 6)]), &[]);
    all[0].put(&key(1), &fields(&[("level", 5)]), &[]);
    let later = travel(all[0].actor, &all[0].made[1..]);
    let earlier = travel(all[0].actor, &all[0].made[..1]);
    let document = &mut all[1].document;
    let error = document.merge(&later.documents[&month()]);
    let Err(MergeError::MissingDependencies(missing)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(missing.len(), 1);
    assert!(document.items().is_empty());
    document.merge(&earlier.documents[&month()]).unwrap();
    document.merge(&later.documents[&month()]).unwrap();
    assert_eq!(document.heads(), all[0].document.heads());
}

/// Of two changes that it builds on, one is there: that one is not named, and nothing of the batch gets in.
#[test]
fn what_is_missing_is_named_and_nothing_else() {
    let mut all = devices();
    all[0].put(&key(1), &fields(&[("level", 6)]), &[]);
    all[1].put(&key(2), &fields(&[("level", 5)]), &[]);
    deliver_all(&mut all, &[(0, 2), (1, 2)]);
    all[2].put(&key(1), &fields(&[("level", 4)]), &[]);
    all[2].put(&key(3), &fields(&[("level", 3)]), &[]);
    let later = travel(all[2].actor, &all[2].made);
    let part = &later.documents[&month()];
    let before = (all[0].state(), all[0].document.save());
    for _ in 0..2 {
        let error = all[0].document.merge(part);
        let Err(MergeError::MissingDependencies(missing)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(missing, [all[1].made[0].tip.hash]);
        assert_eq!((all[0].state(), all[0].document.save()), before);
    }
    assert!(deliver(&mut all, 1, 0));
    assert!(deliver(&mut all, 2, 0));
    assert_eq!(all[0].state(), all[2].state());
}

#[test]
fn a_change_built_without_its_document_is_the_one_automerge_would_load() {
    let mut tip: Option<Tip> = None;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for number in 0..20u8 {
        let items = fields(&[("level", i64::from(number)), ("effort", 3)]);
        let change = change::create(
            Actor([3; 16]),
            tip.as_ref(),
            TIME,
            &[(&key(number), &items)],
        )
        .unwrap();
        parts.push(change.bytes);
        tip = Some(change.tip);
    }
    let parts = parts.iter().map(Vec::as_slice);
    let document = Document::load(month(), None, parts).unwrap();
    assert_eq!(document.heads(), [tip.unwrap().hash]);
    assert_eq!(document.items().len(), 20);
    assert_eq!(document.tips()[&Actor([3; 16])], tip.unwrap());
}

#[test]
fn great_counts_in_few_bytes_are_refused_at_once() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let allowed = Authors::One(Actor([1; 16]));
    for prefix in [
        &[1][..],
        &[1, 1],
        &[1, 1, 1],
        &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ] {
        let bytes = [prefix, &huge].concat();
        assert!(decode(&bytes, &allowed).is_err(), "{prefix:?}");
    }
    assert_eq!(decode(&[2], &allowed).unwrap_err(), BatchError::Version(2));
}

#[test]
fn what_a_newer_ebb_wrote_survives_merging_and_editing() {
    let mut all = devices();
    let mut strange = fields(&[("aura", 3)]);
    strange.insert(
        "kind".to_owned(),
        Value::Scalar(Scalar::Text("dream".into())),
    );
    strange.insert("raw".to_owned(), Value::Scalar(Scalar::Bytes(vec![0, 255])));
    all[0].put(&key(1), &strange, &[]);
    deliver_all(&mut all, &[(0, 1)]);
    all[1].put(&key(1), &fields(&[("level", 2)]), &[]);
    deliver_all(&mut all, &[(1, 0), (0, 2), (1, 2)]);
    agree(&all);
    let item = all[2].document.item(&key(1)).unwrap();
    strange.insert("level".to_owned(), Value::from(2));
    assert_eq!(item.fields, strange);
}

/// Also in the profile, whose items a newer ebb may key as it likes, and through one device after another.
#[test]
fn what_a_newer_ebb_put_into_the_profile_is_carried_on_as_it_is() {
    let pair = |name: &str, value: Value| (name.to_owned(), value);
    let strange = Fields::from([
        pair("at", Value::Scalar(Scalar::Timestamp(i64::MIN))),
        pair("list", Value::List(vec![Scalar::Null, Scalar::Float(0.5)])),
        pair("none", Value::List(Vec::new())),
        pair("null", Value::Scalar(Scalar::Null)),
        pair("é\u{0}", Value::from("\u{1f9e0}")),
    ]);
    let mut whole = Document::empty(DocumentId::Profile);
    let mut received = Vec::new();
    let mut expected = strange.clone();
    for number in 1..6u8 {
        let mut here = Document::empty(DocumentId::Profile);
        for (actor, change) in &received {
            let change: &NewChange = change;
            let bytes = encode(&[(DocumentId::Profile, &change.bytes)]).unwrap();
            let batch = decode(&bytes, &Authors::One(*actor)).unwrap();
            here.merge(&batch.documents[&DocumentId::Profile]).unwrap();
        }
        let actor = Actor([number; 16]);
        let (set, none) = (fields(&[("ours", i64::from(number))]), BTreeSet::new());
        if number == 1 {
            let made = here.put(actor, TIME, "quirk:x_1-", &strange, &none);
            received.extend(made.unwrap().map(|made| (actor, made)));
        }
        let made = here.put(actor, TIME, "quirk:x_1-", &set, &none);
        received.extend(made.unwrap().map(|made| (actor, made)));
        expected.extend(set);
        whole = here;
    }
    let item = whole.item("quirk:x_1-").unwrap();
    assert_eq!(item.fields, expected);
    assert!(item.conflicts.is_empty() && !item.misplaced());
    assert_eq!(whole.items(), [item]);
}

#[test]
fn concurrent_values_keep_the_loser_and_an_edit_settles_it() {
    let mut all = devices();
    all[0].put(&key(1), &fields(&[("level", 6)]), &[]);
    deliver_all(&mut all, &[(0, 1), (0, 2)]);
    all[0].put(&key(1), &fields(&[("level", 4)]), &[]);
    all[1].put(&key(1), &fields(&[("level", 5)]), &[]);
    deliver_all(&mut all, &[(0, 1), (1, 0)]);
    let item = all[0].document.item(&key(1)).unwrap();
    let lost: Vec<&Value> = item.conflicts["level"]
        .iter()
        .map(|claim| &claim.value)
        .collect();
    assert_eq!((lost.len(), item.conflicts.len()), (1, 1));
    assert_ne!(Some(lost[0]), item.fields.get("level"));
    all[0].put(&key(1), &fields(&[("level", 7)]), &[]);
    assert!(all[0].document.item(&key(1)).unwrap().conflicts.is_empty());
}

#[test]
fn what_is_lost_is_what_still_holds() {
    let mut all = devices();
    all[0].put(&key(1), &fields(&[("level", 6)]), &[]);
    deliver_all(&mut all, &[(0, 1)]);
    let without = all[1].document.clone();
    all[1].put(&key(1), &fields(&[("level", 4), ("effort", 2)]), &[]);
    all[1].put(&key(2), &fields(&[("level", 1)]), &[]);
    deliver_all(&mut all, &[(1, 0)]);
    all[0].put(&key(1), &fields(&[("level", 9)]), &[]);
    let chains = BTreeSet::from([all[1].actor]);
    let lost = all[0].document.lost_to(&without, &chains);
    let said: BTreeMap<&str, &Fields> = lost
        .iter()
        .map(|(key, lost)| (key.as_str(), &lost.set))
        .collect();
    let (one, two) = (key(1), key(2));
    assert_eq!(
        said[one.as_str()],
        &fields(&[("effort", 2)]),
        "level was set otherwise since"
    );
    assert_eq!(said[two.as_str()], &fields(&[("level", 1)]));
    assert!(
        all[0]
            .document
            .lost_to(&all[0].document, &chains)
            .is_empty()
    );
    let mut rebuilt = without.clone();
    let again = Actor([7; 16]);
    for (key, lost) in &lost {
        rebuilt
            .put(again, TIME, key, &lost.set, &lost.removed)
            .unwrap();
    }
    assert_eq!(rebuilt.item(&two).unwrap().fields, fields(&[("level", 1)]));
    assert_eq!(
        rebuilt.item(&one).unwrap().fields,
        fields(&[("effort", 2), ("level", 6)])
    );
}
