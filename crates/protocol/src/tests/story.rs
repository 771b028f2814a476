//! A member log that tests tell: keys, records and envelopes that a member could make.

use std::collections::BTreeSet;

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
    Approve, Body, DeviceKeys, Genesis, Invite, Join, Place, Record, Remove, SetRole, SignedRecord,
    join_proof_parts,
};
use crate::role::Role;
use crate::sign::Signer;
use crate::vector::Vector;

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

    pub(super) fn kem_key(&self) -> KemKey {
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

    /// Opens an invite of a new person whose device will wait for an approval.
    pub(super) fn invite_to_wait(&mut self, number: u8, person: PersonId, role: Role) -> Key {
        let Body::Invite(mut invite) = self.invite_body(number, person, role, Some(vec![2])) else {
            panic!("an invite is an invite")
        };
        invite.key = None;
        self.append(&self.owner.clone(), &Body::Invite(invite));
        Key::new(number)
    }

    /// The joining of a device that will wait for an approval.
    pub(super) fn waiting_body(&self, invite: &Key, device: &Key) -> Join {
        let Body::Join(mut join) = self.join_body(invite, device) else {
            panic!("a join is a join")
        };
        join.key = None;
        join.device.name = Bytes(Vec::new());
        join
    }

    /// Lets a device join that waits for an approval.
    pub(super) fn join_to_wait(&mut self, invite: &Key, number: u8) -> Key {
        let device = Key::new(number);
        let join = self.waiting_body(invite, &device);
        self.append(invite, &Body::Join(join));
        device
    }

    pub(super) fn approve_body(&self, device: &Key) -> Approve {
        Approve {
            device: device.key_id(),
            name: Bytes(vec![3]),
            key: BlobHash([3; 32]),
        }
    }

    pub(super) fn role_body(&self, person: u8, role: Role, frontier: Vector) -> Body {
        let person = PersonId([person; 16]);
        Body::SetRole(SetRole {
            person,
            role,
            frontier,
        })
    }

    /// A removal as the rules want it.
    pub(super) fn removal(&self, devices: &[&Key], frontier: Vector) -> Remove {
        let removed: BTreeSet<KeyId> = devices.iter().map(|key| key.key_id()).collect();
        let closing = self.log.invites_of(&removed);
        let members = self.log.devices().iter();
        let staying =
            members.filter(|(id, device)| device.role().is_some() && !removed.contains(id));
        let open = self.log.open_invites();
        let open = open.filter(|(id, entry)| entry.key.is_some() && !closing.contains(id));
        let epoch = u8::try_from(self.log.epoch().number + 1).unwrap();
        let key = BlobHash([epoch; 32]);
        Remove {
            devices: removed.iter().copied().collect(),
            frontier,
            epoch: Commitment([100 + epoch; 32]),
            previous: Bytes(vec![epoch; 72]),
            device_keys: staying.map(|(id, _)| (*id, key)).collect(),
            invite_keys: open.map(|(id, _)| (*id, key)).collect(),
        }
    }

    /// Removes devices.
    pub(super) fn remove(&mut self, devices: &[&Key], frontier: Vector) {
        let removal = self.removal(devices, frontier);
        self.append(&self.owner.clone(), &Body::Remove(removal));
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
            epoch: self.log.epoch().number,
            nonce: [5; 24],
        };
        change(&mut header);
        Envelope::create(header, &[6; 32], device)
    }
}
