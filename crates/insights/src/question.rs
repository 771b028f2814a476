//! Questions asked of a journal, all at once, and what the days say.
//!
//! A question sets a factor beside an outcome a fixed number of days later. It is answered from at least
//! [`LEAST_PAIRED`] days that have both, [`LEAST_SIDE`] of them with the factor and as many without; only days in spans
//! that have both sides count, as the others cannot be compared. One question gets one verdict, over all spans between
//! treatment changes together: the spans' own figures are shown and never tested, since each would be one more chance
//! to find something by luck.

use jiff::civil::Date;

use crate::bootstrap::{Interval, interval};
use crate::contrast::{Contrast, Sides, WITH, WITHOUT, weight};
use crate::grid::{Grid, Pairs};
use crate::series::Series;
use crate::shift::{Turns, adjusted};
use crate::statistics::{quantile, sorted};

/// The fewest days with both the factor and the outcome.
pub const LEAST_PAIRED: usize = 30;
/// The fewest of these days with the factor, and without it.
pub const LEAST_SIDE: usize = 10;
/// The largest adjusted p that is a finding.
pub const FINDING: f64 = 0.05;
/// The most questions asked at once.
pub const MOST_QUESTIONS: usize = 64;

/// On which days the factor counts as there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Its value is at least this: 1 for yes/no as 1/0, or for a count.
    AtLeast(f64),
    /// Its value is above the person's own median, over all days on which it was answered.
    AboveMedian,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What may matter.
    pub factor: &'a Series,
    /// When it counts as there.
    pub split: Split,
    /// What it may matter for.
    pub outcome: &'a Series,
    /// How many days later the outcome is looked at; 0 is the same day.
    pub lag: usize,
}

/// How much is drawn at random, and from which seed: the same data with the same draws give the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The most turns of the outcomes against the factors, at least 20; where there are fewer, all are taken.
    pub turns: usize,
    /// Resampled journals for each interval; 0 leaves intervals out.
    pub replicates: usize,
    /// The seed.
    pub seed: u64,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            turns: 2000,
            replicates: 2000,
            seed: 1,
        }
    }
}

/// Questions that cannot be asked.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unaskable {
    /// More than [`MOST_QUESTIONS`].
    #[error("{asked} questions at once; at most {MOST_QUESTIONS}")]
    TooMany {
        /// How many.
        asked: usize,
    },
    /// With so few turns no p could be small enough.
    #[error("{turns} turns cannot show anything; at least 20")]
    TooFewTurns {
        /// How many.
        turns: usize,
    },
}

/// What came of all the questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// One answer for each question, in their order.
    pub answers: Vec<Answer>,
    /// First and last day of each span between treatment changes; none if no outcome was ever answered.
    pub spans: Vec<(Date, Date)>,
    /// The turns of the outcomes against the factors; none if there was nothing to compare.
    pub turns: Option<Turns>,
}

/// What came of one question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// There are not enough days yet.
    NotEnough(Shortage),
    /// The sides were compared.
    Compared(Comparison),
}

/// How many days there are where more are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Days that can be compared, of [`LEAST_PAIRED`].
    pub paired: usize,
    /// Those with the factor, of [`LEAST_SIDE`].
    pub with: usize,
    /// Those without it, of [`LEAST_SIDE`].
    pub without: usize,
}

/// The days with the factor beside the days without.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The difference within spans, drift taken out.
    pub contrast: Contrast,
    /// How far off it may be. None if the days with the factor lie too close together to tell, or no draws were wanted.
    pub interval: Option<Interval>,
    /// The share of turns in which any of the questions shows as much: 1 ÷ turns to 1.
    pub adjusted_p: f64,
    /// The days of each span, in the order of [`Answers::spans`].
    pub spans: Vec<SpanDays>,
}

/// The days of one span: shown, never tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanDays {
    /// Days with the factor.
    pub with: SideDays,
    /// Days without it.
    pub without: SideDays,
}

/// The days of one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SideDays {
    /// How many.
    pub days: usize,
    /// The mean of the outcome on them as it was recorded, drift and all, if there are any.
    pub mean: Option<f64>,
}

impl Answers {
    /// Returns how many questions were compared, for all of which every p is corrected.
    pub fn compared(&self) -> usize {
        let compared = |answer: &&Answer| matches!(answer, Answer::Compared(_));
        self.answers.iter().filter(compared).count()
    }
}

impl Comparison {
    /// Tells whether the difference is a finding: adjusted p ≤ [`FINDING`].
    pub fn went_together(&self) -> bool {
        self.adjusted_p <= FINDING
    }

