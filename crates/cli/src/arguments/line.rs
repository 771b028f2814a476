//! The command line before clap reads it: the short form `ebb 6 …`, and whether `--json` stands on it anywhere.

use std::ffi::{OsStr, OsString};

/// A command line, ready for clap.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The arguments, the program's name first.
    pub(super) arguments: Vec<OsString>,
    /// The first word, which names the command.
    pub(super) word: Option<String>,
    /// Whether `--json` stands anywhere.
    pub(super) json: bool,
}

/// Tells whether a line asks for JSON, however wrong the rest of it is.
pub(crate) fn is_json_asked(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .skip(1)
        .any(|argument| argument == "--json")
}

/// Turns `ebb 6 …` into `ebb fatigue 6 …`, and finds the word that names the command.
pub(super) fn prepare(mut arguments: Vec<OsString>) -> Prepared {
    let json = is_json_asked(&arguments);
    let place = first_word(&arguments);
    let mut word = place.and_then(|place| arguments.get(place)?.to_str().map(str::to_owned));
    if let (Some(place), true) = (place, word.as_deref().is_some_and(is_number)) {
        arguments.insert(place, "fatigue".into());
        word = Some("fatigue".to_owned());
    }
    Prepared {
        arguments,
        word,
        json,
    }
}

/// Returns the place of the first argument that is not an option of every command.
fn first_word(arguments: &[OsString]) -> Option<usize> {
    let mut place = 1;
    loop {
        let argument = arguments.get(place)?;
        place += match argument.to_str() {
            Some("-j" | "--journal" | "--color") => 2,
            Some("--") => return None,
            Some(text) if text.starts_with('-') && !is_number(text) => 1,
            _ => return Some(place),
        };
    }
}

/// Tells whether a word is meant as a level, right or wrong: `6`, `6/10`, `11`, `6.5`, `-1`.
pub(super) fn is_number(word: &str) -> bool {
    let level = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | '-' | '+');
    begins_with_number(word) && word.chars().all(level)
}

/// Tells whether a word begins as a quantity does: `20m`, `-5`, `.5g`.
pub(super) fn begins_with_number(word: &str) -> bool {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let digits = digits.strip_prefix('.').unwrap_or(digits);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the words of a line that are no flags, for messages.
pub(super) fn words(arguments: &[OsString]) -> Vec<&str> {
    let words = arguments
        .iter()
        .skip(1)
        .map(OsString::as_os_str)
        .filter_map(OsStr::to_str);
    words.filter(|word| !word.starts_with('-')).collect()
}
