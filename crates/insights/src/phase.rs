//! The dose-phase curve: readings of weakness, fatigue or a timed test by the time since the last dose.
//!
//! No window of wearing off is built in. A reading before the first dose has no phase; one longer than [`LONGEST`] after a dose
//! is likelier to follow one that was not recorded, so it is counted and not placed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::statistics::Summary;

/// The width of a bin, in minutes.
pub const BIN_MINUTES: i64 = 30;
/// The longest time since a dose that is placed in a bin.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Readings by the time since the last dose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The bins that have readings, in order.
    pub bins: Vec<Bin>,
    /// Readings longer than [`LONGEST`] after the last dose.
    pub beyond: usize,
    /// Readings before any dose.
    pub before: usize,
}

/// The readings of one half-hour since the last dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Its first minute since the last dose; it ends before this + [`BIN_MINUTES`].
    pub minutes: i64,
    /// Median, quartiles and n of its readings.
    pub readings: Summary,
}

/// Places each reading, in any order, by the last dose at or before it.
pub fn curve(doses: &[Timestamp], readings: &[(Timestamp, f64)]) -> Curve {
    let mut doses = doses.to_vec();
    doses.sort_unstable();
    let mut curve = Curve::default();
    let mut bins: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (at, value) in readings {
        match since_last(&doses, *at) {
            None => curve.before += 1,
            Some(since) if since > LONGEST => curve.beyond += 1,
            Some(since) => bins
                .entry(since.as_mins() / BIN_MINUTES)
                .or_default()
                .push(*value),
        }
    }
    let bin = |(bin, values): (i64, Vec<f64>)| {
        let readings = Summary::of(values)?;
        Some(Bin {
            minutes: bin * BIN_MINUTES,
            readings,
        })
    };
    curve.bins = bins.into_iter().filter_map(bin).collect();
    curve
}

/// Returns the time since the last dose at or before an instant. `doses` are in order.
pub fn since_last(doses: &[Timestamp], at: Timestamp) -> Option<SignedDuration> {
    let taken = doses.partition_point(|dose| *dose <= at);
    let last = doses.get(taken.checked_sub(1)?)?;
    Some(at.duration_since(*last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A day of milliseconds and a bit, so that instants meet, and lie near the ends of half hours.
    fn instants() -> impl Strategy<Value = Timestamp> {
        let coarse = (-100_i64..100).prop_map(|halves| halves * 30 * 60_000);
        let near = (coarse.clone(), -1_i64..2).prop_map(|(at, by)| at + by);
        let fine = -180_000_000_i64..180_000_000;
        prop_oneof![coarse, near, fine].prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
    }

    /// The curve by its definition: each reading beside every dose, each half hour beside every reading.
    fn naive(doses: &[Timestamp], readings: &[(Timestamp, f64)]) -> Curve {
        let since = |at: Timestamp| {
            let passed = doses
                .iter()
                .map(|dose| at.as_millisecond() - dose.as_millisecond());
            passed.filter(|passed| *passed >= 0).min()
        };
        let all: Vec<(Option<i64>, f64)> = readings
            .iter()
            .map(|(at, value)| (since(*at), *value))
            .collect();
        let day = 86_400_000;
        let summary = |half_hour: i64| {
            let from = half_hour * 1_800_000;
            let inside = all.iter().filter(|(since, _)| {
                since.is_some_and(|since| since <= day && (from..from + 1_800_000).contains(&since))
            });
            let mut values: Vec<f64> = inside.map(|(_, value)| *value).collect();
            values.sort_by(f64::total_cmp);
            let last = values.len().checked_sub(1)?;
            // Definition 7: the place n - 1 times the share, in quarters to keep it whole.
            let at = |quarters: usize| {
                let (whole, rest) = (last * quarters / 4, last * quarters % 4);
                let next = values[(whole + 1).min(last)];
                values[whole] * (1.0 - rest as f64 / 4.0) + next * (rest as f64 / 4.0)
            };
            Some(Summary {
                n: values.len(),
                mean: values.iter().sum::<f64>() / values.len() as f64,
                median: at(2),
                lower: at(1),
                upper: at(3),
            })
        };
        let bins = (0..=48).filter_map(|half_hour| {
            Some(Bin {
                minutes: half_hour * BIN_MINUTES,
                readings: summary(half_hour)?,
            })
        });
        Curve {
            bins: bins.collect(),
            beyond: all
                .iter()
                .filter(|(since, _)| since.is_some_and(|since| since > day))
                .count(),
            before: all.iter().filter(|(since, _)| since.is_none()).count(),
        }
    }

    proptest! {
        #[test]
        fn the_curve_is_that_of_its_definition(
            doses in vec(instants(), 0..30),
            // Whole levels, so that sums do not depend on their order.
            readings in vec((instants(), (0..11_u8).prop_map(f64::from)), 0..60),
        ) {
            let curve = curve(&doses, &readings);
            prop_assert_eq!(&curve, &naive(&doses, &readings));
            let placed: usize = curve.bins.iter().map(|bin| bin.readings.n).sum();
            prop_assert_eq!(placed + curve.before + curve.beyond, readings.len());
        }

        #[test]
        fn the_order_of_entries_does_not_matter(
            doses in vec(instants(), 0..20),
            readings in vec((instants(), (0..11_u8).prop_map(f64::from)), 0..40),
        ) {
            let turned = |list: &[(Timestamp, f64)]| list.iter().rev().copied().collect::<Vec<_>>();
            let back: Vec<Timestamp> = doses.iter().rev().copied().collect();
            prop_assert_eq!(curve(&doses, &readings), curve(&back, &turned(&readings)));
        }
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    #[test]
    fn places_readings_by_the_last_dose() {
        let doses = [minute(300), minute(0)];
        let readings = [
            -1,
            0,
            29,
            30,
            299,
            300,
            301,
            300 + 24 * 60,
            300 + 24 * 60 + 1,
        ];
        let readings = readings.map(|at| (minute(at), at as f64));
        let curve = curve(&doses, &readings);
        let seen: Vec<(i64, usize, f64)> = curve
            .bins
            .iter()
            .map(|bin| (bin.minutes, bin.readings.n, bin.readings.median))
            .collect();
        assert_eq!(
            seen,
            [
                (0, 4, 164.5),
                (30, 1, 30.0),
                (270, 1, 299.0),
                (1440, 1, 1740.0)
            ]
        );
        assert_eq!((curve.before, curve.beyond), (1, 1));
    }

    #[test]
    fn without_doses_or_readings_there_is_no_curve() {
        assert_eq!(curve(&[], &[(minute(0), 1.0)]).before, 1);
        assert_eq!(curve(&[minute(0)], &[]), Curve::default());
    }
}
