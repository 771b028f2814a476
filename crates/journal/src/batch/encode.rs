//! Writing a batch from this replica's own changes.
//!
//! The changes are trusted to be ebb's, and are checked to be within the limits that a receiver sets: nothing is sent
//! that every receiver would refuse. How the bytes look is said in `batch.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::Digest;

use super::columns::{put_bytes, put_ids, put_varint, zigzag};
use super::limits;
use super::taken::Taken;
use crate::change::{ChangeHash, InvalidItem, NotOurs, OpRef, Step, actor, steps};
use crate::{Actor, DocumentId, EntryId, Scalar, Value};

/// Why changes cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The bytes are not an uncompressed Automerge change, or its checksum is wrong.
    #[error("a stored change is damaged")]
    Damaged,
    /// The change does what ebb's changes do not.
    #[error("a change is not one of ebb's: {0}")]
    NotOurs(#[from] NotOurs),
    /// The change holds what no change may hold.
    #[error("a change holds what it must not: {0}")]
    Invalid(#[from] InvalidItem),
    /// The time is not in [`limits::TIMES`].
    #[error("a change's time is outside the years 1970 to 9999")]
    Time,
    /// A change was given before one that it depends on.
    #[error("the changes are not in causal order")]
    OutOfOrder,
    /// A change was given twice.
    #[error("a change was given twice")]
    Repeated,
    /// The changes do not fit into one batch. See [`Encoder`] for making several.
    #[error("the changes are too many for one batch")]
    TooLarge,
    /// No changes were given.
    #[error("a batch without changes")]
    Empty,
}

/// Encodes changes as one batch, which the caller compresses.
///
/// `changes` are raw uncompressed change chunks, those of one document in causal order.
///
/// # Errors
/// [`EncodeError`] if a change is not one that may be sent, or if they do not fit into one batch.
pub fn encode(changes: &[(DocumentId, &[u8])]) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::default();
    for (document, change) in changes {
        match encoder.push(*document, change)? {
            Pushed::Taken => {}
            Pushed::Full => return Err(EncodeError::TooLarge),
        }
    }
    if encoder.is_empty() {
        Err(EncodeError::Empty)
    } else {
        Ok(encoder.finish())
    }
}

/// What became of a change that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the batch.
    Taken,
    /// It does not fit: finish this batch, and push the change to a new one. Every change fits into an empty batch.
    Full,
}

/// A batch that grows change by change, until it is full.
#[derive(Debug, Default)]
pub struct Encoder {
    documents: BTreeMap<DocumentId, Part>,
    actors: HashSet<Actor>,
    names: HashSet<String>,
    taken: Taken,
}

#[derive(Debug, Default)]
struct Part {
    changes: Vec<Parsed>,
    index: HashMap<ChangeHash, usize>,
    outside: HashSet<ChangeHash>,
}

#[derive(Debug)]
struct Parsed {
    author: Actor,
    time: i64,
    deps: Vec<ChangeHash>,
    steps: Vec<Step>,
}

impl Encoder {
    /// Whether no change was taken yet.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Adds a change, unless the batch is too full for it.
    ///
    /// # Errors
    /// [`EncodeError`] if the change is not one that may be sent, or not in causal order.
    pub fn push(&mut self, document: DocumentId, raw: &[u8]) -> Result<Pushed, EncodeError> {
        let (hash, change) = parse(raw)?;
        let mut taken = self.taken;
        taken.change(change.time, &change.deps, &change.steps)?;
        let mut actors = BTreeSet::from([change.author]);
        let mut names = BTreeSet::new();
        for step in &change.steps {
            actors.extend(step.references().iter().map(|operation| operation.actor));
            names.extend(step.field().filter(|name| !self.names.contains(*name)));
        }
        names.iter().for_each(|name| taken.name(name));
        actors.retain(|actor| !self.actors.contains(actor));
        taken.actors(actors.len());
        let full = !taken.fit()
            || self.actors.len() + actors.len() > limits::MAX_ACTORS
            || self.documents.len() == limits::MAX_DOCUMENTS
                && !self.documents.contains_key(&document);
        if full {
            return if self.is_empty() {
                Err(EncodeError::TooLarge)
            } else {
                Ok(Pushed::Full)
            };
        }
        let names = names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        self.documents
            .entry(document)
            .or_default()
            .push(hash, change)?;
        self.taken = taken;
        self.actors.extend(actors);
        self.names.extend(names);
        Ok(Pushed::Taken)
    }

