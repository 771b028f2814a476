//! Who may do what: every kind of asker against every action.

use protocol::api::{Append, JOURNALS, LogAppend, PutSnapshots, SyncRequest};
use protocol::cbor::Bytes;
use protocol::record::{Body, Relays, SignedRecord, WithdrawInvite};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::Vector;

use crate::testing::{Answered, Bench, Chain, Journal, Keys, NOW, ORIGIN};

/// Who asks, in the order of the table's columns.
const ASKERS: [&str; 8] = [
    "owner",
    "contributor",
    "reader",
    "waiting device",
    "removed device",
    "open invite",
    "used invite",
    "stranger",
];

const DONE: &str = "done";
const FORBIDDEN: &str = "forbidden";
const RULES: &str = "rule-broken";
const REMOVED: &str = "not-a-member";
const USED: &str = "invite-used";

/// What each asker is answered.
const TABLE: [(&str, [&str; 8]); 20] = [
    (
        "read log",
        [DONE, DONE, DONE, DONE, DONE, DONE, USED, FORBIDDEN],
    ),
    (
        "sync",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "bring envelopes",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "seal envelopes",
        [
            DONE,
            DONE,
            "its device might not write then",
            FORBIDDEN,
            REMOVED,
            FORBIDDEN,
            USED,
            FORBIDDEN,
        ],
    ),
    (
        "events",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "list snapshots",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "bring a snapshot",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "prune",
        [
            DONE, FORBIDDEN, FORBIDDEN, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    (
        "create",
        [
            DONE, DONE, DONE, FORBIDDEN, REMOVED, FORBIDDEN, USED, FORBIDDEN,
        ],
    ),
    ("append genesis", MEMBERS_NEVER),
    ("append invite of a new person", OWNERS),
    (
        "append invite of an own device",
        [DONE, DONE, DONE, FORBIDDEN, REMOVED, RULES, USED, FORBIDDEN],
    ),
    ("append withdrawal of an invite", OWNERS),
    (
        "append join",
        [
            RULES, RULES, RULES, FORBIDDEN, REMOVED, DONE, USED, FORBIDDEN,
        ],
    ),
    ("append relays", OWNERS),
    ("append approval", OWNERS),
    ("append role", OWNERS),
    ("append removal", OWNERS),
    ("append new key", OWNERS),
    ("append erasure", OWNERS),
];

/// Records that only owners may write.
const OWNERS: [&str; 8] = [
    DONE, RULES, RULES, FORBIDDEN, REMOVED, RULES, USED, FORBIDDEN,
];
/// Records that nobody may append.
const MEMBERS_NEVER: [&str; 8] = [
    RULES, RULES, RULES, FORBIDDEN, REMOVED, RULES, USED, FORBIDDEN,
];

/// A relay with a journal that knows all of [`ASKERS`] but the last.
struct Scene {
    bench: Bench,
    journal: Journal,
    owner: Keys,
    askers: [Keys; 8],
    /// The owner's chain, of which nothing is stored.
    chain: Chain,
}

async fn scene() -> Scene {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let contributor = bench.join(&mut journal, &owner, 10).await;
    let reader = bench.join_as(&mut journal, &owner, 20, Role::Reader).await;
    let removed = bench.join(&mut journal, &owner, 30).await;
    let (record, blobs) = journal.remove(&owner, &[&removed], Vector::default());
    bench.tell(&mut journal, &owner, record, blobs).await;
    let waiting = bench.join_to_wait(&mut journal, &owner, 40).await;
    let open = Keys::of(50);
    let (record, blob) = journal.invite_as(&owner, &open, Role::Contributor);
    bench.tell(&mut journal, &owner, record, vec![blob]).await;
    let askers = [
        owner.clone(),
        contributor,
        reader,
        waiting,
        removed,
        open,
        Keys::of(10),
        Keys::of(99),
    ];
    Scene {
        chain: journal.chain(&owner),
        bench,
        journal,
        owner,
        askers,
    }
}

impl Scene {
    /// Returns the record by which `by` says what the action is about, and its sealed keys.
    fn record(&self, by: &Keys, action: &str) -> (SignedRecord, Vec<Bytes>) {
        let journal = &self.journal;
        let [_, contributor, reader, waiting, ..] = &self.askers;
        let open = &self.askers[5];
        let one = |(record, blob): (SignedRecord, Bytes)| (record, vec![blob]);
        let none = |record: SignedRecord| (record, Vec::new());
        let by_body = |body: &Body| none(journal.next(by, body));
        match action {
            "append genesis" => {
                let genesis = SignedRecord::parse(&journal.records[0].0).unwrap();
                by_body(genesis.trusted().unwrap().body())
            }
            "append invite of a new person" => {
                one(journal.invite_as(by, &Keys::of(60), Role::Reader))
            }
            "append invite of an own device" => one(journal.invite_own(by, &Keys::of(62))),
            "append withdrawal of an invite" => by_body(&Body::WithdrawInvite(WithdrawInvite {
                invite: open.key_id(),
            })),
            "append join" => {
                // The joining of the open invite's device, signed by whoever asks.
                let (record, blob) = journal.join(open, &Keys::of(61));
                let body = record.trusted().unwrap();
                (journal.next(by, body.body()), vec![blob])
            }
            "append relays" => by_body(&Body::Relays(Relays {
                urls: vec![ORIGIN.to_owned()],
            })),
            "append approval" => one(journal.approve(by, waiting)),
            "append role" => none(journal.set_role(by, reader, Role::Owner, Vector::default())),
            "append removal" => journal.remove(by, &[contributor], Vector::default()),
            "append new key" => journal.remove(by, &[], Vector::default()),
            "append erasure" => none(journal.erase(by)),
            other => panic!("no such action: {other}"),
        }
    }

    async fn act(&mut self, by: &Keys, action: &str) -> Answered {
        let path = |part| self.journal.path(part);
        match action {
            "read log" => self.bench.get(by, &path("log")).await,
            "sync" => {
                let request = SyncRequest {
                    log_length: self.journal.log.length(),
                    head: self.journal.log.head(),
                    vector: Vector::default(),
                };
                self.bench.post(by, &path("sync"), &request).await
            }
            "bring envelopes" | "seal envelopes" => {
                let envelope = match action {
                    "seal envelopes" => self.journal.chain(by).seal(50),
                    _ => self.chain.seal(50),
                };
                let append = Append {
                    head: self.journal.log.head(),
                    envelopes: vec![envelope],
                };
                self.bench.post(by, &path("envelopes"), &append).await
            }
            "events" => {
                let (path, time) = (path("events"), NOW);
                let request = ("GET", &*path, b"".as_slice());
                let proof = self.bench.sign(by, request, ORIGIN, time);
                let response = self.bench.respond(request, Some(&proof), None).await;
                Answered::or_stream(response).await
            }
            "list snapshots" => self.bench.get(by, &path("snapshots")).await,
            "bring a snapshot" => {
                let (_, snapshot) = self.chain.snapshot(&[], 1);
                let put = PutSnapshots {
                    snapshots: vec![Bytes(snapshot.bytes().to_vec())],
                    start: true,
                    ..PutSnapshots::default()
                };
                self.bench.post(by, &path("snapshots"), &put).await
            }
            "prune" => {
                self.bench
                    .post(by, &path("prune"), &Bytes(Vec::new()))
                    .await
            }
            "create" => self.bench.post(by, JOURNALS, &self.journal.create()).await,
            _ => {
                let (record, blobs) = self.record(by, action);
                let append = LogAppend {
                    head: self.journal.log.head(),
                    records: vec![Bytes(record.bytes().to_vec())],
                    blobs,
                };
                self.bench.post(by, &path("log"), &append).await
            }
        }
    }
}

/// Returns what was answered as the table names it.
fn outcome(answer: &Answered, action: &str) -> String {
    if !answer.status.is_success() {
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        return problem["type"].as_str().unwrap().to_owned();
    }
    if action.ends_with("envelopes") {
        let appended: protocol::api::Appended = answer.message();
        if let Some(refused) = appended.refused.first() {
            return refused.reason.clone();
        }
    }
    DONE.to_owned()
}

#[tokio::test]
async fn everyone_may_do_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut scene = scene().await;
    for (action, expected) in TABLE {
        for ((asker, expected), by) in ASKERS.iter().zip(expected).zip(scene.askers.clone()) {
            let answer = scene.act(&by, action).await;
            let outcome = outcome(&answer, action);
            if outcome != expected {
                wrong.push(format!("{asker}, {action}: {outcome}, not {expected}"));
            }
            // What was done is undone by starting over; what was refused has changed nothing.
            let read: protocol::api::LogPage = match answer.status.is_success() {
                true => {
                    scene = self::scene().await;
                    continue;
                }
                false => {
                    let path = scene.journal.path("log");
                    scene.bench.get(&scene.owner, &path).await.message()
                }
            };
            assert_eq!(read.records, scene.journal.records, "{asker}, {action}");
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
