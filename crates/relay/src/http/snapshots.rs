//! `GET` and `POST /v1/journals/{journal}/snapshots`, the parts of one, and pruning.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::{PutSnapshots, SnapshotParts};
use protocol::cbor::Bytes;
use protocol::id::SnapshotHash;
use protocol::limits;
use protocol::role::Role;

use super::asking::{self, JournalPath};
use super::openapi::{Reading, Writing};
use super::problem::Rejection;
use super::read_log::From;
use super::{Shared, answer};
use crate::service::{Asker, SnapshotsKept};

/// Acknowledgements in one request.
const ACKNOWLEDGEMENTS: usize = limits::SNAPSHOTS * limits::DEVICES_PER_JOURNAL;

/// Lists the snapshots of which every part is here, with who acknowledged them.
///
/// For devices of any role. Oldest first.
#[utoipa::path(
    get,
    path = "/v1/journals/{journal}/snapshots",
    tag = "snapshots",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    responses(
        (status = 200, description = "The snapshots", body = ref("#/components/schemas/Snapshots"), content_type = "application/cbor"),
        Reading,
    ),
    security(("signed" = []))
)]
pub(super) async fn list_snapshots(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    match site.relay.snapshots(asked.journal).await? {
        Some(listed) => Ok(answer::cbor(StatusCode::OK, &listed)),
        None => Err(asking::missing(&site, asked.journal).await),
    }
}

/// Keeps manifests and acknowledgements of snapshots.
///
/// For devices of any role: a manifest is signed by an owner's device, an acknowledgement by a member's, whoever brings them. The
/// parts are stored before, as envelopes; with `start`, chains of which less is here than is covered go on from there, and the
/// parts come after.
#[utoipa::path(
    post,
    path = "/v1/journals/{journal}/snapshots",
    tag = "snapshots",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    request_body(content = ref("#/components/schemas/PutSnapshots"), content_type = "application/cbor"),
    responses(
        (status = 200, description = "Kept, durably; the snapshots that are here whole", body = ref("#/components/schemas/Snapshots"), content_type = "application/cbor"),
        Writing,
    ),
    security(("signed" = []))
)]
pub(super) async fn put_snapshots(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    let put: PutSnapshots = asked.message()?;
    if put.snapshots.len() > limits::SNAPSHOTS {
        return Err(Rejection::too_large(
            "the snapshots of a request",
            limits::SNAPSHOTS,
        ));
    }
    if put.acknowledgements.len() > ACKNOWLEDGEMENTS {
        return Err(Rejection::too_large(
            "the acknowledgements of a request",
            ACKNOWLEDGEMENTS,
        ));
    }
    match site.relay.put_snapshots(asked.journal, put).await? {
        SnapshotsKept::Done(listed) => Ok(answer::cbor(StatusCode::OK, &listed)),
        SnapshotsKept::Missing => Err(asking::missing(&site, asked.journal).await),
        SnapshotsKept::OverQuota => Err(Rejection::over_quota(site.relay.limits().quota)),
        SnapshotsKept::Unfit => Err(Rejection::snapshot_unfit()),
        SnapshotsKept::Refused(error) => Err(Rejection::malformed(format!(
            "a snapshot is refused: {error}"
        ))),
    }
}

/// Reads the parts of one snapshot, a page at a time.
///
/// For devices of any role. Up to 4 MiB of envelopes, at least one; ask again from the part after the last one answered.
#[utoipa::path(
    get,
    path = "/v1/journals/{journal}/snapshots/{snapshot}",
    tag = "snapshots",
    params(
        ("journal" = String, Path, description = "The journal's id: 64 hex digits"),
        ("snapshot" = String, Path, description = "The hash of the signed manifest: 64 hex digits"),
        ("from" = Option<u32>, Query, description = "The number of the first part wanted; 0 if absent"),
    ),
    responses(
        (status = 200, description = "The parts, in order", body = ref("#/components/schemas/SnapshotParts"), content_type = "application/cbor"),
        Reading,
    ),
    security(("signed" = []))
)]
pub(super) async fn read_snapshot(
    State(site): Shared,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<From>, QueryRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (journal, snapshot) = match path {
        Ok(Path((journal, snapshot))) => (Ok(Path(journal)), Some(snapshot)),
        Err(rejection) => (Err(rejection), None),
    };
    let asked = asking::ask_member(&site, journal, request).await?;
    let Ok(Query(From { from })) = query else {
        return Err(Rejection::malformed("the query is `from` and a number"));
    };
    let snapshot: SnapshotHash = snapshot
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Rejection::malformed("a snapshot is named by 64 hex digits"))?;
    let storage = site.relay.storage();
    let parts = storage
        .snapshot_parts(asked.journal, snapshot, from, limits::PAGE_BYTES)
        .await?;
    let parts = parts.unwrap_or_default().into_iter().map(Bytes).collect();
    Ok(answer::cbor(StatusCode::OK, &SnapshotParts { parts }))
}

/// Forgets envelopes that snapshots cover.
///
/// For owners. By the older of the two newest snapshots that another member's device has acknowledged; nothing if there are no two.
/// A relay does the same by itself when the journal's quota is used up.
#[utoipa::path(
    post,
    path = "/v1/journals/{journal}/prune",
    tag = "snapshots",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    responses(
        (status = 200, description = "Forgotten; the snapshots that are here whole", body = ref("#/components/schemas/Snapshots"), content_type = "application/cbor"),
        Writing,
    ),
    security(("signed" = []))
)]
pub(super) async fn prune(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    if asked.asker != Asker::Device(Role::Owner) {
        return Err(Rejection::barred(asked.asker));
    }
    site.relay.prune(asked.journal).await?;
    match site.relay.snapshots(asked.journal).await? {
        Some(listed) => Ok(answer::cbor(StatusCode::OK, &listed)),
        None => Err(asking::missing(&site, asked.journal).await),
    }
}
