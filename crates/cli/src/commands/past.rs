//! What became of entries: the history of one, and the values that two people wrote at the same time.

use std::io::{self, Write};

use client::history::{Claim, Conflict, Contested, Revision};
use client::query::EntryView;
use jiff::{Timestamp, Zoned};
use journal::entry::Precision;
use journal::json::value_json;
use journal::time::At;
use journal::words::field_words;
use journal::{Scalar, Value};
use serde_json::{Map, json};

use super::entries::{Told, when, words};
use super::session::Session;
use crate::arguments::{Conflicts, ConflictsCommand};
use crate::error::Outcome;
use crate::failure;
use crate::output::{Answer, Ink, Text, json_line};

/// Stored fields that a history does not tell: the kind never changes, and the rest stands beside other fields.
const UNTOLD: [&str; 3] = ["kind", "offset", "zone"];

/// Every change of one entry.
struct Past {
    view: EntryView,
    revisions: Vec<Revision>,
    now: Zoned,
}

impl Answer for Past {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let revisions = self.revisions.iter().map(|revision| {
            let values = revision.set.iter();
            let set: Map<_, _> = values
                .map(|(name, value)| (name.clone(), json!(value_json(value))))
                .collect();
            json!({
                "at": format!("{:.0}", revision.at),
                "author": {"person": revision.by.person, "device": revision.by.device},
                "created": revision.created,
                "set": set,
                "removed": revision.removed,
            })
        });
        json_line(out, &revisions.collect::<Vec<_>>())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        headline(&mut text, &self.view, &self.now);
        for revision in &self.revisions {
            let by = format!("{}, on {}", revision.by.person, revision.by.device);
            text.say("  ")
                .ink(&moment(revision.at, &self.now), Ink::Dim)
                .say(&format!("  {by}  {}", self.told(revision)))
                .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let mut pairs = vec![pair("id", self.view.short_id.clone())];
        for revision in &self.revisions {
            pairs.push(pair("", String::new()));
            pairs.push(pair("when", moment(revision.at, &self.now)));
            pairs.push(pair(
                "by",
                format!("{}, on {}", revision.by.person, revision.by.device),
            ));
            pairs.push(pair("change", self.told(revision)));
        }
        pairs
    }
}

impl Past {
    /// Says what a change did.
    fn told(&self, revision: &Revision) -> String {
        let kind = &self.view.entry.kind;
        let told = revision.set.iter();
        let told = told.filter(|(name, _)| !UNTOLD.contains(&name.as_str()));
        let set: Vec<String> = told
            .map(|(name, value)| match value {
                Value::Scalar(Scalar::Timestamp(ms)) if name == "at" => {
                    let at = Timestamp::from_millisecond(*ms).unwrap_or(Timestamp::UNIX_EPOCH);
                    format!("time {}", moment(at, &self.now))
                }
                _ => {
                    let (label, said) = field_words(kind, name, value);
                    format!("{label} {said}")
                }
            })
            .collect();
        let removed = revision.removed.iter();
        let removed: Vec<String> = removed
            .filter(|name| !UNTOLD.contains(&name.as_str()))
            .map(|name| field_words(kind, name, &"".into()).0)
            .collect();
        let lead = if revision.created {
            "recorded"
        } else {
            "changed"
        };
        let mut told = Vec::new();
        if !set.is_empty() || removed.is_empty() {
            told.push(format!("{lead}: {}", set.join(", ")));
        }
        if !removed.is_empty() {
            told.push(format!("removed: {}", removed.join(", ")));
        }
        told.join("; ").trim_end_matches(": ").to_owned()
    }
}

/// Entries with values that were written at the same time.
struct Contention {
    conflicts: Vec<Conflict>,
    now: Zoned,
}

