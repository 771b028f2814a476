//! Reads the times that people type: `14:30`, `yesterday 22:30`, `2h ago`, `2026-11-20 08:00`, RFC 3339.
//!
//! A time without a date is the latest one that is past. Nothing here reads a clock: `now` is an argument, in the
//! device's zone. Ambiguity is an error that carries both readings; whoever calls decides whether to ask.

mod ago;
mod civil;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use journal::time::{At, NotOneTime};

/// How far ahead of this device's clock a time may lie: clocks in a house differ.
const LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// What can be typed, for messages.
pub(crate) const EXAMPLES: &str =
    "14:30, \"yesterday 22:30\", \"2h ago\", \"2026-11-20 08:00\" or 2026-11-20T08:00:00+01:00";

/// A text that is no time that can be recorded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum InvalidMoment {
    /// It cannot be read.
    #[error("\"{text}\" is not a time; a time is {EXAMPLES}")]
    NotATime {
        /// What was typed.
        text: String,
    },
    /// It is a date that no calendar has, or an hour that no clock shows.
    #[error("\"{text}\" is on no clock or calendar")]
    Impossible {
        /// What was typed.
        text: String,
    },
    /// It is a day without a time of day.
    #[error("\"{text}\" is a day; the time of day is missing")]
    NoTimeOfDay {
        /// What was typed.
        text: String,
    },
    /// A change of the clocks skips or repeats it.
    #[error(transparent)]
    NotOneTime(#[from] NotOneTime),
    /// It is still to come.
    #[error("{at} is {ahead} ahead; what is recorded has happened")]
    Ahead {
        /// The time read.
        at: Box<At>,
        /// How far ahead, in words.
        ahead: String,
    },
}

/// Reads when something happened, for someone for whom it is `now`; a time ahead only if `future`.
///
/// # Errors
/// [`InvalidMoment`] if it cannot be read, is not one time, or lies more than five minutes ahead without `future`.
pub(crate) fn read(text: &str, now: &Zoned, future: bool) -> Result<At, InvalidMoment> {
    let text = text.trim();
    let at = match parse(text, now)? {
        Parsed::Instant(at) => at,
        Parsed::Civil(time) => At::from_civil(time, now.time_zone())?,
        Parsed::Clock(time) if future => {
            At::from_civil(now.date().to_datetime(time), now.time_zone())?
        }
        Parsed::Clock(time) => latest(time, now)?,
        Parsed::Weekday(day, time) => latest_weekday(day, time, now, future)?,
        Parsed::Day(_) => {
            return Err(InvalidMoment::NoTimeOfDay {
                text: text.to_owned(),
            });
        }
    };
    let ahead = at.instant().duration_since(now.timestamp());
    if future || ahead <= LEEWAY {
        Ok(at)
    } else {
        let ahead = far((ahead.as_secs() / 60).max(1));
        Err(InvalidMoment::Ahead {
            at: Box::new(at),
            ahead,
        })
    }
}

/// Says a span of minutes; from two days on in days.
fn far(minutes: i64) -> String {
    match minutes / (24 * 60) {
        ..2 => journal::words::duration(minutes),
        days => format!("{days} days"),
    }
}

/// Where a clock time lies, seen from another moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before it.
    Before,
    /// As near to it as can be.
    Near,
}

/// Which end of a day a bound means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// From its first instant.
    Since,
    /// To its last: the instant returned is the first that is not listed.
    Until,
}

/// Reads a bound of a list: a time as [`read`] takes it, a day, or a span back from now such as `7d`.
///
/// # Errors
/// [`InvalidMoment`] if it cannot be read, or is not one time.
pub(crate) fn read_bound(
    text: &str,
    now: &Zoned,
    bound: Bound,
) -> Result<Timestamp, InvalidMoment> {
    let text = text.trim();
    if let Some(zoned) = ago::read(text, now) {
        return Ok(until(zoned.timestamp(), bound));
    }
    match parse(text, now)? {
        Parsed::Day(date) => {
            let day = journal::time::day_bounds(date, now.time_zone());
            Ok(if bound == Bound::Since {
                day.start
            } else {
                day.end
            })
        }
        _ => Ok(until(read(text, now, true)?.instant(), bound)),
    }
}

/// Returns the bound of an instant: what is listed ends before it, so that an end moves on by a second.
fn until(instant: Timestamp, bound: Bound) -> Timestamp {
    let second = SignedDuration::from_secs(i64::from(bound == Bound::Until));
    instant.checked_add(second).unwrap_or(instant)
}

/// What a text says, before it is placed on the clock of a zone.
enum Parsed {
    Instant(At),
    Civil(DateTime),
    Clock(Time),
    /// A weekday: the nearest such date from today on.
    Weekday(Date, Time),
    Day(Date),
}

