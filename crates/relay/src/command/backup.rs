//! `ebb-relay backup` and `restore`: everything in one file, which is an SQLite file as the folder holds it, whichever engine
//! it is a copy of.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Data, Store, create_private, print, serve};
use crate::sqlite::{self, CopyError, FileSink, FileSource, Unfinished};
use crate::storage::tables::{self, Summary};

#[derive(Args)]
pub(super) struct Backup {
    #[command(flatten)]
    data: Data,
    /// The file to make. Keep it as private as the data itself
    file: PathBuf,
}

#[derive(Args)]
pub(super) struct Restore {
    #[command(flatten)]
    data: Data,
    /// A file that `ebb-relay backup` made
    file: PathBuf,
}

#[derive(Serialize)]
struct BackedUp {
    backup: PathBuf,
    bytes: u64,
}

#[derive(Serialize)]
struct Restored {
    restored: PathBuf,
    journals: u64,
    envelopes: u64,
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backup, bytes } = self;
        write!(f, "wrote {} ({bytes} bytes)", backup.display())
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            restored,
            journals,
            envelopes,
        } = self;
        writeln!(
            f,
            "restored {journals} journals with {envelopes} envelopes from {}",
            restored.display()
        )?;
        f.write_str("what came after the backup, devices give back at their next sync")
    }
}

impl Backup {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let bytes = match self.data.open().await? {
            Store::Sqlite(store) => store.back_up(&self.file).await?,
            Store::Postgres(store) => {
                let unfinished = Unfinished::new(&self.file)?;
                let mut sink = FileSink::create(unfinished.meanwhile())?;
                let mut whole = store.whole().await?;
                tables::copy(&mut whole.source().await?, &mut sink).await?;
                sink.finish()?;
                unfinished.finish()?
            }
        };
        let backup = self.file;
        print(&BackedUp { backup, bytes }, json)
    }
}

impl Restore {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let mut source = FileSource::open(&self.file)?;
        let had = match (self.data.address()?, &self.data.folder) {
            (None, Some(folder)) => self.fill_folder(folder, &mut source).await?,
            _ => into_database(&self.data, &mut source).await?,
        };
        let restored = self.file;
        let rows = |table| {
            let of = had.iter().find(|summary| summary.table == table);
            of.map_or(0, |summary| summary.rows)
        };
        let (journals, envelopes) = (rows("journals"), rows("envelopes"));
        print(
            &Restored {
                restored,
                journals,
                envelopes,
            },
            json,
        )
    }

    async fn fill_folder(
        &self,
        folder: &Path,
        source: &mut FileSource,
    ) -> Result<Vec<Summary>, Failure> {
        create_private(folder).map_err(|source| Failure::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let _lock = serve::lock(folder)?;
        let had = tables::summarize(source).await?;
        sqlite::bring_back(&self.file, folder)?;
        let have = tables::summarize(&mut FileSource::of_folder(folder)?).await?;
        same(&had, &have)?;
        Ok(had)
    }
}

/// Fills a database that has nothing yet, and verifies that it has what the source has.
pub(super) async fn into_database(
    data: &Data,
    source: &mut FileSource,
) -> Result<Vec<Summary>, Failure> {
    let Store::Postgres(store) = data.open().await? else {
        return Err(Failure::NoDatabase);
    };
    let mut whole = store.whole().await?;
    if !whole.hold().await? {
        return Err(Failure::DatabaseInUse);
    }
    if whole.has_anything().await? {
        return Err(Failure::NotEmpty);
    }
    let mut sink = whole.sink().await?;
    let had = tables::copy(source, &mut sink).await?;
    sink.finish().await?;
    let have = tables::summarize(&mut whole.source().await?).await?;
    same(&had, &have)?;
    Ok(had)
}

/// Fills a folder that has nothing yet from a database, and verifies that it has what the database has.
pub(super) async fn from_database(data: &Data, folder: &Path) -> Result<Vec<Summary>, Failure> {
    let Store::Postgres(store) = data.open().await? else {
        return Err(Failure::NoDatabase);
    };
    let mut whole = store.whole().await?;
    if !whole.hold().await? {
        return Err(Failure::DatabaseInUse);
    }
    create_private(folder).map_err(|source| Failure::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let _lock = serve::lock(folder)?;
    let unfinished = Unfinished::new(&folder.join(sqlite::FILE))?;
    let mut sink = FileSink::create(unfinished.meanwhile())?;
    let had = tables::copy(&mut whole.source().await?, &mut sink).await?;
    sink.finish()?;
    let have = tables::summarize(&mut FileSource::open(unfinished.meanwhile())?).await?;
    same(&had, &have)?;
    unfinished.finish()?;
    Ok(had)
}

/// Checks that a copy has the very rows.
fn same(had: &[Summary], have: &[Summary]) -> Result<(), Failure> {
    let differs = had.iter().zip(have).find(|(had, have)| had != have);
    match differs {
        Some((table, _)) => Err(Failure::Differs(table.table)),
        None => Ok(()),
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Storage(error) => error.into(),
            CopyError::Open(error) => error.into(),
            other => Self::Copy(other),
        }
    }
}
