//! Who is in a journal: letting in, taking back, coming back, starting over.
//!
//! `member` appends to the member log and is what the others stand on; each of them is one thing that people do.

pub mod held;
pub mod invite;
pub mod member;
pub mod naming;
pub mod recovery;
pub mod relays;
pub mod removal;
pub mod renewal;
