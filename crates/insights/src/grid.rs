//! The calendar on which all questions are laid out: the same days, cut into the same spans, for every one of them.
//!
//! It reaches from the first to the last day on which any outcome was answered. A treatment change begins a new span on
//! its own day. A factor is moved later by its lag, so that a pair stands on the day of its outcome; a pair whose two days
//! lie in different spans is none. A day without a value stays a hole: `Side::Unknown`, or no number.

use std::ops::Range;

use jiff::civil::Date;

use crate::contrast::{Moments, SIDES, Sides, WITH, WITHOUT};
use crate::series::{Series, calendar, days_between};

/// The calendar and its spans.
#[derive(Debug)]
pub(crate) struct Grid {
    first: Date,
    last: Date,
    /// In order, next to each other, none empty.
    pub(crate) spans: Vec<Range<usize>>,
}

/// Which side a day is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The factor was not answered.
    Unknown,
    Without,
    With,
}

/// One question on the grid: for each day its side, and its outcome measured from the first one.
#[derive(Debug)]
pub(crate) struct Pairs {
    sides: Vec<Side>,
    /// Not a number where not answered.
    outcomes: Vec<f64>,
    /// What was taken from each outcome.
    pub(crate) origin: f64,
}

impl Grid {
    /// Lays out the days that any outcome reaches over, if there is one.
    pub(crate) fn over<'a>(
        outcomes: impl Iterator<Item = &'a Series>,
        changes: &[Date],
    ) -> Option<Self> {
        let reach = outcomes.filter_map(Series::reach);
        let (first, last) = reach.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let inside = changes.iter().filter(|day| **day > first && **day <= last);
        let mut cuts: Vec<usize> = inside.map(|day| days_between(first, *day)).collect();
        cuts.extend([0, days_between(first, last) + 1]);
        cuts.sort_unstable();
        cuts.dedup();
        let spans = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        Some(Self { first, last, spans })
    }

    /// Iterates over the first and last day of each span.
    pub(crate) fn dates(&self) -> impl Iterator<Item = (Date, Date)> {
        let days: Vec<Date> = calendar(self.first, self.last).collect();
        let spans = self.spans.clone().into_iter();
        spans.filter_map(move |span| Some((*days.get(span.start)?, *days.get(span.end - 1)?)))
    }

    /// Lays a factor, as a rule that tells its side, and an outcome out on the days.
    pub(crate) fn pairs(
        &self,
        factor: &Series,
        is_with: impl Fn(f64) -> bool,
        outcome: &Series,
        lag: usize,
    ) -> Pairs {
        let side = |value: Option<f64>| match value {
            Some(value) if is_with(value) => Side::With,
            Some(_) => Side::Without,
            None => Side::Unknown,
        };
        let factors = factor.between(self.first, self.last);
        let mut sides = vec![Side::Unknown; factors.len()];
        for span in &self.spans {
            let later = sides[span.clone()].iter_mut().skip(lag);
            for (place, value) in later.zip(&factors[span.clone()]) {
                *place = side(*value);
            }
        }
        let outcomes = outcome.between(self.first, self.last);
        let origin = outcomes.iter().flatten().next().copied().unwrap_or(0.0);
        let outcomes = outcomes.into_iter();
        let outcomes = outcomes
            .map(|value| value.map_or(f64::NAN, |value| value - origin))
            .collect();
        Pairs {
            sides,
            outcomes,
            origin,
        }
    }
}

impl Pairs {
    /// Sums up each span, its outcomes turned against its sides by so many days.
    pub(crate) fn turned(&self, spans: &[Range<usize>], turns: &[usize]) -> Vec<Sides> {
        let turned = spans.iter().zip(turns).map(|(span, turn)| {
            let middle = span.start + turn;
            let (head, tail) = (
                &self.outcomes[middle..span.end],
                &self.outcomes[span.start..middle],
            );
            let sides = &self.sides[span.clone()];
            let (early, late) = sides.split_at(head.len());
            let mut sums = [Moments::default(); SIDES];
            add(&mut sums, early, head);
            add(&mut sums, late, tail);
            sums
        });
        turned.collect()
    }

