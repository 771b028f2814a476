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
    /// The difference within spans.
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
    /// The mean of the outcome on them, if there are any.
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
    /// Returns mean with − mean without, if the span has both sides.
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
        match compare(&pairs.as_recorded(&grid.spans)) {
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
