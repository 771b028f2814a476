//! The default store: one SQLite file in the data folder.
//!
//! Owns the file, the one writer thread and the pool of readers; the SQL is in the modules below, by topic. WAL with
//! `synchronous=FULL`: a commit is on disk before it is answered. All writes go through the writer, which commits many
//! at once; readers have connections of their own and never wait for it.
//!
//! Source: SQLite, "Write-Ahead Logging" and "PRAGMA synchronous".

mod copy;
mod envelopes;
mod journals;
mod reader;
mod schema;
mod seen;
mod snapshots;
mod tokens;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::id::{ChainId, JournalId, KeyId, Seq, SigningKey, SnapshotHash};
use protocol::vector::Vector;
use rusqlite::Connection;
#[cfg(test)]
use rusqlite::OptionalExtension;

use crate::storage::{
    Answer, AppendOutcome, CreateOutcome, Hear, JournalEntry, LogChange, LogHead, LogOutcome,
    LogPart, NewEnvelope, NewJournal, SnapshotChange, SnapshotOutcome, Standing, Storage,
    StorageError, StoredSnapshot, SyncPage, SyncQuery, TokenEntry, TokenId,
};
use reader::Readers;
use writer::Writer;

pub(crate) use copy::{CopyError, FileSink, FileSource, Unfinished, bring_back};
pub(crate) use schema::OpenError;

/// The file's name in the data folder.
pub(crate) const FILE: &str = "relay.sqlite3";

/// A store in one SQLite file. Dropping it finishes what is queued, then closes the file.
pub(crate) struct Sqlite {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
    /// Whether pages of an erased journal may still stand in the write-ahead log.
    lingering: AtomicBool,
}

impl Sqlite {
    /// Opens the store in a folder that exists, creating or migrating its file.
    ///
    /// # Errors
    /// [`OpenError`] if the file cannot be opened, is damaged, or is from a newer program.
    pub(crate) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path: PathBuf = folder.join(FILE);
        let connection = schema::open_writer(&path)?;
        Ok(Self {
            readers: Readers::new(path.clone()),
            writer: Writer::start(connection)?,
            // What was erased just before the last end may not be overwritten yet.
            lingering: AtomicBool::new(true),
            path,
        })
    }

    /// Empties the write-ahead log, which may still hold what was deleted from the file itself. Tried again by the next
    /// sweep if a reader is in the way.
    async fn scrub(&self) {
        self.lingering.store(false, Ordering::SeqCst);
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || schema::empty_log(&path)).await;
        if !matches!(done, Ok(Ok(true))) {
            self.lingering.store(true, Ordering::SeqCst);
            tracing::info!("what was erased lingers in the write-ahead log until the next sweep");
        }
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(self.readers.run(work))
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(self.writer.run(work))
    }
}

#[cfg(test)]
impl Sqlite {
    /// Sets up the writer's connection otherwise, as a full or read-only disk would.
    pub(crate) async fn disturb(&self, pragma: &'static str) {
        let set = self.write(move |db| db.query_row(pragma, [], |_| Ok(())).optional());
        set.await.unwrap();
    }

    /// Changes what is stored, as damage would.
    pub(crate) async fn damage(&self, sql: &'static str) {
        let changed = self.write(move |db| db.execute(sql, [])).await.unwrap();
        assert!(changed > 0, "{sql}");
    }
}

impl Storage for Sqlite {
    fn is_shared(&self) -> bool {
        false
    }

    fn listen(&self, _hear: Hear) {}

