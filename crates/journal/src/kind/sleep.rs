//! One night, as a sleep diary asks for it, keyed by the date of waking.
//!
//! Owns the fields; the arithmetic of a night is in `night`. The questions are in our own words.

use super::code::Concept;
use super::field::Field;
use super::night::Night;
use super::shape::Shape;
use super::{Kind, Lead};
use crate::validate::{Invalid, Warning};
use crate::value::Fields;

/// Minutes of a whole day: more of anything cannot be of one night.
const DAY: Shape = Shape::Minutes { max: 1440 };

/// How good or bad, 1 to 5.
const FIVE: Shape = Shape::Int { min: 1, max: 5 };

pub(super) const SLEEP: Kind = Kind {
    fields: &[
        Field::new("in_bed", "in bed", "when you went to bed", Shape::Instant).flag("bed"),
        Field::new(
            "tried_to_sleep",
            "tried to sleep",
            "when you tried to sleep",
            Shape::Instant,
        )
        .flag("tried"),
        Field::new("latency_min", "asleep after", "minutes to fall asleep", DAY).flag("latency"),
        Field::new(
            "awakenings",
            "awakenings",
            "how often you woke",
            Shape::Int { min: 0, max: 50 },
        )
        .flag("woke"),
        Field::new(
            "awake_min",
            "awake for",
            "minutes awake in the night, all together",
            DAY,
        )
        .flag("awake"),
        Field::new(
            "final_wake",
            "woke for good",
            "when you woke for good",
            Shape::Instant,
        )
        .flag("wake"),
        Field::new(
            "trying_after_min",
            "tried on for",
            "minutes still trying after it",
            DAY,
        )
        .flag("trying-after"),
        Field::new(
            "out_of_bed",
            "out of bed",
            "when you got up",
            Shape::Instant,
        )
        .flag("up"),
        Field::new(
            "quality",
            "quality",
            "how well you slept, 1 very badly to 5 very well",
            FIVE,
        ),
        Field::new(
            "rested",
            "rested",
            "how rested you woke, 1 not at all to 5 fully",
            FIVE,
        ),
        Field::new(
            "naps",
            "naps",
            "naps on the day before",
            Shape::Int { min: 0, max: 20 },
        ),
        Field::new(
            "nap_min",
            "napped for",
            "minutes of those naps, all together",
            DAY,
        )
        .flag("nap"),
        Field::new(
            "screens_last_hour_min",
            "screens in the last hour",
            "minutes of screens in the hour before bed",
            Shape::Minutes { max: 60 },
        )
        .flag("screens"),
        Field::new(
            "last_caffeine",
            "last caffeine",
            "the day's last caffeine",
            Shape::Instant,
        )
        .flag("caffeine"),
        Field::new(
            "last_alcohol",
            "last alcohol",
            "the day's last alcohol",
            Shape::Instant,
        )
        .flag("alcohol"),
    ],
    lead: Lead::Derived(
        slept,
        &[
            "in_bed",
            "tried_to_sleep",
            "latency_min",
            "awakenings",
            "awake_min",
            "final_wake",
            "trying_after_min",
            "out_of_bed",
        ],
    ),
    concept: Some(Concept::loinc("93832-4", "Sleep duration")),
    rule: possible,
    doubt: slipped,
    ..Kind::new(
        "sleep",
        "night",
        "One night, logged after waking.",
        "ebb sleep --bed 22:30 --wake 07:10 --rested 2",
    )
};

/// Refuses an impossible night.
fn possible(fields: &Fields) -> Result<(), Invalid> {
    Ok(Night::of(fields).check()?)
}

/// Asks about a probable slip of twelve hours.
fn slipped(fields: &Fields) -> Option<Warning> {
    Night::of(fields).slip().map(Warning::ClockSlip)
}

/// Says how long the night's sleep was, if the diary gives it.
fn slept(fields: &Fields) -> Option<String> {
    let minutes = Night::of(fields).total_sleep_time()?.as_mins();
    Some(format!(
        "slept {} (self-reported)",
        crate::words::duration(minutes)
    ))
}
