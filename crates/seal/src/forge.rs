//! What a member's other software could do with keys, for tests that attack: the checks of the honest ways are left out.
//!
//! Only with the feature `forge`, which no program of ours switches on.

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use protocol::envelope::{Envelope, Header, VerifiedEnvelope};
use protocol::log::Epoch;

use crate::content::{cipher, seal_unchecked};
use crate::epoch::EpochKey;
use crate::key_pair::KeyPair;
use crate::keyring::unwrap_key;

impl EpochKey {
    /// Seals bytes that need not be a content, of any length; none if the cipher refuses the length.
    pub fn seal_bytes(&self, header: Header, plain: &[u8], device: &KeyPair) -> Option<Envelope> {
        seal_unchecked(header, plain, self, device)
    }

    /// Returns whether this key decrypts an envelope, whatever epoch the envelope names.
    pub fn decrypts(&self, envelope: &VerifiedEnvelope) -> bool {
        let (aad, msg) = envelope.sealed();
        let nonce = XNonce::from(envelope.header().nonce);
        cipher(self).decrypt(&nonce, Payload { msg, aad }).is_ok()
    }

    /// Decrypts a wrapped key with this one, whatever epoch it was wrapped for; none if it does not open, or is not the
    /// one that the member log commits to.
    pub fn unwraps(&self, wrapped: &[u8], epoch: Epoch) -> Option<Self> {
        unwrap_key(wrapped, self, epoch).ok()
    }
}
