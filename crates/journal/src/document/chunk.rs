//! The document chunk, Automerge's own form of a saved document: rows in and out.
//!
//! Merging by `apply_changes` costs automerge 0.12 twenty microseconds a change, and ten times that where two devices'
//! entries interleave; loading a saved document costs eleven, and computes every change's hash. So a merge writes the
//! document that would result and has Automerge load it: the heads that Automerge finds prove that each change is what
//! its writer made (`merge.rs`). This file knows how the document is laid out, and nothing of what may be in it.
//!
//! Source: "Automerge Binary Document Format" (automerge.org/automerge-binary-format-spec); the run-length encodings are
//! those of `hexane`, which Automerge itself uses. Invariant: what is written is byte for byte what Automerge saves.

use std::borrow::Cow;
use std::ops::Range;

use hexane::{DeltaDecoder, DeltaEncoder, Encoder, EncoderApi, decoder};
use sha2::Digest;

use crate::Actor;
use crate::change::ChangeHash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;

/// Actions of operations, as Automerge numbers them.
pub(super) const MAKE_MAP: u64 = 0;
pub(super) const PUT: u64 = 1;
pub(super) const MAKE_LIST: u64 = 2;

/// Columns of changes and of operations: the id × 16, and the type.
mod column {
    pub(super) const CHANGE_ACTOR: u64 = 0x01;
    pub(super) const SEQ: u64 = 0x03;
    pub(super) const MAX_OP: u64 = 0x13;
    pub(super) const TIME: u64 = 0x23;
    pub(super) const DEPENDENCY_COUNT: u64 = 0x40;
    pub(super) const DEPENDENCY: u64 = 0x43;
    pub(super) const EXTRA: u64 = 0x56;

    pub(super) const OBJECT_ACTOR: u64 = 0x01;
    pub(super) const OBJECT_COUNTER: u64 = 0x02;
    pub(super) const KEY_ACTOR: u64 = 0x11;
    pub(super) const KEY_COUNTER: u64 = 0x13;
    pub(super) const KEY_TEXT: u64 = 0x15;
    pub(super) const ID_ACTOR: u64 = 0x21;
    pub(super) const ID_COUNTER: u64 = 0x23;
    pub(super) const INSERT: u64 = 0x34;
    pub(super) const ACTION: u64 = 0x42;
    pub(super) const VALUE_META: u64 = 0x56;
    pub(super) const VALUE: u64 = 0x57;
    pub(super) const SUCCESSOR_COUNT: u64 = 0x80;
    pub(super) const SUCCESSOR_ACTOR: u64 = 0x81;
    pub(super) const SUCCESSOR_COUNTER: u64 = 0x83;
}

/// What stands for the empty extra bytes of a change: bytes of length 0.
const NO_EXTRA: u64 = 7;

/// An operation's id: counter, and index of the actor. Ordered as Automerge orders them.
pub(super) type Id = (u32, u32);

/// A document as rows.
#[derive(Default, Debug)]
pub(super) struct Chunk<'a> {
    /// Ascending.
    pub(super) actors: Vec<Actor>,
    pub(super) changes: Vec<ChangeRow>,
    pub(super) rows: Vec<Row<'a>>,
    /// What the rows' values are ranges of.
    pub(super) values: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct ChangeRow {
    pub(super) actor: u32,
    pub(super) seq: u32,
    pub(super) max_op: u32,
    pub(super) time: i64,
    /// Indexes of changes, in the order of their hashes.
    pub(super) deps: Vec<u32>,
}

/// An operation, other than a removal: that is only a successor of what it removes.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// `None` is the root.
    pub(super) object: Option<Id>,
    pub(super) key: Key<'a>,
    pub(super) id: Id,
    pub(super) insert: bool,
    pub(super) action: u64,
    /// The value's type and length.
    pub(super) meta: u64,
    pub(super) value: Range<usize>,
    /// The operations that replaced this one, ascending. None: it stands.
    pub(super) successors: Vec<Id>,
}

/// Elements are ordered by their ids: ebb's lists are filled from front to back by one change.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key<'a> {
    Field(Cow<'a, str>),
    /// The element before; `None` is the start of the list.
    After(Option<Id>),
}

