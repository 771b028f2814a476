//! The check-in: which questions are asked when, each answered with one key.
//!
//! The morning asks about the night, the evening about the day, any time about how it is now. The plan adds questions and
//! takes them away.

use jiff::civil::Time;

use super::{Planned, folded};
use crate::kind::{Choice, Field, Kind, Shape, kind};
use crate::value::{Fields, Value};

/// The part of a day in which someone checks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayPart {
    /// 03:00 to 12:00: the night is asked about.
    Morning,
    /// 12:00 to 17:00.
    Midday,
    /// 17:00 to 03:00: the day is asked about.
    Evening,
}

/// How a question is answered with one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// A number from the least to the greatest, at most 10.
    Number(i64, i64),
    /// One of a few, by number.
    One(&'static [Choice]),
    /// Any of a few, by number.
    Any(&'static [Choice]),
}

/// One question of the check-in.
#[derive(Clone, Debug)]
pub struct Question {
    /// The kind of the entry that the answer goes into.
    pub kind: &'static Kind,
    /// The field.
    pub field: &'static Field,
    /// The name of the user's own factor, if it is about one.
    pub name: Option<String>,
    /// How it is answered.
    pub keys: Keys,
    /// Whether it is only asked when something is felt: when the question before about a level was answered above 0.
    pub only_if_felt: bool,
}

/// What is asked without a plan: in which part of the day (in any, if none is said), of which kind and field.
const USUAL: &[(Option<DayPart>, &str, &str)] = &[
    (Some(DayPart::Morning), "sleep", "quality"),
    (Some(DayPart::Morning), "sleep", "rested"),
    (Some(DayPart::Morning), "sleep", "awakenings"),
    (None, "fatigue", "level"),
    (None, "fatigue", "sort"),
    (None, "fatigue", "areas"),
    (Some(DayPart::Evening), "factor", "stress"),
    (Some(DayPart::Evening), "factor", "caffeine"),
    (Some(DayPart::Evening), "factor", "alcohol"),
];

/// The kinds whose fields can be asked about.
const ASKABLE: [&str; 4] = ["fatigue", "sleep", "symptom", "factor"];

impl DayPart {
    /// Returns the part of the day of a time of the clock.
    pub fn of(time: Time) -> Self {
        match time.hour() {
            3..12 => Self::Morning,
            12..17 => Self::Midday,
            _ => Self::Evening,
        }
    }

    /// Tells whether something planned for `when` is asked now.
    fn is(self, when: &str) -> bool {
        match when {
            "morning" => self == Self::Morning,
            "evening" => self == Self::Evening,
            other => other == "always",
        }
    }
}

/// Returns the questions of a check-in, in order. `plan` is what is planned now.
pub fn questions(plan: &[Planned], part: DayPart) -> Vec<Question> {
    let mut questions: Vec<Question> = USUAL
        .iter()
        .filter(|(when, ..)| when.is_none_or(|when| when == part))
        .filter_map(|(_, kind, field)| of_field(kind, field))
        .collect();
    if part == DayPart::Evening {
        let factors = plan.iter().filter(|thing| thing.kind.name == "factor");
        questions.extend(factors.filter_map(own_factor));
    }
    for asked in plan.iter().filter(|thing| thing.kind.name == "ask") {
        let Some(question) = question(plan, &asked.name) else {
            continue;
        };
        let when = asked.fields.get("when").and_then(Value::as_text);
        let now = part.is(when.unwrap_or("always"));
        let place = questions.iter().position(|other| other.is(&question));
        match (place, now) {
            (None, true) => questions.push(question),
            (Some(place), false) => {
                questions.remove(place);
            }
            _ => {}
        }
    }
    questions
}

/// Finds the question that a name means: a field of a check-in, a night, a symptom or a factor, or a planned factor of
/// one's own.
pub fn question(plan: &[Planned], name: &str) -> Option<Question> {
    let own = plan
        .iter()
        .find(|thing| thing.kind.name == "factor" && folded(&thing.name) == folded(name));
    if let Some(own) = own {
        return own_factor(own);
    }
    ASKABLE.iter().find_map(|kind_name| {
        let fields = kind(kind_name)?.fields.iter();
        let mut called = fields.filter(|field| field.is_called(name));
        called.find_map(|field| of_field(kind_name, field.name))
    })
}

/// Returns the names of all questions that can be asked.
pub fn askable() -> Vec<&'static str> {
    let fields = ASKABLE
        .iter()
        .filter_map(|name| kind(name))
        .flat_map(|kind| {
            let fields = kind.fields.iter();
            fields.filter(|field| of_field(kind.name, field.name).is_some())
        });
    fields.map(|field| field.flag).collect()
}

fn of_field(kind_name: &str, field: &str) -> Option<Question> {
    let kind = kind(kind_name)?;
    let field = kind.fields.iter().find(|known| known.name == field)?;
    // A value of one's own means nothing without its name.
    if !field.asked || (kind.field("name").is_some() && ["value", "level"].contains(&field.name)) {
        return None;
    }
    let keys = match field.shape {
        // A count goes on above what one key can say; the few days above it are corrected by hand.
        Shape::Int { min, max } => Keys::Number(min, if max > 10 { 9 } else { max }),
        Shape::Choice(choices) => Keys::One(choices),
        Shape::Choices(choices) => Keys::Any(choices),
        Shape::Either { or, .. } => Keys::One(or),
        _ => return None,
    };
    Some(Question {
        kind,
        field,
        name: None,
        keys,
        only_if_felt: kind.name == "fatigue" && field.name != "level",
    })
}

fn own_factor(thing: &Planned) -> Option<Question> {
    let kind = kind("factor")?;
    let field = kind.fields.iter().find(|field| field.name == "value")?;
    let answer = thing.fields.get("answer").and_then(Value::as_text);
    let keys = match (answer, field.shape) {
        (Some("yes-no"), Shape::Either { or, .. }) => Keys::One(or),
        _ => Keys::Number(0, 10),
    };
    Some(Question {
        kind,
        field,
        name: Some(thing.name.clone()),
        keys,
        only_if_felt: false,
    })
}

impl Question {
    /// Tells whether two questions ask the same.
    fn is(&self, other: &Self) -> bool {
        let names = [&self.name, &other.name].map(|name| name.as_deref().map(folded));
        self.kind.name == other.kind.name
            && self.field.name == other.field.name
            && names[0] == names[1]
    }

    /// Returns what is asked, in words.
    pub fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}: {}", self.field.help),
            None => self.field.help.to_owned(),
        }
    }

    /// Returns what the question is called, in words.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.field.label)
    }

    /// Returns the answer that the fields of an entry hold, if they answer this question with a value.
    pub fn answered(&self, kind: &str, fields: &Fields) -> Option<Value> {
        let name = fields.get("name").and_then(Value::as_text).map(folded);
        let is_mine = kind == self.kind.name && name == self.name.as_deref().map(folded);
        let value = fields.get(self.field.name).filter(|_| is_mine)?;
        self.field.state(value).is_none().then(|| value.clone())
    }
}
