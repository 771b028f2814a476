//! A relay on loopback that ends with its guard, and can be stopped, killed, and started again where it was.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::binaries;
use crate::home::text;
use crate::proxy::Proxy;
use crate::wait;

/// How long a relay may take until it is ready.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Reads what a relay started with `--json` and piped output prints when it listens, and what it said instead where that is no
/// document.
pub(crate) fn ready(child: &mut Child) -> Result<Value, String> {
    let output = child.stdout.take().expect("its output is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // A relay that ends without a line sends an empty one, which is no document.
        drop(BufReader::new(output).read_line(&mut line));
        drop(sender.send(line));
    });
    let line = receiver.recv_timeout(START_LIMIT).unwrap_or_default();
    serde_json::from_str(&line).map_err(|_| line)
}

/// Asks the relay at an address whether a write would be acknowledged, and returns its answer.
pub(crate) fn readiness(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A relay, running or stopped.
pub(crate) struct Relay {
    folder: TempDir,
    child: Option<Child>,
    address: SocketAddr,
    /// What clients call it: its own address, or that of the proxy before it.
    url: String,
    token: String,
}

impl Relay {
    /// Starts a relay with an empty data folder.
    pub(crate) fn start() -> Self {
        Self::begin(None)
    }

    /// Starts a relay that clients reach through the proxy only.
    pub(crate) fn behind(proxy: &Proxy) -> Self {
        let relay = Self::begin(Some(proxy.url()));
        proxy.lead_to(relay.address);
        relay
    }

    fn begin(url: Option<String>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut relay = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            child: None,
            address: any,
            url: url.clone().unwrap_or_default(),
            token: String::new(),
        };
        let ready = relay.serve(any);
        let listening = text(&ready, "listening");
        let address = listening
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok());
        relay.address = address.unwrap_or_else(|| panic!("no address: {listening}"));
        relay.url = url.unwrap_or(listening);
        relay.token = text(&ready, "token");
        relay
    }

    /// Starts it again: same data, same port.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "the relay is running");
        self.serve(self.address);
    }

    /// Asks it to stop, as a service manager would; it must end well within ten seconds.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let mut child = self.child.take().expect("the relay is running");
        let status = wait::until("the relay to stop", || child.try_wait().expect("a status"));
        assert!(
            status.success(),
            "the relay stopped with {status}: {}",
            self.talk()
        );
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the relay is running");
        child.kill().expect("the relay can be killed");
        child.wait().expect("a status");
    }

    /// Returns the folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns what clients call it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the token that creates journals.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Returns its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("relay.sqlite3")
    }

    /// Copies its database, all files of it, and returns the copy; a relay that is stopped has written everything.
    pub(crate) fn copy_database(&self, to: &Path) -> PathBuf {
        assert!(self.child.is_none(), "the relay is running");
        for entry in fs::read_dir(self.data()).expect("a folder") {
            let entry = entry.expect("a folder");
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
            }
        }
        to.join(self.database().file_name().expect("a name"))
    }

    /// Lets it answer nothing, and keeps its connections open; [`Self::wake`] lets it go on.
    pub(crate) fn silence(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it answer again.
    pub(crate) fn wake(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the relay is running");
        let id = i32::try_from(child.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("the relay can be signalled");
    }

    /// Returns every byte that it keeps, and everything it said.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a readable folder") {
                let path = entry.expect("a readable folder").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    bytes.extend(fs::read(&path).expect("a readable file"));
                }
            }
        }
        bytes
    }

    fn serve(&mut self, address: SocketAddr) -> Value {
        let log = self.folder.path().join("talk.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log");
        let mut command = Command::new(binaries::ebb_relay());
        command.args([
            "serve",
            "--json",
            "--listen",
            &address.to_string(),
            "--data",
        ]);
        command.arg(self.data()).env_clear().env("TZ", "UTC");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("ebb-relay starts");
        let ready = ready(&mut child);
        self.child = Some(child);
        ready.unwrap_or_else(|line| panic!("the relay is not ready: {line:?}: {}", self.talk()))
    }

    fn talk(&self) -> String {
        fs::read_to_string(self.folder.path().join("talk.log")).unwrap_or_default()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
