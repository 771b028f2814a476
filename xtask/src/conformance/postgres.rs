//! The relay on a real PostgreSQL, which is Debian's: initialised as an unprivileged user in a folder for temporary files, as the
//! build folder may be closed to that user; reached over loopback and a socket folder of its own; stopped when the tests are done.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install;
use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::{process, workspace};

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The user that Debian's package makes; a server refuses to run as root.
const USER: &str = "postgres";

/// The database that several relays share.
const NODES: &str = "ebb_nodes";
/// The test that ends the server, and so runs when no other does.
const ENDS_SERVER: &str = "nodes::postgres_killed_under_load";

/// Runs the tests that other runs leave out, every one of them: each needs a PostgreSQL, or a file system of its own. First the
/// store's, then those of the programs.
pub(super) fn run() -> Result<(), Failure> {
    let programs = match programs() {
        Some(programs) => programs,
        None => {
            install(&["postgresql"])?;
            programs().ok_or_else(|| Failure::Answer {
                program: "apt-get install postgresql".to_owned(),
                expected: format!("programs below {VERSIONS}"),
            })?
        }
    };
    let server = Server::start(programs)?;
    let mut tests = workspace::cargo(&["test", "--locked", "-p", "ebb-relay"]);
    tests.args(["--", "--ignored"]);
    process::run(tests.env("EBB_TEST_POSTGRES", server.url()))?;
    let mut create = server.program("createdb")?;
    let port = server.port.to_string();
    create.args(["--host=127.0.0.1", "--port", &port, "--username=ebb", NODES]);
    process::answer(&mut create)?;
    let programs = Binaries::debug()?;
    let e2e = || -> Result<Command, Failure> {
        let mut tests = workspace::cargo(&["test", "--locked", "--workspace", "--test", "e2e"]);
        tests.env("EBB_TEST_DATABASE", format!("{}/{NODES}", server.url()));
        tests.env("EBB_BIN", programs.path("ebb")?);
        tests.env("EBB_RELAY_BIN", programs.path("ebb-relay")?);
        tests.args(["--", "--ignored"]);
        Ok(tests)
    };
    let mut tests = e2e()?;
    tests.args(["--skip", ENDS_SERVER]);
    if !has_namespaces() {
        eprintln!(
            "NOT CHECKED: disks that are full or read-only. This system lets nobody mount a file system of their own."
        );
        tests.args(["--skip", "disk::"]);
    }
    process::run(&mut tests)?;
    let control = server.control()?;
    let call = std::iter::once(control.get_program()).chain(control.get_args());
    let words: Vec<_> = call.map(|word| word.to_string_lossy()).collect();
    let mut last = e2e()?;
    last.env("EBB_TEST_DATABASE_SERVER", words.join("\n"));
    process::run(last.arg(ENDS_SERVER))
}

/// Returns whether a user may have a file system of their own.
fn has_namespaces() -> bool {
    let script = "mount -t tmpfs none /mnt";
    let arguments = ["--user", "--map-root-user", "--mount", "sh", "-c", script];
    process::output(Command::new("unshare").args(arguments))
        .is_ok_and(|answer| answer.status.success())
}

/// Returns the programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?;
    let folders = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let whole = folders.filter(|(_, bin)| bin.join("initdb").exists());
    Some(whole.max()?.1)
}

/// A server, stopped when dropped.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Makes an empty server.
    fn start(programs: PathBuf) -> Result<Self, Failure> {
        let name = format!("ebb-postgres-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).map_err(Failure::file(&folder))?;
        if is_root()? {
            process::run(Command::new("chown").arg(USER).arg(&folder))?;
        }
        let server = Self {
            programs,
            folder,
            port: free_port()?,
        };
        let data = server.folder.join("data");
        let mut initdb = server.program("initdb")?;
        initdb.arg("--pgdata").arg(&data);
        let options = ["--username=ebb", "--auth=trust", "--encoding=UTF8"];
        process::answer(initdb.args(options).arg("--no-sync"))?;
        process::run(server.control()?.arg("start"))?;
        Ok(server)
    }

    /// Returns a call that starts or stops it, which its last word says.
    fn control(&self) -> Result<Command, Failure> {
        // What is acknowledged before it is on disk would stay in memory for long, and so be missed when the server ends at once.
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} -c wal_writer_delay=10s",
            self.port,
            self.folder.display()
        );
        let mut control = self.program("pg_ctl")?;
        control.arg("--pgdata").arg(self.folder.join("data"));
        control.arg("--log").arg(self.folder.join("log"));
        control.args(["--wait", "--options", &settings]);
        Ok(control)
    }

    /// Returns the server's address, without a database's name.
    fn url(&self) -> String {
        format!("postgres://ebb@127.0.0.1:{}", self.port)
    }

    /// Returns a call of one of the programs, as a user that may run a server.
    fn program(&self, name: &str) -> Result<Command, Failure> {
        let path = self.programs.join(name);
        let mut command = if is_root()? {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(Path::new("/"));
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Ok(mut stop) = self.control() else {
            return;
        };
        // One that does not stop has said why on stderr; the checks' outcome stands.
        drop(process::answer(stop.args(["--mode=immediate", "stop"])));
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

fn is_root() -> Result<bool, Failure> {
    Ok(process::answer(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Returns a port that nobody listens on now.
pub(super) fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(Failure::file("a free port"))?.port())
}
