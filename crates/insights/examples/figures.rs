//! Fixed data and what this crate makes of them, as JSON, for an independent script to reproduce.
//!
//! ```text
//! cargo run --package ebb-insights --example figures
//! ```
//!
//! A list of cases; each has a `kind`, its data, and our `figures`. Values of consecutive days, `null` where there is none;
//! days are numbered from 0. Run by `cargo xtask conformance`.

use insights::doses::{Dose, gaps, largest_day, largest_single, minutes_late, rolling_day};
use insights::laps::{Laps, baseline};
use insights::phase::curve;
use insights::presence::{Presence, beside_gaps, with_and_without};
use insights::question::{Answer, Comparison, Draws, Question, Split, ask};
use insights::statistics::{Summary, autocorrelation, deviation, quantile, sorted};
use insights::{Series, Turns};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use journal::kind::Night;
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
    for count in [1, 40] {
        cases.push(doses(count, &mut random));
    }
    cases.push(phase(&mut random));
    cases.push(laps(&mut random));
    cases.push(nights(&mut random));
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

/// The instant at a number of seconds from the first day.
fn instant(seconds: i64) -> Timestamp {
    let first = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 20_454);
    first + SignedDuration::from_secs(seconds)
}

fn seconds(at: Timestamp) -> i64 {
    at.duration_since(instant(0)).as_secs()
}

/// Doses over six days in no order; with some of one instant, and some exactly a day apart.
fn doses(count: usize, random: &mut Xoshiro256PlusPlus) -> Value {
    let mut times: Vec<i64> = (0..count)
        .map(|_| 60 * random.random_range(0..6 * 1440))
        .collect();
    if let [first, second, third, ..] = times.as_mut_slice() {
        (*second, *third) = (*first, *first + 24 * 3600);
    }
    let dose = |at: &i64| Dose {
        at: instant(*at),
        amount: 2.5 * f64::from(random.random_range(1..9_u8)),
    };
    let taken: Vec<Dose> = times.iter().map(dose).collect();
    let planned: Vec<i64> = times.iter().map(|at| at - at % 3600 + 1200).collect();
    let late = taken.iter().zip(&planned);
    let late: Vec<f64> = late
        .map(|(dose, planned)| minutes_late(instant(*planned), dose.at))
        .collect();
    let whole = |dose: Option<Dose>| dose.map(|dose| [seconds(dose.at) as f64, dose.amount]);
    let gaps = gaps(&taken).into_iter().map(|gap| gap.as_secs());
    json!({
        "kind": "doses", "planned": planned, "times": times,
        "amounts": taken.iter().map(|dose| dose.amount).collect::<Vec<_>>(),
        "figures": {
            "rolling": rolling_day(&taken).iter().map(|day| day.amount).collect::<Vec<_>>(),
            "largest_day": whole(largest_day(&taken)), "largest_single": whole(largest_single(&taken)),
            "gaps": gaps.collect::<Vec<_>>(), "late": late,
        },
    })
}

/// Readings among doses, with a long gap and a time before any dose.
fn phase(random: &mut Xoshiro256PlusPlus) -> Value {
    let day = 86_400;
    let mut taken: Vec<i64> = (0..60)
        .map(|_| random.random_range(day / 2..12 * day))
        .collect();
    taken.retain(|at| !(4 * day..6 * day).contains(at));
    let mut readings: Vec<(i64, f64)> = (0..400)
        .map(|_| {
            (
                random.random_range(0..12 * day),
                f64::from(random.random_range(0..11_u8)),
            )
        })
        .collect();
    // With a dose, at the ends of a half hour, and a day after.
    let last = taken.iter().copied().max().unwrap_or(0);
    for after in [0, 1799, 1800, day, day + 1] {
        readings.push((last + after, 5.0));
    }
    let placed: Vec<(Timestamp, f64)> = readings
        .iter()
        .map(|(at, value)| (instant(*at), *value))
        .collect();
    let doses: Vec<Timestamp> = taken.iter().map(|at| instant(*at)).collect();
    let curve = curve(&doses, &placed);
    let bins = curve
        .bins
        .iter()
        .map(|bin| json!({"minutes": bin.minutes, "readings": summarised(Some(bin.readings))}));
    json!({
        "kind": "phase", "doses": taken, "readings": readings,
        "figures": {"bins": bins.collect::<Vec<_>>(), "before": curve.before, "beyond": curve.beyond},
    })
}

