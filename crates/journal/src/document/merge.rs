//! Merging a part of a batch: rebuilding its changes, checking them against the document, and trying them out.
//!
//! The batch has said what the changes do; `batch/decode.rs` has checked all that needs no document. Checked here: no
//! second change stands where one stands already; every item and every replaced operation is in the causal past of the
//! change that names it, and is what it is named as; the hashes are those that the writer had. What automerge then makes
//! of the changes is saved and loaded again, and only if the heads are the same is the result given out.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use automerge::legacy::OpId;
use automerge::{Automerge, Change, ReadDoc};

use super::past::{Node, Past, Place};
use super::save;
use crate::Actor;
use crate::batch::{BatchPart, Dependency, PartChange, PartStep, StepKind, digest, limits};
use crate::change::{ChangeHash, OpRef, Operations, Step, Tip, steps};

/// What a merge led to.
#[derive(Clone, PartialEq, Debug)]
pub struct Merged {
    /// The whole document, as [`Document::save`](super::Document::save) gives it.
    pub saved: Vec<u8>,
    /// The keys of the items that changed, or that are new.
    pub touched: BTreeSet<String>,
    /// The last change of every chain that the part holds changes of.
    pub tips: Vec<(Actor, Tip)>,
    /// How many changes are new to the document.
    pub changes: usize,
}

/// Why a part of a batch is not merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The document lacks changes that these depend on. The caller keeps the envelope until they have come.
    #[error("the document lacks {} changes that these depend on", .0.len())]
    MissingDependencies(Vec<ChangeHash>),
    /// The part says what no honest device says.
    #[error("the changes are not those of an honest device: {0}")]
    Hostile(#[from] Hostile),
    /// Automerge did not take the changes. None such is known; the part is kept unmerged.
    #[error("the changes cannot be applied")]
    Refused(#[source] automerge::AutomergeError),
    /// Saved and loaded again, the document was another. None such is known; the part is kept unmerged.
    #[error("the document with the changes cannot be stored")]
    Unstable,
    /// The part is for another document: the caller's mistake.
    #[error("the changes belong to another document")]
    OtherDocument,
}

/// What no honest device says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Hostile {
    /// Another change of the same chain has this number: the chain has forked.
    #[error("the chain has two changes with the number {seq}")]
    Fork {
        /// The chain.
        actor: Actor,
        /// The number.
        seq: u64,
    },
    /// A change is in the batch twice.
    #[error("a change is there twice")]
    RepeatedChange,
    /// A change names a dependency twice.
    #[error("a change names a dependency twice")]
    RepeatedDependency,
    /// An item that is edited is not in the past of the change, or not an item.
    #[error("an edit is of no item that its writer could know")]
    UnknownItem,
    /// An operation that is replaced is not in the past of the change, or not a value of that field of that item.
    #[error("an edit replaces no value that its writer could know")]
    UnknownValue,
    /// Operation counters beyond [`limits::MAX_COUNTER`].
    #[error("the operation counters are too great")]
    Counter,
    /// The rebuilt changes have other hashes than the writer's.
    #[error("the changes are not those that the batch was made from")]
    Digest,
    /// The changes join one another too often to keep track of.
    #[error("the changes are too tangled")]
    Tangled,
    /// The document itself has changes that are not ebb's.
    #[error("the document has changes that are not those of ebb")]
    Document,
}

/// Merges a part into a copy of the document, and returns that.
pub(super) fn merge(
    document: &Automerge,
    part: &BatchPart,
) -> Result<(Merged, Automerge), MergeError> {
    let mut rebuilding = Rebuilding::new(document, part)?;
    for (index, change) in part.changes.iter().enumerate() {
        rebuilding.rebuild(index, change)?;
    }
    let Rebuilding { past, changes, touched, nodes, .. } = rebuilding;
    let hashes = nodes.iter().map(|node| past.hash(*node)).collect::<Vec<_>>();
    if digest(hashes.iter()) != part.digest {
        return Err(Hostile::Digest.into());
    }
    let authors = part.authors().into_iter();
    let tips = authors.filter_map(|author| Some((author, past.tip(author)?))).collect();
    let count = changes.len();
    let (saved, result) = try_out(document, changes)?;
    Ok((Merged { saved, touched, tips, changes: count }, result))
}

