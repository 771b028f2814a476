//! When something happened: an instant with the wall clock it was read from, and how people say it.
//!
//! Owns [`At`], the bounds of local days, and times in words. Reads no clock and no zone database: `now` and the
//! [`TimeZone`] are arguments. Instants are whole seconds; text is RFC 3339 with a numeric offset.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::entry::Precision;

/// An instant in whole seconds, the UTC offset of the clock it was read from, and that clock's IANA zone if known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    instant: Timestamp,
    offset: Offset,
    zone: Option<String>,
}

/// A text that is not an RFC 3339 date and time with an offset.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a date and time with an offset, such as 2026-11-20T08:00:00+01:00")]
pub struct InvalidAt;

/// A wall-clock time that a change of the clocks skips or repeats.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotOneTime {
    /// The clocks went forward over it.
    #[error("{time} does not exist: the clocks went forward; {before} and {after} do")]
    Never {
        /// The wall-clock time asked for.
        time: DateTime,
        /// The reading before the change.
        before: Box<At>,
        /// The reading after it.
        after: Box<At>,
    },
    /// The clocks went back over it.
    #[error("{time} came twice: the clocks went back; it is {first} or {second}")]
    Twice {
        /// The wall-clock time asked for.
        time: DateTime,
        /// The one before the clocks went back.
        first: Box<At>,
        /// The one after.
        second: Box<At>,
    },
    /// It lies outside the years a journal can hold.
    #[error("{time} is outside the years 0 to 9999")]
    OutOfRange {
        /// The wall-clock time asked for.
        time: DateTime,
    },
}

impl At {
    /// Makes the time of `instant` as read from a clock `offset` ahead of UTC; fractions of a second are dropped.
    pub fn new(instant: Timestamp, offset: Offset, zone: Option<String>) -> Self {
        let instant = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
        Self {
            instant,
            offset,
            zone,
        }
    }

    /// Makes the time of `instant` as a clock in `zone` shows it.
    pub fn in_zone(instant: Timestamp, zone: &TimeZone) -> Self {
        Self::new(
            instant,
            zone.to_offset(instant),
            zone.iana_name().map(str::to_owned),
        )
    }

    /// Makes the time of a wall clock in `zone`.
    ///
    /// # Errors
    /// [`NotOneTime`] with both readings, if a change of the clocks skips or repeats that time.
    pub fn from_civil(time: DateTime, zone: &TimeZone) -> Result<Self, NotOneTime> {
        let read = |offset: Offset| match offset.to_timestamp(time) {
            Ok(instant) => Ok(Box::new(Self::in_zone(instant, zone))),
            Err(_) => Err(NotOneTime::OutOfRange { time }),
        };
        match zone.to_ambiguous_zoned(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => read(offset).map(|at| *at),
            AmbiguousOffset::Gap { before, after } => Err(NotOneTime::Never {
                time,
                before: read(after)?,
                after: read(before)?,
            }),
            AmbiguousOffset::Fold { before, after } => Err(NotOneTime::Twice {
                time,
                first: read(before)?,
                second: read(after)?,
            }),
        }
    }

    /// Returns the instant, in whole seconds.
    pub fn instant(&self) -> Timestamp {
        self.instant
    }

    /// Returns how far ahead of UTC the clock was.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Returns the IANA name of the clock's zone, such as `Europe/Madrid`, if it is known.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns what the clock showed.
    pub fn civil(&self) -> DateTime {
        self.offset.to_datetime(self.instant)
    }
}

impl From<&Zoned> for At {
    fn from(zoned: &Zoned) -> Self {
        Self::in_zone(zoned.timestamp(), zoned.time_zone())
    }
}

impl fmt::Display for At {
    /// Writes RFC 3339 with a numeric offset and whole seconds: `2026-11-20T08:00:00+01:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.instant.display_with_offset(self.offset))
    }
}

impl FromStr for At {
    type Err = InvalidAt;

