//! What tests need: keys that sign, journals that grow, and a relay in memory but for its file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use minicbor::{Decode, Encode};
use protocol::api::{self, Append, Create, LogAppend, LogPage, Problem, ProblemKind};
use protocol::cbor::{self, Bytes};
use protocol::domain::Domain;
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{
    BlobHash, ChainSalt, Commitment, EnvelopeHash, JournalId, KemKey, KeyId, PersonId, RecordHash,
    Seq, Signature, SigningKey,
};
use protocol::log::MemberLog;
use protocol::record::{
    Body as RecordBody, DeviceKeys, Genesis, Invite, Join, Place, SignedRecord, join_proof_parts,
};
use protocol::request::{self, Authorization};
use protocol::role::Role;
use protocol::sign::Signer;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::http::{self, Bodies, Origins, Site};
use crate::service::{Limits, Relay, SetClock, hash_token};
use crate::sqlite::Sqlite;
use crate::storage::Storage;

/// When tests happen.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The relay's host.
pub(crate) const HOST: &str = "relay.test";
/// The origin that requests are signed for.
pub(crate) const ORIGIN: &str = "http://relay.test";
/// An enrolment token that the relay knows.
pub(crate) const TOKEN: &str = "a-token-for-tests";

/// The keys of a device or an invite.
#[derive(Clone)]
pub(crate) struct Keys {
    secret: ed25519_dalek::SigningKey,
    kem: KemKey,
}

impl Keys {
    /// Makes keys from a number.
    pub(crate) fn of(seed: u8) -> Self {
        Self {
            secret: ed25519_dalek::SigningKey::from_bytes(&[seed; 32]),
            kem: KemKey([seed; KemKey::LENGTH]),
        }
    }

    fn signing(&self) -> SigningKey {
        SigningKey(self.secret.verifying_key().to_bytes())
    }

    fn device(&self) -> DeviceKeys {
        DeviceKeys {
            signing: self.signing(),
            kem: self.kem,
            name: Bytes(vec![7; 40]),
            paper: false,
        }
    }
}

impl Signer for Keys {
    fn key_id(&self) -> KeyId {
        KeyId::of(&self.signing(), &self.kem)
    }

    fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        use ed25519_dalek::Signer as _;
        Signature(self.secret.sign(&domain.message(parts)).to_bytes())
    }
}

/// A journal as its owner's client knows it.
#[derive(Clone)]
pub(crate) struct Journal {
    /// Its log.
    pub(crate) log: MemberLog,
    /// Its records.
    pub(crate) records: Vec<Bytes>,
    /// The sealed keys of its records.
    pub(crate) blobs: Vec<Bytes>,
}

impl Journal {
    /// Starts a journal.
    pub(crate) fn start(owner: &Keys) -> Self {
        let blob = Bytes([b"sealed for ".as_slice(), &owner.key_id().0].concat());
        let genesis = RecordBody::Genesis(Genesis {
            person: PersonId([1; 16]),
            name: Bytes(vec![8; 40]),
            device: owner.device(),
            epoch: Commitment([9; 32]),
            key: BlobHash::of(&blob.0),
            relays: vec![ORIGIN.to_owned()],
        });
        let record = SignedRecord::create(owner, Place::GENESIS, NOW, &genesis);
        Self {
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: vec![blob],
            log: MemberLog::start(record).unwrap(),
        }
    }

    /// Returns the id.
    pub(crate) fn id(&self) -> JournalId {
        self.log.journal()
    }

    /// Returns the path of a part.
    pub(crate) fn path(&self, part: &str) -> String {
        api::journal_path(&self.id(), part)
    }

    /// Returns the message that creates it.
    pub(crate) fn create(&self) -> Create {
        Create {
            records: self.records.clone(),
            blobs: self.blobs.clone(),
        }
    }

    /// Returns the record by which `by` says `body` next, without appending it.
    pub(crate) fn next(&self, by: &Keys, body: &RecordBody) -> SignedRecord {
        SignedRecord::create(by, self.log.next_place(), NOW, body)
    }

    /// Appends a record with its sealed key, and returns the message that appends it to the relay's log.
    pub(crate) fn append(&mut self, record: SignedRecord, blob: Option<Bytes>) -> LogAppend {
        let head = self.log.head();
        let bytes = Bytes(record.bytes().to_vec());
        self.log.append(record).unwrap();
        self.records.push(bytes.clone());
        self.blobs.extend(blob.clone());
        LogAppend {
            head,
            records: vec![bytes],
            blobs: blob.into_iter().collect(),
        }
    }

