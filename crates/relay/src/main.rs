//! The `ebb-relay` program: everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    relay::command::run(std::env::args_os())
}
