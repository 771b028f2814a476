//! The appointment report: written as one page of HTML or PDF, or told as its numbers.

use std::io::{self, Write};
use std::path::Path;

use insights::clock::CURVE_FORMULA;
use insights::daily::DAY_FORMULA;
use insights::doses::ROLLING_FORMULA;
use insights::laps::CHANGE_FORMULA;
use insights::page::{ENGLISH, Head, Paper, html, pdf};
use insights::phase::Curve;
use insights::report::{self, Source};
use insights::statistics::Summary;
use insights::{Period, words};
use journal::kind as night;
use serde_json::{Value, json};

use super::export::STDOUT;
use super::insights::Journaled;
use super::session::Session;
use crate::arguments::{PageFormat, PaperSize, Report as Asked};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Text, is_hung_up, json_line};

/// The days of a report unless told.
const DAYS: usize = 90;

/// A report, and where its page went.
struct Made {
    report: report::Report,
    file: Option<String>,
    format: PageFormat,
}

/// Makes the report.
///
/// # Errors
/// [`CommandError`] if the journal cannot be read, no visit was logged, or the file cannot be written.
pub(super) fn report(asked: &Asked, session: &Session) -> Outcome<Box<dyn Answer>> {
    let format = format(asked)?;
    let journal = Journaled::read(session)?;
    let report = numbers(asked, &journal)?;
    let file = asked.out.as_deref().filter(|out| *out != Path::new(STDOUT));
    if let Some(path) = file {
        let page = page(&report, &journal, format, asked.paper)?;
        std::fs::write(path, page).map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            CommandError::new("unwritable", Exit::CouldNot, message).safe()
        })?;
    }
    Ok(Box::new(Made {
        report,
        file: file.map(|path| path.display().to_string()),
        format,
    }))
}

/// Writes the page to stdout, where nothing else is written then.
///
/// # Errors
/// As [`report`]; that nobody reads any more is no error.
pub(super) fn to_stdout(asked: &Asked, session: &Session) -> Outcome<()> {
    let format = format(asked)?;
    if format == PageFormat::Pdf && session.terminal.drawing {
        return Err(
            CommandError::usage("a terminal cannot show a PDF").hint("ebb report --out visit.pdf")
        );
    }
    let journal = Journaled::read(session)?;
    let page = page(&numbers(asked, &journal)?, &journal, format, asked.paper)?;
    let mut out = io::stdout().lock();
    match out.write_all(&page).and_then(|()| out.flush()) {
        Err(error) if !is_hung_up(&error) => {
            let message = format!("the page cannot be written: {error}");
            Err(CommandError::new("output", Exit::CouldNot, message).safe())
        }
        _ => Ok(()),
    }
}

/// Returns the format that was asked for, or that the file's ending names.
fn format(asked: &Asked) -> Outcome<PageFormat> {
    let ending = asked.out.as_deref().and_then(Path::extension);
    let ending = ending.map(|ending| ending.to_ascii_lowercase());
    let told = match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("pdf") => Some(PageFormat::Pdf),
        Some("html" | "htm") => Some(PageFormat::Html),
        _ => None,
    };
    let format = match (asked.format.or(told), asked.out.as_deref()) {
        (Some(format), _) => format,
        (None, Some(path)) if ending.is_some() => {
            let message = format!("{} is neither an HTML nor a PDF file", path.display());
            return Err(CommandError::usage(message)
                .hint(format!(
                    "ebb report --out {}",
                    path.with_extension("pdf").display()
                ))
                .hint(format!(
                    "ebb report --out {}",
                    path.with_extension("html").display()
                )));
        }
        (None, _) => PageFormat::Html,
    };
    if asked.paper.is_some() && format == PageFormat::Html {
        let message = "--paper is for a PDF; a page of HTML takes the paper of the printer";
        return Err(CommandError::usage(message).hint("ebb report --paper letter --out visit.pdf"));
    }
    Ok(format)
}

fn numbers(asked: &Asked, journal: &Journaled) -> Outcome<report::Report> {
    let (findings, _) = journal.findings()?;
    Ok(report::report(Source {
        entries: &journal.entries,
        zone: &journal.zone,
        period: period(asked, journal)?,
        medicine: asked.medicine.as_deref(),
        findings: &findings,
    }))
}

fn page(
    report: &report::Report,
    journal: &Journaled,
    format: PageFormat,
    paper: Option<PaperSize>,
) -> Outcome<Vec<u8>> {
    let head = Head {
        name: &journal.name,
        made: journal.today,
        texts: &ENGLISH,
    };
    let paper = match paper {
        Some(PaperSize::Letter) => Paper::Letter,
        Some(PaperSize::A4) | None => Paper::A4,
    };
    match format {
        PageFormat::Html => Ok(html(report, head).into_bytes()),
        PageFormat::Pdf => pdf(report, head, paper).map_err(|error| {
            let message = format!("no PDF can be made of this report: {}", chain(&error));
            CommandError::new("no-pdf", Exit::CouldNot, message)
                .safe()
                .hint("ebb report --out visit.html")
        }),
    }
}

/// Says an error and what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    said.join(": ")
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
        .hint("ebb report --days 90 --out visit.pdf")
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

fn sleep_json(sleep: &report::Sleep) -> Value {
    json!({
        "tst_hours": summary_json(sleep.hours), "tib_hours": summary_json(sleep.bed),
        "se_tib": summary_json(sleep.in_bed), "se_dse": summary_json(sleep.trying),
        "mid_sleep_minutes": summary_json(sleep.middle), "regularity_minutes": sleep.regularity,
    })
}

/// Says how each number is reckoned.
fn formulas() -> Value {
    json!({
        "stretches": DAY_FORMULA, "dose_phase": CURVE_FORMULA, "largest_24h_mg": ROLLING_FORMULA,
        "walks_change_percent": CHANGE_FORMULA, "tst": night::TST_FORMULA, "tib": night::TIB_FORMULA,
        "se_tib": night::SE_TIB_FORMULA, "se_dse": night::SE_DSE_FORMULA,
        "mid_sleep": night::MID_SLEEP_FORMULA, "regularity": report::REGULARITY_FORMULA,
    })
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
            "format": self.file.as_ref().map(|_| self.format.name()),
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
            "sleep": sleep_json(&report.sleep),
            "formulas": formulas(),
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
            None => pair("to write it", "ebb report --out visit.pdf".to_owned()),
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
        for (key, value) in self.told() {
            text.say(&format!("{key:<13} {value}")).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        self.told()
    }
}
