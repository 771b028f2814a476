//! Reading: entries, people and the state of this device, all from the replica's read model; no document is loaded.

use std::path::Path;

use jiff::Timestamp;
use journal::EntryId;
use journal::entry::{Author, Entry};
use journal::json::{EntryJson, entry_json};
use store::entry::{EntryFilter, EntryKey, ListedEntry, Order};
use store::{Reader, StoreError};

use crate::error::Family;
use crate::journal::{DamagedReplica, Journal, store_family};
use crate::row;

/// How many entries an ambiguous id names at most.
const MATCHES_NAMED: usize = 5;

/// Why the replica could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The replica is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
    /// The replica cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReadError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Damaged(_) => Family::Damaged,
            Self::Store(error) => store_family(error),
        }
    }
}

/// Why an id names no entry.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The id is empty.
    #[error("an id is missing")]
    Empty,
    /// No entry's id begins so.
    #[error("no entry has an id that begins with `{0}`")]
    Unknown(String),
    /// Several do.
    #[error("`{id}` is ambiguous: several entries have an id that begins with it")]
    Ambiguous {
        /// What was given.
        id: String,
        /// Some of the entries.
        matches: Vec<EntryView>,
    },
    /// The replica could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<StoreError> for LookupError {
    fn from(error: StoreError) -> Self {
        Self::Read(error.into())
    }
}

impl LookupError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Empty => Family::Usage,
            Self::Unknown(_) | Self::Ambiguous { .. } => Family::CouldNot,
            Self::Read(error) => error.family(),
        }
    }
}

/// An entry as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryView {
    /// The entry.
    pub entry: Entry,
    /// Who recorded it.
    pub author: Author,
    /// The shortest prefix of its id, of at least ten digits, that no other entry on this device shares.
    pub short_id: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only by this person.
    pub by: Option<String>,
    /// Only with this text, whatever its case.
    pub search: Option<String>,
    /// Deleted entries too.
    pub deleted: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

impl EntryView {
    /// Returns what serializes as the entry's JSON: the same on every device, its keys in a fixed order. (A
    /// `serde_json::Value` in between would lose that order.)
    pub fn json(&self) -> EntryJson<'_> {
        entry_json(&self.entry, &self.author)
    }

    pub(crate) fn read(reader: &Reader<'_>, path: &Path, id: EntryId) -> Result<Self, ReadError> {
        let key = EntryKey(*id.as_bytes());
        let damaged = || DamagedReplica::Entry {
            path: path.to_owned(),
        };
        let listed = reader.entry(&key)?.ok_or_else(damaged)?;
        let short_id = reader.short_id(&key)?;
        Ok(Self::of(listed, short_id).ok_or_else(damaged)?)
    }

    pub(crate) fn of(listed: ListedEntry, short_id: String) -> Option<Self> {
        let id = EntryId::from_bytes(listed.id.0).ok()?;
        let entry = Entry::from_fields(id, &row::fields_of(&listed.json)?);
        let recorder = listed.author.map_or_else(
            || Author {
                person: "unknown".to_owned(),
                device: "unknown".to_owned(),
            },
            |author| Author {
                person: author.person_name.clone(),
                device: author.device_name.clone(),
            },
        );
        let author = entry.author.clone().unwrap_or(recorder);
        Some(Self {
            entry,
            author,
            short_id,
        })
    }
}

/// Finds the one entry whose id is given, whole or by its beginning.
pub(crate) fn resolve(reader: &Reader<'_>, path: &Path, id: &str) -> Result<EntryId, LookupError> {
    let id = id.trim().to_ascii_lowercase();
    if id.is_empty() {
        return Err(LookupError::Empty);
    }
    let keys = reader.ids_with_prefix(&id, MATCHES_NAMED)?;
    let damaged = || {
        ReadError::from(DamagedReplica::Entry {
            path: path.to_owned(),
        })
    };
    let ids = keys
        .iter()
        .map(|key| EntryId::from_bytes(key.0).map_err(|_| damaged()));
    let ids: Vec<EntryId> = ids.collect::<Result<_, _>>()?;
    match ids.as_slice() {
        [] => Err(LookupError::Unknown(id)),
        [one] => Ok(*one),
        many => {
            let views = many.iter().map(|id| EntryView::read(reader, path, *id));
            Err(LookupError::Ambiguous {
                id,
                matches: views.collect::<Result<_, _>>()?,
            })
        }
    }
}

impl Journal {
    /// Returns the entry whose id is given, whole or by its beginning; also a deleted one.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn entry(&self, id: &str) -> Result<EntryView, LookupError> {
        let path = self.path();
        self.replica.read(|reader| {
            let id = resolve(reader, &path, id)?;
            Ok(EntryView::read(reader, &path, id)?)
        })
    }

    /// Returns entries by time, then id.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entries(&self, filter: &Filter) -> Result<Vec<EntryView>, ReadError> {
        let wanted = EntryFilter {
            since_ms: filter.since.map(Timestamp::as_millisecond),
            until_ms: filter.until.map(Timestamp::as_millisecond),
            kinds: filter.kind.iter().cloned().collect(),
            with_deleted: filter.deleted,
            person_name: filter.by.clone(),
            search: filter.search.clone(),
            limit: filter.limit,
            order: Order::OldestFirst,
        };
        self.listed(&wanted)
    }

    /// Returns the comments on an entry, by time, then id.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn comments(&self, on: EntryId) -> Result<Vec<EntryView>, ReadError> {
        let filter = Filter {
            kind: Some("comment".to_owned()),
            ..Filter::default()
        };
        let id = journal::Value::from(on.to_string());
        let mut comments = self.entries(&filter)?;
        comments.retain(|comment| comment.entry.fields.get("on") == Some(&id));
        Ok(comments)
    }

    /// Returns the last dose taken, wholly or in part, before an instant.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn last_dose(&self, before: Timestamp) -> Result<Option<EntryView>, ReadError> {
        let mut wanted = EntryFilter {
            until_ms: Some(before.as_millisecond()),
            kinds: vec!["dose".to_owned()],
            limit: Some(16),
            order: Order::NewestFirst,
            ..EntryFilter::default()
        };
        loop {
            let doses = self.listed(&wanted)?;
            let (count, earliest) = (
                doses.len(),
                doses.last().map(|dose| dose.entry.at.instant()),
            );
            if let Some(dose) = doses.into_iter().find(|dose| !is_skipped(&dose.entry)) {
                return Ok(Some(dose));
            }
            match earliest {
                Some(earliest) if Some(count) == wanted.limit => {
                    wanted.until_ms = Some(earliest.as_millisecond());
                }
                _ => return Ok(None),
            }
        }
    }

    fn listed(&self, wanted: &EntryFilter) -> Result<Vec<EntryView>, ReadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let listed = reader.entries(wanted)?;
            let keys: Vec<EntryKey> = listed.iter().map(|entry| entry.id).collect();
            let short_ids = reader.short_ids(&keys)?;
            listed
                .into_iter()
                .zip(short_ids)
                .map(|(entry, short_id)| {
                    let damaged = || DamagedReplica::Entry { path: path.clone() };
                    Ok(EntryView::of(entry, short_id).ok_or_else(damaged)?)
                })
                .collect()
        })
    }
}

/// Tells whether a dose was not taken.
pub(crate) fn is_skipped(dose: &Entry) -> bool {
    dose.fields.get("taken").and_then(journal::Value::as_text) == Some("skipped")
}
