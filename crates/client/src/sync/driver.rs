//! Carries out the actions of one session, in the order given: storing, merging, sending.
//!
//! Invariant: an action is durable before the next one is taken.

mod sealing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use protocol::api::{Append, Appended, LogAppend, LogPage, ProblemKind, SyncAnswer, journal_path};
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, VerifiedEnvelope};
use protocol::id::{BlobHash, ChainId, KeyId, Seq};
use protocol::judge::ChainTip;
use protocol::limits;
use protocol::record::SignedRecord;
use protocol::vector::Vector;
use store::document::LooseId;
use store::relay::{RelayState, StoredQuota};
use store::{Replica, StoreError};
use sync::{Action, Event, Fault, Incoming, Known, Own, Purpose, Request, Session, Warning};

use super::{SyncError, SyncReport, heal};
use crate::again;
use crate::bundle::BundleSource;
use crate::journal::{DamagedReplica, Journal, LoadError, load_keys, load_log};
use crate::merge;
use crate::os::{self, OsRandom};
use crate::people;
use crate::progress::Progress;
use crate::relay::{RelayClient, RelayError};
use crate::snapshot;

/// The setting with the vector as of the last own envelope.
pub(crate) const SEALED_VECTOR: &str = "sealed-vector";
/// The setting with the number of changes ever received.
pub(crate) const RECEIVED: &str = "received";

/// With whom a session is.
pub(super) enum Peer<'a> {
    /// A relay.
    Relay(&'a mut RelayClient),
    /// A bundle, which answers and takes nothing.
    Bundle(&'a mut BundleSource),
    /// Nobody: what is asked for is a fault.
    Nobody,
}

/// How a session ended well.
pub(super) enum End {
    /// Everything is exchanged.
    Done,
    /// The replica changed underneath it: a new session has to start.
    Again,
}

/// Carries out the actions of one session.
pub(super) struct Driver<'a> {
    replica: &'a mut Replica,
    origin: String,
    journal: protocol::id::JournalId,
    keys: Arc<seal::KeyPair>,
    session: Session<OsRandom>,
    /// The batches of a snapshot to seal, in place of changes not sealed yet.
    snapshot: Option<Vec<Vec<u8>>>,
    /// The loose changes of each batch handed to the session.
    marks: Vec<Vec<LooseId>>,
    pub(super) merged: merge::Report,
    restored: u64,
    quota: Option<StoredQuota>,
    warnings: Vec<String>,
    pub(super) suspicious: bool,
    /// That the relay has another member log, in words.
    pub(super) forked: Option<String>,
}

