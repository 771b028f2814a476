//! What the keeper's own port answers: `/metrics`, and the health checks once more, without TLS.
//!
//! It is for the machine, or the network, that the relay runs in: it asks nobody who they are.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::problem::Rejection;
use super::{Shared, Site, health};
use crate::metrics::MEDIA_TYPE;

/// Builds the router.
pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(|| async { Rejection::no_such_path() })
        .with_state(site)
}

async fn metrics(State(site): Shared) -> Response {
    let subscribers = site.relay.news().subscribers();
    match site.metrics.text(subscribers) {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(_) => Rejection::internal().into_response(),
    }
}
