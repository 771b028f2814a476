//! The answer of a command that did something: a few sentences, the same as pairs, and one object of JSON.

use std::io::{self, Write};

use serde_json::Value;

use crate::output::{Answer, Text, json_line};

/// What was done.
pub(super) struct Done {
    document: Value,
    text: Text,
    pairs: Vec<(String, String)>,
}

impl Done {
    /// Starts with the JSON object.
    pub(super) fn new(document: Value) -> Self {
        Self {
            document,
            text: Text::new(),
            pairs: Vec::new(),
        }
    }

    /// Adds a sentence for people.
    pub(super) fn say(mut self, sentence: &str) -> Self {
        self.text.say(sentence).line();
        self
    }

    /// Adds a key and a value.
    pub(super) fn pair(mut self, key: &str, value: impl ToString) -> Self {
        self.pairs.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds what to type next: a sentence for people, and a value of `next`.
    pub(super) fn next(self, sentence: &str) -> Self {
        self.say(sentence).pair("next", sentence)
    }

    /// Returns it as an answer.
    pub(super) fn answer(self) -> Box<dyn Answer> {
        Box::new(self)
    }
}

impl Answer for Done {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &self.document)
    }

    fn human(&self) -> Text {
        self.text.clone()
    }

    fn plain(&self) -> Vec<(String, String)> {
        self.pairs.clone()
    }
}
