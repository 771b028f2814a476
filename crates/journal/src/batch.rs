//! The batch: our own bounded encoding of Automerge changes, which is what an envelope carries.
//!
//! Hostile Automerge bytes make automerge 0.12 panic, allocate gigabytes, or accept what it later cannot load. So no
//! Automerge byte is ever read from another device: a batch says what its changes do, in columns, and the receiver
//! rebuilds the changes, with identical hashes. [`decode`] checks everything that can be checked without the document;
//! `document/merge.rs` checks the rest. The caller compresses the result of [`encode`] (DEFLATE), and bounds what it
//! decompresses by [`limits::MAX_BYTES`].
//!
//! What a batch cannot say is not checked for: sequence numbers and operation counters of its changes (the receiver
//! computes them from the dependencies), operations other than making an item at the root, setting a field to a scalar
//! or a list of scalars, and removing a field; elements of a list apart from the list.
//!
//! # Layout, version 1
//!
//! Integers are LEB128 *varints*, at most ten bytes; *zigzag* ones are signed. A *column* is a varint length and that
//! many bytes, of which none may be left over.
//!
//! | part | content |
//! |---|---|
//! | version | one byte: 1 |
//! | actors | varint count *n* ≥ 1, varint count of authors 1 … *n*, then *n* × 16 bytes, all different; the authors come first |
//! | names | varint count, then varint length and UTF-8 each: the names of fields, all different |
//! | documents | varint count ≥ 1, then for each, ascending: varint code minus the one before minus 1 (first: minus 0), varint count of changes ≥ 1, varint count of outside hashes, those × 32 bytes, varint count of heads, their hashes × 32 bytes |
//! | column authors | only if there are several: per change, varint index of its author |
//! | column times | per change, zigzag of its Unix seconds minus those of the id of the item that it makes first, or, if it makes none with an entry id, minus the time of the change before (first: 0) |
//! | column dependencies | per change, varint count; each: varint distance to an earlier change of the document (1: the one before), or 0 for the next of the outside hashes, varint index |
//! | column step counts | per change, varint count ≥ 1 |
//! | column steps | per step, varint: 0 make an item keyed by an entry id, 1 make one with another key, 2 select an item, then, for the field of index *f*: 3+3*f* set, 4+3*f* set replacing, 5+3*f* remove |
//! | column references | per item selected: varint actor, varint counter; per field set replacing or removed: varint count ≥ 1, then varint actor, zigzag counter minus that of the item selected, ascending |
//! | column key times | first time (varint, Unix ms), byte count *w* 0 … 7, then *w* planes of one byte per key, lowest first, of the zigzag difference to the key before |
//! | column key bits | per entry id, the 74 random bits of the UUID, packed |
//! | column keys | per other key: varint length and text |
//! | a column for each name | per field set, varint: 0 a new value follows; *k* the *k*-th value of this column again |
//!
//! A document's code is 0 for the profile, 1 + 12 × (year − 2000) + (month − 1) for a month. Its outside hashes are those
//! of the changes it depends on that are not in the batch, in the order in which they are first named; its heads are its
//! changes on which no other in the batch depends, in order: they prove that the receiver has rebuilt the same changes.
//! A change names its dependencies in ascending order of their hashes. A value is a tag byte and its content: 0 null, 1 false, 2 true, 3 int (zigzag), 4 float (8 bytes,
//! little-endian), 5 text and 6 bytes (varint length), 7 timestamp (zigzag), 8 list (varint count, scalars), and,
//! where the step's item is made by this change and keyed by an entry id, 9 timestamp (zigzag of the id's time minus it).

mod columns;
mod decode;
mod encode;
pub mod limits;
mod taken;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::change::{ChangeHash, OpRef};
use crate::{Actor, DocumentId, Value};

pub use decode::{BatchError, decode};
pub(crate) use encode::value_bytes;
pub use encode::{EncodeError, Encoder, Pushed, encode};

/// Whose changes a batch may carry.
#[derive(Clone, Copy, Debug)]
pub enum Authors<'a> {
    /// Those of one chain: the envelope's own.
    One(Actor),
    /// Those of all chains that a snapshot lists.
    Listed(&'a BTreeSet<Actor>),
}

impl Authors<'_> {
    fn allow(&self, actor: Actor) -> bool {
        if cfg!(ebb_mutant = "unchecked-actor") {
            return true;
        }
        match self {
            Self::One(one) => *one == actor,
            Self::Listed(actors) => actors.contains(&actor),
        }
    }
}

/// A decoded batch: well-formed, within the limits, by the allowed chains; not yet known to fit the documents.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What it holds for each document.
    pub documents: BTreeMap<DocumentId, BatchPart>,
    counts: Counts,
}