    /// Sums up each span as it is.
    pub(crate) fn as_recorded(&self, spans: &[Range<usize>]) -> Vec<Sides> {
        self.turned(spans, &vec![0; spans.len()])
    }

    /// Adds the days of a range to the sums of its span.
    pub(crate) fn add(&self, sums: &mut Sides, days: Range<usize>) {
        add(sums, &self.sides[days.clone()], &self.outcomes[days]);
    }

    /// Returns how each day pulls at the difference within its span: its deviation from the mean of its side, signed and
    /// weighed by what the side weighs there; `None` on a day without a pair.
    pub(crate) fn influence(&self, spans: &[Range<usize>]) -> Vec<Option<f64>> {
        let mut influence = vec![None; self.sides.len()];
        for (span, sums) in spans.iter().zip(self.as_recorded(spans)) {
            let [without, with] =
                sums.map(|side| side.n as f64 / (sums[WITH].n + sums[WITHOUT].n) as f64);
            for day in span.clone() {
                let deviation = match self.sides[day] {
                    Side::Unknown => continue,
                    Side::With => without * (self.outcomes[day] - sums[WITH].mean()),
                    Side::Without => -with * (self.outcomes[day] - sums[WITHOUT].mean()),
                };
                influence[day] = (!deviation.is_nan()).then_some(deviation);
            }
        }
        influence
    }
}

fn add(sums: &mut Sides, sides: &[Side], outcomes: &[f64]) {
    for (side, outcome) in sides.iter().zip(outcomes) {
        if outcome.is_nan() {
            continue;
        }
        match side {
            Side::Unknown => {}
            Side::Without => sums[WITHOUT].add(*outcome),
            Side::With => sums[WITH].add(*outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn day(number: i8) -> Date {
        date(2026, 5, number)
    }

    fn series(values: &[(i8, f64)]) -> Series {
        Series::of(values.iter().map(|(number, value)| (day(*number), *value))).unwrap()
    }

    #[test]
    fn a_change_begins_a_span_and_no_pair_crosses_it() {
        let outcome = series(&[(2, 1.0), (3, 2.0), (4, 3.0), (5, 4.0)]);
        let factor = series(&[(1, 1.0), (2, 1.0), (3, 0.0), (4, 1.0), (5, 0.0)]);
        let changes = [day(4), day(4), day(2), day(9)];
        let grid = Grid::over([&outcome].into_iter(), &changes).unwrap();
        assert_eq!(grid.spans, [0..2, 2..4]);
        assert_eq!(
            grid.dates().collect::<Vec<_>>(),
            [(day(2), day(3)), (day(4), day(5))]
        );
        let pairs = grid.pairs(&factor, |value| value > 0.0, &outcome, 1);
        assert_eq!(
            pairs.sides,
            [Side::Unknown, Side::With, Side::Unknown, Side::With]
        );
        assert_eq!(
            (pairs.origin, &pairs.outcomes[..]),
            (1.0, &[0.0, 1.0, 2.0, 3.0][..])
        );
    }

    #[test]
    fn holes_turn_with_their_outcomes() {
        let outcome = series(&[(1, 5.0), (2, 6.0), (4, 8.0)]);
        let factor = series(&[(1, 1.0), (2, 0.0), (3, 0.0), (4, 1.0)]);
        let grid = Grid::over([&outcome].into_iter(), &[]).unwrap();
        let pairs = grid.pairs(&factor, |value| value > 0.0, &outcome, 0);
        let seen = |turn: usize| {
            let [without, with] = pairs.turned(&grid.spans, &[turn])[0];
            (without.n, without.mean(), with.n, with.mean())
        };
        assert_eq!(seen(0), (1, 1.0, 2, 1.5));
        // By one day: day 1 meets the outcome of day 2, day 2 a hole, day 3 that of day 4, day 4 that of day 1.
        assert_eq!(seen(1), (1, 3.0, 2, 0.5));
    }
}
