//! What a removal takes away: everything written later, whatever the removed device kept and whatever it can get hold of.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::home::{Home, count, text};
use crate::relay::Relay;
use crate::rogue::rogue;

const NOT_PERMITTED: i32 = 3;

/// A journal with a caregiver, and entries by both before the caregiver is removed and by the patient after.
struct Story {
    relay: Relay,
    patient: Home,
    phone: Home,
    sam: Home,
    before: Vec<String>,
}

fn sync_all(homes: &[&Home]) {
    for home in homes.iter().chain(homes) {
        home.sync();
    }
}

impl Story {
    fn tell() -> Self {
        let relay = Relay::start();
        let (patient, _) = Home::with_journal_on(&relay);
        let phone = patient.another("phone");
        // An epoch before Sam came: its key is wrapped under the next one.
        let share = |name| {
            let share = ["share", "--name", name, "--role", "contributor"];
            let home = Home::new();
            home.json(&["join", &text(&patient.json(&share), "link")]);
            home
        };
        let first = patient.log(&["6"]);
        patient.sync();
        let _kim = share("Kim");
        patient.json(&["remove", "Kim", "--yes"]);
        let sam = share("Sam");
        let by_sam = sam.log(&["note", "in time"]);
        sync_all(&[&sam, &patient, &phone]);
        Self {
            before: vec![first, by_sam],
            relay,
            patient,
            phone,
            sam,
        }
    }

    /// Tries every key that Sam has or finds on every envelope of a copy of the relay's database.
    fn attempt(&mut self) -> Attempt {
        self.relay.stop();
        let copy = tempfile::tempdir().expect("a folder");
        let database = self.relay.copy_database(copy.path());
        let database = database.display().to_string();
        let told = rogue(&self.sam, &self.sam, &["decrypt", "--database", &database]);
        self.relay.restart();
        let envelopes = told.get("envelopes").and_then(Value::as_array);
        let envelopes = envelopes.expect("envelopes").iter();
        let (opened, closed) = envelopes
            .map(|envelope| {
                (
                    text(envelope, "hash"),
                    envelope.get("opened") == Some(&Value::Bool(true)),
                )
            })
            .partition::<Vec<_>, _>(|(_, opened)| *opened);
        let hashes = |list: Vec<(String, bool)>| list.into_iter().map(|(hash, _)| hash).collect();
        Attempt {
            opened: hashes(opened),
            closed: hashes(closed),
            tried: count(&told, "tried"),
        }
    }

    fn everybody_lists(&self, ids: &[&str]) {
        for home in [&self.patient, &self.phone] {
            let mut expected: Vec<&str> = ids.to_vec();
            let mut seen = home.ids();
            expected.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen, expected);
        }
    }
}

struct Attempt {
    opened: BTreeSet<String>,
    closed: BTreeSet<String>,
    tried: u64,
}

#[test]
fn with_every_old_key_and_the_relays_whole_database_nothing_later_is_decrypted() {
    let mut story = Story::tell();
    let before = story.attempt();
    assert!(
        before.opened.len() >= 2 && before.closed.is_empty(),
        "the attempt works"
    );

    story.patient.json(&["remove", "Sam", "--yes"]);
    sync_all(&[&story.patient, &story.phone]);
    for _ in 0..2 {
        story.patient.log(&["note", "nobody else reads this"]);
        story.phone.log(&["7", "legs"]);
        sync_all(&[&story.patient, &story.phone]);
    }
    // Another removal, and what comes after it: a new key leads back to the one before, never forward.
    let share = ["share", "--name", "Kit", "--role", "contributor"];
    let kit = Home::new();
    kit.json(&["join", &text(&story.patient.json(&share), "link")]);
    story.patient.json(&["remove", "Kit", "--yes"]);
    story.patient.log(&["5"]);
    story.patient.sync();

    let after = story.attempt();
    assert_eq!(
        after.opened, before.opened,
        "what it could read before, it can read"
    );
    assert_eq!(
        after.closed.len(),
        5,
        "all that was written later stays closed"
    );
    assert!(after.tried > before.tried, "with more to try");
    println!(
        "{} envelopes opened, {} not, after {} attempts to open keys",
        after.opened.len(),
        after.closed.len(),
        after.tried
    );
}

/// Returns the name by which an envelope that the rogue wrote is held.
fn held_id(told: &Value) -> String {
    text(told, "hash").chars().take(12).collect()
}

fn held_ids(home: &Home) -> BTreeSet<String> {
    let held = home.json(&["held"]);
    let held = held.as_array().expect("a list").iter();
    held.map(|held| text(held, "id")).collect()
}

#[test]
fn late_writes_reach_nobody_unless_a_writer_keeps_them() {
    let mut story = Story::tell();
    story.patient.json(&["remove", "Sam", "--yes"]);
    sync_all(&[&story.patient, &story.phone]);
    let before: Vec<String> = story.before.clone();
    let before: Vec<&str> = before.iter().map(String::as_str).collect();

    // To the relay, signed and sealed as when it was a member.
    let url = story.relay.url().to_owned();
    let told = rogue(
        &story.sam,
        &story.patient,
        &["write", "entry", "--relay", &url],
    );
    assert_eq!(
        (count(&told, "status"), text(&told, "problem").as_str()),
        (403, "not-a-member")
    );
    // Into the relay's database: a relay that helps.
    story.relay.stop();
    let database = story.relay.database().display().to_string();
    let planted = rogue(
        &story.sam,
        &story.patient,
        &["write", "entry", "--database", &database],
    );
    story.relay.restart();
    sync_all(&[&story.patient, &story.phone]);
    story.everybody_lists(&before);
    // By hand.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("late").display().to_string();
    let carried = rogue(
        &story.sam,
        &story.patient,
        &["write", "entry", "--out", &file],
    );
    for home in [&story.patient, &story.phone] {
        home.json(&["bundle", "import", &file]);
    }
    sync_all(&[&story.patient, &story.phone]);
    story.everybody_lists(&before);

    let written = [&planted, &carried].map(held_id);
    assert_eq!(
        held_ids(&story.phone),
        BTreeSet::from(written.clone()),
        "both are shown"
    );
    story
        .sam
        .ebb(&["sync", "--json"])
        .expect_code(NOT_PERMITTED);
    story
        .sam
        .ebb(&["held", "keep", &written[1], "--json"])
        .expect_code(NOT_PERMITTED);
    story.everybody_lists(&before);

    story.phone.json(&["held", "keep", &written[1]]);
    sync_all(&[&story.phone, &story.patient]);
    let kept = text(&carried, "entry");
    story.everybody_lists(&[&before[..], &[&kept]].concat());
    let shown = story.patient.json(&["show", &kept]);
    assert_eq!(
        text(shown.get("author").expect("an author"), "person"),
        "Sam"
    );
}
