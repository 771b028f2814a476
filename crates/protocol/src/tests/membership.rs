//! The rules of approving, changing roles, removing and erasing, and what follows from each.

use super::refused;
use super::story::{Key, Story};
use crate::cbor::Bytes;
use crate::id::{BlobHash, ChainId, Commitment, EnvelopeHash, KeyId, PersonId, Seq};
use crate::limits;
use crate::log::{InviteState, LogError, Rule};
use crate::record::{Body, Erase, Relays, Remove};
use crate::role::Role;
use crate::sign::Signer;
use crate::vector::{Position, Vector};

/// The owner (person 1) and a contributor (person 2).
fn two() -> (Story, Key) {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
    let device = story.join(&invite, 2);
    (story, device)
}

/// The owner and a device of person 2 that waits.
fn waiting(role: Role) -> (Story, Key) {
    let mut story = Story::new();
    let invite = story.invite_to_wait(1, PersonId([2; 16]), role);
    let device = story.join_to_wait(&invite, 2);
    (story, device)
}

fn frontier() -> Vector {
    let position = Position {
        seq: Seq(1),
        hash: EnvelopeHash([1; 32]),
    };
    Vector([(ChainId([1; 16]), position)].into())
}

fn none() -> Vector {
    Vector::default()
}

/// Asserts that who signs is no member for the log.
fn unknown(story: &Story, author: &Key, body: &Body) {
    let error = story.log.clone().append(story.sign(author, body));
    assert!(
        matches!(error, Err(LogError::UnknownAuthor(_))),
        "{error:?}"
    );
}

#[test]
fn an_approval_gives_the_invite_s_role() {
    for role in [Role::Reader, Role::Contributor, Role::Owner] {
        let (mut story, device) = waiting(role);
        let id = device.key_id();
        assert!(story.log.devices()[&id].is_waiting());
        assert_eq!(
            (story.log.role(&id), story.log.signing_key(&id)),
            (None, None)
        );
        let joined = story.log.length() - 1;
        let approve = story.approve_body(&device);
        story.append(&story.owner.clone(), &Body::Approve(approve.clone()));
        let entry = &story.log.devices()[&id];
        assert_eq!((entry.role(), entry.role_at(joined)), (Some(role), None));
        assert!(!entry.is_waiting() && entry.removed_at().is_none());
        assert_eq!(entry.keys.name, approve.name);
        assert_eq!(entry.sealed()[&0], approve.key);
        refused(
            &story,
            &story.owner,
            &Body::Approve(approve),
            Rule::NotWaiting,
        );
    }
}

#[test]
fn only_owners_approve_and_only_who_waits() {
    let (mut story, device) = waiting(Role::Contributor);
    let owner = story.owner.clone();
    let approve = Body::Approve(story.approve_body(&device));
    unknown(&story, &device, &approve);
    let invite = story.invite(3, PersonId([3; 16]), Role::Contributor);
    let member = story.join(&invite, 4);
    refused(&story, &member, &approve, Rule::OwnersOnly);
    for other in [&member, &owner, &Key::new(99)] {
        let approve = Body::Approve(story.approve_body(other));
        refused(&story, &owner, &approve, Rule::NotWaiting);
    }
    for length in [0, limits::NAME_SEAL_BYTES + 1] {
        let mut nameless = story.approve_body(&device);
        nameless.name = Bytes(vec![1; length]);
        refused(&story, &owner, &Body::Approve(nameless), Rule::NameLength);
    }
    story.remove(&[&device], none());
    let approve = Body::Approve(story.approve_body(&device));
    refused(&story, &owner, &approve, Rule::NotWaiting);
}

#[test]
fn a_device_that_waits_has_no_name_and_counts() {
    let mut story = Story::new();
    let invite = story.invite_to_wait(1, PersonId([2; 16]), Role::Contributor);
    let mut named = story.waiting_body(&invite, &Key::new(2));
    named.device.name = Bytes(vec![1]);
    refused(&story, &invite, &Body::Join(named), Rule::NameLength);
    let mut keyed = story.waiting_body(&invite, &Key::new(2));
    keyed.key = Some(BlobHash([1; 32]));
    refused(&story, &invite, &Body::Join(keyed), Rule::SealedKey);
    story.join_to_wait(&invite, 2);
    for number in 0..u8::try_from(limits::DEVICES_PER_PERSON).unwrap() - 1 {
        let invite = story.invite(100 + number, PersonId([2; 16]), Role::Reader);
        story.join(&invite, 10 + number);
    }
    let invite = story.invite(120, PersonId([2; 16]), Role::Reader);
    let join = story.join_body(&invite, &Key::new(50));
    refused(&story, &invite, &join, Rule::DevicesPerPerson);
}

