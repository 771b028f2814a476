//! Membership: reading the newest member log from the home relay, and appending to it.
//!
//! Every change of membership is made against the newest log and appended by compare-and-swap. If the log moved on
//! meanwhile, it is read again, and the record is made anew only if the rules still allow it. Without the home relay nothing
//! is changed and nothing is queued.

use protocol::api::{self, LogAppend, LogPage, ProblemKind, journal_path};
use protocol::cbor::Bytes;
use protocol::id::JournalId;
use protocol::limits;
use protocol::log::{LogError, MemberLog};
use protocol::record::{Body, RecordError, SignedRecord, VerifyError};
use protocol::sign::Signer;
use seal::{EpochKey, KeyPair, Keyring};
use store::StoreError;

use crate::error::Family;
use crate::home::OpenError;
use crate::journal::{
    DamagedReplica, Journal, LoadError, StoredLog, load_keys, load_log, store_family,
};
use crate::os;
use crate::relay::{RelayClient, RelayError};
use crate::sync::store_records;

/// How often a record is made anew because the log moved on.
const TRIES: u32 = 4;
/// Why membership could not be changed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The journal has no relay yet, and what was asked needs one.
    #[error("this journal has no relay yet")]
    NoRelay,
    /// The relay is listed already.
    #[error("the relay {0} is listed already")]
    Listed(String),
    /// The relay is not listed.
    #[error("the relay {0} is not listed")]
    NotListed(String),
    /// The relay's address is not one.
    #[error(
        "`{0}` is not the address of a relay; it is `https://host`, with a port if it needs one"
    )]
    Origin(String),
    /// The token is not one.
    #[error(transparent)]
    Token(#[from] api::InvalidToken),
    /// An invite that would be open for too short or too long.
    #[error("an invite is open for 1 second to {} days", limits::INVITE_DAYS)]
    OpenFor,
    /// No person, device or invite is called so.
    #[error("nobody and nothing here is called `{0}`")]
    NoSuch(String),
    /// Several are.
    #[error("`{0}` is ambiguous")]
    Ambiguous(String),
    /// A role is a person's, and this is a device.
    #[error("`{0}` is a device; a role is that of a person")]
    NotAPerson(String),
    /// A device that removes itself would know the new key.
    #[error("a device cannot remove itself")]
    OwnRemoval,
    /// The sync that comes first did not succeed.
    #[error(transparent)]
    Sync(Box<crate::sync::SyncError>),
    /// A name is empty or too long.
    #[error(transparent)]
    Name(#[from] seal::NameError),
    /// This device is no member any more.
    #[error("this device is no member of the journal")]
    NotMember,
    /// The rules of the member log do not allow it.
    #[error(transparent)]
    Rule(LogError),
    /// The relay's member log is not an extension of the one verified here.
    #[error("the member log of {origin} is not the one this device verified")]
    Fork {
        /// The relay.
        origin: String,
    },
    /// The relay's member log breaks its rules.
    #[error("the member log of {origin} is not valid")]
    InvalidLog {
        /// The relay.
        origin: String,
        /// Why.
        #[source]
        source: LogError,
    },
    /// The member log has a record of a newer ebb.
    #[error("the member log has a record that only a newer ebb can read")]
    NewerLog,
    /// The log moved on again and again.
    #[error("the member log kept changing")]
    Busy,
    /// The key of the current epoch is not here: the relay did not give it.
    #[error("the key of epoch {epoch} is missing")]
    NoKey {
        /// The epoch.
        epoch: u32,
    },
    /// A key cannot be sealed or opened.
    #[error(transparent)]
    Key(#[from] seal::KeyError),
    /// The relay could not be reached, or said no.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The device's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] OpenError),
    /// The replica is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
    /// The replica cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LoadError> for MemberError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl MemberError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::NoRelay
            | Self::Listed(_)
            | Self::NotListed(_)
            | Self::NewerLog
            | Self::NoSuch(_)
            | Self::Ambiguous(_)
            | Self::NotAPerson(_)
            | Self::OwnRemoval => Family::CouldNot,
            Self::Sync(error) => error.family(),
            Self::Origin(_) | Self::Token(_) | Self::Name(_) | Self::OpenFor => Family::Usage,
            Self::NotMember | Self::Rule(_) => Family::NotPermitted,
            Self::Fork { .. }
            | Self::InvalidLog { .. }
            | Self::NoKey { .. }
            | Self::Key(_)
            | Self::Damaged(_) => Family::Damaged,
            Self::Busy => Family::Offline,
            Self::Relay(error) => error.family(),
            Self::Secret(error) => error.family(),
            Self::Store(error) => store_family(error),
        }
    }
}

/// A record to append, with the sealed keys that it names.
pub(crate) struct Proposal {
    pub(crate) body: Body,
    pub(crate) blobs: Vec<Vec<u8>>,
}

