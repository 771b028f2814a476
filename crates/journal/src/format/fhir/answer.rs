//! Answers as components of an Observation.

use serde_json::{Value as Json, json};

use super::codes;
use crate::json::value_json;
use crate::kind::{Column, Kind, SKIPPED, Shape};
use crate::value::{Fields, Scalar, Value};

/// Why a value is absent, in the words of FHIR.
const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

/// Returns a component for every answer, in the order of the table; what it does not know comes last, as text.
pub(super) fn components(kind: Option<&'static Kind>, name: &str, fields: &Fields) -> Vec<Json> {
    let columns = kind.map(|kind| (kind, kind.columns()));
    let mut left = fields.clone();
    let mut components = Vec::new();
    for (kind, column) in columns
        .iter()
        .flat_map(|(kind, columns)| columns.iter().map(move |column| (*kind, column)))
    {
        if let Some(value) = left.remove(&column.name()) {
            components.extend(of_answer(kind, column, &value));
        }
    }
    components.extend(left.iter().map(|(field, value)| {
        json!({ "code": { "text": text(&format!("{name}.{field}")) }, "valueString": text(&in_words(value)) })
    }));
    components
}

/// Returns the components of one answer: one, or one for each element of a list.
fn of_answer(kind: &Kind, column: &Column, value: &Value) -> Vec<Json> {
    let code = codes::of_column(kind, column);
    if let Some(state) = column.field.state(value) {
        let reason = match state {
            SKIPPED => "asked-declined",
            _ => "asked-unknown",
        };
        let reason = json!({ "coding": [{ "system": ABSENT, "code": reason }], "text": state });
        return vec![json!({ "code": code, "dataAbsentReason": reason })];
    }
    let scalars = match value {
        Value::Scalar(scalar) => vec![scalar.clone()],
        Value::List(list) => list.clone(),
    };
    let component = |scalar: &Scalar| {
        let (name, value) = of_scalar(kind, column, scalar);
        json!({ "code": code, name: value })
    };
    scalars.iter().map(component).collect()
}

/// Returns the name and the value of `value[x]`.
fn of_scalar(kind: &Kind, column: &Column, scalar: &Scalar) -> (&'static str, Json) {
    let value = Value::Scalar(scalar.clone());
    let shape = column.shape();
    match scalar {
        Scalar::Int(_) | Scalar::Float(_) => match (unit(column, &shape), scalar) {
            (None, Scalar::Int(number)) if i32::try_from(*number).is_ok() => {
                ("valueInteger", json!(number))
            }
            (unit, _) => ("valueQuantity", codes::quantity(number(&value), unit)),
        },
        Scalar::Bool(yes) => ("valueBoolean", json!(yes)),
        Scalar::Text(said) => {
            let choices = shape.choices().unwrap_or_default();
            match (shape, choices.iter().find(|choice| choice.value == said)) {
                (_, Some(choice)) => (
                    "valueCodeableConcept",
                    codes::of_choice(kind, column, choice),
                ),
                (Shape::Instant | Shape::Date, None) if is_time(said) => {
                    ("valueDateTime", json!(said))
                }
                _ => ("valueString", json!(text(said))),
            }
        }
        _ => ("valueString", json!(text(&in_words(&value)))),
    }
}

fn unit(column: &Column, shape: &Shape) -> Option<&'static str> {
    column.field.ucum.or(match shape {
        Shape::Minutes { .. } => Some("min"),
        Shape::Hours { .. } => Some("h"),
        _ => None,
    })
}

fn is_time(said: &str) -> bool {
    said.parse::<crate::time::At>().is_ok() || said.parse::<jiff::civil::Date>().is_ok()
}

/// Returns a number as JSON, whole where it is.
pub(super) fn number(value: &Value) -> Json {
    json!(value_json(value))
}

/// Says a value in plain text, whatever it is.
pub(super) fn in_words(value: &Value) -> String {
    match (value, json!(value_json(value))) {
        (_, Json::String(said)) => said,
        (Value::List(list), _) => {
            let parts = list
                .iter()
                .map(|scalar| in_words(&Value::Scalar(scalar.clone())));
            parts.collect::<Vec<_>>().join(", ")
        }
        (_, other) => other.to_string(),
    }
}

/// Brings text into what a FHIR string may be: not empty, and without control characters but line ends and tabs.
pub(super) fn text(said: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' => c,
        c if c.is_control() => ' ',
        c => c,
    };
    let said: String = said.chars().map(plain).collect();
    if said.trim().is_empty() {
        "(empty)".to_owned()
    } else {
        said
    }
}
