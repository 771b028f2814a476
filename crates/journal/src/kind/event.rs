//! What happened once and matters at the next visit: a fall, an infection, a change of treatment.

use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use super::{Kind, needs_note};
use crate::validate::Invalid;
use crate::value::{Fields, Value};

static EVENTS: &[Choice] = &[
    Choice::new("fall", "fall", &["fell"]),
    Choice::new("choking", "choking", &["choked"]),
    Choice::plain("seizure"),
    Choice::new("new-medicine", "new medicine", &[]),
    Choice::plain("infection"),
    Choice::new("emergency-visit", "emergency visit", &["emergency"]),
    Choice::new("treatment-change", "treatment change", &[]),
    Choice::new("visit", "visit", &["appointment"]),
    Choice::new("other", "event", &[]),
];

pub(super) const EVENT: Kind = Kind {
    fields: &[
        Field::new("event", "event", "what happened", Shape::Choice(EVENTS))
            .required()
            .say(Say::Lead),
    ],
    rule: told_if_other,
    ..Kind::new(
        "event",
        "event",
        "Something that happened: a fall, an infection, a change of treatment. Its note says more.",
        "ebb event fall \"in the kitchen\"",
    )
};

/// Requires a note of an event that no other name fits.
fn told_if_other(fields: &Fields) -> Result<(), Invalid> {
    match fields.get("event").and_then(Value::as_text) {
        Some("other") => needs_note(&EVENT, fields),
        _ => Ok(()),
    }
}