impl Journal {
    /// Makes a record against the newest log and appends it at the home relay, whose origin is returned.
    pub(crate) async fn propose(
        &mut self,
        keys: &KeyPair,
        make: impl Fn(&StoredLog, &Keyring) -> Result<Proposal, MemberError>,
    ) -> Result<String, MemberError> {
        let path = self.path();
        let stored = self.replica.read(|reader| load_log(reader, &path))?;
        let home = stored.log.relays().first().cloned();
        let home = home.ok_or(MemberError::NoRelay)?;
        self.propose_at(&home, keys, make).await?;
        Ok(home)
    }

    /// Makes a record against the newest log of one relay and appends it there. Anywhere but at the home relay this may
    /// fork the log: only for when there is no home to ask.
    pub(crate) async fn propose_at(
        &mut self,
        origin: &str,
        keys: &KeyPair,
        make: impl Fn(&StoredLog, &Keyring) -> Result<Proposal, MemberError>,
    ) -> Result<(), MemberError> {
        let path = self.path();
        let mut relay = RelayClient::new(origin)?;
        for _ in 0..TRIES {
            let (stored, ring) = self.newest(&mut relay, keys).await?;
            if stored.log.signing_key(&keys.key_id()).is_none() {
                return Err(MemberError::NotMember);
            }
            let Proposal { body, blobs } = make(&stored, &ring)?;
            let record =
                SignedRecord::create(keys, stored.log.next_place(), os::unix_seconds(), &body);
            let bytes = record.bytes().to_vec();
            let append = LogAppend {
                head: stored.log.head(),
                records: vec![Bytes(bytes.clone())],
                blobs: blobs.iter().cloned().map(Bytes).collect(),
            };
            stored
                .log
                .clone()
                .append(record)
                .map_err(MemberError::Rule)?;
            let answer: Result<LogPage, _> = relay
                .post(keys, &journal_path(&self.own.journal, "log"), &append, None)
                .await;
            match answer {
                Ok(_) => {
                    self.replica
                        .write(|writer| store_records(writer, &[bytes], &blobs, &path, keys))?;
                    return Ok(());
                }
                Err(error) if error.problem() == Some(ProblemKind::StaleHead) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MemberError::Busy)
    }

    /// Reads what the relay's log has beyond the one here, verifies and stores it.
    pub(crate) async fn newest(
        &mut self,
        relay: &mut RelayClient,
        keys: &KeyPair,
    ) -> Result<(StoredLog, Keyring), MemberError> {
        let path = self.path();
        let mut stored = self.replica.read(|reader| load_log(reader, &path))?;
        let page = read_log(relay, keys, &self.own.journal, stored.log.length()).await?;
        let mut new = Vec::new();
        for record in &page.records {
            append(&mut stored.log, &record.0, relay.origin())?;
            new.push(record.0.clone());
        }
        if page.head != stored.log.head() {
            return Err(MemberError::Fork {
                origin: relay.origin().to_owned(),
            });
        }
        if !new.is_empty() {
            let blobs: Vec<_> = page.blobs.into_iter().map(|blob| blob.0).collect();
            self.replica
                .write(|writer| store_records(writer, &new, &blobs, &path, keys))?;
            stored.records.extend(new);
        }
        let ring = self
            .replica
            .read(|reader| load_keys(reader, &stored, keys))?;
        Ok((stored, ring))
    }
}

/// Returns the key of the current epoch.
pub(crate) fn current_key<'a>(
    log: &MemberLog,
    ring: &'a Keyring,
) -> Result<&'a EpochKey, MemberError> {
    let epoch = log.epoch().number;
    ring.get(epoch).ok_or(MemberError::NoKey { epoch })
}

/// Reads a member log from an index on.
pub(crate) async fn read_log(
    relay: &mut RelayClient,
    signer: &dyn Signer,
    journal: &JournalId,
    from: u32,
) -> Result<LogPage, RelayError> {
    relay
        .get(
            signer,
            &format!("{}?from={from}", journal_path(journal, "log")),
        )
        .await
}

/// Verifies one more record of a log that a relay gave.
pub(crate) fn append(log: &mut MemberLog, bytes: &[u8], origin: &str) -> Result<(), MemberError> {
    let invalid = |source| MemberError::InvalidLog {
        origin: origin.to_owned(),
        source,
    };
    let record = SignedRecord::parse(bytes).map_err(|error| invalid(error.into()))?;
    match log.append(record) {
        Ok(_) => Ok(()),
        Err(LogError::Verify(VerifyError::Record(RecordError::Newer { .. }))) => {
            Err(MemberError::NewerLog)
        }
        Err(source) => Err(invalid(source)),
    }
}
