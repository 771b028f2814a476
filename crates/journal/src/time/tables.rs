//! Tests days, wall-clock times and nights against an independent calculation: hand-written tables of clock changes
//! (`clocks`).

use jiff::Timestamp;
use proptest::prelude::*;

use crate::kind::night_from_clock;

use super::clocks::{CLOCKS, DAY, YEAR, civil, moments};
use super::{At, NotOneTime, day_bounds, day_of};

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