#[test]
fn only_owners_open_invites_that_wait() {
    let (story, device) = two();
    let Body::Invite(mut invite) = story.invite_body(9, PersonId([2; 16]), Role::Reader, None)
    else {
        panic!()
    };
    invite.key = None;
    refused(&story, &device, &Body::Invite(invite), Rule::OwnDevicesOnly);
}

#[test]
fn a_role_is_that_of_all_devices_of_a_person_from_there_on() {
    let (mut story, first) = two();
    let invite = story.invite(3, PersonId([2; 16]), Role::Contributor);
    let second = story.join(&invite, 4);
    let owner = story.owner.clone();
    let before = story.log.length() - 1;
    for role in [Role::Owner, Role::Reader, Role::Contributor] {
        let body = story.role_body(2, role, none());
        story.append(&owner, &body);
        for device in [&first, &second] {
            assert_eq!(story.log.role(&device.key_id()), Some(role));
        }
    }
    let entry = &story.log.devices()[&first.key_id()];
    let history = (before..before + 4).map(|index| entry.role_at(index).unwrap());
    let expected = [
        Role::Contributor,
        Role::Owner,
        Role::Reader,
        Role::Contributor,
    ];
    assert_eq!(history.collect::<Vec<_>>(), expected);
    assert_eq!(entry.losses().len(), 1, "only the lower role took a right");
    assert_eq!(entry.losses()[0].since, before + 2);
    assert_eq!(story.log.role(&owner.key_id()), Some(Role::Owner));
}

#[test]
fn wrong_changes_of_roles_are_refused_each_for_its_reason() {
    let (story, device) = two();
    let owner = story.owner.clone();
    let own = story.role_body(2, Role::Owner, none());
    refused(&story, &device, &own, Rule::OwnersOnly);
    let nobody = story.role_body(9, Role::Reader, none());
    refused(&story, &owner, &nobody, Rule::NotMember);
    for role in [Role::Owner, Role::Contributor] {
        let body = story.role_body(2, role, frontier());
        refused(&story, &owner, &body, Rule::Excess);
    }
    for role in [Role::Contributor, Role::Reader] {
        refused(
            &story,
            &owner,
            &story.role_body(1, role, none()),
            Rule::LastOwner,
        );
    }
}

#[test]
fn a_reader_loses_nothing_by_becoming_a_reader() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    story.append(&owner, &story.role_body(2, Role::Reader, frontier()));
    refused(
        &story,
        &owner,
        &story.role_body(2, Role::Reader, frontier()),
        Rule::Excess,
    );
    story.append(&owner, &story.role_body(2, Role::Reader, none()));
    assert_eq!(story.log.devices()[&device.key_id()].losses().len(), 1);
}

#[test]
fn who_waits_or_was_removed_has_no_role_to_change() {
    let (mut story, device) = waiting(Role::Contributor);
    let owner = story.owner.clone();
    let body = story.role_body(2, Role::Owner, none());
    refused(&story, &owner, &body, Rule::NotMember);
    story.remove(&[&device], none());
    refused(&story, &owner, &body, Rule::NotMember);
}

#[test]
fn an_owner_may_step_down_if_another_is_left() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    story.append(&owner, &story.role_body(2, Role::Owner, none()));
    story.append(&owner, &story.role_body(1, Role::Contributor, none()));
    assert_eq!(story.log.role(&owner.key_id()), Some(Role::Contributor));
    refused(
        &story,
        &device,
        &story.role_body(2, Role::Reader, none()),
        Rule::LastOwner,
    );
    refused(
        &story,
        &owner,
        &story.role_body(1, Role::Owner, none()),
        Rule::OwnersOnly,
    );
}

