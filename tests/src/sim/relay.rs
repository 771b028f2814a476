//! A relay in memory: judges as the real one does, and can be put back to an earlier state, or emptied.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::api::{
    Append, Appended, LogAppend, LogPage, Problem, ProblemKind, Quota, Refused, SyncAnswer,
    SyncRequest,
};
use protocol::cbor::Bytes;
use protocol::envelope::Envelope;
use protocol::id::{BlobHash, ChainId, EnvelopeHash, KeyId};
use protocol::judge::{self, ChainTip, Verdict};
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::vector::{Position, Vector};

use super::pruning::Stored;

/// One envelope at the relay.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) hash: EnvelopeHash,
    /// None: pruned, or never here because a snapshot that covers it was given in its place.
    pub(crate) bytes: Option<Arc<Vec<u8>>>,
}

/// One chain, from place 1 on.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) device: KeyId,
    pub(crate) tip: ChainTip,
    pub(crate) places: Vec<Placed>,
}

/// What a relay stores of the journal.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    pub(crate) log: Arc<MemberLog>,
    pub(crate) records: Arc<Vec<Vec<u8>>>,
    pub(crate) blobs: Arc<BTreeMap<BlobHash, Vec<u8>>>,
    pub(crate) chains: BTreeMap<ChainId, Arc<Row>>,
    /// Oldest first; see `pruning.rs`.
    pub(crate) snapshots: Arc<Vec<Stored>>,
}

/// A relay.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    pub(crate) shelf: Option<Shelf>,
    /// Earlier states, to go back to.
    pub(crate) earlier: Vec<Shelf>,
    /// How often it lost what it had.
    pub(crate) losses: usize,
}

pub(crate) fn problem(kind: ProblemKind) -> Problem {
    Problem {
        kind,
        status: 500,
        detail: format!("{kind:?}"),
        limit: None,
        time: None,
        record: None,
    }
}

impl Shelf {
    pub(crate) fn new(
        records: Vec<Vec<u8>>,
        blobs: BTreeMap<BlobHash, Vec<u8>>,
    ) -> Result<Self, Problem> {
        let broken = || problem(ProblemKind::RuleBroken);
        let mut parsed = Vec::new();
        for bytes in &records {
            parsed.push(SignedRecord::parse(bytes).map_err(|_| broken())?);
        }
        let mut parsed = parsed.into_iter();
        let genesis = parsed.next().ok_or_else(broken)?;
        let mut log = MemberLog::start(genesis).map_err(|_| broken())?;
        for record in parsed {
            log.append(record).map_err(|_| broken())?;
        }
        Ok(Self {
            log: Arc::new(log),
            records: Arc::new(records),
            blobs: Arc::new(blobs),
            chains: BTreeMap::new(),
            snapshots: Arc::default(),
        })
    }

    fn heads(&self) -> Vector {
        let position = |row: &Row| Position {
            seq: row.tip.seq,
            hash: row.tip.hash,
        };
        let chains = self.chains.iter();
        Vector(chains.map(|(id, row)| (*id, position(row))).collect())
    }

    /// Returns how many places of a chain the relay has, or knows to be covered.
    pub(crate) fn length_of(&self, chain: &ChainId) -> u64 {
        self.chains.get(chain).map_or(0, |row| row.tip.seq.0)
    }

    /// Whether the relay has an envelope, or a snapshot in its place.
    pub(crate) fn has(&self, chain: &ChainId, seq: u64, hash: &EnvelopeHash) -> bool {
        self.placed(chain, seq).is_some_and(|placed| {
            placed.hash == *hash && (placed.bytes.is_some() || self.is_covered(chain, seq))
        })
    }

