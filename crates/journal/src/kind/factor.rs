//! What was around: heat, stress, caffeine and the like, and what someone wants to watch beside it.
//!
//! One entry says one factor or several. A factor of one's own has a name and a value.

use super::field::{Field, Say};
use super::shape::{Choice, Shape, YES_NO};
use super::{Kind, together};
use crate::validate::Invalid;
use crate::value::Fields;

/// A count of drinks.
const COUNT: Shape = Shape::Int { min: 0, max: 50 };

static DEGREES: Shape = Shape::Decimal {
    min: -60.0,
    above_min: false,
    max: 70.0,
    places: 1,
};
static TEN: Shape = Shape::Int { min: 0, max: 10 };

/// A question of yes or no.
const fn yes_no(name: &'static str, label: &'static str, help: &'static str) -> Field {
    let choices: &[Choice] = YES_NO;
    Field::new(name, label, help, Shape::Choice(choices))
}

pub(super) const FACTOR: Kind = Kind {
    fields: &[
        Field::new(
            "heat",
            "heat",
            "how hot it was, in °C or °F (88F), or just yes",
            Shape::Either {
                number: &DEGREES,
                or: YES_NO,
            },
        )
        .synonyms(&["hot", "temperature"])
        .unit("°C")
        .ucum("Cel"),
        yes_no("hot_bath", "hot bath", "a hot bath or shower")
            .flag("hot-bath")
            .synonyms(&["bath", "hot-shower", "sauna"]),
        yes_no("fever", "fever", "a fever"),
        yes_no("infection", "infection", "an infection").synonyms(&["cold", "flu"]),
        Field::new(
            "stress",
            "stress",
            "stress, 0 none to 10 worst",
            Shape::Int { min: 0, max: 10 },
        ),
        Field::new(
            "caffeine",
            "caffeine",
            "how many drinks with caffeine",
            COUNT,
        )
        .synonyms(&["coffee", "tea", "coffees"])
        .ucum("{#}"),
        Field::new(
            "caffeine_last",
            "last caffeine",
            "when the last of them was",
            Shape::Instant,
        )
        .flag("caffeine-last"),
        Field::new("alcohol", "alcohol", "how many drinks with alcohol", COUNT)
            .synonyms(&["drinks", "wine", "beer"])
            .ucum("{#}"),
        Field::new(
            "alcohol_last",
            "last alcohol",
            "when the last of them was",
            Shape::Instant,
        )
        .flag("alcohol-last"),
        Field::new(
            "screens_min",
            "screens before bed",
            "minutes of screens before bed",
            Shape::Minutes { max: 1440 },
        )
        .flag("screens")
        .synonyms(&["screen", "phone", "tv"]),
        Field::text("name", "name", "a factor of your own").say(Say::Lead),
        Field::new(
            "value",
            "value",
            "how much of it, 0 to 10, or yes or no",
            Shape::Either {
                number: &TEN,
                or: YES_NO,
            },
        )
        .say(Say::Lead),
    ],
    rule: named_value,
    ..Kind::new(
        "factor",
        "factor",
        "What was around: heat, stress, caffeine, alcohol, screens, or a factor of your own.",
        "ebb factor stress 6",
    )
};

/// Requires name and value of a factor of one's own, or neither.
fn named_value(fields: &Fields) -> Result<(), Invalid> {
    together(&FACTOR, fields, "name", "value")
}