fn laps(random: &mut Xoshiro256PlusPlus) -> Value {
    let lap = |random: &mut Xoshiro256PlusPlus| f64::from(random.random_range(60..300_u16)) / 10.0;
    let tests: Vec<[f64; 3]> = (0..9).map(|_| [(); 3].map(|()| lap(random))).collect();
    let walked: Vec<Laps> = tests
        .iter()
        .map(|laps| Laps::of(*laps).expect("laps above 0 s"))
        .collect();
    let baseline = baseline(&walked).expect("more than three tests");
    let each = |figure: &dyn Fn(&Laps) -> f64| walked.iter().map(figure).collect::<Vec<_>>();
    json!({
        "kind": "laps", "tests": tests,
        "figures": {
            "sum": each(&Laps::sum), "mean": each(&Laps::mean), "last_to_first": each(&Laps::last_to_first),
            "change": each(&|laps| laps.change_percent(baseline)), "baseline": baseline,
        },
    })
}

/// Nights in several offsets, one across a change of the clocks; some lack an answer, and some had no awakening.
fn nights(random: &mut Xoshiro256PlusPlus) -> Value {
    let mut nights = Vec::new();
    for number in 0..30_i64 {
        let offset = random.random_range(-8..9);
        let at = |minutes: i64, offset: i8| {
            let instant = instant(60 * (1440 * number + minutes - 60 * i64::from(offset)));
            let offset = jiff::tz::offset(offset);
            instant.display_with_offset(offset).to_string()
        };
        let bed = random.random_range(1200..1500);
        let tried = bed + random.random_range(0..60);
        let wake = tried + random.random_range(300..600);
        let up = wake + random.random_range(0..90);
        let shift = i8::from(number == 7);
        let mut fields = vec![
            ("in_bed", json!(at(bed, offset))),
            ("tried_to_sleep", json!(at(tried, offset))),
            ("final_wake", json!(at(wake, offset + shift))),
            ("out_of_bed", json!(at(up, offset + shift))),
            ("latency_min", json!(random.random_range(0..60))),
            ("awake_min", json!(random.random_range(0..90))),
            ("trying_after_min", json!(random.random_range(0..30))),
        ];
        match number % 6 {
            1 => fields[5] = ("awakenings", json!(0)),
            2 => drop(fields.remove(random.random_range(0..7))),
            3 => fields[5] = ("awake_min", json!("skipped")),
            _ => {}
        }
        nights.push(Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        ));
    }
    json!({"kind": "nights", "figures": night_figures(&nights), "nights": nights})
}

fn night_figures(nights: &[Value]) -> Value {
    let value = |value: &Value| {
        value.as_i64().map_or_else(
            || value.as_str().expect("a number or a text").into(),
            journal::Value::from,
        )
    };
    let read = |night: &Value| {
        let fields = night.as_object().expect("fields").iter();
        Night::of(&fields.map(|(name, it)| (name.clone(), value(it))).collect())
    };
    let nights: Vec<Night> = nights.iter().map(read).collect();
    let hours = |span: SignedDuration| span.as_secs_f64() / 3600.0;
    let middles: Vec<Option<f64>> = nights.iter().map(Night::mid_sleep).collect();
    let known: Vec<f64> = middles.iter().flatten().copied().collect();
    let each =
        |figure: &dyn Fn(&Night) -> Option<f64>| nights.iter().map(figure).collect::<Vec<_>>();
    json!({
        "tib": each(&|night| night.time_in_bed().map(hours)),
        "tst": each(&|night| night.total_sleep_time().map(hours)),
        "se_tib": each(&Night::efficiency_in_bed), "se_dse": each(&Night::efficiency_of_trying),
        "mid_sleep": middles, "regularity": deviation(&known),
    })
}
