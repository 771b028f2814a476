//! The client: a journal on this device, and its exchange with relays.
//!
//! Owns everything that a front end needs and no front end should write again: opening and starting journals, recording,
//! reading, membership, and driving the sans-IO sync session over HTTP. Prints nothing, reads no settings and parses no
//! arguments. This is where the clock, the operating system's randomness, the disk and the network come in.
//!
//! Invariants: what a recording method returned is durable; an own envelope is stored before its first byte leaves; nothing
//! received is merged unless all of its envelope merges; a failure of the network never changes what is recorded here.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod error;
mod genesis;
mod home;
mod join;
mod journal;
mod member;
mod merge;
mod os;
mod people;
mod profile;
mod progress;
mod query;
mod record;
mod relay;
mod row;
mod status;
mod sync;
mod watch;

pub use error::Family;
pub use genesis::{Init, InitError, NewRelay};
pub use home::{Home, JournalSummary, OpenError};
pub use join::{JoinError, Joined};
pub use journal::{DamagedReplica, Journal};
pub use member::{Invited, ListedRelay, MemberError};
pub use progress::{Progress, Silent};
pub use query::{EntryView, Filter, LookupError, ReadError};
pub use record::RecordError;
pub use relay::RelayError;
pub use status::{Device, Person, RelayStatus, Status};
pub use sync::{SyncError, SyncReport};
pub use watch::WatchEvent;
