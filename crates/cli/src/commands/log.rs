//! Logging: turns what was typed into a draft, asks where it must, and records it.

use client::Journal;
use jiff::Zoned;
use jiff::civil::{Date, Time};
use journal::entry::Draft;
use journal::kind::{Field, SKIPPED, Shape, UNABLE, night_from_clock};
use journal::time::{At, NotOneTime};
use journal::validate::parse_field;
use journal::{EntryId, Fields, Value};

use super::doses;
use super::entries::Told;
use super::session::{self, Session};
use crate::arguments::{Typed, example};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::moment::{self, Bound, InvalidMoment, Place};
use crate::output::{Answer, Terminal, warn};
use crate::prompt;

/// The kind whose clock times are read together.
const NIGHT: &str = "sleep";

/// The field of a time that may lie ahead.
const PLANNED: &str = "planned_at";

/// The fields of a night that say when it ended, the later one first.
const NIGHT_ENDS: [&str; 2] = ["out_of_bed", "final_wake"];

/// Logs an entry.
///
/// # Errors
/// [`CommandError`] if what was typed is not valid, or cannot be recorded.
pub(super) fn log(typed: &Typed, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let kind = typed.kind.as_deref().unwrap_or_default();
    let typed = with_whole_ids(kind, typed, &now, || session.open())?;
    let mut draft = draft(&typed, &now, &session.terminal)?;
    let mut journal = session.open()?;
    doses::complete(&mut draft, &journal)?;
    warn_of(&draft, None, example(&draft.kind), &journal, session)?;
    let view = journal
        .record(&draft)
        .map_err(|error| failure::record(error, &draft.kind, &now, &journal))?;
    Ok(Box::new(Told {
        view,
        now,
        became: None,
    }))
}

/// Warns of what is doubtful about an entry before it is written, `itself` being the one it corrects; asks whether to go
/// on, where someone is there. `hint` is what to type if not.
///
/// # Errors
/// [`CommandError`] if the plan cannot be read, or the answer is no.
pub(super) fn warn_of(
    draft: &Draft,
    itself: Option<EntryId>,
    hint: &str,
    journal: &Journal,
    session: &Session,
) -> Outcome<()> {
    for warning in draft.warnings() {
        let question = format!("{warning}; record it as it is?");
        if session.terminal.interactive && !prompt::confirm(&question, &session.terminal) {
            return Err(doses::not_confirmed(itself).hint(hint));
        }
        if !session.terminal.interactive {
            warn(&warning.to_string(), &session.terminal);
        }
    }
    doses::warn_of_limits(draft, itself, journal, session)
}

/// Puts whole ids in the place of their beginnings, in fields that name another entry.
pub(super) fn with_whole_ids(
    kind: &str,
    typed: &Typed,
    now: &Zoned,
    open: impl Fn() -> Outcome<Journal>,
) -> Outcome<Typed> {
    let mut typed = typed.clone();
    let kind = journal::kind::kind(kind);
    for (name, text) in &mut typed.fields {
        let field = kind.and_then(|kind| kind.field(name));
        if field.is_some_and(|field| field.shape == Shape::Entry) && !text.is_empty() {
            let found = open()?.entry(text);
            let found = found.map_err(|error| failure::lookup(error, now))?;
            *text = found.entry.id.to_string();
        }
    }
    Ok(typed)
}

/// Makes the draft of what was typed.
fn draft(typed: &Typed, now: &Zoned, terminal: &Terminal) -> Outcome<Draft> {
    let kind = typed.kind.as_deref().unwrap_or_default();
    let at = match &typed.at {
        Some(text) => {
            let flag = format!("{} --at", example(kind));
            read_at(text, now, typed.future, &flag, terminal)?
        }
        None => At::from(now),
    };
    // The night that is meant lies before the time given, if one is.
    let until = if typed.at.is_some() {
        at.instant().to_zoned(now.time_zone().clone())
    } else {
        now.clone()
    };
    let mut draft = Draft::new(kind, at);
    draft.fields.extend(night(typed, kind, &until)?);
    for (name, text) in &typed.fields {
        if !draft.fields.contains_key(*name) {
            draft.fields.extend(read_field(kind, name, text, &until)?);
        }
    }
    if typed.at.is_none() {
        let ends = NIGHT_ENDS.iter().find_map(|name| draft.fields.get(*name));
        if let Some(end) = ends
            .and_then(Value::as_text)
            .and_then(|text| text.parse::<At>().ok())
        {
            draft.at = moment::named(end, now);
        }
    }
    Ok(draft)
}

