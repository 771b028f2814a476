//! A new entry: what a front end asks to record, checked and brought into its stored form.

use super::{
    AT, AUTHOR, Author, KIND, OFFSET, ZONE, id_second, is_offset, is_storable, is_zone_name,
};
use crate::id::EntryId;
use crate::kind::{self, AUTHOR_NAME, Slot};
use crate::time::At;
use crate::validate::{
    Invalid, Named, Warning, check_together, check_value, known, normal, slot_of, validate,
    warnings,
};
use crate::value::{Fields, Scalar, Value};

/// What someone asks to record.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The name of the kind.
    pub kind: String,
    /// When it happened.
    pub at: At,
    /// The kind's own fields and the common ones (`note`, `tags`, `precision`, `source`, `status`), by stored name.
    pub fields: Fields,
    /// The first author as an imported file claims; absent for what is recorded here.
    pub author: Option<Author>,
}

impl Draft {
    /// Makes a draft without fields.
    pub fn new(kind: &str, at: At) -> Self {
        Self {
            kind: kind.to_owned(),
            at,
            fields: Fields::new(),
            author: None,
        }
    }

    /// Puts a field in.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the lean stored form of the entry `id`.
    ///
    /// # Errors
    /// [`Invalid`] if it is not a valid entry of its kind.
    pub fn to_fields(&self, id: EntryId) -> Result<Fields, Invalid> {
        let kind = known(&self.kind)?;
        let mut stored = Fields::new();
        for (name, value) in &self.fields {
            let slot = slot_of(Some(kind), kind.name, name)?;
            if let Some(value) = normal(&slot, value) {
                stored.insert(name.clone(), value);
            }
        }
        validate(kind.name, &stored)?;
        self.complete(id, stored)
    }

