//! Staying in sync: news within a second, and through relays that stop, come back, or fall silent.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, count};
use crate::relay::Relay;
use crate::wait;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// News comes within a second; where several tests share a machine, the test allows for more.
const SOON: Duration = Duration::from_secs(10);

/// A device that watches, and ends with its guard.
struct Watch {
    child: Child,
    lines: Receiver<Value>,
}

impl Watch {
    fn start(home: &Home) -> Self {
        let mut child = home.start(&["sync", "--watch", "--json"]);
        let output = child.stdout.take().expect("its output is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let document = serde_json::from_str(&line).expect("a line is JSON");
                if sender.send(document).is_err() {
                    return;
                }
            }
        });
        let watch = Self { child, lines };
        watch.until("the first sync", |line| line.get("sent").is_some());
        watch
    }

    /// Waits for a line, and returns it.
    fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("waited for {what}: {error}"));
            if is(&line) {
                return line;
            }
        }
    }

    fn received(&self) {
        self.until("news", |line| {
            line.get("received").and_then(Value::as_u64) == Some(1)
        });
    }

    /// Waits until it says that the relay cannot be reached, and returns in how many seconds it tries again.
    fn offline(&self) -> u64 {
        let line = self.until("the relay to be missed", |line| {
            line.get("offline").is_some()
        });
        count(&line, "retry_in_seconds")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A laptop that writes, and a phone to watch.
fn two(relay: &Relay) -> (Home, Home) {
    let (laptop, _) = Home::with_journal_on(relay);
    let phone = laptop.another("phone");
    (laptop, phone)
}

#[test]
fn an_entry_is_on_the_other_device_within_a_second() {
    let relay = Relay::start();
    let (laptop, phone) = two(&relay);
    let watch = Watch::start(&phone);
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let id = laptop.log(&["6"]);
        let sent = Instant::now();
        laptop.sync();
        watch.received();
        slowest = slowest.max(sent.elapsed());
        assert!(phone.ids().contains(&id));
    }
    println!("from the start of one device's sync to the line of the other: at most {slowest:?}");
    assert!(slowest < SOON, "{slowest:?}");
}

#[test]
fn what_is_logged_on_a_device_that_watches_is_sent_without_being_asked() {
    let relay = Relay::start();
    let (laptop, phone) = two(&relay);
    let (_here, there) = (Watch::start(&laptop), Watch::start(&phone));
    let logged = Instant::now();
    let id = laptop.log(&["6"]);
    there.received();
    println!(
        "from one device's log to the line of the other: {:?}",
        logged.elapsed()
    );
    assert!(phone.ids().contains(&id));
}

#[test]
fn a_relay_that_stops_is_waited_for_longer_each_time_and_found_again() {
    let mut relay = Relay::start();
    let (laptop, phone) = two(&relay);
    let watch = Watch::start(&phone);
    relay.stop();
    let waits: Vec<u64> = (0..3).map(|_| watch.offline()).collect();
    assert_eq!(waits, [1, 2, 4]);
    relay.restart();
    watch.until("the relay to be found again", |line| {
        line.get("sent").is_some()
    });
    laptop.log(&["6"]);
    laptop.sync();
    watch.received();
    // Having found it, the watch begins with short waits again.
    relay.kill();
    assert_eq!(watch.offline(), 1);
    relay.restart();
    watch.until("the relay to be found again", |line| {
        line.get("sent").is_some()
    });
    assert_eq!(laptop.list(), phone.list());
}

#[test]
fn a_relay_that_falls_silent_costs_nothing_but_time() {
    let relay = Relay::start();
    let (laptop, phone) = two(&relay);
    let watch = Watch::start(&phone);
    relay.silence();
    // The watch has something to send, and gets no answer.
    let id = phone.log(&["6"]);
    watch.offline();
    relay.wake();
    watch.until("the relay to speak again", |line| {
        line.get("sent").is_some()
    });
    wait::until("the entry to arrive", || {
        laptop.sync();
        laptop.ids().contains(&id).then_some(())
    });
    laptop.log(&["5"]);
    laptop.sync();
    watch.received();
    assert_eq!(laptop.list(), phone.list());
}
