//! How often the method errs: simulated journals with a known truth, asked eight questions each.
//!
//! ```text
//! cargo xtask calibrate
//! ```
//!
//! Prints the tables of the crate's README. The journals come from a fixed seed. The tests at the end run fewer of them, and
//! hold the method to its bounds.

use std::thread;

use insights::Series;
use insights::preset::FIRST_LOOK;
use insights::question::{Answer, Answers, Draws, LEAST_PAIRED, Question, Split, ask};
use jiff::civil::{Date, date};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Journals for each figure that has a bound.
const JOURNALS: usize = 4000;
/// Journals for each other figure.
const FEWER: usize = 1000;
/// Resampled journals for each interval.
const REPLICATES: usize = 1000;
/// Days between the looks of someone who asks again and again.
const WEEK: usize = 7;
const AUTOCORRELATIONS: [f64; 4] = [0.0, 0.3, 0.6, 0.8];
const DAYS: [usize; 4] = [30, 60, 90, 180];
const QUESTIONS: usize = 8;
/// Standard deviation of the outcome, in points.
const NOISE: f64 = 1.5;
const FIRST: Date = date(2026, 1, 1);
/// A yes/no factor is there where its underlying level is above this: on two days of five.
const THERE: f64 = 0.25;

/// What a simulated journal is like.
#[derive(Clone, Copy, Debug)]
struct Truth {
    /// How much each day resembles the day before, in the outcome and in every factor.
    autocorrelation: f64,
    /// Days that a question can pair, before any are missing.
    days: usize,
    /// Points that the outcome is higher on days with the first factor.
    effect: f64,
    /// The share of the days without an answer, for each factor and the outcome apart.
    missing: f64,
    /// Points that the outcome falls by, and levels that every factor rises by, at a treatment change half-way.
    change: f64,
    /// Whether the journal says so.
    recorded: bool,
    /// Points that the outcome, and levels that every factor, drifts by from the first day to the last.
    drift: f64,
}

impl Truth {
    fn nothing(autocorrelation: f64, days: usize) -> Self {
        Self {
            autocorrelation,
            days,
            effect: 0.0,
            missing: 0.0,
            change: 0.0,
            recorded: true,
            drift: 0.0,
        }
    }
}

/// What was seen in many journals.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Journals with any finding.
    any: usize,
    /// Journals in which the first question was a finding.
    first: usize,
    /// Questions compared, and asked.
    compared: usize,
    asked: usize,
}

struct Journal {
    factors: Vec<Series>,
    outcome: Series,
    changes: Vec<Date>,
}

impl Journal {
    fn draw(truth: Truth, random: &mut Xoshiro256PlusPlus) -> Self {
        // One day more than is paired, for the questions about the next day.
        let days = truth.days + 1;
        let change_day = days / 2;
        let changed = |day: usize| if day < change_day { 0.0 } else { truth.change };
        let drifted = |day: usize| truth.drift * (day as f64 / days as f64 - 0.5);
        let levels = (0..QUESTIONS).map(|_| {
            let level = walk(truth.autocorrelation, days, random).into_iter();
            level
                .enumerate()
                .map(|(day, level)| level + changed(day) + drifted(day))
                .collect::<Vec<_>>()
        });
        let levels: Vec<Vec<f64>> = levels.collect();
        let noise = walk(truth.autocorrelation, days, random).into_iter();
        let outcome = noise
            .zip(&levels[0])
            .enumerate()
            .map(|(day, (noise, level))| {
                let effect = if *level > THERE { truth.effect } else { 0.0 };
                // As it is logged: whole points from 0 to 10.
                (5.0 + NOISE * noise + effect - changed(day) + drifted(day))
                    .round()
                    .clamp(0.0, 10.0)
            });
        let outcome = series(&outcome.collect::<Vec<_>>(), truth.missing, random);
        let factor = |(index, level): (usize, &Vec<f64>)| {
            let values = level.iter().map(|level| match split(index) {
                Split::AtLeast(_) => f64::from(u8::from(*level > THERE)),
                Split::AboveMedian => *level,
            });
            series(&values.collect::<Vec<_>>(), truth.missing, random)
        };
        let factors = levels.iter().enumerate().map(factor).collect();
        let change = days_after(change_day);
        Self {
            factors,
            outcome,
            changes: change
                .filter(|_| truth.change != 0.0 && truth.recorded)
                .into_iter()
                .collect(),
        }
    }

    /// Returns what there was of it after so many days that a question can pair.
    fn until(&self, days: usize) -> Self {
        let early = |series: &Series| {
            let last = days_after(days);
            let days = series.iter().filter(|(day, _)| Some(*day) <= last);
            Series::of(days).expect("a part of a series")
        };
        Self {
            factors: self.factors.iter().map(early).collect(),
            outcome: early(&self.outcome),
            changes: self.changes.clone(),
        }
    }

