//! The replica: one device's full copy of a journal, in one SQLite file.
//!
//! Owns the file and its permissions, the schema and its migrations, transactions, what of the member log, chains,
//! envelopes, documents and relays has to survive, and the read model that lists are made from. All bytes are opaque
//! here: no cipher, no Automerge, no network, and of `protocol` nothing but ids. It judges nothing either; it refuses
//! only what would break its own order, and says so with an `Ok` value.
//!
//! Invariants:
//! - What [`Replica::write`] returned `Ok` for is on disk (`synchronous=FULL`); anything else left no trace.
//! - A chain is held without gaps from where it became known. Envelopes that do not fit yet wait beside it.
//! - A change is in `loose` until the transaction that stores the envelope carrying it.
//! - A file that SQLite, the schema or a column's type says cannot be right is *damaged*, never a panic.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod action;
pub mod chain;
mod column;
pub mod document;
pub mod entry;
pub mod envelope;
mod error;
mod log;
pub mod member;
mod own;
pub mod plan;
pub mod relay;
mod replica;
#[cfg(test)]
mod sample;
mod schema;
mod short;
pub mod snapshot;

pub use error::{CreateError, Failure, OpenError, StoreError};
pub use own::{Birth, Own};
pub use replica::{Reader, Replica, Writer};
