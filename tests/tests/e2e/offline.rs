//! The main job: devices log with no network, sync through a relay that can read nothing, and end with one journal.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::home::{Answer, Home, count, text};
use crate::proxy::Proxy;
use crate::relay::Relay;
use crate::wait;

/// What each device logs while the relay is stopped.
const OFFLINE: usize = 200;

/// The exit code of "the relay is not reachable, local data is safe".
const UNREACHABLE: i32 = 4;

/// The start of every note here: long enough not to turn up in random bytes.
const NOTE: &str = "heavy arms after hanging out the washing";

/// Logs so many entries of every kind, each with words of its own, and returns their ids.
fn fill(home: &Home, device: &str, entries: usize) -> BTreeSet<String> {
    let ids = (0..entries).map(|place| {
        let note = format!("{NOTE}, {device} {place}");
        let level = (place % 11).to_string();
        match place % 5 {
            0 => home.log(&[&level, "arms", "legs", &note]),
            1 => home.log(&[
                "activity",
                "gardening",
                "20m",
                "--effort",
                "5",
                "--note",
                &note,
            ]),
            2 => home.log(&["dose", "amifampridine", "10mg", "--note", &note]),
            3 => home.log(&[
                "sleep",
                "--bed",
                "22:30",
                "--up",
                "07:30",
                "--quality",
                "3",
                "--note",
                &note,
            ]),
            _ => home.log(&["note", &note]),
        }
    });
    ids.collect()
}

/// Tells whether the word is in the bytes, whatever its case.
fn find(bytes: &[u8], word: &str) -> bool {
    let mut windows = bytes.windows(word.len());
    windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Fails if any of the words is in the bytes.
fn assert_none_readable(place: &str, bytes: &[u8], words: &[&str]) {
    for word in words {
        let found = find(bytes, word);
        assert!(!found, "\"{word}\" can be read in {place}");
    }
}

#[test]
fn two_devices_offline_end_with_one_journal_that_the_relay_cannot_read() {
    let proxy = Proxy::start();
    let mut relay = Relay::behind(&proxy);
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("Phone in the bag");
    relay.stop();
    let mut logged = fill(&laptop, "laptop", OFFLINE);
    logged.extend(fill(&phone, "phone", OFFLINE));
    assert_eq!(
        logged.len(),
        2 * OFFLINE,
        "every entry has an id of its own"
    );
    relay.restart();
    for _ in 0..2 {
        laptop.sync();
        phone.sync();
    }
    let list = laptop.list();
    assert_eq!(list, phone.list());
    assert_eq!(BTreeSet::from_iter(laptop.ids()), logged);
    assert_eq!(
        list.matches(NOTE).count(),
        2 * OFFLINE,
        "every note arrived"
    );

    let words = [
        NOTE,
        "amifampridine",
        "gardening",
        "Anneliese",
        "Phone in the bag",
        "fatigue",
        "activity",
        "upper-arms",
        "sleep",
        "medicine",
    ];
    let replica = std::fs::read(laptop.replica()).expect("a replica");
    let readable = |word: &&&str| find(&replica, word);
    assert_eq!(
        words.iter().find(|word| !readable(word)),
        None,
        "the search finds what is in clear, as in the replica"
    );
    let traffic = proxy.traffic();
    assert!(traffic.sent.len() > 4_000, "the proxy saw what was sent");
    assert_none_readable("what devices sent", &traffic.sent, &words);
    assert_none_readable("what devices received", &traffic.received, &words);
    assert_none_readable("what the relay keeps and says", &relay.bytes(), &words);
}

#[test]
fn a_third_device_joins_while_the_others_are_off() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    fill(&laptop, "laptop", 10);
    fill(&phone, "phone", 10);
    for home in [&laptop, &phone, &laptop] {
        home.sync();
    }
    let link = laptop.invite("tablet");
    let tablet = Home::new();
    tablet.json(&["join", &link]);
    tablet.sync();
    assert_eq!(tablet.list(), laptop.list());
    assert_eq!(tablet.ids().len(), 20);
    let members = tablet.json(&["members"]);
    let devices = members.pointer("/0/devices").and_then(Value::as_array);
    assert_eq!(devices.map(Vec::len), Some(3), "{members}");
}

