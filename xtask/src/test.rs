//! `cargo xtask test`: format, lints, house rules, every test. What continuous integration runs, in the same order.

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::process;
use crate::sim;
use crate::tidy;
use crate::workspace::cargo;

/// Runs everything, cheapest first, and stops at the first failure.
pub(crate) fn run() -> Result<(), Failure> {
    process::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy::run()?;
    let lints = ["clippy", "--locked", "--workspace", "--all-targets"];
    process::run(cargo(&lints).args(["--", "-D", "warnings"]))?;
    let binaries = Binaries::debug()?;
    sim::bounded(&binaries)?;
    process::run(
        cargo(&["test", "--locked", "--workspace"])
            .env("EBB_BIN", binaries.path("ebb")?)
            .env("EBB_RELAY_BIN", binaries.path("ebb-relay")?),
    )
}
