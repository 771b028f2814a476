//! The files with which the relay is run as a service, read by those they are for: systemd, nginx and Caddy, all Debian's. None of
//! them is started. The file for a container is read by PyPI's `hadolint`, which also has its shell commands checked; no image
//! is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install;
use super::postgres::free_port;
use crate::failure::Failure;
use crate::{process, workspace};

/// What reads the files: the program, and the package it is in.
const PROGRAMS: [(&str, &str); 4] = [
    ("/usr/bin/systemd-analyze", "systemd"),
    ("/usr/sbin/nginx", "nginx-light"),
    ("/usr/bin/caddy", "caddy"),
    ("/usr/bin/openssl", "openssl"),
];
/// How exposed systemd may find the service, of 100.
const EXPOSURE: &str = "--threshold=15";
const NAME: &str = "relay.example.org";

/// Has every file read.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let missing = PROGRAMS
        .iter()
        .filter(|(path, _)| !Path::new(path).exists());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let folder = workspace::target()?.join("conformance/deploy");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    container(python)?;
    systemd(&folder)?;
    nginx(&folder)?;
    let mut caddy = Command::new("/usr/bin/caddy");
    caddy.args(["validate", "--adapter", "caddyfile", "--config"]);
    // It keeps its own state below its home.
    process::run(caddy.arg(deployed("Caddyfile")).env("HOME", &folder))
}

fn deployed(name: &str) -> PathBuf {
    workspace::root().join("crates/relay/deploy").join(name)
}

fn read(name: &str) -> Result<String, Failure> {
    let path = deployed(name);
    fs::read_to_string(&path).map_err(Failure::file(path))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::file(path))
}

/// Has the container's file read; whatever is said of it is a failure, even if only of style.
fn container(python: &Path) -> Result<(), Failure> {
    let mut hadolint = Command::new(python.with_file_name("hadolint"));
    hadolint.args(["--no-color", "--failure-threshold", "style"]);
    process::run(hadolint.arg(deployed("Containerfile")))
}

/// Has systemd read the units, with a program that is there in the relay's place.
fn systemd(folder: &Path) -> Result<(), Failure> {
    let units = ["ebb-relay.service", "ebb-relay.socket"];
    for name in units {
        let unit = read(name)?.replace("/usr/local/bin/ebb-relay", "/bin/true");
        write(&folder.join(name), &unit)?;
    }
    let mut verify = Command::new("/usr/bin/systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for name in units {
        verify.arg(folder.join(name));
    }
    let mut exposure = Command::new("/usr/bin/systemd-analyze");
    exposure.args(["security", "--offline=true", "--no-pager", EXPOSURE]);
    process::answer(exposure.arg(folder.join("ebb-relay.service")))?;
    let said = process::output(&mut verify)?;
    let words = String::from_utf8_lossy(&said.stderr);
    // It ends well after a directive that it does not know: what it says is what counts. It may also speak of units of the
    // machine's own.
    let about: Vec<&str> = words
        .lines()
        .filter(|line| line.contains("ebb-relay"))
        .collect();
    if said.status.success() && about.is_empty() {
        return Ok(());
    }
    Err(Failure::Mismatch(format!(
        "systemd-analyze verify: {}\n{words}",
        said.status
    )))
}

/// Has nginx read the server, inside the least configuration that one is part of, with a certificate of a minute ago.
fn nginx(folder: &Path) -> Result<(), Failure> {
    let (certificate, key) = (folder.join("fullchain.pem"), folder.join("key.pem"));
    let mut openssl = Command::new("/usr/bin/openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-noenc", "-days", "1"]);
    openssl.args(["-subj", &format!("/CN={NAME}"), "-keyout"]);
    process::answer(openssl.arg(&key).arg("-out").arg(&certificate))?;
    let here = |path: &Path| path.display().to_string();
    let server = read("nginx.conf")?
        .replace(
            &format!("/etc/ssl/{NAME}/fullchain.pem"),
            &here(&certificate),
        )
        .replace(&format!("/etc/ssl/{NAME}/key.pem"), &here(&key))
        // The test binds the port.
        .replace(
            "listen 443 ssl",
            &format!("listen 127.0.0.1:{} ssl", free_port()?),
        );
    let whole = format!(
        "pid {pid};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{server}}}\n",
        pid = here(&folder.join("nginx.pid"))
    );
    let file = folder.join("nginx.conf");
    write(&file, &whole)?;
    let mut test = Command::new("/usr/sbin/nginx");
    process::run(test.args(["-t", "-q", "-e", "stderr", "-c"]).arg(&file))
}
