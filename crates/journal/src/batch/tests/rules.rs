//! What a batch may be: each rule of the layout broken once, and refused by its name.

use super::*;
use crate::change::InvalidItem;

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
        ],
    );
}

#[test]
fn keys_are_refused_where_they_break_a_rule() {
    use BatchError::*;
    refused(
        &honest(),
        &[
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
fn references_are_refused_where_they_break_a_rule() {
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
}

#[test]
fn ids_are_refused_where_they_break_a_rule() {
    use BatchError::*;
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
