//! A session of the exercise plan.

use super::Kind;
use super::field::{Field, Say};
use super::shape::{Shape, YES_NO};

pub(super) const EXERCISE: Kind = Kind {
    fields: &[
        Field::text("what", "what", "which exercise")
            .required()
            .say(Say::Lead),
        Field::new(
            "sets",
            "sets",
            "how many sets",
            Shape::Int { min: 1, max: 100 },
        )
        .ucum("{#}")
        .say(Say::Counted),
        Field::new(
            "reps",
            "reps",
            "how often in each set",
            Shape::Int { min: 1, max: 1000 },
        )
        .ucum("{#}")
        .say(Say::Counted),
        Field::new(
            "minutes",
            "minutes",
            "for how long",
            Shape::Minutes { max: 1440 },
        )
        .say(Say::Bare),
        Field::new(
            "effort",
            "effort",
            "effort, 0 none to 10 all there is",
            Shape::Int { min: 0, max: 10 },
        ),
        Field::new(
            "as_planned",
            "as planned",
            "whether it went as planned",
            Shape::Choice(YES_NO),
        )
        .flag("as-planned"),
        Field::text("led_by", "led by", "who led it").flag("led-by"),
    ],
    ..Kind::new(
        "exercise",
        "exercise",
        "An exercise of the plan.",
        "ebb exercise \"sit to stand\" --sets 2 --reps 8 --effort 4",
    )
};
