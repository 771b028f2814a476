//! Statistics over entries: what went together, and the numbers of the report.
//!
//! Owns pure functions over daily series; no IO, no clock, no Automerge. Randomness is a seed: the same data give the
//! same answer. Missing is never zero, and nothing fills a gap. `README.md` of this crate says how a question is answered,
//! why so, and how often that errs.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod bootstrap;
pub mod clock;
mod contrast;
pub mod daily;
pub mod doses;
mod grid;
pub mod laps;
mod logged;
pub mod page;
pub mod phase;
pub mod presence;
pub mod preset;
pub mod question;
pub mod report;
pub mod series;
mod shift;
pub mod statistics;
pub mod words;

pub use bootstrap::Interval;
pub use contrast::Contrast;
pub use logged::{Logged, Period};
pub use series::Series;
pub use shift::Turns;
