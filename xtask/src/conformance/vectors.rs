//! Golden vectors, reproduced by `tests/conformance/vectors.py` with PyPI's `cryptography` in a virtual environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install;
use crate::failure::Failure;
use crate::{process, workspace};

/// Checks every vector file of the byte-level specification.
pub(super) fn run() -> Result<(), Failure> {
    let scripts = workspace::root().join("tests/conformance");
    let python = environment(&scripts.join("requirements.txt"))?;
    let vectors = workspace::root().join("crates/protocol/vectors");
    let mut script = Command::new(python);
    process::run(script.arg(scripts.join("vectors.py")).arg(vectors))
}

/// Returns the Python of an environment that has exactly the required packages, made anew when these change.
fn environment(requirements: &Path) -> Result<PathBuf, Failure> {
    let folder = workspace::target()?.join("conformance/venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let wanted = fs::read_to_string(requirements).map_err(Failure::file(requirements))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let create = || {
        process::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
        )
    };
    if create().is_err() {
        // Debian ships Python without the part that makes environments.
        install(&["python3", "python3-venv"])?;
        create()?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    process::run(Command::new(&python).args(pip).arg(requirements))?;
    fs::write(&stamp, wanted).map_err(Failure::file(stamp))?;
    Ok(python)
}
