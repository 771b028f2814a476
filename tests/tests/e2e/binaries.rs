//! Where the two programs are: as `EBB_BIN` and `EBB_RELAY_BIN` say, or else built here, once.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the path of `ebb`.
pub(crate) fn ebb() -> &'static Path {
    static EBB: OnceLock<PathBuf> = OnceLock::new();
    EBB.get_or_init(|| find("EBB_BIN", "ebb-cli", "ebb"))
}

/// Returns the path of `ebb-relay`.
pub(crate) fn ebb_relay() -> &'static Path {
    static RELAY: OnceLock<PathBuf> = OnceLock::new();
    RELAY.get_or_init(|| find("EBB_RELAY_BIN", "ebb-relay", "ebb-relay"))
}

fn find(variable: &str, package: &str, name: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return PathBuf::from(path);
    }
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--package",
            package,
            "--bin",
            name,
            "--message-format=json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo cannot build {name}");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let path = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message.get("executable")?.as_str()?;
        (message.get("target")?.get("name")? == name).then(|| PathBuf::from(path))
    });
    path.unwrap_or_else(|| panic!("cargo built no program {name}"))
}
