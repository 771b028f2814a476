//! Doses as Open mHealth data points: `single-medication-dose-taken` of the namespace `omh`, with the header of IEEE 1752.1,
//! which has no doses of its own.
//!
//! The schema is of what was taken, so a skipped dose, and one whose amount nobody could say, has no place in it. Who gave a
//! dose and when it was due stay out. Source: Open mHealth's schema library, `single-medication-dose-taken` 1.0.

use serde_json::{Map, Value as Json, json};

use super::Refused;
use super::point::{Point, header, medium};
use crate::entry::{Draft, Entry};
use crate::json::value_json;
use crate::plan::Mg;
use crate::time::At;
use crate::value::Value;

/// The schema's name.
pub(super) const DOSE_TAKEN: &str = "single-medication-dose-taken";

/// The units of a dose that can be read, and how many mg each is.
const UNITS: [(&str, f64); 4] = [("mg", 1.0), ("g", 1000.0), ("ug", 0.001), ("mcg", 0.001)];

/// Writes a dose as a data point; none if it was not taken, or nobody could say how much. `strength` is what one tablet holds.
pub(super) fn dose_taken(entry: &Entry, strength: Option<Mg>) -> Option<Json> {
    let text = |name: &str| entry.fields.get(name).and_then(Value::as_text);
    if entry.kind != "dose" || text("taken") == Some("skipped") {
        return None;
    }
    let mg = |amount: Mg| json!({ "value": value_json(&amount.value()), "unit": "mg" });
    let name = text("medicine")?;
    let dose = mg(entry.fields.get("amount_mg").and_then(Mg::of)?);
    let strength = strength.map(|strength| {
        let mut strength = mg(strength);
        if let Some(object) = strength.as_object_mut() {
            object.insert("ingredient_name".to_owned(), name.into());
        }
        strength
    });
    let mut body = Map::from_iter([
        (
            "medication".to_owned(),
            json!({ "generic_name": name, "strength": Vec::from_iter(strength) }),
        ),
        ("dose".to_owned(), dose),
        (
            "effective_time_frame".to_owned(),
            json!({ "date_time": entry.at.to_string() }),
        ),
    ]);
    let is_partial = text("taken") == Some("partial");
    if let Some(reason) = text("reason").filter(|_| is_partial) {
        let key = "reason_dose_taken_not_as_prescribed";
        body.insert(key.to_owned(), reason.into());
    }
    Some(json!({
        "header": header(entry, "omh", DOSE_TAKEN),
        "body": Json::Object(body),
    }))
}

/// Reads a data point as a dose.
///
/// # Errors
/// [`Refused`] if it does not say what, how much, or when.
pub(super) fn read_dose_taken(point: &Point<'_>) -> Result<Draft, Refused> {
    let malformed = |what: &str| Refused::Malformed(what.to_owned());
    let body = point.body;
    let medication = body.get("medication");
    let named = |name: &str| medication.and_then(|of| of.get(name)?.as_str());
    let name = named("generic_name").or_else(|| named("trade_name"));
    let name = name.ok_or_else(|| malformed("it does not say which medicine"))?;
    let dose = body
        .get("dose")
        .ok_or_else(|| malformed("it has no dose"))?;
    let unit = dose.get("unit").and_then(Json::as_str).unwrap_or_default();
    let factor = UNITS.iter().find(|(known, _)| *known == unit);
    let (_, factor) = factor
        .ok_or_else(|| Refused::Malformed(format!("its dose is in `{unit}`, and not in mg")))?;
    let amount = dose.get("value").and_then(Json::as_f64);
    let amount = amount.ok_or_else(|| malformed("its dose is no number"))? * factor;
    let frame = body.get("effective_time_frame");
    let time = frame.and_then(|frame| {
        let interval = || frame.pointer("/time_interval/start_date_time");
        let time = frame.get("date_time").or_else(interval)?;
        time.as_str()?.parse::<At>().ok()
    });
    let at = time.ok_or_else(|| malformed("it does not say when"))?;
    let mut draft = Draft::new("dose", at)
        .with("medicine", name)
        .with("amount_mg", amount);
    let reason = body.get("reason_dose_taken_not_as_prescribed");
    if let Some(reason) = reason.and_then(Json::as_str) {
        draft = draft.with("taken", "partial").with("reason", reason);
    }
    if let Some(source) = medium(point.header) {
        draft = draft.with("source", source);
    }
    Ok(draft)
}
