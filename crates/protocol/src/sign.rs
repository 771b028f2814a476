//! Signatures: who can make one, and the strict check of one.
//!
//! Ed25519 (RFC 8032) with strict verification: no small-order keys, no malleable encodings, so that a signature
//! accepted here is accepted everywhere. Secrets live elsewhere; this module sees public keys only.

use std::sync::Arc;

use ed25519_dalek::VerifyingKey;

use crate::domain::Domain;
use crate::id::{KeyId, Signature, SigningKey};

/// A signature that does not hold, or a public key that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("the signature does not hold")]
pub struct BadSignature;

/// Whoever holds a device's or an invite's secret signing key.
pub trait Signer {
    /// Returns the id of the key pair that signs.
    fn key_id(&self) -> KeyId;

    /// Signs the domain's prefix, a zero byte, and `parts` joined.
    fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature;
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn key_id(&self) -> KeyId {
        S::key_id(self)
    }

    fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        S::sign(self, domain, parts)
    }
}

/// A public key that is read once and checks many signatures. One that is no key checks none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier(Option<VerifyingKey>);

impl Verifier {
    /// Reads a key.
    pub fn of(key: &SigningKey) -> Self {
        Self(VerifyingKey::from_bytes(&key.0).ok())
    }

    /// Checks a signature over the domain's prefix, a zero byte, and `parts` joined.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not hold under strict verification.
    pub fn verify(
        &self,
        domain: Domain,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let key = self.0.as_ref().ok_or(BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&domain.message(parts), &signature)
            .map_err(|_| BadSignature)
    }
}

/// Checks one signature; see [`Verifier::verify`].
///
/// # Errors
/// [`BadSignature`] if it does not hold under strict verification.
pub fn verify(
    key: &SigningKey,
    domain: Domain,
    parts: &[&[u8]],
    signature: &Signature,
) -> Result<(), BadSignature> {
    Verifier::of(key).verify(domain, parts, signature)
}
