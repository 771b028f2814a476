//! Whether what someone records is valid, and if not, what to say.
//!
//! Everything is derived from the table in `kind`. Only what is about to be written is judged; what is read back is
//! shown as it is. A field is absent, or has a value, or the answer `skipped` or `unable`; absent is never zero.

mod parse;

use std::collections::BTreeSet;
use std::fmt;

use crate::kind::{self, Field, InvalidNight, Kind, Shape, Slip, Slot};
use crate::value::{Fields, Scalar, Value};

pub use parse::parse_field;
pub(crate) use parse::parse_of;

/// What is not valid, in words for the person who typed it.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Invalid {
    /// No kind has that name.
    #[error("unknown kind {}; the kinds are {}", excerpt(.kind), kind_names())]
    UnknownKind {
        /// The name given.
        kind: String,
    },
    /// The kind has no such field.
    #[error("{kind} has no field {}; its fields are {}", excerpt(.field), field_names(.kind))]
    UnknownField {
        /// The kind.
        kind: String,
        /// The name given.
        field: String,
    },
    /// An answer is not of the shape the field asks for.
    #[error("{field} is {value}; it must be {allowed}")]
    Value {
        /// The field.
        field: Named,
        /// What was given, cut short.
        value: String,
        /// What it must be.
        allowed: String,
    },
    /// A note is too long.
    #[error("a note is at most 8 KiB; this one is {bytes} bytes")]
    NoteTooLong {
        /// Its length in bytes of UTF-8.
        bytes: usize,
    },
    /// Another text is too long.
    #[error("{field} is at most {max_bytes} bytes; this one is {bytes} bytes")]
    TextTooLong {
        /// The field.
        field: Named,
        /// Its length in bytes of UTF-8.
        bytes: usize,
        /// The most it may be.
        max_bytes: usize,
    },
    /// A list is too long.
    #[error("{field} are at most {max_items}; these are {items}")]
    TooMany {
        /// The field.
        field: Named,
        /// How many were given.
        items: usize,
        /// The most there may be.
        max_items: usize,
    },
    /// A text holds control characters, which could garble a terminal.
    #[error("{field} holds a control character, U+{:04X}; it must be plain text", u32::from(*.character))]
    ControlCharacter {
        /// The field.
        field: Named,
        /// The first of them.
        character: char,
    },
    /// A field that the kind needs is missing.
    #[error("{} needs {field}{}", an_entry(.kind), exception(.unless))]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: Named,
        /// When it would not be needed.
        unless: Option<&'static str>,
    },
    /// None of the kind's own fields has an answer.
    #[error("{} needs at least one of {}", an_entry(.kind), own_field_names(.kind))]
    Empty {
        /// The kind.
        kind: &'static str,
    },
    /// A night cannot have been.
    #[error(transparent)]
    Night(#[from] InvalidNight),
}

/// A field in a message: known to scripts by its name, to people by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name in storage and JSON.
    pub name: String,
    /// What people call it.
    pub label: String,
}

impl fmt::Display for Named {
    /// Writes what people call it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Named {
    /// Names something that is no field of the table, such as the time of an entry.
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
        }
    }

    fn of(field: &Field) -> Self {
        Self {
            name: field.name.to_owned(),
            label: field.label.to_owned(),
        }
    }

    fn slot(slot: &Slot) -> Self {
        Self {
            name: slot.field.name.to_owned(),
            label: slot.label(),
        }
    }

    /// Names a field of `kind`, found by its name.
    fn field(kind: &Kind, name: &str) -> Self {
        kind.field(name).map_or_else(|| Self::plain(name), Self::of)
    }
}

/// What is valid but doubtful: asked about, never refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Warning {
    /// A time of a night is probably twelve hours off.
    #[error("{0}")]
    ClockSlip(Slip),
}

impl Invalid {
    /// Refuses the value of a field of `kind` for what its other fields are.
    pub(crate) fn of(kind: &Kind, field: &str, value: &Value, allowed: String) -> Self {
        Self::Value {
            field: Named::field(kind, field),
            value: crate::words::plain(value),
            allowed,
        }
    }

