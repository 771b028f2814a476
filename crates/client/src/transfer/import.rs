//! Taking in files: every row that is an entry and is not here yet, in one transaction.
//!
//! An import is one action: all of it is stored, or nothing, and `ebb undo` takes it back. It is a record again (see `record.rs`):
//! ids stay, the first author is named as the file claims, and the changes are this device's own. Entries land in the months of
//! their ids, many in one change.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use journal::change::{self, CreateError};
use journal::entry::Entry;
use journal::format::point::read_data_point;
use journal::format::table::{Mapping, UnreadableTable, read_table};
use journal::format::{Given, Intake, Refused, read_json_line};
use journal::time::At;
use journal::{Actor, DocumentId, EntryId, Fields};
use protocol::id::ChainId;
use serde_json::Value as Json;
use store::entry::{EntryFilter, EntryKey};
use store::{Reader, StoreError, Writer};

use super::Format;
use crate::error::Family;
use crate::history::undo::{Did, Touched, note};
use crate::journal::Journal;
use crate::progress::Progress;
use crate::record::{RecordError, TOGETHER, require_writer, stored_tip, tip};
use crate::{os, row};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 512 * 1024 * 1024;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is too long.
    #[error("{} is longer than {LONGEST} bytes", .path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// A folder has no tables in it.
    #[error("{} has no .csv files in it", .path.display())]
    NoTables {
        /// The folder.
        path: PathBuf,
    },
    /// A table cannot be understood.
    #[error("{}: {source}", .path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        source: UnreadableTable,
    },
    /// The format can only be exported.
    #[error("this format can be exported, and not imported")]
    ExportOnly,
    /// It cannot be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

impl ImportError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::File { .. } | Self::TooLong { .. } | Self::NoTables { .. } => Family::CouldNot,
            Self::Table { .. } | Self::ExportOnly => Family::Usage,
            Self::Record(error) => error.family(),
        }
    }
}

/// What is to be imported.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The file; for tables, a folder of them too.
    pub from: PathBuf,
    /// The format; found out if none is given.
    pub format: Option<Format>,
    /// What the columns of a table are that is none of ebb's.
    pub mapping: Mapping,
    /// Whether to look only.
    pub dry_run: bool,
}

/// What was imported, or would be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Entries that were not here yet.
    pub new: u64,
    /// Entries that are here already. They stay as they are.
    pub already: u64,
    /// Rows that are no entries.
    pub refused: Vec<RefusedRow>,
    /// Columns that say nothing to ebb.
    pub ignored: Vec<String>,
    /// The new entries by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Documents (months) that they are in.
    pub months: u64,
    /// When the first of them happened.
    pub first: Option<At>,
    /// When the last of them did.
    pub last: Option<At>,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedRow {
    /// The file's name.
    pub file: String,
    /// The line it begins at, from 1; of an array, which element.
    pub line: u64,
    /// Why.
    pub reason: Refused,
}

/// The rows of a file.
struct Rows {
    file: String,
    rows: Vec<(u64, Result<Given, Refused>)>,
}

/// New entries by document.
type Batches = BTreeMap<DocumentId, Vec<(EntryId, Fields)>>;

impl Journal {
    /// Imports a file. What is here already stays as it is: importing a file twice adds nothing.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is imported then.
    pub fn import(
        &mut self,
        order: &Order,
        progress: &dyn Progress,
    ) -> Result<Imported, ImportError> {
        let mut imported = Imported::default();
        let files = read_files(order, &self.zone(), &mut imported.ignored)?;
        if order.dry_run {
            let known = self.replica.read(known)?;
            sort_out(files, &known, &mut imported);
            return Ok(imported);
        }
        self.leave_copied_chain().map_err(RecordError::from)?;
        self.replica.write(|writer| {
            require_writer(writer)?;
            let batches = sort_out(files, &known(writer)?, &mut imported);
            let chain = writer.own()?.chain;
            let mut done = 0;
            for (document, entries) in &batches {
                for some in entries.chunks(TOGETHER) {
                    store_some(writer, &chain, *document, some)?;
                    done += count(some.len());
                    progress.update(done, Some(imported.new));
                }
            }
            let touched: Vec<Touched> = batches
                .iter()
                .flat_map(|(document, entries)| entries.iter().map(move |entry| (document, entry)))
                .filter_map(|(document, (id, fields))| Touched::imported(*id, *document, fields))
                .collect();
            // Also where all that came is deleted: the last action is this one, and not the one before it.
            if !batches.is_empty() {
                note(writer, Did::Import, &touched)?;
            }
            Ok::<_, ImportError>(())
        })?;
        Ok(imported)
    }
}

/// Returns the ids of all entries, deleted or not.
fn known(reader: &Reader<'_>) -> Result<HashSet<EntryKey>, StoreError> {
    let all = EntryFilter {
        with_deleted: true,
        ..EntryFilter::default()
    };
    let mut known = HashSet::new();
    reader.each_entry(&all, |entry| {
        known.insert(entry.id);
        ControlFlow::Continue(())
    })?;
    Ok(known)
}

/// Sorts out what is new, what is known, and what is refused.
fn sort_out(files: Vec<Rows>, known: &HashSet<EntryKey>, imported: &mut Imported) -> Batches {
    let mut batches = Batches::new();
    let mut intake = Intake::new(os::now());
    for Rows { file, rows } in files {
        for (line, row) in rows {
            let taken = row.and_then(|given| intake.take(line, &given));
            let (id, fields) = match taken {
                Ok(taken) => taken,
                Err(reason) => {
                    let file = file.clone();
                    imported.refused.push(RefusedRow { file, line, reason });
                    continue;
                }
            };
            let Ok(document) = DocumentId::of(id) else {
                continue;
            };
            if known.contains(&EntryKey(*id.as_bytes())) {
                imported.already += 1;
                continue;
            }
            imported.add(&Entry::from_fields(id, &fields));
            batches.entry(document).or_default().push((id, fields));
        }
    }
    imported.months = count(batches.len());
    batches
}

