//! The kinds of entries: one static table from which validation, JSON, help, completions and words derive.
//!
//! To add a kind, write its file under `kind/` and list it in [`KINDS`]; nothing else in this crate names a kind.
//! A field's `name` is its name in storage and in JSON (snake_case); coded values are kebab-case. Ranges are those
//! of the fields' own questions; they judge nothing.

mod activity;
mod area;
mod code;
mod column;
mod comment;
mod dose;
mod event;
mod exercise;
mod factor;
mod fatigue;
mod field;
mod infusion;
mod manual;
mod night;
mod night_clock;
mod note;
mod planned;
mod question;
#[cfg(test)]
pub(crate) mod sample;
mod score;
mod shape;
mod sleep;
mod symptom;
mod test;
mod wearing_off;

pub use area::AREAS;
pub use code::{Coding, System};
pub use column::Column;
pub use field::{COMMON, Field, SKIPPED, UNABLE};
pub use manual::manual;
pub use night::{
    InvalidNight, MID_SLEEP_FORMULA, Night, SE_DSE_FORMULA, SE_TIB_FORMULA, Slip, TIB_FORMULA,
    TST_FORMULA,
};
pub use night_clock::{InvalidNightClock, night_from_clock};
pub use planned::PLANNED;
pub use shape::{Choice, Shape, choose};

pub(crate) use field::{AUTHOR_NAME, Say, THING_NAME};
#[cfg(test)]
pub(crate) use score::TOTALS;

use code::Concept;

use crate::validate::{Invalid, Warning};
use crate::value::Fields;

/// Every kind this ebb knows. Entries of other kinds are kept and shown as they are.
pub static KINDS: &[Kind] = &[
    fatigue::FATIGUE,
    activity::ACTIVITY,
    dose::DOSE,
    wearing_off::WEARING_OFF,
    infusion::INFUSION,
    sleep::SLEEP,
    factor::FACTOR,
    symptom::SYMPTOM,
    test::TEST,
    exercise::EXERCISE,
    event::EVENT,
    score::SCORE,
    question::QUESTION,
    note::NOTE,
    comment::COMMENT,
];

/// A kind of entry.
#[derive(Debug)]
pub struct Kind {
    /// The name in storage, JSON and on the command line.
    pub name: &'static str,
    /// The name in sentences.
    pub label: &'static str,
    /// What the kind is for, in one line.
    pub help: &'static str,
    /// A line that logs one.
    pub example: &'static str,
    /// Its own fields, in the order they are shown; [`COMMON`] fields come on top.
    pub fields: &'static [Field],
    /// The concept that an entry is as a whole, in a system of codes.
    concept: Option<Concept>,
    /// How [`words`](crate::words::words) begins.
    pub(crate) lead: Lead,
    /// What the fields must satisfy together.
    pub(crate) rule: fn(&Fields) -> Result<(), Invalid>,
    /// What the fields make one doubt.
    pub(crate) doubt: fn(&Fields) -> Option<Warning>,
}

/// How the summary of an entry begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lead {
    /// With the kind's label.
    Label,
    /// With its leading fields alone.
    Fields,
    /// With the note.
    Note,
    /// With the kind's label and its leading fields, then the note.
    Titled,
    /// With what the function makes of the fields, in place of the fields it names; with the label if it makes
    /// nothing of them.
    Derived(fn(&Fields) -> Option<String>, &'static [&'static str]),
}

/// One stored name resolved: the field, and the part if the field is asked part by part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) field: &'static Field,
    pub(crate) part: Option<&'static Choice>,
}

impl Slot {
    /// Returns the shape of what is stored there.
    pub(crate) fn shape(&self) -> Shape {
        match (self.field.shape, self.part) {
            (Shape::Each { answer, .. }, Some(_)) => *answer,
            (shape, _) => shape,
        }
    }

    /// Returns what people call it.
    pub(crate) fn label(&self) -> String {
        match self.part {
            Some(part) => format!("{} of {}", self.field.label, part.label),
            None => self.field.label.to_owned(),
        }
    }
}

