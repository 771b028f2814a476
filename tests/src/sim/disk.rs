//! A device's disk in memory: what is durable, and what is written but not yet synced.
//!
//! Parts are shared, so that a backup, a copy and every commit cost a few pointers. A crash goes back to the last commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::DocumentId;
use journal::change::ChangeHash;
use journal::document::Document;
use protocol::envelope::Envelope;
use protocol::id::{BlobHash, ChainId, ChainSalt, EnvelopeHash, KeyId, SnapshotHash};
use protocol::judge::ChainTip;
use protocol::log::MemberLog;
use protocol::snapshot::{Acknowledgement, Snapshot};
use protocol::vector::Vector;
use store::snapshot::SnapshotState;

/// An envelope as a replica keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) hash: EnvelopeHash,
    /// None: known from a snapshot alone.
    pub(crate) envelope: Option<Arc<Envelope>>,
    /// Why it is not merged.
    pub(crate) held: Option<String>,
    /// The documents that merging it last failed on, as they were: it would fail again until one of them moves.
    pub(crate) failed_on: Option<Heads>,
}

/// Documents and their heads.
pub(crate) type Heads = Vec<(DocumentId, Vec<ChangeHash>)>;

/// The envelopes of one chain, from place 1 on.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) device: KeyId,
    pub(crate) salt: ChainSalt,
    pub(crate) tip: ChainTip,
    pub(crate) kept: Vec<Kept>,
}

impl Chain {
    /// Returns how many places are known.
    pub(crate) fn length(&self) -> u64 {
        u64::try_from(self.kept.len()).unwrap_or(u64::MAX)
    }
}

/// A snapshot, and what a replica makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) state: SnapshotState,
}

/// A change that no envelope carries yet.
#[derive(Clone, Debug)]
pub(crate) struct Loose {
    pub(crate) chain: ChainId,
    pub(crate) document: DocumentId,
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) hash: ChangeHash,
    /// The marks that it writes; see `ledger.rs`.
    pub(crate) marks: Vec<i64>,
}

/// Everything that a replica stores.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) log: Arc<MemberLog>,
    pub(crate) records: Arc<Vec<Vec<u8>>>,
    pub(crate) blobs: Arc<BTreeMap<BlobHash, Vec<u8>>>,
    pub(crate) chains: BTreeMap<ChainId, Arc<Chain>>,
    pub(crate) salt: ChainSalt,
    pub(crate) sealed_vector: Vector,
    pub(crate) waiting: BTreeMap<EnvelopeHash, Vec<u8>>,
    /// Another copy of this device wrote in the own chain, and no new one is begun yet.
    pub(crate) copied: bool,
    /// What each relay acknowledged.
    pub(crate) acknowledged: BTreeMap<usize, Vector>,
    pub(crate) documents: BTreeMap<DocumentId, Arc<Document>>,
    pub(crate) loose: Vec<Arc<Loose>>,
    /// Oldest first.
    pub(crate) snapshots: Arc<Vec<Judged>>,
    pub(crate) acknowledgements: Arc<Vec<Acknowledgement>>,
    /// How often relays are still to be asked for the manifest of parts that came.
    pub(crate) unchecked: u32,
    /// The last snapshot handed to each relay.
    pub(crate) handed: BTreeMap<usize, SnapshotHash>,
}

impl State {
    pub(crate) fn new(
        log: MemberLog,
        records: Vec<Vec<u8>>,
        blobs: BTreeMap<BlobHash, Vec<u8>>,
        salt: ChainSalt,
    ) -> Self {
        Self {
            log: Arc::new(log),
            records: Arc::new(records),
            blobs: Arc::new(blobs),
            chains: BTreeMap::new(),
            salt,
            sealed_vector: Vector::default(),
            waiting: BTreeMap::new(),
            copied: false,
            acknowledged: BTreeMap::new(),
            documents: BTreeMap::new(),
            loose: Vec::new(),
            snapshots: Arc::default(),
            acknowledgements: Arc::default(),
            unchecked: 0,
            handed: BTreeMap::new(),
        }
    }

    /// Returns the last place known of each chain.
    pub(crate) fn vector(&self) -> Vector {
        let chains = self.chains.iter();
        Vector(chains.map(|(id, of)| (*id, of.tip.position())).collect())
    }

    /// Returns a document; an empty one if nothing was written to it.
    pub(crate) fn document(&self, id: DocumentId) -> Document {
        let document = self.documents.get(&id);
        document.map_or_else(|| Document::empty(id), |document| (**document).clone())
    }

    /// Returns documents with their present heads.
    pub(crate) fn heads(&self, of: impl IntoIterator<Item = DocumentId>) -> Heads {
        let heads = |id| self.documents.get(&id).map(|of| of.heads());
        let ids = of.into_iter();
        ids.map(|id| (id, heads(id).unwrap_or_default())).collect()
    }

    /// Puts an envelope at the end of its chain. False if its place is not the next one.
    pub(crate) fn keep(&mut self, envelope: &Envelope, head: u32, held: Option<String>) -> bool {
        let header = envelope.header();
        let tip = ChainTip {
            seq: header.seq,
            hash: envelope.hash(),
            head,
        };
        let place = self.chains.entry(header.chain()).or_insert_with(|| {
            Arc::new(Chain {
                device: header.device,
                salt: header.salt,
                tip,
                kept: Vec::new(),
            })
        });
        if place.length() + 1 != header.seq.0 {
            return false;
        }
        let chain = Arc::make_mut(place);
        chain.tip = tip;
        chain.kept.push(Kept {
            hash: tip.hash,
            envelope: Some(Arc::new(envelope.clone())),
            held,
            failed_on: None,
        });
        self.waiting.remove(&envelope.hash());
        true
    }

    /// Whether an envelope is held, or merged, if only as a snapshot says; `None` if it is not here.
    pub(crate) fn is_held(&self, chain: &ChainId, seq: u64, hash: &EnvelopeHash) -> Option<bool> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        let kept = self.chains.get(chain)?.kept.get(at)?;
        (kept.hash == *hash).then_some(kept.held.is_some())
    }
}

/// A disk: what is written, and what of it survives a crash.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    now: State,
    durable: State,
}

impl Disk {
    pub(crate) fn new(state: State) -> Self {
        Self {
            now: state.clone(),
            durable: state,
        }
    }

    pub(crate) fn now(&self) -> &State {
        &self.now
    }

    pub(crate) fn write(&mut self) -> &mut State {
        &mut self.now
    }

    pub(crate) fn durable(&self) -> &State {
        &self.durable
    }

    pub(crate) fn commit(&mut self) {
        self.durable = self.now.clone();
    }

    pub(crate) fn crash(&mut self) {
        self.now = self.durable.clone();
    }
}
