//! Golden vectors, reproduced by `tests/conformance/vectors.py` with PyPI's `cryptography`.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::{process, workspace};

/// Checks every vector file of the byte-level specification.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let vectors = workspace::root().join("crates/protocol/vectors");
    let script = workspace::root().join("tests/conformance/vectors.py");
    process::run(Command::new(python).arg(script).arg(vectors))
}
