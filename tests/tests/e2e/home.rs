//! One device: its own `EBB_HOME`, and calls of `ebb` that see nothing else of this machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries;
use crate::relay::Relay;

/// A device.
pub(crate) struct Home {
    folder: TempDir,
    zone: &'static str,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    line: String,
}

impl Home {
    /// Makes an empty home in UTC.
    pub(crate) fn new() -> Self {
        Self::in_zone("UTC")
    }

    /// Makes an empty home in another time zone.
    pub(crate) fn in_zone(zone: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, zone }
    }

    /// Makes a home with a journal that is on no relay.
    pub(crate) fn with_journal() -> Self {
        let home = Self::new();
        home.json(&["init", "--name", "Anneliese"]);
        home
    }

    /// Makes a home with a journal on the relay, and returns the journal's id too.
    pub(crate) fn with_journal_on(relay: &Relay) -> (Self, String) {
        let home = Self::new();
        let init = [
            "init",
            "--name",
            "Anneliese",
            "--relay",
            relay.url(),
            "--token",
            relay.token(),
        ];
        let journal = text(&home.json(&init), "journal");
        (home, journal)
    }

    /// Makes a link for one more device of the same person.
    pub(crate) fn invite(&self, name: &str) -> String {
        text(&self.json(&["device", "add", "--name", name]), "link")
    }

    /// Makes a second device of the same person.
    pub(crate) fn another(&self, name: &str) -> Self {
        let link = self.invite(name);
        let home = Self::new();
        home.json(&["join", &link]);
        home
    }

    /// Returns a call of `ebb`, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::ebb());
        command.args(arguments).env_clear().stdin(Stdio::null());
        command
            .env("EBB_HOME", self.path())
            .env("HOME", self.path())
            .env("TZ", self.zone);
        command
    }

    /// Runs `ebb` and returns how it ended.
    pub(crate) fn ebb(&self, arguments: &[&str]) -> Answer {
        let output = self.command(arguments).output().expect("ebb starts");
        Answer::of(output, arguments)
    }

    /// Starts `ebb` and returns at once.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ebb starts")
    }

    /// Runs `ebb … --json`, which must succeed, and returns its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.ebb(&[arguments, &["--json"]].concat())
            .expect_code(0)
            .document()
    }

    /// Returns `ebb list --json` as it is.
    pub(crate) fn list(&self) -> String {
        self.ebb(&["list", "--json"]).expect_code(0).stdout
    }

    /// Returns the ids of `ebb list --json`.
    pub(crate) fn ids(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        let entries = list.as_array().expect("a list is an array");
        entries.iter().map(|entry| text(entry, "id")).collect()
    }

    /// Logs an entry and returns its id.
    pub(crate) fn log(&self, arguments: &[&str]) -> String {
        text(&self.json(arguments), "id")
    }

    /// Runs `ebb sync`, which must succeed, and returns its document.
    pub(crate) fn sync(&self) -> Value {
        self.json(&["sync"])
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the replica's file: the one that is an SQLite database.
    pub(crate) fn replica(&self) -> PathBuf {
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a readable home") {
                let path = entry.expect("a readable home").path();
                if path.is_dir() {
                    folders.push(path);
                } else if std::fs::read(&path)
                    .is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
                {
                    return path;
                }
            }
        }
        panic!("no replica in {}", self.path().display());
    }
}

impl Answer {
    /// Takes what a finished process left.
    pub(crate) fn of(output: Output, arguments: &[&str]) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("ebb writes UTF-8");
        let shown = arguments
            .iter()
            .map(|word| word.chars().take(60).collect::<String>());
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            line: shown.collect::<Vec<_>>().join(" "),
        }
    }

    /// Panics, with everything said, unless the exit code is the one expected.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        let Self {
            stdout,
            stderr,
            line,
            ..
        } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "ebb {line}\nstdout: {stdout}\nstderr: {stderr}"
        );
        self
    }

    /// Returns the JSON document on stdout.
    pub(crate) fn document(&self) -> Value {
        let document = serde_json::from_str(&self.stdout);
        document.unwrap_or_else(|error| panic!("ebb {}: {error}: {}", self.line, self.stdout))
    }

    /// Returns the error object that ends stderr.
    pub(crate) fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        let document: Result<Value, _> = serde_json::from_str(last);
        let document =
            document.unwrap_or_else(|error| panic!("ebb {}: {error}: {}", self.line, self.stderr));
        let error = document
            .get("error")
            .unwrap_or_else(|| panic!("no `error` in {document}"));
        for key in ["kind", "message", "hints"] {
            assert!(error.get(key).is_some(), "no `{key}` in {document}");
        }
        error.clone()
    }
}

/// Returns a text that a document must have.
pub(crate) fn text(document: &Value, key: &str) -> String {
    let text = document.get(key).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text `{key}` in {document}"))
        .to_owned()
}

/// Returns a count that a document must have.
pub(crate) fn count(document: &Value, key: &str) -> u64 {
    let count = document.get(key).and_then(Value::as_u64);
    count.unwrap_or_else(|| panic!("no count `{key}` in {document}"))
}