    /// Asks all the questions, without intervals.
    fn ask(&self, seed: u64) -> Answers {
        let draws = Draws {
            replicates: 0,
            seed,
            ..Draws::default()
        };
        ask(&self.questions(), &self.changes, draws).expect("eight questions can be asked")
    }

    fn questions(&self) -> Vec<Question<'_>> {
        let factors = self.factors.iter().enumerate();
        let question = |(index, factor)| Question {
            factor,
            split: split(index),
            outcome: &self.outcome,
            // The first four about the same day and the next in turn, and so the other four.
            lag: index % 2,
        };
        factors.map(question).collect()
    }
}

/// The first four factors are yes/no, the others levels.
fn split(index: usize) -> Split {
    if index < QUESTIONS / 2 {
        Split::AtLeast(1.0)
    } else {
        Split::AboveMedian
    }
}

/// Draws a stationary first-order autoregression of variance 1.
fn walk(autocorrelation: f64, days: usize, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let fresh = (1.0 - autocorrelation * autocorrelation).sqrt();
    let mut level: f64 = StandardNormal.sample(random);
    (0..days)
        .map(|_| {
            let today = level;
            let shock: f64 = StandardNormal.sample(random);
            level = autocorrelation * level + fresh * shock;
            today
        })
        .collect()
}

fn series(values: &[f64], missing: f64, random: &mut Xoshiro256PlusPlus) -> Series {
    let days = (0..).map_while(days_after).zip(values.iter().copied());
    Series::of(days.filter(|_| !random.random_bool(missing))).expect("finite values, a day each")
}

fn days_after(days: usize) -> Option<Date> {
    FIRST
        .checked_add(jiff::Span::new().days(i64::try_from(days).ok()?))
        .ok()
}

fn went_together(answer: &Answer) -> bool {
    matches!(answer, Answer::Compared(comparison) if comparison.went_together())
}

/// Asks so many journals of one truth, each with its own seed.
fn simulate(truth: Truth, journals: usize) -> Seen {
    let mut seen = Seen::default();
    for seed in 0..journals as u64 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let answers = Journal::draw(truth, &mut random).ask(seed);
        seen.asked += answers.answers.len();
        seen.compared += answers.compared();
        seen.any += usize::from(answers.answers.iter().any(went_together));
        seen.first += usize::from(went_together(&answers.answers[0]));
    }
    seen
}

