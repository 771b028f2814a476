//! An entry as JSON, for scripts and other people's tools.
//!
//! Keys come in one order: what every entry has, the fields of its kind as the table lists them, then what is not
//! understood, by name. Absent fields are left out. Nothing here is local to a device.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::entry::{Author, Entry, Precision, Source};
use crate::kind::{self, COMMON, Field, Shape};
use crate::value::{Fields, Scalar, Value};

pub(crate) use read::value;
pub use read::{NoEntry, read_entry};

/// An entry as it is shown in JSON: serialize it.
#[derive(Clone, Copy, Debug)]
pub struct EntryJson<'a> {
    entry: &'a Entry,
    author: &'a Author,
}

/// Shows an entry whose chain is of the device `author`; an import shows the author its file claimed.
pub fn entry_json<'a>(entry: &'a Entry, author: &'a Author) -> EntryJson<'a> {
    EntryJson {
        entry,
        author: entry.author.as_ref().unwrap_or(author),
    }
}

impl Serialize for EntryJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.entry;
        let mut map = Keys {
            map: serializer.serialize_map(None)?,
            used: BTreeSet::new(),
        };
        map.entry("id", &entry.id.to_string())?;
        map.entry("kind", &entry.kind)?;
        map.entry("at", &entry.at.to_string())?;
        if let Some(zone) = entry.at.zone() {
            map.entry("zone", zone)?;
        }
        map.entry("recorded_at", &format!("{:.3}", entry.recorded_at()))?;
        map.entry("author", &AuthorJson(self.author))?;
        for field in COMMON {
            self.common(field, &mut map)?;
        }
        for field in kind::kind(&entry.kind).map_or(&[][..], |kind| kind.fields) {
            own(field, &entry.fields, &mut map)?;
        }
        let of_parts = |name: &str| {
            let fields = kind::kind(&entry.kind).map_or(&[][..], |kind| kind.fields);
            fields.iter().any(|field| field.stored_part(name).is_some())
        };
        for (name, value) in entry.fields.iter().filter(|(name, _)| !of_parts(name)) {
            map.entry(name, &ValueJson(value))?;
        }
        map.map.end()
    }
}

impl EntryJson<'_> {
    /// Writes a field every entry may have, as stored if it was not understood.
    fn common<M: SerializeMap>(&self, field: &Field, map: &mut Keys<M>) -> Result<(), M::Error> {
        let entry = self.entry;
        if let Some(strange) = entry.fields.get(field.name) {
            return map.entry(field.name, &ValueJson(strange));
        }
        match field.name {
            "status" => map.entry("status", entry.status.as_str()),
            "precision" if entry.precision != Precision::default() => {
                map.entry("precision", entry.precision.as_str())
            }
            "source" if entry.source != Source::default() => {
                map.entry("source", entry.source.as_str())
            }
            "note" => entry
                .note
                .as_ref()
                .map_or(Ok(()), |note| map.entry("note", note)),
            "tags" if !entry.tags.is_empty() => map.entry("tags", &entry.tags),
            _ => Ok(()),
        }
    }
}

/// Writes a field of the kind; the parts of one asked part by part become one object, those not known too.
fn own<M: SerializeMap>(field: &Field, fields: &Fields, map: &mut Keys<M>) -> Result<(), M::Error> {
    let Shape::Each { parts, .. } = field.shape else {
        return match fields.get(field.name) {
            Some(value) => map.entry(field.name, &ValueJson(value)),
            None => Ok(()),
        };
    };
    let mut asked: BTreeMap<(usize, String), ValueJson<'_>> = BTreeMap::new();
    for (name, value) in fields {
        let Some(part) = field.stored_part(name) else {
            continue;
        };
        let place = parts
            .iter()
            .position(|known| known.value == part)
            .unwrap_or(parts.len());
        asked.insert((place, part), ValueJson(value));
    }
    if asked.is_empty() {
        Ok(())
    } else {
        map.entry(field.name, &PartsJson(asked))
    }
}

/// A JSON object that takes each key once; the first one counts.
struct Keys<M> {
    map: M,
    used: BTreeSet<String>,
}

impl<M: SerializeMap> Keys<M> {
    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), M::Error> {
        if self.used.insert(key.to_owned()) {
            self.map.serialize_entry(key, value)
        } else {
            Ok(())
        }
    }
}

/// Parts in the order of the table.
struct PartsJson<'a>(BTreeMap<(usize, String), ValueJson<'a>>);

impl Serialize for PartsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|((_, part), value)| (part, value)))
    }
}

/// Person and device.
struct AuthorJson<'a>(&'a Author);

impl Serialize for AuthorJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("person", &self.0.person), ("device", &self.0.device)])
    }
}

/// A stored value as it is shown in JSON: serialize it. What JSON has no type for becomes an object, which no value is
/// otherwise.
#[derive(Clone, Copy, Debug)]
pub struct ValueJson<'a>(&'a Value);

/// Shows one stored value as [`entry_json`] does.
pub fn value_json(value: &Value) -> ValueJson<'_> {
    ValueJson(value)
}

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Scalar(scalar) => ScalarJson(scalar).serialize(serializer),
            Value::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for scalar in list {
                    seq.serialize_element(&ScalarJson(scalar))?;
                }
                seq.end()
            }
        }
    }
}

/// One stored scalar.
struct ScalarJson<'a>(&'a Scalar);

