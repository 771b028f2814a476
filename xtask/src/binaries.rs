//! Building the project's programs, and finding where cargo put them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::failure::Failure;
use crate::{process, workspace};

/// The programs that a build made, by name.
pub(crate) struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// Builds `ebb` and `ebb-relay`, with the features that the whole workspace gives them, so that the tests' own
    /// build finds its dependencies done.
    pub(crate) fn debug() -> Result<Self, Failure> {
        Self::build(&["--workspace", "--exclude", "xtask"])
    }

    /// Builds the programs, and the baselines and generators of the tests package, as they would be released.
    pub(crate) fn release() -> Result<Self, Failure> {
        Self::build(&["--workspace", "--exclude", "xtask", "--release"])
    }

    /// Builds the simulator alone, as it would be released.
    pub(crate) fn simulator() -> Result<Self, Failure> {
        Self::build_targets(&["--bin", "sim", "-p", "ebb-tests", "--release"])
    }

    fn build(selection: &[&str]) -> Result<Self, Failure> {
        Self::build_targets(&[&["--bins"], selection].concat())
    }

    fn build_targets(selection: &[&str]) -> Result<Self, Failure> {
        let mut command = workspace::cargo(&["build", "--locked"]);
        command.args(selection);
        eprintln!("$ {}", process::line(&command));
        command.arg("--message-format=json-render-diagnostics");
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| Failure::Start {
                program: "cargo".to_owned(),
                source,
            })?;
        if !output.status.success() {
            return Err(Failure::Command {
                line: process::line(&command),
                status: output.status.to_string(),
            });
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        Ok(Self(messages.lines().filter_map(executable).collect()))
    }

    /// Returns where a program is.
    pub(crate) fn path(&self, name: &str) -> Result<&Path, Failure> {
        let path = self.0.get(name).ok_or_else(|| Failure::Answer {
            program: "cargo build".to_owned(),
            expected: format!("a program named {name}"),
        })?;
        Ok(path)
    }
}

/// Reads one message of cargo's: the name and place of a program, if it is about one.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}
