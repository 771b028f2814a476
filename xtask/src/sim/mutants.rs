//! Deliberate bugs, each of which the simulator must catch.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::failure::Failure;
use crate::{process, workspace};

/// What a wrapper's file name starts with; the mutant's name follows.
const WRAPPER: &str = "mutant-";

/// Histories that a mutant is given before it counts as missed.
const HISTORIES: u64 = 40;

/// Every deliberate bug: its name, as `ebb_mutant` has it.
/// `ack-before-commit` is one of the simulator's own disks: in the client, the commit is SQLite's, and the kill tests are there.
const MUTANTS: [&str; 16] = [
    "skip-signature",
    "readers-write",
    "ack-before-commit",
    "unchecked-batch",
    "unchecked-actor",
    "reuse-chain",
    "seal-again",
    "ignore-frontier",
    "skip-epoch",
    "skip-log-rules",
    "profile-by-anyone",
    "keep-invites",
    "ignore-loss",
    "restore-own-only",
    "replace-on-snapshot",
    "adopt-unattested",
];

/// Builds and runs every mutant; fails if one gets through.
pub(super) fn run() -> Result<(), Failure> {
    let folder = workspace::target()?.join("mutants");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let mut missed = Vec::new();
    for mutant in MUTANTS {
        let program = build(mutant, &folder)?;
        match caught_by(&program)? {
            Some((seed, what)) => println!("{mutant}: caught by seed {seed}: {what}"),
            None => {
                println!("{mutant}: NOT caught by {HISTORIES} histories");
                missed.push(mutant);
            }
        }
    }
    let caught = MUTANTS.len() - missed.len();
    println!("sim: {} mutants, {caught} caught", MUTANTS.len());
    if missed.is_empty() {
        Ok(())
    } else {
        let names = missed.join(", ");
        Err(Failure::Mismatch(format!(
            "the simulator does not notice: {names}"
        )))
    }
}

/// Builds the simulator with a bug; returns where it is. The dev profile: our crates build fast, dependencies run fast.
fn build(mutant: &str, folder: &Path) -> Result<PathBuf, Failure> {
    let wrapper = folder.join(format!("{WRAPPER}{mutant}"));
    let own = std::env::current_exe().map_err(Failure::file("the running program"))?;
    if wrapper.symlink_metadata().is_ok() {
        fs::remove_file(&wrapper).map_err(Failure::file(&wrapper))?;
    }
    symlink(own, &wrapper).map_err(Failure::file(&wrapper))?;
    let mut command = workspace::cargo(&["build", "--locked", "-p", "ebb-tests", "--bin", "sim"]);
    command
        .env("RUSTC_WORKSPACE_WRAPPER", &wrapper)
        .env("CARGO_TARGET_DIR", folder);
    eprintln!("$ {} (with {mutant})", process::line(&command));
    process::answer(&mut command)?;
    Ok(folder.join("debug").join("sim"))
}

/// Runs histories until one breaks; returns its seed and what broke.
fn caught_by(program: &Path) -> Result<Option<(u64, String)>, Failure> {
    for seed in 1..=HISTORIES {
        let mut command = Command::new(program);
        command
            .args([
                "--seed",
                &seed.to_string(),
                "--steps",
                "800",
                "--devices",
                "5",
            ])
            .stderr(Stdio::null());
        let output = process::output(&mut command)?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            let first = text.lines().next().unwrap_or("it stopped").to_owned();
            let what = first
                .split_once(", ")
                .map_or(first.as_str(), |(_, what)| what);
            return Ok(Some((seed, what.chars().take(120).collect())));
        }
    }
    Ok(None)
}

/// Stands in for rustc if this program was called as a mutant's wrapper: `mutant-NAME RUSTC ARGUMENTS…`.
pub(crate) fn stand_in() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let called = PathBuf::from(arguments.next()?);
    let mutant = called
        .file_name()?
        .to_str()?
        .strip_prefix(WRAPPER)?
        .to_owned();
    let rustc = arguments.next()?;
    let arguments: Vec<OsString> = arguments.collect();
    let status = Command::new(rustc)
        .args(arguments)
        .args(["--cfg", &format!("ebb_mutant=\"{mutant}\"")])
        .status();
    match status {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        _ => Some(ExitCode::FAILURE),
    }
}
