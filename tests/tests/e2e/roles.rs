//! Who may do what: every role, every action, and the answer of each of the three that must say no.
//!
//! Runs the whole table on the real programs, and compares it with the one that `crates/protocol/README.md` shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tempfile::TempDir;

use crate::home::{Home, count, text};
use crate::relay::Relay;
use crate::rogue::rogue;

/// The document that shows the table.
const SHOWN: &str = include_str!("../../../crates/protocol/README.md");

const ROLES: [&str; 6] = [
    "owner",
    "contributor",
    "reader",
    "waiting",
    "removed",
    "stranger",
];

/// Something that one may want to do: what to type, and what a client that keeps to no rule does for it.
struct Action {
    name: &'static str,
    ebb: &'static [&'static str],
    rogue: &'static [&'static str],
}

const fn action(
    name: &'static str,
    ebb: &'static [&'static str],
    rogue: &'static [&'static str],
) -> Action {
    Action { name, ebb, rogue }
}

/// Words in capitals stand for what there is in the world.
const ACTIONS: [Action; 17] = [
    action("read what others wrote", &["sync"], &["ask", "sync"]),
    action("read the member log", &["members"], &["ask", "log"]),
    action("hear that something is new", &[], &["ask", "events"]),
    action(
        "record an entry",
        &["note", "from the table"],
        &["write", "entry"],
    ),
    action(
        "correct another's entry",
        &["edit", "ENTRY", "--note", "from the table"],
        &["write", "edit", "--entry", "ENTRY"],
    ),
    action("change the profile", &[], &["write", "profile"]),
    action(
        "let somebody new in",
        &["share", "--name", "Kim", "--role", "reader"],
        &["record", "share"],
    ),
    action(
        "let a device of one's own in",
        &["device", "add"],
        &["record", "own-device"],
    ),
    action("… as an owner's", &[], &["record", "own-owner"]),
    action(
        "withdraw another's invite",
        &["invites", "withdraw", "INVITE"],
        &["record", "withdraw", "--target", "INVITE"],
    ),
    action(
        "approve a device that waits",
        &["members", "approve", "WAITING"],
        &["record", "approve", "--target", "WAITING"],
    ),
    action(
        "change a role",
        &["role", "PERSON", "contributor"],
        &["record", "role", "--target", "DEVICE"],
    ),
    action(
        "remove a device",
        &["remove", "DEVICE", "--yes"],
        &["record", "remove", "--target", "DEVICE"],
    ),
    action(
        "change the relays",
        &["relay", "add", "RELAY", "--token", "TOKEN"],
        &["record", "relays", "--urls", "RELAYS"],
    ),
    action("make a recovery phrase", &["recovery", "phrase"], &[]),
    action("write a bundle", &["bundle", "export", "FILE"], &[]),
    action(
        "erase the journal",
        &["journals", "erase", "--yes"],
        &["record", "erase"],
    ),
];

/// A journal with everybody in it, and one whose turn it is.
struct World {
    relay: Relay,
    other: Relay,
    patient: Home,
    phone: Home,
    subject: Home,
    role: &'static str,
    entry: String,
    files: TempDir,
    /// Those on whom something is tried, as long as nothing succeeded on them.
    spare: BTreeMap<&'static str, Spare>,
    made: u32,
}

struct Spare {
    /// The home of a device; none of an invite.
    _home: Option<Home>,
    name: String,
    fingerprint: String,
}

impl World {
    fn new(role: &'static str) -> Self {
        let (relay, other) = (Relay::start(), Relay::start());
        let (patient, _) = Home::with_journal_on(&relay);
        let phone = patient.another("phone");
        let entry = patient.log(&["6"]);
        patient.sync();
        let mut share = vec!["share", "--name", "Sam", "--role"];
        share.extend(match role {
            "waiting" => ["contributor", "--approve"].as_slice(),
            "removed" => &["contributor"],
            role => {
                std::slice::from_ref(ROLES.iter().find(|known| **known == role).expect("a role"))
            }
        });
        let subject = Home::new();
        if role != "stranger" {
            subject.json(&["join", &text(&patient.json(&share), "link")]);
        }
        if role == "removed" {
            subject.log(&["note", "in time"]);
            subject.sync();
            patient.json(&["remove", "Sam", "--yes"]);
            subject.ebb(&["sync", "--json"]).expect_code(3);
        }
        let world = Self {
            relay,
            other,
            patient,
            phone,
            subject,
            role,
            entry,
            files: tempfile::tempdir().expect("a folder"),
            spare: BTreeMap::new(),
            made: 0,
        };
        world.settle();
        world
    }

