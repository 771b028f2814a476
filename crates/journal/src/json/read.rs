//! Reads back an entry from its JSON. Nothing is lost on the way: what this ebb does not know stays a field.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::entry::{Author, Draft};
use crate::id::EntryId;
use crate::kind::{self, Field, Kind, Shape};
use crate::time::At;
use crate::value::{Fields, Scalar, Value};

/// Keys of an entry's JSON that are no fields.
const NOT_FIELDS: [&str; 6] = ["id", "kind", "at", "zone", "recorded_at", "author"];

/// JSON that is no entry.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoEntry {
    /// It is not an object.
    #[error("an entry is a JSON object")]
    NoObject,
    /// A key that every entry has is missing, or its value is not what it must be.
    #[error("{key} is missing, or is not {wanted}")]
    Key {
        /// The key.
        key: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A field holds what no field can.
    #[error("{field} holds a value that no field can")]
    Field {
        /// The field.
        field: String,
    },
}

/// Reads an entry from the JSON that [`entry_json`](super::entry_json) writes: its id and what it says. Whether it is
/// valid shows when the draft is stored.
///
/// # Errors
/// [`NoEntry`] if it is not such JSON.
pub fn read_entry(json: &Json) -> Result<(EntryId, Draft), NoEntry> {
    let object = json.as_object().ok_or(NoEntry::NoObject)?;
    let text = |key: &'static str, wanted| {
        let text = object.get(key).and_then(Json::as_str);
        text.ok_or(NoEntry::Key { key, wanted })
    };
    let id = text("id", "the id of an entry")?;
    let id = id.parse().map_err(|_| NoEntry::Key {
        key: "id",
        wanted: "the id of an entry",
    })?;
    let name = text("kind", "a kind of entry")?;
    let wanted = "a date and time with an offset";
    let at: At = text("at", wanted)?
        .parse()
        .map_err(|_| NoEntry::Key { key: "at", wanted })?;
    let zone = object.get("zone").and_then(Json::as_str);
    let mut draft = Draft::new(
        name,
        At::new(at.instant(), at.offset(), zone.map(str::to_owned)),
    );
    draft.author = author(object.get("author"));
    let kind = kind::kind(name);
    let fields = object
        .iter()
        .filter(|(key, _)| !NOT_FIELDS.contains(&key.as_str()));
    for (key, json) in fields {
        let read = field(kind, key, json).ok_or_else(|| NoEntry::Field { field: key.clone() })?;
        draft.fields.extend(read);
    }
    Ok((id, draft))
}

/// Reads who recorded an entry.
fn author(json: Option<&Json>) -> Option<Author> {
    let name = |key| Some(json?.get(key)?.as_str()?.to_owned());
    Some(Author {
        person: name("person")?,
        device: name("device")?,
    })
}

/// Reads one key: a field, or the parts of one that is asked part by part.
fn field(kind: Option<&'static Kind>, key: &str, json: &Json) -> Option<Fields> {
    let of_parts = |field: &&Field| field.name == key && matches!(field.shape, Shape::Each { .. });
    let field = kind.and_then(|kind| kind.fields.iter().find(of_parts));
    match (field, json) {
        (Some(field), Json::Object(parts)) => parts
            .iter()
            .map(|(part, json)| Some((field.stored_name(part), value(json)?)))
            .collect(),
        _ => Some(BTreeMap::from([(key.to_owned(), value(json)?)])),
    }
}

/// Reads a value: a scalar, or a list of scalars.
pub(crate) fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Array(list) => list
            .iter()
            .map(scalar)
            .collect::<Option<_>>()
            .map(Value::List),
        other => scalar(other).map(Value::Scalar),
    }
}

/// Reads a scalar; what JSON has no type for is an object.
fn scalar(json: &Json) -> Option<Scalar> {
    Some(match json {
        Json::Null => Scalar::Null,
        Json::Bool(yes) => Scalar::Bool(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Scalar::Int(whole),
            None => Scalar::Float(number.as_f64()?),
        },
        Json::String(text) => Scalar::Text(text.clone()),
        Json::Object(object) if object.len() == 1 => match object.iter().next()? {
            (key, hex) if key == "bytes" => Scalar::Bytes(bytes(hex.as_str()?)?),
            (key, ms) if key == "timestamp_ms" => Scalar::Timestamp(ms.as_i64()?),
            _ => return None,
        },
        Json::Object(_) | Json::Array(_) => return None,
    })
}

