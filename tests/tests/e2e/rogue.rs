//! The client that keeps to no rule: calls of `rogue`, which does what a modified `ebb` would.

use std::process::Command;

use serde_json::Value;

use crate::home::Home;

/// Has a home's keys used as no `ebb` would use them, with the log and the documents of `log_of`; returns what came of it.
pub(crate) fn rogue(home: &Home, log_of: &Home, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue"))
        .args(arguments)
        .arg("--home")
        .arg(home.path())
        .arg("--log-of")
        .arg(log_of.path())
        .env_clear()
        .output()
        .expect("rogue starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("rogue prints JSON")
}
