//! The appointment report, by other people's software. As HTML, `tests/conformance/page.mjs` checks it with npm's `html-validate`
//! and `axe-core`, and prints it with Debian's Chromium: valid, accessible in light and dark, one sheet of A4 and of Letter, no
//! request to anywhere. As PDF, `tests/conformance/pdf.py` reads it with PyPI's `pypdf` and Debian's poppler and qpdf: one tagged
//! sheet that says the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{install, npm_packages};
use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::{process, workspace};

const CHROMIUM: &str = "/usr/bin/chromium";
const SCRIPTS: [&str; 2] = ["package.json", "page.mjs"];
/// Programs, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 3] = [
    (CHROMIUM, "chromium"),
    ("pdftotext", "poppler-utils"),
    ("qpdf", "qpdf"),
];

/// The full pages: how many entries, over how many years, and the days of the report.
const PAGES: [(&str, &str, &str, &str); 3] = [
    ("week", "84", "1", "7"),
    ("quarter", "1080", "1", "90"),
    ("two-years", "8760", "2", "730"),
];

/// A page of a journal: where it is as HTML, and as PDF on both papers.
struct Page {
    html: PathBuf,
    pdfs: [PathBuf; 2],
}

/// Makes pages of sparse journals and of full ones, and checks them all in both forms.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let folder = workspace::target()?.join("conformance/page");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for name in SCRIPTS {
        let from = workspace::root().join("tests/conformance").join(name);
        fs::copy(&from, folder.join(name)).map_err(Failure::file(&from))?;
    }
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_there(program));
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    npm_packages(&folder)?;
    let pages = pages(&folder)?;
    let mut check = Command::new("node");
    check.arg("page.mjs").arg(CHROMIUM).current_dir(&folder);
    process::run(check.args(pages.iter().map(|page| &page.html)))?;
    let script = workspace::root().join("tests/conformance/pdf.py");
    let pairs = pages.iter().flat_map(|page| {
        let pair = |pdf: &PathBuf| format!("{}:{}", page.html.display(), pdf.display());
        page.pdfs.iter().map(pair).collect::<Vec<_>>()
    });
    process::run(Command::new(python).arg(script).args(pairs))
}

/// Tells whether a program can be started.
fn is_there(program: &str) -> bool {
    process::output(Command::new(program).arg("--version")).is_ok()
}

/// The journals of a folder, and the programs that fill them.
struct Journals<'a> {
    folder: &'a Path,
    programs: Binaries,
}

impl Journals<'_> {
    /// Returns a home folder without a journal.
    fn fresh(&self, name: &str) -> Result<PathBuf, Failure> {
        let home = self.folder.join(format!("home-{name}"));
        if home.exists() {
            fs::remove_dir_all(&home).map_err(Failure::file(&home))?;
        }
        Ok(home)
    }

    fn ebb(&self, home: &Path, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(self.programs.path("ebb")?);
        command.args(arguments).env("EBB_HOME", home);
        process::run(command.env("TZ", "UTC"))
    }

    /// Writes a journal's page in all its forms.
    fn page(&self, home: &Path, name: &str, days: &str) -> Result<Page, Failure> {
        let file = |ending: &str| self.folder.join(format!("{name}{ending}"));
        let page = Page {
            html: file(".html"),
            pdfs: [file(".pdf"), file("-letter.pdf")],
        };
        let report = |out: &Path, more: &[&str]| {
            let out = out.display().to_string();
            let asked = ["report", "--days", days, "--out", &out];
            self.ebb(home, &[asked.as_slice(), more].concat())
        };
        let [a4, letter] = &page.pdfs;
        report(&page.html, &[])?;
        report(a4, &[])?;
        report(letter, &["--paper", "letter"])?;
        Ok(page)
    }

    /// Makes the page of a journal that has just some entries.
    fn sparse(&self, name: &str, entries: &[&[&str]]) -> Result<Page, Failure> {
        let home = self.fresh(name)?;
        self.ebb(&home, &["init", "--name", "Ana"])?;
        for entry in entries {
            self.ebb(&home, entry)?;
        }
        self.page(&home, name, "90")
    }

    /// Makes the page of a journal filled by `seed`, with something in every section.
    fn full(
        &self,
        (name, entries, years, days): (&str, &str, &str, &str),
    ) -> Result<Page, Failure> {
        let home = self.fresh(name)?;
        let mut seed = Command::new(self.programs.path("seed")?);
        let seed = seed.arg("--home").arg(&home);
        process::run(seed.args(["--entries", entries, "--years", years]))?;
        for line in LINES {
            self.ebb(&home, line)?;
        }
        self.page(&home, name, days)
    }
}

/// Writes the pages.
fn pages(folder: &Path) -> Result<Vec<Page>, Failure> {
    let journals = Journals {
        folder,
        programs: Binaries::debug()?,
    };
    let mut pages = Vec::new();
    for (name, entries) in SPARSE {
        pages.push(journals.sparse(name, entries)?);
    }
    for page in PAGES {
        pages.push(journals.full(page)?);
    }
    Ok(pages)
}

