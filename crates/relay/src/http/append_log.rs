//! `POST /v1/journals/{journal}/log`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::LogAppend;

use super::asking::{self, JournalPath};
use super::openapi::Writing;
use super::problem::Rejection;
use super::{Shared, answer};
use crate::service::{Asker, LogAppended};

/// Appends to the member log, if its head is still the one named.
///
/// For devices, and for an open invite, which appends the one record by which its device joins. Records that the log has
/// at just these places are a success. The same signed request is taken once. The home relay refuses to take the right to
/// write from a device of which it holds more than the record's frontier names. A record that erases leaves only itself.
#[utoipa::path(
    post,
    path = "/v1/journals/{journal}/log",
    tag = "member log",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    request_body(content = ref("#/components/schemas/LogAppend"), content_type = "application/cbor"),
    responses(
        (status = 200, description = "Appended, durably; the log's new end, without records", body = ref("#/components/schemas/LogPage"), content_type = "application/cbor"),
        Writing,
    ),
    security(("signed" = []))
)]
pub(super) async fn append_log(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask(&site, path, request).await?;
    if matches!(asked.asker, Asker::Waiting | Asker::Removed(_)) {
        return Err(Rejection::barred(asked.asker));
    }
    let relay = &site.relay;
    relay
        .check_new(&asked.authorization)
        .await?
        .map_err(|error| Rejection::proof(error, relay.now(), relay.limits().requests))?;
    let append: LogAppend = asked.message()?;
    let key = asked.authorization.key;
    let own = |origin: &str| site.origins.is_own(origin, &asked.authorization.origin);
    match relay.append_log(asked.journal, key, append, &own).await? {
        LogAppended::Done(page) => Ok(answer::cbor(StatusCode::OK, &page)),
        LogAppended::Stale => Err(Rejection::stale_head()),
        LogAppended::Refused(refused) => Err(refused.into()),
        LogAppended::Missing => Err(asking::missing(&site, asked.journal).await),
        LogAppended::Barred(asker) => Err(Rejection::barred(asker)),
        LogAppended::JoinOnly => Err(Rejection::forbidden(
            "an invite may append the one record by which its device joins",
        )),
        LogAppended::OverQuota => Err(Rejection::over_quota(relay.limits().quota)),
        LogAppended::Busy => Err(Rejection::busy()),
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::{LogPage, ProblemKind};
    use protocol::cbor::{self, Bytes};
    use protocol::limits::{CLOCK_SKEW_SECONDS, INVITE_DAYS};
    use protocol::record::{Body, Relays};
    use protocol::sign::Signer;

    use crate::service::Limits;
    use crate::storage::Storage;
    use crate::testing::{Bench, Keys, NOW, ORIGIN};

    #[tokio::test]
    async fn an_invite_is_opened_used_once_and_closed() {
        let bench = Bench::new().await;
        let (owner, invite, device) = (Keys::of(1), Keys::of(2), Keys::of(3));
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let (record, blob) = journal.invite(&owner, &invite, NOW + 60);
        let append = journal.append(record, Some(blob));
        let page: LogPage = bench.post(&owner, &path, &append).await.message();
        assert_eq!((page.length, page.head), (2, journal.log.head()));

        let other = journal.join(&invite, &Keys::of(4)).0;
        let (record, blob) = journal.join(&invite, &device);
        let join = journal.append(record, Some(blob));
        let page: LogPage = bench.post(&invite, &path, &join).await.message();
        assert_eq!((page.length, page.head), (3, journal.log.head()));
        let page: LogPage = bench.get(&device, &path).await.message();
        assert_eq!(page.records, journal.records);

        // The first answer may have been lost: the same again is done already. Another device is too late.
        let page: LogPage = bench.post(&invite, &path, &join).await.message();
        assert_eq!(page.length, 3);
        let mut late = join.clone();
        late.records = vec![Bytes(other.bytes().to_vec())];
        late.blobs.clear();
        let answer = bench.post(&invite, &path, &late).await;
        answer.problem(403, ProblemKind::InviteUsed);
        let answer = bench.get(&invite, &path).await;
        answer.problem(403, ProblemKind::InviteUsed);
        let kept = bench.store.invite_blob(journal.id(), invite.key_id()).await;
        assert_eq!(kept.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_joins_with_an_expired_invite() {
        let bench = Bench::new().await;
        let (owner, invite) = (Keys::of(1), Keys::of(2));
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let (record, blob) = journal.invite(&owner, &invite, NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench.post(&owner, &path, &append).await.message();
        bench.clock.pass(61);
        let (record, blob) = journal.join(&invite, &Keys::of(3));
        let join = journal.append(record, Some(blob));
        let answer = bench.post(&invite, &path, &join).await;
        answer.problem(403, ProblemKind::InviteExpired);
    }

    #[tokio::test]
    async fn an_invite_ends_within_thirty_days() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let most = NOW + INVITE_DAYS * 86_400 + CLOCK_SKEW_SECONDS;
        for expires in [most + 1, u64::MAX] {
            let (record, blob) = journal.invite(&owner, &Keys::of(2), expires);
            let append = journal.clone().append(record, Some(blob));
            let answer = bench.post(&owner, &path, &append).await;
            answer.problem(409, ProblemKind::RuleBroken);
        }
        let (record, blob) = journal.invite(&owner, &Keys::of(2), most);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench.post(&owner, &path, &append).await.message();
    }

    #[tokio::test]
    async fn the_head_must_be_the_one_named() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let (record, blob) = journal.invite(&owner, &Keys::of(3), NOW + 60);
        let late = journal.clone().append(record, Some(blob));
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench.post(&owner, &path, &append).await.message();
        let answer = bench.post(&owner, &path, &late).await;
        answer.problem(409, ProblemKind::StaleHead);
        let page: LogPage = bench.get(&owner, &path).await.message();
        assert_eq!(page.records, journal.records);
    }

    #[tokio::test]
    async fn of_many_at_one_head_one_is_appended() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let appends: Vec<_> = (2..18)
            .map(|seed| {
                let (record, blob) = journal.invite(&owner, &Keys::of(seed), NOW + 60);
                journal.clone().append(record, Some(blob))
            })
            .collect();
        let answers = appends
            .iter()
            .map(|append| bench.post(&owner, &path, append));
        let answers = futures_util::future::join_all(answers).await;
        let (done, late): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| answer.status.is_success());
        assert_eq!((done.len(), late.len()), (1, 15));
        for answer in late {
            answer.problem(409, ProblemKind::StaleHead);
        }
    }

    #[tokio::test]
    async fn a_replayed_request_is_refused() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let body = cbor::encode(&journal.append(record, Some(blob)));
        let request = ("POST", path.as_str(), body.as_slice());
        let proof = bench.sign(&owner, request, ORIGIN, NOW);
        let _: LogPage = bench.send(request, Some(&proof), None).await.message();
        let answer = bench.send(request, Some(&proof), None).await;
        let problem = answer.problem(401, ProblemKind::Unauthorized);
        assert_eq!(problem.detail, "the same request was made before");
    }

    #[tokio::test]
    async fn what_the_rules_forbid_changes_nothing() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let device = bench.join(&mut journal, &owner, 10).await;
        let path = journal.path("log");
        let relays = Body::Relays(Relays { urls: Vec::new() });
        let append = protocol::api::LogAppend {
            head: journal.log.head(),
            records: vec![Bytes(journal.next(&device, &relays).bytes().to_vec())],
            blobs: Vec::new(),
        };
        let answer = bench.post(&device, &path, &append).await;
        let problem = answer.problem(409, ProblemKind::RuleBroken);
        assert!(problem.detail.contains("only owners may do this"));

        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let mut append = journal.clone().append(record, Some(blob));
        let last = append.records[0].0.len() - 1;
        append.records[0].0[last] ^= 1;
        let answer = bench.post(&owner, &path, &append).await;
        answer.problem(409, ProblemKind::RuleBroken);
        append.records[0].0.truncate(70);
        let answer = bench.post(&owner, &path, &append).await;
        answer.problem(400, ProblemKind::Malformed);

        let page: LogPage = bench.get(&owner, &path).await.message();
        assert_eq!(page.records, journal.records);
    }

    #[tokio::test]
    async fn an_invite_appends_its_joining_and_nothing_else() {
        let bench = Bench::new().await;
        let (owner, invite, second) = (Keys::of(1), Keys::of(2), Keys::of(3));
        let mut journal = bench.journal(&owner).await;
        let path = journal.path("log");
        for keys in [&invite, &second] {
            let (record, blob) = journal.invite(&owner, keys, NOW + 60);
            let append = journal.append(record, Some(blob));
            let _: LogPage = bench.post(&owner, &path, &append).await.message();
        }
        // The joining of another invite, and two records at once.
        let (record, _) = journal.join(&second, &Keys::of(4));
        let mut append = journal.clone().append(record, None);
        let answer = bench.post(&invite, &path, &append).await;
        answer.problem(403, ProblemKind::Forbidden);
        let (record, _) = journal.join(&invite, &Keys::of(4));
        append.records = vec![Bytes(record.bytes().to_vec()); 2];
        let answer = bench.post(&invite, &path, &append).await;
        answer.problem(403, ProblemKind::Forbidden);
        // A record that only a member may write.
        let relays = Body::Relays(Relays { urls: Vec::new() });
        append.records = vec![Bytes(journal.next(&invite, &relays).bytes().to_vec())];
        let answer = bench.post(&invite, &path, &append).await;
        answer.problem(409, ProblemKind::RuleBroken);
    }

    #[tokio::test]
    async fn a_log_counts_against_the_quota() {
        let limits = Limits {
            quota: 2_500,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let append = journal.append(record, Some(blob));
        let answer = bench.post(&owner, &journal.path("log"), &append).await;
        let problem = answer.problem(507, ProblemKind::Full);
        assert_eq!(problem.limit, Some(2_500));
    }
}
