//! Exertion: what was done, for how long, and what it cost.

use super::Kind;
use super::area::AREAS;
use super::field::{Field, Say};
use super::shape::{Shape, YES_NO_UNSURE};

pub(super) const ACTIVITY: Kind = Kind {
    fields: &[
        Field::text(
            "what",
            "what",
            "what was done, such as walking, dressing, chores, stairs, work",
        )
        .required()
        .say(Say::Lead),
        Field::new(
            "minutes",
            "minutes",
            "for how long",
            Shape::Minutes { max: 1440 },
        )
        .say(Say::Lead),
        Field::new(
            "effort",
            "effort",
            "effort, 0 none to 10 all there is",
            Shape::Int { min: 0, max: 10 },
        ),
        Field::new("areas", "areas", "where it was felt", Shape::Choices(AREAS))
            .flag("area")
            .say(Say::Bare),
        Field::new(
            "eased",
            "eased after the first moves",
            "whether it grew easier after the first moves",
            Shape::Choice(YES_NO_UNSURE),
        ),
        Field::new(
            "payback_onset_h",
            "payback after",
            "hours until it was paid back",
            Shape::Hours { max: 72 },
        )
        .flag("payback"),
        Field::new(
            "recovery_min",
            "recovery",
            "minutes until recovered, at most a week",
            Shape::Minutes { max: 10_080 },
        )
        .flag("recovery"),
    ],
    ..Kind::new(
        "activity",
        "activity",
        "Something that took effort: walking, dressing, chores, stairs, work.",
        "ebb activity walking 20m --effort 5",
    )
};
