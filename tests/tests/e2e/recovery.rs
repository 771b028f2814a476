//! Lost, copied and restored devices, relays gone for good: nothing that was written is lost.

use std::fs;
use std::path::Path;

use crate::home::{Home, count, text};
use crate::relay::Relay;

/// Copies a folder, as a backup or somebody with two computers would.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a folder");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file");
        }
    }
}

fn sync_all(homes: &[&Home]) {
    for home in homes.iter().chain(homes).chain(homes) {
        home.sync();
    }
}

#[test]
fn a_copied_replica_and_its_original_both_keep_what_they_wrote() {
    let relay = Relay::start();
    let (original, _) = Home::with_journal_on(&relay);
    let phone = original.another("phone");
    let shared = original.log(&["6"]);
    original.sync();
    let unsent = original.log(&["note", "not sent when copied"]);
    let clone = Home::new();
    copy(original.path(), clone.path());
    let (here, there) = (
        original.log(&["note", "on the original"]),
        clone.log(&["note", "on the copy"]),
    );
    clone.json(&["edit", &shared, "--level", "4"]);
    original.sync();
    let said = clone.ebb(&["sync", "--json"]).expect_code(0);
    assert!(said.stdout.contains("copy"), "{}", said.stdout);
    sync_all(&[&original, &clone, &phone]);
    let mut ids = vec![shared, unsent, here, there];
    ids.sort();
    let mut seen = phone.ids();
    seen.sort();
    assert_eq!(seen, ids);
    assert_eq!(phone.list(), original.list());
    assert_eq!(phone.list(), clone.list());
}

#[test]
fn a_replica_restored_from_an_old_backup_loses_nothing() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let first = laptop.log(&["6"]);
    laptop.sync();
    let backup = tempfile::tempdir().expect("a folder");
    copy(laptop.path(), backup.path());
    let second = laptop.log(&["5"]);
    laptop.sync();
    phone.sync();
    fs::remove_dir_all(laptop.path()).expect("the laptop's data");
    copy(backup.path(), laptop.path());
    assert_eq!(laptop.ids(), [first.as_str()]);
    let third = laptop.log(&["4"]);
    sync_all(&[&laptop, &phone]);
    assert_eq!(phone.ids(), [first, second, third]);
    assert_eq!(phone.list(), laptop.list());
}

#[test]
fn the_recovery_phrase_opens_the_journal_on_a_new_machine() {
    let relay = Relay::start();
    let (lost, _) = Home::with_journal_on(&relay);
    let entry = lost.log(&["6"]);
    lost.sync();
    let phrase = text(&lost.json(&["recovery", "phrase"]), "phrase");
    let file = lost.path().join("phrase.txt");
    fs::write(&file, &phrase).expect("a file");
    let new = Home::new();
    let file = file.display().to_string();
    let recover = [
        "recover",
        "--relay",
        relay.url(),
        "--phrase-file",
        &file,
        "--name",
        "new-laptop",
    ];
    new.json(&recover);
    assert_eq!(new.ids(), [entry]);
    let later = new.log(&["5"]);
    new.sync();
    lost.sync();
    assert!(lost.ids().contains(&later));
    let wrong = phrase.replacen(phrase.split(' ').next().unwrap_or_default(), "zzz", 1);
    let file = new.path().join("wrong.txt");
    fs::write(&file, wrong).expect("a file");
    let file = file.display().to_string();
    let answer = Home::new().ebb(&[
        "recover",
        "--relay",
        relay.url(),
        "--phrase-file",
        &file,
        "--json",
    ]);
    assert_ne!(answer.code, Some(0));
    assert!(
        !answer
            .stderr
            .contains(phrase.split(' ').nth(3).unwrap_or("?"))
    );
}

#[test]
fn bundles_sync_by_hand_in_any_order_and_twice() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    drop(relay);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (one, two) = (laptop.log(&["6"]), phone.log(&["5"]));
    laptop.json(&["bundle", "export", &file("a")]);
    let three = laptop.log(&["4"]);
    let (a, b) = (file("a"), file("b"));
    let increment = laptop.json(&["bundle", "export", &b, "--since-bundle", &a]);
    assert_eq!(count(&increment, "envelopes"), 1, "{increment}");
    for name in ["b", "a", "b", "a"] {
        phone.json(&["bundle", "import", &file(name)]);
    }
    let mut all = vec![one, two, three];
    all.sort();
    let mut seen = phone.ids();
    seen.sort();
    assert_eq!(seen, all);
    phone.json(&["bundle", "export", &file("c")]);
    laptop.json(&["bundle", "import", &file("c")]);
    assert_eq!(laptop.list(), phone.list());

    let whole = fs::read(file("c")).expect("a bundle");
    fs::write(file("half"), &whole[..whole.len() / 2]).expect("a file");
    laptop
        .ebb(&["bundle", "import", &file("half"), "--json"])
        .expect_code(5);
}

#[test]
fn a_bundle_and_the_phrase_restore_a_journal_whose_relay_is_gone() {
    let relay = Relay::start();
    let (lost, _) = Home::with_journal_on(&relay);
    let sam = Home::new();
    let share = ["share", "--name", "Sam", "--role", "contributor"];
    sam.json(&["join", &text(&lost.json(&share), "link")]);
    let by_sam = sam.log(&["note", "by Sam"]);
    sam.sync();
    lost.sync();
    let mine = lost.log(&["6"]);
    let phrase = text(&lost.json(&["recovery", "phrase"]), "phrase");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    lost.json(&["bundle", "export", &file("backup")]);
    fs::write(file("phrase"), phrase).expect("a file");
    let before = lost.list();
    drop(relay);

    let new = Home::new();
    new.json(&[
        "recover",
        "--bundle",
        &file("backup"),
        "--phrase-file",
        &file("phrase"),
    ]);
    assert_eq!(new.list(), before);
    assert_eq!(new.ids(), [by_sam, mine]);
    let relay = Relay::start();
    new.json(&["relay", "add", relay.url(), "--token", relay.token()]);
    new.log(&["3"]);
    new.sync();
    let phone = new.another("phone");
    assert_eq!(phone.list(), new.list());
}

#[test]
fn a_renewed_journal_has_every_entry_and_names_its_authors() {
    let relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let sam = Home::new();
    let share = ["share", "--name", "Sam", "--role", "contributor"];
    sam.json(&["join", &text(&patient.json(&share), "link")]);
    let note = sam.log(&["note", "by Sam"]);
    sam.sync();
    patient.sync();
    patient.log(&["6"]);
    let before = patient.list();
    let renew = [
        "journals",
        "renew",
        "--yes",
        "--relay",
        relay.url(),
        "--token",
        relay.token(),
    ];
    let renewed = patient.json(&renew);
    let label = text(&renewed, "journal");
    let entry = patient.json(&["show", &note, "-j", &label]);
    let author = entry.get("author").expect("an author");
    assert_eq!(text(author, "person"), "Sam");
    let after = patient
        .ebb(&["list", "--json", "-j", &label])
        .expect_code(0)
        .stdout;
    assert_eq!(
        before.matches("\"id\"").count(),
        after.matches("\"id\"").count()
    );
}
