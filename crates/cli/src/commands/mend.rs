//! Mending: correcting, deleting and restoring entries.

use client::Journal;
use jiff::{SignedDuration, Zoned};
use journal::entry::{Draft, Entry, Patch, Status};
use journal::kind::{COMMON, Shape};

use super::doses;
use super::entries::Told;
use super::log::{read_at, read_field, warn_of, with_whole_ids};
use super::session::Session;
use crate::arguments::Typed;
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::output::{Answer, Form, Text, talk};

/// How long after the time of a night's entry its own times may lie.
const NIGHT_SLACK: SignedDuration = SignedDuration::from_hours(6);

/// A kind that stands for those this ebb does not know, where only what every entry has can be corrected.
const ANY_KIND: &str = "note";

/// Corrects an entry.
///
/// # Errors
/// [`CommandError`] if nothing is to be changed, a value is not valid, or the id names no one entry.
pub(super) fn edit(id: &str, typed: &Typed, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    if typed.fields.is_empty() && typed.at.is_none() {
        return Err(CommandError::usage("nothing to change was given")
            .hint(format!("ebb edit {id} --level 5"))
            .hint("ebb edit --help"));
    }
    let mut journal = session.open()?;
    let view = journal
        .entry(id)
        .map_err(|error| failure::lookup(error, &now))?;
    let kind = view.entry.kind.clone();
    let typed = with_whole_ids(&kind, typed, &now, || session.open())?;
    let mut patch = Patch::default();
    if let Some(text) = &typed.at {
        let flag = format!("ebb edit {id} --at");
        patch.at = Some(read_at(text, &now, typed.future, &flag, &session.terminal)?);
    }
    let reference = reference(patch.at.as_ref().unwrap_or(&view.entry.at), &now);
    for (name, text) in &typed.fields {
        let known = journal::kind::kind(&kind);
        let common = COMMON.iter().any(|field| field.name == *name);
        let read_as = if known.is_none() && common {
            ANY_KIND
        } else {
            kind.as_str()
        };
        let field = known.and_then(|kind| kind.field(name));
        // An empty answer takes the field away, whatever its shape.
        if let Some(field) = field.filter(|_| text.trim().is_empty()) {
            patch.remove.push(field.name.to_owned());
            continue;
        }
        let is_time = field.is_some_and(|field| field.shape == Shape::Instant);
        let read = read_field(read_as, name, text, if is_time { &reference } else { &now });
        let read = read.map_err(|error| rehinted(error, id))?;
        if read.is_empty() {
            patch
                .remove
                .push(field.map_or(*name, |field| field.name).to_owned());
        }
        patch.set.extend(read);
    }
    warn_of_change(&view.entry, id, &patch, &journal, session)?;
    let view = journal
        .edit(id, &patch)
        .map_err(|error| rehinted(failure::record(error, &kind, &now, &journal), id))?;
    Ok(Box::new(Told {
        view,
        now,
        became: None,
    }))
}

/// Warns of what a correction makes doubtful, as logging does; of what it leaves as it was, it says nothing again.
fn warn_of_change(
    before: &Entry,
    id: &str,
    patch: &Patch,
    journal: &Journal,
    session: &Session,
) -> Outcome<()> {
    let after = journal.edited(id, patch).map_err(|error| {
        let now = session.now();
        rehinted(failure::record(error, &before.kind, &now, journal), id)
    })?;
    let is_same = (&after.at, &after.fields) == (&before.at, &before.fields);
    if is_same || after.status == Status::EnteredInError {
        return Ok(());
    }
    let (itself, hint) = (after.id, format!("ebb show {id}"));
    warn_of(&draft_of(after), Some(itself), &hint, journal, session)
}

/// Returns what an entry says in the fields of its kind.
fn draft_of(entry: Entry) -> Draft {
    let mut draft = Draft::new(&entry.kind, entry.at);
    draft.fields = entry.fields;
    draft
}

/// Hints at correcting this entry, where the error would hint at logging another.
fn rehinted(error: CommandError, id: &str) -> CommandError {
    if error.exit != Exit::Usage || error.kind == "invalid-time" {
        return error;
    }
    let hints = vec![format!("ebb show {id}"), "ebb edit --help".to_owned()];
    CommandError { hints, ..error }
}

/// Returns the time before which the clock times of an entry lie: some hours after it, but not ahead of now.
fn reference(at: &journal::time::At, now: &Zoned) -> Zoned {
    let limit = at
        .instant()
        .saturating_add(NIGHT_SLACK)
        .unwrap_or(at.instant());
    limit.min(now.timestamp()).to_zoned(now.time_zone().clone())
}

/// Deletes an entry.
///
/// # Errors
/// [`CommandError`] if the id names no one entry, or the journal cannot be written.
pub(super) fn delete(id: &str, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    let view = journal
        .delete(id)
        .map_err(|error| failure::record(error, "", &now, &journal))?;
    if session.terminal.form == Form::Human {
        let hint = format!("to bring it back: ebb restore {}", view.short_id);
        talk(Text::new().say(&hint).line(), &session.terminal);
    }
    Ok(Box::new(Told {
        view,
        now,
        became: Some("deleted"),
    }))
}

/// Restores a deleted entry.
///
/// # Errors
/// [`CommandError`] if the id names no one entry, or the journal cannot be written.
pub(super) fn restore(id: &str, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    let before = journal
        .entry(id)
        .map_err(|error| failure::lookup(error, &now))?
        .entry;
    if before.status == Status::EnteredInError {
        // It counts again.
        let id = before.id;
        doses::warn_of_limits(&draft_of(before), Some(id), &journal, session)?;
    }
    let view = journal
        .restore(id)
        .map_err(|error| failure::record(error, "", &now, &journal))?;
    Ok(Box::new(Told {
        view,
        now,
        became: Some("restored"),
    }))
}
