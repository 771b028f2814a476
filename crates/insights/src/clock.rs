//! The dose clock: readings of fatigue and weakness by the time since the last dose of one medicine.
//!
//! The clock is that of one medicine, or a vitamin in the morning would reset it. Unless one is named, it is the medicine with
//! the most doses in the period.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::logged::{Logged, Period};
use crate::phase::{Curve, curve};

/// How the curve is reckoned, to be named wherever it is shown.
pub const CURVE_FORMULA: &str =
    "median and quartiles of all readings in each half hour since the last dose";

/// Readings by the time since the last dose of a medicine.
#[derive(Clone, Debug, PartialEq)]
pub struct DosePhase {
    /// The medicine.
    pub medicine: String,
    /// Fatigue, 0 to 10.
    pub fatigue: Curve,
    /// Weakness, 0 to 3.
    pub weakness: Curve,
    /// Moments recorded as wearing off, with the level 0 to 3 that was given.
    pub wearing_off: Curve,
}

/// Returns the medicines that were taken in a period, in lower case, with how they are written and how often, most first.
pub fn medicines(
    entries: &[Logged],
    zone: &TimeZone,
    period: Period,
) -> Vec<(String, String, usize)> {
    let mut counted: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for logged in entries.iter().filter(|logged| logged.is("dose")) {
        let Some(name) = logged
            .text("medicine")
            .filter(|_| period.contains(logged.day(zone)))
        else {
            continue;
        };
        let (_, count) = counted
            .entry(key(name))
            .or_insert_with(|| (name.trim().to_owned(), 0));
        *count += usize::from(logged.dose_taken().is_some());
    }
    let mut medicines: Vec<_> = counted
        .into_iter()
        .map(|(key, (name, count))| (key, name, count))
        .collect();
    medicines.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    medicines
}

/// Returns the name of a medicine as names are compared.
pub(crate) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Returns when a medicine was taken, in order; also before the period, as the clock runs across its first day.
pub fn taken(entries: &[Logged], medicine: &str) -> Vec<Timestamp> {
    let medicine = key(medicine);
    let doses = entries.iter().filter(|logged| {
        logged
            .dose_taken()
            .is_some_and(|name| key(name) == medicine)
    });
    let mut taken: Vec<Timestamp> = doses.map(|logged| logged.entry.at.instant()).collect();
    taken.sort_unstable();
    taken
}

/// Places the readings of a period on the clock of a medicine: the one named, or the one most often taken. None if it, or
/// any, was not taken in the period.
pub fn dose_phase(
    entries: &[Logged],
    zone: &TimeZone,
    period: Period,
    named: Option<&str>,
) -> Option<DosePhase> {
    let named = named.map(key);
    let (_, medicine, _) = medicines(entries, zone, period)
        .into_iter()
        .find(|(key, _, count)| *count > 0 && named.as_ref().is_none_or(|named| named == key))?;
    let doses = taken(entries, &medicine);
    let place = |read: fn(&Logged) -> Option<f64>| {
        let inside = entries
            .iter()
            .filter(|logged| period.contains(logged.day(zone)));
        let readings: Vec<_> = inside
            .filter_map(|logged| Some((logged.entry.at.instant(), read(logged)?)))
            .collect();
        curve(&doses, &readings)
    };
    Some(DosePhase {
        fatigue: place(Logged::fatigue),
        weakness: place(Logged::weakness),
        wearing_off: place(|logged| {
            logged
                .is("wearing-off")
                .then(|| logged.number("level", 0.0..=3.0))?
        }),
        medicine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::tests::logged;
    use jiff::civil::date;
    use journal::Value;

    fn dose(day: i64, hour: i64, medicine: &str, taken: &str) -> Logged {
        let fields = [
            ("medicine", medicine.into()),
            ("taken", taken.into()),
            ("amount_mg", Value::from(10)),
        ];
        let fields = &fields[..if taken == "skipped" { 2 } else { 3 }];
        logged(day, hour, "dose", fields)
    }

    #[test]
    fn the_clock_is_that_of_the_medicine_most_often_taken() {
        let entries = [
            dose(-1, 22, "amifampridine", "taken"),
            dose(0, 8, "Amifampridine", "taken"),
            dose(0, 9, "vitamin D", "taken"),
            dose(0, 10, "amifampridine", "skipped"),
            dose(0, 12, "amifampridine", "partial"),
            logged(0, 1, "fatigue", &[("level", Value::from(3))]),
            logged(0, 11, "fatigue", &[("level", Value::from(6))]),
        ];
        let period = Period::ending(date(2026, 1, 1), 1);
        let phase = dose_phase(&entries, &TimeZone::UTC, period, None).unwrap();
        let bins: Vec<_> = phase.fatigue.bins.iter().map(|bin| bin.minutes).collect();
        assert_eq!(bins, [180]);
        assert_eq!(phase.fatigue.bins[0].readings.n, 2);
        let vitamin = dose_phase(&entries, &TimeZone::UTC, period, Some("Vitamin d")).unwrap();
        assert_eq!(
            (vitamin.medicine.as_str(), vitamin.fatigue.before),
            ("vitamin D", 1)
        );
        assert_eq!(
            dose_phase(&entries, &TimeZone::UTC, period, Some("x")),
            None
        );
    }
}
