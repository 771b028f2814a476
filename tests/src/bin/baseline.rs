//! Bare processes to measure ebb beside: each does with plain SQLite what the work at hand cannot do without.
//!
//! ```text
//! baseline fill FILE ROWS    makes a database in WAL mode with so many rows, in one transaction
//! baseline commit FILE       opens it, adds one row durably (synchronous=FULL), ends
//! baseline read FILE         opens it, reads the newest twelve rows (one day), ends
//! baseline deflate FILE      tells how many bytes a file has, plain and deflated
//! ```
//!
//! Knows nothing of ebb. Rows are of the size of an entry's read model.

use std::env;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rusqlite::{Connection, params};

/// The fields of one entry as JSON: what a read model keeps beside its columns.
const FIELDS: &str =
    r#"{"level":6,"sort":"after-exertion","areas":["legs","hips"],"note":"after the stairs"}"#;
/// Rows of one day.
const DAY: u32 = 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["fill", file, rows] => fill(file, rows),
        ["commit", file] => commit(file),
        ["read", file] => read(file),
        ["deflate", file] => deflate(file),
        _ => Err("usage: baseline fill FILE ROWS | commit FILE | read FILE | deflate FILE".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baseline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn open(file: &str) -> Result<Connection, rusqlite::Error> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    Ok(database)
}

fn fill(file: &str, rows: &str) -> Result<(), Box<dyn Error>> {
    let rows: u32 = rows.parse()?;
    let mut database = open(file)?;
    database.execute_batch(
        "CREATE TABLE entry (id BLOB PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, fields TEXT NOT NULL)
             WITHOUT ROWID, STRICT;
         CREATE INDEX entry_at ON entry (at);",
    )?;
    let transaction = database.transaction()?;
    for row in 0..rows {
        insert(&transaction, row)?;
    }
    transaction.commit()?;
    Ok(())
}

fn commit(file: &str) -> Result<(), Box<dyn Error>> {
    let database = open(file)?;
    let newest: u32 = database.query_row("SELECT coalesce(max(at), 0) FROM entry", [], |row| {
        row.get(0)
    })?;
    insert(&database, newest + 1)?;
    Ok(())
}

fn insert(database: &Connection, row: u32) -> Result<(), rusqlite::Error> {
    let id = (u128::from(row) << 64).to_be_bytes();
    let mut statement =
        database.prepare_cached("INSERT INTO entry VALUES (?1, ?2, 'fatigue', ?3)")?;
    statement.execute(params![id, row, FIELDS]).map(drop)
}

fn read(file: &str) -> Result<(), Box<dyn Error>> {
    let database = open(file)?;
    let mut statement =
        database.prepare("SELECT at, kind, fields FROM entry ORDER BY at DESC LIMIT ?1")?;
    let mut rows = statement.query([DAY])?;
    let mut output = std::io::stdout().lock();
    while let Some(row) = rows.next()? {
        let (at, kind, fields): (u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        writeln!(output, "{at} {kind} {fields}")?;
    }
    Ok(())
}

fn deflate(file: &str) -> Result<(), Box<dyn Error>> {
    let plain = std::fs::read(file)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    println!("{} {}", plain.len(), encoder.finish()?.len());
    Ok(())
}
