//! Batches that a contributor may seal and send, and no `ebb` would make: refused or held, fast and in little memory.
//!
//! Each goes through the real relay to another device whose sync is measured, and the month stays usable.

use std::process::Command;

use serde_json::Value;

use crate::binaries;
use crate::home::{Home, count, text};
use crate::relay::Relay;
use crate::rogue::rogue;

/// The most memory that a device's sync may take, in KiB.
const PEAK_KIB: u64 = 64 * 1024;
/// The same for a batch that is within every limit, and so is merged: 4 MiB of text in one change.
const MERGED_PEAK_KIB: u64 = 96 * 1024;
/// What a sync may take here, where several tests share a machine; on a machine of its own it is well below one second.
const SECONDS: f64 = 10.0;

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The relay does not take the envelope; brought by hand, it waits for those before it.
    NotStored,
    /// It cannot be opened as any member's envelope can: held, with exit code 5.
    Suspicious,
    /// Every device holds it, with a warning.
    Held,
    /// It is within every limit, and merged.
    Merged,
}

/// Every batch, what becomes of it, and a word of the reason that is given.
const BATCHES: [(&str, End, &str); 26] = [
    ("gap", End::NotStored, ""),
    ("bomb", End::Suspicious, "more than 8388608 bytes"),
    ("foreign-actor", End::Held, "a chain that is not its own"),
    (
        "seq-gap",
        End::Held,
        "not those that the batch was made from",
    ),
    (
        "seq-zero",
        End::Held,
        "not those that the batch was made from",
    ),
    (
        "start-late",
        End::Held,
        "no item that its writer could know",
    ),
    (
        "start-32-bits",
        End::Held,
        "no item that its writer could know",
    ),
    (
        "unknown-object",
        End::Held,
        "no item that its writer could know",
    ),
    (
        "unknown-predecessor",
        End::Held,
        "no value that its writer could know",
    ),
    (
        "predecessor-at-the-limit",
        End::Held,
        "no value that its writer could know",
    ),
    ("unknown-dependency", End::Held, "lacks 1 changes"),
    (
        "wrong-head",
        End::Held,
        "not those that the batch was made from",
    ),
    ("same-id-twice", End::Held, "repeats what it may say once"),
    (
        "same-number-twice",
        End::Held,
        "two changes with the number 1",
    ),
    ("cut-short", End::Held, "cut short"),
    ("count-of-actors", End::Held, "the limit on chains"),
    ("count-of-names", End::Held, "cut short"),
    ("count-of-documents", End::Held, "the limit on documents"),
    ("count-of-changes", End::Held, "the limit on operations"),
    ("count-of-hashes", End::Held, "cut short"),
    ("count-of-heads", End::Held, "cut short"),
    ("count-of-steps", End::Held, "cut short"),
    ("count-of-dependencies", End::Held, "cut short"),
    (
        "count-of-references",
        End::Held,
        "the limit on operation counters",
    ),
    ("profile", End::Held, "only owners may do"),
    ("as-much-as-fits", End::Merged, ""),
];

/// What a sync said and cost.
struct Measured {
    seconds: f64,
    peak_kib: u64,
    /// The warnings, or the message of the error.
    said: String,
}

/// Runs `ebb … --json` in a home, which must end with this exit code, and measures it.
fn measured(home: &Home, arguments: &[&str], code: u64) -> Measured {
    let output = Command::new(env!("CARGO_BIN_EXE_measure"))
        .arg(binaries::ebb())
        .args(arguments)
        .arg("--json")
        .env_clear()
        .envs([("EBB_HOME", home.path()), ("HOME", home.path())])
        .output()
        .expect("measure starts");
    let told: Value = serde_json::from_slice(&output.stdout).expect("measure prints JSON");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        told.get("exit_code").and_then(Value::as_u64),
        Some(code),
        "{told} {said}"
    );
    Measured {
        seconds: told.get("seconds").and_then(Value::as_f64).expect("a time"),
        peak_kib: count(&told, "peak_kib"),
        said: match serde_json::from_str::<Value>(&text(&told, "stdout")) {
            Ok(report) => report.get("warnings").expect("warnings").to_string(),
            Err(_) => said.into_owned(),
        },
    }
}

fn held(home: &Home) -> u64 {
    count(&home.json(&["status"]), "held")
}

/// Sends one batch, has the other device receive it, and returns what that took.
fn receive(relay: &Relay, sam: &Home, phone: &Home, what: &str, end: End, word: &str) -> Measured {
    let before = (phone.list(), held(phone));
    let told = rogue(sam, sam, &["write", what, "--relay", relay.url()]);
    assert_eq!(count(&told, "status"), 200, "{what}: {told}");
    let refused = told.pointer("/told/refused").and_then(Value::as_str);
    assert_eq!(refused.is_some(), end == End::NotStored, "{what}: {told}");
    let measured = if end == End::NotStored {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("batch").display().to_string();
        rogue(sam, sam, &["write", what, "--out", &file]);
        measured(phone, &["bundle", "import", &file], 0)
    } else {
        measured(phone, &["sync"], u64::from(end == End::Suspicious) * 5)
    };
    let said = &measured.said;
    match end {
        End::Merged => {
            assert_eq!(held(phone), before.1, "{what}");
            assert_ne!(phone.list(), before.0, "{what}");
        }
        End::Held | End::Suspicious => {
            assert!(
                said.contains("held") && said.contains(word),
                "{what}: {said}"
            );
            assert_eq!(
                (phone.list(), held(phone)),
                (before.0, before.1 + 1),
                "{what}"
            );
        }
        // It waits, with nothing merged, for what may still come.
        End::NotStored => assert_eq!(phone.list(), before.0, "{what}"),
    }
    let most = if end == End::Merged {
        MERGED_PEAK_KIB
    } else {
        PEAK_KIB
    };
    assert!(
        measured.peak_kib <= most,
        "{what}: {} KiB",
        measured.peak_kib
    );
    assert!(
        measured.seconds <= SECONDS,
        "{what}: {} s",
        measured.seconds
    );
    measured
}

#[test]
fn hostile_batches_are_held_fast_in_little_memory_and_the_month_stays_usable() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let share = ["share", "--name", "Sam", "--role", "contributor"];
    laptop.sync();
    let sam = Home::new();
    sam.json(&["join", &text(&laptop.json(&share), "link")]);
    let first = sam.log(&["note", "before all of them"]);
    sam.sync();
    let (mut slowest, mut largest) = ((0.0, ""), (0, ""));
    for (what, end, word) in BATCHES {
        let entry = laptop.log(&["6", "legs", what]);
        laptop.sync();
        phone.sync();
        let cost = receive(&relay, &sam, &phone, what, end, word);
        println!("{what}: {:.3} s, {} KiB", cost.seconds, cost.peak_kib);
        if cost.seconds > slowest.0 {
            slowest = (cost.seconds, what);
        }
        if cost.peak_kib > largest.0 {
            largest = (cost.peak_kib, what);
        }
        // The month takes edits and entries as before, on both.
        phone.json(&["edit", &entry, "--level", "3"]);
        phone.log(&["note", what]);
        phone.sync();
        let code = if end == End::Suspicious { 5 } else { 0 };
        laptop.ebb(&["sync", "--json"]).expect_code(code);
        assert_eq!(laptop.list(), phone.list(), "after {what}");
    }
    println!("slowest: {slowest:?} s, largest: {largest:?} KiB");
    // The one who sent them has them in chains that its own replica does not know.
    sam.ebb(&["sync", "--json"]).expect_code(5);
    assert_eq!(sam.list(), phone.list());
    assert!(phone.ids().contains(&first));
}
