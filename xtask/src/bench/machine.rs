//! The machine that figures came from, in one sentence. Linux tells most; elsewhere the sentence is shorter.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process;

/// Describes processor, memory, system, file system and compiler.
pub(super) fn describe(folder: &Path) -> String {
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = vec![format!("{processor}, {cores} cores")];
    if let Some(memory) = field("/proc/meminfo", "MemTotal").and_then(|text| gibibytes(&text)) {
        parts.push(format!("{memory} GiB of memory"));
    }
    parts.extend(said_by(Command::new("uname").args(["-s", "-r"])));
    let mut file_system = Command::new("stat");
    file_system
        .args(["--file-system", "--format", "%T"])
        .arg(folder);
    parts.extend(said_by(&mut file_system).map(|name| format!("on {name}")));
    parts.extend(said_by(Command::new("rustc").arg("--version")));
    format!("Measured by `cargo xtask bench` on: {}.", parts.join(", "))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(text: &str) -> Option<u64> {
    let kibibytes: u64 = text.split(' ').next()?.parse().ok()?;
    Some((kibibytes + (1 << 19)) >> 20)
}

fn said_by(command: &mut Command) -> Option<String> {
    let said = process::answer(command).ok()?;
    Some(said.trim().to_owned())
}
