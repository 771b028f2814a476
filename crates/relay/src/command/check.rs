//! `ebb-relay check`: reads everything that is stored and says what is wrong with it.

use std::fmt;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Data, Store, print};
use crate::check;

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    data: Data,
}

#[derive(Serialize)]
struct Checked {
    journals: u64,
    records: u64,
    envelopes: u64,
    wrong: Vec<String>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            journals,
            records,
            envelopes,
            wrong,
        } = self;
        for line in wrong {
            writeln!(f, "{line}")?;
        }
        write!(
            f,
            "checked {journals} journals, {records} records and {envelopes} envelopes with their signatures: "
        )?;
        match wrong.len() {
            0 => f.write_str("all is well"),
            number => write!(f, "{number} things are wrong"),
        }
    }
}

impl Check {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let store = self.data.open().await?;
        let mut wrong = match &store {
            Store::Sqlite(store) => store.inspect().await?,
            Store::Postgres(store) => store.inspect().await?,
        };
        let found = check::check(store.storage().as_ref()).await?;
        wrong.extend(found.wrong);
        let number = wrong.len();
        let checked = Checked {
            journals: found.journals,
            records: found.records,
            envelopes: found.envelopes,
            wrong,
        };
        print(&checked, json)?;
        if number == 0 {
            Ok(())
        } else {
            Err(Failure::Wrong(number))
        }
    }
}
