//! Domain separation: which bytes a hash or a signature is about.
//!
//! Owns the one list of prefixes, and SHA-256 (FIPS 180-4) over them. A prefix is ASCII and is followed by one zero
//! byte, so none can be the beginning of another.

use sha2::{Digest, Sha256};

/// What a hash or a signature covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// Hash of a signed member-log record; that of the genesis is the journal's id.
    RecordHash,
    /// Signature of a member-log record, by its author.
    RecordSignature,
    /// Signature by which a joining device proves that it holds its signing key.
    JoinProof,
    /// Hash of the public keys of a device or an invite: its id.
    KeyId,
    /// Hash that binds a chain to its device.
    ChainId,
    /// Hash of a whole envelope.
    EnvelopeHash,
    /// Signature of an envelope.
    EnvelopeSignature,
    /// Hash of the signed manifest of a snapshot.
    SnapshotHash,
    /// Signature of the manifest of a snapshot, by its maker.
    SnapshotSignature,
    /// Signature by which another member acknowledges a snapshot.
    SnapshotAcknowledgement,
    /// Hash of everything in a bundle before it.
    BundleHash,
    /// Hash of a sealed-key blob.
    BlobHash,
    /// Commitment to an epoch's key.
    EpochCommitment,
    /// HPKE `info` of an epoch key sealed to one key pair.
    EpochSeal,
    /// HKDF `info` of the key that encrypts the epoch key before, and associated data of that.
    KeyWrap,
    /// HKDF `info` of the key that encrypts names under an epoch.
    NameKey,
    /// Associated data of an encrypted name.
    NameSeal,
    /// HKDF `info` of the key pairs of an invite.
    InviteKeys,
    /// HKDF `info` of the key pairs of a device.
    DeviceKeys,
    /// HKDF `info` of the key pairs of a recovery phrase.
    RecoveryKeys,
    /// Signature of a request to a relay.
    RequestSignature,
}

impl Domain {
    /// Returns the prefix, without its closing zero byte.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::RecordHash => "ebb/v1/record-hash",
            Self::RecordSignature => "ebb/v1/record-signature",
            Self::JoinProof => "ebb/v1/join-proof",
            Self::KeyId => "ebb/v1/key-id",
            Self::ChainId => "ebb/v1/chain-id",
            Self::EnvelopeHash => "ebb/v1/envelope-hash",
            Self::EnvelopeSignature => "ebb/v1/envelope-signature",
            Self::SnapshotHash => "ebb/v1/snapshot-hash",
            Self::SnapshotSignature => "ebb/v1/snapshot-signature",
            Self::SnapshotAcknowledgement => "ebb/v1/snapshot-acknowledgement",
            Self::BundleHash => "ebb/v1/bundle-hash",
            Self::BlobHash => "ebb/v1/blob-hash",
            Self::EpochCommitment => "ebb/v1/epoch-commitment",
            Self::EpochSeal => "ebb/v1/epoch-seal",
            Self::KeyWrap => "ebb/v1/key-wrap",
            Self::NameKey => "ebb/v1/name-key",
            Self::NameSeal => "ebb/v1/name-seal",
            Self::InviteKeys => "ebb/v1/invite-keys",
            Self::DeviceKeys => "ebb/v1/device-keys",
            Self::RecoveryKeys => "ebb/v1/recovery-keys",
            Self::RequestSignature => "ebb/v1/request-signature",
        }
    }

    /// Returns prefix, zero byte and `parts`, joined: what a signature or a key derivation takes.
    pub fn message(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut message = Vec::with_capacity(
            self.prefix().len() + 1 + parts.iter().map(|part| part.len()).sum::<usize>(),
        );
        message.extend_from_slice(self.prefix().as_bytes());
        message.push(0);
        for part in parts {
            message.extend_from_slice(part);
        }
        message
    }

    /// Returns SHA-256 over prefix, zero byte and `parts`. Callers pass parts of fixed length, or one part only, so
    /// that no two inputs run together.
    pub fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.prefix().as_bytes());
        hasher.update([0]);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}
