//! Recording again: what changes that cannot stand as they are still say of an entry.
//!
//! Changes are lost to a document that was rebuilt without an envelope they depend on, or to one that another copy of the
//! chain wrote first. What they say is read from the document that still has them, and recorded as new changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use automerge::ChangeHash;

use super::{Document, UpdateError};
use crate::change::{self, CreateError, NewChange, OpRef, Step, actor, steps};
use crate::{Actor, Fields};

/// What lost changes say of one item, as far as it still holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lost {
    /// The chain that wrote the last of them.
    pub by: Option<Actor>,
    /// The fields that they set, and that nobody set otherwise since.
    pub set: Fields,
    /// The fields that they removed, and that nobody set since.
    pub removed: BTreeSet<String>,
}

/// Why something cannot be recorded again.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// The item cannot be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The item cannot be edited.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

impl Document {
    /// Returns what changes of these chains say that this document has and `other` has not, by the item's key.
    pub fn lost_to(&self, other: &Self, chains: &BTreeSet<Actor>) -> BTreeMap<String, Lost> {
        let kept: HashSet<ChangeHash> = other
            .inner
            .get_changes_meta(&[])
            .iter()
            .map(|change| change.hash)
            .collect();
        let mut changes = self.inner.get_changes(&[]);
        changes.sort_by_key(|change| (change.start_op(), change.actor_id().clone()));
        let mut made: HashMap<OpRef, String> = HashMap::new();
        let mut lost: BTreeMap<String, Lost> = BTreeMap::new();
        for change in changes {
            // All changes here are ours; one that were not would say nothing of an item.
            let (Ok(author), Ok(steps)) = (actor(change.actor_id()), steps(&change.decode()))
            else {
                continue;
            };
            let is_lost = chains.contains(&author) && !kept.contains(&change.hash());
            let mut here: Option<String> = None;
            for (counter, step) in steps {
                match step {
                    Step::Make { key } => {
                        let actor = author;
                        made.insert(OpRef { counter, actor }, key.clone());
                        here = Some(key);
                    }
                    Step::Select { item } => here = made.get(&item).cloned(),
                    Step::Set { field, value, .. } if is_lost => {
                        let Some(key) = &here else { continue };
                        let item = lost.entry(key.clone()).or_default();
                        item.by = Some(author);
                        item.removed.remove(&field);
                        item.set.insert(field, value);
                    }
                    Step::Remove { field, .. } if is_lost => {
                        let Some(key) = &here else { continue };
                        let item = lost.entry(key.clone()).or_default();
                        item.by = Some(author);
                        item.set.remove(&field);
                        item.removed.insert(field);
                    }
                    Step::Set { .. } | Step::Remove { .. } => {}
                }
            }
        }
        self.keep_what_holds(&mut lost);
        lost
    }

    /// Drops what others have overwritten since.
    fn keep_what_holds(&self, lost: &mut BTreeMap<String, Lost>) {
        for (key, of) in lost.iter_mut() {
            let now = self.item(key).map(|item| item.fields).unwrap_or_default();
            of.set.retain(|name, value| now.get(name) == Some(value));
            of.removed.retain(|name| !now.contains_key(name));
        }
        lost.retain(|_, of| !of.set.is_empty() || !of.removed.is_empty());
    }

    /// Sets and removes fields of an item, which is made if there is none. `None` if it says all that already, which
    /// an item that there is not does where there is nothing to set.
    ///
    /// # Errors
    /// [`AgainError`]; the document is then as it was.
    pub fn put(
        &mut self,
        actor: Actor,
        time: i64,
        key: &str,
        set: &Fields,
        removed: &BTreeSet<String>,
    ) -> Result<Option<NewChange>, AgainError> {
        if self.item(key).is_some() {
            let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
            return Ok(self.update(actor, time, key, set, &removed)?);
        }
        if set.is_empty() {
            return Ok(None);
        }
        let tip = self.tips().remove(&actor);
        let change = change::create(actor, tip.as_ref(), time, &[(key, set)])?;
        let mut edited = self.inner.clone();
        edited
            .load_incremental(&change.bytes)
            .map_err(|_| UpdateError::Refused)?;
        self.inner = edited;
        Ok(Some(change))
    }
}
