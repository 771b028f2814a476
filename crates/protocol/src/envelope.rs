//! Envelopes: the frame of one sealed batch, its hash, and the check of its signature.
//!
//! ```text
//! offset length
//!      0      1 version (1)
//!      1      1 suite (1: XChaCha20-Poly1305, Ed25519)
//!      2      1 kind (1: batch, 2: snapshot)
//!      3     32 journal
//!     35     32 device
//!     67     16 chain salt
//!     83      8 seq, big-endian, from 1
//!     91     32 hash of the envelope before in the chain; zeros at seq 1
//!    123     32 hash of the member-log record that was the head when this was sealed
//!    155      4 epoch, big-endian
//!    159     24 nonce
//!    183      n ciphertext with its 16-byte tag
//!  183+n     64 signature, over everything before it
//! ```
//!
//! The 183 bytes of header are the associated data of the ciphertext. The envelope's hash covers all bytes, signature
//! included. What is inside is none of this crate's business. Types carry the order of work: an [`Envelope`] is
//! framed, a [`VerifiedEnvelope`] is signed by its device.

use crate::domain::Domain;
use crate::id::{ChainId, ChainSalt, EnvelopeHash, JournalId, KeyId, RecordHash, Seq, Signature};
use crate::limits;
use crate::sign::{BadSignature, Signer, Verifier};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 183;
/// Bytes of the ciphertext's tag.
const TAG_BYTES: usize = 16;
const VERSION: u8 = 1;
const SUITE: u8 = 1;

/// What an envelope carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A batch of the chain's own changes.
    Batch,
    /// A part of a snapshot.
    Snapshot,
}

/// The header of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the envelope carries.
    pub kind: Kind,
    /// The journal.
    pub journal: JournalId,
    /// The device that sealed it.
    pub device: KeyId,
    /// The salt of the device's chain.
    pub salt: ChainSalt,
    /// The place in the chain, from 1.
    pub seq: Seq,
    /// The envelope before; none at seq 1.
    pub prev: Option<EnvelopeHash>,
    /// The head of the member log that the device had verified.
    pub head: RecordHash,
    /// The epoch whose key encrypts.
    pub epoch: u32,
    /// The nonce: 24 random bytes.
    pub nonce: [u8; 24],
}

impl Header {
    /// Returns the chain.
    pub fn chain(&self) -> ChainId {
        ChainId::of(&self.device, &self.salt)
    }

    /// Returns the bytes, which are also the associated data of the ciphertext.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&[
            VERSION,
            SUITE,
            match self.kind {
                Kind::Batch => 1,
                Kind::Snapshot => 2,
            },
        ]);
        bytes.extend_from_slice(&self.journal.0);
        bytes.extend_from_slice(&self.device.0);
        bytes.extend_from_slice(&self.salt.0);
        bytes.extend_from_slice(&self.seq.0.to_be_bytes());
        bytes.extend_from_slice(&self.prev.map_or([0; 32], |hash| hash.0));
        bytes.extend_from_slice(&self.head.0);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(bytes);
        let [version, suite, kind] = reader.take();
        if version != VERSION || suite != SUITE {
            return Err(EnvelopeError::Newer { version, suite });
        }
        let kind = match kind {
            1 => Kind::Batch,
            2 => Kind::Snapshot,
            kind => return Err(EnvelopeError::Kind { kind }),
        };
        let header = Self {
            kind,
            journal: JournalId(reader.take()),
            device: KeyId(reader.take()),
            salt: ChainSalt(reader.take()),
            seq: Seq(u64::from_be_bytes(reader.take())),
            prev: Some(EnvelopeHash(reader.take())).filter(|hash| hash.0 != [0; 32]),
            head: RecordHash(reader.take()),
            epoch: u32::from_be_bytes(reader.take()),
            nonce: reader.take(),
        };
        if header.seq.0 == 0 || (header.seq.0 == 1) != header.prev.is_none() {
            return Err(EnvelopeError::FirstOfChain);
        }
        Ok(header)
    }
}

