//! What was taken of each medicine. Judges nothing and knows no limit.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Source;
use crate::clock::{key, medicines as names};
use crate::doses::{Dose, gaps, largest_day, largest_single};
use crate::logged::Logged;
use crate::statistics::Summary;

/// The doses of one medicine in the period.
#[derive(Clone, Debug, PartialEq)]
pub struct Medicine {
    /// Its name, as it was written first.
    pub name: String,
    /// Doses taken, wholly or in part.
    pub taken: usize,
    /// Doses recorded as skipped.
    pub skipped: usize,
    /// Days with a dose taken.
    pub days: usize,
    /// Mean mg a day, over the days with a dose taken; none if no amount was given.
    pub mean_mg: Option<f64>,
    /// The most mg in any 24 hours.
    pub largest_24h_mg: Option<f64>,
    /// The largest single dose, in mg.
    pub largest_mg: Option<f64>,
    /// Minutes between doses of one day or the next.
    pub gap_minutes: Option<Summary>,
    /// The median times of day of the first, second … dose, in minutes, on days with the commonest number of doses.
    pub usual_times: Vec<i64>,
    /// Minutes after the planned time, of doses that have one.
    pub late_minutes: Option<Summary>,
}

/// Returns the medicines of the period, the one most often taken first.
pub(super) fn medicines(source: Source<'_>) -> Vec<Medicine> {
    let names = names(source.entries, source.zone, source.period);
    let medicine = names.into_iter().map(|(name, written, taken)| {
        let entries = source.entries.iter().filter(|logged| {
            logged.is("dose")
                && logged
                    .text("medicine")
                    .is_some_and(|other| key(other) == name)
                && source.period.contains(logged.day(source.zone))
        });
        of(written, taken, &entries.collect::<Vec<_>>(), source)
    });
    medicine.collect()
}

fn of(name: String, count: usize, entries: &[&Logged], source: Source<'_>) -> Medicine {
    let taken: Vec<&&Logged> = entries
        .iter()
        .filter(|logged| logged.dose_taken().is_some())
        .collect();
    let doses = taken.iter().filter_map(|logged| {
        let amount = logged.number("amount_mg", 0.0..=100_000.0)?;
        Some(Dose {
            at: logged.entry.at.instant(),
            amount,
        })
    });
    let doses: Vec<Dose> = doses.collect();
    let mut days: BTreeMap<Date, Vec<i64>> = BTreeMap::new();
    for logged in &taken {
        let time = source.zone.to_datetime(logged.entry.at.instant()).time();
        let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
        days.entry(logged.day(source.zone))
            .or_default()
            .push(minute);
    }
    let total: f64 = doses.iter().map(|dose| dose.amount).sum();
    let late = taken.iter().filter_map(|logged| {
        let planned = logged.instant("planned_at")?;
        Some(crate::doses::minutes_late(
            planned,
            logged.entry.at.instant(),
        ))
    });
    let apart = gaps(&doses).into_iter().map(super::minutes);
    Medicine {
        name,
        taken: count,
        skipped: entries.len() - taken.len(),
        mean_mg: (!doses.is_empty()).then(|| total / days.len() as f64),
        largest_24h_mg: largest_day(&doses).map(|dose| dose.amount),
        largest_mg: largest_single(&doses).map(|dose| dose.amount),
        gap_minutes: Summary::of(apart.filter(|minutes| *minutes <= 24.0 * 60.0)),
        late_minutes: Summary::of(late),
        usual_times: usual(&days),
        days: days.len(),
    }
}

/// Returns the median time of each dose on the days that have the commonest number of doses.
fn usual(days: &BTreeMap<Date, Vec<i64>>) -> Vec<i64> {
    let mut counted: BTreeMap<usize, usize> = BTreeMap::new();
    for times in days.values() {
        *counted.entry(times.len()).or_default() += 1;
    }
    let commonest = counted.into_iter().max_by_key(|(_, days)| *days);
    let Some((doses, _)) = commonest else {
        return Vec::new();
    };
    let mut alike: Vec<Vec<i64>> = days
        .values()
        .filter(|times| times.len() == doses)
        .cloned()
        .collect();
    alike.iter_mut().for_each(|times| times.sort_unstable());
    let median = |place: usize| {
        let times = alike.iter().filter_map(|times| times.get(place));
        Summary::of(times.map(|minute| *minute as f64)).map(|times| times.median as i64)
    };
    (0..doses).filter_map(median).collect()
}
