//! Planned doses: which are next, and which are not logged.
//!
//! Says only what was planned and what is logged: that a dose is late never means that it should be taken.

use std::io::{self, Write};

use jiff::{Timestamp, Zoned};
use journal::entry::Precision;
use journal::plan::Due;
use journal::time::At;
use serde_json::{Value, json};

use super::session::Session;
use super::today::span;
use crate::error::Outcome;
use crate::output::{Answer, Text, json_line};

/// Planned doses around now.
struct Planned {
    /// Those that are past and not logged, oldest first.
    late: Vec<Due>,
    /// Of each medicine, the next one.
    next: Vec<Due>,
    /// Whether any medicine has planned times.
    any: bool,
    last_sync: Option<Timestamp>,
    now: Zoned,
}

/// Shows planned doses.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read.
pub(super) fn due(session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let journal = session.open()?;
    let all = journal.due(now.timestamp())?;
    let (late, ahead): (Vec<Due>, Vec<Due>) =
        all.into_iter().partition(|due| due.at <= now.timestamp());
    let mut next: Vec<Due> = Vec::new();
    for due in ahead {
        if !next.iter().any(|known| known.medicine == due.medicine) {
            next.push(due);
        }
    }
    let plan = journal.plan()?.at(now.timestamp());
    Ok(Box::new(Planned {
        late,
        next,
        any: plan.iter().any(|thing| !thing.times().is_empty()),
        last_sync: journal.last_sync()?,
        now,
    }))
}

impl Planned {
    fn minutes(&self, due: &Due) -> i64 {
        due.at.duration_since(self.now.timestamp()).abs().as_mins()
    }

    fn at(&self, due: &Due) -> String {
        let at = At::in_zone(due.at, self.now.time_zone());
        journal::time::when(&at, Precision::Exact, &self.now)
    }

    fn what(&self, due: &Due) -> String {
        match due.usual {
            Some(usual) => format!("{}, usually {usual}", due.medicine),
            None => due.medicine.clone(),
        }
    }

    fn late_words(&self, due: &Due) -> String {
        let (what, at, ago) = (self.what(due), self.at(due), span(self.minutes(due)));
        format!("{what}: planned {at}, {ago} ago")
    }

    fn next_words(&self, due: &Due) -> String {
        let (what, at, ahead) = (self.what(due), self.at(due), span(self.minutes(due)));
        format!("{what}: planned {at}, in {ahead}")
    }

    fn json_of(&self, due: &Due, minutes: &str) -> Value {
        let at = At::in_zone(due.at, self.now.time_zone());
        let mut document = json!({
            "medicine": due.medicine,
            "planned_at": at.to_string(),
            minutes: self.minutes(due),
        });
        if let (Some(usual), Some(object)) = (due.usual, document.as_object_mut()) {
            let amount = usual.value();
            object.insert(
                "usual_mg".to_owned(),
                json!(journal::json::value_json(&amount)),
            );
        }
        document
    }

    fn sync_words(&self) -> Option<String> {
        let ago = self
            .now
            .timestamp()
            .duration_since(self.last_sync?)
            .as_mins();
        Some(format!("{} ago", span(ago.max(0))))
    }
}

impl Answer for Planned {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let of = |all: &[Due], minutes| -> Vec<Value> {
            all.iter().map(|due| self.json_of(due, minutes)).collect()
        };
        let mut document = json!({
            "late": of(&self.late, "minutes_late"),
            "next": of(&self.next, "minutes_ahead"),
        });
        if let (Some(sync), Some(object)) = (self.last_sync, document.as_object_mut()) {
            object.insert("last_sync".to_owned(), json!(format!("{sync:.0}")));
        }
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if !self.any && self.late.is_empty() && self.next.is_empty() {
            text.say("No times are planned. To plan some:").line();
            text.say("  ebb plan medicine amifampridine --times 08:00,12:00,16:00")
                .line();
            return text;
        }
        if !self.late.is_empty() {
            text.say("Not logged:").line();
        }
        for due in &self.late {
            text.say(&format!("  {}", self.late_words(due))).line();
        }
        text.say(if self.next.is_empty() {
            "Nothing more is planned for the next 24 hours."
        } else {
            "Next:"
        })
        .line();
        for due in &self.next {
            text.say(&format!("  {}", self.next_words(due))).line();
        }
        if let (Some(sync), false) = (self.sync_words(), self.late.is_empty()) {
            let said = format!("Last sync: {sync}; another device may know of a dose");
            text.say(&said).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let late = self
            .late
            .iter()
            .map(|due| pair("not logged", self.late_words(due)));
        let next = self
            .next
            .iter()
            .map(|due| pair("next", self.next_words(due)));
        let mut pairs: Vec<_> = late.chain(next).collect();
        if pairs.is_empty() {
            pairs.push(pair(
                "next",
                "nothing is planned for the next 24 hours".to_owned(),
            ));
        }
        pairs.extend(self.sync_words().map(|sync| pair("last sync", sync)));
        pairs
    }
}
