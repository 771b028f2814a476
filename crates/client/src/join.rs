//! Joining a journal by an invite link, with no inviter online.
//!
//! Order: the new device's secret is on disk before its join is appended to the member log, since an invite works once; the
//! folder gets its name when the replica is complete. A join that was cut off after the append is finished by running it
//! again with the same link.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use protocol::api::{LogAppend, LogPage, ProblemKind, journal_path};
use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::id::{BlobHash, ChainSalt, JournalId, KeyId};
use protocol::log::{InviteEntry, InviteState, LogError, MemberLog};
use protocol::record::{Body, DeviceKeys, Join, SignedRecord, join_proof_parts};
use protocol::role::Role;
use protocol::sign::Signer;
use seal::{EpochKey, InviteLink, KeyPair, Keyring, Seed, seal_name};
use store::relay::RelayState;
use store::{Birth, Replica};

use crate::error::Family;
use crate::genesis::InitError;
use crate::home::{self, Home, OpenError};
use crate::journal::{Journal, LoadError};
use crate::membership::member::{self, MemberError, read_log};
use crate::progress::Progress;
use crate::relay::{RelayClient, RelayError};
use crate::sync::{SyncError, SyncReport, store_records};
use crate::{os, people};

/// How often a join is made anew because the log moved on.
const TRIES: u32 = 4;

/// Why a device could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The text is no invite link.
    #[error(transparent)]
    Link(#[from] seal::InvalidLink),
    /// The relay knows no such invite: the link is incomplete or altered, or the journal is not there.
    #[error("the relay {origin} knows no such invite")]
    Wrong {
        /// The relay.
        origin: String,
    },
    /// The invite has expired.
    #[error("the invite has expired")]
    Expired,
    /// A device has joined with the invite already.
    #[error("the invite has been used")]
    Used,
    /// The invite was withdrawn.
    #[error("the invite was withdrawn")]
    Withdrawn,
    /// This journal is on this device already.
    #[error("this journal is on this device already")]
    Exists,
    /// The invite's key cannot be opened with the link's secret.
    #[error("the invite's key cannot be opened: {0}")]
    Key(#[from] seal::KeyError),
    /// Reading the log, writing files or the first sync failed.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The folder or the replica could not be written.
    #[error(transparent)]
    Write(#[from] InitError),
    /// The device has joined; its first sync failed. The next `sync` goes on.
    #[error("this device has joined, but the first sync failed: {0}")]
    FirstSync(#[source] SyncError),
}

impl JoinError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Link(_) | Self::Wrong { .. } | Self::Expired | Self::Used | Self::Withdrawn => {
                Family::NotPermitted
            }
            Self::Exists => Family::CouldNot,
            Self::Key(_) => Family::Damaged,
            Self::Member(error) => error.family(),
            Self::Write(error) => error.family(),
            Self::FirstSync(error) => error.family(),
        }
    }
}

impl From<RelayError> for JoinError {
    fn from(error: RelayError) -> Self {
        Self::Member(error.into())
    }
}

impl From<OpenError> for JoinError {
    fn from(error: OpenError) -> Self {
        Self::Write(error.into())
    }
}

/// What joining brought.
#[derive(Debug)]
pub struct Joined {
    /// Whose device this now is, by name.
    pub person: String,
    /// What it may do; none while it waits for an owner to approve it.
    pub role: Option<Role>,
    /// Its fingerprint, for the owner to compare.
    pub fingerprint: String,
    /// The number of records of the member log.
    pub log_length: u32,
    /// The head of the member log in four words, to compare with another device's.
    pub words: String,
    /// What the first sync did.
    pub sync: SyncReport,
}

/// The member log as the joiner reads it.
pub(crate) struct Read {
    pub(crate) log: MemberLog,
    pub(crate) page: LogPage,
}

impl Read {
    /// Opens the epoch keys that were sealed to a device.
    pub(crate) fn keys(&self, device: &KeyPair) -> Keyring {
        Keyring::open(&self.log, device, |hash| {
            let mut blobs = self.page.blobs.iter();
            let found = blobs.find(|blob| BlobHash::of(&blob.0) == *hash);
            found.map(|blob| blob.0.clone())
        })
    }

