//! `cargo xtask`: what people run to work on ebb. Each command is one module; this file only chooses.
//!
//! Names none of the project's crates: it builds and runs them, so that a tree that does not compile can still be
//! checked.

mod bench;
mod binaries;
mod conformance;
mod demo;
mod failure;
mod process;
mod scene;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo         two devices, one relay, one journal: set up, filled, synced and compared before your eyes
  test         format, lints, house rules, every test
  tidy         the house rules alone: sizes, names, who may import whom
  conformance  checks by outside programs: golden vectors, the pure crates for wasm32
  bench        the budgets, each beside a baseline measured in the same run (release build, some minutes)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match arguments.as_slice() {
        [name] => name.as_str(),
        _ => "",
    };
    let outcome = match command {
        "bench" => bench::run(),
        "conformance" => conformance::run(),
        "demo" => demo::run(),
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
