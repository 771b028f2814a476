//! Signed requests: how a client proves to a relay who asks.
//!
//! ```text
//! Authorization: Ebb key=<hex>,origin=<origin>,time=<unix seconds>,random=<hex>,signature=<hex>
//! ```
//!
//! The signature, in its own domain, covers, each preceded by its length as four bytes big-endian: origin, method, path
//! with query, SHA-256 of the body, time as eight bytes big-endian, random. The relay checks that the origin is its own,
//! so that one relay cannot pass a request on to another; the time, within [`limits::CLOCK_SKEW_SECONDS`]; and, for
//! appends to the log, that it has not seen the random before.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::domain::Domain;
use crate::id::{KeyId, Signature};
use crate::limits;
use crate::sign::{BadSignature, Signer, Verifier};

/// The scheme of the `Authorization` header.
pub const SCHEME: &str = "Ebb";

/// What a request asks for: the part that its signature covers besides origin, time and random.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The path with its query, as sent.
    pub path: &'a str,
    /// The body, as sent.
    pub body: &'a [u8],
}

/// The proof that travels in the `Authorization` header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// The device, recovery or invite key that asks.
    pub key: KeyId,
    /// The relay that is asked; see [`crate::log::is_origin`].
    pub origin: String,
    /// When, in seconds since the Unix epoch.
    pub time: u64,
    /// Sixteen random bytes: no two requests are the same.
    pub random: [u8; 16],
    /// The signature.
    pub signature: Signature,
}

/// Why a proof is not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum RequestError {
    /// The header is missing or malformed.
    #[error(
        "the Authorization header is not of the form `{SCHEME} key=…,origin=…,time=…,random=…,signature=…`"
    )]
    Malformed,
    /// The time differs by more than [`limits::CLOCK_SKEW_SECONDS`].
    #[error(
        "the request's time differs from this relay's by more than {} seconds",
        limits::CLOCK_SKEW_SECONDS
    )]
    Clock,
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

impl Authorization {
    /// Signs a request.
    pub fn create(
        signer: &dyn Signer,
        origin: &str,
        request: Request<'_>,
        time: u64,
        random: [u8; 16],
    ) -> Self {
        let message = message(origin, request, time, &random);
        Self {
            key: signer.key_id(),
            origin: origin.to_owned(),
            time,
            random,
            signature: signer.sign(Domain::RequestSignature, &[&message]),
        }
    }

    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`RequestError::Malformed`].
    pub fn parse(header: &str) -> Result<Self, RequestError> {
        Self::read(header).ok_or(RequestError::Malformed)
    }

    fn read(header: &str) -> Option<Self> {
        let mut fields = header.strip_prefix(SCHEME)?.strip_prefix(' ')?.split(',');
        let mut field = |name: &str| {
            let (key, value) = fields.next()?.trim().split_once('=')?;
            (key == name).then_some(value)
        };
        let authorization = Self {
            key: field("key")?.parse().ok()?,
            origin: field("origin")
                .filter(|origin| crate::log::is_origin(origin))?
                .to_owned(),
            time: field("time")?.parse().ok()?,
            random: HEXLOWER
                .decode(field("random")?.as_bytes())
                .ok()?
                .try_into()
                .ok()?,
            signature: field("signature")?.parse().ok()?,
        };
        fields.next().is_none().then_some(authorization)
    }

    /// Checks time and signature. That the origin is the relay's own, and that the random is new, is the relay's part.
    ///
    /// # Errors
    /// [`RequestError::Clock`] or [`RequestError::Signature`].
    pub fn verify(
        &self,
        key: &Verifier,
        request: Request<'_>,
        now: u64,
    ) -> Result<(), RequestError> {
        if self.time.abs_diff(now) > limits::CLOCK_SKEW_SECONDS {
            return Err(RequestError::Clock);
        }
        let message = message(&self.origin, request, self.time, &self.random);
        Ok(key.verify(Domain::RequestSignature, &[&message], &self.signature)?)
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            origin,
            time,
            random,
            signature,
        } = self;
        let random = HEXLOWER.encode(random);
        write!(
            f,
            "{SCHEME} key={key},origin={origin},time={time},random={random},signature={signature}"
        )
    }
}

fn message(origin: &str, request: Request<'_>, time: u64, random: &[u8; 16]) -> Vec<u8> {
    let body: [u8; 32] = Sha256::digest(request.body).into();
    let parts: [&[u8]; 6] = [
        origin.as_bytes(),
        request.method.as_bytes(),
        request.path.as_bytes(),
        &body,
        &time.to_be_bytes(),
        random,
    ];
    let mut message = Vec::new();
    for part in parts {
        // Requests are far below 4 GiB; a longer part would only make the signature fail.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}
