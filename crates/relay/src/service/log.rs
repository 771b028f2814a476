//! Reading and appending to a member log.

use std::sync::Arc;

use protocol::api::{LogAppend, LogPage};
use protocol::cbor::Bytes;
use protocol::id::{JournalId, KeyId, RecordHash};
use protocol::limits;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::role::Role;

use super::change::{self, ChangeRefused, Changed, Expiry};
use super::create::Short;
use super::logs::head_of;
use super::{Asker, Relay, TRIES};
use crate::storage::{LogOutcome, LogPart, StorageError};

/// Says whether an origin is this relay's.
pub(crate) type Own<'a> = &'a (dyn Fn(&str) -> bool + Send + Sync);

/// What became of an append to the log.
#[derive(Debug)]
pub(crate) enum LogAppended {
    /// The records are part of the log, by this request or by one before it. The page is the log's new end.
    Done(LogPage),
    /// The log has another head.
    Stale,
    /// The records or sealed keys are refused.
    Refused(ChangeRefused),
    /// The journal is not here, or not any more.
    Missing,
    /// Whoever asks may not append.
    Barred(Asker),
    /// An invite may append the one record by which its device joins, and nothing else.
    JoinOnly,
    /// The journal's quota is used up.
    OverQuota,
    /// Others changed the log again and again.
    Busy,
}

