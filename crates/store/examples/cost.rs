//! What an open, a look or one durable commit, and a close cost a whole process, side by side in one run.
//!
//! ```text
//! cargo run --release -p ebb-store --example cost [ROUNDS]
//! ```
//!
//! `bare` is a process that opens SQLite as it comes, with `synchronous=FULL`, and commits one row; `glance` one that
//! reads a row. `record` adds an entry and `today` lists a day through this crate, on a replica without entries and on
//! one with 43,800. A journal mode as a name is a bare process in that mode that writes the rows which an entry takes.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use protocol::id::{ChainId, ChainSalt, JournalId, KeyId};
use rusqlite::Connection;
use store::document::StoredTip;
use store::entry::{EntryFilter, EntryKey, EntryRow};
use store::{Birth, Replica, StoreError, Writer};

type Outcome = Result<(), Box<dyn Error>>;

const ENTRIES: u64 = 43_800;
const MODES: [&str; 4] = ["delete", "truncate", "persist", "wal"];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [work, path, round] => child(work, Path::new(path), round.parse()?),
        [rounds] => compare(rounds.parse()?),
        _ => compare(200),
    }
}

fn compare(rounds: u64) -> Outcome {
    let folder = tempfile::tempdir_in(".")?;
    let path = |name: &str| folder.path().join(name);
    let bare = Connection::open(path("bare"))?;
    bare.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")?;
    drop(bare);
    fill(&path("replica-0"), 0)?;
    fill(&path("replica-43800"), ENTRIES)?;
    let mut works = vec![
        ("bare", path("bare")),
        ("record", path("replica-0")),
        ("record", path("replica-43800")),
        ("glance", path("bare")),
        ("today", path("replica-0")),
        ("today", path("replica-43800")),
    ];
    for mode in MODES {
        std::fs::copy(path("replica-43800"), path(mode))?;
        works.push((mode, path(mode)));
    }
    let mut times = vec![Vec::new(); works.len()];
    for round in 0..rounds {
        for ((work, path), times) in works.iter().zip(&mut times) {
            let started = Instant::now();
            let status = Command::new(std::env::current_exe()?)
                .args([work, path.to_str().ok_or("path")?, &round.to_string()])
                .status()?;
            times.push(started.elapsed());
            if !status.success() {
                return Err(format!("{work} failed").into());
            }
        }
    }
    let [bare, _, _, glance, ..] = times.as_mut_slice() else {
        return Err("no times".into());
    };
    let (bare, glance) = (median(bare), median(glance));
    for ((work, path), times) in works.iter().zip(&mut times) {
        let name = path.file_name().unwrap_or_default().display();
        let median = median(times);
        let (peer, peer_name) = match *work {
            "glance" | "today" => (glance, "glance"),
            _ => (bare, "bare"),
        };
        println!(
            "{work:8} {name:14} {:6.2} ms  {:.2} x {peer_name}",
            median.as_secs_f64() * 1e3,
            median.as_secs_f64() / peer.as_secs_f64(),
        );
    }
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn child(work: &str, path: &Path, round: u64) -> Outcome {
    match work {
        "record" => {
            let mut replica = Replica::open(path)?;
            replica.write::<_, StoreError>(|writer| {
                enter(writer, ENTRIES + round)?;
                writer.short_id(&key(ENTRIES + round)).map(drop)
            })?;
        }
        "today" => {
            let filter = EntryFilter {
                since_ms: Some(ENTRIES.cast_signed() * 7_200_000 - 86_400_000),
                until_ms: Some(ENTRIES.cast_signed() * 7_200_000),
                ..EntryFilter::default()
            };
            Replica::open(path)?.read::<_, StoreError>(|reader| {
                reader.own()?;
                let entries = reader.entries(&filter)?;
                let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
                reader.short_ids(&ids).map(drop)
            })?;
        }
        "glance" => {
            let connection = Connection::open(path)?;
            let rows = "SELECT text FROM rows ORDER BY id DESC LIMIT 1";
            connection.query_row(rows, [], |row| row.get::<_, String>(0))?;
        }
        "bare" => {
            let connection = Connection::open(path)?;
            connection.execute_batch("PRAGMA synchronous=FULL")?;
            connection.execute("INSERT INTO rows (text) VALUES ('fatigue 6')", [])?;
        }
        mode => {
            let connection = Connection::open(path)?;
            connection.execute_batch(&format!(
                "PRAGMA journal_mode={mode}; PRAGMA synchronous=FULL"
            ))?;
            connection.execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 INSERT INTO loose (document, chain, actions, folded, bytes)
                 VALUES ('2026-11', randomblob(16), 1, 0, randomblob(200));
                 INSERT OR REPLACE INTO tips VALUES ('2026-11', x'00', {round}, {round}, randomblob(32));
                 INSERT INTO entries VALUES
                 (randomblob(16), 'fatigue', {round}, 0, randomblob(16), 0, '', '{JSON}');
                 COMMIT"
            ))?;
        }
    }
    Ok(())
}

const JSON: &str = r#"{"id":"019a0000-0000-7000-8000-000000000000","kind":"fatigue","at":"2026-11-20T12:40:00+01:00","zone":"Europe/Berlin","level":6,"areas":["upper-arms","legs"],"status":"final","source":"self","note":"after the stairs"}"#;

fn key(number: u64) -> EntryKey {
    // A version 7 UUID every two hours.
    let milliseconds = 1_447_000_000_000 + number * 7_200_000;
    EntryKey(((u128::from(milliseconds) << 80) | (0x7 << 76) | u128::from(number)).to_be_bytes())
}

fn enter(writer: &mut Writer<'_>, number: u64) -> Result<(), StoreError> {
    let chain: ChainId = writer.own()?.chain;
    let month = format!("{:04}", number / 365);
    let before = writer.tip(&month, &chain)?;
    let tip = StoredTip {
        seq: before.map_or(1, |tip| tip.seq + 1),
        max_op: number,
        hash: [3; 32],
    };
    writer.record(&month, &chain, &[7; 200], &tip, 1)?;
    writer.put_entries(&[EntryRow {
        id: key(number),
        kind: "fatigue".to_owned(),
        at_ms: number.cast_signed() * 7_200_000,
        deleted: false,
        chain,
        changed_ms: 0,
        text: "after the stairs".to_owned(),
        json: JSON.to_owned(),
    }])
}

fn fill(path: &Path, entries: u64) -> Outcome {
    let birth = Birth {
        journal: JournalId([1; 32]),
        device: KeyId([2; 32]),
        salt: ChainSalt([3; 16]),
        zone: "Europe/Berlin".to_owned(),
    };
    let mut replica = Replica::create(path, &birth)?;
    replica.write::<_, StoreError>(|writer| {
        (0..entries).try_for_each(|number| enter(writer, number))
    })?;
    Ok(())
}
