//! The numbers of the appointment report: everything that its one page shows, before any words or drawing.
//!
//! Missing is never zero: what was not answered is absent, and every average comes with the days it is of.

mod doses;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use journal::kind::kind;
use journal::{Scalar, Value};

use crate::clock::{self, DosePhase, dose_phase};
use crate::daily::Daily;
use crate::laps::{Laps, baseline};
use crate::logged::{Logged, Period};
use crate::phase::since_last;
use crate::preset::Findings;
use crate::series::{Coverage, Series};
use crate::statistics::{Summary, deviation};

pub use doses::Medicine;

/// How many questions, treatment changes and tests the page has room for.
const MOST_QUESTIONS: usize = 2;
const MOST_CHANGES: usize = 3;
const MOST_TESTS: usize = 4;

/// What the report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Every entry that stands.
    pub entries: &'a [Logged],
    /// The zone at home.
    pub zone: &'a TimeZone,
    /// The days it is of.
    pub period: Period,
    /// Whose doses the clock counts from; the medicine most often taken if none is named.
    pub medicine: Option<&'a str>,
    /// What went together, over the whole journal.
    pub findings: &'a Findings,
}

/// The numbers of the report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The days it is of.
    pub period: Period,
    /// Days with any entry ÷ days.
    pub coverage: Coverage,
    /// Who recorded, and how many of the entries, most first.
    pub authors: Vec<(String, usize)>,
    /// Entries of the period.
    pub entries: usize,
    /// Open questions, the newest first.
    pub questions: Vec<String>,
    /// The newest entry with the tag `concern`, in words.
    pub concern: Option<String>,
    /// The days before, and the parts of the period between treatment changes.
    pub stretches: Vec<Stretch>,
    /// Readings by the time since the last dose.
    pub phase: Option<DosePhase>,
    /// Medicines, the one most often taken first.
    pub medicines: Vec<Medicine>,
    /// The last 3TUG tests, the oldest first.
    pub walks: Vec<Walk>,
    /// Events that matter to safety: what, how often, and the last day.
    pub safety: Vec<(String, usize, Date)>,
    /// Sleep.
    pub sleep: Sleep,
    /// Symptoms: what, days at 2 of 3 or more, days answered.
    pub symptoms: Vec<(String, usize, usize)>,
    /// Days on which breathing was hard, and days on which it was asked.
    pub breathing: (usize, usize),
    /// What went together, over the whole journal.
    pub findings: Findings,
}

/// Days between two treatment changes, or before the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Its days.
    pub period: Period,
    /// Whether it lies before the period of the report.
    pub earlier: bool,
    /// The fatigue of its days.
    pub fatigue: Option<Summary>,
    /// The weakness of its days.
    pub weakness: Option<Summary>,
}

/// One 3TUG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Walk {
    /// When.
    pub day: Date,
    /// Its laps.
    pub laps: Laps,
    /// The change from the own baseline in per cent, if there is one; above 0 is slower.
    pub change: Option<f64>,
    /// Minutes since the last dose of the report's medicine.
    pub since_dose: Option<i64>,
}

/// The nights of the period; all of it self-reported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sleep {
    /// Hours slept (TST).
    pub hours: Option<Summary>,
    /// Hours in bed (TIB).
    pub bed: Option<Summary>,
    /// SE(TIB), 0 to 1.
    pub in_bed: Option<Summary>,
    /// SE(DSE), 0 to 1.
    pub trying: Option<Summary>,
    /// Final waking, in minutes of the day.
    pub waking: Option<Summary>,
    /// Mid-sleep, in minutes from the midnight before the final waking.
    pub middle: Option<Summary>,
    /// Regularity, in minutes ([`REGULARITY_FORMULA`]); none with fewer than two nights.
    pub regularity: Option<f64>,
}

/// How the regularity of sleep is reckoned, to be named wherever it is shown. Of the measures compared by Fischer, Klerman &
/// Phillips, "Measuring sleep regularity" (Sleep 44(10), 2021), the one that a diary with gaps gives.
pub const REGULARITY_FORMULA: &str =
    "regularity = standard deviation of mid-sleep over the nights (smaller is more regular)";

