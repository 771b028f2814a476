//! One field of an entry: its name, how it is asked, and the shape its answer must have.
//!
//! Owns the types of the table and the fields every entry may have. Checks nothing itself: `validate` does.

use super::Slot;
use crate::value::Value;

/// The answer of someone who passed a question over.
pub const SKIPPED: &str = "skipped";
/// The answer of someone who could not tell, or could not do it.
pub const UNABLE: &str = "unable";

/// One field of a kind, or one that every entry may have.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in storage and JSON, in snake_case. A field asked per area is stored once per area, as
    /// `weakness_upper_arms`, and shown in JSON as one object.
    pub name: &'static str,
    /// The flag of the command line, in kebab-case, without hyphens in front.
    pub flag: &'static str,
    /// The name in sentences.
    pub label: &'static str,
    /// What is asked, in one line.
    pub help: &'static str,
    /// The unit of the number, in UCUM where it has one.
    pub unit: Option<&'static str>,
    /// What an answer must look like.
    pub shape: Shape,
    /// Whether an entry of the kind must have it.
    pub required: bool,
    /// What an absent field means, where it means something. It is not stored.
    pub default: Option<&'static str>,
    /// How it is said in a summary.
    pub(crate) say: Say,
}

/// What an answer must look like. `skipped` and `unable` are answers too, except where text is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A whole number.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number with at most `places` decimals; stored as a whole number where it is one.
    Decimal {
        /// The bound below.
        min: f64,
        /// Whether `min` itself is refused.
        above_min: bool,
        /// The greatest.
        max: f64,
        /// How many decimals, 0 to 6.
        places: u8,
    },
    /// Whole minutes from 0.
    Minutes {
        /// The most.
        max: i64,
    },
    /// Whole hours from 0.
    Hours {
        /// The most.
        max: i64,
    },
    /// One of a few coded values.
    Choice(&'static [Choice]),
    /// A list of coded values, none twice.
    Choices(&'static [Choice]),
    /// A whole number from 0 for each area asked.
    PerArea {
        /// The areas.
        areas: &'static [Choice],
        /// The greatest.
        max: i64,
    },
    /// One line of text.
    Text {
        /// The most bytes of UTF-8.
        max_bytes: usize,
    },
    /// Text of several lines, tabs included.
    Lines {
        /// The most bytes of UTF-8.
        max_bytes: usize,
    },
    /// A list of lines of text, none twice.
    Texts {
        /// The most bytes of UTF-8 of each.
        max_bytes: usize,
        /// The longest list.
        max_items: usize,
    },
    /// An instant: RFC 3339 with a numeric offset, whole seconds.
    Instant,
}

/// One coded value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The value in storage and JSON, in kebab-case.
    pub value: &'static str,
    /// The value in sentences.
    pub label: &'static str,
    /// Other things people type for it.
    pub synonyms: &'static [&'static str],
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
    /// Not at all.
    Never,
}

/// The limit of one line of text, in bytes of UTF-8.
const TEXT_BYTES: usize = 200;

/// The limit of a note, in bytes of UTF-8.
const NOTE_BYTES: usize = 8 * 1024;

/// The names of an author that an imported file claims.
pub(crate) static AUTHOR_NAME: Field = Field::text("author", "author", "who recorded it first");

