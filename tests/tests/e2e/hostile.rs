//! Relays that lie, and files that rot: named for what they are, with local data safe.

use std::fs;

use crate::home::{Home, text};
use crate::proxy::{Lie, Proxy};
use crate::relay::Relay;

/// The exit code of damaged or suspicious data.
const SUSPICIOUS: i32 = 5;

/// Where the ciphertext of an envelope begins, as the byte-level specification says, counted from the journal's id.
const JOURNAL_TO_CIPHERTEXT: usize = 183 - 3;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let bytes = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit));
    bytes
        .map(|byte| u8::try_from(byte).expect("two digits are a byte"))
        .collect()
}

#[test]
fn a_relay_that_answers_garbage_is_called_suspicious() {
    let proxy = Proxy::start();
    let relay = Relay::behind(&proxy);
    let (home, _) = Home::with_journal_on(&relay);
    let id = home.log(&["6"]);
    proxy.tell(Lie::Garbage);
    let error = home
        .ebb(&["sync", "--json"])
        .expect_code(SUSPICIOUS)
        .error();
    assert!(
        text(&error, "message").contains(relay.url()),
        "the relay is named: {error}"
    );
    proxy.tell(Lie::None);
    assert_eq!(home.ids(), [id]);
    home.sync();
}

#[test]
fn an_envelope_with_one_flipped_bit_is_found_and_not_merged() {
    let proxy = Proxy::start();
    let relay = Relay::behind(&proxy);
    let (laptop, journal) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    phone.sync();
    let id = laptop.log(&["6", "legs", "after the stairs"]);
    laptop.sync();

    let envelope = [&[1, 1, 1], bytes_of(&journal).as_slice()].concat();
    proxy.tell(Lie::FlipAfter(envelope, 3 + JOURNAL_TO_CIPHERTEXT + 5));
    let answer = phone.ebb(&["sync", "--json"]).expect_code(SUSPICIOUS);
    assert_eq!(proxy.flipped(), 1, "one envelope was on its way");
    assert!(
        text(&answer.error(), "message").contains("signature"),
        "{}",
        answer.stderr
    );
    assert_eq!(phone.ids(), [""; 0], "nothing of it is merged");

    proxy.tell(Lie::None);
    phone.sync();
    assert_eq!(phone.ids(), [id], "the true envelope is taken");
}

#[test]
fn a_corrupted_replica_is_called_damaged() {
    let home = Home::with_journal();
    home.log(&["6", "legs"]);
    let replica = home.replica();
    let length = fs::metadata(&replica).expect("a replica").len();
    fs::write(
        &replica,
        vec![0x55; usize::try_from(length).expect("a small file")],
    )
    .expect("a writable replica");
    let error = home
        .ebb(&["list", "--json"])
        .expect_code(SUSPICIOUS)
        .error();
    assert_ne!(
        error
            .get("hints")
            .and_then(|hints| hints.as_array())
            .map(Vec::len),
        Some(0),
        "{error}"
    );
    home.ebb(&["6"]).expect_code(SUSPICIOUS);
}