/// Takes fields of fixed length off the front of the header.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            // The fields add up to HEADER_BYTES, as the golden vector proves; a shorter header cannot come here.
            None => [0; N],
        }
    }
}

/// Bytes that are no envelope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Too short to hold header, tag and signature, or longer than [`limits::ENVELOPE_BYTES`].
    #[error("{length} bytes; an envelope has {min} to {max}", min = HEADER_BYTES + TAG_BYTES + Signature::LENGTH, max = limits::ENVELOPE_BYTES)]
    Length {
        /// The length found.
        length: usize,
    },
    /// Version or suite of a newer ebb.
    #[error("version {version}, suite {suite}: from a newer ebb")]
    Newer {
        /// The version found.
        version: u8,
        /// The suite found.
        suite: u8,
    },
    /// An unknown kind.
    #[error("unknown kind {kind}")]
    Kind {
        /// The kind found.
        kind: u8,
    },
    /// Seq 0, seq 1 with a predecessor, or a later one without.
    #[error("the place in the chain and the predecessor do not fit")]
    FirstOfChain,
}

/// An envelope whose frame is read, and whose signature is not yet checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    bytes: Vec<u8>,
    header: Header,
    hash: EnvelopeHash,
}

impl Envelope {
    /// Joins header and ciphertext, and signs them.
    pub fn create(header: Header, ciphertext: &[u8], signer: &dyn Signer) -> Self {
        let mut bytes = header.to_bytes();
        bytes.extend_from_slice(ciphertext);
        let signature = signer.sign(Domain::EnvelopeSignature, &[&bytes]);
        bytes.extend_from_slice(&signature.0);
        let hash = EnvelopeHash(Domain::EnvelopeHash.hash(&[&bytes]));
        Self {
            bytes,
            header,
            hash,
        }
    }

    /// Reads the frame.
    ///
    /// # Errors
    /// [`EnvelopeError`] if the bytes are no envelope of this version.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let length = bytes.len();
        let header = bytes
            .first_chunk::<HEADER_BYTES>()
            .filter(|_| {
                (HEADER_BYTES + TAG_BYTES + Signature::LENGTH..=limits::ENVELOPE_BYTES)
                    .contains(&length)
            })
            .ok_or(EnvelopeError::Length { length })?;
        let header = Header::parse(header)?;
        let hash = EnvelopeHash(Domain::EnvelopeHash.hash(&[&bytes]));
        Ok(Self {
            bytes,
            header,
            hash,
        })
    }

    /// Returns the header; unverified, it is a claim.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the hash of all bytes.
    pub fn hash(&self) -> EnvelopeHash {
        self.hash
    }

    /// Returns the bytes as they travel.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks the signature with the device's key.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not hold.
    pub fn verify(self, key: &Verifier) -> Result<VerifiedEnvelope, BadSignature> {
        let Some((signed, signature)) = self.bytes.split_last_chunk::<{ Signature::LENGTH }>()
        else {
            return Err(BadSignature);
        };
        if !cfg!(ebb_mutant = "skip-signature") {
            key.verify(Domain::EnvelopeSignature, &[signed], &Signature(*signature))?;
        }
        Ok(VerifiedEnvelope(self))
    }
}

/// An envelope that its device signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedEnvelope(Envelope);

impl VerifiedEnvelope {
    /// Takes an envelope for verified that this replica sealed itself, or verified before it stored it.
    pub fn trusted(envelope: Envelope) -> Self {
        Self(envelope)
    }

    /// Returns the envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// Returns the associated data and the ciphertext.
    pub fn sealed(&self) -> (&[u8], &[u8]) {
        let bytes = &self.0.bytes;
        let end = bytes.len().saturating_sub(Signature::LENGTH);
        (
            bytes.get(..HEADER_BYTES).unwrap_or_default(),
            bytes.get(HEADER_BYTES..end).unwrap_or_default(),
        )
    }
}
