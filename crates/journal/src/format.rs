//! Other forms of a journal: rows of files, read into entries and written from them.
//!
//! Owns what every import has in common: a row that was read becomes an entry with an id, or is refused with a reason.
//! A row without an id gets one that follows from what it says and from its own time: the same file brings the same ids,
//! so that importing it twice adds nothing, and ten years land in ten years of months. Reads and writes no files itself.

mod dose;
pub mod fhir;
pub mod point;
mod sleep;
pub mod table;

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::change::{self, InvalidItem, Size};
use crate::entry::Draft;
use crate::id::{DocumentId, EntryId};
use crate::json::{NoEntry, value_json};
use crate::validate::Invalid;
use crate::value::{Fields, Value};

/// How far ahead of the clock an id may be: it was made by a clock that is ahead.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// One row of a file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The entry's id, if the row has one.
    pub id: Option<EntryId>,
    /// What it says.
    pub draft: Draft,
}

/// Why a row is no entry of this journal.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Refused {
    /// It is not of the format.
    #[error("{0}")]
    Malformed(String),
    /// It is JSON of something else.
    #[error(transparent)]
    NoEntry(#[from] NoEntry),
    /// What it says is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It holds more than an entry may.
    #[error(transparent)]
    Item(#[from] InvalidItem),
    /// Its id is of a time that no entry was recorded at.
    #[error("its id is not of a time between the year 2000 and tomorrow")]
    Id,
    /// It is in the future.
    #[error("its time is in the future")]
    Future,
    /// Another row of the file has its id.
    #[error("line {line} has the same id")]
    Twice {
        /// That row's line.
        line: u64,
    },
}

/// Turns rows into entries, one file after another.
#[derive(Debug)]
pub struct Intake {
    now: Timestamp,
    lines: HashMap<EntryId, u64>,
    alike: BTreeMap<[u8; 10], u64>,
}

impl Intake {
    /// Starts with no rows. `now` is when they are read.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            lines: HashMap::new(),
            alike: BTreeMap::new(),
        }
    }

    /// Returns the id and the stored fields of the entry that the row at `line` is.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn take(&mut self, line: u64, given: &Given) -> Result<(EntryId, Fields), Refused> {
        let id = match given.id {
            Some(id) => id,
            None => self.minted(&given.draft)?,
        };
        let made = Timestamp::from_millisecond(id.unix_ms()).map_err(|_| Refused::Id)?;
        if DocumentId::of(id).is_err() || made > self.now + AHEAD {
            return Err(Refused::Id);
        }
        let fields = given.draft.to_fields_kept(id)?;
        change::check_fields(&fields, &mut Size::default())?;
        match self.lines.insert(id, line) {
            Some(line) => Err(Refused::Twice { line }),
            None => Ok((id, fields)),
        }
    }

    /// Makes the id of a row that has none, from its time and a hash of what it says. Rows that say the same are counted.
    fn minted(&mut self, draft: &Draft) -> Result<EntryId, Refused> {
        let at = draft.at.instant();
        if at > self.now + SignedDuration::from_mins(5) {
            return Err(Refused::Future);
        }
        let ms = u64::try_from(at.as_millisecond()).map_err(|_| Refused::Id)?;
        let said = said(draft);
        let alike = self.alike.entry(digest(&said, 0)).or_insert(0);
        let id = EntryId::mint(ms, digest(&said, *alike));
        *alike += 1;
        Ok(id)
    }
}

/// Writes down all that a row says, in one order.
fn said(draft: &Draft) -> String {
    let fields: BTreeMap<_, _> = draft
        .fields
        .iter()
        .map(|(name, value)| (name, value_json(value)))
        .collect();
    let author = draft
        .author
        .as_ref()
        .map(|author| (&author.person, &author.device));
    serde_json::json!([draft.kind, draft.at.to_string(), author, fields]).to_string()
}

/// Hashes what a row says, and which of the rows that say so it is.
fn digest(said: &str, place: u64) -> [u8; 10] {
    let hash = Sha256::new()
        .chain_update(b"ebb imported row 1\n")
        .chain_update(place.to_be_bytes())
        .chain_update(said)
        .finalize();
    let mut short = [0; 10];
    for (to, from) in short.iter_mut().zip(hash) {
        *to = from;
    }
    short
}

/// Reads one line of JSON Lines: an entry as [`entry_json`](crate::json::entry_json) writes it.
///
/// # Errors
/// [`Refused`] if it is not that.
pub fn read_json_line(line: &str) -> Result<Given, Refused> {
    let json: serde_json::Value =
        serde_json::from_str(line).map_err(|error| Refused::Malformed(error.to_string()))?;
    let (id, draft) = crate::json::read_entry(&json)?;
    Ok(Given {
        id: Some(id),
        draft,
    })
}

/// Returns all fields of an entry by stored name, those every entry may have too, where they are not as usual.
fn flat(entry: &crate::entry::Entry) -> Fields {
    use crate::entry::{Precision, Source};
    use crate::value::Scalar;
    let mut fields = entry.fields.clone();
    let mut put = |name: &str, value: Value| {
        fields.entry(name.to_owned()).or_insert(value);
    };
    put("status", entry.status.as_str().into());
    if entry.precision != Precision::default() {
        put("precision", entry.precision.as_str().into());
    }
    if entry.source != Source::default() {
        put("source", entry.source.as_str().into());
    }
    if let Some(note) = &entry.note {
        put("note", note.as_str().into());
    }
    if !entry.tags.is_empty() {
        let tags = entry.tags.iter().cloned().map(Scalar::Text).collect();
        put("tags", Value::List(tags));
    }
    fields
}

#[cfg(test)]
mod tests;
