//! The tables that both engines have, for what goes over all of them: moving from one engine to the other, and checking.
//!
//! Owns which columns there are, the order in which rows may be inserted, and the digest by which two stores are compared.

use sha2::{Digest, Sha256};

use super::StorageError;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A number.
    Number,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
}

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// None.
    Null,
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
}

/// A row, as its table's columns say.
pub(crate) type Row = Vec<Cell>;

/// A table.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its columns. The first `key` of them identify a row, and order the table.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// How many columns are the key.
    pub(crate) key: usize,
    /// Rows to read at a time: few where rows are large.
    pub(crate) page: i64,
}

use Kind::{Bytes, Number, Text};

const MANY: i64 = 1_000;
const FEW: i64 = 32;

/// Every table, each after those that its rows refer to.
pub(crate) const TABLES: &[Table] = &[
    table(
        "tokens",
        1,
        MANY,
        &[
            ("id", Text),
            ("hash", Bytes),
            ("created", Number),
            ("revoked", Number),
        ],
    ),
    table(
        "journals",
        1,
        MANY,
        &[
            ("number", Number),
            ("id", Bytes),
            ("length", Number),
            ("head", Bytes),
            ("used", Number),
            ("created", Number),
            ("changed", Number),
            ("token", Text),
        ],
    ),
    table(
        "records",
        2,
        FEW,
        &[("journal", Number), ("place", Number), ("bytes", Bytes)],
    ),
    table(
        "blobs",
        3,
        MANY,
        &[
            ("journal", Number),
            ("record", Number),
            ("hash", Bytes),
            ("invite", Bytes),
            ("expires", Number),
            ("bytes", Bytes),
        ],
    ),
    table(
        "members",
        2,
        MANY,
        &[("device", Bytes), ("journal", Number), ("signing", Bytes)],
    ),
    table(
        "erased",
        1,
        FEW,
        &[("id", Bytes), ("record", Bytes), ("erased", Number)],
    ),
    table(
        "chains",
        2,
        MANY,
        &[
            ("journal", Number),
            ("chain", Bytes),
            ("device", Bytes),
            ("seq", Number),
            ("hash", Bytes),
            ("head", Number),
        ],
    ),
    table(
        "envelopes",
        1,
        FEW,
        &[
            ("number", Number),
            ("journal", Number),
            ("chain", Bytes),
            ("seq", Number),
            ("hash", Bytes),
            ("head", Number),
            ("bytes", Bytes),
        ],
    ),
    table(
        "snapshots",
        1,
        FEW,
        &[
            ("number", Number),
            ("journal", Number),
            ("hash", Bytes),
            ("chain", Bytes),
            ("first", Number),
            ("last", Number),
            ("last_hash", Bytes),
            ("bytes", Bytes),
        ],
    ),
    table(
        "acknowledgements",
        3,
        MANY,
        &[
            ("journal", Number),
            ("snapshot", Bytes),
            ("device", Bytes),
            ("signature", Bytes),
        ],
    ),
    table(
        "seen",
        2,
        MANY,
        &[("key", Bytes), ("random", Bytes), ("time", Number)],
    ),
];

/// Returns the names of the tables whose rows are of one journal each, those that refer to others first.
pub(crate) fn of_a_journal() -> impl Iterator<Item = &'static str> {
    let is_of_one = |table: &&Table| table.columns.contains(&("journal", Number));
    TABLES
        .iter()
        .rev()
        .filter(is_of_one)
        .map(|table| table.name)
}

const fn table(
    name: &'static str,
    key: usize,
    page: i64,
    columns: &'static [(&'static str, Kind)],
) -> Table {
    Table {
        name,
        columns,
        key,
        page,
    }
}

impl Table {
    /// Returns the names of the columns, with commas between.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// Returns the names of the key's columns, each as `column` writes it, with commas between.
    pub(crate) fn keys(&self, column: impl Fn(&str, Kind) -> String) -> String {
        let keys = self.columns.iter().take(self.key);
        let keys: Vec<String> = keys.map(|(name, kind)| column(name, *kind)).collect();
        keys.join(", ")
    }

