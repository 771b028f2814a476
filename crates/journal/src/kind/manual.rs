//! The table in words, for people who write scripts and imports: every kind with its fields, units, ranges and codes.

use super::{COMMON, Coding, Column, Field, KINDS, Kind, Shape, System};

/// Returns the manual of all kinds, in Markdown. `KINDS.md` beside this crate's sources is this text.
pub fn manual() -> String {
    let mut text = String::from(
        "# What a journal holds\n\n\
         Made from the table of kinds (`ebb help kinds`); do not edit. An answer is a value, or `skipped` or `unable`; what was \
         not asked is absent, and absent is never zero. Fields marked * are no questions: they cannot be skipped. A field asked \
         part by part is one object in JSON, and one column a part (`weakness_upper_arms`) in tables. Codes without a system \
         are of the local one, `urn:ebb:journal`.\n\n## Every entry\n\n",
    );
    text.push_str(HEAD);
    for field in COMMON {
        text.push_str(&row(field, ""));
    }
    for kind in KINDS {
        text.push_str(&section(kind));
    }
    text
}

const HEAD: &str = "| field | flag | what | answer | unit | code |\n|---|---|---|---|---|---|\n";

fn section(kind: &Kind) -> String {
    let mut text = format!(
        "\n## `{}`\n\n{} Code: {}. Example: `{}`\n\n",
        kind.name,
        kind.help,
        code(&kind.coding()),
        kind.example
    );
    if kind.fields.is_empty() {
        text.push_str("Its text is its note.\n");
        return text;
    }
    text.push_str(HEAD);
    for field in kind.fields {
        let column = Column { field, part: None };
        text.push_str(&row(field, &code(&column.coding(kind))));
    }
    text
}

fn row(field: &Field, code: &str) -> String {
    let mark = if field.asked { "" } else { " *" };
    let mut answer = field.allowed();
    if let Some(default) = field.default {
        answer.push_str(&format!("; `{default}` if absent"));
    }
    if field.required {
        answer.push_str("; required");
    }
    let flag = match field.shape {
        Shape::Each { .. } => format!("--{} NAME=…", field.flag),
        _ => format!("--{}", field.flag),
    };
    format!(
        "| `{}`{mark} | `{flag}` | {} | {answer} | {} | {code} |\n",
        field.name,
        field.help,
        field.ucum.unwrap_or_default(),
    )
}

fn code(coding: &Coding) -> String {
    match coding.system {
        System::Snomed => format!("SCT {}", coding.code),
        System::Loinc => format!("LOINC {}", coding.code),
        System::Local => coding.code.clone(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_beside_the_sources_is_the_manual() {
        let kept = include_str!("../../KINDS.md");
        let made = super::manual();
        assert!(
            kept == made,
            "write `ebb help kinds` into crates/journal/KINDS.md:\n{made}"
        );
    }
}
