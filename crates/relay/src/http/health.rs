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
