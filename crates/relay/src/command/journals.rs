//! `ebb-relay journals`: what is stored, by id, size and time. A relay knows no more.

use std::fmt;

use clap::Subcommand;
use protocol::id::JournalId;
use serde::Serialize;

use super::failure::Failure;
use super::{Data, print};
use crate::storage::JournalEntry;

#[derive(Subcommand)]
pub(super) enum Journals {
    /// List all journals
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Show one journal
    Show {
        #[command(flatten)]
        data: Data,
        /// The journal's id, or its beginning
        id: String,
    },
    /// Remove one journal from this relay, for good: its log, sealed keys and envelopes. Its devices keep what they have, and
    /// one that has a token may bring the journal back; an owner who wants it gone everywhere types `ebb journals erase`
    Erase {
        #[command(flatten)]
        data: Data,
        /// The journal's whole id, so that a slip removes nothing
        id: JournalId,
    },
}

#[derive(Serialize)]
struct Erased {
    erased: String,
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "erased {} from this relay", self.erased)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<Shown>);

#[derive(Serialize)]
struct Shown {
    id: String,
    created: u64,
    changed: u64,
    records: u32,
    devices: u32,
    chains: u32,
    envelopes: u64,
    bytes: u64,
}

impl Journals {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        match self {
            Self::List { data } => {
                let journals = data.open().await?.storage().journals().await?;
                print(&List(journals.into_iter().map(Shown::from).collect()), json)
            }
            Self::Show { data, id: prefix } => {
                let mut found = data.open().await?.storage().journals().await?;
                found.retain(|journal| journal.id.to_string().starts_with(&prefix));
                match (found.pop(), found.len()) {
                    (Some(journal), 0) => print(&Shown::from(journal), json),
                    (last, others) => {
                        let found = others + usize::from(last.is_some());
                        Err(Failure::NotOneJournal { prefix, found })
                    }
                }
            }
            Self::Erase { data, id } => {
                if data.open().await?.storage().forget(id).await? {
                    let erased = id.to_string();
                    print(&Erased { erased }, json)
                } else {
                    let (prefix, found) = (id.to_string(), 0);
                    Err(Failure::NotOneJournal { prefix, found })
                }
            }
        }
    }
}

impl From<JournalEntry> for Shown {
    fn from(entry: JournalEntry) -> Self {
        let JournalEntry {
            id,
            created,
            changed,
            records,
            devices,
            chains,
            envelopes,
            bytes,
        } = entry;
        Self {
            id: id.to_string(),
            created,
            changed,
            records,
            devices,
            chains,
            envelopes,
            bytes,
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no journals");
        }
        for (index, journal) in self.0.iter().enumerate() {
            let Shown {
                id,
                devices,
                envelopes,
                bytes,
                ..
            } = journal;
            let end = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{end}{id}  {devices} devices  {envelopes} envelopes  {bytes} bytes"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            created,
            changed,
            records,
            devices,
            chains,
            envelopes,
            bytes,
        } = self;
        writeln!(f, "id: {id}")?;
        writeln!(f, "created: {created} seconds after 1970")?;
        writeln!(f, "changed: {changed} seconds after 1970")?;
        writeln!(f, "member-log records: {records}")?;
        writeln!(f, "devices: {devices}")?;
        writeln!(f, "chains: {chains}")?;
        writeln!(f, "envelopes: {envelopes}")?;
        write!(f, "bytes: {bytes}")
    }
}
