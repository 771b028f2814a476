//! Merging a part of a batch: checking its changes against the document, and making the document that results.
//!
//! The batch has said what the changes do; `batch/decode.rs` has checked all that needs no document. Checked here: no
//! second change stands where one stands already; every item and every replaced operation is in the causal past of the
//! change that names it, and is what it is named as.
//!
//! Then the changes go into a copy of the document's rows (`rows.rs`), those are written as a saved document
//! (`chunk.rs`), and Automerge loads it: it rebuilds every change, hashes it, and finds the heads. They must be the old
//! ones and those that the batch names, which proves every change, old and new, to be what its writer made. What
//! Automerge saves then must be what it loaded. Only after that is the result given out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use automerge::legacy::OpId;
use automerge::{Automerge, Change};

use super::chunk::Chunk;
use super::past::{Node, Past, Place};
use super::rows::Rows;
use super::save;
use crate::Actor;
use crate::batch::{BatchPart, Dependency, PartChange, PartStep, StepKind, limits};
use crate::change::{ChangeHash, OpRef, Operations, Step, Tip, actor, steps};

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
    /// Automerge cannot load the document with the changes. None such is known; the part is kept unmerged.
    #[error("the document with the changes cannot be loaded")]
    Refused(#[source] automerge::AutomergeError),
    /// Automerge saves the document otherwise than this crate expects. None such is known; the part is kept unmerged.
    #[error("the document is laid out in an unknown way")]
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
    Heads,
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
    let stored = document.save_nocompress();
    let chunk = Chunk::read(&stored).ok_or(MergeError::Unstable)?;
    let mut merging = Merging::new(document, part, chunk)?;
    for change in &part.changes {
        merging.add(change)?;
    }
    let heads = merging.heads()?;
    let (count, touched) = (merging.added.len(), std::mem::take(&mut merging.touched));
    let merged = match count {
        0 => document.clone(),
        _ => load(&merging.rows.finish().write(&heads))?,
    };
    let tips = tips(&merged, part.authors().into_keys().collect());
    Ok((
        Merged {
            saved: save(&merged),
            touched,
            tips,
            changes: count,
        },
        merged,
    ))
}

/// Has Automerge load and verify a document, and makes sure that it saves the same.
fn load(chunk: &[u8]) -> Result<Automerge, MergeError> {
    if cfg!(ebb_mutant = "unchecked-batch") {
        return Automerge::load_unverified_heads(chunk).map_err(MergeError::Refused);
    }
    let document =
        Automerge::load(chunk).map_err(|error| match Automerge::load_unverified_heads(chunk) {
            Ok(_) => Hostile::Heads.into(),
            Err(_) => MergeError::Refused(error),
        })?;
    if document.save_nocompress() == chunk {
        Ok(document)
    } else {
        Err(MergeError::Unstable)
    }
}

/// Returns the last changes of these chains.
fn tips(document: &Automerge, actors: BTreeSet<Actor>) -> Vec<(Actor, Tip)> {
    let mut tips = BTreeMap::new();
    for change in document.get_changes_meta(&[]) {
        let Ok(author) = actor(&change.actor) else {
            continue;
        };
        if actors.contains(&author) {
            let tip = Tip {
                seq: change.seq,
                max_op: change.max_op,
                hash: change.hash.into(),
            };
            // A chain's changes are in order.
            tips.insert(author, tip);
        }
    }
    tips.into_iter().collect()
}

struct Merging<'a> {
    part: &'a BatchPart,
    past: Past,
    stored: Stored<'a>,
    rows: Rows<'a>,
    heads: Vec<ChangeHash>,
    /// The changes that the part depends on and does not hold, in the order it names them.
    outside: Vec<Node>,
    /// The changes of the part so far.
    nodes: Vec<Node>,
    /// The changes that are new to the document. Their nodes follow those of the document.
    added: Vec<&'a PartChange>,
    /// Changes of the part that the document has.
    had: HashSet<Node>,
    /// The changes that new ones depend on.
    depended: HashSet<Node>,
    touched: BTreeSet<String>,
}

