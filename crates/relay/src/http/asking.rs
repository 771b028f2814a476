//! Who asks: from a request to a proven key, before anything else is done.
//!
//! The order is: proof readable, time, origin (401) → journal known (404, or 410 if it was erased) → key known (403) → body within its limits
//! (413) → signature (401) → rate (429) → what the key may do (403). Until the key is known to the journal no body is
//! read, so strangers cost little.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use protocol::id::JournalId;
use protocol::limits;
use protocol::log::MemberLog;
use protocol::request::{self, Authorization, RequestError};

use super::Site;
use super::body::{self, Held};
use super::problem::Rejection;
use crate::service::{Asker, Proof};

/// The journal in a path, as axum gives it.
pub(super) type JournalPath = Result<Path<String>, PathRejection>;

/// A request whose key is proven.
pub(super) struct Asked {
    /// The journal.
    pub(super) journal: JournalId,
    /// Who asks.
    pub(super) asker: Asker,
    /// The proof.
    pub(super) authorization: Authorization,
    /// The body.
    pub(super) body: Held,
}

impl Asked {
    /// Reads the body as a message.
    pub(super) fn message<T>(&self) -> Result<T, Rejection>
    where
        T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
    {
        message(&self.body.bytes)
    }
}

/// Reads bytes as a message.
pub(super) fn message<T>(bytes: &[u8]) -> Result<T, Rejection>
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
{
    protocol::cbor::decode(bytes)
        .map_err(|error| Rejection::malformed(format!("the body cannot be read: {error}")))
}

/// Proves that a device of the journal asks.
pub(super) async fn ask_member(
    site: &Site,
    path: JournalPath,
    request: Request,
) -> Result<Asked, Rejection> {
    let asked = ask(site, path, request).await?;
    match asked.asker {
        Asker::Device(_) => Ok(asked),
        barred => Err(Rejection::barred(barred)),
    }
}

/// Returns what to answer about a journal that is not here: that it was erased, if it was.
pub(super) async fn missing(site: &Site, journal: JournalId) -> Rejection {
    match site.relay.storage().tombstone(journal).await {
        Ok(Some(record)) => Rejection::erased(&record),
        Ok(None) => Rejection::unknown_journal(),
        Err(error) => error.into(),
    }
}

/// Proves that a device or an invite that the journal knows asks. What it may do is still to be checked.
pub(super) async fn ask(
    site: &Site,
    path: JournalPath,
    request: Request,
) -> Result<Asked, Rejection> {
    let (parts, body) = request.into_parts();
    let (journal, authorization, log) = match known(site, path, &parts).await {
        Ok(known) => known,
        Err(rejection) => {
            body::discard(body).await;
            return Err(rejection);
        }
    };
    let now = site.relay.now();
    let Some((asker, verifier)) = Asker::find(&log, &authorization.key, now) else {
        body::discard(body).await;
        return Err(Rejection::forbidden("the key is no member of this journal"));
    };
    let body = site.bodies.read(body).await?;
    site.relay
        .check(proof(&authorization, &parts, &body.bytes), &verifier)
        .map_err(|error| Rejection::proof(error, now, site.relay.limits().requests))?;
    Ok(Asked {
        journal,
        asker,
        authorization,
        body,
    })
}

async fn known(
    site: &Site,
    path: JournalPath,
    parts: &Parts,
) -> Result<(JournalId, Authorization, Arc<MemberLog>), Rejection> {
    let authorization = authorization(site, parts)?;
    let journal = path.ok().and_then(|Path(text)| text.parse().ok());
    let journal: JournalId = journal.ok_or_else(Rejection::unknown_journal)?;
    let log = site.relay.log(journal).await?;
    match log {
        Some(log) => Ok((journal, authorization, log)),
        None => Err(missing(site, journal).await),
    }
}

