//! An infusion, such as immunoglobulin over several days. As with doses, no limit of any product is known here.

use super::Kind;
use super::field::{Field, Say};
use super::shape::Shape;
use crate::validate::Invalid;
use crate::value::{Fields, Value};

/// Days of one course of infusions.
const COURSE: Shape = Shape::Int { min: 1, max: 366 };

pub(super) const INFUSION: Kind = Kind {
    fields: &[
        Field::text("product", "product", "which product")
            .required()
            .say(Say::Lead),
        Field::new(
            "amount_g",
            "amount",
            "how much was given, in g",
            Shape::Decimal {
                min: 0.0,
                above_min: true,
                max: 1000.0,
                places: 2,
            },
        )
        .flag("amount")
        .unit("g")
        .say(Say::Lead),
        Field::new(
            "day",
            "day",
            "which day of the course: 2, or 2/5 for day 2 of 5",
            COURSE,
        )
        .of("of_days"),
        Field::new(
            "of_days",
            "days of the course",
            "how many days the course has",
            COURSE,
        )
        .flag("of-days"),
        Field::text(
            "reaction",
            "reaction",
            "what was felt of it, during or after",
        ),
    ],
    rule: day_of_course,
    ..Kind::new(
        "infusion",
        "infusion",
        "An infusion, or one day of a course of them.",
        "ebb infusion IVIG 70g --day 2/5",
    )
};

/// Refuses a day beyond the end of its course.
fn day_of_course(fields: &Fields) -> Result<(), Invalid> {
    let number = |name| fields.get(name).and_then(Value::as_int);
    match (number("day"), number("of_days")) {
        (Some(day), Some(days)) if day > days => Err(Invalid::of(
            &INFUSION,
            "day",
            &day.into(),
            format!("at most {days}, the days of the course"),
        )),
        _ => Ok(()),
    }
}
