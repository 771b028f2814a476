//! Where the workspace and its build folder are, and how cargo is called in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;
use crate::process;

/// Returns the folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Returns a call of the cargo that runs this, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// Returns what `cargo metadata` says of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, Failure> {
    let mut command = cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"]);
    serde_json::from_str(&process::answer(&mut command)?).map_err(|_| Failure::Answer {
        program: process::line(&command),
        expected: "JSON".to_owned(),
    })
}

/// Returns the build folder.
pub(crate) fn target() -> Result<PathBuf, Failure> {
    let metadata = metadata()?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    folder.map(PathBuf::from).ok_or(Failure::Answer {
        program: "cargo metadata".to_owned(),
        expected: "a target_directory".to_owned(),
    })
}
