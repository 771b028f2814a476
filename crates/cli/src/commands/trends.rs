//! How the last days went: a line of blocks for each daily series, a calendar of fatigue, and the dose-phase curve.
//!
//! Every drawing has its numbers beside it, and needs no colour; `--plain` leaves the drawings out.

use std::io::{self, Write};

use insights::clock::{CURVE_FORMULA, DosePhase, dose_phase};
use insights::daily::{DAY_FORMULA, Daily};
use insights::statistics::Summary;
use insights::{Period, Series};
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::insights::Journaled;
use super::report::{curve_json, summary_json};
use super::session::Session;
use crate::arguments::Trends as Asked;
use crate::error::Outcome;
use crate::output::{Answer, Ink, Text, json_line};

/// The most columns of a drawing where the terminal does not say how wide it is.
const WIDTH: usize = 80;
/// The columns of the labels and numbers beside a drawing.
const BESIDE: usize = 46;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The trends of some days.
struct Trends {
    period: Period,
    daily: Daily,
    phase: Option<DosePhase>,
    width: usize,
}

/// Shows how the last days went.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read.
pub(super) fn trends(asked: &Asked, session: &Session) -> Outcome<Box<dyn Answer>> {
    let journal = Journaled::read(session)?;
    let days = usize::try_from(asked.days).unwrap_or(usize::MAX);
    let period = Period::ending(journal.today, days);
    let (entries, zone) = (&journal.entries, &journal.zone);
    Ok(Box::new(Trends {
        period,
        daily: Daily::of(entries, zone, period),
        phase: dose_phase(entries, zone, period, asked.medicine.as_deref()),
        width: width(),
    }))
}

/// Returns the columns of the terminal.
fn width() -> usize {
    let told = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    told.unwrap_or(WIDTH).clamp(BESIDE + 7, 200)
}