    /// Reads RFC 3339, with the zone in brackets (RFC 9557) if it is there; `Z` is the offset zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pieces = Pieces::parse(text).map_err(|_| InvalidAt)?;
        let time = pieces.time().ok_or(InvalidAt)?;
        let offset = pieces.to_numeric_offset().ok_or(InvalidAt)?;
        let instant = offset
            .to_timestamp(pieces.date().to_datetime(time))
            .map_err(|_| InvalidAt)?;
        let zone = match pieces.time_zone_annotation().map(|zone| zone.kind()) {
            Some(jiff::fmt::temporal::TimeZoneAnnotationKind::Named(name)) => {
                Some(name.as_str().to_owned())
            }
            _ => None,
        };
        Ok(Self::new(instant, offset, zone))
    }
}

/// Returns the day `at` falls on for someone in `zone`.
pub fn day_of(at: &At, zone: &TimeZone) -> Date {
    zone.to_datetime(at.instant).date()
}

/// Returns the instants of one local day: from its first to the next day's first, 23 to 25 hours later where the
/// clocks change.
pub fn day_bounds(date: Date, zone: &TimeZone) -> Range<Timestamp> {
    let start = |date: Date| {
        date.to_zoned(zone.clone())
            .map(|midnight| midnight.timestamp())
    };
    let from = start(date).unwrap_or(Timestamp::MIN);
    let to = date.tomorrow().and_then(start).unwrap_or(Timestamp::MAX);
    from..to
}

/// Says when `at` was, as its own clock showed it, to someone for whom it is `now`: `today 12:40`,
/// `yesterday 22:30`, `Fri 20 Nov 08:00`, with the year if it is another one and the offset if theirs differs.
pub fn when(at: &At, precision: Precision, now: &Zoned) -> String {
    let local = at.civil();
    let (date, today) = (local.date(), now.date());
    let day = if date == today {
        "today".to_owned()
    } else if Ok(date) == today.yesterday().map_err(drop) {
        "yesterday".to_owned()
    } else if Ok(date) == today.tomorrow().map_err(drop) {
        "tomorrow".to_owned()
    } else if date.year() == today.year() {
        date.strftime("%a %-d %b").to_string()
    } else {
        date.strftime("%a %-d %b %Y").to_string()
    };
    let clock = match precision {
        Precision::Exact => format!(" {}", local.strftime("%H:%M")),
        Precision::Approx => format!(" about {}", local.strftime("%H:%M")),
        Precision::DayPart => format!(", {}", day_part(local.hour())),
    };
    if now.time_zone().to_offset(at.instant) == at.offset {
        format!("{day}{clock}")
    } else {
        format!("{day}{clock} (UTC{})", at.offset)
    }
}

/// Names the part of the day an hour lies in.
fn day_part(hour: i8) -> &'static str {
    match hour {
        5..12 => "morning",
        12..17 => "afternoon",
        17..22 => "evening",
        _ => "night",
    }
}

