//! `POST /v1/journals`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use protocol::api::{Create, ENROLMENT_HEADER, EnrolmentToken};

use super::openapi::Creating;
use super::problem::Rejection;
use super::{Shared, answer, asking, body};
use crate::service::Created;

/// Creates a journal, or gives back what this relay lost of one.
///
/// Needs the enrolment token, unless the relay is open or has the journal already. A relay that has the beginning of the
/// log appends the rest, under the rules; what the request lacks of the log is answered. Signed by a device of the log. It
/// brings what stands elsewhere already, so no frontier of its records is held against what this relay has.
#[utoipa::path(
    post,
    path = "/v1/journals",
    tag = "journals",
    params(("ebb-enrolment" = Option<String>, Header, description = "The relay's enrolment token")),
    request_body(content = ref("#/components/schemas/Create"), content_type = "application/cbor"),
    responses(
        (status = 201, description = "The journal exists from now on", body = ref("#/components/schemas/LogPage"), content_type = "application/cbor"),
        (status = 200, description = "The journal existed, and has all records of the request", body = ref("#/components/schemas/LogPage"), content_type = "application/cbor"),
        Creating,
    ),
    security(("signed" = []))
)]
pub(super) async fn create(State(site): Shared, request: Request) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    let authorization = match asking::authorization(&site, &parts) {
        Ok(authorization) => authorization,
        Err(rejection) => {
            body::discard(body).await;
            return Err(rejection);
        }
    };
    let token = token(&parts.headers);
    let body = site.bodies.read(body).await?;
    let message: Create = asking::message(&body.bytes)?;
    let proof = asking::proof(&authorization, &parts, &body.bytes);
    let relay = &site.relay;
    match relay.create(proof, token, message).await? {
        Created::New(page) => Ok(answer::cbor(StatusCode::CREATED, &page)),
        Created::Known(page) => Ok(answer::cbor(StatusCode::OK, &page)),
        Created::WrongToken => Err(Rejection::wrong_token()),
        Created::NotMember => Err(Rejection::forbidden("the key is no member of this journal")),
        Created::Barred(asker) => Err(Rejection::barred(asker)),
        Created::Erased(record) => Err(Rejection::erased(&record)),
        Created::Proof(error) => {
            let requests = relay.limits().requests;
            Err(Rejection::proof(error, relay.now(), requests))
        }
        Created::Forked => Err(Rejection::stale_head()),
        Created::Refused(refused) => Err(refused.into()),
        Created::OverQuota => Err(Rejection::over_quota(relay.limits().quota)),
        Created::TooMany => Err(Rejection::too_many_journals(relay.limits().journals)),
        Created::TooManyOfToken => Err(Rejection::too_many_of_token(
            relay.limits().journals_per_token,
        )),
        Created::Busy => Err(Rejection::busy()),
    }
}