    /// Returns whether a database numbers its rows.
    pub(crate) fn is_numbered(&self) -> bool {
        self.columns
            .first()
            .is_some_and(|(name, _)| *name == "number")
    }
}

/// What can be read from, table by table, as of one moment.
pub(crate) trait Source {
    /// Returns rows in the order of their keys: those after the row given, [`Table::page`] at most.
    async fn rows(&mut self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, StorageError>;
}

/// What can be written to, all or nothing.
pub(crate) trait Sink {
    /// Inserts rows.
    async fn insert(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), StorageError>;
}

/// How many rows a table has, and the hash of them all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summary {
    /// The table.
    pub(crate) table: &'static str,
    /// Its rows.
    pub(crate) rows: u64,
    /// SHA-256 over its rows in the order of their keys.
    pub(crate) hash: [u8; 32],
}

/// Copies every table, and returns what each had.
///
/// # Errors
/// [`StorageError`] of either side.
pub(crate) async fn copy(
    source: &mut impl Source,
    sink: &mut impl Sink,
) -> Result<Vec<Summary>, StorageError> {
    let mut summaries = Vec::new();
    for table in TABLES {
        let mut counter = Counter::default();
        let mut last = None;
        loop {
            let rows = source.rows(table, last.as_ref()).await?;
            let Some(end) = rows.last() else { break };
            last = Some(end.clone());
            rows.iter().for_each(|row| counter.count(row));
            sink.insert(table, rows).await?;
        }
        summaries.push(counter.finish(table));
    }
    Ok(summaries)
}

/// Returns what every table has.
///
/// # Errors
/// [`StorageError`].
pub(crate) async fn summarize(source: &mut impl Source) -> Result<Vec<Summary>, StorageError> {
    copy(source, &mut Nowhere).await
}

struct Nowhere;

impl Sink for Nowhere {
    async fn insert(&mut self, _: &Table, _: Vec<Row>) -> Result<(), StorageError> {
        Ok(())
    }
}

#[derive(Default)]
struct Counter {
    rows: u64,
    hash: Sha256,
}

impl Counter {
    fn count(&mut self, row: &Row) {
        self.rows += 1;
        for cell in row {
            let number;
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Number(value) => {
                    number = value.to_be_bytes();
                    (1, &number)
                }
                Cell::Bytes(bytes) => (2, bytes),
                Cell::Text(text) => (3, text.as_bytes()),
            };
            self.hash.update([kind]);
            self.hash.update(bytes.len().to_be_bytes());
            self.hash.update(bytes);
        }
    }

    fn finish(self, table: &Table) -> Summary {
        Summary {
            table: table.name,
            rows: self.rows,
            hash: self.hash.finalize().into(),
        }
    }
}

/// Finds journals of which the store says other things in two places, in SQL that both engines read: each row is a journal's id.
pub(crate) const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "takes other bytes than it is said to",
        "SELECT j.id FROM journals j WHERE j.used <>
           (SELECT coalesce(sum(length(bytes)), 0) FROM records WHERE journal = j.number)
         + (SELECT coalesce(sum(length(bytes)), 0) FROM blobs WHERE journal = j.number)
         + (SELECT coalesce(sum(length(bytes)), 0) FROM envelopes WHERE journal = j.number)
         + (SELECT coalesce(sum(length(bytes)), 0) FROM snapshots WHERE journal = j.number)",
    ),
    (
        "has another number of records than its log is said to have",
        "SELECT j.id FROM journals j WHERE j.length <>
           (SELECT count(*) FROM records WHERE journal = j.number)",
    ),
    (
        "has an envelope beyond the tip of its chain, or a tip that is none of its envelopes",
        "SELECT j.id FROM journals j JOIN envelopes e ON e.journal = j.number
           LEFT JOIN chains c ON c.journal = e.journal AND c.chain = e.chain
         WHERE c.seq IS NULL OR e.seq > c.seq OR (e.seq = c.seq AND e.hash <> c.hash)
         GROUP BY j.id",
    ),
];
