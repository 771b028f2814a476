//! Medicine taken, or not taken. No limit of any medicine is known here: the user's own limits are in the plan.

use super::Kind;
use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use crate::validate::Invalid;
use crate::value::Fields;

/// What became of the dose. Absent means that it was taken.
static TAKEN: &[Choice] = &[
    Choice::new("taken", "taken", &["yes"]),
    Choice::new("partial", "part of it", &["part", "partly"]),
    Choice::new("skipped", "skipped", &["no", "not-taken"]),
];

pub(super) const DOSE: Kind = Kind {
    fields: &[
        Field::text("medicine", "medicine", "which medicine")
            .required()
            .say(Say::Lead),
        Field::new(
            "amount_mg",
            "amount",
            "how much was taken, in mg",
            Shape::Decimal {
                min: 0.0,
                above_min: true,
                max: 100_000.0,
                places: 1,
            },
        )
        .flag("amount")
        .unit("mg")
        .say(Say::Lead),
        Field::text("product", "product", "product or maker").say(Say::Bare),
        Field::new(
            "taken",
            "taken",
            "taken, part of it, or skipped",
            Shape::Choice(TAKEN),
        )
        .say(Say::Bare),
        Field::text("reason", "reason", "why it was partly taken or skipped"),
        Field::new(
            "planned_at",
            "planned for",
            "when it was due",
            Shape::Instant,
        )
        .flag("planned-at"),
        Field::text("given_by", "given by", "who gave it").flag("given-by"),
        Field::new(
            "not_same_as",
            "not the same as",
            "another dose that looks the same and is not",
            Shape::Entry,
        )
        .flag("not-same-as")
        .fact()
        .say(Say::Never),
    ],
    rule: amount_unless_skipped,
    ..Kind::new(
        "dose",
        "dose",
        "A dose of a medicine, taken or not.",
        "ebb dose amifampridine 10mg",
    )
};

/// Requires an amount of every dose that was not skipped.
fn amount_unless_skipped(fields: &Fields) -> Result<(), Invalid> {
    let skipped = fields.get("taken").and_then(|taken| taken.as_text()) == Some("skipped");
    if skipped || fields.contains_key("amount_mg") {
        Ok(())
    } else {
        Err(Invalid::missing(&DOSE, "amount_mg", Some("it was skipped")))
    }
}
