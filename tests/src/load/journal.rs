//! A journal with one device, and its requests, signed and whole.

use protocol::api::{self, Append, Create, SyncRequest};
use protocol::cbor::{self, Bytes};
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{BlobHash, ChainSalt, Commitment, EnvelopeHash, PersonId, Seq};
use protocol::log::MemberLog;
use protocol::record::{Body, DeviceKeys, Genesis, Place, SignedRecord};
use protocol::request::{Authorization, Request};
use protocol::sign::Verifier;
use protocol::vector::Vector;
use seal::{KeyPair, Seed};

use super::{Connection, Outcome, address, now, post};

/// Bytes that an envelope carries: an entry or two, padded and sealed.
const CONTENT: usize = 256;

/// A journal on one relay.
pub(super) struct Journal {
    keys: KeyPair,
    verifier: Verifier,
    log: MemberLog,
    records: Vec<Bytes>,
    blobs: Vec<Bytes>,
    url: String,
    last: Option<(Seq, EnvelopeHash)>,
}

impl Journal {
    /// Makes a journal of a new device.
    pub(super) fn new(url: &str) -> Outcome<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let keys = KeyPair::of_device(&Seed::from_bytes(seed));
        let blob = Bytes(vec![3; 80]);
        let genesis = Body::Genesis(Genesis {
            person: PersonId([1; 16]),
            name: Bytes(vec![8; 40]),
            device: DeviceKeys {
                signing: keys.signing_key(),
                kem: keys.kem_key(),
                name: Bytes(vec![7; 40]),
                paper: false,
            },
            epoch: Commitment([9; 32]),
            key: BlobHash::of(&blob.0),
            relays: vec![url.to_owned()],
        });
        let record = SignedRecord::create(&keys, Place::GENESIS, now()?, &genesis);
        Ok(Self {
            verifier: Verifier::of(&keys.signing_key()),
            keys,
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: vec![blob],
            log: MemberLog::start(record)?,
            url: url.to_owned(),
            last: None,
        })
    }

    /// Creates it on its relay, which must be open.
    pub(super) async fn create(&self) -> Outcome<()> {
        let create = Create {
            records: self.records.clone(),
            blobs: self.blobs.clone(),
        };
        let request = self.request("POST", api::JOURNALS, &cbor::encode(&create))?;
        Connection::open(&self.url).await?.ask(&request).await
    }

    /// Returns the body that appends the next envelope.
    pub(super) fn append(&mut self) -> Vec<u8> {
        let (seq, prev) = match self.last {
            Some((seq, hash)) => (Seq(seq.0 + 1), Some(hash)),
            None => (Seq(1), None),
        };
        let header = Header {
            kind: Kind::Batch,
            journal: self.log.journal(),
            device: protocol::sign::Signer::key_id(&self.keys),
            salt: ChainSalt([5; 16]),
            seq,
            prev,
            head: self.log.head(),
            epoch: 0,
            nonce: [6; 24],
        };
        let envelope = Envelope::create(header, &[0xce; CONTENT + 16], &self.keys);
        self.last = Some((seq, envelope.hash()));
        cbor::encode(&Append {
            head: self.log.head(),
            envelopes: vec![Bytes(envelope.bytes().to_vec())],
        })
    }

    /// Checks the signature of a body's envelope.
    pub(super) fn check(&self, body: &[u8]) -> Outcome<()> {
        let append: Append = cbor::decode(body)?;
        for bytes in append.envelopes {
            Envelope::parse(bytes.0)?.verify(&self.verifier)?;
        }
        Ok(())
    }

    /// Returns the request that stores envelopes.
    pub(super) fn storing(&self, body: &[u8]) -> Outcome<Vec<u8>> {
        self.request("POST", &self.path("envelopes"), body)
    }

    /// Returns the request that asks for everything.
    pub(super) fn syncing(&self) -> Outcome<Vec<u8>> {
        let ask = SyncRequest {
            log_length: 1,
            head: self.log.head(),
            vector: Vector::default(),
        };
        self.request("POST", &self.path("sync"), &cbor::encode(&ask))
    }

    /// Returns the request that waits for events.
    pub(super) fn waiting(&self) -> Outcome<Vec<u8>> {
        self.request("GET", &self.path("events"), b"")
    }

    fn path(&self, part: &str) -> String {
        api::journal_path(&self.log.journal(), part)
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> Outcome<Vec<u8>> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let request = Request { method, path, body };
        let proof = Authorization::create(&self.keys, &self.url, request, now()?, random);
        let host = address(&self.url)?;
        let headers = format!("Authorization: {proof}\r\n");
        let post = post(host, path, &headers, body);
        Ok(match method {
            "POST" => post,
            other => [other.as_bytes(), post.get(4..).unwrap_or_default()].concat(),
        })
    }
}