/// The fields every entry may have, in the order they are shown.
pub static COMMON: &[Field] = &[
    Field::new(
        "status",
        "status",
        "whether the entry stands",
        Shape::Choice(STATUSES),
    )
    .default("final")
    .say(Say::Never),
    Field::new(
        "precision",
        "precision",
        "how exactly the time is known",
        Shape::Choice(PRECISIONS),
    )
    .default("exact")
    .say(Say::Never),
    Field::new(
        "source",
        "source",
        "who or what the answers come from",
        Shape::Choice(SOURCES),
    )
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

/// Yes, no, or not sure.
pub(super) static YES_NO_UNSURE: &[Choice] = &[
    Choice::new("yes", "yes", &["y", "true"]),
    Choice::new("no", "no", &["n", "false"]),
    Choice::new("unsure", "unsure", &["?", "maybe", "not-sure"]),
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
        let (required, default, say) = (false, None, Say::Named);
        Self {
            name,
            flag: name,
            label,
            help,
            unit,
            shape,
            required,
            default,
            say,
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

    /// Gives its numbers a unit.
    pub(super) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Makes it required.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
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

    /// Resolves a stored name if it is this field's.
    pub(crate) fn slot(&'static self, stored: &str) -> Option<Slot> {
        let Shape::PerArea { areas, .. } = self.shape else {
            return (self.name == stored).then_some(Slot {
                field: self,
                area: None,
            });
        };
        areas
            .iter()
            .find(|area| self.stored_name(area.value) == stored)
            .map(|area| Slot {
                field: self,
                area: Some(area),
            })
    }

    /// Returns the name under which one area of this field is stored: `weakness_upper_arms`.
    pub fn stored_name(&self, area: &str) -> String {
        format!("{}_{}", self.name, area.replace('-', "_"))
    }

    /// Returns the area of a stored name, known or not, if this field is asked per area and the name is its.
    pub(crate) fn stored_area(&self, stored: &str) -> Option<String> {
        let Shape::PerArea { .. } = self.shape else {
            return None;
        };
        let area = stored.strip_prefix(self.name)?.strip_prefix('_')?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (!area.is_empty() && area.chars().all(plain)).then(|| area.replace('_', "-"))
    }

    /// Says what an answer must be: `a whole number from 0 to 10`.
    pub fn allowed(&self) -> String {
        self.shape.allowed(self.unit)
    }

    /// Returns `skipped` or `unable` if `value` is that answer here, and not a value or text that reads the same.
    pub(crate) fn state(&self, value: &Value) -> Option<&'static str> {
        let text = value.as_text()?;
        let is_value = match self.shape {
            Shape::Text { .. } | Shape::Lines { .. } | Shape::Texts { .. } => true,
            Shape::Choice(choices) => choices.iter().any(|choice| choice.value == text),
            _ => false,
        };
        [SKIPPED, UNABLE]
            .into_iter()
            .find(|state| *state == text && !is_value)
    }
}

impl Shape {
    /// Returns the coded values of an answer or of its parts, if it has them.
    pub fn choices(&self) -> Option<&'static [Choice]> {
        match *self {
            Self::Choice(choices) | Self::Choices(choices) => Some(choices),
            Self::PerArea { areas, .. } => Some(areas),
            _ => None,
        }
    }

    /// Says what an answer of this shape must be.
    pub(crate) fn allowed(&self, unit: Option<&str>) -> String {
        let unit = unit.map(|unit| format!(" of {unit}")).unwrap_or_default();
        match *self {
            Self::Int { min, max } => format!("a whole number from {min} to {max}"),
            Self::Decimal {
                min,
                above_min,
                max,
                places,
            } => {
                let from = if above_min { "above" } else { "from" };
                let decimals = if places == 1 { "decimal" } else { "decimals" };
                format!("a number{unit} {from} {min} to {max}, with at most {places} {decimals}")
            }
            Self::Minutes { max } => format!("whole minutes from 0 to {max}"),
            Self::Hours { max } => format!("whole hours from 0 to {max}"),
            Self::Choice(choices) => format!("one of {}", values(choices)),
            Self::Choices(choices) => format!("a list of {}", values(choices)),
            Self::PerArea { areas, max } => {
                format!(
                    "an area and a whole number from 0 to {max}; the areas are {}",
                    values(areas)
                )
            }
            Self::Text { max_bytes } => format!("one line of at most {max_bytes} bytes"),
            Self::Lines { max_bytes } => format!("text of at most {max_bytes} bytes"),
            Self::Texts {
                max_bytes,
                max_items,
            } => {
                format!("at most {max_items} texts of at most {max_bytes} bytes each")
            }
            Self::Instant => {
                "a date and time with an offset, such as 2026-11-20T08:00:00+01:00".to_owned()
            }
        }
    }
}

impl Choice {
    /// Makes a coded value with a label and synonyms of its own.
    pub(super) const fn new(
        value: &'static str,
        label: &'static str,
        synonyms: &'static [&'static str],
    ) -> Self {
        Self {
            value,
            label,
            synonyms,
        }
    }

    /// Makes a coded value that is its own label.
    pub(super) const fn plain(value: &'static str) -> Self {
        Self::new(value, value, &[])
    }
}

/// Finds what someone means by `text`: a value, its label or a synonym, whatever the case, with spaces or
/// underscores for hyphens.
pub fn choose(choices: &'static [Choice], text: &str) -> Option<&'static Choice> {
    let text = text.trim().to_lowercase().replace([' ', '_'], "-");
    choices.iter().find(|choice| {
        choice.value == text
            || choice.label.replace(' ', "-") == text
            || choice.synonyms.contains(&text.as_str())
    })
}

/// Lists the values with commas.
fn values(choices: &[Choice]) -> String {
    choices
        .iter()
        .map(|choice| choice.value)
        .collect::<Vec<_>>()
        .join(", ")
}
