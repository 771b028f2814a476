//! One value a day, or none: what every question is asked of.
//!
//! Missing is never zero: a day without a value is absent, and nothing fills it.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// The longest time from the first to the last day of a series, in days: a hundred years.
pub const LONGEST_DAYS: usize = 36_525;

/// Values by calendar day, at most one a day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    days: BTreeMap<Date, f64>,
}

/// Values that are no series.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidSeries {
    /// A value is infinite or no number.
    #[error("the value of {day} is not a finite number")]
    NotFinite {
        /// Its day.
        day: Date,
    },
    /// A day has two values; which one counts is for the caller to say.
    #[error("{day} has more than one value")]
    Twice {
        /// The day.
        day: Date,
    },
    /// It spans more than [`LONGEST_DAYS`].
    #[error("{first} to {last} is more than {LONGEST_DAYS} days")]
    TooLong {
        /// The first day.
        first: Date,
        /// The last day.
        last: Date,
    },
}

impl Series {
    /// Makes a series of values in any order.
    ///
    /// # Errors
    /// [`InvalidSeries`] if a value is not finite, a day comes twice, or the days are too far apart.
    pub fn of(values: impl IntoIterator<Item = (Date, f64)>) -> Result<Self, InvalidSeries> {
        let mut days = BTreeMap::new();
        for (day, value) in values {
            if !value.is_finite() {
                return Err(InvalidSeries::NotFinite { day });
            }
            if days.insert(day, value).is_some() {
                return Err(InvalidSeries::Twice { day });
            }
        }
        let series = Self { days };
        match series.reach() {
            Some((first, last)) if days_between(first, last) >= LONGEST_DAYS => {
                Err(InvalidSeries::TooLong { first, last })
            }
            _ => Ok(series),
        }
    }

    /// Makes a series of finite values of days that are known to lie in a bounded period, one a day.
    pub(crate) fn within(days: impl IntoIterator<Item = (Date, f64)>) -> Self {
        Self {
            days: days.into_iter().collect(),
        }
    }

    /// Returns the series up to a day, that day included.
    pub fn up_to(&self, last: Date) -> Self {
        Self::within(self.iter().take_while(|(day, _)| *day <= last))
    }

    /// Returns on how many days there is a value.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Tells whether no day has a value.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Returns the value of a day, if it has one.
    pub fn at(&self, day: Date) -> Option<f64> {
        self.days.get(&day).copied()
    }

    /// Returns the first and the last day with a value.
    pub fn reach(&self) -> Option<(Date, Date)> {
        let (first, _) = self.days.first_key_value()?;
        let (last, _) = self.days.last_key_value()?;
        Some((*first, *last))
    }

    /// Iterates over the days with a value, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Date, f64)> + '_ {
        self.days.iter().map(|(day, value)| (*day, *value))
    }

    /// Returns the values of the days from `first` to `last`, both included, `None` where there is none.
    pub fn between(&self, first: Date, last: Date) -> Vec<Option<f64>> {
        calendar(first, last).map(|day| self.at(day)).collect()
    }

    /// Returns how many of the days from `first` to `last`, both included, have a value.
    pub fn coverage(&self, first: Date, last: Date) -> Coverage {
        let values = self.between(first, last);
        Coverage {
            answered: values.iter().flatten().count(),
            days: values.len(),
        }
    }
}

/// On how many days there was an answer: what every average is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Days with an answer.
    pub answered: usize,
    /// Days.
    pub days: usize,
}

impl Coverage {
    /// Returns answered ÷ days, 0 to 1, if there is any day.
    pub fn share(self) -> Option<f64> {
        (self.days > 0).then(|| self.answered as f64 / self.days as f64)
    }
}

/// Iterates over the days from `first` to `last`, both included.
pub(crate) fn calendar(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first
        .series(jiff::Span::new().days(1))
        .take_while(move |day| *day <= last)
}

/// Returns the days from one date to a later one; zero if it is not later.
pub(crate) fn days_between(first: Date, last: Date) -> usize {
    let hours = last.duration_since(first).as_hours();
    usize::try_from(hours / 24).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn keeps_gaps_as_gaps() {
        let series = Series::of([(date(2026, 3, 3), 5.0), (date(2026, 3, 1), 4.0)]).unwrap();
        let reach = (date(2026, 3, 1), date(2026, 3, 3));
        assert_eq!(series.reach(), Some(reach));
        assert_eq!(
            series.between(reach.0, reach.1),
            [Some(4.0), None, Some(5.0)]
        );
        let coverage = series.coverage(date(2026, 2, 27), reach.1);
        assert_eq!(
            coverage,
            Coverage {
                answered: 2,
                days: 5
            }
        );
        assert_eq!(coverage.share(), Some(0.4));
        assert_eq!(series.coverage(reach.1, reach.0).share(), None);
    }

    #[test]
    fn refuses_what_is_no_series() {
        let day = date(2026, 3, 1);
        let refused = |values: &[(Date, f64)]| Series::of(values.iter().copied()).unwrap_err();
        assert_eq!(
            refused(&[(day, f64::NAN)]),
            InvalidSeries::NotFinite { day }
        );
        assert_eq!(
            refused(&[(day, 1.0), (day, 1.0)]),
            InvalidSeries::Twice { day }
        );
        let last = date(2126, 3, 2);
        assert_eq!(
            refused(&[(day, 1.0), (last, 1.0)]),
            InvalidSeries::TooLong { first: day, last }
        );
        assert!(Series::of([(day, 1.0), (last.yesterday().unwrap(), 1.0)]).is_ok());
    }

    #[test]
    fn counts_days_across_leap_days() {
        assert_eq!(days_between(date(2028, 2, 28), date(2028, 3, 1)), 2);
        assert_eq!(days_between(date(2028, 3, 1), date(2028, 2, 28)), 0);
    }
}
