//! The rows of the table: what is measured, beside what, and how far apart the two may be.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::stopwatch::{Lap, Series, Stopwatch, interleave};
use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::process;
use crate::scene::{Home, Relay, number, parse, text};

/// Ten years, twelve a day.
const TEN_YEARS: usize = 43_800;
/// What each of two devices logs with no network.
const OFFLINE: usize = 1_000;
/// Runs of what takes milliseconds, and of what takes longer.
const MANY: usize = 41;
const FEW: usize = 3;

/// One line of the table.
pub(super) struct Row {
    work: String,
    budget: &'static str,
    ebb: String,
    baseline: String,
    ratio: f64,
    peak_mib: f64,
}

impl Row {
    fn new(
        work: impl Into<String>,
        budget: &'static str,
        ebb: &Series,
        baseline: (&str, &Series),
    ) -> Self {
        let (name, bare) = baseline;
        Self {
            work: work.into(),
            budget,
            ebb: milliseconds(ebb.seconds()),
            baseline: format!("{name}: {}", milliseconds(bare.seconds())),
            ratio: ebb.seconds() / bare.seconds(),
            peak_mib: ebb.peak_mib(),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            work,
            budget,
            ebb,
            baseline,
            ratio,
            peak_mib,
        } = self;
        write!(
            f,
            "| {work} | {budget} | {ebb} | {baseline} | {ratio:.2} | {peak_mib:.0} MB |"
        )
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

/// Everything the rows need: a relay, a device with ten years on it and one with none, and databases of plain SQLite.
pub(super) struct Bench {
    folder: PathBuf,
    ebb: PathBuf,
    seed: PathBuf,
    baseline: PathBuf,
    stopwatch: Stopwatch,
    relay: Relay,
    full: Home,
    empty: Home,
    /// A journal of ten years that was synced every day.
    daily: Home,
    database: PathBuf,
}

impl Bench {
    /// Fills the journal and sends it to the relay in one sync.
    pub(super) fn prepare(binaries: &Binaries, folder: &Path) -> Result<Self, Failure> {
        let ebb = binaries.path("ebb")?;
        let bench = Self {
            folder: folder.to_owned(),
            ebb: ebb.to_owned(),
            seed: binaries.path("seed")?.to_owned(),
            baseline: binaries.path("baseline")?.to_owned(),
            stopwatch: Stopwatch::new(binaries.path("measure")?),
            relay: Relay::start(binaries.path("ebb-relay")?, folder.join("relay"))?,
            full: Home::new(ebb, folder.join("full"))?,
            empty: Home::new(ebb, folder.join("empty"))?,
            daily: Home::new(ebb, folder.join("daily"))?,
            database: folder.join("baseline.db"),
        };
        bench.begin(&bench.full)?;
        bench.seed(&bench.full, TEN_YEARS, &[])?;
        bench.full.json(&["sync"])?;
        bench.begin(&bench.empty)?;
        eprintln!("filling a journal that is synced every day");
        bench.begin(&bench.daily)?;
        bench.seed(&bench.daily, TEN_YEARS, &["--synced-daily"])?;
        process::run(&mut bench.bare(&["fill"], &bench.database, &[&TEN_YEARS.to_string()]))?;
        Ok(bench)
    }

    /// Measures every row. The first sync comes first, while the journal has exactly ten years.
    pub(super) fn measure(&self) -> Result<Vec<Row>, Failure> {
        let mut first = self.first_sync(&self.full, "")?;
        first.append(&mut self.first_sync(&self.daily, ", synced daily for ten years")?);
        let two = self.two_devices()?;
        let mut rows = self.log()?;
        rows.push(self.today()?);
        rows.append(&mut self.looks()?);
        rows.append(&mut first);
        rows.push(two);
        rows.push(self.nothing_new()?);
        Ok(rows)
    }

    /// `ebb 6` on ten years, on nothing, and a bare commit.
    fn log(&self) -> Result<Vec<Row>, Failure> {
        eprintln!("measuring `ebb 6`");
        let [bare, full, empty] = interleave(
            MANY,
            [
                &mut || {
                    self.stopwatch
                        .time(&self.full, &self.bare(&["commit"], &self.database, &[]))
                },
                &mut || self.stopwatch.time(&self.full, &self.full.ebb(&["6"])),
                &mut || self.stopwatch.time(&self.empty, &self.empty.ebb(&["6"])),
            ],
        )?;
        Ok(vec![
            Row::new(
                "`ebb 6` on 43,800 entries",
                "≤ 2×, ≤ 25 MB",
                &full,
                ("SQLite, one durable row", &bare),
            ),
            Row::new(
                "the same, 43,800 entries beside none",
                "≤ 1.3×",
                &full,
                ("`ebb 6` on none", &empty),
            ),
        ])
    }

    /// `ebb today --json` on ten years.
    fn today(&self) -> Result<Row, Failure> {
        eprintln!("measuring `ebb today`");
        let [bare, today] = interleave(
            MANY,
            [
                &mut || {
                    self.stopwatch
                        .time(&self.full, &self.bare(&["read"], &self.database, &[]))
                },
                &mut || {
                    self.stopwatch
                        .time(&self.full, &self.full.ebb(&["today", "--json"]))
                },
            ],
        )?;
        Ok(Row::new(
            "`ebb today --json` on 43,800 entries",
            "≤ 2×",
            &today,
            ("SQLite, read twelve rows", &bare),
        ))
    }

    /// What looks at all ten years: `ebb insights`, and `ebb report` in both forms.
    fn looks(&self) -> Result<Vec<Row>, Failure> {
        eprintln!("measuring `ebb insights` and `ebb report`");
        let file = |ending: &str| {
            let file = self.folder.join(format!("visit.{ending}"));
            file.display().to_string()
        };
        let (html, pdf) = (file("html"), file("pdf"));
        let time = |arguments: &[&str]| self.stopwatch.time(&self.full, &self.full.ebb(arguments));
        let report = |out: &str| time(&["report", "--days", "3650", "--out", out]);
        let [list, insights, html, pdf] = interleave(
            FEW,
            [
                &mut || time(&["list", "--json"]),
                &mut || time(&["insights"]),
                &mut || report(&html),
                &mut || report(&pdf),
            ],
        )?;
        let row = |work: &str, series: &Series| {
            let work = format!("{work} on 43,800 entries");
            Row::new(
                work,
                "≤ 2 s, ≤ 150 MB",
                series,
                ("`ebb list --json`", &list),
            )
        };
        Ok(vec![
            row("`ebb insights`", &insights),
            row("`ebb report`, ten years as HTML,", &html),
            row("the same as PDF,", &pdf),
        ])
    }

    /// A new device: from the link to a readable journal.
    fn first_sync(&self, of: &Home, how: &str) -> Result<Vec<Row>, Failure> {
        eprintln!("measuring a new device's first sync{how}");
        let mut round = 0;
        let mut received = 0.0;
        let mut join = || {
            round += 1;
            let link = text(
                &of.json(&["device", "add", "--name", &format!("new {round}")])?,
                "link",
            )?;
            let folder = format!("new-{}-{round}", how.len());
            let home = Home::new(&self.ebb, self.folder.join(folder))?;
            let joined = self
                .stopwatch
                .time(&home, &home.ebb(&["join", &link, "--json"]))?;
            let synced = self.stopwatch.time(&home, &home.ebb(&["sync", "--json"]))?;
            // `join` ends with a first sync; the one after it asks for whatever came meanwhile.
            received = bytes(&joined, "/sync/bytes_received")? + bytes(&synced, "/bytes_received")?;
            same(of, &home)?;
            Ok(Lap {
                seconds: joined.seconds + synced.seconds,
                peak_mib: joined.peak_mib.max(synced.peak_mib),
                stdout: synced.stdout,
            })
        };
        let mut fills = 0;
        let mut fill = || {
            fills += 1;
            let file = self.folder.join(format!("fill-{}-{fills}.db", how.len()));
            self.stopwatch.time(
                &self.full,
                &self.bare(&["fill"], &file, &[&TEN_YEARS.to_string()]),
            )
        };
        let [bare, new] = interleave(FEW, [&mut fill, &mut join])?;
        let time = Row::new(
            format!("new device, 43,800 entries{how}, `join` and `sync`"),
            "≤ 1.0 s, ≤ 60 MB",
            &new,
            ("SQLite, insert as many rows", &bare),
        );
        let [plain, deflated] = self.deflated()?;
        let each = |bytes: f64| format!("{:.1} bytes an entry", bytes / TEN_YEARS as f64);
        let wire = Row {
            work: "the same, on the wire".to_owned(),
            budget: "≤ 30 bytes an entry",
            ebb: each(received),
            baseline: format!(
                "`ebb list --json` deflated: {} (plain {})",
                each(deflated),
                each(plain)
            ),
            ratio: received / deflated,
            peak_mib: new.peak_mib(),
        };
        Ok(vec![time, wire])
    }

    /// Two devices with entries of their own: three syncs until both have all.
    fn two_devices(&self) -> Result<Row, Failure> {
        eprintln!("measuring two devices with {OFFLINE} entries each");
        let mut round = 0;
        let mut sent = 0.0;
        let mut merge = || {
            round += 1;
            let [one, two] = self.pair(round)?;
            let mut total = Lap {
                seconds: 0.0,
                peak_mib: 0.0,
                stdout: String::new(),
            };
            sent = 0.0;
            for home in [&one, &two, &one] {
                let lap = self.stopwatch.time(home, &home.ebb(&["sync", "--json"]))?;
                sent += bytes(&lap, "/bytes_sent")?;
                total.seconds += lap.seconds;
                total.peak_mib = total.peak_mib.max(lap.peak_mib);
            }
            same(&one, &two)?;
            Ok(total)
        };
        let mut fills = 0;
        let mut fill = || {
            fills += 1;
            let file = self.folder.join(format!("pair-{fills}.db"));
            self.stopwatch.time(
                &self.full,
                &self.bare(&["fill"], &file, &[&(2 * OFFLINE).to_string()]),
            )
        };
        let [bare, merged] = interleave(FEW, [&mut fill, &mut merge])?;
        let each = sent / (2 * OFFLINE) as f64;
        let work = format!(
            "two devices, {OFFLINE} offline entries each, three `ebb sync` ({each:.1} bytes sent an entry)"
        );
        Ok(Row::new(
            work,
            "≤ 200 ms, ≤ 30 bytes an entry",
            &merged,
            ("SQLite, insert as many rows once", &bare),
        ))
    }

    /// A sync when nothing is new.
    fn nothing_new(&self) -> Result<Row, Failure> {
        eprintln!("measuring a sync with nothing new");
        self.full.json(&["sync"])?;
        let [bare, sync] = interleave(
            MANY,
            [
                &mut || {
                    self.stopwatch
                        .time(&self.full, &self.bare(&["read"], &self.database, &[]))
                },
                &mut || {
                    self.stopwatch
                        .time(&self.full, &self.full.ebb(&["sync", "--json"]))
                },
            ],
        )?;
        let last = sync.last().map_or("null", |lap| &lap.stdout);
        let document = parse("ebb sync --json", last)?;
        let work = format!(
            "sync with nothing new ({} round trip, {} bytes sent, {} received)",
            number(&document, "round_trips")?,
            number(&document, "bytes_sent")?,
            number(&document, "bytes_received")?,
        );
        Ok(Row::new(
            work,
            "≤ 3×, 1 round trip, ≤ 1 KB each way",
            &sync,
            ("SQLite, read twelve rows", &bare),
        ))
    }

    /// Begins a journal on the relay.
    fn begin(&self, home: &Home) -> Result<(), Failure> {
        home.json(&[
            "init",
            "--name",
            "Ana",
            "--relay",
            self.relay.url(),
            "--token",
            self.relay.token(),
        ])
        .map(drop)
    }

    /// Adds entries to a home, as if logged there.
    fn seed(&self, home: &Home, entries: usize, how: &[&str]) -> Result<(), Failure> {
        let mut seed = Command::new(&self.seed);
        seed.args(["--entries", &entries.to_string(), "--home"])
            .arg(home.folder())
            .args(how);
        home.enter(&mut seed);
        process::run(&mut seed)
    }

    /// Makes a journal with two devices, each of which has logged alone.
    fn pair(&self, round: usize) -> Result<[Home; 2], Failure> {
        let one = Home::new(&self.ebb, self.folder.join(format!("pair-{round}-one")))?;
        let two = Home::new(&self.ebb, self.folder.join(format!("pair-{round}-two")))?;
        self.begin(&one)?;
        let link = text(&one.json(&["device", "add", "--name", "two"])?, "link")?;
        two.json(&["join", &link])?;
        for home in [&one, &two] {
            home.json(&["sync"])?;
            self.seed(home, OFFLINE, &[])?;
        }
        Ok([one, two])
    }

    fn bare(&self, mode: &[&str], file: &Path, rest: &[&str]) -> Command {
        let mut command = Command::new(&self.baseline);
        command.args(mode).arg(file).args(rest);
        command
    }

    /// Returns the bytes of the whole list as JSON: plain, and deflated.
    fn deflated(&self) -> Result<[f64; 2], Failure> {
        let file = self.folder.join("list.json");
        let list = process::answer(&mut self.full.ebb(&["list", "--json"]))?;
        fs::write(&file, list).map_err(Failure::file(&file))?;
        let answer = process::answer(&mut self.bare(&["deflate"], &file, &[]))?;
        let numbers: Vec<f64> = answer
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        numbers.try_into().map_err(|_| Failure::Answer {
            program: "baseline deflate".to_owned(),
            expected: "two numbers".to_owned(),
        })
    }
}

/// Returns a count of bytes from a run's JSON, which must tell it: a row must not show nothing where nobody counted.
fn bytes(lap: &Lap, pointer: &str) -> Result<f64, Failure> {
    let document = parse("ebb", &lap.stdout)?;
    let count = document.pointer(pointer).and_then(Value::as_f64);
    count.ok_or_else(|| Failure::Answer {
        program: "ebb".to_owned(),
        expected: format!("a count {pointer} in {document}"),
    })
}

/// Fails unless both devices have the same journal.
fn same(one: &Home, two: &Home) -> Result<(), Failure> {
    let list = ["list", "--json"];
    if process::answer(&mut one.ebb(&list))? == process::answer(&mut two.ebb(&list))? {
        Ok(())
    } else {
        Err(Failure::Mismatch(
            "the devices' journals differ after syncing".to_owned(),
        ))
    }
}