impl Relay {
    /// Reads the log from a record on, a page at a time; none if the journal is not here. An invite is given the key
    /// that is sealed to it, a device that waits no key, and a device that was removed no key and no record after the
    /// one that removed it: for it, the log ends there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn read_log(
        &self,
        journal: JournalId,
        from: u32,
        key: KeyId,
        asker: Asker,
    ) -> Result<Option<LogPage>, StorageError> {
        let part = self
            .storage()
            .log_part(journal, from, limits::PAGE_BYTES)
            .await?;
        let Some(part) = part else { return Ok(None) };
        let mut page = page(part);
        match asker {
            Asker::Device(_) | Asker::ClosedInvite(_) => {}
            Asker::Invite => {
                let blob = self.storage().invite_blob(journal, key).await?;
                page.blobs.extend(blob.map(Bytes));
            }
            Asker::Waiting => page.blobs.clear(),
            Asker::Removed(last) => {
                let log = self.log(journal).await?;
                let Some(head) = log.and_then(|log| log.hash_at(last)) else {
                    return Ok(None);
                };
                let length = last.saturating_add(1);
                let most = usize::try_from(length.saturating_sub(from)).unwrap_or(usize::MAX);
                page.records.truncate(most);
                page.blobs.clear();
                (page.length, page.head) = (length, head);
            }
        }
        Ok(Some(page))
    }

    /// Appends records that `key` brings, and tells the journal's subscribers. `own` says whether an origin is this
    /// relay's: on the home relay nobody loses the right to write before everything is seen that it holds of them.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was appended then.
    pub(crate) async fn append_log(
        &self,
        journal: JournalId,
        key: KeyId,
        append: LogAppend,
        own: Own<'_>,
    ) -> Result<LogAppended, StorageError> {
        let append = Arc::new(append);
        for _ in 0..TRIES {
            let Some(log) = self.log(journal).await? else {
                return Ok(LogAppended::Missing);
            };
            if let Some(end) = appended_before(&log, &append) {
                return Ok(LogAppended::Done(end));
            }
            let asker = Asker::find(&log, &key, self.now()).map(|(asker, _)| asker);
            match asker {
                Some(Asker::Invite) if !joins(&append.records, &key) => {
                    return Ok(LogAppended::JoinOnly);
                }
                Some(Asker::Device(_) | Asker::Invite) | None => {}
                Some(barred) => return Ok(LogAppended::Barred(barred)),
            }
            if append.head != log.head() {
                return Ok(LogAppended::Stale);
            }
            match self.extend_log(&log, &append, expiry(asker), own).await? {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => {}
                Err(refused) => return Ok(LogAppended::Refused(refused)),
            }
        }
        Ok(LogAppended::Busy)
    }

    /// Verifies and writes once; none if the stored log moved meanwhile.
    async fn extend_log(
        &self,
        log: &Arc<MemberLog>,
        append: &Arc<LogAppend>,
        expiry: Expiry,
        own: Own<'_>,
    ) -> Result<Result<Option<LogAppended>, ChangeRefused>, StorageError> {
        let (now, quota) = (self.now(), self.limits().quota);
        let size = append.records.iter().map(|record| record.0.len()).sum();
        let changed = {
            let (log, append) = (Arc::clone(log), Arc::clone(append));
            super::apart(size, move || {
                change::extend(
                    &log,
                    &[],
                    &append.records,
                    &append.blobs,
                    expiry,
                    now,
                    quota,
                )
            })
            .await?
        };
        match changed {
            Ok(mut changed) => {
                let losses = std::mem::take(&mut changed.losses).into_iter();
                let binding = losses.filter(|losses| losses.home.as_deref().is_none_or(own));
                changed.change.frontiers = binding.map(|losses| losses.frontier).collect();
                Ok(Ok(self.write_log(log, changed).await?))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Writes a change of a log that ends as `from` does; none if the stored one ends elsewhere by now.
    pub(super) async fn write_log(
        &self,
        from: &MemberLog,
        changed: Changed,
    ) -> Result<Option<LogAppended>, StorageError> {
        let Changed { log, change, .. } = changed;
        let (journal, erases) = (log.journal(), change.erases);
        let outcome = self
            .storage()
            .append_log(journal, head_of(from), change, self.now())
            .await?;
        match outcome {
            LogOutcome::Appended => {
                let end = end(&log);
                self.standings.forget(&journal);
                if erases {
                    self.logs.forget(&journal);
                    tracing::info!(journal = %Short(&journal), "journal erased");
                } else {
                    self.logs.keep(Arc::new(log));
                }
                self.news().tell(&journal);
                Ok(Some(LogAppended::Done(end)))
            }
            LogOutcome::BehindFrontier => {
                Ok(Some(LogAppended::Refused(ChangeRefused::BehindFrontier)))
            }
            LogOutcome::OverQuota => Ok(Some(LogAppended::OverQuota)),
            LogOutcome::Moved => {
                // Whoever moved it told the cache, unless it was another process.
                self.refresh(journal).await?;
                Ok(None)
            }
        }
    }

    /// Brings the cached log to where the stored one ends.
    async fn refresh(&self, journal: JournalId) -> Result<(), StorageError> {
        match self.storage().log_head(journal).await? {
            Some(head) => {
                self.log_at(journal, head).await?;
            }
            None => self.logs.forget(&journal),
        }
        Ok(())
    }
}

/// Returns how an invite's expiry binds what an asker brings: an owner may give back to a relay that lost it what the
/// log had before, late as that may be.
pub(super) fn expiry(asker: Option<Asker>) -> Expiry {
    match asker {
        Some(Asker::Device(Role::Owner)) => Expiry::Past,
        Some(_) | None => Expiry::Enforced,
    }
}

/// Returns whether records are one that an invite's key signed. What else that key could sign, the rules refuse.
fn joins(records: &[Bytes], invite: &KeyId) -> bool {
    match records {
        [record] => SignedRecord::parse(&record.0).is_ok_and(|record| record.author() == *invite),
        _ => false,
    }
}

/// Returns the log's end if the log has these very records already: the answer to a request whose first answer was lost.
fn appended_before(log: &MemberLog, append: &LogAppend) -> Option<LogPage> {
    let head = log.index_of(&append.head)?;
    let stands = |(place, record): (u32, &Bytes)| {
        let hash = SignedRecord::parse(&record.0)
            .ok()
            .map(|record| record.hash());
        hash.is_some() && hash == log.hash_at(place)
    };
    let mut placed = (head.checked_add(1)?..).zip(&append.records);
    (!append.records.is_empty() && placed.all(stands)).then(|| end(log))
}

/// Returns a page with no records: only where the log ends.
pub(super) fn end(log: &MemberLog) -> LogPage {
    LogPage {
        length: log.length(),
        head: log.head(),
        records: Vec::new(),
        blobs: Vec::new(),
    }
}

/// Returns a part of a log as messages carry it.
pub(crate) fn page(part: LogPart) -> LogPage {
    LogPage {
        length: part.head.length,
        head: RecordHash(part.head.hash.0),
        records: part.records.into_iter().map(Bytes).collect(),
        blobs: part.blobs.into_iter().map(Bytes).collect(),
    }
}
