//! A note on its own: its text is the note that every entry may have.

use super::{Kind, Lead, needs_note};
use crate::validate::Invalid;
use crate::value::Fields;

pub(super) const NOTE: Kind = Kind {
    lead: Lead::Note,
    rule: a_text,
    ..Kind::new(
        "note",
        "note",
        "Anything worth keeping, in your own words.",
        "ebb note \"slept badly, warm night\"",
    )
};

/// Requires the text.
fn a_text(fields: &Fields) -> Result<(), Invalid> {
    needs_note(&NOTE, fields)
}
