//! A comment on another entry, by anyone who may write. Its text is the note that every entry may have.

use super::field::{Field, Say};
use super::shape::Shape;
use super::{Kind, Lead, needs_note};
use crate::validate::Invalid;
use crate::value::Fields;

pub(super) const COMMENT: Kind = Kind {
    fields: &[
        Field::new("on", "on", "the entry that is commented on", Shape::Entry)
            .required()
            .say(Say::Lead),
    ],
    lead: Lead::Titled,
    rule: a_text,
    ..Kind::new(
        "comment",
        "comment",
        "A comment on another entry.",
        "ebb comment a1b2c3 \"she looked much better by noon\"",
    )
};

/// Requires the comment itself.
fn a_text(fields: &Fields) -> Result<(), Invalid> {
    needs_note(&COMMENT, fields)
}
