//! Several relays on one PostgreSQL: devices spread over them, one is killed under load, and nothing acknowledged is lost; nor
//! where the database itself is.
//!
//! Needs a database of its own, which `cargo xtask conformance postgres` makes and names. The test that ends the server runs
//! alone.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binaries;
use crate::home::{Answer, Home, text};
use crate::relay::{readiness, ready};
use crate::wait;

/// Names the database.
const DATABASE: &str = "EBB_TEST_DATABASE";
/// The call of `pg_ctl` on its server, a word a line; what is to be done comes last.
const SERVER: &str = "EBB_TEST_DATABASE_SERVER";
/// What each of two devices logs and syncs while relays die.
const ROUNDS: usize = 40;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn database() -> String {
    std::env::var(DATABASE).expect("a database")
}

/// Has `pg_ctl` do something with the database's server.
fn server(what: &[&str]) {
    let call = std::env::var(SERVER).expect("a server that can be stopped");
    let mut words = call.lines();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).args(what).current_dir("/");
    // A server that starts would keep a pipe open.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().expect("pg_ctl starts");
    assert!(status.success(), "{what:?}: {status}");
}

fn relay(arguments: &[&str]) -> Command {
    let mut command = Command::new(binaries::ebb_relay());
    command.args(arguments).args(["--database", &database()]);
    command.env_clear().stdin(Stdio::null());
    command
}

/// One relay of several; killed when dropped.
struct Node {
    child: Child,
    address: SocketAddr,
}

impl Node {
    fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    fn start_at(address: &str) -> Self {
        // The balancer's address is the one that requests are signed for; on loopback that is fine.
        let mut command = relay(&["serve", "--json", "--open", "--listen", address]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("ebb-relay starts");
        let ready = ready(&mut child).expect("a relay that is ready");
        let listening = text(&ready, "listening");
        let address = listening.strip_prefix("http://").expect("an address");
        Self {
            child,
            address: address.parse().expect("an address"),
        }
    }

    /// Ends it at once, as a power cut would.
    fn kill(mut self) -> SocketAddr {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a status");
        self.address
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes each connection on to the next relay of several that takes it.
struct Balancer {
    address: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let nodes: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
        let leads = Arc::clone(&nodes);
        let turn = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut nodes = leads.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let next = turn.fetch_add(1, Ordering::SeqCst);
                let count = nodes.len().max(1);
                nodes.rotate_left(next % count);
                let server = nodes.iter().find_map(|node| TcpStream::connect(node).ok());
                if let Some(server) = server {
                    pass(&client, &server);
                    pass(&server, &client);
                }
            }
        });
        Self { address, nodes }
    }

    fn lead_to(&self, nodes: &[SocketAddr]) {
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes.to_vec();
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Passes on what comes from one side until it ends, and then ends the other.
fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (
        from.try_clone().expect("a socket"),
        to.try_clone().expect("a socket"),
    );
    std::thread::spawn(move || {
        // A connection that breaks is the client's to notice.
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
        drop(from.shutdown(Shutdown::Both));
    });
}

fn journal_on(balancer: &Balancer) -> Home {
    let home = Home::new();
    home.json(&["init", "--name", "Anneliese", "--relay", &balancer.url()]);
    home
}

/// How far all devices are.
#[derive(Default)]
struct Progress {
    rounds: AtomicUsize,
    /// Syncs that ended without an answer, or with one that says to come again.
    refused: AtomicUsize,
}

