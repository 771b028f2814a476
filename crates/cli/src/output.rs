//! Where answers and talk leave the process, in the form that was asked for.
//!
//! stdout is the answer, stderr is talk. Text goes through [`Text`], which lets no control character of foreign
//! origin reach a terminal. A reader that hangs up is no error.

mod text;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub(crate) use text::{Ink, Text, counted, widths};

use crate::error::CommandError;

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Words for people.
    Human,
    /// `key: value` lines, for screen readers.
    Plain,
    /// JSON, for scripts.
    Json,
}

/// Where output goes and what it may look like there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// The form of answers.
    pub(crate) form: Form,
    /// Whether answers may be coloured.
    pub(crate) colour_out: bool,
    /// Whether talk may be coloured.
    pub(crate) colour_talk: bool,
    /// Whether someone is there to answer a question.
    pub(crate) interactive: bool,
    /// Whether stdout is a terminal that draws for someone.
    pub(crate) drawing: bool,
    /// Whether progress may be drawn on stderr.
    pub(crate) progress: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Terminal {
    /// Looks at the streams and the environment.
    pub(crate) fn detect(form: Form, colour: Colour, no_input: bool) -> Self {
        let (input, out, talk) = (
            io::stdin().is_terminal(),
            io::stdout().is_terminal(),
            io::stderr().is_terminal(),
        );
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let coloured = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !set("NO_COLOR") && !dumb,
        };
        Self {
            form,
            colour_out: form == Form::Human && coloured(out),
            colour_talk: form == Form::Human && coloured(talk),
            interactive: form != Form::Json && !no_input && input && talk,
            drawing: form == Form::Human && out,
            progress: form == Form::Human && talk && !dumb,
        }
    }
}

/// What a command answers, in each form.
pub(crate) trait Answer {
    /// Writes the answer as one JSON document.
    ///
    /// # Errors
    /// What the writer says.
    fn json(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Returns the answer in words for people.
    fn human(&self) -> Text;

    /// Returns the answer as keys and values; an empty key starts a new record.
    fn plain(&self) -> Vec<(String, String)>;
}

/// Writes a value as JSON on one line.
pub(crate) fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// Prints an answer on stdout.
///
/// # Errors
/// What stdout says; that nobody reads it any more is no error.
pub(crate) fn print(answer: &dyn Answer, terminal: &Terminal) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match terminal.form {
        Form::Json => answer.json(&mut out),
        Form::Human => out.write_all(answer.human().rendered(terminal.colour_out).as_bytes()),
        Form::Plain => out.write_all(plain(&answer.plain()).as_bytes()),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Tells whether an error only means that nobody reads any more.
pub(crate) fn is_hung_up(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Writes `key: value` lines; lines after the first of a value are indented, so that none can pass for a key.
fn plain(pairs: &[(String, String)]) -> String {
    let mut lines = String::new();
    for (key, value) in pairs {
        if key.is_empty() {
            if !lines.is_empty() {
                lines.push('\n');
            }
            continue;
        }
        let value = value
            .lines()
            .map(journal::words::clean)
            .collect::<Vec<_>>()
            .join("\n  ");
        lines.push_str(&format!("{}: {value}\n", journal::words::clean(key)));
    }
    lines
}

/// Says something on stderr. Talk that nobody can hear is dropped.
pub(crate) fn talk(text: &Text, terminal: &Terminal) {
    // stderr is the last resort: there is nowhere to complain to.
    let _unheard = io::stderr()
        .lock()
        .write_all(text.rendered(terminal.colour_talk).as_bytes());
}

/// Says a warning on stderr.
pub(crate) fn warn(warning: &str, terminal: &Terminal) {
    talk(
        Text::new()
            .ink("warning:", Ink::Warn)
            .say(" ")
            .say(warning)
            .line(),
        terminal,
    );
}

/// Says a failure on stderr: in words, or with `--json` as the one last line.
pub(crate) fn fail(error: &CommandError, terminal: &Terminal) {
    let mut text = Text::new();
    if terminal.form == Form::Json {
        text.raw_line(&error.json());
    } else {
        text.ink("error:", Ink::Error)
            .say(" ")
            .say(&error.to_string())
            .line();
    }
    talk(&text, terminal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_cannot_be_forged() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let pairs = [
            pair("", ""),
            pair("id", "a1b2c3"),
            pair("note", "one\nid: forged\n\u{1b}[31mtwo"),
            pair("", ""),
            pair("id", "d4"),
        ];
        insta::assert_snapshot!(plain(&pairs), @r"
        id: a1b2c3
        note: one
          id: forged
           [31mtwo

        id: d4
        ");
    }
}
