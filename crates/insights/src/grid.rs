//! The calendar on which all questions are laid out: the same days, cut into the same spans, for every one of them.
//!
//! It reaches from the first to the last day on which any outcome was answered. A treatment change begins a new span on
//! its own day. A factor is moved later by its lag, so that a pair stands on the day of its outcome; a pair whose two days
//! lie in different spans is none. A day without a value stays a hole: `Side::Unknown`, or no number.
//!
//! The straight drift of the outcome within each span is taken out: whatever else rose or fell in the same months would
//! seem to go together with it (Yule, "Why do we sometimes get nonsense-correlations between time-series?", Journal of the
//! Royal Statistical Society 89(1), 1926).

use std::ops::Range;

use jiff::civil::Date;

use crate::contrast::{Moments, SIDES, Sides, WITH, WITHOUT};
use crate::series::{Series, calendar, days_between};

/// The fewest answered days of a span that are freed of their drift.
const LEAST_LEVELLED: usize = 3;
/// Deviations from a line this small, relative to the largest from its mean, are rounding.
const ROUNDING: f64 = 1e-12;

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
    /// Without their drift; not a number where not answered.
    outcomes: Vec<f64>,
    /// With it.
    recorded: Vec<f64>,
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
        let recorded = outcome.between(self.first, self.last);
        let origin = recorded.iter().flatten().next().copied().unwrap_or(0.0);
        let measured = recorded.into_iter();
        let measured = measured.map(|value| value.map_or(f64::NAN, |value| value - origin));
        let recorded: Vec<f64> = measured.collect();
        let mut outcomes = recorded.clone();
        for span in &self.spans {
            level_out(&mut outcomes[span.clone()]);
        }
        Pairs {
            sides,
            outcomes,
            recorded,
            origin,
        }
    }
}

/// Takes the straight line of least squares through the answered days out of them, around their middle, so that their mean
/// stays. Fewer than three days have no drift to speak of.
fn level_out(days: &mut [f64]) {
    let answered = || days.iter().enumerate().filter(|(_, value)| !value.is_nan());
    let n = answered().count();
    if n < LEAST_LEVELLED {
        return;
    }
    let middle = answered().map(|(day, _)| day as f64).sum::<f64>() / n as f64;
    let spread: f64 = answered()
        .map(|(day, _)| (day as f64 - middle).powi(2))
        .sum();
    let mean = answered().map(|(_, value)| value).sum::<f64>() / n as f64;
    let together = answered().map(|(day, value)| (day as f64 - middle) * (value - mean));
    let slope = together.sum::<f64>() / spread;
    let largest = answered()
        .map(|(_, value)| (value - mean).abs())
        .fold(0.0, f64::max);
    for (day, value) in days.iter_mut().enumerate() {
        let levelled = *value - slope * (day as f64 - middle);
        // What only rounding left of a straight line varies by nothing.
        *value = if (levelled - mean).abs() > ROUNDING * largest || value.is_nan() {
            levelled
        } else {
            mean
        };
    }
}

impl Pairs {
    /// Sums up each span without its drift, its outcomes turned against its sides by so many days.
    pub(crate) fn turned(&self, spans: &[Range<usize>], turns: &[usize]) -> Vec<Sides> {
        let turned = spans.iter().zip(turns).map(|(span, turn)| {
            let middle = span.start + turn;
            let (head, tail) = (
                &self.outcomes[middle..span.end],
                &self.outcomes[span.start..middle],
            );
            let (early, late) = self.sides[span.clone()].split_at(head.len());
            let mut sums = [Moments::default(); SIDES];
            add(&mut sums, early, head);
            add(&mut sums, late, tail);
            sums
        });
        turned.collect()
    }

    /// Sums up each span without its drift, in the recorded order.
    pub(crate) fn in_order(&self, spans: &[Range<usize>]) -> Vec<Sides> {
        self.turned(spans, &vec![0; spans.len()])
    }

    /// Sums up each span as it was recorded, drift and all.
    pub(crate) fn as_recorded(&self, spans: &[Range<usize>]) -> Vec<Sides> {
        let recorded = spans.iter().map(|span| {
            let mut sums = [Moments::default(); SIDES];
            add(
                &mut sums,
                &self.sides[span.clone()],
                &self.recorded[span.clone()],
            );
            sums
        });
        recorded.collect()
    }

    /// Adds the days of a range to the sums of its span.
    pub(crate) fn add(&self, sums: &mut Sides, days: Range<usize>) {
        add(sums, &self.sides[days.clone()], &self.outcomes[days]);
    }

    /// Returns how each day pulls at the difference within its span: its deviation from the mean of its side, signed and
    /// weighed by what the side weighs there; `None` on a day without a pair.
    pub(crate) fn influence(&self, spans: &[Range<usize>]) -> Vec<Option<f64>> {
        let mut influence = vec![None; self.sides.len()];
        for (span, sums) in spans.iter().zip(self.in_order(spans)) {
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
            (pairs.origin, &pairs.recorded[..]),
            (1.0, &[0.0, 1.0, 2.0, 3.0][..])
        );
    }

    #[test]
    fn holes_turn_with_their_outcomes() {
        let outcome = series(&[(1, 8.0), (2, 5.0), (4, 6.5)]);
        let factor = series(&[(1, 1.0), (2, 0.0), (3, 0.0), (4, 1.0)]);
        let grid = Grid::over([&outcome].into_iter(), &[]).unwrap();
        let mut pairs = grid.pairs(&factor, |value| value > 0.0, &outcome, 0);
        pairs.outcomes = pairs.recorded.clone();
        let seen = |turn: usize| {
            let [without, with] = pairs.turned(&grid.spans, &[turn])[0];
            (without.n, without.mean(), with.n, with.mean())
        };
        assert_eq!(seen(0), (1, -3.0, 2, -0.75));
        // By one day: day 1 meets the outcome of day 2, day 2 a hole, day 3 that of day 4, day 4 that of day 1.
        assert_eq!(seen(1), (1, -1.5, 2, -1.5));
    }

    #[test]
    fn a_straight_drift_leaves_nothing_and_the_mean_stays() {
        let mut line = [1.0, 2.0, f64::NAN, 4.0, 5.0];
        level_out(&mut line);
        let answered: Vec<f64> = line.into_iter().filter(|value| !value.is_nan()).collect();
        assert_eq!(answered, [3.0; 4]);
        let mut bent = [0.0, 2.0, 1.0];
        level_out(&mut bent);
        let expected = [0.5, 2.0, 0.5];
        assert!(
            bent.iter()
                .zip(expected)
                .all(|(one, other)| (one - other).abs() < 1e-12)
        );
        let mut two = [0.0, f64::NAN, 3.0];
        level_out(&mut two);
        assert_eq!((two[0], two[2]), (0.0, 3.0));
    }
}
