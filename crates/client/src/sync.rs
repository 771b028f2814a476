//! Driving sync sessions: carries out, in order, what the sans-IO session asks for.
//!
//! One session per listed relay. A lock file lets one sync at a time run on a replica; everything else may go on beside it.

mod driver;
mod heal;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::path::PathBuf;

use data_encoding::HEXLOWER_PERMISSIVE;
use journal::batch::EncodeError;
use protocol::api::ProblemKind;
use protocol::id::ChainId;
use protocol::limits;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::vector::Position;
use store::StoreError;
use store::relay::RelayState;
use sync::{Fault, Purpose};

use crate::again::{self, CopiedError, RebuildError};
use crate::bundle::BundleSource;
use crate::error::Family;
use crate::home::OpenError;
use crate::journal::{DamagedReplica, Journal, LoadError, load_log, store_family};
use crate::progress::Progress;
use crate::relay::{RelayClient, problem_family};
use crate::snapshot;

pub use crate::relay::RelayError;
pub use crate::watch::WatchEvent;
use driver::{Driver, End, Peer};
pub(crate) use driver::{RECEIVED, SEALED_VECTOR, store_records};
pub(crate) use heal::whole_log;

/// How long a sync waits for another one on the same replica, in tenths of a second.
const LOCK_TRIES: u32 = 200;

/// What stands for a relay's origin in a session with a bundle.
const BUNDLE: &str = "a bundle";
/// How many sessions a sync with one relay may take: each one after the first follows a rebuilding of the replica.
const SESSIONS: u32 = 8;

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Own changes that a relay now has and had not before.
    pub sent: u64,
    /// Changes of others merged.
    pub received: u64,
    /// The same, by the name of the person who made them.
    pub from: BTreeMap<String, u64>,
    /// Envelopes given back to a relay that had lost them, or that never had them.
    pub restored: u64,
    /// Envelopes that are kept and not merged.
    pub held: u64,
    /// Bytes sent: paths, proofs and bodies.
    pub bytes_sent: u64,
    /// Bytes of answers received.
    pub bytes_received: u64,
    /// Requests made.
    pub round_trips: u64,
    /// What the user should know, in words.
    pub warnings: Vec<String>,
}

/// Why a sync did not succeed. Nothing local is lost; what was not sent is sent by the next one.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The journal lists no relay.
    #[error("this journal has no relay to sync with")]
    NoRelay,
    /// An owner has erased the journal.
    #[error("this journal was erased by its owner; what is on this device can still be read")]
    Erased,
    /// This device has joined, and no owner has approved it yet.
    #[error("this device waits for an owner to approve it")]
    Waiting,
    /// This device was removed.
    #[error("this device was removed from the journal; what is on it can still be read")]
    Removed,
    /// Another sync of this replica goes on.
    #[error("another sync of this journal is running")]
    Running,
    /// The relay could not be reached, or said no.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The session could not finish.
    #[error("the sync with {origin} could not finish")]
    Session {
        /// The relay.
        origin: String,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// It finished, and something is not right.
    #[error("the sync finished, but something is not right: {}", .0.warnings.join("; "))]
    Suspicious(Box<SyncReport>),
    /// The device's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] OpenError),
    /// The replica is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
    /// Own changes cannot be recorded again.
    #[error("an entry cannot be recorded again")]
    Again(#[from] journal::document::AgainError),
    /// Own changes cannot be encoded: the replica is damaged.
    #[error("an own change cannot be encoded")]
    Encode(#[from] EncodeError),
    /// The replica cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock file cannot be used.
    #[error("{} cannot be locked", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl SyncError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Erased | Self::Waiting | Self::Removed => Family::NotPermitted,
            Self::NoRelay | Self::Running | Self::Lock { .. } => Family::CouldNot,
            Self::Relay(error) => error.family(),
            Self::Session { fault, .. } => fault_family(fault),
            Self::Suspicious(_) | Self::Damaged(_) | Self::Encode(_) | Self::Again(_) => {
                Family::Damaged
            }
            Self::Secret(error) => error.family(),
            Self::Store(error) => store_family(error),
        }
    }
}

fn fault_family(fault: &Fault) -> Family {
    match fault {
        Fault::Nonsense(_) | Fault::NoKey { .. } => Family::Damaged,
        Fault::Problem(problem) => problem_family(problem.kind),
        Fault::NotMember => Family::NotPermitted,
        Fault::Busy => Family::Offline,
        Fault::Seal(_) | Fault::Unexpected => Family::CouldNot,
    }
}

