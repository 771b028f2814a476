//! Load for a relay, each command a process of its own, so that what it costs is not the relay's. Prints one JSON document.
//!
//! ```text
//! load bare FOLDER                        serves /echo, and /commit: a bare axum beside which the relay is measured
//! load append RELAY BARE ROUNDS EACH      64 connections append envelopes, and send the same bodies to /echo and /commit
//! load compare RELAY RELAY ROUNDS EACH    how long two relays take for appends and for syncs
//! load wait RELAY JOURNALS EACH           waits for events on so many streams of so many journals, says so, and, once told to
//!                                         on stdin, measures how long an append takes to reach all who wait
//! load fill FILE JOURNALS ENVELOPES       fills the database of a relay that is stopped
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match ebb_tests::load::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