    /// Refuses an entry of `kind` for a field that it lacks.
    pub(crate) fn missing(kind: &'static Kind, field: &str, unless: Option<&'static str>) -> Self {
        let known = kind.field(field);
        let mut field = Named::field(kind, field);
        if field.name == "note" {
            field.label = "its text".to_owned();
        } else if let Some(known) = known {
            field.label = format!("{} ({})", known.label, known.help);
        }
        Self::Missing {
            kind: kind.name,
            field,
            unless,
        }
    }

    /// Returns the name of the field at fault, if it is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownKind { .. } => Some("kind"),
            Self::UnknownField { field, .. } => Some(field),
            Self::Value { field, .. }
            | Self::TextTooLong { field, .. }
            | Self::TooMany { field, .. }
            | Self::ControlCharacter { field, .. }
            | Self::Missing { field, .. } => Some(&field.name),
            Self::NoteTooLong { .. } => Some("note"),
            Self::Empty { .. } => None,
            Self::Night(night) => Some(night.field()),
        }
    }
}

/// Checks the fields of an entry of `kind`, its own and the common ones, each and together.
///
/// # Errors
/// [`Invalid`], the first one found.
pub fn validate(kind: &str, fields: &Fields) -> Result<(), Invalid> {
    let kind = known(kind)?;
    for (name, value) in fields {
        check_value(&slot_of(Some(kind), kind.name, name)?, value)?;
    }
    check_together(kind, fields)
}

/// Returns what is doubtful about valid fields of an entry of `kind`.
pub fn warnings(kind: &str, fields: &Fields) -> Vec<Warning> {
    kind::kind(kind)
        .and_then(|kind| (kind.doubt)(fields))
        .into_iter()
        .collect()
}

/// Returns the kind of that name.
pub(crate) fn known(name: &str) -> Result<&'static Kind, Invalid> {
    kind::kind(name).ok_or_else(|| Invalid::UnknownKind {
        kind: name.to_owned(),
    })
}

/// Resolves a stored name in a kind, or among the common fields alone if the kind is unknown.
pub(crate) fn slot_of(kind: Option<&Kind>, kind_name: &str, name: &str) -> Result<Slot, Invalid> {
    let slot = match kind {
        Some(kind) => kind.slot(name),
        None => kind::common_slot(name),
    };
    slot.ok_or_else(|| match kind {
        Some(kind) => Invalid::UnknownField {
            kind: kind.name.to_owned(),
            field: name.to_owned(),
        },
        None => Invalid::UnknownKind {
            kind: kind_name.to_owned(),
        },
    })
}

/// Checks what the fields of an entry must satisfy together: what is required is there, and the kind's own rule.
pub(crate) fn check_together(kind: &'static Kind, fields: &Fields) -> Result<(), Invalid> {
    for field in kind.fields.iter().filter(|field| field.required) {
        if !fields.contains_key(field.name) {
            return Err(Invalid::missing(kind, field.name, None));
        }
    }
    let own = |name: &String| kind.fields.iter().any(|field| field.slot(name).is_some());
    if !kind.says_note() && !fields.keys().any(own) {
        return Err(Invalid::Empty { kind: kind.name });
    }
    (kind.rule)(fields)
}

/// Checks one answer against the shape of its field.
pub(crate) fn check_value(slot: &Slot, value: &Value) -> Result<(), Invalid> {
    let field = slot.field;
    if field.state(value).is_some() {
        return Ok(());
    }
    if !fits(&slot.shape(), value) {
        return Err(Invalid::Value {
            field: Named::slot(slot),
            value: crate::words::plain(value),
            allowed: slot.shape().allowed(field.unit),
        });
    }
    check_texts(field, value)
}

