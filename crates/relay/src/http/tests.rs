//! Tests across calls: who may do what, who loses the right to write, and how a journal ends.

mod erasure;
mod losses;
mod outsiders;
mod rights;
