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

/// The most characters of a text that someone wrote.
const LONGEST_TEXT: usize = 180;

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
        title: fill(texts.title, &[&cut(head.name), &first, &last]),
        lead: format!("{} · {made}", sections::coverage(report, texts)),
        rows: sections::all(report, texts),
        foot: texts.foot.to_owned(),
    }
}

/// Cuts a text that someone wrote to what the page has room for.
fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST_TEXT).collect();
    format!("{kept}…")
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
