//! The relay over HTTP: the paths, one file for each, and what they share.
//!
//! Owns the mapping between [`crate::service`] and HTTP: headers, statuses, media types, problems. Every handler but the
//! health checks and the description goes through [`asking`], which proves who asks before anything is done. Each
//! handler carries its own description, from which the OpenAPI document is made, so that the two cannot differ.

mod address;
mod answer;
mod append_envelopes;
mod append_log;
mod asking;
mod body;
mod create;
mod events;
mod health;
mod list;
mod messages;
mod metrics;
mod openapi;
mod origins;
mod problem;
mod read_log;
mod snapshots;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics::Metrics;
use crate::service::Relay;
pub(crate) use body::Bodies;
use problem::Rejection;

pub(crate) use address::{Network, NoNetwork, Peer};
pub(crate) use events::Endless;
pub(crate) use metrics::router as metrics_router;
pub(crate) use origins::Origins;

/// What all handlers share.
pub(crate) struct Site {
    /// The relay.
    pub(crate) relay: Relay,
    /// The origins under which it is asked.
    pub(crate) origins: Origins,
    /// True from the moment the server stops: event streams end then.
    pub(crate) stop: watch::Receiver<bool>,
    /// Memory for request bodies.
    pub(crate) bodies: Bodies,
    /// Proxies that are believed about where requests come from.
    pub(crate) proxies: Vec<Network>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

type Shared = axum::extract::State<Arc<Site>>;

/// Builds the router.
pub(crate) fn router(site: Arc<Site>) -> Router {
    let (router, document) = routed().split_for_parts();
    let document = openapi::serialized(&document);
    let metrics = Arc::clone(&site.metrics);
    router
        .with_state(Arc::clone(&site))
        .layer(axum::Extension(document))
        .fallback(|| async { Rejection::no_such_path() })
        .method_not_allowed_fallback(|| async { Rejection::no_such_method() })
        .layer(CatchPanicLayer::custom(|_| {
            Rejection::internal().into_response()
        }))
        .layer(middleware::from_fn_with_state(site, address::limit))
        .layer(middleware::from_fn_with_state(metrics, trace))
}

fn routed() -> OpenApiRouter<Arc<Site>> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(create::create, list::list))
        .routes(routes!(read_log::read_log, append_log::append_log))
        .routes(routes!(sync::sync))
        .routes(routes!(append_envelopes::append_envelopes))
        .routes(routes!(snapshots::list_snapshots, snapshots::put_snapshots))
        .routes(routes!(snapshots::read_snapshot))
        .routes(routes!(snapshots::prune))
        .routes(routes!(events::events))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(openapi::openapi))
}

/// Counts and logs each request: what was asked by kind, never by whom or about what.
async fn trace(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let start = std::time::Instant::now();
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map(|path| path.as_str().to_owned())
        .unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let time = start.elapsed();
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    metrics.count(method.as_str(), &path, status, time);
    tracing::debug!(%method, path, status, micros, "request");
    response
}
