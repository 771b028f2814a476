//! Undoing: what was done on this device last is taken back, one action after another, and done again.
//!
//! An action is noted as the fields that it changed, before and after. Undoing it writes the fields of before, as any
//! correction does: it syncs, and history tells of it. Only what still is as the action left it is taken back, so that
//! nobody's later correction is lost.

use journal::change::NewChange;
use journal::document::{Document, ItemEdit, UpdateError};
use journal::{Actor, DocumentId, EntryId, Fields, Value};
use serde_json::{Value as Json, json};
use store::{StoreError, Writer};

use crate::journal::{DamagedReplica, Journal};
use crate::query::EntryView;
use crate::record::{DELETED, RecordError, STATUS, TOGETHER, load, require_writer, stored_tip};
use crate::{os, plan, profile, row};

/// What kind of action it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// Entries were logged.
    Log,
    /// A file was imported.
    Import,
    /// An entry was corrected.
    Edit,
    /// An entry was deleted.
    Delete,
    /// An entry was restored.
    Restore,
    /// The plan was changed.
    Plan,
    /// A person or a device was given another name.
    Rename,
    /// The zone at home was changed.
    Zone,
}

/// The actions and their names, as they are stored.
const NAMES: [(Did, &str); 8] = [
    (Did::Log, "log"),
    (Did::Import, "import"),
    (Did::Edit, "edit"),
    (Did::Delete, "delete"),
    (Did::Restore, "restore"),
    (Did::Plan, "plan"),
    (Did::Rename, "rename"),
    (Did::Zone, "zone"),
];

impl Did {
    /// Returns its name, for scripts.
    pub fn name(self) -> &'static str {
        let mut names = NAMES.iter().filter(|(did, _)| *did == self);
        names.next().map_or("log", |(_, name)| name)
    }
}

/// What became of an action that was to be undone, or done again.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone {
    /// The action.
    pub did: Did,
    /// Whether it was done. Otherwise something that it changed was changed again since; the action is forgotten.
    pub done: bool,
    /// How many entries it changed.
    pub count: usize,
    /// These entries, as they are now; of an import only the first [`SOME`].
    pub entries: Vec<EntryView>,
}

/// How many entries of an import are told one by one: there may be ten years of them.
pub const SOME: usize = 10;

/// One item that an action changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Touched {
    document: DocumentId,
    key: String,
    before: Fields,
    after: Fields,
}

impl Touched {
    /// Notes that an entry was logged: before, it was not there, which a deleted entry comes nearest to.
    pub(crate) fn logged(id: EntryId, document: DocumentId) -> Self {
        Self {
            document,
            key: id.to_string(),
            before: Fields::from([(STATUS.to_owned(), DELETED.as_str().into())]),
            after: Fields::new(),
        }
    }

    /// Notes that an entry was imported as it is in a file; nothing if it is a deleted one, which undoing leaves as it is.
    pub(crate) fn imported(id: EntryId, document: DocumentId, fields: &Fields) -> Option<Self> {
        let mut deleted = fields.clone();
        deleted.insert(STATUS.to_owned(), DELETED.as_str().into());
        Self::changed(document, &id.to_string(), &deleted, fields)
    }

    /// Notes that a step was added to the plan.
    pub(crate) fn planned(key: String) -> Self {
        Self {
            document: DocumentId::Profile,
            key,
            before: Fields::from([(journal::plan::WITHDRAWN.to_owned(), true.into())]),
            after: Fields::new(),
        }
    }

