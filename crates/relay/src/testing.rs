//! What tests need: keys that sign, journals that grow, and a relay in memory but for its file.

mod journal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use minicbor::{Decode, Encode};
use protocol::api::{self, Appended, LogPage, Problem, ProblemKind};
use protocol::cbor::{self, Bytes};
use protocol::record::SignedRecord;
use protocol::request::{self, Authorization};
use protocol::role::Role;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::http::{self, Bodies, Origins, Site};
use crate::service::{Limits, Relay, SetClock, hash_token};
use crate::sqlite::Sqlite;
use crate::storage::Storage;

pub(crate) use journal::{Chain, Journal, Keys};

/// When tests happen.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The relay's host.
pub(crate) const HOST: &str = "relay.test";
/// The origin that requests are signed for.
pub(crate) const ORIGIN: &str = "http://relay.test";
/// An enrolment token that the relay knows.
pub(crate) const TOKEN: &str = "a-token-for-tests";

/// What a relay answered.
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answered {
    /// Reads a response to its end, but for a stream of events, which has none.
    pub(crate) async fn or_stream(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let streams = parts.headers[header::CONTENT_TYPE] == "text/event-stream";
        let body = if streams {
            Vec::new()
        } else {
            body.collect().await.unwrap().to_bytes().to_vec()
        };
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Reads a message out of a success.
    pub(crate) fn message<T: Encode<()> + for<'b> Decode<'b, ()>>(&self) -> T {
        assert!(
            self.status.is_success(),
            "{}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.headers[header::CONTENT_TYPE], api::MEDIA_TYPE);
        cbor::decode(&self.body).unwrap()
    }

    /// Checks that this is a problem of the given kind and status, and returns it.
    pub(crate) fn problem(&self, status: u16, kind: ProblemKind) -> Problem {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.headers[header::CONTENT_TYPE], api::PROBLEM_TYPE);
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((problem.status, problem.kind), (status, kind), "{text}");
        problem
    }
}

/// A relay whose router is called without a network.
pub(crate) struct Bench {
    /// What its handlers share.
    pub(crate) site: Arc<Site>,
    /// Its router.
    pub(crate) router: Router,
    /// Its clock.
    pub(crate) clock: Arc<SetClock>,
    /// Its store.
    pub(crate) store: Arc<Sqlite>,
    /// Becomes true when it stops.
    pub(crate) stop: watch::Sender<bool>,
    /// Where its file is.
    pub(crate) folder: TempDir,
    randoms: AtomicU64,
}

impl Bench {
    /// Makes a relay that knows [`TOKEN`].
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// Makes a relay with other limits.
    pub(crate) async fn with(limits: Limits) -> Self {
        Self::known_as(limits, Origins::Asked { loopback: false }).await
    }

    /// Makes a relay with other limits and names.
    pub(crate) async fn known_as(limits: Limits, origins: Origins) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(folder.path()).unwrap());
        let (hash, id) = hash_token(&TOKEN.parse().unwrap());
        store.add_token(id, hash, NOW).await.unwrap();
        Self::over(store, folder, limits, origins)
    }

    /// Makes a relay over a store.
    pub(crate) fn over(
        store: Arc<Sqlite>,
        folder: TempDir,
        limits: Limits,
        origins: Origins,
    ) -> Self {
        Self::waiting(store, folder, limits, origins, Bodies::default())
    }

    /// Makes a relay over a store that waits for bodies as given.
    pub(crate) fn waiting(
        store: Arc<Sqlite>,
        folder: TempDir,
        limits: Limits,
        origins: Origins,
        bodies: Bodies,
    ) -> Self {
        let clock = Arc::new(SetClock::at(NOW));
        let (stop, stopped) = watch::channel(false);
        let storage: Arc<dyn Storage> = Arc::<Sqlite>::clone(&store);
        let site = Arc::new(Site {
            relay: Relay::new(storage, Arc::<SetClock>::clone(&clock), limits, false),
            origins,
            stop: stopped,
            bodies,
            proxies: Vec::new(),
            metrics: Arc::default(),
        });
        Self {
            router: http::router(Arc::clone(&site)),
            site,
            clock,
            store,
            stop,
            folder,
            randoms: AtomicU64::new(0),
        }
    }

    /// Signs a request of `keys` at `time`, for `origin`.
    pub(crate) fn sign(
        &self,
        keys: &Keys,
        (method, path, body): (&str, &str, &[u8]),
        origin: &str,
        time: u64,
    ) -> Authorization {
        let number = self.randoms.fetch_add(1, Ordering::SeqCst);
        let mut random = [0; 16];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let request = request::Request { method, path, body };
        Authorization::create(keys, origin, request, time, random)
    }

    /// Sends a request, with the proof given.
    pub(crate) async fn send(
        &self,
        (method, path, body): (&str, &str, &[u8]),
        authorization: Option<&Authorization>,
        token: Option<&str>,
    ) -> Answered {
        let response = self
            .respond((method, path, body), authorization, token)
            .await;
        Answered::or_stream(response).await
    }

    /// Sends a request, and returns the response with its body still to come.
    pub(crate) async fn respond(
        &self,
        (method, path, body): (&str, &str, &[u8]),
        authorization: Option<&Authorization>,
        token: Option<&str>,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization.to_string());
        }
        if let Some(token) = token {
            request = request.header(api::ENROLMENT_HEADER, token);
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Asks as `keys`, properly signed.
    pub(crate) async fn get(&self, keys: &Keys, path: &str) -> Answered {
        let request = ("GET", path, [].as_slice());
        let time = crate::service::Clock::now(self.clock.as_ref());
        let authorization = self.sign(keys, request, ORIGIN, time);
        self.send(request, Some(&authorization), None).await
    }

    /// Sends a message as `keys`, properly signed.
    pub(crate) async fn post<T: Encode<()>>(
        &self,
        keys: &Keys,
        path: &str,
        message: &T,
    ) -> Answered {
        let body = cbor::encode(message);
        let request = ("POST", path, body.as_slice());
        let time = crate::service::Clock::now(self.clock.as_ref());
        let authorization = self.sign(keys, request, ORIGIN, time);
        self.send(request, Some(&authorization), Some(TOKEN)).await
    }

    /// Starts a journal and creates it on the relay.
    pub(crate) async fn journal(&self, owner: &Keys) -> Journal {
        let journal = Journal::start(owner);
        let created = self.post(owner, api::JOURNALS, &journal.create()).await;
        assert_eq!(created.status, StatusCode::CREATED);
        journal
    }

    /// Opens an invite in a journal and lets a device join with it.
    pub(crate) async fn join(&self, journal: &mut Journal, owner: &Keys, seed: u8) -> Keys {
        self.join_as(journal, owner, seed, Role::Contributor).await
    }

    /// Opens an invite of a role in a journal and lets a device join with it.
    pub(crate) async fn join_as(
        &self,
        journal: &mut Journal,
        owner: &Keys,
        seed: u8,
        role: Role,
    ) -> Keys {
        let (invite, device) = (Keys::of(seed), Keys::of(seed + 1));
        let (record, blob) = journal.invite_as(owner, &invite, role);
        self.tell(journal, owner, record, vec![blob]).await;
        let (record, blob) = journal.join(&invite, &device);
        self.tell(journal, &invite, record, vec![blob]).await;
        device
    }

    /// Opens an invite in a journal that needs an approval, and lets a device join with it.
    pub(crate) async fn join_to_wait(&self, journal: &mut Journal, owner: &Keys, seed: u8) -> Keys {
        let (invite, device) = (Keys::of(seed), Keys::of(seed + 1));
        let record = journal.invite_to_wait(owner, &invite);
        self.tell(journal, owner, record, Vec::new()).await;
        let record = journal.join_to_wait(&invite, &device);
        self.tell(journal, &invite, record, Vec::new()).await;
        device
    }

    /// Appends a record, here and on the relay.
    pub(crate) async fn tell(
        &self,
        journal: &mut Journal,
        by: &Keys,
        record: SignedRecord,
        blobs: Vec<Bytes>,
    ) {
        let append = journal.append_with(record, blobs);
        let page: LogPage = self.post(by, &journal.path("log"), &append).await.message();
        assert_eq!(page.head, journal.log.head());
    }

    /// Seals an envelope next in a chain and stores it, brought by `by`.
    pub(crate) async fn put(&self, journal: &Journal, by: &Keys, chain: &mut Chain) {
        let envelope = chain.seal(50);
        let append = api::Append {
            head: journal.log.head(),
            envelopes: vec![envelope],
        };
        let answer = self.post(by, &journal.path("envelopes"), &append).await;
        assert_eq!(answer.message::<Appended>().refused, []);
    }
}
