//! The documents that `ebb export --format automerge` writes, opened by `tests/conformance/documents.mjs` with npm's
//! `@automerge/automerge`: the same values as in the lines of the same journal. `formats` has left both.

use std::fs;
use std::process::Command;

use super::npm_packages;
use crate::failure::Failure;
use crate::{process, workspace};

/// The script, and the list of its packages under the name that npm wants.
const FILES: [(&str, &str); 2] = [
    ("documents.mjs", "documents.mjs"),
    ("documents.json", "package.json"),
];

/// Installs the package, and lets the script compare.
pub(super) fn run() -> Result<(), Failure> {
    let conformance = workspace::target()?.join("conformance");
    let folder = conformance.join("documents");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for (name, to) in FILES {
        let from = workspace::root().join("tests/conformance").join(name);
        fs::copy(&from, folder.join(to)).map_err(Failure::file(&from))?;
    }
    npm_packages(&folder)?;
    let left = conformance.join("formats");
    process::run(
        Command::new("node")
            .arg("documents.mjs")
            .args([left.join("documents"), left.join("documents.jsonl")])
            .current_dir(&folder),
    )
}
