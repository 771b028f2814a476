//! `GET /v1/openapi.json`: the description of all this, for people and for other people's programs.
//!
//! Paths come from the handlers' own descriptions; here is what they share: the way requests are signed, the messages,
//! and the problems. Source: OpenAPI 3.1.

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use protocol::api::PROBLEM_TYPE;
use utoipa::IntoResponses;
use utoipa::openapi::response::Response as Described;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};

use super::messages;

/// The document's introduction.
const INTRODUCTION: &str = "Stores and forwards what ebb's devices seal, and can read none of it. \
Bodies are canonical CBOR (RFC 8949 §4.2.1): the schemas name the integer keys of its maps; `binary` strings are byte \
strings. Errors are JSON (RFC 9457). What the byte strings hold is in the protocol's specification.";

/// How requests are signed.
const SIGNED: &str = "`Ebb key=<hex>,origin=<origin>,time=<unix seconds>,random=<hex>,signature=<hex>`. Ed25519 by a \
device of the journal (or, for the member log, an open invite) over origin, method, path with query, SHA-256 of the \
body, time and sixteen random bytes. The origin must be this relay's, the time within five minutes of its clock.";

/// The problems, by status.
const PROBLEMS: [(u16, &str); 10] = [
    (400, "`malformed`: the body or the query cannot be read"),
    (
        401,
        "`unauthorized`: the proof is missing or wrong, for another relay, made before, or its time is off; `time` is \
         the relay's",
    ),
    (
        403,
        "`forbidden`: the key may not do this; `not-a-member`: the device was removed from the journal; `wrong-token`: no valid enrolment token; `invite-expired`, \
         `invite-used`, `invite-withdrawn`: no device may join with the invite",
    ),
    (
        404,
        "`unknown-journal`: the relay does not have this journal",
    ),
    (
        409,
        "`stale-head`: the member log has another head; `rule-broken`: the member log's rules do not allow it; \
         `behind-frontier`: this relay holds more of a device that would lose the right to write than the record names; \
         `snapshot-unfit`: what is stored here is not what a snapshot says",
    ),
    (
        410,
        "`erased`: an owner ended the journal for good, with the signed member-log record in `record` (hex)",
    ),
    (413, "`too-large`: longer than `limit`"),
    (
        429,
        "`too-many`: more than `limit`; ask again after `Retry-After` seconds",
    ),
    (
        503,
        "`unavailable`: not now; nothing was acknowledged; ask again after `Retry-After` seconds",
    ),
    (
        507,
        "`full`: the journal's quota, in `limit`, or the disk is used up; nothing was stored",
    ),
];

/// Answers this document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "health",
    security(()),
    responses((status = 200, description = "This document", content_type = "application/json"))
)]
pub(super) async fn openapi(Extension(document): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.0).into_response()
}

/// The document as it is served.
#[derive(Clone)]
pub(super) struct Document(Bytes);

/// Returns the document without its paths.
pub(super) fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("ebb-relay")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION));
    let signed = ApiKeyValue::with_description("Authorization", SIGNED);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(messages::all())
        .security_scheme("signed", SecurityScheme::ApiKey(ApiKey::Header(signed)));
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components.build()))
        .build()
}

/// Writes the document down once.
pub(super) fn serialized(document: &OpenApi) -> Document {
    Document(Bytes::from(document.to_json().unwrap_or_default()))
}

/// The problems of creating a journal.
pub(super) struct Creating;

/// The problems of calls that read a journal.
pub(super) struct Reading;

/// The problems of calls that write to a journal.
pub(super) struct Writing;

/// The problems of a call about no journal in particular.
pub(super) struct Listing;

impl IntoResponses for Creating {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[400, 401, 403, 409, 410, 413, 429, 503, 507])
    }
}

impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[400, 401, 403, 404, 410, 413, 429, 503])
    }
}

impl IntoResponses for Writing {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[400, 401, 403, 404, 409, 410, 413, 429, 503, 507])
    }
}

impl IntoResponses for Listing {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[400, 401, 413, 429, 503])
    }
}

fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<Described>> {
    let described = |(status, words): &(u16, &str)| {
        let schema = Ref::from_schema_name("Problem");
        let response = ResponseBuilder::new()
            .description(*words)
            .content(PROBLEM_TYPE, Content::new(Some(schema)));
        (status.to_string(), RefOr::T(response.build()))
    };
    PROBLEMS
        .iter()
        .filter(|(status, _)| statuses.contains(status))
        .map(described)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    use crate::testing::Bench;

    const ROUTES: [(&str, &str); 14] = [
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/v1/journals"),
        ("GET", "/v1/journals/{journal}/events"),
        ("GET", "/v1/journals/{journal}/log"),
        ("GET", "/v1/journals/{journal}/snapshots"),
        ("GET", "/v1/journals/{journal}/snapshots/{snapshot}"),
        ("GET", "/v1/openapi.json"),
        ("POST", "/v1/journals"),
        ("POST", "/v1/journals/{journal}/envelopes"),
        ("POST", "/v1/journals/{journal}/log"),
        ("POST", "/v1/journals/{journal}/prune"),
        ("POST", "/v1/journals/{journal}/snapshots"),
        ("POST", "/v1/journals/{journal}/sync"),
    ];

    async fn served(bench: &Bench) -> Value {
        let request = ("GET", "/v1/openapi.json", b"".as_slice());
        let answer = bench.send(request, None, None).await;
        assert_eq!(answer.headers["content-type"], "application/json");
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[tokio::test]
    async fn the_document_has_the_routes_and_the_router_has_the_document_s() {
        let bench = Bench::new().await;
        let document = served(&bench).await;
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        }
        let routes = ROUTES.map(|(method, path)| (method.to_owned(), path.to_owned()));
        assert_eq!(described, BTreeSet::from(routes));

        let id = "00".repeat(32);
        for (_, path) in ROUTES {
            for method in [
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ] {
                let real = path.replace("{journal}", &id).replace("{snapshot}", &id);
                let request = (method.as_str(), real.as_str(), b"".as_slice());
                let status = bench.send(request, None, None).await.status;
                let known = described.contains(&(method.to_string(), path.to_owned()));
                let refused = status == StatusCode::METHOD_NOT_ALLOWED;
                assert_eq!(known, !refused, "{method} {path}: {status}");
                assert_ne!(status, StatusCode::NOT_FOUND, "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn every_call_is_described_and_every_reference_leads_somewhere() {
        let document = served(&Bench::new().await).await;
        let mut calls = 0;
        for item in document["paths"].as_object().unwrap().values() {
            for call in item.as_object().unwrap().values() {
                calls += 1;
                assert!(call["summary"].as_str().is_some_and(|text| text.len() > 10));
                let responses = call["responses"].as_object().unwrap();
                for response in responses.values() {
                    assert!(
                        response["description"]
                            .as_str()
                            .is_some_and(|text| text.len() > 5)
                    );
                }
            }
        }
        assert_eq!(calls, ROUTES.len());
        let text = document.to_string();
        let mut references = 0;
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(!document["components"]["schemas"][name].is_null(), "{name}");
            references += 1;
        }
        assert!(references > 20);
    }
}