impl Serialize for ScalarJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Scalar::Null => serializer.serialize_unit(),
            Scalar::Bool(yes) => serializer.serialize_bool(*yes),
            Scalar::Int(number) => serializer.serialize_i64(*number),
            Scalar::Float(number) => serializer.serialize_f64(*number),
            Scalar::Text(text) => serializer.serialize_str(text),
            Scalar::Bytes(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                serializer.collect_map([("bytes", hex)])
            }
            Scalar::Timestamp(ms) => serializer.collect_map([("timestamp_ms", ms)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::test_entry;

    fn json(entry: &Entry) -> String {
        let author = Author {
            person: "Ana".into(),
            device: "laptop".into(),
        };
        serde_json::to_string_pretty(&entry_json(entry, &author)).unwrap()
    }

    /// What follows the author's object, on one line.
    fn after_author(entry: &Entry) -> String {
        let author = Author {
            person: "Ana".into(),
            device: "laptop".into(),
        };
        let line = serde_json::to_string(&entry_json(entry, &author)).unwrap();
        line.split_once("\"},").unwrap().1.to_owned()
    }

    #[test]
    fn keys_and_their_order_are_the_contract() {
        let entry = test_entry(
            "fatigue",
            &[
                ("note", "after the stairs"),
                ("tag", "stairs,home"),
                ("weakness", "arms=2,legs=skipped"),
                ("sort", "weakness"),
                ("area", "arms,shoulder"),
                ("level", "6"),
                ("source", "caregiver"),
                ("precision", "about"),
            ],
        );
        let expected = r#"{
  "id": "019a9ff6-a47b-7707-8707-070707070707",
  "kind": "fatigue",
  "at": "2026-11-20T08:00:00+01:00",
  "zone": "Europe/Madrid",
  "recorded_at": "2026-11-20T07:00:00.123Z",
  "author": {
    "person": "Ana",
    "device": "laptop"
  },
  "status": "final",
  "precision": "approx",
  "source": "caregiver",
  "note": "after the stairs",
  "tags": [
    "stairs",
    "home"
  ],
  "level": 6,
  "areas": [
    "upper-arms",
    "shoulders"
  ],
  "sort": "weakness",
  "weakness": {
    "legs": "skipped",
    "upper-arms": 2
  }
}"#;
        assert_eq!(
            json(&entry),
            expected.replace(
                "019a9ff6-a47b-7707-8707-070707070707",
                &entry.id.to_string()
            )
        );
    }

    #[test]
    fn every_kind_in_json() {
        for (kind, fields, expected) in [
            (
                "dose",
                &[("medicine", "x"), ("amount", "2.5")][..],
                r#""status":"final","medicine":"x","amount_mg":2.5}"#,
            ),
            (
                "dose",
                &[("medicine", "x"), ("amount", "10mg")],
                r#""status":"final","medicine":"x","amount_mg":10}"#,
            ),
            (
                "activity",
                &[
                    ("eased", "yes"),
                    ("what", "walking"),
                    ("minutes", "20"),
                    ("effort", "unable"),
                ],
                r#""status":"final","what":"walking","minutes":20,"effort":"unable","eased":"yes"}"#,
            ),
            (
                "sleep",
                &[
                    ("bed", "2026-11-20T22:30:00+01:00"),
                    ("quality", "3"),
                    ("rested", "2"),
                ],
                r#""status":"final","in_bed":"2026-11-20T22:30:00+01:00","quality":3,"rested":2}"#,
            ),
            (
                "note",
                &[("note", "x\ny")],
                r#""status":"final","note":"x\ny"}"#,
            ),
        ] {
            assert_eq!(after_author(&test_entry(kind, fields)), expected);
        }
    }

    #[test]
    fn unknown_kinds_and_fields_are_shown_as_they_are() {
        let mut entry = test_entry("fatigue", &[("level", "6")]);
        entry.fields.extend([
            (
                "aura".to_owned(),
                Value::List(vec![Scalar::Null, Scalar::Bool(true), Scalar::Float(1.0)]),
            ),
            ("id".to_owned(), "mine".into()),
            ("raw".to_owned(), Value::Scalar(Scalar::Bytes(vec![0, 255]))),
            ("since".to_owned(), Value::Scalar(Scalar::Timestamp(-1))),
            ("status".to_owned(), "paused".into()),
            ("weakness".to_owned(), "odd".into()),
            ("weakness_jaw_left".to_owned(), 1.into()),
        ]);
        assert_eq!(
            after_author(&entry),
            concat!(
                r#""status":"paused","level":6,"weakness":{"jaw-left":1},"aura":[null,true,1.0],"#,
                r#""raw":{"bytes":"00ff"},"since":{"timestamp_ms":-1}}"#
            )
        );
        entry.kind = "mood".to_owned();
        entry
            .fields
            .retain(|name, _| name.starts_with('l') || name.starts_with('w'));
        assert_eq!(
            after_author(&entry),
            r#""status":"final","level":6,"weakness":"odd","weakness_jaw_left":1}"#
        );
    }

    #[test]
    fn an_import_shows_the_author_its_file_claimed() {
        let mut entry = test_entry("note", &[("note", "x")]);
        entry.author = Some(Author {
            person: "Sam".into(),
            device: "old phone".into(),
        });
        assert!(json(&entry).contains("\"person\": \"Sam\""));
        assert!(!json(&entry).contains("Ana"));
    }
}
