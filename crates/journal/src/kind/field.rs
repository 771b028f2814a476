//! One field of an entry: its name, how it is asked, and the shape its answer must have.
//!
//! Owns the types of the table and the fields every entry may have. Checks nothing itself: `validate` does.

use super::Slot;
use super::code::Concept;
use super::shape::{Choice, Shape, folded};
use crate::value::Value;

/// The answer of someone who passed a question over.
pub const SKIPPED: &str = "skipped";
/// The answer of someone who could not tell, or could not do it.
pub const UNABLE: &str = "unable";

/// One field of a kind, or one that every entry may have.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in storage and JSON, in snake_case. A field asked part by part is stored once per part, as
    /// `weakness_upper_arms`, and shown in JSON as one object.
    pub name: &'static str,
    /// The flag of the command line, in kebab-case, without hyphens in front.
    pub flag: &'static str,
    /// The name in sentences.
    pub label: &'static str,
    /// What is asked, in one line.
    pub help: &'static str,
    /// Other names that people type for it.
    pub synonyms: &'static [&'static str],
    /// The unit of the number, as people write it.
    pub unit: Option<&'static str>,
    /// The unit in UCUM, which has one for counts too.
    pub ucum: Option<&'static str>,
    /// What an answer must look like.
    pub shape: Shape,
    /// Whether an entry of the kind must have it.
    pub required: bool,
    /// Whether it is a question, which can be passed over (`skipped`) or be too hard (`unable`). What an entry cannot be
    /// without, and what files it, is none.
    pub asked: bool,
    /// What an absent field means, where it means something. It is not stored.
    pub default: Option<&'static str>,
    /// The field that takes what stands behind a slash: `2/5` is day 2 of 5.
    pub of: Option<&'static str>,
    /// How it is said in a summary.
    pub(crate) say: Say,
    /// The concept it is in a system of codes.
    pub(super) concept: Option<Concept>,
}

/// How a field is said in a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// At the front, without its label, no comma before it.
    Lead,
    /// Without its label.
    Bare,
    /// After its label.
    Named,
    /// Before its label.
    Counted,
    /// Not at all.
    Never,
}

/// The limit of one line of text, in bytes of UTF-8.
const TEXT_BYTES: usize = 200;

/// The limit of a note, in bytes of UTF-8.
const NOTE_BYTES: usize = 8 * 1024;

/// The names of an author that an imported file claims.
pub(crate) static AUTHOR_NAME: Field = Field::text("author", "author", "who recorded it first");

/// The name of a thing of the plan.
pub(crate) static THING_NAME: Field = Field::text("name", "name", "what it is called").required();

/// The fields every entry may have, in the order they are shown.
pub static COMMON: &[Field] = &[
    Field::new(
        "status",
        "status",
        "whether the entry stands",
        Shape::Choice(STATUSES),
    )
    .fact()
    .default("final")
    .say(Say::Never),
    Field::new(
        "precision",
        "precision",
        "how exactly the time is known",
        Shape::Choice(PRECISIONS),
    )
    .fact()
    .default("exact")
    .say(Say::Never),
    Field::new(
        "source",
        "source",
        "who or what the answers come from",
        Shape::Choice(SOURCES),
    )
    .fact()
    .default("self")
    .say(Say::Never),
    Field::new(
        "note",
        "note",
        "anything worth keeping",
        Shape::Lines {
            max_bytes: NOTE_BYTES,
        },
    )
    .say(Say::Never),
    Field::new(
        "tags",
        "tags",
        "words to find the entry by, with commas between",
        Shape::Texts {
            max_bytes: TEXT_BYTES,
            max_items: 20,
        },
    )
    .flag("tag")
    .say(Say::Never),
];

static STATUSES: &[Choice] = &[
    Choice::plain("final"),
    Choice::plain("amended"),
    Choice::new("entered-in-error", "entered in error", &[]),
];

static PRECISIONS: &[Choice] = &[
    Choice::plain("exact"),
    Choice::new("approx", "approximate", &["about", "approximate"]),
    Choice::new("day-part", "part of the day", &[]),
];

static SOURCES: &[Choice] = &[
    Choice::plain("self"),
    Choice::plain("caregiver"),
    Choice::plain("device"),
];

