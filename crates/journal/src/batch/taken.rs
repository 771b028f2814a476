//! What changes take of each limit of a batch, as the encoder counts it before it writes.
//!
//! Operations, references and text are counted as a receiver counts them. The bytes are an upper bound, close enough
//! that every change within the limits fits into an empty batch: one that did not could never be sent, and nothing
//! after it in its chain.

use super::encode::EncodeError;
use super::limits;
use crate::change::{
    ChangeHash, InvalidItem, OpRef, Size, Step, check_key, check_name, check_time, check_value,
};

/// A change's author, time, counts, and its hash among the heads; and the header of its document.
const CHANGE: usize = 64;
/// A dependency: its hash, and its index.
const DEPENDENCY: usize = 36;
/// A reference: its actor, and its counter.
const REFERENCE: usize = 7;
/// The counts and lengths that every batch has.
const BATCH: usize = 64;

/// What the changes so far take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    operations: usize,
    expanded: usize,
    references: usize,
    /// Hashes of dependencies and of heads.
    hashes: usize,
    bytes: usize,
}

impl Default for Taken {
    fn default() -> Self {
        Self {
            operations: 0,
            expanded: 0,
            references: 0,
            hashes: 0,
            bytes: BATCH,
        }
    }
}

impl Taken {
    /// Adds a change, after making sure that it may be sent at all.
    pub(super) fn change(
        &mut self,
        time: i64,
        deps: &[ChangeHash],
        steps: &[Step],
    ) -> Result<(), EncodeError> {
        check_time(time).ok_or(EncodeError::Time)?;
        self.references += deps.len();
        self.hashes += deps.len() + 1;
        self.bytes += CHANGE + DEPENDENCY * deps.len();
        let mut whole = Size::default();
        for step in steps {
            let size = step_size(step)?;
            let references = step.references().len();
            whole.operations += size.operations;
            whole.bytes += size.bytes;
            self.references += references;
            self.bytes += step_bytes(step) + REFERENCE * references;
        }
        self.operations += whole.operations;
        self.expanded += whole.bytes;
        if whole.fits() {
            Ok(())
        } else {
            Err(EncodeError::TooLarge)
        }
    }

    /// Adds the name of a field that the batch did not have.
    pub(super) fn name(&mut self, name: &str) {
        // Its length, and the length of its column.
        self.bytes += 1 + name.len() + 4;
    }

    /// Adds actors that the batch did not have.
    pub(super) fn actors(&mut self, count: usize) {
        self.bytes += 16 * count;
    }

    /// Whether one batch may hold all that.
    pub(super) fn fit(&self) -> bool {
        self.operations <= limits::MAX_OPERATIONS
            && self.expanded <= limits::MAX_EXPANDED
            && self.references <= limits::MAX_REFERENCES
            && self.hashes <= limits::MAX_REFERENCES
            && self.bytes <= limits::MAX_BYTES
    }
}

/// Returns the bytes that a step may take, apart from its references and the name of its field.
fn step_bytes(step: &Step) -> usize {
    match step {
        // An entry id: the step's code, the planes of its time, and its random bits. Another key: code, length, text.
        Step::Make { key } => 18.max(2 + key.len()),
        Step::Select { .. } => 1,
        // The code, the count of references, and whether the value is new; then a tag and ten bytes for each scalar,
        // or a tag and a length for each text and for the list.
        Step::Set { value, .. } => {
            let size = Size::of(value);
            7 + 11 * size.operations + size.bytes
        }
        Step::Remove { .. } => 6,
    }
}

fn step_size(step: &Step) -> Result<Size, InvalidItem> {
    let mut size = Size::default();
    match step {
        Step::Make { key } => {
            check_key(key)?;
            size.operations = 1;
            size.bytes = key.len();
        }
        Step::Select { .. } => {}
        Step::Set { field, value, .. } => {
            check_name(field)?;
            check_value(value)?;
            size.add(value);
            size.bytes += field.len();
        }
        Step::Remove { field, .. } => {
            check_name(field)?;
            size.operations = 1;
            size.bytes = field.len();
        }
    }
    Ok(size)
}

impl Step {
    pub(super) fn references(&self) -> &[OpRef] {
        match self {
            Self::Make { .. } => &[],
            Self::Select { item } => std::slice::from_ref(item),
            Self::Set { replaces, .. } | Self::Remove { replaces, .. } => replaces,
        }
    }

    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Make { .. } | Self::Select { .. } => None,
            Self::Set { field, .. } | Self::Remove { field, .. } => Some(field),
        }
    }
}
