//! What every command starts from: the folder of journals, the time here, secrets from files, and waiting for the network.

use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};

use client::{Home, Journal, Progress, zone};
use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::arguments::{Global, Token};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::Terminal;

/// The most that is read from stdin or a file that should hold a line or a note.
const INPUT_BYTES: u64 = 1024 * 1024;

/// One run of `ebb`.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) global: Global,
    pub(super) terminal: Terminal,
}

impl Session {
    pub(super) fn new(global: Global, terminal: Terminal) -> Self {
        Self { global, terminal }
    }

    /// Returns the folder of journals: `$EBB_HOME`, else the platform's data folder.
    pub(super) fn home(&self) -> Outcome<Home> {
        home().ok_or_else(|| {
            CommandError::new(
                "no-home",
                Exit::CouldNot,
                "there is no folder for journals: no home folder is known",
            )
            .hint("export EBB_HOME=/a/folder/of/yours")
        })
    }

    /// Opens the journal that is meant.
    pub(super) fn open(&self) -> Outcome<Journal> {
        Ok(self.home()?.open(self.global.journal.as_deref())?)
    }

    /// Returns the time here, in the zone of this device; in UTC if the system names no zone.
    pub(super) fn now(&self) -> Zoned {
        jiff::Timestamp::now().to_zoned(zone::of_this_device().unwrap_or(TimeZone::UTC))
    }

    /// Runs work that waits for the network. Local commands never come here: they start no runtime.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Outcome<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| {
            CommandError::new(
                "runtime",
                Exit::CouldNot,
                format!("the network cannot be used: {error}"),
            )
        })?;
        Ok(runtime.block_on(work))
    }

    /// Returns what shows progress: a bar on a terminal, else nothing.
    pub(super) fn progress(&self, what: &'static str) -> Box<dyn Progress> {
        if self.terminal.progress {
            Box::new(Bar::new(what))
        } else {
            Box::new(client::Silent)
        }
    }

    /// Returns an enrolment token from its flag, its file or stdin.
    pub(super) fn token(&self, token: &Token) -> Outcome<Option<String>> {
        match (&token.token, &token.token_file) {
            (Some(token), _) if token == "-" => {
                stdin_text().map(|text| Some(text.trim().to_owned()))
            }
            (Some(token), _) => Ok(Some(token.clone())),
            (None, Some(path)) => file_text(path).map(|text| Some(text.trim().to_owned())),
            (None, None) => Ok(None),
        }
    }

    /// Returns a name for this device: the computer's.
    pub(super) fn device_name(&self) -> String {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let variable = || {
            std::env::var("HOSTNAME")
                .or_else(|_| std::env::var("COMPUTERNAME"))
                .ok()
        };
        let name = kernel.or_else(variable).unwrap_or_default();
        let name: String = name
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(40)
            .collect();
        if name.is_empty() {
            "this device".to_owned()
        } else {
            name
        }
    }
}

/// Returns the folder of journals, if the environment names one.
pub(super) fn home() -> Option<Home> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    home_folder(|name| variable(name).map(PathBuf::from)).map(Home::at)
}

/// Returns the folder of journals, given the environment.
fn home_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    if let Some(home) = variable("EBB_HOME") {
        return Some(home);
    }
    // The XDG base directory specification has relative paths ignored.
    if let Some(data) = variable("XDG_DATA_HOME").and_then(absolute) {
        return Some(data.join("ebb"));
    }
    if cfg!(windows) {
        return variable("APPDATA").map(|data| data.join("ebb"));
    }
    let home = variable("HOME").and_then(absolute)?;
    let data = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    Some(home.join(data).join("ebb"))
}

/// Reads text from stdin.
///
/// # Errors
/// [`CommandError`] if it cannot be read, is no UTF-8, or is absurdly long.
pub(super) fn stdin_text() -> Outcome<String> {
    text_of(std::io::stdin().lock(), "stdin")
}

/// Reads text from a file.
///
/// # Errors
/// [`CommandError`] if it cannot be read, is no UTF-8, or is absurdly long.
pub(super) fn file_text(path: &Path) -> Outcome<String> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| unreadable(&name, &error))?;
    text_of(file, &name)
}

fn text_of(from: impl Read, name: &str) -> Outcome<String> {
    let mut text = String::new();
    let read = from
        .take(INPUT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(name, &error))?;
    if u64::try_from(read).is_ok_and(|read| read > INPUT_BYTES) {
        return Err(CommandError::usage(format!(
            "{name} holds more than {INPUT_BYTES} bytes"
        )));
    }
    Ok(text)
}

fn unreadable(name: &str, error: &std::io::Error) -> CommandError {
    CommandError::new(
        "unreadable",
        Exit::CouldNot,
        format!("{name} cannot be read: {error}"),
    )
}

/// A bar on stderr.
struct Bar(indicatif::ProgressBar);

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.set_message(what);
        Self(bar)
    }
}

impl Progress for Bar {
    fn update(&self, done: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.0.set_length(of);
        }
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_live_where_the_environment_says() {
        let folder = |set: &[(&str, &str)]| {
            home_folder(|name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, path)| PathBuf::from(path))
            })
        };
        let all = [("EBB_HOME", "/e"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(folder(&all), Some("/e".into()));
        assert_eq!(folder(&all[1..]), Some("/x/ebb".into()));
        assert_eq!(folder(&[("EBB_HOME", "relative")]), Some("relative".into()));
        if cfg!(target_os = "linux") {
            assert_eq!(folder(&all[2..]), Some("/h/.local/share/ebb".into()));
            assert_eq!(
                folder(&[("XDG_DATA_HOME", "x"), ("HOME", "/h")]),
                Some("/h/.local/share/ebb".into())
            );
        }
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn input_is_bounded() {
        assert_eq!(text_of(&b"link\n"[..], "stdin").unwrap(), "link\n");
        let long = text_of(std::io::repeat(b'a'), "stdin").unwrap_err();
        assert_eq!(
            (long.exit, long.message.as_str()),
            (Exit::Usage, "stdin holds more than 1048576 bytes")
        );
        let binary = text_of(&[0xff][..], "f").unwrap_err();
        assert_eq!(binary.exit, Exit::CouldNot);
    }
}
