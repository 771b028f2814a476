//! The rules of the member log, the judgement of envelopes, canonical encoding, and bytes that are not what they should be.

mod frontier;
mod membership;
mod snapshots;
mod story;

use proptest::prelude::*;

use crate::cbor::{self, Bytes, CborError};
use crate::envelope::{Envelope, EnvelopeError};
use crate::id::{BlobHash, ChainSalt, EnvelopeHash, KeyId, PersonId, Seq};
use crate::judge::{ChainTip, Hold, Refusal, Verdict, judge};
use crate::limits;
use crate::log::{InviteState, LogError, MemberLog, Rule, is_origin};
use crate::record::{Body, RecordError, Relays, SignedRecord, VerifyError, WithdrawInvite};
use crate::request::{Authorization, Request, RequestError};
use crate::role::Role;
use crate::sign::{Signer, Verifier};
use story::{Key, Story};

/// Asserts that the log refuses a record for this rule, and that it is as it was.
fn refused(story: &Story, author: &Key, body: &Body, rule: Rule) {
    let mut log = story.log.clone();
    let record = story.sign(author, body);
    match log.append(record) {
        Err(LogError::Rule(broken)) => assert_eq!(broken, rule),
        other => panic!("{rule:?}: {other:?}"),
    }
    assert_eq!(log, story.log, "a refused record changes nothing");
}

#[test]
fn a_journal_is_named_by_its_genesis() {
    let story = Story::new();
    assert_eq!(story.log.journal().0, story.log.hash_at(0).unwrap().0);
    assert_eq!(story.log.length(), 1);
    assert_eq!(story.log.role(&story.owner.key_id()), Some(Role::Owner));
}

#[test]
fn an_invite_lets_one_device_in_once() {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([1; 16]), Role::Owner);
    let phone = story.join(&invite, 2);
    assert_eq!(story.log.role(&phone.key_id()), Some(Role::Owner));
    let state = story.log.invites()[&invite.key_id()].state;
    assert_eq!(state, InviteState::Used(phone.key_id()));
    let second = story.join_body(&invite, &Key::new(3));
    let record = story.sign(&invite, &second);
    let error = story.log.clone().append(record).unwrap_err();
    assert!(
        matches!(error, LogError::UnknownAuthor(_)),
        "a used invite signs nothing: {error}"
    );
}

#[test]
fn a_withdrawn_invite_lets_nobody_in() {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([1; 16]), Role::Owner);
    let withdraw = Body::WithdrawInvite(WithdrawInvite {
        invite: invite.key_id(),
    });
    story.append(&story.owner.clone(), &withdraw);
    let join = story.join_body(&invite, &Key::new(2));
    let record = story.sign(&invite, &join);
    assert!(story.log.clone().append(record).is_err());
    refused(&story, &story.owner, &withdraw, Rule::InviteNotOpen);
}

#[test]
fn members_invite_only_devices_of_their_own_with_no_more_rights() {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
    let sam = story.join(&invite, 2);
    let own = story.invite_body(3, PersonId([2; 16]), Role::Reader, None);
    story.append(&sam, &own);
    let more = story.invite_body(4, PersonId([2; 16]), Role::Owner, None);
    refused(&story, &sam, &more, Rule::OwnDevicesOnly);
    let other = story.invite_body(4, PersonId([1; 16]), Role::Reader, None);
    refused(&story, &sam, &other, Rule::OwnDevicesOnly);
    let relays = Body::Relays(Relays { urls: Vec::new() });
    refused(&story, &sam, &relays, Rule::OwnersOnly);
}

#[test]
fn names_are_given_exactly_for_new_people() {
    let story = Story::new();
    let unnamed = story.invite_body(1, PersonId([2; 16]), Role::Reader, None);
    refused(&story, &story.owner, &unnamed, Rule::PersonName);
    let renamed = story.invite_body(1, PersonId([1; 16]), Role::Owner, Some(vec![1]));
    refused(&story, &story.owner, &renamed, Rule::PersonName);
    let long = vec![0; limits::NAME_SEAL_BYTES + 1];
    let long = story.invite_body(1, PersonId([2; 16]), Role::Reader, Some(long));
    refused(&story, &story.owner, &long, Rule::NameLength);
}

