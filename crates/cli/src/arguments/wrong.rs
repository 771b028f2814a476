//! What to say about a line that clap cannot read: what is wrong with it, and the nearest thing to type.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::line::{Prepared, words};
use crate::error::{CommandError, Exit, Outcome};

/// Returns the text that was asked for, help or version, or the error that the line is.
///
/// # Errors
/// [`CommandError`] of wrong usage.
pub(super) fn told(error: &clap::Error, line: &Prepared) -> Outcome<(&'static str, String)> {
    match error.kind() {
        ErrorKind::DisplayHelp => Ok(("help", error.render().to_string())),
        ErrorKind::DisplayVersion => Ok(("version", error.render().to_string())),
        ErrorKind::InvalidSubcommand => Err(unknown_command(error, line)),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let path = words(&line.arguments).join(" ");
            Err(
                CommandError::usage(format!("`ebb {path}` needs one more word"))
                    .hint(format!("ebb {path} --help")),
            )
        }
        _ => Err(wrong_usage(error, line)),
    }
}

/// Returns the error for matches that do not fit their own declaration.
pub(super) fn unexpected(error: &clap::Error) -> CommandError {
    CommandError::usage(sentence(error)).hint("ebb --help")
}

fn unknown_command(error: &clap::Error, line: &Prepared) -> CommandError {
    let typed = redacted(&text(error, ContextKind::InvalidSubcommand).unwrap_or_default());
    let parent = match line.word.as_deref() {
        Some(word) if word != typed => format!("{word} "),
        _ => String::new(),
    };
    let error = suggestions(error, ContextKind::SuggestedSubcommand)
        .into_iter()
        .fold(
            CommandError::new(
                "unknown-command",
                Exit::Usage,
                format!("there is no command \"{parent}{typed}\""),
            ),
            |error, suggestion| error.hint(format!("ebb {parent}{suggestion}")),
        );
    error.hint(format!("ebb {parent}--help"))
}

fn wrong_usage(error: &clap::Error, line: &Prepared) -> CommandError {
    let wrong = CommandError::usage(sentence(error));
    let command = line.word.as_deref().filter(|word| is_command(word));
    let prefix = command.map_or_else(|| "ebb".to_owned(), |command| format!("ebb {command}"));
    let flags = suggestions(error, ContextKind::SuggestedArg);
    let wrong = flags
        .iter()
        .fold(wrong, |wrong, flag| wrong.hint(format!("{prefix} {flag}")));
    wrong.hint(format!("{prefix} --help"))
}

fn is_command(word: &str) -> bool {
    super::tree().find_subcommand(word).is_some()
}

/// Puts clap's message into one sentence, without its title, hints and usage.
fn sentence(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let lines = rendered
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim);
    let sentence = lines.collect::<Vec<_>>().join(" ");
    redacted(sentence.strip_prefix("error: ").unwrap_or(&sentence))
}

/// Takes the secrets out of links: what stands behind `#`.
fn redacted(text: &str) -> String {
    let word = |word: &str| match word.split_once('#') {
        Some((address, _)) if address.contains("://") => format!("{address}#…'"),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn suggestions(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.iter().take(3).cloned().collect(),
        _ => Vec::new(),
    }
}
