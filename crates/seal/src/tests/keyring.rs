//! The keys that a device can reach, and those it cannot.

use protocol::id::{BlobHash, Commitment};
use protocol::log::Epoch;
use protocol::sign::Signer;
use protocol::vector::Vector;

use crate::testing::{FixedRandom, Sequel, Story, seal_to};
use crate::{EpochKey, KeyError, KeyPair, Keyring, NameError, Seed, seal_name, wrap_key};

/// Returns which of the sequel's keys a ring has, having compared them.
fn reached(ring: &Keyring, sequel: &Sequel) -> Vec<u32> {
    let has = |key: &&EpochKey| {
        let found = ring.get(key.number());
        found.is_some_and(|found| {
            assert_eq!(found.bytes(), key.bytes());
            true
        })
    };
    let found = sequel.keys.iter().filter(has);
    found.map(EpochKey::number).collect()
}

/// Opens a ring with the blobs of these epochs only.
fn open(sequel: &Sequel, device: &KeyPair, epochs: &[u32]) -> Keyring {
    let sealed = sequel.log.devices()[&device.key_id()].sealed();
    let given: Vec<&BlobHash> = epochs
        .iter()
        .filter_map(|epoch| sealed.get(epoch))
        .collect();
    Keyring::open(&sequel.log, device, |hash| {
        let blob = given.contains(&hash).then(|| sequel.blobs.get(hash));
        blob.flatten().cloned()
    })
}

#[test]
fn the_newest_key_leads_back_over_every_epoch() {
    let sequel = Sequel::tell();
    for (given, expected) in [
        (&[2][..], &[0, 1, 2][..]),
        (&[0, 1, 2], &[0, 1, 2]),
        (&[1], &[0, 1]),
        (&[0], &[0]),
        (&[0, 1], &[0, 1]),
        (&[], &[]),
    ] {
        let ring = open(&sequel, &sequel.owner, given);
        assert_eq!(reached(&ring, &sequel), expected, "{given:?}");
        assert!(ring.get(3).is_none());
    }
}

#[test]
fn a_removed_device_reaches_no_later_key() {
    let sequel = Sequel::tell();
    let ring = open(&sequel, &sequel.third, &[0, 1, 2]);
    assert_eq!(reached(&ring, &sequel), [0]);
    // Not by any blob there is, were it given all of them.
    for blob in sequel.blobs.values() {
        for number in [1, 2] {
            let epoch = sequel.log.epoch_of(number).unwrap();
            assert!(EpochKey::open(blob, epoch, &sequel.third).is_err());
        }
    }
}

#[test]
fn a_device_that_the_log_does_not_know_reaches_nothing() {
    let sequel = Sequel::tell();
    let stranger = KeyPair::of_device(&Seed::from_bytes([8; 32]));
    let ring = Keyring::open(&sequel.log, &stranger, |hash| {
        sequel.blobs.get(hash).cloned()
    });
    assert_eq!(reached(&ring, &sequel), Vec::<u32>::new());
}

#[test]
fn one_key_leads_back_from_where_it_is() {
    let sequel = Sequel::tell();
    let key = |number: usize| {
        let key = &sequel.keys[number];
        let epoch = Epoch {
            number: key.number(),
            commitment: key.commitment(),
            since: 0,
        };
        EpochKey::checked(key.bytes(), epoch).unwrap()
    };
    let ring = Keyring::from_key(&sequel.log, key(1));
    assert_eq!(reached(&ring, &sequel), [0, 1]);
    let mut ring = Keyring::default();
    ring.add(&sequel.log, key(0));
    assert_eq!(reached(&ring, &sequel), [0]);
    ring.add(&sequel.log, key(2));
    assert_eq!(reached(&ring, &sequel), [0, 1, 2]);
}

