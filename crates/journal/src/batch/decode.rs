//! Reading a batch from another device: everything is checked that can be checked without the document.
//!
//! Invariants: no count is believed before that many bytes are there; what the changes amount to when written out is
//! counted while reading, and refused beyond [`limits`]; nothing here panics. Automerge is not involved.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::columns::{Columns, Reader, read_value};
use super::{
    Authors, Batch, BatchPart, Counts, Dependency, PartChange, PartStep, Shared, StepKind,
    limits::{self, Limit},
};
use crate::change::{ChangeHash, InvalidItem, OpRef, Size, check_key, check_name, check_time};
use crate::{Actor, DocumentId, EntryId, Value};

/// Why bytes are not a batch that may be merged. Except for [`BatchError::Version`], an honest device makes none such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The format is that of a newer ebb.
    #[error("the batch has the unknown format version {0}")]
    Version(u8),
    /// A limit of [`limits`] is exceeded.
    #[error("the batch exceeds the limit on {0}")]
    TooLarge(Limit),
    /// The bytes end too early, or a count is greater than what follows.
    #[error("the batch is cut short")]
    Truncated,
    /// Bytes are left over.
    #[error("the batch has bytes left over")]
    Leftover,
    /// A number is out of its range, or an index points nowhere.
    #[error("the batch has a number out of range")]
    Number,
    /// A text is not UTF-8.
    #[error("the batch has a text that is not UTF-8")]
    Text,
    /// A value's tag is unknown.
    #[error("the batch has a value of an unknown type")]
    Tag(u8),
    /// An author is not one whose changes the batch may carry.
    #[error("the batch has a change of a chain that is not its own")]
    Author(Actor),
    /// An actor, name, document, item or field is there twice.
    #[error("the batch repeats what it may say once")]
    Repeated,
    /// A part that must not be empty is.
    #[error("the batch has an empty part")]
    Empty,
    /// A field belongs to no item, or an item is selected for nothing.
    #[error("the batch has a step out of place")]
    Misplaced,
    /// A key, name or value is not one that may be written.
    #[error("the batch has an item that must not be: {0}")]
    Item(#[from] InvalidItem),
}

/// Decodes a batch, after the caller has decompressed it to at most [`limits::MAX_BYTES`].
///
/// `authors` are those whose changes it may carry.
///
/// # Errors
/// [`BatchError`] if the bytes are not a batch within the limits, or carry a change of another chain.
pub fn decode(bytes: &[u8], authors: &Authors<'_>) -> Result<Batch, BatchError> {
    if bytes.len() > limits::MAX_BYTES {
        return Err(BatchError::TooLarge(Limit::Bytes));
    }
    let mut input = Reader::new(bytes);
    let version = input.byte()?;
    if version != 1 {
        return Err(BatchError::Version(version));
    }
    let actors = Actors::read(&mut input, authors)?;
    let names = read_names(&mut input)?;
    let headers = read_headers(&mut input)?;
    let columns = Columns::read(&mut input, actors.authors, names.len())?;
    input.end()?;
    let mut decoder = Decoder {
        actors,
        names,
        columns,
        values: Vec::new(),
        sizes: Vec::new(),
        taken: Size::default(),
        references: 0,
        items: 0,
    };
    let mut parts = Vec::with_capacity(headers.len());
    for header in headers {
        parts.push(decoder.read_part(header)?);
    }
    decoder.finish(parts)
}

struct Actors {
    list: Vec<Actor>,
    authors: usize,
}

impl Actors {
    fn read(input: &mut Reader<'_>, allowed: &Authors<'_>) -> Result<Self, BatchError> {
        let count = input.varint()?;
        if count > limits::MAX_ACTORS as u64 {
            return Err(BatchError::TooLarge(Limit::Actors));
        }
        let authors = input.varint()?;
        if authors == 0 || authors > count {
            return Err(BatchError::Number);
        }
        let mut seen = HashSet::new();
        let mut list = Vec::new();
        for index in 0..count {
            let actor = Actor(input.array()?);
            if !seen.insert(actor) {
                return Err(BatchError::Repeated);
            }
            if index < authors && !allowed.allow(actor) {
                return Err(BatchError::Author(actor));
            }
            list.push(actor);
        }
        Ok(Self {
            list,
            authors: authors as usize,
        })
    }

    fn any(&self, index: u64) -> Result<Actor, BatchError> {
        let index = usize::try_from(index).map_err(|_| BatchError::Number)?;
        self.list.get(index).copied().ok_or(BatchError::Number)
    }

