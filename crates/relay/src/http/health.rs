//! `GET /healthz` and `GET /readyz`.

use axum::extract::State;

use super::Shared;
use super::problem::Rejection;

/// Answers that the process runs.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    security(()),
    responses((status = 200, description = "The process runs: `ok`", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Answers whether a write would be acknowledged now.
///
/// It writes one row, durably.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It would be acknowledged: `ready`", body = String, content_type = "text/plain"),
        (status = 503, description = "`unavailable`: not now", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 507, description = "`full`: the disk is full", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    )
)]
pub(super) async fn readyz(State(site): Shared) -> Result<&'static str, Rejection> {
    site.relay.storage().probe().await?;
    Ok("ready\n")
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use protocol::api::{Appended, ProblemKind, SyncAnswer, SyncRequest};
    use protocol::vector::Vector;

    use crate::testing::{Bench, Keys};

    #[tokio::test]
    async fn a_running_relay_is_healthy_and_ready() {
        let bench = Bench::new().await;
        for path in ["/healthz", "/readyz"] {
            let answer = bench.send(("GET", path, b""), None, None).await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn a_read_only_disk_is_told_and_reading_goes_on() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(10);
        let append = chain.append(vec![envelope]);
        let path = journal.path("envelopes");

        bench.store.disturb("PRAGMA query_only = ON").await;
        let answer = bench.send(("GET", "/readyz", b""), None, None).await;
        answer.problem(503, ProblemKind::Unavailable);
        let answer = bench.post(&owner, &path, &append).await;
        answer.problem(503, ProblemKind::Unavailable);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        let request = SyncRequest {
            log_length: 1,
            head: journal.log.head(),
            vector: Vector::default(),
        };
        let answer = bench.post(&owner, &journal.path("sync"), &request).await;
        assert_eq!(answer.message::<SyncAnswer>().envelopes, []);
    }

    #[tokio::test]
    async fn a_full_disk_acknowledges_nothing_and_loses_nothing() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut chain = journal.chain(&owner);
        let path = journal.path("envelopes");
        let first = chain.seal(10);
        let append = chain.append(vec![first.clone()]);
        let _: Appended = bench.post(&owner, &path, &append).await.message();

        bench.store.disturb("PRAGMA max_page_count = 1").await;
        let second = chain.seal(100_000);
        let append = chain.append(vec![second.clone()]);
        let answer = bench.post(&owner, &path, &append).await;
        let problem = answer.problem(507, ProblemKind::Full);
        assert!(problem.detail.contains("disk is full") && problem.limit.is_none());

        bench.store.disturb("PRAGMA max_page_count = 1000000").await;
        let _: Appended = bench.post(&owner, &path, &append).await.message();
        let request = SyncRequest {
            log_length: 1,
            head: journal.log.head(),
            vector: Vector::default(),
        };
        let answer = bench.post(&owner, &journal.path("sync"), &request).await;
        assert_eq!(answer.message::<SyncAnswer>().envelopes, [first, second]);
    }
}
