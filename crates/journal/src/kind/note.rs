//! A note on its own: its text is the note that every entry may have.

use super::{Kind, Lead, no_doubt};
use crate::validate::Invalid;
use crate::value::Fields;

pub(super) const NOTE: Kind = Kind {
    name: "note",
    label: "note",
    help: "Anything worth keeping, in your own words.",
    fields: &[],
    lead: Lead::Note,
    rule: a_text,
    doubt: no_doubt,
};

/// Requires the text.
fn a_text(fields: &Fields) -> Result<(), Invalid> {
    if fields.contains_key("note") {
        Ok(())
    } else {
        Err(Invalid::Missing {
            kind: "note",
            field: "note",
            unless: None,
        })
    }
}