    /// Makes one more record, and appends it.
    pub(crate) fn extend(
        &mut self,
        signer: &KeyPair,
        body: &Body,
        time: u64,
    ) -> Result<(), MemberError> {
        self.push(SignedRecord::create(
            signer,
            self.log.next_place(),
            time,
            body,
        ))
    }

    /// Appends one more record.
    pub(crate) fn push(&mut self, record: SignedRecord) -> Result<(), MemberError> {
        let bytes = record.bytes().to_vec();
        self.log.append(record).map_err(MemberError::Rule)?;
        self.page.records.push(Bytes(bytes));
        Ok(())
    }
}

impl Home {
    /// Joins a journal by an invite link, and syncs for the first time. The device is called `name`; without one, what the
    /// link suggests; without that, `fallback`.
    ///
    /// # Errors
    /// [`JoinError`].
    pub async fn join(
        &self,
        link: &str,
        name: Option<&str>,
        fallback: &str,
        progress: &dyn Progress,
    ) -> Result<(Journal, Joined), JoinError> {
        let link: InviteLink = link.parse()?;
        let invite = link.secret.key_pair();
        let label = home::label(&link.journal);
        let dir = self.journals_dir().join(&label);
        if dir.exists() {
            return Err(JoinError::Exists);
        }
        let unfinished: String = invite.key_id().to_string().chars().take(16).collect();
        let temporary = self
            .journals_dir()
            .join(format!(".joining-{label}-{unfinished}"));
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| JoinError::Write(InitError::Io { path, source })
        };
        let keys = device_keys(&temporary)?;
        let mut relay = RelayClient::new(&link.relay)?;
        let device = name.or(link.device_name.as_deref()).unwrap_or(fallback);
        let read = match append_join(&mut relay, &link, &invite, &keys, device, false).await {
            Ok(read) => read,
            Err(error) => {
                forget_unused(&temporary, &error);
                return Err(error);
            }
        };
        write(&temporary, link.journal, &keys, &read)?;
        fs::rename(&temporary, &dir).map_err(io(&dir))?;
        home::sync_dir(&self.journals_dir()).map_err(io(&dir))?;
        let mut journal = Journal::open(&dir)?;
        let waiting = read
            .log
            .devices()
            .get(&keys.key_id())
            .is_some_and(|device| device.is_waiting());
        let sync = if waiting {
            SyncReport::default()
        } else {
            journal.sync(progress).await.map_err(JoinError::FirstSync)?
        };
        let joined = describe(&journal, &keys.key_id(), sync)?;
        Ok((journal, joined))
    }
}

/// Reads the secret of an unfinished join with this invite, or makes one.
fn device_keys(dir: &Path) -> Result<KeyPair, JoinError> {
    if let Ok(keys) = home::read_secret(dir) {
        return Ok(keys);
    }
    let io = |source| {
        JoinError::Write(InitError::Io {
            path: PathBuf::from(dir),
            source,
        })
    };
    if dir.exists() {
        // A secret that cannot be read was never used: the join is appended only after it is written.
        fs::remove_dir_all(dir).map_err(io)?;
    }
    home::create_private_dir(dir).map_err(io)?;
    let seed = Seed::random(&mut os::random());
    home::write_secret(dir, &seed).map_err(io)?;
    Ok(KeyPair::of_device(&seed))
}

/// Removes an unfinished join when it is certain that the device is not in the log.
fn forget_unused(dir: &Path, error: &JoinError) {
    if matches!(
        error,
        JoinError::Wrong { .. } | JoinError::Expired | JoinError::Used | JoinError::Withdrawn
    ) {
        // What cannot be removed stays hidden, and is taken up by the next try with this link.
        let _unused = fs::remove_dir_all(dir);
    }
}

