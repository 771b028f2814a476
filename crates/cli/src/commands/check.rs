//! The guided check-in: one key a question, on a terminal; one line a question, elsewhere and with `--plain`.
//!
//! Nothing is drawn over: what was said stays, line by line, so that a screen reader can follow. There are no time-outs.
//! Whatever was answered when someone stops is recorded, as one action that `ebb undo` takes back.

mod input;

use std::io::{self, Write};

use client::Journal;
use client::query::{EntryView, Filter};
use jiff::{Timestamp, ToSpan, Zoned};
use journal::entry::Draft;
use journal::kind::{SKIPPED, UNABLE};
use journal::plan::{DayPart, Keys, Question, questions};
use journal::time::{At, day_bounds};
use journal::{Scalar, Value};

use super::entries::{json_array, record, when, words};
use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::output::{Answer, Form, Ink, Terminal, Text, talk};
use input::{Input, Pressed};

/// What is said once, before the first question.
const KEYS: &str = "s skips, u means you cannot say, b goes back, q stops; ? says this again.";
/// The same where each answer is a line.
const KEYS_BY_LINE: &str = "Type the answer and Enter. s skips, u means you cannot say, b goes back, q stops; ? says this again.";

/// The entries that a check-in made.
struct Checked {
    views: Vec<EntryView>,
    now: Zoned,
}

/// Asks the questions of this time of the day, and records the answers.
///
/// # Errors
/// [`CommandError`] if nobody may be asked, nothing was answered, or the journal cannot be written.
pub(super) fn check(session: &Session) -> Outcome<Box<dyn Answer>> {
    if session.global.no_input {
        return Err(
            CommandError::usage("a check-in asks questions, and --no-input allows none")
                .hint("ebb 6 arms legs"),
        );
    }
    let now = session.now();
    let mut journal = session.open()?;
    let plan = journal.plan()?.at(now.timestamp());
    let mut questions = questions(&plan, DayPart::of(now.time()));
    let today = of_day(&journal, &now)?;
    let night_logged = today.iter().any(|view| view.entry.kind == "sleep");
    if night_logged {
        questions.retain(|question| question.kind.name != "sleep");
    }
    let before = now.checked_sub(1.day()).unwrap_or(now.clone());
    let yesterday = of_day(&journal, &before)?;
    let mut asking = Asking {
        answers: vec![None; questions.len()],
        yesterday: questions
            .iter()
            .map(|question| last(question, &yesterday))
            .collect(),
        questions,
        input: Input::of(&session.terminal),
        terminal: session.terminal,
    };
    if night_logged && DayPart::of(now.time()) == DayPart::Morning {
        asking.say("Last night is logged already.");
    }
    asking.ask_all();
    let drafts = asking.drafts(&At::from(&now));
    if drafts.is_empty() {
        return Err(CommandError::new(
            "nothing-answered",
            Exit::CouldNot,
            "nothing was answered, and nothing was recorded",
        )
        .hint("ebb 6 arms legs"));
    }
    let views = journal
        .record_all(&drafts)
        .map_err(|error| failure::record(error, "", &now, &journal))?;
    if session.terminal.form == Form::Human {
        talk(
            Text::new()
                .say("Recorded. To take it all back: ebb undo")
                .line(),
            &session.terminal,
        );
    }
    Ok(Box::new(Checked { views, now }))
}

/// Returns the entries of the day at home in which a moment lies.
fn of_day(journal: &Journal, moment: &Zoned) -> Outcome<Vec<EntryView>> {
    let zone = journal.zone();
    let day = day_bounds(moment.with_time_zone(zone.clone()).date(), &zone);
    Ok(journal.entries(&bounds(day.start, day.end))?)
}

fn bounds(since: Timestamp, until: Timestamp) -> Filter {
    Filter {
        since: Some(since),
        until: Some(until),
        ..Filter::default()
    }
}

/// Returns the last answer to a question among entries.
fn last(question: &Question, views: &[EntryView]) -> Option<Value> {
    let mut views = views.iter().rev();
    views.find_map(|view| question.answered(&view.entry.kind, &view.entry.fields))
}

/// A check-in under way.
struct Asking {
    questions: Vec<Question>,
    /// What was answered, by the question's place.
    answers: Vec<Option<Value>>,
    /// What was answered yesterday.
    yesterday: Vec<Option<Value>>,
    input: Input,
    terminal: Terminal,
}

/// What comes after a question.
enum Then {
    Next,
    Back,
    Stop,
}

impl Asking {
    fn say(&self, line: &str) {
        talk(Text::new().say(line).line(), &self.terminal);
    }

