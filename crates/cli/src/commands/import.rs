//! Taking in files of entries.

use client::transfer::{Imported, Order, RefusedRow};
use journal::format::table::Mapping;
use serde_json::json;

use super::done::Done;
use super::session::Session;
use crate::arguments::Import;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, counted};

/// How many refused rows people are shown; `--json` has all.
const SHOWN: usize = 20;

/// Imports a file, or shows what importing it would do.
///
/// # Errors
/// [`CommandError`] if the file cannot be read, or nothing in it is an entry.
pub(super) fn import(import: &Import, session: &Session) -> Outcome<Box<dyn Answer>> {
    let order = Order {
        from: import.file.clone(),
        format: import.format.map(Into::into),
        mapping: Mapping {
            columns: import.map.iter().cloned().collect(),
            kind: import.kind.clone(),
        },
        dry_run: import.dry_run,
    };
    let mut journal = session.open()?;
    let progress = session.progress("importing");
    let imported = journal.import(&order, progress.as_ref())?;
    drop(progress);
    if imported.new + imported.already == 0 && !imported.refused.is_empty() {
        return Err(nothing(&imported));
    }
    Ok(told(imported, order.dry_run))
}

/// Says that nothing in the file is an entry.
fn nothing(imported: &Imported) -> CommandError {
    let message = "nothing was imported: no row of the file is an entry";
    let error = CommandError::new("nothing-imported", Exit::CouldNot, message);
    let reasons = imported.refused.iter().take(3);
    reasons
        .fold(error, |error, row| error.remark(refusal(row)))
        .hint("ebb import FILE --dry-run --kind fatigue --map \"Column=level,When=at\"")
}

fn refusal(row: &RefusedRow) -> String {
    format!("{} line {}: {}", row.file, row.line, row.reason)
}

fn told(imported: Imported, dry_run: bool) -> Box<dyn Answer> {
    let refused: Vec<_> = imported
        .refused
        .iter()
        .map(|row| json!({ "file": row.file, "line": row.line, "reason": row.reason.to_string() }))
        .collect();
    let mut document = json!({
        "dry_run": dry_run, "new": imported.new, "already": imported.already, "kinds": imported.kinds,
        "months": imported.months, "refused": refused, "ignored_columns": imported.ignored,
    });
    let span = imported.first.as_ref().zip(imported.last.as_ref());
    if let (Some((first, last)), Some(object)) = (span, document.as_object_mut()) {
        object.insert("first".to_owned(), json!(first.to_string()));
        object.insert("last".to_owned(), json!(last.to_string()));
    }
    let kinds: Vec<String> = imported
        .kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let did = if dry_run { "Would import" } else { "Imported" };
    let mut done = Done::new(document)
        .pair(
            if dry_run { "would import" } else { "imported" },
            imported.new,
        )
        .pair("already here", imported.already)
        .pair("refused", imported.refused.len())
        .say(&format!(
            "{did} {}; {} here already; {} refused.",
            counted(imported.new, "entry", "entries"),
            counted(imported.already, "was", "were"),
            imported.refused.len()
        ));
    if let Some((first, last)) = span {
        let words = format!("{} to {}", first.civil().date(), last.civil().date());
        done = done
            .pair("kinds", kinds.join(", "))
            .pair("days", &words)
            .say(&format!("{words}: {}.", kinds.join(", ")));
    }
    for row in imported.refused.iter().take(SHOWN) {
        let refusal = refusal(row);
        done = done
            .pair("refused row", &refusal)
            .say(&format!("  refused: {refusal}"));
    }
    let more = imported.refused.len().saturating_sub(SHOWN);
    if more > 0 {
        done = done.say(&format!("  and {more} more: --json has all of them."));
    }
    if !imported.ignored.is_empty() {
        let columns = imported.ignored.join(", ");
        done = done
            .pair("columns not read", &columns)
            .say(&format!("Columns not read: {columns}."));
    }
    done.answer()
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::format::Refused;

    fn imported() -> Imported {
        Imported {
            new: 2,
            already: 1,
            refused: vec![RefusedRow {
                file: "diary.csv".into(),
                line: 7,
                reason: Refused::Malformed("at is empty".into()),
            }],
            ignored: vec!["Mood".into()],
            kinds: [("fatigue".to_owned(), 2)].into(),
            months: 1,
            first: Some("2026-11-01T08:00:00+01:00".parse().unwrap()),
            last: Some("2026-11-02T08:00:00+01:00".parse().unwrap()),
        }
    }

    #[test]
    fn an_import_says_what_it_did_and_what_it_did_not() {
        insta::assert_snapshot!(told(imported(), false).human().rendered(false), @r"
        Imported 2 entries; 1 was here already; 1 refused.
        2026-11-01 to 2026-11-02: fatigue 2.
          refused: diary.csv line 7: at is empty
        Columns not read: Mood.
        ");
        let preview = told(imported(), true).human().rendered(false);
        assert!(preview.starts_with("Would import 2 entries"), "{preview}");
    }
}