impl Batch {
    /// Returns how much the batch holds.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns whether a writer may have made it: the profile is the owners' alone.
    pub fn may_come_from(&self, owner: bool) -> bool {
        owner
            || !self.documents.contains_key(&DocumentId::Profile)
            || cfg!(ebb_mutant = "profile-by-anyone")
    }
}

/// How much a batch holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Items made.
    pub items: usize,
    /// Changes.
    pub changes: usize,
    /// Automerge operations.
    pub operations: usize,
}

/// The changes of a batch for one document, in causal order.
#[derive(Clone, Debug)]
pub struct BatchPart {
    pub(crate) document: DocumentId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) changes: Vec<PartChange>,
    pub(crate) steps: Vec<PartStep>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Operations that others replace.
    pub(crate) replaced: Vec<OpRef>,
    pub(crate) keys: Vec<Box<str>>,
    pub(crate) outside: Vec<ChangeHash>,
    /// The changes on which no other of the part depends, by index, ascending, and their hashes.
    pub(crate) heads: Vec<(u32, ChangeHash)>,
}

impl BatchPart {
    /// Returns the document that the changes belong to.
    pub fn document(&self) -> DocumentId {
        self.document
    }

    /// Returns whether it depends on nothing outside.
    pub(crate) fn is_whole(&self) -> bool {
        self.outside.is_empty()
    }

    /// Returns the number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are no changes. A decoded part has some.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns the chains whose changes these are, with how many each has.
    pub fn authors(&self) -> BTreeMap<Actor, u64> {
        let mut authors = BTreeMap::new();
        for change in &self.changes {
            *authors.entry(change.author).or_default() += 1;
        }
        authors
    }

    pub(crate) fn steps_of(&self, change: &PartChange) -> &[PartStep] {
        slice(&self.steps, &change.steps)
    }

    pub(crate) fn dependencies_of(&self, change: &PartChange) -> &[Dependency] {
        slice(&self.dependencies, &change.dependencies)
    }

    pub(crate) fn replaced_by(&self, step: &PartStep) -> &[OpRef] {
        match &step.kind {
            StepKind::Set { replaces, .. } | StepKind::Remove { replaces, .. } => {
                slice(&self.replaced, replaces)
            }
            StepKind::Make { .. } | StepKind::Select { .. } => &[],
        }
    }

    pub(crate) fn key(&self, index: u32) -> &str {
        self.keys.get(index as usize).map_or("", |key| key)
    }
}

fn slice<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    all.get(range.start as usize..range.end as usize)
        .unwrap_or_default()
}

/// What the documents of a batch have in common. Values that occur again and again are kept once.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) names: Vec<String>,
    pub(crate) values: Vec<Value>,
}

impl Shared {
    pub(crate) fn name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("", String::as_str)
    }

    pub(crate) fn value(&self, index: u32) -> &Value {
        const NULL: &Value = &Value::Scalar(crate::Scalar::Null);
        self.values.get(index as usize).unwrap_or(NULL)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PartChange {
    pub(crate) author: Actor,
    pub(crate) time: i64,
    pub(crate) operations: u32,
    pub(crate) dependencies: Range<u32>,
    pub(crate) steps: Range<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dependency {
    /// An earlier change of the part, by index.
    Inside(u32),
    /// A change that is not in the batch, by index into `outside`.
    Outside(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct PartStep {
    /// The step's first operation, counted from the change's first.
    pub(crate) offset: u32,
    /// The step that makes or selects the item, counted from the change's first.
    pub(crate) item: u32,
    pub(crate) kind: StepKind,
}

#[derive(Clone, Debug)]
pub(crate) enum StepKind {
    Make {
        key: u32,
    },
    Select {
        item: OpRef,
    },
    Set {
        field: u32,
        value: u32,
        replaces: Range<u32>,
    },
    Remove {
        field: u32,
        replaces: Range<u32>,
    },
}

/// Returns the number a document has in a batch. Numbers ascend as the documents do.
fn code(document: DocumentId) -> u64 {
    match document {
        DocumentId::Profile => 0,
        DocumentId::Month { year, month } => {
            1 + 12 * (i64::from(year) - 2000).unsigned_abs() + (i64::from(month) - 1).unsigned_abs()
        }
    }
}

fn document(code: u64) -> Option<DocumentId> {
    let Some(months) = code.checked_sub(1) else {
        return Some(DocumentId::Profile);
    };
    let year = i16::try_from(months / 12).ok()?.checked_add(2000)?;
    let month = i8::try_from(months % 12).ok()? + 1;
    DocumentId::month(year, month).ok()
}
