//! What records and sealed keys from a client make of a log: the rules of the protocol, and the relay's own.
//!
//! The relay adds to [`MemberLog`]'s rules what needs a clock: an invite may not be open for too long, and nobody joins
//! with one that has expired. Pure: no store, no time but what is given.

use std::collections::{BTreeMap, BTreeSet};

use protocol::cbor::Bytes;
use protocol::id::{BlobHash, KeyId, SigningKey};
use protocol::limits;
use protocol::log::{Device, InviteState, LogError, MemberLog};
use protocol::record::{Body, RecordError, SignedRecord, VerifiedRecord, VerifyError};

use super::asker::Closed;
use super::logs::head_of;
use crate::storage::{Frontier, LogChange, NewBlob};

/// Why records or sealed keys are refused. Peer misbehaved, or is too late.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeRefused {
    /// Bytes that are no record.
    #[error("record {index} of the request is malformed: {source}")]
    Malformed {
        /// Its place in the request, from 0.
        index: usize,
        /// What is wrong.
        source: RecordError,
    },
    /// A record that may not follow.
    #[error("record {index} of the request may not follow: {source}")]
    Broken {
        /// Its place in the request, from 0.
        index: usize,
        /// Why.
        source: LogError,
    },
    /// No device may join with the invite any more.
    #[error(transparent)]
    InviteClosed(Closed),
    /// An invite that would stay open for too long.
    #[error("an invite may stay open for at most {} days", limits::INVITE_DAYS)]
    ExpiresLate,
    /// A sealed key that no record of the request names.
    #[error("sealed key {index} of the request is named by no record of it")]
    UnnamedBlob {
        /// Its place in the request, from 0.
        index: usize,
    },
    /// A sealed key that is too long.
    #[error(
        "sealed key {index} of the request is longer than {} bytes",
        limits::BLOB_BYTES
    )]
    BlobLength {
        /// Its place in the request, from 0.
        index: usize,
    },
    /// A record that takes the right to write from a device of which more is stored than its frontier names.
    #[error(
        "this relay holds more of a device that would lose the right to write than the record's frontier names: sync, \
         and sign again if still wanted"
    )]
    BehindFrontier,
    /// No record at all.
    #[error("a log starts with its genesis")]
    Empty,
}

/// A log, and the change that makes the stored one equal to it.
#[derive(Debug)]
pub(super) struct Changed {
    /// The log.
    pub(super) log: MemberLog,
    /// The change. It has no frontiers yet.
    pub(super) change: LogChange,
    /// What the records take the right to write from. Whether that binds this relay is the caller's to say.
    pub(super) losses: Vec<Losses>,
}

/// Devices that lose the right to write by one record.
#[derive(Debug)]
pub(super) struct Losses {
    /// The journal's home relay by the log before that record; none if it names no relay.
    pub(super) home: Option<String>,
    /// The devices, and what counts of theirs.
    pub(super) frontier: Frontier,
}

/// Whether an invite's expiry binds those who joined with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expiry {
    /// They join now.
    Enforced,
    /// They joined long ago, and the log is given back to a relay that lost it.
    Past,
}

/// Verifies a whole log.
///
/// # Errors
/// [`ChangeRefused`].
pub(super) fn start(
    records: &[Bytes],
    blobs: &[Bytes],
    now: u64,
    quota: u64,
) -> Result<Changed, ChangeRefused> {
    let (genesis, rest) = records.split_first().ok_or(ChangeRefused::Empty)?;
    let genesis = parse(0, genesis)?;
    let first = genesis.clone().trusted();
    let first = first.map_err(|source| ChangeRefused::Malformed { index: 0, source })?;
    let log = MemberLog::start(genesis).map_err(|source| refused(0, source))?;
    let mut extension = Extension {
        log,
        since: 0,
        bodies: vec![(0, first)],
        records: Vec::new(),
        losses: Vec::new(),
    };
    extension.extend(rest, 1, Expiry::Past, now)?;
    extension.records.insert(
        0,
        records
            .first()
            .map(|first| first.0.clone())
            .unwrap_or_default(),
    );
    extension.finish(blobs, now, quota)
}

/// Verifies records that follow a log. `known` are the records of the request, before these, that the log has already:
/// sealed keys may belong to them too.
///
/// # Errors
/// [`ChangeRefused`].
pub(super) fn extend(
    log: &MemberLog,
    known: &[Bytes],
    records: &[Bytes],
    blobs: &[Bytes],
    expiry: Expiry,
    now: u64,
    quota: u64,
) -> Result<Changed, ChangeRefused> {
    let mut extension = Extension {
        log: log.clone(),
        since: log.length(),
        bodies: Vec::new(),
        records: Vec::new(),
        losses: Vec::new(),
    };
    if !blobs.is_empty() {
        for (index, bytes) in known.iter().enumerate() {
            let record = parse(index, bytes)?.trusted();
            let record = record.map_err(|source| ChangeRefused::Malformed { index, source })?;
            extension.bodies.push((record.frame().index, record));
        }
    }
    extension.extend(records, known.len(), expiry, now)?;
    extension.finish(blobs, now, quota)
}

fn parse(index: usize, bytes: &Bytes) -> Result<SignedRecord, ChangeRefused> {
    SignedRecord::parse(&bytes.0).map_err(|source| ChangeRefused::Malformed { index, source })
}

fn refused(index: usize, source: LogError) -> ChangeRefused {
    match source {
        LogError::Verify(VerifyError::Record(source))
            if !matches!(source, RecordError::Newer { .. }) =>
        {
            ChangeRefused::Malformed { index, source }
        }
        source => ChangeRefused::Broken { index, source },
    }
}