#[cfg(test)]
pub(crate) mod clocks;
#[cfg(test)]
mod tables;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, written) in [
            ("2026-11-20T08:00:00+01:00", "2026-11-20T08:00:00+01:00"),
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00+00:00"),
            ("2026-11-20 08:00:00.999-03:30", "2026-11-20T08:00:00-03:30"),
        ] {
            assert_eq!(text.parse::<At>().unwrap().to_string(), written);
        }
        let named: At = "2026-11-20T08:00:00+01:00[Europe/Madrid]".parse().unwrap();
        assert_eq!(named.zone(), Some("Europe/Madrid"));
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20T08:00:00",
            "2026-11-31T08:00:00Z",
            "08:00",
            "é",
        ] {
            assert_eq!(bad.parse::<At>(), Err(InvalidAt), "{bad}");
        }
    }

    #[test]
    fn a_skipped_or_repeated_time_gives_both_readings() {
        let madrid = zone("Europe/Madrid");
        let skipped = At::from_civil(date(2026, 3, 29).at(2, 30, 0, 0), &madrid).unwrap_err();
        assert_eq!(
            skipped.to_string(),
            "2026-03-29T02:30:00 does not exist: the clocks went forward; \
             2026-03-29T01:30:00+01:00 and 2026-03-29T03:30:00+02:00 do"
        );
        let repeated = At::from_civil(date(2026, 10, 25).at(2, 30, 0, 0), &madrid).unwrap_err();
        assert_eq!(
            repeated.to_string(),
            "2026-10-25T02:30:00 came twice: the clocks went back; \
             it is 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        );
        let plain = At::from_civil(date(2026, 10, 25).at(4, 0, 0, 0), &madrid).unwrap();
        assert_eq!(plain.to_string(), "2026-10-25T04:00:00+01:00");
        assert_eq!(plain.zone(), Some("Europe/Madrid"));
    }

    #[test]
    fn days_are_23_to_25_hours_where_the_clocks_change() {
        let hours = |date, zone: &TimeZone| {
            let day = day_bounds(date, zone);
            day.end.duration_since(day.start).as_hours()
        };
        let madrid = zone("Europe/Madrid");
        assert_eq!(hours(date(2026, 3, 29), &madrid), 23);
        assert_eq!(hours(date(2026, 7, 1), &madrid), 24);
        assert_eq!(hours(date(2026, 10, 25), &madrid), 25);
        // In Beirut midnight itself is skipped: the day starts at 01:00.
        let beirut = zone("Asia/Beirut");
        assert_eq!(hours(date(2026, 3, 29), &beirut), 23);
        let first = day_bounds(date(2026, 3, 29), &beirut).start;
        assert_eq!(
            At::in_zone(first, &beirut).to_string(),
            "2026-03-29T01:00:00+03:00"
        );
        assert_eq!(day_bounds(Date::MAX, &madrid).end, Timestamp::MAX);
    }

    #[test]
    fn a_day_holds_exactly_the_instants_that_fall_on_it() {
        let madrid = zone("Europe/Madrid");
        let bounds = day_bounds(date(2026, 10, 25), &madrid);
        let mut instant = bounds.start;
        while instant < bounds.end {
            assert_eq!(
                day_of(&At::in_zone(instant, &madrid), &madrid),
                date(2026, 10, 25)
            );
            instant += jiff::SignedDuration::from_mins(30);
        }
        assert_eq!(
            day_of(&At::in_zone(instant, &madrid), &madrid),
            date(2026, 10, 26)
        );
    }

    #[test]
    fn times_in_words() {
        let now = date(2026, 11, 22)
            .at(13, 0, 0, 0)
            .to_zoned(zone("Europe/Madrid"))
            .unwrap();
        for (text, precision, words) in [
            ("2026-11-22T12:40:00+01:00", Precision::Exact, "today 12:40"),
            (
                "2026-11-21T22:30:00+01:00",
                Precision::Exact,
                "yesterday 22:30",
            ),
            (
                "2026-11-23T08:00:00+01:00",
                Precision::Exact,
                "tomorrow 08:00",
            ),
            (
                "2026-11-20T08:00:00+01:00",
                Precision::Exact,
                "Fri 20 Nov 08:00",
            ),
            (
                "2025-11-20T08:00:00+01:00",
                Precision::Exact,
                "Thu 20 Nov 2025 08:00",
            ),
            (
                "2026-11-22T08:00:00+01:00",
                Precision::Approx,
                "today about 08:00",
            ),
            (
                "2026-11-22T08:00:00+01:00",
                Precision::DayPart,
                "today, morning",
            ),
            (
                "2026-11-22T23:00:00+01:00",
                Precision::DayPart,
                "today, night",
            ),
            (
                "2026-11-22T11:40:00+00:00",
                Precision::Exact,
                "today 11:40 (UTC+00)",
            ),
            // Summer time had another offset, and so had the reader.
            (
                "2026-07-01T08:00:00+02:00",
                Precision::Exact,
                "Wed 1 Jul 08:00",
            ),
        ] {
            assert_eq!(when(&text.parse().unwrap(), precision, &now), words);
        }
    }
}
