//! The session against a relay in memory: what devices end with, and what goes over the wire.

mod world;

use protocol::api::{ProblemKind, SyncAnswer};
use protocol::cbor::Bytes;
use protocol::sign::Signer;

use crate::{Action, Event, Fault, Nonsense, Request, Warning};
use world::{Device, Relay, World};

#[test]
fn two_devices_end_with_the_same_batches() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    first.record("one");
    second.record("two");
    for _ in 0..2 {
        first.sync(&mut world.relay).unwrap();
        second.sync(&mut world.relay).unwrap();
    }
    assert_eq!(first.batches(), ["one", "two"]);
    assert_eq!(second.batches(), first.batches());
    assert_eq!(first.warnings, []);
}

#[test]
fn nothing_new_is_one_round_trip() {
    let mut world = World::new();
    let mut device = world.device(0);
    device.record("one");
    device.sync(&mut world.relay).unwrap();
    let before = world.relay.requests;
    device.sync(&mut world.relay).unwrap();
    assert_eq!(world.relay.requests - before, 1);
}

#[test]
fn an_own_envelope_is_stored_before_it_is_sent_and_never_sealed_again() {
    let mut world = World::new();
    let mut device = world.device(0);
    device.record("one");
    world.relay.lose_next_append = true;
    assert!(device.sync(&mut world.relay).is_err(), "the answer is lost");
    let stored = device.own_envelopes();
    assert_eq!(
        stored.len(),
        1,
        "the envelope was stored before it was sent"
    );
    device.sync(&mut world.relay).unwrap();
    assert_eq!(
        device.own_envelopes(),
        stored,
        "the same bytes go out again"
    );
    assert_eq!(world.relay.envelopes(), stored);
}

#[test]
fn a_log_that_moved_on_meanwhile_starts_the_session_over() {
    let mut world = World::new();
    let mut device = world.device(0);
    device.record("one");
    world.relay.stale_once = true;
    device.sync(&mut world.relay).unwrap();
    assert_eq!(world.relay.envelopes().len(), 1);
    assert_eq!(
        world.relay.requests, 4,
        "sync, refused append, sync, append"
    );
}

#[test]
fn what_a_relay_lost_it_gets_back() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    first.record("one");
    first.sync(&mut world.relay).unwrap();
    second.sync(&mut world.relay).unwrap();
    let kept = world.relay.envelopes();
    world.relay.forget_envelopes();
    let restored = second.sync(&mut world.relay).unwrap();
    assert_eq!(restored, 1);
    assert_eq!(second.warnings, [Warning::RelayLost { lost: 1 }]);
    assert_eq!(
        world.relay.envelopes(),
        kept,
        "identical, by whoever holds them"
    );
}

#[test]
fn records_that_a_relay_lost_it_gets_back_before_envelopes() {
    let mut world = World::new();
    let mut device = world.device(0);
    device.record("one");
    world.relay.forget_last_record();
    device.sync(&mut world.relay).unwrap();
    assert_eq!(world.relay.log_length(), device.log_length());
    assert_eq!(world.relay.envelopes().len(), 1);
}

#[test]
fn of_a_forked_log_the_branch_verified_first_stays_and_what_it_can_judge_is_merged() {
    let mut world = World::new();
    let (mut first, mut device) = (world.device(0), world.device(1));
    first.record("one");
    first.sync(&mut world.relay).unwrap();
    device.record("two");
    let length = device.log_length();
    world.relay.fork_log(&world.owner);
    let other = first.seal_at(world.relay.head(), "three");
    world.relay.plant(other);
    for times in 1..=2 {
        device.sync(&mut world.relay).unwrap();
        assert_eq!(
            device.warnings,
            vec![Warning::Forked { at: 4 }; times],
            "each time"
        );
    }
    assert_eq!(device.batches(), ["one"], "it names a record of both logs");
    assert_eq!(device.waiting.len(), 1, "the other names the other log");
    assert_eq!(device.log_length(), length);
    assert!(
        device.own_envelopes().is_empty(),
        "nothing is sealed for a forked log"
    );
}

#[test]
fn an_altered_envelope_is_refused_and_comes_again_unaltered() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    first.record("one");
    first.sync(&mut world.relay).unwrap();
    world.relay.flip_bit = Some(200);
    second.sync(&mut world.relay).unwrap();
    assert!(
        matches!(second.warnings.as_slice(), [Warning::Refused { .. }]),
        "{:?}",
        second.warnings
    );
    assert!(second.batches().is_empty());
    world.relay.flip_bit = None;
    second.sync(&mut world.relay).unwrap();
    assert_eq!(second.batches(), ["one"]);
}

