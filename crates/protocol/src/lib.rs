//! The protocol: every byte that devices and relays exchange, and the rules that both apply to them.
//!
//! Owns ids, member-log records and their rules, the framing and signature check of envelopes, vectors, the relay's
//! messages, request signing, and all limits. `README.md` beside this crate is the byte-level specification. Holds no
//! cipher and cannot decrypt: the relay is built on this crate and on none that can. Does no IO, and takes time as an
//! argument.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod api;
pub mod bundle;
pub mod cbor;
pub mod domain;
pub mod envelope;
pub mod id;
pub mod judge;
pub mod limits;
pub mod log;
pub mod record;
pub mod request;
pub mod role;
pub mod sign;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod vector;
