//! Rows of the read model: an item of a document, as the replica lists it without loading the document.
//!
//! The row's JSON holds the item's fields without loss. Scalars that JSON has are themselves; a float is `{"float": n}`, so
//! that 2.0 stays one, bytes are `{"bytes": "hex"}`, a timestamp is `{"timestamp": ms}`.

use data_encoding::HEXLOWER;
use journal::document::Item;
use journal::entry::{Entry, Status};
use journal::{EntryId, Fields, Scalar, Value, words};
use protocol::id::ChainId;
use serde_json::{Value as Json, json};
use store::entry::{EntryKey, EntryRow};

/// Makes the row of an item; none for an item that belongs in no view.
pub(crate) fn row(item: &Item, changed_ms: i64) -> Option<EntryRow> {
    if item.misplaced() {
        return None;
    }
    let id = item.entry()?;
    Some(row_of(
        id,
        &item.fields,
        ChainId(item.created_by.0),
        changed_ms,
    ))
}

/// Makes the row of an entry from its stored fields.
pub(crate) fn row_of(id: EntryId, fields: &Fields, chain: ChainId, changed_ms: i64) -> EntryRow {
    let entry = Entry::from_fields(id, fields);
    let mut text = words::words(&entry);
    for more in entry.note.iter().chain(&entry.tags) {
        text.push('\n');
        text.push_str(more);
    }
    EntryRow {
        id: EntryKey(*id.as_bytes()),
        at_ms: entry.at.instant().as_millisecond(),
        deleted: entry.status == Status::EnteredInError,
        kind: entry.kind,
        chain,
        changed_ms,
        text,
        json: fields_to_json(fields).to_string(),
    }
}

/// Writes fields without loss.
pub(crate) fn fields_to_json(fields: &Fields) -> Json {
    let map: serde_json::Map<String, Json> = fields
        .iter()
        .map(|(name, value)| {
            let json = match value {
                Value::Scalar(scalar) => scalar_to_json(scalar),
                Value::List(list) => Json::Array(list.iter().map(scalar_to_json).collect()),
            };
            (name.clone(), json)
        })
        .collect();
    Json::Object(map)
}

fn scalar_to_json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::Null => Json::Null,
        Scalar::Bool(yes) => json!(yes),
        Scalar::Int(number) => json!(number),
        Scalar::Float(number) => json!({ "float": number }),
        Scalar::Text(text) => json!(text),
        Scalar::Bytes(bytes) => json!({ "bytes": HEXLOWER.encode(bytes) }),
        Scalar::Timestamp(ms) => json!({ "timestamp": ms }),
    }
}

/// Reads the fields of a row; none if the JSON is not what [`row_of`] writes.
pub(crate) fn fields_of(json: &str) -> Option<Fields> {
    fields_of_json(serde_json::from_str(json).ok()?)
}

/// Reads fields; none if the JSON is not what [`fields_to_json`] writes.
pub(crate) fn fields_of_json(json: Json) -> Option<Fields> {
    let Json::Object(map) = json else {
        return None;
    };
    map.into_iter()
        .map(|(name, json)| {
            let value = match json {
                Json::Array(list) => Value::List(
                    list.into_iter()
                        .map(json_to_scalar)
                        .collect::<Option<_>>()?,
                ),
                scalar => Value::Scalar(json_to_scalar(scalar)?),
            };
            Some((name, value))
        })
        .collect()
}

fn json_to_scalar(json: Json) -> Option<Scalar> {
    Some(match json {
        Json::Null => Scalar::Null,
        Json::Bool(yes) => Scalar::Bool(yes),
        Json::Number(number) => Scalar::Int(number.as_i64()?),
        Json::String(text) => Scalar::Text(text),
        Json::Object(map) => match map.iter().next()? {
            (kind, number) if kind == "float" => Scalar::Float(number.as_f64()?),
            (kind, ms) if kind == "timestamp" => Scalar::Timestamp(ms.as_i64()?),
            (kind, hex) if kind == "bytes" => {
                Scalar::Bytes(HEXLOWER.decode(hex.as_str()?.as_bytes()).ok()?)
            }
            _ => return None,
        },
        Json::Array(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_without_loss() {
        let fields = Fields::from([
            ("a".to_owned(), Value::from(6)),
            ("b".to_owned(), Value::from(2.0)),
            ("c".to_owned(), Value::Scalar(Scalar::Bytes(vec![1, 255]))),
            ("d".to_owned(), Value::Scalar(Scalar::Timestamp(-5))),
            (
                "e".to_owned(),
                Value::List(vec![Scalar::Text("legs \" \\ é".to_owned()), Scalar::Null]),
            ),
            ("f".to_owned(), Value::from(true)),
            ("g".to_owned(), Value::Scalar(Scalar::Float(0.1))),
            ("h".to_owned(), Value::List(Vec::new())),
            ("i".to_owned(), Value::from(i64::MAX)),
        ]);
        assert_eq!(
            fields_of(&fields_to_json(&fields).to_string()),
            Some(fields)
        );
        assert_eq!(fields_of("{\"a\": {\"what\": 1}}"), None);
        assert_eq!(fields_of("[]"), None);
    }
}