#[test]
fn a_removal_ends_a_membership_and_an_epoch() {
    let (mut story, device) = two();
    let id = device.key_id();
    let before = story.log.length() - 1;
    story.remove(&[&device], frontier());
    let index = before + 1;
    let entry = &story.log.devices()[&id];
    assert_eq!(
        (entry.role(), entry.role_at(before)),
        (None, Some(Role::Contributor))
    );
    assert_eq!(
        (entry.removed_at(), entry.is_waiting()),
        (Some(index), false)
    );
    assert_eq!(entry.losses()[0].frontier, frontier());
    assert_eq!(story.log.signing_key(&id), None);
    let (old, new) = (story.log.epoch_at(before).unwrap(), story.log.epoch());
    assert_eq!((old.number, new.number, new.since), (0, 1, index));
    assert_eq!(story.log.epoch_of(1), Some(new));
    assert_eq!(story.log.wrapped_key(1), Some([1; 72].as_slice()));
    assert_eq!(story.log.wrapped_key(0), None);
    assert!(
        !entry.sealed().contains_key(&1),
        "the new key is not for it"
    );
    let owner = &story.log.devices()[&story.owner.key_id()];
    assert_eq!(owner.sealed().keys().collect::<Vec<_>>(), [&0, &1]);
    unknown(&story, &device, &Body::Relays(Relays { urls: Vec::new() }));
    let gone = story.removal(&[&device], none());
    refused(&story, &story.owner, &Body::Remove(gone), Rule::NotMember);
}

#[test]
fn wrong_removals_are_refused_each_for_its_reason() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    story.append(&owner, &story.role_body(2, Role::Owner, none()));
    let invite = story.invite(3, PersonId([3; 16]), Role::Reader);
    let reader = story.join(&invite, 4);
    let refuse = |author: &Key, devices: &[&Key], rule| {
        let body = Body::Remove(story.removal(devices, none()));
        refused(&story, author, &body, rule);
    };
    refuse(&reader, &[&device], Rule::OwnersOnly);
    refuse(&owner, &[&owner], Rule::OwnRemoval);
    refuse(&owner, &[&owner, &device], Rule::OwnRemoval);
    refuse(&owner, &[&Key::new(99)], Rule::NotMember);
    refuse(&owner, &[&reader, &Key::new(99)], Rule::NotMember);
    let change = |change: fn(&mut Remove), rule| {
        let mut removal = story.removal(&[&reader, &device], none());
        change(&mut removal);
        refused(&story, &owner, &Body::Remove(removal), rule);
    };
    change(|removal| removal.devices.reverse(), Rule::Excess);
    change(
        |removal| removal.devices.push(removal.devices[1]),
        Rule::Excess,
    );
    let rekey = Remove {
        frontier: frontier(),
        ..story.removal(&[], none())
    };
    refused(&story, &owner, &Body::Remove(rekey), Rule::Excess);
}

#[test]
fn an_owner_is_left_by_every_removal() {
    // Whoever signs is an owner and stays, so this can only break together with another rule.
    let (story, _) = two();
    let alone = Body::Remove(story.removal(&[&story.owner], none()));
    refused(&story, &story.owner, &alone, Rule::OwnRemoval);
}

