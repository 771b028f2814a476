//! Problems: every answer that is not what was asked for, as JSON with its media type and status.
//!
//! The words say which limit was passed and never repeat what the client sent.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::api::{self, Problem, ProblemKind};
use protocol::limits;

use crate::service::{Asker, ChangeRefused, Closed, ProofError};
use crate::storage::StorageError;

/// A request that is not done, and why.
#[derive(Debug)]
pub(super) struct Rejection {
    problem: Box<Problem>,
    wait: Option<u64>,
}

impl Rejection {
    fn new(kind: ProblemKind, status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem {
                kind,
                status: status.as_u16(),
                detail: detail.into(),
                limit: None,
                time: None,
                record: None,
            }),
            wait: None,
        }
    }

    fn limited(mut self, limit: u64) -> Self {
        self.problem.limit = Some(limit);
        self
    }

    fn after(mut self, seconds: u64) -> Self {
        self.wait = Some(seconds);
        self
    }

    /// 400.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, StatusCode::BAD_REQUEST, detail)
    }

    /// 401, with the relay's time.
    pub(super) fn unauthorized(detail: impl Into<String>, now: u64) -> Self {
        let mut rejection = Self::new(ProblemKind::Unauthorized, StatusCode::UNAUTHORIZED, detail);
        rejection.problem.time = Some(now);
        rejection
    }

    /// 401 or 429: the proof does not hold, or its key asks too often.
    pub(super) fn proof(error: ProofError, now: u64, requests: u32) -> Self {
        match error {
            ProofError::TooMany { wait } => Self::new(
                ProblemKind::TooMany,
                StatusCode::TOO_MANY_REQUESTS,
                format!("a key may make {requests} requests a minute"),
            )
            .limited(u64::from(requests))
            .after(wait),
            ProofError::Request(_) | ProofError::Replayed => {
                Self::unauthorized(error.to_string(), now)
            }
        }
    }

    /// 429: too many requests from one address.
    pub(super) fn too_many_of_address(requests: u32, wait: u64) -> Self {
        Self::new(
            ProblemKind::TooMany,
            StatusCode::TOO_MANY_REQUESTS,
            format!("one address may make {requests} requests a minute"),
        )
        .limited(u64::from(requests))
        .after(wait)
    }

    /// 403.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Forbidden, StatusCode::FORBIDDEN, detail)
    }

    /// 403: no or a wrong enrolment token.
    pub(super) fn wrong_token() -> Self {
        Self::new(
            ProblemKind::WrongToken,
            StatusCode::FORBIDDEN,
            "creating a journal here needs an enrolment token that is valid; ask whoever runs this relay",
        )
    }

    /// 403: who asks may not do this.
    pub(super) fn barred(asker: Asker) -> Self {
        match asker {
            Asker::Device(_) => Self::forbidden("a device of this role may not do this"),
            Asker::Waiting => Self::forbidden(
                "this device waits for an owner's approval; until then it may read the member log, nothing else",
            ),
            Asker::Removed(_) => Self::new(
                ProblemKind::NotAMember,
                StatusCode::FORBIDDEN,
                "this device was removed from the journal; it may read the member log up to then, nothing else",
            ),
            Asker::Invite => {
                Self::forbidden("an invite may read the member log and join, nothing else")
            }
            Asker::ClosedInvite(closed) => {
                let kind = match closed {
                    Closed::Expired => ProblemKind::InviteExpired,
                    Closed::Used => ProblemKind::InviteUsed,
                    Closed::Withdrawn => ProblemKind::InviteWithdrawn,
                };
                Self::new(kind, StatusCode::FORBIDDEN, closed.to_string())
            }
        }
    }

    /// 404: no such journal.
    pub(super) fn unknown_journal() -> Self {
        Self::new(
            ProblemKind::UnknownJournal,
            StatusCode::NOT_FOUND,
            "this relay does not have this journal",
        )
    }

    /// 404: no such path.
    pub(super) fn no_such_path() -> Self {
        let detail = "no such path; GET /v1/openapi.json describes those there are";
        Self::new(ProblemKind::NotFound, StatusCode::NOT_FOUND, detail)
    }

    /// 405.
    pub(super) fn no_such_method() -> Self {
        let detail = "this path does not take this method; GET /v1/openapi.json says which";
        Self::new(
            ProblemKind::NotFound,
            StatusCode::METHOD_NOT_ALLOWED,
            detail,
        )
    }

    /// 409: another head.
    pub(super) fn stale_head() -> Self {
        Self::new(
            ProblemKind::StaleHead,
            StatusCode::CONFLICT,
            "the journal's member log has another head here; read it, and ask again if still wanted",
        )
    }

    /// 409: another snapshot than what is stored.
    pub(super) fn snapshot_unfit() -> Self {
        Self::new(
            ProblemKind::SnapshotUnfit,
            StatusCode::CONFLICT,
            "a snapshot covers or consists of envelopes that are not here, or acknowledges one that is not",
        )
    }

    /// 410, with the record that erased the journal.
    pub(super) fn erased(record: &[u8]) -> Self {
        let detail =
            "an owner erased this journal for good; `record` is the signed record that says so";
        let mut rejection = Self::new(ProblemKind::Erased, StatusCode::GONE, detail);
        rejection.problem.record = Some(data_encoding::HEXLOWER.encode(record));
        rejection
    }

    /// 413, with the limit.
    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        let detail = format!("{what} may have at most {limit}");
        Self::new(ProblemKind::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, detail)
            .limited(u64::try_from(limit).unwrap_or(u64::MAX))
    }

    /// 429: too many streams.
    pub(super) fn crowded(detail: String, limit: usize) -> Self {
        Self::new(ProblemKind::TooMany, StatusCode::TOO_MANY_REQUESTS, detail)
            .limited(u64::try_from(limit).unwrap_or(u64::MAX))
            .after(30)
    }

    /// 500: something that should not happen.
    pub(super) fn internal() -> Self {
        Self::new(
            ProblemKind::Internal,
            StatusCode::INTERNAL_SERVER_ERROR,
            "the relay failed; nothing was acknowledged",
        )
    }

    /// 503: try again soon.
    pub(super) fn unavailable(detail: &str) -> Self {
        Self::new(
            ProblemKind::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            detail,
        )
        .after(5)
    }

    /// 503: others were faster, again and again.
    pub(super) fn busy() -> Self {
        Self::unavailable("others write to this journal at the same moment").after(1)
    }

    /// 507: the journal's quota.
    pub(super) fn over_quota(quota: u64) -> Self {
        let detail = format!("a journal may take {quota} bytes on this relay; nothing was stored");
        Self::new(ProblemKind::Full, StatusCode::INSUFFICIENT_STORAGE, detail).limited(quota)
    }

    /// 507: the journal's number of envelopes.
    pub(super) fn too_many_envelopes(most: u64) -> Self {
        let detail =
            format!("a journal may have {most} envelopes on this relay; nothing was stored");
        Self::new(ProblemKind::Full, StatusCode::INSUFFICIENT_STORAGE, detail).limited(most)
    }

    /// 507: no more journals with this token.
    pub(super) fn too_many_of_token(most: u64) -> Self {
        let detail = format!("{most} journals may be created with one enrolment token, and were");
        Self::new(ProblemKind::Full, StatusCode::INSUFFICIENT_STORAGE, detail).limited(most)
    }

    /// 507: no more journals.
    pub(super) fn too_many_journals(most: u64) -> Self {
        let detail = format!("this relay may have {most} journals, and has");
        Self::new(ProblemKind::Full, StatusCode::INSUFFICIENT_STORAGE, detail).limited(most)
    }
}

