//! The `ebb` binary: hands its arguments to the library and ends with the code it returns.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os().collect())
}
