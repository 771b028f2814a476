//! Invites: the link that lets one device join, with no inviter online.
//!
//! `<relay origin>/join/<journal>#<secret>` or `…#<name>.<secret>`, each part in unpadded base64url; the name is the one
//! that the inviter suggests for the device. The secret comes last, so that a link cut short never works. What is secret is in the URL fragment, which clients never send to a server. Whoever has an open link, and the relay's data of that time, can read everything up to then.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use protocol::id::JournalId;
use protocol::limits;
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
    /// The name that the inviter suggests for the device.
    pub device_name: Option<String>,
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
        let (relay, name) = (&self.relay, self.device_name.as_deref());
        match name.map(|name| BASE64URL_NOPAD.encode(name.as_bytes())) {
            Some(name) => format!("{relay}/join/{journal}#{name}.{secret}"),
            None => format!("{relay}/join/{journal}#{secret}"),
        }
    }
}

impl FromStr for InviteLink {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        let (address, fragment) = text.trim().split_once('#').ok_or(InvalidLink)?;
        let (secret, name) = match fragment.split_once('.') {
            Some((name, secret)) => (secret, Some(device_name(name)?)),
            None => (fragment, None),
        };
        let (relay, journal) = address.split_once("/join/").ok_or(InvalidLink)?;
        if !is_origin(relay) {
            return Err(InvalidLink);
        }
        Ok(Self {
            relay: relay.to_owned(),
            journal: JournalId(bytes(journal)?),
            secret: InviteSecret(Seed::from_bytes(bytes(secret)?)),
            device_name: name,
        })
    }
}

fn device_name(text: &str) -> Result<String, InvalidLink> {
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| InvalidLink)?;
    let name = String::from_utf8(bytes).map_err(|_| InvalidLink)?;
    let fits = (1..=limits::NAME_BYTES).contains(&name.len());
    if fits && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(InvalidLink)
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
