//! The other store: a PostgreSQL that is there already, with any number of relays in front of it.
//!
//! Owns a pool of connections; the SQL is in the modules below, by topic, as in the SQLite store. Every write of a journal
//! locks that journal's row first, so that conditions hold until the commit and envelopes are numbered in the order of
//! their commits; different journals do not wait for each other. Reads see one moment (`REPEATABLE READ`). A commit is on
//! the database's disk before it is answered (`synchronous_commit` is never less than `on`). Each write to a journal
//! notifies the other relays within its transaction, so that an event is lost only if the write is.
//!
//! What a database deletes it overwrites when it vacuums, and its write-ahead log and backups keep it for as long as they are
//! kept: unlike the SQLite store, this one cannot promise that nothing of an erased journal is left in files.
//!
//! Source: PostgreSQL 15 documentation, "Transaction Isolation", "Explicit Locking", "NOTIFY".

mod address;
mod copy;
mod envelopes;
mod journals;
mod listener;
mod rows;
mod schema;
mod snapshots;
mod tokens;

use std::sync::{Mutex, PoisonError};

use deadpool_postgres::{ClientWrapper, Pool, PoolError, Transaction};
use protocol::id::{ChainId, JournalId, KeyId, Seq, SigningKey, SnapshotHash};
use protocol::vector::Vector;
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

use crate::storage::{
    Answer, AppendOutcome, CreateOutcome, Hear, JournalEntry, LogChange, LogHead, LogOutcome,
    LogPart, NewEnvelope, NewJournal, SnapshotChange, SnapshotOutcome, Standing, Storage,
    StorageError, StoredSnapshot, SyncPage, SyncQuery, TokenEntry, TokenId,
};
use listener::Listener;

pub(crate) use address::{Address, AddressError};
pub(crate) use schema::OpenError;

/// A store in a PostgreSQL database. Dropping it ends its connections.
pub(crate) struct Postgres {
    address: Address,
    pool: Pool,
    /// By which this relay's own notifications are told from others'.
    node: [u8; 8],
    listener: Mutex<Option<Listener>>,
}

impl Postgres {
    /// Connects, and creates or migrates the tables.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(address: &Address) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Open {
            address: address.to_string(),
            source,
        };
        let pool = schema::connect(address).map_err(failed)?;
        let mut client = pool.get().await.map_err(|error| failed(error.into()))?;
        let version = schema::migrate(&mut client).await.map_err(failed)?;
        drop(client);
        if version > schema::versions() {
            let address = address.to_string();
            return Err(OpenError::Newer { address, version });
        }
        let mut node = [0; 8];
        getrandom::fill(&mut node).map_err(OpenError::Random)?;
        Ok(Self {
            address: address.clone(),
            pool,
            node,
            listener: Mutex::default(),
        })
    }
}

/// Begins a transaction that reads, and sees one moment.
async fn reading(client: &mut ClientWrapper) -> Result<Transaction<'_>, StorageError> {
    let begin = client.build_transaction();
    let begin = begin.isolation_level(IsolationLevel::RepeatableRead);
    Ok(begin.read_only(true).start().await?)
}

/// Begins a transaction that writes. Each statement sees what was committed before it.
async fn writing(client: &mut ClientWrapper) -> Result<Transaction<'_>, StorageError> {
    let begin = client.build_transaction();
    let begin = begin.isolation_level(IsolationLevel::ReadCommitted);
    Ok(begin.start().await?)
}

/// Runs work in one transaction: `in_transaction!(self, reading | writing, db, work)`. Work that fails is rolled back.
macro_rules! in_transaction {
    ($self:ident, $begin:ident, $db:ident, $work:expr) => {
        Box::pin(async move {
            let mut client = $self.pool.get().await?;
            let $db = $begin(&mut client).await?;
            let answer = $work;
            $db.commit().await?;
            Ok(answer)
        })
    };
}

