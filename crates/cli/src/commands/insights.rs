//! What went together with fatigue: the preset questions, each with its answer in words, and how many were asked.

use std::io::{self, Write};

use client::membership::invite::Role;
use insights::daily::Daily;
use insights::presence::{Presence, beside_gaps};
use insights::preset::{Findings, findings};
use insights::question::{Answer as Given, Comparison, Draws, SideDays};
use insights::{Logged, Period, words};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Ink, Text, json_line};

/// The answers.
struct Found {
    findings: Findings,
    gaps: Presence,
}

/// A journal read for its statistics.
pub(super) struct Journaled {
    /// Every entry that stands, up to now.
    pub(super) entries: Vec<Logged>,
    /// The zone at home.
    pub(super) zone: jiff::tz::TimeZone,
    /// Today at home.
    pub(super) today: jiff::civil::Date,
    /// Whose journal it is: the first owner's name.
    pub(super) name: String,
}

impl Journaled {
    /// Reads the journal that is meant.
    pub(super) fn read(session: &Session) -> Outcome<Self> {
        let journal = session.open()?;
        let now = session.now();
        // An entry of this very second counts.
        let until = now
            .timestamp()
            .checked_add(jiff::SignedDuration::from_secs(1));
        let logged = journal.logged(until.unwrap_or(Timestamp::MAX))?;
        let zone = journal.zone();
        let people = journal.members()?;
        let owner = people
            .into_iter()
            .find(|person| person.role == Some(Role::Owner));
        Ok(Self {
            entries: logged
                .into_iter()
                .map(|(entry, author)| Logged { entry, author })
                .collect(),
            today: now.with_time_zone(zone.clone()).date(),
            name: owner.map_or_else(|| journal.label(), |person| person.name),
            zone,
        })
    }

    /// Returns the days from the first entry to today.
    pub(super) fn whole(&self) -> Period {
        let first = self
            .entries
            .iter()
            .map(|logged| logged.day(&self.zone))
            .min();
        Period::new(first.unwrap_or(self.today), self.today)
    }

    /// Answers the preset questions from the whole journal, so that every command gives the same answer.
    pub(super) fn findings(&self) -> Outcome<(Findings, Daily)> {
        let daily = Daily::of(&self.entries, &self.zone, self.whole());
        let found = findings(&daily, Draws::default())
            .map_err(|error| CommandError::new("insights", Exit::CouldNot, error.to_string()))?;
        Ok((found, daily))
    }
}

/// Shows what went together.
///
/// # Errors
/// [`CommandError`] if the journal cannot be read.
pub(super) fn insights(session: &Session) -> Outcome<Box<dyn Answer>> {
    let (findings, daily) = Journaled::read(session)?.findings()?;
    let gaps = beside_gaps(&daily.fatigue);
    Ok(Box::new(Found { findings, gaps }))
}

impl Found {
    fn answers(&self) -> impl Iterator<Item = (&insights::preset::Topic, &Given)> {
        self.findings
            .topics
            .iter()
            .zip(&self.findings.answers.answers)
    }

    /// Returns the means of fatigue beside gaps and elsewhere, in words.
    fn gaps_words(&self) -> Option<String> {
        words::gaps(&self.gaps)
    }
}

fn comparison_json(compared: &Comparison) -> Value {
    let side = |side: &SideDays| json!({"days": side.days, "mean": side.mean});
    let spans = compared.spans.iter();
    let (with, without) = compared.days();
    let mut document = json!({
        "verdict": if compared.went_together() { "went-together" } else { "no-clear-pattern" },
        "difference": compared.contrast.difference,
        "adjusted_p": compared.adjusted_p,
        "days_with": with,
        "days_without": without,
        "spans": spans
            .map(|span| json!({"with": side(&span.with), "without": side(&span.without)}))
            .collect::<Vec<_>>(),
    });
    if let (Some(interval), Some(document)) = (compared.interval, document.as_object_mut()) {
        let ends = json!({"low": interval.low, "high": interval.high, "level": interval.level});
        document.insert("interval".to_owned(), ends);
    }
    document
}

impl Answer for Found {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let question = |(topic, answer): (&insights::preset::Topic, &Given)| {
            let mut document = match answer {
                Given::Compared(compared) => comparison_json(compared),
                Given::NotEnough(short) => json!({
                    "verdict": "not-enough-days",
                    "paired": short.paired,
                    "days_with": short.with,
                    "days_without": short.without,
                }),
            };
            if let Some(document) = document.as_object_mut() {
                document.insert("question".to_owned(), topic.name().into());
                document.insert("lag_days".to_owned(), topic.lag().into());
                document.insert("words".to_owned(), words::finding(topic, answer).into());
            }
            document
        };
        let findings = &self.findings;
        let mut document = json!({
            "questions": self.answers().map(question).collect::<Vec<_>>(),
            "asked": findings.topics.len(),
            "compared": findings.answers.compared(),
            "days": findings.days,
            "next_at_days": findings.next,
            "spans": findings.answers.spans.iter()
                .map(|(first, last)| json!({"first": first.to_string(), "last": last.to_string()}))
                .collect::<Vec<_>>(),
            "caution": words::CAUTION,
        });
        if let (Some(look), Some(document)) = (findings.look, document.as_object_mut()) {
            document.insert("days_taken".to_owned(), look.taken.into());
            document.insert("taken_up_to".to_owned(), look.last.to_string().into());
        }
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.ink("What went together with fatigue", Ink::Bold)
            .line();
        text.say(&words::looked(&self.findings)).line().line();
        for (topic, answer) in self.answers() {
            text.ink(&words::title(topic), Ink::Bold).line();
            text.say("  ").say(&words::finding(topic, answer)).line();
        }
        text.line()
            .say(&words::asked(&self.findings.answers))
            .line();
        let spans = self.findings.answers.spans.len();
        if spans > 1 {
            text.say(&words::split(spans)).line();
        }
        if let Some(gaps) = self.gaps_words() {
            text.say(&gaps).line();
        }
        text.say(words::CAUTION).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("looked".to_owned(), words::looked(&self.findings))];
        pairs.extend(
            self.answers()
                .map(|(topic, answer)| (words::title(topic), words::finding(topic, answer))),
        );
        pairs.push(("asked".to_owned(), words::asked(&self.findings.answers)));
        pairs.extend(self.gaps_words().map(|gaps| ("gaps".to_owned(), gaps)));
        pairs.push(("caution".to_owned(), words::CAUTION.to_owned()));
        pairs
    }
}