    /// Asks one question after another, until the last one is answered or someone stops.
    fn ask_all(&mut self) {
        self.say(if self.input.is_by_line() {
            KEYS_BY_LINE
        } else {
            KEYS
        });
        let mut place = 0;
        while place < self.questions.len() {
            if !self.is_asked(place) {
                place += 1;
                continue;
            }
            match self.ask(place) {
                Then::Next => place += 1,
                Then::Stop => return,
                Then::Back => match (0..place).rev().find(|before| self.is_asked(*before)) {
                    Some(before) => place = before,
                    None => self.say("This is the first question."),
                },
            }
        }
    }

    /// Tells whether a question is asked, given the answers before it. Where none is asked for how it feels, its answer of
    /// before a step back no longer counts.
    fn is_asked(&self, place: usize) -> bool {
        let Some(question) = self.questions.get(place) else {
            return false;
        };
        let is_level =
            |other: &Question| other.kind.name == question.kind.name && other.field.name == "level";
        let level = self.questions.iter().position(is_level);
        let level = level.and_then(|level| self.answers.get(level)?.as_ref()?.as_int());
        !question.only_if_felt || level.is_some_and(|level| level > 0)
    }

    /// Asks one question until it has an answer.
    fn ask(&mut self, place: usize) -> Then {
        let Some(question) = self.questions.get(place).cloned() else {
            return Then::Next;
        };
        let same = self.yesterday.get(place).cloned().flatten();
        self.put(place, &question, same.as_ref());
        if let Keys::Any(choices) = question.keys {
            return self.ask_for_any(place, &question, choices.len(), same);
        }
        loop {
            let pressed = self.input.press();
            let value = match pressed {
                Pressed::Back => return Then::Back,
                Pressed::Stop => return Then::Stop,
                Pressed::Help => {
                    self.say(if self.input.is_by_line() {
                        KEYS_BY_LINE
                    } else {
                        KEYS
                    });
                    continue;
                }
                Pressed::Skip => Some(Value::from(SKIPPED)),
                Pressed::Unable => Some(Value::from(UNABLE)),
                Pressed::Same => same.clone(),
                Pressed::Number(number) => value_of(&question.keys, number),
                Pressed::Letter(letter) => choice_of(&question.keys, letter),
                Pressed::Other => None,
            };
            match value {
                Some(value) => return self.take(place, &question, value),
                None => self.refuse(&question, same.as_ref()),
            }
        }
    }

    /// Asks for any of several: each number puts one in or takes it out, Enter goes on.
    fn ask_for_any(
        &mut self,
        place: usize,
        question: &Question,
        count: usize,
        same: Option<Value>,
    ) -> Then {
        let mut chosen: Vec<usize> = Vec::new();
        loop {
            match self.input.press_of_several() {
                Pressed::Back => return Then::Back,
                Pressed::Stop => return Then::Stop,
                Pressed::Help => self.say(if self.input.is_by_line() {
                    KEYS_BY_LINE
                } else {
                    KEYS
                }),
                Pressed::Unable => return self.take(place, question, UNABLE.into()),
                Pressed::Same if same.is_some() => {
                    return self.take(place, question, same.unwrap_or_else(|| SKIPPED.into()));
                }
                Pressed::Skip if chosen.is_empty() => {
                    return self.take(place, question, SKIPPED.into());
                }
                Pressed::Skip => {
                    let value = several(&question.keys, &chosen);
                    return self.take(place, question, value);
                }
                Pressed::Number(number) if (1..=count).contains(&place_of(number)) => {
                    let number = place_of(number);
                    if let Some(known) = chosen.iter().position(|other| *other == number) {
                        chosen.remove(known);
                    } else {
                        chosen.push(number);
                    }
                    self.say(&format!(
                        "  {}",
                        self.said(question, &several(&question.keys, &chosen))
                    ));
                }
                _ => self.refuse(question, same.as_ref()),
            }
        }
    }

    fn take(&mut self, place: usize, question: &Question, value: Value) -> Then {
        self.say(&format!("  {}", self.said(question, &value)));
        if let Some(answer) = self.answers.get_mut(place) {
            *answer = Some(value);
        }
        Then::Next
    }

    fn said(&self, question: &Question, value: &Value) -> String {
        let (_, said) = journal::words::field_words(question.kind.name, question.field.name, value);
        let said = if said.is_empty() {
            "none yet".to_owned()
        } else {
            said
        };
        format!("{}: {said}", question.label())
    }

