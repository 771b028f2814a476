//! Batches by themselves: round trips, what few bytes may amount to, and that whatever may be written can be sent.

pub(crate) mod forge;
mod rules;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::columns::{put_bytes, put_varint, zigzag};
use super::limits::{self, Limit};
use super::{Authors, Batch, BatchError, Encoder, Pushed, decode, encode};
use crate::change;
use crate::{Actor, DocumentId, EntryId, Fields, Scalar, Value};
use forge::{
    DEPENDENCIES, Forged, ForgedDocument, KEY_BITS, KEY_TIMES, KEYS, REFERENCES, STEP_COUNTS,
    STEPS, TIMES, varints,
};

const TIME: i64 = 1_793_500_000;
const ACTOR: Actor = Actor([9; 16]);

fn month() -> DocumentId {
    DocumentId::month(2026, 11).unwrap()
}

/// A batch of one change that makes the item `a` with the level 6.
fn honest() -> Forged {
    let fields = Fields::from([("level".to_owned(), Value::from(6))]);
    let change = change::create(ACTOR, None, TIME, &[("a", &fields)]).unwrap();
    let code = super::code(month());
    let head = change.tip.hash.0;
    let forged = Forged {
        version: 1,
        actors: vec![ACTOR.0],
        authors: 1,
        names: vec![b"level".to_vec()],
        documents: vec![ForgedDocument {
            code,
            changes: 1,
            outside: Vec::new(),
            heads: vec![head],
        }],
        author: None,
        columns: [
            varints(&[zigzag(TIME)]),
            vec![0],
            vec![2],
            vec![1, 3],
            Vec::new(),
            vec![0, 0],
            Vec::new(),
            vec![1, b'a'],
        ],
        values: vec![vec![0, 3, 12]],
    };
    assert_eq!(forged.bytes(), encode(&[(month(), &change.bytes)]).unwrap());
    forged
}

/// A batch of one change that makes an entry with the level 6.
fn honest_entry() -> Forged {
    let fields = Fields::from([("level".to_owned(), Value::from(6))]);
    let key = EntryId::mint(TIME.unsigned_abs() * 1000, [7; 10]).to_string();
    let change = change::create(ACTOR, None, TIME, &[(&key, &fields)]).unwrap();
    Forged::read(&encode(&[(month(), &change.bytes)]).unwrap())
}

/// Makes the change an edit of an item of its own chain.
fn edit(forged: &mut Forged) {
    forged.columns[STEPS] = vec![2, 4];
    forged.columns[REFERENCES] = varints(&[0, 1, 1, 0, zigzag(1)]);
    forged.columns[KEYS].clear();
}

#[expect(
    clippy::disallowed_methods,
    reason = "that it is quick is what is tested"
)]
fn read(bytes: &[u8]) -> Result<Batch, BatchError> {
    let start = Instant::now();
    let read = decode(bytes, &Authors::One(ACTOR));
    assert!(start.elapsed() < Duration::from_secs(10));
    read
}

/// A batch that sets `fields` fields of each of `items` items, each to the same value.
fn repeated(items: usize, fields: usize, value: &[u8]) -> Forged {
    let mut forged = honest();
    forged.names = (0..fields)
        .map(|name| name.to_string().into_bytes())
        .collect();
    forged.columns[STEP_COUNTS] = varints(&[(items * (fields + 1)) as u64]);
    forged.columns[STEPS].clear();
    forged.columns[KEYS].clear();
    for item in 0..items {
        put_varint(&mut forged.columns[STEPS], 1);
        put_bytes(&mut forged.columns[KEYS], item.to_string().as_bytes());
        for field in 0..fields as u64 {
            put_varint(&mut forged.columns[STEPS], 3 + 3 * field);
        }
    }
    let again = vec![1; items - 1];
    forged.values = vec![[&[0][..], value, &again].concat(); fields];
    forged
}

#[test]
fn what_few_bytes_amount_to_is_bounded() {
    let mut text = vec![5];
    put_bytes(&mut text, &vec![b'a'; limits::MAX_TEXT]);
    let of_text = |items| read(&repeated(items, 1, &text).bytes()).err();
    assert_eq!(of_text(63), None);
    let expanded = BatchError::TooLarge(Limit::Expanded);
    assert_eq!(of_text(64), Some(expanded));
    assert_eq!(of_text(50_000), Some(expanded));

    let mut list = [vec![8], varints(&[limits::MAX_LIST as u64])].concat();
    list.resize(list.len() + limits::MAX_LIST, 0);
    let of_lists = |items| read(&repeated(items, 1, &list).bytes());
    assert_eq!(of_lists(99).unwrap().counts().operations, 99 * 1002);
    let operations = BatchError::TooLarge(Limit::Operations);
    assert_eq!(of_lists(100).err(), Some(operations));
    assert_eq!(of_lists(50_000).err(), Some(operations));

    // The same over many changes, each of which is small enough.
    let mut many = repeated(63, 1, &text);
    let changes = 5;
    many.documents[0].changes = changes;
    many.documents[0].heads = vec![[0; 32]; 5];
    many.columns[TIMES] = vec![0; 5];
    many.columns[DEPENDENCIES] = vec![0; 5];
    many.columns[STEP_COUNTS] = many.columns[STEP_COUNTS].repeat(5);
    many.columns[STEPS] = many.columns[STEPS].repeat(5);
    many.columns[KEYS] = many.columns[KEYS].repeat(5);
    many.values[0].extend([1; 63 * 4]);
    assert_eq!(read(&many.bytes()).err(), Some(expanded));
    let longest = vec![1; limits::MAX_BYTES + 1];
    assert_eq!(
        read(&longest).err(),
        Some(BatchError::TooLarge(Limit::Bytes))
    );
}

