//! Tests across this crate: what opens, what does not, and what never shows.

mod keyring;
mod recovery;

use proptest::prelude::*;
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, Header, Kind, VerifiedEnvelope};
use protocol::id::{ChainSalt, Seq};
use protocol::sign::{Signer, Verifier};
use protocol::vector::Vector;

use crate::testing::{FixedRandom, Story, seal_to};
use crate::{
    Content, EpochKey, InviteLink, InviteSecret, KeyError, KeyPair, NameError, OpenError, Seed,
    VectorPart, open, open_name, seal, seal_name,
};

fn header(story: &Story) -> Header {
    Header {
        kind: Kind::Batch,
        journal: story.log.journal(),
        device: story.owner.key_id(),
        salt: ChainSalt([5; 16]),
        seq: Seq(1),
        prev: None,
        head: story.log.head(),
        epoch: 0,
        nonce: [9; 24],
    }
}

fn content(batch: Vec<u8>) -> Content {
    Content {
        seen: VectorPart {
            whole: true,
            chains: Vector::default(),
        },
        batch: Bytes(batch),
    }
}

#[test]
fn a_sealed_key_opens_for_its_recipient_only() {
    let story = Story::tell();
    let stranger = KeyPair::of_device(&Seed::from_bytes([8; 32]));
    let epoch = story.log.epoch();
    let opened = EpochKey::open(&story.owner_blob, epoch, &story.owner).unwrap();
    assert_eq!(opened.bytes(), story.key.bytes());
    let refused = EpochKey::open(&story.owner_blob, epoch, &stranger).unwrap_err();
    assert_eq!(refused, KeyError::NotForMe { epoch: 0 });
    let mut altered = story.owner_blob.clone();
    altered[1130] ^= 1;
    assert!(EpochKey::open(&altered, epoch, &story.owner).is_err());
    assert!(EpochKey::open(&[], epoch, &story.owner).is_err());
}

#[test]
fn a_key_that_the_log_does_not_commit_to_is_refused() {
    // The info binds the commitment, so that a wrong key cannot even be opened under the right one.
    let story = Story::tell();
    let wrong = EpochKey::random(0, &mut FixedRandom::new("wrong"));
    let blob = seal_to(&wrong, &story.owner, &mut FixedRandom::new("blob"));
    assert!(EpochKey::open(&blob, story.log.epoch(), &story.owner).is_err());
}

#[test]
fn a_content_opens_to_what_was_sealed() {
    let story = Story::tell();
    let content = content(b"level 6".repeat(100));
    let sealed = seal(header(&story), &content, &story.key, &story.owner).unwrap();
    let envelope = Envelope::parse(sealed.bytes().to_vec()).unwrap();
    let verified = envelope
        .verify(&Verifier::of(&story.owner.signing_key()))
        .unwrap();
    assert_eq!(open(&verified, &story.key).unwrap(), content);
    let other = EpochKey::random(0, &mut FixedRandom::new("other"));
    assert!(matches!(open(&verified, &other), Err(OpenError::Decrypt)));
}

#[test]
fn a_content_that_inflates_beyond_the_limit_is_refused() {
    let story = Story::tell();
    // 9 MiB of zeros deflate to a few kilobytes: a bomb that a member could make with other software.
    let plain = vec![0; 9 * 1024 * 1024];
    let error = seal(
        header(&story),
        &content(plain.clone()),
        &story.key,
        &story.owner,
    )
    .unwrap_err();
    assert_eq!(error, crate::SealError::TooLarge);
    let bomb =
        crate::content::seal_unchecked(header(&story), &plain, &story.key, &story.owner).unwrap();
    assert!(bomb.bytes().len() < 20_000);
    let opened = open(&VerifiedEnvelope::trusted(bomb), &story.key);
    assert!(matches!(opened, Err(OpenError::TooLarge)));
}

#[test]
fn names_open_for_their_subject_only() {
    let story = Story::tell();
    let random = &mut FixedRandom::new("names");
    let sealed = seal_name("Ana", &[1; 16], &story.key, random).unwrap();
    assert_eq!(open_name(&sealed, &[1; 16], &story.key).unwrap(), "Ana");
    assert_eq!(
        open_name(&sealed, &[2; 16], &story.key),
        Err(NameError::Opening)
    );
    let longer = seal_name("Anastasia-Maria", &[1; 16], &story.key, random).unwrap();
    assert_eq!(sealed.len(), longer.len(), "short names have one length");
    assert_eq!(
        seal_name("", &[1; 16], &story.key, random),
        Err(NameError::Length)
    );
    assert_eq!(
        seal_name(&"a".repeat(201), &[1; 16], &story.key, random),
        Err(NameError::Length)
    );
}

#[test]
fn links_come_back_and_nothing_else_does() {
    let story = Story::tell();
    let link = InviteLink {
        relay: "http://127.0.0.1:8787".to_owned(),
        journal: story.log.journal(),
        secret: InviteSecret::random(&mut FixedRandom::new("link")),
        device_name: Some("Ana's phone".to_owned()),
    };
    let text = link.reveal();
    let read: InviteLink = text.parse().unwrap();
    assert_eq!(read.reveal(), text);
    assert_eq!(read.device_name.as_deref(), Some("Ana's phone"));
    for wrong in [
        "",
        "http://x/join/a#b",
        &text[..text.len() - 40],
        &text.replace("/join/", "/"),
    ] {
        assert!(wrong.parse::<InviteLink>().is_err(), "{wrong}");
    }
}

#[test]
fn secrets_do_not_show() {
    let story = Story::tell();
    let link = InviteLink {
        relay: "https://relay.example".to_owned(),
        journal: story.log.journal(),
        secret: InviteSecret::random(&mut FixedRandom::new("link")),
        device_name: None,
    };
    let seed = Seed::from_bytes([0xAB; 32]);
    let shown = format!(
        "{link:?} {seed:?} {:?} {:?}",
        story.key,
        KeyPair::of_device(&seed)
    );
    let secret = link
        .reveal()
        .split_once('#')
        .map(|(_, secret)| secret.to_owned())
        .unwrap();
    assert!(
        !shown.contains(&secret) && !shown.to_lowercase().contains("abab"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn altered_envelopes_never_open(position in 0usize..400, bit in 0u8..8) {
        let story = Story::tell();
        let sealed = seal(header(&story), &content(vec![6; 50]), &story.key, &story.owner).unwrap();
        let mut bytes = sealed.bytes().to_vec();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        if let Ok(envelope) = Envelope::parse(bytes) {
            prop_assert!(envelope.verify(&Verifier::of(&story.owner.signing_key())).is_err());
        }
    }

    #[test]
    fn any_batch_comes_back(batch in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let story = Story::tell();
        let content = content(batch);
        let sealed = seal(header(&story), &content, &story.key, &story.owner).unwrap();
        prop_assert_eq!(open(&VerifiedEnvelope::trusted(sealed), &story.key).unwrap(), content);
    }
}