/// A log that grows, and what was seen on the way.
struct Extension {
    log: MemberLog,
    /// The index of the first record that is new.
    since: u32,
    bodies: Vec<(u32, VerifiedRecord)>,
    records: Vec<Vec<u8>>,
    losses: Vec<Losses>,
}

impl Extension {
    fn extend(
        &mut self,
        records: &[Bytes],
        offset: usize,
        expiry: Expiry,
        now: u64,
    ) -> Result<(), ChangeRefused> {
        /// How far ahead of the relay's clock an invite may end.
        const OPEN_SECONDS: u64 = limits::INVITE_DAYS * 24 * 60 * 60 + limits::CLOCK_SKEW_SECONDS;
        for (index, bytes) in (offset..).zip(records) {
            let record = parse(index, bytes)?;
            let place = self.log.length();
            if let Some(invite) = self.log.invites().get(&record.author()) {
                let closed = Closed::find(invite, now);
                let forgiven = closed == Some(Closed::Expired) && expiry == Expiry::Past;
                if let Some(closed) = closed.filter(|_| !forgiven) {
                    return Err(ChangeRefused::InviteClosed(closed));
                }
            }
            let home = self.log.relays().first().cloned();
            let record = self
                .log
                .append(record)
                .map_err(|source| refused(index, source))?;
            self.losses.extend(losses(&self.log, &record, home));
            if let Body::Invite(invite) = record.body()
                && invite.expires > now.saturating_add(OPEN_SECONDS)
            {
                return Err(ChangeRefused::ExpiresLate);
            }
            self.records.push(bytes.0.clone());
            self.bodies.push((place, record));
        }
        Ok(())
    }

    fn finish(self, blobs: &[Bytes], now: u64, quota: u64) -> Result<Changed, ChangeRefused> {
        let Self {
            log,
            since,
            bodies,
            records,
            losses,
        } = self;
        let blobs = new_blobs(&log, &bodies, blobs, now)?;
        let change = LogChange {
            erases: log.is_erased() && !records.is_empty(),
            records,
            blobs,
            closed: closed_invites(&log, &bodies, since),
            members: members(&log),
            head: head_of(&log),
            frontiers: Vec::new(),
            quota,
        };
        Ok(Changed {
            log,
            change,
            losses,
        })
    }
}

/// Returns from whom the record that the log ends with takes the right to write.
fn losses(log: &MemberLog, record: &VerifiedRecord, home: Option<String>) -> Option<Losses> {
    let vector = match record.body() {
        Body::Remove(body) => body.frontier.clone(),
        Body::SetRole(body) => body.frontier.clone(),
        _ => return None,
    };
    let place = record.frame().index;
    let lost = |device: &Device| {
        device
            .losses()
            .last()
            .is_some_and(|loss| loss.since == place)
    };
    let devices: BTreeSet<KeyId> = log
        .devices()
        .iter()
        .filter(|(_, device)| lost(device))
        .map(|(id, _)| *id)
        .collect();
    (!devices.is_empty()).then_some(Losses {
        home,
        frontier: Frontier { devices, vector },
    })
}

/// Matches sealed keys with the records that name them, and leaves out those of invites no longer open.
fn new_blobs(
    log: &MemberLog,
    records: &[(u32, VerifiedRecord)],
    blobs: &[Bytes],
    now: u64,
) -> Result<Vec<NewBlob>, ChangeRefused> {
    let mut given: BTreeMap<BlobHash, &Bytes> = BTreeMap::new();
    let named: BTreeSet<_> = records
        .iter()
        .flat_map(|(_, record)| {
            let body = record.body();
            body.device_keys().into_iter().chain(body.invite_keys())
        })
        .map(|(_, hash)| hash)
        .collect();
    for (index, blob) in blobs.iter().enumerate() {
        if blob.0.len() > limits::BLOB_BYTES {
            return Err(ChangeRefused::BlobLength { index });
        }
        let hash = BlobHash::of(&blob.0);
        if !named.contains(&hash) {
            return Err(ChangeRefused::UnnamedBlob { index });
        }
        given.insert(hash, blob);
    }
    let mut new = Vec::new();
    let expiry = |id: &KeyId, hash: BlobHash| {
        let (_, entry) = log.open_invites().find(|(open, _)| *open == id)?;
        let expires = entry.invite.expires;
        (entry.key == Some(hash) && expires >= now).then_some(expires)
    };
    for (place, record) in records {
        let body = record.body();
        let devices = body.device_keys().into_iter().map(|(_, hash)| (hash, None));
        let invites = body.invite_keys().into_iter().filter_map(|(id, hash)| {
            let expires = expiry(&id, hash)?;
            Some((hash, Some((id, expires))))
        });
        for (hash, invite) in devices.chain(invites) {
            if let Some(blob) = given.get(&hash) {
                new.push(NewBlob {
                    hash,
                    record: *place,
                    invite,
                    bytes: blob.0.clone(),
                });
            }
        }
    }
    Ok(new)
}

/// Returns the invites whose sealed keys of before must go: those closed, and all where a new epoch brought new keys. Records
/// before `since` brought theirs when they were new.
fn closed_invites(log: &MemberLog, records: &[(u32, VerifiedRecord)], since: u32) -> Vec<KeyId> {
    let rekeyed = records
        .iter()
        .any(|(place, record)| *place >= since && matches!(record.body(), Body::Remove(_)));
    let invites = log.invites().iter();
    invites
        .filter(|(_, entry)| rekeyed || entry.state != InviteState::Open)
        .map(|(id, _)| *id)
        .collect()
}

fn members(log: &MemberLog) -> Vec<(KeyId, SigningKey)> {
    let devices = log.devices().iter();
    devices
        .filter(|(_, device)| device.role().is_some())
        .map(|(id, device)| (*id, device.keys.signing))
        .collect()
}
