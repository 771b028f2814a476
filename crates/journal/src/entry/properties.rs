//! Properties of entries for any stored fields: reading never fails, and what is shown is well formed.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::json::entry_json;
use crate::kind::{COMMON, KINDS};
use crate::validate::{Invalid, parse_field, warnings};
use crate::words::{field_words, lines, words};

/// Names that mean something, and others.
fn name() -> impl Strategy<Value = String> {
    let known: Vec<&str> = KINDS
        .iter()
        .flat_map(|kind| kind.fields.iter().chain(COMMON))
        .map(|field| field.name)
        .chain([
            KIND,
            AT,
            OFFSET,
            ZONE,
            AUTHOR,
            "id",
            "recorded_at",
            "weakness_legs",
            "weakness_x",
        ])
        .collect();
    prop_oneof![
        proptest::sample::select(known).prop_map(str::to_owned),
        ".{0,8}"
    ]
}

/// Texts that mean something, and others.
fn text() -> impl Strategy<Value = String> {
    let known = vec![
        "fatigue",
        "activity",
        "dose",
        "sleep",
        "note",
        "final",
        "skipped",
        "legs",
        "Europe/Madrid",
        "2026-11-20T08:00:00+01:00",
        "9999-12-31T23:59:59-18:00",
        "2000-01-01T00:00:00Z",
    ];
    prop_oneof![
        proptest::sample::select(known).prop_map(str::to_owned),
        "\\PC{0,70}",
        any::<String>()
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Int),
        (-5i64..2000).prop_map(Scalar::Int),
        any::<f64>().prop_map(Scalar::Float),
        text().prop_map(Scalar::Text),
        vec(any::<u8>(), 0..9).prop_map(Scalar::Bytes),
        any::<i64>().prop_map(Scalar::Timestamp),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        scalar().prop_map(Value::Scalar),
        vec(scalar(), 0..4).prop_map(Value::List)
    ]
}

/// Stored fields of a known kind, as often as not.
fn stored() -> impl Strategy<Value = Fields> {
    let kind = proptest::sample::select(KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>());
    (
        btree_map(name(), value(), 0..12),
        proptest::option::of(kind),
    )
        .prop_map(|(mut fields, kind)| {
            fields.extend(kind.map(|kind| (KIND.to_owned(), kind.into())));
            fields
        })
}

/// Counts the keys of a JSON object as they are written, repeated ones too.
struct Keys(Vec<String>);

impl<'de> serde::Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Keys;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

proptest! {
    #[test]
    fn whatever_is_stored_is_shown(
        ms in any::<u64>(),
        random in any::<[u8; 10]>(),
        fields in stored(),
    ) {
        let id = EntryId::mint(ms, random);
        let entry = Entry::from_fields(id, &fields);
        let author = Author { person: "Ana".into(), device: "laptop".into() };
        let json = serde_json::to_string(&entry_json(&entry, &author)).unwrap();
        let keys = serde_json::from_str::<Keys>(&json).unwrap().0;
        prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        for (label, said) in lines(&entry).into_iter().chain([(String::new(), words(&entry))]) {
            prop_assert!(!label.contains(char::is_control), "{:?}", label);
            prop_assert!(!said.replace('\n', "").contains(char::is_control), "{:?}", said);
        }
        for (name, value) in &fields {
            field_words(&entry.kind, name, value);
        }
        warnings(&entry.kind, &fields);
        let now = jiff::civil::date(2026, 11, 22).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        crate::time::when(&entry.at, entry.precision, &now);
    }

    #[test]
    fn an_edit_touches_what_it_names_and_nothing_else(fields in stored(), note in "[a-z]{1,9}") {
        let (id, _) = id_and_at();
        let set = Fields::from([("note".to_owned(), note.as_str().into())]);
        let patch = Patch { set, ..Patch::default() };
        let Ok(edit) = patch.edit(id, &fields) else {
            return Ok(());
        };
        let mut after = fields.clone();
        edit.apply(&mut after);
        prop_assert_eq!(after.get("note"), Some(&note.into()));
        for name in fields.keys().chain(after.keys()) {
            if name != "note" && name != "status" {
                prop_assert_eq!(fields.get(name), after.get(name));
            }
        }
    }

    #[test]
    fn what_is_read_from_flags_is_valid_and_read_again_the_same(
        kind in proptest::sample::select(KINDS.iter().collect::<Vec<_>>()),
        name in name(),
        typed in prop_oneof![text(), "[0-9.:/hmgd= ,-]{0,9}"],
    ) {
        let Ok(read) = parse_field(kind.name, &name, &typed) else {
            return Ok(());
        };
        let (id, at) = id_and_at();
        let mut draft = Draft::new(kind.name, at);
        draft.fields = crate::kind::sample::minimal(kind);
        draft.fields.extend(read.clone());
        match draft.to_fields(id) {
            Ok(stored) => prop_assert!(read.iter().all(|(name, value)| stored.get(name) == Some(value))),
            // It may need another field beside it, or not fit another one.
            Err(Invalid::Missing { .. } | Invalid::Value { .. } | Invalid::Night(_)) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
