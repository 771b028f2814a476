//! The HTTP side of a relay: one signed request, one answer, and what every failure means.
//!
//! Owns timeouts, size limits on answers, the one retry with the relay's clock after a 401, and the one wait for a
//! `Retry-After` of at most ten seconds. Counts bytes and round trips. Decides nothing about a journal.

use std::error::Error as _;
use std::time::Duration;

use futures_util::StreamExt;
use minicbor::{Decode, Encode};
use protocol::api::{ENROLMENT_HEADER, EnrolmentToken, MEDIA_TYPE, Problem, ProblemKind};
use protocol::cbor;
use protocol::limits;
use protocol::request::{Authorization, Request};
use protocol::sign::Signer;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};

use crate::error::Family;
use crate::os;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a relay may be silent within one answer. With the connection, well below the 30 seconds promised.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the stream of news may be silent: longer than the relay's pauses between signs of life.
const NEWS_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that is waited out.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Why a relay did not answer as asked. Nothing local is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// No connection, or it broke.
    #[error("the relay {origin} cannot be reached")]
    Unreachable {
        /// The relay.
        origin: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Connected, but silent.
    #[error("the relay {origin} does not answer")]
    Silent {
        /// The relay.
        origin: String,
    },
    /// The answer is not one of a relay.
    #[error("what answers at {origin} does not speak like an ebb relay: {reason}")]
    Garbage {
        /// The relay.
        origin: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The relay said no, or not now.
    #[error("the relay {origin} answered: {}", .problem.detail)]
    Problem {
        /// The relay.
        origin: String,
        /// What it said.
        problem: Problem,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

impl RelayError {
    /// Returns the family of the failure, which decides the exit code.
    pub fn family(&self) -> Family {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => Family::Offline,
            Self::Garbage { .. } => Family::Damaged,
            Self::Setup(_) => Family::CouldNot,
            Self::Problem { problem, .. } => problem_family(problem.kind),
        }
    }

    /// Returns what the relay said, if it said something.
    pub fn problem(&self) -> Option<ProblemKind> {
        match self {
            Self::Problem { problem, .. } => Some(problem.kind),
            _ => None,
        }
    }
}

/// Returns the family of a problem that a relay names.
pub(crate) fn problem_family(kind: ProblemKind) -> Family {
    match kind {
        ProblemKind::Unauthorized
        | ProblemKind::Forbidden
        | ProblemKind::NotAMember
        | ProblemKind::WrongToken
        | ProblemKind::InviteExpired
        | ProblemKind::InviteUsed
        | ProblemKind::InviteWithdrawn
        | ProblemKind::Erased => Family::NotPermitted,
        ProblemKind::UnknownJournal
        | ProblemKind::StaleHead
        | ProblemKind::BehindFrontier
        | ProblemKind::SnapshotUnfit
        | ProblemKind::TooMany
        | ProblemKind::Internal
        | ProblemKind::Unavailable
        | ProblemKind::Full => Family::Offline,
        ProblemKind::Malformed
        | ProblemKind::NotFound
        | ProblemKind::RuleBroken
        | ProblemKind::TooLarge => Family::CouldNot,
    }
}

/// What one command exchanged with relays.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) round_trips: u64,
}

/// A connection to one relay.
pub(crate) struct RelayClient {
    http: reqwest::Client,
    origin: String,
    /// The relay's clock minus this device's, in seconds, once a 401 has told it.
    skew: i64,
    traffic: Traffic,
}

impl RelayClient {
    /// Sets up a client; connects to nothing yet.
    pub(crate) fn new(origin: &str) -> Result<Self, RelayError> {
        Self::with_patience(origin, SILENCE_TIMEOUT)
    }

    /// Sets up a client for the stream of news, which may be silent for longer.
    pub(crate) fn for_news(origin: &str) -> Result<Self, RelayError> {
        Self::with_patience(origin, NEWS_TIMEOUT)
    }

    fn with_patience(origin: &str, silence: Duration) -> Result<Self, RelayError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("ebb/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(silence);
        // An error means that a provider is installed already, by an earlier client of this process.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        // Loading the platform's root certificates takes milliseconds; plain http needs none.
        let builder = if origin.starts_with("http://") {
            builder.tls_certs_only([])
        } else {
            builder
        };
        let http = builder.build().map_err(RelayError::Setup)?;
        Ok(Self {
            http,
            origin: origin.to_owned(),
            skew: 0,
            traffic: Traffic::default(),
        })
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Posts a message and reads the answer.
    pub(crate) async fn post<Q: Encode<()>, A>(
        &mut self,
        signer: &dyn Signer,
        path: &str,
        message: &Q,
        token: Option<&EnrolmentToken>,
    ) -> Result<A, RelayError>
    where
        A: Encode<()> + for<'b> Decode<'b, ()>,
    {
        self.call(signer, Method::POST, path, cbor::encode(message), token)
            .await
    }

    /// Gets an answer.
    pub(crate) async fn get<A>(&mut self, signer: &dyn Signer, path: &str) -> Result<A, RelayError>
    where
        A: Encode<()> + for<'b> Decode<'b, ()>,
    {
        self.call(signer, Method::GET, path, Vec::new(), None).await
    }

    async fn call<A>(
        &mut self,
        signer: &dyn Signer,
        method: Method,
        path: &str,
        body: Vec<u8>,
        token: Option<&EnrolmentToken>,
    ) -> Result<A, RelayError>
    where
        A: Encode<()> + for<'b> Decode<'b, ()>,
    {
        let mut answer = self.attempt(signer, &method, path, &body, token).await;
        if let Some(wait) = answer
            .as_ref()
            .err()
            .and_then(|failure| self.worth_another(failure))
        {
            tokio::time::sleep(wait).await;
            answer = self.attempt(signer, &method, path, &body, token).await;
        }
        let bytes = answer.map_err(|failure| failure.error)?;
        cbor::decode(&bytes).map_err(|error| self.garbage(error.to_string()))
    }

    /// Returns how long to wait before the one retry; none if a retry is pointless.
    fn worth_another(&mut self, failure: &Failure) -> Option<Duration> {
        let RelayError::Problem { problem, .. } = &failure.error else {
            return None;
        };
        match (problem.kind, problem.time, failure.retry_after) {
            (ProblemKind::Unauthorized, Some(time), _) => {
                let skew = i64::try_from(time)
                    .ok()?
                    .checked_sub(i64::try_from(os::unix_seconds()).ok()?)?;
                let changed = skew.abs_diff(self.skew) > limits::CLOCK_SKEW_SECONDS / 2;
                self.skew = skew;
                changed.then_some(Duration::ZERO)
            }
            (ProblemKind::TooMany | ProblemKind::Unavailable, _, Some(wait))
                if wait <= LONGEST_WAIT =>
            {
                Some(wait)
            }
            _ => None,
        }
    }

    async fn attempt(
        &mut self,
        signer: &dyn Signer,
        method: &Method,
        path: &str,
        body: &[u8],
        token: Option<&EnrolmentToken>,
    ) -> Result<Vec<u8>, Failure> {
        let response = self.send(signer, method, path, body, token).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(self.refusal(status, &headers, &body))
    }

    async fn send(
        &mut self,
        signer: &dyn Signer,
        method: &Method,
        path: &str,
        body: &[u8],
        token: Option<&EnrolmentToken>,
    ) -> Result<Response, RelayError> {
        let authorization = self.authorize(signer, method, path, body);
        self.traffic.round_trips += 1;
        self.traffic.sent += count(authorization.len() + path.len() + body.len());
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.origin))
            .header(AUTHORIZATION, authorization);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE).body(body.to_vec());
        }
        if let Some(token) = token {
            request = request.header(ENROLMENT_HEADER, token.reveal());
        }
        request.send().await.map_err(|error| self.broken(error))
    }

    fn authorize(&self, signer: &dyn Signer, method: &Method, path: &str, body: &[u8]) -> String {
        let request = Request {
            method: method.as_str(),
            path,
            body,
        };
        let time = os::unix_seconds().saturating_add_signed(self.skew);
        Authorization::create(signer, &self.origin, request, time, os::random_bytes()).to_string()
    }

    async fn read(&mut self, response: Response) -> Result<Vec<u8>, RelayError> {
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| self.broken(error))?);
            if body.len() > limits::ANSWER_BYTES {
                return Err(self.garbage(format!(
                    "an answer of more than {} bytes",
                    limits::ANSWER_BYTES
                )));
            }
        }
        self.traffic.received += count(body.len());
        Ok(body)
    }

    /// Opens the stream of news. The answer stays open; each chunk of it is news.
    pub(crate) async fn events(
        &mut self,
        signer: &dyn Signer,
        path: &str,
    ) -> Result<Response, RelayError> {
        let response = self.send(signer, &Method::GET, path, &[], None).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response).await?;
        Err(self.refusal(status, &headers, &body).error)
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        let origin = self.origin.clone();
        let error = match serde_json::from_slice::<Problem>(body) {
            Ok(mut problem) => {
                // A relay's words end up on a terminal: short, and without control characters.
                problem.detail = problem
                    .detail
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(300)
                    .collect();
                RelayError::Problem { origin, problem }
            }
            // Without a problem document it is a proxy in between that cannot reach the relay.
            Err(_) if status.is_server_error() => RelayError::Silent { origin },
            Err(_) => self.garbage(format!("status {}", status.as_u16())),
        };
        Failure { error, retry_after }
    }

    /// Names the end of a stream that should go on.
    pub(crate) fn closed(&self) -> RelayError {
        RelayError::Silent {
            origin: self.origin.clone(),
        }
    }

    pub(crate) fn garbage(&self, reason: String) -> RelayError {
        RelayError::Garbage {
            origin: self.origin.clone(),
            reason,
        }
    }

    /// Names a failed exchange: silence, bytes that are not HTTP, or no connection.
    pub(crate) fn broken(&self, error: reqwest::Error) -> RelayError {
        let origin = self.origin.clone();
        if error.is_timeout() {
            return RelayError::Silent { origin };
        }
        if is_not_http(&error) {
            return self.garbage("its bytes are not HTTP".to_owned());
        }
        // The URL is left out: this error may be shown, and the origin is named already.
        RelayError::Unreachable {
            origin,
            source: error.without_url(),
        }
    }
}

/// A failed attempt, with the wait that the relay asked for.
struct Failure {
    error: RelayError,
    retry_after: Option<Duration>,
}

impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

fn is_not_http(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
        {
            return true;
        }
        source = cause.source();
    }
    false
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
