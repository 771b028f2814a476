//! `cargo xtask calibrate`: how often the statistics err on simulated journals whose truth is known.
//!
//! Prints the tables of `crates/insights/README.md`, from a fixed seed. A short run of the same is among the crate's tests.

use crate::failure::Failure;
use crate::process;
use crate::workspace::cargo;

/// Runs the simulation. The workspace optimises this crate in every build, so a development build will do.
pub(crate) fn run() -> Result<(), Failure> {
    let example = [
        "run",
        "--locked",
        "--package",
        "ebb-insights",
        "--example",
        "calibrate",
    ];
    process::run(&mut cargo(&example))
}
