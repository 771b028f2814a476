//! Answers that are messages of the protocol.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::api;

/// Returns a message as an answer.
pub(super) fn cbor<T: minicbor::Encode<()>>(status: StatusCode, message: &T) -> Response {
    let media = HeaderValue::from_static(api::MEDIA_TYPE);
    let body = protocol::cbor::encode(message);
    (status, [(header::CONTENT_TYPE, media)], body).into_response()
}