#[test]
fn a_new_key_goes_to_exactly_those_who_stay() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    let invite = story.invite(3, PersonId([3; 16]), Role::Reader);
    let waits = story.invite_to_wait(4, PersonId([4; 16]), Role::Reader);
    let pending = story.invite_to_wait(5, PersonId([5; 16]), Role::Reader);
    let pending = story.join_to_wait(&pending, 6);
    let good = story.removal(&[], none());
    assert_eq!((good.device_keys.len(), good.invite_keys.len()), (2, 1));
    let refuse = |change: &dyn Fn(&mut Remove)| {
        let mut removal = good.clone();
        change(&mut removal);
        refused(&story, &owner, &Body::Remove(removal), Rule::NewKey);
    };
    let more = |id: KeyId| (id, BlobHash([9; 32]));
    refuse(&|removal| {
        removal.device_keys.remove(&device.key_id());
    });
    refuse(&|removal| {
        removal.device_keys.remove(&owner.key_id());
    });
    refuse(&|removal| removal.device_keys.extend([more(KeyId([9; 32]))]));
    refuse(&|removal| removal.device_keys.extend([more(pending.key_id())]));
    refuse(&|removal| removal.device_keys.extend([more(invite.key_id())]));
    refuse(&|removal| {
        removal.invite_keys.remove(&invite.key_id());
    });
    refuse(&|removal| removal.invite_keys.extend([more(waits.key_id())]));
    refuse(&|removal| removal.invite_keys.extend([more(device.key_id())]));
    refuse(&|removal| removal.epoch = Commitment([0; 32]));
    refuse(&|removal| removal.previous.0.truncate(71));
    refuse(&|removal| removal.previous.0.push(0));
    // To one that goes.
    let mut removal = story.removal(&[&device], none());
    removal.device_keys.extend([more(device.key_id())]);
    refused(&story, &owner, &Body::Remove(removal), Rule::NewKey);
    story.append(&owner, &Body::Remove(good));
    let entry = &story.log.invites()[&invite.key_id()];
    assert_eq!(
        entry.key,
        Some(BlobHash([1; 32])),
        "the invite has the new key"
    );
    // Whoever joins with it is given the key of this epoch.
    let joined = story.join(&invite, 7);
    let sealed = story.log.devices()[&joined.key_id()].sealed();
    assert_eq!(sealed.keys().collect::<Vec<_>>(), [&1]);
}

#[test]
fn removal_withdraws_the_invites_by_and_for_those_who_go() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    story.append(&owner, &story.role_body(2, Role::Owner, none()));
    let theirs = story.invite_body(10, PersonId([3; 16]), Role::Reader, Some(vec![1]));
    story.append(&device, &theirs);
    let for_them = story.invite(11, PersonId([2; 16]), Role::Reader);
    let other = story.invite(12, PersonId([1; 16]), Role::Reader);
    story.remove(&[&device], none());
    let state = |key: &Key| story.log.invites()[&key.key_id()].state;
    assert_eq!(state(&Key::new(10)), InviteState::Withdrawn);
    assert_eq!(state(&for_them), InviteState::Withdrawn);
    assert_eq!(state(&other), InviteState::Open);
    unknown(
        &story,
        &for_them,
        &story.join_body(&for_them, &Key::new(50)),
    );
}

#[test]
fn a_lower_role_withdraws_invites_and_a_higher_one_does_not() {
    let (mut story, _) = two();
    let owner = story.owner.clone();
    let invite = story.invite(11, PersonId([2; 16]), Role::Contributor);
    for (role, state) in [
        (Role::Owner, InviteState::Open),
        (Role::Owner, InviteState::Open),
        (Role::Contributor, InviteState::Withdrawn),
    ] {
        story.append(&owner, &story.role_body(2, role, none()));
        assert_eq!(story.log.invites()[&invite.key_id()].state, state, "{role}");
    }
}

#[test]
fn devices_removed_together_are_removed_together() {
    let (mut story, device) = two();
    let invite = story.invite(3, PersonId([3; 16]), Role::Reader);
    let reader = story.join(&invite, 4);
    story.remove(&[&device, &reader], none());
    let index = story.log.length() - 1;
    for gone in [&device, &reader] {
        let entry = &story.log.devices()[&gone.key_id()];
        assert_eq!(entry.removed_at(), Some(index));
    }
    // Their keys are not taken up again, and their place is free.
    let again = story.invite_body(4, PersonId([1; 16]), Role::Reader, None);
    refused(&story, &story.owner, &again, Rule::KnownKeys);
}

#[test]
fn nothing_follows_an_erasure_and_only_owners_erase() {
    let (mut story, device) = two();
    let owner = story.owner.clone();
    let erase = Body::Erase(Erase {});
    refused(&story, &device, &erase, Rule::OwnersOnly);
    assert!(!story.log.is_erased());
    story.append(&owner, &erase);
    assert!(story.log.is_erased());
    let removal = Body::Remove(story.removal(&[&device], none()));
    for body in [erase, removal, Body::Relays(Relays { urls: Vec::new() })] {
        refused(&story, &owner, &body, Rule::Erased);
    }
}
