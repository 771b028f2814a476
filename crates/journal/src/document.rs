//! One Automerge document of a journal: loading, reading, editing, and merging what other devices wrote.
//!
//! The root holds items by key (entries by their id in a month, anything in the profile), each a map of fields. Reading
//! is in `document/item.rs` and `document/history.rs`, what a batch must satisfy in `document/merge.rs`.
//!
//! Invariants: a document holds only changes that `change.rs`, [`Document::update`] or a checked merge made, and no
//! change whose dependencies are missing; after an error it is as it was.

mod again;
mod chunk;
mod history;
mod item;
mod merge;
mod past;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::OpId;
use automerge::{ActorId, Automerge, ReadDoc, SaveOptions};

use crate::batch::limits;
use crate::change::{
    ChangeHash, InvalidItem, NewChange, Operations, Size, Tip, actor, check_fields, check_key,
    check_name, check_time,
};
use crate::{Actor, DocumentId, Fields, Value};

pub use again::{AgainError, Lost};
pub use history::Revision;
pub use item::{Claim, Item};
pub use merge::{Hostile, MergeError, Merged};

/// The bytes that a replica stored for a document are damaged.
#[derive(Debug, thiserror::Error)]
#[error("the stored document {id} is damaged")]
pub struct DamagedDocument {
    /// Which document.
    pub id: DocumentId,
    /// What Automerge says of it; nothing if changes are missing.
    #[source]
    pub source: Option<Box<automerge::AutomergeError>>,
}

/// Why an edit cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The document has no item of that key.
    #[error("there is no such item")]
    NoSuchItem,
    /// The edit, or what the item would become, is not what may be written.
    #[error(transparent)]
    Item(#[from] InvalidItem),
    /// More than [`limits::MAX_OPERATIONS`] operations, [`limits::MAX_CHANGE_EXPANDED`] bytes of text, or
    /// [`limits::MAX_REFERENCES`] values to replace: no batch could carry the change.
    #[error("too much for one change")]
    TooLarge,
    /// The time is not in [`limits::TIMES`].
    #[error("the time is outside the years 1970 to 9999")]
    Time,
    /// The document's counters have reached [`limits::MAX_COUNTER`].
    #[error("the document takes no more changes")]
    Exhausted,
    /// Automerge refused the change. Never seen; the document is as it was.
    #[error("the change does not fit the document")]
    Refused,
}

/// One document, loaded.
#[derive(Clone, Debug)]
pub struct Document {
    id: DocumentId,
    inner: Automerge,
}

impl Document {
    /// Returns the document without any change.
    pub fn empty(id: DocumentId) -> Self {
        Self {
            id,
            inner: Automerge::new(),
        }
    }

    /// Loads a document from the parts that this replica stored: what [`Document::save`] gave, if it did, and raw
    /// changes that came after.
    ///
    /// # Errors
    /// [`DamagedDocument`] if a checksum is wrong, a part is cut short, or a change is missing.
    pub fn load<'a>(
        id: DocumentId,
        base: Option<&[u8]>,
        changes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, DamagedDocument> {
        let mut bytes = base.unwrap_or_default().to_vec();
        for change in changes {
            bytes.extend_from_slice(change);
        }
        let inner = Automerge::load(&bytes).map_err(|source| DamagedDocument {
            id,
            source: Some(Box::new(source)),
        })?;
        if inner.get_missing_deps(&[]).is_empty() {
            Ok(Self { id, inner })
        } else {
            Err(DamagedDocument { id, source: None })
        }
    }

    /// Returns which document this is.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Returns the whole document as Automerge stores it, readable by any Automerge.
    pub fn save(&self) -> Vec<u8> {
        save(&self.inner)
    }

