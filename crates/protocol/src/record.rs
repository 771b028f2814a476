//! Member-log records: their bytes, and the step from bytes to a verified record.
//!
//! A record on the wire is its canonical CBOR payload followed by 64 bytes of signature. The signature covers the
//! payload; the record's hash covers both. A body is nested as bytes, so that a body kind this version does not know
//! can still be hashed, stored and passed on. Which records may follow which is decided in [`crate::log`].

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::cbor::{self, Bytes, CborError};
use crate::domain::Domain;
use crate::id::{
    BlobHash, Commitment, JournalId, KemKey, KeyId, PersonId, RecordHash, Signature, SigningKey,
};
use crate::limits;
use crate::role::Role;
use crate::sign::{self, BadSignature, Signer};
use crate::vector::Vector;

/// The frame of every record.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Record {
    /// The journal; absent in the genesis, whose hash it is.
    #[n(0)]
    pub journal: Option<JournalId>,
    /// The place in the log, from 0.
    #[n(1)]
    pub index: u32,
    /// The hash of the record before; absent in the genesis.
    #[n(2)]
    pub prev: Option<RecordHash>,
    /// The device, or the invite, that signs.
    #[n(3)]
    pub author: KeyId,
    /// When the author says it was made, in seconds since the Unix epoch. Shown, never relied on.
    #[n(4)]
    pub time: u64,
    /// The kind of the body; see [`Body`].
    #[n(5)]
    kind: u8,
    /// The canonical CBOR of the body.
    #[n(6)]
    body: Bytes,
}

#[cfg(test)]
impl Record {
    /// A frame around any body, also one that this version does not know.
    pub(crate) fn raw(at: Place, author: KeyId, kind: u8, body: Vec<u8>) -> Self {
        let Place {
            journal,
            index,
            prev,
        } = at;
        Self {
            journal,
            index,
            prev,
            author,
            time: 0,
            kind,
            body: Bytes(body),
        }
    }
}

/// The public half of a device.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceKeys {
    /// Signs envelopes, records and requests.
    #[n(0)]
    pub signing: SigningKey,
    /// Epoch keys are sealed to it.
    #[n(1)]
    pub kem: KemKey,
    /// The device's encrypted name; empty for a device that waits for an approval.
    #[n(2)]
    pub name: Bytes,
    /// True for a recovery phrase on paper, which never seals envelopes.
    #[n(3)]
    pub paper: bool,
}

impl DeviceKeys {
    /// Returns the device's id.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.signing, &self.kem)
    }
}

/// Starts a journal: its first person, device, epoch and relays.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Genesis {
    /// The patient, or whoever starts the journal: an owner.
    #[n(0)]
    pub person: PersonId,
    /// The person's encrypted name.
    #[n(1)]
    pub name: Bytes,
    /// The first device; it signs this record.
    #[n(2)]
    pub device: DeviceKeys,
    /// The commitment to the key of epoch 0.
    #[n(3)]
    pub epoch: Commitment,
    /// The key of epoch 0, sealed to the device.
    #[n(4)]
    pub key: BlobHash,
    /// The relays; the first is the home relay. May be empty.
    #[n(5)]
    pub relays: Vec<String>,
}

/// Opens an invite, with which one device may join.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Invite {
    /// The invite's public signing key.
    #[n(0)]
    pub signing: SigningKey,
    /// The invite's public KEM key.
    #[n(1)]
    pub kem: KemKey,
    /// The person whose device will join.
    #[n(2)]
    pub person: PersonId,
    /// The person's encrypted name; present exactly if the person is new.
    #[n(3)]
    pub name: Option<Bytes>,
    /// The role the device will have.
    #[n(4)]
    pub role: Role,
    /// After this instant the relay and the joiner refuse it; seconds since the Unix epoch.
    #[n(5)]
    pub expires: u64,
    /// The current epoch's key, sealed to the invite; absent if an owner must approve the device first.
    #[n(6)]
    pub key: Option<BlobHash>,
}

impl Invite {
    /// Returns the invite's id.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.signing, &self.kem)
    }
}

/// Closes an open invite.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct WithdrawInvite {
    /// The invite.
    #[n(0)]
    pub invite: KeyId,
}

/// Lets one device in; signed by the invite's key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Join {
    /// The device.
    #[n(0)]
    pub device: DeviceKeys,
    /// The device's own signature over journal, invite and device: it holds its key and means this journal.
    #[n(1)]
    pub proof: Signature,
    /// The current epoch's key, sealed to the device; absent exactly if the invite carries none.
    #[n(2)]
    pub key: Option<BlobHash>,
}

/// Names the relays from here on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Relays {
    /// The relays; the first is the home relay.
    #[n(0)]
    pub urls: Vec<String>,
}

