//! Nights as IEEE 1752.1 data points: `sleep-episode` of the namespace `ieee`, and the one of Open mHealth on the way in.
//!
//! The standard has an episode, from falling asleep to the final waking, latencies before and after it, time awake and
//! awakenings; what else a diary says of a night has no place there, and stays out. A diary is self-reported, and the points
//! say so. Source: IEEE Std 1752.1-2021, whose schema `sleep-episode` says where its span begins and ends, and that its
//! efficiency is the share of that span.

use jiff::SignedDuration;
use serde_json::{Map, Value as Json, json};

use super::Refused;
use super::point::{Point, header, medium};
use crate::entry::{Draft, Entry};
use crate::kind::Night;
use crate::time::At;
use crate::value::Fields;

/// The schema's name, in either namespace.
pub(super) const EPISODE: &str = "sleep-episode";

/// The numbers of minutes that both sides have, by the standard's name and by ours.
const MINUTES: [(&str, &str); 3] = [
    ("latency_to_sleep_onset", "latency_min"),
    ("wake_after_sleep_onset", "awake_min"),
    ("latency_to_arising", "trying_after_min"),
];

/// Writes a night as a data point; none if it does not say from when to when, or is no night.
pub(super) fn sleep_episode(entry: &Entry) -> Option<Json> {
    if entry.kind != "sleep" {
        return None;
    }
    let time = |names: [&str; 2]| {
        let mut times = names.iter().filter_map(|name| entry.fields.get(*name));
        times.find_map(|value| value.as_text()?.parse::<At>().ok())
    };
    let minutes_of = |name: &str| entry.fields.get(name).and_then(crate::Value::as_int);
    // Where nobody could say how long it took, the episode begins when sleep was tried.
    let latency = SignedDuration::from_mins(minutes_of("latency_min").unwrap_or(0));
    let start = moved(&time(["tried_to_sleep", "in_bed"])?, latency)?;
    let end = time(["final_wake", "out_of_bed"])?;
    let mut body = Map::new();
    let mut put = |name: &str, value: Json| body.insert(name.to_owned(), value);
    put(
        "effective_time_frame",
        json!({ "time_interval": {
            "start_date_time": start.to_string(),
            "end_date_time": end.to_string(),
        } }),
    );
    let minutes = |number: i64| json!({ "value": number, "unit": "min" });
    for (theirs, ours) in MINUTES {
        if let Some(number) = minutes_of(ours) {
            put(theirs, minutes(number));
        }
    }
    if let Some(number) = minutes_of("awakenings") {
        put("number_of_awakenings", json!(number));
    }
    let lasted = end.instant().duration_since(start.instant());
    let total = Night::of(&entry.fields).total_sleep_time();
    if let Some(total) = total.filter(|total| !total.is_negative() && lasted.is_positive()) {
        put("total_sleep_time", minutes(total.as_mins()));
        let percent = (total.div_duration_f64(lasted) * 1000.0).round() / 10.0;
        put(
            "sleep_efficiency_percentage",
            json!({ "value": percent, "unit": "%" }),
        );
    }
    put("is_main_sleep", json!(true));
    Some(json!({
        "header": header(entry, "ieee", EPISODE),
        "body": Json::Object(body),
    }))
}

/// Reads a data point as a night, filed by when it ended.
///
/// # Errors
/// [`Refused`] if it is a nap, or does not say from when to when.
pub(super) fn read_sleep_episode(point: &Point<'_>) -> Result<Draft, Refused> {
    let malformed = |what: &str| Refused::Malformed(what.to_owned());
    let body = point.body;
    if body.get("is_main_sleep") == Some(&json!(false)) {
        return Err(malformed("it is a nap, not a night"));
    }
    let (start, end) = span(body).ok_or_else(|| malformed("it does not say from when to when"))?;
    let mut fields = Fields::from([("final_wake".to_owned(), end.to_string().into())]);
    for (theirs, ours) in MINUTES {
        if let Some(value) = body.get(theirs) {
            let number = duration(value)
                .ok_or_else(|| Refused::Malformed(format!("{theirs} is no duration")))?;
            fields.insert(ours.to_owned(), whole_minutes(number).into());
        }
    }
    let latency = fields.get("latency_min").and_then(crate::Value::as_int);
    let latency = SignedDuration::from_mins(latency.unwrap_or(0));
    let tried = moved(&start, -latency).ok_or_else(|| malformed("it begins before all time"))?;
    fields.insert("tried_to_sleep".to_owned(), tried.to_string().into());
    if let Some(count) = body.get("number_of_awakenings") {
        let count = count
            .as_i64()
            .ok_or_else(|| malformed("number_of_awakenings is no whole number"))?;
        fields.insert("awakenings".to_owned(), count.into());
    }
    let mut draft = Draft::new("sleep", end);
    if let Some(source) = medium(point.header) {
        fields.insert("source".to_owned(), source.into());
    }
    draft.fields = fields;
    Ok(draft)
}

/// Reads the span of a data point: from start to end, or one of them and a duration.
fn span(body: &Map<String, Json>) -> Option<(At, At)> {
    let interval = body.get("effective_time_frame")?.get("time_interval")?;
    let time = |name: &str| -> Option<At> { interval.get(name)?.as_str()?.parse().ok() };
    let lasts = interval.get("duration").and_then(duration);
    match (time("start_date_time"), time("end_date_time"), lasts) {
        (Some(start), Some(end), _) => Some((start, end)),
        (Some(start), None, Some(lasts)) => moved(&start, lasts).map(|end| (start, end)),
        (None, Some(end), Some(lasts)) => moved(&end, -lasts).map(|start| (start, end)),
        _ => None,
    }
}

/// Moves a time, with its offset as it is; none if that is beyond what a calendar can show.
fn moved(at: &At, by: SignedDuration) -> Option<At> {
    let instant = at.instant().checked_add(by).ok()?;
    Some(At::new(instant, at.offset(), None))
}

/// Reads a duration of at most a week.
fn duration(json: &Json) -> Option<SignedDuration> {
    let value = json.get("value")?.as_f64()?;
    let seconds = match json.get("unit")?.as_str()? {
        "sec" => value,
        "min" => value * 60.0,
        "h" => value * 3600.0,
        _ => return None,
    };
    (0.0..=604_800.0)
        .contains(&seconds)
        .then(|| SignedDuration::from_millis((seconds * 1000.0).round() as i64))
}

fn whole_minutes(duration: SignedDuration) -> i64 {
    (duration.as_millis() as f64 / 60_000.0).round() as i64
}
