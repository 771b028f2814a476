//! Membership: reading the newest member log from the home relay, and appending to it.
//!
//! Every change of membership is made against the newest log and appended by compare-and-swap. If the log moved on
//! meanwhile, it is read again, and the record is made anew only if the rules still allow it. Without the home relay nothing
//! is changed and nothing is queued.

use jiff::{SignedDuration, Timestamp};
use protocol::api::{self, Create, EnrolmentToken, LogAppend, LogPage, ProblemKind, journal_path};
use protocol::cbor::Bytes;
use protocol::id::{BlobHash, JournalId};
use protocol::limits;
use protocol::log::{LogError, MemberLog, is_origin};
use protocol::record::{self, Body, Invite, RecordError, SignedRecord, VerifyError};
use protocol::sign::Signer;
use seal::{EpochKey, InviteLink, InviteSecret, KeyPair, Keyring};
use store::StoreError;
use store::relay::RelayState;

use crate::error::Family;
use crate::home::OpenError;
use crate::journal::{
    DamagedReplica, Journal, LoadError, StoredLog, load_keys, load_log, store_family,
};
use crate::relay::{RelayClient, RelayError};
use crate::sync::store_records;
use crate::{os, people};

/// How often a record is made anew because the log moved on.
const TRIES: u32 = 4;
/// For how long an invite is open unless told otherwise.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how long an invite may be open at most.
const OPEN_FOR_MOST: SignedDuration = SignedDuration::from_hours(limits::INVITE_DAYS as i64 * 24);

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
    /// A name is empty or too long.
    #[error(transparent)]
    Name(#[from] seal::NameError),
    /// This device is no member any more.
    #[error("this device is no longer a member of the journal")]
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
            Self::NoRelay | Self::Listed(_) | Self::NotListed(_) | Self::NewerLog => {
                Family::CouldNot
            }
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

/// An invite just made.
#[derive(Debug)]
pub struct Invited {
    /// The link. A secret: whoever has it can join.
    pub link: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The invite's fingerprint, to recognise it by.
    pub fingerprint: String,
}

/// A relay of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRelay {
    /// Its origin.
    pub url: String,
    /// Whether it is the home relay, where membership changes.
    pub home: bool,
}

/// A record to append, with the sealed keys that it names.
struct Proposal {
    body: Body,
    blobs: Vec<Vec<u8>>,
}