impl<'a> Driver<'a> {
    pub(super) fn start(
        journal: &'a mut Journal,
        origin: &str,
        purpose: Purpose,
    ) -> Result<Self, SyncError> {
        let path = journal.path();
        let keys = journal.keys()?;
        let (replica, records, waiting) = journal.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            let own = reader.own()?;
            let acknowledged = reader
                .relay(origin)?
                .map(|relay| relay.heads)
                .unwrap_or_default();
            let sealed_vector = reader.setting(SEALED_VECTOR)?;
            let chains = reader.chains()?.into_iter().filter_map(|(id, chain)| {
                let tip = chain.tip?;
                let tip = ChainTip {
                    seq: tip.seq,
                    hash: tip.hash,
                    head: chain.head,
                };
                Some((
                    id,
                    Known {
                        device: chain.device,
                        tip,
                    },
                ))
            });
            let replica = sync::Replica {
                log: stored.log,
                device: Arc::clone(&keys),
                keys: ring,
                chains: chains.collect(),
                own: Own {
                    salt: own.salt,
                    sealed_vector: read_vector(sealed_vector.as_deref()),
                },
                acknowledged,
            };
            let waiting = reader
                .waiting()?
                .into_iter()
                // What gave way to another copy would only drive that one out again.
                .filter(|waiting| waiting.reason != again::ANOTHER_COPY)
                .map(|waiting| waiting.bytes)
                .collect();
            Ok::<_, LoadError>((replica, stored.records, waiting))
        })?;
        Ok(Self {
            journal: journal.own.journal,
            replica: &mut journal.replica,
            origin: origin.to_owned(),
            keys,
            session: Session::with_purpose(purpose, replica, records, waiting, os::random()),
            snapshot: None,
            marks: Vec::new(),
            merged: merge::Report::default(),
            restored: 0,
            quota: None,
            warnings: Vec::new(),
            suspicious: false,
            forked: None,
        })
    }

    /// Makes the session seal the parts of a snapshot, and nothing else.
    pub(super) fn with_snapshot(mut self, batches: Vec<Vec<u8>>) -> Self {
        self.snapshot = Some(batches);
        self
    }

    /// Runs the session to its end.
    pub(super) async fn run(
        &mut self,
        mut peer: Peer<'_>,
        progress: &dyn Progress,
    ) -> Result<End, SyncError> {
        loop {
            let Some(action) = self.session.poll() else {
                // The session always asks for something or finishes.
                return Err(self.failed(Fault::Unexpected));
            };
            if let Some(end) = self.act(action, &mut peer, progress).await? {
                return Ok(end);
            }
        }
    }

    /// Carries out one action; says how the session ended, if it did.
    async fn act(
        &mut self,
        action: Action,
        peer: &mut Peer<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<End>, SyncError> {
        match action {
            Action::StoreLog { records, blobs } => {
                self.store_log(&records, &blobs)?;
                if again::is_due(self.replica)? {
                    // What the new records exclude goes before anything else comes in.
                    return Ok(Some(End::Again));
                }
            }
            Action::Merge(incoming) => {
                self.merge(&incoming)?;
                progress.update(self.merged.received.values().sum(), None);
            }
            Action::Wait {
                envelope,
                hash,
                reason,
            } => {
                self.replica
                    .write(|writer| writer.put_waiting(&hash, &envelope, &reason))?;
            }
            Action::StartChain(salt) => {
                let rebuilt = again::rebuild(self.replica, &self.keys, Some(salt))?;
                self.warnings.extend(rebuilt.words());
            }
            Action::Yield { after } => {
                let path = self.replica.path().to_owned();
                self.replica
                    .write(|writer| again::give_way(writer, &path, after))?;
                return Ok(Some(End::Again));
            }
            Action::CollectUnsealed => {
                let batches = self.unsealed()?;
                self.session.handle(Event::Unsealed(batches));
            }
            Action::StoreOwn(sealed) => {
                let stored = self.store_own(&sealed)?;
                self.session.handle(Event::Stored(stored));
            }
            Action::Load {
                chain,
                after,
                until,
            } => match self.load(&chain, after, until)? {
                envelopes if envelopes.is_empty() => {
                    return self.restart(peer, &chain, after).await.map(Some);
                }
                envelopes => self.session.handle(Event::Loaded(envelopes)),
            },
            Action::Send(request) => {
                let event = self.ask(peer, request).await?;
                self.session.handle(event);
            }
            Action::Acknowledged { heads, log_length } => self.acknowledged(heads, log_length)?,
            Action::Warn(warning) => self.warn(&warning)?,
            Action::Finish(Ok(outcome)) => {
                self.restored += outcome.restored;
                return Ok(Some(End::Done));
            }
            Action::Finish(Err(fault)) => return Err(self.failed(fault)),
        }
        Ok(None)
    }

    /// Gives a relay that lost what this device never had the snapshot to go on from.
    async fn restart(
        &mut self,
        peer: &mut Peer<'_>,
        chain: &ChainId,
        after: Seq,
    ) -> Result<End, SyncError> {
        let Peer::Relay(relay) = peer else {
            return Err(self.failed(Fault::Unexpected));
        };
        if Journal::restart_relay(self.replica, relay, &self.keys, chain, after).await? {
            return Ok(End::Again);
        }
        self.warnings.push(format!(
            "the relay {} lost envelopes that this device knows from a snapshot alone, and does not take that; a device that has \
             them gives them back when it syncs",
            self.origin
        ));
        Ok(End::Done)
    }

    fn failed(&self, fault: Fault) -> SyncError {
        SyncError::Session {
            origin: self.origin.clone(),
            fault,
        }
    }

    fn warn(&mut self, warning: &Warning) -> Result<(), StoreError> {
        if matches!(warning, Warning::RelayLost { .. }) {
            let origin = &self.origin;
            self.replica
                .write(|writer| snapshot::forget_handed(writer, origin))?;
        }
        self.suspicious |= warning.is_suspicious();
        let words = warning.to_string();
        if matches!(warning, Warning::Forked { .. }) {
            self.forked = Some(words.clone());
        }
        if !self.warnings.contains(&words) {
            self.warnings.push(words);
        }
        Ok(())
    }

    /// Asks whoever the session is with.
    async fn ask(&mut self, peer: &mut Peer<'_>, request: Request) -> Result<Event, SyncError> {
        match (peer, request) {
            (Peer::Relay(relay), request) => self.send(relay, request).await,
            (Peer::Bundle(bundle), Request::Sync(sync)) => Ok(Event::Synced(bundle.answer(&sync))),
            (Peer::Bundle(_) | Peer::Nobody, _) => Err(self.failed(Fault::Unexpected)),
        }
    }

    async fn send(
        &mut self,
        relay: &mut RelayClient,
        request: Request,
    ) -> Result<Event, SyncError> {
        let path = |part| journal_path(&self.journal, part);
        let answer = match &request {
            Request::Sync(sync) => {
                let answer = relay
                    .post::<_, SyncAnswer>(&self.keys, &path("sync"), sync, None)
                    .await;
                if let Ok(answer) = &answer {
                    let (used, limit) = (answer.quota.used, answer.quota.limit);
                    self.quota = Some(StoredQuota { used, limit });
                }
                answer.map(Event::Synced)
            }
            Request::AppendLog(append) => {
                let append = self.with_blobs(append)?;
                let answer = relay
                    .post::<_, LogPage>(&self.keys, &path("log"), &append, None)
                    .await;
                match answer {
                    Err(error) if error.problem() == Some(ProblemKind::BehindFrontier) => {
                        let page = heal::give_back(self.replica, relay, &self.keys).await?;
                        Ok(Event::LogAppended(page))
                    }
                    answer => answer.map(Event::LogAppended),
                }
            }
            Request::Append(append) => {
                let answer = relay
                    .post::<Append, Appended>(&self.keys, &path("envelopes"), append, None)
                    .await;
                answer.map(Event::Appended)
            }
        };
        match answer {
            Ok(event) => Ok(event),
            Err(RelayError::Problem { problem, .. }) if problem.kind == ProblemKind::StaleHead => {
                Ok(Event::Problem(problem))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds to records for a relay that lacks them the sealed keys that they give to devices: without those, who asks that
    /// relay first could never open the new epoch.
    fn with_blobs(&self, append: &LogAppend) -> Result<LogAppend, SyncError> {
        let mut append = append.clone();
        self.replica.read(|reader| {
            for bytes in &append.records {
                let record = SignedRecord::parse(&bytes.0).and_then(SignedRecord::trusted);
                for (_, hash) in record.iter().flat_map(|record| record.body().device_keys()) {
                    append.blobs.extend(reader.blob(&hash)?.map(Bytes));
                }
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(append)
    }

    fn store_log(
        &mut self,
        records: &[protocol::record::VerifiedRecord],
        blobs: &[Vec<u8>],
    ) -> Result<(), SyncError> {
        let path = self.replica.path().to_owned();
        let keys = &self.keys;
        Ok(self.replica.write(|writer| {
            let records: Vec<_> = records
                .iter()
                .map(|record| record.signed().bytes().to_vec())
                .collect();
            store_records(writer, &records, blobs, &path, keys)
        })?)
    }

    fn merge(&mut self, incoming: &[Incoming]) -> Result<(), SyncError> {
        let report = merge::merge(self.replica, incoming)?;
        self.merged.add(report);
        let path = self.replica.path().to_owned();
        let held = self.replica.read(|reader| reader.held())?;
        if held.is_empty() {
            return Ok(());
        }
        let (log, keys) = self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let keys = load_keys(reader, &stored, &self.keys)?;
            Ok::<_, LoadError>((stored.log, keys))
        })?;
        let report = merge::retry_held(self.replica, &log, &keys)?;
        self.merged.add(report);
        Ok(())
    }

    /// Reads envelopes of a chain; none if the first is known from a snapshot alone.
    fn load(
        &self,
        chain: &ChainId,
        after: Seq,
        until: Seq,
    ) -> Result<Vec<VerifiedEnvelope>, SyncError> {
        // The last envelope may pass the limit, and the request has a frame.
        let limit = limits::REQUEST_BYTES - limits::ENVELOPE_BYTES - 64 * 1024;
        let stored = self
            .replica
            .read(|reader| reader.envelopes_after(chain, after, limit))?;
        let damaged = || DamagedReplica::Envelope {
            path: self.replica.path().to_owned(),
        };
        // What comes after a place that is known from a snapshot alone, no relay takes yet.
        let next = (after.0 + 1..).zip(stored);
        let row = next.take_while(|(seq, stored)| stored.seq.0 == *seq && stored.seq <= until);
        row.map(|(_, stored)| stored)
            .take(limits::APPEND_ENVELOPES)
            .map(|stored| {
                let envelope = Envelope::parse(stored.bytes).map_err(|_| damaged())?;
                Ok(VerifiedEnvelope::trusted(envelope))
            })
            .collect()
    }

    fn acknowledged(&mut self, heads: Vector, log_length: u32) -> Result<(), SyncError> {
        let state = RelayState {
            url: self.origin.clone(),
            heads,
            log_length,
            last_sync_ms: Some(os::now().as_millisecond()),
            last_error: None,
            quota: self.quota,
        };
        let known = self.replica.read(|reader| reader.relay(&self.origin))?;
        if known.is_some_and(|known| is_same(&known, &state)) {
            return Ok(());
        }
        Ok(self.replica.write(|writer| writer.put_relay(&state))?)
    }

    /// Adds what this session did to the report, and what it received to the replica's count.
    pub(super) fn tell(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        let received: u64 = self.merged.received.values().sum();
        if received > 0 {
            let names = self.replica.write(|writer| {
                let before = writer
                    .setting(RECEIVED)?
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0u64);
                writer.set_setting(RECEIVED, Some(&(before + received).to_string()))?;
                let names = writer
                    .members()?
                    .into_iter()
                    .map(|member| (member.device, member.person_name));
                Ok::<BTreeMap<KeyId, String>, StoreError>(names.collect())
            })?;
            for (device, count) in &self.merged.received {
                let name = names
                    .get(device)
                    .cloned()
                    .unwrap_or_else(|| "unknown".to_owned());
                *report.from.entry(name).or_default() += count;
            }
        }
        report.received += received;
        report.restored += self.restored;
        report.warnings.append(&mut self.warnings);
        for reason in &self.merged.held {
            report
                .warnings
                .push(format!("an envelope is held, and not merged: {reason}"));
        }
        Ok(())
    }
}

/// Returns whether two states of a relay differ in nothing but the time of the sync.
fn is_same(known: &RelayState, now: &RelayState) -> bool {
    known.last_sync_ms.is_some()
        && RelayState {
            last_sync_ms: known.last_sync_ms,
            ..now.clone()
        } == *known
}

/// Stores verified records and sealed keys, and renews the read model of the member log.
pub(crate) fn store_records(
    writer: &mut store::Writer<'_>,
    records: &[Vec<u8>],
    blobs: &[Vec<u8>],
    path: &Path,
    keys: &seal::KeyPair,
) -> Result<(), LoadError> {
    writer.append_log(records)?;
    let named: BTreeSet<BlobHash> = records
        .iter()
        .filter_map(|bytes| {
            SignedRecord::parse(bytes)
                .and_then(SignedRecord::trusted)
                .ok()
        })
        .flat_map(|record| record.body().device_keys())
        .map(|(_, hash)| hash)
        .collect();
    for blob in blobs {
        let hash = BlobHash::of(blob);
        if named.contains(&hash) {
            writer.put_blob(&hash, blob)?;
        }
    }
    let stored = load_log(writer, path)?;
    let keys = load_keys(writer, &stored, keys)?;
    Ok(people::refresh(writer, &stored.log, &keys)?)
}

fn read_vector(hex: Option<&str>) -> Vector {
    let bytes = hex.and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
    // A vector that cannot be read only means that the next envelope carries more of it.
    bytes
        .and_then(|bytes| protocol::cbor::decode(&bytes).ok())
        .unwrap_or_default()
}
