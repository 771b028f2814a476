//! Running other programs: shown before they start, and a failure names the whole command line.

use std::process::{Command, Output, Stdio};

use crate::failure::Failure;

/// Shows the command on stderr, runs it with this process's output, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| start(command, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Command {
            line: line(command),
            status: status.to_string(),
        })
    }
}

/// Runs the command quietly and returns what it wrote to stdout. Fails unless it succeeds, and then shows its stderr.
pub(crate) fn answer(command: &mut Command) -> Result<String, Failure> {
    let output = output(command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Err(Failure::Command {
            line: line(command),
            status: output.status.to_string(),
        })
    }
}

/// Runs the command quietly and returns how it ended, whatever that is.
pub(crate) fn output(command: &mut Command) -> Result<Output, Failure> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| start(command, source))
}

/// Returns the command as one would type it, the program by its name.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| quote(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn start(command: &Command, source: std::io::Error) -> Failure {
    Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn quote(word: &str) -> String {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '\'' || c == '"') {
        format!("\"{}\"", word.replace('"', "\\\""))
    } else {
        word.to_owned()
    }
}
