//! Making changes: the raw Automerge change that creates items, without loading a document.
//!
//! Owns [`ChangeHash`] and [`Tip`], the rules for what an item may hold ([`InvalidItem`]), and [`create`]. What a
//! change consists of is in `change/operations.rs` (writing) and `change/steps.rs` (reading). Edits need the document
//! and are in `document.rs`.
//!
//! Invariants of every change made here, in `document.rs` and by `batch.rs`, which a receiver recomputes instead of
//! reading them: the actor's own previous change is in the causal past; the sequence number is that one's plus one;
//! the first operation's counter is the greatest of all dependencies plus one.

mod operations;
mod steps;

use std::fmt;

use crate::batch::limits;
use crate::{Actor, Fields, Scalar, Value};

pub(crate) use operations::{OpRef, Operations};
pub use steps::NotOurs;
pub(crate) use steps::{Step, actor, steps};

/// The SHA-256 by which Automerge names a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeHash(pub [u8; 32]);

impl fmt::Display for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeHash({self})")
    }
}

impl From<automerge::ChangeHash> for ChangeHash {
    fn from(hash: automerge::ChangeHash) -> Self {
        Self(hash.0)
    }
}

impl From<ChangeHash> for automerge::ChangeHash {
    fn from(hash: ChangeHash) -> Self {
        Self(hash.0)
    }
}

/// A chain's last change in one document: what the next one needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// The change's number in its chain and document, from 1.
    pub seq: u64,
    /// The greatest operation counter in the change, and so in its causal past.
    pub max_op: u64,
    /// The change's hash.
    pub hash: ChangeHash,
}

/// A change that was just made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewChange {
    /// The raw, uncompressed Automerge change chunk.
    pub bytes: Vec<u8>,
    /// The chain's last change in the document from now on.
    pub tip: Tip,
}

impl NewChange {
    pub(crate) fn of(change: &automerge::Change) -> Self {
        let tip = Tip {
            seq: change.seq(),
            max_op: change.max_op(),
            hash: change.hash().into(),
        };
        Self {
            bytes: change.raw_bytes().to_vec(),
            tip,
        }
    }
}

/// Why an item or an edit cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItem {
    /// A key is empty, longer than [`limits::MAX_KEY`], or has other characters than `a-z 0-9 : _ -`.
    #[error(
        "an item's key is not 1 to {} characters of a-z, 0-9, ':', '_' and '-'",
        limits::MAX_KEY
    )]
    Key,
    /// A field's name is empty or longer than [`limits::MAX_NAME`].
    #[error("a field's name is not 1 to {} bytes", limits::MAX_NAME)]
    FieldName,
    /// More than [`limits::MAX_FIELDS`] fields.
    #[error("more than {} fields", limits::MAX_FIELDS)]
    TooManyFields,
    /// A text or bytes value longer than [`limits::MAX_TEXT`].
    #[error("a text is longer than {} bytes", limits::MAX_TEXT)]
    TextTooLong,
    /// A list of more than [`limits::MAX_LIST`] scalars.
    #[error("a list has more than {} elements", limits::MAX_LIST)]
    ListTooLong,
    /// A float that is infinite or not a number.
    #[error("a number is infinite or not a number")]
    NotFinite,
    /// The same key twice in one change.
    #[error("an item appears twice in one change")]
    Repeated,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// An item is not one that may be written.
    #[error(transparent)]
    Item(#[from] InvalidItem),
    /// No items were given.
    #[error("a change without items")]
    Empty,
    /// More than [`limits::MAX_OPERATIONS`] operations, or [`limits::MAX_CHANGE_EXPANDED`] bytes of text.
    #[error("too much for one change")]
    TooLarge,
    /// The time is not in [`limits::TIMES`].
    #[error("the time is outside the years 1970 to 9999")]
    Time,
    /// The document's counters have reached [`limits::MAX_COUNTER`].
    #[error("the document takes no more changes")]
    Exhausted,
}

