//! The appointment report: written as one HTML page, or told as its numbers.

use std::io::{self, Write};
use std::path::Path;

use insights::page::{ENGLISH, Head, html};
use insights::phase::Curve;
use insights::report::{self, Source};
use insights::statistics::Summary;
use insights::{Period, words};
use serde_json::{Value, json};

use super::insights::Journaled;
use super::session::Session;
use crate::arguments::Report as Asked;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Text, json_line};

/// The days of a report unless told.
const DAYS: usize = 90;

/// A report, and where its page went.
struct Made {
    report: report::Report,
    page: String,
    file: Option<String>,
    to_stdout: bool,
}

/// Makes the report.
///
/// # Errors
/// [`CommandError`] if the journal cannot be read, no visit was logged, or the file cannot be written.
pub(super) fn report(asked: &Asked, session: &Session) -> Outcome<Box<dyn Answer>> {
    if let Some(path) = asked.out.as_deref().filter(|path| has_other_ending(path)) {
        let page = path.with_extension("html");
        return Err(CommandError::usage(format!(
            "{} is no HTML file; the report is written as HTML, which every browser prints or saves as PDF",
            path.display()
        ))
        .hint(format!("ebb report --out {}", page.display())));
    }
    let journal = Journaled::read(session)?;
    let period = period(asked, &journal)?;
    let (findings, _) = journal.findings()?;
    let made = report::report(Source {
        entries: &journal.entries,
        zone: &journal.zone,
        period,
        medicine: asked.medicine.as_deref(),
        findings: &findings,
    });
    let head = Head {
        name: &journal.name,
        made: journal.today,
        texts: &ENGLISH,
    };
    let page = html(&made, head);
    let to_stdout = asked.out.as_deref() == Some(Path::new("-"));
    let file = asked.out.as_deref().filter(|_| !to_stdout);
    if let Some(path) = file {
        std::fs::write(path, &page).map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            CommandError::new("unwritable", Exit::CouldNot, message).safe()
        })?;
    }
    Ok(Box::new(Made {
        report: made,
        page,
        file: file.map(|path| path.display().to_string()),
        to_stdout,
    }))
}

fn has_other_ending(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ending != "html" && ending != "htm")
}

fn period(asked: &Asked, journal: &Journaled) -> Outcome<Period> {
    if !asked.since_last_visit {
        let days = asked.days.and_then(|days| usize::try_from(days).ok());
        return Ok(Period::ending(journal.today, days.unwrap_or(DAYS)));
    }
    let visit = report::last_visit(&journal.entries, &journal.zone, journal.today);
    let visit = visit.ok_or_else(|| {
        CommandError::new(
            "no-visit",
            Exit::CouldNot,
            "no visit before today was logged",
        )
        .hint("ebb event visit --at \"2026-11-20 10:00\"")
        .hint("ebb report --days 90 --out visit.html")
    })?;
    Ok(Period::new(visit, journal.today))
}

pub(super) fn summary_json(summary: Option<Summary>) -> Value {
    summary.map_or(Value::Null, |is| {
        json!({"n": is.n, "mean": is.mean, "median": is.median, "lower": is.lower, "upper": is.upper})
    })
}

pub(super) fn curve_json(curve: &Curve) -> Value {
    let bins = curve
        .bins
        .iter()
        .map(|bin| json!({"minutes": bin.minutes, "readings": summary_json(Some(bin.readings))}));
    json!({"bins": bins.collect::<Vec<_>>(), "before": curve.before, "beyond": curve.beyond})
}

impl Made {
    fn document(&self) -> Value {
        let report = &self.report;
        let period = |days: Period| json!({"first": days.first().to_string(), "last": days.last().to_string()});
        let authors = report.authors.iter();
        let stretches = report.stretches.iter().map(|stretch| {
            json!({"period": period(stretch.period), "earlier": stretch.earlier,
                "fatigue": summary_json(stretch.fatigue), "weakness": summary_json(stretch.weakness)})
        });
        let medicines = report.medicines.iter().map(|medicine| {
            json!({"name": medicine.name, "taken": medicine.taken, "skipped": medicine.skipped,
                "days": medicine.days, "mean_mg": medicine.mean_mg,
                "largest_24h_mg": medicine.largest_24h_mg, "largest_mg": medicine.largest_mg,
                "gap_minutes": summary_json(medicine.gap_minutes),
                "late_minutes": summary_json(medicine.late_minutes)})
        });
        let walks = report.walks.iter().map(|walk| {
            json!({"day": walk.day.to_string(), "sum": walk.laps.sum(), "mean": walk.laps.mean(),
                "last_to_first": walk.laps.last_to_first(), "change_percent": walk.change,
                "minutes_since_dose": walk.since_dose})
        });
        let phase = report.phase.as_ref().map(|phase| {
            json!({"medicine": phase.medicine, "fatigue": curve_json(&phase.fatigue),
                "weakness": curve_json(&phase.weakness)})
        });
        json!({
            "file": self.file,
            "period": period(report.period),
            "days_logged": report.coverage.answered,
            "days": report.coverage.days,
            "entries": report.entries,
            "authors": authors.map(|(name, entries)| json!({"person": name, "entries": entries})).collect::<Vec<_>>(),
            "questions": report.questions,
            "concern": report.concern,
            "stretches": stretches.collect::<Vec<_>>(),
            "dose_phase": phase,
            "medicines": medicines.collect::<Vec<_>>(),
            "walks": walks.collect::<Vec<_>>(),
            "safety": report.safety.iter().map(|(what, count, last)| json!({"what": what, "count": count, "last": last.to_string()})).collect::<Vec<_>>(),
            "sleep": {"hours": summary_json(report.sleep.hours), "se_tib": summary_json(report.sleep.in_bed), "se_dse": summary_json(report.sleep.trying)},
            "symptoms": report.symptoms.iter().map(|(what, bad, days)| json!({"what": what, "days_at_2": bad, "days": days})).collect::<Vec<_>>(),
        })
    }

    /// Says what the report is of and where it is.
    fn told(&self) -> Vec<(String, String)> {
        let (report, pair) = (&self.report, |key: &str, value: String| {
            (key.to_owned(), value)
        });
        let days = report.period;
        let mut pairs = vec![
            pair("days", format!("{} to {}", days.first(), days.last())),
            pair(
                "with entries",
                format!(
                    "{} of {} days",
                    report.coverage.answered, report.coverage.days
                ),
            ),
        ];
        pairs.extend(
            report
                .phase
                .as_ref()
                .map(|phase| pair("clock of", phase.medicine.clone())),
        );
        pairs.push(pair("questions", words::asked(&report.findings.answers)));
        pairs.push(match &self.file {
            Some(file) => pair("written", file.clone()),
            None => pair("to write it", "ebb report --out visit.html".to_owned()),
        });
        pairs
    }
}

impl Answer for Made {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &self.document())
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.to_stdout {
            text.raw_line(self.page.trim_end());
            return text;
        }
        for (key, value) in self.told() {
            text.say(&format!("{key:<13} {value}")).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        self.told()
    }
}