#[test]
fn without_the_relay_nothing_is_lost_and_the_next_sync_sends_it() {
    let mut relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    laptop.sync();
    relay.stop();
    let id = laptop.log(&["6", "legs"]);
    let error = laptop
        .ebb(&["sync", "--json"])
        .expect_code(UNREACHABLE)
        .error();
    assert!(
        text(&error, "message").contains(relay.url()),
        "the relay is named: {error}"
    );
    laptop.ebb(&["sync"]).expect_code(UNREACHABLE);
    assert_eq!(laptop.ids(), std::slice::from_ref(&id));
    assert_eq!(count(&laptop.json(&["status"]), "unsent"), 1);

    relay.restart();
    let synced = laptop.sync();
    assert_eq!(count(&synced, "sent"), 1, "{synced}");
    assert_eq!(count(&laptop.json(&["status"]), "unsent"), 0);
    assert_eq!(count(&phone.sync(), "received"), 1);
    assert_eq!(phone.ids(), [id]);
}

#[test]
fn a_second_sync_with_nothing_new_is_one_small_round_trip() {
    let proxy = Proxy::start();
    let relay = Relay::behind(&proxy);
    let (laptop, _) = Home::with_journal_on(&relay);
    fill(&laptop, "laptop", 5);
    laptop.sync();
    let (requests, before) = (proxy.requests(), proxy.traffic());
    let synced = laptop.sync();
    let after = proxy.traffic();
    assert_eq!(proxy.requests() - requests, 1);
    assert_eq!(count(&synced, "round_trips"), 1, "{synced}");
    assert_eq!(
        (count(&synced, "sent"), count(&synced, "received")),
        (0, 0),
        "{synced}"
    );
    assert!(after.sent.len() - before.sent.len() <= 1024);
    assert!(after.received.len() - before.received.len() <= 1024);
}

#[test]
fn one_entry_edited_on_two_devices_converges() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let id = laptop.log(&["6", "legs", "before lunch"]);
    laptop.sync();
    phone.sync();
    laptop.json(&["edit", &id, "--level", "5"]);
    phone.json(&["edit", &id, "--level", "7"]);
    phone.json(&["edit", &id, "--note", "after lunch"]);
    for home in [&laptop, &phone, &laptop, &phone] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list());
    let entry = laptop.json(&["show", &id]);
    assert_eq!(
        text(&entry, "note"),
        "after lunch",
        "an edit of another field is kept"
    );
    assert!(
        [5, 7].contains(&count(&entry, "level")),
        "one of the two levels is shown: {entry}"
    );
}

#[test]
fn an_entry_deleted_on_one_device_and_edited_on_the_other_converges() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let id = laptop.log(&["6", "legs"]);
    laptop.sync();
    phone.sync();
    laptop.json(&["delete", &id]);
    phone.json(&["edit", &id, "--level", "3"]);
    for home in [&laptop, &phone, &laptop, &phone] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list());
    phone.json(&["restore", &id]);
    phone.sync();
    laptop.sync();
    assert_eq!(laptop.list(), phone.list());
    assert_eq!(
        count(&laptop.json(&["show", &id]), "level"),
        3,
        "the edit outlived the deletion"
    );
}

#[test]
fn what_is_logged_on_one_device_reaches_one_that_watches() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let mut watch = phone.start(&["sync", "--watch", "--json"]);
    let id = laptop.log(&["6", "legs"]);
    laptop.sync();
    wait::until("the entry to arrive", || {
        phone.ids().contains(&id).then_some(())
    });
    let reply = phone.log(&["note", "resting now"]);
    wait::until("the answer to arrive", || {
        laptop.sync();
        laptop.ids().contains(&reply).then_some(())
    });
    watch.kill().expect("a watching ebb can be stopped");
    watch.wait().expect("a status");
    assert_eq!(laptop.list(), phone.list());
}

#[test]
fn many_processes_at_once_lose_nothing() {
    let home = Home::with_journal();
    let started: Vec<_> = (0..12)
        .map(|place| home.start(&["note", &format!("at once, {place}"), "--json"]))
        .collect();
    let logged = started.into_iter().map(|child| {
        let output = child.wait_with_output().expect("output");
        let answer = Answer::of(output, &["note"]).expect_code(0);
        text(&answer.document(), "id")
    });
    let logged = BTreeSet::from_iter(logged);
    assert_eq!(logged.len(), 12);
    assert_eq!(BTreeSet::from_iter(home.ids()), logged);
}
