//! Reading items: what stands under a key, field by field.
//!
//! Two replicas may make one item each under the same key (both imported one file). Then Automerge keeps two maps, and
//! shows one. Here all of them are read as one item: each field has the value with the greatest operation (counter, then
//! actor) among all maps, which is the order in which Automerge itself chooses within a map, and so the same on every
//! replica. Other values that differ are the field's conflicts. A field that was removed from one map and stands in
//! another stands.
//!
//! One item is read through Automerge's interface; all items at once from the document's rows (`chunk.rs`), which takes a
//! quarter of the time.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, ValueRef};

use super::chunk::{Chunk, Id, Key, MAKE_LIST, MAKE_MAP, PUT, Row};
use crate::batch::value_bytes;
use crate::change::OpRef;
use crate::{Actor, DocumentId, EntryId, Fields, Scalar, Value};

/// What a document says under one key.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// The document it is in.
    pub document: DocumentId,
    /// The key: an entry's id in a month.
    pub key: String,
    /// The fields, each with the value that won.
    pub fields: Fields,
    /// The chain that made the item first.
    pub created_by: Actor,
    /// By field, the values that lost against a concurrent one, from the last one written to the first.
    pub conflicts: BTreeMap<String, Vec<Claim>>,
}

/// A value that a chain wrote.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// Who wrote it.
    pub actor: Actor,
    /// What.
    pub value: Value,
}

impl Item {
    /// Returns the entry id that the key is, if it is one.
    pub fn entry(&self) -> Option<EntryId> {
        self.key.parse().ok()
    }

    /// Whether this is in a month, and its key is not the id of an entry of that month. Such an item is kept and
    /// merged, and belongs in no view.
    pub fn misplaced(&self) -> bool {
        match self.document {
            DocumentId::Profile => false,
            month @ DocumentId::Month { .. } => self
                .entry()
                .is_none_or(|id| DocumentId::of(id) != Ok(month)),
        }
    }
}

/// One of the maps under a key.
pub(super) struct Map {
    /// The operation that made it.
    pub(super) made: OpRef,
    id: ObjId,
}

/// The values that stand in one map, by field: several where they conflict.
pub(super) type Claims = BTreeMap<String, Vec<(OpRef, Value)>>;

/// Returns the maps under a key, in the order of their making.
pub(super) fn maps(document: &Automerge, key: &str) -> Vec<Map> {
    let all = document.get_all(ROOT, key).unwrap_or_default();
    all.into_iter()
        .filter(|(value, _)| matches!(value, automerge::Value::Object(ObjType::Map)))
        .filter_map(|(_, id)| {
            Some(Map {
                made: operation(&id)?,
                id,
            })
        })
        .collect()
}

/// Returns the values that stand in a map.
pub(super) fn claims(document: &Automerge, map: &Map) -> Claims {
    let mut claims = Claims::new();
    for field in document.map_range(&map.id, ..) {
        let all = if field.conflict {
            document
                .get_all(&map.id, field.key.as_ref())
                .unwrap_or_default()
        } else {
            vec![(field.value.clone().into(), field.id())]
        };
        let all = all.into_iter().filter_map(|(value, id)| {
            let value = match value {
                automerge::Value::Object(ObjType::List) => list(document, &id),
                automerge::Value::Object(_) => None,
                automerge::Value::Scalar(value) => {
                    scalar(value.into_owned().into()).map(Value::Scalar)
                }
            };
            Some((operation(&id)?, value?))
        });
        claims.insert(field.key.into_owned(), all.collect());
    }
    claims
}

fn list(document: &Automerge, id: &ObjId) -> Option<Value> {
    let elements = document.list_range(id, ..);
    let scalars = elements.map(|element| match element.value {
        ValueRef::Scalar(value) => scalar(value),
        ValueRef::Object(_) => None,
    });
    scalars.collect::<Option<Vec<_>>>().map(Value::List)
}

/// Reads a scalar. No document of a journal holds one of another type: nothing that writes or merges lets it in.
fn scalar(value: ScalarValueRef<'_>) -> Option<Scalar> {
    Some(match value {
        ScalarValueRef::Null => Scalar::Null,
        ScalarValueRef::Boolean(yes) => Scalar::Bool(yes),
        ScalarValueRef::Int(number) => Scalar::Int(number),
        ScalarValueRef::F64(number) => Scalar::Float(number),
        ScalarValueRef::Str(text) => Scalar::Text(text.into_owned()),
        ScalarValueRef::Bytes(bytes) => Scalar::Bytes(bytes.into_owned()),
        ScalarValueRef::Timestamp(ms) => Scalar::Timestamp(ms),
        ScalarValueRef::Uint(_) | ScalarValueRef::Counter(_) | ScalarValueRef::Unknown { .. } => {
            return None;
        }
    })
}

fn operation(id: &ObjId) -> Option<OpRef> {
    let ObjId::Id(counter, actor, _) = id else {
        return None;
    };
    Some(OpRef {
        counter: *counter,
        actor: crate::change::actor(actor).ok()?,
    })
}

