//! `cargo xtask`: what people run to work on ebb. Each command is one module; this file only chooses.
//!
//! Names none of the project's crates: it builds and runs them, so that a tree that does not compile can still be
//! checked.

mod bench;
mod binaries;
mod calibrate;
mod conformance;
mod demo;
mod failure;
mod process;
mod scene;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo         two devices, one relay, one journal: set up, filled, synced and compared before your eyes
  test         format, lints, house rules, every test
  tidy         the house rules alone: sizes, names, who may import whom
  conformance  checks by outside programs: golden vectors, every statistic, the pure crates for wasm32, the relay on
               PostgreSQL, and more; `postgres`, `deploy` or `relay` runs that one alone
  sim          many devices, a lying relay and cheating members, from a seed; the options are those of the
               simulator (--seed N, --seeds A..B, --histories N, --steps M, --devices K), or --mutants alone:
               builds with deliberate bugs, each of which must be caught
  calibrate    how often the statistics err, on simulated journals whose truth is known (some minutes)
  bench        the budgets, each beside a baseline measured in the same run (release build, some minutes); `relay`: the
               relay's alone";

fn main() -> ExitCode {
    if let Some(done) = sim::stand_in() {
        return done;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.as_slice() {
        [name] => (name.as_str(), [].as_slice()),
        [name, rest @ ..] if ["bench", "conformance", "sim"].contains(&name.as_str()) => {
            (name.as_str(), rest)
        }
        _ => ("", [].as_slice()),
    };
    let outcome = match command {
        "bench" => bench::run(rest),
        "calibrate" => calibrate::run(),
        "conformance" => conformance::run(rest),
        "demo" => demo::run(),
        "sim" => sim::run(rest),
        "test" => test::run(),
        "tidy" => tidy::run(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask {command}: {failure}");
            ExitCode::FAILURE
        }
    }
}