fn parse(text: &str, now: &Zoned) -> Result<Parsed, InvalidMoment> {
    if text.eq_ignore_ascii_case("now") {
        return Ok(Parsed::Instant(At::from(now)));
    }
    if let Ok(at) = text.parse::<At>() {
        return Ok(Parsed::Instant(named(at, now)));
    }
    if text.ends_with("ago") {
        let zoned = ago::read(text, now);
        return zoned
            .map(|zoned| Parsed::Instant(At::from(&zoned)))
            .ok_or_else(|| InvalidMoment::NotATime {
                text: text.to_owned(),
            });
    }
    let (day, clock) = civil::split(text);
    let time = clock
        .map(|clock| clock.map_err(|civil::NoSuchTime| impossible(text)))
        .transpose()?;
    if day.is_empty() {
        return time.map(Parsed::Clock).ok_or_else(|| not_a_time(text));
    }
    let read = civil::day(day, now.date()).map_err(|error| match error {
        civil::NoDay::Impossible => impossible(text),
        civil::NoDay::Unknown => not_a_time(text),
    })?;
    Ok(match (read, time) {
        (civil::Day::Date(date), Some(time)) => Parsed::Civil(date.to_datetime(time)),
        (civil::Day::Weekday(date), Some(time)) => Parsed::Weekday(date, time),
        (civil::Day::Date(date), None) => Parsed::Day(date),
        (civil::Day::Weekday(date), None) if date == now.date() => Parsed::Day(date),
        (civil::Day::Weekday(date), None) => Parsed::Day(date.saturating_sub(7.days())),
    })
}

fn not_a_time(text: &str) -> InvalidMoment {
    InvalidMoment::NotATime {
        text: text.to_owned(),
    }
}

fn impossible(text: &str) -> InvalidMoment {
    InvalidMoment::Impossible {
        text: text.to_owned(),
    }
}

/// Reads a clock time alone, without a day: `22:30`, `7pm`.
pub(crate) fn clock(text: &str) -> Option<Time> {
    match civil::split(text.trim()) {
        ("", Some(Ok(time))) => Some(time),
        _ => None,
    }
}

/// Reads a clock time of a field of an entry: the reading before `limit` that is the latest, or the one nearest to it.
///
/// # Errors
/// [`InvalidMoment`] if a change of the clocks skips or repeats it.
pub(crate) fn place(time: Time, limit: &Zoned, place: Place) -> Result<At, InvalidMoment> {
    if place == Place::Before {
        return latest(time, limit);
    }
    let today = limit.date();
    let days = [
        today.saturating_sub(1.day()),
        today,
        today.saturating_add(1.day()),
    ];
    let distance = |date: &Date| {
        let there = date.to_datetime(time).to_zoned(limit.time_zone().clone());
        there.map_or(SignedDuration::MAX, |there| {
            there.duration_since(limit).abs()
        })
    };
    let nearest = days.into_iter().min_by_key(distance).unwrap_or(today);
    Ok(At::from_civil(
        nearest.to_datetime(time),
        limit.time_zone(),
    )?)
}

/// Gives a time that was typed with an offset the name of the device's zone, if that is the offset there.
pub(crate) fn named(at: At, now: &Zoned) -> At {
    if at.zone().is_none() && now.time_zone().to_offset(at.instant()) == at.offset() {
        At::in_zone(at.instant(), now.time_zone())
    } else {
        at
    }
}

/// Returns the latest past reading of a wall-clock time.
fn latest(time: Time, now: &Zoned) -> Result<At, InvalidMoment> {
    let limit = now.timestamp() + LEEWAY;
    let today = At::from_civil(now.date().to_datetime(time), now.time_zone());
    if let Some(at) = past(today, limit)? {
        return Ok(at);
    }
    let yesterday = now.date().saturating_sub(1.day()).to_datetime(time);
    Ok(At::from_civil(yesterday, now.time_zone())?)
}

/// Returns the reading if it is past, also where only one of two is; nothing if it is ahead.
fn past(reading: Result<At, NotOneTime>, limit: Timestamp) -> Result<Option<At>, NotOneTime> {
    match reading {
        Ok(at) => Ok((at.instant() <= limit).then_some(at)),
        Err(NotOneTime::Twice { first, second, .. }) if second.instant() > limit => {
            Ok((first.instant() <= limit).then_some(*first))
        }
        // What does not exist is said so only once that hour of the day is past.
        Err(NotOneTime::Never { before, .. }) if before.instant() > limit => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the latest past reading of a wall-clock time on a weekday; `date` is the nearest one from today on.
fn latest_weekday(date: Date, time: Time, now: &Zoned, future: bool) -> Result<At, InvalidMoment> {
    let zone = now.time_zone();
    if future {
        return Ok(At::from_civil(date.to_datetime(time), zone)?);
    }
    let limit = now.timestamp() + LEEWAY;
    if let Some(at) = past(At::from_civil(date.to_datetime(time), zone), limit)? {
        return Ok(at);
    }
    Ok(At::from_civil(
        date.saturating_sub(7.days()).to_datetime(time),
        zone,
    )?)
}

#[cfg(test)]
mod tests;
