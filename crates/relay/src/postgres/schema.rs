//! Connections, the tables, and their migrations.
//!
//! Everything is in the schema `ebb_relay` of the database, so that nothing else there is in the way. Its table `version` counts
//! migrations. They run under a lock, so that relays may start together.

use std::time::Duration;

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Transaction,
};
use tokio_postgres::NoTls;

use super::address::Address;
use super::rows;
use crate::storage::StorageError;

/// Every migration, in order; a database of version n has the first n.
const MIGRATIONS: &[&str] = &[include_str!("schema-1.sql")];
/// Connections of one relay, at most, beside the one that listens.
const CONNECTIONS: usize = 16;
/// Time to wait for a connection that is free, or new.
const WAIT: Duration = Duration::from_secs(5);
/// The advisory lock under which tables are made or changed; the letters of `ebbrelay`.
const MIGRATING: i64 = 0x6562_6272_656c_6179;

/// How each connection is set up. A database may be set to acknowledge what is not on disk: not here. A relay that hangs must
/// not hold up others.
const SETUP: &str = "SET search_path TO ebb_relay;
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SET statement_timeout TO '20s';
    SET lock_timeout TO '10s';
    SET idle_in_transaction_session_timeout TO '60s';";

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// It does not answer, or not as it should.
    #[error("cannot open {address}")]
    Open {
        /// The database, without a password.
        address: String,
        /// What it says.
        #[source]
        source: StorageError,
    },
    /// A newer program has made its tables.
    #[error("{address} was written by a newer ebb-relay (data version {version})")]
    Newer {
        /// The database, without a password.
        address: String,
        /// The version of its tables.
        version: usize,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
}

/// Makes a pool. Connections are opened when first needed.
pub(super) fn connect(address: &Address) -> Result<Pool, StorageError> {
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(
        address.config().clone(),
        NoTls,
        ManagerConfig { recycling_method },
    );
    let setup = Hook::async_fn(|client, _| {
        Box::pin(async move {
            let set = client.batch_execute(SETUP).await;
            set.map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .timeouts(deadpool_postgres::Timeouts {
            wait: Some(WAIT),
            create: Some(WAIT),
            recycle: Some(WAIT),
        })
        .post_create(setup)
        .build()
        .map_err(|error| StorageError::Unavailable(Box::new(error)))
}

/// Brings the tables up to date, and returns their version, which is greater than [`versions`] if a newer program made them.
pub(super) async fn migrate(client: &mut Client) -> Result<usize, StorageError> {
    let db = super::writing(client).await?;
    db.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING])
        .await?;
    let there = "SELECT 1 FROM pg_namespace WHERE nspname = 'ebb_relay'";
    if db.query_opt(there, &[]).await?.is_none() {
        db.batch_execute("CREATE SCHEMA ebb_relay").await?;
    }
    db.batch_execute("CREATE TABLE IF NOT EXISTS version (migrations bigint NOT NULL)")
        .await?;
    let found = db.query_opt("SELECT max(migrations) FROM version", &[]);
    let found = match found.await? {
        Some(row) => rows::value::<Option<i64>>(&row, 0)?.unwrap_or(0),
        None => 0,
    };
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.get(found..).unwrap_or_default() {
        db.batch_execute(migration).await?;
    }
    if found < versions() {
        let now = i64::try_from(versions()).unwrap_or(i64::MAX);
        db.execute("DELETE FROM version", &[]).await?;
        db.execute("INSERT INTO version VALUES ($1)", &[&now])
            .await?;
    }
    db.commit().await?;
    Ok(found.max(versions()))
}

/// Returns the version of the tables that this program makes.
pub(super) fn versions() -> usize {
    MIGRATIONS.len()
}

/// Writes one row, so that a database that takes no writes shows.
pub(super) async fn probe(db: &Transaction<'_>) -> Result<(), StorageError> {
    let sql = "INSERT INTO probe AS p (one, count) VALUES (1, 1)
        ON CONFLICT (one) DO UPDATE SET count = p.count + 1";
    rows::execute(db, sql, &[]).await?;
    Ok(())
}