impl Row<'_> {
    /// Sorts rows into the order of the document: by object, field, and id.
    pub(super) fn sort(rows: &mut [Self]) {
        rows.sort_by(|a, b| {
            let fields = || match (&a.key, &b.key) {
                (Key::Field(a), Key::Field(b)) => a.cmp(b),
                _ => std::cmp::Ordering::Equal,
            };
            a.object
                .cmp(&b.object)
                .then_with(fields)
                .then_with(|| a.id.cmp(&b.id))
        });
    }

    fn field(&self) -> Option<&str> {
        match &self.key {
            Key::Field(field) => Some(field),
            Key::After(_) => None,
        }
    }

    fn after(&self) -> Option<Id> {
        match &self.key {
            Key::Field(_) => None,
            Key::After(element) => Some(element.unwrap_or((0, 0))),
        }
    }

    fn after_actor(&self) -> Option<u64> {
        match &self.key {
            Key::After(Some((_, actor))) => Some(u64::from(*actor)),
            _ => None,
        }
    }
}

impl Chunk<'_> {
    /// Writes the chunk, uncompressed. `heads` are the hashes of changes by their index.
    pub(super) fn write(&self, heads: &[(ChangeHash, u32)]) -> Vec<u8> {
        let mut heads = heads.to_vec();
        heads.sort_unstable();
        let mut body = Vec::new();
        put(&mut body, self.actors.len());
        for actor in &self.actors {
            put(&mut body, actor.0.len());
            body.extend(actor.0);
        }
        put(&mut body, heads.len());
        body.extend(heads.iter().flat_map(|(hash, _)| hash.0));
        let (changes, rows) = (self.write_changes(), self.write_rows());
        changes.write_layout(&mut body);
        rows.write_layout(&mut body);
        body.extend(changes.bytes);
        body.extend(rows.bytes);
        for (_, index) in heads {
            put(&mut body, index as usize);
        }
        let mut head = vec![DOCUMENT];
        put(&mut head, body.len());
        let hash = sha2::Sha256::new()
            .chain_update(&head)
            .chain_update(&body)
            .finalize();
        let mut chunk = MAGIC.to_vec();
        chunk.extend(hash.iter().take(4));
        chunk.extend(head);
        chunk.extend(body);
        chunk
    }

    fn write_changes(&self) -> Columns {
        let mut out = Columns::default();
        let all = || self.changes.iter();
        let deps = all().flat_map(|change| &change.deps).copied();
        out.add(column::CHANGE_ACTOR, |to| {
            Encoder::<u64>::encode_to(to, all().map(|change| u64::from(change.actor)))
        });
        out.add(column::SEQ, |to| {
            DeltaEncoder::<u32>::encode_to(to, all().map(|change| change.seq))
        });
        out.add(column::MAX_OP, |to| {
            DeltaEncoder::<u32>::encode_to(to, all().map(|change| change.max_op))
        });
        out.add(column::TIME, |to| {
            DeltaEncoder::<i64>::encode_to(to, all().map(|change| change.time))
        });
        out.add(column::DEPENDENCY_COUNT, |to| {
            Encoder::<u64>::encode_to(to, all().map(|change| change.deps.len() as u64))
        });
        out.add(column::DEPENDENCY, |to| {
            DeltaEncoder::<u32>::encode_to(to, deps)
        });
        out.add(column::EXTRA, |to| {
            Encoder::<u64>::encode_to(to, all().map(|_| NO_EXTRA))
        });
        out
    }

    fn write_rows(&self) -> Columns {
        let mut out = Columns::default();
        let all = || self.rows.iter();
        let successors = || all().flat_map(|row| &row.successors);
        out.add(column::OBJECT_ACTOR, |to| {
            let actors = all().map(|row| row.object.map(|(_, actor)| u64::from(actor)));
            Encoder::<Option<u64>>::encode_to_unless(to, actors, None)
        });
        out.add(column::OBJECT_COUNTER, |to| {
            let counters = all().map(|row| row.object.map(|(counter, _)| u64::from(counter)));
            Encoder::<Option<u64>>::encode_to_unless(to, counters, None)
        });
        out.add(column::KEY_ACTOR, |to| {
            Encoder::<Option<u64>>::encode_to_unless(to, all().map(Row::after_actor), None)
        });
        out.add(column::KEY_COUNTER, |to| {
            let counters = all().map(|row| row.after().map(|(counter, _)| i64::from(counter)));
            DeltaEncoder::<Option<i64>>::encode_to_unless(to, counters, None)
        });
        out.add(column::KEY_TEXT, |to| {
            Encoder::<Option<String>>::encode_to_unless(to, all().map(Row::field), None)
        });
        out.add(column::ID_ACTOR, |to| {
            Encoder::<u64>::encode_to(to, all().map(|row| u64::from(row.id.1)))
        });
        out.add(column::ID_COUNTER, |to| {
            DeltaEncoder::<u32>::encode_to(to, all().map(|row| row.id.0))
        });
        out.add(column::INSERT, |to| {
            Encoder::<bool>::encode_to(to, all().map(|row| row.insert))
        });
        out.add(column::ACTION, |to| {
            Encoder::<u64>::encode_to(to, all().map(|row| row.action))
        });
        out.add(column::VALUE_META, |to| {
            Encoder::<u64>::encode_to(to, all().map(|row| row.meta))
        });
        out.add(column::VALUE, |to| {
            let start = to.len();
            let values = all().filter_map(|row| self.values.get(row.value.clone()));
            values.for_each(|value| to.extend_from_slice(value));
            start..to.len()
        });
        out.add(column::SUCCESSOR_COUNT, |to| {
            Encoder::<u64>::encode_to(to, all().map(|row| row.successors.len() as u64))
        });
        out.add(column::SUCCESSOR_ACTOR, |to| {
            Encoder::<u64>::encode_to(to, successors().map(|(_, actor)| u64::from(*actor)))
        });
        out.add(column::SUCCESSOR_COUNTER, |to| {
            DeltaEncoder::<u32>::encode_to(to, successors().map(|(counter, _)| *counter))
        });
        out
    }
}

