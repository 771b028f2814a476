//! What the programs of this crate share: the simulator, the client that keeps to no rule, and load for a relay.
//!
//! The end-to-end tests are in `tests/`, and drive the two binaries; what a modified client would do, they have `rogue` do.

pub mod load;
pub mod rogue;
pub mod sim;
