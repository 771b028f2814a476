//! The check-in: how tired, in what way, and where.

use super::area::AREAS;
use super::field::{Choice, Field, Say, Shape};
use super::{Kind, Lead, no_doubt, no_rule};

/// How fatigue feels.
static SORTS: &[Choice] = &[
    Choice::new("tired", "tired despite sleep", &["sleepy"]),
    Choice::new("after-exertion", "after exertion", &["exertion"]),
    Choice::new("weakness", "weakness", &["weak"]),
];

pub(super) const FATIGUE: Kind = Kind {
    name: "fatigue",
    label: "fatigue",
    help: "A check-in: how tired or weak, and where.",
    fields: &[
        Field::new(
            "level",
            "level",
            "fatigue now, 0 none to 10 worst",
            Shape::Int { min: 0, max: 10 },
        )
        .say(Say::Lead),
        Field::new("areas", "areas", "where it is felt", Shape::Choices(AREAS))
            .flag("area")
            .say(Say::Bare),
        Field::new(
            "sort",
            "sort",
            "tired despite sleep, after exertion, or weakness",
            Shape::Choice(SORTS),
        )
        .say(Say::Bare),
        Field::new(
            "weakness",
            "weakness",
            "weakness of an area, 0 none to 3 severe",
            Shape::PerArea {
                areas: AREAS,
                max: 3,
            },
        ),
    ],
    lead: Lead::Label,
    rule: no_rule,
    doubt: no_doubt,
};
