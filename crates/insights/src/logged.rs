//! Entries as the statistics take them: who recorded each, on which day at home it counts, and the numbers in it.
//!
//! A number outside the range of its own question is no answer: it can only come from a damaged or foreign client. What was
//! skipped, or could not be done, is no number either; missing is never zero.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use journal::entry::{Answer, Author, Entry};
use journal::{Scalar, Value, time};

use crate::series::{LONGEST_DAYS, days_between};

/// An entry that stands, and who recorded it.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The entry.
    pub entry: Entry,
    /// Who recorded it.
    pub author: Author,
}

/// Days at home, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    first: Date,
    last: Date,
}

impl Period {
    /// Makes the period from one day to another; at most the last [`LONGEST_DAYS`] of them. A first day after the last is
    /// taken for the last.
    pub fn new(first: Date, last: Date) -> Self {
        let first = first.min(last);
        if days_between(first, last) < LONGEST_DAYS {
            return Self { first, last };
        }
        Self::ending(last, LONGEST_DAYS)
    }

    /// Makes the period of so many days that ends with a day; at least one day, at most [`LONGEST_DAYS`].
    pub fn ending(last: Date, days: usize) -> Self {
        let before = days.clamp(1, LONGEST_DAYS) - 1;
        let before = jiff::Span::new().days(i64::try_from(before).unwrap_or(0));
        let first = last.checked_sub(before).unwrap_or(Date::MIN);
        Self { first, last }
    }

    /// Returns the period of the same length just before.
    pub fn before(self) -> Option<Self> {
        Some(Self::ending(self.first.yesterday().ok()?, self.days()))
    }

    /// Returns the first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// Returns the last day.
    pub fn last(self) -> Date {
        self.last
    }

    /// Returns how many days it has: at least one.
    pub fn days(self) -> usize {
        days_between(self.first, self.last) + 1
    }

    /// Tells whether a day is one of its days.
    pub fn contains(self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

impl Logged {
    /// Returns the day at home on which the entry counts.
    pub fn day(&self, zone: &TimeZone) -> Date {
        time::day_of(&self.entry.at, zone)
    }

    pub(crate) fn is(&self, kind: &str) -> bool {
        self.entry.kind == kind
    }

    /// Returns the number answered to a question, if it is in the question's range.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.entry.answer(name)? {
            Answer::Value(Value::Scalar(Scalar::Int(number))) => *number as f64,
            Answer::Value(Value::Scalar(Scalar::Float(number))) => *number,
            _ => return None,
        };
        range.contains(&number).then_some(number)
    }

    /// Returns the text answered to a question.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.entry.answer(name)? {
            Answer::Value(value) => value.as_text(),
            _ => None,
        }
    }

    /// Returns whether a yes-or-no question was answered with yes.
    pub(crate) fn yes(&self, name: &str) -> Option<bool> {
        match self.text(name)? {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    /// Returns the instant answered to a question.
    pub(crate) fn instant(&self, name: &str) -> Option<jiff::Timestamp> {
        let at: time::At = self.text(name)?.parse().ok()?;
        Some(at.instant())
    }

    /// Returns the level of fatigue of a check-in, 0 to 10.
    pub(crate) fn fatigue(&self) -> Option<f64> {
        self.is("fatigue")
            .then(|| self.number("level", 0.0..=10.0))?
    }

    /// Returns the weakness of a check-in, 0 to 3: that of the weakest area that was asked about.
    pub(crate) fn weakness(&self) -> Option<f64> {
        if !self.is("fatigue") {
            return None;
        }
        let areas = self.entry.fields.keys();
        let weakness = areas.filter(|name| name.starts_with("weakness_"));
        weakness
            .filter_map(|name| self.number(name, 0.0..=3.0))
            .reduce(f64::max)
    }

    /// Returns the name of the medicine if the entry is a dose that was taken, wholly or in part.
    pub(crate) fn dose_taken(&self) -> Option<&str> {
        let taken = self.is("dose") && self.text("taken") != Some("skipped");
        taken.then(|| self.text("medicine"))?
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::civil::date;
    use journal::EntryId;
    use journal::entry::Draft;
    use journal::time::At;

    /// Makes an entry of a kind at an hour of a day of 2026, in UTC.
    pub(crate) fn logged(day: i64, hour: i64, kind: &str, fields: &[(&str, Value)]) -> Logged {
        let start = date(2026, 1, 1).to_zoned(TimeZone::UTC).unwrap();
        let instant = start.timestamp() + jiff::SignedDuration::from_hours(24 * day + hour);
        let mut draft = Draft::new(kind, At::in_zone(instant, &TimeZone::UTC));
        for (name, value) in fields {
            draft = draft.with(name, value.clone());
        }
        let ms = u64::try_from(instant.as_millisecond()).unwrap();
        let id = EntryId::mint(ms, [7; 10]);
        let entry = Entry::from_fields(id, &draft.to_fields(id).unwrap());
        let author = Author {
            person: "Ana".to_owned(),
            device: "phone".to_owned(),
        };
        Logged { entry, author }
    }

    #[test]
    fn only_an_answer_in_range_is_a_number() {
        let fatigue = |level: Value| logged(0, 8, "fatigue", &[("level", level)]).fatigue();
        assert_eq!(fatigue(Value::from(0)), Some(0.0));
        assert_eq!(fatigue(Value::from("skipped")), None);
        let mut foreign = logged(0, 8, "fatigue", &[("level", Value::from(4))]);
        foreign
            .entry
            .fields
            .insert("level".to_owned(), Value::from(11));
        assert_eq!(foreign.fatigue(), None);
    }

    #[test]
    fn the_weakest_area_answered_counts() {
        let weak = logged(
            0,
            8,
            "fatigue",
            &[
                ("weakness_legs", Value::from(1)),
                ("weakness_hips", Value::from(3)),
                ("weakness_neck", Value::from("skipped")),
            ],
        );
        assert_eq!((weak.weakness(), weak.fatigue()), (Some(3.0), None));
    }

    #[test]
    fn periods_are_bounded() {
        let last = date(2026, 5, 10);
        assert_eq!(Period::ending(last, 1).first(), last);
        assert_eq!(Period::ending(last, 0).days(), 1);
        assert_eq!(Period::ending(last, 90).days(), 90);
        let before = Period::ending(last, 7).before().unwrap();
        assert_eq!(
            (before.first(), before.last()),
            (date(2026, 4, 27), date(2026, 5, 3))
        );
        assert_eq!(Period::new(date(1, 1, 1), last).days(), LONGEST_DAYS);
    }
}
