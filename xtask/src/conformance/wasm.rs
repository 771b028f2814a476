//! The crates without IO, checked for `wasm32-unknown-unknown`: a phone web app will use exactly these.
//!
//! Takes the target from rustup where it can be had. Elsewhere Debian's own compiler builds the standard library from
//! source; it has a build folder of its own, as its version differs from the workspace's.

use std::path::Path;
use std::process::Command;

use super::install;
use crate::failure::Failure;
use crate::{process, workspace};

const TARGET: &str = "wasm32-unknown-unknown";
const PURE: [&str; 5] = [
    "ebb-insights",
    "ebb-journal",
    "ebb-protocol",
    "ebb-seal",
    "ebb-sync",
];

/// Debian's packages of a compiler that can build for wasm32, and the programs they bring.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// Automerge asks the system for a random actor, which ebb never uses. Here there is no system to ask; a web app
/// chooses the browser's randomness instead (`getrandom`'s `wasm_js`).
const NO_RANDOMNESS: &str = r#"--cfg getrandom_backend="unsupported""#;

/// Checks the crates with whichever compiler can be had.
pub(super) fn run() -> Result<(), Failure> {
    let target = workspace::target()?.join("wasm");
    if process::run(
        Command::new("rustup")
            .args(["target", "add", TARGET])
            .current_dir(workspace::root()),
    )
    .is_ok()
    {
        return process::run(
            check(workspace::cargo(&[]), &[]).env("CARGO_TARGET_DIR", target.join("rustup")),
        );
    }
    eprintln!("rustup cannot fetch {TARGET}; taking Debian's compiler instead");
    if !Path::new(DEBIAN_SOURCE).exists() || !Path::new(DEBIAN_CARGO).exists() {
        install(&DEBIAN)?;
    }
    let mut cargo = Command::new(DEBIAN_CARGO);
    cargo.current_dir(workspace::root());
    let mut command = check(cargo, &["-Zbuild-std=std,panic_abort"]);
    // The bootstrap variable admits `-Z` on a stable compiler. What rustup exports for its own compiler must not leak in.
    command
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1");
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "RUSTC_WRAPPER",
        "CARGO",
        "RUSTDOC",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(variable);
    }
    process::run(command.env("CARGO_TARGET_DIR", target.join("debian")))
}

fn check(mut cargo: Command, options: &[&str]) -> Command {
    cargo
        .args(["check", "--locked", "--target", TARGET])
        .args(options);
    for package in PURE {
        cargo.args(["--package", package]);
    }
    cargo.env("RUSTFLAGS", NO_RANDOMNESS);
    cargo
}
