//! The shapes that answers have: what is a valid one, and how to say so.
//!
//! Owns the types and their words. Judges nothing itself: `validate` does.

/// What an answer must look like. `skipped` and `unable` are answers beside it, where a question is asked.
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
    /// Numbers from 0 in the order they came, each with at most `places` decimals.
    Numbers {
        /// The greatest; 0 itself is refused.
        max: f64,
        /// How many decimals, 0 to 6.
        places: u8,
        /// The longest list.
        max_items: usize,
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
    /// A number, or one of a few coded values.
    Either {
        /// The shape of the number.
        number: &'static Shape,
        /// The coded values.
        or: &'static [Choice],
    },
    /// An answer of its own for each part that is asked about, such as an area of the body.
    Each {
        /// The parts.
        parts: &'static [Choice],
        /// The shape of each answer.
        answer: &'static Shape,
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
    /// A date: `2026-11-20`.
    Date,
    /// The id of another entry, in full.
    Entry,
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

/// Yes or no.
pub(super) static YES_NO: &[Choice] = &[
    Choice::new("yes", "yes", &["y", "true"]),
    Choice::new("no", "no", &["n", "false"]),
];

/// Yes, no, or not sure.
pub(super) static YES_NO_UNSURE: &[Choice] = &[
    Choice::new("yes", "yes", &["y", "true"]),
    Choice::new("no", "no", &["n", "false"]),
    Choice::new("unsure", "unsure", &["?", "maybe", "not-sure"]),
];

impl Shape {
    /// Returns the coded values of an answer or of its parts, if it has them.
    pub fn choices(&self) -> Option<&'static [Choice]> {
        match *self {
            Self::Choice(choices) | Self::Choices(choices) => Some(choices),
            Self::Either { or, .. } => Some(or),
            Self::Each { parts, .. } => Some(parts),
            _ => None,
        }
    }

    /// Tells whether `yes` is an answer of this shape: then its name alone says it.
    pub fn takes_yes(&self) -> bool {
        let yes = |choices: &[Choice]| choices.iter().any(|choice| choice.value == "yes");
        match *self {
            Self::Choice(choices) => yes(choices),
            Self::Either { or, .. } => yes(or),
            _ => false,
        }
    }

    /// Tells whether answers are free text.
    pub fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Text { .. } | Self::Lines { .. } | Self::Texts { .. }
        )
    }

    /// Says what an answer of this shape must be.
    pub(crate) fn allowed(&self, unit: Option<&str>) -> String {
        let of = unit.map(|unit| format!(" of {unit}")).unwrap_or_default();
        match *self {
            Self::Int { min, max } => format!("a whole number from {min} to {max}"),
            Self::Decimal {
                min,
                above_min,
                max,
                places,
            } => {
                let from = if above_min { "above" } else { "from" };
                format!("a number{of} {from} {min} to {max}{}", at_most(places))
            }
            Self::Numbers {
                max,
                places,
                max_items,
            } => {
                let unit = of.replace("of", "in");
                format!(
                    "1 to {max_items} numbers{unit}, each above 0 to {max}{}",
                    at_most(places)
                )
            }
            Self::Minutes { max } => format!("whole minutes from 0 to {max}"),
            Self::Hours { max } => format!("whole hours from 0 to {max}"),
            Self::Choice(choices) => format!("one of {}", values(choices)),
            Self::Choices(choices) => format!("a list of {}", values(choices)),
            Self::Either { number, or } => {
                format!("{}; or {}", number.allowed(unit), values(or))
            }
            Self::Each { parts, answer } => {
                format!(
                    "NAME={}; the names are {}",
                    answer.allowed(unit),
                    values(parts)
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
            Self::Date => "a date such as 2026-11-20".to_owned(),
            Self::Entry => "the id of an entry".to_owned(),
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
    let text = folded(text);
    choices.iter().find(|choice| {
        choice.value == text
            || folded(choice.label) == text
            || choice.synonyms.contains(&text.as_str())
    })
}

/// Brings a name into the form in which names are compared: lower case, hyphens for spaces and underscores.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '_'], "-")
}

/// Lists the values with commas.
fn values(choices: &[Choice]) -> String {
    choices
        .iter()
        .map(|choice| choice.value)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Says how many decimals a number may have.
fn at_most(places: u8) -> String {
    match places {
        0 => String::new(),
        1 => ", with at most 1 decimal".to_owned(),
        more => format!(", with at most {more} decimals"),
    }
}
