//! Arithmetic of doses of one medicine: how much in 24 hours, how far apart, how late.
//!
//! Takes doses that were taken; what was skipped is none. Judges nothing and knows no limit: those are the person's own,
//! and are looked at where a dose is recorded.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// How [`rolling_day`] is reckoned, to be named wherever it is shown.
pub const ROLLING_FORMULA: &str = "sum of the doses of the 24 hours up to and with this one; one exactly 24 hours earlier no longer counts";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A dose that was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dose {
    /// When.
    pub at: Timestamp,
    /// How much, in mg.
    pub amount: f64,
}

/// Puts doses in the order of their times.
fn in_order(doses: &[Dose]) -> Vec<Dose> {
    let mut doses = doses.to_vec();
    doses.sort_by_key(|dose| dose.at);
    doses
}

/// Returns, for each dose in the order of time, the mg taken in the 24 hours up to it ([`ROLLING_FORMULA`]). Doses of the
/// same instant count for one another.
pub fn rolling_day(doses: &[Dose]) -> Vec<Dose> {
    let doses = in_order(doses);
    let mut oldest = 0;
    let mut next = 0;
    let day_up_to = |dose: &Dose| {
        while doses.get(next).is_some_and(|other| other.at <= dose.at) {
            next += 1;
        }
        while doses
            .get(oldest)
            .is_some_and(|other| dose.at.duration_since(other.at) >= DAY)
        {
            oldest += 1;
        }
        // Summed anew, as a running sum would gather rounding; a day has few doses.
        let amount = doses[oldest..next].iter().map(|dose| dose.amount).sum();
        Dose {
            at: dose.at,
            amount,
        }
    };
    doses.iter().map(day_up_to).collect()
}

/// Returns the largest mg in any 24 hours, and when they ended: the earliest such time. None without doses.
pub fn largest_day(doses: &[Dose]) -> Option<Dose> {
    largest(&rolling_day(doses))
}

/// Returns the largest single dose, the earliest if several are. None without doses.
pub fn largest_single(doses: &[Dose]) -> Option<Dose> {
    largest(&in_order(doses))
}

fn largest(in_order: &[Dose]) -> Option<Dose> {
    in_order.iter().copied().reduce(|most, dose| {
        if dose.amount > most.amount {
            dose
        } else {
            most
        }
    })
}

/// Returns the times between doses that follow one another; several of the same instant are one.
pub fn gaps(doses: &[Dose]) -> Vec<SignedDuration> {
    let instants: BTreeSet<Timestamp> = doses.iter().map(|dose| dose.at).collect();
    let following = instants.iter().skip(1);
    instants
        .iter()
        .zip(following)
        .map(|(one, next)| next.duration_since(*one))
        .collect()
}

/// Returns how many minutes after its planned time a dose was taken; negative if before.
pub fn minutes_late(planned: Timestamp, taken: Timestamp) -> f64 {
    taken.duration_since(planned).as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dose(hours: i64, amount: f64) -> Dose {
        let at = Timestamp::from_second(hours * 3600).unwrap();
        Dose { at, amount }
    }

    #[test]
    fn the_day_up_to_a_dose_leaves_out_the_same_hour_of_the_day_before() {
        let doses = [dose(30, 5.0), dose(0, 10.0), dose(24, 10.0), dose(23, 2.5)];
        let sums: Vec<f64> = rolling_day(&doses).iter().map(|day| day.amount).collect();
        assert_eq!(sums, [10.0, 12.5, 12.5, 17.5]);
        assert_eq!(largest_day(&doses), Some(dose(30, 17.5)));
        assert_eq!(largest_single(&doses), Some(dose(0, 10.0)));
        assert_eq!((largest_day(&[]), largest_single(&[])), (None, None));
    }

    #[test]
    fn two_doses_of_one_instant_both_count() {
        let doses = [dose(8, 10.0), dose(8, 10.0), dose(12, 5.0)];
        let sums: Vec<f64> = rolling_day(&doses).iter().map(|day| day.amount).collect();
        assert_eq!(sums, [20.0, 20.0, 25.0]);
        assert_eq!(gaps(&doses), [SignedDuration::from_hours(4)]);
    }

    #[test]
    fn a_dose_is_late_or_early() {
        let (eight, nine) = (dose(8, 1.0).at, dose(9, 1.0).at);
        assert_eq!(
            (minutes_late(eight, nine), minutes_late(nine, eight)),
            (60.0, -60.0)
        );
    }
}
