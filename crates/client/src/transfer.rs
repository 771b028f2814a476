//! Moving data: the journal in forms that other software reads, and files taken in.
//!
//! What a form is, `journal::format` knows; here are the files. An export is private: files and folders are made for their
//! owner alone, and appear when they are whole.

mod export;
mod import;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use export::{ExportError, Exported};
pub use import::{ImportError, Imported, Order, RefusedRow};

/// A form of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tables, one for each kind, with a Table Schema.
    Csv,
    /// An entry on each line, as `ebb list --json` shows it: nothing is lost.
    Jsonl,
    /// A FHIR R4 Bundle.
    Fhir,
    /// A FHIR R4 resource on each line.
    FhirNdjson,
    /// Nights as IEEE 1752.1 data points, and doses as those of Open mHealth.
    Ieee1752,
    /// The raw Automerge documents.
    Automerge,
}

impl Format {
    /// Returns whether it is a folder of files, and not one file.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Csv | Self::Automerge)
    }
}

/// Writes a file that only its owner may read. It appears under its name when it is whole.
fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = io::BufWriter::new(options.open(&temporary)?);
    write(&mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    fs::rename(&temporary, path)
}
