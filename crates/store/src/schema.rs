//! The schema, its versions, and the way from one to the next.
//!
//! `application_id` says that a file is a replica, `user_version` which schema it has. Each migration is one
//! transaction; before the first, the file is copied to `NAME.before-N`, N being the version it has.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::OpenError;
use crate::replica;

/// "ebb1" in ASCII, in the place where `file` and SQLite look for it.
const APPLICATION: i32 = 0x6562_6231;

/// The statements that lead from each schema version to the next: the first from an empty file to version 1.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// Creates the newest schema in an empty file and fills it, in one transaction. Returns `false`, with nothing
/// changed, if the file is not empty.
pub(crate) fn create(
    connection: &mut Connection,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    if application(connection)? != 0 {
        return Ok(false);
    }
    replica::ready(connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Ok(false);
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    for (number, migration) in (1..).zip(MIGRATIONS) {
        step(&transaction, number, migration)?;
    }
    fill(&transaction)?;
    transaction.commit()?;
    Ok(true)
}

/// Checks that the file is a replica, and brings it to the newest of the given versions.
///
/// # Errors
/// [`OpenError`] if it is none, is newer, or cannot be migrated.
pub(crate) fn upgrade(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let failed = |error| OpenError::new(path, error);
    if application(connection).map_err(failed)? != APPLICATION {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: "it is not an ebb replica".to_owned(),
        });
    }
    let older = is_older(connection, path, migrations)?;
    replica::ready(connection).map_err(failed)?;
    if !older {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Another process may have migrated the file while this one waited for the lock.
    if !is_older(&transaction, path, migrations)? {
        return Ok(());
    }
    let from = version(&transaction).map_err(failed)?;
    keep_copy(path, from)?;
    for (number, migration) in (1..).zip(migrations).skip(from as usize) {
        step(&transaction, number, migration).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn is_older(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<bool, OpenError> {
    let found = version(connection).map_err(|error| OpenError::new(path, error))?;
    let supported = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    match found {
        0 => Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: "it has no schema version".to_owned(),
        }),
        _ if found > supported => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            supported,
        }),
        _ => Ok(found < supported),
    }
}

fn step(transaction: &Transaction<'_>, number: u32, migration: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "user_version", number)
}

fn application(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Copies the file as it is on disk. The caller holds the write lock on another connection, so that it stands still.
/// The copy is made through SQLite: were the file opened and closed by any other way, POSIX would drop the lock.
fn keep_copy(path: &Path, version: u32) -> Result<(), OpenError> {
    let kept = beside(path, &format!(".before-{version}"));
    let unfinished = beside(path, &format!(".before-{version}.unfinished"));
    let io = |error| OpenError::io(&unfinished, error);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        removed => removed.map_err(io)?,
    }
    replica::create_file(&unfinished).map_err(io)?;
    copy(path, &unfinished).map_err(|error| OpenError::new(&unfinished, error))?;
    fs::rename(&unfinished, &kept).map_err(io)
}

fn copy(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let source = replica::connect(from)?;
    let mut copy = replica::connect(to)?;
    Backup::new(&source, &mut copy)?.step(-1)?;
    copy.close().map_err(|(_, error)| error)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