impl Storage for Postgres {
    fn is_shared(&self) -> bool {
        true
    }

    fn listen(&self, hear: Hear) {
        let listener = Listener::start(self.address.clone(), self.node, hear);
        let mut kept = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(listener);
    }

    fn log_head(&self, journal: JournalId) -> Answer<'_, Option<LogHead>> {
        Box::pin(async move {
            // One statement sees one moment by itself.
            let client = self.pool.get().await?;
            journals::head(&client, &journal).await
        })
    }

    fn log_part(&self, journal: JournalId, from: u32, bytes: usize) -> Answer<'_, Option<LogPart>> {
        in_transaction!(self, reading, db, {
            match journals::find(&db, &journal).await? {
                Some(row) => Some(journals::log_part(&db, &row, from, bytes).await?),
                None => None,
            }
        })
    }

    fn invite_blob(&self, journal: JournalId, invite: KeyId) -> Answer<'_, Option<Vec<u8>>> {
        in_transaction!(
            self,
            reading,
            db,
            journals::invite_blob(&db, &journal, &invite).await?
        )
    }

    fn tombstone(&self, journal: JournalId) -> Answer<'_, Option<Vec<u8>>> {
        in_transaction!(self, reading, db, journals::tombstone(&db, &journal).await?)
    }

    fn create(&self, journal: NewJournal, now: u64) -> Answer<'_, CreateOutcome> {
        in_transaction!(
            self,
            writing,
            db,
            journals::create(&db, &journal, now).await?
        )
    }

    fn append_log(
        &self,
        journal: JournalId,
        from: LogHead,
        change: LogChange,
        now: u64,
    ) -> Answer<'_, LogOutcome> {
        in_transaction!(self, writing, db, {
            let outcome = journals::append(&db, &journal, from, &change, now).await?;
            if outcome == LogOutcome::Appended {
                listener::tell(&db, &self.node, &journal).await?;
            }
            outcome
        })
    }

    fn journals_of(&self, device: KeyId) -> Answer<'_, Vec<(JournalId, SigningKey)>> {
        in_transaction!(self, reading, db, journals::of_device(&db, &device).await?)
    }

    fn standing(
        &self,
        journal: JournalId,
        places: Vec<(ChainId, Seq)>,
    ) -> Answer<'_, Option<Standing>> {
        in_transaction!(self, reading, db, {
            match journals::find(&db, &journal).await? {
                Some(row) => Some(envelopes::standing(&db, &row, &places).await?),
                None => None,
            }
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
        in_transaction!(self, writing, db, {
            let outcome = envelopes::append(&db, &journal, log, &envelopes, quota, now).await?;
            if outcome == AppendOutcome::Stored {
                listener::tell(&db, &self.node, &journal).await?;
            }
            outcome
        })
    }

    fn sync(&self, journal: JournalId, query: SyncQuery) -> Answer<'_, Option<SyncPage>> {
        in_transaction!(self, reading, db, {
            match journals::find(&db, &journal).await? {
                Some(row) => Some(envelopes::sync(&db, &row, &query).await?),
                None => None,
            }
        })
    }

    fn snapshots(&self, journal: JournalId) -> Answer<'_, Option<Vec<StoredSnapshot>>> {
        in_transaction!(self, reading, db, {
            match journals::find(&db, &journal).await? {
                Some(row) => Some(snapshots::list(&db, row.number).await?),
                None => None,
            }
        })
    }

    fn snapshot_parts(
        &self,
        journal: JournalId,
        snapshot: SnapshotHash,
        from: u32,
        bytes: usize,
    ) -> Answer<'_, Option<Vec<Vec<u8>>>> {
        in_transaction!(self, reading, db, {
            match journals::find(&db, &journal).await? {
                Some(row) => snapshots::parts(&db, row.number, &snapshot, from, bytes).await?,
                None => None,
            }
        })
    }

    fn put_snapshots(
        &self,
        journal: JournalId,
        change: SnapshotChange,
        now: u64,
    ) -> Answer<'_, Option<SnapshotOutcome>> {
        in_transaction!(self, writing, db, {
            match journals::lock(&db, &journal).await? {
                Some(row) => {
                    let outcome = snapshots::put(&db, &row, &change, now).await?;
                    if outcome == SnapshotOutcome::Kept {
                        listener::tell(&db, &self.node, &journal).await?;
                    }
                    Some(outcome)
                }
                None => None,
            }
        })
    }

    fn prune(
        &self,
        journal: JournalId,
        covers: Vector,
        drop: Vec<SnapshotHash>,
        now: u64,
    ) -> Answer<'_, u64> {
        in_transaction!(self, writing, db, {
            match journals::lock(&db, &journal).await? {
                Some(row) => snapshots::prune(&db, &row, &covers, &drop, now).await?,
                None => 0,
            }
        })
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut client = self.pool.get().await?;
            let mut erased = 0;
            // One journal at a time, locked as for any other write, so that no two wait for each other.
            for journal in journals::expired(&client, now).await? {
                let db = writing(&mut client).await?;
                erased += journals::erase_expired(&db, journal, now).await?;
                db.commit().await?;
            }
            Ok(erased)
        })
    }

    fn remember(&self, key: KeyId, random: [u8; 16], now: u64) -> Answer<'_, bool> {
        in_transaction!(
            self,
            writing,
            db,
            tokens::remember(&db, &key, &random, now).await?
        )
    }

    fn forget(&self, journal: JournalId) -> Answer<'_, bool> {
        in_transaction!(self, writing, db, {
            let found = journals::forget(&db, &journal).await?;
            if found {
                listener::tell(&db, &self.node, &journal).await?;
            }
            found
        })
    }

    fn probe(&self) -> Answer<'_, ()> {
        in_transaction!(self, writing, db, schema::probe(&db).await?)
    }

    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<TokenId>> {
        in_transaction!(self, reading, db, tokens::find(&db, &hash).await?)
    }

    fn add_token(&self, id: TokenId, hash: [u8; 32], now: u64) -> Answer<'_, ()> {
        in_transaction!(self, writing, db, tokens::add(&db, &id, &hash, now).await?)
    }

    fn tokens(&self) -> Answer<'_, Vec<TokenEntry>> {
        in_transaction!(self, reading, db, tokens::list(&db).await?)
    }

    fn revoke_token(&self, id: TokenId, now: u64) -> Answer<'_, bool> {
        in_transaction!(self, writing, db, tokens::revoke(&db, &id, now).await?)
    }

    fn journals(&self) -> Answer<'_, Vec<JournalEntry>> {
        in_transaction!(self, reading, db, journals::list(&db).await?)
    }
}

