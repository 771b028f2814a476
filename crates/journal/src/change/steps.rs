//! Reading a change: its Automerge operations as the steps ebb takes, or the reason why they are not that.
//!
//! The inverse of `change/operations.rs`, and the meeting point of history, batches and the checks of a merge: whatever
//! is not expressible as [`Step`]s does not exist for ebb. Reads changes of this replica only; none comes from the wire.

use std::collections::HashSet;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{ExpandedChange, ObjType, ScalarValue};

use super::OpRef;
use crate::{Actor, Scalar, Value};

/// One thing a change does. Fields belong to the item last made or selected.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Step {
    /// Makes an item.
    Make { key: String },
    /// Turns to an item that an earlier change made.
    Select { item: OpRef },
    /// Sets a field of the item.
    Set {
        field: String,
        value: Value,
        replaces: Vec<OpRef>,
    },
    /// Removes a field of the item.
    Remove { field: String, replaces: Vec<OpRef> },
}

/// Why a change is not one that ebb makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// An actor is not sixteen bytes.
    #[error("an actor is not sixteen bytes")]
    Actor,
    /// A message, an author or extra bytes: ebb writes none.
    #[error("the change carries a message or extra bytes")]
    Extra,
    /// No operations.
    #[error("the change has no operations")]
    Empty,
    /// An operation ebb does not use, or not in this place.
    #[error("the change has an operation that ebb does not use")]
    Operation,
    /// A scalar that is not one of [`Scalar`]: a counter, an unsigned or an unknown one.
    #[error("the change has a value of a type that ebb does not use")]
    Scalar,
    /// Operations on one item, or on one field, that do not stand together.
    #[error("the change comes back to an item or a field")]
    Scattered,
}

/// Returns the steps of a change, each with the counter of its first operation (a `Select`: of the next step).
///
/// # Errors
/// [`NotOurs`] if the change does anything that steps cannot say.
pub(crate) fn steps(change: &ExpandedChange) -> Result<Vec<(u64, Step)>, NotOurs> {
    if change.message.is_some() || !change.extra_bytes.is_empty() {
        return Err(NotOurs::Extra);
    }
    if change.operations.is_empty() {
        return Err(NotOurs::Empty);
    }
    let mut reader = Reader {
        author: actor(&change.actor_id)?,
        start: change.start_op.get(),
        item: None,
        list: None,
        seen: HashSet::new(),
        fields: HashSet::new(),
        steps: Vec::with_capacity(change.operations.len()),
    };
    for (counter, operation) in (change.start_op.get()..).zip(&change.operations) {
        reader.read(counter, operation)?;
    }
    Ok(reader.steps)
}

pub(crate) fn actor(id: &automerge::ActorId) -> Result<Actor, NotOurs> {
    id.to_bytes()
        .try_into()
        .map(Actor)
        .map_err(|_| NotOurs::Actor)
}

impl OpRef {
    fn read(id: &OpId) -> Result<Self, NotOurs> {
        Ok(Self {
            counter: id.counter(),
            actor: actor(id.actor())?,
        })
    }
}

struct Reader {
    author: Actor,
    start: u64,
    /// The item the change is at.
    item: Option<OpRef>,
    /// The list being filled, and its last element.
    list: Option<(OpRef, Option<OpRef>)>,
    /// The items the change has turned to.
    seen: HashSet<OpRef>,
    /// The fields it has touched in the item it is at.
    fields: HashSet<String>,
    steps: Vec<(u64, Step)>,
}

impl Reader {
    fn read(&mut self, counter: u64, operation: &Op) -> Result<(), NotOurs> {
        let id = OpRef {
            counter,
            actor: self.author,
        };
        let replaces = operation
            .pred
            .iter()
            .map(OpRef::read)
            .collect::<Result<Vec<_>, NotOurs>>()?;
        let object = match &operation.obj {
            ObjectId::Root => return self.read_item(id, operation, &replaces),
            ObjectId::Id(object) => OpRef::read(object)?,
        };
        match self.list {
            Some((list, last)) if list == object => {
                self.read_element(id, operation, last, &replaces)
            }
            _ => self.read_field(id, object, operation, replaces),
        }
    }

