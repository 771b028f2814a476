//! The limits of a batch, and of what any change may hold.
//!
//! A writer keeps to them when it makes a change, a reader refuses what exceeds them: what one ebb wrote, every
//! other takes. They bound the memory a hostile batch can cost before it is refused (see `batch.rs`).

use std::fmt;
use std::ops::RangeInclusive;

/// Longest batch, in bytes, before the caller compresses it and after it decompresses it.
pub const MAX_BYTES: usize = 8 << 20;

/// Most Automerge operations in a batch: one for each item made, each field set or removed, each element of a list.
pub const MAX_OPERATIONS: usize = 100_000;

/// Most documents in a batch.
pub const MAX_DOCUMENTS: usize = 1_000;

/// Most chains a batch may name, as authors or in references.
pub const MAX_ACTORS: usize = 1_000;

/// Most references (dependencies of changes, operations that others replace) in a batch.
pub const MAX_REFERENCES: usize = 200_000;

/// Most bytes of text, bytes, names and keys in a batch once what it says repeatedly is written out.
pub const MAX_EXPANDED: usize = 16 << 20;

/// Most bytes of text, bytes, names and keys in one change. Half a batch, so that every change fits into one.
pub const MAX_CHANGE_EXPANDED: usize = 4 << 20;

/// Longest text or bytes value, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// Most scalars in a list.
pub const MAX_LIST: usize = 1_000;

/// Longest name of a field, in bytes of UTF-8; the shortest is one byte.
pub const MAX_NAME: usize = 64;

/// Longest key of an item, in bytes; the shortest is one byte, and all are of `a-z 0-9 : _ -`.
pub const MAX_KEY: usize = 64;

/// Most fields one change may set or remove in one item, and most that an edit may bring an item to. Several writers
/// can bring one beyond; it can then still be edited.
pub const MAX_FIELDS: usize = 200;

/// Greatest operation counter. Automerge keeps counters in 32 bits and fails beyond them; at a full batch a day a
/// document takes 29 years to come here.
pub const MAX_COUNTER: u64 = 1 << 30;

/// The times a change may carry, in Unix seconds: the years 1970 to 9999.
pub const TIMES: RangeInclusive<i64> = 0..=253_402_300_799;

/// Which limit a batch exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`MAX_BYTES`].
    Bytes,
    /// [`MAX_OPERATIONS`].
    Operations,
    /// [`MAX_DOCUMENTS`].
    Documents,
    /// [`MAX_ACTORS`].
    Actors,
    /// [`MAX_REFERENCES`].
    References,
    /// [`MAX_EXPANDED`], or [`MAX_CHANGE_EXPANDED`] for one change.
    Expanded,
    /// [`MAX_COUNTER`].
    Counter,
    /// [`TIMES`].
    Time,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "its length",
            Self::Operations => "operations",
            Self::Documents => "documents",
            Self::Actors => "chains",
            Self::References => "references",
            Self::Expanded => "text",
            Self::Counter => "operation counters",
            Self::Time => "times",
        })
    }
}