/// What an operation made.
#[derive(PartialEq, Debug)]
enum Made<'a> {
    Item { key: Cow<'a, str> },
    Field { item: OpRef, name: Cow<'a, str> },
}

impl<'a> Merging<'a> {
    fn new(
        document: &'a Automerge,
        part: &'a BatchPart,
        chunk: Chunk<'a>,
    ) -> Result<Self, MergeError> {
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
            stored: Stored {
                document,
                changes: None,
                read: HashMap::new(),
            },
            rows: Rows::new(chunk, part.authors().into_keys().collect()),
            heads: document
                .get_heads()
                .into_iter()
                .map(ChangeHash::from)
                .collect(),
            outside: outside.into_iter().flatten().collect(),
            nodes: Vec::with_capacity(part.len()),
            added: Vec::new(),
            had: HashSet::new(),
            depended: HashSet::new(),
            touched: BTreeSet::new(),
        })
    }

    fn add(&mut self, change: &'a PartChange) -> Result<(), Hostile> {
        let mut deps = Vec::new();
        for dependency in self.part.dependencies_of(change) {
            let node = match dependency {
                Dependency::Inside(index) => self.nodes.get(*index as usize),
                Dependency::Outside(index) => self.outside.get(*index as usize),
            };
            deps.extend(node.copied());
        }
        if deps.len() > 1 && deps.iter().collect::<HashSet<_>>().len() < deps.len() {
            return Err(Hostile::RepeatedDependency);
        }
        let mut place = self.past.place(change.author, &deps)?;
        place.max_op = place.start + u64::from(change.operations) - 1;
        if place.max_op > limits::MAX_COUNTER {
            return Err(Hostile::Counter);
        }
        if let Some(node) = self.past.at(&place) {
            let hash = self.hash(change, &place, &deps);
            let same = hash.is_some() && self.past.hash(node) == hash && self.had.insert(node);
            self.nodes.push(node);
            let (actor, seq) = (place.author, place.seq);
            return if same {
                Ok(())
            } else {
                Err(Hostile::Fork { actor, seq })
            };
        }
        self.write(change, &place)?;
        let indexes = deps.iter().map(|node| node.index() as u32).collect();
        self.rows.end(place.seq, change.time, indexes);
        self.depended.extend(deps);
        self.added.push(change);
        self.nodes.push(self.past.push(place, None));
        Ok(())
    }

    /// Returns the hash of a change that stands where the document has one. `None` if it cannot be that one, because it
    /// depends on changes that are new.
    fn hash(&self, change: &PartChange, place: &Place, deps: &[Node]) -> Option<ChangeHash> {
        let part = self.part;
        let deps = deps.iter().map(|node| Some(self.past.hash(*node)?.into()));
        let deps = deps.collect::<Option<Vec<_>>>()?;
        let mut operations = Operations::new(change.author, place.start);
        for step in part.steps_of(change) {
            let replaces = part
                .replaced_by(step)
                .iter()
                .map(|by| OpId::from(*by))
                .collect();
            match &step.kind {
                StepKind::Make { key } => operations.make(part.key(*key)),
                StepKind::Select { item } => operations.select(*item),
                StepKind::Set { field, value, .. } => {
                    operations.set(
                        part.shared.name(*field),
                        part.shared.value(*value),
                        replaces,
                    );
                }
                StepKind::Remove { field, .. } => {
                    operations.remove(part.shared.name(*field), replaces);
                }
            }
        }
        Some(
            operations
                .finish(place.seq, change.time, deps)
                .hash()
                .into(),
        )
    }

    /// Writes what a new change does, after making sure that it may.
    fn write(&mut self, change: &'a PartChange, place: &Place) -> Result<(), Hostile> {
        let part = self.part;
        self.rows.begin(change.author, place.start);
        for step in part.steps_of(change) {
            match &step.kind {
                StepKind::Make { key } => {
                    let key = part.key(*key);
                    self.touched.insert(key.to_owned());
                    self.rows.make(key);
                }
                StepKind::Select { item } => {
                    let Some(Made::Item { key }) = self.made(*item, place) else {
                        return Err(Hostile::UnknownItem);
                    };
                    let key = key.into_owned();
                    self.touched.insert(key);
                    self.rows.select(*item);
                }
                StepKind::Set { field, value, .. } => {
                    let replaces = self.replaced(step, *field, change, place)?;
                    let (name, value) = (part.shared.name(*field), part.shared.value(*value));
                    self.rows.set(name, value, replaces);
                }
                StepKind::Remove { field, .. } => {
                    let replaces = self.replaced(step, *field, change, place)?;
                    self.rows.remove(replaces);
                }
            }
        }
        Ok(())
    }

    /// Returns the operations that a step replaces, after making sure that they are values of that field.
    fn replaced(
        &mut self,
        step: &PartStep,
        field: u32,
        change: &PartChange,
        place: &Place,
    ) -> Result<&'a [OpRef], Hostile> {
        let part = self.part;
        let replaced = part.replaced_by(step);
        if !replaced.is_empty() {
            let item = item_of(part, change, step, place).ok_or(Hostile::UnknownItem)?;
            let name = Cow::Borrowed(part.shared.name(field));
            let expected = Some(Made::Field { item, name });
            for operation in replaced {
                if self.made(*operation, place) != expected {
                    return Err(Hostile::UnknownValue);
                }
            }
        }
        Ok(replaced)
    }

    /// Returns the heads of the document that results, by hash and index.
    fn heads(&self) -> Result<Vec<(ChangeHash, u32)>, Hostile> {
        let mut heads = BTreeMap::new();
        for hash in &self.heads {
            let node = self.past.find(hash).ok_or(Hostile::Document)?;
            if !self.depended.contains(&node) {
                heads.insert(*hash, node.index() as u32);
            }
        }
        for (index, hash) in &self.part.heads {
            let node = *self.nodes.get(*index as usize).ok_or(Hostile::Heads)?;
            match self.past.hash(node) {
                Some(known) if known == *hash => {}
                Some(_) => return Err(Hostile::Heads),
                None => {
                    heads.insert(*hash, node.index() as u32);
                }
            }
        }
        Ok(heads.into_iter().collect())
    }

    /// Returns what an operation made, if it is in the past of a change at `place`.
    fn made(&mut self, operation: OpRef, place: &Place) -> Option<Made<'_>> {
        let (node, holder) = self.past.holder(operation, place)?;
        let stored = self.past.len() - self.added.len();
        let Some(added) = node.index().checked_sub(stored) else {
            return self.stored.made(node, operation);
        };
        let change = *self.added.get(added)?;
        let steps = self.part.steps_of(change);
        let offset = u32::try_from(operation.counter - holder.start).ok()?;
        // A selection has the offset of the step after it, and that one is meant.
        let after = steps.partition_point(|step| step.offset <= offset);
        let step = steps
            .get(after.checked_sub(1)?)
            .filter(|step| step.offset == offset)?;
        match &step.kind {
            StepKind::Make { key } => Some(Made::Item {
                key: self.part.key(*key).into(),
            }),
            StepKind::Set { field, .. } => {
                let item = item_of(self.part, change, step, holder)?;
                Some(Made::Field {
                    item,
                    name: self.part.shared.name(*field).into(),
                })
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
        _ => Some(OpRef {
            counter: place.start + u64::from(turn.offset),
            actor: change.author,
        }),
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
        let changes = self
            .changes
            .get_or_insert_with(|| document.get_changes(&[]));
        let change = changes.get(node.index())?;
        let made = self
            .read
            .entry(node)
            .or_insert_with(|| read(change, operation.actor));
        match made.get(&operation.counter)? {
            Made::Item { key } => Some(Made::Item {
                key: Cow::Borrowed(key),
            }),
            Made::Field { item, name } => Some(Made::Field {
                item: *item,
                name: Cow::Borrowed(name),
            }),
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
                made.insert(
                    counter,
                    Made::Field {
                        item: at,
                        name: field.into(),
                    },
                );
            }
            Step::Remove { .. } => {}
        }
    }
    made
}