/// Tells whether a value is of a shape; lengths of text apart.
fn fits(shape: &Shape, value: &Value) -> bool {
    let within = |min: i64, max: i64| value.as_int().is_some_and(|n| (min..=max).contains(&n));
    let among = |choices: &[kind::Choice], text: &str| choices.iter().any(|c| c.value == text);
    match *shape {
        Shape::Int { min, max } => within(min, max),
        Shape::Minutes { max } | Shape::Hours { max } => within(0, max),
        Shape::Decimal {
            min,
            above_min,
            max,
            places,
        } => as_decimal(value).is_some_and(|n| {
            let above = if above_min { n > min } else { n >= min };
            above && n <= max && rounded(n, places).is_some()
        }),
        Shape::Numbers {
            max,
            places,
            max_items,
        } => {
            let one = Shape::Decimal {
                min: 0.0,
                above_min: true,
                max,
                places,
            };
            let Value::List(list) = value else {
                return false;
            };
            (1..=max_items).contains(&list.len())
                && list
                    .iter()
                    .all(|scalar| fits(&one, &Value::Scalar(scalar.clone())))
        }
        Shape::Choice(choices) => value.as_text().is_some_and(|text| among(choices, text)),
        Shape::Choices(choices) => texts(value).is_some_and(|list| {
            !list.is_empty() && distinct(&list) && list.iter().all(|text| among(choices, text))
        }),
        Shape::Either { number, or } => fits(number, value) || fits(&Shape::Choice(or), value),
        // Its parts have answers, each of its own.
        Shape::Each { .. } => false,
        Shape::Text { .. } | Shape::Lines { .. } => value.as_text().is_some(),
        Shape::Texts { .. } => texts(value).is_some_and(|list| distinct(&list)),
        Shape::Instant => value.as_text().is_some_and(|text| {
            text.parse::<crate::time::At>()
                .is_ok_and(|at| at.to_string() == text)
        }),
        Shape::Date => value.as_text().is_some_and(|text| {
            text.parse::<jiff::civil::Date>()
                .is_ok_and(|date| date.to_string() == text)
        }),
        Shape::Entry => value
            .as_text()
            .is_some_and(|text| text.parse::<crate::EntryId>().is_ok()),
    }
}

/// Checks lengths and characters of free text.
fn check_texts(field: &Field, value: &Value) -> Result<(), Invalid> {
    let (max_bytes, lines) = match field.shape {
        Shape::Text { max_bytes } => (max_bytes, false),
        Shape::Lines { max_bytes } => (max_bytes, true),
        Shape::Texts {
            max_bytes,
            max_items,
        } => {
            let items = texts(value).unwrap_or_default().len();
            if items > max_items {
                return Err(Invalid::TooMany {
                    field: Named::of(field),
                    items,
                    max_items,
                });
            }
            (max_bytes, false)
        }
        _ => return Ok(()),
    };
    let one = value.as_text().map(|text| vec![text]);
    for text in one.or_else(|| texts(value)).unwrap_or_default() {
        let bytes = text.len();
        if bytes > max_bytes && field.name == "note" {
            return Err(Invalid::NoteTooLong { bytes });
        }
        if bytes > max_bytes {
            return Err(Invalid::TextTooLong {
                field: Named::of(field),
                bytes,
                max_bytes,
            });
        }
        let garbles = |c: &char| c.is_control() && !(lines && matches!(c, '\n' | '\t'));
        if let Some(character) = text.chars().find(garbles) {
            return Err(Invalid::ControlCharacter {
                field: Named::of(field),
                character,
            });
        }
        if text.trim().is_empty() {
            return Err(Invalid::Value {
                field: Named::of(field),
                value: "empty".to_owned(),
                allowed: field.allowed(),
            });
        }
    }
    Ok(())
}

/// Brings an answer into the one form it is stored in; nothing is left of an empty one, or of what absence says.
///
/// Numbers become whole where they are, lists lose repetitions, instants lose fractions and their zone's name.
pub(crate) fn normal(slot: &Slot, value: &Value) -> Option<Value> {
    match value {
        Value::Scalar(Scalar::Text(text)) if text.is_empty() => None,
        Value::Scalar(Scalar::Text(text)) if slot.field.default == Some(text.as_str()) => None,
        Value::List(list) if list.is_empty() => None,
        _ => Some(normalized(&slot.shape(), value)),
    }
}