impl Progress {
    fn reach(&self, rounds: usize) {
        wait::within(PATIENCE, "the devices to go on", || {
            (self.rounds.load(Ordering::SeqCst) >= rounds).then_some(())
        });
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

/// Logs and syncs, and returns what was acknowledged by the end.
fn work(home: &Home, name: &str, progress: &Progress) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    let mut waiting = BTreeSet::new();
    for round in 0..ROUNDS {
        waiting.insert(home.log(&["note", &format!("{name}, round {round}")]));
        let answer: Answer = home.ebb(&["sync", "--json"]);
        match answer.code {
            Some(0) => acknowledged.append(&mut waiting),
            Some(4) => {
                progress.refused.fetch_add(1, Ordering::SeqCst);
            }
            _ => panic!("{answer:?}"),
        }
        progress.rounds.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

/// Lets two devices work while something is done to what they sync with, and returns what was acknowledged by the end.
fn under_load(laptop: &Home, phone: &Home, disturb: impl FnOnce(&Progress)) -> BTreeSet<String> {
    let progress = Progress::default();
    std::thread::scope(|scope| {
        let on_laptop = scope.spawn(|| work(laptop, "laptop", &progress));
        let on_phone = scope.spawn(|| work(phone, "phone", &progress));
        disturb(&progress);
        let mut acknowledged = on_laptop.join().expect("the laptop's work");
        acknowledged.append(&mut on_phone.join().expect("the phone's work"));
        acknowledged
    })
}

/// Checks that a new device gets everything that was acknowledged, and that all end with the same entries.
fn nothing_is_lost(laptop: &Home, phone: &Home, acknowledged: &BTreeSet<String>) {
    // The devices that wrote are off meanwhile: what a new one gets, the database kept.
    let link = laptop.invite("tablet");
    let tablet = Home::new();
    tablet.json(&["join", &link]);
    let kept = BTreeSet::from_iter(tablet.ids());
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    for home in [laptop, phone, laptop, &tablet] {
        home.sync();
    }
    assert_eq!(laptop.list(), phone.list());
    assert_eq!(laptop.list(), tablet.list());
    assert_eq!(laptop.ids().len(), 2 * ROUNDS);
    // What is stored is whole, too.
    let check = relay(&["check", "--json"]).output().expect("a check");
    assert!(check.status.success(), "{check:?}");
}

#[test]
#[ignore = "needs a PostgreSQL: cargo xtask conformance"]
fn postgres_loses_nothing_acknowledged_where_a_relay_is_killed_under_load() {
    let balancer = Balancer::start();
    let (one, two) = (Node::start(), Node::start());
    balancer.lead_to(&[one.address, two.address]);
    let laptop = journal_on(&balancer);
    let phone = laptop.another("phone");
    let mut back = None;
    let acknowledged = under_load(&laptop, &phone, |progress| {
        // First one of the two dies and comes back, then the other.
        progress.reach(ROUNDS / 4);
        let address = one.kill();
        progress.reach(ROUNDS / 2 + ROUNDS / 4);
        back = Some(Node::start_at(&address.to_string()));
        progress.reach(ROUNDS);
        two.kill();
    });
    assert!(back.is_some() && acknowledged.len() > ROUNDS);
    nothing_is_lost(&laptop, &phone, &acknowledged);
}

#[test]
#[ignore = "needs a PostgreSQL that it may stop: cargo xtask conformance"]
fn postgres_killed_under_load_loses_nothing_acknowledged_and_relays_go_on() {
    let balancer = Balancer::start();
    let mut nodes = [Node::start(), Node::start()];
    balancer.lead_to(&nodes.each_ref().map(|node| node.address));
    let laptop = journal_on(&balancer);
    let phone = laptop.another("phone");
    let acknowledged = under_load(&laptop, &phone, |progress| {
        for rounds in [ROUNDS / 4, ROUNDS / 2, ROUNDS] {
            progress.reach(rounds);
            let refused = progress.refused();
            // No transaction is ended and no buffer written, as in a power cut.
            server(&["--mode=immediate", "stop"]);
            wait::within(PATIENCE, "a device to hear of it", || {
                (progress.refused() > refused).then_some(())
            });
            server(&["start"]);
        }
    });
    assert!(!acknowledged.is_empty());
    // Once more, when no device syncs any more that would give back what is missing.
    server(&["--mode=immediate", "stop"]);
    server(&["start"]);
    // The same relays, which nobody started again.
    for node in &mut nodes {
        let ended = node.child.try_wait().expect("a status");
        assert!(ended.is_none(), "{ended:?}");
        wait::until("a relay to be ready", || {
            let answer = readiness(&node.address.to_string());
            answer.starts_with("HTTP/1.1 200 ").then_some(())
        });
    }
    nothing_is_lost(&laptop, &phone, &acknowledged);
}

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

    fn until(&self, what: &str, is: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            if is(&line.unwrap_or_else(|error| panic!("waited for {what}: {error}"))) {
                return;
            }
        }
    }

    fn received(&self) {
        self.until("news", |line| {
            line.get("received").and_then(Value::as_u64) >= Some(1)
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "needs a PostgreSQL: cargo xtask conformance"]
fn postgres_brings_news_from_one_relay_to_those_who_wait_on_another() {
    let balancer = Balancer::start();
    let (one, two) = (Node::start(), Node::start());
    balancer.lead_to(&[one.address]);
    let laptop = journal_on(&balancer);
    let phone = laptop.another("phone");
    balancer.lead_to(&[two.address]);
    let watch = Watch::start(&phone);
    // The phone waits on the second relay; the laptop writes on the first.
    balancer.lead_to(&[one.address]);
    for _ in 0..3 {
        laptop.log(&["6"]);
        laptop.sync();
        watch.received();
    }
    // The relay that the phone waits on dies: it waits on the other from then on.
    two.kill();
    laptop.log(&["7"]);
    laptop.sync();
    watch.received();
    // And so does one that is removed meanwhile, by the relay that it does not ask.
    let third = Node::start();
    balancer.lead_to(&[third.address]);
    laptop.json(&["remove", "phone", "--yes"]);
    balancer.lead_to(&[one.address]);
    phone.ebb(&["sync"]).expect_code(3);
}
