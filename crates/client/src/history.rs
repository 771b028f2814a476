//! What became of an entry: every change of it, and the values that lost against concurrent ones.
//!
//! Both are read from the documents, because the read model shows only what won. Who wrote what is known by the chain that
//! carried the change.

pub mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use journal::document::{Document, Item};
use journal::entry::{Author, Edit};
use journal::{Actor, DocumentId, Fields, Value};
use protocol::id::ChainId;
use store::Reader;

use crate::history::undo::Did;
use crate::journal::Journal;
use crate::query::{EntryView, LookupError, ReadError, resolve};
use crate::record::{RecordError, load};

/// One change of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// When, as the clock of the device said.
    pub at: Timestamp,
    /// Who made it.
    pub by: Author,
    /// Whether it made the entry.
    pub created: bool,
    /// The stored fields that it set.
    pub set: Fields,
    /// The stored fields that it removed.
    pub removed: Vec<String>,
}

/// An entry of which some fields were changed in two places at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The entry as it is shown.
    pub view: EntryView,
    /// The fields.
    pub fields: Vec<Contested>,
}

/// A field with several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Contested {
    /// Its stored name.
    pub name: String,
    /// The value that is shown.
    pub shown: Claim,
    /// The others, from the last one written to the first.
    pub others: Vec<Claim>,
}

/// A value, and who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The value.
    pub value: Value,
    /// Who wrote it; absent only if no change in the document says.
    pub by: Option<Author>,
    /// When, as the clock of the device said.
    pub at: Option<Timestamp>,
}

/// Who writes each chain.
struct Authors(BTreeMap<ChainId, Arc<store::member::Author>>);

impl Authors {
    fn of(reader: &Reader<'_>) -> Result<Self, ReadError> {
        Ok(Self(reader.authors()?))
    }

    fn name(&self, actor: Actor) -> Author {
        match self.0.get(&ChainId(actor.0)) {
            Some(author) => Author {
                person: author.person_name.clone(),
                device: author.device_name.clone(),
            },
            None => Author {
                person: "unknown".to_owned(),
                device: "unknown".to_owned(),
            },
        }
    }
}

impl Journal {
    /// Returns an entry and every change of it, the first one first: whoever made a change knew those before it, or made
    /// it at the same time.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn history(&self, id: &str) -> Result<(EntryView, Vec<Revision>), LookupError> {
        let path = self.path();
        self.replica.read(|reader| {
            let id = resolve(reader, &path, id)?;
            let view = EntryView::read(reader, &path, id)?;
            let document = DocumentId::of(id).map_err(|_| LookupError::Unknown(id.to_string()))?;
            let parts = reader.document(&document.to_string())?;
            let loaded = load(document, &parts, &path).map_err(ReadError::from)?;
            let authors = Authors::of(reader)?;
            let revisions = loaded.history(&id.to_string()).into_iter();
            let revisions = revisions.map(|revision| Revision {
                at: Timestamp::from_second(revision.time).unwrap_or(Timestamp::UNIX_EPOCH),
                by: authors.name(revision.actor),
                created: revision.created,
                set: revision.set,
                removed: revision.removed.into_iter().collect(),
            });
            Ok((view, revisions.collect()))
        })
    }

    /// Returns the entries with fields that were changed in two places at once, by id.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn conflicts(&self) -> Result<Vec<Conflict>, ReadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let authors = Authors::of(reader)?;
            let mut conflicts = Vec::new();
            for name in reader.documents()? {
                let Ok(document @ DocumentId::Month { .. }) = name.parse() else {
                    continue;
                };
                let loaded = load(document, &reader.document(&name)?, &path)?;
                for item in loaded.items() {
                    let contested = !item.conflicts.is_empty() && !item.misplaced();
                    if let Some(id) = item.entry().filter(|_| contested) {
                        conflicts.push(Conflict {
                            view: EntryView::read(reader, &path, id)?,
                            fields: contested_fields(&loaded, &item, &authors),
                        });
                    }
                }
            }
            Ok(conflicts)
        })
    }

    /// Settles the conflicts of an entry: what is shown stands, and the other values are history. One without conflicts
    /// stays as it is.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn resolve(&mut self, id: &str) -> Result<EntryView, RecordError> {
        self.change(id, Did::Edit, |_, item, _| {
            let shown = |name: &String| Some((name.clone(), item.fields.get(name)?.clone()));
            Ok(Edit {
                set: item.conflicts.keys().filter_map(shown).collect(),
                remove: Vec::new(),
            })
        })
    }
}

/// Returns the fields of an item that have several values, with who wrote each and when.
fn contested_fields(document: &Document, item: &Item, authors: &Authors) -> Vec<Contested> {
    let history = document.history(&item.key);
    let written = |name: &str, value: &Value, by: Option<Actor>| {
        let mut revisions = history.iter().rev();
        revisions.find(|revision| {
            let same = revision.set.get(name) == Some(value);
            same && by.is_none_or(|actor| actor == revision.actor)
        })
    };
    let claim = |name: &str, value: &Value, by: Option<Actor>| {
        let revision = written(name, value, by);
        Claim {
            value: value.clone(),
            by: by
                .or(revision.map(|revision| revision.actor))
                .map(|actor| authors.name(actor)),
            at: revision.and_then(|revision| Timestamp::from_second(revision.time).ok()),
        }
    };
    let contested = item.conflicts.iter().filter_map(|(name, others)| {
        let others = others.iter();
        Some(Contested {
            name: name.clone(),
            shown: claim(name, item.fields.get(name)?, None),
            others: others
                .map(|other| claim(name, &other.value, Some(other.actor)))
                .collect(),
        })
    });
    contested.collect()
}