    /// Notes the fields in which an item differs from what it was; none if it does not.
    pub(crate) fn changed(
        document: DocumentId,
        key: &str,
        old: &Fields,
        new: &Fields,
    ) -> Option<Self> {
        let only = |fields: &Fields, other: &Fields| -> Fields {
            let differ = fields
                .iter()
                .filter(|(name, value)| other.get(*name) != Some(value));
            differ
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let (before, after) = (only(old, new), only(new, old));
        (!before.is_empty() || !after.is_empty()).then(|| Self {
            document,
            key: key.to_owned(),
            before,
            after,
        })
    }

    fn reversed(self) -> Self {
        Self {
            before: self.after,
            after: self.before,
            ..self
        }
    }

    /// Returns every field that the action touched, with the value it has before it.
    fn fields(&self) -> impl Iterator<Item = (&String, Option<&Value>)> {
        let gone = self
            .after
            .keys()
            .filter(|name| !self.before.contains_key(*name));
        let set = self.before.iter().map(|(name, value)| (name, Some(value)));
        set.chain(gone.map(|name| (name, None)))
    }

    /// Returns the fields that the item did not have before.
    fn removed(&self) -> Vec<&str> {
        let gone = self.fields().filter(|(_, value)| value.is_none());
        gone.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether the item still is as the action left it.
    fn stands(&self, now: &Fields) -> bool {
        self.fields()
            .all(|(name, _)| now.get(name) == self.after.get(name))
    }

    fn to_json(&self) -> Json {
        json!({
            "document": self.document.to_string(),
            "key": self.key,
            "before": row::fields_to_json(&self.before),
            "after": row::fields_to_json(&self.after),
        })
    }

    fn of_json(json: &Json) -> Option<Self> {
        let text = |name: &str| json.get(name)?.as_str();
        Some(Self {
            document: text("document")?.parse().ok()?,
            key: text("key")?.to_owned(),
            before: row::fields_of_json(json.get("before")?.clone())?,
            after: row::fields_of_json(json.get("after")?.clone())?,
        })
    }
}

/// Notes an action, so that it can be undone.
pub(crate) fn note(
    writer: &mut Writer<'_>,
    did: Did,
    touched: &[Touched],
) -> Result<(), StoreError> {
    let touched: Vec<Json> = touched.iter().map(Touched::to_json).collect();
    let action = json!({ "did": did.name(), "touched": touched });
    writer.note_action(&action.to_string())
}

fn read(action: &str) -> Option<(Did, Vec<Touched>)> {
    let json: Json = serde_json::from_str(action).ok()?;
    let name = json.get("did")?.as_str()?;
    let (did, _) = NAMES.iter().find(|(_, known)| *known == name)?;
    let touched = json.get("touched")?.as_array()?.iter();
    Some((*did, touched.map(Touched::of_json).collect::<Option<_>>()?))
}

impl Journal {
    /// Takes back this device's last action that is not undone; none if there is none.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn undo(&mut self) -> Result<Option<Undone>, RecordError> {
        self.step(false)
    }

    /// Does again what was undone last; none if nothing is undone.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn redo(&mut self) -> Result<Option<Undone>, RecordError> {
        self.step(true)
    }

    fn step(&mut self, again: bool) -> Result<Option<Undone>, RecordError> {
        self.leave_copied_chain()?;
        let path = self.path();
        self.replica.write(|writer| {
            require_writer(writer)?;
            let Some(action) = writer.action(again)? else {
                return Ok(None);
            };
            let damaged = || DamagedReplica::Entry { path: path.clone() };
            let (did, mut touched) = read(&action.json).ok_or_else(damaged)?;
            if again {
                touched = touched.into_iter().map(Touched::reversed).collect();
            }
            let done = write_back(writer, &touched, &path)?;
            if done {
                writer.set_undone(action.number, !again)?;
            } else {
                writer.forget_action(action.number)?;
            }
            let ids = touched.iter().filter_map(|one| one.key.parse().ok());
            let ids: Vec<EntryId> = ids.collect();
            let told = if did == Did::Import { SOME } else { ids.len() };
            let told = ids.iter().take(told);
            let entries = told.map(|id| EntryView::read(writer, &path, *id));
            Ok(Some(Undone {
                did,
                done,
                count: ids.len(),
                entries: entries.collect::<Result<_, _>>()?,
            }))
        })
    }
}

