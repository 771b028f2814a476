//! Simulates histories: `sim [--seed N | --seeds A..B | --histories N] [--steps M] [--devices K] [--verbose]`.
//!
//! A broken invariant is printed with the command that replays it. Stdout ends with one line that sums up; the exit code
//! is 1 if anything broke.

use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::process::ExitCode;

use ebb_tests::sim::{Options, run};

const USAGE: &str =
    "usage: sim [--seed N | --seeds A..B | --histories N] [--steps M] [--devices K] [--verbose]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((seeds, options)) = read(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match simulate(seeds, &options, &mut std::io::stdout().lock()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Whoever reads has heard enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stdout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a history for each seed, and tells what broke; returns in how many something did.
fn simulate(seeds: Range<u64>, options: &Options, out: &mut impl Write) -> std::io::Result<u64> {
    let (steps, devices) = (options.steps, options.devices);
    let mut broken = 0;
    for seed in seeds.clone() {
        if let Err(what) = run(seed, options) {
            broken += 1;
            writeln!(out, "seed {seed}, {what}")?;
            let replay = format!("--seed {seed} --steps {steps} --devices {devices}");
            writeln!(out, "replay: cargo xtask sim {replay}")?;
        }
    }
    let which = match seeds.end - seeds.start {
        1 => format!("1 history, seed {}", seeds.start),
        count => format!("{count} histories, seeds {}..{}", seeds.start, seeds.end),
    };
    let options = format!("{steps} steps, {devices} devices");
    writeln!(out, "sim: {which}, {options}, {broken} broken invariants")?;
    Ok(broken)
}

fn read(arguments: &[String]) -> Option<(Range<u64>, Options)> {
    let mut seeds = 1..2;
    let mut options = Options {
        steps: 2000,
        devices: 5,
        verbose: false,
    };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(name) = arguments.next() {
        match name {
            "--verbose" => options.verbose = true,
            "--seed" => {
                let seed: u64 = arguments.next()?.parse().ok()?;
                seeds = seed..seed.checked_add(1)?;
            }
            "--seeds" => {
                let (first, end) = arguments.next()?.split_once("..")?;
                seeds = first.parse().ok()?..end.parse().ok()?;
            }
            "--histories" => seeds = 1..arguments.next()?.parse::<u64>().ok()?.checked_add(1)?,
            "--steps" => options.steps = arguments.next()?.parse().ok()?,
            "--devices" => options.devices = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    (!seeds.is_empty() && options.devices >= 2).then_some((seeds, options))
}