/// Gathers the numbers of the report.
pub fn report(source: Source<'_>) -> Report {
    let Source {
        entries,
        zone,
        period,
        ..
    } = source;
    let inside: Vec<&Logged> = entries
        .iter()
        .filter(|logged| period.contains(logged.day(zone)))
        .collect();
    let daily = Daily::of(entries, zone, period);
    let phase = dose_phase(entries, zone, period, source.medicine);
    let medicine = phase.as_ref().map(|phase| phase.medicine.as_str());
    Report {
        period,
        coverage: daily.entries.coverage(period.first(), period.last()),
        authors: authors(&inside),
        entries: inside.len(),
        questions: questions(entries),
        concern: concern(&inside),
        stretches: stretches(source, &daily.changes),
        medicines: doses::medicines(source),
        walks: walks(source, medicine),
        safety: safety(&inside, zone),
        sleep: sleep(&inside, &daily, zone),
        symptoms: symptoms(&inside, zone),
        breathing: breathing(&inside, zone),
        findings: source.findings.clone(),
        phase,
    }
}

fn authors(entries: &[&Logged]) -> Vec<(String, usize)> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for logged in entries {
        *counted.entry(&logged.author.person).or_default() += 1;
    }
    let mut authors: Vec<_> = counted
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    authors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    authors
}

fn questions(entries: &[Logged]) -> Vec<String> {
    let open = entries
        .iter()
        .rev()
        .filter(|logged| logged.is("question") && logged.text("state") != Some("answered"));
    open.filter_map(|logged| logged.entry.note.clone())
        .take(MOST_QUESTIONS)
        .collect()
}

fn concern(entries: &[&Logged]) -> Option<String> {
    let tagged = |logged: &&&Logged| logged.entry.tags.iter().any(|tag| tag == "concern");
    let newest = entries.iter().rev().find(tagged)?;
    let words = || journal::words::words(&newest.entry);
    Some(newest.entry.note.clone().unwrap_or_else(words))
}

/// Parts the period at its last treatment changes; the days before, as many again, come first if anything was logged.
fn stretches(source: Source<'_>, changes: &[Date]) -> Vec<Stretch> {
    let Source {
        entries,
        zone,
        period,
        ..
    } = source;
    let stretch = |days: Period, earlier| {
        let daily = Daily::of(entries, zone, days);
        let summary = |series: &Series| Summary::of(series.iter().map(|(_, value)| value));
        Stretch {
            period: days,
            earlier,
            fatigue: summary(&daily.fatigue),
            weakness: summary(&daily.weakness),
        }
    };
    let mut stretches = Vec::new();
    if let Some(before) = period.before().map(|days| stretch(days, true))
        && (before.fatigue.is_some() || before.weakness.is_some())
    {
        stretches.push(before);
    }
    let skipped = changes.len().saturating_sub(MOST_CHANGES);
    let mut first = period.first();
    for change in changes
        .iter()
        .skip(skipped)
        .filter(|day| **day > period.first())
    {
        if let Ok(last) = change.yesterday() {
            stretches.push(stretch(Period::new(first, last), false));
        }
        first = *change;
    }
    stretches.push(stretch(Period::new(first, period.last()), false));
    stretches
}

fn walks(source: Source<'_>, medicine: Option<&str>) -> Vec<Walk> {
    let taken = medicine.map(|name| clock::taken(source.entries, name));
    let tests = source.entries.iter().filter_map(|logged| {
        let stopped = logged.yes("aborted") == Some(true);
        let laps = (logged.is("test") && !stopped).then(|| laps(logged))??;
        Some((logged, laps))
    });
    let tests: Vec<(&Logged, Laps)> = tests.collect();
    let all: Vec<Laps> = tests.iter().map(|(_, laps)| *laps).collect();
    let baseline = baseline(&all);
    let walk = |(logged, laps): &(&Logged, Laps)| {
        let since = since_last(taken.as_deref()?, logged.entry.at.instant());
        since
            .filter(|since| *since <= crate::phase::LONGEST)
            .map(|since| since.as_mins())
            .map(|minutes| (minutes, *laps))
    };
    let inside = tests
        .iter()
        .filter(|(logged, _)| source.period.contains(logged.day(source.zone)));
    let mut walks: Vec<Walk> = inside
        .map(|test| Walk {
            day: test.0.day(source.zone),
            laps: test.1,
            change: baseline.map(|baseline| test.1.change_percent(baseline)),
            since_dose: walk(test).map(|(minutes, _)| minutes),
        })
        .collect();
    walks.drain(..walks.len().saturating_sub(MOST_TESTS));
    walks
}

/// Returns the laps of a 3TUG that has all three.
fn laps(logged: &Logged) -> Option<Laps> {
    let Value::List(list) = logged.entry.fields.get("laps")? else {
        return None;
    };
    let seconds = list.iter().map(|lap| match lap {
        Scalar::Int(seconds) => Some(*seconds as f64),
        Scalar::Float(seconds) => Some(*seconds),
        _ => None,
    });
    let seconds: Vec<f64> = seconds.collect::<Option<_>>()?;
    Laps::of(<[f64; 3]>::try_from(seconds).ok()?).ok()
}

