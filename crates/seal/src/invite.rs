//! Invites: the link that lets one device join, with no inviter online.
//!
//! `<relay origin>/join/<journal, base64url>#<secret, base64url>`. Everything secret is in the URL fragment, which clients
//! never send to a server. Whoever has an open link, and the relay's data of that time, can read everything up to then.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use protocol::id::JournalId;
use protocol::log::is_origin;
use rand_core::CryptoRng;

use crate::key_pair::{KeyPair, Seed};

/// The secret of an invite, from which its key pair derives.
#[derive(Debug)]
pub struct InviteSecret(Seed);

impl InviteSecret {
    /// Draws a secret.
    pub fn random(random: &mut impl CryptoRng) -> Self {
        Self(Seed::random(random))
    }

    /// Derives the invite's key pair.
    pub fn key_pair(&self) -> KeyPair {
        KeyPair::of_invite(&self.0)
    }
}

/// A link by which one device may join. Its text is a secret.
pub struct InviteLink {
    /// The relay that has the journal.
    pub relay: String,
    /// The journal.
    pub journal: JournalId,
    /// The secret.
    pub secret: InviteSecret,
}

/// A text that is no invite link.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an invite link of ebb")]
pub struct InvalidLink;

impl InviteLink {
    /// Returns the link's text, to show to whoever will join; never to log.
    pub fn reveal(&self) -> String {
        let journal = BASE64URL_NOPAD.encode(&self.journal.0);
        let secret = BASE64URL_NOPAD.encode(self.secret.0.reveal());
        format!("{}/join/{journal}#{secret}", self.relay)
    }
}

impl FromStr for InviteLink {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        let (address, secret) = text.trim().split_once('#').ok_or(InvalidLink)?;
        let (relay, journal) = address.split_once("/join/").ok_or(InvalidLink)?;
        if !is_origin(relay) {
            return Err(InvalidLink);
        }
        Ok(Self {
            relay: relay.to_owned(),
            journal: JournalId(bytes(journal)?),
            secret: InviteSecret(Seed::from_bytes(bytes(secret)?)),
        })
    }
}

fn bytes(text: &str) -> Result<[u8; 32], InvalidLink> {
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| InvalidLink)?;
    bytes.try_into().map_err(|_| InvalidLink)
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InviteLink({}, {}, …)", self.relay, self.journal)
    }
}
