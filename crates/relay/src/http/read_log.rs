//! `GET /v1/journals/{journal}/log`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::asking::{self, JournalPath};
use super::openapi::Reading;
use super::problem::Rejection;
use super::{Shared, answer};
use crate::service::Asker;

/// The query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The number of the first record or part wanted.
    #[serde(default)]
    pub(super) from: u32,
}

/// Reads the member log, a page at a time.
///
/// For devices and open invites. A page holds up to 4 MiB of records, at least one; ask again from where it ends while
/// that is before the log's length. An invite is also given the key that is sealed to it. A device that waits for an
/// approval is given no sealed keys, nor is a device that was removed: for it, the log ends with the record that did so.
#[utoipa::path(
    get,
    path = "/v1/journals/{journal}/log",
    tag = "member log",
    params(
        ("journal" = String, Path, description = "The journal's id: 64 hex digits"),
        ("from" = Option<u32>, Query, description = "The index of the first record wanted; 0 if absent"),
    ),
    responses(
        (status = 200, description = "Records and sealed keys", body = ref("#/components/schemas/LogPage"), content_type = "application/cbor"),
        Reading,
    ),
    security(("signed" = []))
)]
pub(super) async fn read_log(
    State(site): Shared,
    path: JournalPath,
    query: Result<Query<From>, QueryRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask(&site, path, request).await?;
    if let Asker::ClosedInvite(_) = asked.asker {
        return Err(Rejection::barred(asked.asker));
    }
    let Ok(Query(From { from })) = query else {
        return Err(Rejection::malformed("the query is `from` and a number"));
    };
    let (journal, key) = (asked.journal, asked.authorization.key);
    match site.relay.read_log(journal, from, key, asked.asker).await? {
        Some(page) => Ok(answer::cbor(StatusCode::OK, &page)),
        None => Err(asking::missing(&site, journal).await),
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::{LogPage, ProblemKind};
    use protocol::record::{Body, WithdrawInvite};
    use protocol::sign::Signer;

    use crate::storage::Storage;
    use crate::testing::{Bench, Journal, Keys, NOW};

    /// A journal with an open invite, which ends in a minute.
    async fn invited(bench: &Bench, owner: &Keys, invite: &Keys) -> Journal {
        let mut journal = bench.journal(owner).await;
        let (record, blob) = journal.invite(owner, invite, NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(owner, &journal.path("log"), &append)
            .await
            .message();
        journal
    }

    #[tokio::test]
    async fn the_log_is_read_from_where_one_asks() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = invited(&bench, &owner, &Keys::of(2)).await;
        for from in 0..4 {
            let path = journal.path(&format!("log?from={from}"));
            let page: LogPage = bench.get(&owner, &path).await.message();
            assert_eq!((page.length, page.head), (2, journal.log.head()));
            assert_eq!(page.records, journal.records[from.min(2)..]);
            // The sealed key of the genesis; that of the invite is nobody else's.
            assert_eq!(page.blobs, journal.blobs[from.min(1)..1]);
        }
        for query in ["from=x", "from=-1", "form=1"] {
            let answer = bench
                .get(&owner, &journal.path(&format!("log?{query}")))
                .await;
            answer.problem(400, ProblemKind::Malformed);
        }
    }

    #[tokio::test]
    async fn an_open_invite_is_given_its_own_key() {
        let bench = Bench::new().await;
        let (owner, invite) = (Keys::of(1), Keys::of(2));
        let journal = invited(&bench, &owner, &invite).await;
        let page: LogPage = bench.get(&invite, &journal.path("log")).await.message();
        assert_eq!(page.records, journal.records);
        assert_eq!(page.blobs, journal.blobs);
    }

    #[tokio::test]
    async fn an_expired_invite_is_closed_and_its_key_erased() {
        let bench = Bench::new().await;
        let (owner, invite) = (Keys::of(1), Keys::of(2));
        let journal = invited(&bench, &owner, &invite).await;
        bench.clock.pass(60);
        let _: LogPage = bench.get(&invite, &journal.path("log")).await.message();
        assert_eq!(bench.store.sweep(NOW + 60).await.unwrap(), 0);
        bench.clock.pass(1);
        let answer = bench.get(&invite, &journal.path("log")).await;
        answer.problem(403, ProblemKind::InviteExpired);
        assert_eq!(bench.store.sweep(NOW + 61).await.unwrap(), 1);
        let kept = bench.store.invite_blob(journal.id(), invite.key_id()).await;
        assert_eq!(kept.unwrap(), None);
    }

    #[tokio::test]
    async fn a_withdrawn_invite_is_closed_and_its_key_erased() {
        let bench = Bench::new().await;
        let (owner, invite) = (Keys::of(1), Keys::of(2));
        let mut journal = invited(&bench, &owner, &invite).await;
        let body = Body::WithdrawInvite(WithdrawInvite {
            invite: invite.key_id(),
        });
        let append = journal.append(journal.next(&owner, &body), None);
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &append)
            .await
            .message();
        let answer = bench.get(&invite, &journal.path("log")).await;
        answer.problem(403, ProblemKind::InviteWithdrawn);
        let kept = bench.store.invite_blob(journal.id(), invite.key_id()).await;
        assert_eq!(kept.unwrap(), None);
    }
}
