//! What this crate's tests share: randomness that is the same in every run, and a small journal.

use protocol::cbor::Bytes;
use protocol::id::{BlobHash, KemKey, KeyId, PersonId, Signature, SigningKey};
use protocol::log::MemberLog;
use protocol::record::{
    Body, DeviceKeys, Genesis, Invite, Join, Place, SignedRecord, join_proof_parts,
};
use protocol::role::Role;
use protocol::sign::Signer;
use rand_core::{Infallible, TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::{EpochKey, InviteSecret, KeyPair, Seed, seal_name};

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
            protocol::domain::Domain::JoinProof,
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
