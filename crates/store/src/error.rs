//! What can go wrong with a replica, and which SQLite result means which.
//!
//! Three families: the file is damaged, another process keeps it busy, the disk or the system failed. Every error
//! names the file. Nothing here is a caller's mistake: those are `Ok` values.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode};

/// Why a replica could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file.
    #[error("there is no replica at {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is no replica, or not all of one.
    #[error("the replica {} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite or the schema says of it.
        detail: String,
    },
    /// A newer ebb has written the file.
    #[error("the replica {} has schema {found}; this ebb knows up to {supported}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version found.
        found: u32,
        /// The newest schema version known here.
        supported: u32,
    },
    /// Another process kept the file locked for longer than [`crate::Replica::PATIENCE`].
    #[error("the replica {} is in use", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("the replica {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Failure,
    },
}

/// Why a replica could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is a replica, or another file, of this name.
    #[error("there is a file at {} already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The new file could not be opened or written.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why reading from or writing to an open replica failed. Nothing of the transaction is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file holds what no ebb writes.
    #[error("the replica {} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite or a column's type says.
        detail: String,
    },
    /// Another process kept the file locked for longer than [`crate::Replica::PATIENCE`].
    #[error("the replica {} is in use", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left for the replica {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("the replica {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Failure,
    },
}

/// What the system or SQLite said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(FailureSource);

#[derive(Debug, thiserror::Error)]
enum FailureSource {
    #[error(transparent)]
    System(io::Error),
    #[error(transparent)]
    Sqlite(Error),
}

impl StoreError {
    /// Sorts what SQLite said about the file at `path` into its family.
    pub(crate) fn new(path: &Path, error: Error) -> Self {
        let path = path.to_owned();
        match family(&error) {
            Family::Damaged => Self::Damaged {
                path,
                detail: error.to_string(),
            },
            Family::Busy => Self::Busy { path },
            Family::Full => Self::Full { path },
            Family::Io => Self::Io {
                path,
                source: Failure(FailureSource::Sqlite(error)),
            },
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { path, detail } => Self::Damaged { path, detail },
            StoreError::Busy { path } => Self::Busy { path },
            StoreError::Full { path } => Self::Io {
                path,
                source: Failure(FailureSource::System(io::ErrorKind::StorageFull.into())),
            },
            StoreError::Io { path, source } => Self::Io { path, source },
        }
    }
}

impl OpenError {
    /// Sorts what SQLite said about the file at `path` into its family.
    pub(crate) fn new(path: &Path, error: Error) -> Self {
        StoreError::new(path, error).into()
    }

    /// Wraps what the system said about the file at `path`.
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: Failure(FailureSource::System(error)),
        }
    }
}

enum Family {
    Damaged,
    Busy,
    Full,
    Io,
}

/// Statements are fixed and constraints are checked before they can fail, so an unknown table, an impossible type or
/// a broken constraint is the file's doing.
fn family(error: &Error) -> Family {
    let code = match error {
        Error::SqliteFailure(error, _) => error.code,
        Error::SqlInputError { error, .. } => error.code,
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::InvalidColumnType(..)
        | Error::QueryReturnedNoRows
        | Error::QueryReturnedMoreThanOneRow => return Family::Damaged,
        _ => return Family::Io,
    };
    match code {
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::SchemaChanged
        | ErrorCode::Unknown => Family::Damaged,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Family::Busy,
        ErrorCode::DiskFull => Family::Full,
        _ => Family::Io,
    }
}
