//! The readers: a few connections, used by one read at a time.
//!
//! A read is one transaction, and so sees one moment of the file. SQLite blocks, so reads run on the runtime's threads
//! for blocking work.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::schema;
use crate::storage::StorageError;

/// Connections, at most.
const CONNECTIONS: usize = 4;

/// The pool. Connections are opened when first needed.
pub(super) struct Readers {
    path: PathBuf,
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Makes an empty pool for a file that exists.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            free: Arc::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Runs one read.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StorageError::Closed)?;
        let (path, pool) = (self.path.clone(), Arc::clone(&self.free));
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let free = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match free {
                Some(connection) => connection,
                None => schema::open_reader(&path)?,
            };
            let answer = read(&connection, work)?;
            pool.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            Ok(answer)
        });
        match read.await {
            Ok(answer) => answer,
            Err(_) => Err(StorageError::Closed),
        }
    }
}

/// Reads in one transaction. After an error the caller drops the connection, and with it the transaction.
fn read<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StorageError> {
    let transaction = connection.unchecked_transaction()?;
    let answer = work(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}