#[test]
fn a_join_is_signed_by_invite_and_device() {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([1; 16]), Role::Owner);
    let Body::Join(mut join) = story.join_body(&invite, &Key::new(2)) else {
        panic!()
    };
    join.proof.0[0] ^= 1;
    refused(&story, &invite, &Body::Join(join.clone()), Rule::JoinProof);
    let Body::Join(other) = story.join_body(&story.owner, &Key::new(2)) else {
        panic!()
    };
    join.proof = other.proof;
    refused(&story, &invite, &Body::Join(join.clone()), Rule::JoinProof);
    let Body::Join(mut keyless) = story.join_body(&invite, &Key::new(2)) else {
        panic!()
    };
    keyless.key = None;
    refused(&story, &invite, &Body::Join(keyless), Rule::SealedKey);
}

#[test]
fn people_and_journals_have_only_so_many_devices() {
    let mut story = Story::new();
    for number in 0..limits::DEVICES_PER_PERSON - 1 {
        let number = u8::try_from(number).unwrap();
        let invite = story.invite(100 + number, PersonId([1; 16]), Role::Owner);
        story.join(&invite, 10 + number);
    }
    let invite = story.invite(120, PersonId([1; 16]), Role::Owner);
    let join = story.join_body(&invite, &Key::new(50));
    refused(&story, &invite, &join, Rule::DevicesPerPerson);
}

#[test]
fn only_so_many_invites_are_open() {
    let mut story = Story::new();
    for number in 0..limits::OPEN_INVITES {
        story.invite(
            100 + u8::try_from(number).unwrap(),
            PersonId([1; 16]),
            Role::Owner,
        );
    }
    let more = story.invite_body(99, PersonId([1; 16]), Role::Owner, None);
    refused(&story, &story.owner, &more, Rule::OpenInvites);
    let again = story.invite_body(100, PersonId([1; 16]), Role::Owner, None);
    refused(&story, &story.owner, &again, Rule::KnownKeys);
}

#[test]
fn relays_are_few_different_origins() {
    let story = Story::new();
    let owner = story.owner.clone();
    let list = |urls: &[&str]| {
        Body::Relays(Relays {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        })
    };
    let numbered: Vec<String> = (0..=limits::RELAYS)
        .map(|number| format!("https://r{number}"))
        .collect();
    let numbered: Vec<&str> = numbered.iter().map(String::as_str).collect();
    refused(&story, &owner, &list(&numbered), Rule::Relays);
    refused(
        &story,
        &owner,
        &list(&["https://a", "https://a"]),
        Rule::Relays,
    );
    for wrong in [
        "ftp://a",
        "https://",
        "https://A",
        "https://a/",
        "https://a/b",
        "https://a?b",
        "a",
        "",
    ] {
        assert!(!is_origin(wrong), "{wrong}");
        refused(&story, &owner, &list(&[wrong]), Rule::Relays);
    }
    for right in [
        "http://127.0.0.1:8787",
        "https://relay.example",
        "http://[::1]:80",
    ] {
        assert!(is_origin(right), "{right}");
    }
}

#[test]
fn records_follow_each_other() {
    let mut story = Story::new();
    let relays = Body::Relays(Relays { urls: Vec::new() });
    let record = story.sign(&story.owner, &relays);
    story.log.append(record.clone()).unwrap();
    assert!(
        matches!(story.log.append(record), Err(LogError::Place)),
        "not twice"
    );
    let other = Story::with_seed(9);
    let foreign = other.sign(&story.owner, &relays);
    assert!(
        matches!(story.log.append(foreign), Err(LogError::Place)),
        "not from another journal"
    );
}

#[test]
fn records_of_newer_kinds_are_named_not_misread() {
    let story = Story::new();
    let record = story.sign_raw(&story.owner, 9, vec![0xA0]);
    let read = SignedRecord::parse(record.bytes()).unwrap();
    let error = story.log.clone().append(read).unwrap_err();
    let newer = LogError::Verify(VerifyError::Record(RecordError::Newer { kind: 9 }));
    assert_eq!(error.to_string(), newer.to_string());
}

#[test]
fn one_value_has_one_encoding() {
    let relays = Relays {
        urls: vec!["https://a".to_owned()],
    };
    let bytes = cbor::encode(&relays);
    assert_eq!(cbor::decode::<Relays>(&bytes).unwrap(), relays);
    let unknown_key = [&[0xA2][..], &bytes[1..], &[0x01, 0x00]].concat();
    let duplicate_key = [&[0xA2][..], &bytes[1..], &bytes[1..]].concat();
    let long_integer = [&[0xA1, 0x18, 0x00][..], &bytes[2..]].concat();
    let trailing = [&bytes[..], &[0]].concat();
    for wrong in [unknown_key, duplicate_key, long_integer, trailing] {
        let error = cbor::decode::<Relays>(&wrong).unwrap_err();
        assert!(
            matches!(error, CborError::NotCanonical),
            "{wrong:02x?}: {error}"
        );
    }
    assert!(matches!(
        cbor::decode::<Relays>(&[0xFF]),
        Err(CborError::Malformed(_))
    ));
}

