//! The plan: what someone means to take, do and be asked, and the limits that they set themselves.
//!
//! The profile holds steps, each of which says from when on something is so: a step sets some fields of one thing, takes
//! some away, or ends it. The plan of a time is what all steps up to then come to, so that old entries are read with the
//! plan of their time, and two people who change different fields at once lose nothing. A step is never changed; undoing
//! withdraws it.
//!
//! Nothing here suggests a dose or a time: it only compares what was taken with what its user wrote down.

mod ask;
mod due;
mod limits;
mod pair;

use jiff::Timestamp;
use jiff::civil::Time;

use crate::entry::Author;
use crate::id::EntryId;
use crate::kind::{Kind, PLANNED};
use crate::validate::{Invalid, check_value, normal, parse_of};
use crate::value::{Fields, Scalar, Value};

pub use ask::{DayPart, Keys, Question, askable, question, questions};
pub use due::{Due, due};
pub use limits::{Mg, Passed, Taken, passed};
pub use pair::{NOT_SAME, Pair, pairs};

/// What the keys of steps begin with.
const PREFIX: &str = "plan:";
const KIND: &str = "kind";
const NAME: &str = "name";
const FROM: &str = "from";
const ENDED: &str = "ended";
const REMOVED: &str = "removed";
const AUTHOR: &str = "author";
/// When the limits of a medicine were last changed.
const LIMITS_AT: &str = "limits_at";
/// The fields that are limits.
const LIMITS: [&str; 3] = ["max_single_mg", "max_day_mg", "min_gap_min"];

/// The field of a step that was undone.
pub const WITHDRAWN: &str = "withdrawn";

/// What someone asks to change about one thing of the plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// What kind of thing, one of [`PLANNED`].
    pub kind: &'static Kind,
    /// Its name, in any case.
    pub name: String,
    /// From when on.
    pub from: Timestamp,
    /// Whether it ends then.
    pub ended: bool,
    /// Fields to set.
    pub set: Fields,
    /// Fields to take away.
    pub removed: Vec<String>,
    /// Who asks it.
    pub by: Author,
}

/// One thing of the plan, as it stands at a time.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What kind of thing.
    pub kind: &'static Kind,
    /// Its name, as it was last written.
    pub name: String,
    /// Its fields.
    pub fields: Fields,
    /// When it was last changed.
    pub since: Timestamp,
    /// Who changed it last.
    pub by: Author,
}

/// All steps of a journal's plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Ordered by time, then by key.
    steps: Vec<Step>,
}

/// Returns the kind of thing of that name, if it can be planned.
pub fn planned_kind(name: &str) -> Option<&'static Kind> {
    PLANNED.iter().find(|kind| kind.name == name)
}

/// Returns the key of a new step.
pub fn step_key(id: EntryId) -> String {
    format!("{PREFIX}{id}")
}

/// Tells whether a key of the profile is that of a step.
pub fn is_step_key(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Reads a time of the clock: `8:00`, `08:00`.
pub fn clock(text: &str) -> Option<Time> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(hours, 2) || !digits(minutes, 2) || minutes.len() != 2 {
        return None;
    }
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}

/// Reads the text of one field of a thing of the plan.
///
/// # Errors
/// [`Invalid`] if there is no such field, or the text is no valid answer.
pub fn parse(kind: &'static Kind, name: &str, text: &str) -> Result<Fields, Invalid> {
    parse_of(kind, name, text)
}

/// Says one thing of the plan in words, without its name.
pub fn words(thing: &Planned) -> String {
    let said = thing.kind.fields.iter().filter_map(|field| {
        let value = thing.fields.get(field.name)?;
        let said = crate::words::said(field, value);
        Some(format!("{} {said}", field.label))
    });
    said.collect::<Vec<_>>().join(", ")
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Step {
    /// Returns what is stored of it.
    ///
    /// # Errors
    /// [`Invalid`] if a field is not valid.
    pub fn to_fields(&self) -> Result<Fields, Invalid> {
        let mut stored = Fields::new();
        for (name, value) in &self.set {
            let Some(slot) = self.kind.slot(name) else {
                return Err(Invalid::UnknownField {
                    kind: self.kind.name.to_owned(),
                    field: name.clone(),
                });
            };
            if let Some(value) = normal(&slot, value) {
                check_value(&slot, &value)?;
                stored.insert(name.clone(), value);
            }
        }
        (self.kind.rule)(&stored)?;
        if let Some(Value::List(times)) = stored.get_mut("times") {
            sort_times(times);
        }
        if LIMITS.iter().any(|limit| stored.contains_key(*limit)) {
            let at = crate::time::At::in_zone(self.from, &jiff::tz::TimeZone::UTC);
            stored.insert(LIMITS_AT.to_owned(), at.to_string().into());
        }
        let name = self.name.trim();
        check_value(
            &crate::kind::Slot {
                field: &crate::kind::THING_NAME,
                part: None,
            },
            &name.into(),
        )?;
        stored.insert(KIND.to_owned(), self.kind.name.into());
        stored.insert(NAME.to_owned(), name.into());
        let from = Scalar::Timestamp(self.from.as_millisecond());
        stored.insert(FROM.to_owned(), Value::Scalar(from));
        if self.ended {
            stored.insert(ENDED.to_owned(), true.into());
        }
        if !self.removed.is_empty() {
            let removed = self.removed.iter().cloned().map(Scalar::Text);
            stored.insert(REMOVED.to_owned(), Value::List(removed.collect()));
        }
        Ok(stored)
    }

    /// Reads what is stored of a step; none if it is withdrawn, no step, or one of a newer ebb.
    fn of(key: &str, stored: &Fields, by: &Author) -> Option<Self> {
        key.strip_prefix(PREFIX)?;
        if stored.contains_key(WITHDRAWN) {
            return None;
        }
        let text = |name: &str| stored.get(name).and_then(Value::as_text);
        let kind = planned_kind(text(KIND)?)?;
        let Some(Value::Scalar(Scalar::Timestamp(from))) = stored.get(FROM) else {
            return None;
        };
        let removed = texts(stored.get(REMOVED));
        let own = |name: &String| kind.slot(name).is_some() || *name == LIMITS_AT;
        let set = stored.iter().filter(|(name, _)| own(name));
        // A journal that was renewed names who made the step first.
        let by = match texts(stored.get(AUTHOR)).as_slice() {
            [person, device] => Author {
                person: person.clone(),
                device: device.clone(),
            },
            _ => by.clone(),
        };
        Some(Self {
            kind,
            name: text(NAME)?.to_owned(),
            from: Timestamp::from_millisecond(*from).ok()?,
            ended: stored.contains_key(ENDED),
            set: set
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            removed,
            by,
        })
    }
}

/// Puts times in order, each as `08:00` and none twice.
fn sort_times(times: &mut Vec<Scalar>) {
    let mut all: Vec<Time> = texts_of(times)
        .iter()
        .filter_map(|text| clock(text))
        .collect();
    all.sort_unstable();
    all.dedup();
    *times = all
        .iter()
        .map(|time| Scalar::Text(time.strftime("%H:%M").to_string()))
        .collect();
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(list)) => texts_of(list),
        _ => Vec::new(),
    }
}

