//! Writing the journal in forms that other software reads.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use journal::entry::{Entry, Status};
use journal::format::fhir::{Fhir, Style, full_url};
use journal::format::point::data_point;
use journal::format::table::{data_package, table_of, write_table};
use journal::kind::{self, KINDS, Kind};
use serde_json::{Value as Json, json};

use super::{Format, write_file};
use crate::error::Family;
use crate::home::create_private_dir;
use crate::journal::Journal;
use crate::os;
use crate::query::{EntryView, Filter, ReadError};
use crate::record::load;

/// Why the journal cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file or folder cannot be written.
    #[error("{} cannot be written", .path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was to be written to cannot be.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
    /// The format is a folder of files, and cannot be written into one stream.
    #[error("this format is a folder of files: it needs a folder to be written to")]
    NeedsFolder,
    /// The replica cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ExportError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::File { .. } | Self::Write(_) => Family::CouldNot,
            Self::NeedsFolder => Family::Usage,
            Self::Read(error) => error.family(),
        }
    }
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Entries written, deleted ones too; documents, of the raw documents.
    pub written: u64,
    /// Entries that the format has no place for.
    pub left_out: u64,
    /// Files written.
    pub files: u64,
}

impl Journal {
    /// Exports into a file, or into a folder if the format is one.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export(&self, format: Format, to: &Path) -> Result<Exported, ExportError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| ExportError::File { path, source }
        };
        if !format.is_folder() {
            let entries = self.everything()?;
            let mut exported = Exported::default();
            let written = write_file(to, |out| {
                exported = self.write(format, &entries, out)?;
                Ok(())
            });
            return written.map(|()| exported).map_err(file(to));
        }
        let files = match format {
            Format::Automerge => self.documents()?,
            _ => tables(&self.everything()?)?,
        };
        create_private_dir(to).map_err(file(to))?;
        for (name, bytes, _) in &files {
            let path = to.join(name);
            write_file(&path, |out| out.write_all(bytes)).map_err(file(&path))?;
        }
        Ok(Exported {
            written: files.iter().map(|(_, _, count)| count).sum(),
            left_out: 0,
            files: files.len().try_into().unwrap_or(u64::MAX),
        })
    }

    /// Exports into a stream.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export_to(&self, format: Format, out: &mut dyn Write) -> Result<Exported, ExportError> {
        if format.is_folder() {
            return Err(ExportError::NeedsFolder);
        }
        let entries = self.everything()?;
        Ok(self.write(format, &entries, out)?)
    }

    fn everything(&self) -> Result<Vec<EntryView>, ReadError> {
        self.entries(&Filter {
            deleted: true,
            ..Filter::default()
        })
    }

    fn write(
        &self,
        format: Format,
        entries: &[EntryView],
        out: &mut dyn Write,
    ) -> io::Result<Exported> {
        let total = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let written = match format {
            Format::Ieee1752 => self.write_points(entries, out)?,
            Format::Fhir => {
                self.write_bundle(entries, out)?;
                total
            }
            Format::FhirNdjson => {
                for resource in self.resources(Style::Lines, entries)? {
                    line(out, &resource)?;
                }
                total
            }
            _ => {
                for view in entries {
                    serde_json::to_writer(&mut *out, &view.json())?;
                    out.write_all(b"\n")?;
                }
                total
            }
        };
        Ok(Exported {
            written,
            left_out: total - written,
            files: 1,
        })
    }

    fn write_bundle(&self, entries: &[EntryView], out: &mut dyn Write) -> io::Result<()> {
        let now = format!("{:.0}", os::now());
        write!(
            out,
            "{{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"{now}\",\"entry\":["
        )?;
        for (place, resource) in self.resources(Style::Bundle, entries)?.enumerate() {
            out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
            let entry = json!({ "fullUrl": full_url(&resource), "resource": resource });
            serde_json::to_writer(&mut *out, &entry)?;
        }
        out.write_all(b"\n]}\n")
    }

    /// Writes the nights and doses that stand as data points, and returns how many they are.
    fn write_points(&self, entries: &[EntryView], out: &mut dyn Write) -> io::Result<u64> {
        let plan = self.plan().map_err(io::Error::other)?;
        let strength = |entry: &Entry| {
            let medicine = entry.fields.get("medicine")?.as_text()?;
            plan.medicine(medicine, entry.at.instant())?
                .mg("strength_mg")
        };
        let standing = entries
            .iter()
            .map(|view| &view.entry)
            .filter(|entry| entry.status != Status::EnteredInError);
        let mut count = 0;
        out.write_all(b"[")?;
        for point in standing.filter_map(|entry| data_point(entry, strength(entry))) {
            out.write_all(if count == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &point)?;
            count += 1;
        }
        out.write_all(b"\n]\n")?;
        Ok(count)
    }

    /// Makes the resources one after another: whom the entries are about and by, then the entries.
    fn resources<'a>(
        &self,
        style: Style,
        entries: &'a [EntryView],
    ) -> io::Result<impl Iterator<Item = Json> + use<'a>> {
        let about = self.about().map_err(io::Error::other)?;
        let people: BTreeSet<String> = entries
            .iter()
            .map(|view| view.author.person.clone())
            .collect();
        let fhir = Fhir::new(style, &about.journal, &about.patient);
        let first = fhir.resources(&people);
        let rest = entries
            .iter()
            .map(move |view| fhir.entry(&view.entry, &view.author));
        Ok(first.into_iter().chain(rest))
    }

    /// Saves every document as a file.
    fn documents(&self) -> Result<Vec<File>, ReadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let mut files = Vec::new();
            for name in reader.documents()? {
                let damaged = || crate::journal::DamagedReplica::Entry { path: path.clone() };
                let id = name.parse().map_err(|_| damaged())?;
                let document = load(id, &reader.document(&name)?, &path)?;
                files.push((format!("{name}.automerge"), document.save(), 1));
            }
            Ok(files)
        })
    }
}

/// The name of a file, what is in it, and how many entries that is.
type File = (String, Vec<u8>, u64);

/// Writes the tables of all kinds that there are, and their description.
fn tables(entries: &[EntryView]) -> Result<Vec<File>, ExportError> {
    let all = KINDS.iter().map(Some).chain([None]);
    let mut files = Vec::new();
    let mut tables: Vec<Option<&'static Kind>> = Vec::new();
    for kind in all {
        let name = kind.map(|kind| kind.name);
        let of_kind =
            |view: &&EntryView| kind::kind(&view.entry.kind).map(|kind| kind.name) == name;
        let rows: Vec<_> = entries.iter().filter(of_kind).collect();
        if rows.is_empty() {
            continue;
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let pairs = rows.iter().map(|view| (&view.entry, &view.author));
        let table = write_table(kind, pairs).map_err(io::Error::other)?;
        files.push((format!("{}.csv", table_of(kind)), table, count));
        tables.push(kind);
    }
    let package = serde_json::to_vec_pretty(&data_package(&tables)).map_err(io::Error::other)?;
    files.push(("datapackage.json".to_owned(), package, 0));
    Ok(files)
}

fn line(out: &mut dyn Write, json: &Json) -> io::Result<()> {
    serde_json::to_writer(&mut *out, json)?;
    out.write_all(b"\n")
}
