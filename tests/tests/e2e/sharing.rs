//! Sharing a journal, and taking it back: who may do what, and what a removal means.

use serde_json::Value;

use crate::home::{Home, count, text};
use crate::relay::Relay;

const NOT_PERMITTED: i32 = 3;

/// Makes the first device of somebody with whom the journal is shared.
pub(crate) fn shared(owner: &Home, name: &str, role: &str) -> Home {
    let link = link(owner, name, role);
    let home = Home::new();
    home.json(&["join", &link, "--name", &format!("{name}-phone")]);
    home
}

fn link(owner: &Home, name: &str, role: &str) -> String {
    let share = ["share", "--name", name, "--role", role];
    text(&owner.json(&share), "link")
}

/// Syncs each of them, twice: what one sends in the first round the others receive in the second.
pub(crate) fn sync_all(homes: &[&Home]) {
    for home in homes.iter().chain(homes) {
        home.sync();
    }
}

fn role_of(home: &Home, name: &str) -> Option<String> {
    let people = home.json(&["members"]);
    let people = people.as_array().expect("people");
    let person = people
        .iter()
        .find(|person| person.get("name").and_then(Value::as_str) == Some(name));
    let role = person.and_then(|person| person.get("role").and_then(Value::as_str));
    role.map(str::to_owned)
}

fn author_of(home: &Home, id: &str) -> String {
    let entry = home.json(&["show", id]);
    let author = entry.get("author").expect("an author");
    text(author, "person")
}

#[test]
fn patient_caregiver_and_clinician_each_do_what_their_role_allows() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let first = patient.log(&["6", "legs"]);
    patient.sync();
    let sam = shared(&patient, "Sam", "contributor");
    let clinician = shared(&patient, "Dr. Wu", "reader");
    assert_eq!(sam.ids(), [first.as_str()], "a caregiver reads history");
    assert_eq!(clinician.ids(), [first.as_str()], "so does a clinician");

    let note = sam.log(&["note", "better by noon"]);
    sam.json(&["edit", &first, "--level", "5"]);
    clinician.ebb(&["6", "--json"]).expect_code(NOT_PERMITTED);
    for (who, code) in [(&sam, NOT_PERMITTED), (&clinician, NOT_PERMITTED)] {
        let share = ["share", "--name", "Eve", "--role", "reader", "--json"];
        who.ebb(&share).expect_code(code);
        who.ebb(&["role", "Anneliese", "reader", "--json"])
            .expect_code(code);
        who.ebb(&["remove", "Anneliese", "--yes", "--json"])
            .expect_code(code);
        who.json(&["device", "add", "--name", "tablet"]);
    }
    sync_all(&[&sam, &patient, &clinician]);
    assert_eq!(patient.list(), sam.list());
    assert_eq!(patient.list(), clinician.list());
    assert_eq!(author_of(&patient, &note), "Sam");
    assert_eq!(count(&patient.json(&["show", &first]), "level"), 5);
    for (name, role) in [
        ("Anneliese", "owner"),
        ("Sam", "contributor"),
        ("Dr. Wu", "reader"),
    ] {
        assert_eq!(role_of(&clinician, name).as_deref(), Some(role), "{name}");
    }
}

#[test]
fn a_caregiver_follows_two_journals() {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let ben = Home::new();
    ben.json(&[
        "init",
        "--name",
        "Ben",
        "--relay",
        relay.url(),
        "--token",
        relay.token(),
    ]);
    let (one, two) = (ana.log(&["6"]), ben.log(&["3"]));
    for home in [&ana, &ben] {
        home.sync();
    }
    let sam = shared(&ana, "Sam", "contributor");
    sam.json(&["join", &link(&ben, "Sam", "reader")]);
    let ids = |name: &str| {
        let list = sam.json(&["list", "-j", name]);
        let entries = list.as_array().expect("entries").iter();
        entries.map(|entry| text(entry, "id")).collect::<Vec<_>>()
    };
    assert_eq!(ids("Anneliese"), [one]);
    assert_eq!(ids("Ben"), [two]);
    let several = sam.ebb(&["list", "--json"]).expect_code(1).error();
    assert!(several.to_string().contains("ebb -j"), "{several}");
    sam.json(&["note", "helped with dinner", "-j", "Anneliese"]);
    sam.ebb(&["6", "-j", "Ben", "--json"])
        .expect_code(NOT_PERMITTED);
}

