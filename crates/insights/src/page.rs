//! The appointment report as one page: a self-contained HTML file, or a tagged PDF.
//!
//! Both are made of one [`Content`], so that they say the same. Whatever people wrote is cut where it would push the page beyond
//! one sheet.

mod chart;
mod content;
mod drawing;
mod html;
mod pdf;
mod sections;
mod texts;

use jiff::civil::Date;

use crate::report::Report;
use content::Content;
use texts::fill;

pub use pdf::{Paper, UnwritablePdf};
pub use texts::{ENGLISH, Texts};

/// The most characters of a text that someone wrote, and of a name.
const LONGEST_TEXT: usize = 180;
const LONGEST_NAME: usize = 40;
/// The same of the name in the title, which has at most 70 characters with its dates, or tabs and result lists cut it.
const LONGEST_OWNER: usize = 26;

/// What stands at the head of the page.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Whose journal it is.
    pub name: &'a str,
    /// The day on which the page is made.
    pub made: Date,
    /// The language.
    pub texts: &'a Texts,
}

/// Writes the page as HTML.
pub fn html(report: &Report, head: Head<'_>) -> String {
    html::html(&content(report, head))
}

/// Writes the page as PDF: the same bytes for the same report.
///
/// # Errors
/// [`UnwritablePdf`] if no accessible PDF can be made of it.
pub fn pdf(report: &Report, head: Head<'_>, paper: Paper) -> Result<Vec<u8>, UnwritablePdf> {
    pdf::pdf(&content(report, head), head.made, paper)
}

fn content(report: &Report, head: Head<'_>) -> Content {
    let texts = head.texts;
    let period = report.period;
    let (first, last) = (period.first().to_string(), period.last().to_string());
    let made = fill(texts.made, &[&head.made.to_string()]);
    Content {
        lang: texts.code,
        title: fill(
            texts.title,
            &[&cut_to(head.name, LONGEST_OWNER), &first, &last],
        ),
        lead: format!("{} · {made}", sections::coverage(report, texts)),
        rows: sections::all(report, texts),
        foot: texts.foot.to_owned(),
    }
}

/// Cuts a text that someone wrote to what the page has room for.
fn cut(text: &str) -> String {
    cut_to(text, LONGEST_TEXT)
}

/// Cuts a name that someone wrote to what a cell or a line has room for.
fn name(text: &str) -> String {
    cut_to(text, LONGEST_NAME)
}

fn cut_to(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most).collect();
    format!("{}…", kept.trim_end())
}

/// Writes a number with at most one decimal.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).replace('-', "−")
}

/// Writes minutes as hours and minutes: `2:30`.
fn clock(minutes: i64) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daily::Daily;
    use crate::logged::tests::logged;
    use crate::preset::findings;
    use crate::question::Draws;
    use crate::report::{Source, report};
    use crate::{Logged, Period};
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use journal::Value;

    fn dose(medicine: &str) -> Logged {
        let amount = ("amount_mg", Value::from(10));
        logged(1, 8, "dose", &[("medicine", medicine.into()), amount])
    }

    fn pages(entries: &[Logged]) -> (String, Content) {
        let (period, zone) = (Period::ending(date(2026, 1, 31), 31), TimeZone::UTC);
        let daily = Daily::of(entries, &zone, period);
        let found = findings(&daily, Draws::default()).unwrap();
        let report = report(Source {
            entries,
            zone: &zone,
            period,
            medicine: None,
            findings: &found,
        });
        let head = Head {
            name: &"Ana ".repeat(50),
            made: period.last(),
            texts: &ENGLISH,
        };
        for paper in [Paper::A4, Paper::Letter] {
            assert!(pdf(&report, head, paper).unwrap().starts_with(b"%PDF"));
        }
        (html(&report, head), content(&report, head))
    }

    #[test]
    fn names_and_sentences_are_cut_to_the_room_that_there_is() {
        let medicine = "dihydrogenphosphate ".repeat(10);
        let long = "Could it move? ".repeat(40);
        let question = logged(1, 9, "question", &[("note", long.trim().into())]);
        let (page, content) = pages(&[dose(medicine.trim()), question]);
        assert!(content.title.starts_with("Ana Ana"), "{:?}", content.title);
        assert!(content.title.contains(" An…: fatigue journal"));
        let cell = "<td>dihydrogenphosphate dihydrogenphosphate…</td>";
        assert!(page.contains(cell), "{page}");
        let longest = page
            .split(['<', '>'])
            .filter(|text| text.starts_with("Could it"));
        assert_eq!(
            longest.map(|text| text.chars().count()).max(),
            Some(LONGEST_TEXT)
        );
    }

    #[test]
    fn a_clock_without_readings_draws_no_empty_axes() {
        let dose = dose("amifampridine");
        let (without, _) = pages(std::slice::from_ref(&dose));
        assert!(!without.contains("<svg"), "{without}");
        assert!(without.contains("in the 24 h after a dose of amifampridine"));
        let reading = logged(1, 10, "fatigue", &[("level", Value::from(3))]);
        let (with, _) = pages(&[dose, reading]);
        assert!(with.contains("<svg"), "{with}");
    }

    #[test]
    fn safety_says_what_was_not_logged_beside_what_was_asked() {
        let asked = [("breathing_lying_flat", Value::from("no"))];
        let (page, _) = pages(&[logged(1, 8, "symptom", &asked)]);
        assert!(page.contains("that does not say there was none"), "{page}");
        assert!(
            page.contains("breathing hard on 0 of 1 days asked"),
            "{page}"
        );
    }
}