/// Reads bytes from hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{self, ChangeHash};
    use crate::document::Document;
    use crate::entry::Entry;
    use crate::id::{Actor, DocumentId};
    use crate::json::entry_json;
    use crate::kind::{KINDS, sample};

    fn author() -> Author {
        Author {
            person: "Sam".into(),
            device: "old phone".into(),
        }
    }

    /// Takes a draft through an Automerge document and JSON, and back.
    fn round(draft: &Draft) -> Draft {
        let (id, _) = crate::entry::id_and_at();
        let stored = draft.to_fields(id).unwrap();
        let key = id.to_string();
        let made = change::create(Actor([3; 16]), None, 1, &[(key.as_str(), &stored)]).unwrap();
        let document = DocumentId::of(id).unwrap();
        let loaded = Document::load(document, None, [made.bytes.as_slice()]).unwrap();
        let saved = loaded.save();
        let again = Document::load(document, Some(&saved), []).unwrap();
        let entry = Entry::from_fields(id, &again.item(&key).unwrap().fields);
        let text = serde_json::to_string(&entry_json(&entry, &author())).unwrap();
        let (read, draft) = read_entry(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(
            (read, loaded.heads()),
            (id, vec![ChangeHash(made.tip.hash.0)])
        );
        draft
    }

    #[test]
    fn every_kind_comes_back_with_every_answer() {
        for kind in KINDS {
            for (what, fields) in sample::variants(kind) {
                let (_, at) = crate::entry::id_and_at();
                let mut draft = Draft::new(kind.name, at);
                draft.author = Some(author());
                draft.fields = fields;
                // What stands by default is not stored, but JSON says it.
                draft.fields.insert("status".into(), "amended".into());
                assert_eq!(round(&draft), draft, "{} {what}", kind.name);
            }
        }
    }

    #[test]
    fn what_is_unknown_comes_back_too() {
        let (id, at) = crate::entry::id_and_at();
        let stored = Fields::from([
            ("kind".to_owned(), "mood".into()),
            (
                "blob".to_owned(),
                Value::Scalar(Scalar::Bytes(vec![0, 255])),
            ),
            ("since".to_owned(), Value::Scalar(Scalar::Timestamp(-1))),
            (
                "list".to_owned(),
                Value::List(vec![Scalar::Null, Scalar::Bool(true), Scalar::Float(0.5)]),
            ),
        ]);
        let entry = Entry::from_fields(id, &stored);
        let json = serde_json::to_value(entry_json(&entry, &author())).unwrap();
        let (_, draft) = read_entry(&json).unwrap();
        assert_eq!(draft.at.instant(), at.instant());
        for (name, value) in stored.iter().filter(|(name, _)| *name != "kind") {
            assert_eq!(draft.fields.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn other_json_is_no_entry() {
        let refused = |text: &str| {
            let json = serde_json::from_str(text).unwrap();
            read_entry(&json).unwrap_err().to_string()
        };
        let (id, _) = crate::entry::id_and_at();
        let with = |rest: &str| refused(&format!("{{\"id\": \"{id}\", {rest}}}"));
        assert_eq!(refused("[]"), "an entry is a JSON object");
        assert_eq!(refused("{}"), "id is missing, or is not the id of an entry");
        assert_eq!(
            with("\"kind\": 5"),
            "kind is missing, or is not a kind of entry"
        );
        let at = "\"kind\": \"note\", \"at\": ";
        assert_eq!(
            with(&format!("{at}\"22:30\"")),
            "at is missing, or is not a date and time with an offset"
        );
        for wrong in [
            "{}",
            "[[]]",
            "{\"bytes\": \"0\"}",
            "{\"bytes\": \"xx\"}",
            "{\"a\": 1}",
        ] {
            let field = format!("{at}\"2026-11-20T08:00:00+01:00\", \"note\": {wrong}");
            assert_eq!(
                with(&field),
                "note holds a value that no field can",
                "{wrong}"
            );
        }
    }
}
