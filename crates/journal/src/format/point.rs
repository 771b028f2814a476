//! Data points of IEEE 1752.1 and of Open mHealth, which share one header: nights (`sleep`) and doses (`dose`).

use serde_json::{Map, Value as Json, json};

use super::dose::{DOSE_TAKEN, dose_taken, read_dose_taken};
use super::sleep::{EPISODE, read_sleep_episode, sleep_episode};
use super::{Given, Refused};
use crate::entry::Entry;
use crate::plan::Mg;

/// A data point, taken apart.
pub(super) struct Point<'a> {
    pub(super) header: &'a Json,
    pub(super) body: &'a Map<String, Json>,
}

/// Writes an entry as a data point; none if neither standard has a place for it. `strength` is that of a dose's medicine,
/// where the plan says it.
pub fn data_point(entry: &Entry, strength: Option<Mg>) -> Option<Json> {
    sleep_episode(entry).or_else(|| dose_taken(entry, strength))
}

/// Reads a data point as an entry.
///
/// # Errors
/// [`Refused`] if it is none, or none that this journal has a place for.
pub fn read_data_point(point: &Json) -> Result<Given, Refused> {
    let malformed = |what: &str| Refused::Malformed(what.to_owned());
    let header = point
        .get("header")
        .ok_or_else(|| malformed("it has no header: it is no IEEE 1752.1 data point"))?;
    let body = point
        .get("body")
        .and_then(Json::as_object)
        .ok_or_else(|| malformed("it has no body"))?;
    let name = header.pointer("/schema_id/name").and_then(Json::as_str);
    let point = Point { header, body };
    let draft = match name.unwrap_or_default() {
        EPISODE => read_sleep_episode(&point)?,
        DOSE_TAKEN => read_dose_taken(&point)?,
        other => {
            return Err(Refused::Malformed(format!(
                "it is a `{other}`, not a `{EPISODE}` or a `{DOSE_TAKEN}`"
            )));
        }
    };
    let id = header.get("uuid").and_then(Json::as_str);
    Ok(Given {
        id: id.and_then(|id| id.parse().ok()),
        draft,
    })
}

/// Makes the header of an entry's data point.
pub(super) fn header(entry: &Entry, namespace: &str, name: &str) -> Json {
    json!({
        "uuid": entry.id.to_string(),
        "schema_id": { "namespace": namespace, "name": name, "version": "1.0" },
        "source_creation_date_time": format!("{:.3}", entry.recorded_at()),
        "modality": "self-reported",
    })
}

/// Returns the source of what an instrument measured.
pub(super) fn medium(header: &Json) -> Option<&'static str> {
    let modality = header.get("modality").and_then(Json::as_str);
    (modality == Some("sensed")).then_some("device")
}
