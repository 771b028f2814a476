//! Writing a change: the operations ebb uses, in the order they are given, as an Automerge change.
//!
//! The only place that makes Automerge operations. It can make nothing but what `batch.rs` can carry: a map at the
//! root, fields in such a map, lists filled by the change that makes them. Checks nothing; callers do.

use std::num::NonZeroU64;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, ExpandedChange, ObjType, ScalarValue};

use super::Size;
use crate::batch::limits;
use crate::{Actor, Scalar, Value};

/// The name of an operation. Ordered as Automerge orders them: the greatest wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct OpRef {
    pub(crate) counter: u64,
    pub(crate) actor: Actor,
}

impl From<OpRef> for OpId {
    fn from(operation: OpRef) -> Self {
        Self(operation.counter, ActorId::from(operation.actor.0))
    }
}

/// The operations of one change, as it grows.
pub(crate) struct Operations {
    actor: ActorId,
    start: u64,
    item: ObjectId,
    list: Vec<Op>,
    /// The bytes of keys, names and values, as the limits count them.
    bytes: usize,
    /// The items selected, and the operations replaced.
    references: usize,
}

impl Operations {
    /// Begins a change whose first operation has the counter `start`.
    pub(crate) fn new(actor: Actor, start: u64) -> Self {
        Self {
            actor: ActorId::from(actor.0),
            start,
            item: ObjectId::Root,
            list: Vec::new(),
            bytes: 0,
            references: 0,
        }
    }

    /// Whether one batch can carry what the change holds so far, beside `deps` dependencies.
    pub(crate) fn fit(&self, deps: usize) -> bool {
        let size = Size {
            operations: self.list.len(),
            bytes: self.bytes,
        };
        size.fits() && self.references + deps <= limits::MAX_REFERENCES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the counter of the next operation.
    pub(crate) fn next_counter(&self) -> u64 {
        self.start + self.list.len() as u64
    }

    /// Makes an item, and turns to it.
    pub(crate) fn make(&mut self, key: &str) {
        let id = self.next_id();
        self.bytes += key.len();
        self.push(
            ObjectId::Root,
            Key::from(key),
            OpType::Make(ObjType::Map),
            none(),
        );
        self.item = ObjectId::Id(id);
    }

    /// Turns to an item that was made by an earlier change.
    pub(crate) fn select(&mut self, item: OpRef) {
        self.item = ObjectId::Id(item.into());
        self.references += 1;
    }

    /// Sets a field of the item turned to.
    pub(crate) fn set(&mut self, field: &str, value: &Value, replaces: Vec<OpId>) {
        self.bytes += field.len() + Size::of(value).bytes;
        self.references += replaces.len();
        let replaces = SortedVec::from(replaces);
        let (item, key) = (self.item.clone(), Key::from(field));
        match value {
            Value::Scalar(scalar) => {
                self.push(item, key, OpType::Put(scalar_value(scalar)), replaces);
            }
            Value::List(scalars) => {
                let list = ObjectId::Id(self.next_id());
                self.push(item, key, OpType::Make(ObjType::List), replaces);
                let mut after = ElementId::Head;
                for scalar in scalars {
                    let id = self.next_id();
                    self.list.push(Op {
                        action: OpType::Put(scalar_value(scalar)),
                        obj: list.clone(),
                        key: Key::Seq(after),
                        pred: none(),
                        insert: true,
                    });
                    after = ElementId::Id(id);
                }
            }
        }
    }

    /// Removes a field of the item turned to.
    pub(crate) fn remove(&mut self, field: &str, replaces: Vec<OpId>) {
        self.bytes += field.len();
        self.references += replaces.len();
        self.push(
            self.item.clone(),
            Key::from(field),
            OpType::Delete,
            replaces.into(),
        );
    }

    /// Ends the change.
    pub(crate) fn finish(
        self,
        seq: u64,
        time: i64,
        deps: Vec<automerge::ChangeHash>,
    ) -> automerge::Change {
        ExpandedChange {
            operations: self.list,
            actor_id: self.actor,
            hash: None,
            seq,
            start_op: NonZeroU64::new(self.start).unwrap_or(NonZeroU64::MIN),
            time,
            message: None,
            deps,
            extra_bytes: Vec::new(),
            author: None,
        }
        .into()
    }

    fn next_id(&self) -> OpId {
        OpId(self.next_counter(), self.actor.clone())
    }

    fn push(&mut self, obj: ObjectId, key: Key, action: OpType, pred: SortedVec<OpId>) {
        self.list.push(Op {
            action,
            obj,
            key,
            pred,
            insert: false,
        });
    }
}

fn none() -> SortedVec<OpId> {
    SortedVec::from(Vec::new())
}

fn scalar_value(scalar: &Scalar) -> ScalarValue {
    match scalar {
        Scalar::Null => ScalarValue::Null,
        Scalar::Bool(yes) => ScalarValue::Boolean(*yes),
        Scalar::Int(number) => ScalarValue::Int(*number),
        Scalar::Float(number) => ScalarValue::F64(*number),
        Scalar::Text(text) => ScalarValue::Str(text.as_str().into()),
        Scalar::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
        Scalar::Timestamp(ms) => ScalarValue::Timestamp(*ms),
    }
}