    fn log_head(&self, journal: JournalId) -> Answer<'_, Option<LogHead>> {
        self.read(move |db| Ok(journals::find(db, &journal)?.map(|row| row.head)))
    }

    fn log_part(&self, journal: JournalId, from: u32, bytes: usize) -> Answer<'_, Option<LogPart>> {
        self.read(move |db| {
            journals::find(db, &journal)?
                .map(|row| journals::log_part(db, &row, from, bytes))
                .transpose()
        })
    }

    fn invite_blob(&self, journal: JournalId, invite: KeyId) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |db| journals::invite_blob(db, &journal, &invite))
    }

    fn tombstone(&self, journal: JournalId) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |db| journals::tombstone(db, &journal))
    }

    fn create(&self, journal: NewJournal, now: u64) -> Answer<'_, CreateOutcome> {
        self.write(move |db| journals::create(db, &journal, now))
    }

    fn append_log(
        &self,
        journal: JournalId,
        from: LogHead,
        change: LogChange,
        now: u64,
    ) -> Answer<'_, LogOutcome> {
        Box::pin(async move {
            let erases = change.erases;
            let write = move |db: &Connection| journals::append(db, &journal, from, &change, now);
            let outcome = self.writer.run(write).await?;
            if erases && outcome == LogOutcome::Appended {
                self.scrub().await;
            }
            Ok(outcome)
        })
    }

    fn journals_of(&self, device: KeyId) -> Answer<'_, Vec<(JournalId, SigningKey)>> {
        self.read(move |db| journals::of_device(db, &device))
    }

    fn standing(
        &self,
        journal: JournalId,
        places: Vec<(ChainId, Seq)>,
    ) -> Answer<'_, Option<Standing>> {
        self.read(move |db| {
            journals::find(db, &journal)?
                .map(|row| envelopes::standing(db, &row, &places))
                .transpose()
        })
    }

    fn append(
        &self,
        journal: JournalId,
        log: LogHead,
        envelopes: Vec<NewEnvelope>,
        quota: u64,
        now: u64,
    ) -> Answer<'_, AppendOutcome> {
        self.write(move |db| envelopes::append(db, &journal, log, &envelopes, quota, now))
    }

    fn sync(&self, journal: JournalId, query: SyncQuery) -> Answer<'_, Option<SyncPage>> {
        self.read(move |db| {
            journals::find(db, &journal)?
                .map(|row| envelopes::sync(db, &row, &query))
                .transpose()
        })
    }

    fn snapshots(&self, journal: JournalId) -> Answer<'_, Option<Vec<StoredSnapshot>>> {
        self.read(move |db| {
            journals::find(db, &journal)?
                .map(|row| snapshots::list(db, row.number))
                .transpose()
        })
    }

    fn snapshot_parts(
        &self,
        journal: JournalId,
        snapshot: SnapshotHash,
        from: u32,
        bytes: usize,
    ) -> Answer<'_, Option<Vec<Vec<u8>>>> {
        self.read(move |db| match journals::find(db, &journal)? {
            Some(row) => snapshots::parts(db, row.number, &snapshot, from, bytes),
            None => Ok(None),
        })
    }

    fn put_snapshots(
        &self,
        journal: JournalId,
        change: SnapshotChange,
        now: u64,
    ) -> Answer<'_, Option<SnapshotOutcome>> {
        self.write(move |db| {
            journals::find(db, &journal)?
                .map(|row| snapshots::put(db, &row, &change, now))
                .transpose()
        })
    }

    fn prune(
        &self,
        journal: JournalId,
        covers: Vector,
        drop: Vec<SnapshotHash>,
        now: u64,
    ) -> Answer<'_, u64> {
        self.write(move |db| {
            let pruned = journals::find(db, &journal)?
                .map(|row| snapshots::prune(db, &row, &covers, &drop, now));
            Ok(pruned.transpose()?.unwrap_or(0))
        })
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            if self.lingering.load(Ordering::SeqCst) {
                self.scrub().await;
            }
            if self
                .readers
                .run(move |db| journals::any_expired(db, now))
                .await?
            {
                self.writer
                    .run(move |db| journals::erase_expired(db, now))
                    .await
            } else {
                Ok(0)
            }
        })
    }

    fn remember(&self, key: KeyId, random: [u8; 16], now: u64) -> Answer<'_, bool> {
        self.write(move |db| seen::remember(db, &key, &random, now))
    }

    fn forget(&self, journal: JournalId) -> Answer<'_, bool> {
        Box::pin(async move {
            let found = self.writer.run(move |db| journals::forget(db, &journal));
            let found = found.await?;
            if found {
                self.scrub().await;
            }
            Ok(found)
        })
    }

    fn probe(&self) -> Answer<'_, ()> {
        self.write(schema::probe)
    }

    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<TokenId>> {
        self.read(move |db| tokens::find(db, &hash))
    }

    fn add_token(&self, id: TokenId, hash: [u8; 32], now: u64) -> Answer<'_, ()> {
        self.write(move |db| tokens::add(db, &id, &hash, now))
    }

    fn tokens(&self) -> Answer<'_, Vec<TokenEntry>> {
        self.read(tokens::list)
    }

    fn revoke_token(&self, id: TokenId, now: u64) -> Answer<'_, bool> {
        self.write(move |db| tokens::revoke(db, &id, now))
    }

    fn journals(&self) -> Answer<'_, Vec<JournalEntry>> {
        self.read(journals::list)
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase, TypeMismatch};
        match error.sqlite_error_code() {
            Some(DiskFull) => Self::Full(Box::new(error)),
            Some(DatabaseCorrupt | NotADatabase | TypeMismatch) => Self::Damaged(Box::new(error)),
            Some(_) => Self::Unavailable(Box::new(error)),
            // A column that is not what the schema says.
            None => Self::Damaged(Box::new(error)),
        }
    }
}

/// Returns a number as SQLite keeps it. Nothing here comes near 2⁶³; what does is a foreign claim, and stays largest.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a number that SQLite kept; none is negative.
fn loaded(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns the 32-bit number that SQLite kept.
fn loaded_short(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Returns a length in bytes as the store counts it.
fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::BoxFuture;
    use protocol::id::KeyId;
    use tempfile::TempDir;

    use super::*;
    use crate::storage::tests::{Place, keep};
    use crate::storage::{REMEMBERED, REMEMBERED_SECONDS};

    impl Place for TempDir {
        fn open(&self) -> BoxFuture<'_, Arc<dyn Storage>> {
            let store: Arc<dyn Storage> = Arc::new(Sqlite::open(self.path()).unwrap());
            Box::pin(async { store })
        }
    }

    #[tokio::test]
    async fn sqlite_keeps_every_guarantee() {
        keep(async |_| tempfile::tempdir().unwrap()).await;
    }

    #[tokio::test]
    async fn too_many_randoms_refuse_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).unwrap();
        let fill = store.write(|db| {
            db.execute(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
                 INSERT INTO seen SELECT randomblob(32), randomblob(16), 1000 FROM n",
                [stored(REMEMBERED)],
            )
        });
        assert_eq!(fill.await.unwrap() as u64, REMEMBERED);
        let key = KeyId([1; 32]);
        let later = 1_000 + REMEMBERED_SECONDS;
        assert!(!store.remember(key, [1; 16], later).await.unwrap());
        assert!(store.remember(key, [1; 16], later + 1).await.unwrap());
    }
}
