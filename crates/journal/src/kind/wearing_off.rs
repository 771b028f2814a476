//! The medicine wearing off: where it is felt, and how much.

use super::area::AREAS;
use super::field::{Field, Say};
use super::shape::Shape;
use super::{Kind, Lead};

pub(super) const WEARING_OFF: Kind = Kind {
    fields: &[
        Field::new(
            "area",
            "area",
            "where the medicine wears off",
            Shape::Choice(AREAS),
        )
        .required()
        .say(Say::Lead),
        Field::new(
            "level",
            "level",
            "how much is felt of it, 0 nothing to 3 severe",
            Shape::Int { min: 0, max: 3 },
        )
        .say(Say::Lead),
    ],
    lead: Lead::Label,
    ..Kind::new(
        "wearing-off",
        "wearing off",
        "The medicine wearing off, in one area.",
        "ebb wearing-off legs 2",
    )
};
