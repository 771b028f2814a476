//! What can be typed about carrying a journal elsewhere: bundles, renewing, and files for other software.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use client::transfer;

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

/// `ebb export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The format.
    #[arg(long)]
    pub(crate) format: Format,
    /// The file to write, or the folder for csv and automerge; `-` is stdout.
    #[arg(long, value_name = "FILE|DIR|-")]
    pub(crate) out: PathBuf,
}

/// `ebb import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, or a folder with tables.
    pub(crate) file: PathBuf,
    /// The format [default: found out].
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Show what would be imported, and import nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What the columns of a table are: a field of the kind, or at, date, time, kind, person.
    #[arg(long, value_name = "COLUMN=FIELD,…", value_delimiter = ',', value_parser = mapped)]
    pub(crate) map: Vec<(String, String)>,
    /// The kind of all rows of a table.
    #[arg(long, requires = "map")]
    pub(crate) kind: Option<String>,
}

/// `ebb doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Make what lists and searches read anew from the documents, also if nothing is wrong with it.
    #[arg(long)]
    pub(crate) rebuild: bool,
}

/// A form of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables, one for each kind, with a Table Schema.
    Csv,
    /// An entry on each line; loses nothing, and imports back.
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
    /// Returns its name as typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Fhir => "fhir",
            Self::FhirNdjson => "fhir-ndjson",
            Self::Ieee1752 => "ieee1752",
            Self::Automerge => "automerge",
        }
    }
}

impl From<Format> for transfer::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::Jsonl,
            Format::Fhir => Self::Fhir,
            Format::FhirNdjson => Self::FhirNdjson,
            Format::Ieee1752 => Self::Ieee1752,
            Format::Automerge => Self::Automerge,
        }
    }
}

/// Reads `COLUMN=FIELD`; the column may hold a `=`, the field cannot.
fn mapped(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((column, field)) if !column.trim().is_empty() && !field.trim().is_empty() => {
            Ok((column.trim().to_owned(), field.trim().to_owned()))
        }
        _ => Err("it must be COLUMN=FIELD".to_owned()),
    }
}
