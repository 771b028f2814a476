//! Timed tests: three laps of "timed up and go", chair stands in 30 seconds, grip, and tests of one's own.
//!
//! The laps are kept as they are; sum, mean and the like are reckoned where they are shown.

use super::code::Concept;
use super::field::{Field, Say};
use super::shape::{Choice, Shape, YES_NO};
use super::{Kind, Lead};
use crate::validate::Invalid;
use crate::value::{Fields, Scalar, Value};

static TESTS: &[Choice] = &[
    Choice::new("3tug", "3TUG", &["tug", "timed-up-and-go"]),
    Choice::new(
        "chair-stand-30s",
        "chair stand, 30 s",
        &["chair-stand", "chair-stands", "chair"],
    ),
    Choice::plain("grip"),
    Choice::new("other", "test", &["custom"]),
];

static AIDS: &[Choice] = &[
    Choice::new("none", "no aid", &["no", "nothing"]),
    Choice::new("cane", "cane", &["stick", "walking-stick"]),
    Choice::new("crutches", "crutches", &["crutch"]),
    Choice::new("walker", "walker", &["frame", "rollator", "walking-frame"]),
    Choice::new("person", "a person's arm", &["someone", "arm"]),
    Choice::new("other", "another aid", &[]),
];

/// How many laps a 3TUG has.
const LAPS: usize = 3;

pub(super) const TEST: Kind = Kind {
    fields: &[
        Field::new("test", "test", "which test", Shape::Choice(TESTS))
            .required()
            .say(Say::Lead),
        Field::new(
            "laps",
            "laps",
            "the laps of a 3TUG, in seconds, with commas between",
            Shape::Numbers {
                max: 600.0,
                places: 1,
                max_items: LAPS,
            },
        )
        .unit("s")
        .say(Say::Bare)
        .concept(Concept::loinc("89423-8", "Timed up and go lap")),
        Field::new(
            "stands",
            "stands",
            "how many chair stands in 30 seconds",
            Shape::Int { min: 0, max: 100 },
        )
        .ucum("{#}/(30.s)")
        .say(Say::Counted)
        .concept(Concept::loinc("66247-8", "Chair stands in 30 seconds")),
        Field::new(
            "grip_kg",
            "grip",
            "how strong the grip was, in kg",
            Shape::Decimal {
                min: 0.0,
                above_min: false,
                max: 150.0,
                places: 1,
            },
        )
        .flag("grip")
        .unit("kg")
        .say(Say::Bare),
        Field::text("name", "name", "a test of your own").say(Say::Lead),
        Field::new(
            "value",
            "value",
            "the result of it",
            Shape::Decimal {
                min: -100_000.0,
                above_min: false,
                max: 100_000.0,
                places: 3,
            },
        )
        .say(Say::Lead),
        Field::text("unit", "unit", "the unit of the result").say(Say::Lead),
        Field::new(
            "aid",
            "aid",
            "what was used to walk or stand",
            Shape::Choice(AIDS),
        )
        .say(Say::Bare),
        Field::new(
            "arms",
            "arms used",
            "whether the arms helped",
            Shape::Choice(YES_NO),
        ),
        Field::new(
            "aborted",
            "aborted",
            "whether it was stopped early",
            Shape::Choice(YES_NO),
        ),
        Field::text("timed_by", "timed by", "who held the watch").flag("timed-by"),
    ],
    lead: Lead::Derived(
        result,
        &["test", "laps", "stands", "grip_kg", "name", "value"],
    ),
    rule: a_result,
    ..Kind::new(
        "test",
        "test",
        "A timed test. Only with someone beside you; stop if you are unsteady.",
        "ebb test 3tug 12.1 12.8 14.0 --aid none",
    )
};

/// Requires the result of the test that it is: all laps unless it was stopped, the count, the strength, or a named value.
fn a_result(fields: &Fields) -> Result<(), Invalid> {
    let coded = |name| fields.get(name).and_then(Value::as_text);
    let aborted = coded("aborted") == Some("yes");
    let needs = |field: &'static str| match fields.contains_key(field) || aborted {
        true => Ok(()),
        false => Err(Invalid::missing(&TEST, field, Some("it was stopped early"))),
    };
    match coded("test") {
        Some("3tug") => {
            needs("laps")?;
            match fields.get("laps") {
                Some(laps @ Value::List(list)) if list.len() != LAPS && !aborted => {
                    let allowed =
                        format!("{LAPS} laps, unless it was stopped early (--aborted yes)");
                    Err(Invalid::of(&TEST, "laps", laps, allowed))
                }
                _ => Ok(()),
            }
        }
        Some("chair-stand-30s") => needs("stands"),
        Some("grip") => needs("grip_kg"),
        _ => needs("name").and_then(|()| needs("value")),
    }
}

/// Says the result of a test that has one here, with what follows from the laps of a 3TUG.
fn result(fields: &Fields) -> Option<String> {
    let number = |name| match fields.get(name)? {
        Value::Scalar(Scalar::Int(_) | Scalar::Float(_)) => {
            Some(crate::words::plain(fields.get(name)?))
        }
        _ => None,
    };
    match fields.get("test")?.as_text()? {
        "3tug" => Some(format!("3TUG {}", laps(fields.get("laps")?)?)),
        "chair-stand-30s" => Some(format!("{} chair stands in 30 s", number("stands")?)),
        "grip" => Some(format!("grip {} kg", number("grip_kg")?)),
        // A test of one's own has a name, which its value follows.
        "other" => Some(format!(
            "{} {}",
            crate::words::plain(fields.get("name")?),
            number("value")?
        )),
        _ => None,
    }
}

/// Says laps, and if there are all, their sum and how the last compares with the first.
fn laps(value: &Value) -> Option<String> {
    let Value::List(list) = value else {
        return None;
    };
    let seconds: Vec<f64> = list
        .iter()
        .map(|lap| match lap {
            Scalar::Int(whole) => Some(*whole as f64),
            Scalar::Float(seconds) => Some(*seconds),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let said: Vec<String> = seconds.iter().map(|lap| format!("{lap:.1}")).collect();
    let said = format!("{} s", said.join(", "));
    match seconds.as_slice() {
        [first, _, last] if *first > 0.0 => {
            let sum: f64 = seconds.iter().sum();
            let ratio = last / first;
            Some(format!(
                "{said} (sum {sum:.1} s, lap 3 ÷ lap 1 = {ratio:.2})"
            ))
        }
        _ => Some(said),
    }
}
