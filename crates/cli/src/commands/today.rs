//! Today: what was logged since midnight at home, the time since the last dose, and how old the last sync is.
//!
//! The age of the last sync stands beside the last dose, because another device may know of one that this one does not.

use std::io::{self, Write};

use client::plan::DosePair;
use client::query::{EntryView, Filter};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::Serialize;
use serde::ser::Serializer;

use super::doses;
use super::entries::{record, row, when, words};
use super::session::Session;
use crate::error::Outcome;
use crate::output::{Answer, Form, Ink, Text, json_line};

/// One day.
struct Today {
    date: Date,
    zone: TimeZone,
    views: Vec<EntryView>,
    last_dose: Option<EntryView>,
    last_sync: Option<Timestamp>,
    /// Doses of the last days that may be one.
    pairs: Vec<DosePair>,
    now: Zoned,
}

/// For how long two doses that may be one are asked about here; later, `ebb doses` still shows them.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// There is no journal yet.
struct Nothing;

/// Answers to bare `ebb`: today; before the first journal, how to start one.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read; to scripts also if there is none.
pub(super) fn glance(session: &Session) -> Outcome<Box<dyn Answer>> {
    match today(session) {
        Err(error) if error.kind == "no-journal" && session.terminal.form != Form::Json => {
            Ok(Box::new(Nothing))
        }
        other => other,
    }
}

/// Shows today.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read.
pub(super) fn today(session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let journal = session.open()?;
    let zone = journal.zone();
    let date = now.with_time_zone(zone.clone()).date();
    let day = journal::time::day_bounds(date, &zone);
    let filter = Filter {
        since: Some(day.start),
        until: Some(day.end),
        ..Filter::default()
    };
    let views = journal.entries(&filter)?;
    // A dose of this very second counts.
    let soon = now
        .timestamp()
        .saturating_add(SignedDuration::from_secs(1))
        .unwrap_or(Timestamp::MAX);
    let last_dose = journal.last_dose(soon)?;
    let last_sync = journal.last_sync()?;
    let pairs = journal.dose_pairs(now.timestamp().checked_sub(ASKED_FOR).ok())?;
    Ok(Box::new(Today {
        date,
        zone,
        views,
        last_dose,
        last_sync,
        pairs,
        now,
    }))
}

impl Today {
    /// Returns the whole minutes since the last dose.
    fn minutes_since_last_dose(&self) -> Option<i64> {
        let dose = self.last_dose.as_ref()?;
        Some(
            self.now
                .timestamp()
                .duration_since(dose.entry.at.instant())
                .as_mins()
                .max(0),
        )
    }

    fn dose_words(&self) -> String {
        match (&self.last_dose, self.minutes_since_last_dose()) {
            (Some(dose), Some(minutes)) => {
                let age = span(minutes);
                format!("{age} ago: {}, {}", words(dose), when(dose, &self.now))
            }
            _ => "none logged".to_owned(),
        }
    }

    fn sync_words(&self) -> String {
        match self.last_sync {
            Some(sync) => format!(
                "{} ago",
                span(self.now.timestamp().duration_since(sync).as_mins().max(0))
            ),
            None => "never".to_owned(),
        }
    }
}

/// Says a span in whole minutes: `280 min (4 h 40 min)`.
pub(super) fn span(minutes: i64) -> String {
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{minutes} min ({})", journal::words::duration(minutes)),
        _ => format!("{} days", minutes / 1440),
    }
}

impl Serialize for Today {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("date", &self.date.to_string())?;
        if let Some(zone) = self.zone.iana_name() {
            map.serialize_entry("zone", zone)?;
        }
        map.serialize_entry(
            "entries",
            &self.views.iter().map(EntryView::json).collect::<Vec<_>>(),
        )?;
        if let Some(dose) = &self.last_dose {
            map.serialize_entry("last_dose", &dose.json())?;
        }
        if let Some(minutes) = self.minutes_since_last_dose() {
            map.serialize_entry("minutes_since_last_dose", &minutes)?;
        }
        if let Some(sync) = self.last_sync {
            map.serialize_entry("last_sync", &format!("{sync:.0}"))?;
        }
        if !self.pairs.is_empty() {
            let id = |view: &EntryView| view.entry.id.to_string();
            let pairs = self
                .pairs
                .iter()
                .map(|pair| [id(&pair.first), id(&pair.second)]);
            map.serialize_entry("same_dose_or_two", &pairs.collect::<Vec<_>>())?;
        }
        map.end()
    }
}

impl Answer for Today {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.ink(&self.date.strftime("%A %-d %B %Y").to_string(), Ink::Bold)
            .line();
        if self.views.is_empty() {
            text.say("  nothing logged yet").line();
        }
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
        let time = |view: &EntryView| {
            let said = when(view, &self.now);
            said.strip_prefix("today ")
                .map(str::to_owned)
                .unwrap_or(said)
        };
        let width = self
            .views
            .iter()
            .map(|view| time(view).chars().count())
            .max()
            .unwrap_or(0);
        for view in &self.views {
            text.say("  ");
            row(&mut text, view, (&time(view), width), ids, several);
        }
        text.say(&format!("Last dose: {}", self.dose_words()))
            .line();
        text.say(&format!("Last sync: {}", self.sync_words()));
        if self.last_dose.is_some() && self.last_sync.is_some() {
            text.say("; another device may know of a later dose");
        }
        text.line();
        for pair in &self.pairs {
            for line in doses::question(pair, &self.now) {
                text.say(&line).line();
            }
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let mut pairs = vec![
            pair("date", self.date.to_string()),
            pair("last dose", self.dose_words()),
            pair("last sync", self.sync_words()),
            pair("entries", self.views.len().to_string()),
        ];
        for two in &self.pairs {
            let lines = doses::question(two, &self.now);
            pairs.push(pair("same dose or two", lines.join("\n")));
        }
        pairs.extend(self.views.iter().flat_map(|view| record(view, &self.now)));
        pairs
    }
}

impl Answer for Nothing {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &serde_json::Value::Null)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say("There is no journal on this device yet. Type one of these:\n");
        text.say("  ebb init         start a journal; it needs no network\n");
        text.say("  ebb join LINK    join one that is on another device\n");
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        vec![
            ("journal".to_owned(), "none".to_owned()),
            ("to start one".to_owned(), "ebb init".to_owned()),
            ("to join one".to_owned(), "ebb join LINK".to_owned()),
        ]
    }
}
