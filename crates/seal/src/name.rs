//! Names of people and devices, encrypted in the member log.
//!
//! `epoch (4 bytes, big-endian) | nonce (24) | ciphertext`. The key is HKDF-SHA256 of the epoch key; the cipher is
//! XChaCha20-Poly1305; the associated data binds the name to its person or device. The plaintext is one byte of length,
//! the name in UTF-8, and zeros up to a multiple of 32 bytes.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use protocol::domain::Domain;
use protocol::limits;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::epoch::EpochKey;

/// Why a name cannot be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum NameError {
    /// Empty, or longer than [`limits::NAME_BYTES`].
    #[error("a name has 1 to {} bytes", limits::NAME_BYTES)]
    Length,
    /// It was sealed under another epoch, for another subject, or was altered.
    #[error("the name cannot be opened")]
    Opening,
}

/// Encrypts a name for its subject: the bytes of a person's or a device's id.
///
/// # Errors
/// [`NameError::Length`].
pub fn seal_name(
    name: &str,
    subject: &[u8],
    key: &EpochKey,
    random: &mut impl CryptoRng,
) -> Result<Vec<u8>, NameError> {
    let length = u8::try_from(name.len()).map_err(|_| NameError::Length)?;
    if name.is_empty() || name.len() > limits::NAME_BYTES {
        return Err(NameError::Length);
    }
    let mut plain = vec![length];
    plain.extend_from_slice(name.as_bytes());
    plain.resize(plain.len().next_multiple_of(32), 0);
    let mut nonce = [0; 24];
    random.fill_bytes(&mut nonce);
    let aad = Domain::NameSeal.message(&[subject]);
    let sealed = cipher(key)
        .encrypt(
            &XNonce::from(nonce),
            Payload {
                msg: &plain,
                aad: &aad,
            },
        )
        .map_err(|_| NameError::Length)?;
    Ok([&key.number().to_be_bytes()[..], &nonce, &sealed].concat())
}

/// Decrypts a name of a subject.
///
/// # Errors
/// [`NameError::Opening`].
pub fn open_name(sealed: &[u8], subject: &[u8], key: &EpochKey) -> Result<String, NameError> {
    let (epoch, rest) = sealed.split_first_chunk::<4>().ok_or(NameError::Opening)?;
    let (nonce, sealed) = rest.split_first_chunk::<24>().ok_or(NameError::Opening)?;
    if u32::from_be_bytes(*epoch) != key.number() {
        return Err(NameError::Opening);
    }
    let aad = Domain::NameSeal.message(&[subject]);
    let plain = cipher(key)
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: sealed,
                aad: &aad,
            },
        )
        .map_err(|_| NameError::Opening)?;
    let (length, rest) = plain.split_first().ok_or(NameError::Opening)?;
    let name = rest.get(..usize::from(*length)).ok_or(NameError::Opening)?;
    String::from_utf8(name.to_vec()).map_err(|_| NameError::Opening)
}

/// Derives the cipher of names from an epoch key.
fn cipher(key: &EpochKey) -> XChaCha20Poly1305 {
    let mut derived = Zeroizing::new([0u8; 32]);
    let expanded = Hkdf::<Sha256>::new(None, key.bytes())
        .expand(&Domain::NameKey.message(&[]), derived.as_mut());
    debug_assert!(expanded.is_ok(), "32 bytes are a valid HKDF length");
    XChaCha20Poly1305::new((&*derived).into())
}
