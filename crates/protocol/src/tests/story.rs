//! A member log that tests tell: keys, records and envelopes that a member could make.

use ed25519_dalek::Signer as _;

use crate::cbor::{self, Bytes};
use crate::domain::Domain;
use crate::envelope::{Envelope, Header, Kind};
use crate::id::{
    BlobHash, ChainSalt, Commitment, EnvelopeHash, KemKey, KeyId, PersonId, Seq, Signature,
    SigningKey,
};
use crate::log::MemberLog;
use crate::record::{
    Body, DeviceKeys, Genesis, Invite, Join, Place, Record, SignedRecord, join_proof_parts,
};
use crate::role::Role;
use crate::sign::Signer;

/// A signing key with a KEM key that nothing is ever sealed to.
#[derive(Clone)]
pub(super) struct Key(ed25519_dalek::SigningKey);

impl Key {
    pub(super) fn new(number: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[number; 32]))
    }

    pub(super) fn signing_key(&self) -> SigningKey {
        SigningKey(self.0.verifying_key().to_bytes())
    }

    fn kem_key(&self) -> KemKey {
        KemKey([self.signing_key().0[0]; 1216])
    }

    fn device(&self) -> DeviceKeys {
        DeviceKeys {
            signing: self.signing_key(),
            kem: self.kem_key(),
            name: Bytes(vec![1]),
            paper: false,
        }
    }
}

impl Signer for Key {
    fn key_id(&self) -> KeyId {
        KeyId::of(&self.signing_key(), &self.kem_key())
    }

    fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        Signature(self.0.sign(&domain.message(parts)).to_bytes())
    }
}

pub(super) struct Story {
    pub(super) owner: Key,
    pub(super) log: MemberLog,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::with_seed(0)
    }

    /// Another journal of the same owner.
    pub(super) fn with_seed(seed: u8) -> Self {
        let owner = Key::new(200);
        let genesis = Body::Genesis(Genesis {
            person: PersonId([1; 16]),
            name: Bytes(vec![1]),
            device: owner.device(),
            epoch: Commitment([seed; 32]),
            key: BlobHash([0; 32]),
            relays: vec!["https://relay.example".to_owned()],
        });
        let genesis = SignedRecord::create(&owner, Place::GENESIS, 0, &genesis);
        Self {
            log: MemberLog::start(genesis).unwrap(),
            owner,
        }
    }

    pub(super) fn sign(&self, author: &Key, body: &Body) -> SignedRecord {
        SignedRecord::create(author, self.log.next_place(), 0, body)
    }

    /// Signs a body of any kind, also one that this version does not know.
    pub(super) fn sign_raw(&self, author: &Key, kind: u8, body: Vec<u8>) -> SignedRecord {
        let frame = Record::raw(self.log.next_place(), author.key_id(), kind, body);
        let mut bytes = cbor::encode(&frame);
        let signature = author.sign(Domain::RecordSignature, &[&bytes]);
        bytes.extend_from_slice(&signature.0);
        SignedRecord::parse(&bytes).unwrap()
    }

    pub(super) fn append(&mut self, author: &Key, body: &Body) {
        let record = self.sign(author, body);
        self.log.append(record).unwrap();
    }

    pub(super) fn invite_body(
        &self,
        number: u8,
        person: PersonId,
        role: Role,
        name: Option<Vec<u8>>,
    ) -> Body {
        let key = Key::new(number);
        Body::Invite(Invite {
            signing: key.signing_key(),
            kem: key.kem_key(),
            person,
            name: name.map(Bytes),
            role,
            expires: 1,
            key: Some(BlobHash([0; 32])),
        })
    }

    /// Opens an invite by the owner, naming the person if new.
    pub(super) fn invite(&mut self, number: u8, person: PersonId, role: Role) -> Key {
        let new = !self.log.persons().contains_key(&person);
        let body = self.invite_body(number, person, role, new.then(|| vec![2]));
        self.append(&self.owner.clone(), &body);
        Key::new(number)
    }

    pub(super) fn join_body(&self, invite: &Key, device: &Key) -> Body {
        let (journal, invite, id) = (self.log.journal(), invite.key_id(), device.key_id());
        let proof = device.sign(Domain::JoinProof, &join_proof_parts(&journal, &invite, &id));
        Body::Join(Join {
            device: device.device(),
            proof,
            key: Some(BlobHash([0; 32])),
        })
    }

    pub(super) fn join(&mut self, invite: &Key, number: u8) -> Key {
        let device = Key::new(number);
        let body = self.join_body(invite, &device);
        self.append(invite, &body);
        device
    }

    pub(super) fn envelope(&self, device: &Key, seq: u64, prev: Option<EnvelopeHash>) -> Envelope {
        self.envelope_with(device, |header| {
            (header.seq, header.prev) = (Seq(seq), prev)
        })
    }

    pub(super) fn envelope_with(&self, device: &Key, change: impl FnOnce(&mut Header)) -> Envelope {
        let mut header = Header {
            kind: Kind::Batch,
            journal: self.log.journal(),
            device: device.key_id(),
            salt: ChainSalt([4; 16]),
            seq: Seq(1),
            prev: None,
            head: self.log.head(),
            epoch: 0,
            nonce: [5; 24],
        };
        change(&mut header);
        Envelope::create(header, &[6; 32], device)
    }
}
