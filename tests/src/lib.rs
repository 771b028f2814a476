//! What the programs of this crate share: the simulator.
//!
//! The end-to-end tests are in `tests/`, and drive the two binaries alone.

pub mod sim;