    /// Brings everybody who is in to the same state.
    fn settle(&self) {
        for home in [&self.phone, &self.patient, &self.phone] {
            home.sync();
        }
        if ["owner", "contributor", "reader"].contains(&self.role) {
            self.subject.sync();
        }
    }

    /// Makes sure that there is somebody, or an invite, to try something on.
    fn prepare(&mut self, words: &[&str]) {
        for (word, what) in [
            ("INVITE", "invite"),
            ("WAITING", "waiting"),
            ("PERSON", "device"),
            ("DEVICE", "device"),
        ] {
            if !words.contains(&word) || self.spare.contains_key(what) {
                continue;
            }
            self.made += 1;
            let name = format!("Spare {}", self.made);
            let mut share = vec!["share", "--name", &name, "--role", "reader"];
            if what == "waiting" {
                share.push("--approve");
            }
            let invite = self.patient.json(&share);
            let mut fingerprint = text(&invite, "fingerprint");
            let home = (what != "invite").then(Home::new);
            if let Some(home) = &home {
                let joined = home.json(&["join", &text(&invite, "link")]);
                fingerprint = text(&joined, "fingerprint");
            }
            let spare = Spare {
                _home: home,
                name,
                fingerprint,
            };
            self.spare.insert(what, spare);
            self.settle();
        }
    }

    /// Puts what there is in the place of the words that stand for it.
    fn words(&self, words: &[&str], relays: &str) -> Vec<String> {
        let spare = |what: &str| self.spare.get(what).expect("it was prepared");
        let word = |word: &&str| match *word {
            "ENTRY" => self.entry.clone(),
            "INVITE" => spare("invite").fingerprint.clone(),
            "WAITING" => spare("waiting").fingerprint.clone(),
            "PERSON" => spare("device").name.clone(),
            "DEVICE" => spare("device").fingerprint.clone(),
            "RELAY" => self.other.url().to_owned(),
            "RELAYS" => relays.to_owned(),
            "TOKEN" => self.other.token().to_owned(),
            "FILE" => self.file("export"),
            word => word.to_owned(),
        };
        words.iter().map(word).collect()
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// Forgets those on whom something was done.
    fn done(&mut self, action: &Action) {
        for (word, what) in [
            ("INVITE", "invite"),
            ("WAITING", "waiting"),
            ("DEVICE", "device"),
        ] {
            if action.rogue.contains(&word) {
                self.spare.remove(what);
            }
        }
        if action.rogue.contains(&"erase") {
            *self = Self::new(self.role);
        } else {
            self.settle();
        }
    }

    /// Types it, and returns the exit code with what it is called, and what to type next.
    fn client(&mut self, action: &Action) -> (String, Vec<String>) {
        self.prepare(action.ebb);
        let words = self.words(action.ebb, "");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = self.subject.ebb(&[&words, ["--json"].as_slice()].concat());
        if answer.code == Some(0) {
            self.done(action);
            return ("0".to_owned(), Vec::new());
        }
        let (code, error) = (answer.code.expect("an exit code"), answer.error());
        let hints = error.get("hints").and_then(Value::as_array);
        let hints: Vec<String> = hints
            .into_iter()
            .flatten()
            .filter_map(|hint| Some(without_fingerprints(hint.as_str()?)))
            .collect();
        assert_ne!(hints, [""; 0], "{}: {}: {error}", self.role, action.name);
        (format!("{code} {}", text(&error, "kind")), hints)
    }

    /// Has the relay asked for it all the same, and returns its answer.
    fn relay(&mut self, action: &Action) -> String {
        self.prepare(action.rogue);
        let words = self.words(action.rogue, self.relay.url());
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(["--relay", self.relay.url()]);
        let answer = rogue(&self.subject, &self.patient, &words);
        let status = count(&answer, "status");
        if status != 200 {
            return format!("{status} {}", text(&answer, "problem"));
        }
        if answer
            .pointer("/told/refused")
            .is_some_and(Value::is_string)
        {
            return "refused".to_owned();
        }
        self.done(action);
        "200".to_owned()
    }

    /// Puts it before another device without asking a relay, and returns what becomes of it there.
    fn others(&mut self, action: &Action) -> &'static str {
        self.prepare(action.rogue);
        let (file, both) = (self.file("rogue"), [self.relay.url(), self.other.url()]);
        let words = self.words(action.rogue, &both.join(","));
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(["--out", &file]);
        rogue(&self.subject, &self.patient, &words);
        let state = |world: &Self| {
            let status = world.phone.json(&["status"]);
            (
                count(&status, "held"),
                count(&status, "log_length"),
                world.phone.list(),
            )
        };
        let before = state(self);
        let answer = self.phone.ebb(&["bundle", "import", &file, "--json"]);
        let after = state(self);
        match answer.code {
            Some(0) if after.0 > before.0 => {
                assert_eq!((before.1, before.2), (after.1, after.2), "{words:?}");
                "held"
            }
            Some(0) => {
                let profile = action.rogue.contains(&"profile");
                assert!(profile || before != after, "{words:?}");
                self.done(action);
                "taken"
            }
            Some(5) => {
                assert_eq!(before, after, "{words:?}");
                "refused"
            }
            _ => panic!("{}: {words:?}: {answer:?}", self.role),
        }
    }
}