/// What stands under one key, as it is gathered.
struct Reading<'a> {
    key: &'a str,
    /// The chain that made the first map.
    created_by: Actor,
    claims: Vec<(Cow<'a, str>, OpRef, Value)>,
}

impl Reading<'_> {
    fn finish(mut self, document: DocumentId) -> Item {
        self.claims.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut fields = Vec::with_capacity(self.claims.len());
        let mut conflicts = BTreeMap::new();
        let mut claims = self.claims.into_iter().rev().peekable();
        while let Some((field, _, value)) = claims.next() {
            let mut lost: Vec<Claim> = Vec::new();
            // Looked up, not compared one by one: a hostile writer leaves a hundred thousand values in one batch.
            let mut known = HashSet::new();
            while let Some((_, by, other)) = claims.next_if(|(next, ..)| *next == field) {
                if other != value && known.insert(value_bytes(&other)) {
                    lost.push(Claim {
                        actor: by.actor,
                        value: other,
                    });
                }
            }
            if !lost.is_empty() {
                conflicts.insert(field.clone().into_owned(), lost);
            }
            fields.push((field.into_owned(), value));
        }
        let fields = fields.into_iter().rev().collect();
        let created_by = self.created_by;
        Item {
            document,
            key: self.key.to_owned(),
            fields,
            created_by,
            conflicts,
        }
    }
}

pub(super) fn item(document: &Automerge, id: DocumentId, key: &str) -> Option<Item> {
    let maps = maps(document, key);
    let created_by = maps.first()?.made.actor;
    let fields = maps.iter().flat_map(|map| claims(document, map));
    let claims = fields.flat_map(|(field, claims)| {
        claims
            .into_iter()
            .map(move |(by, value)| (Cow::Owned(field.clone()), by, value))
    });
    Some(
        Reading {
            key,
            created_by,
            claims: claims.collect(),
        }
        .finish(id),
    )
}

pub(super) fn items(document: &Automerge, id: DocumentId) -> Vec<Item> {
    let stored = document.save_nocompress();
    // Automerge wrote this just now, and every merge makes sure that it is what `Chunk` reads.
    let chunk = Chunk::read(&stored).unwrap_or_default();
    let operation = |(counter, actor): Id| OpRef {
        counter: u64::from(counter),
        actor: chunk
            .actors
            .get(actor as usize)
            .copied()
            .unwrap_or(Actor([0; 16])),
    };
    let mut readings: Vec<Reading<'_>> = Vec::new();
    let mut maps = HashMap::new();
    let mut lists: HashMap<Id, (usize, &str, Vec<Scalar>)> = HashMap::new();
    for row in chunk.rows.iter().filter(|row| row.successors.is_empty()) {
        match (&row.object, &row.key, row.action) {
            (None, Key::Field(key), MAKE_MAP) => {
                if readings.last().is_none_or(|last| last.key != key) {
                    let created_by = operation(row.id).actor;
                    readings.push(Reading {
                        key,
                        created_by,
                        claims: Vec::new(),
                    });
                }
                maps.insert(row.id, readings.len() - 1);
            }
            (Some(map), Key::Field(field), PUT) => {
                if let Some(reading) = maps.get(map).and_then(|index| readings.get_mut(*index))
                    && let Some(scalar) = chunk.scalar(row)
                {
                    let claim = (
                        field.as_ref().into(),
                        operation(row.id),
                        Value::Scalar(scalar),
                    );
                    reading.claims.push(claim);
                }
            }
            (Some(map), Key::Field(field), MAKE_LIST) => {
                if let Some(index) = maps.get(map) {
                    lists.insert(row.id, (*index, field, Vec::new()));
                }
            }
            (Some(list), Key::After(_), PUT) => {
                if let Some((_, _, scalars)) = lists.get_mut(list) {
                    scalars.extend(chunk.scalar(row));
                }
            }
            _ => {}
        }
    }
    for (list, (index, field, scalars)) in lists {
        if let Some(reading) = readings.get_mut(index) {
            reading
                .claims
                .push((field.into(), operation(list), Value::List(scalars)));
        }
    }
    readings
        .into_iter()
        .map(|reading| reading.finish(id))
        .collect()
}

impl Chunk<'_> {
    fn scalar(&self, row: &Row<'_>) -> Option<Scalar> {
        let bytes = self.values.get(row.value.clone())?;
        Some(match row.meta & 0xf {
            0 => Scalar::Null,
            1 => Scalar::Bool(false),
            2 => Scalar::Bool(true),
            4 => Scalar::Int(signed(bytes)?),
            5 => Scalar::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
            6 => Scalar::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
            7 => Scalar::Bytes(bytes.to_vec()),
            9 => Scalar::Timestamp(signed(bytes)?),
            _ => return None,
        })
    }
}

/// Reads a signed LEB128 number.
fn signed(bytes: &[u8]) -> Option<i64> {
    let mut number = 0_i64;
    let mut shift = 0;
    for byte in bytes {
        if shift < 64 {
            number |= i64::from(byte & 0x7f) << shift;
        }
        shift += 7;
    }
    let negative = bytes.last()? & 0x40 != 0 && shift < 64;
    Some(if negative {
        number | -1 << shift
    } else {
        number
    })
}
