//! The appointment report, checked by `tests/conformance/page.mjs` with npm's `html-validate` and `axe-core`, and printed by
//! Debian's Chromium: valid, accessible in light and dark, one sheet of A4 and of Letter, no request to anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{install, npm_packages};
use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::{process, workspace};

const CHROMIUM: &str = "/usr/bin/chromium";
const SCRIPTS: [&str; 2] = ["package.json", "page.mjs"];

/// The pages: how many entries, over how many years, and the days of the report.
const PAGES: [(&str, &str, &str, &str); 3] = [
    ("week", "84", "1", "7"),
    ("quarter", "1080", "1", "90"),
    ("two-years", "8760", "2", "730"),
];

/// Makes pages of an empty journal and of full ones, and checks them all.
pub(super) fn run() -> Result<(), Failure> {
    let folder = workspace::target()?.join("conformance/page");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for name in SCRIPTS {
        let from = workspace::root().join("tests/conformance").join(name);
        fs::copy(&from, folder.join(name)).map_err(Failure::file(&from))?;
    }
    if !Path::new(CHROMIUM).exists() {
        install(&["chromium"])?;
    }
    npm_packages(&folder)?;
    let pages = pages(&folder)?;
    let mut check = Command::new("node");
    process::run(
        check
            .arg("page.mjs")
            .arg(CHROMIUM)
            .args(pages)
            .current_dir(&folder),
    )
}

/// Writes the pages.
fn pages(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let programs = Binaries::debug()?;
    let ebb = |home: &Path, arguments: &[&str]| {
        let mut command = Command::new(programs.path("ebb")?);
        process::run(
            command
                .args(arguments)
                .env("EBB_HOME", home)
                .env("TZ", "UTC"),
        )
    };
    let mut pages = Vec::new();
    let mut report = |home: &Path, name: &str, days: &str| {
        let page = folder.join(format!("{name}.html"));
        let out = page.display().to_string();
        ebb(home, &["report", "--days", days, "--out", &out])?;
        pages.push(page);
        Ok::<(), Failure>(())
    };
    let fresh = |name: &str| {
        let home = folder.join(format!("home-{name}"));
        if home.exists() {
            fs::remove_dir_all(&home).map_err(Failure::file(&home))?;
        }
        Ok::<PathBuf, Failure>(home)
    };
    let empty = fresh("empty")?;
    ebb(&empty, &["init", "--name", "Ana"])?;
    report(&empty, "empty", "90")?;
    for (name, entries, years, days) in PAGES {
        let home = fresh(name)?;
        let mut seed = Command::new(programs.path("seed")?);
        let seed = seed.arg("--home").arg(&home);
        process::run(seed.args(["--entries", entries, "--years", years]))?;
        for line in LINES {
            ebb(&home, line)?;
        }
        report(&home, name, days)?;
    }
    Ok(pages)
}

/// What the seeded journals lack: something in every section, and texts as long as they may be.
const LINES: &[&[&str]] = &[
    &["question", LONG, "--tag", "concern"],
    &["question", LONG],
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
    &["fatigue", "--level", "6", "--weakness", "legs=2"],
    &[
        "dose",
        "a medicine with a long name, as some makers have them",
        "10mg",
    ],
    &["dose", "medicine 3", "10mg"],
    &["dose", "medicine 4", "10mg"],
    &["dose", "medicine 5", "10mg"],
    &["dose", "medicine 6", "10mg"],
    &["dose", "medicine 7", "10mg"],
];

/// A question that is longer than the page has room for.
const LONG: &str = "Could the third dose of the day move to the early afternoon, given that the stairs at work are hardest \
                    between two and four, that the evening dose then would come later too, and that sleep has been \
                    lighter since the last change of treatment in the autumn?";