fn safety(entries: &[&Logged], zone: &TimeZone) -> Vec<(String, usize, Date)> {
    const SAFETY: [&str; 6] = [
        "fall",
        "choking",
        "seizure",
        "emergency-visit",
        "infection",
        "new-medicine",
    ];
    let choices = kind("event").and_then(|kind| kind.field("event")?.shape.choices());
    let label = |name: &str| {
        let choice = choices.and_then(|all| all.iter().find(|choice| choice.value == name));
        choice.map_or(name, |choice| choice.label).to_owned()
    };
    let counted = SAFETY.into_iter().filter_map(|name| {
        let days = entries
            .iter()
            .filter(|logged| logged.is("event") && logged.text("event") == Some(name))
            .map(|logged| logged.day(zone));
        let days: Vec<Date> = days.collect();
        Some((label(name), days.len(), days.into_iter().max()?))
    });
    counted.collect()
}

fn sleep(entries: &[&Logged], daily: &Daily, zone: &TimeZone) -> Sleep {
    let summary = |series: &Series| Summary::of(series.iter().map(|(_, value)| value));
    let nights = entries.iter().filter(|logged| logged.is("sleep"));
    let waking = nights.filter_map(|logged| {
        let time = zone.to_datetime(logged.instant("final_wake")?).time();
        Some(f64::from(time.hour()) * 60.0 + f64::from(time.minute()))
    });
    let middles: Vec<f64> = daily.mid_sleep.iter().map(|(_, minute)| minute).collect();
    Sleep {
        hours: summary(&daily.sleep_hours),
        bed: summary(&daily.bed_hours),
        in_bed: summary(&daily.efficiency_in_bed),
        trying: summary(&daily.efficiency_of_trying),
        waking: Summary::of(waking),
        regularity: deviation(&middles),
        middle: Summary::of(middles),
    }
}

/// Returns the symptoms that were 2 of 3 or more on any day, those on most days first.
fn symptoms(entries: &[&Logged], zone: &TimeZone) -> Vec<(String, usize, usize)> {
    let mut worst: BTreeMap<String, BTreeMap<Date, f64>> = BTreeMap::new();
    for logged in entries.iter().filter(|logged| logged.is("symptom")) {
        for name in logged.entry.fields.keys() {
            let Some(level) = logged.number(name, 0.0..=3.0) else {
                continue;
            };
            let field = kind("symptom").and_then(|kind| kind.field(name));
            let label = match (name.as_str(), logged.text("name")) {
                ("level", Some(own)) => own.to_owned(),
                _ => field.map_or(name.as_str(), |field| field.label).to_owned(),
            };
            let day = worst
                .entry(label)
                .or_default()
                .entry(logged.day(zone))
                .or_insert(level);
            *day = day.max(level);
        }
    }
    let counted = worst.into_iter().map(|(label, days)| {
        let bad = days.values().filter(|level| **level >= 2.0).count();
        (label, bad, days.len())
    });
    let mut symptoms: Vec<_> = counted.filter(|(_, bad, _)| *bad > 0).collect();
    symptoms.sort_by_key(|(_, bad, _)| std::cmp::Reverse(*bad));
    symptoms
}

fn breathing(entries: &[&Logged], zone: &TimeZone) -> (usize, usize) {
    let mut days: BTreeMap<Date, bool> = BTreeMap::new();
    for logged in entries.iter().filter(|logged| logged.is("symptom")) {
        let asked = logged.entry.fields.keys();
        let asked = asked.filter(|name| name.starts_with("breathing_"));
        for hard in asked.filter_map(|name| logged.yes(name)) {
            *days.entry(logged.day(zone)).or_default() |= hard;
        }
    }
    (days.values().filter(|hard| **hard).count(), days.len())
}

/// Returns the last visit before today that was logged.
pub fn last_visit(entries: &[Logged], zone: &TimeZone, today: Date) -> Option<Date> {
    let visits = entries
        .iter()
        .filter(|logged| logged.is("event") && logged.text("event") == Some("visit"));
    visits
        .map(|logged| logged.day(zone))
        .filter(|day| *day < today)
        .max()
}

/// Returns whole minutes.
pub(crate) fn minutes(span: SignedDuration) -> f64 {
    span.as_secs_f64() / 60.0
}
