//! What `demo` and `bench` play with: homes of devices and a relay, all in one folder, with a cleared environment.
//!
//! Knows the programs only by their contract: arguments, exit codes, JSON.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::process;

/// How long the relay may take to finish requests in flight.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// One device: its own `EBB_HOME`.
pub(crate) struct Home {
    program: PathBuf,
    folder: PathBuf,
}

impl Home {
    /// Makes an empty home.
    pub(crate) fn new(program: &Path, folder: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        Ok(Self {
            program: program.to_owned(),
            folder,
        })
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a call of `ebb` on this device.
    pub(crate) fn ebb(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.enter(&mut command);
        command
    }

    /// Gives a command this device's environment, and nothing else of the caller's.
    pub(crate) fn enter(&self, command: &mut Command) {
        command
            .env_clear()
            .env("EBB_HOME", &self.folder)
            .env("HOME", &self.folder)
            .env("TZ", "UTC");
    }

    /// Runs `ebb … --json` and returns its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let mut command = self.ebb(&[arguments, &["--json"]].concat());
        let line = process::line(&command);
        parse(&line, &process::answer(&mut command)?)
    }
}

/// Reads a program's JSON document.
pub(crate) fn parse(line: &str, answer: &str) -> Result<Value, Failure> {
    serde_json::from_str(answer).map_err(|_| Failure::Answer {
        program: line.to_owned(),
        expected: "one JSON document".to_owned(),
    })
}

/// Returns a text that a JSON document must have.
pub(crate) fn text(document: &Value, key: &str) -> Result<String, Failure> {
    let text = document.get(key).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| Failure::Answer {
        program: "ebb".to_owned(),
        expected: format!("a `{key}` in {document}"),
    })
}

/// Returns a number that a JSON document must have.
pub(crate) fn number(document: &Value, key: &str) -> Result<f64, Failure> {
    document
        .get(key)
        .and_then(Value::as_f64)
        .ok_or_else(|| Failure::Answer {
            program: "ebb".to_owned(),
            expected: format!("a number `{key}` in {document}"),
        })
}

/// A relay on loopback; ends with this value.
pub(crate) struct Relay {
    program: PathBuf,
    data: PathBuf,
    child: Option<Child>,
    url: String,
    token: String,
}

impl Relay {
    /// Starts a relay with an empty data folder, on a port that the system picks.
    pub(crate) fn start(program: &Path, data: PathBuf) -> Result<Self, Failure> {
        let (program, url, token) = (program.to_owned(), String::new(), String::new());
        let mut relay = Self {
            program,
            data,
            child: None,
            url,
            token,
        };
        let ready = relay.serve("127.0.0.1:0")?;
        relay.url = text(&ready, "listening")?;
        relay.token = text(&ready, "token")?;
        Ok(relay)
    }

    /// Starts it again: same data, same port.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        let address = self.url.trim_start_matches("http://").to_owned();
        self.serve(&address).map(drop)
    }

    /// Stops it as a service manager would, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<(), Failure> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        process::answer(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            match child.try_wait().map_err(Failure::file(&self.program))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let (line, status) = ("ebb-relay serve".to_owned(), status.to_string());
                    return Err(Failure::Command { line, status });
                }
                None if Instant::now() > deadline => {
                    self.child = Some(child);
                    return Err(Failure::Mismatch(
                        "the relay did not stop within 10 s".to_owned(),
                    ));
                }
                None => std::thread::park_timeout(Duration::from_millis(5)),
            }
        }
    }

    /// Returns where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the token that creates journals.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Returns everything that it keeps: each file with its bytes.
    pub(crate) fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut files = Vec::new();
        let mut folders = vec![self.data.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(Failure::file(&folder))? {
                let path = entry.map_err(Failure::file(&folder))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path
                        .strip_prefix(&self.data)
                        .unwrap_or(&path)
                        .display()
                        .to_string();
                    files.push((name, fs::read(&path).map_err(Failure::file(path))?));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn serve(&mut self, address: &str) -> Result<Value, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--json", "--listen", address, "--data"])
            .arg(&self.data);
        command.env_clear().env("TZ", "UTC").env("HOME", &self.data);
        let line = process::line(&command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|source| Failure::Start {
            program: line.clone(),
            source,
        })?;
        let mut ready = String::new();
        if let Some(output) = child.stdout.take() {
            let read = BufReader::new(output).read_line(&mut ready);
            read.map_err(Failure::file(&self.program))?;
        }
        self.child = Some(child);
        parse(&line, &ready)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing can be done here if it is gone already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
