//! The statistics, reproduced by `tests/conformance/insights.py` with PyPI's `scipy`, `statsmodels` and `arch`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::{process, workspace};

/// Lets `insights` reckon its figures from fixed data, and checks them.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let mut figures =
        workspace::cargo(&["run", "--quiet", "--locked", "--package", "ebb-insights"]);
    let figures = process::answer(figures.args(["--example", "figures"]))?;
    let file = workspace::target()?.join("conformance/figures.json");
    fs::write(&file, figures).map_err(Failure::file(&file))?;
    let script = workspace::root().join("tests/conformance/insights.py");
    process::run(Command::new(python).arg(script).arg(file))
}
