//! The commands about people and their devices: letting in, taking rights away, what is held, recovery, several journals.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What someone may do in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Reads and writes everything, and says who is in.
    Owner,
    /// Reads everything, and writes entries.
    Contributor,
    /// Reads everything, and writes nothing.
    Reader,
}

/// `ebb share`
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// The person's name.
    #[arg(long)]
    pub(crate) name: String,
    /// What the person may do.
    #[arg(long)]
    pub(crate) role: RoleName,
    /// For how long the link works, at most 30 days [default: 7d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) expires: Option<String>,
    /// Let the device in only when an owner has compared its fingerprint.
    #[arg(long)]
    pub(crate) approve: bool,
}

/// `ebb members`
#[derive(Debug, Args)]
pub(crate) struct Members {
    #[command(subcommand)]
    pub(crate) command: Option<MembersCommand>,
}

/// `ebb members …`
#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// Let in a device that waits for it.
    Approve {
        /// The fingerprint that the device shows, or the person's name.
        name: String,
        /// The fingerprint that the device shows, compared already: nothing is asked.
        #[arg(long, value_name = "WORDS")]
        fingerprint: Option<String>,
        /// A name for the device.
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
}

/// `ebb invites`
#[derive(Debug, Args)]
pub(crate) struct Invites {
    #[command(subcommand)]
    pub(crate) command: Option<InvitesCommand>,
}

/// `ebb invites …`
#[derive(Debug, Subcommand)]
pub(crate) enum InvitesCommand {
    /// Make a link worthless before it is used.
    Withdraw {
        /// The invite's fingerprint, or the start of it.
        id: String,
    },
}

/// `ebb role`
#[derive(Debug, Args)]
pub(crate) struct SetRole {
    /// The person's name.
    pub(crate) name: String,
    /// What the person may do from now on.
    pub(crate) role: RoleName,
}

/// `ebb remove`
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// A person's name, a device's name, "PERSON, DEVICE", or a device's fingerprint.
    pub(crate) name: String,
    /// Keep the devices that came by invites of the removed ones.
    #[arg(long)]
    pub(crate) keep_enrolled: bool,
    /// Keep the recovery phrase: the removed owner never saw it.
    #[arg(long)]
    pub(crate) keep_phrase: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// `ebb held`
#[derive(Debug, Args)]
pub(crate) struct Held {
    #[command(subcommand)]
    pub(crate) command: Option<HeldCommand>,
}

/// `ebb held …`
#[derive(Debug, Subcommand)]
pub(crate) enum HeldCommand {
    /// Record what it says in the journal, under the name of who wrote it.
    Keep {
        /// Its id, or the start of it.
        id: String,
    },
}

/// `ebb recovery`
#[derive(Debug, Subcommand)]
pub(crate) enum Recovery {
    /// Make a phrase for the day when every device is lost, and show it once.
    Phrase,
}

/// `ebb recover`
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The relay's address, as the sheet says.
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    /// The journal's id, or the start of it, as the sheet says.
    #[arg(long, value_name = "ID")]
    pub(crate) journal: Option<String>,
    /// A name for this device [default: the computer's name].
    #[arg(long, value_name = "DEVICE")]
    pub(crate) name: Option<String>,
    /// A file with the recovery phrase; `-` reads it from stdin.
    #[arg(long, value_name = "FILE")]
    pub(crate) phrase_file: Option<PathBuf>,
    /// A bundle, if the journal's relays are gone for good.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["relay", "journal"])]
    pub(crate) bundle: Option<PathBuf>,
}

/// `ebb journals`
#[derive(Debug, Args)]
pub(crate) struct Journals {
    #[command(subcommand)]
    pub(crate) command: Option<JournalsCommand>,
}

/// `ebb journals …`
#[derive(Debug, Subcommand)]
pub(crate) enum JournalsCommand {
    /// Choose the journal that is meant when no -j says which.
    Default {
        /// Its name, the start of its id, or whose it is.
        name: String,
    },
    /// Start a new journal with everything in this one: when keys were stolen, the member log forked, or history must go.
    Renew(super::Renew),
    /// End the journal for good, on its relays and for everybody.
    Erase {
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Take the journal off this device; its folder is kept aside.
    Leave {
        /// Do not ask, and leave even what no relay has.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}
