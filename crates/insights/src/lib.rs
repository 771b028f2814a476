//! Statistics over entries: what went together, and the numbers of the report.
//!
//! Owns pure functions over the journal's entry types; no IO, no clock, no Automerge. Offers nothing yet: the crate stands
//! so that its place among the others, and the rules it keeps, are checked from the start.
#![warn(clippy::print_stdout, clippy::print_stderr)]
