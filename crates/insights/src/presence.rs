//! Whether the days that were logged are like those that were not: shown beside every average, since nobody logs at random.
//!
//! Two looks, both described and never tested. *With and without an entry*: how something known from elsewhere (sleep, a
//! dose, a step count) was on days that have an entry of one kind, and on days that have none. *Beside a gap*: how a
//! series was on the days next to a day without a value, and on the others; where it was higher there, the gaps may hide more
//! of the same.

use crate::series::Series;
use crate::statistics::Summary;

/// Two groups of days, each summarised over the days that have a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Presence {
    /// The days with an entry, or beside a gap.
    pub with: Option<Summary>,
    /// The days without an entry, or not beside a gap.
    pub without: Option<Summary>,
}

impl Presence {
    /// Returns the difference of the means, with − without, if both groups have days.
    pub fn difference(&self) -> Option<f64> {
        Some(self.with?.mean - self.without?.mean)
    }

    fn of(days: impl Iterator<Item = (bool, f64)>) -> Self {
        let (with, without): (Vec<_>, Vec<_>) = days.partition(|(with, _)| *with);
        let summary =
            |days: Vec<(bool, f64)>| Summary::of(days.into_iter().map(|(_, value)| value));
        Self {
            with: summary(with),
            without: summary(without),
        }
    }
}

/// Compares `measured` on the days on which `logged` has a value, and on those of its reach on which it has none.
pub fn with_and_without(measured: &Series, logged: &Series) -> Presence {
    let Some((first, last)) = logged.reach() else {
        return Presence {
            with: None,
            without: None,
        };
    };
    let inside = measured
        .iter()
        .filter(|(day, _)| (first..=last).contains(day));
    Presence::of(inside.map(|(day, value)| (logged.at(day).is_some(), value)))
}

/// Compares a series on the days beside a day without a value, and on its other days. Before its first day and after its
/// last there is no gap.
pub fn beside_gaps(series: &Series) -> Presence {
    let Some((first, last)) = series.reach() else {
        return Presence {
            with: None,
            without: None,
        };
    };
    let is_gap = |day: Option<jiff::civil::Date>| {
        day.is_some_and(|day| (first..=last).contains(&day) && series.at(day).is_none())
    };
    Presence::of(series.iter().map(|(day, value)| {
        (
            is_gap(day.yesterday().ok()) || is_gap(day.tomorrow().ok()),
            value,
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn series(values: &[(i8, f64)]) -> Series {
        Series::of(
            values
                .iter()
                .map(|(day, value)| (date(2026, 5, *day), *value)),
        )
        .unwrap()
    }

    #[test]
    fn compares_days_with_and_without_an_entry() {
        let logged = series(&[(2, 5.0), (3, 6.0), (6, 5.0)]);
        let sleep = series(&[(1, 9.0), (2, 7.0), (3, 8.0), (4, 5.0), (5, 5.5), (7, 9.0)]);
        let seen = with_and_without(&sleep, &logged);
        let means = (seen.with.unwrap().mean, seen.without.unwrap().mean);
        assert_eq!((means, seen.difference()), ((7.5, 5.25), Some(2.25)));
        assert_eq!(
            with_and_without(&sleep, &Series::default()).difference(),
            None
        );
    }

    #[test]
    fn compares_days_beside_gaps_with_the_others() {
        let fatigue = series(&[(1, 3.0), (2, 8.0), (4, 9.0), (5, 4.0), (6, 2.0)]);
        let seen = beside_gaps(&fatigue);
        assert_eq!(
            (seen.with.unwrap().mean, seen.without.unwrap().mean),
            (8.5, 3.0)
        );
        let whole = beside_gaps(&series(&[(1, 3.0), (2, 8.0)]));
        assert_eq!((whole.with, whole.without.unwrap().n), (None, 2));
        assert_eq!(beside_gaps(&Series::default()).without, None);
    }
}
