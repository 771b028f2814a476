//! Staying in sync: a sync at once, then one for every piece of news, from the relay or from this device.
//!
//! The relay's stream of server-sent events says that something is new, never what. While the relay cannot be reached, it
//! is tried again after 1, 2, 4 … up to 60 seconds.

use std::time::Duration;

use crate::error::Family;
use crate::journal::{Journal, load_log};
use crate::progress::Silent;
use crate::relay::{RelayClient, RelayError};
use crate::sync::{SyncError, SyncReport};
use protocol::api::journal_path;

/// How often this device's own new changes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(400);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// What happened while watching.
#[derive(Debug)]
pub enum WatchEvent {
    /// A sync succeeded.
    Synced(SyncReport),
    /// The relay cannot be reached now.
    Offline {
        /// Why.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// What ended a wait for news.
enum News {
    /// Something is new at the relay, or here.
    Something,
    /// The stream broke.
    Broken(RelayError),
}

impl Journal {
    /// Syncs, and goes on syncing whenever something is new, until the future is dropped.
    ///
    /// # Errors
    /// [`SyncError`] for everything but an unreachable relay, which is waited for.
    pub async fn watch(&mut self, mut tell: impl FnMut(WatchEvent)) -> Result<(), SyncError> {
        let mut retry = FIRST_RETRY;
        loop {
            let reason = match self.watch_once(&mut tell, &mut retry).await {
                Err(SyncError::Relay(error)) if error.family() == Family::Offline => {
                    error.to_string()
                }
                Err(error) if error.family() == Family::Offline => error.to_string(),
                other => return other,
            };
            tell(WatchEvent::Offline {
                reason,
                retry_in: retry,
            });
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(LONGEST_RETRY);
        }
    }

    /// Syncs and waits for news until something fails.
    async fn watch_once(
        &mut self,
        tell: &mut impl FnMut(WatchEvent),
        retry: &mut Duration,
    ) -> Result<(), SyncError> {
        let path = self.path();
        let log = self.replica.read(|reader| load_log(reader, &path))?.log;
        let home = log.relays().first().cloned().ok_or(SyncError::NoRelay)?;
        let keys = self.keys()?;
        let mut relay = RelayClient::for_news(&home)?;
        let events = journal_path(&self.own.journal, "events");
        // The stream is open before the sync, so that nothing can come between them unnoticed.
        let mut stream = relay.events(&keys, &events).await?;
        loop {
            let report = self.sync(&Silent).await?;
            *retry = FIRST_RETRY;
            tell(WatchEvent::Synced(report));
            match self.news(&relay, &mut stream).await? {
                News::Something => {}
                News::Broken(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until the relay says that something is new, or this device has something to send.
    async fn news(
        &self,
        relay: &RelayClient,
        stream: &mut reqwest::Response,
    ) -> Result<News, SyncError> {
        loop {
            match tokio::time::timeout(LOOK_EVERY, stream.chunk()).await {
                Ok(Ok(Some(chunk))) if is_news(&chunk) => return Ok(News::Something),
                // A comment that keeps the connection alive.
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Ok(News::Broken(relay.closed())),
                Ok(Err(error)) => return Ok(News::Broken(relay.broken(error))),
                Err(_) => {
                    let unsealed = self.replica.read(|reader| reader.unsealed_count());
                    if unsealed? > 0 {
                        return Ok(News::Something);
                    }
                }
            }
        }
    }
}

/// Returns whether a piece of an event stream (HTML Living Standard §9.2) has an event, not only comments.
fn is_news(chunk: &[u8]) -> bool {
    chunk
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"data:"))
}
