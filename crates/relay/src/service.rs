//! The relay without HTTP: who may ask, what may follow, what is stored and who hears of it.
//!
//! Owns the checks that make a store of foreign bytes a relay: signatures, the rules of the member log, the judgement
//! of envelopes, expiry, quotas, rates. Knows no paths and no status codes (those are in [`crate::http`]) and no SQL
//! (that is behind [`crate::storage`]). It cannot decrypt: nothing it is built on can.
//!
//! Invariant: whatever is answered as done is durable; news is told only after that.

mod asker;
mod change;
mod clock;
mod create;
mod envelopes;
mod limits;
mod log;
mod logs;
mod news;
mod rates;
mod recent;
mod snapshots;
mod standings;

use std::net::IpAddr;
use std::sync::Arc;

use protocol::api::Quota;
use protocol::id::{JournalId, KeyId, SigningKey};
use protocol::request::{Authorization, Request, RequestError};
use protocol::sign::Verifier;

use crate::storage::{Storage, StorageError};
use logs::Logs;
use rates::Rates;
use standings::Standings;

pub(crate) use asker::{Asker, Closed};
pub(crate) use change::ChangeRefused;
#[cfg(test)]
pub(crate) use clock::SetClock;
pub(crate) use clock::{Clock, SystemClock};
pub(crate) use create::{Created, hash_token};
pub(crate) use envelopes::Stored;
pub(crate) use limits::Limits;
pub(crate) use log::{LogAppended, page};
pub(crate) use news::{Crowded, News, Subscription};
pub(crate) use snapshots::SnapshotsKept;

/// How often a change is tried again that another came before.
const TRIES: usize = 8;

/// A relay.
pub(crate) struct Relay {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    open: bool,
    logs: Logs,
    standings: Standings,
    news: News,
    rates: Rates<KeyId>,
    addresses: Rates<IpAddr>,
}

/// A request and the proof that came with it.
#[derive(Clone, Copy)]
pub(crate) struct Proof<'a> {
    /// The proof.
    pub(crate) authorization: &'a Authorization,
    /// What it is about.
    pub(crate) request: Request<'a>,
}

/// Why a proof is not enough.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub(crate) enum ProofError {
    /// Time or signature are wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The very same request came before.
    #[error("the same request was made before")]
    Replayed,
    /// The key asks too often.
    #[error("too many requests of one key")]
    TooMany {
        /// Seconds after which it may ask again.
        wait: u64,
    },
}

impl Relay {
    /// Makes a relay over a store. On an `open` relay anyone may create journals.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        open: bool,
    ) -> Self {
        let news = News::new(limits.subscribers_per_journal, limits.subscribers);
        let tell = news.clone();
        storage.listen(Box::new(move |journal| match journal {
            Some(journal) => tell.tell(&journal),
            None => tell.tell_all(),
        }));
        Self {
            storage,
            clock,
            limits,
            open,
            logs: Logs::default(),
            standings: Standings::default(),
            news,
            rates: Rates::new(limits.requests),
            addresses: Rates::new(limits.requests_per_address),
        }
    }

    /// Returns the time, in seconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the store.
    pub(crate) fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Returns the news of all journals.
    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// Returns a journal's quota as messages carry it.
    pub(crate) fn quota(&self, used: u64) -> Quota {
        Quota {
            used,
            limit: self.limits.quota,
        }
    }

    /// Checks time and signature of a request, and how often its key asks. Only requests that prove their key count,
    /// so that nobody can use up another's share.
    ///
    /// # Errors
    /// [`ProofError`].
    pub(crate) fn check(&self, proof: Proof<'_>, key: &Verifier) -> Result<(), ProofError> {
        let now = self.now();
        proof.authorization.verify(key, proof.request, now)?;
        self.rates
            .take(proof.authorization.key, self.clock.elapsed())
            .map_err(|wait| ProofError::TooMany { wait })
    }

    /// Counts a request that comes from an address, whoever makes it.
    ///
    /// # Errors
    /// The seconds to wait, if too many come.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), u64> {
        self.addresses.take(address, self.clock.elapsed())
    }

    /// Checks, for a request that must not be taken twice, that it is new.
    ///
    /// # Errors
    /// [`StorageError`]; the request is not taken then.
    pub(crate) async fn check_new(
        &self,
        authorization: &Authorization,
    ) -> Result<Result<(), ProofError>, StorageError> {
        let Authorization { key, random, .. } = authorization;
        let new = self.storage.remember(*key, *random, self.now()).await?;
        Ok(if new {
            Ok(())
        } else {
            Err(ProofError::Replayed)
        })
    }

    /// Returns whether a device is a member of a journal now.
    pub(crate) async fn is_member(&self, journal: JournalId, device: &KeyId) -> bool {
        // Whoever cannot be looked up is told nothing.
        let log = self.log(journal).await.ok().flatten();
        log.is_some_and(|log| log.role(device).is_some())
    }

    /// Finds the journals of a device, with the key it signs with.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn journals_of(
        &self,
        device: KeyId,
    ) -> Result<Vec<(JournalId, SigningKey)>, StorageError> {
        self.storage.journals_of(device).await
    }
}

/// Runs work that takes long for its size away from the threads that serve connections.
async fn apart<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StorageError> {
    /// Hashing and checking this much takes a fraction of a millisecond.
    const SMALL: usize = 64 * 1024;
    if bytes <= SMALL {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StorageError::Closed)
}
