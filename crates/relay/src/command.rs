//! The command line of `ebb-relay`.
//!
//! Owns arguments, what is printed, and exit codes: 0 done, 1 could not, 2 wrong usage, 5 damaged data. stdout is the
//! answer; stderr is talk, and with `--json` ends with one line holding the error.

mod backup;
mod check;
mod config;
mod failure;
mod healthcheck;
mod journals;
mod limits;
mod migrate;
mod serve;
mod token;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::postgres::{Address, Postgres};
use crate::service::{Clock, SystemClock};
use crate::sqlite::Sqlite;
use crate::storage::Storage;
use failure::Failure;

/// Stores and forwards what ebb's devices seal. It can read none of it.
#[derive(Parser)]
#[command(name = "ebb-relay", version, arg_required_else_help = true)]
struct Arguments {
    /// Print JSON: one document on stdout, errors as one line on stderr
    #[arg(long, global = true)]
    json: bool,
    /// A TOML file with settings: each is an option's name without dashes, such as listen = "0.0.0.0:8787". The command line
    /// and the environment come before it
    #[arg(long, global = true, value_name = "FILE", env = "EBB_RELAY_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the relay
    Serve(serve::Serve),
    /// Make, list and revoke enrolment tokens: who has one may create journals here
    #[command(subcommand)]
    Token(token::Token),
    /// Look at the journals stored here: sizes and times, which is all a relay knows
    #[command(subcommand)]
    Journals(journals::Journals),
    /// Copy everything into one file, while the relay runs or not
    Backup(backup::Backup),
    /// Bring everything back from such a file, into a folder or database that holds nothing yet
    Restore(backup::Restore),
    /// Read everything that is stored, with every signature, and say what is wrong
    Check(check::Check),
    /// Move everything from the folder to the database, or back, and verify that all of it arrived
    Migrate(migrate::Migrate),
    /// Ask a running relay whether it is ready
    Healthcheck(healthcheck::Healthcheck),
}

/// Where everything is kept.
#[derive(Args)]
struct Data {
    /// The folder that holds everything; created when missing
    #[arg(long = "data", value_name = "DIR", env = "EBB_RELAY_DATA")]
    folder: Option<PathBuf>,
    /// A PostgreSQL that holds everything instead: postgres://USER@HOST:PORT/NAME. Any number of relays may share one
    #[arg(
        long,
        value_name = "URL",
        env = "EBB_RELAY_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// A file that holds the database's password, if the URL does not and EBB_RELAY_DATABASE_PASSWORD is not set
    #[arg(long, value_name = "FILE", env = "EBB_RELAY_DATABASE_PASSWORD_FILE")]
    database_password_file: Option<PathBuf>,
}

/// An opened store.
enum Store {
    /// A folder's.
    Sqlite(Arc<Sqlite>),
    /// A database's.
    Postgres(Arc<Postgres>),
}

impl Data {
    /// Opens the store, creating folder, file or tables when missing.
    async fn open(&self) -> Result<Store, Failure> {
        if let Some(address) = self.address()? {
            return Ok(Store::Postgres(Arc::new(Postgres::open(&address).await?)));
        }
        let folder = self.folder.as_deref().ok_or(Failure::NoData)?;
        create_private(folder).map_err(|source| Failure::Folder {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Store::Sqlite(Arc::new(Sqlite::open(folder)?)))
    }

    /// Returns where the database is, with its password; none if everything is in a folder.
    fn address(&self) -> Result<Option<Address>, Failure> {
        let Some(url) = &self.database else {
            return Ok(None);
        };
        let address: Address = url.parse()?;
        let password = match &self.database_password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|source| Failure::Read {
                    path: path.clone(),
                    source,
                })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => std::env::var("EBB_RELAY_DATABASE_PASSWORD").ok(),
        };
        Ok(Some(match password {
            Some(password) => address.with_password(&password),
            None => address,
        }))
    }
}

impl Store {
    /// Returns the store, whichever it is.
    fn storage(&self) -> Arc<dyn Storage> {
        match self {
            Self::Sqlite(store) => Arc::<Sqlite>::clone(store),
            Self::Postgres(store) => Arc::<Postgres>::clone(store),
        }
    }
}

/// Creates a folder that only its owner can enter.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What a command answers: for people by `Display`, for programs as JSON.
trait Answer: Serialize + fmt::Display {}
impl<T: Serialize + fmt::Display> Answer for T {}

/// Prints an answer.
fn print(answer: &impl Answer, json: bool) -> Result<(), Failure> {
    use std::io::Write;
    let text = if json {
        serde_json::to_string(answer).map_err(|error| Failure::Output(error.into()))?
    } else {
        answer.to_string()
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::Output)
}

/// Runs the program with the given arguments, and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let outcome = match config::arguments(&arguments) {
        Ok(arguments) => dispatch(arguments),
        Err(Failure::Usage(help)) if !help.use_stderr() => {
            // Nobody is there to be told that help cannot be printed.
            drop(help.print());
            Ok(())
        }
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.json;
    match arguments.command {
        Command::Serve(command) => command.run(json),
        Command::Token(command) => in_runtime(command.run(json)),
        Command::Journals(command) => in_runtime(command.run(json)),
        Command::Backup(command) => in_runtime(command.run(json)),
        Command::Restore(command) => in_runtime(command.run(json)),
        Command::Check(command) => in_runtime(command.run(json)),
        Command::Migrate(command) => in_runtime(command.run(json)),
        Command::Healthcheck(command) => command.run(json),
    }
}

/// Runs a short command.
fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(command)
}

/// Returns the time, in seconds since the Unix epoch.
fn now() -> u64 {
    SystemClock::start().now()
}

#[cfg(test)]
mod tests;
