//! What must be, and what must not: an account of everything that was written, kept beside the code under test.
//!
//! Every value written is a *mark*, a number of its own. An honest write whose commit returned is *owed* to everyone; it is
//! excused only when an event that the design cannot mend took its last copy (a disk thrown away before it was sent, a
//! removal beyond the frontier). A hostile write is *forbidden*, with what was wrong about it. Judges frontiers and roles
//! by code of its own, so that a mistake in the code under test cannot hide here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::DocumentId;
use journal::change::ChangeHash;
use protocol::envelope::Envelope;
use protocol::id::{ChainId, EnvelopeHash, KeyId, RecordHash, SnapshotHash};
use protocol::log::MemberLog;

use super::disk::Loose;

/// Where a mark was written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) document: DocumentId,
    pub(crate) key: String,
    pub(crate) field: String,
    /// The machine that wrote it.
    pub(crate) by: usize,
    pub(crate) owed: bool,
}

/// An envelope that an honest device sealed.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    pub(crate) device: KeyId,
    pub(crate) chain: ChainId,
    pub(crate) seq: u64,
    pub(crate) hash: EnvelopeHash,
    /// The index of the record that it names.
    pub(crate) head: u32,
}

/// The envelopes that a snapshot covers: of each chain, from place 1 on.
pub(crate) type Covered = BTreeMap<ChainId, Vec<EnvelopeHash>>;

/// The account.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: i64,
    pub(crate) entries: BTreeMap<i64, Entry>,
    /// Marks that must never show, and why.
    pub(crate) forbidden: BTreeMap<i64, &'static str>,
    /// The envelopes that carry a mark.
    pub(crate) carried: BTreeMap<i64, Vec<usize>>,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) envelopes: Vec<Envelope>,
    /// The envelopes that carry a change.
    pub(crate) changes: BTreeMap<ChangeHash, Vec<usize>>,
    /// The records that honest owners and joiners made and the relay took.
    pub(crate) records: BTreeSet<RecordHash>,
    /// What was sent at each place, to catch an envelope sealed twice.
    sent: BTreeMap<(usize, ChainId, u64), EnvelopeHash>,
    /// What honest owners' snapshots cover.
    pub(crate) covered: BTreeMap<SnapshotHash, Arc<Covered>>,
    /// Snapshots that say what nobody wrote, or that no owner made.
    pub(crate) lies: BTreeSet<SnapshotHash>,
    pub(crate) broken: Vec<String>,
}

impl Ledger {
    /// Draws a mark.
    pub(crate) fn mark(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn owe(&mut self, mark: i64, document: DocumentId, key: &str, by: usize) {
        let entry = Entry {
            document,
            key: key.to_owned(),
            field: field(mark),
            by,
            owed: true,
        };
        self.entries.insert(mark, entry);
    }

    /// Notes an envelope that an honest device sealed.
    pub(crate) fn sealed(&mut self, envelope: &Envelope, head: u32, covers: &[Arc<Loose>]) {
        let number = self.carry(envelope, head);
        for change in covers {
            self.changes.entry(change.hash).or_default().push(number);
            for mark in &change.marks {
                self.carried.entry(*mark).or_default().push(number);
            }
        }
    }

    /// Notes an envelope; returns its number.
    pub(crate) fn carry(&mut self, envelope: &Envelope, head: u32) -> usize {
        let header = envelope.header();
        let number = self.carriers.len();
        self.carriers.push(Carrier {
            device: header.device,
            chain: header.chain(),
            seq: header.seq.0,
            hash: envelope.hash(),
            head,
        });
        self.envelopes.push(envelope.clone());
        number
    }

    /// Notes an own envelope on its way: a machine sends one place of its chain once, whatever happens.
    pub(crate) fn sent(&mut self, machine: usize, life: usize, envelope: &Envelope) {
        let header = envelope.header();
        let key = (machine * 1_000_000 + life, header.chain(), header.seq.0);
        let before = self.sent.entry(key).or_insert(envelope.hash());
        if *before != envelope.hash() {
            self.broken.push(format!(
                "machine {machine} sealed place {} of a chain twice",
                header.seq
            ));
        }
    }

    pub(crate) fn carriers_of(&self, mark: i64) -> impl Iterator<Item = &Carrier> {
        let numbers = self.carried.get(&mark).into_iter().flatten();
        numbers.filter_map(|number| self.carriers.get(*number))
    }
}

/// Returns the name of the field that holds a mark.
pub(crate) fn field(mark: i64) -> String {
    format!("m{mark}")
}

/// Returns whether the log excludes an envelope: its device lost the right to write later, and it is past the frontier.
pub(crate) fn is_excluded(log: &MemberLog, carrier: &Carrier) -> bool {
    let losses = log.devices().get(&carrier.device).map(|of| of.losses());
    losses.into_iter().flatten().any(|loss| {
        let last = loss.frontier.0.get(&carrier.chain);
        loss.since > carrier.head
            && last.is_none_or(|last| {
                carrier.seq > last.seq.0 || (carrier.seq == last.seq.0 && carrier.hash != last.hash)
            })
    })
}