    pub(crate) fn placed(&self, chain: &ChainId, seq: u64) -> Option<&Placed> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.chains.get(chain)?.places.get(at)
    }

    fn end(&self) -> LogPage {
        LogPage {
            length: self.log.length(),
            head: self.log.head(),
            records: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// Returns the log from a record on, with the sealed keys that these records give to devices.
    pub(crate) fn page(&self, from: usize) -> LogPage {
        let records = self.records.get(from..).unwrap_or_default();
        let mut blobs = Vec::new();
        for bytes in records {
            let record = SignedRecord::parse(bytes).and_then(SignedRecord::trusted);
            for (_, hash) in record.iter().flat_map(|record| record.body().device_keys()) {
                blobs.extend(self.blobs.get(&hash).cloned().map(Bytes));
            }
        }
        LogPage {
            records: records.iter().cloned().map(Bytes).collect(),
            blobs,
            ..self.end()
        }
    }

    fn sync(&self, request: &SyncRequest, page: usize) -> SyncAnswer {
        let from = usize::try_from(request.log_length).unwrap_or(usize::MAX);
        let known = request
            .log_length
            .checked_sub(1)
            .and_then(|last| self.log.hash_at(last));
        let log = if known == Some(request.head) {
            self.page(from)
        } else {
            self.end()
        };
        let lacks = self.chains.iter().flat_map(|(chain, row)| {
            let seen = usize::try_from(request.vector.seq(chain).0).unwrap_or(usize::MAX);
            row.places.iter().skip(seen)
        });
        let mut envelopes: Vec<Bytes> = lacks
            .filter_map(|placed| placed.bytes.as_ref())
            .take(page + 1)
            .map(|bytes| Bytes((**bytes).clone()))
            .collect();
        let more = envelopes.len() > page;
        envelopes.truncate(page);
        SyncAnswer {
            log,
            envelopes,
            more,
            heads: self.heads(),
            quota: Quota { used: 0, limit: 1 },
        }
    }

    fn append(&mut self, append: &Append) -> Result<Appended, Problem> {
        if append.head != self.log.head() {
            return Err(problem(ProblemKind::StaleHead));
        }
        let mut refused = Vec::new();
        for (index, bytes) in (0..).zip(&append.envelopes) {
            if let Err(reason) = self.take(&bytes.0) {
                refused.push(Refused { index, reason });
            }
        }
        Ok(Appended {
            heads: self.heads(),
            refused,
        })
    }

    /// Judges one envelope and stores it.
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let envelope = Envelope::parse(bytes.to_vec()).map_err(|error| error.to_string())?;
        let (chain, seq, hash) = (
            envelope.header().chain(),
            envelope.header().seq,
            envelope.hash(),
        );
        let device = envelope.header().device;
        let tip = self.chains.get(&chain).map(|row| row.tip);
        match judge::judge(envelope, &self.log, tip) {
            Verdict::Accept { head, .. } => {
                let tip = ChainTip { seq, hash, head };
                self.place((chain, device), tip, bytes);
                Ok(())
            }
            Verdict::Known(_) if self.has(&chain, seq.0, &hash) => Ok(()),
            Verdict::Known(_) => Err("another envelope holds this place".to_owned()),
            Verdict::Beyond { .. } => Err("its device lost the right to write".to_owned()),
            Verdict::Hold(hold) => Err(hold.to_string()),
            Verdict::Refuse(refusal) => Err(refusal.to_string()),
        }
    }

    fn place(&mut self, (chain, device): (ChainId, KeyId), tip: ChainTip, bytes: &[u8]) {
        let row = self.row(chain, device, tip);
        row.tip = tip;
        row.places.push(Placed {
            hash: tip.hash,
            bytes: Some(Arc::new(bytes.to_vec())),
        });
    }

    pub(crate) fn row(&mut self, chain: ChainId, device: KeyId, tip: ChainTip) -> &mut Row {
        let empty = || Row {
            device,
            tip,
            places: Vec::new(),
        };
        let row = self
            .chains
            .entry(chain)
            .or_insert_with(|| Arc::new(empty()));
        Arc::make_mut(row)
    }

    /// Stores an envelope that an honest relay refuses, if it is next in its chain.
    pub(crate) fn plant(&mut self, envelope: &Envelope) -> bool {
        let header = envelope.header();
        let chain = header.chain();
        let next = self.length_of(&chain) + 1 == header.seq.0;
        if next {
            let tip = ChainTip {
                seq: header.seq,
                hash: envelope.hash(),
                head: self.log.index_of(&header.head).unwrap_or(0),
            };
            self.place((chain, header.device), tip, envelope.bytes());
        }
        next
    }

    /// Appends records. Only a record that is `proposed` now is refused while the relay has more than its frontier names:
    /// one that the relay lost and gets back stands already, whatever came in meanwhile.
    pub(crate) fn append_log(
        &mut self,
        append: &LogAppend,
        proposed: bool,
    ) -> Result<LogPage, Problem> {
        let broken = || problem(ProblemKind::RuleBroken);
        let mut records = Vec::new();
        for bytes in &append.records {
            records.push(SignedRecord::parse(&bytes.0).map_err(|_| broken())?);
        }
        if let Some(head) = self.log.index_of(&append.head) {
            let mut placed = (head + 1..).zip(&records);
            let stands =
                |(at, record): (u32, &SignedRecord)| self.log.hash_at(at) == Some(record.hash());
            if !records.is_empty() && placed.all(stands) {
                return Ok(self.end());
            }
        }
        if append.head != self.log.head() {
            return Err(problem(ProblemKind::StaleHead));
        }
        let mut log = (*self.log).clone();
        for record in records {
            log.append(record).map_err(|_| broken())?;
        }
        if proposed && self.is_behind_frontier(&log) {
            return Err(problem(ProblemKind::BehindFrontier));
        }
        self.log = Arc::new(log);
        let new = append.records.iter().map(|bytes| bytes.0.clone());
        Arc::make_mut(&mut self.records).extend(new);
        let blobs = append
            .blobs
            .iter()
            .map(|blob| (BlobHash::of(&blob.0), blob.0.clone()));
        Arc::make_mut(&mut self.blobs).extend(blobs);
        Ok(self.end())
    }

    /// Whether the relay has more of a device than a frontier that the new log pins.
    fn is_behind_frontier(&self, log: &MemberLog) -> bool {
        let from = self.log.length();
        self.chains.iter().any(|(chain, row)| {
            let device = log.devices().get(&row.device);
            let losses = device.into_iter().flat_map(|device| device.losses());
            losses
                .filter(|loss| loss.since >= from)
                .any(|loss| loss.frontier.seq(chain) < row.tip.seq)
        })
    }
}

