//! An entry: one record in a journal, as it is read back and as it is written.
//!
//! Owns the lean stored form: what follows from the id or is usual is not stored (`at` when it is the id's second,
//! `offset` when it is zero, `final`, `exact`, `self`). Reading never fails: what cannot be understood stays in
//! `fields` and is shown as it is.

mod draft;
mod patch;
#[cfg(test)]
mod properties;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::id::EntryId;
use crate::kind;
use crate::time::At;
use crate::value::{Fields, Scalar, Value};

pub use draft::Draft;
pub use patch::{Edit, Patch};

/// Stored names that are not fields of a kind.
pub(crate) const KIND: &str = "kind";
pub(crate) const AT: &str = "at";
pub(crate) const OFFSET: &str = "offset";
pub(crate) const ZONE: &str = "zone";
pub(crate) const AUTHOR: &str = "author";

/// The name of the kind of an entry that does not say its kind.
const NO_KIND: &str = "unknown";

/// One entry as it is read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id, which also says when it was recorded and which document it lives in.
    pub id: EntryId,
    /// The name of its kind, known or not.
    pub kind: String,
    /// When it happened.
    pub at: At,
    /// Whether it stands.
    pub status: Status,
    /// How exactly `at` is known.
    pub precision: Precision,
    /// Who or what the answers come from.
    pub source: Source,
    /// Anything worth keeping.
    pub note: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The first author as an imported file claims; otherwise the author is the device whose chain carried it.
    pub author: Option<Author>,
    /// The fields of its kind, and everything not understood, as stored.
    pub fields: Fields,
}

/// Who recorded something, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// The person.
    pub person: String,
    /// The person's device.
    pub device: String,
}

/// An answer to a question. A question that was not asked has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'a> {
    /// What was answered.
    Value(&'a Value),
    /// The question was passed over.
    Skipped,
    /// The person could not tell, or could not do it.
    Unable,
}

/// Makes an enum of the coded values of one common field.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident: $($(#[$value_doc:meta])* $value:ident = $text:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value),+
        }

        impl $name {
            /// Returns the coded value.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text),+
                }
            }

            /// Returns what the coded value means, if it is one.
            pub(crate) fn of(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

coded! {
    /// Whether an entry stands.
    Status:
    /// As it was recorded.
    #[default]
    Final = "final",
    /// Changed since it was recorded.
    Amended = "amended",
    /// Deleted; it can be restored.
    EnteredInError = "entered-in-error"
}

coded! {
    /// How exactly the time of an entry is known.
    Precision:
    /// To the minute or better.
    #[default]
    Exact = "exact",
    /// About.
    Approx = "approx",
    /// Only the part of the day.
    DayPart = "day-part"
}

coded! {
    /// Who or what the answers of an entry come from.
    Source:
    /// The patient.
    #[default]
    Own = "self",
    /// Someone who cares for the patient.
    Caregiver = "caregiver",
    /// An instrument.
    Device = "device"
}

impl Entry {
    /// Reads the stored form of the entry `id`. What is not understood is kept in `fields`; without a usable `at`
    /// the time is the id's, without a usable offset it is shown in UTC.
    pub fn from_fields(id: EntryId, stored: &Fields) -> Self {
        let mut fields = stored.clone();
        let kind = take(&mut fields, KIND, text).unwrap_or_else(|| NO_KIND.to_owned());
        let instant = take(&mut fields, AT, instant).unwrap_or_else(|| id_second(id));
        let offset = take(&mut fields, OFFSET, offset).unwrap_or(Offset::UTC);
        let zone = take(&mut fields, ZONE, |value| {
            text(value).filter(|zone| is_zone_name(zone))
        });
        Self {
            id,
            kind,
            at: At::new(instant, offset, zone),
            status: take(&mut fields, "status", |v| Status::of(v.as_text()?)).unwrap_or_default(),
            precision: take(&mut fields, "precision", |v| Precision::of(v.as_text()?))
                .unwrap_or_default(),
            source: take(&mut fields, "source", |v| Source::of(v.as_text()?)).unwrap_or_default(),
            note: take(&mut fields, "note", text),
            tags: take(&mut fields, "tags", texts).unwrap_or_default(),
            author: take(&mut fields, AUTHOR, author),
            fields,
        }
    }

    /// Returns when the entry was recorded: the id's time, in milliseconds.
    pub fn recorded_at(&self) -> Timestamp {
        id_time(self.id)
    }

    /// Returns the answer stored as `name`, if the question was asked.
    pub fn answer(&self, name: &str) -> Option<Answer<'_>> {
        let value = self.fields.get(name)?;
        let slot = kind::kind(&self.kind).and_then(|kind| kind.slot(name));
        Some(match slot.and_then(|slot| slot.field.state(value)) {
            Some(kind::SKIPPED) => Answer::Skipped,
            Some(_) => Answer::Unable,
            None => Answer::Value(value),
        })
    }
}

/// Returns the time of an id; one beyond what a calendar can show is the last one that it can.
fn id_time(id: EntryId) -> Timestamp {
    Timestamp::from_millisecond(id.unix_ms()).unwrap_or(Timestamp::MAX)
}

/// Returns the second of an id: what `at` is where it is not stored.
fn id_second(id: EntryId) -> Timestamp {
    At::new(id_time(id), Offset::UTC, None).instant()
}

/// Takes a field out if it can be read; leaves it as it is if not.
fn take<T>(fields: &mut Fields, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
    let understood = fields.get(name).and_then(read);
    if understood.is_some() {
        fields.remove(name);
    }
    understood
}