/// Reads the enrolment token; a malformed one counts as none.
fn token(headers: &HeaderMap) -> Option<EnrolmentToken> {
    headers.get(ENROLMENT_HEADER)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use protocol::api::{JOURNALS, LogPage, ProblemKind};
    use protocol::cbor::{self, Bytes};
    use protocol::limits;
    use protocol::vector::Vector;

    use crate::service::{Limits, hash_token};
    use crate::storage::Storage;
    use crate::testing::{Bench, Journal, Keys, NOW, ORIGIN, TOKEN};

    #[tokio::test]
    async fn a_journal_is_created_once_and_again_without_harm() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = Journal::start(&owner);
        let first = bench.post(&owner, JOURNALS, &journal.create()).await;
        assert_eq!(first.status, 201);
        let page: LogPage = first.message();
        assert_eq!((page.length, page.head), (1, journal.log.head()));
        let second = bench.post(&owner, JOURNALS, &journal.create()).await;
        assert_eq!(second.status, 200);
        let page: LogPage = bench.get(&owner, &journal.path("log")).await.message();
        assert_eq!((page.records, page.blobs), (journal.records, journal.blobs));
    }

    #[tokio::test]
    async fn a_relay_that_lost_the_end_of_a_log_is_given_it_back() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let before = journal.create();
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        journal.append(record, Some(blob));
        let (record, blob) = journal.join(&Keys::of(2), &Keys::of(3));
        journal.append(record, Some(blob));
        // The device that joined brings its own joining.
        let page: LogPage = bench
            .post(&Keys::of(3), JOURNALS, &journal.create())
            .await
            .message();
        assert_eq!((page.length, page.head), (3, journal.log.head()));
        assert_eq!(page.records, []);
        // A client with an older log is given the rest, with the keys of devices and not of invites.
        let page: LogPage = bench.post(&owner, JOURNALS, &before).await.message();
        assert_eq!(page.records, journal.records[1..]);
        assert_eq!(page.blobs, journal.blobs[2..]);
    }

    #[tokio::test]
    async fn a_log_given_back_leaves_the_keys_of_open_invites() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let member = bench.join(&mut journal, &owner, 10).await;
        let (record, blobs) = journal.remove(&owner, &[&member], Vector::default());
        bench.tell(&mut journal, &owner, record, blobs).await;
        let open = Keys::of(20);
        let (record, blob) = journal.invite(&owner, &open, NOW + 60);
        bench
            .tell(&mut journal, &owner, record, vec![blob.clone()])
            .await;
        // The owner has one record more, and of the keys only those of devices: clients keep no others.
        let (record, _) = journal.invite(&owner, &Keys::of(30), NOW + 60);
        journal.append(record, None);
        let mut create = journal.create();
        create.blobs.retain(|kept| *kept != blob);
        let page: LogPage = bench.post(&owner, JOURNALS, &create).await.message();
        assert_eq!(page.head, journal.log.head());
        let read: LogPage = bench.get(&open, &journal.path("log")).await.message();
        assert!(read.blobs.contains(&blob), "the invite still has its key");
    }

    #[tokio::test]
    async fn an_expired_invite_does_not_come_in_by_the_back_door() {
        let bench = Bench::new().await;
        let (owner, invite, device) = (Keys::of(1), Keys::of(2), Keys::of(3));
        let mut journal = bench.journal(&owner).await;
        let (record, blob) = journal.invite(&owner, &invite, NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &append)
            .await
            .message();
        let (record, blob) = journal.join(&invite, &device);
        journal.append(record, Some(blob));
        bench.clock.pass(61);
        let answer = bench.post(&device, JOURNALS, &journal.create()).await;
        answer.problem(403, ProblemKind::InviteExpired);
        // An owner who knows of it gives it back: it happened before the invite expired.
        let page: LogPage = bench
            .post(&owner, JOURNALS, &journal.create())
            .await
            .message();
        assert_eq!(page.length, 3);
    }

    #[tokio::test]
    async fn a_new_journal_needs_a_valid_token_and_a_known_one_none() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = Journal::start(&owner);
        let body = cbor::encode(&journal.create());
        let request = ("POST", JOURNALS, body.as_slice());
        for token in [None, Some("not-this-token"), Some("?"), Some(TOKEN)] {
            if token == Some(TOKEN) {
                let (_, id) = hash_token(&TOKEN.parse().unwrap());
                assert!(bench.store.revoke_token(id, NOW).await.unwrap());
            }
            let proof = bench.sign(&owner, request, ORIGIN, NOW);
            let answer = bench.send(request, Some(&proof), token).await;
            answer.problem(403, ProblemKind::WrongToken);
        }
        let (hash, id) = hash_token(&"another-token".parse().unwrap());
        bench.store.add_token(id, hash, NOW).await.unwrap();
        for (token, status) in [(Some("another-token"), 201), (None, 200)] {
            let proof = bench.sign(&owner, request, ORIGIN, NOW);
            let answer = bench.send(request, Some(&proof), token).await;
            assert_eq!(answer.status, status);
        }
    }

    #[tokio::test]
    async fn only_a_device_of_the_log_creates_it() {
        let bench = Bench::new().await;
        let (owner, stranger) = (Keys::of(1), Keys::of(2));
        let journal = Journal::start(&owner);
        let answer = bench.post(&stranger, JOURNALS, &journal.create()).await;
        answer.problem(403, ProblemKind::Forbidden);
        let mut forged = bench.sign(&stranger, ("POST", JOURNALS, b""), ORIGIN, NOW);
        forged.key = protocol::sign::Signer::key_id(&owner);
        let body = cbor::encode(&journal.create());
        let answer = bench
            .send(("POST", JOURNALS, &body), Some(&forged), Some(TOKEN))
            .await;
        answer.problem(401, ProblemKind::Unauthorized);
        let answer = bench.get(&owner, &journal.path("log")).await;
        answer.problem(404, ProblemKind::UnknownJournal);
    }

    #[tokio::test]
    async fn a_replayed_creation_is_refused() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let body = cbor::encode(&Journal::start(&owner).create());
        let request = ("POST", JOURNALS, body.as_slice());
        let proof = bench.sign(&owner, request, ORIGIN, NOW);
        let first = bench.send(request, Some(&proof), Some(TOKEN)).await;
        assert_eq!(first.status, 201);
        let second = bench.send(request, Some(&proof), Some(TOKEN)).await;
        second.problem(401, ProblemKind::Unauthorized);
    }

    #[tokio::test]
    async fn a_log_that_is_not_whole_and_sound_is_refused() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = Journal::start(&owner);
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        journal.append(record, Some(blob));
        let whole = journal.create();

        let mut flipped = whole.clone();
        let record = &mut flipped.records[1].0;
        let last = record.len() - 1;
        record[last] ^= 1;
        let answer = bench.post(&owner, JOURNALS, &flipped).await;
        answer.problem(409, ProblemKind::RuleBroken);

        let mut headless = whole.clone();
        headless.records.remove(0);
        let answer = bench.post(&owner, JOURNALS, &headless).await;
        answer.problem(409, ProblemKind::RuleBroken);

        let mut garbage = whole.clone();
        garbage.records[1] = Bytes(vec![0x5a; 100]);
        let answer = bench.post(&owner, JOURNALS, &garbage).await;
        answer.problem(400, ProblemKind::Malformed);

        let mut empty = whole.clone();
        empty.records.clear();
        let answer = bench.post(&owner, JOURNALS, &empty).await;
        answer.problem(400, ProblemKind::Malformed);

        let mut unnamed = whole.clone();
        unnamed.blobs.push(Bytes(vec![1]));
        let answer = bench.post(&owner, JOURNALS, &unnamed).await;
        answer.problem(400, ProblemKind::Malformed);

        let mut long = whole.clone();
        long.blobs.push(Bytes(vec![1; limits::BLOB_BYTES + 1]));
        let answer = bench.post(&owner, JOURNALS, &long).await;
        let problem = answer.problem(413, ProblemKind::TooLarge);
        assert_eq!(problem.limit, Some(limits::BLOB_BYTES as u64));

        assert_eq!(bench.post(&owner, JOURNALS, &whole).await.status, 201);
    }

    #[tokio::test]
    async fn another_log_of_the_same_journal_is_a_stale_one() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let mut fork = journal.clone();
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &append)
            .await
            .message();
        let (record, blob) = fork.invite(&owner, &Keys::of(3), NOW + 60);
        fork.append(record, Some(blob));
        let answer = bench.post(&owner, JOURNALS, &fork.create()).await;
        answer.problem(409, ProblemKind::StaleHead);
    }

    #[tokio::test]
    async fn the_relay_has_room_for_so_many_journals() {
        let limits = Limits {
            journals: 1,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        bench.journal(&Keys::of(1)).await;
        let other = Journal::start(&Keys::of(2));
        let answer = bench.post(&Keys::of(2), JOURNALS, &other.create()).await;
        let problem = answer.problem(507, ProblemKind::Full);
        assert_eq!(problem.limit, Some(1));
    }
}
