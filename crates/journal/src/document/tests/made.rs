//! Changes made here are those that Automerge itself would commit, and a document stored in parts is the document.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ScalarValue};

use super::*;
use crate::document::{ItemEdit, UpdateError};

const ACTOR: Actor = Actor([3; 16]);

/// Every type that a field may have.
fn all_types() -> Fields {
    let text = |text: &str| Scalar::Text(text.to_owned());
    Fields::from([
        ("at".to_owned(), Value::Scalar(Scalar::Timestamp(-1))),
        ("empty".to_owned(), Value::List(Vec::new())),
        ("kind".to_owned(), "check-in".into()),
        ("level".to_owned(), 6.into()),
        (
            "list".to_owned(),
            Value::List(vec![text("é"), Scalar::Null]),
        ),
        ("mean".to_owned(), 0.25.into()),
        ("null".to_owned(), Value::Scalar(Scalar::Null)),
        ("raw".to_owned(), Value::Scalar(Scalar::Bytes(vec![0, 255]))),
        ("yes".to_owned(), true.into()),
    ])
}

fn scalar(scalar: &Scalar) -> ScalarValue {
    match scalar {
        Scalar::Null => ScalarValue::Null,
        Scalar::Bool(yes) => (*yes).into(),
        Scalar::Int(number) => (*number).into(),
        Scalar::Float(number) => (*number).into(),
        Scalar::Text(text) => text.as_str().into(),
        Scalar::Bytes(bytes) => bytes.clone().into(),
        Scalar::Timestamp(ms) => ScalarValue::Timestamp(*ms),
    }
}

fn put(to: &mut impl Transactable, item: &ObjId, fields: &Fields) {
    for (name, value) in fields {
        match value {
            Value::Scalar(value) => to.put(item, name.as_str(), scalar(value)).unwrap(),
            Value::List(values) => {
                let list = to.put_object(item, name.as_str(), ObjType::List).unwrap();
                for (index, value) in values.iter().enumerate() {
                    to.insert(&list, index, scalar(value)).unwrap();
                }
            }
        }
    }
}

