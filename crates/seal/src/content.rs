//! The content of envelopes: sealing and opening.
//!
//! A content is canonical CBOR of a vector part and a batch; it is deflated (RFC 1951), padded (Padmé), and encrypted with
//! XChaCha20-Poly1305 under the epoch's key, with a random nonce and the envelope's header as associated data. Opening
//! checks every length before it allocates.

use std::io::{Read, Write};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use minicbor::{Decode, Encode};
use protocol::cbor::{self, Bytes, CborError};
use protocol::envelope::{Envelope, Header, VerifiedEnvelope};
use protocol::limits;
use protocol::vector::Vector;
use zeroize::Zeroizing;

use crate::epoch::EpochKey;
use crate::key_pair::KeyPair;
use crate::padding;

/// What the sealing device had seen.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct VectorPart {
    /// True if `chains` is the whole vector; false if it is what moved since the chain's envelope before.
    #[n(0)]
    pub whole: bool,
    /// The chains.
    #[n(1)]
    pub chains: Vector,
}

/// What an envelope carries inside.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Content {
    /// What the sealing device had seen.
    #[n(0)]
    pub seen: VectorPart,
    /// The batch, in the journal's own encoding.
    #[n(1)]
    pub batch: Bytes,
}

/// Why a content cannot be sealed. Caller misused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum SealError {
    /// The content is longer than [`limits::CONTENT_BYTES`], or seals to more than [`limits::ENVELOPE_BYTES`].
    #[error("the batch is too large for one envelope")]
    TooLarge,
    /// The key is not that of the epoch in the header.
    #[error("the key is of another epoch than the header names")]
    Epoch,
}

/// Why an envelope of a member cannot be opened. Peer misbehaved, or the key is not the right one.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The key is not that of the epoch in the header.
    #[error("no key of epoch {epoch}")]
    Epoch {
        /// The epoch named.
        epoch: u32,
    },
    /// The tag does not hold.
    #[error("the content cannot be decrypted")]
    Decrypt,
    /// The padding or the compressed data is malformed.
    #[error("the content is malformed")]
    Malformed,
    /// More than [`limits::CONTENT_BYTES`] after decompression.
    #[error("the content has more than {} bytes", limits::CONTENT_BYTES)]
    TooLarge,
    /// The decompressed bytes are no content.
    #[error("the content is malformed")]
    Cbor(#[from] CborError),
}

/// Seals a content, and signs the envelope. Called once for each place of a chain: retries carry the same bytes.
///
/// # Errors
/// [`SealError`].
pub fn seal(
    header: Header,
    content: &Content,
    key: &EpochKey,
    device: &KeyPair,
) -> Result<Envelope, SealError> {
    if header.epoch != key.number() {
        return Err(SealError::Epoch);
    }
    let plain = Zeroizing::new(cbor::encode(content));
    if plain.len() > limits::CONTENT_BYTES {
        return Err(SealError::TooLarge);
    }
    let envelope = encrypt(header, &plain, key, device).ok_or(SealError::TooLarge)?;
    if envelope.bytes().len() > limits::ENVELOPE_BYTES {
        return Err(SealError::TooLarge);
    }
    Ok(envelope)
}

/// Compresses, pads, encrypts and signs; none if the cipher refuses the length.
fn encrypt(header: Header, plain: &[u8], key: &EpochKey, device: &KeyPair) -> Option<Envelope> {
    let padded = Zeroizing::new(padding::pad(&Zeroizing::new(deflate(plain))));
    let nonce = XNonce::from(header.nonce);
    let payload = Payload {
        msg: &padded,
        aad: &header.to_bytes(),
    };
    let ciphertext = cipher(key).encrypt(&nonce, payload).ok()?;
    Some(Envelope::create(header, &ciphertext, device))
}

/// Seals bytes that need not be a content, as other software of a member could.
#[cfg(any(test, feature = "forge"))]
pub(crate) fn seal_unchecked(
    header: Header,
    plain: &[u8],
    key: &EpochKey,
    device: &KeyPair,
) -> Option<Envelope> {
    encrypt(header, plain, key, device)
}

/// Opens a verified envelope.
///
/// # Errors
/// [`OpenError`].
pub fn open(envelope: &VerifiedEnvelope, key: &EpochKey) -> Result<Content, OpenError> {
    let header = envelope.header();
    if header.epoch != key.number() {
        return Err(OpenError::Epoch {
            epoch: header.epoch,
        });
    }
    let (aad, ciphertext) = envelope.sealed();
    let padded = cipher(key)
        .decrypt(
            &XNonce::from(header.nonce),
            Payload {
                msg: ciphertext,
                aad,
            },
        )
        .map_err(|_| OpenError::Decrypt)?;
    let padded = Zeroizing::new(padded);
    let compressed = padding::unpad(&padded).ok_or(OpenError::Malformed)?;
    let plain = Zeroizing::new(inflate(compressed)?);
    Ok(cbor::decode(&plain)?)
}

pub(crate) fn cipher(key: &EpochKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

#[expect(clippy::expect_used, reason = "writing to memory cannot fail")]
fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("compressing into memory");
    encoder.finish().expect("compressing into memory")
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let limit = u64::try_from(limits::CONTENT_BYTES).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    DeflateDecoder::new(compressed)
        .take(limit + 1)
        .read_to_end(&mut plain)
        .map_err(|_| OpenError::Malformed)?;
    if plain.len() > limits::CONTENT_BYTES {
        Err(OpenError::TooLarge)
    } else {
        Ok(plain)
    }
}