/// Appends the device's join to the member log, unless an earlier try did; returns the log with it.
pub(crate) async fn append_join(
    relay: &mut RelayClient,
    link: &InviteLink,
    invite: &KeyPair,
    keys: &KeyPair,
    name: &str,
    paper: bool,
) -> Result<Read, JoinError> {
    for _ in 0..TRIES {
        let read = match read_as(relay, link, invite).await {
            Ok(read) => read,
            // The invite is closed to its key: perhaps because this very device has used it.
            Err(error) => return read_as(relay, link, keys).await.map_err(|_| error),
        };
        let id = invite.key_id();
        let entry = read.log.invites().get(&id).ok_or_else(|| wrong(relay))?;
        match entry.state {
            InviteState::Used(device) if device == keys.key_id() => return Ok(read),
            InviteState::Used(_) => return Err(JoinError::Used),
            InviteState::Withdrawn => return Err(JoinError::Withdrawn),
            InviteState::Open if entry.invite.expires < os::unix_seconds() => {
                return Err(JoinError::Expired);
            }
            InviteState::Open => {}
        }
        let (device, blob) = describe_device(&read, entry, invite, keys, name, paper)?;
        let record = make_join(
            &read.log,
            device,
            blob.as_deref(),
            &link.journal,
            invite,
            keys,
        )?;
        let append = LogAppend {
            head: read.log.head(),
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: blob.into_iter().map(Bytes).collect(),
        };
        let path = journal_path(&link.journal, "log");
        match relay.post::<_, LogPage>(invite, &path, &append, None).await {
            // The relay's log is now the one with this device; it is read as this device, with its sealed key.
            // Whatever it says then, the device is in, and its secret must be kept.
            Ok(_) => return read_as(relay, link, keys).await.map_err(kept),
            Err(error) if error.problem() == Some(ProblemKind::StaleHead) => {}
            Err(error) => return Err(closed(relay, error)),
        }
    }
    Err(MemberError::Busy.into())
}

/// Makes the public half of the joining device, and seals the current key to it. If an owner must approve it, it has neither
/// key nor name yet.
pub(crate) fn describe_device(
    read: &Read,
    entry: &InviteEntry,
    invite: &KeyPair,
    keys: &KeyPair,
    name: &str,
    paper: bool,
) -> Result<(DeviceKeys, Option<Vec<u8>>), JoinError> {
    let random = &mut os::random();
    let (name, blob) = match entry.key {
        None => (Vec::new(), None),
        Some(hash) => {
            let epoch = read.log.epoch();
            let not_for_me = seal::KeyError::NotForMe {
                epoch: epoch.number,
            };
            let mut blobs = read.page.blobs.iter();
            let sealed = blobs.find(|blob| BlobHash::of(&blob.0) == hash);
            let key = EpochKey::open(&sealed.ok_or(not_for_me)?.0, epoch, invite)?;
            let blob = key.seal_to(&keys.key_id(), &keys.kem_key(), random)?;
            let name = seal_name(name, &keys.key_id().0, &key, random);
            (name.map_err(MemberError::Name)?, Some(blob))
        }
    };
    let device = DeviceKeys {
        signing: keys.signing_key(),
        kem: keys.kem_key(),
        name: Bytes(name),
        paper,
    };
    Ok((device, blob))
}

pub(crate) fn make_join(
    log: &MemberLog,
    device: DeviceKeys,
    blob: Option<&[u8]>,
    journal: &JournalId,
    invite: &KeyPair,
    keys: &KeyPair,
) -> Result<SignedRecord, JoinError> {
    let proof = keys.sign(
        Domain::JoinProof,
        &join_proof_parts(journal, &invite.key_id(), &keys.key_id()),
    );
    let body = Body::Join(Join {
        device,
        proof,
        key: blob.map(BlobHash::of),
    });
    let record = SignedRecord::create(invite, log.next_place(), os::unix_seconds(), &body);
    log.clone()
        .append(record.clone())
        .map_err(MemberError::Rule)?;
    Ok(record)
}

/// Reads and verifies the whole member log with one key.
pub(crate) async fn read_as(
    relay: &mut RelayClient,
    link: &InviteLink,
    key: &KeyPair,
) -> Result<Read, JoinError> {
    let page = read_log(relay, key, &link.journal, 0)
        .await
        .map_err(|error| closed(relay, error))?;
    let bytes = |all: Vec<Bytes>| all.into_iter().map(|one| one.0).collect();
    let (records, blobs) = (bytes(page.records), bytes(page.blobs));
    Ok(read(link.journal, relay.origin(), records, blobs)?)
}