    fn author(&self, index: u64) -> Result<Actor, BatchError> {
        if index < self.authors as u64 {
            self.any(index)
        } else {
            Err(BatchError::Number)
        }
    }
}

fn read_names(input: &mut Reader<'_>) -> Result<Vec<String>, BatchError> {
    let count = input.count(2)?;
    if count > limits::MAX_OPERATIONS {
        return Err(BatchError::TooLarge(Limit::Operations));
    }
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for _ in 0..count {
        let name = input.text()?;
        check_name(name)?;
        if !seen.insert(name) {
            return Err(BatchError::Repeated);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

struct Header {
    document: DocumentId,
    changes: usize,
    outside: Vec<ChangeHash>,
    heads: Vec<ChangeHash>,
}

fn read_headers(input: &mut Reader<'_>) -> Result<Vec<Header>, BatchError> {
    let count = input.varint()?;
    if count == 0 {
        return Err(BatchError::Empty);
    }
    if count > limits::MAX_DOCUMENTS as u64 {
        return Err(BatchError::TooLarge(Limit::Documents));
    }
    let mut headers = Vec::new();
    let (mut next, mut references) = (0_u64, 0);
    for _ in 0..count {
        let code = input
            .varint()?
            .checked_add(next)
            .ok_or(BatchError::Number)?;
        let document = super::document(code).ok_or(BatchError::Number)?;
        next = code + 1;
        let changes = input.varint()?;
        if changes == 0 {
            return Err(BatchError::Empty);
        }
        let changes = usize::try_from(changes).map_err(|_| BatchError::Number)?;
        if changes > limits::MAX_OPERATIONS {
            return Err(BatchError::TooLarge(Limit::Operations));
        }
        let outside = read_hashes(input, &mut references)?;
        let heads = read_hashes(input, &mut references)?;
        headers.push(Header {
            document,
            changes,
            outside,
            heads,
        });
    }
    Ok(headers)
}

fn read_hashes(
    input: &mut Reader<'_>,
    references: &mut usize,
) -> Result<Vec<ChangeHash>, BatchError> {
    let count = input.count(32)?;
    *references += count;
    if *references > limits::MAX_REFERENCES {
        return Err(BatchError::TooLarge(Limit::References));
    }
    (0..count).map(|_| input.array().map(ChangeHash)).collect()
}

struct Decoder<'a> {
    actors: Actors,
    names: Vec<String>,
    columns: Columns<'a>,
    values: Vec<Value>,
    /// What each of `values` takes.
    sizes: Vec<Size>,
    taken: Size,
    references: usize,
    items: usize,
}

/// What a change has said so far.
struct Progress {
    size: Size,
    /// The step that made or selected the item.
    item: Option<u32>,
    /// The id of the item, if this change made it with one.
    id: Option<EntryId>,
    first_id: Option<Option<EntryId>>,
    /// The counter that references to replaced operations are relative to.
    counter: u64,
    selected: HashSet<OpRef>,
    fields: Vec<u32>,
    /// Whether an item was selected and nothing was said of it yet.
    idle: bool,
}

impl<'a> Decoder<'a> {
    fn read_part(&mut self, header: Header) -> Result<BatchPart, BatchError> {
        let mut part = BatchPart {
            document: header.document,
            shared: Arc::default(),
            changes: Vec::new(),
            steps: Vec::new(),
            dependencies: Vec::new(),
            replaced: Vec::new(),
            keys: Vec::new(),
            outside: header.outside,
            heads: Vec::new(),
        };
        let (mut time, mut outside) = (0, 0);
        for index in 0..header.changes {
            let author = match &mut self.columns.authors {
                Some(column) => column.varint()?,
                None => 0,
            };
            let author = self.actors.author(author)?;
            let delta = self.columns.times.signed()?;
            let dependencies = self.read_dependencies(&mut part, index, &mut outside)?;
            let first = part.steps.len();
            let progress = self.read_steps(&mut part)?;
            let base = match progress.first_id {
                Some(Some(id)) => id.unix_ms() / 1000,
                _ => time,
            };
            time = base.checked_add(delta).and_then(check_time).ok_or(TIME)?;
            part.changes.push(PartChange {
                author,
                time,
                operations: progress.size.operations as u32,
                dependencies,
                steps: range(first, part.steps.len()),
            });
        }
        if outside != part.outside.len() {
            return Err(BatchError::Leftover);
        }
        part.heads = read_heads(&part, header.heads)?;
        Ok(part)
    }

    fn read_dependencies(
        &mut self,
        part: &mut BatchPart,
        index: usize,
        outside: &mut usize,
    ) -> Result<Range<u32>, BatchError> {
        let start = part.dependencies.len();
        let column = &mut self.columns.dependencies;
        let count = column.count(1)?;
        self.references += count;
        if self.references > limits::MAX_REFERENCES {
            return Err(BatchError::TooLarge(Limit::References));
        }
        for _ in 0..count {
            let dependency = match column.varint()? {
                0 => {
                    let hash = column.varint()?;
                    let known = part.outside.len().min(*outside + 1) as u64;
                    if hash >= known {
                        return Err(BatchError::Number);
                    }
                    *outside = (*outside).max(hash as usize + 1);
                    Dependency::Outside(hash as u32)
                }
                distance => {
                    let distance = usize::try_from(distance).map_err(|_| BatchError::Number)?;
                    let inside = index.checked_sub(distance).ok_or(BatchError::Number)?;
                    Dependency::Inside(inside as u32)
                }
            };
            part.dependencies.push(dependency);
        }
        Ok(range(start, part.dependencies.len()))
    }

    fn read_steps(&mut self, part: &mut BatchPart) -> Result<Progress, BatchError> {
        let (first, made) = (part.steps.len(), part.keys.len());
        let count = self.columns.step_counts.varint()?;
        let mut progress = Progress {
            size: Size::default(),
            item: None,
            id: None,
            first_id: None,
            counter: 0,
            selected: HashSet::new(),
            fields: Vec::new(),
            idle: false,
        };
        for _ in 0..count {
            let index = (part.steps.len() - first) as u32;
            let offset = progress.size.operations as u32;
            let kind = match self.columns.steps.varint()? {
                code @ 0..=1 => self.make(part, &mut progress, index, code == 0)?,
                2 => self.select(&mut progress, index)?,
                code => self.field(part, &mut progress, code - 3)?,
            };
            let operations = self.taken.operations + progress.size.operations;
            if operations > limits::MAX_OPERATIONS {
                return Err(BatchError::TooLarge(Limit::Operations));
            }
            if !progress.size.fits() {
                return Err(BatchError::TooLarge(Limit::Expanded));
            }
            let item = progress.item.ok_or(BatchError::Misplaced)?;
            part.steps.push(PartStep { offset, item, kind });
        }
        if progress.idle || progress.size.operations == 0 {
            return Err(BatchError::Misplaced);
        }
        check_made(part.keys.get(made..).unwrap_or_default())?;
        self.taken.operations += progress.size.operations;
        self.taken.bytes += progress.size.bytes;
        if self.taken.bytes > limits::MAX_EXPANDED {
            return Err(BatchError::TooLarge(Limit::Expanded));
        }
        Ok(progress)
    }

    fn make(
        &mut self,
        part: &mut BatchPart,
        progress: &mut Progress,
        index: u32,
        with_id: bool,
    ) -> Result<StepKind, BatchError> {
        let (id, key) = if with_id {
            let id = self.columns.ids.next()?;
            (Some(id), id.to_string().into_boxed_str())
        } else {
            let key = self.columns.keys.text()?;
            check_key(key)?;
            if key.parse::<EntryId>().is_ok() {
                return Err(BatchError::Misplaced);
            }
            (None, Box::from(key))
        };
        progress.turn(index)?;
        progress.id = id;
        progress.first_id.get_or_insert(id);
        progress.counter = 0;
        progress.size.operations += 1;
        progress.size.bytes += key.len();
        self.items += 1;
        part.keys.push(key);
        Ok(StepKind::Make {
            key: (part.keys.len() - 1) as u32,
        })
    }

    fn select(&mut self, progress: &mut Progress, index: u32) -> Result<StepKind, BatchError> {
        let actor = self.actors.any(self.columns.references.varint()?)?;
        let counter = self.columns.references.varint()?;
        let item = OpRef {
            counter: check_counter(counter)?,
            actor,
        };
        progress.turn(index)?;
        progress.id = None;
        progress.counter = counter;
        progress.idle = true;
        self.references += 1;
        if !progress.selected.insert(item) {
            return Err(BatchError::Repeated);
        }
        Ok(StepKind::Select { item })
    }

    fn field(
        &mut self,
        part: &mut BatchPart,
        progress: &mut Progress,
        code: u64,
    ) -> Result<StepKind, BatchError> {
        let field = u32::try_from(code / 3).map_err(|_| BatchError::Number)?;
        let name = self.names.get(field as usize).ok_or(BatchError::Number)?;
        progress.size.bytes += name.len();
        progress.idle = false;
        if progress.fields.contains(&field) {
            return Err(BatchError::Repeated);
        }
        progress.fields.push(field);
        if progress.fields.len() > limits::MAX_FIELDS {
            return Err(InvalidItem::TooManyFields.into());
        }
        let replaces = match code % 3 {
            0 => 0..0,
            _ => self.read_replaced(part, progress.counter)?,
        };
        if code % 3 == 2 {
            progress.size.operations += 1;
            return Ok(StepKind::Remove { field, replaces });
        }
        let value = self.read_value(field as usize, progress.id)?;
        let size = self.sizes.get(value as usize).ok_or(BatchError::Number)?;
        progress.size.operations += size.operations;
        progress.size.bytes += size.bytes;
        Ok(StepKind::Set {
            field,
            value,
            replaces,
        })
    }

    fn read_replaced(
        &mut self,
        part: &mut BatchPart,
        counter: u64,
    ) -> Result<Range<u32>, BatchError> {
        let start = part.replaced.len();
        let column = &mut self.columns.references;
        let count = column.count(2)?;
        if count == 0 {
            return Err(BatchError::Empty);
        }
        self.references += count;
        if self.references > limits::MAX_REFERENCES {
            return Err(BatchError::TooLarge(Limit::References));
        }
        let mut last = None;
        for _ in 0..count {
            let actor = self.actors.any(column.varint()?)?;
            let counter = counter.checked_add_signed(column.signed()?);
            let counter = check_counter(counter.ok_or(BatchError::Number)?)?;
            let operation = OpRef { counter, actor };
            if last >= Some(operation) {
                return Err(BatchError::Repeated);
            }
            last = Some(operation);
            part.replaced.push(operation);
        }
        Ok(range(start, part.replaced.len()))
    }

    /// Reads which value a field is set to: an index into `values`.
    fn read_value(&mut self, field: usize, id: Option<EntryId>) -> Result<u32, BatchError> {
        let values = self
            .columns
            .values
            .get_mut(field)
            .ok_or(BatchError::Number)?;
        if let Some(known) = values.column.varint()?.checked_sub(1) {
            let known = usize::try_from(known).map_err(|_| BatchError::Number)?;
            return values.known.get(known).copied().ok_or(BatchError::Number);
        }
        let value = read_value(&mut values.column, id)?;
        let index = self.values.len() as u32;
        values.known.push(index);
        self.sizes.push(Size::of(&value));
        self.values.push(value);
        Ok(index)
    }

    fn finish(self, mut parts: Vec<BatchPart>) -> Result<Batch, BatchError> {
        let counts = Counts {
            items: self.items,
            changes: parts.iter().map(BatchPart::len).sum(),
            operations: self.taken.operations,
        };
        self.columns.end()?;
        let shared = Arc::new(Shared {
            names: self.names,
            values: self.values,
        });
        for part in &mut parts {
            part.shared = Arc::clone(&shared);
        }
        let documents = parts.into_iter().map(|part| (part.document, part));
        Ok(Batch {
            documents: documents.collect::<BTreeMap<_, _>>(),
            counts,
        })
    }
}

impl Progress {
    /// Turns to another item.
    fn turn(&mut self, step: u32) -> Result<(), BatchError> {
        self.item = Some(step);
        self.fields.clear();
        if self.idle {
            Err(BatchError::Misplaced)
        } else {
            Ok(())
        }
    }
}

const TIME: BatchError = BatchError::TooLarge(Limit::Time);

fn range(start: usize, end: usize) -> Range<u32> {
    start as u32..end as u32
}

/// Gives each head its hash.
fn read_heads(
    part: &BatchPart,
    hashes: Vec<ChangeHash>,
) -> Result<Vec<(u32, ChangeHash)>, BatchError> {
    let mut depended = vec![false; part.changes.len()];
    for dependency in &part.dependencies {
        if let Dependency::Inside(index) = dependency
            && let Some(depended) = depended.get_mut(*index as usize)
        {
            *depended = true;
        }
    }
    let heads = (0..).zip(&depended).filter(|(_, depended)| !**depended);
    let heads = heads.map(|(index, _)| index).collect::<Vec<_>>();
    if heads.len() == hashes.len() {
        Ok(heads.into_iter().zip(hashes).collect())
    } else {
        Err(BatchError::Number)
    }
}

/// Checks that a change makes no item twice.
fn check_made(keys: &[Box<str>]) -> Result<(), BatchError> {
    if keys.len() > 1 && keys.iter().collect::<HashSet<_>>().len() < keys.len() {
        return Err(BatchError::Repeated);
    }
    Ok(())
}

fn check_counter(counter: u64) -> Result<u64, BatchError> {
    if counter <= limits::MAX_COUNTER {
        Ok(counter)
    } else {
        Err(BatchError::TooLarge(Limit::Counter))
    }
}
