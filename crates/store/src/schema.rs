//! The schema, its versions, and the way from one to the next.
//!
//! `application_id` says that a file is a replica, `user_version` which schema it has. Each migration is one
//! transaction; before the first, the file is copied to `NAME.before-N`, N being the version it has.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::OpenError;
use crate::replica;

/// "ebb1" in ASCII, in the place where `file` and SQLite look for it.
const APPLICATION: i32 = 0x6562_6231;

/// The statements that lead from each schema version to the next: the first from an empty file to version 1.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
];

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
    let older = recognise(connection, path, migrations)?;
    replica::ready(connection).map_err(|error| OpenError::new(path, error))?;
    if older {
        migrate(connection, path, migrations)
    } else {
        Ok(())
    }
}

/// Returns whether the file is a replica of an older schema. One transaction holds the lock for all that is read.
fn recognise(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<bool, OpenError> {
    let failed = |error| OpenError::new(path, error);
    let transaction = connection.transaction().map_err(failed)?;
    if application(&transaction).map_err(failed)? != APPLICATION {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: "it is not an ebb replica".to_owned(),
        });
    }
    let older = is_older(&transaction, path, migrations)?;
    // The first statement that names a table makes SQLite read the schema.
    transaction.prepare("SELECT one FROM own").map_err(failed)?;
    Ok(older)
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), OpenError> {
    let failed = |error| OpenError::new(path, error);
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
    // One step takes all pages, for as long as it takes.
    Backup::new(&source, &mut copy)?.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    copy.close().map_err(|(_, error)| error)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use crate::Replica;
    use crate::error::StoreError;
    use crate::sample::{self, entry, read, write};

    use super::*;

    /// A replica of schema 1 as the first release left it, with rows in every table.
    const FIRST: &str = include_str!("schema/replica-1.sql");
    /// The present migrations, and one more.
    const NEXT: &[&str] = &[
        MIGRATIONS[0],
        MIGRATIONS[1],
        MIGRATIONS[2],
        "ALTER TABLE own ADD COLUMN colour TEXT",
    ];

    fn first(folder: &Path) -> PathBuf {
        let path = folder.join("replica.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(FIRST).unwrap();
        path
    }

    fn tables(path: &Path) -> Vec<(String, Option<String>)> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_replica_of_the_first_schema_becomes_what_a_new_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = first(folder.path());
        let replica = Replica::open(&path).unwrap();
        let (new_folder, new) = sample::replica();
        drop(new);
        assert_eq!(tables(&path), tables(&new_folder.path().join("replica.db")));
        assert_eq!(read(&replica, |reader| reader.own()).device, sample::DEVICE);
        assert_eq!(read(&replica, |reader| reader.log_length()), 2);
        assert_eq!(read(&replica, |reader| reader.blobs()).len(), 1);
        assert_eq!(read(&replica, |reader| reader.vector()).0.len(), 2);
        assert_eq!(read(&replica, |reader| reader.held()).len(), 1);
        assert_eq!(read(&replica, |reader| reader.waiting()).len(), 1);
        assert_eq!(read(&replica, |reader| reader.covered()).0.len(), 1);
        assert_eq!(read(&replica, |reader| reader.unsealed_count()), 1);
        let document = read(&replica, |reader| reader.document("2026-11"));
        assert_eq!((document.base.is_some(), document.changes.len()), (true, 3));
        let tip = read(&replica, |reader| {
            reader.tip("2026-11", &sample::own_chain())
        });
        assert_eq!(tip, Some(sample::tip(3)));
        assert_eq!(read(&replica, |reader| reader.relays()).len(), 1);
        assert_eq!(read(&replica, |reader| reader.members()).len(), 2);
        assert_eq!(read(&replica, |reader| reader.entry_count(true)), 2);
        assert_eq!(replica.check().unwrap(), [""; 0]);
    }

    #[test]
    fn a_migration_keeps_a_copy_of_what_was() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        let path = folder.path().join("replica.db");
        let mut connection = replica::connect(&path).unwrap();
        upgrade(&mut connection, &path, NEXT).unwrap();
        assert_eq!(version(&connection).unwrap(), 4);
        connection
            .execute("UPDATE own SET colour = 'red'", [])
            .unwrap();
        drop(connection);
        let copy = Replica::open(&folder.path().join("replica.db.before-3")).unwrap();
        assert_eq!(read(&copy, |reader| reader.entry_count(true)), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(copy.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let files = fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert!(
            !names
                .iter()
                .any(|name| name.to_string_lossy().contains("unfinished")),
            "{names:?}"
        );
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        let path = folder.path().join("replica.db");
        let migrations = [
            MIGRATIONS[0],
            MIGRATIONS[1],
            MIGRATIONS[2],
            "DROP TABLE entries; DROP TABLE nothing",
        ];
        let mut connection = replica::connect(&path).unwrap();
        assert!(upgrade(&mut connection, &path, &migrations).is_err());
        drop(connection);
        assert_eq!(read(&replica, |reader| reader.entry_count(true)), 1);
    }

    #[test]
    fn of_two_that_migrate_one_does() {
        let (folder, _replica) = sample::replica();
        let path = folder.path().join("replica.db");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut connection = replica::connect(&path).unwrap();
                    upgrade(&mut connection, &path, NEXT).unwrap();
                    assert_eq!(version(&connection).unwrap(), 4);
                });
            }
        });
    }

    #[test]
    fn a_replica_of_a_newer_ebb_is_refused_and_left_alone() {
        let (folder, replica) = sample::replica();
        drop(replica);
        let path = folder.path().join("replica.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let opened = Replica::open(&path);
        assert!(
            matches!(
                opened,
                Err(OpenError::Newer {
                    found: 99,
                    supported: 3,
                    ..
                })
            ),
            "{opened:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn another_programs_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; CREATE TABLE theirs (id); INSERT INTO theirs VALUES (1)",
            )
            .unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let opened = Replica::open(&path);
        assert!(
            matches!(opened, Err(OpenError::Damaged { .. })),
            "{opened:?}"
        );
        let created = Replica::create(&path, &sample::birth());
        assert!(created.is_err(), "{created:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_missing_table_is_damage() {
        let (folder, replica) = sample::replica();
        let connection = Connection::open(folder.path().join("replica.db")).unwrap();
        connection.execute_batch("DROP TABLE members").unwrap();
        let members = replica.read(|reader| reader.members());
        assert!(
            matches!(members, Err(StoreError::Damaged { .. })),
            "{members:?}"
        );
    }
}
