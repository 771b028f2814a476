//! What can go wrong in a command: the kind for programs, the words and hints for people, the exit code.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::sqlite::OpenError;
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
    hints: Vec<&'static str>,
}

impl Failure {
    /// Says on stderr what went wrong, and returns the exit code.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        let (code, kind, hints) = self.kind();
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

    fn kind(&self) -> (u8, &'static str, Vec<&'static str>) {
        match self {
            Self::Usage(_) => (2, "usage", vec!["see: ebb-relay --help"]),
            Self::Origin(_) => (
                2,
                "usage",
                vec!["give scheme, host and port in lower case, with no path and no closing slash"],
            ),
            Self::Folder { .. } | Self::Lock { .. } => (
                1,
                "folder",
                vec!["the user that runs ebb-relay must own the data folder"],
            ),
            Self::InUse { .. } => (
                1,
                "in-use",
                vec!["stop the other one, or name another --data"],
            ),
            Self::Open(OpenError::Damaged { .. }) | Self::Storage(StorageError::Damaged(_)) => (
                5,
                "damaged",
                vec![
                    "keep the folder as it is, and start with an empty --data (and a new token)",
                    "devices give back what they hold at their next sync; nothing is lost that a device still has",
                ],
            ),
            Self::Open(OpenError::Newer { .. }) => (
                1,
                "newer",
                vec!["install the newest ebb-relay; the data was not changed"],
            ),
            Self::Open(
                OpenError::Open { .. } | OpenError::Create { .. } | OpenError::Thread(_),
            ) => (
                1,
                "storage",
                vec!["the user that runs ebb-relay must be able to write to the data folder"],
            ),
            Self::Storage(_) => (1, "storage", vec!["is the disk full, or read-only?"]),
            Self::Listen { .. } => (
                1,
                "listen",
                vec!["name a free address with --listen; port 0 picks one"],
            ),
            Self::Runtime(_) | Self::Random(_) => (1, "system", vec![]),
            Self::Output(_) => (1, "output", vec![]),
            Self::UnknownToken(_) => (1, "unknown-token", vec!["see: ebb-relay token list"]),
            Self::NotOneJournal { .. } => {
                (1, "unknown-journal", vec!["see: ebb-relay journals list"])
            }
            Self::Silent { .. } | Self::NotReady { .. } => (1, "not-ready", vec![]),
        }
    }
}
