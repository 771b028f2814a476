//! Tests across calls: who may do what, who loses the right to write, how a journal ends, and what snapshots do.

mod erasure;
mod faults;
mod limits;
mod losses;
mod outsiders;
mod rights;
mod snapshots;
