//! Identifiers: fixed-length bytes, each its own type, so that one cannot stand for another.
//!
//! On the wire they are CBOR byte strings of exactly their length; in text, lower-case hex.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::domain::Domain;

/// A text that is not the lower-case hex of an identifier of this length.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an identifier of {0} bytes in lower-case hex")]
pub struct InvalidId(usize);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// The length in bytes.
            pub const LENGTH: usize = $length;

            /// Returns the bytes.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| InvalidId($length))?;
                Self::try_from(bytes.as_slice())
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                bytes.try_into().map(Self).map_err(|_| InvalidId($length))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                Self::try_from(d.bytes()?).map_err(|_| decode::Error::message(concat!("length of ", stringify!($name))))
            }
        }
    };
}

id! {
    /// A journal: the hash of its genesis record.
    JournalId, 32
}
id! {
    /// A device or an invite: the hash of its two public keys.
    KeyId, 32
}
id! {
    /// A person: sixteen random bytes, chosen by whoever first invites them.
    PersonId, 16
}
id! {
    /// A chain: derived from its device and a random salt, so that no other device can write in it. It is also the
    /// Automerge actor of the chain's changes.
    ChainId, 16
}
id! {
    /// The random salt of a chain, drawn at the start of each incarnation of a device.
    ChainSalt, 16
}
id! {
    /// A signed member-log record.
    RecordHash, 32
}
id! {
    /// A whole envelope, signature included.
    EnvelopeHash, 32
}
id! {
    /// The signed manifest of a snapshot.
    SnapshotHash, 32
}
id! {
    /// A sealed-key blob.
    BlobHash, 32
}
id! {
    /// A commitment to an epoch's key.
    Commitment, 32
}
id! {
    /// An Ed25519 public key (RFC 8032).
    SigningKey, 32
}
id! {
    /// An Ed25519 signature (RFC 8032).
    Signature, 64
}
id! {
    /// An X-Wing public key (draft-connolly-cfrg-xwing-kem): ML-KEM-768 then X25519.
    KemKey, 1216
}

impl KeyId {
    /// Derives the id of a device or an invite from its public keys.
    pub fn of(signing: &SigningKey, kem: &KemKey) -> Self {
        Self(Domain::KeyId.hash(&[&signing.0, &kem.0]))
    }
}

impl ChainId {
    /// Derives a chain's id: the first sixteen bytes of the hash of device and salt.
    pub fn of(device: &KeyId, salt: &ChainSalt) -> Self {
        let hash = Domain::ChainId.hash(&[&device.0, &salt.0]);
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        Self(id)
    }
}

impl BlobHash {
    /// Hashes a sealed-key blob.
    pub fn of(blob: &[u8]) -> Self {
        Self(Domain::BlobHash.hash(&[blob]))
    }
}

/// The place of an envelope in its chain, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Seq(#[n(0)] pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
