//! What a batch may be: each rule of the layout broken once, and refused by its name; and that what may be written
//! can be sent.

pub(crate) mod forge;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::columns::{put_bytes, put_varint, zigzag};
use super::limits::{self, Limit};
use super::{Authors, Batch, BatchError, Encoder, Pushed, decode, encode};
use crate::change::{self, InvalidItem};
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

/// What is done to a batch, what it is named, and how that is refused.
type Breach = (&'static str, BatchError, fn(&mut Forged));

fn refused(base: &Forged, breaches: &[Breach]) {
    assert!(read(&base.bytes()).is_ok());
    for (name, error, breach) in breaches {
        let mut forged = base.clone();
        breach(&mut forged);
        assert_eq!(read(&forged.bytes()).err(), Some(*error), "{name}");
    }
}

#[test]
fn the_head_of_a_batch_is_refused_where_it_breaks_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
            ("an older version", Version(0), |b| b.version = 0),
            ("a newer version", Version(2), |b| b.version = 2),
            ("no authors", Number, |b| b.authors = 0),
            ("more authors than actors", Number, |b| b.authors = 2),
            ("no actors", Number, |b| b.actors.clear()),
            ("an author of another chain", Author(Actor([8; 16])), |b| {
                b.actors = vec![[8; 16]];
            }),
            (
                "a second author of another chain",
                Author(Actor([8; 16])),
                |b| {
                    b.actors.push([8; 16]);
                    b.authors = 2;
                    b.author = Some(vec![0]);
                },
            ),
            ("an actor twice", Repeated, |b| b.actors.push(ACTOR.0)),
            ("too many actors", TooLarge(Limit::Actors), |b| {
                b.actors.resize(limits::MAX_ACTORS + 1, [1; 16]);
            }),
            ("a name twice", Repeated, |b| {
                b.names.push(b"level".to_vec())
            }),
            ("an empty name", Item(InvalidItem::FieldName), |b| {
                b.names[0].clear();
                // As many bytes as two names take at least.
                b.documents[0].outside.push([0; 32]);
            }),
            ("a long name", Item(InvalidItem::FieldName), |b| {
                b.names[0] = vec![b'a'; limits::MAX_NAME + 1];
            }),
            ("a name that is not UTF-8", Text, |b| {
                b.names[0] = vec![0xc3, 0x28];
            }),
            ("too many names", TooLarge(Limit::Operations), |b| {
                b.names
                    .resize(limits::MAX_OPERATIONS + 1, b"again".to_vec());
            }),
            ("a column that is no name's", Leftover, |b| {
                b.values.push(vec![0, 0]);
            }),
            ("a name without its column", Truncated, |b| {
                b.names.push(b"more".to_vec());
            }),
        ],
    );
}

#[test]
fn the_documents_of_a_batch_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
            ("no documents", Empty, |b| b.documents.clear()),
            ("too many documents", TooLarge(Limit::Documents), |b| {
                let one = b.documents[0].clone();
                b.documents.resize(limits::MAX_DOCUMENTS + 1, one);
            }),
            ("a month after the year 9999", Number, |b| {
                b.documents[0].code = 8000 * 12 + 1;
            }),
            ("a month that no number names", Number, |b| {
                b.documents[0].code = u64::MAX;
            }),
            ("a second document beyond all numbers", Number, |b| {
                let mut more = b.documents[0].clone();
                more.code = u64::MAX - 3;
                b.documents.push(more);
            }),
            ("a document without changes", Empty, |b| {
                b.documents[0].changes = 0;
            }),
            ("a change that is not there", Truncated, |b| {
                b.documents[0].changes = 2;
            }),
            ("a change too many in the columns", Leftover, |b| {
                b.columns[DEPENDENCIES].push(0);
            }),
            ("too many changes", TooLarge(Limit::Operations), |b| {
                b.documents[0].changes = limits::MAX_OPERATIONS as u64 + 1;
            }),
            (
                "changes as many as numbers go",
                TooLarge(Limit::Operations),
                |b| {
                    b.documents[0].changes = u64::MAX;
                },
            ),
            ("a hash that no change names", Leftover, |b| {
                b.documents[0].outside.push([0; 32]);
            }),
            ("no head", Number, |b| b.documents[0].heads.clear()),
            ("a head too many", Number, |b| {
                b.documents[0].heads.push([0; 32]);
            }),
            ("too many hashes", TooLarge(Limit::References), |b| {
                b.documents[0]
                    .outside
                    .resize(limits::MAX_REFERENCES + 1, [0; 32]);
            }),
        ],
    );
}