/// Columns as they are written: those without content are left out.
#[derive(Default)]
struct Columns {
    layout: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

impl Columns {
    fn add(&mut self, column: u64, write: impl FnOnce(&mut Vec<u8>) -> Range<usize>) {
        let written = write(&mut self.bytes);
        if !written.is_empty() {
            self.layout.push((column, written.len()));
        }
    }

    fn write_layout(&self, out: &mut Vec<u8>) {
        put(out, self.layout.len());
        for (column, len) in &self.layout {
            put(out, *column as usize);
            put(out, *len);
        }
    }
}

fn put(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl<'a> Chunk<'a> {
    /// Reads an uncompressed chunk that Automerge wrote just now. `None` if it is laid out in a way unknown to this file,
    /// or has what ebb's documents do not: messages, marks, extra bytes.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.take(4)? != MAGIC {
            return None;
        }
        input.take(4)?;
        if input.take(1)? != [DOCUMENT] {
            return None;
        }
        let len = input.number()?;
        let mut input = Input(input.take(len)?);
        let mut chunk = Chunk::default();
        for _ in 0..input.number()? {
            let len = input.number()?;
            chunk.actors.push(Actor(input.take(len)?.try_into().ok()?));
        }
        let heads = input.number()?;
        input.take(heads.checked_mul(32)?)?;
        let (changes, rows) = (Layout::read(&mut input)?, Layout::read(&mut input)?);
        let changes = changes.take(&mut input)?;
        let rows = rows.take(&mut input)?;
        chunk.read_changes(changes)?;
        chunk.read_rows(rows)?;
        Some(chunk)
    }

    fn read_changes(&mut self, mut columns: Taken<'a>) -> Option<()> {
        let actors = decoder::<u64>(columns.get(column::CHANGE_ACTOR));
        let mut seqs = DeltaDecoder::<u32>::new(columns.get(column::SEQ));
        let mut max_ops = DeltaDecoder::<u32>::new(columns.get(column::MAX_OP));
        let mut times = DeltaDecoder::<i64>::new(columns.get(column::TIME));
        let mut counts = decoder::<u64>(columns.get(column::DEPENDENCY_COUNT));
        let mut deps = DeltaDecoder::<u32>::new(columns.get(column::DEPENDENCY));
        let extra = decoder::<u64>(columns.get(column::EXTRA)).all(|extra| extra == NO_EXTRA);
        for actor in actors {
            let count = usize::try_from(counts.next()?).ok()?;
            self.changes.push(ChangeRow {
                actor: u32::try_from(actor).ok()?,
                seq: seqs.next()?,
                max_op: max_ops.next()?,
                time: times.next()?,
                deps: deps.by_ref().take(count).collect(),
            });
        }
        (extra && columns.all_taken()).then_some(())
    }