/// Puts a word in the place of every fingerprint, which is another one each time.
fn without_fingerprints(text: &str) -> String {
    let is = |word: &str| {
        let mut places = word.bytes().enumerate();
        word.len() == 14 && places.all(|(place, byte)| (byte == b'-') == matches!(place, 4 | 9))
    };
    let words = text.split(' ');
    let words = words.map(|word| if is(word) { "FINGERPRINT" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What everybody answers to one role: one cell for each action and who answers, and the hints by kind of error.
type Column = (BTreeMap<(usize, &'static str), String>, BTreeSet<String>);

fn column(role: &'static str) -> Column {
    let mut world = World::new(role);
    let (mut cells, mut hints) = (BTreeMap::new(), BTreeSet::new());
    for (place, action) in ACTIONS.iter().enumerate() {
        if !action.ebb.is_empty() {
            let (answer, next) = world.client(action);
            if !next.is_empty() {
                hints.insert(format!("{answer}: {}", next.join(" | ")));
            }
            cells.insert((place, "ebb"), answer);
        }
        if !action.rogue.is_empty() {
            cells.insert((place, "relay"), world.relay(action));
        }
        if matches!(action.rogue.first(), Some(&("record" | "write"))) {
            cells.insert((place, "others"), world.others(action).to_owned());
        }
    }
    (cells, hints)
}

/// Writes the table as the README shows it.
fn table(columns: &[Column]) -> String {
    let mut table = format!("| action | answered by | {} |\n", ROLES.join(" | "));
    table.push_str(&format!("|---|---|{}\n", "---|".repeat(ROLES.len())));
    for (place, action) in ACTIONS.iter().enumerate() {
        let mut name = action.name;
        for by in ["ebb", "relay", "others"] {
            let cells: Vec<_> = columns
                .iter()
                .filter_map(|(cells, _)| cells.get(&(place, by)).cloned())
                .collect();
            if !cells.is_empty() {
                table.push_str(&format!("| {name} | {by} | {} |\n", cells.join(" | ")));
                name = "";
            }
        }
    }
    table
}

#[test]
fn every_role_is_allowed_what_the_table_says_and_nothing_else() {
    let columns: Vec<Column> = std::thread::scope(|scope| {
        let threads = ROLES.map(|role| scope.spawn(move || column(role)));
        let columns = threads.map(|thread| thread.join());
        columns
            .into_iter()
            .map(|column| column.expect("a column"))
            .collect()
    });
    let table = table(&columns);
    assert!(
        SHOWN.contains(&table),
        "the README shows another table:\n{table}"
    );
    let hints: BTreeSet<String> = columns.into_iter().flat_map(|(_, hints)| hints).collect();
    let hints: Vec<String> = hints.into_iter().collect();
    insta::assert_snapshot!(hints.join("\n"), @r"
    1 no-journal: ebb init | ebb join LINK
    1 unknown-id: ebb list
    1 unknown-name: ebb members | ebb invites
    3 not-a-member: ebb status    (says whether it waits for an owner, or was removed)
    3 not-permitted: ebb journals leave    (takes it off this device only)
    3 not-permitted: ebb members    (shows who is an owner)
    3 read-only: ask Anneliese, who can type: ebb role Sam contributor
    3 relay-refused: ebb status    (says whether it waits for an owner, or was removed)
    3 removed: ebb list
    3 removed: ebb list    (all that is on this device) | ask an owner for a new link, if it was a mistake: ebb share
    3 waiting: ebb members approve FINGERPRINT    (an owner, on a device that is in)
    3 waiting: ebb members approve NAME    (an owner, on a device that is in)
    ");
}
