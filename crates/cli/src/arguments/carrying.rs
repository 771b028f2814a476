//! What can be typed about carrying a journal elsewhere: bundles, and renewing.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Token;

/// `ebb bundle`
#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Write the journal, encrypted, into one file: to sync by hand, or to keep as a backup.
    Export {
        /// The file to write.
        file: PathBuf,
        /// Only what this earlier bundle does not have.
        #[arg(long, value_name = "FILE")]
        since_bundle: Option<PathBuf>,
    },
    /// Take in what a bundle of this journal has; taking it in again adds nothing.
    Import {
        /// The bundle.
        file: PathBuf,
    },
}

/// `ebb journals renew`
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// The address of a relay for the new journal.
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    #[command(flatten)]
    pub(crate) token: Token,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}
