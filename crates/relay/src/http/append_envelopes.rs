//! `POST /v1/journals/{journal}/envelopes`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::Append;
use protocol::limits;

use super::asking::{self, JournalPath};
use super::openapi::Writing;
use super::problem::Rejection;
use super::{Shared, answer};
use crate::service::Stored;

/// Stores envelopes, each chain in order.
///
/// For devices of any role: an envelope is judged by its own signature and the member log, never by who brings it. What is
/// stored already is a success. Durable before the answer.
#[utoipa::path(
    post,
    path = "/v1/journals/{journal}/envelopes",
    tag = "envelopes",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    request_body(content = ref("#/components/schemas/Append"), content_type = "application/cbor"),
    responses(
        (status = 200, description = "Stored, durably, but for those refused", body = ref("#/components/schemas/Appended"), content_type = "application/cbor"),
        Writing,
    ),
    security(("signed" = []))
)]
pub(super) async fn append_envelopes(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    let append: Append = asked.message()?;
    if append.envelopes.len() > limits::APPEND_ENVELOPES {
        return Err(Rejection::too_large(
            "the envelopes of a request",
            limits::APPEND_ENVELOPES,
        ));
    }
    match site.relay.append(asked.journal, append).await? {
        Stored::Done(appended) => Ok(answer::cbor(StatusCode::OK, &appended)),
        Stored::Missing => Err(asking::missing(&site, asked.journal).await),
        Stored::Stale => Err(Rejection::stale_head()),
        Stored::OverQuota => Err(Rejection::over_quota(site.relay.limits().quota)),
        Stored::TooMany => Err(Rejection::too_many_envelopes(site.relay.limits().envelopes)),
        Stored::Busy => Err(Rejection::busy()),
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::{Append, Appended, LogPage, ProblemKind, SyncAnswer, SyncRequest};
    use protocol::cbor::Bytes;
    use protocol::id::Seq;
    use protocol::limits::APPEND_ENVELOPES;
    use protocol::vector::Vector;

    use crate::service::Limits;
    use crate::testing::{Bench, Journal, Keys, NOW};

    async fn stored(bench: &Bench, keys: &Keys, journal: &Journal) -> Vec<Bytes> {
        let request = SyncRequest {
            log_length: journal.log.length(),
            head: journal.log.head(),
            vector: Vector::default(),
        };
        let answer = bench.post(keys, &journal.path("sync"), &request).await;
        answer.message::<SyncAnswer>().envelopes
    }

    #[tokio::test]
    async fn the_same_envelopes_again_are_stored_once() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("envelopes");
        let mut chain = journal.chain(&owner);
        let all: Vec<Bytes> = (0..5).map(|_| chain.seal(50)).collect();
        for envelopes in [&all[..2], &all[1..4], &all[..], &all[..1]] {
            let append = chain.append(envelopes.to_vec());
            let appended: Appended = bench.post(&owner, &path, &append).await.message();
            assert_eq!(appended.refused, []);
        }
        let append = chain.append(Vec::new());
        let appended: Appended = bench.post(&owner, &path, &append).await.message();
        let heads: Vec<Seq> = appended.heads.0.values().map(|head| head.seq).collect();
        assert_eq!(heads, [Seq(5)]);
        assert_eq!(stored(&bench, &owner, &journal).await, all);
    }

    #[tokio::test]
    async fn what_does_not_hold_is_refused_with_its_place_and_reason() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("envelopes");
        let mut chain = journal.chain(&owner);
        let good = chain.seal(50);
        let gap = {
            chain.seal(50);
            chain.seal(50)
        };
        let mut flipped = journal.chain(&owner).seal(60);
        flipped.0[200] ^= 1;
        let second = journal.chain(&owner).seal(61);
        let elsewhere = Journal::start(&Keys::of(2));
        let foreign = elsewhere.chain(&Keys::of(2)).seal(50);
        let stranger = {
            let mut chain = journal.chain(&Keys::of(3));
            chain.seal(50)
        };
        let garbage = Bytes(vec![0x5a; 300]);
        let append = chain.append(vec![
            flipped,
            good.clone(),
            second,
            gap,
            foreign,
            stranger,
            garbage,
            good.clone(),
        ]);
        let appended: Appended = bench.post(&owner, &path, &append).await.message();
        let refused: Vec<(u32, &str)> = appended
            .refused
            .iter()
            .map(|refused| (refused.index, refused.reason.as_str()))
            .collect();
        assert_eq!(
            refused,
            [
                (0, "its signature does not hold"),
                (2, "another envelope holds this place in its chain"),
                (3, "envelopes before it in its chain are missing"),
                (4, "it belongs to another journal"),
                (5, "its device was no member then"),
                (6, "version 90, suite 90: from a newer ebb"),
            ]
        );
        assert_eq!(stored(&bench, &owner, &journal).await, [good]);
    }

    #[tokio::test]
    async fn any_member_brings_what_any_device_sealed() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let device = bench.join(&mut journal, &owner, 10).await;
        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(50);
        let append = chain.append(vec![envelope]);
        let appended: Appended = bench
            .post(&device, &journal.path("envelopes"), &append)
            .await
            .message();
        assert_eq!((appended.refused.len(), appended.heads.0.len()), (0, 1));
    }

    #[tokio::test]
    async fn an_older_log_stores_nothing() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(50);
        let append = chain.append(vec![envelope]);
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let log = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &log)
            .await
            .message();
        let path = journal.path("envelopes");
        let answer = bench.post(&owner, &path, &append).await;
        answer.problem(409, ProblemKind::StaleHead);
        assert_eq!(stored(&bench, &owner, &journal).await, []);
        // With the newer log the same envelope, which names the older head, is good.
        let append = Append {
            head: journal.log.head(),
            ..append
        };
        let appended: Appended = bench.post(&owner, &path, &append).await.message();
        assert_eq!(appended.refused, []);
    }

    #[tokio::test]
    async fn a_full_journal_stores_nothing_more() {
        let limits = Limits {
            quota: 10_000,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("envelopes");
        let mut chain = journal.chain(&owner);
        let fits = chain.seal(2_000);
        let append = chain.append(vec![fits.clone()]);
        let _: Appended = bench.post(&owner, &path, &append).await.message();
        let small = chain.seal(10);
        let long = chain.seal(7_000);
        let append = chain.append(vec![small.clone(), long]);
        let answer = bench.post(&owner, &path, &append).await;
        let problem = answer.problem(507, ProblemKind::Full);
        assert_eq!(problem.limit, Some(10_000));
        let kept = stored(&bench, &owner, &journal).await;
        assert_eq!(kept, std::slice::from_ref(&fits));
        let append = chain.append(vec![small.clone()]);
        let _: Appended = bench.post(&owner, &path, &append).await.message();
        assert_eq!(stored(&bench, &owner, &journal).await, [fits, small]);
    }

    #[tokio::test]
    async fn a_request_has_so_many_envelopes() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let chain = journal.chain(&owner);
        let append = chain.append(vec![Bytes(Vec::new()); APPEND_ENVELOPES + 1]);
        let answer = bench
            .post(&owner, &journal.path("envelopes"), &append)
            .await;
        let problem = answer.problem(413, ProblemKind::TooLarge);
        assert_eq!(problem.limit, Some(APPEND_ENVELOPES as u64));
    }

    #[tokio::test]
    async fn many_at_once_lose_nothing() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let mut devices = vec![owner.clone()];
        for seed in [10, 20, 30] {
            devices.push(bench.join(&mut journal, &owner, seed).await);
        }
        let path = journal.path("envelopes");
        let mut appends = Vec::new();
        for device in &devices {
            let mut chain = journal.chain(device);
            let all: Vec<Bytes> = (0..20).map(|_| chain.seal(50)).collect();
            // Each device sends everything it has four times over, all at once.
            appends.extend((0..4).map(|_| (device, chain.append(all.clone()))));
        }
        let answers = appends
            .iter()
            .map(|(device, append)| bench.post(device, &path, append));
        for answer in futures_util::future::join_all(answers).await {
            assert_eq!(answer.message::<Appended>().refused, []);
        }
        assert_eq!(stored(&bench, &owner, &journal).await.len(), 80);
    }
}
