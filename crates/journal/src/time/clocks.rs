//! The clocks of four zones in 2026, written out by hand, and integer arithmetic over them: what tests compare with. No zone
//! database takes part in what is expected.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// Seconds of a day of 24 hours.
pub(crate) const DAY: i64 = 86_400;
/// Seconds of an hour.
pub(crate) const HOUR: i64 = 3_600;
/// 2026-01-01T00:00:00Z: 56 years, 14 of them leap, after 1970.
pub(crate) const YEAR: i64 = (56 * 365 + 14) * DAY;
/// The days before each month of a year that is not leap.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A zone in 2026: its offset at the start, then each change as month, day, minute of that day in UTC, offset after.
pub(crate) struct Clock {
    pub(crate) name: &'static str,
    pub(crate) first: i64,
    changes: [(usize, i64, i64, i64); 2],
}

/// Whole hours; the other half of the year; half an hour; at midnight.
pub(crate) const CLOCKS: [Clock; 4] = [
    Clock {
        name: "Europe/Madrid",
        first: HOUR,
        changes: [(3, 29, 60, 2 * HOUR), (10, 25, 60, HOUR)],
    },
    Clock {
        name: "America/New_York",
        first: -5 * HOUR,
        changes: [(3, 8, 420, -4 * HOUR), (11, 1, 360, -5 * HOUR)],
    },
    Clock {
        name: "Australia/Lord_Howe",
        first: 11 * HOUR,
        changes: [(4, 4, 900, 21 * HOUR / 2), (10, 3, 930, 11 * HOUR)],
    },
    Clock {
        name: "Asia/Beirut",
        first: 2 * HOUR,
        changes: [(3, 28, 1320, 3 * HOUR), (10, 24, 1260, 2 * HOUR)],
    },
];

impl Clock {
    pub(crate) fn changes(&self) -> [(i64, i64); 2] {
        self.changes.map(|(month, day, minute, offset)| {
            let days = BEFORE_MONTH[month - 1] + day - 1;
            (YEAR + days * DAY + minute * 60, offset)
        })
    }

    pub(crate) fn offset(&self, instant: i64) -> i64 {
        let mut past = self.changes().into_iter().filter(|(at, _)| *at <= instant);
        past.next_back().map_or(self.first, |(_, offset)| offset)
    }

    /// Returns the number of the local day since 1970.
    pub(crate) fn day(&self, instant: i64) -> i64 {
        (instant + self.offset(instant)).div_euclid(DAY)
    }

    /// Returns the first instant of a local day, by halving what holds it.
    pub(crate) fn start(&self, day: i64) -> i64 {
        let (mut before, mut from) = ((day - 2) * DAY, (day + 2) * DAY);
        while from - before > 1 {
            let middle = before + (from - before) / 2;
            if self.day(middle) < day {
                before = middle;
            } else {
                from = middle;
            }
        }
        from
    }

    /// Returns the instants at which the clock shows `local` (seconds since 1970 by that clock), in order.
    pub(crate) fn instants(&self, local: i64) -> Vec<i64> {
        let offsets = [self.first, self.changes()[0].1];
        let mut all: Vec<i64> = offsets
            .into_iter()
            .map(|offset| local - offset)
            .filter(|instant| instant + self.offset(*instant) == local)
            .collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::get(self.name).expect("a zone of the database")
    }
}

pub(crate) fn civil(local: i64) -> DateTime {
    let (days, second) = ((local - YEAR).div_euclid(DAY), local.rem_euclid(DAY));
    let month = BEFORE_MONTH.iter().filter(|start| **start <= days).count();
    let small = |number: i64| i8::try_from(number).expect("a part of a date");
    let day = days - BEFORE_MONTH[month - 1] + 1;
    let (hour, minute) = (second / HOUR, second / 60 % 60);
    let month = small(month as i64);
    jiff::civil::date(2026, month, small(day)).at(small(hour), small(minute), small(second % 60), 0)
}

/// A clock and a second of its year, half of them within three hours of a change.
pub(crate) fn moments() -> impl Strategy<Value = (usize, i64)> {
    let near = (0..4usize, 0..2usize, -3 * HOUR..3 * HOUR)
        .prop_map(|(clock, change, by)| (clock, CLOCKS[clock].changes()[change].0 + by));
    prop_oneof![near, (0..4usize, YEAR + 3 * DAY..YEAR + 361 * DAY)]
}
