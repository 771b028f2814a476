//! `cargo xtask bench`: the budgets, each beside a baseline measured in the same run.
//!
//! Whole processes of release builds, run in turn (baseline, ebb, baseline, ebb …), compared by their medians: what
//! matters is the ratio, as the machine is whatever it is. Prints a table for README.md and the machine it came from.
//! Each row is one function of `rows`.

mod machine;
mod relay;
mod rows;
mod stopwatch;

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::workspace;
use rows::Bench;

/// Fills a journal of ten years, measures every row, prints the table; or measures the relay alone.
pub(crate) fn run(only: &[String]) -> Result<(), Failure> {
    match only {
        [] => {}
        [name] if name == "relay" => return relay::run(),
        _ => {
            return Err(Failure::Mismatch(
                "only `relay` is measured alone".to_owned(),
            ));
        }
    }
    let binaries = Binaries::release()?;
    // Not the system's temporary folder: that may be in memory, where a durable write costs nothing.
    let target = workspace::target()?;
    let folder = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(&target);
    let folder = folder.map_err(Failure::file(target))?;
    let bench = Bench::prepare(&binaries, folder.path())?;
    let table = bench.measure()?;
    println!("| work | budget | ebb | baseline | ratio | peak memory |");
    println!("|---|---|---|---|---|---|");
    for row in table {
        println!("{row}");
    }
    println!("\n{}", machine::describe(folder.path()));
    Ok(())
}
