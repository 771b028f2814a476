//! What the plan says of a dose: its usual amount, the user's own limits, and doses that two people may both have logged.
//!
//! A dose that passes a limit is warned of before it is recorded, and recorded all the same. Nothing here says what to take,
//! or when.

use std::io::{self, Write};

use client::Journal;
use client::plan::{DosePair, OverLimit};
use client::query::EntryView;
use jiff::Zoned;
use journal::EntryId;
use journal::entry::{Draft, Precision};
use journal::plan::Passed;
use journal::time::At;
use journal::words::duration;
use serde_json::json;

use super::entries::{Told, when, words};
use super::session::Session;
use super::today::span;
use crate::arguments::{Doses, DosesCommand};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::output::{Answer, Text, json_line, warn};
use crate::prompt;

/// The kind that the plan has a say in.
const DOSE: &str = "dose";

/// Fills in what the plan knows of a dose: how the medicine is written, and the usual amount if none was said.
///
/// # Errors
/// [`CommandError`] if the plan cannot be read, or knows no usual amount where one is needed.
pub(super) fn complete(draft: &mut Draft, journal: &Journal) -> Outcome<()> {
    let name = draft
        .fields
        .get("medicine")
        .and_then(journal::Value::as_text);
    let Some(name) = name.filter(|_| draft.kind == DOSE) else {
        return Ok(());
    };
    // A dose from before the plan is written down as it is planned now.
    let plan = journal.plan()?;
    let then = plan.medicine(name, draft.at.instant());
    let Some(medicine) = then.or_else(|| plan.medicine(name, jiff::Timestamp::now())) else {
        return Ok(());
    };
    let skipped = draft.fields.get("taken").and_then(journal::Value::as_text) == Some("skipped");
    if !skipped && !draft.fields.contains_key("amount_mg") {
        let Some(usual) = medicine.mg("usual_mg") else {
            return Err(CommandError::new(
                "missing-field",
                Exit::Usage,
                format!("the plan says no usual amount of {}", medicine.name),
            )
            .hint(format!("ebb dose {} 10mg", medicine.name))
            .hint(format!("ebb plan medicine {} --usual 10mg", medicine.name)));
        };
        draft.fields.insert("amount_mg".to_owned(), usual.value());
    }
    draft
        .fields
        .insert("medicine".to_owned(), medicine.name.into());
    Ok(())
}

/// Warns of a dose that passes the user's own limits; where someone is there, asks whether to record it. A correction
/// names the dose that it corrects, as `itself`.
///
/// # Errors
/// [`CommandError`] if the plan cannot be read, or the answer is no.
pub(super) fn warn_of_limits(
    draft: &Draft,
    itself: Option<EntryId>,
    journal: &Journal,
    session: &Session,
) -> Outcome<()> {
    if draft.kind != DOSE {
        return Ok(());
    }
    let Some(over) = journal.over_limit(draft, itself)? else {
        return Ok(());
    };
    let now = session.now();
    for passed in &over.passed {
        warn(&said(passed, &over, &now), &session.terminal);
    }
    if over.doubtful {
        warn(
            "some of the doses counted may be one dose, logged twice: ebb doses",
            &session.terminal,
        );
    }
    if let Some(sync) = journal.last_sync()? {
        let ago = now.timestamp().duration_since(sync).as_mins().max(0);
        let said = format!(
            "the last sync was {} ago; another device may know of more doses",
            span(ago)
        );
        warn(&said, &session.terminal);
    }
    let question = "Record it all the same? Whatever was taken belongs in the journal.";
    if session.terminal.interactive && prompt::refuses(question, &session.terminal) {
        return Err(not_confirmed(itself));
    }
    Ok(())
}

/// Says that nothing was done, where someone was asked and said no.
pub(super) fn not_confirmed(itself: Option<EntryId>) -> CommandError {
    let said = match itself {
        Some(_) => "nothing was changed",
        None => "nothing was recorded",
    };
    CommandError::new("not-confirmed", Exit::CouldNot, said)
}

