//! Reads spans back from now: `2h`, `1h30`, `90 min`, `2 days`, `an hour`.
//!
//! Days and longer keep the time of day, also over a change of the clocks; hours and shorter are elapsed time.

use jiff::{Span, Zoned};

/// Returns the moment that the span `text` lies before `now`, with `ago` behind it or not; nothing if it is no span.
pub(super) fn read(text: &str, now: &Zoned) -> Option<Zoned> {
    let text = text.trim().to_lowercase();
    let text = text.strip_suffix("ago").unwrap_or(&text).trim_end();
    // What jiff reads beside spans of people is ISO 8601 ("P1D") and signs; "5" alone is no span.
    if text.starts_with(['p', '-', '+'])
        || text.ends_with(|c: char| c.is_ascii_digit()) && !text.contains('h')
    {
        return None;
    }
    let text = match text.split_once(' ') {
        Some(("a" | "an" | "one", unit)) => format!("1 {unit}"),
        _ => text.to_owned(),
    };
    let span = completed(&text)
        .parse::<Span>()
        .ok()
        .filter(|span| !span.is_negative())?;
    now.checked_sub(span).ok()
}

/// Completes `1h30` to `1h30m`.
fn completed(text: &str) -> String {
    match text.rsplit_once('h') {
        Some((_, minutes))
            if !minutes.is_empty() && minutes.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{text}m")
        }
        _ => text.to_owned(),
    }
}
