//! Writing changes into the rows of a document: the counterpart of `change/operations.rs` for [`Chunk`]s.
//!
//! Makes the same operations, in the form in which a document keeps them: a removal is a successor of what it removes.
//! Checks nothing; `merge.rs` has.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::chunk::{ChangeRow, Chunk, Id, Key, MAKE_LIST, MAKE_MAP, PUT, Row};
use crate::change::OpRef;
use crate::{Actor, Scalar, Value};

/// A document to which changes are being added.
pub(super) struct Rows<'a> {
    chunk: Chunk<'a>,
    actors: HashMap<Actor, u32>,
    /// Operations that are replaced, and by which.
    replaced: Vec<(Id, Id)>,
    author: u32,
    counter: u32,
    item: Option<Id>,
}

impl<'a> Rows<'a> {
    /// Begins with a document, and makes place for changes by `authors`.
    pub(super) fn new(mut chunk: Chunk<'a>, authors: BTreeSet<Actor>) -> Self {
        let mut all = authors;
        all.extend(&chunk.actors);
        let actors = all.iter().copied().zip(0..).collect::<HashMap<_, _>>();
        if all.len() > chunk.actors.len() {
            let moved = chunk
                .actors
                .iter()
                .filter_map(|actor| actors.get(actor).copied());
            let moved = moved.collect::<Vec<_>>();
            chunk.move_actors(&moved);
            chunk.actors = all.into_iter().collect();
        }
        Self {
            chunk,
            actors,
            replaced: Vec::new(),
            author: 0,
            counter: 0,
            item: None,
        }
    }

    /// Begins a change: its first operation has the counter `start`.
    pub(super) fn begin(&mut self, author: Actor, start: u64) {
        self.author = self.actors.get(&author).copied().unwrap_or(0);
        self.counter = start as u32;
    }

    pub(super) fn make(&mut self, key: &'a str) {
        self.item = Some(self.push(None, field(key), MAKE_MAP, 0, false));
    }

    pub(super) fn select(&mut self, item: OpRef) {
        self.item = self.id(item);
    }

    pub(super) fn set(&mut self, name: &'a str, value: &Value, replaces: &[OpRef]) {
        match value {
            Value::Scalar(scalar) => {
                let meta = self.put(scalar);
                let id = self.push(self.item, field(name), PUT, meta, false);
                self.replace(replaces, id);
            }
            Value::List(scalars) => {
                let list = self.push(self.item, field(name), MAKE_LIST, 0, false);
                self.replace(replaces, list);
                let mut after = None;
                for scalar in scalars {
                    let meta = self.put(scalar);
                    after = Some(self.push(Some(list), Key::After(after), PUT, meta, true));
                }
            }
        }
    }

    pub(super) fn remove(&mut self, replaces: &[OpRef]) {
        self.replace(replaces, (self.counter, self.author));
        self.counter += 1;
    }

    /// Ends a change. `deps` are indexes of changes in the document.
    pub(super) fn end(&mut self, seq: u64, time: i64, deps: Vec<u32>) {
        let (seq, max_op) = (seq as u32, self.counter - 1);
        self.chunk.changes.push(ChangeRow {
            actor: self.author,
            seq,
            max_op,
            time,
            deps,
        });
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> Chunk<'a> {
        let rows = &mut self.chunk.rows;
        if !self.replaced.is_empty() {
            let index = rows.iter().enumerate().map(|(index, row)| (row.id, index));
            let index = index.collect::<HashMap<_, _>>();
            self.replaced.sort_unstable();
            for (target, by) in self.replaced {
                if let Some(row) = index.get(&target).and_then(|index| rows.get_mut(*index)) {
                    let place = row.successors.partition_point(|known| *known < by);
                    row.successors.insert(place, by);
                }
            }
        }
        Row::sort(rows);
        self.chunk
    }

    fn replace(&mut self, replaces: &[OpRef], by: Id) {
        for operation in replaces {
            let target = self.id(*operation);
            self.replaced.extend(target.map(|target| (target, by)));
        }
    }

    fn id(&self, operation: OpRef) -> Option<Id> {
        Some((
            operation.counter as u32,
            *self.actors.get(&operation.actor)?,
        ))
    }

    fn push(
        &mut self,
        object: Option<Id>,
        key: Key<'a>,
        action: u64,
        meta: u64,
        insert: bool,
    ) -> Id {
        let id = (self.counter, self.author);
        self.counter += 1;
        let end = self.chunk.values.len();
        let value = end - (meta >> 4) as usize..end;
        let successors = Vec::new();
        self.chunk.rows.push(Row {
            object,
            key,
            id,
            insert,
            action,
            meta,
            value,
            successors,
        });
        id
    }

    /// Writes a value, and returns its type and length as Automerge does.
    fn put(&mut self, scalar: &Scalar) -> u64 {
        let out = &mut self.chunk.values;
        let start = out.len();
        let kind = match scalar {
            Scalar::Null => 0,
            Scalar::Bool(false) => 1,
            Scalar::Bool(true) => 2,
            Scalar::Int(number) => {
                put_signed(out, *number);
                4
            }
            Scalar::Float(number) => {
                out.extend(number.to_le_bytes());
                5
            }
            Scalar::Text(text) => {
                out.extend_from_slice(text.as_bytes());
                6
            }
            Scalar::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                7
            }
            Scalar::Timestamp(ms) => {
                put_signed(out, *ms);
                9
            }
        };
        ((out.len() - start) as u64) << 4 | kind
    }
}

impl Chunk<'_> {
    /// Gives each actor, by index, the index in `moved`.
    fn move_actors(&mut self, moved: &[u32]) {
        let at = |actor: u32| moved.get(actor as usize).copied().unwrap_or(actor);
        for change in &mut self.changes {
            change.actor = at(change.actor);
        }
        for row in &mut self.rows {
            row.id.1 = at(row.id.1);
            let after = match &mut row.key {
                Key::After(after) => after.as_mut(),
                Key::Field(_) => None,
            };
            for id in row
                .object
                .iter_mut()
                .chain(after)
                .chain(&mut row.successors)
            {
                id.1 = at(id.1);
            }
        }
    }
}

fn field(name: &str) -> Key<'_> {
    Key::Field(Cow::Borrowed(name))
}

/// Writes a signed LEB128 number.
fn put_signed(out: &mut Vec<u8>, mut number: i64) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        let sign = byte & 0x40 != 0;
        if (number == 0 && !sign) || (number == -1 && sign) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
