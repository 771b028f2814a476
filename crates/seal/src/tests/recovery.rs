//! The recovery phrase: what is written down comes back, and slips of the pen are found.

use protocol::sign::Signer;

use crate::testing::FixedRandom;
use crate::{InvalidPhrase, KeyPair, RecoveryPhrase, Seed};

/// All bits zero; the phrase is published with BIP39.
const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

fn phrase() -> RecoveryPhrase {
    RecoveryPhrase::random(&mut FixedRandom::new("phrase"))
}

fn wrong(text: &str) -> InvalidPhrase {
    text.parse::<RecoveryPhrase>().unwrap_err()
}

#[test]
fn a_phrase_comes_back_as_the_same_key() {
    let written = phrase();
    let text = written.reveal();
    assert_eq!(text.split(' ').count(), 24);
    let read: RecoveryPhrase = text.parse().unwrap();
    assert_eq!(read.reveal(), text);
    assert_eq!(read.key_pair().key_id(), written.key_pair().key_id());
    let other = RecoveryPhrase::random(&mut FixedRandom::new("another"));
    assert_ne!(read.key_pair().key_id(), other.key_pair().key_id());
}

#[test]
fn a_phrase_is_read_however_it_is_typed() {
    let text = phrase().reveal();
    let id = phrase().key_pair().key_id();
    let shouted = text.to_uppercase();
    let in_lines = format!("  {}\n", text.replace(' ', "\n\t "));
    for typed in [&shouted, &in_lines] {
        let read: RecoveryPhrase = typed.parse().unwrap();
        assert_eq!(read.key_pair().key_id(), id);
    }
}

#[test]
fn the_published_phrase_of_zeros_is_the_seed_of_zeros() {
    let read: RecoveryPhrase = ZEROS.parse().unwrap();
    let expected = KeyPair::of_recovery(&Seed::from_bytes([0; 32]));
    assert_eq!(read.key_pair().key_id(), expected.key_id());
    let device = KeyPair::of_device(&Seed::from_bytes([0; 32]));
    assert_ne!(
        read.key_pair().key_id(),
        device.key_id(),
        "another derivation"
    );
}

#[test]
fn what_is_no_phrase_is_named() {
    assert_eq!(wrong(""), InvalidPhrase::Length(0));
    assert_eq!(
        wrong(ZEROS.rsplit_once(' ').unwrap().0),
        InvalidPhrase::Length(23)
    );
    assert_eq!(wrong(&format!("{ZEROS} art")), InvalidPhrase::Length(25));
    // Twelve words are a phrase elsewhere, not here.
    let twelve = format!("{}about", "abandon ".repeat(11));
    assert_eq!(wrong(&twelve), InvalidPhrase::Length(12));
    assert_eq!(
        wrong(&ZEROS.replacen("abandon", "abandoned", 1)),
        InvalidPhrase::Word(1)
    );
    assert_eq!(wrong(&ZEROS.replace("art", "ärt")), InvalidPhrase::Word(24));
    assert_eq!(
        wrong(&ZEROS.replace("art", "able")),
        InvalidPhrase::Checksum
    );
    assert_eq!(
        wrong(&ZEROS.replacen("abandon", "art", 1)),
        InvalidPhrase::Checksum
    );
}

#[test]
fn words_in_another_order_are_found() {
    let text = phrase().reveal();
    let mut words: Vec<&str> = text.split(' ').collect();
    words.swap(0, 1);
    assert_eq!(wrong(&words.join(" ")), InvalidPhrase::Checksum);
}

#[test]
fn neither_phrase_nor_wrong_word_shows() {
    let shown = format!("{:?}", phrase());
    let text = phrase().reveal();
    assert!(text.split(' ').all(|word| !shown.contains(word)), "{shown}");
    let error = wrong(&ZEROS.replacen("abandon", "secretword", 1));
    assert!(!format!("{error} {error:?}").contains("secretword"));
}
