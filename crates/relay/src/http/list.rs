//! `GET /v1/journals`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::JournalList;
use protocol::sign::Verifier;

use super::openapi::Listing;
use super::problem::Rejection;
use super::{Shared, answer, asking};

/// Lists the journals that the asking device is a member of.
///
/// A key that no journal knows is answered an empty list.
#[utoipa::path(
    get,
    path = "/v1/journals",
    tag = "journals",
    responses(
        (status = 200, description = "The journals' ids", body = ref("#/components/schemas/JournalList"), content_type = "application/cbor"),
        Listing,
    ),
    security(("signed" = []))
)]
pub(super) async fn list(State(site): Shared, request: Request) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    let authorization = asking::authorization(&site, &parts)?;
    let body = site.bodies.read(body).await?;
    let found = site.relay.journals_of(authorization.key).await?;
    // A key that no journal knows cannot be proven, and is answered what anyone may know: nothing.
    if let Some((_, signing)) = found.first() {
        let proof = asking::proof(&authorization, &parts, &body.bytes);
        let requests = site.relay.limits().requests;
        site.relay
            .check(proof, &Verifier::of(signing))
            .map_err(|error| Rejection::proof(error, site.relay.now(), requests))?;
    }
    let journals = found.into_iter().map(|(journal, _)| journal).collect();
    Ok(answer::cbor(StatusCode::OK, &JournalList { journals }))
}

#[cfg(test)]
mod tests {
    use protocol::api::{JOURNALS, JournalList, ProblemKind};

    use crate::testing::{Bench, Keys, NOW, ORIGIN};

    #[tokio::test]
    async fn a_device_finds_its_journals_and_no_others() {
        let bench = Bench::new().await;
        let (owner, other) = (Keys::of(1), Keys::of(2));
        let mut mine = bench.journal(&owner).await;
        let theirs = bench.journal(&other).await;
        let device = bench.join(&mut mine, &owner, 10).await;
        for (keys, journals) in [
            (&owner, vec![mine.id()]),
            (&device, vec![mine.id()]),
            (&other, vec![theirs.id()]),
            (&Keys::of(9), vec![]),
        ] {
            let list: JournalList = bench.get(keys, JOURNALS).await.message();
            assert_eq!(list.journals, journals);
        }
    }

    #[tokio::test]
    async fn nobody_lists_under_another_s_name() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        bench.journal(&owner).await;
        let request = ("GET", JOURNALS, b"".as_slice());
        let mut forged = bench.sign(&Keys::of(2), request, ORIGIN, NOW);
        forged.key = protocol::sign::Signer::key_id(&owner);
        let answer = bench.send(request, Some(&forged), None).await;
        answer.problem(401, ProblemKind::Unauthorized);
    }
}
