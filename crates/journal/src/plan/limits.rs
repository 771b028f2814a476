//! The user's own limits: what a dose would come to, compared with what its user wrote down.
//!
//! No limit is built in, and nothing is refused: what was taken is recorded, whatever it comes to.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::Planned;
use crate::value::{Scalar, Value};

/// The span over which doses are added up.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An amount of a medicine, in tenths of a mg, so that sums are exact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mg(pub(super) i64);

impl Mg {
    /// Reads a stored amount in mg; none if it is no number.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Scalar(Scalar::Int(mg)) => mg.checked_mul(10).map(Self),
            // Amounts have one decimal and are at most 100,000: the product is a whole number that fits.
            Value::Scalar(Scalar::Float(mg)) if mg.abs() <= 1e9 => {
                Some(Self((mg * 10.0).round() as i64))
            }
            _ => None,
        }
    }

    /// Returns the stored form.
    pub fn value(self) -> Value {
        if self.0 % 10 == 0 {
            Value::from(self.0 / 10)
        } else {
            Value::from(self.0 as f64 / 10.0)
        }
    }
}

impl fmt::Display for Mg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} mg"),
            (whole, tenths) => write!(f, "{whole}.{} mg", tenths.abs()),
        }
    }
}

/// A dose that was taken, wholly or in part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// How much; none if nobody could say.
    pub amount: Option<Mg>,
}

/// A limit of the user's own that a dose passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// The dose alone is more than the most at once.
    Single {
        /// The dose.
        dose: Mg,
        /// The limit.
        limit: Mg,
    },
    /// Some 24 hours that the dose falls in hold more than the most.
    Day {
        /// What they hold, with this dose.
        sum: Mg,
        /// The limit.
        limit: Mg,
        /// Whether doses of unknown amount come on top.
        at_least: bool,
    },
    /// Another dose is nearer than the least gap.
    Gap {
        /// How many minutes lie between.
        minutes: i64,
        /// The limit, in minutes.
        limit: i64,
        /// Whether the other one came after.
        after: bool,
    },
}

/// Returns the limits of a medicine that a dose passes, given the other doses of it that count.
///
/// The 24 hours are rolling: every span of 24 hours that holds the dose counts, those that end after it too, for a dose
/// may be logged late. A dose exactly 24 hours before another is not in its span.
pub fn passed(medicine: &Planned, dose: Taken, others: &[Taken]) -> Vec<Passed> {
    let mut all = Vec::new();
    let amount = dose.amount.unwrap_or_default();
    if let Some(limit) = medicine.mg("max_single_mg").filter(|limit| amount > *limit) {
        all.push(Passed::Single {
            dose: amount,
            limit,
        });
    }
    if let Some(limit) = medicine.mg("max_day_mg") {
        let fullest = fullest_day(dose, others);
        if let Some((sum, at_least)) = fullest.filter(|(sum, _)| *sum > limit) {
            all.push(Passed::Day {
                sum,
                limit,
                at_least,
            });
        }
    }
    let limit = medicine.fields.get("min_gap_min").and_then(Value::as_int);
    if let (Some(limit), Some((minutes, after))) = (limit, nearest(dose, others))
        && minutes < limit
    {
        all.push(Passed::Gap {
            minutes,
            limit,
            after,
        });
    }
    all
}

/// Returns the most that 24 hours with this dose in them hold, and whether doses of unknown amount are among it.
fn fullest_day(dose: Taken, others: &[Taken]) -> Option<(Mg, bool)> {
    let ends = others.iter().map(|other| other.at);
    let ends = ends.filter(|end| *end >= dose.at && end.duration_since(dose.at) < DAY);
    let sum_to = |end: Timestamp| {
        let inside = |taken: &&Taken| taken.at <= end && end.duration_since(taken.at) < DAY;
        let taken = std::iter::once(&dose).chain(others).filter(inside);
        taken.fold(
            (Mg::default(), false),
            |(sum, unknown), taken| match taken.amount {
                Some(amount) => (Mg(sum.0.saturating_add(amount.0)), unknown),
                None => (sum, true),
            },
        )
    };
    ends.chain([dose.at])
        .map(sum_to)
        .max_by_key(|(sum, _)| *sum)
}

/// Returns how many minutes lie between the dose and the one nearest to it, and whether that came after.
fn nearest(dose: Taken, others: &[Taken]) -> Option<(i64, bool)> {
    let gaps = others.iter().map(|other| {
        let gap = other.at.duration_since(dose.at);
        (gap.abs().as_mins(), gap.is_positive())
    });
    gaps.min()
}
