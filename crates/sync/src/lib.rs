//! The sync session: everything that one exchange with one relay decides, and nothing that it does.
//!
//! Sans-IO: [`Session::handle`] takes an [`Event`], [`Session::poll`] then gives [`Action`]s until there are none; the driver
//! carries each out *in order* and reports what an action asks to be reported. Persisting comes before sending in that
//! order, and nowhere else: an own envelope is stored before the request that carries it is asked for, and a request for
//! the next page follows the merge of this one. The driver owns the network, the disk, the journal's documents and the
//! clock; this crate owns the member log's growth, the judgement and opening of envelopes, sealing, what to upload, and
//! every suspicion about the relay. Knows nothing of Automerge: a batch is bytes.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod action;
mod inbox;
mod outbox;
mod session;
mod state;
#[cfg(test)]
mod tests;

pub use action::{Action, Event, Fault, Incoming, Nonsense, Outgoing, Request, Unsealed, Warning};
pub use inbox::BEYOND_FRONTIER;
pub use session::{Outcome, Purpose, Session};
pub use state::{Known, Own, Replica};
