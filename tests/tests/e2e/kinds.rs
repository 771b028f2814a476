//! Every kind of entry by the line that people type, what comes of it, and what becomes of it: corrected, commented on,
//! contested.

use serde_json::{Value, json};

use crate::home::{Home, text};
use crate::relay::Relay;

/// Logs a line and compares the fields of the entry, those that every entry has apart.
fn check(home: &Home, line: &[&str], kind: &str, fields: Value) {
    let entry = home.json(line);
    assert_eq!(text(&entry, "kind"), kind, "{line:?}");
    let mut own = entry.as_object().expect("an entry is an object").clone();
    for key in [
        "id",
        "kind",
        "at",
        "zone",
        "recorded_at",
        "author",
        "status",
    ] {
        own.remove(key);
    }
    assert_eq!(Value::Object(own), fields, "{line:?}");
    let id = text(&entry, "id");
    let shown = home.json(&["show", &id]);
    assert_eq!(shown, entry, "{line:?}: shown as it was logged");
}

#[test]
fn lines_of_check_ins_doses_and_nights_mean_what_they_say() {
    let home = Home::with_journal();
    check(
        &home,
        &["6", "arms", "legs", "after the stairs"],
        "fatigue",
        json!({"level": 6, "areas": ["upper-arms", "legs"], "note": "after the stairs"}),
    );
    check(
        &home,
        &["fatigue", "--level", "unable", "--weakness", "legs=skipped"],
        "fatigue",
        json!({"level": "unable", "weakness": {"legs": "skipped"}}),
    );
    check(
        &home,
        &[
            "activity",
            "walking",
            "20m",
            "--eased",
            "yes",
            "--payback",
            "24h",
        ],
        "activity",
        json!({"what": "walking", "minutes": 20, "eased": "yes", "payback_onset_h": 24}),
    );
    check(
        &home,
        &[
            "dose",
            "amifampridine",
            "--skipped",
            "--reason",
            "out of it",
        ],
        "dose",
        json!({"medicine": "amifampridine", "taken": "skipped", "reason": "out of it"}),
    );
    check(
        &home,
        &["wearing-off", "legs", "2"],
        "wearing-off",
        json!({"area": "legs", "level": 2}),
    );
    check(
        &home,
        &["infusion", "IVIG", "70g", "--day", "2/5"],
        "infusion",
        json!({"product": "IVIG", "amount_g": 70, "day": 2, "of_days": 5}),
    );
    check(
        &home,
        &[
            "sleep",
            "--naps",
            "1",
            "--nap",
            "20m",
            "--screens",
            "30m",
            "--alcohol",
            "skipped",
        ],
        "sleep",
        json!({"naps": 1, "nap_min": 20, "screens_last_hour_min": 30, "last_alcohol": "skipped"}),
    );
}

#[test]
fn lines_of_factors_and_symptoms_mean_what_they_say() {
    let home = Home::with_journal();
    check(
        &home,
        &["factor", "heat", "31C"],
        "factor",
        json!({"heat": 31}),
    );
    check(
        &home,
        &["factor", "stress", "6"],
        "factor",
        json!({"stress": 6}),
    );
    check(
        &home,
        &["factor", "screens", "45m"],
        "factor",
        json!({"screens_min": 45}),
    );
    check(
        &home,
        &["factor", "weather", "yes"],
        "factor",
        json!({"name": "weather", "value": "yes"}),
    );
    check(
        &home,
        &["factor", "caffeine", "2", "--last", "skipped"],
        "factor",
        json!({"caffeine": 2, "caffeine_last": "skipped"}),
    );
    check(
        &home,
        &["symptom", "dry-mouth", "2"],
        "symptom",
        json!({"dry_mouth": 2}),
    );
    check(
        &home,
        &["symptom", "breathing", "lying-flat"],
        "symptom",
        json!({"breathing": {"lying-flat": "yes"}}),
    );
}

#[test]
fn lines_of_tests_events_and_questions_mean_what_they_say() {
    let home = Home::with_journal();
    check(
        &home,
        &["test", "3tug", "12.1", "12.8", "14.0", "--aid", "none"],
        "test",
        json!({"test": "3tug", "laps": [12.1, 12.8, 14], "aid": "none"}),
    );
    check(
        &home,
        &["test", "chair-stand", "11"],
        "test",
        json!({"test": "chair-stand-30s", "stands": 11}),
    );
    check(
        &home,
        &[
            "exercise",
            "sit to stand",
            "--sets",
            "2",
            "--reps",
            "8",
            "--effort",
            "4",
        ],
        "exercise",
        json!({"what": "sit to stand", "sets": 2, "reps": 8, "effort": 4}),
    );
    check(
        &home,
        &["event", "fall", "in the kitchen"],
        "event",
        json!({"event": "fall", "note": "in the kitchen"}),
    );
    check(
        &home,
        &["score", "FSS", "5.2"],
        "score",
        json!({"instrument": "fss", "total": 5.2}),
    );
    check(
        &home,
        &[
            "question",
            "Could the third dose move?",
            "--tag",
            "dose,visit",
        ],
        "question",
        json!({"note": "Could the third dose move?", "tags": ["dose", "visit"]}),
    );
}