/// Journals with next to nothing in them: what is typed for each.
const SPARSE: [(&str, &[&[&str]]); 6] = [
    ("empty", &[]),
    ("one-entry", &[&["fatigue", "--level", "6"]]),
    (
        "all-skipped",
        &[
            &["fatigue", "--level", "skipped"],
            &["dose", "amifampridine", "--skipped"],
            &["symptom", "--dry-mouth", "skipped"],
            &["factor", "--stress", "skipped"],
        ],
    ),
    (
        "one-medicine",
        &[
            &["dose", "amifampridine", "10mg", "--at", "3h ago"],
            &[
                "fatigue",
                "--level",
                "3",
                "--weakness",
                "legs=1",
                "--at",
                "2h ago",
            ],
            &[
                "fatigue",
                "--level",
                "6",
                "--weakness",
                "legs=2",
                "--at",
                "1h ago",
            ],
        ],
    ),
    (
        "ten-medicines",
        &[
            &["dose", "medicine one", "1mg"],
            &["dose", "medicine two", "2mg"],
            &["dose", "medicine three", "3mg"],
            &["dose", "medicine four", "4mg"],
            &["dose", "medicine five", "5mg"],
            &["dose", "medicine six", "6mg"],
            &["dose", "medicine seven", "7mg"],
            &["dose", "medicine eight", "8mg"],
            &["dose", "medicine nine", "9mg"],
            &["dose", "medicine ten", "10mg"],
        ],
    ),
    (
        "no-doses",
        &[
            &["fatigue", "--level", "4", "--weakness", "legs=1"],
            &["symptom", "--dry-mouth", "2"],
        ],
    ),
];

/// What the seeded journals lack: something in every section, and texts as long as they may be.
const LINES: &[&[&str]] = &[
    &["question", LONG, "--tag", "concern"],
    &["question", LONGER],
    &["event", "fall", "in the <kitchen> & \"hall\""],
    &["event", "choking"],
    &["event", "seizure"],
    &["event", "emergency-visit"],
    &["event", "infection"],
    &["event", "new-medicine"],
    &["event", "treatment-change", "--at", "yesterday 12:00"],
    &["event", "treatment-change", "--at", "2 days ago"],
    &["event", "treatment-change", "--at", "3 days ago"],
    &["test", "3tug", "12.1", "12.8", "14.0"],
    &["test", "3tug", "11.1", "12.8", "14.0"],
    &["test", "3tug", "13.1", "12.8", "14.0"],
    &["test", "3tug", "13.1", "12.8", "14.5"],
    &[
        "symptom",
        "--dry-mouth",
        "2",
        "--constipation",
        "2",
        "--sweating",
        "3",
        "--lid-droop",
        "2",
        "--speech",
        "3",
    ],
    &[
        "symptom",
        "--chewing",
        "2",
        "--swallowing",
        "2",
        "--choking",
        "2",
        "--breathing",
        "lying-flat",
    ],
    &[
        "sleep",
        "--bed",
        "9h ago",
        "--tried",
        "8h ago",
        "--latency",
        "20m",
        "--woke",
        "2",
        "--awake",
        "25m",
        "--wake",
        "2h ago",
        "--up",
        "1h ago",
        "--trying-after",
        "10m",
        "--quality",
        "3",
    ],
    &[
        "sleep",
        "--bed",
        "yesterday 00:10",
        "--tried",
        "yesterday 00:30",
        "--latency",
        "5m",
        "--woke",
        "0",
        "--wake",
        "yesterday 07:10",
        "--up",
        "yesterday 07:30",
        "--trying-after",
        "0m",
    ],
    &["fatigue", "--level", "6", "--weakness", "legs=2"],
    &[
        "dose",
        "a medicine with a long name, as some makers have them",
        "10mg",
    ],
    &[
        "dose",
        "another one with a long name, as some makers have them",
        "10mg",
    ],
    &[
        "dose",
        "the hydrochloride of a medicine with a long name",
        "10mg",
    ],
    &[
        "dose",
        "the dihydrogenphosphate of a medicine with a long name",
        "10mg",
    ],
    &["dose", "medicine 6", "10mg"],
    &["dose", "medicine 7", "10mg"],
];

/// Questions that are longer than the page has room for.
const LONG: &str = "Could the third dose of the day move to the early afternoon, given that the stairs at work are hardest \
                    between two and four, that the evening dose then would come later too, and that sleep has been \
                    lighter since the last change of treatment in the autumn?";
const LONGER: &str = "Which of the exercises may go on through the winter, now that the walks have grown shorter and the stairs \
                      slower, and the hands are cold from November on, so that the weights were left out more often than the \
                      plan says, and would the pool be a good place for them?";
