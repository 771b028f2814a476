//! The three laps of a 3TUG, and how they stand to the person's own.
//!
//! Times repeat within about 20 %: Sanders et al., "Reliability of the triple-timed up-and-go test" (Muscle & Nerve 57(1),
//! 2018). The DAPPER trial took more than 30 % slower as failure. Neither is a verdict here: what is shown is a change in
//! per cent.

use crate::statistics::{quantile, sorted};

/// How a change is reckoned, to be named wherever it is shown.
pub const CHANGE_FORMULA: &str = "change = (mean lap − baseline) ÷ baseline; baseline = median of the mean laps of the first three tests";
/// How many tests make the baseline.
pub const BASELINE_TESTS: usize = 3;
/// Changes within this much, in per cent, are within what the test repeats to.
pub const REPEATABILITY_PERCENT: f64 = 20.0;

/// The times of three laps that were completed, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Laps {
    seconds: [f64; 3],
}

/// Times that are no three laps.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq)]
#[error("a lap takes more than 0 s, not {seconds}")]
pub struct InvalidLap {
    /// The time given.
    pub seconds: f64,
}

impl Laps {
    /// Takes three laps.
    ///
    /// # Errors
    /// [`InvalidLap`] if a time is not finite and above 0.
    pub fn of(seconds: [f64; 3]) -> Result<Self, InvalidLap> {
        let invalid = seconds
            .into_iter()
            .find(|lap| !(lap.is_finite() && *lap > 0.0));
        invalid.map_or(Ok(Self { seconds }), |seconds| Err(InvalidLap { seconds }))
    }

    /// Returns the sum, in seconds.
    pub fn sum(&self) -> f64 {
        self.seconds.iter().sum()
    }

    /// Returns the mean lap, in seconds.
    pub fn mean(&self) -> f64 {
        self.sum() / 3.0
    }

    /// Returns lap 3 ÷ lap 1: above 1 if it grew slower.
    pub fn last_to_first(&self) -> f64 {
        let [first, _, last] = self.seconds;
        last / first
    }

    /// Returns the change of the mean lap from a baseline in seconds, in per cent; above 0 is slower ([`CHANGE_FORMULA`]).
    pub fn change_percent(&self, baseline: f64) -> f64 {
        100.0 * (self.mean() - baseline) / baseline
    }
}

/// Returns the person's own baseline, in seconds, from tests in the order of time. None before there are
/// [`BASELINE_TESTS`].
pub fn baseline(tests: &[Laps]) -> Option<f64> {
    let first = tests.get(..BASELINE_TESTS)?;
    quantile(&sorted(first.iter().map(Laps::mean)), 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laps(seconds: [f64; 3]) -> Laps {
        Laps::of(seconds).unwrap()
    }

    #[test]
    fn reckons_sum_mean_ratio_and_change() {
        let test = laps([10.0, 11.0, 12.0]);
        assert_eq!(
            (test.sum(), test.mean(), test.last_to_first()),
            (33.0, 11.0, 1.2)
        );
        assert_eq!(test.change_percent(10.0), 10.0);
        assert_eq!(test.change_percent(11.0), 0.0);
    }

    #[test]
    fn the_baseline_is_of_the_first_three_tests() {
        let tests = [9.0, 30.0, 12.0, 1.0].map(|lap| laps([lap; 3]));
        assert_eq!(baseline(&tests), Some(12.0));
        assert_eq!(baseline(&tests[..2]), None);
    }

    #[test]
    fn refuses_what_is_no_lap() {
        assert_eq!(Laps::of([10.0, 0.0, 9.0]), Err(InvalidLap { seconds: 0.0 }));
        assert!(Laps::of([10.0, 9.0, f64::INFINITY]).is_err());
        assert!(Laps::of([f64::NAN, 9.0, 9.0]).is_err());
    }
}