impl Trends {
    /// Returns the series that are shown, each with its name and the ends of its scale.
    fn rows(&self) -> [(&'static str, &Series, (f64, f64)); 5] {
        let daily = &self.daily;
        [
            ("fatigue", &daily.fatigue, (0.0, 10.0)),
            ("weakness", &daily.weakness, (0.0, 3.0)),
            ("sleep h", &daily.sleep_hours, (0.0, 12.0)),
            ("effort", &daily.effort, (0.0, 10.0)),
            ("stress", &daily.stress, (0.0, 10.0)),
        ]
    }

    fn said(&self, series: &Series) -> String {
        let coverage = series.coverage(self.period.first(), self.period.last());
        let days = format!("{} of {} days", coverage.answered, coverage.days);
        match Summary::of(series.iter().map(|(_, value)| value)) {
            Some(is) => format!(
                "median {:.1} ({:.1}–{:.1}), {days}",
                is.median, is.lower, is.upper
            ),
            None => days,
        }
    }

    /// Draws a series: the mean of the days that share a column, a dot where none has a value.
    fn line(&self, series: &Series, (low, high): (f64, f64)) -> String {
        let values = series.between(self.period.first(), self.period.last());
        let columns = self.width.saturating_sub(BESIDE).max(1);
        let block = |days: &[Option<f64>]| {
            let answered: Vec<f64> = days.iter().flatten().copied().collect();
            let mean = insights::statistics::mean(&answered)?;
            let share = ((mean - low) / (high - low)).clamp(0.0, 1.0);
            BLOCKS.get((share * 7.0).round() as usize)
        };
        let days = values.chunks(values.len().div_ceil(columns).max(1));
        days.map(|days| block(days).copied().unwrap_or('·'))
            .collect()
    }

    /// Writes the calendar of fatigue: a week a line, each day its rounded level.
    fn calendar(&self, text: &mut Text) {
        text.ink("Fatigue by day", Ink::Bold)
            .say("  (0–10, · no check-in; weeks from Monday)")
            .line();
        let mut monday = self.period.first();
        while monday.weekday() != Weekday::Monday {
            monday = monday.yesterday().unwrap_or(Date::MIN);
        }
        while monday <= self.period.last() {
            let mut week = format!("  {monday} ");
            let days = monday.series(jiff::Span::new().days(1)).take(7);
            for day in days {
                let cell = match self.daily.fatigue.at(day) {
                    Some(level) => format!("{level:.0}"),
                    None if self.period.first() <= day && day <= self.period.last() => {
                        "·".to_owned()
                    }
                    None => String::new(),
                };
                week.push_str(&format!(" {cell:>2}"));
            }
            text.say(week.trim_end()).line();
            match monday.checked_add(jiff::Span::new().days(7)) {
                Ok(next) => monday = next,
                Err(_) => break,
            }
        }
    }

    /// Writes fatigue by the time since the last dose.
    fn curve(&self, text: &mut Text, phase: &DosePhase) {
        if phase.fatigue.bins.is_empty() {
            let medicine = &phase.medicine;
            text.say(&format!(
                "No fatigue was logged in the 24 h after a dose of {medicine} on these days."
            ))
            .line();
            return;
        }
        text.ink("Fatigue by time since the last dose of ", Ink::Bold)
            .ink(&phase.medicine, Ink::Bold)
            .line();
        let widest = self.width.saturating_sub(BESIDE).max(1);
        for bin in &phase.fatigue.bins {
            let (from, is) = (bin.minutes, bin.readings);
            let bar = (is.median / 10.0 * widest as f64).round() as usize;
            text.say(&format!(
                "  {:>5}  median {:>4.1} ({:.1}–{:.1}), n = {:<4} {}",
                format!("{}:{:02}", from / 60, from % 60),
                is.median,
                is.lower,
                is.upper,
                is.n,
                "█".repeat(bar)
            ))
            .line();
        }
        text.ink(CURVE_FORMULA, Ink::Dim).line();
    }
}

impl Answer for Trends {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let series = |(name, series, _): (&str, &Series, (f64, f64))| {
            let coverage = series.coverage(self.period.first(), self.period.last());
            let days = series.iter();
            json!({
                "name": name.replace(' ', "_"),
                "answered": coverage.answered,
                "days": coverage.days,
                "summary": summary_json(Summary::of(series.iter().map(|(_, value)| value))),
                "values": days.map(|(day, value)| json!({"day": day.to_string(), "value": value})).collect::<Vec<_>>(),
            })
        };
        let phase = self.phase.as_ref().map_or(Value::Null, |phase| {
            json!({"medicine": phase.medicine, "fatigue": curve_json(&phase.fatigue),
                "weakness": curve_json(&phase.weakness)})
        });
        let document = json!({
            "first": self.period.first().to_string(),
            "last": self.period.last().to_string(),
            "series": self.rows().map(series),
            "dose_phase": phase,
        });
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        let title = format!("{} to {}", self.period.first(), self.period.last());
        text.ink(&title, Ink::Bold).line();
        for (name, series, scale) in self.rows() {
            let line = self.line(series, scale);
            text.say(&format!("  {name:<8} {line}  {}", self.said(series)))
                .line();
        }
        text.ink(DAY_FORMULA, Ink::Dim).line().line();
        self.calendar(&mut text);
        text.line();
        match &self.phase {
            Some(phase) => self.curve(&mut text, phase),
            None => {
                text.say("No dose was logged on these days.").line();
            }
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: String, value: String| (key, value);
        let mut pairs = vec![pair(
            "days".to_owned(),
            format!("{} to {}", self.period.first(), self.period.last()),
        )];
        pairs.extend(
            self.rows()
                .map(|(name, series, _)| pair(name.to_owned(), self.said(series))),
        );
        let fatigue = self.daily.fatigue.iter();
        pairs.extend(
            fatigue.map(|(day, level)| pair(format!("fatigue on {day}"), format!("{level:.1}"))),
        );
        if let Some(phase) = &self.phase {
            pairs.push(pair("clock of".to_owned(), phase.medicine.clone()));
            pairs.extend(phase.fatigue.bins.iter().map(|bin| {
                let is = bin.readings;
                pair(
                    format!("fatigue from {} min after a dose", bin.minutes),
                    format!(
                        "median {:.1} ({:.1}–{:.1}), n = {}",
                        is.median, is.lower, is.upper, is.n
                    ),
                )
            }));
        }
        pairs
    }
}
