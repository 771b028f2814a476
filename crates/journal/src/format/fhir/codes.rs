//! Codes and quantities of resources, and the CodeSystem of what no other system has.

use serde_json::{Value as Json, json};

use super::UCUM;
use crate::kind::{Choice, Coding, Column, KINDS, Kind, System};

/// Writes a coding.
fn coding(coding: &Coding) -> Json {
    json!({ "system": coding.system.uri(), "code": coding.code, "display": coding.display })
}

fn local(code: &str, display: &str) -> Json {
    json!({ "system": System::Local.uri(), "code": code, "display": display })
}

/// Returns the code of an entry as a whole. The one of another system stands for its value, and needs one.
pub(super) fn of_entry(kind: Option<&Kind>, name: &str, with_value: bool) -> Json {
    let Some(kind) = kind else {
        return json!({ "text": super::text(name) });
    };
    let mut codings = Vec::new();
    let better = kind.coding();
    if better.system != System::Local && with_value {
        codings.push(coding(&better));
    }
    codings.push(local(kind.name, kind.label));
    json!({ "coding": codings, "text": kind.label })
}

/// Returns the code of a column: the one of another system, if there is one, and the local one, which is exact.
pub(super) fn of_column(kind: &Kind, column: &Column) -> Json {
    let better = column.coding(kind);
    let mut codings = Vec::new();
    if better.system != System::Local {
        codings.push(coding(&better));
    }
    codings.push(local(&column_code(kind, column), &column.label()));
    json!({ "coding": codings, "text": column.label() })
}

/// Returns a coded answer of a column.
pub(super) fn of_choice(kind: &Kind, column: &Column, choice: &Choice) -> Json {
    let code = choice_code(kind, column, choice);
    json!({ "coding": [local(&code, choice.label)], "text": choice.label })
}

/// Returns a number with its unit in UCUM.
pub(super) fn quantity(value: Json, ucum: Option<&str>) -> Json {
    match ucum {
        Some(ucum) => json!({ "value": value, "unit": ucum, "system": UCUM, "code": ucum }),
        None => json!({ "value": value }),
    }
}

fn column_code(kind: &Kind, column: &Column) -> String {
    format!("{}.{}", kind.name, column.name())
}

fn choice_code(kind: &Kind, column: &Column, choice: &Choice) -> String {
    format!("{}.{}", column_code(kind, column), choice.value)
}

/// Lists every local code.
pub(super) fn concepts() -> Vec<Json> {
    let mut concepts = Vec::new();
    let mut put =
        |code: &str, display: &str| concepts.push(json!({ "code": code, "display": display }));
    for kind in KINDS {
        put(kind.name, kind.label);
        for column in kind.columns() {
            put(&column_code(kind, &column), &column.label());
            for choice in column.shape().choices().unwrap_or_default() {
                put(&choice_code(kind, &column, choice), choice.label);
            }
        }
    }
    concepts
}
