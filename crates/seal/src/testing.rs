//! What this crate's tests share: randomness that is the same in every run, and a small journal.

use std::collections::{BTreeMap, BTreeSet};

use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::id::{
    BlobHash, ChainId, ChainSalt, EnvelopeHash, KemKey, KeyId, PersonId, Seq, Signature, SigningKey,
};
use protocol::log::MemberLog;
use protocol::record::{
    Approve, Body, DeviceKeys, Erase, Genesis, Invite, Join, Place, Remove, SetRole, SignedRecord,
    join_proof_parts,
};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::{Position, Vector};
use rand_core::{Infallible, TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::{EpochKey, InviteSecret, KeyPair, Seed, seal_name, wrap_key};

/// Randomness for golden vectors: SHA-256 of a label and a counter. Not secret, and the same everywhere.
pub(crate) struct FixedRandom {
    label: &'static str,
    counter: u64,
}

impl FixedRandom {
    pub(crate) fn new(label: &'static str) -> Self {
        Self { label, counter: 0 }
    }
}

impl TryRng for FixedRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            let block = Sha256::new()
                .chain_update(self.label)
                .chain_update(self.counter.to_be_bytes())
                .finalize();
            *byte = block[0];
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for FixedRandom {}

/// A journal of one owner and two devices: the second joined by an invite.
pub(crate) struct Story {
    pub(crate) key: EpochKey,
    pub(crate) owner: KeyPair,
    pub(crate) records: Vec<SignedRecord>,
    pub(crate) signers: Vec<SigningKey>,
    pub(crate) owner_blob: Vec<u8>,
    pub(crate) log: MemberLog,
}

fn device(pair: &KeyPair, name: &str, key: &EpochKey, random: &mut FixedRandom) -> DeviceKeys {
    let subject = KeyId::of(&pair.signing_key(), &pair.kem_key());
    DeviceKeys {
        signing: pair.signing_key(),
        kem: pair.kem_key(),
        name: Bytes(seal_name(name, &subject.0, key, random).unwrap()),
        paper: false,
    }
}

pub(crate) fn seal_to(key: &EpochKey, pair: &KeyPair, random: &mut FixedRandom) -> Vec<u8> {
    let kem: KemKey = pair.kem_key();
    key.seal_to(&pair.key_id(), &kem, random).unwrap()
}

impl Story {
    pub(crate) fn tell() -> Self {
        let random = &mut FixedRandom::new("story");
        let key = EpochKey::random(0, random);
        let owner = KeyPair::of_device(&Seed::from_bytes([1; 32]));
        let second = KeyPair::of_device(&Seed::from_bytes([2; 32]));
        let person = PersonId([3; 16]);
        let owner_blob = seal_to(&key, &owner, random);
        let genesis = Body::Genesis(Genesis {
            person,
            name: Bytes(seal_name("Ana", &person.0, &key, random).unwrap()),
            device: device(&owner, "laptop", &key, random),
            epoch: key.commitment(),
            key: BlobHash::of(&owner_blob),
            relays: vec!["https://relay.example".to_owned()],
        });
        let genesis = SignedRecord::create(&owner, Place::GENESIS, 1_780_000_000, &genesis);
        let mut log = MemberLog::start(genesis.clone()).unwrap();

        let secret = InviteSecret::random(random);
        let invited = secret.key_pair();
        let invite = Body::Invite(Invite {
            signing: invited.signing_key(),
            kem: invited.kem_key(),
            person,
            name: None,
            role: Role::Owner,
            expires: 1_780_600_000,
            key: Some(BlobHash::of(&seal_to(&key, &invited, random))),
        });
        let invite = SignedRecord::create(&owner, log.next_place(), 1_780_000_100, &invite);
        log.append(invite.clone()).unwrap();

        let keys = device(&second, "phone", &key, random);
        let parts = (log.journal(), invited.key_id(), keys.id());
        let proof: Signature = second.sign(
            Domain::JoinProof,
            &join_proof_parts(&parts.0, &parts.1, &parts.2),
        );
        let sealed = BlobHash::of(&seal_to(&key, &second, random));
        let join = Body::Join(Join {
            device: keys,
            proof,
            key: Some(sealed),
        });
        let join = SignedRecord::create(&invited, log.next_place(), 1_780_000_200, &join);
        log.append(join.clone()).unwrap();

        let signers = vec![
            owner.signing_key(),
            owner.signing_key(),
            invited.signing_key(),
        ];
        let records = vec![genesis, invite, join];
        Self {
            key,
            owner,
            records,
            signers,
            owner_blob,
            log,
        }
    }
}

/// What follows in the same journal: a device waits, is let in, becomes a reader and is removed; a plain new key.
pub(crate) struct Sequel {
    /// The keys of epochs 0, 1 and 2.
    pub(crate) keys: Vec<EpochKey>,
    pub(crate) owner: KeyPair,
    /// The device that is removed.
    pub(crate) third: KeyPair,
    /// The person of that device, in the name that the invite gives.
    pub(crate) person: PersonId,
    pub(crate) records: Vec<SignedRecord>,
    pub(crate) signers: Vec<SigningKey>,
    /// Every sealed key.
    pub(crate) blobs: BTreeMap<BlobHash, Vec<u8>>,
    pub(crate) log: MemberLog,
    random: FixedRandom,
}

impl Sequel {
    /// Continues the story up to epoch 2.
    pub(crate) fn tell() -> Self {
        let mut sequel = Self::after(Story::tell());
        sequel.let_in();
        sequel.end_membership();
        let wrapped = sequel.start_epoch();
        sequel.rekey(&[], Vector::default(), wrapped);
        sequel
    }

    /// Continues a story by nothing yet.
    pub(crate) fn after(story: Story) -> Self {
        Self {
            keys: vec![story.key],
            owner: story.owner,
            third: KeyPair::of_device(&Seed::from_bytes([4; 32])),
            person: PersonId([4; 16]),
            records: story.records,
            signers: story.signers,
            blobs: BTreeMap::from([(BlobHash::of(&story.owner_blob), story.owner_blob)]),
            log: story.log,
            random: FixedRandom::new("sequel"),
        }
    }

    fn append(&mut self, signer: &KeyPair, body: &Body) {
        let time = 1_780_000_300 + 100 * u64::from(self.log.length());
        let record = SignedRecord::create(signer, self.log.next_place(), time, body);
        self.log.append(record.clone()).unwrap();
        self.records.push(record);
        self.signers.push(signer.signing_key());
    }

    fn append_as_owner(&mut self, body: &Body) {
        let owner = KeyPair::of_device(&Seed::from_bytes([1; 32]));
        self.append(&owner, body);
    }

    fn keep(&mut self, blob: Vec<u8>) -> BlobHash {
        let hash = BlobHash::of(&blob);
        self.blobs.insert(hash, blob);
        hash
    }

    /// An invite that waits, the joining with it, and the approval.
    fn let_in(&mut self) {
        let secret = InviteSecret::random(&mut self.random);
        let invited = secret.key_pair();
        let name = seal_name("Sam", &self.person.0, &self.keys[0], &mut self.random).unwrap();
        self.append_as_owner(&Body::Invite(Invite {
            signing: invited.signing_key(),
            kem: invited.kem_key(),
            person: self.person,
            name: Some(Bytes(name)),
            role: Role::Contributor,
            expires: 1_780_600_000,
            key: None,
        }));
        let device = DeviceKeys {
            signing: self.third.signing_key(),
            kem: self.third.kem_key(),
            name: Bytes(Vec::new()),
            paper: false,
        };
        let (journal, invite, id) = (self.log.journal(), invited.key_id(), device.id());
        let parts = join_proof_parts(&journal, &invite, &id);
        let proof = self.third.sign(Domain::JoinProof, &parts);
        let join = Body::Join(Join {
            device,
            proof,
            key: None,
        });
        self.append(&invited, &join);
        let name = seal_name("tablet", &id.0, &self.keys[0], &mut self.random).unwrap();
        let blob = seal_to(&self.keys[0], &self.third, &mut self.random);
        let approve = Body::Approve(Approve {
            device: id,
            name: Bytes(name),
            key: self.keep(blob),
        });
        self.append_as_owner(&approve);
    }

    /// The lower role, an invite that stays open, and the removal.
    fn end_membership(&mut self) {
        let chain = ChainId::of(&self.third.key_id(), &ChainSalt([6; 16]));
        let position = Position {
            seq: Seq(2),
            hash: EnvelopeHash([8; 32]),
        };
        let frontier = Vector([(chain, position)].into());
        self.append_as_owner(&Body::SetRole(SetRole {
            person: self.person,
            role: Role::Reader,
            frontier: frontier.clone(),
        }));
        let open = InviteSecret::random(&mut self.random).key_pair();
        let blob = seal_to(&self.keys[0], &open, &mut self.random);
        let invite = Body::Invite(Invite {
            signing: open.signing_key(),
            kem: open.kem_key(),
            person: PersonId([3; 16]),
            name: None,
            role: Role::Owner,
            expires: 1_780_600_000,
            key: Some(self.keep(blob)),
        });
        self.append_as_owner(&invite);
        let wrapped = self.start_epoch();
        self.rekey(&[self.third.key_id()], frontier, wrapped);
    }

    /// Draws the key of the next epoch, and wraps the one before under it.
    pub(crate) fn start_epoch(&mut self) -> Vec<u8> {
        let Self { keys, random, .. } = self;
        let newest = keys.last().unwrap();
        let next = EpochKey::random(newest.number() + 1, random);
        let wrapped = wrap_key(newest, &next, random).unwrap();
        self.keys.push(next);
        wrapped
    }

    /// Removes devices, with the newest key and this wrap of the one before.
    pub(crate) fn rekey(&mut self, devices: &[KeyId], frontier: Vector, wrapped: Vec<u8>) {
        let removed: BTreeSet<KeyId> = devices.iter().copied().collect();
        let members = self.log.devices().iter();
        let staying =
            members.filter(|(id, device)| device.role().is_some() && !removed.contains(id));
        let staying: Vec<_> = staying.map(|(id, device)| (*id, device.keys.kem)).collect();
        let open = self.log.open_invites();
        let open: Vec<_> = open.map(|(id, entry)| (*id, entry.invite.kem)).collect();
        let mut seal = |to: Vec<(KeyId, KemKey)>| -> BTreeMap<KeyId, BlobHash> {
            let key = self.keys.last().unwrap();
            let blobs = to.iter().map(|(id, kem)| {
                let blob = key.seal_to(id, kem, &mut self.random).unwrap();
                let hash = BlobHash::of(&blob);
                self.blobs.insert(hash, blob);
                (*id, hash)
            });
            blobs.collect()
        };
        let (device_keys, invite_keys) = (seal(staying), seal(open));
        let removal = Body::Remove(Remove {
            devices: devices.to_vec(),
            frontier,
            epoch: self.keys.last().unwrap().commitment(),
            previous: Bytes(wrapped),
            device_keys,
            invite_keys,
        });
        self.append_as_owner(&removal);
    }

    /// Ends the journal.
    pub(crate) fn erase(&mut self) {
        self.append_as_owner(&Body::Erase(Erase {}));
    }
}
