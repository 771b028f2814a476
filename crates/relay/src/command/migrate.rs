//! `ebb-relay migrate`: moves everything from one engine to the other, and verifies that all of it arrived.
//!
//! The source stays as it is. No relay may serve either side meanwhile: the folder's lock and the database's see to that.

use std::collections::BTreeMap;
use std::fmt;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::failure::Failure;
use super::{Data, backup, serve};
use crate::sqlite::{FileSource, Sqlite};

#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    data: Data,
    /// Where everything is: in the folder of --data, or the database of --database
    #[arg(long, value_enum)]
    from: Engine,
    /// Where it goes, which must hold nothing yet
    #[arg(long, value_enum)]
    to: Engine,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

/// What was moved: the rows of each table, the same on both sides.
#[derive(Serialize)]
struct Migrated {
    verified: bool,
    rows: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in &self.rows {
            writeln!(f, "{table}: {rows}")?;
        }
        f.write_str(
            "all rows were compared: both sides are the same. The old one was left as it is",
        )
    }
}

impl Migrate {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let Some(folder) = self.data.folder.clone() else {
            return Err(Failure::NoFolder);
        };
        if self.data.database.is_none() {
            return Err(Failure::NoDatabase);
        }
        let moved = match (self.from, self.to) {
            (Engine::Sqlite, Engine::Postgres) => {
                let _lock = serve::lock(&folder)?;
                // Brings an older file up to date first.
                drop(Sqlite::open(&folder)?);
                let mut source = FileSource::of_folder(&folder)?;
                backup::into_database(&self.data, &mut source).await?
            }
            (Engine::Postgres, Engine::Sqlite) => {
                backup::from_database(&self.data, &folder).await?
            }
            (Engine::Sqlite, Engine::Sqlite) | (Engine::Postgres, Engine::Postgres) => {
                return Err(Failure::SameEngine);
            }
        };
        let rows = moved.iter().map(|summary| (summary.table, summary.rows));
        let migrated = Migrated {
            verified: true,
            rows: rows.collect(),
        };
        super::print(&migrated, json)
    }
}