#[test]
fn an_envelope_without_its_predecessor_waits_for_it() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    for text in ["one", "two"] {
        first.record(text);
        first.sync(&mut world.relay).unwrap();
    }
    world.relay.withhold_first = true;
    second.sync(&mut world.relay).unwrap();
    assert!(second.batches().is_empty());
    assert_eq!(second.waiting.len(), 1);
    world.relay.withhold_first = false;
    second.sync(&mut world.relay).unwrap();
    assert_eq!(second.batches(), ["one", "two"]);
}

#[test]
fn pages_bring_everything() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    let texts: Vec<String> = (0..7).map(|number| format!("batch {number}")).collect();
    for text in &texts {
        first.record(text);
        first.sync(&mut world.relay).unwrap();
    }
    world.relay.page = 2;
    second.sync(&mut world.relay).unwrap();
    assert_eq!(second.batches(), texts);
}

#[test]
fn a_relay_that_promises_more_and_brings_nothing_is_left() {
    let world = World::new();
    let mut device = world.device(0);
    let mut session = device.session();
    while session.poll().is_some() {}
    session.handle(Event::Synced(SyncAnswer {
        more: true,
        ..world.relay.empty_answer()
    }));
    let finished = std::iter::from_fn(|| session.poll()).last();
    let Some(Action::Finish(Err(fault))) = finished else {
        panic!("{finished:?}")
    };
    assert!(matches!(fault, Fault::Nonsense(Nonsense::NoProgress)));
}

#[test]
fn garbage_among_envelopes_is_named_and_passed_over() {
    let world = World::new();
    let mut device = world.device(0);
    let mut session = device.session();
    while session.poll().is_some() {}
    let envelopes = vec![Bytes(vec![0; 300]), Bytes(Vec::new())];
    session.handle(Event::Synced(SyncAnswer {
        envelopes,
        ..world.relay.empty_answer()
    }));
    let actions: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
    let garbage = |action: &&Action| matches!(action, Action::Warn(Warning::Garbage));
    assert_eq!(actions.iter().filter(garbage).count(), 2);
    assert!(
        matches!(actions.last(), Some(Action::CollectUnsealed)),
        "the session goes on"
    );
}

#[test]
fn a_copy_that_sealed_before_it_heard_of_the_other_gives_way_and_loses_nothing() {
    let mut world = World::new();
    let mut original = world.device(0);
    original.record("one");
    original.sync(&mut world.relay).unwrap();
    let mut copy = original.copy(&world);
    copy.record("mine");
    world.relay.lose_next_append = true;
    copy.sync(&mut world.relay).unwrap_err();
    original.record("two");
    original.sync(&mut world.relay).unwrap();
    original.record("three");
    original.sync(&mut world.relay).unwrap();
    copy.sync(&mut world.relay).unwrap();
    original.sync(&mut world.relay).unwrap();
    let all = |device: &Device| {
        let mut batches = device.batches();
        batches.sort_unstable();
        batches.dedup();
        batches.join(" ")
    };
    assert_eq!(all(&copy), "mine one three two");
    assert_eq!(all(&original), "mine one three two");
}

#[test]
fn a_copy_that_sealed_more_than_the_other_gives_way_and_loses_nothing() {
    let mut world = World::new();
    let mut original = world.device(0);
    original.record("one");
    original.sync(&mut world.relay).unwrap();
    let mut copy = original.copy(&world);
    for text in ["mine", "more"] {
        copy.record(text);
        world.relay.lose_next_append = true;
        copy.sync(&mut world.relay).unwrap_err();
    }
    original.record("two");
    original.sync(&mut world.relay).unwrap();
    copy.sync(&mut world.relay).unwrap();
    original.sync(&mut world.relay).unwrap();
    for device in [&copy, &original] {
        let mut batches = device.batches();
        batches.sort_unstable();
        batches.dedup();
        assert_eq!(batches, ["mine", "more", "one", "two"]);
    }
}

