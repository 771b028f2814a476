//! The commands that look at many days at once: `trends` and `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The most days that can be asked for: a hundred years.
const MOST_DAYS: i64 = 36_525;

/// `ebb trends`
#[derive(Debug, Args)]
pub(crate) struct Trends {
    /// How many days, up to today.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=MOST_DAYS))]
    pub(crate) days: u32,
    /// Whose doses the clock counts from [default: the medicine taken most often].
    #[arg(long, value_name = "NAME")]
    pub(crate) medicine: Option<String>,
}

/// `ebb report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// How many days, up to today [default: 90].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MOST_DAYS), conflicts_with = "since_last_visit")]
    pub(crate) days: Option<u32>,
    /// From the last visit that was logged (`ebb event visit`).
    #[arg(long)]
    pub(crate) since_last_visit: bool,
    /// The file to write, such as visit.pdf or visit.html; `-` is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The format of the page [default: by the ending of the file].
    #[arg(long, requires = "out")]
    pub(crate) format: Option<PageFormat>,
    /// The paper of a PDF [default: a4].
    #[arg(long, requires = "out")]
    pub(crate) paper: Option<PaperSize>,
    /// Whose doses the clock counts from [default: the medicine taken most often].
    #[arg(long, value_name = "NAME")]
    pub(crate) medicine: Option<String>,
    /// The language of the page.
    #[arg(long, default_value = "en", value_parser = ["en"])]
    pub(crate) lang: String,
}

impl Report {
    /// Tells whether the page goes to stdout.
    pub(crate) fn is_to_stdout(&self) -> bool {
        self.out
            .as_deref()
            .is_some_and(|out| out.as_os_str() == "-")
    }
}

/// A form of the page for an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// A file that every browser shows.
    Html,
    /// One tagged sheet.
    Pdf,
}

impl PageFormat {
    /// Returns how it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }
}

/// A size of paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PaperSize {
    /// 210 × 297 mm.
    A4,
    /// 8.5 × 11 inches.
    Letter,
}