/// Reads the proof, and checks its time and origin. Its signature is still to be checked.
pub(super) fn authorization(site: &Site, parts: &Parts) -> Result<Authorization, Rejection> {
    let now = site.relay.now();
    let header = parts.headers.get(header::AUTHORIZATION);
    let text = header.and_then(|value| value.to_str().ok());
    let authorization = text
        .ok_or(RequestError::Malformed)
        .and_then(Authorization::parse)
        .map_err(|error| Rejection::unauthorized(error.to_string(), now))?;
    if authorization.time.abs_diff(now) > limits::CLOCK_SKEW_SECONDS {
        let detail = RequestError::Clock.to_string();
        return Err(Rejection::unauthorized(detail, now));
    }
    if !site.origins.accept(&authorization.origin, parts) {
        let detail = "the request is signed for another relay than this";
        return Err(Rejection::unauthorized(detail, now));
    }
    Ok(authorization)
}

/// Returns a proof with what it is about.
pub(super) fn proof<'a>(
    authorization: &'a Authorization,
    parts: &'a Parts,
    body: &'a [u8],
) -> Proof<'a> {
    let path = parts.uri.path_and_query();
    Proof {
        authorization,
        request: request::Request {
            method: parts.method.as_str(),
            path: path.map_or("/", |path| path.as_str()),
            body,
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use protocol::api::{self, LogPage, ProblemKind};
    use protocol::limits::{CLOCK_SKEW_SECONDS, REQUEST_BYTES};

    use crate::service::Limits;
    use crate::testing::{Bench, Journal, Keys, NOW, ORIGIN};

    #[tokio::test]
    async fn an_unsigned_request_hears_the_time() {
        let bench = Bench::new().await;
        let journal = bench.journal(&Keys::of(1)).await;
        let answer = bench
            .send(("GET", &journal.path("log"), b""), None, None)
            .await;
        let problem = answer.problem(401, ProblemKind::Unauthorized);
        assert_eq!(problem.time, Some(NOW));
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Ebb");
    }

    #[tokio::test]
    async fn a_proof_holds_for_its_own_request_only() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let (path, other) = (journal.path("log"), journal.path("log?from=1"));
        let proof = bench.sign(&owner, ("GET", &path, b""), ORIGIN, NOW);
        let forged = bench.sign(&owner, ("GET", &path, b"x"), ORIGIN, NOW);
        let good = bench.send(("GET", &path, b""), Some(&proof), None).await;
        let _: LogPage = good.message();
        for (request, proof) in [
            (("GET", other.as_str(), b"".as_slice()), &proof),
            (("POST", path.as_str(), b""), &proof),
            (("GET", path.as_str(), b"body"), &proof),
            (("GET", path.as_str(), b""), &forged),
        ] {
            let answer = bench.send(request, Some(proof), None).await;
            let problem = answer.problem(401, ProblemKind::Unauthorized);
            assert_eq!(problem.detail, "the signature does not hold");
        }
    }

    #[tokio::test]
    async fn a_member_s_name_under_another_s_signature_is_refused() {
        let bench = Bench::new().await;
        let (owner, thief) = (Keys::of(1), Keys::of(2));
        let journal = bench.journal(&owner).await;
        let request = ("GET", &*journal.path("log"), b"".as_slice());
        let mut forged = bench.sign(&thief, request, ORIGIN, NOW);
        forged.key = protocol::sign::Signer::key_id(&owner);
        let answer = bench.send(request, Some(&forged), None).await;
        answer.problem(401, ProblemKind::Unauthorized);
    }

    #[tokio::test]
    async fn a_proof_for_another_relay_is_refused() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let request = ("GET", &*journal.path("log"), b"".as_slice());
        for origin in ["http://other.test", "http://127.0.0.1:1"] {
            let proof = bench.sign(&owner, request, origin, NOW);
            let answer = bench.send(request, Some(&proof), None).await;
            let problem = answer.problem(401, ProblemKind::Unauthorized);
            assert!(problem.detail.contains("another relay"));
        }
    }

    #[tokio::test]
    async fn clocks_may_differ_by_five_minutes_and_no_more() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let request = ("GET", &*journal.path("log"), b"".as_slice());
        for time in [NOW - CLOCK_SKEW_SECONDS, NOW + CLOCK_SKEW_SECONDS] {
            let proof = bench.sign(&owner, request, ORIGIN, time);
            let _: LogPage = bench.send(request, Some(&proof), None).await.message();
        }
        for time in [
            0,
            NOW - CLOCK_SKEW_SECONDS - 1,
            NOW + CLOCK_SKEW_SECONDS + 1,
            u64::MAX,
        ] {
            let proof = bench.sign(&owner, request, ORIGIN, time);
            let answer = bench.send(request, Some(&proof), None).await;
            let problem = answer.problem(401, ProblemKind::Unauthorized);
            assert_eq!(problem.time, Some(NOW));
        }
    }

    #[tokio::test]
    async fn strangers_are_told_apart_from_unknown_journals() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let stranger = Keys::of(2);
        let answer = bench.get(&stranger, &journal.path("log")).await;
        answer.problem(403, ProblemKind::Forbidden);
        let elsewhere = Journal::start(&stranger);
        for path in [elsewhere.path("log"), "/v1/journals/no-id/log".to_owned()] {
            let answer = bench.get(&owner, &path).await;
            answer.problem(404, ProblemKind::UnknownJournal);
        }
        let answer = bench.get(&owner, "/v1/nothing").await;
        answer.problem(404, ProblemKind::NotFound);
    }

    #[tokio::test]
    async fn an_invite_reads_the_log_and_nothing_else() {
        let bench = Bench::new().await;
        let (owner, invite) = (Keys::of(1), Keys::of(2));
        let mut journal = bench.journal(&owner).await;
        let (record, blob) = journal.invite(&owner, &invite, NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &append)
            .await
            .message();
        let chain = journal.chain(&owner);
        let answer = bench.get(&invite, &journal.path("events")).await;
        answer.problem(403, ProblemKind::Forbidden);
        let append = chain.append(Vec::new());
        let answer = bench
            .post(&invite, &journal.path("envelopes"), &append)
            .await;
        answer.problem(403, ProblemKind::Forbidden);
    }

    #[tokio::test]
    async fn a_long_body_names_the_limit() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("envelopes");
        for length in [REQUEST_BYTES + 1, REQUEST_BYTES * 3] {
            let body = vec![0; length];
            let request = ("POST", &*path, body.as_slice());
            let proof = bench.sign(&owner, request, ORIGIN, NOW);
            let answer = bench.send(request, Some(&proof), None).await;
            let problem = answer.problem(413, ProblemKind::TooLarge);
            assert_eq!(problem.limit, Some(REQUEST_BYTES as u64));
        }
        let body = vec![0; REQUEST_BYTES];
        let request = ("POST", &*path, body.as_slice());
        let proof = bench.sign(&owner, request, ORIGIN, NOW);
        let answer = bench.send(request, Some(&proof), None).await;
        answer.problem(400, ProblemKind::Malformed);
    }

    #[tokio::test]
    async fn a_key_that_asks_too_often_waits_and_others_do_not() {
        let limits = Limits {
            requests: 30,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let device = bench.join(&mut journal, &owner, 10).await;
        let path = journal.path("log");
        // Two requests went into creating the journal and opening the invite.
        for _ in 0..28 {
            let _: LogPage = bench.get(&owner, &path).await.message();
        }
        let answer = bench.get(&owner, &path).await;
        let problem = answer.problem(429, ProblemKind::TooMany);
        assert_eq!(problem.limit, Some(30));
        let wait: u64 = answer.headers[header::RETRY_AFTER]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=3).contains(&wait), "{wait}");
        let _: LogPage = bench.get(&device, &path).await.message();
        bench.clock.pass(wait);
        let _: LogPage = bench.get(&owner, &path).await.message();
    }

    #[tokio::test]
    async fn forged_requests_do_not_use_up_a_key_s_share() {
        let limits = Limits {
            requests: 3,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let request = ("GET", &*journal.path("log"), b"".as_slice());
        let forged = bench.sign(&owner, ("GET", api::JOURNALS, b""), ORIGIN, NOW);
        for _ in 0..20 {
            let answer = bench.send(request, Some(&forged), None).await;
            answer.problem(401, ProblemKind::Unauthorized);
        }
        let _: LogPage = bench.get(&owner, &journal.path("log")).await.message();
    }
}
