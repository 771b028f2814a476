//! The plan: showing it, its history, and changing one thing of it.

use std::io::{self, Write};

use client::Journal;
use jiff::{Timestamp, Zoned};
use journal::Fields;
use journal::entry::{Author, Precision};
use journal::json::value_json;
use journal::plan::{Plan, Planned, Step, askable, parse, question, words};
use journal::time::At;
use serde_json::{Map, Value, json};

use super::session::{Session, stdin_text};
use crate::arguments::{PlanChange, PlanLine};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::moment::{self, Bound};
use crate::output::{Answer, Text, json_line};

/// What takes a field away.
const NONE: &str = "none";
/// The kind of which there is one.
const EMERGENCY: &str = "emergency";
/// The kind of questions.
const ASK: &str = "ask";
/// The fields that say who set limits, and the limits.
const LIMITS_BY: &str = "limits_by";
const LIMITS: [&str; 3] = ["max_single_mg", "max_day_mg", "min_gap_min"];

/// Shows or changes the plan.
///
/// # Errors
/// [`CommandError`] if what was typed is not valid, this device may not change the plan, or the journal cannot be read.
pub(super) fn plan(line: &PlanLine, session: &Session) -> Outcome<Box<dyn Answer>> {
    let now = session.now();
    let mut journal = session.open()?;
    match line {
        PlanLine::Show(at) => {
            let at = at.as_deref().map(|text| time(text, &now, "ebb plan --at"));
            let at = at.transpose()?;
            let things = journal.plan()?.at(at.unwrap_or(now.timestamp()));
            Ok(Box::new(Shown { things, at, now }))
        }
        PlanLine::History(name) => history(name.as_deref(), &journal.plan()?, now),
        PlanLine::Change(change) => changed(change, &mut journal, now),
    }
}

fn time(text: &str, now: &Zoned, flag: &str) -> Outcome<Timestamp> {
    let read = moment::read_bound(text, now, Bound::Since);
    read.map_err(|error| failure::moment(error, flag))
}

/// Changes one thing of the plan.
fn changed(change: &PlanChange, journal: &mut Journal, now: Zoned) -> Outcome<Box<dyn Answer>> {
    let kind = change.kind;
    let from = match &change.from {
        Some(text) => time(text, &now, &format!("ebb plan {} … --from", kind.name))?,
        None => At::from(&now).instant(),
    };
    let plan = journal.plan()?;
    let before = plan.thing(kind.name, &change.name, from);
    if change.stop && before.is_none() {
        let said = format!("the plan has no {} \"{}\" then", kind.label, change.name);
        return Err(CommandError::new("unknown-plan", Exit::CouldNot, said).hint("ebb plan"));
    }
    if kind.name == EMERGENCY && change.fields.is_empty() && !change.stop {
        return Err(CommandError::usage("the text is missing").hint(kind.example));
    }
    if kind.name == ASK && question(&plan.at(from), &change.name).is_none() {
        let said = format!(
            "\"{}\" is not a question that one key can answer",
            change.name
        );
        return Err(CommandError::new("invalid-value", Exit::Usage, said)
            .remark(format!(
                "questions are: {}, and factors of your own",
                askable().join(", ")
            ))
            .hint(kind.example));
    }
    let mut step = Step {
        kind,
        name: before.map_or(change.name.clone(), |before| before.name),
        from,
        ended: change.stop,
        set: Fields::new(),
        removed: Vec::new(),
        by: author(journal)?,
    };
    read_fields(change, &mut step)?;
    if LIMITS.iter().any(|name| step.set.contains_key(*name)) && !step.set.contains_key(LIMITS_BY) {
        step.set
            .insert(LIMITS_BY.to_owned(), step.by.person.as_str().into());
    }
    journal
        .change_plan(&step)
        .map_err(|error| hinted(failure::record(error, "", &now, journal), kind.example))?;
    let thing = journal.plan()?.thing(kind.name, &step.name, from);
    Ok(Box::new(Changed { thing, step, now }))
}

/// Reads the fields that were typed into the step.
fn read_fields(change: &PlanChange, step: &mut Step) -> Outcome<()> {
    for (name, text) in &change.fields {
        let text = match text.as_str() {
            "-" if change.kind.name == EMERGENCY => stdin_text()?,
            text => text.to_owned(),
        };
        if text.trim().is_empty() || text.trim().eq_ignore_ascii_case(NONE) {
            step.removed.push((*name).to_owned());
            continue;
        }
        let read = parse(change.kind, name, &text);
        let read =
            read.map_err(|error| hinted(failure::invalid(&error, ""), change.kind.example))?;
        step.set.extend(read);
    }
    Ok(())
}

/// Hints at planning, where the error would hint at logging an entry.
fn hinted(error: CommandError, example: &str) -> CommandError {
    match error.exit {
        Exit::Usage => CommandError {
            hints: vec![example.to_owned()],
            ..error
        },
        _ => error,
    }
}

fn author(journal: &Journal) -> Outcome<Author> {
    let about = journal.about()?;
    Ok(Author {
        person: about.person,
        device: about.device,
    })
}

/// Says a time.
fn said(time: Timestamp, now: &Zoned) -> String {
    let at = At::in_zone(time, now.time_zone());
    journal::time::when(&at, Precision::Exact, now)
}

fn title(kind: &str, name: &str) -> String {
    if kind == EMERGENCY {
        "emergency text".to_owned()
    } else {
        format!("{kind} {name}")
    }
}

