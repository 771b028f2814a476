//! Erasing: an owner's record ends the journal here for good.

use axum::http::Method;
use data_encoding::HEXLOWER;
use http_body_util::BodyExt;
use protocol::api::{Appended, JOURNALS, LogAppend, LogPage, ProblemKind};
use protocol::cbor::{self, Bytes};
use protocol::record::SignedRecord;

use crate::service::Limits;
use crate::storage::Storage;
use crate::testing::{Answered, Bench, Journal, Keys, NOW, ORIGIN};

/// A journal with a second device and envelopes, and the message that erases it.
async fn full(bench: &Bench, owner: &Keys) -> (Journal, Keys, LogAppend) {
    let mut journal = bench.journal(owner).await;
    let device = bench.join(&mut journal, owner, 10).await;
    let mut chain = journal.chain(owner);
    bench.put(&journal, owner, &mut chain).await;
    let before = journal.clone();
    let erase = journal.append(journal.next(owner, &erase()), None);
    (before, device, erase)
}

fn erase() -> protocol::record::Body {
    protocol::record::Body::Erase(protocol::record::Erase {})
}

fn tombstone(answer: &Answered) -> Vec<u8> {
    let problem = answer.problem(410, ProblemKind::Erased);
    HEXLOWER.decode(problem.record.unwrap().as_bytes()).unwrap()
}

#[tokio::test]
async fn every_call_is_answered_with_the_record_that_erased() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let (journal, device, erase) = full(&bench, &owner).await;
    let path = journal.path("log");
    let page: LogPage = bench.post(&owner, &path, &erase).await.message();
    assert_eq!((page.length, page.records.len()), (4, 0));
    let calls = [
        (Method::GET, "log"),
        (Method::POST, "log"),
        (Method::POST, "sync"),
        (Method::POST, "envelopes"),
        (Method::GET, "events"),
    ];
    for keys in [&owner, &device, &Keys::of(9)] {
        for (method, part) in &calls {
            let path = journal.path(part);
            let answer = match *method {
                Method::GET => bench.get(keys, &path).await,
                _ => bench.post(keys, &path, &erase).await,
            };
            assert_eq!(tombstone(&answer), erase.records[0].0, "{method} {part}");
        }
        let answer = bench.post(keys, JOURNALS, &journal.create()).await;
        assert_eq!(tombstone(&answer), erase.records[0].0);
    }
    // It verifies against the log that its members have.
    let record = SignedRecord::parse(&erase.records[0].0).unwrap();
    let mut log = journal.log.clone();
    log.append(record).unwrap();
    assert!(log.is_erased());
    assert_eq!(
        bench.store.journals_of(record_key(&owner)).await.unwrap(),
        []
    );
    assert_eq!(bench.store.journals().await.unwrap(), []);
}

fn record_key(keys: &Keys) -> protocol::id::KeyId {
    protocol::sign::Signer::key_id(keys)
}

#[tokio::test]
async fn only_owners_erase() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let (journal, device, _) = full(&bench, &owner).await;
    let append = LogAppend {
        head: journal.log.head(),
        records: vec![Bytes(journal.next(&device, &erase()).bytes().to_vec())],
        blobs: Vec::new(),
    };
    let answer = bench.post(&device, &journal.path("log"), &append).await;
    answer.problem(409, ProblemKind::RuleBroken);
    let _: LogPage = bench.get(&owner, &journal.path("log")).await.message();
}

#[tokio::test]
async fn a_full_journal_can_still_be_erased() {
    let limits = Limits {
        quota: 4_700,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let mut chain = journal.chain(&owner);
    for length in [1_200, 400, 200, 50, 10] {
        let envelope = chain.seal(length);
        let append = chain.append(vec![envelope]);
        bench
            .post(&owner, &journal.path("envelopes"), &append)
            .await;
    }
    let (record, blob) = journal.invite(&owner, &Keys::of(3), NOW + 60);
    let invite = journal.clone().append(record, Some(blob));
    let answer = bench.post(&owner, &journal.path("log"), &invite).await;
    answer.problem(507, ProblemKind::Full);
    let record = journal.erase(&owner);
    bench.tell(&mut journal, &owner, record, Vec::new()).await;
}

#[tokio::test]
async fn a_relay_without_the_journal_learns_only_that_it_was_erased() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = Journal::start(&owner);
    let record = journal.erase(&owner);
    journal.append(record, None);
    let answer = bench.post(&owner, JOURNALS, &journal.create()).await;
    assert_eq!(answer.status, 201);
    let answer = bench.get(&owner, &journal.path("log")).await;
    assert_eq!(tombstone(&answer), journal.records[1].0);
    // One that has the beginning of the log.
    let other = Bench::new().await;
    let mut journal = other.journal(&owner).await;
    let record = journal.erase(&owner);
    journal.append(record, None);
    let answer = other.post(&owner, JOURNALS, &journal.create()).await;
    let page: LogPage = answer.message();
    assert_eq!((page.length, page.head), (2, journal.log.head()));
    let answer = other.get(&owner, &journal.path("log")).await;
    assert_eq!(tombstone(&answer), journal.records[1].0);
}