/// Reads the text of a field; `-` as a note is stdin. Clock times are placed by `now`: before it, but what was planned may
/// as well lie ahead.
pub(super) fn read_field(kind: &str, name: &str, text: &str, now: &Zoned) -> Outcome<Fields> {
    let invalid = |error| failure::invalid(&error, kind);
    let field = journal::kind::kind(kind).and_then(|kind| kind.field(name));
    let is_state = [SKIPPED, UNABLE].contains(&text.trim().to_lowercase().as_str());
    match field {
        _ if is_state || text.trim().is_empty() => parse_field(kind, name, text).map_err(invalid),
        Some(Field {
            shape: Shape::Date, ..
        }) if text.trim().parse::<Date>().is_err() => {
            let day = moment::read_bound(text, now, Bound::Since);
            let day = day.map_err(|_| failure::no_day(name, text))?;
            let date = day.to_zoned(now.time_zone().clone()).date();
            parse_field(kind, name, &date.to_string()).map_err(invalid)
        }
        Some(Field {
            shape: Shape::Instant,
            flag,
            label,
            ..
        }) => {
            let place = if *name == *PLANNED {
                Place::Near
            } else {
                Place::Before
            };
            let at = match moment::clock(text) {
                Some(time) => moment::place(time, now, place),
                None => moment::read(text, now, true),
            };
            let at = at.map_err(|error| {
                let error = failure::moment(error, &format!("ebb {kind} --{flag}"));
                CommandError {
                    message: format!("{label}: {}", error.message),
                    ..error
                }
            })?;
            parse_field(kind, name, &at.to_string()).map_err(invalid)
        }
        Some(Field {
            shape: Shape::Lines { .. },
            ..
        }) if text == "-" => parse_field(kind, name, &session::stdin_text()?).map_err(invalid),
        _ => parse_field(kind, name, text).map_err(invalid),
    }
}

/// Reads the clock times of a night together; those typed with a date are left to [`read_field`].
fn night(typed: &Typed, kind: &str, now: &Zoned) -> Outcome<Fields> {
    let times: Vec<(&str, Time)> = typed
        .fields
        .iter()
        .filter(|_| kind == NIGHT)
        .filter_map(|(name, text)| Some((*name, moment::clock(text)?)))
        .filter(|(name, _)| {
            let field = journal::kind::kind(kind).and_then(|kind| kind.field(name));
            field.is_some_and(|field| field.shape == Shape::Instant)
        })
        .collect();
    if times.is_empty() {
        return Ok(Fields::new());
    }
    night_from_clock(&times, now).map_err(|error| {
        CommandError::new("invalid-time", Exit::Usage, error.to_string())
            .hint("give that time with its date and offset: --bed 2026-10-25T02:30:00+02:00")
    })
}

/// Reads when something happened; asks which of two readings is meant, if someone is there. `flag` is the line up to the
/// time, for hints.
///
/// # Errors
/// [`CommandError`] if it cannot be read, is not one time, or lies ahead.
pub(super) fn read_at(
    text: &str,
    now: &Zoned,
    future: bool,
    flag: &str,
    terminal: &Terminal,
) -> Outcome<At> {
    let error = match moment::read(text, now, future) {
        Ok(at) => return Ok(at),
        Err(error) => error,
    };
    let readings = match &error {
        InvalidMoment::NotOneTime(NotOneTime::Never { before, after, .. }) => Some((before, after)),
        InvalidMoment::NotOneTime(NotOneTime::Twice { first, second, .. }) => Some((first, second)),
        _ => None,
    };
    if let (Some((one, other)), true) = (readings, terminal.interactive) {
        let choices = [one.to_string(), other.to_string()];
        let chosen = prompt::choose(&error.to_string(), &choices, terminal);
        if let Some(place) = chosen {
            let at = if place == 0 { one } else { other };
            return Ok(At::clone(at));
        }
    }
    Err(failure::moment(error, flag))
}

#[cfg(test)]
mod tests;