/// Has Automerge commit what `write` does, and returns the change.
fn commit<T>(
    document: &mut Automerge,
    write: impl FnOnce(&mut automerge::transaction::Transaction<'_>) -> T,
) -> (T, Vec<u8>) {
    let mut to = document.transaction();
    let written = write(&mut to);
    to.commit_with(CommitOptions::default().with_time(TIME));
    let change = document.get_last_local_change().unwrap();
    (written, change.raw_bytes().to_vec())
}

#[test]
fn changes_are_byte_for_byte_those_that_automerge_commits() {
    let mut theirs = Automerge::new().with_actor(ActorId::from(ACTOR.0));
    let mut ours = Document::empty(month());
    let fields = all_types();
    let mut tip = None;
    let mut items = Vec::new();
    for number in 1..5 {
        let key = key(number);
        let (item, expected) = commit(&mut theirs, |to| {
            let item = to.put_object(ROOT, key.as_str(), ObjType::Map).unwrap();
            put(to, &item, &fields);
            item
        });
        let made = change::create(ACTOR, tip.as_ref(), TIME, &[(&key, &fields)]).unwrap();
        assert_eq!(made.bytes, expected);
        tip = Some(made.tip);
        let parts = [made.bytes.as_slice()];
        ours = Document::load(month(), Some(&ours.save()), parts).unwrap();
        items.push(item);
    }
    assert_eq!(tip, ours.tips().remove(&ACTOR));
    // Edits: a number for a list, a list for a number, a field that was not there, and one removed.
    let mut set = super::fields(&[("list", 1), ("new", 2)]);
    let list = Value::List(vec![Scalar::Int(1), Scalar::Int(2)]);
    set.insert("level".to_owned(), list);
    let (_, expected) = commit(&mut theirs, |to| {
        for (name, value) in &set {
            let one = Fields::from([(name.clone(), value.clone())]);
            put(to, &items[1], &one);
        }
        to.delete(&items[1], "yes").unwrap();
    });
    let made = ours.update(ACTOR, TIME, &key(2), &set, &["yes", "nothing"]);
    assert_eq!(made.unwrap().unwrap().bytes, expected);
    assert_eq!(ours.save(), theirs.save());
}

#[test]
fn a_document_in_parts_is_the_document() {
    let mut whole = Document::empty(month());
    let mut parts = Vec::new();
    let mut base = None;
    let none = BTreeSet::new();
    for number in 0..12u8 {
        let actor = Actor([number % 3; 16]);
        let made = whole.put(actor, TIME, &key(number / 2), &all_types(), &none);
        parts.extend(made.unwrap().map(|made| made.bytes));
        let edit = fields(&[("level", i64::from(number))]);
        let made = whole.put(actor, TIME, &key(number / 2), &edit, &none);
        parts.extend(made.unwrap().map(|made| made.bytes));
        if number == 5 {
            base = Some(whole.save());
            parts.clear();
        }
        let borrowed = parts.iter().map(Vec::as_slice);
        let loaded = Document::load(month(), base.as_deref(), borrowed).unwrap();
        assert_eq!(loaded.heads(), whole.heads());
        assert_eq!(loaded.items(), whole.items());
        assert_eq!(loaded.tips(), whole.tips());
        // Concurrent changes may stand in another order; saved, they stand in that order for good.
        let saved = loaded.save();
        let again = Document::load(month(), Some(&saved), []).unwrap();
        assert_eq!(again.save(), saved);
    }
    // In another order, and twice, they are the same.
    let backwards = parts.iter().rev().chain(&parts).map(Vec::as_slice);
    let loaded = Document::load(month(), base.as_deref(), backwards).unwrap();
    assert_eq!(loaded.heads(), whole.heads());
    assert_eq!(loaded.items(), whole.items());
    // Without one of them, or with one damaged, there is no document.
    let without = parts.iter().skip(1).map(Vec::as_slice);
    assert!(Document::load(month(), base.as_deref(), without).is_err());
    let mut damaged = parts.clone();
    *damaged[3].last_mut().unwrap() ^= 1;
    let damaged = damaged.iter().map(Vec::as_slice);
    assert!(Document::load(month(), base.as_deref(), damaged).is_err());
    let cut = parts.iter().map(|part| &part[..part.len() - 1]);
    assert!(Document::load(month(), base.as_deref(), cut).is_err());
}

/// Entries as a check-in makes them, each in a change of its own: the raw batch, and what is left of it deflated.
#[test]
fn a_thousand_entries_of_five_fields_take_few_bytes_each() {
    let mut tip: Option<Tip> = None;
    let mut made = Vec::new();
    // Any numbers that do not repeat soon.
    let mut seed = 1_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005) + 1;
        (seed >> 33) % below
    };
    for number in 0..1000u64 {
        let ms = NOVEMBER_MS + number * 2_400_000 + random(2_000_000);
        let bits = std::array::from_fn(|_| random(256) as u8);
        let id = EntryId::mint(ms, bits).to_string();
        let mut set = fields(&[
            ("effort", random(11).cast_signed()),
            ("level", random(11).cast_signed()),
            ("weakness", random(5).cast_signed()),
        ]);
        let at = ms.cast_signed() - 60_000 * random(30).cast_signed();
        set.insert("at".to_owned(), Value::Scalar(Scalar::Timestamp(at)));
        set.insert("kind".to_owned(), "check-in".into());
        let time = (ms / 1000).cast_signed();
        let change = change::create(ACTOR, tip.as_ref(), time, &[(&id, &set)]).unwrap();
        tip = Some(change.tip);
        made.push(change);
    }
    let changes: Vec<_> = made
        .iter()
        .map(|change| (month(), change.bytes.as_slice()))
        .collect();
    let bytes = encode(&changes).unwrap();
    // 31.7 bytes raw, of which the entry's id takes 12 and its time 4; 16.5 deflated.
    assert!(bytes.len() < 33 * 1000, "{} bytes raw", bytes.len());
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut deflated, &bytes).unwrap();
    let deflated = deflated.finish().unwrap().len();
    assert!(deflated < 18 * 1000, "{deflated} bytes deflated");
    let batch = decode(&bytes, &Authors::One(ACTOR)).unwrap();
    let merged = Document::empty(month())
        .merge(&batch.documents[&month()])
        .unwrap();
    assert_eq!((merged.changes, merged.touched.len()), (1000, 1000));
}

#[test]
fn several_items_are_edited_in_one_change_or_none_is() {
    let mut device = devices().remove(0);
    for number in 1..=2 {
        device.put(&key(number), &fields(&[("level", 6), ("effort", 1)]), &[]);
    }
    let (one, two) = (key(1), key(2));
    let set = fields(&[("level", 3)]);
    let edit = |key| ItemEdit {
        key,
        set: &set,
        remove: &["effort"],
    };
    let before = device.state();
    let missing = key(9);
    let edits = [edit(&one), edit(&missing)];
    let refused = device.document.update_all(device.actor, TIME, &edits);
    assert_eq!(refused, Err(UpdateError::NoSuchItem));
    assert_eq!(device.state(), before);
    let edits = [edit(&one), edit(&two)];
    let made = device.document.update_all(device.actor, TIME, &edits);
    device.made.extend(made.unwrap());
    assert_eq!(device.document.changes().len(), 3);
    for key in [&one, &two] {
        assert_eq!(device.document.item(key).unwrap().fields, set);
    }
    let mut other = Document::empty(month());
    for part in travel(device.actor, &device.made).documents.values() {
        other.merge(part).unwrap();
    }
    assert_eq!(other.items(), device.document.items());
}
