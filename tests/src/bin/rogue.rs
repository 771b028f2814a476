//! A member's client that keeps to no rule: signs and seals with the keys of a home what `ebb` refuses to make.
//!
//! `rogue COMMAND [WHAT] --home DIR --log-of DIR [OPTION]…`, for the end-to-end tests; prints one line of JSON. Commands:
//!
//! - `ask sync|log|journals|events --relay URL`: one request, signed by the home's device
//! - `record WHAT`: a member-log record that follows the log; WHAT is `share`, `own-device`, `own-owner`, `withdraw`,
//!   `approve`, `role`, `remove`, `relays` or `erase`; `--target FINGERPRINT`, `--urls A,B`
//! - `write WHAT`: an envelope; WHAT is `entry`, `edit`, `profile`, `newer`, `newer-format`, or one of the batches in `rogue/hostile.rs`;
//!   `--entry ID` names an entry to edit
//! - `decrypt --database FILE`: tries every key that the home can reach on every envelope of a relay's database
//!
//! `record` and `write` go to a relay (`--relay URL`), into a bundle (`--out FILE`), or, an envelope, straight into the
//! database of a relay that does not check (`--database FILE`). The log, sealed keys and documents are those of the home
//! `--log-of`: more than most attackers have. A `--home` without a device stands for a stranger: its keys are drawn.

use std::process::ExitCode;

use ebb_tests::rogue;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match rogue::run(&arguments) {
        Ok(document) => {
            println!("{document}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rogue: {error}");
            ExitCode::FAILURE
        }
    }
}