fn texts_of(list: &[Scalar]) -> Vec<String> {
    let texts = list.iter().filter_map(|scalar| match scalar {
        Scalar::Text(text) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

impl Plan {
    /// Reads a plan from the items of the profile: key, fields, and who made it. Other items are passed over.
    pub fn new(items: impl IntoIterator<Item = (String, Fields, Author)>) -> Self {
        let mut steps: Vec<(String, Step)> = items
            .into_iter()
            .filter_map(|(key, fields, by)| {
                let step = Step::of(&key, &fields, &by)?;
                Some((key, step))
            })
            .collect();
        steps.sort_by(|(a_key, a), (b_key, b)| (a.from, a_key).cmp(&(b.from, b_key)));
        Self {
            steps: steps.into_iter().map(|(_, step)| step).collect(),
        }
    }

    /// Returns the steps, oldest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns everything that is planned at a time, by kind in the order of the table, then by name.
    pub fn at(&self, time: Timestamp) -> Vec<Planned> {
        let mut things: Vec<(Planned, bool)> = Vec::new();
        for step in self.steps.iter().filter(|step| step.from <= time) {
            let is_same = |(thing, _): &&mut (Planned, bool)| {
                thing.kind.name == step.kind.name && folded(&thing.name) == folded(&step.name)
            };
            match things.iter_mut().find(is_same) {
                Some((thing, ended)) => {
                    thing.take(step);
                    *ended = step.ended;
                }
                None => things.push((Planned::of(step), step.ended)),
            }
        }
        let mut things: Vec<Planned> = things
            .into_iter()
            .filter(|(_, ended)| !ended)
            .map(|(thing, _)| thing)
            .collect();
        let place = |thing: &Planned| PLANNED.iter().position(|kind| kind.name == thing.kind.name);
        things.sort_by_key(|thing| (place(thing), folded(&thing.name)));
        things
    }

    /// Returns one thing as it is planned at a time.
    pub fn thing(&self, kind: &str, name: &str, time: Timestamp) -> Option<Planned> {
        let mut things = self.at(time).into_iter();
        things.find(|thing| thing.kind.name == kind && folded(&thing.name) == folded(name))
    }

    /// Returns the medicine of that name as it is planned at a time.
    pub fn medicine(&self, name: &str, time: Timestamp) -> Option<Planned> {
        self.thing("medicine", name, time)
    }
}

impl Planned {
    fn of(step: &Step) -> Self {
        Self {
            kind: step.kind,
            name: step.name.clone(),
            fields: step.set.clone(),
            since: step.from,
            by: step.by.clone(),
        }
    }

    fn take(&mut self, step: &Step) {
        self.name.clone_from(&step.name);
        self.fields.retain(|name, _| !step.removed.contains(name));
        self.fields.extend(step.set.clone());
        self.since = step.from;
        self.by = step.by.clone();
    }

    /// Returns an amount of it.
    pub fn mg(&self, field: &str) -> Option<Mg> {
        self.fields.get(field).and_then(Mg::of)
    }

    /// Returns the times of the clock at which it is planned.
    pub fn times(&self) -> Vec<Time> {
        let times = texts(self.fields.get("times"));
        times.iter().filter_map(|time| clock(time)).collect()
    }

    /// Returns when its limits were last changed, if it has any.
    pub fn limits_at(&self) -> Option<Timestamp> {
        let text = self.fields.get(LIMITS_AT)?.as_text()?;
        text.parse::<crate::time::At>().ok().map(|at| at.instant())
    }

    /// Returns who set its limits.
    pub fn limits_by(&self) -> &str {
        let by = self.fields.get("limits_by").and_then(Value::as_text);
        by.unwrap_or(&self.by.person)
    }
}

#[cfg(test)]
mod clock_changes;
#[cfg(test)]
mod tests;
