//! A question for the next visit. Its text is the note that every entry may have.

use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use super::{Kind, Lead, needs_note};
use crate::validate::Invalid;
use crate::value::Fields;

static STATES: &[Choice] = &[Choice::plain("open"), Choice::plain("answered")];

pub(super) const QUESTION: Kind = Kind {
    fields: &[
        Field::new(
            "state",
            "state",
            "whether it is open or answered",
            Shape::Choice(STATES),
        )
        .fact()
        .default("open")
        .say(Say::Bare),
        Field::text("answer", "answer", "what was answered"),
    ],
    lead: Lead::Titled,
    rule: a_text,
    ..Kind::new(
        "question",
        "question",
        "A question for the next visit.",
        "ebb question \"Could the third dose move?\"",
    )
};

/// Requires the question itself.
fn a_text(fields: &Fields) -> Result<(), Invalid> {
    needs_note(&QUESTION, fields)
}
