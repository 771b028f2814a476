//! The `ebb` command line: arguments, prompts, rendering, hints and exit codes.
//!
//! Everything a journal does is in `client`; nothing here knows documents, envelopes or relays beyond their names. A command
//! returns an answer or a [`CommandError`]; one renderer prints either. stdout is the answer, stderr is talk.
//!
//! Invariants: with `--json` a failure ends stderr with one line of JSON; what came from other people never reaches a
//! terminal with control characters; a local command starts no runtime, reads no zone database and loads no certificates.

mod arguments;
mod commands;
mod error;
mod failure;
mod moment;
mod output;
mod prompt;

use std::ffi::OsString;
use std::process::ExitCode;

pub use error::{CommandError, Exit};

use output::{Colour, Form, Terminal};

/// Runs `ebb` with its arguments, the program's name first; returns the exit code.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let json = arguments::is_json_asked(&arguments);
    match commands::completing::answer(&arguments) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            output::fail(&error, &Terminal::detect(Form::Human, Colour::Auto, true));
            return ExitCode::from(error.exit as u8);
        }
    }
    let line = match arguments::read(arguments) {
        Ok(line) => line,
        Err(error) => {
            let form = if json { Form::Json } else { Form::Human };
            output::fail(&error, &Terminal::detect(form, Colour::Auto, true));
            return ExitCode::from(error.exit as u8);
        }
    };
    let terminal = Terminal::detect(line.global.form(), line.global.color, line.global.no_input);
    match commands::run(line, &terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::fail(&error, &terminal);
            ExitCode::from(error.exit as u8)
        }
    }
}
