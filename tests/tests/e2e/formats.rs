//! Moving data: what goes out in every form, what comes back in, and the doctor.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::{Home, text};

/// A journal with an entry of every sort: deleted, corrected, commented on, skipped.
fn filled() -> Home {
    let home = Home::with_journal();
    let tired = home.log(&["6", "arms", "after the stairs"]);
    home.json(&["edit", &tired, "--level", "5", "--tag", "stairs"]);
    home.json(&["comment", &tired, "better by noon"]);
    home.json(&["dose", "amifampridine", "7.5mg", "--at", "2025-03-01 08:00"]);
    home.json(&[
        "dose",
        "amifampridine",
        "--skipped",
        "--reason",
        "out of it",
    ]);
    home.json(&["test", "3tug", "12.1", "12.8", "14.0"]);
    home.json(&[
        "sleep",
        "--tried",
        "23:00",
        "--wake",
        "06:00",
        "--latency",
        "20m",
        "--awake",
        "10m",
        "--at",
        "yesterday 07:00",
    ]);
    home.json(&["fatigue", "--level", "unable", "--weakness", "legs=skipped"]);
    let gone = home.log(&["note", "a\nb, \"c\"; d"]);
    home.json(&["delete", &gone]);
    home
}

fn out(home: &Home, name: &str) -> String {
    home.path().join(name).display().to_string()
}

fn export(home: &Home, format: &str, name: &str) -> String {
    let path = out(home, name);
    home.json(&["export", "--format", format, "--out", &path]);
    path
}

#[test]
fn json_lines_come_back_byte_for_byte_and_only_once() {
    let home = filled();
    let file = export(&home, "jsonl", "all.jsonl");
    let mut lines = fs::read_to_string(&file).expect("the export");
    // What a newer ebb wrote: a kind and a field that this one does not know.
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    let id = text(&first, "id");
    let other = format!("{}{}", &id[..id.len() - 12], "0123456789ab");
    let mut strange = String::from("{\"id\":\"");
    strange += &other;
    strange += "\",\"kind\":\"mood\",\"at\":\"2024-01-01T08:00:00+00:00\",\"recorded_at\":\"";
    strange += &text(&first, "recorded_at");
    strange += "\",\"author\":{\"person\":\"Sam\",\"device\":\"phone\"},\"status\":\"final\",";
    strange += "\"aura\":[null,true,0.1],\"raw\":{\"bytes\":\"00ff\"}}\n";
    lines.insert_str(0, &strange);
    let there = Home::with_journal();
    let copy = out(&there, "in.jsonl");
    fs::write(&copy, &lines).expect("a file");
    let preview = there.json(&["import", &copy, "--dry-run"]);
    assert_eq!(preview["new"], json!(lines.lines().count()));
    assert!(there.ids().is_empty(), "a preview imports nothing");
    let done = there.json(&["import", &copy]);
    assert_eq!(done["new"], preview["new"]);
    let again = export(&there, "jsonl", "again.jsonl");
    assert_eq!(fs::read_to_string(&again).expect("the export"), lines);
    let twice = there.json(&["import", &copy]);
    assert_eq!(
        (&twice["new"], &twice["already"]),
        (&json!(0), &done["new"])
    );
    let stdout = there.ebb(&["export", "--format", "jsonl", "--out", "-"]);
    assert_eq!(stdout.expect_code(0).stdout, lines);
}

#[test]
fn tables_come_back_with_everything() {
    let home = filled();
    let folder = export(&home, "csv", "tables");
    let package = fs::read(Path::new(&folder).join("datapackage.json")).expect("a description");
    let package: Value = serde_json::from_slice(&package).expect("JSON");
    assert_eq!(package["resources"][0]["path"], "fatigue.csv");
    let there = Home::with_journal();
    let done = there.json(&["import", &folder]);
    assert_eq!(done["refused"], json!([]));
    let (one, other) = (
        export(&home, "jsonl", "a.jsonl"),
        export(&there, "jsonl", "b.jsonl"),
    );
    let read = |file: &str| fs::read_to_string(file).expect("the export");
    assert_eq!(read(&one), read(&other));
}

#[test]
fn an_import_is_taken_back_as_one_action_and_done_again() {
    let home = filled();
    let file = export(&home, "jsonl", "all.jsonl");
    let there = Home::with_journal();
    let before = there.log(&["note", "was here"]);
    there.json(&["import", &file]);
    let whole = fs::read_to_string(export(&there, "jsonl", "whole.jsonl")).expect("the export");
    assert!(
        whole.contains("\"amended\"") && whole.contains("\"entered-in-error\""),
        "{whole}"
    );
    let undone = there.json(&["undo"]);
    let entries = whole.lines().count();
    assert_eq!(
        undone,
        json!({"action": "import", "undone": true, "count": entries - 2}),
        "a number: ten years may have come, without what was deleted and what was here"
    );
    assert_eq!(there.ids(), [before.as_str()]);
    assert_eq!(there.json(&["redo"])["action"], "import");
    let again = fs::read_to_string(export(&there, "jsonl", "again.jsonl")).expect("the export");
    assert_eq!(again, whole, "statuses too are as they were");
    there.json(&["import", &file]);
    assert_eq!(
        there.json(&["undo"])["action"],
        "import",
        "an import of nothing new is no action"
    );
    there.json(&["undo"]);
    assert!(there.ids().is_empty());
    there.ebb(&["undo", "--json"]).expect_code(1);
}