impl Answer for Contention {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let claim = |claim: &Claim| {
            let mut object =
                Map::from_iter([("value".to_owned(), json!(value_json(&claim.value)))]);
            if let Some(by) = &claim.by {
                let author = json!({"person": by.person, "device": by.device});
                object.insert("author".to_owned(), author);
            }
            if let Some(at) = claim.at {
                object.insert("at".to_owned(), json!(format!("{at:.0}")));
            }
            object
        };
        let field = |field: &Contested| {
            json!({
                "field": field.name,
                "shown": claim(&field.shown),
                "others": field.others.iter().map(claim).collect::<Vec<_>>(),
            })
        };
        let conflicts = self.conflicts.iter().map(|conflict| {
            json!({
                "id": conflict.view.entry.id.to_string(),
                "kind": conflict.view.entry.kind,
                "fields": conflict.fields.iter().map(field).collect::<Vec<_>>(),
            })
        });
        json_line(out, &conflicts.collect::<Vec<_>>())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.conflicts.is_empty() {
            text.say("No conflicts: nothing was changed in two places at once.")
                .line();
            return text;
        }
        for conflict in &self.conflicts {
            headline(&mut text, &conflict.view, &self.now);
            for (key, said) in self.claims(conflict) {
                text.say(&format!("  {key}: {said}")).line();
            }
            let id = &conflict.view.short_id;
            let flag = conflict
                .fields
                .first()
                .map_or("…", |field| flag(conflict, field));
            text.say(&format!(
                "  to let what is shown stand: ebb conflicts resolve {id}"
            ))
            .line();
            text.say(&format!("  to choose another: ebb edit {id} --{flag} …"))
                .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("conflicts".to_owned(), self.conflicts.len().to_string())];
        for conflict in &self.conflicts {
            pairs.push((String::new(), String::new()));
            pairs.push(("id".to_owned(), conflict.view.short_id.clone()));
            pairs.push(("entry".to_owned(), words(&conflict.view)));
            pairs.extend(self.claims(conflict));
        }
        pairs
    }
}

impl Contention {
    /// Says each value of each field, with who wrote it and when.
    fn claims(&self, conflict: &Conflict) -> Vec<(String, String)> {
        let kind = &conflict.view.entry.kind;
        let mut claims = Vec::new();
        for field in &conflict.fields {
            let all = std::iter::once(&field.shown).chain(&field.others);
            for (place, claim) in all.enumerate() {
                let (label, said) = field_words(kind, &field.name, &claim.value);
                let which = if place == 0 { "shown" } else { "not shown" };
                let by = claim.by.as_ref().map_or_else(
                    || "unknown".to_owned(),
                    |by| format!("{}, on {}", by.person, by.device),
                );
                let at = claim.at.map(|at| moment(at, &self.now)).unwrap_or_default();
                claims.push((format!("{label}, {which}"), format!("{said}  ({by}, {at})")));
            }
        }
        claims
    }
}

/// Returns the flag that corrects a field.
fn flag(conflict: &Conflict, field: &Contested) -> &'static str {
    let kind = journal::kind::kind(&conflict.view.entry.kind);
    let named = kind.and_then(|kind| kind.field(&field.name));
    match (field.name.as_str(), named) {
        ("at", _) => "at",
        (_, Some(field)) => field.flag,
        _ => "…",
    }
}

/// Says which entry is meant.
fn headline(text: &mut Text, view: &EntryView, now: &Zoned) {
    text.ink(&view.short_id, Ink::Dim)
        .say(&format!("  {}, {}", words(view), when(view, now)))
        .line();
}

/// Says when something was done, on the clock of whoever reads it.
fn moment(at: Timestamp, now: &Zoned) -> String {
    journal::time::when(&At::in_zone(at, now.time_zone()), Precision::Exact, now)
}

/// Shows the history of an entry.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the id names no one entry, or the journal cannot be read.
pub(super) fn history(id: &str, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let found = session.open()?.history(id);
    let (view, revisions) = found.map_err(|error| failure::lookup(error, &now))?;
    Ok(Box::new(Past {
        view,
        revisions,
        now,
    }))
}

/// Shows conflicts, or settles those of an entry.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the id names no one entry, or the journal cannot be read or written.
pub(super) fn conflicts(asked: &Conflicts, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    let Some(ConflictsCommand::Resolve { id }) = &asked.command else {
        let conflicts = journal.conflicts()?;
        return Ok(Box::new(Contention { conflicts, now }));
    };
    let view = journal
        .resolve(id)
        .map_err(|error| failure::record(error, "", &now, &journal))?;
    Ok(Box::new(Told {
        view,
        now,
        became: Some("settled"),
    }))
}
