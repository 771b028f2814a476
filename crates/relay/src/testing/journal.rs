//! Keys that sign, and journals that grow: what a client knows.

use std::collections::BTreeSet;

use protocol::api::{self, Append, Create, LogAppend};
use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{
    BlobHash, ChainId, ChainSalt, Commitment, EnvelopeHash, JournalId, KemKey, KeyId, PersonId,
    RecordHash, Seq, Signature, SigningKey,
};
use protocol::log::MemberLog;
use protocol::record::{
    Approve, Body, DeviceKeys, Erase, Genesis, Invite, Join, Place, Remove, SetRole, SignedRecord,
    join_proof_parts,
};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::snapshot::{Author, Manifest, Snapshot};
use protocol::vector::{Position, Vector};

use super::{NOW, ORIGIN};

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

    fn invitation(&self, role: Role, expires: u64, key: Option<BlobHash>) -> Invite {
        Invite {
            signing: self.signing(),
            kem: self.kem,
            person: PersonId(self.secret.to_bytes()[..16].try_into().unwrap()),
            name: Some(Bytes(vec![8; 40])),
            role,
            expires,
            key,
        }
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

/// A sealed key that the relay cannot open, and nobody else either.
fn sealed(epoch: u32, keys: &Keys) -> Bytes {
    sealed_to(epoch, &keys.key_id())
}

fn sealed_to(epoch: u32, id: &KeyId) -> Bytes {
    Bytes([b"sealed for ".as_slice(), &epoch.to_be_bytes(), &id.0].concat())
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
    /// Starts a journal whose home is [`ORIGIN`].
    pub(crate) fn start(owner: &Keys) -> Self {
        Self::start_at(owner, &[ORIGIN])
    }

    /// Starts a journal that lists these relays.
    pub(crate) fn start_at(owner: &Keys, relays: &[&str]) -> Self {
        let blob = sealed(0, owner);
        let genesis = Body::Genesis(Genesis {
            person: PersonId([1; 16]),
            name: Bytes(vec![8; 40]),
            device: owner.device(),
            epoch: Commitment([9; 32]),
            key: BlobHash::of(&blob.0),
            relays: relays.iter().map(|&url| url.to_owned()).collect(),
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
    pub(crate) fn next(&self, by: &Keys, body: &Body) -> SignedRecord {
        SignedRecord::create(by, self.log.next_place(), NOW, body)
    }

    /// Appends a record with its sealed key, and returns the message that appends it to the relay's log.
    pub(crate) fn append(&mut self, record: SignedRecord, blob: Option<Bytes>) -> LogAppend {
        self.append_with(record, blob.into_iter().collect())
    }

    /// Appends a record with its sealed keys, and returns the message that appends it to the relay's log.
    pub(crate) fn append_with(&mut self, record: SignedRecord, blobs: Vec<Bytes>) -> LogAppend {
        let head = self.log.head();
        let bytes = Bytes(record.bytes().to_vec());
        self.log.append(record).unwrap();
        self.records.push(bytes.clone());
        self.blobs.extend(blobs.clone());
        LogAppend {
            head,
            records: vec![bytes],
            blobs,
        }
    }

    /// Returns the record by which `by` invites one more person, and the sealed key it names.
    pub(crate) fn invite(&self, by: &Keys, invite: &Keys, expires: u64) -> (SignedRecord, Bytes) {
        let blob = sealed(self.log.epoch().number, invite);
        let key = Some(BlobHash::of(&blob.0));
        let body = invite.invitation(Role::Contributor, expires, key);
        (self.next(by, &Body::Invite(body)), blob)
    }

    /// Returns the record by which `by` invites one more person of a role, and the sealed key it names.
    pub(crate) fn invite_as(&self, by: &Keys, invite: &Keys, role: Role) -> (SignedRecord, Bytes) {
        let blob = sealed(self.log.epoch().number, invite);
        let body = invite.invitation(role, NOW + 3_600, Some(BlobHash::of(&blob.0)));
        (self.next(by, &Body::Invite(body)), blob)
    }

    /// Returns the record by which `by` invites a reading device of its own person (or of the owner's, if it has none).
    pub(crate) fn invite_own(&self, by: &Keys, invite: &Keys) -> (SignedRecord, Bytes) {
        let blob = sealed(self.log.epoch().number, invite);
        let device = self.log.devices().get(&by.key_id());
        let body = Invite {
            person: device.map_or(PersonId([1; 16]), |device| device.person),
            name: None,
            ..invite.invitation(Role::Reader, NOW + 3_600, Some(BlobHash::of(&blob.0)))
        };
        (self.next(by, &Body::Invite(body)), blob)
    }

    /// Returns the record by which `by` invites one more person, whose device will wait for an approval.
    pub(crate) fn invite_to_wait(&self, by: &Keys, invite: &Keys) -> SignedRecord {
        let body = invite.invitation(Role::Contributor, NOW + 3_600, None);
        self.next(by, &Body::Invite(body))
    }

    /// Returns the record by which `device` joins with `invite`, and the sealed key it names.
    pub(crate) fn join(&self, invite: &Keys, device: &Keys) -> (SignedRecord, Bytes) {
        let blob = sealed(self.log.epoch().number, device);
        let body = self.joining(invite, device, Some(BlobHash::of(&blob.0)));
        (self.next(invite, &body), blob)
    }

    /// Returns the record by which `device` joins with `invite` and waits.
    pub(crate) fn join_to_wait(&self, invite: &Keys, device: &Keys) -> SignedRecord {
        self.next(invite, &self.joining(invite, device, None))
    }

    fn joining(&self, invite: &Keys, device: &Keys, key: Option<BlobHash>) -> Body {
        let (journal, by, id) = (self.id(), invite.key_id(), device.key_id());
        let mut keys = device.device();
        if key.is_none() {
            keys.name = Bytes(Vec::new());
        }
        Body::Join(Join {
            device: keys,
            proof: device.sign(Domain::JoinProof, &join_proof_parts(&journal, &by, &id)),
            key,
        })
    }

    /// Returns the record by which `by` lets a device in that waits, and the sealed key it names.
    pub(crate) fn approve(&self, by: &Keys, device: &Keys) -> (SignedRecord, Bytes) {
        let blob = sealed(self.log.epoch().number, device);
        let body = Body::Approve(Approve {
            device: device.key_id(),
            name: Bytes(vec![7; 40]),
            key: BlobHash::of(&blob.0),
        });
        (self.next(by, &body), blob)
    }

    /// Returns the record by which `by` gives the person of `device` another role.
    pub(crate) fn set_role(
        &self,
        by: &Keys,
        device: &Keys,
        role: Role,
        frontier: Vector,
    ) -> SignedRecord {
        let person = self.log.devices()[&device.key_id()].person;
        let body = SetRole {
            person,
            role,
            frontier,
        };
        self.next(by, &Body::SetRole(body))
    }

    /// Returns the record by which `by` removes devices, and the sealed keys it names.
    pub(crate) fn remove(
        &self,
        by: &Keys,
        devices: &[&Keys],
        frontier: Vector,
    ) -> (SignedRecord, Vec<Bytes>) {
        let removed: BTreeSet<KeyId> = devices.iter().map(|keys| keys.key_id()).collect();
        let epoch = self.log.epoch().number + 1;
        let closing = self.log.invites_of(&removed);
        let members = self.log.devices().iter();
        let staying =
            members.filter(|(id, device)| device.role().is_some() && !removed.contains(id));
        let open = self.log.open_invites();
        let open = open.filter(|(id, entry)| entry.key.is_some() && !closing.contains(id));
        let device_blobs: Vec<_> = staying.map(|(id, _)| (*id, sealed_to(epoch, id))).collect();
        let invite_blobs: Vec<_> = open.map(|(id, _)| (*id, sealed_to(epoch, id))).collect();
        let hashes = |blobs: &[(KeyId, Bytes)]| {
            let hashed = blobs.iter().map(|(id, blob)| (*id, BlobHash::of(&blob.0)));
            hashed.collect()
        };
        let body = Body::Remove(Remove {
            devices: removed.into_iter().collect(),
            frontier,
            epoch: Commitment([u8::try_from(epoch).unwrap(); 32]),
            previous: Bytes(vec![3; 72]),
            device_keys: hashes(&device_blobs),
            invite_keys: hashes(&invite_blobs),
        });
        let blobs = device_blobs.into_iter().chain(invite_blobs);
        (self.next(by, &body), blobs.map(|(_, blob)| blob).collect())
    }

    /// Returns the record by which `by` ends the journal.
    pub(crate) fn erase(&self, by: &Keys) -> SignedRecord {
        self.next(by, &Body::Erase(Erase {}))
    }

    /// Returns a chain of `device`'s envelopes.
    pub(crate) fn chain(&self, device: &Keys) -> Chain {
        Chain {
            journal: self.id(),
            device: device.clone(),
            head: self.log.head(),
            epoch: self.log.epoch().number,
            salt: ChainSalt([5; 16]),
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
    epoch: u32,
    /// What makes it another chain of the same device.
    pub(crate) salt: ChainSalt,
    last: Option<(Seq, EnvelopeHash)>,
}

impl Chain {
    /// Seals the next envelope, around `length` bytes.
    pub(crate) fn seal(&mut self, length: usize) -> Bytes {
        self.seal_as(Kind::Batch, length)
    }

    /// Seals a snapshot of so many parts of everything in these chains and in this one.
    pub(crate) fn snapshot(&mut self, others: &[&Self], parts: usize) -> (Vec<Bytes>, Snapshot) {
        let mut covers = self.vector();
        let mut authors = vec![self.author()];
        for other in others {
            covers.0.extend(other.vector().0);
            authors.push(other.author());
        }
        authors.retain(|author| covers.0.contains_key(&author.chain()));
        authors.sort();
        let first = Seq(self.last.map_or(0, |(seq, _)| seq.0) + 1);
        let sealed: Vec<Bytes> = (0..parts)
            .map(|_| self.seal_as(Kind::Snapshot, 80))
            .collect();
        let hash = |part: &Bytes| Envelope::parse(part.0.clone()).unwrap().hash();
        let manifest = Manifest {
            journal: self.journal,
            author: self.author(),
            first,
            parts: sealed.iter().map(hash).collect(),
            covers,
            authors,
            head: self.head,
        };
        let snapshot = Snapshot::create(&manifest, &self.device).unwrap();
        (sealed, snapshot)
    }

    fn author(&self) -> Author {
        Author {
            device: self.device.key_id(),
            salt: self.salt,
        }
    }

    fn seal_as(&mut self, kind: Kind, length: usize) -> Bytes {
        let (seq, prev) = match self.last {
            Some((seq, hash)) => (Seq(seq.0 + 1), Some(hash)),
            None => (Seq(1), None),
        };
        let header = Header {
            kind,
            journal: self.journal,
            device: self.device.key_id(),
            salt: self.salt,
            seq,
            prev,
            head: self.head,
            epoch: self.epoch,
            nonce: [6; 24],
        };
        let envelope = Envelope::create(header, &vec![0xce; length + 16], &self.device);
        self.last = Some((seq, envelope.hash()));
        Bytes(envelope.bytes().to_vec())
    }

    /// Returns the vector of one who has the whole chain.
    pub(crate) fn vector(&self) -> Vector {
        let chain = ChainId::of(&self.device.key_id(), &self.salt);
        let position = |(seq, hash)| (chain, Position { seq, hash });
        Vector(self.last.map(position).into_iter().collect())
    }

    /// Returns the message that stores envelopes.
    pub(crate) fn append(&self, envelopes: Vec<Bytes>) -> Append {
        Append {
            head: self.head,
            envelopes,
        }
    }
}