/// Builds the change that creates `items` (key and fields each) in a document, without loading it.
///
/// `tip` is the actor's own last change in that document, `None` if there is none; `time` is now, in Unix seconds.
/// Depends on that last change alone, so whatever else the document holds is concurrent to it.
///
/// # Errors
/// [`CreateError`] if the items, the time or the sizes are not what [`limits`] allow.
pub fn create(
    actor: Actor,
    tip: Option<&Tip>,
    time: i64,
    items: &[(&str, &Fields)],
) -> Result<NewChange, CreateError> {
    check_change(time, items)?;
    let (seq, start, deps) = match tip {
        Some(tip) => (tip.seq + 1, tip.max_op + 1, vec![tip.hash.into()]),
        None => (1, 1, Vec::new()),
    };
    let mut operations = Operations::new(actor, start);
    for (key, fields) in items {
        operations.make(key);
        for (name, value) in *fields {
            operations.set(name, value, Vec::new());
        }
    }
    if operations.next_counter() > limits::MAX_COUNTER {
        return Err(CreateError::Exhausted);
    }
    Ok(NewChange::of(&operations.finish(seq, time, deps)))
}

fn check_change(time: i64, items: &[(&str, &Fields)]) -> Result<(), CreateError> {
    if items.is_empty() {
        return Err(CreateError::Empty);
    }
    check_time(time).ok_or(CreateError::Time)?;
    let mut keys = std::collections::HashSet::new();
    let mut size = Size::default();
    for (key, fields) in items {
        check_key(key)?;
        if !keys.insert(*key) {
            return Err(InvalidItem::Repeated.into());
        }
        size.operations += 1;
        size.bytes += key.len();
        check_fields(fields, &mut size)?;
    }
    if size.fits() {
        Ok(())
    } else {
        Err(CreateError::TooLarge)
    }
}

/// How much a change holds: what the limits of a change and of a batch count.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Size {
    pub(crate) operations: usize,
    pub(crate) bytes: usize,
}

impl Size {
    /// Whether one change may hold this much.
    pub(crate) fn fits(self) -> bool {
        self.operations <= limits::MAX_OPERATIONS && self.bytes <= limits::MAX_CHANGE_EXPANDED
    }

    pub(crate) fn add(&mut self, value: &Value) {
        let size = Self::of(value);
        self.operations += size.operations;
        self.bytes += size.bytes;
    }

    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Scalar(scalar) => Self {
                operations: 1,
                bytes: text_len(scalar),
            },
            Value::List(scalars) => Self {
                operations: 1 + scalars.len(),
                bytes: scalars.iter().map(text_len).sum(),
            },
        }
    }
}

fn text_len(scalar: &Scalar) -> usize {
    match scalar {
        Scalar::Text(text) => text.len(),
        Scalar::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Checks fields that are to be set in one item, and adds what they take to `size`.
pub(crate) fn check_fields(fields: &Fields, size: &mut Size) -> Result<(), InvalidItem> {
    if fields.len() > limits::MAX_FIELDS {
        return Err(InvalidItem::TooManyFields);
    }
    for (name, value) in fields {
        check_name(name)?;
        check_value(value)?;
        size.bytes += name.len();
        size.add(value);
    }
    Ok(())
}

pub(crate) fn check_time(time: i64) -> Option<i64> {
    limits::TIMES.contains(&time).then_some(time)
}

pub(crate) fn check_key(key: &str) -> Result<(), InvalidItem> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b':' | b'_' | b'-');
    let fits = (1..=limits::MAX_KEY).contains(&key.len()) && key.bytes().all(allowed);
    if fits { Ok(()) } else { Err(InvalidItem::Key) }
}

pub(crate) fn check_name(name: &str) -> Result<(), InvalidItem> {
    let fits = (1..=limits::MAX_NAME).contains(&name.len());
    if fits {
        Ok(())
    } else {
        Err(InvalidItem::FieldName)
    }
}

pub(crate) fn check_value(value: &Value) -> Result<(), InvalidItem> {
    match value {
        Value::Scalar(scalar) => check_scalar(scalar),
        Value::List(scalars) if scalars.len() > limits::MAX_LIST => Err(InvalidItem::ListTooLong),
        Value::List(scalars) => scalars.iter().try_for_each(check_scalar),
    }
}

pub(crate) fn check_scalar(scalar: &Scalar) -> Result<(), InvalidItem> {
    match scalar {
        Scalar::Float(number) if !number.is_finite() => Err(InvalidItem::NotFinite),
        scalar if text_len(scalar) > limits::MAX_TEXT => Err(InvalidItem::TextTooLong),
        _ => Ok(()),
    }
}
