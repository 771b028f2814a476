//! The plan and what it says of doses, taking things back, and the guided check-in.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Answer, Home, text};
use crate::relay::Relay;

const MEDICINE: [&str; 3] = ["plan", "medicine", "Amifampridine"];

/// Runs `ebb` with lines on stdin.
fn typed(home: &Home, arguments: &[&str], lines: &str) -> Answer {
    let mut command = home.command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("ebb starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).expect("ebb reads");
    drop(stdin);
    let output = child.wait_with_output().expect("ebb ends");
    Answer::of(output, arguments)
}

#[test]
fn a_planned_medicine_alone_is_its_usual_amount() {
    let home = Home::with_journal();
    let planned = home.json(
        &[
            &MEDICINE[..],
            &["--usual", "12.5mg", "--times", "16:00,8:00"],
        ]
        .concat(),
    );
    assert_eq!(planned["usual_mg"], 12.5);
    assert_eq!(planned["times"], json!(["08:00", "16:00"]));
    let dose = home.json(&["dose", "AMIFAMPRIDINE"]);
    assert_eq!(
        (&dose["medicine"], &dose["amount_mg"]),
        (&json!("Amifampridine"), &json!(12.5))
    );
    let dose = home.json(&["dose", "amifampridine", "10mg"]);
    assert_eq!(dose["amount_mg"], 10);
    home.json(&[&MEDICINE[..], &["--usual", "none"]].concat());
    let refused = home
        .ebb(&["dose", "amifampridine", "--json"])
        .expect_code(2)
        .error();
    assert_eq!(
        refused["message"],
        "the plan says no usual amount of Amifampridine"
    );
}

#[test]
fn a_dose_beyond_the_limits_is_warned_of_and_recorded() {
    let home = Home::with_journal();
    home.json(
        &[
            &MEDICINE[..],
            &[
                "--max-single",
                "20mg",
                "--max-24h",
                "30mg",
                "--min-gap",
                "3h",
                "--from",
                "2026-01-01",
                "--limits-by",
                "Dr Weber",
            ],
        ]
        .concat(),
    );
    let first = home
        .ebb(&["dose", "amifampridine", "20mg", "--at", "2h ago"])
        .expect_code(0);
    assert!(!first.stderr.contains("warning"), "{}", first.stderr);
    let second = home
        .ebb(&["dose", "amifampridine", "20.5mg"])
        .expect_code(0);
    for said in [
        "20.5 mg of Amifampridine at once is more than the limit of 20 mg in your plan (set by Dr Weber, ",
        "with this dose it is 40.5 mg of Amifampridine in 24 hours; the limit in your plan is 30 mg",
        "your plan has at least 3 h between doses",
    ] {
        assert!(second.stderr.contains(said), "{said}: {}", second.stderr);
    }
    assert_eq!(home.ids().len(), 2, "both are recorded");
    let skipped = home
        .ebb(&["dose", "amifampridine", "--skipped"])
        .expect_code(0);
    assert!(!skipped.stderr.contains("warning"), "{}", skipped.stderr);
}

#[test]
fn a_correction_beyond_the_limits_is_warned_of_and_counts_the_dose_once() {
    let home = Home::with_journal();
    let limits = ["--max-24h", "40mg", "--min-gap", "3h", "--from"];
    home.json(&[&MEDICINE[..], &limits, &["2026-01-01"]].concat());
    home.log(&["dose", "amifampridine", "20mg", "--at", "5h ago"]);
    let second = home.log(&["dose", "amifampridine", "20mg"]);
    let warned = |change: &[&str]| {
        let edit = [&["edit", second.as_str()], change].concat();
        home.ebb(&edit).expect_code(0).stderr
    };
    for harmless in [
        &["--amount", "19.5mg"][..],
        &["--amount", "20mg"],
        &["--reason", "late"],
        &["--note", "with breakfast"],
    ] {
        assert_eq!(warned(harmless), "", "{harmless:?}");
    }
    let said = warned(&["--amount", "20.5mg"]);
    let over = "with this dose it is 40.5 mg of Amifampridine in 24 hours; the limit in your plan is 40 mg";
    assert!(said.contains(over), "{said}");
    assert_eq!(home.json(&["show", &second])["amount_mg"], 20.5);
    assert_eq!(
        warned(&["--note", "again"]),
        "",
        "what stays is not warned of again"
    );
    let said = warned(&["--at", "4h ago"]);
    assert!(
        said.contains("your plan has at least 3 h between doses"),
        "{said}"
    );
    home.json(&["delete", &second]);
    assert_eq!(
        warned(&["--amount", "30mg"]),
        "",
        "a deleted dose does not count"
    );
    let restored = home.ebb(&["restore", &second]).expect_code(0).stderr;
    assert!(
        restored.contains("it is 50 mg of Amifampridine"),
        "{restored}"
    );
}

#[test]
fn the_plan_of_a_time_stays_and_a_thing_can_end() {
    let home = Home::with_journal();
    home.json(&[&MEDICINE[..], &["--usual", "10", "--from", "2026-01-01"]].concat());
    home.json(&[&MEDICINE[..], &["--usual", "15", "--from", "2026-02-01"]].concat());
    home.json(&[&MEDICINE[..], &["--stop", "--from", "2026-03-01"]].concat());
    let then = |day| home.json(&["plan", "--at", day]);
    assert_eq!(then("2025-12-31"), json!([]));
    assert_eq!(then("2026-01-15")[0]["usual_mg"], 10);
    assert_eq!(then("2026-02-15")[0]["usual_mg"], 15);
    assert_eq!(home.json(&["plan"]), json!([]));
    let history = home.json(&["plan", "history", "amifampridine"]);
    assert_eq!(history.as_array().map(Vec::len), Some(3));
    assert_eq!(history[2]["ended"], true);
    let refused = home
        .ebb(&["plan", "medicine", "x", "--stop", "--json"])
        .expect_code(1)
        .error();
    assert_eq!(refused["kind"], "unknown-plan");
    let refused = home
        .ebb(&["plan", "medicine", "x", "--times", "9", "--json"])
        .expect_code(2)
        .error();
    assert_eq!(refused["kind"], "invalid-value");
}

#[test]
fn planned_doses_are_due_until_they_are_logged() {
    let home = Home::with_journal();
    assert_eq!(home.json(&["due"]), json!({"late": [], "next": []}));
    // Whatever the hour of the test: of 24 hours, the last one is at most an hour ago.
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}:00")).collect();
    home.json(
        &[
            &MEDICINE[..],
            &[
                "--usual",
                "10",
                "--times",
                &hours.join(","),
                "--from",
                "yesterday",
            ],
        ]
        .concat(),
    );
    let due = home.json(&["due"]);
    let late = due["late"].as_array().expect("a list").clone();
    let last = late.last().expect("one is late");
    assert!(
        last["minutes_late"]
            .as_i64()
            .is_some_and(|minutes| minutes < 60),
        "{last}"
    );
    assert_eq!(due["next"].as_array().map(Vec::len), Some(1));
    home.json(&[
        "dose",
        "amifampridine",
        "--planned-at",
        &text(last, "planned_at"),
    ]);
    let left = home.json(&["due"])["late"].as_array().map(Vec::len);
    assert!(left < Some(late.len()), "{left:?}");
}