/// Says one thing: its title, and its fields.
fn line(thing: &Planned) -> String {
    let title = title(thing.kind.name, &thing.name);
    let words = words(thing);
    if words.is_empty() {
        title
    } else {
        format!("{title}: {words}")
    }
}

fn thing_json(thing: &Planned, now: &Zoned) -> Value {
    let mut document = fields_json(&thing.fields);
    document.insert("kind".to_owned(), json!(thing.kind.name));
    document.insert("name".to_owned(), json!(thing.name));
    document.insert("since".to_owned(), json!(rfc_3339(thing.since, now)));
    document.insert(
        "by".to_owned(),
        json!({"person": thing.by.person, "device": thing.by.device}),
    );
    Value::Object(document)
}

fn fields_json(fields: &Fields) -> Map<String, Value> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.clone(), json!(value_json(value))))
        .collect()
}

fn rfc_3339(time: Timestamp, now: &Zoned) -> String {
    At::in_zone(time, now.time_zone()).to_string()
}

/// The plan of a time.
struct Shown {
    things: Vec<Planned>,
    at: Option<Timestamp>,
    now: Zoned,
}

impl Answer for Shown {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let things = self.things.iter().map(|thing| thing_json(thing, &self.now));
        json_line(out, &things.collect::<Vec<_>>())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if let Some(at) = self.at {
            text.say(&format!("The plan as it was: {}", said(at, &self.now)))
                .line();
        }
        if self.things.is_empty() {
            text.say("Nothing is planned. To begin, in your own numbers:")
                .line();
            text.say("  ebb plan medicine amifampridine --usual 10mg --times 08:00,12:00,16:00")
                .line();
            text.say("  ebb plan --help").line();
        }
        for thing in &self.things {
            text.say(&line(thing)).line();
            let by = &thing.by.person;
            text.say(&format!(
                "  since {}, by {by}",
                said(thing.since, &self.now)
            ))
            .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("things".to_owned(), self.things.len().to_string())];
        for thing in &self.things {
            pairs.push((String::new(), String::new()));
            pairs.push(("plan".to_owned(), line(thing)));
            pairs.push(("since".to_owned(), said(thing.since, &self.now)));
            pairs.push(("by".to_owned(), thing.by.person.clone()));
        }
        pairs
    }
}

/// One thing after a change.
struct Changed {
    thing: Option<Planned>,
    step: Step,
    now: Zoned,
}

impl Changed {
    fn words(&self) -> String {
        let from = said(self.step.from, &self.now);
        match &self.thing {
            Some(thing) => format!("{}, from {from}", line(thing)),
            None => format!(
                "{} is no longer planned, from {from}",
                title(self.step.kind.name, &self.step.name)
            ),
        }
    }
}

impl Answer for Changed {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let document = match &self.thing {
            Some(thing) => thing_json(thing, &self.now),
            None => step_json(&self.step, &self.now),
        };
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say(&self.words()).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        vec![("plan".to_owned(), self.words())]
    }
}

/// The steps of the plan.
struct Past {
    steps: Vec<Step>,
    now: Zoned,
}

fn history(name: Option<&str>, plan: &Plan, now: Zoned) -> Outcome<Box<dyn Answer>> {
    let is_meant =
        |step: &&Step| name.is_none_or(|name| step.name.to_lowercase() == name.to_lowercase());
    let steps: Vec<Step> = plan.steps().iter().filter(is_meant).cloned().collect();
    match name {
        Some(name) if steps.is_empty() => {
            let said = format!("nothing called \"{name}\" was ever planned");
            Err(CommandError::new("unknown-plan", Exit::CouldNot, said).hint("ebb plan history"))
        }
        _ => Ok(Box::new(Past { steps, now })),
    }
}

fn step_json(step: &Step, now: &Zoned) -> Value {
    json!({
        "kind": step.kind.name,
        "name": step.name,
        "since": rfc_3339(step.from, now),
        "ended": step.ended,
        "set": fields_json(&step.set),
        "removed": step.removed,
        "by": {"person": step.by.person, "device": step.by.device},
    })
}

fn step_words(step: &Step) -> String {
    let set = words(&Planned {
        kind: step.kind,
        name: step.name.clone(),
        fields: step.set.clone(),
        since: step.from,
        by: step.by.clone(),
    });
    let removed = step.removed.iter().map(|name| {
        let field = step.kind.fields.iter().find(|field| field.name == name);
        format!("no {}", field.map_or(name.as_str(), |field| field.label))
    });
    let ended = step.ended.then(|| "no longer planned".to_owned());
    let parts: Vec<String> = Some(set)
        .filter(|set| !set.is_empty())
        .into_iter()
        .chain(removed)
        .chain(ended)
        .collect();
    let title = title(step.kind.name, &step.name);
    if parts.is_empty() {
        title
    } else {
        format!("{title}: {}", parts.join(", "))
    }
}

impl Answer for Past {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let steps = self.steps.iter().map(|step| step_json(step, &self.now));
        json_line(out, &steps.collect::<Vec<_>>())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.steps.is_empty() {
            text.say("Nothing was ever planned.").line();
        }
        for step in &self.steps {
            let (from, by) = (said(step.from, &self.now), &step.by.person);
            text.say(&format!("{from}  {by}  {}", step_words(step)))
                .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let of = |step: &Step| {
            [
                pair("", String::new()),
                pair("from", said(step.from, &self.now)),
                pair("by", step.by.person.clone()),
                pair("change", step_words(step)),
            ]
        };
        self.steps.iter().flat_map(of).collect()
    }
}