    /// Returns the hashes of the changes that no other depends on, ascending. Equal heads mean equal documents.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.inner
            .get_heads()
            .into_iter()
            .map(ChangeHash::from)
            .collect()
    }

    /// Returns the last change of every chain that wrote here.
    pub fn tips(&self) -> BTreeMap<Actor, Tip> {
        let mut tips = BTreeMap::new();
        for change in self.inner.get_changes_meta(&[]) {
            let tip = Tip {
                seq: change.seq,
                max_op: change.max_op,
                hash: change.hash.into(),
            };
            let Ok(author) = actor(&change.actor) else {
                continue;
            };
            let last = tips.entry(author).or_insert(tip);
            if last.seq < tip.seq {
                *last = tip;
            }
        }
        tips
    }

    /// Edits an item: sets the fields in `set` and removes those in `remove`, where not the same field is in both.
    ///
    /// `time` is now, in Unix seconds. The change depends on everything that the document holds, and settles conflicts
    /// in the fields that it names: the item then reads as it says. What already reads so, unopposed, is not written
    /// again; `None` if nothing is to be written.
    ///
    /// # Errors
    /// [`UpdateError`] if there is no such item, or the edit is not what [`limits`] allow.
    pub fn update(
        &mut self,
        actor: Actor,
        time: i64,
        key: &str,
        set: &Fields,
        remove: &[&str],
    ) -> Result<Option<NewChange>, UpdateError> {
        let edit = ItemEdit { key, set, remove };
        self.update_all(actor, time, &[edit])
    }

    /// Edits several items, each as [`Document::update`] does, in one change. No key may be named twice.
    ///
    /// # Errors
    /// [`UpdateError`], and nothing is edited, if one of the edits cannot be made or they are too much for one change.
    pub fn update_all(
        &mut self,
        actor: Actor,
        time: i64,
        edits: &[ItemEdit<'_>],
    ) -> Result<Option<NewChange>, UpdateError> {
        let metas = self.inner.get_changes_meta(&[]);
        let start = metas.iter().map(|change| change.max_op).max().unwrap_or(0) + 1;
        let own = ActorId::from(actor.0);
        let seq = 1 + metas.iter().filter(|change| *change.actor == own).count() as u64;
        drop(metas);
        let mut operations = Operations::new(actor, start);
        for edit in edits {
            let checked = check_edit(time, edit.key, edit.set, edit.remove)?;
            self.write_edits(&mut operations, edit.key, &checked)?;
        }
        if operations.is_empty() {
            return Ok(None);
        }
        if operations.next_counter() > limits::MAX_COUNTER {
            return Err(UpdateError::Exhausted);
        }
        let heads = self.inner.get_heads();
        // Where an item was made very often, or a field has very many values, even a small edit may be too much.
        if !operations.fit(heads.len()) {
            return Err(UpdateError::TooLarge);
        }
        let change = operations.finish(seq, time, heads);
        let mut edited = self.inner.clone();
        edited
            .apply_changes([change.clone()])
            .map_err(|_| UpdateError::Refused)?;
        self.inner = edited;
        Ok(Some(NewChange::of(&change)))
    }

    /// Writes the operations of an edit. Of several maps under the key, the last one made holds the new values; in the
    /// others the fields are removed, or they would stay as conflicts.
    fn write_edits(
        &self,
        operations: &mut Operations,
        key: &str,
        edits: &Edits<'_>,
    ) -> Result<(), UpdateError> {
        let maps = item::maps(&self.inner, key);
        let last = maps.len().checked_sub(1).ok_or(UpdateError::NoSuchItem)?;
        let claims = maps
            .iter()
            .map(|map| item::claims(&self.inner, map))
            .collect::<Vec<_>>();
        let pending = pending(edits, &claims)?;
        for (index, (map, own)) in maps.iter().zip(&claims).enumerate() {
            let mut turned = false;
            for (name, value) in &pending {
                let value = value.filter(|_| index == last);
                let replaces = own.get(*name).into_iter().flatten();
                let replaces = replaces.map(|(by, _)| OpId::from(*by)).collect::<Vec<_>>();
                if value.is_none() && replaces.is_empty() {
                    continue;
                }
                if !turned {
                    operations.select(map.made);
                    turned = true;
                }
                match value {
                    Some(value) => operations.set(name, value, replaces),
                    None => operations.remove(name, replaces),
                }
            }
        }
        Ok(())
    }

    /// Returns an item, `None` if there is none of that key.
    pub fn item(&self, key: &str) -> Option<Item> {
        item::item(&self.inner, self.id, key)
    }

    /// Returns all items, ordered by key.
    pub fn items(&self) -> Vec<Item> {
        item::items(&self.inner, self.id)
    }

    /// Returns those of the items that have these keys, ordered by key.
    pub fn items_of(&self, keys: &BTreeSet<String>) -> Vec<Item> {
        // Reading all of a month takes as long as reading a good part of it one by one.
        if keys.len() < 100 {
            return keys.iter().filter_map(|key| self.item(key)).collect();
        }
        let items = self.items().into_iter();
        items.filter(|item| keys.contains(&item.key)).collect()
    }

    /// Returns who wrote what in an item, in an order that follows causes and is the same on every replica: oldest
    /// first. Empty if there is none of that key.
    pub fn history(&self, key: &str) -> Vec<Revision> {
        history::history(&self.inner, key)
    }

    /// Returns every change with its hash as a raw, uncompressed Automerge chunk, in causal order: what a batch is made of.
    pub fn changes(&self) -> Vec<(ChangeHash, Vec<u8>)> {
        let changes = self.inner.get_changes(&[]).into_iter();
        changes
            .map(|change| (change.hash().into(), change.raw_bytes().to_vec()))
            .collect()
    }

    /// Merges the changes of a batch. Changes that the document already has are passed over.
    ///
    /// # Errors
    /// [`MergeError`] if changes are missing, or what the batch says must not be. The document is then as it was.
    pub fn merge(&mut self, part: &crate::batch::BatchPart) -> Result<Merged, MergeError> {
        if part.document() != self.id {
            return Err(MergeError::OtherDocument);
        }
        let (merged, inner) = merge::merge(&self.inner, part)?;
        self.inner = inner;
        Ok(merged)
    }

    /// Takes in what a snapshot says: it is merged, never put in place of what is here, so that changes which no other device
    /// has yet stay.
    ///
    /// # Errors
    /// [`MergeError`], as [`Self::merge`].
    pub fn adopt(&mut self, part: &crate::batch::BatchPart) -> Result<Merged, MergeError> {
        if cfg!(ebb_mutant = "replace-on-snapshot") && part.is_whole() {
            *self = Self::empty(self.id);
        }
        self.merge(part)
    }
}

