//! Questions to whoever sits at the terminal. Asked on stderr, answered on stdin, with no time-out.
//!
//! Callers ask only where [`Terminal::interactive`](crate::output::Terminal) says that someone is there.

use std::io::BufRead;

use crate::output::{Terminal, Text, talk};

/// Asks for a line; nothing if it is empty or there is no more input.
pub(crate) fn ask(question: &str, terminal: &Terminal) -> Option<String> {
    talk(Text::new().say(question).say(" "), terminal);
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).ok()?;
    let answer = answer.trim();
    (read > 0 && !answer.is_empty()).then(|| answer.to_owned())
}

/// Asks for one of a few choices, by number; nothing unless one is named.
pub(crate) fn choose(question: &str, choices: &[String], terminal: &Terminal) -> Option<usize> {
    let mut text = Text::new();
    text.say(question).line();
    for (place, choice) in choices.iter().enumerate() {
        text.say(&format!("  {}  {choice}", place + 1)).line();
    }
    talk(&text, terminal);
    let answer = ask("Which one? (number, or nothing to stop)", terminal)?;
    let place = answer.parse::<usize>().ok()?.checked_sub(1)?;
    (place < choices.len()).then_some(place)
}

/// Asks for yes or no; anything but yes is no.
pub(crate) fn confirm(question: &str, terminal: &Terminal) -> bool {
    let answer = ask(&format!("{question} [y/N]"), terminal);
    answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for yes or no where no must be said: only a clear no refuses.
pub(crate) fn refuses(question: &str, terminal: &Terminal) -> bool {
    let answer = ask(&format!("{question} [Y/n]"), terminal);
    answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "n" | "no"))
}
