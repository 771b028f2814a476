//! Tests days, wall-clock times and nights against an independent calculation: the clock changes of four zones in 2026,
//! written out by hand, and integer arithmetic. No zone database takes part in what is expected.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::kind::night_from_clock;

use super::{At, NotOneTime, day_bounds, day_of};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
/// 2026-01-01T00:00:00Z: 56 years, 14 of them leap, after 1970.
const YEAR: i64 = (56 * 365 + 14) * DAY;
/// The days before each month of a year that is not leap.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A zone in 2026: its offset at the start, then each change as month, day, minute of that day in UTC, offset after.
struct Clock {
    name: &'static str,
    first: i64,
    changes: [(usize, i64, i64, i64); 2],
}

/// Whole hours; the other half of the year; half an hour; at midnight.
const CLOCKS: [Clock; 4] = [
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
    fn changes(&self) -> [(i64, i64); 2] {
        self.changes.map(|(month, day, minute, offset)| {
            let days = BEFORE_MONTH[month - 1] + day - 1;
            (YEAR + days * DAY + minute * 60, offset)
        })
    }

    fn offset(&self, instant: i64) -> i64 {
        let mut past = self.changes().into_iter().filter(|(at, _)| *at <= instant);
        past.next_back().map_or(self.first, |(_, offset)| offset)
    }

    /// Returns the number of the local day since 1970.
    fn day(&self, instant: i64) -> i64 {
        (instant + self.offset(instant)).div_euclid(DAY)
    }

    /// Returns the first instant of a local day, by halving what holds it.
    fn start(&self, day: i64) -> i64 {
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
    fn instants(&self, local: i64) -> Vec<i64> {
        let offsets = [self.first, self.changes()[0].1];
        let mut all: Vec<i64> = offsets
            .into_iter()
            .map(|offset| local - offset)
            .filter(|instant| instant + self.offset(*instant) == local)
            .collect();
        all.sort_unstable();
        all
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(self.name).unwrap()
    }
}

fn civil(local: i64) -> DateTime {
    let (days, second) = ((local - YEAR).div_euclid(DAY), local.rem_euclid(DAY));
    let month = BEFORE_MONTH.iter().filter(|start| **start <= days).count();
    let small = |number: i64| i8::try_from(number).unwrap();
    let day = days - BEFORE_MONTH[month - 1] + 1;
    let (hour, minute) = (second / HOUR, second / 60 % 60);
    let month = i8::try_from(month).unwrap();
    jiff::civil::date(2026, month, small(day)).at(small(hour), small(minute), small(second % 60), 0)
}

/// A clock and a second of its year, half of them within three hours of a change.
fn moments() -> impl Strategy<Value = (usize, i64)> {
    let near = (0..4usize, 0..2usize, -3 * HOUR..3 * HOUR)
        .prop_map(|(clock, change, by)| (clock, CLOCKS[clock].changes()[change].0 + by));
    prop_oneof![near, (0..4usize, YEAR + 3 * DAY..YEAR + 361 * DAY)]
}

proptest! {
    #[test]
    fn a_day_is_what_the_table_says((clock, instant) in moments()) {
        let (clock, zone) = (&CLOCKS[clock], CLOCKS[clock].zone());
        let at = At::in_zone(Timestamp::from_second(instant).unwrap(), &zone);
        let local = instant + clock.offset(instant);
        prop_assert_eq!(at.civil(), civil(local));
        prop_assert_eq!(day_of(&at, &zone), civil(local).date());
        let bounds = day_bounds(civil(local).date(), &zone);
        let day = clock.day(instant);
        prop_assert_eq!(bounds.start.as_second(), clock.start(day));
        prop_assert_eq!(bounds.end.as_second(), clock.start(day + 1));
    }

    #[test]
    fn a_wall_clock_time_is_read_as_the_table_says((clock, instant) in moments()) {
        let clock = &CLOCKS[clock];
        // The offset of the start of the year, so that skipped times come up too.
        let local = instant + clock.first;
        let read = At::from_civil(civil(local), &clock.zone());
        let second = |at: &At| at.instant().as_second();
        match (clock.instants(local).as_slice(), read) {
            ([], Err(NotOneTime::Never { before, after, .. })) => {
                let change = clock.changes().map(|(at, _)| at);
                prop_assert!(change.iter().any(|at| second(&before) < *at && *at <= second(&after)));
            }
            ([one], Ok(at)) => prop_assert_eq!(second(&at), *one),
            ([one, two], Err(NotOneTime::Twice { first, second: later, .. })) => {
                prop_assert_eq!((second(&first), second(&later)), (*one, *two));
            }
            (expected, read) => prop_assert!(false, "{:?} {:?}", expected, read),
        }
    }

    #[test]
    fn the_clock_times_of_a_night_are_placed_as_the_table_says(
        (clock, instant) in moments(),
        bed in 0..1440i64,
        wake in 0..1440i64,
    ) {
        let clock = &CLOCKS[clock];
        let now = Timestamp::from_second(instant).unwrap().to_zoned(clock.zone());
        let time = |minute: i64| civil(YEAR + minute * 60).time();
        let night = night_from_clock(&[("in_bed", time(bed)), ("final_wake", time(wake))], &now);
        let shown = (instant + clock.offset(instant)).rem_euclid(DAY);
        let wake_day = clock.day(instant) - i64::from(wake * 60 > shown);
        let bed_day = wake_day - i64::from(wake < bed);
        let in_bed = clock.instants(bed_day * DAY + bed * 60);
        let final_wake = clock.instants(wake_day * DAY + wake * 60);
        let Ok(fields) = night else {
            prop_assert!(in_bed.len() != 1 || final_wake.len() != 1);
            return Ok(());
        };
        for (name, expected) in [("in_bed", in_bed), ("final_wake", final_wake)] {
            let at: At = fields[name].as_text().unwrap().parse().unwrap();
            prop_assert_eq!(vec![at.instant().as_second()], expected);
        }
    }
}
