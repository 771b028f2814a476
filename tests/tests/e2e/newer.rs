//! A journal that a newer ebb writes too: what this one does not know is read, corrected, synced and moved as it is.
//!
//! The newer ebb is `rogue`, with the keys of a device of the journal and changes made by hand.

use std::fs;

use automerge::{AutoCommit, ReadDoc};
use serde_json::{Value, json};

use crate::home::{Home, text};
use crate::relay::Relay;
use crate::rogue::rogue;

/// A journal on two devices, which have synced what a third one with a newer ebb wrote; and that entry of an unknown kind.
fn written() -> (Relay, Home, Home, String) {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let tablet = laptop.another("tablet");
    let phone = laptop.another("phone");
    laptop.sync();
    let told = rogue(
        &tablet,
        &laptop,
        &["write", "newer", "--relay", relay.url()],
    );
    assert_eq!(told["told"]["refused"], Value::Null, "{told}");
    let synced = laptop.sync();
    assert_eq!(synced["warnings"], json!([]));
    phone.sync();
    (relay, laptop, phone, text(&told["told"], "entry"))
}

/// Returns the check-in among the entries.
fn check_in(home: &Home) -> Value {
    let list = home.json(&["list", "--kind", "fatigue"]);
    list[0].clone()
}

/// Takes out of an entry what a correction changes: note, status and level.
fn without_corrected(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let fields = entry.as_object_mut().expect("an entry");
    fields.retain(|name, _| !["note", "status", "level", "at", "zone"].contains(&name.as_str()));
    entry
}

#[test]
fn what_a_newer_ebb_wrote_is_read_corrected_and_synced_as_it_is() {
    let (_relay, laptop, phone, mood) = written();
    assert_eq!(laptop.list(), phone.list());
    let shown = laptop.json(&["show", &mood]);
    let list = json!([null, true, -3, 0.1, "a\nb", {"bytes": "00ff"}, {"timestamp_ms": 1_700_000_000_123_i64}]);
    for (name, value) in [
        ("kind", json!("mood")),
        ("valence", json!(3)),
        ("arousal", json!(-0.5)),
        ("nothing", Value::Null),
        ("calm", json!(false)),
        ("raw", json!({"bytes": "0102"})),
        ("all", list),
        ("empty", json!([])),
        ("note", json!("lighter")),
    ] {
        assert_eq!(shown.get(name), Some(&value), "{name}: {shown}");
    }
    assert_eq!(shown["author"]["device"], "tablet");
    let said = laptop.ebb(&["list"]).expect_code(0).stdout;
    assert!(said.contains("mood") && said.contains("lighter"), "{said}");
    let tired = check_in(&laptop);
    assert_eq!(
        (&tired["aura"], &tired["weakness"]),
        (&json!("blue"), &json!({"jaw": 2}))
    );

    // Corrected on one device, deleted and restored on the other: nothing unknown is touched.
    let tired_id = text(&tired, "id");
    laptop.json(&["edit", &tired_id, "--level", "4", "--at", "yesterday 12:00"]);
    laptop.json(&["edit", &mood, "--note", "heavier"]);
    let refused = laptop
        .ebb(&["edit", &mood, "--level", "4", "--json"])
        .expect_code(2)
        .error();
    assert_eq!(refused["kind"], "unknown-kind", "{refused}");
    phone.json(&["delete", &mood]);
    phone.json(&["restore", &mood]);
    phone.json(&["comment", &mood, "she sang"]);
    for home in [&laptop, &phone, &laptop] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list());
    for (before, id) in [(&shown, &mood), (&tired, &tired_id)] {
        let after = phone.json(&["show", id]);
        assert_eq!(without_corrected(&after), without_corrected(before));
    }
    let after = phone.json(&["show", &mood]);
    assert_eq!(
        (&after["note"], &after["status"]),
        (&json!("heavier"), &json!("amended"))
    );
    assert_eq!(check_in(&phone)["level"], 4);
    // Undoing takes back the own correction, and no more.
    laptop.json(&["undo"]);
    assert_eq!(laptop.json(&["show", &mood])["note"], "lighter");
    laptop.json(&["doctor", "--rebuild"]);
    laptop.sync();
    phone.sync();
    assert_eq!(laptop.list(), phone.list());
}

#[test]
fn what_a_newer_ebb_wrote_moves_in_files_without_loss() {
    let (_relay, laptop, _, mood) = written();
    laptop.json(&["edit", &text(&check_in(&laptop), "id"), "--level", "4"]);
    laptop.json(&["delete", &mood]);
    let file = |home: &Home, name: &str| home.path().join(name).display().to_string();
    let lines = |home: &Home| {
        let stdout = home.ebb(&["export", "--format", "jsonl", "--out", "-"]);
        stdout.expect_code(0).stdout
    };
    let before = lines(&laptop);
    for (format, name) in [("jsonl", "all.jsonl"), ("csv", "tables")] {
        let out = file(&laptop, name);
        laptop.json(&["export", "--format", format, "--out", &out]);
        let other = Home::with_journal();
        let done = other.json(&["import", &out]);
        assert_eq!(
            (&done["new"], &done["refused"]),
            (&json!(2), &json!([])),
            "{format}"
        );
        assert_eq!(lines(&other), before, "{format}");
    }
}

#[test]
fn what_a_newer_ebb_wrote_into_the_profile_outlives_a_change_of_the_plan() {
    let (_relay, laptop, phone, _) = written();
    assert_eq!(
        phone.json(&["plan"]),
        json!([]),
        "what cannot be read is not shown"
    );
    phone.json(&["plan", "medicine", "Amifampridine", "--usual", "10mg"]);
    phone.sync();
    laptop.sync();
    assert_eq!(laptop.json(&["plan"])[0]["name"], "Amifampridine");
    let folder = laptop.path().join("documents");
    laptop.json(&[
        "export",
        "--format",
        "automerge",
        "--out",
        &folder.display().to_string(),
    ]);
    let bytes = fs::read(folder.join("profile.automerge")).expect("the profile");
    let profile = AutoCommit::load(&bytes).expect("a document");
    let keys: Vec<String> = profile.keys(automerge::ROOT).collect();
    let steps = keys.iter().filter(|key| key.starts_with("plan:")).count();
    assert_eq!(steps, 2, "{keys:?}");
    let field = |item: &str, name: &str| {
        let (_, item) = profile
            .get(automerge::ROOT, item)
            .expect("readable")
            .expect("an item");
        let value = profile.get(&item, name).expect("readable");
        value.unwrap_or_else(|| panic!("no {name}")).0.to_string()
    };
    assert_eq!(field("patient", "remark"), "\"of a newer ebb\"");
    assert_eq!(field("patient", "zone"), "\"UTC\"");
    assert_eq!(field("theme", "dark"), "true");
}

#[test]
fn a_batch_of_a_newer_format_is_held_and_says_what_to_do() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let tablet = laptop.another("tablet");
    laptop.sync();
    rogue(
        &tablet,
        &laptop,
        &["write", "newer-format", "--relay", relay.url()],
    );
    let synced = laptop.sync();
    let said = synced["warnings"].to_string();
    assert!(
        said.contains("has the format 2, of a newer ebb: update ebb"),
        "{said}"
    );
    let held = laptop.json(&["held"]);
    let reason = text(&held[0], "reason");
    assert!(reason.contains("of a newer ebb: update ebb"), "{held}");
    assert_eq!(held[0].get("entries"), None, "{held}");
    // Nothing else waits for it.
    laptop.log(&["6"]);
    laptop.sync();
    assert_eq!(laptop.json(&["status"])["unsent"], 0);
}
