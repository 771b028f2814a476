//! The file: creating, opening, transactions, checking.
//!
//! Several processes may hold one replica. Writers begin immediately and wait up to [`Replica::PATIENCE`] for each
//! other, so that what a closure reads is what it changes.

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
/// - `temp_store`: nothing of a journal is ever spilled into a temporary folder;
/// - `cell_size_check`: a malformed page is found when it is read, not after it has been used.
const PRAGMAS: &str = "PRAGMA journal_mode=PERSIST; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; \
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
