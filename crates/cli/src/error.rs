//! What a command that failed says: a kind, an exit code, a sentence, and what to type next.
//!
//! Hints live here and nowhere else; libraries say only what happened. Secrets are never put into a message.

use std::fmt;

use serde::Serialize;

/// The exit codes of the contract, other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It could not be done.
    CouldNot = 1,
    /// Wrong usage, or a value out of range.
    Usage = 2,
    /// The role, the invite or the token does not allow it.
    NotPermitted = 3,
    /// No relay can be reached or serve now; local data are safe.
    Offline = 4,
    /// Damaged or suspicious data.
    Damaged = 5,
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// What kind of failure it is, in kebab-case: stable, for scripts.
    pub kind: &'static str,
    /// The exit code.
    pub exit: Exit,
    /// What happened, in one sentence without full stop.
    pub message: String,
    /// Why, and what it means for the person's data.
    pub remarks: Vec<String>,
    /// What to do next; mostly commands to type.
    pub hints: Vec<String>,
}

/// The result of a command.
pub(crate) type Outcome<T> = Result<T, CommandError>;

/// Said where it is true and someone might fear otherwise.
const SAFE: &str = "your entries are safe on this device";

impl CommandError {
    /// Makes an error of a kind, with its exit code.
    pub(crate) fn new(kind: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self {
            kind,
            exit,
            message: message.into(),
            remarks: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Makes an error of wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", Exit::Usage, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a reason or a consequence.
    #[must_use]
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remarks.push(remark.into());
        self
    }

    /// Adds that the entries are safe on this device.
    #[must_use]
    pub(crate) fn safe(self) -> Self {
        self.remark(SAFE)
    }

    /// Returns the error as the one line of JSON that ends stderr.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            kind: &'a str,
            message: String,
            hints: &'a [String],
        }
        let message = self.sentences().collect::<Vec<_>>().join("; ");
        let error = Body {
            kind: self.kind,
            message,
            hints: &self.hints,
        };
        // Strings alone cannot fail to serialize.
        serde_json::to_string(&Document { error }).unwrap_or_default()
    }

    fn sentences(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.message.as_str()).chain(self.remarks.iter().map(String::as_str))
    }
}

impl fmt::Display for CommandError {
    /// Writes what happened, why, and what to type, line by line; control characters do not get through.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use journal::words::clean;
        write!(f, "{}", clean(&self.message))?;
        for remark in &self.remarks {
            write!(f, "\n{}", clean(remark))?;
        }
        for hint in &self.hints {
            write!(f, "\ntry: {}", clean(hint))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> CommandError {
        CommandError::new(
            "relay-unreachable",
            Exit::Offline,
            "the relay \u{1b}[2J does not answer",
        )
        .safe()
        .hint("ebb sync")
    }

    #[test]
    fn says_what_happened_and_what_to_type_without_control_characters() {
        insta::assert_snapshot!(error(), @r"
        the relay  [2J does not answer
        your entries are safe on this device
        try: ebb sync
        ");
    }

    #[test]
    fn is_one_line_of_json() {
        let json = CommandError {
            message: "a\nb".to_owned(),
            ..error()
        }
        .json();
        insta::assert_snapshot!(json, @r#"{"error":{"kind":"relay-unreachable","message":"a\nb; your entries are safe on this device","hints":["ebb sync"]}}"#);
        assert_eq!(json.lines().count(), 1);
    }
}
