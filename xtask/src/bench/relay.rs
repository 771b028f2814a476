//! `cargo xtask bench relay`: what a relay does in a second, what it keeps in memory, and how that changes with what is stored;
//! beside a bare server in the same run.
//!
//! The load comes from processes of their own (`load`, of the tests package), on the same machine: both sides share its cores,
//! so that only the ratios mean something.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::machine;
use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::scene::{number, parse, text};
use crate::{process, workspace};

/// Rounds, of which the median counts, and what each connection sends in one.
const ROUNDS: &str = "7";
const EACH: &str = "60";
/// Journals with event streams, and streams of each: 10,000 in all.
const WAITING: (&str, &str) = ("200", "50");
const STREAMS: f64 = 10_000.0;
/// What a relay of a clinic holds.
const STORED: (&str, &str) = ("10000", "1000000");
/// Limits that the load would pass.
const LIMITS: [&str; 5] = [
    "--open",
    "--requests",
    "4000000000",
    "--requests-per-address",
    "4000000000",
];

/// Measures, and prints the table.
pub(super) fn run() -> Result<(), Failure> {
    let binaries = Binaries::release()?;
    let target = workspace::target()?;
    let folder = tempfile::Builder::new()
        .prefix("bench-relay-")
        .tempdir_in(&target);
    let folder = folder.map_err(Failure::file(target))?;
    let bench = Bench {
        relay: binaries.path("ebb-relay")?,
        load: binaries.path("load")?,
        folder: folder.path(),
    };
    let mut rows = bench.appends()?;
    rows.append(&mut bench.waiting()?);
    rows.append(&mut bench.stored()?);
    println!("| work | budget | seen |");
    println!("|---|---|---|");
    for [work, budget, seen] in rows {
        println!("| {work} | {budget} | {seen} |");
    }
    let machine = machine::describe(folder.path());
    println!(
        "\n{}",
        machine.replace("xtask bench`", "xtask bench relay`")
    );
    Ok(())
}

type Row = [String; 3];

fn row(work: &str, budget: &str, seen: String) -> Row {
    [work.to_owned(), budget.to_owned(), seen]
}

struct Bench<'a> {
    relay: &'a Path,
    load: &'a Path,
    folder: &'a Path,
}