/// Applies changes to a copy, and makes sure that it can be stored.
fn try_out(document: &Automerge, changes: Vec<Change>) -> Result<(Vec<u8>, Automerge), MergeError> {
    if changes.is_empty() {
        return Ok((save(document), document.clone()));
    }
    let mut scratch = document.clone();
    scratch.apply_changes(changes).map_err(MergeError::Refused)?;
    if !scratch.get_missing_deps(&[]).is_empty() {
        return Err(MergeError::Unstable);
    }
    let saved = save(&scratch);
    let loaded = Automerge::load(&saved).map_err(MergeError::Refused)?;
    if loaded.get_heads() == scratch.get_heads() {
        Ok((saved, loaded))
    } else {
        Err(MergeError::Unstable)
    }
}

struct Rebuilding<'a> {
    part: &'a BatchPart,
    past: Past,
    stored: Stored<'a>,
    /// The changes of the part that the batch does not hold, in the order it names them.
    outside: Vec<Node>,
    /// The changes of the part so far.
    nodes: Vec<Node>,
    seen: HashSet<Node>,
    /// Where in the part the nodes are that it added, after those of the document.
    added: Vec<u32>,
    changes: Vec<Change>,
    touched: BTreeSet<String>,
}

/// What an operation made.
#[derive(PartialEq, Debug)]
enum Made<'a> {
    Item { key: Cow<'a, str> },
    Field { item: OpRef, name: Cow<'a, str> },
}

impl<'a> Rebuilding<'a> {
    fn new(document: &'a Automerge, part: &'a BatchPart) -> Result<Self, MergeError> {
        let past = Past::of(document)?;
        let known = part.outside.iter().map(|hash| past.find(hash).ok_or(*hash));
        let (outside, missing): (Vec<_>, Vec<_>) = known.partition(Result::is_ok);
        if !missing.is_empty() {
            let missing = missing.into_iter().filter_map(Result::err).collect();
            return Err(MergeError::MissingDependencies(missing));
        }
        Ok(Self {
            part,
            past,
            stored: Stored { document, changes: None, read: HashMap::new() },
            outside: outside.into_iter().flatten().collect(),
            nodes: Vec::with_capacity(part.len()),
            seen: HashSet::new(),
            added: Vec::new(),
            changes: Vec::new(),
            touched: BTreeSet::new(),
        })
    }

    fn rebuild(&mut self, index: usize, change: &PartChange) -> Result<(), Hostile> {
        let part = self.part;
        let mut deps = Vec::new();
        for dependency in part.dependencies_of(change) {
            let node = match dependency {
                Dependency::Inside(index) => self.nodes.get(*index as usize),
                Dependency::Outside(index) => self.outside.get(*index as usize),
            };
            deps.extend(node);
        }
        if deps.len() > 1 && deps.iter().collect::<HashSet<_>>().len() < deps.len() {
            return Err(Hostile::RepeatedDependency);
        }
        let mut place = self.past.place(change.author, &deps)?;
        place.max_op = place.start + u64::from(change.operations) - 1;
        if place.max_op > limits::MAX_COUNTER {
            return Err(Hostile::Counter);
        }
        let mut operations = Operations::new(change.author, place.start);
        let mut keys = Vec::new();
        for step in part.steps_of(change) {
            self.write(&mut operations, step, change, &place, &mut keys)?;
        }
        let deps = deps.into_iter().map(|dep| self.past.hash(dep).into()).collect();
        let built = operations.finish(place.seq, change.time, deps);
        self.add(index, built, place, keys)
    }

    /// Adds a rebuilt change, unless the document has it.
    fn add(
        &mut self,
        index: usize,
        built: Change,
        place: Place,
        keys: Vec<String>,
    ) -> Result<(), Hostile> {
        let hash = built.hash().into();
        let node = match self.past.at(&place) {
            Some(node) if self.past.hash(node) != hash => {
                return Err(Hostile::Fork { actor: place.author, seq: place.seq });
            }
            Some(node) if !self.seen.insert(node) => return Err(Hostile::RepeatedChange),
            Some(node) => node,
            None => {
                self.changes.push(built);
                self.added.push(index as u32);
                self.touched.extend(keys);
                let node = self.past.push(place, hash);
                self.seen.insert(node);
                node
            }
        };
        self.nodes.push(node);
        Ok(())
    }

    fn write(
        &mut self,
        operations: &mut Operations,
        step: &PartStep,
        change: &PartChange,
        place: &Place,
        keys: &mut Vec<String>,
    ) -> Result<(), Hostile> {
        let part = self.part;
        match &step.kind {
            StepKind::Make { key } => {
                let key = part.key(*key);
                operations.make(key);
                keys.push(key.to_owned());
            }
            StepKind::Select { item } => {
                let Some(Made::Item { key }) = self.made(*item, place) else {
                    return Err(Hostile::UnknownItem);
                };
                keys.push(key.into_owned());
                operations.select(*item);
            }
            StepKind::Set { field, value, .. } => {
                let replaces = self.replaced(step, change, place)?;
                operations.set(part.shared.name(*field), part.shared.value(*value), replaces);
            }
            StepKind::Remove { field, .. } => {
                let replaces = self.replaced(step, change, place)?;
                operations.remove(part.shared.name(*field), replaces);
            }
        }
        Ok(())
    }

    /// Returns the operations that a step replaces, after making sure that they are values of that field.
    fn replaced(
        &mut self,
        step: &PartStep,
        change: &PartChange,
        place: &Place,
    ) -> Result<Vec<OpId>, Hostile> {
        let part = self.part;
        let replaced = part.replaced_by(step);
        if replaced.is_empty() {
            return Ok(Vec::new());
        }
        let field = match &step.kind {
            StepKind::Set { field, .. } | StepKind::Remove { field, .. } => *field,
            StepKind::Make { .. } | StepKind::Select { .. } => return Err(Hostile::UnknownValue),
        };
        let item = item_of(part, change, step, place).ok_or(Hostile::UnknownItem)?;
        let name = Cow::Borrowed(part.shared.name(field));
        let expected = Some(Made::Field { item, name });
        for operation in replaced {
            if self.made(*operation, place) != expected {
                return Err(Hostile::UnknownValue);
            }
        }
        Ok(replaced.iter().map(|operation| OpId::from(*operation)).collect())
    }

    /// Returns what an operation made, if it is in the past of a change at `place`.
    fn made(&mut self, operation: OpRef, place: &Place) -> Option<Made<'_>> {
        let (node, holder) = self.past.holder(operation, place)?;
        let stored = self.past.len() - self.added.len();
        let Some(added) = node.index().checked_sub(stored) else {
            return self.stored.made(node, operation);
        };
        let change = self.part.changes.get(*self.added.get(added)? as usize)?;
        let steps = self.part.steps_of(change);
        let offset = u32::try_from(operation.counter - holder.start).ok()?;
        // A selection has the offset of the step after it, and that one is meant.
        let after = steps.partition_point(|step| step.offset <= offset);
        let step = steps.get(after.checked_sub(1)?).filter(|step| step.offset == offset)?;
        match &step.kind {
            StepKind::Make { key } => Some(Made::Item { key: self.part.key(*key).into() }),
            StepKind::Set { field, .. } => {
                let item = item_of(self.part, change, step, holder)?;
                Some(Made::Field { item, name: self.part.shared.name(*field).into() })
            }
            StepKind::Select { .. } | StepKind::Remove { .. } => None,
        }
    }
}