#[tokio::test]
async fn erased_journals_count_and_do_not_come_back() {
    let limits = Limits {
        journals: 1,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let record = journal.erase(&owner);
    bench.tell(&mut journal, &owner, record, Vec::new()).await;
    let other = Journal::start(&Keys::of(2));
    let answer = bench.post(&Keys::of(2), JOURNALS, &other.create()).await;
    answer.problem(507, ProblemKind::Full);
    let again = Journal::start(&owner);
    let answer = bench.post(&owner, JOURNALS, &again.create()).await;
    answer.problem(410, ProblemKind::Erased);
}

/// Returns whether any of the store's files holds these bytes.
fn holds(bench: &Bench, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(bench.folder.path()).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn no_byte_of_an_erased_journal_stays_in_the_files() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    bench.join(&mut journal, &owner, 10).await;
    let mut chain = journal.chain(&owner);
    let small = chain.seal(300);
    let large = chain.seal(100_000);
    let append = chain.append(vec![small.clone(), large.clone()]);
    let path = journal.path("envelopes");
    let appended: Appended = bench.post(&owner, &path, &append).await.message();
    assert_eq!(appended.refused, []);
    // Signatures are at the end, and tell envelopes and records apart from all others.
    let end = |bytes: &Bytes| bytes.0[bytes.0.len() - 48..].to_vec();
    let start = |bytes: &Bytes| bytes.0[..40].to_vec();
    let mut traces = vec![end(&small), end(&large), start(&small)];
    traces.extend(journal.records.iter().map(end));
    traces.extend(journal.blobs.iter().map(|blob| blob.0.clone()));
    traces.push(record_key(&owner).0.to_vec());
    // The device's key is in the record that erases, as its author.
    let author = traces.pop().unwrap();
    for trace in &traces[..4] {
        assert!(holds(&bench, trace), "before, it is there");
    }
    let record = journal.erase(&owner);
    let bytes = record.bytes().to_vec();
    bench.tell(&mut journal, &owner, record, Vec::new()).await;
    for trace in &traces {
        assert!(!holds(&bench, trace), "{trace:02x?}");
    }
    assert!(holds(&bench, &bytes) && holds(&bench, &author));
    let request = cbor::encode(&journal.create());
    assert!(!holds(&bench, &request[..200]));
}

#[tokio::test]
async fn what_a_reader_keeps_alive_is_overwritten_by_the_next_sweep() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let mut chain = journal.chain(&owner);
    let envelope = chain.seal(300);
    let append = chain.append(vec![envelope.clone()]);
    let path = journal.path("envelopes");
    let _: Appended = bench.post(&owner, &path, &append).await.message();
    let reader = rusqlite::Connection::open(bench.folder.path().join("relay.sqlite3")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM envelopes";
    let seen: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(seen, 1);
    let record = journal.erase(&owner);
    bench.tell(&mut journal, &owner, record, Vec::new()).await;
    let trace = &envelope.0[envelope.0.len() - 48..];
    assert!(holds(&bench, trace), "the reader still sees it");
    drop(reader);
    bench.store.sweep(NOW).await.unwrap();
    assert!(!holds(&bench, trace));
}

#[tokio::test]
async fn event_streams_end_with_the_journal() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let (journal, device, erase) = full(&bench, &owner).await;
    let path = journal.path("events");
    let request = ("GET", &*path, b"".as_slice());
    let proof = bench.sign(&device, request, ORIGIN, NOW);
    let mut events = bench.respond(request, Some(&proof), None).await.into_body();
    assert!(events.frame().await.is_some());
    let _: LogPage = bench
        .post(&owner, &journal.path("log"), &erase)
        .await
        .message();
    assert!(events.frame().await.is_none());
}
