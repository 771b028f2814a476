//! The commands about this installation and the journal's own settings: names, the zone at home, syncing by itself, help.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `ebb rename`
#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// A person's name, a device's name, "PERSON, DEVICE", or a device's fingerprint.
    pub(crate) name: String,
    /// What they are called from now on.
    #[arg(value_name = "NEW NAME")]
    pub(crate) to: String,
}

/// `ebb zone`
#[derive(Debug, Args)]
pub(crate) struct Zone {
    /// The zone from now on, such as Europe/Madrid; without one, the zone is shown.
    pub(crate) zone: Option<String>,
}

/// `ebb service`
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Sync by itself, from now on and after each login.
    #[command(
        after_help = "It runs `ebb sync --watch` as a user service of systemd.\n\nExamples:\n  ebb service install\n  ebb service install --print > ebb.service"
    )]
    Install {
        /// Print the service's unit file, and change nothing.
        #[arg(long)]
        print: bool,
    },
    /// Sync only when asked.
    Remove,
}

/// `ebb man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) out: Option<PathBuf>,
    /// The command whose page is printed [default: ebb itself].
    pub(crate) command: Vec<String>,
}
