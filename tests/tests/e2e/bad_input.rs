//! Wrong input, each with its exit code, the kind of its error, and the words that tell what to do.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::home::{Home, text};
use crate::relay::Relay;
use crate::wait;

const COULD_NOT: i32 = 1;
const WRONG_USAGE: i32 = 2;
const NOT_PERMITTED: i32 = 3;

/// The funnel: the call fails with this code, both plainly and with `--json`, says all of these words, leaves stdout
/// empty, and changes nothing.
fn check(home: &Home, arguments: &[&str], code: i32, words: &[&str]) {
    let before = home.list();
    let plain = home.ebb(arguments).expect_code(code);
    assert_eq!(plain.stdout, "", "{arguments:?}: stdout is for answers");
    let answer = home
        .ebb(&[arguments, &["--json"]].concat())
        .expect_code(code);
    let error = answer.error();
    let said = error.to_string().to_lowercase();
    let hints = error.get("hints").and_then(Value::as_array);
    let hints = hints.expect("hints are an array");
    assert!(!hints.is_empty(), "{arguments:?}: what to do next: {error}");
    for hint in hints.iter().filter_map(Value::as_str) {
        assert!(
            plain.stderr.contains(hint),
            "both forms hint at the same: {hint}"
        );
    }
    for word in words {
        assert!(said.contains(word), "\"{word}\" is not in {error}");
        assert!(
            plain.stderr.to_lowercase().contains(word),
            "\"{word}\" is not in {}",
            plain.stderr
        );
    }
    assert_eq!(home.list(), before, "{arguments:?}: nothing changed");
}

#[test]
fn values_out_of_range() {
    let home = Home::with_journal();
    check(&home, &["11"], WRONG_USAGE, &["level", "11", "0", "10"]);
    check(
        &home,
        &["fatigue", "11"],
        WRONG_USAGE,
        &["level", "11", "10"],
    );
    check(
        &home,
        &["note", &"a".repeat(100_000)],
        WRONG_USAGE,
        &["note", "8"],
    );
    check(&home, &["note", ""], WRONG_USAGE, &["note"]);
    check(
        &home,
        &["list", "--kind", "x"],
        WRONG_USAGE,
        &["x", "fatigue", "dose", "sleep", "activity", "note"],
    );
    check(
        &home,
        &["dose", "amifampridine", "0mg"],
        WRONG_USAGE,
        &["amount"],
    );
    check(
        &home,
        &["activity", "walking", "25h"],
        WRONG_USAGE,
        &["minutes", "1440"],
    );
}

#[test]
fn wrong_usage() {
    let home = Home::with_journal();
    check(&home, &["frobnicate"], WRONG_USAGE, &["frobnicate"]);
    check(
        &home,
        &["list", "--frobnicate"],
        WRONG_USAGE,
        &["--frobnicate"],
    );
    check(&home, &["sync", "now"], WRONG_USAGE, &["now"]);
}

#[test]
fn impossible_times() {
    let home = Home::in_zone("Europe/Madrid");
    home.json(&["init", "--name", "Anneliese"]);
    check(&home, &["6", "--at", "25:00"], WRONG_USAGE, &["25:00"]);
    check(
        &home,
        &["6", "--at", "2026-02-30 08:00"],
        WRONG_USAGE,
        &["2026-02-30"],
    );
    // Clocks went forward from 02:00 to 03:00: this time was never.
    check(
        &home,
        &["6", "--at", "2026-03-29 02:30"],
        WRONG_USAGE,
        &["02:30"],
    );
    // Clocks went back from 03:00 to 02:00: this time was twice, and both readings are shown.
    check(
        &home,
        &["6", "--at", "2025-10-26 02:30"],
        WRONG_USAGE,
        &["+02:00", "+01:00"],
    );
    check(
        &home,
        &["6", "--at", "2099-01-01 08:00"],
        WRONG_USAGE,
        &["--future"],
    );
}

