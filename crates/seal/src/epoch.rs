//! Epoch keys: the content key of a span of the member log, sealed to each device and open invite.
//!
//! A sealed key is a blob of 1168 bytes: the X-Wing encapsulation (1120), then the key encrypted with its tag (48). HPKE
//! (RFC 9180) in base mode, single shot, with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305, empty associated data, and an
//! `info` that binds epoch, commitment and recipient.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use protocol::domain::Domain;
use protocol::id::{Commitment, KemKey, KeyId};
use protocol::log::Epoch;
use protocol::sign::Signer;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::key_pair::KeyPair;

/// Bytes of an X-Wing encapsulation.
const ENCAPSULATION_BYTES: usize = 1120;

/// The key with which the content of one epoch is encrypted.
pub struct EpochKey {
    number: u32,
    bytes: Zeroizing<[u8; 32]>,
}

/// Why a sealed key cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum KeyError {
    /// The blob is not of the right length, was sealed to another key, or was altered.
    #[error("the sealed key of epoch {epoch} cannot be opened with this device's key")]
    NotForMe {
        /// The epoch.
        epoch: u32,
    },
    /// The blob opened, but holds another key than the member log commits to. Whoever sealed it misbehaved.
    #[error("the sealed key of epoch {epoch} is not the one the member log commits to")]
    WrongKey {
        /// The epoch.
        epoch: u32,
    },
    /// A key is to be encrypted under one that is not of the epoch after. Caller misused.
    #[error("epoch {epoch} is not the next one")]
    NotNext {
        /// The epoch.
        epoch: u32,
    },
    /// The recipient's public key is no X-Wing key.
    #[error("the public key of {0} is not valid")]
    BadRecipient(KeyId),
}

impl EpochKey {
    /// Draws the key of an epoch.
    pub fn random(number: u32, random: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill_bytes(bytes.as_mut());
        Self { number, bytes }
    }

    /// Returns the epoch's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the commitment that the member log carries.
    pub fn commitment(&self) -> Commitment {
        Commitment(Domain::EpochCommitment.hash(&[&self.number.to_be_bytes(), self.bytes.as_ref()]))
    }

    /// Seals the key to a device or an invite.
    ///
    /// # Errors
    /// [`KeyError::BadRecipient`] if the public key is invalid.
    pub fn seal_to(
        &self,
        recipient: &KeyId,
        kem: &KemKey,
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, KeyError> {
        let bad = |_| KeyError::BadRecipient(*recipient);
        let public = <XWing as Kem>::PublicKey::from_bytes(&kem.0).map_err(bad)?;
        let (encapsulation, sealed) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
                &OpModeS::Base,
                &public,
                &info(self.number, &self.commitment(), recipient),
                self.bytes.as_ref(),
                &[],
                random,
            )
            .map_err(bad)?;
        let mut blob = encapsulation.to_bytes().to_vec();
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Opens a sealed key, and checks it against the commitment.
    ///
    /// # Errors
    /// [`KeyError::NotForMe`] or [`KeyError::WrongKey`].
    pub fn open(blob: &[u8], epoch: Epoch, recipient: &KeyPair) -> Result<Self, KeyError> {
        let not_for_me = KeyError::NotForMe {
            epoch: epoch.number,
        };
        let (encapsulation, sealed) = blob
            .split_at_checked(ENCAPSULATION_BYTES)
            .ok_or(not_for_me)?;
        let encapsulation =
            <XWing as Kem>::EncappedKey::from_bytes(encapsulation).map_err(|_| not_for_me)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            recipient.kem_secret(),
            &encapsulation,
            &info(epoch.number, &epoch.commitment, &recipient.key_id()),
            sealed,
            &[],
        );
        let opened = Zeroizing::new(opened.map_err(|_| not_for_me)?);
        Self::checked(opened.as_slice(), epoch)
    }

    /// Takes bytes for the key of an epoch if the member log commits to them.
    pub(crate) fn checked(bytes: &[u8], epoch: Epoch) -> Result<Self, KeyError> {
        let number = epoch.number;
        let not_for_me = KeyError::NotForMe { epoch: number };
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| not_for_me)?;
        let key = Self {
            number: epoch.number,
            bytes: Zeroizing::new(bytes),
        };
        if key.commitment() == epoch.commitment {
            Ok(key)
        } else {
            Err(KeyError::WrongKey {
                epoch: epoch.number,
            })
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({}, …)", self.number)
    }
}

fn info(number: u32, commitment: &Commitment, recipient: &KeyId) -> Vec<u8> {
    Domain::EpochSeal.message(&[&number.to_be_bytes(), &commitment.0, &recipient.0])
}
