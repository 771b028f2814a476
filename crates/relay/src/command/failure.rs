//! What can go wrong in a command: the kind for programs, the words and hints for people, the exit code.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::config::ConfigError;
use crate::http::NoNetwork;
use crate::postgres::{self, AddressError};
use crate::server::TlsError;
use crate::sqlite::{CopyError, OpenError};
use crate::storage::StorageError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Wrong usage.
    #[error("{0}")]
    Usage(clap::Error),
    /// A relay's origin that is none.
    #[error("`{0}` is not an origin such as https://relay.example")]
    Origin(String),
    /// The data folder cannot be made.
    #[error("cannot create {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another server uses the data.
    #[error("another ebb-relay serves {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The lock cannot be taken.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address of the database is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] postgres::OpenError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A copy cannot be made or brought back.
    #[error(transparent)]
    Copy(CopyError),
    /// The file of settings is of no use.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A network that is none.
    #[error(transparent)]
    Network(#[from] NoNetwork),
    /// The certificate or its key is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Neither a folder nor a database is named.
    #[error("neither --data nor --database says where everything is")]
    NoData,
    /// A database is needed.
    #[error("no --database is given")]
    NoDatabase,
    /// A folder is needed.
    #[error("no --data is given")]
    NoFolder,
    /// Relays use the database.
    #[error("a relay serves this database")]
    DatabaseInUse,
    /// The database has rows.
    #[error("the database holds something already")]
    NotEmpty,
    /// A copy is not what was copied.
    #[error("the copy of table {0} is not what was copied; the source is as it was")]
    Differs(&'static str),
    /// Both engines are the same.
    #[error("--from and --to name the same engine")]
    SameEngine,
    /// Data that is wrong.
    #[error("{0} things are wrong")]
    Wrong(usize),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The system gives no threads, signals or the like.
    #[error("cannot start")]
    Runtime(#[source] std::io::Error),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// The answer cannot be printed.
    #[error("cannot write to stdout")]
    Output(#[source] std::io::Error),
    /// No such token, or it is revoked already.
    #[error("there is no token {0} to revoke")]
    UnknownToken(String),
    /// No such journal, or several.
    #[error("{found} journals have an id that starts with {prefix}")]
    NotOneJournal {
        /// What was asked for.
        prefix: String,
        /// How many there are.
        found: usize,
    },
    /// The relay does not answer.
    #[error("no relay answers on {address}")]
    Silent {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The relay answers that it is not ready.
    #[error("the relay on {address} is not ready: {answer}")]
    NotReady {
        /// The address.
        address: SocketAddr,
        /// The first line of its answer.
        answer: String,
    },
}

#[derive(Serialize)]
struct Report {
    error: ReportedError,
}

#[derive(Serialize)]
struct ReportedError {
    kind: &'static str,
    message: String,
    hints: &'static [&'static str],
}

impl Failure {
    /// Says on stderr what went wrong, and returns the exit code.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        let ((code, kind), hints) = (self.kind(), self.hints());
        if let (Self::Usage(error), false) = (self, json) {
            // clap knows best how to show wrong usage. Nobody is there to be told if that fails.
            drop(error.print());
        } else if json {
            let error = ReportedError {
                kind,
                message: self.message(),
                hints,
            };
            let line = serde_json::to_string(&Report { error }).unwrap_or_default();
            eprintln!("{line}");
        } else {
            eprintln!("ebb-relay: {}", self.message());
            for hint in hints {
                eprintln!("  {hint}");
            }
        }
        ExitCode::from(code)
    }

    /// Returns the words of this error and of what caused it.
    fn message(&self) -> String {
        if let Self::Usage(error) = self {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            return first.trim_start_matches("error: ").to_owned();
        }
        let mut message = self.to_string().trim_end().to_owned();
        let mut cause = self.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        message
    }

    /// Returns the exit code, and the name of the kind for programs.
    pub(super) fn kind(&self) -> (u8, &'static str) {
        match self {
            Self::Usage(_)
            | Self::Origin(_)
            | Self::Address(_)
            | Self::Config(_)
            | Self::Network(_)
            | Self::NoData
            | Self::NoDatabase
            | Self::NoFolder
            | Self::SameEngine => (2, "usage"),
            Self::Wrong(_) | Self::Differs(_) => (5, "damaged"),
            Self::NotEmpty | Self::Copy(CopyError::Exists { .. }) => (1, "exists"),
            Self::Copy(_) => (1, "file"),
            Self::Open(OpenError::Damaged { .. }) | Self::Storage(StorageError::Damaged(_)) => {
                (5, "damaged")
            }
            Self::Open(OpenError::Newer { .. })
            | Self::Database(postgres::OpenError::Newer { .. }) => (1, "newer"),
            Self::Open(OpenError::Older { .. }) => (1, "older"),
            Self::Open(_) | Self::Database(_) | Self::Storage(_) => (1, "storage"),
            Self::Folder { .. } | Self::Lock { .. } => (1, "folder"),
            Self::Read { .. } | Self::Tls(_) => (1, "file"),
            Self::InUse { .. } | Self::DatabaseInUse => (1, "in-use"),
            Self::Listen { .. } => (1, "listen"),
            Self::Runtime(_) | Self::Random(_) => (1, "system"),
            Self::Output(_) => (1, "output"),
            Self::UnknownToken(_) => (1, "unknown-token"),
            Self::NotOneJournal { .. } => (1, "unknown-journal"),
            Self::Silent { .. } | Self::NotReady { .. } => (1, "not-ready"),
        }
    }

    /// Returns what to do about it.
    fn hints(&self) -> &'static [&'static str] {
        match self {
            Self::Open(OpenError::Damaged { .. }) | Self::Storage(StorageError::Damaged(_)) => &[
                "keep the folder as it is, and start from a backup (ebb-relay restore FILE) or with an empty --data and a new token",
                "devices give back what they hold at their next sync; nothing is lost that a device still has",
            ],
            Self::Open(OpenError::Newer { .. })
            | Self::Database(postgres::OpenError::Newer { .. }) => {
                &["install the newest ebb-relay; the data was not changed"]
            }
            Self::Open(OpenError::Older { .. }) => &[
                "restore it into an empty --data first, which brings it up to date; it was not changed",
            ],
            Self::Open(_) => {
                &["the user that runs ebb-relay must be able to write to the data folder"]
            }
            Self::Database(_) => {
                &["is the database running, and may this user create the schema `ebb_relay` in it?"]
            }
            Self::Storage(_) => &["is the disk full, or read-only?"],
            Self::Folder { .. } | Self::Lock { .. } => {
                &["the user that runs ebb-relay must own the data folder"]
            }
            Self::Tls(_) => &[
                "--tls-cert takes the certificate with its chain, --tls-key its private key, both as PEM",
            ],
            Self::DatabaseInUse => &["stop every relay on this database first"],
            Self::NotEmpty => &["name a database, or an empty one, that no relay has used"],
            Self::Copy(CopyError::Exists { .. }) => {
                &["nothing was changed; name another file or folder, or move that one away"]
            }
            Self::Copy(_) => &["nothing was changed; is the disk full, or read-only?"],
            Self::Differs(_) => {
                &["nothing is lost: go on with the source, and run: ebb-relay check"]
            }
            Self::Wrong(_) => &[
                "keep a copy of the data as it is, then restore the last backup that `ebb-relay check` finds nothing wrong with",
                "devices give back what they hold at their next sync; nothing is lost that a device still has",
            ],
            Self::Read { .. } => &["the user that runs ebb-relay must be able to read it"],
            Self::InUse { .. } => &["stop the other one, or name another --data"],
            Self::Listen { .. } => &["name a free address with --listen; port 0 picks one"],
            Self::UnknownToken(_) => &["see: ebb-relay token list"],
            Self::NotOneJournal { .. } => &["see: ebb-relay journals list"],
            _ => self.usage_hints(),
        }
    }

    /// Returns how it is typed.
    fn usage_hints(&self) -> &'static [&'static str] {
        match self {
            Self::Usage(_) => &["see: ebb-relay --help"],
            Self::Origin(_) => {
                &["give scheme, host and port in lower case, with no path and no closing slash"]
            }
            Self::Address(_) => &[
                "give --database postgres://USER@HOST:PORT/NAME, and the password in a file or the environment",
            ],
            Self::Config(_) => {
                &["settings are the options that `ebb-relay serve --help` shows, without dashes"]
            }
            Self::Network(_) => {
                &["name each trusted proxy by its address, or the network it is in"]
            }
            Self::NoData => {
                &["give --data DIR (a folder, created when missing), or set EBB_RELAY_DATA"]
            }
            Self::NoDatabase => &["give --database postgres://USER@HOST:PORT/NAME"],
            Self::NoFolder => &["give --data DIR"],
            Self::SameEngine => &[
                "move from sqlite (the folder of --data) to postgres (the database of --database), or back",
            ],
            _ => &[],
        }
    }
}