impl Relay {
    pub(crate) fn open(&mut self, who: &KeyId) -> Result<&mut Shelf, Problem> {
        let shelf = self.shelf.as_mut();
        let shelf = shelf.ok_or_else(|| problem(ProblemKind::UnknownJournal))?;
        match shelf.log.role(who) {
            Some(_) => Ok(shelf),
            // Who brings the records that make it a member may do so.
            None if !shelf.log.devices().contains_key(who) => Ok(shelf),
            None => Err(problem(ProblemKind::Forbidden)),
        }
    }

    pub(crate) fn sync(
        &mut self,
        who: &KeyId,
        request: &SyncRequest,
        page: usize,
    ) -> Result<SyncAnswer, Problem> {
        Ok(self.open(who)?.sync(request, page))
    }

    pub(crate) fn append(&mut self, who: &KeyId, append: &Append) -> Result<Appended, Problem> {
        self.open(who)?.append(append)
    }

    pub(crate) fn append_log(
        &mut self,
        who: &KeyId,
        append: &LogAppend,
        proposed: bool,
    ) -> Result<LogPage, Problem> {
        self.open(who)?.append_log(append, proposed)
    }

    /// Loses what it has; only this is left.
    pub(crate) fn lose_all_but(&mut self, left: Option<Shelf>) {
        self.shelf = left;
        self.losses += 1;
    }

    /// Remembers the present state, to go back to it one day.
    pub(crate) fn back_up(&mut self) {
        if let Some(shelf) = &self.shelf {
            self.earlier.push(shelf.clone());
            if self.earlier.len() > 4 {
                self.earlier.remove(0);
            }
        }
    }
}
