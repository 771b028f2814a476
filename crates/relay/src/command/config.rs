//! Settings from a TOML file, below the command line and the environment.
//!
//! A key of the file is an option's name without its dashes (`listen = "0.0.0.0:8787"`), and its value becomes that option's
//! default. So an option on the command line counts before its environment variable, that before the file, and that before
//! what is built in. A key that no option has is refused, since it is a slip that would go unnoticed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Command, CommandFactory, FromArgMatches};

use super::Arguments;
use super::failure::Failure;

/// The variable that names the file.
const VARIABLE: &str = "EBB_RELAY_CONFIG";
/// Options that are no settings.
const NOT_SETTINGS: [&str; 4] = ["help", "version", "json", "config"];

/// A file that is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML.
    #[error("{} is no TOML: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the text itself, which may hold a password.
        what: String,
    },
    /// It has a key that is none.
    #[error("{} sets `{key}`, which is no setting", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A value of a type that no setting has.
    #[error("{} sets `{key}` to what is no text, number, true, false or list of texts", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
}

/// Reads the command line, with the file's settings as defaults if one is named.
pub(super) fn arguments(line: &[OsString]) -> Result<Arguments, Failure> {
    let mut command = Arguments::command();
    if let Some(path) = named(line) {
        for (key, values) in read(&path)? {
            match takes_list(&command, &key) {
                None => return Err(ConfigError::UnknownKey { path, key }.into()),
                Some(false) if values.len() != 1 => {
                    return Err(ConfigError::Value { path, key }.into());
                }
                Some(_) => set(&mut command, &key, &values),
            }
        }
    }
    let matches = command.try_get_matches_from(line);
    let arguments = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    arguments.map_err(Failure::Usage)
}

/// Returns the file that the command line names, or else the environment.
fn named(line: &[OsString]) -> Option<PathBuf> {
    let mut words = line.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        let text = word
            .to_str()
            .and_then(|word| word.strip_prefix("--config="));
        if let Some(path) = text {
            return Some(PathBuf::from(path));
        }
    }
    let path = std::env::var_os(VARIABLE)?;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn read(path: &Path) -> Result<Vec<(String, Vec<String>)>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let what = error.message().to_owned();
        let path = path.to_owned();
        ConfigError::Malformed { path, what }
    })?;
    let settings = table.into_iter().map(|(key, value)| match values(value) {
        Some(values) => Ok((key, values)),
        None => Err(ConfigError::Value {
            path: path.to_owned(),
            key,
        }),
    });
    settings.collect()
}

/// Returns a value as one would type it.
fn values(value: toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(yes) => Some(vec![yes.to_string()]),
        toml::Value::Array(list) => {
            let texts = list.into_iter().map(|value| match value {
                toml::Value::String(text) => Some(text),
                _ => None,
            });
            texts.collect()
        }
        _ => None,
    }
}

/// Returns whether a setting takes a list; none if there is no such setting.
fn takes_list(command: &Command, key: &str) -> Option<bool> {
    if NOT_SETTINGS.contains(&key) {
        return None;
    }
    let option = command
        .get_arguments()
        .find(|option| option.get_long() == Some(key));
    match option {
        Some(option) => Some(matches!(option.get_action(), ArgAction::Append)),
        None => command
            .get_subcommands()
            .find_map(|inner| takes_list(inner, key)),
    }
}

/// Makes values the default of a setting, in every command that has it.
fn set(command: &mut Command, key: &str, values: &[String]) {
    let option = command
        .get_arguments()
        .find(|option| option.get_long() == Some(key))
        .map(|option| option.get_id().clone());
    if let Some(id) = option {
        let taken = std::mem::take(command);
        *command = taken.mut_arg(id, |option| {
            // A value may be a secret: the help does not show it.
            let hidden = option.get_action().takes_values();
            let option = option.default_values(values.to_vec());
            option.hide_default_value(hidden)
        });
    }
    for inner in command.get_subcommands_mut() {
        set(inner, key, values);
    }
}