#[test]
fn changes_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
            ("a time before 1970", TooLarge(Limit::Time), |b| {
                b.columns[TIMES] = varints(&[zigzag(-1)]);
            }),
            ("a time after 9999", TooLarge(Limit::Time), |b| {
                b.columns[TIMES] = varints(&[zigzag(*limits::TIMES.end() + 1)]);
            }),
            ("the last time", TooLarge(Limit::Time), |b| {
                b.columns[TIMES] = varints(&[u64::MAX - 1]);
            }),
            ("the first time", TooLarge(Limit::Time), |b| {
                b.columns[TIMES] = varints(&[u64::MAX]);
            }),
            ("a dependency on the change before the first", Number, |b| {
                b.columns[DEPENDENCIES] = varints(&[1, 1]);
            }),
            ("a dependency as far as numbers go", Number, |b| {
                b.columns[DEPENDENCIES] = varints(&[1, u64::MAX]);
            }),
            ("a dependency on an outside hash not there", Number, |b| {
                b.columns[DEPENDENCIES] = varints(&[1, 0, 0]);
            }),
            (
                "an outside hash named before the one before it",
                Number,
                |b| {
                    b.documents[0].outside = vec![[1; 32], [2; 32]];
                    b.columns[DEPENDENCIES] = varints(&[2, 0, 1, 0, 0]);
                },
            ),
            ("more dependencies than bytes", Truncated, |b| {
                b.columns[DEPENDENCIES] = varints(&[u64::MAX]);
            }),
            ("too many references", TooLarge(Limit::References), |b| {
                b.documents[0].outside = vec![[1; 32]];
                b.columns[DEPENDENCIES] = varints(&[limits::MAX_REFERENCES as u64 + 1]);
                b.columns[DEPENDENCIES].resize(3 * limits::MAX_REFERENCES, 0);
            }),
            ("no steps", Misplaced, |b| b.columns[STEP_COUNTS] = vec![0]),
            ("steps as many as numbers go", Truncated, |b| {
                b.columns[STEP_COUNTS] = varints(&[u64::MAX]);
            }),
            ("a number of eleven bytes", Number, |b| {
                b.columns[STEP_COUNTS] = [[0x80; 10].as_slice(), &[2]].concat();
            }),
            ("a number of 65 bits", Number, |b| {
                b.columns[STEP_COUNTS] = [[0xff; 9].as_slice(), &[2]].concat();
            }),
        ],
    );
}