/// An edit of one item.
#[derive(Clone, Copy, Debug)]
pub struct ItemEdit<'a> {
    /// The item's key.
    pub key: &'a str,
    /// The fields to set.
    pub set: &'a Fields,
    /// The fields to remove: none that is also set.
    pub remove: &'a [&'a str],
}

/// What an edit does to each field: set it, or remove it.
type Edits<'a> = BTreeMap<&'a str, Option<&'a Value>>;

fn check_edit<'a>(
    time: i64,
    key: &str,
    set: &'a Fields,
    remove: &[&'a str],
) -> Result<Edits<'a>, UpdateError> {
    check_time(time).ok_or(UpdateError::Time)?;
    check_key(key)?;
    let mut size = Size::default();
    check_fields(set, &mut size)?;
    for name in remove {
        check_name(name)?;
        size.operations += 1;
        size.bytes += name.len();
    }
    if !size.fits() {
        return Err(UpdateError::TooLarge);
    }
    let removed = remove.iter().map(|name| (*name, None));
    let set = set.iter().map(|(name, value)| (name.as_str(), Some(value)));
    Ok(removed.chain(set).collect())
}

/// Returns the edits that are needed: not those which say what the item says already, unopposed.
fn pending<'a>(edits: &Edits<'a>, claims: &[item::Claims]) -> Result<Edits<'a>, InvalidItem> {
    let mut pending = edits.clone();
    pending.retain(|name, value| {
        let mut said = claims.iter().filter_map(|of| of.get(*name)).flatten();
        match (value, said.next()) {
            (None, None) => false,
            (Some(value), Some((_, only))) => only != *value || said.next().is_some(),
            _ => true,
        }
    });
    let names = claims.iter().flat_map(BTreeMap::keys).map(String::as_str);
    let before = names.collect::<BTreeSet<_>>();
    let after = before.len() + edits.keys().filter(|name| !before.contains(*name)).count();
    // What somebody has filled up must stay open to corrections, and to being deleted.
    let fills = before.len() < limits::MAX_FIELDS && after > limits::MAX_FIELDS;
    if fills || pending.len() > limits::MAX_FIELDS {
        return Err(InvalidItem::TooManyFields);
    }
    Ok(pending)
}

fn save(document: &Automerge) -> Vec<u8> {
    document.save_with_options(SaveOptions {
        deflate: true,
        retain_orphans: false,
    })
}