/// Counts the intervals of the first question, and those that hold the true effect.
fn intervals(truth: Truth, journals: usize) -> (usize, usize) {
    let (mut count, mut holding) = (0, 0);
    for seed in 0..journals as u64 {
        let journal = Journal::draw(truth, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let draws = Draws {
            replicates: REPLICATES,
            seed,
            ..Draws::default()
        };
        let first = &journal.questions()[..1];
        let answers = ask(first, &journal.changes, draws).expect("one question can be asked");
        if let Answer::Compared(comparison) = &answers.answers[0]
            && let Some(interval) = comparison.interval
        {
            count += 1;
            holding += usize::from((interval.low..=interval.high).contains(&truth.effect));
        }
    }
    (count, holding)
}

/// Counts the journals that had a finding after any of so many days, asked each time.
fn ever(truth: Truth, journals: usize, looks: &[usize]) -> usize {
    let ever = |seed: &u64| {
        let journal = Journal::draw(truth, &mut Xoshiro256PlusPlus::seed_from_u64(*seed));
        looks.iter().any(|days| {
            journal
                .until(*days)
                .ask(*seed)
                .answers
                .iter()
                .any(went_together)
        })
    };
    (0..journals as u64).filter(ever).count()
}

/// The most that a share of `limit` gives by luck in 99 of 100 runs.
fn bound(limit: f64, journals: usize) -> f64 {
    limit + 2.326 * (limit * (1.0 - limit) / journals as f64).sqrt()
}

/// The share of journals with a false finding that is allowed.
fn limit(autocorrelation: f64) -> f64 {
    if autocorrelation < 0.8 { 0.05 } else { 0.10 }
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// Prints one figure for each autocorrelation and length, as Markdown.
fn table(title: &str, cell: impl Fn(f64, usize) -> String + Sync) {
    println!("\n**{title}**\n");
    let heads = DAYS.map(|days| format!("{days} days"));
    println!(
        "| autocorrelation | {} |\n|---|{}",
        heads.join(" | "),
        "---|".repeat(DAYS.len())
    );
    for autocorrelation in AUTOCORRELATIONS {
        let cells = thread::scope(|scope| {
            let cell = &cell;
            let running = DAYS.map(|days| scope.spawn(move || cell(autocorrelation, days)));
            running.map(|running| running.join().expect("a simulation does not panic"))
        });
        println!("| {autocorrelation} | {} |", cells.join(" | "));
    }
}

fn main() {
    println!(
        "{QUESTIONS} questions a journal, noise of {NOISE} points (sd); the autocorrelation is that of the outcome and of \
         every factor. {JOURNALS} journals for each figure of the first table, {FEWER} for the others."
    );
    false_findings();
    true_findings();
    beyond();
}

fn false_findings() {
    table(
        "Journals without any effect that show a finding (✓: within its 99 % bound)",
        |rho, days| {
            let seen = simulate(Truth::nothing(rho, days), JOURNALS);
            let rate = seen.any as f64 / JOURNALS as f64;
            let within = rate <= bound(limit(rho), JOURNALS);
            format!(
                "{} {}",
                share(seen.any, JOURNALS),
                if within { "✓" } else { "✗" }
            )
        },
    );
    table(
        "The same, where each answer is missing on one day of five",
        |rho, days| {
            any_finding(Truth {
                missing: 0.2,
                ..Truth::nothing(rho, days)
            })
        },
    );
    let change = "a recorded treatment change half-way moves the outcome down 2 points and every factor up 2 levels";
    table(&format!("The same, where {change}"), |rho, days| {
        any_finding(Truth {
            change: 2.0,
            ..Truth::nothing(rho, days)
        })
    });
    let drift = "the outcome and every factor drift upwards, by 2 points and levels from the first day to the last";
    table(&format!("The same, where {drift}"), |rho, days| {
        any_finding(Truth {
            drift: 2.0,
            ..Truth::nothing(rho, days)
        })
    });
}

fn true_findings() {
    let effect = |rho, days| Truth {
        effect: NOISE,
        ..Truth::nothing(rho, days)
    };
    table("A true effect of 1.5 points that is found", |rho, days| {
        share(simulate(effect(rho, days), FEWER).first, FEWER)
    });
    table("95 % intervals of that effect that hold it", |rho, days| {
        let (count, holding) = intervals(effect(rho, days), FEWER);
        share(holding, count)
    });
    table(
        "Questions that have days enough to be compared",
        |rho, days| {
            let seen = simulate(Truth::nothing(rho, days), FEWER);
            share(seen.compared, seen.asked)
        },
    );
}

/// What the method guards against badly or not at all.
fn beyond() {
    let change =
        "a treatment change half-way, moving them by 2 points and levels, is *not* recorded";
    table(
        &format!("Journals without any effect that show a finding, where {change}"),
        |rho, days| {
            any_finding(Truth {
                change: 2.0,
                recorded: false,
                ..Truth::nothing(rho, days)
            })
        },
    );
    table(
        "Journals without any effect that showed a finding in *any* week, asked every week",
        |rho, days| {
            let looks: Vec<usize> = (LEAST_PAIRED..=days).step_by(WEEK).collect();
            share(ever(Truth::nothing(rho, days), FEWER, &looks), FEWER)
        },
    );
    table(
        "The same, answered anew only as `preset` does it, after 30, 60, 120 days and so on",
        |rho, days| {
            let looks = std::iter::successors(Some(FIRST_LOOK), |look| Some(2 * look));
            let looks: Vec<usize> = looks.take_while(|look| *look <= days).collect();
            share(ever(Truth::nothing(rho, days), FEWER, &looks), FEWER)
        },
    );
}

fn any_finding(truth: Truth) -> String {
    let seen = simulate(truth, FEWER);
    // Where no question has days enough, none was put to the test.
    if seen.compared == 0 {
        share(0, 0)
    } else {
        share(seen.any, FEWER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rarely_found_where_nothing_is() {
        for autocorrelation in AUTOCORRELATIONS {
            for days in DAYS {
                let journals = 400;
                let seen = simulate(Truth::nothing(autocorrelation, days), journals);
                let rate = seen.any as f64 / journals as f64;
                let bound = bound(limit(autocorrelation), journals);
                assert!(
                    rate <= bound,
                    "autocorrelation {autocorrelation}, {days} days: {rate} > {bound}"
                );
            }
        }
    }

    #[test]
    fn holes_changes_and_drift_do_not_pass_for_findings() {
        let journals = 200;
        let nothing = Truth::nothing(0.3, 90);
        for truth in [
            Truth {
                missing: 0.2,
                ..nothing
            },
            Truth {
                change: 2.0,
                ..nothing
            },
            Truth {
                drift: 2.0,
                ..nothing
            },
        ] {
            let seen = simulate(truth, journals);
            let rate = seen.any as f64 / journals as f64;
            assert!(rate <= bound(limit(0.3), journals), "{truth:?}: {rate}");
        }
    }

    #[test]
    fn a_true_effect_is_found() {
        let truth = Truth {
            effect: NOISE,
            ..Truth::nothing(0.3, 90)
        };
        let seen = simulate(truth, 400);
        assert!(seen.first >= 320, "found in {} of 400", seen.first);
    }
}
