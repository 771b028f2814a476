//! Reads the clock times of a night together: `--bed 22:30 --wake 07:10`, no dates given.
//!
//! The night is the latest one whose times are all past. Its times follow each other, so that one earlier on the
//! clock than the time before it is of the next day; the last caffeine and alcohol came before the night.

use jiff::civil::{Date, Time};
use jiff::{ToSpan, Zoned};

use crate::time::{At, NotOneTime};
use crate::value::Fields;

/// The fields of a night's times, in their order.
const IN_ORDER: [&str; 4] = ["in_bed", "tried_to_sleep", "final_wake", "out_of_bed"];
/// The fields of times that came before the night.
const BEFORE: [&str; 2] = ["last_caffeine", "last_alcohol"];

/// Clock times that make no night.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidNightClock {
    /// A change of the clocks skips or repeats one of them.
    #[error("{field}: {source}")]
    NotOneTime {
        /// The field.
        field: &'static str,
        /// Both readings.
        source: NotOneTime,
    },
    /// The field is not a time of a night.
    #[error("{field} is not a time of a night")]
    NoTime {
        /// The field.
        field: String,
    },
}

/// Turns clock times, by field, into the fields of a `sleep` entry, for someone for whom it is `now`.
///
/// # Errors
/// [`InvalidNightClock`] if a field is not a time of a night, or a change of the clocks skips or repeats its time.
pub fn night_from_clock(times: &[(&str, Time)], now: &Zoned) -> Result<Fields, InvalidNightClock> {
    for (field, _) in times {
        if !IN_ORDER.contains(field) && !BEFORE.contains(field) {
            return Err(InvalidNightClock::NoTime {
                field: (*field).to_owned(),
            });
        }
    }
    let given = |name: &str| {
        times
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, time)| *time)
    };
    let mut days = 0;
    let mut placed: Vec<(&'static str, Time, i64)> = Vec::new();
    for name in IN_ORDER {
        let Some(time) = given(name) else { continue };
        days += i64::from(placed.last().is_some_and(|(_, before, _)| time < *before));
        placed.push((name, time, days));
    }
    // The last time is of the latest date that is not ahead of now.
    let last = placed.last().map(|(_, time, _)| *time);
    let end = latest(last.unwrap_or(now.time()), now.date(), now.time());
    let first = placed.first().map(|(_, time, _)| *time);
    let start = end.saturating_sub(days.days());
    for name in BEFORE {
        let Some(time) = given(name) else { continue };
        let before = latest(time, start, first.unwrap_or(now.time()));
        placed.push((name, time, before.duration_since(start).as_hours() / 24));
    }
    let mut fields = Fields::new();
    for (field, time, days) in placed {
        let date = start.saturating_add(days.days());
        let at = At::from_civil(date.to_datetime(time), now.time_zone())
            .map_err(|source| InvalidNightClock::NotOneTime { field, source })?;
        fields.insert(field.to_owned(), at.to_string().into());
    }
    Ok(fields)
}

/// Returns the latest date on which `time` is not after `limit` on `date`.
fn latest(time: Time, date: Date, limit: Time) -> Date {
    if time <= limit {
        date
    } else {
        date.saturating_sub(1.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;

    fn read(times: &[(&str, i8, i8)], now: (i8, i8)) -> Vec<String> {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let now = date(2026, 11, 22)
            .at(now.0, now.1, 0, 0)
            .to_zoned(zone)
            .unwrap();
        let times: Vec<_> = times
            .iter()
            .map(|(name, h, m)| (*name, time(*h, *m, 0, 0)))
            .collect();
        let fields = night_from_clock(&times, &now).unwrap();
        times
            .iter()
            .map(|(name, _)| fields[*name].as_text().unwrap()[8..16].to_owned())
            .collect()
    }

    #[test]
    fn reads_the_latest_night_that_is_past() {
        let night = [
            ("in_bed", 22, 30),
            ("tried_to_sleep", 22, 50),
            ("final_wake", 7, 10),
            ("out_of_bed", 7, 30),
        ];
        assert_eq!(
            read(&night, (9, 0)),
            ["21T22:30", "21T22:50", "22T07:10", "22T07:30"]
        );
        assert_eq!(
            read(&night, (7, 30)),
            ["21T22:30", "21T22:50", "22T07:10", "22T07:30"]
        );
        assert_eq!(
            read(&night, (7, 29)),
            ["20T22:30", "20T22:50", "21T07:10", "21T07:30"]
        );
        assert_eq!(
            read(&[("in_bed", 0, 30), ("out_of_bed", 7, 30)], (9, 0)),
            ["22T00:30", "22T07:30"]
        );
        assert_eq!(
            read(&[("in_bed", 23, 30), ("tried_to_sleep", 0, 10)], (9, 0)),
            ["21T23:30", "22T00:10"]
        );
        assert_eq!(read(&[("in_bed", 22, 30)], (9, 0)), ["21T22:30"]);
    }

    #[test]
    fn caffeine_and_alcohol_came_before_the_night() {
        let night = [
            ("last_caffeine", 15, 0),
            ("last_alcohol", 22, 15),
            ("in_bed", 22, 30),
            ("out_of_bed", 7, 30),
        ];
        assert_eq!(
            read(&night, (16, 0)),
            ["21T15:00", "21T22:15", "21T22:30", "22T07:30"]
        );
        let late = [
            ("last_caffeine", 23, 0),
            ("in_bed", 0, 30),
            ("out_of_bed", 7, 30),
        ];
        assert_eq!(read(&late, (9, 0)), ["21T23:00", "22T00:30", "22T07:30"]);
        assert_eq!(read(&[("last_caffeine", 15, 0)], (9, 0)), ["21T15:00"]);
    }

    #[test]
    fn a_time_that_came_twice_is_refused_by_field() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let now = date(2026, 10, 25).at(9, 0, 0, 0).to_zoned(zone).unwrap();
        let error = night_from_clock(&[("in_bed", time(2, 30, 0, 0))], &now).unwrap_err();
        assert_eq!(
            error.to_string(),
            "in_bed: 2026-10-25T02:30:00 came twice: the clocks went back; \
             it is 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        );
        let error = night_from_clock(&[("quality", time(2, 30, 0, 0))], &now).unwrap_err();
        assert_eq!(error.to_string(), "quality is not a time of a night");
    }
}
