//! From entries to one value a day: what every question, sparkline and before-and-after is made of.
//!
//! Each series names how a day with several entries becomes one value. A day without an answer has none.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use journal::kind::Night;

use crate::logged::{Logged, Period};
use crate::series::Series;
use crate::statistics::mean;

/// How the fatigue and the weakness of a day are reckoned, to be named wherever they are shown.
pub const DAY_FORMULA: &str =
    "a day's fatigue is the mean of its check-ins; its weakness, the mean of their weakest areas";

/// The daily series of a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Daily {
    /// Entries, on days that have any.
    pub entries: Series,
    /// Fatigue, 0 to 10: the mean of the day's check-ins.
    pub fatigue: Series,
    /// Weakness, 0 to 3: the mean of the check-ins' weakest areas.
    pub weakness: Series,
    /// Sleep in hours (TST), by the date of waking.
    pub sleep_hours: Series,
    /// Time in bed in hours (TIB), by the date of waking.
    pub bed_hours: Series,
    /// Mid-sleep, in minutes from the midnight that begins the date of waking.
    pub mid_sleep: Series,
    /// How good the night was, 1 to 5, by the date of waking.
    pub sleep_quality: Series,
    /// TST ÷ time in bed, 0 to 1.
    pub efficiency_in_bed: Series,
    /// TST ÷ time of trying to sleep, 0 to 1.
    pub efficiency_of_trying: Series,
    /// The day's greatest effort, 0 to 10, of activities and exercises.
    pub effort: Series,
    /// How hot it was: the day's highest °C.
    pub heat_celsius: Series,
    /// Whether it was hot, 1 or 0, where no temperature was given.
    pub heat: Series,
    /// The day's worst stress, 0 to 10.
    pub stress: Series,
    /// Drinks with caffeine, all of the day.
    pub caffeine: Series,
    /// Drinks with alcohol, all of the day.
    pub alcohol: Series,
    /// Minutes of screens before bed, by the day on whose evening they were.
    pub screens: Series,
    /// Factors of the person's own, by name: the day's highest, or 1 and 0.
    pub own: BTreeMap<String, Series>,
    /// Days on which a treatment changed: each begins a new span.
    pub changes: Vec<Date>,
}

/// How the values of a day become one.
type Fold = fn(&[f64]) -> Option<f64>;

/// The values of each day, before they become one.
#[derive(Default)]
struct Gathered(BTreeMap<Date, Vec<f64>>);

impl Gathered {
    fn add(&mut self, day: Date, value: Option<f64>) {
        if let Some(value) = value {
            self.0.entry(day).or_default().push(value);
        }
    }

    fn series(self, period: Period, fold: Fold) -> Series {
        let days = self.0.into_iter().filter(|(day, _)| period.contains(*day));
        Series::within(days.filter_map(|(day, values)| Some((day, fold(&values)?))))
    }
}

fn most(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::max)
}

fn sum(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(|sum, value| sum + value)
}

/// The series of a [`Daily`], while its entries are read.
#[derive(Default)]
struct Gathering {
    entries: Gathered,
    fatigue: Gathered,
    weakness: Gathered,
    sleep: [Gathered; 6],
    effort: Gathered,
    heat_celsius: Gathered,
    heat: Gathered,
    stress: Gathered,
    caffeine: Gathered,
    alcohol: Gathered,
    screens: Gathered,
    own: BTreeMap<String, Gathered>,
    changes: Vec<Date>,
}

impl Daily {
    /// Reads the entries of a period, in any order.
    pub fn of(entries: &[Logged], zone: &TimeZone, period: Period) -> Self {
        let mut gathering = Gathering::default();
        for logged in entries {
            gathering.take(logged, logged.day(zone));
        }
        gathering.series(period)
    }
}

impl Gathering {
    fn take(&mut self, logged: &Logged, day: Date) {
        self.entries.add(day, Some(1.0));
        match logged.entry.kind.as_str() {
            "fatigue" => {
                self.fatigue.add(day, logged.fatigue());
                self.weakness.add(day, logged.weakness());
            }
            "activity" | "exercise" => self.effort.add(day, logged.number("effort", 0.0..=10.0)),
            "sleep" => self.night(logged, day),
            "factor" => self.factor(logged, day),
            "event" if logged.text("event") == Some("treatment-change") => self.changes.push(day),
            _ => {}
        }
    }

    fn night(&mut self, logged: &Logged, day: Date) {
        let night = Night::of(&logged.entry.fields);
        let day = night.date().unwrap_or(day);
        let [hours, quality, in_bed, trying, bed, middle] = &mut self.sleep;
        if night.check().is_ok() {
            let in_hours = |span: SignedDuration| span.as_secs_f64() / 3600.0;
            hours.add(day, night.total_sleep_time().map(in_hours));
            bed.add(day, night.time_in_bed().map(in_hours));
            middle.add(day, night.mid_sleep());
            in_bed.add(day, night.efficiency_in_bed());
            trying.add(day, night.efficiency_of_trying());
        }
        quality.add(day, logged.number("quality", 1.0..=5.0));
        if let Ok(evening) = day.yesterday() {
            let screens = logged.number("screens_last_hour_min", 0.0..=60.0);
            self.screens.add(evening, screens);
        }
    }

