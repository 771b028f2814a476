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