#[test]
fn a_copy_whose_later_envelopes_are_gone_from_the_relay_leaves_the_chain_and_loses_nothing() {
    let mut world = World::new();
    let mut original = world.device(0);
    let mut copy = original.copy(&world);
    for text in ["one", "two"] {
        original.record(text);
        original.sync(&mut world.relay).unwrap();
    }
    // As a relay that pruned: what it gives of the chain does not follow what the copy has.
    world.relay.withhold_first = true;
    copy.record("mine");
    copy.sync(&mut world.relay).unwrap();
    assert_eq!(
        original.own_envelopes().len(),
        2,
        "nothing is sealed on places that are taken"
    );
    world.relay.withhold_first = false;
    copy.sync(&mut world.relay).unwrap();
    original.sync(&mut world.relay).unwrap();
    for device in [&copy, &original] {
        let mut batches = device.batches();
        batches.sort_unstable();
        assert_eq!(batches, ["mine", "one", "two"]);
    }
}

#[test]
fn a_copy_that_went_on_elsewhere_is_noticed_and_begins_a_new_chain() {
    let mut world = World::new();
    let mut original = world.device(0);
    original.record("one");
    original.sync(&mut world.relay).unwrap();
    let mut copy = original.copy(&world);
    original.record("two");
    original.sync(&mut world.relay).unwrap();
    copy.sync(&mut world.relay).unwrap();
    assert_eq!(copy.warnings, [Warning::Copied]);
    assert_eq!(copy.batches(), ["one", "two"]);
    copy.record("three");
    copy.sync(&mut world.relay).unwrap();
    original.sync(&mut world.relay).unwrap();
    assert_eq!(original.batches(), ["one", "two", "three"]);
    assert_eq!(original.warnings, []);
}

#[test]
fn without_the_key_of_the_epoch_a_device_seals_nothing_and_everything_else_goes_on() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(0), world.device(1));
    first.record("one");
    first.sync(&mut world.relay).unwrap();
    let kept = world.relay.envelopes();
    second.keyless = true;
    second.record("two");
    second.sync(&mut world.relay).unwrap();
    assert_eq!(second.warnings, [Warning::NoKey { epoch: 0 }], "said once");
    assert_eq!(second.held, ["the key of epoch 0 is missing"]);
    assert!(second.batches().is_empty() && second.own_envelopes().is_empty());
    world.relay.forget_envelopes();
    second.sync(&mut world.relay).unwrap();
    assert_eq!(world.relay.envelopes(), kept, "it gives back what it holds");
    second.keyless = false;
    second.sync(&mut world.relay).unwrap();
    assert_eq!(second.own_envelopes().len(), 1, "what waited is sent");
}

#[test]
fn a_reader_seals_nothing() {
    let mut world = World::new();
    let mut reader = world.device(2);
    reader.record("mine");
    reader.sync(&mut world.relay).unwrap();
    assert_eq!(reader.warnings, [Warning::ReadOnly { count: 1 }]);
    assert!(world.relay.envelopes().is_empty());
}

#[test]
fn a_reader_who_seals_all_the_same_is_refused_by_others() {
    let mut world = World::new();
    let (mut reader, mut owner) = (world.device(2), world.device(0));
    let forged = reader.seal_regardless("mine");
    world.relay.plant(forged);
    owner.sync(&mut world.relay).unwrap();
    assert!(
        matches!(owner.warnings.as_slice(), [Warning::Refused { .. }]),
        "{:?}",
        owner.warnings
    );
    assert!(owner.batches().is_empty());
}

#[test]
fn the_relays_problem_ends_the_session() {
    let world = World::new();
    let mut device = world.device(0);
    let mut session = device.session();
    while session.poll().is_some() {}
    session.handle(Event::Problem(Relay::problem(ProblemKind::Unavailable)));
    let finished = std::iter::from_fn(|| session.poll()).last();
    assert!(
        matches!(finished, Some(Action::Finish(Err(Fault::Problem(_))))),
        "{finished:?}"
    );
}

#[test]
fn an_event_that_was_not_asked_for_ends_the_session() {
    let mut device: Device = World::new().device(0);
    let mut session = device.session();
    assert!(matches!(
        session.poll(),
        Some(Action::Send(Request::Sync(_)))
    ));
    session.handle(Event::Stored(true));
    let finished = std::iter::from_fn(|| session.poll()).last();
    assert!(
        matches!(finished, Some(Action::Finish(Err(Fault::Unexpected)))),
        "{finished:?}"
    );
    assert_eq!(device.keys().key_id(), device.keys().key_id());
}
