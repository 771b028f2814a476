//! Reads dates and times of day as people write them, without placing them in a zone.
//!
//! Weekdays and names of months are read by `interim`; ISO dates and clocks are not, because it takes digits that
//! no calendar or clock shows.

use interim::{Dialect, parse_date_string};
use jiff::ToSpan;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// A clock time with digits that no clock shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSuchTime;

/// Why a text is no day.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoDay {
    /// It looks like a date, but no calendar has it.
    Impossible,
    /// It does not look like a day.
    Unknown,
}

/// A day.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Day {
    /// One date.
    Date(Date),
    /// A weekday: its nearest date from today on.
    Weekday(Date),
}

/// Splits a text into the day, maybe empty, and the clock time at its end, if it has one.
pub(super) fn split(text: &str) -> (&str, Option<Result<Time, NoSuchTime>>) {
    // The time may be one word or two ("7:30 pm"), or follow the date's T.
    let words: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices([' ', 'T', 't']).map(|(at, _)| at + 1))
        .collect();
    for start in words {
        let (day, time) = text.split_at(start);
        if let Some(time) = clock(time.trim()) {
            let joined = day.ends_with(['T', 't']);
            let day = if joined {
                day.get(..start - 1).unwrap_or_default()
            } else {
                day
            };
            if !joined || day.ends_with(|c: char| c.is_ascii_digit()) {
                let day = day.trim().trim_end_matches(',').trim_end_matches(" at");
                return (if day == "at" { "" } else { day }, Some(time));
            }
        }
    }
    (text, None)
}

/// Reads `14:30`, `14:30:05`, `7pm`, `7:30 pm`, `noon`, `midnight`; nothing if it does not look like a clock time.
fn clock(text: &str) -> Option<Result<Time, NoSuchTime>> {
    let text = text.to_lowercase();
    match text.as_str() {
        "noon" => return Some(Ok(Time::constant(12, 0, 0, 0))),
        "midnight" => return Some(Ok(Time::midnight())),
        _ => {}
    }
    let (digits, half) = match text.strip_suffix("am").or_else(|| text.strip_suffix("pm")) {
        Some(digits) => (digits.trim_end(), text.get(digits.len()..)),
        None => (text.as_str(), None),
    };
    let numbers: Vec<&str> = digits.split(':').collect();
    let shaped = numbers.iter().enumerate().all(|(place, number)| {
        let long_enough = number.len() == 2 || (place == 0 && number.len() == 1);
        long_enough && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !shaped || (half.is_none() && numbers.len() < 2) || numbers.len() > 3 {
        return None;
    }
    let mut numbers = numbers
        .iter()
        .map(|number| number.parse::<i8>().unwrap_or(i8::MAX));
    let (hour, minute, second) = (
        numbers.next().unwrap_or(0),
        numbers.next().unwrap_or(0),
        numbers.next().unwrap_or(0),
    );
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return Some(Err(NoSuchTime)),
        Some("pm") => hour % 12 + 12,
        Some(_) => hour % 12,
        None => hour,
    };
    // A minute of 60 seconds exists on no clock that people read.
    Some(Time::new(hour, minute, second, 0).map_err(|_| NoSuchTime))
}

/// Reads a day: `2026-11-20`, `yesterday`, `friday`, `last friday`, `20 Nov`, `Fri 20 Nov 2026`.
///
/// Without a year it is the latest such date that is not ahead.
///
/// # Errors
/// [`NoDay`] if the text is no day, or one that no calendar has.
pub(super) fn day(text: &str, today: Date) -> Result<Day, NoDay> {
    let text = text.to_lowercase().replace(',', " ");
    match text.trim() {
        "today" => return Ok(Day::Date(today)),
        "yesterday" => return Ok(Day::Date(today.saturating_sub(1.day()))),
        "tomorrow" => return Ok(Day::Date(today.saturating_add(1.day()))),
        _ => {}
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
        return iso(text.trim());
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [name] | ["last" | "this", name] if is_weekday(name) => {
            let nearest = named(name, today)?;
            let last = text.contains("last") && nearest == today;
            Ok(Day::Weekday(if last {
                nearest.saturating_sub(7.days())
            } else {
                nearest
            }))
        }
        [name, rest @ ..] if is_weekday(name) => by_month(rest, today),
        _ => by_month(&words, today),
    }
}

/// Reads an ISO date strictly.
fn iso(text: &str) -> Result<Day, NoDay> {
    let shaped = text.split('-').map(str::len).eq([4, 2, 2]);
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !shaped || !digits {
        return Err(NoDay::Unknown);
    }
    text.parse().map(Day::Date).map_err(|_| NoDay::Impossible)
}

/// Reads a day of a month: `20 nov`, `nov 20`, either with a year.
fn by_month(words: &[&str], today: Date) -> Result<Day, NoDay> {
    let (mut day, mut month, mut year) = (None, None, None);
    for word in words {
        let slot = if is_month(word) {
            &mut month
        } else if word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit()) {
            &mut day
        } else if word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()) {
            &mut year
        } else {
            return Err(NoDay::Unknown);
        };
        if slot.replace(*word).is_some() {
            return Err(NoDay::Unknown);
        }
    }
    let (Some(day), Some(month)) = (day, month) else {
        return Err(NoDay::Unknown);
    };
    if let Some(year) = year {
        return named(&format!("{day} {month} {year}"), today)
            .map(Day::Date)
            .map_err(|_| NoDay::Impossible);
    }
    let latest = (0..8)
        .filter_map(|back| named(&format!("{day} {month} {}", today.year() - back), today).ok())
        .find(|date| *date <= today);
    latest.map(Day::Date).ok_or(NoDay::Impossible)
}

/// Reads a date with names in it.
fn named(text: &str, today: Date) -> Result<Date, NoDay> {
    let midnight = today
        .to_zoned(TimeZone::UTC)
        .map_err(|_| NoDay::Impossible)?;
    let zoned = parse_date_string(text, midnight, Dialect::Uk).map_err(|_| NoDay::Unknown)?;
    // A weekday that is today is read as the one in a week.
    let week = today.saturating_add(7.days());
    Ok(if zoned.date() == week && is_weekday(text) {
        today
    } else {
        zoned.date()
    })
}

/// Tells whether a word is the name of a weekday, or its first letters, at least three.
fn is_weekday(word: &str) -> bool {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    word.len() >= 3 && NAMES.iter().any(|name| name.starts_with(word))
}

/// Tells whether a word is the name of a month, or its first letters, at least three.
fn is_month(word: &str) -> bool {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    word.len() >= 3 && NAMES.iter().any(|name| name.starts_with(word))
}
