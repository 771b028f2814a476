//! Key pairs of devices and invites: one 32-byte seed, from which an Ed25519 and an X-Wing key derive.
//!
//! HKDF-SHA256 (RFC 5869) without salt expands the seed, under an `info` of its own per use, to 64 bytes: the Ed25519
//! secret key (RFC 8032), then the X-Wing decapsulation key (draft-connolly-cfrg-xwing-kem).

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey as Ed25519};
use hkdf::Hkdf;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use protocol::domain::Domain;
use protocol::id::{KemKey, KeyId, Signature, SigningKey};
use protocol::sign::Signer;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Thirty-two secret bytes from which everything of one device or invite derives.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Draws a seed.
    pub fn random(random: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill_bytes(seed.as_mut());
        Self(seed)
    }

    /// Takes secret bytes for a seed.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the secret bytes, to write to a file that only its user can read, or into an invite's link.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The secret keys of a device or an invite, with their public halves.
pub struct KeyPair {
    signing: Ed25519,
    kem: <XWing as Kem>::PrivateKey,
    signing_key: SigningKey,
    kem_key: KemKey,
    id: KeyId,
}

impl KeyPair {
    /// Derives the key pair of a device.
    pub fn of_device(seed: &Seed) -> Self {
        Self::derive(seed, Domain::DeviceKeys)
    }

    /// Derives the key pair of a recovery phrase.
    pub fn of_recovery(seed: &Seed) -> Self {
        Self::derive(seed, Domain::RecoveryKeys)
    }

    /// Derives the key pair of an invite.
    pub fn of_invite(seed: &Seed) -> Self {
        Self::derive(seed, Domain::InviteKeys)
    }

    #[expect(
        clippy::expect_used,
        reason = "lengths are constants: 64 bytes of HKDF output, 32 of an X-Wing key"
    )]
    fn derive(seed: &Seed, domain: Domain) -> Self {
        let mut bytes = Zeroizing::new([0u8; 64]);
        Hkdf::<Sha256>::new(None, seed.0.as_ref())
            .expand(&domain.message(&[]), bytes.as_mut())
            .expect("64 bytes are a valid HKDF length");
        let (signing, kem) = bytes.split_first_chunk::<32>().expect("64 bytes hold 32");
        let signing = Ed25519::from_bytes(signing);
        let kem = <XWing as Kem>::PrivateKey::from_bytes(kem).expect("32 bytes are an X-Wing key");
        let signing_key = SigningKey(signing.verifying_key().to_bytes());
        let kem_key = KemKey(XWing::sk_to_pk(&kem).to_bytes().into());
        let id = KeyId::of(&signing_key, &kem_key);
        Self {
            signing,
            kem,
            signing_key,
            kem_key,
            id,
        }
    }

    /// Returns the public signing key.
    pub fn signing_key(&self) -> SigningKey {
        self.signing_key
    }

    /// Returns the public KEM key.
    pub fn kem_key(&self) -> KemKey {
        self.kem_key
    }

    pub(crate) fn kem_secret(&self) -> &<XWing as Kem>::PrivateKey {
        &self.kem
    }
}

impl Signer for KeyPair {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        Signature(self.signing.sign(&domain.message(parts)).to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, …)", self.id)
    }
}
