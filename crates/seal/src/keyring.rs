//! The epoch keys that a device can reach: the newest sealed to it, and from there back.
//!
//! Each epoch's record carries the key before, encrypted under its own: `nonce (24) | ciphertext (48)`,
//! XChaCha20-Poly1305 under HKDF-SHA256 of the newer key, associated data binding both numbers. Every key is checked
//! against the commitment in the member log before it is used: a wrong key opens nothing and writes nothing.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use protocol::domain::Domain;
use protocol::id::BlobHash;
use protocol::log::{Epoch, MemberLog};
use protocol::sign::Signer;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::epoch::{EpochKey, KeyError};
use crate::key_pair::KeyPair;
use crate::name::{self, NameError};

/// Epoch keys, by number.
#[derive(Debug, Default)]
pub struct Keyring(BTreeMap<u32, EpochKey>);

impl Keyring {
    /// Opens every key that was sealed to a device, as far as `blob` has them, and what they lead back to.
    pub fn open(
        log: &MemberLog,
        device: &KeyPair,
        blob: impl Fn(&BlobHash) -> Option<Vec<u8>>,
    ) -> Self {
        let mut ring = Self::default();
        let sealed = log.devices().get(&device.key_id());
        for (number, hash) in sealed.into_iter().flat_map(|device| device.sealed()).rev() {
            let epoch = log.epoch_of(*number);
            // What was reached from a newer key need not be opened again: that is the slow part.
            let Some(epoch) = epoch.filter(|_| !ring.0.contains_key(number)) else {
                continue;
            };
            let opened = blob(hash).map(|blob| EpochKey::open(&blob, epoch, device));
            if let Some(Ok(key)) = opened {
                ring.add(log, key);
            }
        }
        ring
    }

    /// Makes a ring of one key and what it leads back to.
    pub fn from_key(log: &MemberLog, key: EpochKey) -> Self {
        let mut ring = Self::default();
        ring.add(log, key);
        ring
    }

    /// Adds a key, and what it leads back to.
    pub fn add(&mut self, log: &MemberLog, key: EpochKey) {
        let mut number = key.number();
        self.0.insert(number, key);
        while let Some(before) = number.checked_sub(1) {
            if self.0.contains_key(&before) {
                return;
            }
            let found = self.0.get(&number).and_then(|key| {
                unwrap_key(log.wrapped_key(number)?, key, log.epoch_of(before)?).ok()
            });
            // Whoever made that record did not know the key, or hid it: envelopes of that epoch are held.
            let Some(found) = found else { return };
            self.0.insert(before, found);
            number = before;
        }
    }

    /// Returns the key of an epoch.
    pub fn get(&self, number: u32) -> Option<&EpochKey> {
        self.0.get(&number)
    }

    /// Decrypts a name of a subject, under the key of the epoch that it names.
    ///
    /// # Errors
    /// [`NameError::Opening`].
    pub fn open_name(&self, sealed: &[u8], subject: &[u8]) -> Result<String, NameError> {
        let number = sealed.first_chunk::<4>().ok_or(NameError::Opening)?;
        let key = self.get(u32::from_be_bytes(*number));
        name::open_name(sealed, subject, key.ok_or(NameError::Opening)?)
    }
}

/// Encrypts the key of an epoch under that of the next.
///
/// # Errors
/// [`KeyError::NotNext`] if `next` is not of the epoch after.
pub fn wrap_key(
    previous: &EpochKey,
    next: &EpochKey,
    random: &mut impl CryptoRng,
) -> Result<Vec<u8>, KeyError> {
    let not_next = KeyError::NotNext {
        epoch: next.number(),
    };
    if previous.number().checked_add(1) != Some(next.number()) {
        return Err(not_next);
    }
    let mut nonce = [0; 24];
    random.fill_bytes(&mut nonce);
    let payload = Payload {
        msg: previous.bytes(),
        aad: &associated(previous.number()),
    };
    let sealed = cipher(next)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| not_next)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts the key of the epoch before, and checks it against its commitment.
pub(crate) fn unwrap_key(
    wrapped: &[u8],
    next: &EpochKey,
    previous: Epoch,
) -> Result<EpochKey, KeyError> {
    let number = previous.number;
    let not_for_me = KeyError::NotForMe { epoch: number };
    let (nonce, sealed) = wrapped.split_first_chunk::<24>().ok_or(not_for_me)?;
    let payload = Payload {
        msg: sealed,
        aad: &associated(number),
    };
    let opened = cipher(next)
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| not_for_me)?;
    let opened = Zeroizing::new(opened);
    EpochKey::checked(opened.as_slice(), previous)
}

fn associated(previous: u32) -> Vec<u8> {
    let next = previous.saturating_add(1);
    Domain::KeyWrap.message(&[&previous.to_be_bytes(), &next.to_be_bytes()])
}

fn cipher(key: &EpochKey) -> XChaCha20Poly1305 {
    let mut derived = Zeroizing::new([0u8; 32]);
    let expanded = Hkdf::<Sha256>::new(None, key.bytes())
        .expand(&Domain::KeyWrap.message(&[]), derived.as_mut());
    debug_assert!(expanded.is_ok(), "32 bytes are a valid HKDF length");
    XChaCha20Poly1305::new((&*derived).into())
}
