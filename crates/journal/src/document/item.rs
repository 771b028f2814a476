//! Reading items: what stands under a key, field by field.
//!
//! Two replicas may make one item each under the same key (both imported one file). Then Automerge keeps two maps, and
//! shows one. Here all of them are read as one item: each field has the value with the greatest operation (counter, then
//! actor) among all maps, which is the order in which Automerge itself chooses within a map, and so the same on every
//! replica. Other values that differ are the field's conflicts. A field that was removed from one map and stands in
//! another stands.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, ValueRef};

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
            month @ DocumentId::Month { .. } => {
                self.entry().is_none_or(|id| DocumentId::of(id) != Ok(month))
            }
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
        .filter_map(|(_, id)| Some(Map { made: operation(&id)?, id }))
        .collect()
}

/// Returns the values that stand in a map.
pub(super) fn claims(document: &Automerge, map: &Map) -> Claims {
    let mut claims = Claims::new();
    each_claim(document, map, |field, by, value| {
        claims.entry(field.to_owned()).or_default().push((by, value));
    });
    claims
}

pub(super) fn item(document: &Automerge, id: DocumentId, key: &str) -> Option<Item> {
    read(document, id, key, &maps(document, key))
}

pub(super) fn items(document: &Automerge, id: DocumentId) -> Vec<Item> {
    let mut items = Vec::new();
    for entry in document.map_range(ROOT, ..) {
        let maps = match &entry.value {
            ValueRef::Object(ObjType::Map) if !entry.conflict => {
                let id = entry.id();
                operation(&id).map(|made| Map { made, id }).into_iter().collect()
            }
            _ => maps(document, &entry.key),
        };
        items.extend(read(document, id, &entry.key, &maps));
    }
    items
}

fn read(document: &Automerge, id: DocumentId, key: &str, maps: &[Map]) -> Option<Item> {
    let created_by = maps.first()?.made.actor;
    let mut won: BTreeMap<String, (OpRef, Value)> = BTreeMap::new();
    let mut lost: BTreeMap<String, Vec<(OpRef, Value)>> = BTreeMap::new();
    for map in maps {
        each_claim(document, map, |field, by, value| {
            let claim = (by, value);
            let Some(winner) = won.get_mut(field) else {
                won.insert(field.to_owned(), claim);
                return;
            };
            let loser = if by > winner.0 { std::mem::replace(winner, claim) } else { claim };
            lost.entry(field.to_owned()).or_default().push(loser);
        });
    }
    let mut conflicts = BTreeMap::new();
    for (field, mut claims) in lost {
        claims.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
        let mut said = won.get(&field).map(|(_, value)| value.clone()).into_iter().collect();
        let claims = claims.into_iter().filter_map(|(by, value)| other(by, value, &mut said));
        let claims = claims.collect::<Vec<_>>();
        if !claims.is_empty() {
            conflicts.insert(field, claims);
        }
    }
    let fields = won.into_iter().map(|(field, (_, value))| (field, value)).collect();
    Some(Item { document: id, key: key.to_owned(), fields, created_by, conflicts })
}

/// Returns the claim, if nobody said the same yet.
fn other(by: OpRef, value: Value, said: &mut Vec<Value>) -> Option<Claim> {
    if said.contains(&value) {
        return None;
    }
    said.push(value.clone());
    Some(Claim { actor: by.actor, value })
}

fn each_claim(document: &Automerge, map: &Map, mut each: impl FnMut(&str, OpRef, Value)) {
    for field in document.map_range(&map.id, ..) {
        if field.conflict {
            for (value, id) in document.get_all(&map.id, field.key.as_ref()).unwrap_or_default() {
                let value = match value {
                    automerge::Value::Object(kind) => object(document, kind, &id),
                    automerge::Value::Scalar(value) => scalar(value.into_owned().into()),
                };
                if let (Some(value), Some(by)) = (value, operation(&id)) {
                    each(&field.key, by, value);
                }
            }
            continue;
        }
        let id = field.id();
        let value = match field.value {
            ValueRef::Object(kind) => object(document, kind, &id),
            ValueRef::Scalar(value) => scalar(value),
        };
        if let (Some(value), Some(by)) = (value, operation(&id)) {
            each(&field.key, by, value);
        }
    }
}

fn object(document: &Automerge, kind: ObjType, id: &ObjId) -> Option<Value> {
    if kind != ObjType::List {
        return None;
    }
    let elements = document.list_range(id, ..);
    let scalars = elements.map(|element| match element.value {
        ValueRef::Scalar(value) => plain(value),
        ValueRef::Object(_) => None,
    });
    scalars.collect::<Option<Vec<_>>>().map(Value::List)
}

fn scalar(value: ScalarValueRef<'_>) -> Option<Value> {
    plain(value).map(Value::Scalar)
}

/// Reads a scalar. No document of a journal holds one of another type: nothing that writes or merges lets it in.
fn plain(value: ScalarValueRef<'_>) -> Option<Scalar> {
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
    let ObjId::Id(counter, actor, _) = id else { return None };
    Some(OpRef { counter: *counter, actor: crate::change::actor(actor).ok()? })
}