#[test]
fn a_removed_caregiver_keeps_what_was_read_and_gets_nothing_more() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let sam = shared(&patient, "Sam", "contributor");
    let kept = sam.log(&["note", "before"]);
    sync_all(&[&sam, &patient]);
    let unsent = sam.log(&["note", "never sent"]);

    let removed = patient.json(&["remove", "Sam", "--yes"]);
    assert!(removed.to_string().contains("Sam"), "{removed}");
    let secret = patient.log(&["note", "nobody else reads this"]);
    patient.sync();
    let error = sam.ebb(&["sync", "--json"]).expect_code(NOT_PERMITTED);
    assert_eq!(text(&error.error(), "kind"), "removed", "{}", error.stderr);

    let sams = sam.ids();
    assert!(sams.contains(&kept) && sams.contains(&unsent), "{sams:?}");
    assert!(!sams.contains(&secret));
    assert_eq!(patient.ids(), [kept, secret]);
    assert_eq!(role_of(&patient, "Sam"), None);
    let by = |name| patient.ebb(&["list", "--by", name, "--json"]);
    by("sam").expect_code(0);
    let nobody = by("Zoe").expect_code(1).error();
    let message = text(&nobody, "message");
    let all = ["Anneliese", "Sam"].map(|name| message.contains(name));
    assert_eq!(all, [true, true], "{nobody}");
}

#[test]
fn a_demoted_caregiver_reads_on_and_writes_no_more() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let sam = shared(&patient, "Sam", "contributor");
    let before = sam.log(&["note", "before"]);
    sam.sync();
    patient.json(&["role", "Sam", "reader"]);
    assert_eq!(patient.ids(), [before.as_str()]);
    sam.sync();
    sam.ebb(&["note", "after", "--json"])
        .expect_code(NOT_PERMITTED);
    let later = patient.log(&["6"]);
    patient.sync();
    sam.sync();
    assert_eq!(sam.ids(), [before, later], "a reader still reads");
    patient.json(&["role", "Sam", "contributor"]);
    sam.sync();
    let again = sam.log(&["note", "again"]);
    sam.sync();
    patient.sync();
    assert!(patient.ids().contains(&again));
    assert_eq!(patient.list(), sam.list());
}

#[test]
fn a_device_waits_until_an_owner_approves_it() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let entry = patient.log(&["6"]);
    patient.sync();
    let share = ["share", "--name", "Sam", "--role", "reader", "--approve"];
    let link = text(&patient.json(&share), "link");
    let sam = Home::new();
    let joined = sam.json(&["join", &link, "--name", "Sam's phone"]);
    sam.ebb(&["sync", "--json"]).expect_code(NOT_PERMITTED);
    assert_eq!(sam.ids(), [""; 0], "it has no key yet");
    let fingerprint = text(&joined, "fingerprint");
    let approve = [
        "members",
        "approve",
        "Sam",
        "--device",
        "Sam's phone",
        "--json",
    ];
    let blind = patient.ebb(&approve).expect_code(2).error();
    assert!(blind.to_string().contains(&fingerprint), "{blind}");
    let wrong = [&approve[..], &["--fingerprint", "0000-0000-0000"]].concat();
    let wrong = patient.ebb(&wrong).expect_code(NOT_PERMITTED).error();
    assert_eq!(text(&wrong, "kind"), "wrong-fingerprint");
    sam.ebb(&["sync", "--json"]).expect_code(NOT_PERMITTED);
    let right = [&approve[..], &["--fingerprint", &fingerprint]].concat();
    patient.ebb(&right).expect_code(0);
    sam.sync();
    assert_eq!(sam.ids(), [entry]);
    assert_eq!(role_of(&sam, "Sam").as_deref(), Some("reader"));
    let status = sam.json(&["status"]);
    assert_eq!(text(&status, "device"), "Sam's phone", "it keeps its name");
}

