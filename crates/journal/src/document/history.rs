//! The history of an item: every change that touched it.
//!
//! Read from the changes themselves, so it also shows values that were overwritten since, and both sides of a conflict.

use std::collections::{BTreeSet, HashSet};

use automerge::Automerge;

use crate::change::{OpRef, Step, actor, steps};
use crate::{Actor, Fields};

/// What one change did to an item.
#[derive(Clone, PartialEq, Debug)]
pub struct Revision {
    /// The chain that made the change.
    pub actor: Actor,
    /// The change's number in that chain and document, from 1.
    pub seq: u64,
    /// When, in Unix seconds, as the device's clock said.
    pub time: i64,
    /// Whether the change made the item.
    pub created: bool,
    /// The fields it set.
    pub set: Fields,
    /// The fields it removed.
    pub removed: BTreeSet<String>,
}

/// Returns the revisions of an item, ordered by the counter of the change's first operation and then by actor: a change
/// comes after everything its writer knew.
pub(super) fn history(document: &Automerge, key: &str) -> Vec<Revision> {
    let mut maps = HashSet::new();
    let mut revisions = Vec::new();
    for change in document.get_changes(&[]) {
        let expanded = change.decode();
        // All changes here are ours; one that were not would say nothing of an item.
        let (Ok(author), Ok(steps)) = (actor(change.actor_id()), steps(&expanded)) else {
            continue;
        };
        let mut revision = Revision {
            actor: author,
            seq: change.seq(),
            time: change.timestamp(),
            created: false,
            set: Fields::new(),
            removed: BTreeSet::new(),
        };
        let mut here = false;
        for (counter, step) in steps {
            match step {
                Step::Make { key: made } => {
                    here = made == key;
                    if here {
                        maps.insert(OpRef {
                            counter,
                            actor: author,
                        });
                        revision.created = true;
                    }
                }
                Step::Select { item } => here = maps.contains(&item),
                Step::Set { field, value, .. } if here => {
                    revision.set.insert(field, value);
                }
                // An edit of several maps under one key removes in all but one what it sets in that one.
                Step::Remove { field, .. } if here => {
                    revision.removed.insert(field);
                }
                Step::Set { .. } | Step::Remove { .. } => {}
            }
        }
        let Revision {
            created,
            set,
            removed,
            ..
        } = &mut revision;
        removed.retain(|field| !set.contains_key(field));
        if *created || !set.is_empty() || !removed.is_empty() {
            revisions.push((change.start_op(), revision));
        }
    }
    revisions.sort_by_key(|(start, revision)| (*start, revision.actor));
    revisions
        .into_iter()
        .map(|(_, revision)| revision)
        .collect()
}