impl Field {
    /// Makes a field whose flag is its name, said after its label.
    pub(super) const fn new(
        name: &'static str,
        label: &'static str,
        help: &'static str,
        shape: Shape,
    ) -> Self {
        let unit = match shape {
            Shape::Minutes { .. } => Some("min"),
            Shape::Hours { .. } => Some("h"),
            _ => None,
        };
        // A note and tags go with an entry; they answer no question.
        let asked = !matches!(shape, Shape::Lines { .. } | Shape::Texts { .. });
        Self {
            name,
            flag: name,
            label,
            help,
            synonyms: &[],
            unit,
            ucum: unit,
            shape,
            required: false,
            asked,
            default: None,
            of: None,
            say: Say::Named,
            concept: None,
        }
    }

    /// Makes a field of one line of text of the usual length.
    pub(super) const fn text(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self::new(
            name,
            label,
            help,
            Shape::Text {
                max_bytes: TEXT_BYTES,
            },
        )
    }

    /// Gives it a flag of its own, which a name with an underscore needs.
    pub(super) const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = flag;
        self
    }

    /// Gives it other names.
    pub(super) const fn synonyms(mut self, synonyms: &'static [&'static str]) -> Self {
        self.synonyms = synonyms;
        self
    }

    /// Gives its numbers a unit that UCUM writes alike.
    pub(super) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self.ucum = Some(unit);
        self
    }

    /// Gives its numbers a unit in UCUM, where people write it otherwise or not at all.
    pub(super) const fn ucum(mut self, ucum: &'static str) -> Self {
        self.ucum = Some(ucum);
        self
    }

    /// Makes it required, and so no question.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self.asked = false;
        self
    }

    /// Makes it a fact about the entry, no question.
    pub(super) const fn fact(mut self) -> Self {
        self.asked = false;
        self
    }

    /// Names the field that takes what stands behind a slash.
    pub(super) const fn of(mut self, of: &'static str) -> Self {
        self.of = Some(of);
        self
    }

    /// Says which concept of a system of codes it is.
    pub(super) const fn concept(mut self, concept: Concept) -> Self {
        self.concept = Some(concept);
        self
    }

    /// Says what its absence means.
    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Chooses how it is said in a summary.
    pub(super) const fn say(mut self, say: Say) -> Self {
        self.say = say;
        self
    }

    /// Tells whether someone means this field by a name: its own, its flag, its label or a synonym.
    pub fn is_called(&self, name: &str) -> bool {
        let name = folded(name);
        let own = [self.name, self.flag, self.label].map(folded);
        own.contains(&name) || self.synonyms.contains(&name.as_str())
    }

    /// Resolves a stored name if it is this field's.
    pub(crate) fn slot(&'static self, stored: &str) -> Option<Slot> {
        let Shape::Each { parts, .. } = self.shape else {
            return (self.name == stored).then_some(Slot {
                field: self,
                part: None,
            });
        };
        parts
            .iter()
            .find(|part| self.stored_name(part.value) == stored)
            .map(|part| Slot {
                field: self,
                part: Some(part),
            })
    }

    /// Returns the name under which one part of this field is stored: `weakness_upper_arms`.
    pub fn stored_name(&self, part: &str) -> String {
        format!("{}_{}", self.name, part.replace('-', "_"))
    }

    /// Returns the part of a stored name, known or not, if this field is asked part by part and the name is its.
    pub(crate) fn stored_part(&self, stored: &str) -> Option<String> {
        let Shape::Each { .. } = self.shape else {
            return None;
        };
        let part = stored.strip_prefix(self.name)?.strip_prefix('_')?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (!part.is_empty() && part.chars().all(plain)).then(|| part.replace('_', "-"))
    }

    /// Says what an answer must be: `a whole number from 0 to 10`.
    pub fn allowed(&self) -> String {
        self.shape.allowed(self.unit)
    }

    /// Returns `skipped` or `unable` if `value` is that answer here, and not a value that reads the same.
    pub(crate) fn state(&self, value: &Value) -> Option<&'static str> {
        let text = value.as_text().filter(|_| self.asked)?;
        let is_value = match self.shape {
            Shape::Choice(choices) => choices.iter().any(|choice| choice.value == text),
            _ => false,
        };
        [SKIPPED, UNABLE]
            .into_iter()
            .find(|state| *state == text && !is_value)
    }
}