#[test]
fn steps_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
            ("a field of no item", Misplaced, |b| {
                b.columns[STEPS] = vec![3, 1];
            }),
            ("a field without a name", Number, |b| {
                b.columns[STEPS] = vec![1, 6];
            }),
            ("a field as far as numbers go", Number, |b| {
                b.columns[STEPS] = [vec![1], varints(&[u64::MAX])].concat();
            }),
            ("a field twice", Repeated, |b| {
                b.columns[STEP_COUNTS] = vec![3];
                b.columns[STEPS] = vec![1, 3, 3];
                b.values[0] = vec![0, 3, 12, 1];
            }),
            ("an item made twice", Repeated, |b| {
                b.columns[STEPS] = vec![1, 1];
                b.columns[KEYS] = vec![1, b'a', 1, b'a'];
                b.values[0].clear();
            }),
            ("an item twice", Repeated, |b| {
                b.columns[STEP_COUNTS] = vec![4];
                b.columns[STEPS] = vec![2, 3, 2, 3];
                b.columns[REFERENCES] = varints(&[0, 1, 0, 1]);
                b.columns[KEYS].clear();
                b.values[0] = vec![0, 3, 12, 1];
            }),
            ("an item selected for nothing", Misplaced, |b| {
                b.columns[STEPS] = vec![1, 2];
                b.columns[REFERENCES] = varints(&[0, 1]);
                b.values[0].clear();
            }),
            ("two items selected, one for nothing", Misplaced, |b| {
                b.columns[STEP_COUNTS] = vec![3];
                b.columns[STEPS] = vec![2, 2, 3];
                b.columns[REFERENCES] = varints(&[0, 1, 0, 2]);
            }),
            ("too many fields", Item(InvalidItem::TooManyFields), |b| {
                let count = limits::MAX_FIELDS + 1;
                b.names = (0..count)
                    .map(|name| name.to_string().into_bytes())
                    .collect();
                b.columns[STEP_COUNTS] = varints(&[count as u64 + 1]);
                let fields = (0..count as u64).map(|field| 3 + 3 * field);
                b.columns[STEPS] = [vec![1], varints(&fields.collect::<Vec<_>>())].concat();
                b.values = vec![vec![0, 0]; count];
            }),
            ("an empty key", Item(InvalidItem::Key), |b| {
                b.columns[KEYS] = vec![0];
            }),
            ("a long key", Item(InvalidItem::Key), |b| {
                b.columns[KEYS] = [vec![65], vec![b'a'; limits::MAX_KEY + 1]].concat();
            }),
            ("a key in capitals", Item(InvalidItem::Key), |b| {
                b.columns[KEYS] = vec![1, b'A'];
            }),
            ("a key that is not UTF-8", Text, |b| {
                b.columns[KEYS] = vec![1, 0xff];
            }),
            ("a key longer than the column", Truncated, |b| {
                b.columns[KEYS] = varints(&[u64::MAX]);
            }),
            ("an entry's id among the other keys", Misplaced, |b| {
                let id = EntryId::mint(1, [0; 10]).to_string();
                b.columns[KEYS] = [vec![36], id.into_bytes()].concat();
            }),
            ("a key that nothing uses", Leftover, |b| {
                b.columns[KEYS].extend([1, b'b']);
            }),
        ],
    );
}

