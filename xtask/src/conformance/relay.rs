//! The relay beside its own OpenAPI document: PyPI's `schemathesis` makes requests from what the relay serves, and
//! `tests/conformance/relay_hooks.py` signs them, so that they get past the proof. None may be answered with a failure of the
//! relay's, with a status or a media type that the document does not name.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::scene::{parse, text};
use crate::{process, workspace};

/// The same requests each time.
const SEED: &str = "1";
/// Requests made for each call of the document, at most.
const EXAMPLES: &str = "25";

/// Runs a relay and the requests.
pub(super) fn run(python: &Path) -> Result<(), Failure> {
    let programs = Binaries::debug()?;
    let folder = tempfile::tempdir().map_err(Failure::file("a temporary folder"))?;
    let mut command = Command::new(programs.path("ebb-relay")?);
    command.args(["serve", "--json", "--open", "--log", "error"]);
    // As many requests as there are, from one key and one address.
    command.args([
        "--requests",
        "4000000000",
        "--requests-per-address",
        "4000000000",
    ]);
    command.args(["--listen", "127.0.0.1:0", "--data"]);
    let relay = Relay::start(command.arg(folder.path().join("data")))?;
    let mut requests = Command::new(python.with_file_name("schemathesis"));
    requests.arg("run");
    requests.arg(format!("{}/v1/openapi.json", relay.url));
    requests.args([
        "--phases",
        "coverage,fuzzing",
        "--continue-on-failure",
        "--no-color",
    ]);
    requests.args([
        "--warnings",
        "off",
        "--seed",
        SEED,
        "--max-examples",
        EXAMPLES,
    ]);
    // Event streams have no end to wait for; they have tests of their own.
    requests.args(["--exclude-path-regex", "/events$"]);
    requests.args([
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance",
    ]);
    let here = workspace::root();
    requests.env("EBB_RELAY", &relay.url);
    requests.env(
        "EBB_VECTORS",
        here.join("crates/protocol/vectors/protocol.json"),
    );
    requests.env("SCHEMATHESIS_HOOKS", "relay_hooks");
    requests.env("PYTHONPATH", here.join("tests/conformance"));
    process::run(requests.current_dir(folder.path()))
}

/// A relay; killed when dropped.
struct Relay {
    child: Child,
    url: String,
}

impl Relay {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let line = process::line(command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|source| Failure::Start {
            program: line.clone(),
            source,
        })?;
        let url = String::new();
        let mut relay = Self { child, url };
        let mut ready = String::new();
        if let Some(output) = relay.child.stdout.take() {
            let read = BufReader::new(output).read_line(&mut ready);
            read.map_err(Failure::file("the relay's output"))?;
        }
        relay.url = text(&parse(&line, &ready)?, "listening")?;
        Ok(relay)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