/// Reads a text that says something.
fn text(value: &Value) -> Option<String> {
    value
        .as_text()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Reads a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let Value::List(list) = value else {
        return None;
    };
    list.iter()
        .map(|scalar| match scalar {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// Reads an instant.
fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Scalar(Scalar::Timestamp(ms)) => Timestamp::from_millisecond(*ms)
            .ok()
            .filter(|instant| is_storable(*instant)),
        _ => None,
    }
}

/// Reads an offset.
fn offset(value: &Value) -> Option<Offset> {
    let seconds = i32::try_from(value.as_int()?).ok()?;
    Offset::from_seconds(seconds)
        .ok()
        .filter(|offset| is_offset(*offset))
}

/// Reads the author a file claims: person and device.
fn author(value: &Value) -> Option<Author> {
    let [person, device] = <[String; 2]>::try_from(texts(value)?).ok()?;
    Some(Author { person, device })
}

/// Tells whether an entry may have happened then: from 2000 to 9999, as ids do.
fn is_storable(instant: Timestamp) -> bool {
    (2000..=9999).contains(&Offset::UTC.to_datetime(instant).year())
}

/// Tells whether RFC 3339 can write the offset, and a clock on Earth could have it: whole minutes, within 18 h.
fn is_offset(offset: Offset) -> bool {
    offset.seconds() % 60 == 0 && offset.seconds().abs() <= 18 * 3600
}

/// Tells whether a text looks like the name of an IANA zone.
fn is_zone_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Makes an entry from flags as typed, recorded at 2026-11-20T08:00:00.123+01:00.
#[cfg(test)]
pub(crate) fn test_entry(kind: &str, typed: &[(&str, &str)]) -> Entry {
    let (id, at) = id_and_at();
    let mut draft = Draft::new(kind, at);
    for (name, text) in typed {
        draft
            .fields
            .extend(crate::validate::parse_field(kind, name, text).unwrap());
    }
    Entry::from_fields(id, &draft.to_fields(id).unwrap())
}

#[cfg(test)]
pub(crate) use tests::id_and_at;

#[cfg(test)]
mod tests {
    use super::*;

    /// An id of 2026-11-20T08:00:00.123+01:00, and its second in Madrid.
    pub(crate) fn id_and_at() -> (EntryId, At) {
        let at: At = "2026-11-20T08:00:00+01:00[Europe/Madrid]".parse().unwrap();
        let ms = at.instant().as_millisecond() + 123;
        (EntryId::mint(u64::try_from(ms).unwrap(), [7; 10]), at)
    }

    fn fields(pairs: &[(&str, Value)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect()
    }

    #[test]
    fn an_empty_map_is_an_entry_of_an_unknown_kind() {
        let (id, at) = id_and_at();
        let entry = Entry::from_fields(id, &Fields::new());
        assert_eq!(entry.kind, "unknown");
        assert_eq!(entry.at, At::new(at.instant(), Offset::UTC, None));
        assert_eq!(entry.recorded_at().to_string(), "2026-11-20T07:00:00.123Z");
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let (id, at) = id_and_at();
        let strange = fields(&[
            ("at", "soon".into()),
            ("author", "Ana".into()),
            ("kind", 7.into()),
            ("note", 1.into()),
            ("offset", 5.into()),
            ("precision", "rough".into()),
            ("source", true.into()),
            ("status", "paused".into()),
            ("tags", Value::List(vec![Scalar::Int(1)])),
            ("zone", "a zone".into()),
        ]);
        let entry = Entry::from_fields(id, &strange);
        assert_eq!(entry.fields, strange);
        assert_eq!(entry.at.instant(), at.instant());
        for ms in [i64::MIN, i64::MAX, 0, 946_684_799_999, 253_402_300_800_000] {
            let stored = fields(&[("at", Value::Scalar(Scalar::Timestamp(ms)))]);
            assert_eq!(
                Entry::from_fields(id, &stored).at.instant(),
                at.instant(),
                "{ms}"
            );
        }
        let last = EntryId::mint(u64::MAX, [0xff; 10]);
        assert_eq!(
            Entry::from_fields(last, &strange).recorded_at(),
            Timestamp::MAX
        );
    }

    #[test]
    fn an_answer_is_a_value_or_a_state_and_absence_is_neither() {
        let entry = test_entry(
            "fatigue",
            &[
                ("level", "0"),
                ("area", "skipped"),
                ("weakness", "legs=unable"),
            ],
        );
        assert_eq!(entry.answer("level"), Some(Answer::Value(&0.into())));
        assert_eq!(entry.answer("areas"), Some(Answer::Skipped));
        assert_eq!(entry.answer("weakness_legs"), Some(Answer::Unable));
        assert_eq!(entry.answer("weakness_hips"), None);
        let dose = test_entry("dose", &[("medicine", "unable"), ("taken", "skipped")]);
        assert_eq!(dose.answer("taken"), Some(Answer::Value(&"skipped".into())));
        assert_eq!(
            dose.answer("medicine"),
            Some(Answer::Value(&"unable".into()))
        );
    }

    #[test]
    fn coded_values_are_those_of_the_table() {
        for field in kind::COMMON {
            for choice in field.shape.choices().unwrap_or_default() {
                let read = match field.name {
                    "status" => Status::of(choice.value).map(Status::as_str),
                    "precision" => Precision::of(choice.value).map(Precision::as_str),
                    "source" => Source::of(choice.value).map(Source::as_str),
                    other => panic!("{other} has no type"),
                };
                assert_eq!(read, Some(choice.value));
            }
        }
        assert_eq!(Status::default().as_str(), "final");
        assert_eq!(Precision::default().as_str(), "exact");
        assert_eq!(Source::default().as_str(), "self");
    }
}