/// Returns the item that a step is about. `place` is where its change stands.
fn item_of(part: &BatchPart, change: &PartChange, step: &PartStep, place: &Place) -> Option<OpRef> {
    let turn = part.steps_of(change).get(step.item as usize)?;
    match &turn.kind {
        StepKind::Select { item } => Some(*item),
        _ => Some(OpRef { counter: place.start + u64::from(turn.offset), actor: change.author }),
    }
}

/// What the operations of the document's own changes made; read only where an edit needs it.
struct Stored<'a> {
    document: &'a Automerge,
    changes: Option<Vec<Change>>,
    read: HashMap<Node, HashMap<u64, Made<'static>>>,
}

impl Stored<'_> {
    fn made(&mut self, node: Node, operation: OpRef) -> Option<Made<'_>> {
        let document = self.document;
        let changes = self.changes.get_or_insert_with(|| document.get_changes(&[]));
        let change = changes.get(node.index())?;
        let made = self.read.entry(node).or_insert_with(|| read(change, operation.actor));
        match made.get(&operation.counter)? {
            Made::Item { key } => Some(Made::Item { key: Cow::Borrowed(key) }),
            Made::Field { item, name } => {
                Some(Made::Field { item: *item, name: Cow::Borrowed(name) })
            }
        }
    }
}

fn read(change: &Change, actor: Actor) -> HashMap<u64, Made<'static>> {
    let mut made = HashMap::new();
    let mut at = OpRef { counter: 0, actor };
    for (counter, step) in steps(&change.decode()).unwrap_or_default() {
        match step {
            Step::Make { key } => {
                at = OpRef { counter, actor };
                made.insert(counter, Made::Item { key: key.into() });
            }
            Step::Select { item } => at = item,
            Step::Set { field, .. } => {
                made.insert(counter, Made::Field { item: at, name: field.into() });
            }
            Step::Remove { .. } => {}
        }
    }
    made
}
