//! Batches written out by hand, in the layout that `crates/journal/src/batch.rs` specifies, with nothing checked.

use journal::{Actor, DocumentId, EntryId};

/// A count that nobody has the memory for.
pub(super) const HUGE: u64 = 1 << 62;
/// Bytes of the random part of two entry ids, packed: 2 × 74 bits.
const TWO_IDS: usize = 19;

/// One document with one change by one actor.
pub(super) struct Layout {
    actor: Actor,
    document: u64,
    head: [u8; 32],
    times: Vec<u8>,
    dependencies: Vec<u8>,
    step_counts: Vec<u8>,
    steps: Vec<u8>,
    references: Vec<u8>,
    key_times: Vec<u8>,
    key_bits: Vec<u8>,
    keys: Vec<u8>,
}

impl Layout {
    /// A change that makes two entries without fields, both under one id.
    pub(super) fn two_notes(month: DocumentId, actor: Actor, entry: EntryId) -> Self {
        let mut key_times = varints(&[entry.unix_ms().unsigned_abs()]);
        key_times.push(0);
        Self {
            actor,
            document: code(month),
            head: [7; 32],
            times: varints(&[0]),
            dependencies: varints(&[0]),
            step_counts: varints(&[2]),
            steps: varints(&[0, 0]),
            references: Vec::new(),
            key_times,
            key_bits: vec![0; TWO_IDS],
            keys: Vec::new(),
        }
    }

    /// Gives the second entry an id of its own.
    pub(super) fn distinct(&mut self) {
        if let Some(last) = self.key_bits.last_mut() {
            *last = 1;
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = varints(&[1, 1, 1]);
        out.extend(self.actor.0);
        out.extend(varints(&[0, 1, self.document, 1, 0, 1]));
        out.extend(self.head);
        for column in [
            &self.times,
            &self.dependencies,
            &self.step_counts,
            &self.steps,
            &self.references,
            &self.key_times,
            &self.key_bits,
            &self.keys,
        ] {
            out.extend(varints(&[column.len() as u64]));
            out.extend(column);
        }
        out
    }

    /// Claims to hold so many of something, in a few bytes; none if nothing so called is counted.
    pub(super) fn claiming(
        count: u64,
        what: &str,
        month: DocumentId,
        actor: Actor,
    ) -> Option<Vec<u8>> {
        let mut layout = Self::two_notes(month, actor, EntryId::mint(0, [0; 10]));
        let document = layout.document;
        let mut start = varints(&[1, 1, 1]);
        start.extend(actor.0);
        let rest: &[u64] = match what {
            "actors" => return Some(varints(&[1, count, 1])),
            "names" => &[count],
            "documents" => &[0, count],
            "changes" => &[0, 1, document, count, 0, 0],
            "hashes" => &[0, 1, document, 1, count],
            "heads" => &[0, 1, document, 1, 0, count],
            "steps" => {
                layout.step_counts = varints(&[count]);
                return Some(layout.bytes());
            }
            "dependencies" => {
                layout.dependencies = varints(&[count]);
                return Some(layout.bytes());
            }
            "references" => {
                layout.steps = varints(&[2, 2]);
                layout.references = varints(&[0, count, 0, u64::MAX]);
                return Some(layout.bytes());
            }
            _ => return None,
        };
        start.extend(varints(rest));
        Some(start)
    }
}

/// Writes numbers one after another (LEB128).
pub(super) fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in numbers {
        let mut number = *number;
        while number >= 0x80 {
            out.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }
    out
}

/// Returns the number that a document has in a batch.
fn code(document: DocumentId) -> u64 {
    match document {
        DocumentId::Profile => 0,
        DocumentId::Month { year, month } => {
            1 + 12 * (i64::from(year) - 2000).unsigned_abs() + (i64::from(month) - 1).unsigned_abs()
        }
    }
}