/// Writes what items were before an action, if all of them still are as it left them.
fn write_back(
    writer: &mut Writer<'_>,
    touched: &[Touched],
    path: &std::path::Path,
) -> Result<bool, RecordError> {
    let mut documents: std::collections::BTreeMap<DocumentId, Document> = Default::default();
    for one in touched {
        if let std::collections::btree_map::Entry::Vacant(vacant) = documents.entry(one.document) {
            let parts = writer.document(&one.document.to_string())?;
            vacant.insert(load(one.document, &parts, path)?);
        }
        let item = documents
            .get(&one.document)
            .and_then(|document| document.item(&one.key));
        if !item.is_some_and(|item| one.stands(&item.fields)) {
            return Ok(false);
        }
    }
    if documents.contains_key(&DocumentId::Profile) {
        plan::require_owner(writer)?;
    }
    for (id, document) in &mut documents {
        let its: Vec<&Touched> = touched.iter().filter(|one| one.document == *id).collect();
        for some in its.chunks(TOGETHER) {
            write_some(writer, document, some)?;
        }
        if *id == DocumentId::Profile {
            profile::adopt(writer, document)?;
        }
    }
    Ok(true)
}

/// Writes what items of one document were, in one change; in several if they are too much for one.
fn write_some(
    writer: &mut Writer<'_>,
    document: &mut Document,
    touched: &[&Touched],
) -> Result<(), RecordError> {
    let chain = writer.own()?.chain;
    let now = os::now();
    let removed: Vec<Vec<&str>> = touched.iter().map(|one| one.removed()).collect();
    let edits: Vec<ItemEdit<'_>> = touched
        .iter()
        .zip(&removed)
        .map(|(one, remove)| ItemEdit {
            key: &one.key,
            set: &one.before,
            remove,
        })
        .collect();
    let change = match document.update_all(Actor(chain.0), now.as_second(), &edits) {
        Err(UpdateError::TooLarge) if touched.len() > 1 => {
            let (some, others) = touched.split_at(touched.len() / 2);
            write_some(writer, document, some)?;
            return write_some(writer, document, others);
        }
        made => made?,
    };
    let Some(NewChange { bytes, tip }) = change else {
        return Ok(());
    };
    let actions = u32::try_from(touched.len()).unwrap_or(u32::MAX);
    let name = document.id().to_string();
    writer.record(&name, &chain, &bytes, &stored_tip(&tip), actions)?;
    if document.id() != DocumentId::Profile {
        let items = touched.iter().filter_map(|one| document.item(&one.key));
        let rows = items.filter_map(|item| row::row(&item, now.as_millisecond()));
        writer.put_entries(&rows.collect::<Vec<_>>())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_comes_back_as_it_was_noted() {
        let old = Fields::from([
            ("a".to_owned(), 1.into()),
            ("b".to_owned(), 2.5.into()),
            ("c".to_owned(), "x".into()),
        ]);
        let new = Fields::from([
            ("a".to_owned(), 2.into()),
            ("b".to_owned(), 2.5.into()),
            ("d".to_owned(), true.into()),
        ]);
        let document: DocumentId = "2026-11".parse().unwrap();
        let touched = Touched::changed(document, "k", &old, &new).unwrap();
        assert_eq!(Touched::of_json(&touched.to_json()), Some(touched.clone()));
        assert!(touched.stands(&new));
        assert!(!touched.stands(&old));
        assert!(touched.clone().reversed().stands(&old));
        let mut other = new.clone();
        other.insert("b".to_owned(), 3.into());
        assert!(
            touched.stands(&other),
            "what the action did not touch does not count"
        );
        assert_eq!(Touched::changed(document, "k", &old, &old), None);
        for (did, name) in NAMES {
            assert_eq!(did.name(), name);
        }
        assert_eq!(read("{\"did\":\"dance\",\"touched\":[]}"), None);
    }
}