impl From<CopiedError> for SyncError {
    fn from(error: CopiedError) -> Self {
        match error {
            CopiedError::Secret(error) => Self::Secret(error),
            CopiedError::Rebuild(error) => error.into(),
            CopiedError::Store(error) => Self::Store(error),
        }
    }
}

impl From<RebuildError> for SyncError {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Load(error) => error.into(),
            RebuildError::Again(error) => Self::Again(error),
        }
    }
}

impl From<LoadError> for SyncError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl Journal {
    /// Syncs with every relay of the journal.
    ///
    /// # Errors
    /// [`SyncError`]: the first relay's, if any could not be synced with.
    pub async fn sync(&mut self, progress: &dyn Progress) -> Result<SyncReport, SyncError> {
        let lock = self.lock().await?;
        let relays = self.relay_origins()?;
        if relays.is_empty() {
            return Err(SyncError::NoRelay);
        }
        let unsent = self.replica.read(|reader| reader.unsent_count(None))?;
        let mut report = SyncReport::default();
        let mut failure = None;
        let mut suspicious = false;
        for (place, origin) in relays.into_iter().enumerate() {
            match self.sync_with(&origin, &mut report, progress).await {
                Ok(odd) => suspicious |= odd,
                Err(error) if place > 0 && is_stranger(&error) => {
                    self.note_failure(&origin, &error)?;
                    report.warnings.push(format!(
                        "the relay {origin} does not know this device yet; it will when another device has synced with it"
                    ));
                }
                Err(error) => {
                    self.note_failure(&origin, &error)?;
                    failure = failure.or(Some(error));
                }
            }
        }
        if failure.is_none() && !suspicious && self.make_snapshot(progress).await? {
            for origin in self.relay_origins()? {
                suspicious |= self.sync_with(&origin, &mut report, progress).await?;
            }
        }
        let left = self.replica.read(|reader| reader.unsent_count(None))?;
        report.sent = unsent.saturating_sub(left);
        report.held = self
            .replica
            .read(|reader| reader.held())?
            .len()
            .try_into()
            .unwrap_or(u64::MAX);
        match failure {
            Some(error) => Err(error),
            None if suspicious => Err(SyncError::Suspicious(Box::new(report))),
            None => {
                // Not worth a durable commit: the time of a sync that changed nothing is the lock file's.
                lock.set_modified(std::time::SystemTime::now())
                    .map_err(|source| SyncError::Lock {
                        path: self.lock_path(),
                        source,
                    })?;
                Ok(report)
            }
        }
    }

    /// Syncs with the home relay alone.
    ///
    /// # Errors
    /// [`SyncError`].
    pub(crate) async fn sync_home(&mut self, progress: &dyn Progress) -> Result<(), SyncError> {
        let _lock = self.lock().await?;
        let relays = self.relay_origins()?;
        let home = relays.first().ok_or(SyncError::NoRelay)?;
        self.sync_with(home, &mut SyncReport::default(), progress)
            .await?;
        Ok(())
    }

    /// Returns the relays that the member log lists, the home relay first.
    fn relay_origins(&self) -> Result<Vec<String>, LoadError> {
        let path = self.path();
        self.replica
            .read(|reader| Ok(load_log(reader, &path)?.log.relays().to_vec()))
    }

    /// Seals a snapshot, if it is time for one. Says whether it did.
    async fn make_snapshot(&mut self, progress: &dyn Progress) -> Result<bool, SyncError> {
        let path = self.path();
        let batches = self
            .replica
            .read(|reader| match snapshot::is_due(reader, &path)? {
                true => Ok(Some(snapshot::batches(reader, &path)?)),
                false => Ok::<_, SyncError>(None),
            })?;
        match batches.filter(|batches| batches.len() <= limits::SNAPSHOT_PARTS) {
            Some(batches) => self.seal_snapshot(batches, progress).await,
            None => Ok(false),
        }
    }

    /// Seals batches as the parts of a snapshot of everything in envelopes. Says whether it did.
    pub(crate) async fn seal_snapshot(
        &mut self,
        batches: Vec<Vec<u8>>,
        progress: &dyn Progress,
    ) -> Result<bool, SyncError> {
        let mut driver = Driver::start(self, BUNDLE, Purpose::Seal)?.with_snapshot(batches);
        let end = driver.run(Peer::Nobody, progress).await?;
        Ok(matches!(end, End::Done))
    }