    /// Returns the record by which `by` invites one more person, and the sealed key it names.
    pub(crate) fn invite(&self, by: &Keys, invite: &Keys, expires: u64) -> (SignedRecord, Bytes) {
        let blob = Bytes([b"sealed for ".as_slice(), &invite.key_id().0].concat());
        let body = RecordBody::Invite(Invite {
            signing: invite.signing(),
            kem: invite.kem,
            person: PersonId(invite.secret.to_bytes()[..16].try_into().unwrap()),
            name: Some(Bytes(vec![8; 40])),
            role: Role::Contributor,
            expires,
            key: Some(BlobHash::of(&blob.0)),
        });
        (self.next(by, &body), blob)
    }

    /// Returns the record by which `device` joins with `invite`, and the sealed key it names.
    pub(crate) fn join(&self, invite: &Keys, device: &Keys) -> (SignedRecord, Bytes) {
        let blob = Bytes([b"sealed for ".as_slice(), &device.key_id().0].concat());
        let (journal, by, id) = (self.id(), invite.key_id(), device.key_id());
        let body = RecordBody::Join(Join {
            device: device.device(),
            proof: device.sign(Domain::JoinProof, &join_proof_parts(&journal, &by, &id)),
            key: Some(BlobHash::of(&blob.0)),
        });
        (self.next(invite, &body), blob)
    }

    /// Returns a chain of `device`'s envelopes.
    pub(crate) fn chain(&self, device: &Keys) -> Chain {
        Chain {
            journal: self.id(),
            device: device.clone(),
            head: self.log.head(),
            last: None,
        }
    }
}

/// A device's envelopes.
pub(crate) struct Chain {
    journal: JournalId,
    device: Keys,
    /// The head that envelopes name.
    pub(crate) head: RecordHash,
    last: Option<(Seq, EnvelopeHash)>,
}

impl Chain {
    /// Seals the next envelope, around `length` bytes.
    pub(crate) fn seal(&mut self, length: usize) -> Bytes {
        let (seq, prev) = match self.last {
            Some((seq, hash)) => (Seq(seq.0 + 1), Some(hash)),
            None => (Seq(1), None),
        };
        let header = Header {
            kind: Kind::Batch,
            journal: self.journal,
            device: self.device.key_id(),
            salt: ChainSalt([5; 16]),
            seq,
            prev,
            head: self.head,
            epoch: 0,
            nonce: [6; 24],
        };
        let envelope = Envelope::create(header, &vec![0xce; length + 16], &self.device);
        self.last = Some((seq, envelope.hash()));
        Bytes(envelope.bytes().to_vec())
    }

    /// Returns the message that stores envelopes.
    pub(crate) fn append(&self, envelopes: Vec<Bytes>) -> Append {
        Append {
            head: self.head,
            envelopes,
        }
    }
}

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
    /// Its router.
    pub(crate) router: Router,
    /// Its clock.
    pub(crate) clock: Arc<SetClock>,
    /// Its store.
    pub(crate) store: Arc<Sqlite>,
    /// Becomes true when it stops.
    pub(crate) stop: watch::Sender<bool>,
    _folder: TempDir,
    randoms: AtomicU64,
}

impl Bench {
    /// Makes a relay that knows [`TOKEN`].
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// Makes a relay with other limits.
    pub(crate) async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(folder.path()).unwrap());
        let (hash, id) = hash_token(&TOKEN.parse().unwrap());
        store.add_token(id, hash, NOW).await.unwrap();
        Self::over(store, folder, limits, Origins::Asked { loopback: false })
    }

    /// Makes a relay over a store.
    pub(crate) fn over(
        store: Arc<Sqlite>,
        folder: TempDir,
        limits: Limits,
        origins: Origins,
    ) -> Self {
        let clock = Arc::new(SetClock::at(NOW));
        let (stop, stopped) = watch::channel(false);
        let storage: Arc<dyn Storage> = Arc::<Sqlite>::clone(&store);
        let site = Site {
            relay: Relay::new(storage, Arc::<SetClock>::clone(&clock), limits, false),
            origins,
            stop: stopped,
            bodies: Bodies::default(),
        };
        Self {
            router: http::router(site),
            clock,
            store,
            stop,
            _folder: folder,
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
        let (parts, body) = response.into_parts();
        Answered {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
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
        let (invite, device) = (Keys::of(seed), Keys::of(seed + 1));
        let (record, blob) = journal.invite(owner, &invite, NOW + 3_600);
        let append = journal.append(record, Some(blob));
        let path = journal.path("log");
        let _: LogPage = self.post(owner, &path, &append).await.message();
        let (record, blob) = journal.join(&invite, &device);
        let append = journal.append(record, Some(blob));
        let _: LogPage = self.post(&invite, &path, &append).await.message();
        device
    }
}