    fn read_rows(&mut self, mut columns: Taken<'a>) -> Option<()> {
        let mut object_actors = decoder::<Option<u64>>(columns.get(column::OBJECT_ACTOR));
        let mut object_counters = decoder::<Option<u64>>(columns.get(column::OBJECT_COUNTER));
        let mut key_actors = decoder::<Option<u64>>(columns.get(column::KEY_ACTOR));
        let mut key_counters = DeltaDecoder::<Option<i64>>::new(columns.get(column::KEY_COUNTER));
        let mut key_texts = decoder::<Option<String>>(columns.get(column::KEY_TEXT));
        let id_actors = decoder::<u64>(columns.get(column::ID_ACTOR));
        let mut id_counters = DeltaDecoder::<u32>::new(columns.get(column::ID_COUNTER));
        let mut inserts = decoder::<bool>(columns.get(column::INSERT));
        let mut actions = decoder::<u64>(columns.get(column::ACTION));
        let mut metas = decoder::<u64>(columns.get(column::VALUE_META));
        let mut counts = decoder::<u64>(columns.get(column::SUCCESSOR_COUNT));
        let mut actors = decoder::<u64>(columns.get(column::SUCCESSOR_ACTOR));
        let mut counters = DeltaDecoder::<u32>::new(columns.get(column::SUCCESSOR_COUNTER));
        self.values = columns.get(column::VALUE).to_vec();
        let mut end = 0;
        for actor in id_actors {
            let object = pair(
                object_counters.next().flatten(),
                object_actors.next().flatten(),
            );
            let after = key_counters.next().flatten().map(i64::unsigned_abs);
            let after = pair(after, key_actors.next().flatten());
            let key = match key_texts.next().flatten() {
                Some(text) => Key::Field(Cow::Borrowed(text)),
                None => Key::After(after),
            };
            let meta = metas.next()?;
            let start = end;
            end += usize::try_from(meta >> 4).ok()?;
            let count = usize::try_from(counts.next()?).ok()?;
            let successors = counters.by_ref().zip(actors.by_ref()).take(count);
            let successors = successors.map(|(counter, actor)| (counter, actor as u32));
            self.rows.push(Row {
                object,
                key,
                id: (id_counters.next()?, u32::try_from(actor).ok()?),
                insert: inserts.next()?,
                action: actions.next()?,
                meta,
                value: start..end,
                successors: successors.collect(),
            });
        }
        (end == self.values.len() && columns.all_taken()).then_some(())
    }
}

fn pair(counter: Option<u64>, actor: Option<u64>) -> Option<Id> {
    Some((u32::try_from(counter?).ok()?, u32::try_from(actor?).ok()?))
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

struct Layout(Vec<(u64, usize)>);

impl Layout {
    fn read(input: &mut Input<'_>) -> Option<Self> {
        let count = input.number()?;
        let columns = (0..count).map(|_| Some((input.number()? as u64, input.number()?)));
        columns.collect::<Option<_>>().map(Self)
    }

    fn take<'a>(self, input: &mut Input<'a>) -> Option<Taken<'a>> {
        let columns = self
            .0
            .into_iter()
            .map(|(column, len)| Some((column, input.take(len)?)));
        columns.collect::<Option<_>>().map(Taken)
    }
}

/// Columns as they are read.
struct Taken<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Taken<'a> {
    fn get(&mut self, column: u64) -> &'a [u8] {
        let index = self.0.iter().position(|(known, _)| *known == column);
        index
            .map(|index| self.0.swap_remove(index).1)
            .unwrap_or_default()
    }

    fn all_taken(&self) -> bool {
        self.0.is_empty()
    }
}