    fn lock_path(&self) -> PathBuf {
        self.dir.join("sync.lock")
    }

    /// Returns when a relay was last synced with, in milliseconds since the Unix epoch: as its state says, or later if
    /// syncs that changed nothing have succeeded since.
    pub(crate) fn last_sync_ms(&self, relay: &RelayState) -> Option<i64> {
        let stored = relay.last_sync_ms?;
        if relay.last_error.is_some() {
            return Some(stored);
        }
        let modified = std::fs::metadata(self.lock_path())
            .and_then(|file| file.modified())
            .ok()?;
        let modified = jiff::Timestamp::try_from(modified).ok()?.as_millisecond();
        Some(stored.max(modified))
    }

    async fn lock(&self) -> Result<File, SyncError> {
        let path = self.lock_path();
        let io = |source| SyncError::Lock {
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(io(error)),
            }
        }
        Err(SyncError::Running)
    }

    /// Syncs with one relay; says whether something suspicious was seen.
    async fn sync_with(
        &mut self,
        origin: &str,
        report: &mut SyncReport,
        progress: &dyn Progress,
    ) -> Result<bool, SyncError> {
        let mut relay = RelayClient::new(origin)?;
        let mut suspicious = false;
        let mut result = Ok(());
        let mut healed = self.ask_for_key(&mut relay).await?;
        let mut forked = false;
        // A snapshot may name a record that is not known here yet: then it is tried again once the log has come.
        let mut adopted = self.has_nothing()? && self.adopt_from_relay(&mut relay, report).await?;
        for _ in 0..SESSIONS {
            self.settle(report)?;
            let mut driver = Driver::start(self, origin, Purpose::Exchange)?;
            driver.merged = std::mem::take(&mut healed);
            let end = driver.run(Peer::Relay(&mut relay), progress).await;
            driver.tell(report)?;
            suspicious |= driver.suspicious;
            let other_log = driver.forked.take();
            forked = other_log.is_some();
            result = match (end, other_log) {
                (Ok(End::Done), Some(words)) => Ok(self.note_failure(origin, words)?),
                (Ok(End::Done), None) if !adopted && self.is_behind(origin)? => {
                    adopted = true;
                    if self.adopt_from_relay(&mut relay, report).await? {
                        continue;
                    }
                    report.warnings.push(format!(
                        "the relay {origin} once had more than it gives now, and no snapshot that may be relied on; a device \
                         that has it brings it back when it syncs"
                    ));
                    Ok(())
                }
                (Ok(End::Done), None) => Ok(()),
                (Ok(End::Again), _) => {
                    let (origin, fault) = (origin.to_owned(), Fault::Busy);
                    result = Err(SyncError::Session { origin, fault });
                    continue;
                }
                (Err(error), _) => Err(self.explained(&mut relay, error).await?),
            };
            break;
        }
        if result.is_ok() && !forked {
            suspicious |= self.exchange_snapshots(&mut relay, report).await?;
        }
        let traffic = relay.traffic();
        report.bytes_sent += traffic.sent;
        report.bytes_received += traffic.received;
        report.round_trips += traffic.round_trips;
        result?;
        Ok(suspicious)
    }

    /// Seals what is not sealed, or takes in a bundle: a session without a relay.
    ///
    /// # Errors
    /// [`SyncError`].
    pub(crate) async fn exchange_file(
        &mut self,
        purpose: Purpose,
        mut bundle: Option<BundleSource>,
        progress: &dyn Progress,
    ) -> Result<SyncReport, SyncError> {
        let _lock = self.lock().await?;
        let mut report = SyncReport::default();
        let (mut suspicious, mut adopted) = (false, false);
        let blobs = bundle.as_ref().map(|bundle| bundle.blobs.as_slice());
        let mut healed = self.find_key(blobs.unwrap_or_default())?;
        for _ in 0..SESSIONS {
            self.settle(&mut report)?;
            let mut driver = Driver::start(self, BUNDLE, purpose)?;
            driver.merged = std::mem::take(&mut healed);
            let peer = bundle.as_mut().map_or(Peer::Nobody, Peer::Bundle);
            let end = driver.run(peer, progress).await;
            driver.tell(&mut report)?;
            suspicious |= driver.suspicious;
            match end? {
                End::Again => {}
                End::Done if !adopted && self.adopt_what_lacks(bundle.as_ref(), &mut report)? => {
                    adopted = true;
                }
                End::Done if suspicious => {
                    return Err(SyncError::Suspicious(Box::new(report)));
                }
                End::Done => return Ok(report),
            }
        }
        let origin = BUNDLE.to_owned();
        let fault = Fault::Busy;
        Err(SyncError::Session { origin, fault })
    }

    /// Takes in a snapshot of a bundle, if that has more than could be merged from it.
    fn adopt_what_lacks(
        &mut self,
        bundle: Option<&BundleSource>,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let Some(bundle) = bundle else {
            return Ok(false);
        };
        let vector = self.replica.read(|reader| reader.vector())?;
        let heads = bundle.heads();
        let behind = |(chain, at): (&ChainId, &Position)| vector.seq(chain) < at.seq;
        if !heads.0.iter().any(behind) {
            return Ok(false);
        }
        self.adopt_from_bundle(&bundle.snapshots, &bundle.envelopes, report)
    }

    /// Says why a relay refuses this device, if it proves it: by the record that erased the journal, or the one that removed
    /// the device, which is stored then.
    async fn explained(
        &mut self,
        relay: &mut RelayClient,
        error: SyncError,
    ) -> Result<SyncError, SyncError> {
        let SyncError::Relay(RelayError::Problem { problem, .. }) = &error else {
            return Ok(error);
        };
        let (path, keys) = (self.path(), self.keys()?);
        match problem.kind {
            ProblemKind::Erased => {
                let record = problem.record.as_deref().unwrap_or_default();
                let record = HEXLOWER_PERMISSIVE.decode(record.as_bytes());
                let mut log = self.replica.read(|reader| load_log(reader, &path))?.log;
                if log.is_erased() {
                    return Ok(SyncError::Erased);
                }
                let record = record.ok().filter(|record| is_erase_of(&mut log, record));
                let Some(record) = record else {
                    return Ok(error);
                };
                self.replica
                    .write(|writer| store_records(writer, &[record], &[], &path, &keys))?;
                Ok(SyncError::Erased)
            }
            ProblemKind::NotAMember => match self.newest(relay, &keys).await {
                Ok((stored, _)) if stored.log.role(&self.own.device).is_none() => {
                    Ok(SyncError::Removed)
                }
                _ => Ok(error),
            },
            ProblemKind::Forbidden => {
                let log = self.replica.read(|reader| load_log(reader, &path))?.log;
                let device = log.devices().get(&self.own.device);
                Ok(if device.is_some_and(|of| of.is_waiting()) {
                    SyncError::Waiting
                } else {
                    error
                })
            }
            _ => Ok(error),
        }
    }

    /// Takes out of the documents what the member log excludes by now, if anything.
    fn settle(&mut self, report: &mut SyncReport) -> Result<(), SyncError> {
        self.leave_copied_chain()?;
        report.warnings.extend(self.take_copied_notice()?);
        if again::is_due(&self.replica)? {
            let keys = self.keys()?;
            let rebuilt = again::rebuild(&mut self.replica, &keys, None)?;
            report.warnings.extend(rebuilt.words());
        }
        Ok(())
    }

    fn note_failure(&mut self, origin: &str, why: impl Display) -> Result<(), StoreError> {
        let words = why.to_string();
        let before = self.replica.read(|reader| reader.relay(origin))?;
        let last_sync_ms = before.as_ref().and_then(|relay| self.last_sync_ms(relay));
        self.replica.write(|writer| {
            let mut state = writer
                .relay(origin)?
                .unwrap_or_else(|| RelayState::new(origin));
            state.last_error = Some(words);
            state.last_sync_ms = last_sync_ms;
            writer.put_relay(&state)
        })
    }
}

/// Returns whether a relay does not know this device at all. One that is not the home relay hears of a new device from others.
fn is_stranger(error: &SyncError) -> bool {
    matches!(error, SyncError::Relay(error) if error.problem() == Some(ProblemKind::Forbidden))
}

/// Returns whether a record erases the journal, as far as this replica knows its log.
fn is_erase_of(log: &mut MemberLog, record: &[u8]) -> bool {
    SignedRecord::parse(record).is_ok_and(|record| log.append(record).is_ok()) && log.is_erased()
}