/// Lets in a device that joined by an invite which needs an approval.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Approve {
    /// The device that waits.
    #[n(0)]
    pub device: KeyId,
    /// The device's encrypted name: until now it had no key to encrypt one with.
    #[n(1)]
    pub name: Bytes,
    /// The current epoch's key, sealed to the device.
    #[n(2)]
    pub key: BlobHash,
}

/// Changes what all devices of a person may do.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SetRole {
    /// The person.
    #[n(0)]
    pub person: PersonId,
    /// The role from here on.
    #[n(1)]
    pub role: Role,
    /// If the person may write no more: the last envelope that counts of each chain of theirs. A chain that is not named
    /// counts for nothing. Empty otherwise.
    #[n(2)]
    pub frontier: Vector,
}

/// Removes devices and starts a new epoch, in one record. Without devices it is a plain rekey.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Remove {
    /// The devices, ascending.
    #[n(0)]
    pub devices: Vec<KeyId>,
    /// The last envelope that counts of each chain of theirs. A chain that is not named counts for nothing.
    #[n(1)]
    pub frontier: Vector,
    /// The commitment to the new epoch's key.
    #[n(2)]
    pub epoch: Commitment,
    /// The key of the epoch before, encrypted under the new one: whoever reads on can read back.
    #[n(3)]
    pub previous: Bytes,
    /// The new key, sealed to each device that stays.
    #[n(4)]
    pub device_keys: BTreeMap<KeyId, BlobHash>,
    /// The new key, sealed to each open invite that carries one.
    #[n(5)]
    pub invite_keys: BTreeMap<KeyId, BlobHash>,
}

/// Ends the journal for good. Nothing follows.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Erase {}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Kind 0.
    Genesis(Genesis),
    /// Kind 1.
    Invite(Invite),
    /// Kind 2.
    WithdrawInvite(WithdrawInvite),
    /// Kind 3.
    Join(Join),
    /// Kind 4.
    Relays(Relays),
    /// Kind 5.
    Approve(Approve),
    /// Kind 6.
    SetRole(SetRole),
    /// Kind 7.
    Remove(Remove),
    /// Kind 8.
    Erase(Erase),
}

impl Body {
    /// Returns the kind's number.
    fn kind(&self) -> u8 {
        match self {
            Self::Genesis(_) => 0,
            Self::Invite(_) => 1,
            Self::WithdrawInvite(_) => 2,
            Self::Join(_) => 3,
            Self::Relays(_) => 4,
            Self::Approve(_) => 5,
            Self::SetRole(_) => 6,
            Self::Remove(_) => 7,
            Self::Erase(_) => 8,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Genesis(body) => cbor::encode(body),
            Self::Invite(body) => cbor::encode(body),
            Self::WithdrawInvite(body) => cbor::encode(body),
            Self::Join(body) => cbor::encode(body),
            Self::Relays(body) => cbor::encode(body),
            Self::Approve(body) => cbor::encode(body),
            Self::SetRole(body) => cbor::encode(body),
            Self::Remove(body) => cbor::encode(body),
            Self::Erase(body) => cbor::encode(body),
        }
    }

    fn decode(kind: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(match kind {
            0 => Self::Genesis(cbor::decode(bytes)?),
            1 => Self::Invite(cbor::decode(bytes)?),
            2 => Self::WithdrawInvite(cbor::decode(bytes)?),
            3 => Self::Join(cbor::decode(bytes)?),
            4 => Self::Relays(cbor::decode(bytes)?),
            5 => Self::Approve(cbor::decode(bytes)?),
            6 => Self::SetRole(cbor::decode(bytes)?),
            7 => Self::Remove(cbor::decode(bytes)?),
            8 => Self::Erase(cbor::decode(bytes)?),
            kind => return Err(RecordError::Newer { kind }),
        })
    }

    /// Returns the sealed keys that this body gives to devices: whom, and the blob's hash.
    pub fn device_keys(&self) -> Vec<(KeyId, BlobHash)> {
        match self {
            Self::Genesis(body) => vec![(body.device.id(), body.key)],
            Self::Join(body) => body
                .key
                .map(|key| (body.device.id(), key))
                .into_iter()
                .collect(),
            Self::Approve(body) => vec![(body.device, body.key)],
            Self::Remove(body) => body
                .device_keys
                .iter()
                .map(|(id, key)| (*id, *key))
                .collect(),
            Self::Invite(_)
            | Self::WithdrawInvite(_)
            | Self::Relays(_)
            | Self::SetRole(_)
            | Self::Erase(_) => Vec::new(),
        }
    }

