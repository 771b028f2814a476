//! How a check-in is answered: by single keys on a terminal, else by lines of stdin.

use std::collections::VecDeque;
use std::io::BufRead;

use console::{Key, Term};

use crate::output::{Form, Terminal};

/// Where answers come from.
#[derive(Debug)]
pub(super) enum Input {
    /// Single keys.
    Keys(Term),
    /// Lines; of one with several words, those that are left.
    Lines(VecDeque<String>),
}

/// What was pressed, or typed on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// A number.
    Number(i64),
    /// A letter that is no command.
    Letter(char),
    /// Pass the question over; of several, go on with those chosen.
    Skip,
    /// It cannot be said.
    Unable,
    /// The answer of yesterday.
    Same,
    /// The question before.
    Back,
    /// Enough; also the end of the input.
    Stop,
    /// Say the keys.
    Help,
    /// Anything else.
    Other,
}

impl Input {
    /// Chooses: keys where someone sits at a terminal and did not ask for lines.
    pub(super) fn of(terminal: &Terminal) -> Self {
        if terminal.interactive && terminal.form == Form::Human {
            Self::Keys(Term::stderr())
        } else {
            Self::Lines(VecDeque::new())
        }
    }

    /// Tells whether an answer is a line.
    pub(super) fn is_by_line(&self) -> bool {
        matches!(self, Self::Lines(_))
    }

    /// Waits for one answer.
    pub(super) fn press(&mut self) -> Pressed {
        match self {
            Self::Keys(term) => term.read_key().map_or(Pressed::Stop, |key| of_key(&key)),
            Self::Lines(_) => line().map_or(Pressed::Stop, |line| of_word(line.trim())),
        }
    }

    /// Waits for one part of an answer that may have several: on a line, words with spaces or commas between, the end of
    /// which is like Enter.
    pub(super) fn press_of_several(&mut self) -> Pressed {
        let Self::Lines(left) = self else {
            return self.press();
        };
        if let Some(word) = left.pop_front() {
            return of_word(&word);
        }
        let Some(line) = line() else {
            return Pressed::Stop;
        };
        let words = line.split([' ', ',', '\t', '\n', '\r']);
        left.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        // Enter ends the list, unless the line was a command.
        if left
            .iter()
            .all(|word| matches!(of_word(word), Pressed::Number(_)))
        {
            left.push_back(String::new());
        }
        self.press_of_several()
    }
}

/// Reads a line; none at the end of the input.
fn line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    matches!(read, Ok(1..)).then_some(line)
}

fn of_key(key: &Key) -> Pressed {
    match key {
        Key::Char(c) => of_word(c.encode_utf8(&mut [0; 4])),
        Key::Enter => Pressed::Skip,
        Key::Backspace | Key::ArrowLeft => Pressed::Back,
        Key::Escape | Key::CtrlC => Pressed::Stop,
        _ => Pressed::Other,
    }
}

fn of_word(word: &str) -> Pressed {
    if let Ok(number @ 0..) = word.parse::<i64>() {
        return Pressed::Number(number);
    }
    match word.to_lowercase().as_str() {
        "" | "s" | "skip" | "skipped" => Pressed::Skip,
        "u" | "unable" => Pressed::Unable,
        "." | "=" | "same" => Pressed::Same,
        "b" | "back" => Pressed::Back,
        "q" | "quit" | "stop" => Pressed::Stop,
        "?" | "help" => Pressed::Help,
        "yes" => Pressed::Letter('y'),
        "no" => Pressed::Letter('n'),
        other => {
            let mut letters = other.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Pressed::Letter(letter),
                _ => Pressed::Other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words_mean_the_same() {
        for (word, pressed) in [
            ("7", Pressed::Number(7)),
            ("10", Pressed::Number(10)),
            ("-1", Pressed::Other),
            ("", Pressed::Skip),
            ("S", Pressed::Skip),
            ("u", Pressed::Unable),
            ("=", Pressed::Same),
            ("b", Pressed::Back),
            ("q", Pressed::Stop),
            ("?", Pressed::Help),
            ("yes", Pressed::Letter('y')),
            ("t", Pressed::Letter('t')),
            ("perhaps", Pressed::Other),
        ] {
            assert_eq!(of_word(word), pressed, "{word}");
        }
        assert_eq!(of_key(&Key::Char('4')), Pressed::Number(4));
        assert_eq!(of_key(&Key::Enter), Pressed::Skip);
        assert_eq!(of_key(&Key::ArrowLeft), Pressed::Back);
        assert_eq!(of_key(&Key::Escape), Pressed::Stop);
        assert_eq!(of_key(&Key::ArrowUp), Pressed::Other);
    }
}