#[test]
fn an_envelope_next_in_its_chain_is_accepted() {
    let story = Story::new();
    let first = story.envelope(&story.owner, 1, None);
    let Verdict::Accept { head, role, .. } = judge(first.clone(), &story.log, None) else {
        panic!()
    };
    assert_eq!((head, role), (0, Role::Owner));
    let tip = ChainTip {
        seq: Seq(1),
        hash: first.hash(),
        head: 0,
    };
    let second = story.envelope(&story.owner, 2, Some(first.hash()));
    assert!(matches!(
        judge(second, &story.log, Some(tip)),
        Verdict::Accept { .. }
    ));
    assert!(matches!(
        judge(first, &story.log, Some(tip)),
        Verdict::Known(_)
    ));
}

#[test]
fn an_envelope_that_leaves_a_gap_is_held() {
    let story = Story::new();
    let third = story.envelope(&story.owner, 3, Some(EnvelopeHash([1; 32])));
    assert!(matches!(
        judge(third, &story.log, None),
        Verdict::Hold(Hold::Gap)
    ));
}

#[test]
fn an_envelope_of_a_newer_log_is_held() {
    let mut story = Story::new();
    let before = story.log.clone();
    story.append(
        &story.owner.clone(),
        &Body::Relays(Relays { urls: Vec::new() }),
    );
    let envelope = story.envelope(&story.owner, 1, None);
    assert!(matches!(
        judge(envelope, &before, None),
        Verdict::Hold(Hold::UnknownHead)
    ));
}

#[test]
fn wrong_envelopes_are_refused_each_for_its_reason() {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([2; 16]), Role::Reader);
    let reader = story.join(&invite, 2);
    let old_head = story.log.hash_at(0).unwrap();
    let refusal = |envelope: Envelope, log: &MemberLog, tip| match judge(envelope, log, tip) {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let log = &story.log;
    let mine = story.envelope(&story.owner, 1, None);
    let mut altered = mine.bytes().to_vec();
    altered[190] ^= 1;
    let altered = Envelope::parse(altered).unwrap();
    assert_eq!(refusal(altered, log, None), Refusal::Signature);
    assert_eq!(
        refusal(story.envelope(&reader, 1, None), log, None),
        Refusal::NotPermitted
    );
    assert_eq!(
        refusal(story.envelope(&Key::new(77), 1, None), log, None),
        Refusal::NotMember
    );
    assert_eq!(
        refusal(mine.clone(), &Story::with_seed(9).log, None),
        Refusal::Journal
    );
    let before_joining = story.envelope_with(&reader, |header| header.head = old_head);
    assert_eq!(refusal(before_joining, log, None), Refusal::NotMember);
    let epoch = story.envelope_with(&story.owner, |header| header.epoch = 1);
    assert_eq!(refusal(epoch, log, None), Refusal::Epoch);
    let tip = ChainTip {
        seq: Seq(1),
        hash: mine.hash(),
        head: 2,
    };
    let elsewhere = story.envelope(&story.owner, 2, Some(EnvelopeHash([3; 32])));
    assert_eq!(refusal(elsewhere, log, Some(tip)), Refusal::Chain);
    let older = story.envelope_with(&story.owner, |header| {
        (header.seq, header.prev, header.head) = (Seq(2), Some(mine.hash()), old_head);
    });
    assert_eq!(refusal(older, log, Some(tip)), Refusal::OlderHead);
}

#[test]
fn no_device_can_write_in_the_chain_of_another() {
    let salt = ChainSalt([1; 16]);
    let (one, other) = (KeyId([1; 32]), KeyId([2; 32]));
    assert_ne!(
        crate::id::ChainId::of(&one, &salt),
        crate::id::ChainId::of(&other, &salt)
    );
}