impl Journal {
    /// Invites one more device of this device's person.
    ///
    /// # Errors
    /// [`MemberError`]; exit without effect if the home relay cannot be reached.
    pub async fn add_device(
        &mut self,
        name: Option<&str>,
        open_for: Option<SignedDuration>,
    ) -> Result<Invited, MemberError> {
        if name.is_some_and(|name| name.is_empty() || name.len() > limits::NAME_BYTES) {
            return Err(seal::NameError::Length.into());
        }
        let keys = self.keys()?;
        let secret = InviteSecret::random(&mut os::random());
        let pair = secret.key_pair();
        let expires = expiry(open_for)?;
        let home = self.propose(&keys, |stored, ring| {
            let device = stored
                .log
                .devices()
                .get(&keys.key_id())
                .ok_or(MemberError::NotMember)?;
            let role = device.role().ok_or(MemberError::NotMember)?;
            let blob = current_key(&stored.log, ring)?.seal_to(
                &pair.key_id(),
                &pair.kem_key(),
                &mut os::random(),
            )?;
            let body = Body::Invite(Invite {
                signing: pair.signing_key(),
                kem: pair.kem_key(),
                person: device.person,
                name: None,
                role,
                expires,
                key: Some(BlobHash::of(&blob)),
            });
            Ok(Proposal {
                body,
                blobs: vec![blob],
            })
        });
        let home = home.await?;
        let link = InviteLink {
            relay: home,
            journal: self.own.journal,
            secret,
            device_name: name.map(str::to_owned),
        };
        let expires_at = i64::try_from(expires)
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Invited {
            link: link.reveal(),
            expires_at: expires_at.unwrap_or(Timestamp::MAX),
            fingerprint: people::fingerprint(&pair.key_id()),
        })
    }

    /// Returns the relays that the member log lists.
    ///
    /// # Errors
    /// [`MemberError`] if the replica cannot be read.
    pub fn relays(&self) -> Result<Vec<ListedRelay>, MemberError> {
        let path = self.path();
        let log = self.replica.read(|reader| load_log(reader, &path))?.log;
        let listed = log.relays().iter().enumerate();
        Ok(listed
            .map(|(place, url)| ListedRelay {
                url: url.clone(),
                home: place == 0,
            })
            .collect())
    }

    /// Adds a relay: creates the journal there, then lists it. A relay that is listed already and lost the journal gets it
    /// back, given a token.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is listed then.
    pub async fn add_relay(
        &mut self,
        origin: &str,
        token: Option<&str>,
    ) -> Result<(), MemberError> {
        if !is_origin(origin) {
            return Err(MemberError::Origin(origin.to_owned()));
        }
        let token: Option<EnrolmentToken> = token.map(str::parse).transpose()?;
        let keys = self.keys()?;
        let path = self.path();
        let mut stored = self.replica.read(|reader| load_log(reader, &path))?;
        let listed = stored.log.relays().iter().any(|relay| relay == origin);
        if listed && token.is_none() {
            return Err(MemberError::Listed(origin.to_owned()));
        }
        let first = stored.log.relays().is_empty();
        if first {
            // No relay orders the log yet: this device does, for the last time.
            let record = relays_record(&keys, &stored.log, vec![origin.to_owned()]);
            stored.records.push(record.bytes().to_vec());
            stored.log.append(record).map_err(MemberError::Rule)?;
        }
        self.create_on(origin, token.as_ref(), &keys, &stored)
            .await?;
        if first {
            let record = stored
                .records
                .last()
                .cloned()
                .into_iter()
                .collect::<Vec<_>>();
            self.replica
                .write(|writer| store_records(writer, &record, &[], &path, &keys))?;
        } else if !listed {
            self.propose(&keys, |stored, _| {
                let urls = stored
                    .log
                    .relays()
                    .iter()
                    .cloned()
                    .chain([origin.to_owned()])
                    .collect();
                Ok(Proposal {
                    body: Body::Relays(record::Relays { urls }),
                    blobs: Vec::new(),
                })
            })
            .await?;
        }
        Ok(self
            .replica
            .write(|writer| writer.put_relay(&RelayState::new(origin)))?)
    }

    /// Takes a relay off the list. What it stores stays there.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn remove_relay(&mut self, origin: &str) -> Result<(), MemberError> {
        let keys = self.keys()?;
        self.propose(&keys, |stored, _| {
            let mut urls = stored.log.relays().to_vec();
            if !urls.iter().any(|relay| relay == origin) {
                return Err(MemberError::NotListed(origin.to_owned()));
            }
            urls.retain(|relay| relay != origin);
            Ok(Proposal {
                body: Body::Relays(record::Relays { urls }),
                blobs: Vec::new(),
            })
        })
        .await?;
        Ok(self.replica.write(|writer| writer.remove_relay(origin))?)
    }

    async fn create_on(
        &self,
        origin: &str,
        token: Option<&EnrolmentToken>,
        keys: &KeyPair,
        stored: &StoredLog,
    ) -> Result<(), MemberError> {
        let mut relay = RelayClient::new(origin)?;
        let blobs = self.replica.read(|reader| reader.blobs())?;
        let create = Create {
            records: stored.records.iter().cloned().map(Bytes).collect(),
            blobs: blobs.into_iter().map(|(_, blob)| Bytes(blob)).collect(),
        };
        let page: LogPage = relay.post(keys, api::JOURNALS, &create, token).await?;
        if page.head == stored.log.head() {
            Ok(())
        } else {
            Err(MemberError::Fork {
                origin: origin.to_owned(),
            })
        }
    }

    /// Makes a record against the newest log and appends it at the home relay, whose origin is returned.
    async fn propose(
        &mut self,
        keys: &KeyPair,
        make: impl Fn(&StoredLog, &Keyring) -> Result<Proposal, MemberError>,
    ) -> Result<String, MemberError> {
        let path = self.path();
        let stored = self.replica.read(|reader| load_log(reader, &path))?;
        let home = stored
            .log
            .relays()
            .first()
            .cloned()
            .ok_or(MemberError::NoRelay)?;
        let mut relay = RelayClient::new(&home)?;
        for _ in 0..TRIES {
            let (stored, ring) = self.newest(&mut relay, keys).await?;
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
                    return Ok(home);
                }
                Err(error) if error.problem() == Some(ProblemKind::StaleHead) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MemberError::Busy)
    }

    /// Reads what the relay's log has beyond the one here, verifies and stores it.
    async fn newest(
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
fn current_key<'a>(log: &MemberLog, ring: &'a Keyring) -> Result<&'a EpochKey, MemberError> {
    let epoch = log.epoch().number;
    ring.get(epoch).ok_or(MemberError::NoKey { epoch })
}

/// Returns when an invite made now expires, in Unix seconds.
fn expiry(open_for: Option<SignedDuration>) -> Result<u64, MemberError> {
    let open_for = open_for.unwrap_or(OPEN_FOR);
    if !(SignedDuration::from_secs(1)..=OPEN_FOR_MOST).contains(&open_for) {
        return Err(MemberError::OpenFor);
    }
    let seconds = u64::try_from(open_for.as_secs()).map_err(|_| MemberError::OpenFor)?;
    Ok(os::unix_seconds().saturating_add(seconds))
}

fn relays_record(keys: &KeyPair, log: &MemberLog, urls: Vec<String>) -> SignedRecord {
    let body = Body::Relays(record::Relays { urls });
    SignedRecord::create(keys, log.next_place(), os::unix_seconds(), &body)
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
