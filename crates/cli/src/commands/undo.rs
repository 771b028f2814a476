//! Undo and redo: this device's last actions, one after another.

use std::io::{self, Write};

use client::history::undo::{Did, SOME as SAID, Undone};
use client::query::EntryView;
use jiff::Zoned;
use journal::entry::Status;
use serde::Serialize;

use super::entries::{when, words};
use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::output::{Answer, Text, json_line};

/// What was undone, or done again.
struct Stepped {
    undone: Undone,
    again: bool,
    now: Zoned,
}

/// Takes back the last action.
///
/// # Errors
/// [`CommandError`] if there is none, or it cannot be taken back.
pub(super) fn undo(session: &Session) -> Outcome<Box<dyn Answer>> {
    step(session, false)
}

/// Does the last undone action again.
///
/// # Errors
/// [`CommandError`] if there is none, or it cannot be done again.
pub(super) fn redo(session: &Session) -> Outcome<Box<dyn Answer>> {
    step(session, true)
}

fn step(session: &Session, again: bool) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    let stepped = if again {
        journal.redo()
    } else {
        journal.undo()
    };
    let stepped = stepped.map_err(|error| failure::record(error, "", &now, &journal))?;
    let command = if again { "redo" } else { "undo" };
    match stepped {
        None => Err(CommandError::new(
            "nothing-to-undo",
            Exit::CouldNot,
            format!("there is nothing to {command} on this device"),
        )
        .hint("ebb list")),
        Some(undone) if !undone.done => Err(changed_since(&undone, command)),
        Some(undone) => Ok(Box::new(Stepped { undone, again, now })),
    }
}

/// Says that something was changed since, so that taking the action back would lose that change.
fn changed_since(undone: &Undone, command: &str) -> CommandError {
    let made = CommandError::new(
        "changed-since",
        Exit::CouldNot,
        "it was changed again since, perhaps by someone else; nothing was taken back",
    );
    let made = undone.entries.iter().take(SAID).fold(made, |made, view| {
        made.hint(format!(
            "ebb history {}    ({})",
            view.short_id,
            words(view)
        ))
    });
    made.hint(format!(
        "ebb {command}    (goes on with the action before it)"
    ))
}

impl Stepped {
    /// Says what was done to an entry.
    fn said(&self, view: &EntryView) -> String {
        let entry = format!("{}, {}", words(view), when(view, &self.now));
        match self.undone.did {
            Did::Edit => format!(
                "as it {}: {entry}",
                if self.again {
                    "was corrected"
                } else {
                    "was before"
                }
            ),
            _ => entry,
        }
    }

    fn lead(&self) -> String {
        let did = match self.undone.did {
            Did::Log => "logged",
            Did::Import => "imported",
            Did::Edit => "corrected",
            Did::Delete => "deleted",
            Did::Restore => "restored",
            Did::Plan => "the last change of the plan",
            Did::Rename => "another name",
            Did::Zone => "another zone at home",
        };
        let lead = if self.again { "done again" } else { "undone" };
        format!("{lead}: {did}")
    }

    fn next(&self) -> &'static str {
        match (self.again, self.undone.did) {
            (false, Did::Plan) => "ebb plan shows it; to do it again: ebb redo",
            (false, Did::Rename) => "ebb members shows it; to do it again: ebb redo",
            (false, Did::Zone) => "ebb zone shows it; to do it again: ebb redo",
            (false, _) => "to do it again: ebb redo",
            (true, _) => "to take it back: ebb undo",
        }
    }
}

impl Answer for Stepped {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a> {
            action: &'static str,
            undone: bool,
            count: usize,
            #[serde(skip_serializing_if = "Option::is_none")]
            entries: Option<Vec<journal::json::EntryJson<'a>>>,
        }
        // An import may be ten years of entries: their number says enough.
        let is_told = self.undone.did != Did::Import;
        let entries = || self.undone.entries.iter().map(EntryView::json).collect();
        let document = Document {
            action: self.undone.did.name(),
            undone: !self.again,
            count: self.undone.count,
            entries: is_told.then(entries),
        };
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say(&self.lead()).line();
        let entries = &self.undone.entries;
        for view in entries.iter().take(SAID) {
            let id = &view.short_id;
            text.say(&format!("  {id}  {}", self.said(view))).line();
        }
        let more = self.undone.count.saturating_sub(entries.len().min(SAID));
        if more > 0 {
            text.say(&format!("  and {more} more")).line();
        }
        text.say(self.next()).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let count = self.undone.count.to_string();
        let mut pairs = vec![pair("done", self.lead()), pair("entries", count)];
        for view in &self.undone.entries {
            pairs.push(pair("entry", self.said(view)));
            let deleted = view.entry.status == Status::EnteredInError;
            pairs.push(pair(
                "deleted",
                if deleted { "yes" } else { "no" }.to_owned(),
            ));
        }
        pairs.push(pair("next", self.next().to_owned()));
        pairs
    }
}
