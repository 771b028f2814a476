//! The profile document: what of it this crate reads and writes.
//!
//! Items are keyed by name. `patient` holds the zone at home, `person:ID` and `device:ID` a name given later than the member
//! log has it; the steps of the plan are items of their own (`plan.rs`).

use journal::Value;
use journal::document::Document;
use protocol::limits;
use store::{StoreError, Writer};

use crate::people;

/// The key of the item about the patient.
pub(crate) const PATIENT: &str = "patient";
/// The field with the zone at home.
pub(crate) const ZONE: &str = "zone";
/// The field with a name.
pub(crate) const NAME: &str = "name";

/// Takes what the profile says into the replica's own settings and read model.
pub(crate) fn adopt(writer: &mut Writer<'_>, profile: &Document) -> Result<(), StoreError> {
    crate::plan::adopt(writer, profile)?;
    let names = profile.items().into_iter().filter_map(|item| {
        let name = item.fields.get(NAME)?.as_text()?;
        let is_name = !name.trim().is_empty() && name.len() <= limits::NAME_BYTES;
        let name = name.to_owned();
        (is_name && people::is_name_key(&item.key)).then_some((item.key, name))
    });
    people::give(writer, &names.collect())?;
    let patient = profile.item(PATIENT);
    let zone = patient
        .as_ref()
        .and_then(|item| item.fields.get(ZONE))
        .and_then(Value::as_text);
    match zone {
        // A zone that this system does not know is kept out, or days would silently become UTC days.
        Some(zone) if jiff::tz::TimeZone::get(zone).is_ok() => writer.set_zone(zone),
        _ => Ok(()),
    }
}
