//! Fixed data and what this crate makes of them, as JSON, for an independent script to reproduce.
//!
//! ```text
//! cargo run --package ebb-insights --example figures
//! ```
//!
//! A list of cases; each has a `kind`, its data, and our `figures`. Values of consecutive days, `null` where there is none;
//! days are numbered from 0. Run by `cargo xtask conformance`.

use insights::presence::{Presence, beside_gaps, with_and_without};
use insights::question::{Answer, Comparison, Draws, Question, Split, ask};
use insights::statistics::{Summary, autocorrelation, quantile, sorted};
use insights::{Series, Turns};
use jiff::civil::{Date, date};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde_json::{Value, json};

const FIRST: Date = date(2026, 1, 1);

fn main() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut cases = Vec::new();
    for n in [1, 2, 7, 50] {
        cases.push(summary(&levels(n, 0.0, &mut random)));
    }
    cases.push(correlation(&levels(60, 0.6, &mut random)));
    let gappy = levels(90, 0.6, &mut random);
    cases.push(correlation(&with_holes(&gappy, 0.25, &mut random)));
    cases.push(presence(&mut random));
    // The first two have at most as many turns as are taken, so that all are; of the others they are drawn.
    let asked: [(usize, &[usize]); 4] = [(45, &[]), (80, &[37]), (90, &[31, 64]), (200, &[120])];
    for (days, changes) in asked {
        cases.push(questions(days, changes, &mut random));
    }
    println!("{}", Value::from(cases));
}

/// Draws levels that resemble the day before, around 5.
fn levels(days: usize, resemblance: f64, random: &mut Xoshiro256PlusPlus) -> Vec<Option<f64>> {
    let mut level = 0.0;
    let mut next = || {
        let shock: f64 = StandardNormal.sample(random);
        level = resemblance * level + shock;
        Some(5.0 + level)
    };
    (0..days).map(|_| next()).collect()
}

fn with_holes(
    values: &[Option<f64>],
    missing: f64,
    random: &mut Xoshiro256PlusPlus,
) -> Vec<Option<f64>> {
    values
        .iter()
        .map(|value| value.filter(|_| !random.random_bool(missing)))
        .collect()
}

fn day(number: usize) -> Date {
    let days = i64::try_from(number).expect("a few hundred days");
    FIRST + jiff::Span::new().days(days)
}

fn series(values: &[Option<f64>]) -> Series {
    let days = values.iter().enumerate();
    let days = days.filter_map(|(number, value)| Some((day(number), (*value)?)));
    Series::of(days).expect("finite values, a day each")
}

fn summarised(summary: Option<Summary>) -> Value {
    summary.map_or(Value::Null, |summary| {
        json!({
            "n": summary.n, "mean": summary.mean, "median": summary.median,
            "lower": summary.lower, "upper": summary.upper, "iqr": summary.iqr(),
        })
    })
}

fn summary(values: &[Option<f64>]) -> Value {
    let sorted = sorted(values.iter().flatten().copied());
    let shares = [0.0, 0.025, 0.1, 0.333, 0.9, 1.0];
    let quantiles = shares.map(|share| quantile(&sorted, share));
    let mut figures = summarised(Summary::of(values.iter().flatten().copied()));
    figures["quantiles"] = json!(quantiles);
    json!({"kind": "summary", "values": values, "shares": shares, "figures": figures})
}

fn correlation(values: &[Option<f64>]) -> Value {
    let by_lag: Vec<Option<f64>> = (0..8).map(|lag| autocorrelation(values, lag)).collect();
    let series = series(values);
    let coverage = series.coverage(day(0), day(values.len() - 1));
    json!({
        "kind": "correlation", "values": values,
        "figures": {"autocorrelation": by_lag, "answered": coverage.answered, "share": coverage.share()},
    })
}

fn presence(random: &mut Xoshiro256PlusPlus) -> Value {
    let hold = |random: &mut _| with_holes(&levels(70, 0.5, random), 0.3, random);
    let (measured, logged) = (hold(random), hold(random));
    let figures = |presence: Presence| {
        json!({
            "with": summarised(presence.with), "without": summarised(presence.without),
            "difference": presence.difference(),
        })
    };
    json!({
        "kind": "presence", "measured": measured, "logged": logged,
        "figures": {
            "with_and_without": figures(with_and_without(&series(&measured), &series(&logged))),
            "beside_gaps": figures(beside_gaps(&series(&logged))),
        },
    })
}

/// Asks four questions with lags and holes, split at changes. The first factor truly matters, at the same day.
fn questions(days: usize, changes: &[usize], random: &mut Xoshiro256PlusPlus) -> Value {
    let factors: Vec<Vec<Option<f64>>> = (0..4)
        .map(|_| with_holes(&levels(days, 0.5, random), 0.06, random))
        .collect();
    let outcome = levels(days, 0.4, random).into_iter().zip(&factors[0]);
    let outcome: Vec<_> = outcome
        .map(|(level, factor)| Some(level? + if (*factor)? > 5.0 { 1.0 } else { 0.0 }))
        .collect();
    let plan = [(Some(5.0), 0), (None, 1), (Some(4.5), 2), (None, 0)];
    let all: Vec<Series> = factors.iter().map(|factor| series(factor)).collect();
    let outcome_series = series(&outcome);
    let asked = plan
        .iter()
        .zip(&all)
        .map(|((least, lag), factor)| Question {
            factor,
            split: least.map_or(Split::AboveMedian, Split::AtLeast),
            outcome: &outcome_series,
            lag: *lag,
        });
    let dates: Vec<Date> = changes.iter().map(|number| day(*number)).collect();
    let draws = Draws {
        replicates: 20_000,
        turns: 5000,
        seed: 1,
    };
    let answers =
        ask(&asked.collect::<Vec<_>>(), &dates, draws).expect("four questions can be asked");
    let drawn = matches!(answers.turns, Some(Turns::Drawn(_)));
    let figures: Vec<Value> = answers.answers.iter().map(compared).collect();
    let plan = plan
        .iter()
        .zip(&factors)
        .map(|((least, lag), factor)| json!({"values": factor, "at_least": least, "lag": lag}));
    json!({
        "kind": "questions", "outcome": outcome, "changes": changes, "factors": plan.collect::<Vec<_>>(),
        "turns": answers.turns.map(Turns::count), "drawn": drawn, "replicates": draws.replicates,
        "figures": figures,
    })
}

fn compared(answer: &Answer) -> Value {
    let Answer::Compared(Comparison {
        contrast,
        interval,
        adjusted_p,
        spans,
    }) = answer
    else {
        panic!("too few days: {answer:?}");
    };
    let interval = interval.expect("days of both sides everywhere");
    let spans = spans.iter().map(|span| {
        json!([
            span.with.days,
            span.with.mean,
            span.without.days,
            span.without.mean
        ])
    });
    json!({
        "difference": contrast.difference, "error": contrast.error, "t": contrast.t, "freedom": contrast.freedom,
        "adjusted_p": adjusted_p, "spans": spans.collect::<Vec<_>>(),
        "block": interval.block, "low": interval.low, "high": interval.high,
    })
}