    /// Returns the sealed keys that this body gives to invites: which, and the blob's hash.
    pub fn invite_keys(&self) -> Vec<(KeyId, BlobHash)> {
        match self {
            Self::Invite(body) => body.key.map(|key| (body.id(), key)).into_iter().collect(),
            Self::Remove(body) => body
                .invite_keys
                .iter()
                .map(|(id, key)| (*id, *key))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Bytes that are not a member-log record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Longer than [`limits::RECORD_BYTES`], or shorter than a signature.
    #[error("{length} bytes; a record has 65 to {max}", max = limits::RECORD_BYTES)]
    Length {
        /// The length found.
        length: usize,
    },
    /// The payload or the body is not canonical CBOR of its structure.
    #[error("the record is malformed")]
    Cbor(#[from] CborError),
    /// The body is of a kind that this version does not know.
    #[error("a record of kind {kind}, from a newer ebb")]
    Newer {
        /// The kind's number.
        kind: u8,
    },
}

/// A record as received: its signature is not yet checked, and its content not yet given away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRecord {
    bytes: Vec<u8>,
    frame: Record,
    signature: Signature,
}

/// A record whose signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRecord {
    signed: SignedRecord,
    body: Body,
}

impl SignedRecord {
    /// Makes and signs a record.
    pub fn create(signer: &dyn Signer, at: Place, time: u64, body: &Body) -> Self {
        let frame = Record {
            journal: at.journal,
            index: at.index,
            prev: at.prev,
            author: signer.key_id(),
            time,
            kind: body.kind(),
            body: Bytes(body.encode()),
        };
        let mut bytes = cbor::encode(&frame);
        let signature = signer.sign(Domain::RecordSignature, &[&bytes]);
        bytes.extend_from_slice(&signature.0);
        Self {
            bytes,
            frame,
            signature,
        }
    }

    /// Reads the frame of a record.
    ///
    /// # Errors
    /// [`RecordError`] if length, payload or encoding are not those of a record. An unknown body kind is found only by
    /// [`Self::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let length = bytes.len();
        let (payload, signature) = bytes
            .split_last_chunk::<{ Signature::LENGTH }>()
            .filter(|(payload, _)| !payload.is_empty() && length <= limits::RECORD_BYTES)
            .ok_or(RecordError::Length { length })?;
        Ok(Self {
            frame: cbor::decode(payload)?,
            signature: Signature(*signature),
            bytes: bytes.to_vec(),
        })
    }

    /// Returns the record's hash, which covers payload and signature.
    pub fn hash(&self) -> RecordHash {
        RecordHash(Domain::RecordHash.hash(&[&self.bytes]))
    }

    /// Returns the bytes as they travel.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns who claims to have signed.
    pub fn author(&self) -> KeyId {
        self.frame.author
    }

    /// Checks the signature with the author's key.
    ///
    /// # Errors
    /// [`VerifyError`] if the signature does not hold, or the body cannot be read.
    pub fn verify(self, key: &SigningKey) -> Result<VerifiedRecord, VerifyError> {
        let payload = self
            .bytes
            .get(..self.bytes.len() - Signature::LENGTH)
            .unwrap_or_default();
        sign::verify(key, Domain::RecordSignature, &[payload], &self.signature)?;
        self.trusted().map_err(VerifyError::Record)
    }

    /// Takes a record for verified that this replica verified before it stored it.
    ///
    /// # Errors
    /// [`RecordError`] if the body cannot be read.
    pub fn trusted(self) -> Result<VerifiedRecord, RecordError> {
        let body = Body::decode(self.frame.kind, &self.frame.body.0)?;
        Ok(VerifiedRecord { signed: self, body })
    }

    /// Returns the keys inside a genesis, which is the one record that brings the key of its own signer.
    pub(crate) fn genesis_key(&self) -> Result<Option<SigningKey>, RecordError> {
        match Body::decode(self.frame.kind, &self.frame.body.0)? {
            Body::Genesis(genesis) => Ok(Some(genesis.device.signing)),
            _ => Ok(None),
        }
    }
}

/// Why a signed record is not a verified one.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its signature does not hold.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Its body cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Where in which log a record stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The journal; none for the genesis.
    pub journal: Option<JournalId>,
    /// The place, from 0.
    pub index: u32,
    /// The hash of the record before; none for the genesis.
    pub prev: Option<RecordHash>,
}

impl Place {
    /// The place of a genesis.
    pub const GENESIS: Self = Self {
        journal: None,
        index: 0,
        prev: None,
    };
}

impl VerifiedRecord {
    /// Returns what the record says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the frame.
    pub fn frame(&self) -> &Record {
        &self.signed.frame
    }

    /// Returns where the record stands.
    pub fn place(&self) -> Place {
        let Record {
            journal,
            index,
            prev,
            ..
        } = self.signed.frame;
        Place {
            journal,
            index,
            prev,
        }
    }

    /// Returns the record as it travels.
    pub fn signed(&self) -> &SignedRecord {
        &self.signed
    }
}

/// Returns the parts that a joining device signs, under [`Domain::JoinProof`].
pub fn join_proof_parts<'a>(
    journal: &'a JournalId,
    invite: &'a KeyId,
    device: &'a KeyId,
) -> [&'a [u8]; 3] {
    [&journal.0, &invite.0, &device.0]
}