#[test]
fn only_an_owner_changes_the_plan_and_everybody_sees_it() {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    ana.json(&[&MEDICINE[..], &["--usual", "10"]].concat());
    ana.json(&["plan", "emergency", "Call Sam: 555 0100"]);
    let link = text(
        &ana.json(&["share", "--name", "Sam", "--role", "contributor"]),
        "link",
    );
    let sam = Home::new();
    sam.json(&["join", &link]);
    ana.sync();
    sam.sync();
    assert_eq!(sam.json(&["plan"]), ana.json(&["plan"]));
    assert_eq!(sam.json(&["emergency"])["own_words"], "Call Sam: 555 0100");
    let refused = sam
        .ebb(&[&MEDICINE[..], &["--usual", "20", "--json"]].concat())
        .expect_code(3)
        .error();
    assert_eq!(refused["kind"], "not-owner");
    assert_eq!(refused["hints"], json!(["ask Anneliese to change it"]));

    // Both logged the same dose, or two.
    let mine = ana.log(&["dose", "amifampridine"]);
    let theirs = sam.log(&["dose", "amifampridine"]);
    for home in [&ana, &sam, &ana] {
        home.sync();
    }
    assert_eq!(ana.json(&["doses"]).as_array().map(Vec::len), Some(1));
    let said = ana.ebb(&[]).expect_code(0).stdout;
    assert!(said.contains("The same dose or two?"), "{said}");
    assert_eq!(
        ana.json(&["today"])["same_dose_or_two"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    ana.json(&["doses", "two", &theirs]);
    assert_eq!(ana.json(&["doses"]), json!([]));
    ana.json(&["undo"]);
    assert_eq!(ana.json(&["doses"]).as_array().map(Vec::len), Some(1));
    ana.json(&["doses", "one", &theirs]);
    for home in [&ana, &sam] {
        home.sync();
        assert_eq!(home.json(&["doses"]), json!([]));
        assert_eq!(home.ids(), [mine.as_str()]);
    }
}

#[test]
fn what_was_done_last_is_taken_back_and_done_again() {
    let home = Home::with_journal();
    let empty = home.ebb(&["undo", "--json"]).expect_code(1).error();
    assert_eq!(empty["kind"], "nothing-to-undo");
    let id = home.log(&["6", "legs"]);
    home.json(&["edit", &id, "--level", "4", "--area", ""]);
    home.json(&["delete", &id]);
    home.json(&["plan", "factor", "weather"]);
    let undo = || text(&home.json(&["undo"]), "action");
    let redo = || text(&home.json(&["redo"]), "action");
    let shown = || {
        let entry = home.json(&["show", &id]);
        (
            entry["level"].clone(),
            entry.get("areas").cloned(),
            text(&entry, "status"),
        )
    };
    let first = (json!(6), Some(json!(["legs"])), "final".to_owned());
    let edited = (json!(4), None, "amended".to_owned());
    assert_eq!(undo(), "plan");
    assert_eq!(home.json(&["plan"]), json!([]));
    assert_eq!((undo(), shown()), ("delete".to_owned(), edited.clone()));
    assert_eq!((undo(), shown()), ("edit".to_owned(), first.clone()));
    assert_eq!(undo(), "log");
    assert_eq!(home.ids(), [""; 0]);
    assert_eq!((redo(), shown()), ("log".to_owned(), first));
    assert_eq!((redo(), shown()), ("edit".to_owned(), edited));
    assert_eq!(redo(), "delete");
    assert_eq!(redo(), "plan");
    assert_eq!(home.json(&["plan"])[0]["name"], "weather");
    home.ebb(&["redo", "--json"]).expect_code(1);
}

#[test]
fn undo_never_takes_back_what_someone_else_changed_since() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let before = laptop.log(&["note", "before"]);
    let id = laptop.log(&["6"]);
    laptop.sync();
    phone.sync();
    phone.json(&["edit", &id, "--level", "5"]);
    phone.sync();
    laptop.sync();
    let refused = laptop.ebb(&["undo", "--json"]).expect_code(1).error();
    assert_eq!(refused["kind"], "changed-since");
    assert_eq!(laptop.json(&["show", &id])["level"], 5);
    let next = laptop.json(&["undo"]);
    assert_eq!(next["entries"][0]["id"], before.as_str());
    // The phone undoes its own action, not the laptop's.
    phone.json(&["undo"]);
    assert_eq!(phone.json(&["show", &id])["level"], 6);
}

#[test]
fn a_check_in_takes_one_answer_a_question() {
    // In the morning three questions about the night come first; every hour asks the rest.
    let home = Home::with_journal();
    let asked = typed(&home, &["check"], "q\n").expect_code(1);
    assert!(
        asked.stderr.contains("nothing was answered"),
        "{}",
        asked.stderr
    );
    let questions = asked.stderr.contains("how well you slept");
    let night = if questions { "s\nu\n2\n" } else { "" };
    let lines = format!(
        "{night}11\nb\n{}7\n3\n1 4\nq\n",
        if questions { "2\n" } else { "" }
    );
    let made = typed(&home, &["check", "--json"], &lines)
        .expect_code(0)
        .document();
    let entries = made.as_array().expect("a list");
    let fatigue = entries
        .iter()
        .find(|entry| entry["kind"] == "fatigue")
        .expect("a check-in");
    assert_eq!(
        (&fatigue["level"], &fatigue["sort"], &fatigue["areas"]),
        (&json!(7), &json!("weakness"), &json!(["legs", "shoulders"]))
    );
    if questions {
        let night: &Value = &entries[0];
        assert_eq!(
            (&night["quality"], &night["rested"], &night["awakenings"]),
            (&json!("skipped"), &json!("unable"), &json!(2))
        );
    }
    let undone = home.json(&["undo"]);
    assert_eq!(
        undone["entries"].as_array().map(Vec::len),
        Some(entries.len()),
        "one action"
    );
    assert_eq!(home.ids(), [""; 0]);
    home.ebb(&["check", "--no-input"]).expect_code(2);
}

#[test]
fn the_same_as_yesterday_is_only_taken_when_chosen() {
    let home = Home::with_journal();
    home.json(&["plan", "ask", "dry-mouth"]);
    home.json(&["symptom", "dry-mouth", "2", "--at", "yesterday 12:00"]);
    let skip = "s\n".repeat(12);
    let made = typed(&home, &["check", "--json"], &skip)
        .expect_code(0)
        .document();
    let mouth = |made: &Value| {
        let mut entries = made.as_array().expect("a list").iter();
        let symptom = entries.find(|entry| entry["kind"] == "symptom");
        symptom.expect("an answer about the mouth")["dry_mouth"].clone()
    };
    assert_eq!(mouth(&made), "skipped");
    home.json(&["undo"]);
    let refused = typed(&home, &["check", "--plain"], &skip).expect_code(0);
    assert!(
        refused.stderr.contains("the same as yesterday: 2"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains('\u{1b}'), "no cursor tricks");
    home.json(&["undo"]);
    // A dot is no answer to the others; each is then skipped.
    let lines = ".\ns\n".repeat(12);
    let made = typed(&home, &["check", "--json"], &lines)
        .expect_code(0)
        .document();
    assert_eq!(mouth(&made), 2);
}
