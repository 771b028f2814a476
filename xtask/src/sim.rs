//! `cargo xtask sim`: builds the simulator as it would be released, and runs it; with `--mutants`, proves that it catches bugs.
//!
//! A mutant is a build of our crates with one deliberate bug (`--cfg ebb_mutant="…"`), in a build folder of its own. Cargo calls
//! rustc for the workspace's crates through a wrapper, a link to this very program named after the mutant: so that
//! dependencies are built once for all, and a mutant can come from nowhere else.

mod mutants;

use std::process::Command;

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::process;

pub(crate) use mutants::stand_in;

/// How many histories `cargo xtask test` runs, and how long each is.
const BOUNDED: [&str; 6] = ["--histories", "12", "--steps", "800", "--devices", "5"];

/// Runs the simulator with the arguments given.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [only] if only == "--mutants" => mutants::run(),
        _ => {
            let binaries = Binaries::simulator()?;
            process::run(Command::new(binaries.path("sim")?).args(arguments))
        }
    }
}

/// Runs a few histories, with a simulator that is built already.
pub(crate) fn bounded(binaries: &Binaries) -> Result<(), Failure> {
    process::run(Command::new(binaries.path("sim")?).args(BOUNDED))
}
