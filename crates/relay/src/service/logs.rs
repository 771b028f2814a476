//! Member logs in memory: a bounded cache over what the store has.
//!
//! A log in the store was verified record by record before it was stored, so reading it back checks rules but no
//! signatures. A cached log may be a moment old: whatever is decided by it is written only on the condition that the
//! log still ends there.

use std::sync::Arc;

use protocol::id::JournalId;
use protocol::limits;
use protocol::log::{LogError, MemberLog};
use protocol::record::SignedRecord;

use super::Relay;
use super::recent::Recent;
use crate::storage::{LogHead, StorageError};

/// Records of all logs in the cache, at most; the longest log alone has half of them.
const RECORDS: usize = 2 * limits::LOG_RECORDS;

/// The cache.
pub(crate) struct Logs(Recent<Arc<MemberLog>>);

impl Default for Logs {
    fn default() -> Self {
        Self(Recent::new(RECORDS))
    }
}

impl Logs {
    fn find(&self, journal: &JournalId) -> Option<Arc<MemberLog>> {
        self.0.find(journal)
    }

    /// Keeps a log, unless a longer one of the journal is kept.
    pub(super) fn keep(&self, log: Arc<MemberLog>) {
        self.0.keep(log.journal(), |known| {
            let is_longer = known.is_none_or(|known| known.length() < log.length());
            let weight = records(&log);
            is_longer.then_some((log, weight))
        });
    }

    /// Drops a log that is stored no more, or otherwise.
    pub(super) fn forget(&self, journal: &JournalId) {
        self.0.forget(journal);
    }
}

fn records(log: &MemberLog) -> usize {
    usize::try_from(log.length()).unwrap_or(usize::MAX)
}

/// Returns where a log ends.
pub(super) fn head_of(log: &MemberLog) -> LogHead {
    LogHead {
        length: log.length(),
        hash: log.head(),
    }
}

impl Relay {
    /// Returns a journal's log; none if the journal is not here.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn log(
        &self,
        journal: JournalId,
    ) -> Result<Option<Arc<MemberLog>>, StorageError> {
        if self.storage.is_shared() {
            // Another relay may have appended: what a member may do must not depend on which relay is asked.
            let Some(head) = self.storage.log_head(journal).await? else {
                self.logs.forget(&journal);
                return Ok(None);
            };
            if let Some(log) = self.logs.find(&journal).filter(|log| head_of(log) == head) {
                return Ok(Some(log));
            }
            self.logs.forget(&journal);
            return self.load(journal).await;
        }
        match self.logs.find(&journal) {
            Some(log) => Ok(Some(log)),
            None => self.load(journal).await,
        }
    }

    /// Returns a journal's log as it ends at `head`, which the store has just answered; none if the log moved on since.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(super) async fn log_at(
        &self,
        journal: JournalId,
        head: LogHead,
    ) -> Result<Option<Arc<MemberLog>>, StorageError> {
        let ends_there = |log: &Arc<MemberLog>| head_of(log) == head;
        if let Some(log) = self.logs.find(&journal).filter(ends_there) {
            return Ok(Some(log));
        }
        self.logs.forget(&journal);
        Ok(self.load(journal).await?.filter(ends_there))
    }

    async fn load(&self, journal: JournalId) -> Result<Option<Arc<MemberLog>>, StorageError> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        loop {
            let from = u32::try_from(records.len()).unwrap_or(u32::MAX);
            let part = self
                .storage
                .log_part(journal, from, limits::PAGE_BYTES)
                .await?;
            let Some(part) = part else {
                return Ok(None);
            };
            let done = part.records.is_empty();
            records.extend(part.records);
            if done || records.len() >= usize::try_from(part.head.length).unwrap_or(usize::MAX) {
                break;
            }
        }
        let bytes = records.iter().map(Vec::len).sum();
        let log = super::apart(bytes, move || replay(&records))
            .await?
            .map_err(|error| StorageError::Damaged(Box::new(error)))?;
        let log = Arc::new(log);
        self.logs.keep(Arc::clone(&log));
        Ok(Some(log))
    }
}

/// Rebuilds a log from records that were verified before they were stored.
fn replay(records: &[Vec<u8>]) -> Result<MemberLog, LogError> {
    let mut records = records.iter().map(|bytes| {
        SignedRecord::parse(bytes)?
            .trusted()
            .map_err(LogError::from)
    });
    let genesis = records.next().ok_or(LogError::Place)??;
    let mut log = MemberLog::start_verified(&genesis)?;
    for record in records {
        log.append_verified(&record?)?;
    }
    Ok(log)
}
