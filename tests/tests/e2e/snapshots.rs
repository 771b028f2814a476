//! Snapshots: what is made, checked, pruned by and started from, and that no entry is lost by any of it.

use serde_json::Value;

use crate::home::{Home, count, text};
use crate::relay::Relay;

/// Envelopes after which a snapshot is made.
const ENOUGH: usize = 64;

/// Writes so many envelopes of one entry each, with no relay: a bundle seals what is recorded.
fn write(home: &Home, envelopes: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().expect("a path of text");
    for _ in 0..envelopes {
        home.log(&["6"]);
        home.json(&["bundle", "export", bundle]);
    }
}

fn joined(owner: &Home, name: &str, role: &str) -> Home {
    let link = text(
        &owner.json(&["share", "--name", name, "--role", role]),
        "link",
    );
    let home = Home::new();
    home.json(&["join", &link]);
    home
}

/// Has an owner write enough for two snapshots, each of which another member checks.
fn two_snapshots(owner: &Home, member: &Home) {
    for _ in 0..2 {
        write(owner, ENOUGH);
        owner.sync();
        member.sync();
    }
}

fn used(home: &Home) -> u64 {
    let status = home.json(&["status"]);
    let relays = status.get("relays").and_then(Value::as_array);
    let relay = relays.and_then(|relays| relays.first()).expect("a relay");
    count(relay, "quota_used")
}

/// A journal with two snapshots that its caregiver has checked, on a relay that forgot what the first covers.
struct Pruned {
    relay: Relay,
    ana: Home,
    sam: Home,
    /// A device of Ana's that was away all the time, with an entry that nobody has yet.
    away: Home,
    unsent: String,
    /// Another device of Ana's that was away, which has nothing.
    idle: Home,
}

fn pruned() -> Pruned {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let sam = joined(&ana, "Sam", "contributor");
    let away = ana.another("tablet");
    let unsent = away.log(&["3", "legs"]);
    let idle = ana.another("phone");
    two_snapshots(&ana, &sam);
    let before = {
        ana.sync();
        used(&ana)
    };
    ana.json(&["relay", "prune", relay.url()]);
    ana.sync();
    let after = used(&ana);
    assert!(after < before, "pruning makes room: {before}, then {after}");
    Pruned {
        relay,
        ana,
        sam,
        away,
        unsent,
        idle,
    }
}

#[test]
fn a_pruned_relay_still_brings_everything_to_everybody() {
    let Pruned {
        relay,
        ana,
        sam,
        away,
        unsent,
        ..
    } = pruned();
    let entries = ana.ids().len();
    assert_eq!(entries, 2 * ENOUGH);
    let new = joined(&ana, "Dr. Wu", "reader");
    assert_eq!(
        new.list(),
        ana.list(),
        "a new device starts from a snapshot"
    );

    let vouched = |of: &Home| of.json(&["status"]).get("vouched").cloned();
    let by = vouched(&new).expect("it started from a snapshot");
    assert!(text(&by, "by").starts_with("Anneliese, "), "{by}");
    let checked = by.get("checked_by").and_then(Value::as_array);
    assert_eq!(checked.map(Vec::len), Some(1), "{by}");
    assert_eq!(vouched(&sam), None);

    away.sync();
    for home in [&ana, &sam, &new] {
        home.sync();
    }
    assert!(
        ana.ids().contains(&unsent),
        "what was never sent is not lost"
    );
    for home in [&sam, &new, &away] {
        assert_eq!(home.list(), ana.list());
    }
    sam.log(&["2"]);
    sam.sync();
    for home in [&ana, &new, &away] {
        home.sync();
        assert_eq!(home.list(), sam.list());
    }
    drop(relay);
}

#[test]
fn what_is_known_from_a_snapshot_alone_restores_a_relay_and_a_machine() {
    let Pruned {
        relay,
        ana,
        away,
        idle,
        ..
    } = pruned();
    away.sync();
    ana.sync();
    let expected = ana.list();
    assert_eq!(away.list(), expected);
    // Only the tablet is left, and it never had the first envelopes.
    drop(ana);
    let second = Relay::start();
    away.json(&["relay", "add", second.url(), "--token", second.token()]);
    away.sync();
    away.json(&["relay", "home", second.url()]);
    away.json(&["relay", "remove", relay.url()]);
    drop(relay);
    let link = away.invite("laptop");
    let laptop = Home::new();
    laptop.json(&["join", &link]);
    assert_eq!(laptop.list(), expected);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().expect("a path of text");
    laptop.json(&["bundle", "export", bundle]);
    idle.json(&["bundle", "import", bundle]);
    assert_eq!(idle.list(), expected);
}

#[test]
fn what_waited_for_a_change_that_a_snapshot_brings_is_merged_with_it() {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let sam = joined(&ana, "Sam", "contributor");
    ana.log(&["5"]);
    ana.sync();
    let tablet = ana.another("tablet");
    tablet.sync();
    two_snapshots(&ana, &sam);
    ana.sync();
    ana.json(&["relay", "prune", relay.url()]);
    // A correction of an entry that the relay has no more.
    let pruned = ana.ids().get(3).cloned().expect("an early entry");
    sam.json(&["edit", &pruned, "--level", "9"]);
    sam.sync();
    tablet.sync();
    assert_eq!(tablet.list(), sam.list());
    assert_eq!(count(&tablet.json(&["status"]), "held"), 0);
}

#[test]
fn a_device_set_back_in_place_whose_later_entries_were_pruned_goes_on() {
    for later in [1, 3] {
        set_back(later);
    }
}

/// Sets a device back to before it wrote so many later envelopes, which the relay has pruned.
fn set_back(later: usize) {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let sam = joined(&ana, "Sam", "contributor");
    let tablet = ana.another("tablet");
    let first = tablet.log(&["6"]);
    tablet.sync();
    let replica = tablet.replica();
    let backup = std::fs::read(&replica).expect("a replica");
    let mut entries = vec![first.clone()];
    for _ in 0..later {
        entries.push(tablet.log(&["5"]));
        tablet.sync();
    }
    two_snapshots(&ana, &sam);
    ana.sync();
    ana.json(&["relay", "prune", relay.url()]);
    // Written over, so that it is the same file: the device cannot tell by its place that it was set back.
    std::fs::write(&replica, backup).expect("the replica set back");
    assert_eq!(tablet.ids(), [first.as_str()]);
    entries.push(tablet.log(&["4"]));
    tablet.sync();
    ana.sync();
    let ids = ana.ids();
    for entry in entries {
        assert!(ids.contains(&entry), "{entry} is not lost");
    }
    assert_eq!(tablet.list(), ana.list());
}