/// A journal whose epoch 2 wraps this instead of the key of epoch 1.
fn hiding(wrapped: impl FnOnce(&Sequel) -> Vec<u8>) -> Sequel {
    let mut sequel = Sequel::after(Story::tell());
    let first = sequel.start_epoch();
    sequel.rekey(&[], Vector::default(), first);
    sequel.start_epoch();
    let wrapped = wrapped(&sequel);
    sequel.rekey(&[], Vector::default(), wrapped);
    sequel
}

#[test]
fn a_wrong_wrap_ends_the_way_back() {
    let random = || FixedRandom::new("wrong");
    let noise = hiding(|_| vec![7; 72]);
    // A key that the log does not commit to, properly wrapped.
    let other = hiding(|sequel| {
        let wrong = EpochKey::random(1, &mut random());
        wrap_key(&wrong, &sequel.keys[2], &mut random()).unwrap()
    });
    // The right key, under a key that nobody was given.
    let elsewhere = hiding(|sequel| {
        let under = EpochKey::random(2, &mut random());
        wrap_key(&sequel.keys[1], &under, &mut random()).unwrap()
    });
    for sequel in [noise, other, elsewhere] {
        let ring = open(&sequel, &sequel.owner, &[2]);
        assert_eq!(reached(&ring, &sequel), [2]);
        // What was sealed to the device itself still opens, and leads back from there.
        let ring = open(&sequel, &sequel.owner, &[1, 2]);
        assert_eq!(reached(&ring, &sequel), [0, 1, 2]);
    }
}

#[test]
fn a_key_is_wrapped_under_the_next_one_only() {
    let sequel = Sequel::tell();
    for (previous, next) in [(0, 2), (1, 0), (1, 1), (2, 1)] {
        let random = &mut FixedRandom::new("wrap");
        let error = wrap_key(&sequel.keys[previous], &sequel.keys[next], random).unwrap_err();
        let epoch = sequel.keys[next].number();
        assert_eq!(error, KeyError::NotNext { epoch });
    }
}

#[test]
fn a_sealed_key_that_breaks_the_commitment_is_told_apart() {
    let story = Story::tell();
    let epoch = story.log.epoch();
    let error = EpochKey::checked(&[9; 32], epoch).unwrap_err();
    assert_eq!(error, KeyError::WrongKey { epoch: 0 });
    let error = EpochKey::checked(&[9; 31], epoch).unwrap_err();
    assert_eq!(error, KeyError::NotForMe { epoch: 0 });
    // Sealed for another commitment, it does not open at all.
    let blob = seal_to(&story.key, &story.owner, &mut FixedRandom::new("blob"));
    let claimed = Epoch {
        commitment: Commitment([9; 32]),
        ..epoch
    };
    let error = EpochKey::open(&blob, claimed, &story.owner).unwrap_err();
    assert_eq!(error, KeyError::NotForMe { epoch: 0 });
}

#[test]
fn names_open_under_the_key_that_they_name() {
    let sequel = Sequel::tell();
    let ring = open(&sequel, &sequel.owner, &[2]);
    let person = &sequel.log.persons()[&sequel.person];
    assert_eq!(
        ring.open_name(&person.name, &sequel.person.0).unwrap(),
        "Sam"
    );
    let id = sequel.third.key_id();
    let device = &sequel.log.devices()[&id];
    assert_eq!(
        ring.open_name(&device.keys.name.0, &id.0).unwrap(),
        "tablet"
    );
    let random = &mut FixedRandom::new("names");
    for key in &sequel.keys {
        let sealed = seal_name("Ana", &[1; 16], key, random).unwrap();
        assert_eq!(ring.open_name(&sealed, &[1; 16]).unwrap(), "Ana");
        assert_eq!(ring.open_name(&sealed, &[2; 16]), Err(NameError::Opening));
    }
    let later = EpochKey::random(3, random);
    let later = seal_name("Ana", &[1; 16], &later, random).unwrap();
    for wrong in [&later[..], &later[..3], &[]] {
        assert_eq!(ring.open_name(wrong, &[1; 16]), Err(NameError::Opening));
    }
}