impl From<ChangeRefused> for Rejection {
    fn from(refused: ChangeRefused) -> Self {
        match refused {
            ChangeRefused::Malformed { .. }
            | ChangeRefused::UnnamedBlob { .. }
            | ChangeRefused::Empty => Self::malformed(refused.to_string()),
            ChangeRefused::Broken { .. } | ChangeRefused::ExpiresLate => Self::new(
                ProblemKind::RuleBroken,
                StatusCode::CONFLICT,
                refused.to_string(),
            ),
            ChangeRefused::BehindFrontier => Self::new(
                ProblemKind::BehindFrontier,
                StatusCode::CONFLICT,
                refused.to_string(),
            ),
            ChangeRefused::InviteClosed(closed) => Self::barred(Asker::ClosedInvite(closed)),
            ChangeRefused::BlobLength { .. } => {
                Self::too_large("the bytes of a sealed key", limits::BLOB_BYTES)
            }
        }
    }
}

impl From<StorageError> for Rejection {
    fn from(error: StorageError) -> Self {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, source, "storage failed");
        match error {
            StorageError::Full(_) => Self::new(
                ProblemKind::Full,
                StatusCode::INSUFFICIENT_STORAGE,
                "the relay's disk is full; nothing was stored",
            ),
            StorageError::Unavailable(_) | StorageError::Closed => {
                Self::unavailable("the relay cannot read or write its data now; nothing was stored")
            }
            StorageError::Damaged(_) => Self::internal(),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let media = HeaderValue::from_static(api::PROBLEM_TYPE);
        headers.insert(header::CONTENT_TYPE, media);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static(protocol::request::SCHEME);
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(wait) = self.wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}
