//! The time since the last dose, its curve and the rolling 24 hours, over clock changes, against an independent calculation:
//! the tables of clock changes that `journal` tests with too, and integer arithmetic.

#[path = "../../journal/src/time/clocks.rs"]
#[expect(dead_code, reason = "what only the other tests of these tables use")]
mod clocks;

use std::collections::BTreeMap;

use clocks::{CLOCKS, Clock, DAY, civil};
use insights::doses::{Dose, gaps, rolling_day};
use insights::phase::{curve, since_last};
use jiff::Timestamp;
use journal::time::{At, NotOneTime};
use proptest::prelude::*;

/// Half-minutes from a change of the clock by the wall, and which of two readings is meant.
type Logged = (i64, bool);

fn logged() -> impl Strategy<Value = Logged> {
    // Half of them on the hour, so that many stand exactly 24 hours apart.
    (-3600..3600i64, any::<bool>(), any::<bool>())
        .prop_map(|(half, later, whole)| (if whole { half / 120 * 120 } else { half }, later))
}

/// Reads times of the wall as they are logged; with each, the second that the table gives. Times that never were are left
/// out.
fn read(clock: &Clock, change: usize, logged: &[Logged]) -> Vec<(Timestamp, i64)> {
    let wall = clock.changes()[change].0 + clock.first;
    let read = logged.iter().filter_map(|(half, later)| {
        let local = wall + half * 30;
        let at = match At::from_civil(civil(local), &clock.zone()) {
            Ok(at) => at,
            Err(NotOneTime::Twice { first, second, .. }) => *(if *later { second } else { first }),
            Err(_) => return None,
        };
        let all = clock.instants(local);
        let expected = if *later { all.last() } else { all.first() };
        Some((at.instant(), *expected?))
    });
    read.collect()
}

proptest! {
    #[test]
    fn the_time_since_the_last_dose_is_what_the_table_says(
        place in (0..4usize, 0..2usize),
        doses in prop::collection::vec(logged(), 0..10),
        readings in prop::collection::vec(logged(), 1..20),
    ) {
        let clock = &CLOCKS[place.0];
        let (doses, readings) = (read(clock, place.1, &doses), read(clock, place.1, &readings));
        let mut instants: Vec<Timestamp> = doses.iter().map(|dose| dose.0).collect();
        let last = |second: i64| {
            let before = doses.iter().filter(|dose| dose.1 <= second);
            before.map(|dose| second - dose.1).min()
        };
        let (mut bins, mut before, mut beyond) = (BTreeMap::<i64, usize>::new(), 0, 0);
        for (_, second) in &readings {
            match last(*second) {
                None => before += 1,
                Some(since) if since > DAY => beyond += 1,
                Some(since) => *bins.entry(since / 1800 * 30).or_default() += 1,
            }
        }
        let values: Vec<(Timestamp, f64)> = readings.iter().map(|(at, _)| (*at, 1.0)).collect();
        let found = curve(&instants, &values);
        let found_bins: BTreeMap<i64, usize> =
            found.bins.iter().map(|bin| (bin.minutes, bin.readings.n)).collect();
        prop_assert_eq!((found_bins, found.before, found.beyond), (bins, before, beyond));
        instants.sort_unstable();
        for (at, second) in &readings {
            let since = since_last(&instants, *at).map(|since| since.as_secs());
            prop_assert_eq!(since, last(*second));
        }
    }

    #[test]
    fn the_rolling_day_is_what_the_table_says(
        place in (0..4usize, 0..2usize),
        doses in prop::collection::vec((logged(), 1..30u16), 0..12),
    ) {
        let clock = &CLOCKS[place.0];
        let mut given = Vec::new();
        let mut plain = Vec::new();
        for (when, amount) in &doses {
            for (at, second) in read(clock, place.1, std::slice::from_ref(when)) {
                // Whole mg: their sums are exact.
                given.push(Dose { at, amount: f64::from(*amount) });
                plain.push((second, i64::from(*amount)));
            }
        }
        plain.sort_unstable();
        let sums = plain.iter().map(|(until, _)| {
            let inside = plain.iter().filter(|(at, _)| at <= until && until - at < DAY);
            (*until, inside.map(|(_, amount)| *amount).sum::<i64>())
        });
        let found = rolling_day(&given);
        let found = found.iter().map(|dose| (dose.at.as_second(), dose.amount as i64));
        prop_assert_eq!(found.collect::<Vec<_>>(), sums.collect::<Vec<_>>());
        plain.dedup_by_key(|dose| dose.0);
        let apart: Vec<i64> = plain.windows(2).map(|two| two[1].0 - two[0].0).collect();
        let found: Vec<i64> = gaps(&given).iter().map(|gap| gap.as_secs()).collect();
        prop_assert_eq!(found, apart);
    }
}
