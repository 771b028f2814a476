//! Secrets, and what is done with them: key pairs, epoch keys, sealing and opening, invites, recovery.
//!
//! The only crate that names a cipher or a KEM. Owns what only a member can do; what anybody can check is in
//! [`protocol`]. Does no IO, reads no clock, and takes randomness as an argument. Secrets are zeroized when dropped, have
//! a redacted `Debug`, and cannot be cloned.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod content;
mod epoch;
#[cfg(feature = "forge")]
mod forge;
mod invite;
mod key_pair;
mod keyring;
mod name;
mod padding;
mod recovery;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use content::{Content, OpenError, SealError, VectorPart, open, seal};
pub use epoch::{EpochKey, KeyError};
pub use invite::{InvalidLink, InviteLink, InviteSecret};
pub use key_pair::{KeyPair, Seed};
pub use keyring::{Keyring, wrap_key};
pub use name::{NameError, open_name, seal_name};
pub use recovery::{InvalidPhrase, RecoveryPhrase};
