//! Coded values on the command line: completions and help know them, `journal` reads them.
//!
//! Nothing is refused here, because people may type a synonym, a label, `skipped` or `unable`.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Command};
use journal::kind::Choice;

/// Takes any text, and names the coded values.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    values: Vec<&'static str>,
}

impl Coded {
    /// Names the values of `choices`.
    pub(super) fn of(choices: &'static [Choice]) -> Self {
        Self {
            values: choices.iter().map(|choice| choice.value).collect(),
        }
    }

    /// Names other words.
    pub(super) fn words(values: Vec<&'static str>) -> Self {
        Self { values }
    }
}

impl TypedValueParser for Coded {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.values.iter().map(PossibleValue::new)))
    }
}