impl Imported {
    fn add(&mut self, entry: &Entry) {
        self.new += 1;
        *self.kinds.entry(entry.kind.clone()).or_default() += 1;
        let at = &entry.at;
        let earlier = |first: &At| at.instant() < first.instant();
        if self.first.as_ref().is_none_or(earlier) {
            self.first = Some(at.clone());
        }
        if self.last.as_ref().is_none_or(|last| !earlier(last)) {
            self.last = Some(at.clone());
        }
    }
}

/// Stores new entries of one document in one change; in several if they are too much for one.
fn store_some(
    writer: &mut Writer<'_>,
    chain: &ChainId,
    document: DocumentId,
    entries: &[(EntryId, Fields)],
) -> Result<(), RecordError> {
    let name = document.to_string();
    let now = os::now();
    let keys: Vec<String> = entries.iter().map(|(id, _)| id.to_string()).collect();
    let items: Vec<(&str, &Fields)> = keys
        .iter()
        .zip(entries)
        .map(|(key, (_, fields))| (key.as_str(), fields))
        .collect();
    let last = writer.tip(&name, chain)?.map(tip);
    let change = match change::create(Actor(chain.0), last.as_ref(), now.as_second(), &items) {
        Err(CreateError::TooLarge) if entries.len() > 1 => {
            let (one, other) = entries.split_at(entries.len() / 2);
            store_some(writer, chain, document, one)?;
            return store_some(writer, chain, document, other);
        }
        made => made?,
    };
    let actions = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    writer.record(
        &name,
        chain,
        &change.bytes,
        &stored_tip(&change.tip),
        actions,
    )?;
    let rows: Vec<_> = entries
        .iter()
        .map(|(id, fields)| row::row_of(*id, fields, *chain, now.as_millisecond()))
        .collect();
    Ok(writer.put_entries(&rows)?)
}

/// Reads all rows of a file, or of the tables in a folder.
fn read_files(
    order: &Order,
    zone: &TimeZone,
    ignored: &mut Vec<String>,
) -> Result<Vec<Rows>, ImportError> {
    let from = &order.from;
    if from.is_dir() {
        let tables = tables_in(from)?;
        let tables = tables.iter();
        return tables
            .map(|path| table(path, &read(path)?, order, zone, ignored))
            .collect();
    }
    let bytes = read(from)?;
    let format = order.format.unwrap_or_else(|| guessed(from, &bytes));
    let rows = match format {
        Format::Csv => return Ok(vec![table(from, &bytes, order, zone, ignored)?]),
        Format::Jsonl => lines(&bytes, read_json_line),
        Format::Ieee1752 => data_points(&bytes),
        Format::Fhir | Format::FhirNdjson | Format::Automerge => {
            return Err(ImportError::ExportOnly);
        }
    };
    Ok(vec![Rows {
        file: name_of(from),
        rows,
    }])
}

fn tables_in(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let wrong = |source| ImportError::File {
        path: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(wrong)?;
    let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(wrong)?;
    paths.retain(|path| is_table(path));
    paths.sort();
    if paths.is_empty() {
        return Err(ImportError::NoTables {
            path: folder.to_owned(),
        });
    }
    Ok(paths)
}

fn is_table(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|end| end.eq_ignore_ascii_case("csv"))
}

fn table(
    path: &Path,
    bytes: &[u8],
    order: &Order,
    zone: &TimeZone,
    ignored: &mut Vec<String>,
) -> Result<Rows, ImportError> {
    let read = read_table(bytes, &order.mapping, zone).map_err(|source| ImportError::Table {
        path: path.to_owned(),
        source,
    })?;
    ignored.extend(read.ignored);
    Ok(Rows {
        file: name_of(path),
        rows: read.rows,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    let wrong = |source| ImportError::File {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    let read = file
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(wrong)?;
    if count(read) > LONGEST {
        let path = path.to_owned();
        return Err(ImportError::TooLong { path });
    }
    Ok(bytes)
}

/// Finds out the format of a file by its name, or by how it begins.
fn guessed(path: &Path, bytes: &[u8]) -> Format {
    if is_table(path) {
        return Format::Csv;
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let line = bytes.split(|byte| *byte == b'\n').next();
    let json: Option<Json> = line.and_then(|line| serde_json::from_slice(line).ok());
    let is_point = json.is_some_and(|json| json.get("header").is_some());
    if first == Some(&b'[') || is_point {
        Format::Ieee1752
    } else {
        Format::Jsonl
    }
}

/// Reads the lines of a file, empty ones apart.
fn lines(
    bytes: &[u8],
    read: impl Fn(&str) -> Result<Given, Refused>,
) -> Vec<(u64, Result<Given, Refused>)> {
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let full = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    full.map(|(number, line)| {
        let text = std::str::from_utf8(line);
        let text = text.map_err(|_| Refused::Malformed("it is not UTF-8".to_owned()));
        (number, text.and_then(&read))
    })
    .collect()
}

/// Reads data points: an array of them, or one on each line.
fn data_points(bytes: &[u8]) -> Vec<(u64, Result<Given, Refused>)> {
    match serde_json::from_slice::<Vec<Json>>(bytes) {
        Ok(points) => (1..)
            .zip(&points)
            .map(|(number, point)| (number, read_data_point(point)))
            .collect(),
        Err(_) => lines(bytes, |line| {
            let point: Json = serde_json::from_str(line)
                .map_err(|error| Refused::Malformed(error.to_string()))?;
            read_data_point(&point)
        }),
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
