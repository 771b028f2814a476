//! The file's schema, its migrations, and how connections are set up.
//!
//! `user_version` counts migrations. `secure_delete` overwrites what is deleted, so that the sealed key of a used
//! invite, or an erased journal, does not linger in the file.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Every migration, in order; a file of version n has the first n.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
];
/// How long a connection waits for another process (an `ebb-relay token new` beside a server, say).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long emptying the write-ahead log waits for readers; it is tried again later.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(1);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 32;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The file is not a database of this program, or is broken.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The file cannot be opened or written.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The file cannot be created or written.
    #[error("cannot write {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A newer program has written the file.
    #[error("{} was written by a newer ebb-relay (data version {version})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
    },
    /// An older program has written the file, and it is not to be changed.
    #[error("{} was written by an older ebb-relay (data version {version})", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the writer")]
    Thread(#[source] std::io::Error),
}

/// Opens the connection that writes, and brings the file up to date.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| refused(path, source);
    create_private(path).map_err(|source| OpenError::Create {
        path: path.to_owned(),
        source,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -2048;",
        )
        .map_err(failed)?;
    let version = migrate(&mut connection).map_err(failed)?;
    if version > MIGRATIONS.len() {
        let path = path.to_owned();
        return Err(OpenError::Newer { path, version });
    }
    Ok(connection)
}

fn refused(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { path, source }
        }
        _ => OpenError::Open { path, source },
    }
}

/// Opens a file as it is, to read all of it. It must have exactly the tables of this program.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_copy(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| refused(path, source);
    let connection = open_reader(path).map_err(failed)?;
    let version = "PRAGMA user_version";
    let version = connection.query_row(version, [], |row| row.get::<_, i64>(0));
    let version = usize::try_from(version.map_err(failed)?).unwrap_or(usize::MAX);
    let path = path.to_owned();
    match version.cmp(&MIGRATIONS.len()) {
        Ordering::Less => Err(OpenError::Older { path, version }),
        Ordering::Equal => Ok(connection),
        Ordering::Greater => Err(OpenError::Newer { path, version }),
    }
}

/// Creates the file, if it is missing, so that only its owner can read it; SQLite gives its other files the same mode.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Opens a connection that only reads.
///
/// # Errors
/// What SQLite says.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512;")?;
    Ok(connection)
}

/// Copies the write-ahead log into the file and empties it, and returns whether that could be done.
///
/// # Errors
/// What SQLite says.
pub(super) fn empty_log(path: &Path) -> rusqlite::Result<bool> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.busy_timeout(EMPTY_TIMEOUT)?;
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
}

/// Applies the migrations that the file lacks, and returns its version.
fn migrate(connection: &mut Connection) -> rusqlite::Result<usize> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    let missing = MIGRATIONS.get(found..).unwrap_or_default();
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    let version = found.max(MIGRATIONS.len());
    if !missing.is_empty() {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()?;
    Ok(version)
}

/// Writes one row, so that a full or read-only disk shows.
pub(super) fn probe(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO probe (one, count) VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1",
    )?
    .execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.sqlite3");
        let connection = open_writer(&path).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        drop(connection);
        let error = open_writer(&path).unwrap_err();
        assert!(matches!(error, OpenError::Newer { version: 999, .. }));
    }

    #[test]
    fn garbage_is_damaged_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.sqlite3");
        std::fs::write(&path, vec![0x5a; 8192]).unwrap();
        let error = open_writer(&path).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }));
    }

    #[test]
    fn commits_are_synced() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("relay.sqlite3")).unwrap();
        let read = |name: &str| -> String {
            connection
                .query_row(&format!("PRAGMA {name}"), [], |row| {
                    row.get::<_, rusqlite::types::Value>(0)
                })
                .map(|value| format!("{value:?}"))
                .unwrap()
        };
        assert_eq!(read("journal_mode"), "Text(\"wal\")");
        assert_eq!(read("synchronous"), "Integer(2)");
        assert_eq!(read("secure_delete"), "Integer(1)");
    }
}