impl Bench<'_> {
    /// Durable appends of one envelope each, beside the same bodies echoed, and committed without any check.
    fn appends(&self) -> Result<Vec<Row>, Failure> {
        let relay = self.serve("appends")?;
        let mut bare = Command::new(self.load);
        let bare = Server::start(bare.arg("bare").arg(self.folder))?;
        eprintln!("measuring appends");
        let rates = self.load(&["append", &relay.url, &bare.url, ROUNDS, EACH])?;
        let (echo, commit) = (number(&rates, "echo")?, number(&rates, "commit")?);
        let (relay, checks) = (number(&rates, "relay")?, number(&rates, "checks")?);
        Ok(vec![
            row(
                "durable appends of one envelope, 64 connections, all checks, beside a bare axum echo of the same bodies",
                "≥ 0.10",
                format!("{:.2} ({relay:.0} and {echo:.0} a second)", relay / echo),
            ),
            row(
                "the same, beside a bare axum and SQLite group commit",
                "≥ 0.6",
                format!(
                    "{:.2} ({relay:.0} and {commit:.0} a second)",
                    relay / commit
                ),
            ),
            row(
                "the same, beside the two signature checks of each alone, on all processors",
                "none",
                format!(
                    "{:.2} ({relay:.0} and {checks:.0} a second)",
                    relay / checks
                ),
            ),
        ])
    }

    /// Memory of a relay that nobody asks, and of one on which many wait; and how soon those hear.
    fn waiting(&self) -> Result<Vec<Row>, Failure> {
        let relay = self.serve("waiting")?;
        let idle = relay.resident_kib()?;
        eprintln!("measuring event streams");
        let mut load = Command::new(self.load);
        load.args(["wait", &relay.url, WAITING.0, WAITING.1]);
        let mut load = Server::spawn(load.stdin(Stdio::piped()))?;
        number(&load.line()?, "waiting")?;
        let full = relay.resident_kib()?;
        if let Some(mut go) = load.child.stdin.take() {
            let said = go.write_all(b"go\n");
            said.map_err(Failure::file("the load's input"))?;
        }
        let told = load.line()?;
        let soon = number(&told, "seconds")? * 1e3;
        Ok(vec![
            row(
                "memory of an idle relay",
                "≤ 8 MB",
                format!("{:.1} MB", idle / 1024.0),
            ),
            row(
                "memory of each of 10,000 waiting event streams",
                "≤ 12 KB",
                format!("{:.1} KB", (full - idle) / STREAMS),
            ),
            row(
                "an append until all 50 who wait for its journal have heard, 10,000 waiting in all",
                "≤ 1 s",
                format!("{soon:.0} ms"),
            ),
        ])
    }

    /// Answer times of a relay that holds much, beside one that holds nothing.
    fn stored(&self) -> Result<Vec<Row>, Failure> {
        eprintln!("filling a relay");
        // The first start makes the tables.
        drop(self.serve("full")?);
        let database = self.folder.join("full/relay.sqlite3").display().to_string();
        self.load(&["fill", &database, STORED.0, STORED.1])?;
        let (full, empty) = (self.serve("full")?, self.serve("empty")?);
        eprintln!("measuring answers");
        let times = self.load(&["compare", &empty.url, &full.url, ROUNDS, EACH])?;
        let time = |side: &str, at: usize| {
            let seconds = times.get(side).and_then(|side| side.get(at));
            seconds
                .and_then(Value::as_f64)
                .ok_or_else(|| Failure::Answer {
                    program: "load compare".to_owned(),
                    expected: format!("times of `{side}`"),
                })
        };
        let mut rows = Vec::new();
        for (at, work) in [(0, "appends"), (1, "syncs")] {
            let (empty, full) = (time("one", at)?, time("other", at)?);
            rows.push(row(
                &format!("{work}, median time with 10,000 journals and a million envelopes stored, beside an empty relay"),
                "≤ 1.3",
                format!("{:.2} ({:.2} and {:.2} ms)", full / empty, full * 1e3, empty * 1e3),
            ));
        }
        Ok(rows)
    }

    fn serve(&self, name: &str) -> Result<Server, Failure> {
        let mut command = Command::new(self.relay);
        command
            .args([
                "serve",
                "--json",
                "--log",
                "error",
                "--listen",
                "127.0.0.1:0",
            ])
            .args(LIMITS)
            .arg("--data")
            .arg(self.folder.join(name));
        Server::start(&mut command)
    }

    fn load(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let mut command = Command::new(self.load);
        command.args(arguments);
        let line = process::line(&command);
        parse(&line, &process::answer(&mut command)?)
    }
}

/// A process that says where it listens; killed when dropped.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut server = Self::spawn(command.stdin(Stdio::null()))?;
        server.url = text(&server.line()?, "listening")?;
        Ok(server)
    }

    fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let program = process::line(command);
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|source| Failure::Start {
            program: program.clone(),
            source,
        })?;
        let output = child.stdout.take().ok_or(Failure::Answer {
            program,
            expected: "anything".to_owned(),
        })?;
        Ok(Self {
            child,
            output: BufReader::new(output),
            url: String::new(),
        })
    }

    /// Returns the next line that it prints.
    fn line(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.map_err(Failure::file("a program's output"))?;
        parse("a program under load", &line)
    }

    /// Returns the memory that it has now.
    fn resident_kib(&self) -> Result<f64, Failure> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        kib.ok_or(Failure::Answer {
            program: path,
            expected: "VmRSS".to_owned(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
