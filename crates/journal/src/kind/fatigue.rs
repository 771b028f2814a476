//! The check-in: how tired, in what way, and where.

use super::area::AREAS;
use super::code::Concept;
use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use super::{Kind, Lead};

/// How fatigue feels.
static SORTS: &[Choice] = &[
    Choice::new("tired", "tired despite sleep", &["sleepy"]),
    Choice::new("after-exertion", "after exertion", &["exertion"]),
    Choice::new("weakness", "weakness", &["weak"]),
];

/// None, mild, moderate, severe.
static SEVERITY: Shape = Shape::Int { min: 0, max: 3 };

pub(super) const FATIGUE: Kind = Kind {
    fields: &[
        Field::new(
            "level",
            "level",
            "fatigue now, 0 none to 10 worst",
            Shape::Int { min: 0, max: 10 },
        )
        .say(Say::Lead)
        .concept(Concept::snomed("84229001", "Fatigue")),
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
            Shape::Each {
                parts: AREAS,
                answer: &SEVERITY,
            },
        )
        .concept(Concept::snomed("26544005", "Muscle weakness")),
    ],
    lead: Lead::Label,
    ..Kind::new(
        "fatigue",
        "fatigue",
        "A check-in: how tired or weak, and where.",
        "ebb 6 arms legs",
    )
};