#[test]
fn references_and_ids_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    let mut base = honest();
    edit(&mut base);
    refused(
        &base,
        &[
            ("an item by an unknown chain", Number, |b| {
                b.columns[REFERENCES] = varints(&[1, 1, 1, 0, 2]);
            }),
            (
                "an item beyond all counters",
                TooLarge(Limit::Counter),
                |b| {
                    b.columns[REFERENCES] = varints(&[0, limits::MAX_COUNTER + 1, 1, 0, 2]);
                },
            ),
            ("an item beyond 32 bits", TooLarge(Limit::Counter), |b| {
                b.columns[REFERENCES] = varints(&[0, u64::from(u32::MAX) + 2, 1, 0, 2]);
            }),
            (
                "an item at the last number",
                TooLarge(Limit::Counter),
                |b| {
                    b.columns[REFERENCES] = varints(&[0, u64::MAX, 1, 0, 2]);
                },
            ),
            (
                "a value beyond all counters",
                TooLarge(Limit::Counter),
                |b| {
                    b.columns[REFERENCES] = varints(&[0, limits::MAX_COUNTER, 1, 0, 2]);
                },
            ),
            ("a value before all counters", Number, |b| {
                b.columns[REFERENCES] = varints(&[0, 1, 1, 0, zigzag(-2)]);
            }),
            ("nothing replaced", Empty, |b| {
                b.columns[REFERENCES] = varints(&[0, 1, 0]);
            }),
            ("a value replaced twice", Repeated, |b| {
                b.columns[REFERENCES] = varints(&[0, 1, 2, 0, 2, 0, 2]);
            }),
            ("values in another order", Repeated, |b| {
                b.columns[REFERENCES] = varints(&[0, 1, 2, 0, 4, 0, 2]);
            }),
            ("more values than bytes", Truncated, |b| {
                b.columns[REFERENCES] = varints(&[0, 1, u64::MAX]);
            }),
        ],
    );
    refused(
        &honest_entry(),
        &[
            ("times of eight bytes", Number, |b| {
                b.columns[KEY_TIMES] = varints(&[1, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
            }),
            ("a time of 49 bits", Number, |b| {
                b.columns[KEY_TIMES] = varints(&[1 << 48, 0]);
            }),
            ("a time before all", Number, |b| {
                b.columns[KEY_TIMES] = varints(&[0, 1, zigzag(-1)]);
            }),
            ("a plane that is not there", Truncated, |b| {
                b.columns[KEY_TIMES] = varints(&[1, 2, 0]);
            }),
            ("a plane too many", Leftover, |b| {
                b.columns[KEY_TIMES].push(0);
            }),
            ("bits that are not there", Truncated, |b| {
                b.columns[KEY_BITS].pop();
            }),
            ("bits beyond the last id", Leftover, |b| {
                b.columns[KEY_BITS][9] |= 0x80;
            }),
            ("a byte beyond the last id", Leftover, |b| {
                b.columns[KEY_BITS].push(0);
            }),
            ("an id that nothing uses", Leftover, |b| {
                b.columns[KEY_BITS] = vec![0; 19];
            }),
        ],
    );
}

#[test]
fn values_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
            ("an unknown type", Tag(10), |b| b.values[0] = vec![0, 10]),
            ("a time relative to no id", Tag(9), |b| {
                b.values[0] = vec![0, 9, 0];
            }),
            ("a list in a list", Tag(8), |b| {
                b.values[0] = vec![0, 8, 1, 8, 0];
            }),
            ("a relative time in a list", Tag(9), |b| {
                b.values[0] = vec![0, 8, 1, 9, 0];
            }),
            ("not a number", Item(InvalidItem::NotFinite), |b| {
                b.values[0] = [&[0, 4][..], &f64::NAN.to_le_bytes()].concat();
            }),
            ("infinite, in a list", Item(InvalidItem::NotFinite), |b| {
                b.values[0] = [&[0, 8, 1, 4][..], &f64::INFINITY.to_le_bytes()].concat();
            }),
            ("half a number", Truncated, |b| {
                b.values[0] = vec![0, 4, 0, 0];
            }),
            ("a long text", Item(InvalidItem::TextTooLong), |b| {
                b.values[0] = vec![0, 5];
                put_bytes(&mut b.values[0], &vec![b'a'; limits::MAX_TEXT + 1]);
            }),
            ("long bytes", Item(InvalidItem::TextTooLong), |b| {
                b.values[0] = vec![0, 6];
                put_bytes(&mut b.values[0], &vec![0; limits::MAX_TEXT + 1]);
            }),
            ("a text of more bytes than there are", Truncated, |b| {
                b.values[0] = [vec![0, 5], varints(&[u64::MAX])].concat();
            }),
            ("a text that is not UTF-8", Text, |b| {
                b.values[0] = vec![0, 5, 2, 0xc3, 0x28];
            }),
            ("a long list", Item(InvalidItem::ListTooLong), |b| {
                b.values[0] = [vec![0, 8], varints(&[limits::MAX_LIST as u64 + 1])].concat();
                b.values[0].resize(2 * limits::MAX_LIST, 0);
            }),
            ("a list of more than there is", Truncated, |b| {
                b.values[0] = [vec![0, 8], varints(&[u64::MAX])].concat();
            }),
            ("a value again that never was", Number, |b| {
                b.values[0] = vec![1];
            }),
            ("a value again, as far as numbers go", Number, |b| {
                b.values[0] = varints(&[u64::MAX]);
            }),
            ("a value that nothing uses", Leftover, |b| {
                b.values[0].push(1);
            }),
            ("no value", Truncated, |b| b.values[0].clear()),
        ],
    );
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
    let none = Fields::new();
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
        (100_000, vec![&none]),
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
