//! The file: creating, opening, transactions, checking.
//!
//! Several processes may hold one replica. Writers begin immediately and wait up to [`Replica::PATIENCE`] for each
//! other, so that what a closure reads is what it changes.
//!
//! The journal mode is PERSIST. Asked for was: a commit that a power loss cannot take back, a lone file that is whole
//! once the process has ended, and a short whole process of open, one commit and close.
//! - DELETE, SQLite's own choice, calls `fsync` 4 times, but not after it unlinks the journal, which is what commits: a
//!   power loss soon after brings the journal back, and the next open undoes the commit.
//! - PERSIST commits by writing zeros over the journal's header, and TRUNCATE by cutting it, each with a sync of its
//!   own: 5 in all. PERSIST allocates and frees no blocks.
//! - WAL keeps commits beside the file until a checkpoint. With one at every close, as a lone file needs, it calls
//!   `fsync` 5 times as well, and creates, maps and deletes two more files.
//!
//! `cargo run --release -p ebb-store --example cost` measures whole processes (medians of 120, two cores under load,
//! ext4): a new entry costs 1.0 to 1.1 times a bare process that commits one row, on 0 and on 43,800 entries alike; in
//! the same run PERSIST took 1.0 to 1.05, TRUNCATE 1.1 to 1.3 and WAL 1.1 to 1.3. `strace -c` on its children counts
//! the syncs.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{CreateError, OpenError, StoreError};
use crate::own::{self, Birth};
use crate::schema;

/// The pragmas of every connection. What each is for:
/// - `journal_mode` and `synchronous`: what is committed is on disk, and a lone copy of the file is whole;
/// - `journal_size_limit`: after a rebuild the journal, which stays, shrinks again to 1 MiB;
/// - `temp_store`: nothing of a journal is ever spilled into a temporary folder;
/// - `cell_size_check`: a malformed page is found when it is read, not after it has been used.
const PRAGMAS: &str = "PRAGMA journal_mode=PERSIST; PRAGMA synchronous=FULL; \
                       PRAGMA journal_size_limit=1048576; PRAGMA temp_store=MEMORY; \
                       PRAGMA cell_size_check=ON;";
/// Statements kept prepared: more than all that one command uses.
const STATEMENTS: usize = 64;

/// One open replica.
#[derive(Debug)]
pub struct Replica {
    connection: Connection,
    path: PathBuf,
}

impl Replica {
    /// How long a process waits for another one that keeps the file locked.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// Creates a replica and opens it. Missing folders are created with mode 0700, the file with mode 0600. What a
    /// crash leaves of an unfinished creation is taken over.
    ///
    /// # Errors
    /// [`CreateError`] if the file exists or cannot be written.
    pub fn create(path: &Path, birth: &Birth) -> Result<Self, CreateError> {
        let path = absolute(path)?;
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(|error| OpenError::io(folder, error))?;
        }
        match create_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Whether it is the remains of a creation is judged under SQLite's lock, below.
                let empty = fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() == 0);
                if !empty {
                    return Err(CreateError::Exists { path });
                }
            }
            made => made.map_err(|error| OpenError::io(&path, error))?,
        }
        let mut connection = connect(&path).map_err(|error| OpenError::new(&path, error))?;
        let made = schema::create(&mut connection, |connection| own::insert(connection, birth))
            .map_err(|error| OpenError::new(&path, error))?;
        if made {
            Ok(Self { connection, path })
        } else {
            Err(CreateError::Exists { path })
        }
    }

    /// Opens a replica, and migrates it if an older ebb wrote it.
    ///
    /// # Errors
    /// [`OpenError`] if it is missing, damaged, newer, in use, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = absolute(path)?;
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::Missing { path });
            }
            metadata => metadata.map_err(|error| OpenError::io(&path, error))?,
        };
        let mut connection = connect(&path).map_err(|error| OpenError::new(&path, error))?;
        schema::upgrade(&mut connection, &path, schema::MIGRATIONS)?;
        Ok(Self { connection, path })
    }

    /// Returns the file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads in one transaction: all that the closure sees is of one moment. While it runs, no other process can
    /// commit, so it should gather and return, and leave printing to others.
    ///
    /// # Errors
    /// What the closure returns, or [`StoreError`].
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = Reader {
            connection: &self.connection,
            path: &self.path,
        };
        // A read inside a read is part of it.
        let transaction = if self.connection.is_autocommit() {
            Some(reader.run(Connection::unchecked_transaction)?)
        } else {
            None
        };
        let done = work(&reader)?;
        drop(transaction);
        Ok(done)
    }

    /// Writes in one transaction, which is on disk when this returns `Ok` and leaves no trace otherwise.
    ///
    /// # Errors
    /// What the closure returns, or [`StoreError`].
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Self { connection, path } = self;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| StoreError::new(path, error))?;
        let done = work(&mut Writer {
            reader: Reader {
                connection: &transaction,
                path,
            },
        })?;
        transaction
            .commit()
            .map_err(|error| StoreError::new(path, error))?;
        Ok(done)
    }

    /// Checks every page, index and column type of the file, and returns what is wrong with it, in SQLite's words;
    /// nothing if it is whole. Reads the whole file.
    ///
    /// # Errors
    /// [`StoreError`] if the check itself cannot be run.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|reader| {
            reader.run(|connection| {
                let mut statement = connection.prepare("PRAGMA integrity_check")?;
                let lines = statement.query_map([], |row| row.get(0))?;
                let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
                Ok(lines.into_iter().filter(|line| line != "ok").collect())
            })
        })
    }
}