    fn refuse(&self, question: &Question, same: Option<&Value>) {
        let line = format!("  That is no answer here. {}", self.keys(question, same));
        self.say(&line);
    }

    /// Puts a question: its number, its words, and its keys.
    fn put(&self, place: usize, question: &Question, same: Option<&Value>) {
        let mut text = Text::new();
        let number = (0..=place).filter(|before| self.is_asked(*before)).count();
        text.ink(&format!("{number}. {}", question.words()), Ink::Bold)
            .line();
        match question.keys {
            Keys::Number(..) => {}
            Keys::One(choices) | Keys::Any(choices) => {
                for (place, choice) in choices.iter().enumerate() {
                    text.say(&format!("  {}  {}", (place + 1) % 10, choice.label))
                        .line();
                }
            }
        }
        text.say(&format!("  {}", self.keys(question, same))).line();
        talk(&text, &self.terminal);
    }

    /// Says which keys answer a question.
    fn keys(&self, question: &Question, same: Option<&Value>) -> String {
        let keys = match question.keys {
            Keys::Number(min, 10) if self.input.is_by_line() => format!("{min} to 10"),
            Keys::Number(min, 10) => format!("{min} to 9, t for 10"),
            Keys::Number(min, max) => format!("{min} to {max}"),
            Keys::One(choices) => format!("1 to {}", choices.len()),
            Keys::Any(_) if self.input.is_by_line() => "numbers with spaces between".to_owned(),
            Keys::Any(_) => "any number of these, then Enter".to_owned(),
        };
        match same {
            Some(value) => {
                let (_, said) =
                    journal::words::field_words(question.kind.name, question.field.name, value);
                format!("{keys}; . the same as yesterday: {said}")
            }
            None => keys,
        }
    }

    /// Makes the entries of the answers: one a kind, and one for each factor of one's own.
    fn drafts(&self, at: &At) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        for (place, question) in self.questions.iter().enumerate() {
            let answer = self.answers.get(place).and_then(Option::as_ref);
            let Some(answer) = answer.filter(|_| self.is_asked(place)) else {
                continue;
            };
            let name = question.name.as_deref().map(Value::from);
            let is_mine = |draft: &&mut Draft| {
                draft.kind == question.kind.name && draft.fields.get("name") == name.as_ref()
            };
            let draft = match drafts.iter_mut().find(is_mine) {
                Some(draft) => draft,
                None => {
                    let mut draft = Draft::new(question.kind.name, at.clone());
                    draft
                        .fields
                        .extend(name.map(|name| ("name".to_owned(), name)));
                    drafts.push(draft);
                    let Some(draft) = drafts.last_mut() else {
                        continue;
                    };
                    draft
                }
            };
            draft
                .fields
                .insert(question.field.name.to_owned(), answer.clone());
        }
        drafts
    }
}

/// Returns the place in a list that a number key means: 0 is the tenth.
fn place_of(number: i64) -> usize {
    usize::try_from(if number == 0 { 10 } else { number }).unwrap_or(0)
}

/// Returns what a number answers.
fn value_of(keys: &Keys, number: i64) -> Option<Value> {
    match *keys {
        Keys::Number(min, max) => (min..=max).contains(&number).then(|| number.into()),
        Keys::One(choices) => {
            let place = place_of(number).checked_sub(1)?;
            choices.get(place).map(|choice| choice.value.into())
        }
        Keys::Any(_) => None,
    }
}

/// Returns what a letter answers: t is ten, and y and n are yes and no.
fn choice_of(keys: &Keys, letter: char) -> Option<Value> {
    match *keys {
        Keys::Number(_, 10) if letter == 't' => Some(10.into()),
        Keys::One(choices) if matches!(letter, 'y' | 'n') => {
            let wanted = if letter == 'y' { "yes" } else { "no" };
            choices
                .iter()
                .find(|choice| choice.value == wanted)
                .map(|choice| choice.value.into())
        }
        _ => None,
    }
}

/// Returns the list of the chosen places.
fn several(keys: &Keys, chosen: &[usize]) -> Value {
    let choices = match *keys {
        Keys::Any(choices) => choices,
        _ => &[],
    };
    let chosen = chosen
        .iter()
        .filter_map(|place| choices.get(place.checked_sub(1)?));
    Value::List(
        chosen
            .map(|choice| Scalar::Text(choice.value.to_owned()))
            .collect(),
    )
}

impl Answer for Checked {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_array(out, &self.views)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        for view in &self.views {
            text.ink(&view.short_id, Ink::Dim);
            text.say(&format!("  {}, {}", words(view), when(view, &self.now)))
                .line();
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