/// Verifies a whole member log that came from somewhere.
pub(crate) fn read(
    journal: JournalId,
    origin: &str,
    records: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
) -> Result<Read, MemberError> {
    let mut rest = records.iter();
    let genesis = rest
        .next()
        .and_then(|record| SignedRecord::parse(record).ok());
    let start = genesis.ok_or(LogError::Place).and_then(MemberLog::start);
    let mut log = start.map_err(|source| MemberError::InvalidLog {
        origin: origin.to_owned(),
        source,
    })?;
    if log.journal() != journal {
        return Err(MemberError::Fork {
            origin: origin.to_owned(),
        });
    }
    for record in rest {
        member::append(&mut log, record, origin)?;
    }
    let page = LogPage {
        length: log.length(),
        head: log.head(),
        records: records.into_iter().map(Bytes).collect(),
        blobs: blobs.into_iter().map(Bytes).collect(),
    };
    Ok(Read { log, page })
}

/// Turns a refusal that would have an unfinished join forgotten into one that keeps it.
fn kept(error: JoinError) -> JoinError {
    match error {
        JoinError::Wrong { .. } | JoinError::Expired | JoinError::Used | JoinError::Withdrawn => {
            MemberError::NotMember.into()
        }
        error => error,
    }
}

fn wrong(relay: &RelayClient) -> JoinError {
    JoinError::Wrong {
        origin: relay.origin().to_owned(),
    }
}

/// Names a relay's refusal of an invite's key.
fn closed(relay: &RelayClient, error: RelayError) -> JoinError {
    match &error {
        RelayError::Problem { problem, .. } => match problem.kind {
            ProblemKind::InviteExpired => JoinError::Expired,
            ProblemKind::InviteWithdrawn => JoinError::Withdrawn,
            ProblemKind::InviteUsed => JoinError::Used,
            ProblemKind::Unauthorized | ProblemKind::Forbidden | ProblemKind::UnknownJournal => {
                wrong(relay)
            }
            _ => error.into(),
        },
        _ => error.into(),
    }
}

/// Writes the new replica: the member log, the device's sealed key, and the relay.
pub(crate) fn write(
    dir: &Path,
    journal: JournalId,
    keys: &KeyPair,
    read: &Read,
) -> Result<(), JoinError> {
    let path = home::replica_path(dir);
    if path.exists() {
        let io = |source| {
            JoinError::Write(InitError::Io {
                path: path.clone(),
                source,
            })
        };
        fs::remove_file(&path).map_err(io)?;
    }
    let birth = Birth {
        journal,
        device: keys.key_id(),
        salt: ChainSalt(os::random_bytes()),
        // The profile brings the zone at home with the first sync; until then this device's own serves.
        zone: crate::zone::of_this_device()
            .as_ref()
            .and_then(TimeZone::iana_name)
            .unwrap_or("UTC")
            .to_owned(),
    };
    let create = |error| JoinError::Write(InitError::Create(error));
    let mut replica = Replica::create(&path, &birth).map_err(create)?;
    let records: Vec<_> = read
        .page
        .records
        .iter()
        .map(|record| record.0.clone())
        .collect();
    let blobs: Vec<_> = read.page.blobs.iter().map(|blob| blob.0.clone()).collect();
    let stored = replica.write(|writer| {
        writer.set_place(&os::place(&path))?;
        store_records(writer, &records, &blobs, &path, keys)?;
        for relay in read.log.relays() {
            writer.put_relay(&RelayState::new(relay))?;
        }
        Ok::<_, LoadError>(())
    });
    stored.map_err(|error| JoinError::Member(error.into()))
}

fn describe(journal: &Journal, device: &KeyId, sync: SyncReport) -> Result<Joined, JoinError> {
    let path = journal.path();
    let read = journal.replica.read(|reader| {
        let stored = crate::journal::load_log(reader, &path)?;
        let member = reader
            .members()?
            .into_iter()
            .find(|member| member.device == *device);
        Ok::<_, LoadError>((stored.log, member))
    });
    let (log, member) = read.map_err(MemberError::from)?;
    let member = member.ok_or(MemberError::NotMember)?;
    Ok(Joined {
        person: member.person_name,
        role: member.role,
        fingerprint: people::fingerprint(device),
        log_length: log.length(),
        words: people::head_in_words(&log),
        sync,
    })
}