/// Brings a value into the form in which its shape is stored; one that is not of the shape stays as it is.
fn normalized(shape: &Shape, value: &Value) -> Value {
    let round = |places| as_decimal(value).and_then(|number| rounded(number, places));
    match (*shape, value) {
        (Shape::Either { number, .. }, _) => normalized(number, value),
        (Shape::Decimal { places, .. }, _) => round(places).unwrap_or_else(|| value.clone()),
        (
            Shape::Int { .. } | Shape::Minutes { .. } | Shape::Hours { .. },
            Value::Scalar(Scalar::Float(_)),
        ) => round(0).unwrap_or_else(|| value.clone()),
        (Shape::Numbers { places, .. }, Value::List(list)) => {
            let one = |scalar: &Scalar| {
                let number = as_decimal(&Value::Scalar(scalar.clone()));
                match number.and_then(|number| rounded(number, places)) {
                    Some(Value::Scalar(rounded)) => rounded,
                    _ => scalar.clone(),
                }
            };
            Value::List(list.iter().map(one).collect())
        }
        (_, Value::List(list)) => {
            let mut once: Vec<Scalar> = Vec::new();
            for scalar in list {
                if !once.contains(scalar) {
                    once.push(scalar.clone());
                }
            }
            Value::List(once)
        }
        (Shape::Instant, Value::Scalar(Scalar::Text(text))) => {
            let at = text.parse::<crate::time::At>().map(|at| at.to_string());
            at.map_or_else(|_| value.clone(), Value::from)
        }
        _ => value.clone(),
    }
}

/// Returns the number, whole or not.
fn as_decimal(value: &Value) -> Option<f64> {
    match value {
        // Whole numbers beyond 2^53 lose digits here, and are refused for their size all the same.
        Value::Scalar(Scalar::Int(number)) => Some(*number as f64),
        Value::Scalar(Scalar::Float(number)) if number.is_finite() => Some(*number),
        _ => None,
    }
}

/// Returns the number rounded to `places` decimals, whole where it is, or nothing if it has more decimals than that.
fn rounded(number: f64, places: u8) -> Option<Value> {
    let scale = 10f64.powi(i32::from(places));
    let scaled = (number * scale).round();
    let exact = (number * scale - scaled).abs() <= 1e-6 && scaled.abs() < 1e15;
    let nearest = scaled / scale;
    let value = if nearest.fract() == 0.0 {
        Value::from(nearest as i64)
    } else {
        nearest.into()
    };
    exact.then_some(value)
}

/// Returns the texts of a list of nothing else.
fn texts(value: &Value) -> Option<Vec<&str>> {
    let Value::List(list) = value else {
        return None;
    };
    list.iter()
        .map(|scalar| match scalar {
            Scalar::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Tells whether no text is there twice.
fn distinct(list: &[&str]) -> bool {
    list.iter().collect::<BTreeSet<_>>().len() == list.len()
}

/// Cuts short and makes printable what someone typed.
fn excerpt(text: &str) -> String {
    crate::words::plain(&Value::from(text))
}

/// Lists the kinds.
fn kind_names() -> String {
    kind::KINDS
        .iter()
        .map(|kind| kind.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Lists the fields of a kind as they are typed, the common ones too.
fn field_names(kind: &str) -> String {
    let own = kind::kind(kind).map_or(&[][..], |kind| kind.fields);
    own.iter()
        .chain(kind::COMMON)
        .map(|field| field.flag)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Lists a kind's own fields as people call them.
fn own_field_names(kind: &str) -> String {
    let own = kind::kind(kind).map_or(&[][..], |kind| kind.fields);
    own.iter()
        .map(|field| field.label)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Says when a missing field would not be needed.
fn exception(unless: &Option<&str>) -> String {
    unless
        .map(|case| format!(", unless {case}"))
        .unwrap_or_default()
}

/// Names an entry of a kind with its article: `a dose entry`, `an activity entry`, `a wearing-off entry`.
fn an_entry(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind} entry")
}

#[cfg(test)]
mod tests;
