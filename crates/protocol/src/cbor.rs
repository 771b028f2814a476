//! Canonical CBOR (RFC 8949 §4.2.1): one value, one encoding.
//!
//! Every structure is a map with small integer keys in ascending order, absent fields left out. Reading decodes, then
//! encodes again and compares: unknown and duplicate keys, long integers, indefinite lengths and trailing bytes all
//! fail that one check.

use minicbor::{Decode, Encode};

/// Bytes that are not the canonical encoding of what was expected.
#[derive(Debug, thiserror::Error)]
pub enum CborError {
    /// The bytes are not CBOR of this structure.
    #[error("not the expected structure")]
    Malformed(#[source] minicbor::decode::Error),
    /// The bytes are this structure, but not in its one encoding.
    #[error("not canonical: unknown or duplicate keys, or an encoding that is not the shortest")]
    NotCanonical,
}

/// Encodes a value.
#[expect(
    clippy::expect_used,
    reason = "writing to memory cannot fail, and no type here refuses to be encoded"
)]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory")
}

/// Decodes a value from exactly its canonical bytes.
///
/// # Errors
/// [`CborError`] if the bytes are anything else.
pub fn decode<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, CborError> {
    let value: T = minicbor::decode(bytes).map_err(CborError::Malformed)?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(CborError::NotCanonical)
    }
}

/// A byte string of any length, encoded as one CBOR byte string.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Bytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);
