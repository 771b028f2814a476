//! Killing either program at any point loses nothing that it acknowledged.
//!
//! The points are random and come from a seed, which every failure names; the number of rounds is bounded.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::home::{Answer, Home, text};
use crate::relay::Relay;
use crate::wait;

const ROUNDS: u64 = 40;
const SEED: u64 = 0x5eed_ebb0;

/// A small generator of random numbers (Marsaglia, xorshift64): the same seed, the same points.
struct Random(u64);

impl Random {
    /// Returns a number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Returns a span that ends at any point of a command's life: from before its first step to after its last.
    fn span(&mut self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(limit.max(1)))
    }
}

/// Kills a process after the span, unless it has ended by then.
fn kill_after(child: &mut Child, span: Duration) {
    let deadline = Instant::now() + span;
    wait::until("the moment to kill", || {
        let ended = child.try_wait().expect("a status").is_some();
        (ended || Instant::now() >= deadline).then_some(())
    });
    // It may have ended in between.
    drop(child.kill());
}

/// Returns how long a command takes when nothing kills it.
fn lifetime(home: &Home, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    home.ebb(arguments).expect_code(0);
    start.elapsed()
}

#[test]
fn a_killed_ebb_keeps_every_acknowledged_entry() {
    let home = Home::with_journal();
    let mut random = Random(SEED);
    let life = lifetime(&home, &["3", "--json"]) * 3 / 2;
    let mut acknowledged = BTreeSet::new();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let arguments = ["note", &format!("round {round}"), "--json"];
        let mut child = home.start(&arguments);
        kill_after(&mut child, random.span(life));
        let answer = Answer::of(child.wait_with_output().expect("output"), &arguments);
        if answer.code == Some(0) {
            acknowledged.insert(text(&answer.document(), "id"));
        } else {
            assert_eq!(answer.code, None, "only the kill ends it: {answer:?}");
            killed += 1;
        }
    }
    let kept = BTreeSet::from_iter(home.ids());
    assert!(
        acknowledged.is_subset(&kept),
        "seed {SEED:#x}: {:?} lost",
        acknowledged.difference(&kept)
    );
    assert!(
        killed > 0,
        "seed {SEED:#x}: no round was cut short, the test shows nothing"
    );
    home.log(&["6"]);
}

#[test]
fn a_killed_sync_goes_on_where_it_was() {
    let relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let mut random = Random(SEED);
    let life = lifetime(&laptop, &["sync"]) * 2;
    let mut logged = BTreeSet::new();
    for round in 0..ROUNDS {
        let home = if round % 2 == 0 { &laptop } else { &phone };
        logged.insert(home.log(&["note", &format!("round {round}")]));
        let mut child = home.start(&["sync"]);
        kill_after(&mut child, random.span(life));
        child.wait().expect("a status");
    }
    for home in [&laptop, &phone, &laptop] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list(), "seed {SEED:#x}");
    assert_eq!(BTreeSet::from_iter(laptop.ids()), logged, "seed {SEED:#x}");
}

#[test]
fn a_killed_relay_keeps_everything_that_it_acknowledged() {
    let mut relay = Relay::start();
    let (laptop, _) = Home::with_journal_on(&relay);
    let phone = laptop.another("phone");
    let mut random = Random(SEED);
    let life = lifetime(&laptop, &["sync"]) * 2;
    let mut acknowledged = BTreeSet::new();
    let mut waiting = BTreeSet::new();
    let mut refused = 0;
    for round in 0..ROUNDS / 2 {
        waiting.insert(laptop.log(&["note", &format!("round {round}")]));
        let sync = laptop.start(&["sync", "--json"]);
        let begin = Instant::now();
        let span = random.span(life);
        wait::until("the moment to kill", || {
            (begin.elapsed() >= span).then_some(())
        });
        relay.kill();
        let answer = Answer::of(sync.wait_with_output().expect("output"), &["sync"]);
        match answer.code {
            Some(0) => acknowledged.append(&mut waiting),
            Some(4) => refused += 1,
            _ => panic!("seed {SEED:#x}: {answer:?}"),
        }
        relay.restart();
    }
    // The laptop is off from here on: what the phone gets, the relay kept.
    phone.sync();
    let kept = BTreeSet::from_iter(phone.ids());
    assert!(
        acknowledged.is_subset(&kept),
        "seed {SEED:#x}: {:?} lost",
        acknowledged.difference(&kept)
    );
    assert!(
        refused > 0,
        "seed {SEED:#x}: no sync was cut short, the test shows nothing"
    );
    for home in [&laptop, &phone] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list(), "seed {SEED:#x}");
}
