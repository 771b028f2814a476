//! The relays of a journal: listing, adding, removing, and moving home.

use protocol::api::{self, EnrolmentToken, LogPage, ProblemKind};
use protocol::cbor::Bytes;
use protocol::log::{MemberLog, is_origin};
use protocol::record::{self, Body, SignedRecord};
use seal::{KeyPair, Keyring};
use store::relay::RelayState;

use crate::journal::{Journal, StoredLog, load_log};
use crate::membership::member::{MemberError, Proposal};
use crate::os;
use crate::progress::Silent;
use crate::relay::{RelayClient, RelayError};
use crate::sync::{store_records, whole_log};

/// A relay of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRelay {
    /// Its origin.
    pub url: String,
    /// Whether it is the home relay, where membership changes.
    pub home: bool,
}

/// How the home of a journal was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The relay was the home relay already.
    WasHome,
    /// The old home relay has recorded it.
    Moved,
    /// The old home relay could not be reached: the new one has recorded it.
    WithoutOld,
}

/// Tells whether nothing that can be asked is at a relay's address.
fn is_away(error: &RelayError) -> bool {
    matches!(
        error,
        RelayError::Unreachable { .. } | RelayError::Silent { .. } | RelayError::Garbage { .. }
    ) || matches!(
        error.problem(),
        Some(ProblemKind::UnknownJournal | ProblemKind::NotFound)
    )
}

impl Journal {
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

    /// Lets a relay forget the envelopes that snapshots cover. Only owners may.
    ///
    /// # Errors
    /// [`MemberError`] if the relay is not listed, cannot be reached, or says no.
    pub async fn prune_relay(&mut self, origin: &str) -> Result<(), MemberError> {
        if !self.relays()?.iter().any(|relay| relay.url == origin) {
            return Err(MemberError::NotListed(origin.to_owned()));
        }
        let keys = self.keys()?;
        let path = api::journal_path(&self.own.journal, "prune");
        let mut relay = RelayClient::new(origin)?;
        let nothing = Bytes(Vec::new());
        let _left: api::Snapshots = relay.post(&keys, &path, &nothing, None).await?;
        Ok(())
    }

    /// Makes a listed relay the home relay, where membership changes. The record is appended at the present home; if that
    /// cannot be reached, at the new one, after a sync with it. What was changed at the lost home and reached nobody is lost
    /// then, and if that home comes back its log is a fork.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn move_home(&mut self, origin: &str) -> Result<Moved, MemberError> {
        let keys = self.keys()?;
        let listed = self.relays()?;
        match listed.iter().find(|relay| relay.url == origin) {
            None => return Err(MemberError::NotListed(origin.to_owned())),
            Some(relay) if relay.home => return Ok(Moved::WasHome),
            Some(_) => {}
        }
        let make = |stored: &StoredLog, _: &Keyring| {
            let mut urls = stored.log.relays().to_vec();
            if !urls.iter().any(|relay| relay == origin) {
                return Err(MemberError::NotListed(origin.to_owned()));
            }
            urls.retain(|relay| relay != origin);
            urls.insert(0, origin.to_owned());
            Ok(Proposal {
                body: Body::Relays(record::Relays { urls }),
                blobs: Vec::new(),
            })
        };
        match self.propose(&keys, make).await {
            Err(MemberError::Relay(error)) if is_away(&error) => {
                // It fails with the lost home, and brings the new one up to date all the same.
                let _partly = self.sync(&Silent).await;
                self.propose_at(origin, &keys, make).await?;
                Ok(Moved::WithoutOld)
            }
            other => other.map(|_| Moved::Moved),
        }
    }

    async fn create_on(
        &self,
        origin: &str,
        token: Option<&EnrolmentToken>,
        keys: &KeyPair,
        stored: &StoredLog,
    ) -> Result<(), MemberError> {
        let mut relay = RelayClient::new(origin)?;
        let create = self.replica.read(|reader| whole_log(reader, stored))?;
        let page: LogPage = relay.post(keys, api::JOURNALS, &create, token).await?;
        if page.head == stored.log.head() {
            Ok(())
        } else {
            Err(MemberError::Fork {
                origin: origin.to_owned(),
            })
        }
    }
}

fn relays_record(keys: &KeyPair, log: &MemberLog, urls: Vec<String>) -> SignedRecord {
    let body = Body::Relays(record::Relays { urls });
    SignedRecord::create(keys, log.next_place(), os::unix_seconds(), &body)
}