    /// Ends the batch. One without changes decodes to an error.
    pub fn finish(self) -> Vec<u8> {
        let mut columns = Columns::new(&self);
        let mut documents = Vec::new();
        let mut next = 0;
        for (document, part) in &self.documents {
            let code = super::code(*document);
            put_varint(&mut documents, code - next);
            next = code + 1;
            columns.put(part, &mut documents);
        }
        let mut out = vec![1];
        put_varint(&mut out, columns.actors.list.len() as u64);
        put_varint(&mut out, columns.authors as u64);
        out.extend(columns.actors.list.iter().flat_map(|actor| actor.0));
        put_varint(&mut out, columns.names.list.len() as u64);
        for name in &columns.names.list {
            put_bytes(&mut out, name.as_bytes());
        }
        put_varint(&mut out, self.documents.len() as u64);
        out.extend(documents);
        columns.finish(&mut out);
        out
    }
}

impl Part {
    fn push(&mut self, hash: ChangeHash, change: Parsed) -> Result<(), EncodeError> {
        if self.index.contains_key(&hash) {
            return Err(EncodeError::Repeated);
        }
        if self.outside.contains(&hash) {
            return Err(EncodeError::OutOfOrder);
        }
        self.index.insert(hash, self.changes.len());
        self.outside.extend(
            change
                .deps
                .iter()
                .filter(|dep| !self.index.contains_key(*dep)),
        );
        self.changes.push(change);
        Ok(())
    }

    /// Returns the changes on which no other depends, in order.
    fn heads(&self) -> Vec<ChangeHash> {
        let depended = self
            .changes
            .iter()
            .flat_map(|change| &change.deps)
            .collect::<HashSet<_>>();
        let mut heads = self
            .index
            .iter()
            .filter(|(hash, _)| !depended.contains(hash))
            .collect::<Vec<_>>();
        heads.sort_unstable_by_key(|(_, index)| **index);
        heads.into_iter().map(|(hash, _)| *hash).collect()
    }
}

/// Reads a raw change. Its checksum covers every byte, so damage on disk is found before Automerge sees the bytes.
fn parse(raw: &[u8]) -> Result<(ChangeHash, Parsed), EncodeError> {
    const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
    const CHANGE: u8 = 1;
    let (head, body) = raw.split_first_chunk::<8>().ok_or(EncodeError::Damaged)?;
    let hash = <[u8; 32]>::from(sha2::Sha256::digest(body));
    let sound = head.iter().eq(MAGIC.iter().chain(hash.iter().take(4)));
    if !sound || body.first() != Some(&CHANGE) {
        return Err(EncodeError::Damaged);
    }
    let change = automerge::Change::try_from(raw).map_err(|_| EncodeError::Damaged)?;
    let expanded = change.decode();
    let parsed = Parsed {
        author: actor(&expanded.actor_id)?,
        time: expanded.time,
        deps: expanded.deps.iter().map(|dep| (*dep).into()).collect(),
        steps: steps(&expanded)?
            .into_iter()
            .map(|(_, step)| step)
            .collect(),
    };
    Ok((ChangeHash(hash), parsed))
}

/// Things in the order they were first named, each once.
#[derive(Debug)]
struct Table<T> {
    list: Vec<T>,
    index: HashMap<T, usize>,
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn new() -> Self {
        Self {
            list: Vec::new(),
            index: HashMap::new(),
        }
    }