/// Says which limit is passed, by what, and who set it.
fn said(passed: &Passed, over: &OverLimit, now: &Zoned) -> String {
    let medicine = &over.medicine.name;
    let what = match *passed {
        Passed::Single { dose, limit } => {
            format!("{dose} of {medicine} at once is more than the limit of {limit} in your plan")
        }
        Passed::Day {
            sum,
            limit,
            at_least,
        } => {
            let least = if at_least { "at least " } else { "" };
            format!(
                "with this dose it is {least}{sum} of {medicine} in 24 hours; the limit in your plan is {limit}"
            )
        }
        Passed::Gap {
            minutes,
            limit,
            after,
        } => {
            let side = if after { "after" } else { "before" };
            let (gap, limit) = (duration(minutes), duration(limit));
            format!(
                "another dose of {medicine} was {gap} {side} this one; your plan has at least {limit} between doses"
            )
        }
    };
    let by = over.medicine.limits_by();
    match over.medicine.limits_at() {
        Some(at) => {
            let at = At::in_zone(at, now.time_zone());
            format!(
                "{what} (set by {by}, {})",
                journal::time::when(&at, Precision::Exact, now)
            )
        }
        None => format!("{what} (set by {by})"),
    }
}

/// Doses that may be one.
struct Pairs {
    pairs: Vec<DosePair>,
    now: Zoned,
}

/// Says what two doses that may be one are, and what to type.
pub(super) fn question(pair: &DosePair, now: &Zoned) -> [String; 3] {
    let dose = |view: &EntryView| {
        let (words, when) = (words(view), when(view, now));
        format!("{words}, {when} ({})", view.author.person)
    };
    let id = &pair.second.short_id;
    [
        format!(
            "The same dose or two? {} and {}.",
            dose(&pair.first),
            dose(&pair.second)
        ),
        "Both count until you say.".to_owned(),
        format!("If it was one dose: ebb doses one {id}    If two: ebb doses two {id}"),
    ]
}

impl Answer for Pairs {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let id = |view: &EntryView| view.entry.id.to_string();
        let pairs = self.pairs.iter();
        let pairs = pairs.map(|pair| json!({"first": id(&pair.first), "second": id(&pair.second)}));
        json_line(out, &pairs.collect::<Vec<_>>())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.pairs.is_empty() {
            text.say("No dose looks as if two people had logged it.")
                .line();
        }
        for pair in &self.pairs {
            for line in question(pair, &self.now) {
                text.say(&line).line();
            }
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("questions".to_owned(), self.pairs.len().to_string())];
        for pair in &self.pairs {
            let lines = question(pair, &self.now);
            pairs.push(("same dose or two".to_owned(), lines.join("\n")));
        }
        pairs
    }
}

/// Shows doses that may be one, or says which they are.
///
/// # Errors
/// [`CommandError`] if the id names none of them, or the journal cannot be read or written.
pub(super) fn doses(doses: &Doses, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    let pairs = journal.dose_pairs(None)?;
    let (id, one) = match &doses.command {
        None => return Ok(Box::new(Pairs { pairs, now })),
        Some(DosesCommand::One { id }) => (id, true),
        Some(DosesCommand::Two { id }) => (id, false),
    };
    let view = journal
        .entry(id)
        .map_err(|error| failure::lookup(error, &now))?;
    let is_in =
        |pair: &&DosePair| [pair.first.entry.id, pair.second.entry.id].contains(&view.entry.id);
    let mine: Vec<&DosePair> = pairs.iter().filter(is_in).collect();
    if mine.is_empty() {
        let said = format!(
            "{} is not one of two doses that may be the same",
            view.short_id
        );
        return Err(CommandError::new("no-question", Exit::CouldNot, said).hint("ebb doses"));
    }
    let failed = |error, journal: &Journal| failure::record(error, DOSE, &now, journal);
    let mut last = None;
    if one {
        let id = view.entry.id.to_string();
        last = Some(
            journal
                .delete(&id)
                .map_err(|error| failed(error, &journal))?,
        );
    } else {
        for pair in mine {
            last = Some(
                journal
                    .keep_both(pair)
                    .map_err(|error| failed(error, &journal))?,
            );
        }
    }
    Ok(Box::new(Told {
        view: last.unwrap_or(view),
        now,
        became: Some(if one {
            "deleted, the other is kept"
        } else {
            "two doses, both are kept"
        }),
    }))
}
