//! What goes wrong with data and requests, and what is answered.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::stream;
use protocol::api::{Appended, JOURNALS, LogPage, ProblemKind, SyncAnswer, SyncRequest};
use protocol::cbor;
use protocol::vector::Vector;
use tower::ServiceExt;

use crate::http::{Bodies, Origins};
use crate::service::Limits;
use crate::sqlite::Sqlite;
use crate::testing::{Answered, Bench, HOST, Journal, Keys, NOW, ORIGIN};

/// A journal with so many envelopes that its file has many pages.
async fn full(bench: &Bench, owner: &Keys) -> (Journal, Vec<protocol::cbor::Bytes>) {
    let journal = bench.journal(owner).await;
    let mut chain = journal.chain(owner);
    let envelopes: Vec<_> = (0..64).map(|_| chain.seal(3_000)).collect();
    let append = chain.append(envelopes.clone());
    let path = journal.path("envelopes");
    let answer: Appended = bench.post(owner, &path, &append).await.message();
    assert_eq!(answer.refused, []);
    (journal, envelopes)
}

async fn sync(bench: &Bench, owner: &Keys, journal: &Journal) -> Answered {
    let request = SyncRequest {
        log_length: 1,
        head: journal.log.head(),
        vector: Vector::default(),
    };
    bench.post(owner, &journal.path("sync"), &request).await
}

/// Opens the data of a relay that has ended.
fn again(bench: Bench) -> Option<Bench> {
    let Bench { folder, store, .. } = bench;
    drop(store);
    let store = Arc::new(Sqlite::open(folder.path()).ok()?);
    let origins = Origins::Asked { loopback: false };
    Some(Bench::over(store, folder, Limits::default(), origins))
}

#[tokio::test]
async fn a_damaged_file_is_answered_with_its_data_or_an_error_and_never_with_other_data() {
    let page = 4_096;
    for damaged in 0..24 {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let (journal, envelopes) = full(&bench, &owner).await;
        let file = bench.folder.path().join("relay.sqlite3");
        let Bench {
            folder,
            store,
            router,
            ..
        } = bench;
        drop((store, router));
        let length = file.metadata().unwrap().len();
        let whole = File::options().write(true).open(&file).unwrap();
        if damaged % 2 == 0 {
            // Cut at another page each time.
            whole
                .set_len(length * (damaged + 2) / 30 / page * page)
                .unwrap();
        } else {
            let place = length * damaged / 24 / page * page;
            whole.write_all_at(&[0xa5; 4_096], place).unwrap();
        }
        let Ok(store) = Sqlite::open(folder.path()) else {
            continue;
        };
        let origins = Origins::Asked { loopback: false };
        let bench = Bench::over(Arc::new(store), folder, Limits::default(), origins);
        let answer = sync(&bench, &owner, &journal).await;
        match answer.status.as_u16() {
            // A page of blobs is the content itself: SQLite cannot tell, but every client can.
            200 => {
                let found = answer.message::<SyncAnswer>().envelopes;
                assert_eq!(found.len(), envelopes.len(), "page {damaged}");
            }
            404 => assert!(damaged % 2 == 1, "page {damaged}"),
            500 => {
                answer.problem(500, ProblemKind::Internal);
            }
            other => panic!("page {damaged}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_replay_is_refused_by_a_relay_that_has_started_again() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
    let body = cbor::encode(&journal.append(record, Some(blob)));
    let path = journal.path("log");
    let request = ("POST", &*path, body.as_slice());
    let proof = bench.sign(&owner, request, ORIGIN, NOW);
    let _: LogPage = bench.send(request, Some(&proof), None).await.message();
    let bench = again(bench).unwrap();
    let answer = bench.send(request, Some(&proof), None).await;
    let problem = answer.problem(401, ProblemKind::Unauthorized);
    assert!(problem.detail.contains("made before"), "{}", problem.detail);
}

#[tokio::test]
async fn a_clock_that_jumps_refuses_proofs_until_it_is_right_and_loses_nothing() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let (journal, envelopes) = full(&bench, &owner).await;
    let path = journal.path("log");
    let request = ("GET", &*path, b"".as_slice());
    bench.clock.pass(3_600);
    let proof = bench.sign(&owner, request, ORIGIN, NOW);
    let answer = bench.send(request, Some(&proof), None).await;
    // The client hears the time, and tries once more with it.
    let time = answer.problem(401, ProblemKind::Unauthorized).time.unwrap();
    let proof = bench.sign(&owner, request, ORIGIN, time);
    let _: LogPage = bench.send(request, Some(&proof), None).await.message();
    let answer = sync(&bench, &owner, &journal).await;
    assert_eq!(answer.message::<SyncAnswer>().envelopes, envelopes);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let journal = bench.journal(&owner).await;
    let Bench { folder, store, .. } = bench;
    let mut bodies = Bodies::default();
    bodies.silence = Duration::from_millis(50);
    let origins = Origins::Asked { loopback: false };
    let bench = Bench::waiting(store, folder, Limits::default(), origins, bodies);
    let path = journal.path("sync");
    let proof = bench.sign(&owner, ("POST", &path, b"half"), ORIGIN, NOW);
    let first = stream::iter([Ok::<_, std::io::Error>("half")]);
    let body = Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()));
    let request = Request::builder()
        .method("POST")
        .uri(&path)
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, proof.to_string());
    let response = bench.router.clone().oneshot(request.body(body).unwrap());
    let answer = Answered::or_stream(response.await.unwrap()).await;
    let problem = answer.problem(400, ProblemKind::Malformed);
    assert!(problem.detail.contains("too slowly"), "{}", problem.detail);
}

/// A small generator of random numbers (Marsaglia, xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 8).unwrap_or(0)
    }
}

#[tokio::test]
async fn no_body_of_a_member_makes_the_relay_fail() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let mut chain = journal.chain(&owner);
    let sealed = chain.seal(100);
    let sync = SyncRequest {
        log_length: 1,
        head: journal.log.head(),
        vector: chain.vector(),
    };
    let create = cbor::encode(&journal.create());
    let append = cbor::encode(&chain.append(vec![sealed]));
    let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
    let log = cbor::encode(&journal.append(record, Some(blob)));
    let sync = cbor::encode(&sync);
    let mut random = Random(0x5eed);
    for (path, valid) in [
        (JOURNALS.to_owned(), create),
        (journal.path("envelopes"), append),
        (journal.path("log"), log),
        (journal.path("sync"), sync.clone()),
        (journal.path("snapshots"), sync.clone()),
        (journal.path("prune"), sync),
    ] {
        for _ in 0..150 {
            let mut body = valid.clone();
            for _ in 0..=random.next() % 3 {
                let place = random.next() % body.len().max(1);
                match random.next() % 4 {
                    0 => body.truncate(place),
                    1 => body.insert(place.min(body.len()), 0xff),
                    2 => body.splice(0..0, [0x9b; 9]).for_each(drop),
                    _ => {
                        if let Some(byte) = body.get_mut(place) {
                            *byte = u8::try_from(random.next() & 0xff).unwrap_or(0);
                        }
                    }
                }
            }
            let request = ("POST", &*path, body.as_slice());
            let proof = bench.sign(&owner, request, ORIGIN, NOW);
            let token = Some(crate::testing::TOKEN);
            let answer = bench.send(request, Some(&proof), token).await;
            let status = answer.status.as_u16();
            assert!(
                status < 500 || status == 507,
                "{path}: {status}: {body:02x?}"
            );
        }
    }
}