    /// Returns the compared days with the factor and without it: those of spans that have both.
    pub fn days(&self) -> (usize, usize) {
        let both = self.spans.iter().filter(|span| span.difference().is_some());
        both.fold((0, 0), |(with, without), span| {
            (with + span.with.days, without + span.without.days)
        })
    }
}

impl SpanDays {
    /// Returns mean with − mean without as recorded, if the span has both sides. The drift is in it, unlike in
    /// [`Contrast::difference`].
    pub fn difference(&self) -> Option<f64> {
        Some(self.with.mean? - self.without.mean?)
    }
}

/// Asks all the questions together. Days on which the treatment changed begin a new span.
///
/// # Errors
/// [`Unaskable`] if they are too many, or the turns too few.
pub fn ask(
    questions: &[Question<'_>],
    changes: &[Date],
    draws: Draws,
) -> Result<Answers, Unaskable> {
    let asked = questions.len();
    if asked > MOST_QUESTIONS {
        return Err(Unaskable::TooMany { asked });
    }
    let turns = draws.turns;
    if turns < (1.0 / FINDING) as usize {
        return Err(Unaskable::TooFewTurns { turns });
    }
    let outcomes = questions.iter().map(|question| question.outcome);
    let Some(grid) = Grid::over(outcomes, changes) else {
        let none = Answer::NotEnough(Shortage {
            paired: 0,
            with: 0,
            without: 0,
        });
        return Ok(Answers {
            answers: vec![none; asked],
            spans: Vec::new(),
            turns: None,
        });
    };
    Ok(on_grid(questions, &grid, draws))
}

fn on_grid(questions: &[Question<'_>], grid: &Grid, draws: Draws) -> Answers {
    let mut laid_out = Vec::new();
    let mut contrasts = Vec::new();
    let mut answers: Vec<Option<Answer>> = Vec::new();
    for question in questions {
        let pairs = lay_out(question, grid);
        match compare(&pairs.in_order(&grid.spans)) {
            Ok(contrast) => {
                laid_out.push(pairs);
                contrasts.push(contrast);
                answers.push(None);
            }
            Err(shortage) => answers.push(Some(Answer::NotEnough(shortage))),
        }
    }
    let observed: Vec<f64> = contrasts.iter().map(|contrast| contrast.t).collect();
    let (adjusted, turns) = adjusted(&laid_out, &observed, &grid.spans, draws.turns, draws.seed);
    let mut compared =
        laid_out
            .iter()
            .zip(contrasts)
            .zip(adjusted)
            .map(|((pairs, contrast), adjusted_p)| {
                Answer::Compared(Comparison {
                    contrast,
                    interval: interval(pairs, &grid.spans, draws.replicates, draws.seed),
                    adjusted_p,
                    spans: pairs
                        .as_recorded(&grid.spans)
                        .iter()
                        .map(|sides| span_days(sides, pairs.origin))
                        .collect(),
                })
            });
    Answers {
        answers: answers
            .into_iter()
            .filter_map(|answer| answer.or_else(|| compared.next()))
            .collect(),
        spans: grid.dates().collect(),
        turns: (!observed.is_empty()).then_some(turns),
    }
}

fn lay_out(question: &Question<'_>, grid: &Grid) -> Pairs {
    let least = match question.split {
        Split::AtLeast(least) => Some(least),
        Split::AboveMedian => None,
    };
    let median = quantile(&sorted(question.factor.iter().map(|(_, value)| value)), 0.5);
    let is_with = |value: f64| match least {
        Some(least) => value >= least,
        None => median.is_some_and(|median| value > median),
    };
    grid.pairs(question.factor, is_with, question.outcome, question.lag)
}

/// Compares the sides if there are days enough, in spans that have both.
fn compare(spans: &[Sides]) -> Result<Contrast, Shortage> {
    let both = spans.iter().filter(|sides| weight(sides) > 0.0);
    let (without, with) = both.fold((0, 0), |(without, with), sides| {
        (without + sides[WITHOUT].n, with + sides[WITH].n)
    });
    let shortage = Shortage {
        paired: with + without,
        with,
        without,
    };
    if shortage.paired < LEAST_PAIRED || with.min(without) < LEAST_SIDE {
        return Err(shortage);
    }
    Contrast::of(spans).ok_or(shortage)
}

fn span_days(sides: &Sides, origin: f64) -> SpanDays {
    let side = |place: usize| {
        let days = sides[place].n;
        SideDays {
            days,
            mean: (days > 0).then(|| sides[place].mean() + origin),
        }
    };
    SpanDays {
        with: side(WITH),
        without: side(WITHOUT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::InvalidSeries;
    use jiff::civil::date;

    /// A series of the days of 2026, from its values by day of the year, from 0.
    fn series(value: impl Fn(i64) -> Option<f64>, days: i64) -> Series {
        let day = |number| date(2026, 1, 1) + jiff::Span::new().days(number);
        let days = (0..days).filter_map(|number| Some((day(number), value(number)?)));
        let series: Result<Series, InvalidSeries> = Series::of(days);
        series.unwrap()
    }

    /// Without any order to see, yet the same each time.
    fn scattered(number: i64) -> f64 {
        (number * number * 7 % 31 % 10) as f64
    }

    fn yes_on(rule: impl Fn(i64) -> bool, days: i64) -> Series {
        series(|number| Some(f64::from(u8::from(rule(number)))), days)
    }

    fn question<'a>(factor: &'a Series, outcome: &'a Series, lag: usize) -> Question<'a> {
        Question {
            factor,
            split: Split::AtLeast(1.0),
            outcome,
            lag,
        }
    }

    fn only(answers: &Answers) -> &Answer {
        assert_eq!(answers.answers.len(), 1);
        &answers.answers[0]
    }

    fn answered(questions: &[Question<'_>], changes: &[Date]) -> Answers {
        ask(questions, changes, Draws::default()).unwrap()
    }

    #[test]
    fn thirty_paired_days_and_ten_a_side_are_needed() {
        let outcome = series(|number| Some(scattered(number)), 30);
        let third = yes_on(|number| number % 3 == 0, 30);
        assert!(matches!(
            only(&answered(&[question(&third, &outcome, 0)], &[])),
            Answer::Compared(_)
        ));
        let next_day = answered(&[question(&third, &outcome, 1)], &[]);
        let short = Shortage {
            paired: 29,
            with: 10,
            without: 19,
        };
        assert_eq!(
            (only(&next_day), next_day.turns),
            (&Answer::NotEnough(short), None)
        );
        let nine = yes_on(|number| number % 3 == 0 && number > 0, 30);
        let short = Shortage {
            paired: 30,
            with: 9,
            without: 21,
        };
        let answers = answered(&[question(&nine, &outcome, 0)], &[]);
        assert_eq!(only(&answers), &Answer::NotEnough(short));
    }

    #[test]
    fn a_missing_day_is_not_a_zero() {
        let outcome = series(|number| (number % 4 != 1).then(|| scattered(number)), 60);
        let factor = series(
            |number| (number % 5 != 1).then_some((number % 2) as f64),
            60,
        );
        let answers = answered(&[question(&factor, &outcome, 0)], &[]);
        let Answer::Compared(comparison) = only(&answers) else {
            panic!("{answers:?}");
        };
        let paired = |side: i64| {
            (0..60)
                .filter(|day| day % 4 != 1 && day % 5 != 1 && day % 2 == side)
                .count()
        };
        assert_eq!(comparison.days(), (paired(1), paired(0)));
        assert_eq!(answers.turns, Some(Turns::All(60)));
    }

    #[test]
    fn a_treatment_change_does_not_pass_for_the_factor() {
        // From day 60 to day 120 everything is 4 points better, and the factor is there far more often.
        let better = |number: i64| (60..120).contains(&number);
        let outcome = series(
            |number| Some(scattered(number) / 5.0 - if better(number) { 4.0 } else { 0.0 }),
            180,
        );
        let factor = yes_on(
            |number| number * 5 % 7 < if better(number) { 5 } else { 2 },
            180,
        );
        let changes = [60, 120].map(|number| date(2026, 1, 1) + jiff::Span::new().days(number));
        let difference =
            |changes: &[Date]| match only(&answered(&[question(&factor, &outcome, 0)], changes)) {
                Answer::Compared(comparison) => comparison.contrast.difference,
                short => panic!("{short:?}"),
            };
        assert!(difference(&[]) < -1.0, "{}", difference(&[]));
        assert!(difference(&changes).abs() < 0.3, "{}", difference(&changes));
    }

    #[test]
    fn a_drift_does_not_pass_for_the_factor() {
        // Everything grows steadily worse, and the factor is there more and more often.
        let outcome = series(
            |number| Some(number as f64 / 30.0 + scattered(number) / 5.0),
            120,
        );
        let factor = yes_on(|number| number * 5 % 12 < number / 10, 120);
        let answers = answered(&[question(&factor, &outcome, 0)], &[]);
        let Answer::Compared(comparison) = only(&answers) else {
            panic!("{answers:?}");
        };
        let recorded = comparison.spans[0].difference();
        assert!(
            recorded.is_some_and(|recorded| recorded > 0.8),
            "{recorded:?}"
        );
        assert!(comparison.contrast.difference.abs() < 0.3, "{comparison:?}");
        assert!(!comparison.went_together());
    }

    #[test]
    fn a_span_with_one_side_only_is_not_counted() {
        let outcome = series(|number| Some(scattered(number)), 70);
        let factor = yes_on(|number| number < 40 && number % 2 == 0, 70);
        let change = date(2026, 1, 1) + jiff::Span::new().days(40);
        let answers = answered(&[question(&factor, &outcome, 0)], &[change]);
        let Answer::Compared(comparison) = only(&answers) else {
            panic!("{answers:?}");
        };
        assert_eq!(comparison.days(), (20, 20));
        let late = comparison.spans[1];
        assert_eq!(
            (late.with.days, late.without.days, late.difference()),
            (0, 30, None)
        );
        // 40 × 30 combinations of turns.
        assert_eq!(answers.turns, Some(Turns::All(1200)));
    }

    #[test]
    fn more_questions_make_each_finding_harder() {
        let outcome = series(|number| Some(scattered(number)), 50);
        let factors: Vec<Series> = (0..8)
            .map(|which| yes_on(|number| (number * (which + 3) + which) % 11 < 4, 50))
            .collect();
        let questions: Vec<Question<'_>> = factors
            .iter()
            .map(|factor| question(factor, &outcome, 0))
            .collect();
        let p = |questions: &[Question<'_>]| match &answered(questions, &[]).answers[0] {
            Answer::Compared(comparison) => comparison.adjusted_p,
            short => panic!("{short:?}"),
        };
        assert!(
            p(&questions) > p(&questions[..1]),
            "{} {}",
            p(&questions),
            p(&questions[..1])
        );
    }

    #[test]
    fn the_same_data_give_the_same_answer() {
        let outcome = series(|number| Some(scattered(number)), 3000);
        let factor = yes_on(|number| number % 3 == 0, 3000);
        let questions = [question(&factor, &outcome, 1)];
        let first = answered(&questions, &[]);
        assert_eq!(first.turns, Some(Turns::Drawn(2000)));
        assert_eq!(first, answered(&questions, &[]));
        // On every machine and in every version: pinned, so that another generator would be noticed.
        let Answer::Compared(comparison) = only(&first) else {
            panic!("{first:?}");
        };
        let interval = comparison.interval.unwrap();
        let pinned = (
            comparison.adjusted_p,
            interval.low,
            interval.high,
            interval.block,
        );
        assert_eq!(
            pinned,
            (0.3795, -0.27502477699407263, 0.27355024625284613, 9)
        );
        let other = Draws {
            seed: 2,
            ..Draws::default()
        };
        assert_ne!(first, ask(&questions, &[], other).unwrap());
    }

    #[test]
    fn nothing_to_ask_about_gives_nothing() {
        let empty = Series::default();
        let answers = answered(&[question(&empty, &empty, 0)], &[date(2026, 1, 1)]);
        assert_eq!(
            only(&answers),
            &Answer::NotEnough(Shortage {
                paired: 0,
                with: 0,
                without: 0
            })
        );
        assert_eq!(answered(&[], &[]).answers, []);
        let many = vec![question(&empty, &empty, 0); MOST_QUESTIONS + 1];
        let refused = ask(&many, &[], Draws::default());
        assert_eq!(
            refused,
            Err(Unaskable::TooMany {
                asked: MOST_QUESTIONS + 1
            })
        );
        let few = Draws {
            turns: 19,
            ..Draws::default()
        };
        assert_eq!(
            ask(&[], &[], few),
            Err(Unaskable::TooFewTurns { turns: 19 })
        );
        let unvarying = series(|_| Some(5.0), 40);
        let factor = yes_on(|number| number % 2 == 0, 40);
        let answers = answered(&[question(&factor, &unvarying, 0)], &[]);
        assert!(
            matches!(only(&answers), Answer::Compared(comparison) if comparison.adjusted_p == 1.0)
        );
    }

    #[test]
    fn a_factor_that_came_in_one_stretch_of_slow_days_has_no_interval() {
        let outcome = series(|number| Some((number as f64 / 6.0).sin()), 40);
        let interval =
            |factor: Series| match only(&answered(&[question(&factor, &outcome, 0)], &[])) {
                Answer::Compared(comparison) => comparison.interval,
                short => panic!("{short:?}"),
            };
        assert_eq!(interval(yes_on(|number| number < 10, 40)), None);
        assert!(interval(yes_on(|number| number % 4 == 0, 40)).is_some());
    }
}
