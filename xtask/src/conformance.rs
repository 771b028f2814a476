//! `cargo xtask conformance`: checks by outside programs, which it installs itself under the build folder.
//!
//! `vectors`: an independent script reproduces the golden vectors of the byte-level specification. `insights`: another
//! reproduces every statistic. `formats`: other people's software reads the exports as FHIR, as tables and as nights of IEEE
//! 1752.1. `documents`: npm's Automerge reads the raw documents. `page`: the appointment report is valid HTML, accessible, and
//! prints on one sheet; as PDF, it is one tagged sheet. `wasm`: the crates without IO are checked for a machine that has no
//! operating system.
//!
//! Of the relay, each also alone: `postgres`: its other store keeps what every store promises;
//! `deploy`: systemd, nginx and Caddy read the files for running it as a service, and hadolint the one for a container;
//! `relay`: no request made from its OpenAPI document is answered otherwise than the document says.

mod deploy;
mod documents;
mod formats;
mod insights;
mod page;
mod postgres;
mod python;
mod relay;
mod vectors;
mod wasm;

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// Runs every check, or the one of the relay's that is named, and stops at the first failure.
pub(crate) fn run(only: &[String]) -> Result<(), Failure> {
    if let [name] = only {
        return match name.as_str() {
            "deploy" => deploy::run(&python::environment()?),
            "postgres" => postgres::run(),
            "relay" => relay::run(&python::environment()?),
            _ => Err(Failure::Mismatch(format!(
                "there is no check `{name}` to run alone"
            ))),
        };
    }
    let python = python::environment()?;
    vectors::run(&python)?;
    insights::run(&python)?;
    formats::run(&python)?;
    documents::run()?;
    page::run(&python)?;
    postgres::run()?;
    deploy::run(&python)?;
    relay::run(&python)?;
    wasm::run()
}

/// Installs the npm packages that a folder's `package.json` names, and npm itself where it is missing.
fn npm_packages(folder: &Path) -> Result<(), Failure> {
    let has_npm = process::output(Command::new("npm").arg("--version"));
    if !has_npm.is_ok_and(|answer| answer.status.success()) {
        install(&["npm"])?;
    }
    let npm = ["install", "--silent", "--no-audit", "--no-fund"];
    process::run(Command::new("npm").args(npm).current_dir(folder))
}

/// Installs Debian packages, as root or through sudo.
fn install(packages: &[&str]) -> Result<(), Failure> {
    let root = process::answer(Command::new("id").arg("-u"))?.trim() == "0";
    let apt_get = |arguments: &[&str]| {
        let mut command = if root {
            Command::new("apt-get")
        } else {
            Command::new("sudo")
        };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command
            .args(["--yes", "--quiet", "--no-install-recommends"])
            .args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut command)
    };
    apt_get(&["update"])?;
    apt_get(&[&["install"], packages].concat())
}
