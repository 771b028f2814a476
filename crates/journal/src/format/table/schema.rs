//! The Table Schema of the tables: `datapackage.json` (Data Package 1, <https://specs.frictionlessdata.io>), made from the
//! table of kinds. `skipped` and `unable` are declared as missing values where they can be answered: a reader that wants
//! numbers gets numbers.

use serde_json::{Value as Json, json};

use super::{HEAD, MORE, columns, table_of};
use crate::kind::{Column, Kind, SKIPPED, Shape, UNABLE};

/// Describes the tables of these kinds, each in a file of its name; without a kind, the table of those not known.
pub fn data_package(tables: &[Option<&'static Kind>]) -> Json {
    let resources: Vec<Json> = tables.iter().map(|kind| resource(*kind)).collect();
    json!({
        "profile": "tabular-data-package",
        "name": "ebb-journal",
        "title": "A fatigue journal",
        "description": "A personal record. Not medical advice, diagnosis or treatment.",
        "resources": resources,
    })
}

fn resource(kind: Option<&'static Kind>) -> Json {
    let name = table_of(kind);
    let head = HEAD.iter().map(|name| {
        let (of, required) = match *name {
            "at" | "recorded_at" => ("datetime", true),
            "zone" => ("string", false),
            _ => ("string", true),
        };
        let title = match *name {
            "at" => "when it happened",
            "zone" => "the time zone it happened in",
            "recorded_at" => "when it was recorded",
            "person" => "who recorded it",
            "device" => "on which device",
            "kind" => "what kind of entry it is",
            _ => "the id of the entry",
        };
        json!({ "name": name, "type": of, "title": title, "constraints": { "required": required } })
    });
    let more = json!({ "name": MORE, "type": "object", "title": "what has no column, as JSON" });
    let own = columns(kind).into_iter().map(|column| field(&column));
    let fields: Vec<Json> = head.chain(own).chain([more]).collect();
    json!({
        "profile": "tabular-data-resource",
        "name": name,
        "path": format!("{name}.csv"),
        "title": kind.map_or("entries of a newer ebb", |kind| kind.help),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": { "lineTerminator": "\r\n" },
        "schema": {
            "fields": fields,
            "primaryKey": "id",
            "missingValues": [""],
        },
    })
}

fn field(column: &Column) -> Json {
    let shape = column.shape();
    let (of, constraints) = describe(&shape);
    let mut field = json!({
        "name": column.name(),
        "type": of,
        "title": column.label(),
        "description": column.field.help,
    });
    let mut put = |key: &str, value: Json| {
        if let Some(object) = field.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    };
    if constraints != json!({}) {
        put("constraints", constraints);
    }
    if let Some(unit) = column.field.ucum.or(minutes(&shape)) {
        put("unit", json!(unit));
    }
    if column.field.asked {
        put("missingValues", json!(["", SKIPPED, UNABLE]));
    }
    field
}

/// Returns the UCUM unit of a shape that has one of its own.
fn minutes(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Minutes { .. } => Some("min"),
        Shape::Hours { .. } => Some("h"),
        _ => None,
    }
}

/// Returns the type and the constraints of a shape.
fn describe(shape: &Shape) -> (&'static str, Json) {
    match shape {
        Shape::Int { min, max } => ("integer", json!({ "minimum": min, "maximum": max })),
        Shape::Minutes { max } | Shape::Hours { max } => {
            ("integer", json!({ "minimum": 0, "maximum": max }))
        }
        Shape::Decimal { min, max, .. } => ("number", json!({ "minimum": min, "maximum": max })),
        Shape::Choice(choices) => {
            let values: Vec<&str> = choices.iter().map(|choice| choice.value).collect();
            ("string", json!({ "enum": values }))
        }
        Shape::Instant => ("datetime", json!({})),
        Shape::Date => ("date", json!({})),
        _ => ("string", json!({})),
    }
}