/// What can be read inside a transaction.
#[derive(Debug)]
pub struct Reader<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    /// Runs statements, and names the file in their error.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&'a Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(self.connection).map_err(|error| StoreError::new(self.path, error))
    }
}

/// What can be read and written inside a transaction.
#[derive(Debug)]
pub struct Writer<'a> {
    reader: Reader<'a>,
}

impl<'a> Deref for Writer<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

/// An absolute path is never taken for an SQLite URI, and survives a change of the working folder.
fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    std::path::absolute(path).map_err(|error| OpenError::io(path, error))
}

/// Opens a connection to a file that exists.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Replica::PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Readies a connection for use, once the file is known to be ours: `journal_mode` may change it.
pub(crate) fn ready(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(PRAGMAS)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates an empty file that only its owner may read. SQLite gives its own files the same mode.
pub(crate) fn create_file(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use crate::entry::EntryRow;
    use crate::sample::{self, entry, read, write};

    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("data/ebb");
        Replica::create(&inner.join("replica.db"), &sample::birth()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inner), 0o700);
        for file in fs::read_dir(&inner).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_exists_is_not_created_again() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        let path = folder.path().join("replica.db");
        let created = Replica::create(&path, &sample::birth());
        assert!(matches!(created, Err(CreateError::Exists { .. })));
        assert_eq!(read(&replica, |reader| reader.entry_count(true)), 1);
    }

    #[test]
    fn an_unfinished_creation_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.db");
        fs::write(&path, "").unwrap();
        let opened = Replica::open(&path);
        assert!(
            matches!(opened, Err(OpenError::Damaged { .. })),
            "{opened:?}"
        );
        Replica::create(&path, &sample::birth()).unwrap();
        Replica::open(&path).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_no_trace() {
        let (_folder, mut replica) = sample::replica();
        let failed: Result<(), StoreError> = replica.write(|writer| {
            writer.put_entries(&[entry(1, "note", 0)])?;
            Err(StoreError::Busy {
                path: PathBuf::new(),
            })
        });
        assert!(failed.is_err());
        assert_eq!(read(&replica, |reader| reader.entry_count(true)), 0);
    }

    #[test]
    fn what_a_crash_leaves_is_rolled_back() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        let files = ["replica.db", "replica.db-journal"];
        let crashed = tempfile::tempdir().unwrap();
        let abandoned: Result<(), StoreError> = replica.write(|writer| {
            // More than SQLite's cache holds, so that pages reach the file before the commit.
            for id in 2..2_000 {
                let mut row = entry(id, "note", 0);
                row.json = "x".repeat(4_000);
                writer.put_entries(&[row])?;
            }
            for file in files {
                fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
            }
            Err(StoreError::Busy {
                path: PathBuf::new(),
            })
        });
        assert!(abandoned.is_err());
        let path = crashed.path().join("replica.db");
        assert!(fs::metadata(&path).unwrap().len() > 4_000_000);
        let copy = Replica::open(&path).unwrap();
        assert_eq!(read(&copy, |reader| reader.entry_count(true)), 1);
        assert_eq!(copy.check().unwrap(), [""; 0]);
    }

    #[test]
    fn a_lone_copy_of_the_file_is_whole() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        drop(replica);
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("copy.db");
        fs::copy(folder.path().join("replica.db"), &path).unwrap();
        let copy = Replica::open(&path).unwrap();
        assert_eq!(read(&copy, |reader| reader.entry_count(true)), 1);
    }

    #[test]
    fn writers_wait_for_each_other() {
        let (folder, mut replica) = sample::replica();
        let path = folder.path().join("replica.db");
        let count = |replica: &mut Replica| {
            for _ in 0..25 {
                write(replica, |writer| {
                    let count: u32 = writer
                        .setting("count")?
                        .map_or(0, |text| text.parse().unwrap());
                    writer.set_setting("count", Some(&(count + 1).to_string()))
                });
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| count(&mut Replica::open(&path).unwrap()));
            count(&mut replica);
        });
        let counted = read(&replica, |reader| reader.setting("count"));
        assert_eq!(counted.as_deref(), Some("50"));
    }

    #[test]
    fn who_cannot_wait_any_longer_is_told() {
        let (folder, mut replica) = sample::replica();
        let mut other = Replica::open(&folder.path().join("replica.db")).unwrap();
        other.connection.busy_timeout(Duration::ZERO).unwrap();
        write(&mut replica, |_| {
            let written: Result<(), StoreError> = other.write(|_| Ok(()));
            assert!(
                matches!(written, Err(StoreError::Busy { .. })),
                "{written:?}"
            );
            Ok(())
        });
        other.write::<_, StoreError>(|_| Ok(())).unwrap();
    }

    #[test]
    fn a_read_sees_one_moment_and_may_hold_another_read() {
        let (folder, mut replica) = sample::replica();
        let other = Replica::open(&folder.path().join("replica.db")).unwrap();
        replica.connection.busy_timeout(Duration::ZERO).unwrap();
        read(&other, |reader| {
            assert_eq!(reader.entry_count(true)?, 0);
            let written: Result<(), StoreError> =
                replica.write(|writer| writer.put_entries(&[entry(1, "note", 0)]));
            assert!(
                matches!(written, Err(StoreError::Busy { .. })),
                "{written:?}"
            );
            assert_eq!(other.read(|reader| reader.entry_count(true))?, 0);
            reader.entry_count(true)
        });
        write(&mut replica, |writer| {
            writer.put_entries(&[entry(1, "note", 0)])
        });
        assert_eq!(read(&other, |reader| reader.entry_count(true)), 1);
    }

    #[test]
    fn the_journal_shrinks_after_a_large_change() {
        let (folder, mut replica) = sample::replica();
        for letter in ["x", "y"] {
            let long = |id| EntryRow {
                json: letter.repeat(4_000),
                ..entry(id, "note", 0)
            };
            let rows: Vec<_> = (0..1_000).map(long).collect();
            write(&mut replica, |writer| writer.put_entries(&rows));
        }
        let journal = folder.path().join("replica.db-journal");
        assert!(fs::metadata(journal).unwrap().len() <= 1 << 20);
    }

    #[test]
    fn what_is_committed_is_synced() {
        let (_folder, replica) = sample::replica();
        let pragma = |name| {
            replica
                .connection
                .query_row(&format!("PRAGMA {name}"), [], |row| {
                    row.get::<_, rusqlite::types::Value>(0)
                })
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), 2.into());
        assert_eq!(pragma("journal_mode"), "persist".to_owned().into());
    }
}
