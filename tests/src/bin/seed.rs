//! Fills the journal of a home folder with made-up entries, for benchmarks and try-outs.
//!
//! `seed --home DIR --entries N [--years Y] [--synced-daily]`: check-ins, doses, nights, activities and a few notes, and no other
//! kinds, spread evenly over the last Y years (ten unless told), each an action of its own, as daily use would have made them;
//! with `--synced-daily`, the journal is synced after every twelve. The same arguments make the same answers; ids are random.

use std::process::ExitCode;

use client::genesis::Init;
use client::{Home, Silent};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use journal::entry::Draft;
use journal::time::At;
use journal::{Scalar, Value};

/// The zone the made-up patient lives in.
const ZONE: &str = "Europe/Berlin";
/// Entries of one day.
const A_DAY: usize = 12;

fn main() -> ExitCode {
    match run() {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("seed: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let home = Home::at(argument("--home").ok_or("--home DIR is missing")?);
    let count = number("--entries")?.unwrap_or(43_800);
    let years = number("--years")?.unwrap_or(10);
    let mut journal = match home.open(None) {
        Ok(journal) => journal,
        Err(client::OpenError::NoJournal) => start(&home)?,
        Err(error) => return Err(error.to_string()),
    };
    let zone = TimeZone::get(ZONE).map_err(|error| error.to_string())?;
    let span = SignedDuration::from_hours(24 * 365 * years);
    let drafts: Vec<Draft> = (0..count)
        .map(|place| draft(place, count, span, &zone))
        .collect();
    let daily = std::env::args().any(|argument| argument == "--synced-daily");
    let runtime = runtime()?;
    for day in drafts.chunks(if daily { A_DAY } else { usize::MAX }) {
        journal
            .record_past(day, &Silent)
            .map_err(|error| error.to_string())?;
        if daily {
            let synced = runtime.block_on(journal.sync(&Silent));
            synced.map_err(|error| error.to_string())?;
        }
    }
    Ok(format!("{count} entries over {years} years"))
}

/// Starts a journal in an empty home.
fn start(home: &Home) -> Result<client::Journal, String> {
    let init = Init {
        name: "Ana".to_owned(),
        device: "seed".to_owned(),
        zone: ZONE.to_owned(),
        relay: None,
    };
    let journal = runtime()?.block_on(home.init(&init));
    journal.map_err(|error| error.to_string())
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| error.to_string())
}

/// Makes the entry at a place of the series: nights in the morning, doses and check-ins through the day.
fn draft(place: i64, count: i64, span: SignedDuration, zone: &TimeZone) -> Draft {
    let step = span.as_secs() / count.max(1);
    let before = SignedDuration::from_secs(step * (count - place) + (mixed(place) % 600));
    let instant = Timestamp::now() - before;
    let at = At::in_zone(instant, zone);
    let dice = mixed(place + 7_919);
    let areas = ["legs", "hips", "upper-arms", "shoulders"];
    let area = |shift: i64| {
        let index = usize::try_from((dice / 16 + shift) % 4).unwrap_or(0);
        Scalar::Text(areas.get(index).copied().unwrap_or("legs").to_owned())
    };
    match place % 12 {
        0 => Draft::new("sleep", at)
            .with("quality", 1 + dice % 5)
            .with("rested", 1 + dice / 8 % 5),
        3 | 6 | 9 => Draft::new("dose", at)
            .with("medicine", "amifampridine")
            .with("amount_mg", 10),
        5 => Draft::new("activity", at)
            .with("what", "walking")
            .with("minutes", 5 + dice % 55)
            .with("effort", dice / 64 % 11),
        11 if dice % 3 == 0 => {
            Draft::new("note", at).with("note", "slower on the stairs than last week")
        }
        _ => Draft::new("fatigue", at)
            .with("level", dice % 11)
            .with("sort", "weakness")
            .with("areas", Value::List(vec![area(0), area(1)])),
    }
}

/// Mixes a number into one that looks random (SplitMix64, Steele et al. 2014), not negative.
fn mixed(number: i64) -> i64 {
    let mut z = number.cast_unsigned().wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 1).cast_signed()
}

fn argument(name: &str) -> Option<String> {
    std::env::args()
        .skip_while(|argument| argument != name)
        .nth(1)
}

fn number(name: &str) -> Result<Option<i64>, String> {
    let text = argument(name);
    let number = text.map(|text| text.parse().map_err(|_| format!("{name} takes a number")));
    number.transpose()
}
