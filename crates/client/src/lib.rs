//! The client: a journal on this device, and its exchange with relays.
//!
//! Owns everything that a front end needs and no front end should write again: opening and starting journals, recording,
//! reading, membership, and driving the sans-IO sync session over HTTP. Prints nothing, reads no settings and parses no
//! arguments. This is where the clock, the operating system's randomness, the disk and the network come in.
//!
//! Invariants: what a recording method returned is durable; an own envelope is stored before its first byte leaves; nothing
//! received is merged unless all of its envelope merges; a failure of the network never changes what is recorded here.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod again;
pub mod bundle;
mod error;
pub mod genesis;
pub mod history;
mod home;
mod insight;
pub mod join;
mod journal;
pub mod membership;
mod merge;
mod os;
mod people;
pub mod plan;
mod profile;
mod progress;
pub mod query;
mod record;
mod relay;
mod row;
mod snapshot;
pub mod status;
pub mod sync;
pub mod transfer;
mod watch;
pub mod zone;

pub use error::Family;
pub use home::{Home, JournalSummary, OpenError};
pub use journal::{DamagedReplica, Journal};
pub use progress::{Progress, Silent};
pub use record::RecordError;