#[test]
fn frames_that_are_no_envelopes_are_named() {
    let story = Story::new();
    let bytes = story.envelope(&story.owner, 1, None).bytes().to_vec();
    let parse = |change: fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Envelope::parse(bytes).unwrap_err()
    };
    assert_eq!(
        parse(|b| b.truncate(100)),
        EnvelopeError::Length { length: 100 }
    );
    assert_eq!(
        parse(|b| b[0] = 2),
        EnvelopeError::Newer {
            version: 2,
            suite: 1
        }
    );
    assert_eq!(parse(|b| b[2] = 9), EnvelopeError::Kind { kind: 9 });
    assert_eq!(parse(|b| b[90] = 0), EnvelopeError::FirstOfChain, "seq 0");
    assert_eq!(
        parse(|b| b[90] = 2),
        EnvelopeError::FirstOfChain,
        "seq 2 without predecessor"
    );
    let long = limits::ENVELOPE_BYTES + 1;
    assert_eq!(
        Envelope::parse(vec![1; long]).unwrap_err(),
        EnvelopeError::Length { length: long }
    );
}

#[test]
fn a_request_holds_for_one_relay_one_path_one_body_and_a_while() {
    let story = Story::new();
    let key = Verifier::of(&story.owner.signing_key());
    let request = Request {
        method: "POST",
        path: "/v1/journals",
        body: b"body",
    };
    let proof = Authorization::create(&story.owner, "https://a", request, 1_000_000, [7; 16]);
    let read = Authorization::parse(&proof.to_string()).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.verify(&key, request, 1_000_300), Ok(()));
    assert_eq!(
        read.verify(&key, request, 1_000_301),
        Err(RequestError::Clock)
    );
    assert_eq!(
        read.verify(&key, request, 999_699),
        Err(RequestError::Clock)
    );
    let elsewhere = Authorization {
        origin: "https://b".to_owned(),
        ..read.clone()
    };
    for (proof, request) in [
        (&elsewhere, request),
        (
            &read,
            Request {
                method: "GET",
                ..request
            },
        ),
        (
            &read,
            Request {
                path: "/v1/journals?x",
                ..request
            },
        ),
        (
            &read,
            Request {
                body: b"bodz",
                ..request
            },
        ),
    ] {
        assert!(matches!(
            proof.verify(&key, request, 1_000_000),
            Err(RequestError::Signature(_))
        ));
    }
    for wrong in [
        "",
        "Ebb",
        "Ebb key=00",
        "Basic abc",
        &format!("{proof},more=1"),
    ] {
        assert_eq!(
            Authorization::parse(wrong),
            Err(RequestError::Malformed),
            "{wrong}"
        );
    }
}

#[test]
fn the_specification_lists_every_limit() {
    let specification = include_str!("../README.md");
    let constants = include_str!("limits.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    let mut count = 0;
    for constant in constants {
        let (name, rest) = constant.split_once(": ").unwrap();
        let value = rest.split_once("= ").unwrap().1.trim_end_matches(';');
        let value = value.replace('_', "").replace(" * ", " × ");
        let row = format!("| `{name}` | {value} |");
        assert!(specification.contains(&row), "README.md lacks: {row}");
        count += 1;
    }
    assert!(count > 10);
}

#[test]
fn the_specification_lists_every_domain() {
    let specification = include_str!("../README.md");
    for prefix in include_str!("domain.rs")
        .split('"')
        .filter(|text| text.starts_with("ebb/v1/"))
    {
        assert!(
            specification.contains(&format!("| `{prefix}` |")),
            "README.md lacks {prefix}"
        );
    }
}

proptest! {
    #[test]
    fn mutated_records_never_pass(position in 0usize..4000, bit in 0u8..8) {
        let mut story = Story::new();
        let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
        let before = story.log.clone();
        let body = story.join_body(&invite, &Key::new(2));
        let mut bytes = story.sign(&invite, &body).bytes().to_vec();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        if let Ok(record) = SignedRecord::parse(&bytes) {
            prop_assert!(story.log.append(record).is_err());
        }
        prop_assert_eq!(story.log, before);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        // Only that these return matters: foreign bytes must never panic.
        let record = SignedRecord::parse(&bytes).is_ok();
        let envelope = Envelope::parse(bytes.clone()).is_ok();
        let answer = cbor::decode::<crate::api::SyncAnswer>(&bytes).is_ok();
        let header = Authorization::parse(&String::from_utf8_lossy(&bytes)).is_ok();
        prop_assert!(!record && !header);
        prop_assert!(!(envelope && answer));
        prop_assert_eq!(BlobHash::of(&bytes), BlobHash::of(&Bytes(bytes).0));
    }
}