    fn index(&mut self, thing: &T) -> u64 {
        if let Some(index) = self.index.get(thing) {
            return *index as u64;
        }
        let index = self.list.len();
        self.index.insert(thing.clone(), index);
        self.list.push(thing.clone());
        index as u64
    }
}

/// The columns as they grow.
struct Columns {
    actors: Table<Actor>,
    authors: usize,
    names: Table<String>,
    author: Vec<u8>,
    times: Vec<u8>,
    dependencies: Vec<u8>,
    step_counts: Vec<u8>,
    steps: Vec<u8>,
    references: Vec<u8>,
    ids: Vec<EntryId>,
    keys: Vec<u8>,
    values: Vec<Values>,
}

#[derive(Default)]
struct Values {
    bytes: Vec<u8>,
    /// Where each value was written first, by its bytes.
    known: HashMap<Vec<u8>, u64>,
    count: u64,
}

impl Columns {
    fn new(encoder: &Encoder) -> Self {
        let mut actors = Table::new();
        for change in encoder.documents.values().flat_map(|part| &part.changes) {
            actors.index(&change.author);
        }
        Self {
            authors: actors.list.len(),
            actors,
            names: Table::new(),
            author: Vec::new(),
            times: Vec::new(),
            dependencies: Vec::new(),
            step_counts: Vec::new(),
            steps: Vec::new(),
            references: Vec::new(),
            ids: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Puts the changes of a document into the columns, and what stands beside the document's code into `header`.
    fn put(&mut self, part: &Part, header: &mut Vec<u8>) {
        let mut outside = Table::new();
        let mut time = 0;
        for (index, change) in part.changes.iter().enumerate() {
            let author = self.actors.index(&change.author);
            put_varint(&mut self.author, author);
            let base = change.first_id().map_or(time, |id| id.unix_ms() / 1000);
            put_varint(&mut self.times, zigzag(change.time - base));
            time = change.time;
            put_varint(&mut self.dependencies, change.deps.len() as u64);
            for dep in &change.deps {
                if let Some(inside) = part.index.get(dep) {
                    put_varint(&mut self.dependencies, (index - inside) as u64);
                } else {
                    put_varint(&mut self.dependencies, 0);
                    let index = outside.index(dep);
                    put_varint(&mut self.dependencies, index);
                }
            }
            put_varint(&mut self.step_counts, change.steps.len() as u64);
            self.put_steps(&change.steps);
        }
        put_varint(header, part.changes.len() as u64);
        put_varint(header, outside.list.len() as u64);
        header.extend(outside.list.iter().flat_map(|hash| hash.0));
        let heads = part.heads();
        put_varint(header, heads.len() as u64);
        header.extend(heads.into_iter().flat_map(|hash| hash.0));
    }

    fn put_steps(&mut self, steps: &[Step]) {
        let mut item = Item::Selected { counter: 0 };
        for step in steps {
            match step {
                Step::Make { key } => {
                    let id = key.parse::<EntryId>().ok();
                    if let Some(id) = id {
                        self.ids.push(id);
                    } else {
                        put_bytes(&mut self.keys, key.as_bytes());
                    }
                    put_varint(&mut self.steps, if id.is_some() { 0 } else { 1 });
                    item = Item::Made { id };
                }
                Step::Select { item: selected } => {
                    put_varint(&mut self.steps, 2);
                    self.put_reference(*selected, selected.counter);
                    item = Item::Selected {
                        counter: selected.counter,
                    };
                }
                Step::Set {
                    field,
                    value,
                    replaces,
                } => {
                    let kind = if replaces.is_empty() { 0 } else { 1 };
                    let column = self.put_field(field, kind);
                    self.put_replaced(replaces, &item);
                    if let Some(values) = self.values.get_mut(column) {
                        values.put(value, item.id());
                    }
                }
                Step::Remove { field, replaces } => {
                    self.put_field(field, 2);
                    self.put_replaced(replaces, &item);
                }
            }
        }
    }

    fn put_field(&mut self, field: &String, kind: u64) -> usize {
        let column = self.names.index(field);
        put_varint(&mut self.steps, 3 + 3 * column + kind);
        self.values
            .resize_with(self.names.list.len(), Values::default);
        column as usize
    }

    fn put_replaced(&mut self, replaces: &[OpRef], item: &Item) {
        if replaces.is_empty() {
            return;
        }
        put_varint(&mut self.references, replaces.len() as u64);
        for operation in replaces {
            let counter = operation.counter as i64 - item.counter() as i64;
            self.put_reference(*operation, zigzag(counter));
        }
    }

    fn put_reference(&mut self, operation: OpRef, number: u64) {
        let actor = self.actors.index(&operation.actor);
        put_varint(&mut self.references, actor);
        put_varint(&mut self.references, number);
    }

    fn finish(self, out: &mut Vec<u8>) {
        if self.authors > 1 {
            put_bytes(out, &self.author);
        }
        for column in [
            &self.times,
            &self.dependencies,
            &self.step_counts,
            &self.steps,
            &self.references,
        ] {
            put_bytes(out, column);
        }
        put_ids(out, &self.ids);
        put_bytes(out, &self.keys);
        for values in &self.values {
            put_bytes(out, &values.bytes);
        }
    }
}

/// The item that steps are about.
enum Item {
    Made { id: Option<EntryId> },
    Selected { counter: u64 },
}

impl Item {
    fn id(&self) -> Option<EntryId> {
        match self {
            Self::Made { id } => *id,
            Self::Selected { .. } => None,
        }
    }

    fn counter(&self) -> u64 {
        match self {
            Self::Made { .. } => 0,
            Self::Selected { counter } => *counter,
        }
    }
}

impl Parsed {
    /// The entry id of the item that the change makes first.
    fn first_id(&self) -> Option<EntryId> {
        self.steps.iter().find_map(|step| match step {
            Step::Make { key } => Some(key.parse().ok()),
            _ => None,
        })?
    }
}

impl Values {
    fn put(&mut self, value: &Value, id: Option<EntryId>) {
        let plain = value_bytes(value);
        if let Some(index) = self.known.get(&plain) {
            put_varint(&mut self.bytes, *index);
            return;
        }
        self.bytes.push(0);
        let near = match (value, id) {
            (Value::Scalar(Scalar::Timestamp(ms)), Some(id)) => id.unix_ms().checked_sub(*ms),
            _ => None,
        };
        if let Some(before) = near {
            self.bytes.push(9);
            put_varint(&mut self.bytes, zigzag(before));
        } else {
            self.bytes.extend_from_slice(&plain);
        }
        self.count += 1;
        self.known.insert(plain, self.count);
    }
}

/// Returns a value as a batch writes it: other bytes for every other value.
pub(crate) fn value_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_value(&mut out, value);
    out
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Scalar(scalar) => put_scalar(out, scalar),
        Value::List(scalars) => {
            out.push(8);
            put_varint(out, scalars.len() as u64);
            for scalar in scalars {
                put_scalar(out, scalar);
            }
        }
    }
}

fn put_scalar(out: &mut Vec<u8>, scalar: &Scalar) {
    match scalar {
        Scalar::Null => out.push(0),
        Scalar::Bool(yes) => out.push(if *yes { 2 } else { 1 }),
        Scalar::Int(number) => {
            out.push(3);
            put_varint(out, zigzag(*number));
        }
        Scalar::Float(number) => {
            out.push(4);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Scalar::Text(text) => {
            out.push(5);
            put_bytes(out, text.as_bytes());
        }
        Scalar::Bytes(bytes) => {
            out.push(6);
            put_bytes(out, bytes);
        }
        Scalar::Timestamp(ms) => {
            out.push(7);
            put_varint(out, zigzag(*ms));
        }
    }
}