#[test]
fn ids_that_name_no_entry_or_several() {
    let home = Home::with_journal();
    let (first, second) = (home.log(&["6"]), home.log(&["7"]));
    let shared = first
        .chars()
        .zip(second.chars())
        .take_while(|(a, b)| a == b);
    let shared: String = shared.map(|(a, _)| a).collect();
    assert_ne!(shared, "", "ids begin with the time");
    for command in ["show", "delete", "restore"] {
        check(&home, &[command, "ffffffff"], COULD_NOT, &["ffffffff"]);
        check(
            &home,
            &[command, &shared],
            COULD_NOT,
            &["ambiguous", "several entries"],
        );
        check(&home, &[command, ""], WRONG_USAGE, &["id"]);
    }
    check(
        &home,
        &["edit", "ffffffff", "--level", "5"],
        COULD_NOT,
        &["ffffffff"],
    );
    assert_eq!(text(&home.json(&["show", &second]), "id"), second);
}

/// Fails to join with the link, and leaves the new device without a journal.
fn refuse(link: &str, words: &[&str]) {
    let home = Home::new();
    let answer = home
        .ebb(&["join", link, "--json"])
        .expect_code(NOT_PERMITTED);
    let error = answer.error().to_string().to_lowercase();
    assert!(error.contains("ebb device add"), "what to do: {error}");
    for word in words {
        assert!(error.contains(word), "\"{word}\" is not in {error}");
    }
    assert_eq!(answer.stdout, "");
    assert_ne!(home.ebb(&["list"]).code, Some(0), "there is no journal");
}

#[test]
fn invites_that_are_wrong_used_or_expired() {
    let relay = Relay::start();
    let (home, _) = Home::with_journal_on(&relay);
    let link = home.invite("phone");

    // One letter of the secret changed: still a link, of no invite.
    let (address, fragment) = link.split_once('#').expect("the secret is in the fragment");
    let (name, secret) = fragment.split_once('.').expect("a name, then the secret");
    let other = if secret.starts_with('A') { "B" } else { "A" };
    refuse(
        &format!(
            "{address}#{name}.{other}{}",
            secret.get(1..).unwrap_or_default()
        ),
        &["invite"],
    );

    Home::new().json(&["join", &link]);
    refuse(&link, &["invite", "used"]);

    let brief = home.json(&["device", "add", "--name", "watch", "--expires", "1s"]);
    let ends = text(&brief, "expires_at");
    let started = now();
    wait::until("the invite to expire", || {
        (now() > started + 2).then_some(())
    });
    assert!(ends.contains('T'), "an instant: {ends}");
    refuse(&text(&brief, "link"), &["invite", "expired"]);
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

#[test]
fn a_link_that_is_none() {
    let home = Home::new();
    let error = home
        .ebb(&["join", "https://example.org/", "--json"])
        .expect_code(NOT_PERMITTED)
        .error();
    assert!(error.to_string().contains("link"), "{error}");
}

#[test]
fn a_wrong_enrolment_token() {
    let relay = Relay::start();
    let home = Home::new();
    let init = [
        "init",
        "--name",
        "Anneliese",
        "--relay",
        relay.url(),
        "--json",
        "--token",
    ];
    // One that could be a token, and one that could not.
    for token in ["not-the-token", "wrong!"] {
        let arguments = [init.as_slice(), &[token]].concat();
        let error = home.ebb(&arguments).expect_code(NOT_PERMITTED).error();
        assert!(error.to_string().contains("ebb-relay token new"), "{error}");
        assert!(
            !error.to_string().contains(token),
            "a token is a secret: {error}"
        );
        home.ebb(&["list"]).expect_code(COULD_NOT);
    }
}

#[test]
fn commands_before_the_first_journal_say_how_to_begin() {
    let home = Home::new();
    let error = home.ebb(&["6", "--json"]).expect_code(COULD_NOT).error();
    assert!(
        error
            .get("hints")
            .is_some_and(|hints: &Value| hints.to_string().contains("ebb init")),
        "{error}"
    );
}
