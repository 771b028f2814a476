//! A relay on a disk that is really full, and on one that is really read-only: a small file system of its own, in a namespace
//! that any user may make where the system allows it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::binaries;
use crate::home::{Home, text};
use crate::relay::{readiness, ready};
use crate::wait;

/// A folder on which file systems are mounted that only the processes started here see.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    /// Returns a call of a shell in a namespace of its own, with the folder, the relay's program and its data as `$1` to `$3`.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script]);
        command.arg("sh").arg(self.folder.path());
        command.arg(binaries::ebb_relay()).arg(self.data());
        command.stdin(Stdio::null());
        command
    }
}

/// A relay on four megabytes; killed when dropped.
struct Small {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Small {
    fn start(disk: &Disk) -> Self {
        let script = "mount -t tmpfs -o size=4m none \"$1\"
            exec \"$2\" serve --json --open --log error --listen 127.0.0.1:0 --data \"$3\"";
        let mut child = disk.shell(script);
        let mut child = child.stdout(Stdio::piped()).spawn().expect("a namespace");
        let ready = ready(&mut child).expect("a relay that is ready");
        // How the folder looks from inside.
        let folder = format!("/proc/{}/root{}", child.id(), disk.folder.path().display());
        Self {
            url: text(&ready, "listening"),
            folder: folder.into(),
            child,
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Asks whether a write would be acknowledged.
    fn readiness(&self) -> String {
        let address = self.url.strip_prefix("http://").expect("an address");
        readiness(address)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "needs a file system of its own: cargo xtask conformance"]
fn a_full_disk_refuses_in_clear_and_goes_on_when_there_is_room() {
    let disk = Disk::new();
    let mut relay = Small::start(&disk);
    let laptop = Home::new();
    laptop.json(&["init", "--name", "Anneliese", "--relay", &relay.url]);
    let phone = laptop.another("phone");
    laptop.log(&["6"]);
    laptop.sync();
    assert!(relay.readiness().starts_with("HTTP/1.1 200 "));

    relay.fill();
    let readiness = relay.readiness();
    assert!(readiness.starts_with("HTTP/1.1 507 "), "{readiness}");
    let late = laptop.log(&["7", "while the disk is full"]);
    let answer = laptop.ebb(&["sync"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.stderr.contains("disk is full"), "{answer:?}");
    // Reading goes on: what was acknowledged before is given out.
    phone.ebb(&["sync"]);
    assert_eq!(phone.ids().len(), 1);
    assert!(!phone.ids().contains(&late));

    fs::remove_file(relay.filler()).expect("a file less");
    wait::until("the relay to be ready", || {
        relay.readiness().starts_with("HTTP/1.1 200 ").then_some(())
    });
    laptop.sync();
    phone.sync();
    assert_eq!(laptop.list(), phone.list());
    assert_eq!(phone.ids().len(), 2);
    assert!(relay.child.try_wait().expect("a status").is_none());
}

#[test]
#[ignore = "needs a file system of its own: cargo xtask conformance"]
fn a_read_only_disk_is_told_at_the_start() {
    let disk = Disk::new();
    let script = "mount -t tmpfs none \"$1\"
        \"$2\" token new --data \"$3\" > /dev/null
        mount -o remount,ro \"$1\"
        exec \"$2\" serve --listen 127.0.0.1:0 --data \"$3\"";
    let output = disk.shell(script).output().expect("a namespace");
    assert!(!output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("Read-only file system"), "{told}");
    let file = disk.data().join("relay.sqlite3").display().to_string();
    assert!(told.contains(&file), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}
