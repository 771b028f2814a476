//! Relays that show an older state, keep something back, or show another past: members find out, and heal what can be healed.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::home::{Home, text};
use crate::relay::Relay;
use crate::sharing::{shared, sync_all};

const NOT_PERMITTED: i32 = 3;
/// The exit code of damaged or suspicious data.
const SUSPICIOUS: i32 = 5;

/// The files of a relay as they were once.
struct Backup(TempDir);

impl Backup {
    fn of(relay: &mut Relay) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        relay.stop();
        copy(&relay.data(), folder.path());
        relay.restart();
        Self(folder)
    }

    /// Sets a relay back to what is kept here.
    fn restore(&self, relay: &mut Relay) {
        relay.stop();
        fs::remove_dir_all(relay.data()).expect("its data can be removed");
        fs::create_dir(relay.data()).expect("a folder");
        copy(self.0.path(), &relay.data());
        relay.restart();
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

/// Does something to the database of a relay while it does not run.
fn alter(relay: &mut Relay, what: impl FnOnce(&Connection)) {
    relay.stop();
    what(&Connection::open(database(relay)).expect("its database opens"));
    relay.restart();
}

fn database(relay: &Relay) -> PathBuf {
    let files = fs::read_dir(relay.data()).expect("a readable folder");
    let mut paths = files.map(|entry| entry.expect("a readable folder").path());
    paths
        .find(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")))
        .expect("a database")
}

/// Takes away the sealed keys that the last removal gave to devices.
fn withhold_keys(relay: &mut Relay) {
    alter(relay, |database| {
        let taken = database
            .execute_batch(
                "CREATE TABLE withheld AS SELECT * FROM blobs WHERE record = (SELECT max(record) FROM blobs);
                 DELETE FROM blobs WHERE record = (SELECT max(record) FROM blobs);",
            )
            .and_then(|()| database.query_row("SELECT count(*) FROM withheld", [], |row| row.get(0)));
        assert_eq!(taken, Ok(2), "a key for each of two devices that stay");
    });
}

fn give_keys(relay: &mut Relay) {
    alter(relay, |database| {
        database
            .execute_batch("INSERT INTO blobs SELECT * FROM withheld; DROP TABLE withheld;")
            .expect("the keys go back");
    });
}

fn held(home: &Home) -> usize {
    let held = home.json(&["held"]);
    held.as_array().map(Vec::len).expect("a list")
}

fn warnings(document: &Value) -> String {
    document
        .get("warnings")
        .expect("warnings of a sync")
        .to_string()
}

#[test]
fn a_home_relay_set_back_to_before_a_removal_is_given_the_removal_again() {
    let mut relay = Relay::start();
    let (patient, _) = Home::with_journal_on(&relay);
    let phone = patient.another("phone");
    let tablet = patient.another("tablet");
    let sam = shared(&patient, "Sam", "contributor");
    let before = sam.log(&["note", "before"]);
    sync_all(&[&patient, &phone, &tablet, &sam]);
    let backup = Backup::of(&mut relay);
    patient.json(&["remove", "Sam", "--yes"]);
    sync_all(&[&patient, &phone]);

    backup.restore(&mut relay);
    let late = sam.log(&["note", "written late"]);
    sam.sync();
    // The tablet has not heard of the removal, and takes it in.
    tablet.sync();
    assert_eq!(tablet.ids(), [before.as_str(), late.as_str()]);
    phone.sync();

    // The relay has the removal again: it tells Sam, and the tablet.
    let removed = sam.ebb(&["sync", "--json"]).expect_code(NOT_PERMITTED);
    assert_eq!(
        text(&removed.error(), "kind"),
        "removed",
        "{}",
        removed.stderr
    );
    sync_all(&[&patient, &tablet, &phone]);
    for home in [&patient, &phone, &tablet] {
        assert_eq!(
            home.ids(),
            [before.as_str()],
            "what came late is not merged"
        );
        assert_eq!(held(home), 1, "and is kept");
    }
    let after = tablet.log(&["6"]);
    sync_all(&[&tablet, &patient]);
    assert_eq!(patient.ids(), [before, after], "the tablet has the new key");
}

/// A patient with a phone that is behind: the removal of somebody, and an entry under the new key, wait for it.
fn behind(relay: &Relay) -> (Home, Home) {
    let (patient, _) = Home::with_journal_on(relay);
    let phone = patient.another("phone");
    shared(&patient, "Sam", "contributor");
    sync_all(&[&patient, &phone]);
    (patient, phone)
}

fn remove_and_write(patient: &Home) -> String {
    patient.json(&["remove", "Sam", "--yes"]);
    let entry = patient.log(&["6"]);
    patient.sync();
    entry
}

#[test]
fn a_key_that_a_relay_keeps_back_is_asked_for_until_it_comes() {
    let mut relay = Relay::start();
    let (patient, phone) = behind(&relay);
    let entry = remove_and_write(&patient);
    withhold_keys(&mut relay);

    let own = phone.log(&["note", "the phone's"]);
    for _ in 0..2 {
        let answer = phone.ebb(&["sync", "--json"]).expect_code(SUSPICIOUS);
        let message = text(&answer.error(), "message");
        assert_eq!(message.matches("no key of epoch 1").count(), 1, "{message}");
        assert_eq!(phone.ids(), [own.as_str()], "what is here stays");
    }
    patient.sync();
    assert_eq!(patient.ids(), [entry.as_str()], "nothing could be sent");

    give_keys(&mut relay);
    let report = phone.sync();
    assert_eq!(warnings(&report), "[]");
    assert_eq!(report.get("received"), Some(&Value::from(1)), "{report}");
    patient.sync();
    assert_eq!(patient.list(), phone.list());
    assert_eq!(phone.ids(), [entry, own]);
    assert_eq!(held(&phone), 0);
}

#[test]
fn a_key_that_one_relay_keeps_back_another_gives() {
    let (mut relay, second) = (Relay::start(), Relay::start());
    let (patient, phone) = behind(&relay);
    patient.json(&["relay", "add", second.url(), "--token", second.token()]);
    phone.sync();
    let entry = remove_and_write(&patient);
    withhold_keys(&mut relay);

    phone.ebb(&["sync", "--json"]).expect_code(SUSPICIOUS);
    assert_eq!(
        phone.ids(),
        [entry.as_str()],
        "the other relay gave the key"
    );
    let own = phone.log(&["note", "the phone's"]);
    phone.sync();
    patient.sync();
    assert_eq!(patient.ids(), [entry, own]);
}

#[test]
fn a_key_that_a_relay_keeps_back_comes_in_a_bundle() {
    let mut relay = Relay::start();
    let (patient, phone) = behind(&relay);
    let entry = remove_and_write(&patient);
    withhold_keys(&mut relay);
    phone.ebb(&["sync", "--json"]).expect_code(SUSPICIOUS);
    assert_eq!(phone.ids(), [""; 0]);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("whole").display().to_string();
    patient.json(&["bundle", "export", &file]);
    phone.json(&["bundle", "import", &file]);
    assert_eq!(phone.ids(), [entry], "what was held for the key is merged");
    phone.sync();
}

#[test]
fn after_a_fork_the_branch_verified_first_stays_and_entries_from_before_it_merge() {
    let (mut relay, mut second) = (Relay::start(), Relay::start());
    let (patient, _) = Home::with_journal_on(&relay);
    let phone = patient.another("phone");
    let tablet = patient.another("tablet");
    patient.json(&["relay", "add", second.url(), "--token", second.token()]);
    sync_all(&[&patient, &phone, &tablet]);
    let backup = Backup::of(&mut relay);
    patient.json(&["share", "--name", "Sam", "--role", "reader"]);
    sync_all(&[&patient, &tablet]);

    // The home relay forgets it, and only it can be reached: the other has the first branch. The phone, which never heard of it, changes the log in another way.
    backup.restore(&mut relay);
    second.stop();
    let early = phone.log(&["note", "before the fork"]);
    phone.ebb(&["sync"]);
    phone.json(&["share", "--name", "Tom", "--role", "reader"]);
    let late = phone.log(&["note", "on the other branch"]);
    phone.ebb(&["sync"]);
    second.restart();

    let own = patient.log(&["6"]);
    for home in [&patient, &tablet] {
        let answer = home.ebb(&["sync", "--json"]).expect_code(SUSPICIOUS);
        let message = text(&answer.error(), "message");
        assert!(message.contains("ebb journals renew"), "{message}");
        let ids = home.ids();
        assert!(ids.contains(&early) && ids.contains(&own), "{ids:?}");
        assert!(!ids.contains(&late), "it names the other log");
        let status = home.json(&["status"]);
        assert!(warnings(&status).contains("forked"), "{status}");
        let share = ["share", "--name", "Eve", "--role", "reader", "--json"];
        let refused = home.ebb(&share).expect_code(SUSPICIOUS).error();
        assert!(
            refused.to_string().contains("ebb journals renew"),
            "{refused}"
        );
    }
}