#[test]
fn an_import_of_what_was_deleted_is_an_action_too() {
    let home = Home::with_journal();
    let gone = home.log(&["note", "gone"]);
    home.json(&["delete", &gone]);
    let file = export(&home, "jsonl", "gone.jsonl");
    let there = Home::with_journal();
    let before = there.log(&["note", "was here"]);
    assert_eq!(there.json(&["import", &file])["new"], 1);
    assert_eq!(there.json(&["undo"])["action"], "import");
    assert_eq!(
        there.ids(),
        [before.as_str()],
        "and not the action before it"
    );
    assert_eq!(there.json(&["undo"])["action"], "log");
}

#[test]
fn another_table_is_imported_through_a_mapping() {
    let home = Home::with_journal();
    let file = out(&home, "diary.csv");
    let csv = "When;Tired;Mood\n2026-01-02 08:00;6;fine\n2026-01-03;12;\n2026-01-04;skipped;\n";
    fs::write(&file, csv).expect("a file");
    let unmapped = home.ebb(&["import", &file, "--json"]).expect_code(2);
    assert!(
        unmapped.stderr.contains("unknown-columns"),
        "{}",
        unmapped.stderr
    );
    let line = [
        "import",
        &file,
        "--kind",
        "fatigue",
        "--map",
        "When=at,Tired=level",
    ];
    let done = home.json(&line);
    assert_eq!(
        (&done["new"], &done["ignored_columns"]),
        (&json!(2), &json!(["Mood"]))
    );
    let refused = &done["refused"][0];
    assert_eq!(refused["line"], 3);
    assert!(text(refused, "reason").contains("0 to 10"), "{refused}");
    assert_eq!(home.json(&line)["new"], 0, "a second import adds nothing");
    let levels: Vec<Value> = home
        .json(&["list"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["level"].clone())
        .collect();
    assert_eq!(levels, [json!(6), json!("skipped")]);
}

#[test]
fn nights_and_resources_go_out_and_nights_come_back() {
    let home = filled();
    let nights = export(&home, "ieee1752", "nights.json");
    let there = Home::with_journal();
    assert_eq!(
        there.json(&["import", &nights])["kinds"],
        json!({ "dose": 1, "sleep": 1 }),
        "a skipped dose has no place there"
    );
    let again = export(&there, "ieee1752", "again.json");
    let read = |file: &str| fs::read_to_string(file).expect("the export");
    assert_eq!(read(&nights), read(&again));
    let bundle: Value =
        serde_json::from_str(&read(&export(&home, "fhir", "f.json"))).expect("JSON");
    let lines = read(&export(&home, "fhir-ndjson", "f.ndjson"));
    let entries = bundle["entry"].as_array().expect("entries").len();
    assert_eq!(entries, lines.lines().count());
    assert!(
        lines.contains("\"asked-declined\""),
        "what was skipped says so"
    );
    let wrong = home.ebb(&["export", "--format", "csv", "--out", "-"]);
    wrong.expect_code(2);
}

#[cfg(unix)]
#[test]
fn the_doctor_mends_permissions_and_names_nobody() {
    use std::os::unix::fs::PermissionsExt;
    let home = filled();
    let well = home.json(&["doctor"]);
    let findings = well["findings"].as_array().expect("findings");
    assert!(
        findings
            .iter()
            .all(|one| one["verdict"] == "good" || one["check"] == "relays"),
        "{well}"
    );
    let replica = home.replica();
    fs::set_permissions(&replica, fs::Permissions::from_mode(0o644)).expect("chmod");
    let mended = home.json(&["doctor", "--rebuild"]);
    assert_eq!(mended["findings"][0]["verdict"], "mended");
    let mode = fs::metadata(&replica)
        .expect("the replica")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = mended.to_string();
    for private in [
        "Anneliese",
        "amifampridine",
        &home.path().display().to_string(),
    ] {
        assert!(!said.contains(private), "{private} in {said}");
    }
    let secret = replica.with_file_name("device.key");
    fs::write(&secret, "nonsense").expect("a file");
    let bad = home.ebb(&["doctor", "--json"]).expect_code(5);
    assert!(bad.stdout.contains("\"bad\""), "{}", bad.stdout);
}