#[test]
fn a_comment_stands_beside_its_entry_and_any_text_is_found() {
    let home = Home::with_journal();
    let dose = home.log(&["dose", "amifampridine", "10mg", "--given-by", "Sam"]);
    home.log(&["event", "fall", "in the kitchen"]);
    check(
        &home,
        &["comment", &dose[..15], "she looked much better by noon"],
        "comment",
        json!({"on": dose.as_str(), "note": "she looked much better by noon"}),
    );
    let shown = home.ebb(&["show", &dose]).expect_code(0).stdout;
    let comment = "she looked much better by noon  (Anneliese";
    assert!(shown.contains(comment), "{shown}");
    let found = home.json(&["list", "--search", "KITCHEN"]);
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
}

#[test]
fn any_answer_is_corrected_taken_away_and_told_in_the_history() {
    let home = Home::with_journal();
    let test = home.log(&["test", "3tug", "12.1", "12.8", "14.0", "--aid", "none"]);
    let edited = home.json(&[
        "edit",
        &test,
        "--laps",
        "12,13,14.5",
        "--timed-by",
        "Sam",
        "--aid",
        "",
    ]);
    assert_eq!(edited["laps"], json!([12, 13, 14.5]));
    assert_eq!(edited["timed_by"], "Sam");
    assert_eq!(edited.get("aid"), None);
    let question = home.log(&["question", "Could it move?"]);
    let answered = home.json(&["edit", &question, "--answer", "by an hour"]);
    assert_eq!(
        (&answered["state"], &answered["answer"]),
        (&json!("answered"), &json!("by an hour"))
    );
    let level = home.log(&["wearing-off", "legs", "2"]);
    let edited = home.json(&["edit", &level, "--level", "unable"]);
    assert_eq!(edited["level"], "unable");
    let refused = home
        .ebb(&["edit", &level, "--level", "4", "--json"])
        .expect_code(2)
        .error();
    let said = refused["message"].as_str().unwrap_or_default();
    assert!(
        said.starts_with("level is 4; it must be a whole number from 0 to 3"),
        "{said}"
    );

    let history = home.json(&["history", &test]);
    let history = history.as_array().expect("a history is an array");
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(
        (&history[0]["created"], &history[1]["created"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(history[0]["set"]["laps"], json!([12.1, 12.8, 14]));
    assert_eq!(history[1]["set"]["laps"], json!([12, 13, 14.5]));
    assert_eq!(history[1]["removed"], json!(["aid"]));
    assert_eq!(history[1]["author"]["person"], "Anneliese");
}

#[test]
fn what_two_devices_changed_at_once_is_shown_until_it_is_settled() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = Home::new();
    phone.json(&["join", &laptop.invite("phone"), "--name", "phone"]);
    let id = laptop.log(&["factor", "stress", "6"]);
    laptop.sync();
    phone.sync();
    laptop.json(&["edit", &id, "--stress", "5"]);
    phone.json(&["edit", &id, "--stress", "7"]);
    for home in [&laptop, &phone, &laptop, &phone] {
        home.sync();
    }
    let conflicts = laptop.json(&["conflicts"]);
    assert_eq!(conflicts, phone.json(&["conflicts"]), "the same on both");
    assert_eq!(conflicts[0]["id"], id.as_str());
    let field = &conflicts[0]["fields"][0];
    assert_eq!(field["field"], "stress");
    let (shown, other) = (&field["shown"], &field["others"][0]);
    let mut both = [shown, other].map(|claim| claim["value"].as_i64());
    both.sort_unstable();
    assert_eq!(both, [Some(5), Some(7)]);
    let mut devices = [shown, other].map(|claim| claim["author"]["device"].as_str());
    devices.sort_unstable_by_key(|device| *device == Some("phone"));
    assert_eq!(devices[1], Some("phone"), "one of them wrote each: {field}");
    assert_ne!(devices[0], devices[1]);
    assert!(
        shown["at"].is_string() && other["at"].is_string(),
        "{field}"
    );
    let said = laptop.ebb(&["conflicts"]).expect_code(0).stdout;
    for word in [
        "stress, shown: ",
        "stress, not shown: ",
        "ebb conflicts resolve",
        "--stress",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }

    let settled = phone.json(&["conflicts", "resolve", &id]);
    assert_eq!(settled["stress"], shown["value"], "what was shown stands");
    for home in [&phone, &laptop] {
        home.sync();
        assert_eq!(home.json(&["conflicts"]), json!([]));
    }
    assert_eq!(laptop.list(), phone.list());
}
