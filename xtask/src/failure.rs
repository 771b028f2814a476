//! Why a command of xtask did not succeed. What to do about it stands in the text.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A program is missing or cannot be started.
    Start { program: String, source: io::Error },
    /// A program ended without success.
    Command { line: String, status: String },
    /// A file or folder cannot be read or written.
    File { path: PathBuf, source: io::Error },
    /// A program's answer is not what its contract says.
    Answer { program: String, expected: String },
    /// House rules are broken: one line for each place.
    Rules(Vec<String>),
    /// What was to be shown turned out not to hold.
    Mismatch(String),
}

impl Failure {
    /// Returns a closure that names the file in an IO error.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, source } => write!(f, "cannot start `{program}`: {source}"),
            Self::Command { line, status } => write!(f, "`{line}` ended with {status}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Answer { program, expected } => {
                write!(f, "`{program}` did not answer with {expected}")
            }
            Self::Rules(lines) => {
                for line in lines {
                    writeln!(f, "{line}")?;
                }
                write!(f, "{} places break a house rule", lines.len())
            }
            Self::Mismatch(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
