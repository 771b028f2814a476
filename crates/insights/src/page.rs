//! The appointment report as one self-contained HTML page: no script, no network, one sheet of A4 or Letter.
//!
//! Whatever people wrote is escaped, and cut where it would push the page beyond one sheet. Meaning is never in colour alone,
//! and the picture has its numbers in words.

mod chart;
mod sections;
mod texts;

use jiff::civil::Date;

use crate::report::Report;
use texts::fill;

pub use texts::{ENGLISH, Texts};

/// The style of the page.
const STYLE: &str = include_str!("page/page.css");
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

/// Writes the page.
pub fn html(report: &Report, head: Head<'_>) -> String {
    let texts = head.texts;
    let period = report.period;
    let (first, last) = (period.first().to_string(), period.last().to_string());
    let title = escaped(&fill(texts.title, &[&cut(head.name), &first, &last]));
    let main = sections::all(report, texts);
    let made = fill(texts.made, &[&head.made.to_string()]);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"soft\">{} · {made}</p>\n{main}</main>\n<footer><p><small>{}</small></p></footer>\n</body>\n</html>\n",
        texts.code,
        escaped(&sections::coverage(report, texts)),
        escaped(texts.foot)
    )
}

/// Escapes text for HTML, in elements and in attributes; control characters become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in journal::words::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
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
