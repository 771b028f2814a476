//! Answers that are the same for everyone: help, the version, completions, and when to call for help.
//!
//! The safety text is static on purpose: it is never computed from what was logged.

use std::io::{self, Write};

use super::completing;
use super::session::Session;
use crate::error::Outcome;
use crate::output::{Answer, Text, json_line, warn};

/// A text with a name.
struct Static {
    key: &'static str,
    text: String,
}

impl Answer for Static {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &serde_json::json!({ self.key: self.text.trim_end() }))
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.raw_line(self.text.trim_end());
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        vec![(self.key.to_owned(), self.text.trim_end().to_owned())]
    }
}

/// Answers with a text of this program.
pub(super) fn text(key: &'static str, text: String) -> Box<dyn Answer> {
    let text = if key == "version" {
        text.trim().to_owned()
    } else {
        text
    };
    Box::new(Static { key, text })
}

/// Answers with the completion script for a shell.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if there is none.
pub(super) fn completions(shell: clap_complete::Shell) -> Outcome<Box<dyn Answer>> {
    let text = completing::script(shell)?;
    Ok(Box::new(Static {
        key: "script",
        text,
    }))
}

/// What calls for help at once.
const SIGNS: [&str; 5] = [
    "trouble breathing",
    "cannot lie flat",
    "choking, or cannot swallow",
    "seizure",
    "allergic swelling",
];
const CALL: &str = "Call the local emergency number now.";
const TELL: &str = "Tell every clinician you have LEMS (Lambert-Eaton myasthenic syndrome).";
const STANDING: &str =
    "A personal record. Not medical advice, diagnosis or treatment. Nobody monitors it.";

/// When to call for help, and the patient's own words, if the plan has any.
struct Emergency {
    own_words: Option<String>,
}

impl Answer for Emergency {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut document =
            serde_json::json!({ "signs": SIGNS, "call": CALL, "tell": TELL, "notice": STANDING });
        if let (Some(words), Some(object)) = (&self.own_words, document.as_object_mut()) {
            object.insert("own_words".to_owned(), words.as_str().into());
        }
        json_line(out, &document)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say("If any of these happens:").line();
        for sign in SIGNS {
            text.say("  - ").say(sign).line();
        }
        text.say(CALL).line().say(TELL).line();
        if let Some(words) = &self.own_words {
            text.line().say(words).line();
        }
        text.line().say(STANDING).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let signs = SIGNS.iter().map(|sign| ("sign", *sign));
        let words = self.own_words.as_deref().map(|words| ("own words", words));
        let rest = [("call", CALL), ("tell", TELL)].into_iter().chain(words);
        signs
            .chain(rest)
            .chain([("notice", STANDING)])
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
}

/// Answers when to call for help: also without a journal, and with one that cannot be read.
pub(super) fn emergency(session: &Session) -> Box<dyn Answer> {
    let own_words = match own_words(session) {
        Ok(words) => words,
        Err(error) => {
            if error.kind != "no-journal" {
                warn(
                    &format!("your own words cannot be read: {}", error.message),
                    &session.terminal,
                );
            }
            None
        }
    };
    Box::new(Emergency { own_words })
}

fn own_words(session: &Session) -> Outcome<Option<String>> {
    let plan = session.open()?.plan()?;
    let text = plan.thing("emergency", "emergency", session.now().timestamp());
    let text = text.and_then(|text| text.fields.get("text")?.as_text().map(str::to_owned));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safety_text_stands_as_it_is() {
        insta::assert_snapshot!(Emergency { own_words: None }.human().rendered(true), @r"
        If any of these happens:
          - trouble breathing
          - cannot lie flat
          - choking, or cannot swallow
          - seizure
          - allergic swelling
        Call the local emergency number now.
        Tell every clinician you have LEMS (Lambert-Eaton myasthenic syndrome).

        A personal record. Not medical advice, diagnosis or treatment. Nobody monitors it.
        ");
    }
}
