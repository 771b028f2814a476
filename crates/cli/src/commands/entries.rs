//! Entries as they are shown: one line after logging, lists, and everything about one.

use std::io::{self, Write};

use client::query::{EntryView, Filter};
use jiff::Zoned;
use journal::entry::Status;

use super::session::Session;
use crate::arguments::List;
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::moment::{self, Bound};
use crate::output::{Answer, Ink, Text, json_line};

/// One entry, said in one line.
pub(super) struct Told {
    pub(super) view: EntryView,
    pub(super) now: Zoned,
    /// What became of it, if it was not just logged: `deleted`, `restored`.
    pub(super) became: Option<&'static str>,
}

impl Answer for Told {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &self.view.json())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        let became = self
            .became
            .map(|became| format!("{became}: "))
            .unwrap_or_default();
        let words = match self.became {
            Some(_) => journal::words::words(&self.view.entry),
            None => words(&self.view),
        };
        let when = when(&self.view, &self.now);
        text.ink(&self.view.short_id, Ink::Dim)
            .say("  ")
            .say(&became);
        text.say(&format!("{words}, {when}"));
        note(&mut text, &self.view);
        text.line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = record(&self.view, &self.now);
        if let Some(became) = self.became {
            pairs.push(("done".to_owned(), became.to_owned()));
        }
        pairs
    }
}

/// Everything about one entry, and the comments on it.
struct Shown {
    view: EntryView,
    comments: Vec<EntryView>,
    now: Zoned,
}

impl Answer for Shown {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &self.view.json())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.ink(&self.view.short_id, Ink::Dim).say("  ");
        text.say(&format!(
            "{}, {}",
            words(&self.view),
            when(&self.view, &self.now)
        ))
        .line();
        let mut pairs = details(&self.view);
        pairs.extend(self.remarks());
        let width = pairs
            .iter()
            .map(|(label, _)| label.chars().count())
            .max()
            .unwrap_or(0);
        for (label, value) in pairs {
            // Further lines of a note stand below its first.
            let indent = format!("\n{}", " ".repeat(width + 4));
            let missing = " ".repeat(width.saturating_sub(label.chars().count()));
            text.say(&format!(
                "  {label}{missing}  {}",
                value.replace('\n', &indent)
            ))
            .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = details(&self.view);
        pairs.extend(self.remarks());
        pairs
    }
}

impl Shown {
    /// Returns the comments, each with who made it and when.
    fn remarks(&self) -> impl Iterator<Item = (String, String)> {
        self.comments.iter().map(|comment| {
            let text = comment.entry.note.clone().unwrap_or_default();
            let (who, when) = (&comment.author.person, when(comment, &self.now));
            ("comment".to_owned(), format!("{text}  ({who}, {when})"))
        })
    }
}

/// Entries, oldest first.
struct Listed {
    views: Vec<EntryView>,
    now: Zoned,
}

impl Answer for Listed {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_array(out, &self.views)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.views.is_empty() {
            text.say("No entries.").line();
        }
        let times = self
            .views
            .iter()
            .map(|view| when(view, &self.now))
            .collect::<Vec<_>>();
        let width = times
            .iter()
            .map(|time| time.chars().count())
            .max()
            .unwrap_or(0);
        let ids = self
            .views
            .iter()
            .map(|view| view.short_id.chars().count())
            .max()
            .unwrap_or(0);
        let several = self
            .views
            .iter()
            .any(|view| Some(&view.author) != self.views.first().map(|first| &first.author));
        for (view, time) in self.views.iter().zip(times) {
            row(&mut text, view, (&time, width), ids, several);
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        self.views
            .iter()
            .flat_map(|view| record(view, &self.now))
            .collect()
    }
}

/// Writes entries as a JSON array, one a line: the same bytes on every device that holds the same entries.
pub(super) fn json_array(out: &mut dyn Write, views: &[EntryView]) -> io::Result<()> {
    let mut before: &[u8] = b"[\n";
    for view in views {
        out.write_all(before)?;
        serde_json::to_writer(&mut *out, &view.json())?;
        before = b",\n";
    }
    out.write_all(if views.is_empty() { b"[]\n" } else { b"\n]\n" })
}

/// Writes one line of a list: id, time, words, note, and who wrote it if there are several.
pub(super) fn row(
    text: &mut Text,
    view: &EntryView,
    (time, width): (&str, usize),
    ids: usize,
    several: bool,
) {
    let fill =
        |filled: &str, width: usize| " ".repeat(width.saturating_sub(filled.chars().count()));
    text.ink(&view.short_id, Ink::Dim)
        .say(&fill(&view.short_id, ids))
        .say("  ");
    text.ink(time, Ink::Dim).say(&fill(time, width)).say("  ");
    text.say(&words(view).replace('\n', " "));
    note(text, view);
    if several {
        text.say(&format!("  ({})", view.author.person.replace('\n', " ")));
    }
    text.line();
}

