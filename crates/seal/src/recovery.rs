//! The recovery phrase: a device on paper, as 24 words (BIP39, English, 256 bits).
//!
//! The words are the seed of its key pair. It is an owner, so that whoever has lost every device can let a new one in; it
//! never seals envelopes. The last word carries a checksum, which finds most slips of the pen.

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::key_pair::{KeyPair, Seed};

/// Words of a phrase.
const WORDS: usize = 24;

/// The secret of a device on paper.
pub struct RecoveryPhrase(Seed);

/// A text that is no recovery phrase.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum InvalidPhrase {
    /// Not 24 words.
    #[error("a recovery phrase has {WORDS} words; this one has {0}")]
    Length(usize),
    /// A word that is not in the list. The word itself is not repeated: it may be secret.
    #[error("word {0} of the recovery phrase is not in the list of words")]
    Word(usize),
    /// The checksum does not hold: words are wrong or in another order.
    #[error("a word of the recovery phrase is wrong, or two are exchanged")]
    Checksum,
}

impl RecoveryPhrase {
    /// Draws a phrase.
    pub fn random(random: &mut impl CryptoRng) -> Self {
        Self(Seed::random(random))
    }

    /// Derives the key pair.
    pub fn key_pair(&self) -> KeyPair {
        KeyPair::of_recovery(&self.0)
    }

    /// Returns the words, to show once and to write on paper; never to store or log.
    pub fn reveal(&self) -> Zeroizing<String> {
        // 32 bytes are a valid length, and the list has a word for every 11 bits.
        Zeroizing::new(
            Mnemonic::from_entropy(self.0.reveal())
                .map(|words| words.to_string())
                .unwrap_or_default(),
        )
    }
}

impl FromStr for RecoveryPhrase {
    type Err = InvalidPhrase;

    fn from_str(text: &str) -> Result<Self, InvalidPhrase> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != WORDS {
            return Err(InvalidPhrase::Length(words.len()));
        }
        let plain = Zeroizing::new(words.join(" ").to_lowercase());
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &plain).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => InvalidPhrase::Word(index + 1),
                _ => InvalidPhrase::Checksum,
            },
        )?;
        let entropy = Zeroizing::new(mnemonic.to_entropy());
        let seed = entropy
            .as_slice()
            .try_into()
            .map_err(|_| InvalidPhrase::Checksum)?;
        Ok(Self(Seed::from_bytes(seed)))
    }
}

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase(…)")
    }
}
