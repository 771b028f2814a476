//! Limits that the keeper may set, each with its answer.

use axum::http::StatusCode;
use protocol::api::{Append, Appended, JOURNALS, ProblemKind};

use crate::service::Limits;
use crate::testing::{Bench, Journal, Keys};

#[tokio::test]
async fn journals_are_limited_in_all_and_by_token() {
    let limits = Limits {
        journals: 2,
        ..Limits::default()
    };
    let by_token = Limits {
        journals_per_token: 2,
        ..Limits::default()
    };
    for (limits, words) in [
        (limits, "this relay may have 2"),
        (by_token, "one enrolment token"),
    ] {
        let bench = Bench::with(limits).await;
        for seed in [1, 2] {
            bench.journal(&Keys::of(seed)).await;
        }
        let owner = Keys::of(3);
        let third = Journal::start(&owner).create();
        let answer = bench.post(&owner, JOURNALS, &third).await;
        let problem = answer.problem(507, ProblemKind::Full);
        assert_eq!(problem.limit, Some(2));
        assert!(problem.detail.contains(words), "{}", problem.detail);
        // One that is here already is no new one.
        let owner = Keys::of(1);
        let known = Journal::start(&owner).create();
        let answer = bench.post(&owner, JOURNALS, &known).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn envelopes_of_a_journal_are_limited() {
    let limits = Limits {
        envelopes: 3,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let owner = Keys::of(1);
    let journal = bench.journal(&owner).await;
    let mut chain = journal.chain(&owner);
    let path = journal.path("envelopes");
    let four: Vec<_> = (0..4).map(|_| chain.seal(10)).collect();
    let append = |envelopes: &[protocol::cbor::Bytes]| Append {
        head: journal.log.head(),
        envelopes: envelopes.to_vec(),
    };
    let answer = bench.post(&owner, &path, &append(&four)).await;
    assert_eq!(answer.problem(507, ProblemKind::Full).limit, Some(3));
    let three = append(&four[..3]);
    // Twice: what is stored already is no more than there may be.
    for _ in 0..2 {
        let answer: Appended = bench.post(&owner, &path, &three).await.message();
        assert_eq!(answer.refused, []);
    }
    let answer = bench.post(&owner, &path, &append(&four[3..])).await;
    answer.problem(507, ProblemKind::Full);
}

#[tokio::test]
async fn more_envelopes_than_one_append_takes_name_the_limit() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let journal = bench.journal(&owner).await;
    let mut chain = journal.chain(&owner);
    let envelope = chain.seal(10);
    let most = protocol::limits::APPEND_ENVELOPES;
    let append = chain.append(vec![envelope; most + 1]);
    let answer = bench
        .post(&owner, &journal.path("envelopes"), &append)
        .await;
    let problem = answer.problem(413, ProblemKind::TooLarge);
    assert_eq!(problem.limit, Some(most as u64));
}