/// Returns the kind of that name, if this ebb knows it.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// Makes a kind without fields, whose summary is its fields, and of which every combination is valid.
    const fn new(
        name: &'static str,
        label: &'static str,
        help: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            label,
            help,
            example,
            fields: &[],
            concept: None,
            lead: Lead::Fields,
            rule: no_rule,
            doubt: no_doubt,
        }
    }

    /// Tells whether its text is the note that every entry may have, so that it is said already.
    pub fn says_note(&self) -> bool {
        matches!(self.lead, Lead::Note | Lead::Titled)
    }

    /// Returns the field of that name or flag, the kind's own or a common one; `-` and `_` are the same here.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let name = name.replace('-', "_");
        let named = |field: &&Field| field.name == name || field.flag.replace('-', "_") == name;
        self.fields
            .iter()
            .find(named)
            .or_else(|| COMMON.iter().find(named))
    }

    /// Resolves a stored name, which is a field's name, or that of one part of a field asked part by part.
    pub(crate) fn slot(&self, stored: &str) -> Option<Slot> {
        self.fields
            .iter()
            .find_map(|field| field.slot(stored))
            .or_else(|| common_slot(stored))
    }
}

/// Resolves the stored name of a field every entry may have.
pub(crate) fn common_slot(stored: &str) -> Option<Slot> {
    COMMON.iter().find_map(|field| field.slot(stored))
}

/// Requires the note of an entry of `kind`.
fn needs_note(kind: &'static Kind, fields: &Fields) -> Result<(), Invalid> {
    if fields.contains_key("note") {
        Ok(())
    } else {
        Err(Invalid::missing(kind, "note", None))
    }
}

/// Requires both of two fields of an entry of `kind`, or neither.
fn together(
    kind: &'static Kind,
    fields: &Fields,
    one: &'static str,
    other: &'static str,
) -> Result<(), Invalid> {
    match (fields.contains_key(one), fields.contains_key(other)) {
        (true, false) => Err(Invalid::missing(kind, other, None)),
        (false, true) => Err(Invalid::missing(kind, one, None)),
        _ => Ok(()),
    }
}

/// Accepts every combination of fields.
fn no_rule(_: &Fields) -> Result<(), Invalid> {
    Ok(())
}

/// Doubts nothing.
fn no_doubt(_: &Fields) -> Option<Warning> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Keys of an entry's JSON and storage that no field may take.
    const RESERVED: [&str; 7] = [
        "id",
        "kind",
        "at",
        "offset",
        "zone",
        "recorded_at",
        "author",
    ];

    #[test]
    fn names_are_snake_case_values_kebab_case_and_none_twice() {
        let plain = |name: &str, joint: char| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint)
        };
        let mut kinds = BTreeSet::new();
        for kind in KINDS {
            assert!(
                plain(kind.name, '-') && kinds.insert(kind.name),
                "{}",
                kind.name
            );
            let mut names = BTreeSet::new();
            let mut flags = BTreeSet::new();
            for field in kind.fields.iter().chain(COMMON) {
                assert!(
                    plain(field.name, '_') && names.insert(field.name),
                    "{}",
                    field.name
                );
                assert!(
                    plain(field.flag, '-') && flags.insert(field.flag),
                    "{}",
                    field.flag
                );
                assert!(!RESERVED.contains(&field.name), "{}", field.name);
                assert!(
                    !field.help.is_empty() && !field.label.is_empty(),
                    "{}",
                    field.name
                );
                assert!(kind.example.starts_with("ebb "), "{}", kind.name);
                let mut spoken = BTreeSet::new();
                for choice in field.shape.choices().unwrap_or_default() {
                    assert!(plain(choice.value, '-'), "{}", choice.value);
                    assert!(spoken.insert(choice.value), "{} twice", choice.value);
                    for synonym in choice.synonyms {
                        assert!(spoken.insert(synonym), "{synonym} means two things");
                    }
                }
            }
        }
    }

    #[test]
    fn a_flag_finds_its_field() {
        let sleep = kind("sleep").unwrap();
        assert_eq!(sleep.field("bed").unwrap().name, "in_bed");
        assert_eq!(
            sleep.field("tried-to-sleep").unwrap().name,
            "tried_to_sleep"
        );
        assert_eq!(sleep.field("note").unwrap().name, "note");
        assert!(sleep.field("level").is_none());
        assert!(kind("mood").is_none());
    }
}