impl From<tokio_postgres::Error> for StorageError {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code();
        if code == Some(&SqlState::DISK_FULL) {
            return Self::Full(Box::new(error));
        }
        let damage = [
            &SqlState::DATA_CORRUPTED,
            &SqlState::INDEX_CORRUPTED,
            &SqlState::UNDEFINED_TABLE,
            &SqlState::UNDEFINED_COLUMN,
        ];
        if code.is_some_and(|code| damage.contains(&code)) {
            return Self::Damaged(Box::new(error));
        }
        Self::Unavailable(Box::new(error))
    }
}

impl From<PoolError> for StorageError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use futures_util::future::BoxFuture;
    use tokio::sync::mpsc;

    use super::*;
    use crate::storage::tests::{Place, keep};

    /// Names the server on which tests make databases: `cargo xtask conformance` starts one.
    const SERVER: &str = "EBB_TEST_POSTGRES";
    const BOUND: Duration = Duration::from_secs(20);

    /// A database of its own, on a server that ends with the tests.
    struct Database(Address);

    impl Database {
        async fn create() -> Self {
            Self(create().await.parse().unwrap())
        }
    }

    /// Makes an empty database, and returns its address.
    pub(crate) async fn create() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(SERVER).unwrap();
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("ebb_{}_{number}", std::process::id());
        let address: Address = format!("{server}/postgres").parse().unwrap();
        let pool = schema::connect(&address).unwrap();
        let client = pool.get().await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        client.batch_execute(&create).await.unwrap();
        format!("{server}/{name}")
    }

    impl Place for Database {
        fn open(&self) -> BoxFuture<'_, Arc<dyn Storage>> {
            Box::pin(async {
                let store = Postgres::open(&self.0).await.unwrap();
                Arc::new(store) as Arc<dyn Storage>
            })
        }
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL: cargo xtask conformance"]
    async fn postgres_keeps_every_guarantee() {
        keep(async |_| Database::create().await).await;
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL: cargo xtask conformance"]
    async fn postgres_tells_other_relays_and_not_the_writer() {
        let place = Database::create().await;
        let [one, two] = [place.open().await, place.open().await];
        let hearing = |store: &Arc<dyn Storage>| {
            let (tell, heard) = mpsc::unbounded_channel();
            store.listen(Box::new(move |journal| tell.send(journal).unwrap()));
            heard
        };
        let (mut first, mut second) = (hearing(&one), hearing(&two));
        let next = async |heard: &mut mpsc::UnboundedReceiver<_>| {
            let heard = tokio::time::timeout(BOUND, heard.recv()).await;
            heard.unwrap().unwrap()
        };
        // Each says that it listens now, and so may have missed something.
        assert_eq!(next(&mut first).await, None);
        assert_eq!(next(&mut second).await, None);
        let journal = crate::storage::tests::fill(one.as_ref()).await;
        for _ in 0..2 {
            assert_eq!(next(&mut second).await, Some(journal));
        }
        assert!(two.forget(journal).await.unwrap());
        assert_eq!(next(&mut first).await, Some(journal));
        assert!(second.try_recv().is_err());
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL: cargo xtask conformance"]
    async fn postgres_of_a_newer_relay_is_refused() {
        let place = Database::create().await;
        drop(place.open().await);
        let pool = schema::connect(&place.0).unwrap();
        let client = pool.get().await.unwrap();
        let newer = "UPDATE version SET migrations = 999";
        client.batch_execute(newer).await.unwrap();
        let error = Postgres::open(&place.0).await.err().unwrap();
        assert!(matches!(error, OpenError::Newer { version: 999, .. }));
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL: cargo xtask conformance"]
    async fn postgres_may_go_and_come_back() {
        let place = Database::create().await;
        let store = place.open().await;
        let (tell, mut heard) = mpsc::unbounded_channel();
        store.listen(Box::new(move |journal| tell.send(journal).unwrap()));
        let mut listens = async || {
            let heard = tokio::time::timeout(BOUND, heard.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), None);
        };
        listens().await;
        let journal = crate::storage::tests::fill(store.as_ref()).await;
        let name = place.0.config().get_dbname().unwrap().to_owned();
        let server = std::env::var(SERVER).unwrap();
        let keeper: Address = format!("{server}/postgres").parse().unwrap();
        let keeper = schema::connect(&keeper).unwrap().get().await.unwrap();
        let gone = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
        keeper.batch_execute(&gone).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        keeper.execute(end, &[&name]).await.unwrap();
        let probe = store.probe().await.unwrap_err();
        assert!(matches!(probe, StorageError::Unavailable(_)), "{probe:?}");
        let read = store.log_head(journal).await.unwrap_err();
        assert!(matches!(read, StorageError::Unavailable(_)), "{read:?}");
        let back = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
        keeper.batch_execute(&back).await.unwrap();
        store.probe().await.unwrap();
        assert!(store.log_head(journal).await.unwrap().is_some());
        // It listens again, and says that it may have missed something.
        listens().await;
    }
}