    fn read_item(&mut self, id: OpRef, operation: &Op, replaces: &[OpRef]) -> Result<(), NotOurs> {
        match (&operation.action, &operation.key) {
            (OpType::Make(ObjType::Map), Key::Map(key))
                if !operation.insert && replaces.is_empty() =>
            {
                self.steps.push((
                    id.counter,
                    Step::Make {
                        key: key.to_string(),
                    },
                ));
                self.turn_to(id)
            }
            _ => Err(NotOurs::Operation),
        }
    }

    fn read_field(
        &mut self,
        id: OpRef,
        item: OpRef,
        operation: &Op,
        replaces: Vec<OpRef>,
    ) -> Result<(), NotOurs> {
        if self.item != Some(item) {
            if item.actor == self.author && item.counter >= self.start {
                return Err(NotOurs::Scattered);
            }
            self.steps.push((id.counter, Step::Select { item }));
            self.turn_to(item)?;
        }
        self.list = None;
        let Key::Map(field) = &operation.key else {
            return Err(NotOurs::Operation);
        };
        let field = field.to_string();
        if !self.fields.insert(field.clone()) {
            return Err(NotOurs::Scattered);
        }
        let step = match &operation.action {
            _ if operation.insert => return Err(NotOurs::Operation),
            OpType::Put(value) => Step::Set {
                field,
                value: Value::Scalar(scalar(value)?),
                replaces,
            },
            OpType::Make(ObjType::List) => {
                self.list = Some((id, None));
                Step::Set {
                    field,
                    value: Value::List(Vec::new()),
                    replaces,
                }
            }
            OpType::Delete if !replaces.is_empty() => Step::Remove { field, replaces },
            _ => return Err(NotOurs::Operation),
        };
        self.steps.push((id.counter, step));
        Ok(())
    }

    fn read_element(
        &mut self,
        id: OpRef,
        operation: &Op,
        last: Option<OpRef>,
        replaces: &[OpRef],
    ) -> Result<(), NotOurs> {
        let after = match &operation.key {
            Key::Map(_) => return Err(NotOurs::Operation),
            Key::Seq(element) => element.as_opid().map(OpRef::read).transpose()?,
        };
        let OpType::Put(value) = &operation.action else {
            return Err(NotOurs::Operation);
        };
        if !operation.insert || after != last || !replaces.is_empty() {
            return Err(NotOurs::Operation);
        }
        if let Some((
            _,
            Step::Set {
                value: Value::List(scalars),
                ..
            },
        )) = self.steps.last_mut()
        {
            scalars.push(scalar(value)?);
        }
        if let Some((_, last)) = &mut self.list {
            *last = Some(id);
        }
        Ok(())
    }

    fn turn_to(&mut self, item: OpRef) -> Result<(), NotOurs> {
        self.item = Some(item);
        self.list = None;
        self.fields.clear();
        if self.seen.insert(item) {
            Ok(())
        } else {
            Err(NotOurs::Scattered)
        }
    }
}

fn scalar(value: &ScalarValue) -> Result<Scalar, NotOurs> {
    Ok(match value {
        ScalarValue::Null => Scalar::Null,
        ScalarValue::Boolean(yes) => Scalar::Bool(*yes),
        ScalarValue::Int(number) => Scalar::Int(*number),
        ScalarValue::F64(number) => Scalar::Float(*number),
        ScalarValue::Str(text) => Scalar::Text(text.to_string()),
        ScalarValue::Bytes(bytes) => Scalar::Bytes(bytes.clone()),
        ScalarValue::Timestamp(ms) => Scalar::Timestamp(*ms),
        ScalarValue::Uint(_) | ScalarValue::Counter(_) | ScalarValue::Unknown { .. } => {
            return Err(NotOurs::Scalar);
        }
    })
}