    fn factor(&mut self, logged: &Logged, day: Date) {
        let told = |name| logged.yes(name).map(f64::from);
        self.heat_celsius
            .add(day, logged.number("heat", -60.0..=70.0));
        self.heat.add(day, told("heat"));
        self.stress.add(day, logged.number("stress", 0.0..=10.0));
        self.caffeine
            .add(day, logged.number("caffeine", 0.0..=50.0));
        self.alcohol.add(day, logged.number("alcohol", 0.0..=50.0));
        self.screens
            .add(day, logged.number("screens_min", 0.0..=1440.0));
        if let Some(name) = logged.text("name") {
            let value = logged.number("value", 0.0..=10.0).or(told("value"));
            let own = self.own.entry(name.trim().to_lowercase()).or_default();
            own.add(day, value);
        }
    }

    fn series(mut self, period: Period) -> Daily {
        self.changes.retain(|day| period.contains(*day));
        self.changes.sort_unstable();
        self.changes.dedup();
        let [hours, quality, in_bed, trying, bed, middle] = self.sleep;
        let own = self.own.into_iter();
        let own = own.map(|(name, values)| (name, values.series(period, most)));
        Daily {
            entries: self.entries.series(period, sum),
            fatigue: self.fatigue.series(period, mean),
            weakness: self.weakness.series(period, mean),
            sleep_hours: hours.series(period, mean),
            bed_hours: bed.series(period, mean),
            mid_sleep: middle.series(period, mean),
            sleep_quality: quality.series(period, mean),
            efficiency_in_bed: in_bed.series(period, mean),
            efficiency_of_trying: trying.series(period, mean),
            effort: self.effort.series(period, most),
            heat_celsius: self.heat_celsius.series(period, most),
            heat: self.heat.series(period, most),
            stress: self.stress.series(period, most),
            caffeine: self.caffeine.series(period, sum),
            alcohol: self.alcohol.series(period, sum),
            screens: self.screens.series(period, most),
            own: own.filter(|(_, series)| !series.is_empty()).collect(),
            changes: self.changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::tests::logged;
    use jiff::civil::date;
    use journal::Value;

    fn daily(entries: &[Logged]) -> Daily {
        let period = Period::new(date(2026, 1, 1), date(2026, 1, 31));
        Daily::of(entries, &TimeZone::UTC, period)
    }

    fn level(day: i64, hour: i64, level: i64) -> Logged {
        logged(day, hour, "fatigue", &[("level", Value::from(level))])
    }

    #[test]
    fn a_day_of_several_check_ins_is_their_mean_and_a_skipped_one_is_none() {
        let skipped = logged(1, 9, "fatigue", &[("level", "skipped".into())]);
        let daily = daily(&[level(0, 8, 4), level(0, 20, 7), skipped, level(40, 8, 9)]);
        let fatigue: Vec<_> = daily.fatigue.iter().collect();
        assert_eq!(fatigue, [(date(2026, 1, 1), 5.5)]);
        assert_eq!(daily.entries.at(date(2026, 1, 2)), Some(1.0));
    }

    #[test]
    fn drinks_add_up_and_own_factors_keep_their_names() {
        let factor = |name: &str, value: Value| logged(2, 9, "factor", &[(name, value)]);
        let own = logged(
            2,
            9,
            "factor",
            &[("name", "Pollen ".trim().into()), ("value", "yes".into())],
        );
        let daily = daily(&[
            factor("caffeine", Value::from(1)),
            factor("caffeine", Value::from(2)),
            factor("heat", "yes".into()),
            own,
        ]);
        let day = date(2026, 1, 3);
        assert_eq!(daily.caffeine.at(day), Some(3.0));
        assert_eq!(
            (daily.heat.at(day), daily.alcohol.at(day)),
            (Some(1.0), None)
        );
        assert_eq!(
            daily.own.get("pollen").and_then(|own| own.at(day)),
            Some(1.0)
        );
    }

    #[test]
    fn a_night_counts_on_the_date_of_waking_and_its_screens_on_the_evening_before() {
        let night = logged(
            4,
            8,
            "sleep",
            &[
                ("tried_to_sleep", "2026-01-04T23:00:00+00:00".into()),
                ("latency_min", Value::from(30)),
                ("awakenings", Value::from(0)),
                ("final_wake", "2026-01-05T07:00:00+00:00".into()),
                ("screens_last_hour_min", Value::from(45)),
            ],
        );
        let daily = daily(&[night]);
        assert_eq!(daily.sleep_hours.at(date(2026, 1, 5)), Some(7.5));
        assert_eq!(daily.screens.at(date(2026, 1, 4)), Some(45.0));
        assert!(daily.efficiency_in_bed.is_empty());
    }

    #[test]
    fn a_change_of_treatment_is_kept_once_a_day() {
        let change = |day| logged(day, 9, "event", &[("event", "treatment-change".into())]);
        let fall = logged(3, 9, "event", &[("event", "fall".into())]);
        let changes = daily(&[change(5), change(2), change(5), fall]).changes;
        assert_eq!(changes, [date(2026, 1, 3), date(2026, 1, 6)]);
    }
}