    /// Returns the lean stored form of the entry `id` as a file gives it: kinds and fields that this ebb does not know
    /// are kept as they are. What it knows must be valid; an entry with an unknown field may follow the rules of a newer
    /// ebb, and is not held to those of its kind as a whole.
    ///
    /// # Errors
    /// [`Invalid`] if a field that is known is not valid, or is none that an entry can have.
    pub fn to_fields_kept(&self, id: EntryId) -> Result<Fields, Invalid> {
        let kind = kind::kind(&self.kind);
        let (mut stored, mut strange) = (Fields::new(), Fields::new());
        for (name, value) in &self.fields {
            match slot_of(kind, &self.kind, name) {
                Ok(slot) => {
                    if let Some(value) = normal(&slot, value) {
                        check_value(&slot, &value)?;
                        stored.insert(name.clone(), value);
                    }
                }
                Err(_) if ![KIND, AT, OFFSET, ZONE, AUTHOR].contains(&name.as_str()) => {
                    strange.insert(name.clone(), value.clone());
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(kind) = kind.filter(|_| strange.is_empty()) {
            check_together(kind, &stored)?;
        }
        stored.extend(strange);
        self.complete(id, stored)
    }

    /// Adds what is no field of a kind: the kind itself, who recorded it first, and when it happened.
    fn complete(&self, id: EntryId, mut stored: Fields) -> Result<Fields, Invalid> {
        stored.insert(KIND.to_owned(), self.kind.as_str().into());
        if let Some(Author { person, device }) = &self.author {
            for name in [person, device] {
                check_value(
                    &Slot {
                        field: &AUTHOR_NAME,
                        part: None,
                    },
                    &name.as_str().into(),
                )?;
            }
            let names = [person, device].map(|name| Scalar::Text(name.clone()));
            stored.insert(AUTHOR.to_owned(), Value::List(names.to_vec()));
        }
        for (name, value) in at_fields(id, &self.at)? {
            stored.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(stored)
    }

    /// Returns what is valid but doubtful about it.
    pub fn warnings(&self) -> Vec<Warning> {
        warnings(&self.kind, &self.fields)
    }
}

/// Returns the stored fields that say when the entry `id` happened; those without a value are not stored.
///
/// # Errors
/// [`Invalid`] if the time is before the year 2000, or its offset or zone cannot be.
pub(super) fn at_fields(
    id: EntryId,
    at: &At,
) -> Result<[(&'static str, Option<Value>); 3], Invalid> {
    let refused = |field: &str, value: String, allowed: &str| Invalid::Value {
        field: Named::plain(field),
        value: crate::words::plain(&value.into()),
        allowed: allowed.to_owned(),
    };
    if !is_storable(at.instant()) {
        return Err(refused(AT, at.to_string(), "from the year 2000 on"));
    }
    if !is_offset(at.offset()) {
        return Err(refused(
            OFFSET,
            at.offset().to_string(),
            "whole minutes, at most 18 h from UTC",
        ));
    }
    if let Some(zone) = at.zone().filter(|zone| !is_zone_name(zone)) {
        return Err(refused(
            ZONE,
            zone.to_owned(),
            "the name of a zone, such as Europe/Madrid",
        ));
    }
    let moved = at.instant() != id_second(id);
    let ms = moved.then(|| Value::Scalar(Scalar::Timestamp(at.instant().as_millisecond())));
    let seconds = i64::from(at.offset().seconds());
    let offset = (seconds != 0).then(|| Value::from(seconds));
    Ok([
        (AT, ms),
        (OFFSET, offset),
        (ZONE, at.zone().map(Value::from)),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::id_and_at;
    use super::*;
    use crate::entry::{Entry, Precision, Source, Status};
    use jiff::tz::Offset;

    #[test]
    fn stores_only_what_is_not_usual() {
        let (id, at) = id_and_at();
        let usual = Draft::new("fatigue", At::new(at.instant(), Offset::UTC, None))
            .with("level", 6)
            .with("precision", "exact")
            .with("source", "self")
            .with("status", "final")
            .with("note", "")
            .with("tags", Value::List(Vec::new()));
        let stored = usual.to_fields(id).unwrap();
        assert_eq!(stored.keys().collect::<Vec<_>>(), ["kind", "level"]);
        let entry = Entry::from_fields(id, &stored);
        assert_eq!(entry.at, usual.at);
    }

    #[test]
    fn reads_back_what_it_stored() {
        let (id, _) = id_and_at();
        let tags = Value::List(vec![Scalar::Text("a".into()), Scalar::Text("b".into())]);
        let mut draft = Draft::new(
            "dose",
            "2026-11-19T23:00:00-03:30[America/St_Johns]"
                .parse()
                .unwrap(),
        )
        .with("medicine", "amifampridine")
        .with("amount_mg", 10.0)
        .with("planned_at", "2026-11-19T22:30-03:30")
        .with("note", "late\n\tagain")
        .with("tags", tags)
        .with("precision", "approx")
        .with("source", "caregiver")
        .with("status", "amended");
        draft.author = Some(Author {
            person: "Sam".into(),
            device: "phone".into(),
        });
        let entry = Entry::from_fields(id, &draft.to_fields(id).unwrap());
        assert_eq!(
            (entry.kind.as_str(), &entry.at, &entry.author),
            ("dose", &draft.at, &draft.author)
        );
        assert_eq!(
            (entry.status, entry.precision, entry.source),
            (Status::Amended, Precision::Approx, Source::Caregiver)
        );
        assert_eq!(
            (entry.note.as_deref(), entry.tags.len()),
            (Some("late\n\tagain"), 2)
        );
        let own = Draft::new("dose", draft.at)
            .with("medicine", "amifampridine")
            .with("amount_mg", 10)
            .with("planned_at", "2026-11-19T22:30:00-03:30");
        assert_eq!(entry.fields, own.fields);
    }

    #[test]
    fn refuses_times_that_cannot_be() {
        let (id, at) = id_and_at();
        let refusal = |at: At| {
            Draft::new("fatigue", at)
                .with("level", 1)
                .to_fields(id)
                .unwrap_err()
                .to_string()
        };
        let old: At = "1999-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(
            refusal(old),
            "at is 1999-12-31T23:59:59+00:00; it must be from the year 2000 on"
        );
        let odd = At::new(at.instant(), Offset::from_seconds(61).unwrap(), None);
        assert_eq!(
            refusal(odd),
            "offset is +00:01:01; it must be whole minutes, at most 18 h from UTC"
        );
        let far = At::new(
            at.instant(),
            Offset::from_seconds(18 * 3600 + 60).unwrap(),
            None,
        );
        assert_eq!(
            refusal(far),
            "offset is +18:01; it must be whole minutes, at most 18 h from UTC"
        );
        let zone = At::new(at.instant(), Offset::UTC, Some("Europe\nMadrid".into()));
        assert_eq!(
            refusal(zone),
            "zone is Europe Madrid; it must be the name of a zone, such as Europe/Madrid"
        );
    }

    #[test]
    fn nothing_but_fields_can_be_put_in() {
        let (id, at) = id_and_at();
        for name in [
            "id",
            "kind",
            "at",
            "offset",
            "zone",
            "author",
            "recorded_at",
            "weakness",
            "weakness_elbow",
        ] {
            let draft = Draft::new("fatigue", at.clone())
                .with("level", 1)
                .with(name, "x");
            assert!(
                matches!(draft.to_fields(id), Err(Invalid::UnknownField { .. })),
                "{name}"
            );
        }
        let unknown = Draft::new("mood", at).to_fields(id).unwrap_err();
        assert_eq!(unknown.field(), Some("kind"));
    }

    #[test]
    fn a_claimed_author_is_a_name() {
        let (id, at) = id_and_at();
        let mut draft = Draft::new("note", at).with("note", "x");
        draft.author = Some(Author {
            person: "Sam".into(),
            device: "x".repeat(201),
        });
        let said = draft.to_fields(id).unwrap_err().to_string();
        assert_eq!(said, "author is at most 200 bytes; this one is 201 bytes");
    }
}
