//! The Python in which the independent scripts run: a virtual environment under the build folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::install;
use crate::failure::Failure;
use crate::{process, workspace};

/// Returns the Python of an environment that has exactly the required packages, made anew when these change.
pub(super) fn environment() -> Result<PathBuf, Failure> {
    let requirements = workspace::root().join("tests/conformance/requirements.txt");
    let folder = workspace::target()?.join("conformance/venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let wanted = fs::read_to_string(&requirements).map_err(Failure::file(&requirements))?;
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
    process::run(Command::new(&python).args(pip).arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(Failure::file(stamp))?;
    Ok(python)
}