#[test]
fn an_invite_withdrawn_lets_nobody_in() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let share = patient.json(&["share", "--name", "Eve", "--role", "reader"]);
    let fingerprint = text(&share, "fingerprint");
    assert_eq!(patient.json(&["invites"]).as_array().map(Vec::len), Some(1));
    patient.json(&["invites", "withdraw", &fingerprint]);
    let eve = Home::new();
    let answer = eve
        .ebb(&["join", &text(&share, "link"), "--json"])
        .expect_code(NOT_PERMITTED);
    assert_eq!(text(&answer.error(), "kind"), "withdrawn-invite");
    assert_eq!(patient.json(&["invites"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn an_erased_journal_is_gone_from_the_relay_for_good() {
    let relay = Relay::start();
    let (patient, journal) = Home::with_journal_on(&relay);
    let entry = patient.log(&["6"]);
    let phone = patient.another("phone");
    patient.sync();
    phone.sync();
    patient.json(&["journals", "erase", "--yes", "-j", &journal]);
    for home in [&patient, &phone] {
        let answer = home.ebb(&["sync", "--json"]).expect_code(NOT_PERMITTED);
        assert_eq!(text(&answer.error(), "kind"), "erased");
        let late = home.ebb(&["note", "too late", "--json"]);
        let late = late.expect_code(NOT_PERMITTED).error();
        assert_eq!(text(&late, "kind"), "erased", "{late}");
        home.ebb(&["edit", &entry, "--level", "1"])
            .expect_code(NOT_PERMITTED);
        assert_eq!(home.ids(), [entry.as_str()], "what is here can be read");
    }
}

#[test]
fn late_writes_of_a_removed_caregiver_are_held_until_a_writer_keeps_them() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let phone = patient.another("phone");
    let sam = shared(&patient, "Sam", "contributor");
    let first = patient.log(&["6"]);
    let before = sam.log(&["note", "before"]);
    sync_all(&[&patient, &sam, &phone]);

    patient.json(&["remove", "Sam", "--yes"]);
    patient.sync();
    let late = sam.log(&["note", "written late"]);
    sam.json(&["edit", &first, "--level", "2"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("late").display().to_string();
    // Sam has not heard of it, and seals as before.
    sam.json(&["bundle", "export", &file]);
    patient.json(&["bundle", "import", &file]);
    phone.sync();
    phone.json(&["bundle", "import", &file]);
    for home in [&patient, &phone] {
        assert_eq!(home.ids(), [first.as_str(), before.as_str()]);
        let shown = home.json(&["show", &first]);
        assert_eq!(count(&shown, "level"), 6, "the edit does not count");
    }
    let held = patient.json(&["held"]);
    let held = held.as_array().expect("a list");
    assert_eq!(held.len(), 1, "{held:?}");
    let id = text(&held[0], "id");
    patient.json(&["held", "keep", &id]);
    assert_eq!(author_of(&patient, &late), "Sam", "the author is named");
    assert_eq!(count(&patient.json(&["show", &first]), "level"), 2);
    sync_all(&[&patient, &phone]);
    assert_eq!(patient.list(), phone.list());
    for home in [&patient, &phone] {
        let held = home.json(&["held"]);
        assert_eq!(
            held.as_array().map(Vec::len),
            Some(0),
            "kept once is enough"
        );
    }
}

#[test]
fn what_was_merged_and_is_excluded_later_goes_and_own_changes_on_it_are_recorded_again() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let phone = patient.another("phone");
    let sam = shared(&patient, "Sam", "contributor");
    sync_all(&[&patient, &sam, &phone]);
    // The phone takes in by hand what the relay, and so the patient's laptop, has never seen.
    let unseen = sam.log(&["7", "legs"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sams").display().to_string();
    sam.json(&["bundle", "export", &file]);
    // The home relay must not have it when the removal is made: the phone stays offline.
    phone.json(&["bundle", "import", &file]);
    // Not sealed either when the phone hears of the removal, and not on anything that it excludes.
    let before = phone.log(&["note", "before it"]);
    phone.json(&["edit", &unseen, "--note", "seen on the phone"]);
    let own = phone.log(&["note", "the phone's own"]);
    patient.json(&["remove", "Sam", "--yes"]);
    phone.sync();
    patient.sync();
    assert_eq!(patient.list(), phone.list());
    assert!([before, own].iter().all(|id| patient.ids().contains(id)));
    let shown = patient.json(&["show", &unseen]);
    assert_eq!(text(&shown, "note"), "seen on the phone");
    assert_eq!(author_of(&patient, &unseen), "Sam");
}