#[test]
fn a_batch_is_cut_short_or_has_bytes_left_over_at_every_length() {
    for forged in [honest(), honest_entry()] {
        let bytes = forged.bytes();
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).err();
            assert_eq!(error, Some(BatchError::Truncated), "{length}");
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(read(&longer).err(), Some(BatchError::Leftover));
    }
}

#[test]
fn every_count_may_be_claimed_to_be_enormous() {
    let mut forged = honest();
    edit(&mut forged);
    let bytes = forged.bytes();
    for place in 0..bytes.len() {
        for claim in [u64::MAX, 1 << 63, 1 << 32, u64::from(u32::MAX), 1 << 24] {
            let rest = &bytes[place + 1..];
            let altered = [&bytes[..place], &varints(&[claim]), rest].concat();
            // Where it is a number of something else, it may well be right.
            let _ = read(&altered);
            let _ = read(&[&bytes[..place], &varints(&[claim])].concat());
        }
    }
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Int),
        (-1e300..1e300).prop_map(Scalar::Float),
        ".{0,12}".prop_map(Scalar::Text),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Scalar::Bytes),
        any::<i64>().prop_map(Scalar::Timestamp),
    ]
}

/// Any value that may be written, and any name.
pub(crate) fn any_field() -> impl Strategy<Value = (String, Value)> {
    let value = prop_oneof![
        3 => scalar().prop_map(Value::Scalar),
        1 => proptest::collection::vec(scalar(), 0..5).prop_map(Value::List),
    ];
    (prop_oneof![3 => "[a-d]", 1 => ".{1,8}"], value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_encoded_is_decoded_and_encoded_again_alike(
        changes in proptest::collection::vec(
            (0..3u8, 0..9u64, proptest::collection::btree_map(any_field().prop_map(|f| f.0), any_field().prop_map(|f| f.1), 0..6)),
            1..12,
        ),
    ) {
        let documents = [DocumentId::Profile, month(), DocumentId::month(9999, 12).unwrap()];
        let mut tips = [None; 3];
        let mut made = Vec::new();
        for (index, (document, item, fields)) in changes.iter().enumerate() {
            let id = EntryId::mint(item * 123_456_789, [index as u8; 10]).to_string();
            let key = if *item == 0 { "plan:a".to_owned() } else { id };
            let tip = &mut tips[usize::from(*document)];
            let change = change::create(ACTOR, tip.as_ref(), TIME - *item as i64, &[(&key, fields)]).unwrap();
            *tip = Some(change.tip);
            made.push((documents[usize::from(*document)], change.bytes));
        }
        let borrowed: Vec<_> = made.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect();
        let bytes = encode(&borrowed).unwrap();
        prop_assert_eq!(&bytes, &encode(&borrowed).unwrap());
        prop_assert_eq!(Forged::read(&bytes).bytes(), bytes.clone());
        let batch = read(&bytes).unwrap();
        prop_assert_eq!(batch.counts().changes, made.len());
        prop_assert_eq!(batch.counts().items, made.len());
        for (id, part) in &batch.documents {
            let count = made.iter().filter(|(of, _)| of == id).count();
            prop_assert_eq!(part.len(), count);
        }
    }
}

/// Whatever may be written must also find a place in a batch, or a device could never seal again.
#[test]
fn the_greatest_change_fits_into_an_empty_batch() {
    let long = |number: usize| format!("{number:064}");
    let fields = |count: usize, value: &Value| -> Fields {
        (0..count)
            .map(|number| (long(number), value.clone()))
            .collect()
    };
    let ids = |count: usize| -> Vec<String> {
        (0..count)
            .map(|number| EntryId::mint(number as u64 * 70_000, [0; 10]).to_string())
            .collect()
    };
    // As many operations and as much text as a change may have, divided in different ways.
    let number = Value::from(i64::MIN);
    let few = fields(1, &number);
    let list = Value::List(vec![Scalar::Int(i64::MIN); 500]);
    let texts = fields(62, &Value::from("a".repeat(limits::MAX_TEXT)));
    let bytes = Value::from("a".repeat(41));
    let wide: Vec<Fields> = (0..248)
        .map(|item| {
            let names = (0..200).map(|field| format!("{:x}", item * 200 + field));
            names.map(|name| (name, bytes.clone())).collect()
        })
        .collect();
    let cases: Vec<(usize, Vec<&Fields>)> = vec![
        (40_000, vec![&few]),
        (1, vec![&texts]),
        (248, wide.iter().collect()),
    ];
    let lists = fields(199, &list);
    for (count, of) in cases.into_iter().chain([(1, vec![&lists])]) {
        let keys = ids(count);
        let items: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.as_str(), of[index % of.len()]))
            .collect();
        let change = change::create(ACTOR, None, TIME, &items).unwrap();
        let mut encoder = Encoder::default();
        let pushed = encoder.push(month(), &change.bytes);
        assert_eq!(pushed, Ok(Pushed::Taken), "{count} items");
        assert!(read(&encoder.finish()).is_ok());
    }
}