/// Returns the note that goes with an entry; that of a note, a question or a comment stands in its words.
fn note_beside(view: &EntryView) -> Option<&str> {
    let kind = journal::kind::kind(&view.entry.kind);
    let note = view.entry.note.as_deref();
    note.filter(|_| !kind.is_some_and(journal::kind::Kind::says_note))
}

/// Adds the note that goes with an entry.
fn note(text: &mut Text, view: &EntryView) {
    if let Some(note) = note_beside(view) {
        text.say(&format!("  \"{}\"", journal::words::plain(&note.into())));
    }
}

/// Says what an entry is, and that it was deleted if it was.
pub(super) fn words(view: &EntryView) -> String {
    let words = journal::words::words(&view.entry);
    if view.entry.status == Status::EnteredInError {
        format!("{words} (deleted)")
    } else {
        words
    }
}

/// Says when an entry was.
pub(super) fn when(view: &EntryView, now: &Zoned) -> String {
    journal::time::when(&view.entry.at, view.entry.precision, now)
}

/// Returns the short record of an entry.
pub(super) fn record(view: &EntryView, now: &Zoned) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let mut pairs = vec![
        pair("", String::new()),
        pair("id", view.short_id.clone()),
        pair("when", when(view, now)),
        pair("entry", words(view)),
    ];
    if let Some(note) = note_beside(view) {
        pairs.push(pair("note", note.to_owned()));
    }
    pairs.push(pair("by", view.author.person.clone()));
    pairs
}

/// Returns everything about an entry.
fn details(view: &EntryView) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let entry = &view.entry;
    let zone = entry
        .at
        .zone()
        .map(|zone| format!(" ({zone})"))
        .unwrap_or_default();
    let mut pairs = vec![
        pair("id", entry.id.to_string()),
        pair("at", format!("{}{zone}", entry.at)),
    ];
    pairs.extend(journal::words::lines(entry));
    pairs.push(pair("recorded", format!("{:.0}", entry.recorded_at())));
    pairs.push(pair(
        "by",
        format!("{}, on {}", view.author.person, view.author.device),
    ));
    pairs
}

/// Lists entries.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if a filter makes no sense, or the journal cannot be read.
pub(super) fn list(list: &List, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    if let Some(kind) = list
        .kind
        .as_deref()
        .filter(|kind| journal::kind::kind(kind).is_none())
    {
        let unknown = journal::validate::Invalid::UnknownKind {
            kind: kind.to_owned(),
        };
        let error = failure::invalid(&unknown, kind);
        return Err(crate::CommandError {
            hints: vec!["ebb list --kind fatigue".to_owned()],
            ..error
        });
    }
    let bound = |text: &Option<String>, which, flag| {
        let read = text
            .as_deref()
            .map(|text| moment::read_bound(text, &now, which))
            .transpose();
        read.map_err(|error| failure::moment(error, flag).hint(format!("{flag} 7d")))
    };
    let filter = Filter {
        since: bound(&list.since, Bound::Since, "ebb list --since")?,
        until: bound(&list.until, Bound::Until, "ebb list --until")?,
        kind: list.kind.clone(),
        by: list.by.clone(),
        search: list.search.clone(),
        deleted: list.deleted,
        limit: None,
    };
    let journal = session.open()?;
    let views = journal.entries(&filter)?;
    if let Some(by) = list.by.as_deref().filter(|_| views.is_empty()) {
        let people = journal.members()?.into_iter().map(|person| person.name);
        let people: Vec<String> = people.collect();
        if !people
            .iter()
            .any(|name| name.to_lowercase() == by.to_lowercase())
        {
            return Err(nobody(by, &people));
        }
    }
    Ok(Box::new(Listed { views, now }))
}

/// Makes the error of a name that nobody here has.
fn nobody(name: &str, people: &[String]) -> CommandError {
    let known = journal::words::joined(people);
    let message = format!("nobody here is called \"{name}\"; there are {known}");
    let error = CommandError::new("unknown-name", Exit::CouldNot, message);
    people.iter().fold(error, |error, name| {
        error.hint(format!("ebb list --by {}", failure::quoted(name)))
    })
}

/// Shows an entry.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the id names no one entry, or the journal cannot be read.
pub(super) fn show(id: &str, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let journal = session.open()?;
    let view = journal
        .entry(id)
        .map_err(|error| failure::lookup(error, &now))?;
    let comments = journal.comments(view.entry.id)?;
    Ok(Box::new(Shown {
        view,
        comments,
        now,
    }))
}
