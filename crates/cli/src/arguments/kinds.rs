//! The logging commands, made from the table of kinds: one command a kind, one flag a field.
//!
//! Owns only what the table cannot say: which fields may stand without a flag, and an example for each kind. The values
//! themselves are read and checked by `journal`.

use clap::{Arg, ArgAction, ArgMatches, Command};
use journal::kind::{AREAS, COMMON, Field, KINDS, Kind, Shape, choose};

use super::line::{begins_with_number, is_number};
use crate::error::{CommandError, Outcome};

/// The command that corrects an entry: its flags are those of all kinds.
pub(crate) const EDIT: &str = "edit";

/// What was typed for an entry: fields as text, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The kind; none for a correction.
    pub(crate) kind: Option<String>,
    /// Fields by name, as typed.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// When it happened, as typed.
    pub(crate) at: Option<String>,
    /// Whether it may lie ahead.
    pub(crate) future: bool,
}

/// Which fields may stand without a flag.
enum Bare {
    /// A level, then areas and words of the note.
    LevelAndWords,
    /// A name of several words, then a quantity.
    Quantity {
        name: &'static str,
        quantity: &'static str,
        shown: &'static str,
    },
    /// The note.
    Note,
    /// None.
    Nothing,
}

/// The arguments that are not flags of fields.
const WORDS: &str = "words";
const AT: &str = "at";
const FUTURE: &str = "future";

/// Short cuts for a coded value of a field.
const SHORT_CUTS: &[(&str, &str, &str, &str)] = &[
    ("skipped", "taken", "skipped", "The dose was not taken"),
    (
        "partial",
        "taken",
        "partial",
        "Only a part of the dose was taken",
    ),
];

fn bare(kind: &str) -> Bare {
    match kind {
        "fatigue" => Bare::LevelAndWords,
        "activity" => Bare::Quantity {
            name: "what",
            quantity: "minutes",
            shown: "WHAT [DURATION]",
        },
        "dose" => Bare::Quantity {
            name: "medicine",
            quantity: "amount_mg",
            shown: "MEDICINE [AMOUNT]",
        },
        "note" => Bare::Note,
        _ => Bare::Nothing,
    }
}

/// Returns a line that logs an entry of the kind.
pub(crate) fn example(kind: &str) -> &'static str {
    match kind {
        "fatigue" => "ebb 6 arms legs",
        "activity" => "ebb activity walking 20m --effort 5",
        "dose" => "ebb dose amifampridine 10mg",
        "sleep" => "ebb sleep --bed 22:30 --wake 07:10 --rested 2",
        "note" => "ebb note \"slept badly, warm night\"",
        _ => "ebb --help",
    }
}

/// Returns the commands of all kinds.
pub(super) fn commands() -> impl Iterator<Item = Command> {
    KINDS.iter().map(command)
}

/// Returns the command of the kind of that name, if there is one.
pub(super) fn command_of(name: &str) -> Option<Command> {
    journal::kind::kind(name).map(command)
}

/// Adds the flags of all kinds, each once.
pub(super) fn with_every_flag(mut command: Command) -> Command {
    let mut seen: Vec<&str> = Vec::new();
    for field in KINDS.iter().flat_map(|kind| kind.fields).chain(COMMON) {
        if !seen.contains(&field.name) && field.name != "status" {
            seen.push(field.name);
            command = command.arg(flag(field));
        }
    }
    for (name, _, _, help) in SHORT_CUTS {
        command = command.arg(
            Arg::new(*name)
                .long(*name)
                .help(*help)
                .action(ArgAction::SetTrue),
        );
    }
    time_flags(command).after_help(
        "A field is removed by an empty value.\n\nExamples:\n  ebb edit a1b2c3 --level 5\n  \
         ebb edit a1b2c3 --at \"yesterday 22:30\" --note \"\"",
    )
}

fn command(kind: &'static Kind) -> Command {
    let command = Command::new(kind.name)
        .about(kind.help)
        .after_help(format!("Example:\n  {}", example(kind.name)));
    let words = Arg::new(WORDS)
        .action(ArgAction::Append)
        .num_args(0..)
        .allow_negative_numbers(true);
    let command = match bare(kind.name) {
        Bare::LevelAndWords => command.arg(
            words
                .value_name("[LEVEL] [AREA|WORDS]")
                .help("The level, areas, and words of a note"),
        ),
        Bare::Quantity { shown, .. } => {
            command.arg(words.value_name(shown).help("What, and how much"))
        }
        Bare::Note => command.arg(
            words
                .value_name("TEXT")
                .help("The note; `-` reads it from stdin"),
        ),
        Bare::Nothing => command,
    };
    let fields = kind
        .fields
        .iter()
        .chain(COMMON)
        .filter(|field| field.name != "status");
    let command = command.args(fields.map(flag));
    let choices = SHORT_CUTS
        .iter()
        .filter(|(_, field, _, _)| kind.fields.iter().any(|own| own.name == *field));
    let short_cuts = choices.map(|(name, field, _, help)| {
        Arg::new(*name)
            .long(*name)
            .help(*help)
            .action(ArgAction::SetTrue)
            .conflicts_with(*field)
    });
    time_flags(command.args(short_cuts))
}

fn time_flags(command: Command) -> Command {
    let at = Arg::new(AT)
        .long(AT)
        .value_name("TIME")
        .allow_hyphen_values(true)
        .help("When: 14:30, \"yesterday 22:30\", \"2h ago\", \"2026-11-20 08:00\" [default: now]");
    let future = Arg::new(FUTURE)
        .long(FUTURE)
        .action(ArgAction::SetTrue)
        .help("Allow a time that is ahead");
    command.arg(at).arg(future)
}

/// Makes the flag of a field.
fn flag(field: &'static Field) -> Arg {
    let repeats = matches!(
        field.shape,
        Shape::Choices(_) | Shape::PerArea { .. } | Shape::Texts { .. }
    );
    let is_text = matches!(
        field.shape,
        Shape::Text { .. } | Shape::Lines { .. } | Shape::Texts { .. }
    );
    let help = match field.shape {
        Shape::Choice(choices) | Shape::Choices(choices) => {
            let values: Vec<&str> = choices.iter().map(|choice| choice.value).collect();
            format!("{} ({})", field.help, values.join(", "))
        }
        _ => field.help.to_owned(),
    };
    let arg = Arg::new(field.name)
        .long(field.flag)
        .help(help)
        .value_name(value_name(&field.shape))
        .action(if repeats {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
        .allow_negative_numbers(!is_text)
        .allow_hyphen_values(is_text);
    // Who reads JSON knows a field by its stored name.
    if field.name == field.flag {
        arg
    } else {
        arg.alias(field.name)
    }
}

fn value_name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Int { .. } | Shape::Decimal { .. } => "NUMBER",
        Shape::Minutes { .. } | Shape::Hours { .. } => "DURATION",
        Shape::Choice(_) => "WHICH",
        Shape::Choices(_) => "LIST",
        Shape::PerArea { .. } => "AREA=NUMBER",
        Shape::Text { .. } | Shape::Lines { .. } => "TEXT",
        Shape::Texts { .. } => "WORDS",
        Shape::Instant => "TIME",
    }
}

impl Typed {
    /// Takes what was typed for a new entry.
    ///
    /// # Errors
    /// [`CommandError`] if a field was given twice.
    pub(super) fn logged(kind: &str, matches: &ArgMatches) -> Outcome<Self> {
        let mut typed = Self::corrected(matches);
        typed.kind = Some(kind.to_owned());
        let words = matches.try_get_many::<String>(WORDS).ok().flatten();
        let words: Vec<String> = words.into_iter().flatten().cloned().collect();
        match bare(kind) {
            Bare::LevelAndWords => typed.take_level_and_words(words)?,
            Bare::Quantity { name, quantity, .. } => typed.take_quantity(words, name, quantity)?,
            Bare::Note if !words.is_empty() => typed.put("note", words.join(" "))?,
            Bare::Note | Bare::Nothing => {}
        }
        Ok(typed)
    }

    /// Takes the flags typed for a correction.
    pub(super) fn corrected(matches: &ArgMatches) -> Self {
        let mut typed = Self::default();
        for field in KINDS.iter().flat_map(|kind| kind.fields).chain(COMMON) {
            let values = matches.try_get_many::<String>(field.name).ok().flatten();
            let values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
            if !values.is_empty() && !typed.has(field.name) {
                typed.fields.push((field.name, values.join(",")));
            }
        }
        for (name, field, value, _) in SHORT_CUTS {
            if matches.try_get_one::<bool>(name).ok().flatten() == Some(&true) && !typed.has(field)
            {
                typed.fields.push((*field, (*value).to_owned()));
            }
        }
        typed.at = matches.get_one::<String>(AT).cloned();
        typed.future = matches.get_flag(FUTURE);
        typed
    }

    /// Tells whether a field was typed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| *field == name)
    }

    fn put(&mut self, name: &'static str, value: String) -> Outcome<()> {
        if self.has(name) {
            let kind = self.kind.as_deref().unwrap_or_default();
            return Err(CommandError::usage(format!("{name} is given twice")).hint(example(kind)));
        }
        self.fields.push((name, value));
        Ok(())
    }

    /// Takes `6 arms legs "after the stairs"`.
    fn take_level_and_words(&mut self, words: Vec<String>) -> Outcome<()> {
        let mut words = words.into_iter().peekable();
        if let Some(level) =
            words.next_if(|word| is_number(word) || matches!(word.as_str(), "skipped" | "unable"))
        {
            self.put("level", level)?;
        }
        let (areas, note) = areas_and_note(&words.collect::<Vec<_>>());
        if !areas.is_empty() {
            let areas = areas.join(",");
            match self.fields.iter_mut().find(|(name, _)| *name == "areas") {
                Some((_, given)) => *given = format!("{given},{areas}"),
                None => self.fields.push(("areas", areas)),
            }
        }
        if note.is_empty() {
            Ok(())
        } else {
            self.put("note", note)
        }
    }

    /// Takes `walking 20m`: a name of any number of words, and a quantity that begins with a digit.
    fn take_quantity(
        &mut self,
        mut words: Vec<String>,
        name: &'static str,
        quantity: &'static str,
    ) -> Outcome<()> {
        let is_unit = |word: &str| word.len() <= 7 && word.chars().all(|c| c.is_ascii_alphabetic());
        let mut start = words.len();
        while let Some(word) = start.checked_sub(1).and_then(|last| words.get(last)) {
            let before = start.checked_sub(2).and_then(|place| words.get(place));
            if begins_with_number(word) {
                start -= 1;
            } else if is_unit(word)
                && start == words.len()
                && before.is_some_and(|word| begins_with_number(word))
            {
                start -= 2;
            } else {
                break;
            }
        }
        let amount = words.split_off(start).join(" ");
        if !words.is_empty() {
            self.put(name, words.join(" "))?;
        }
        if amount.is_empty() {
            Ok(())
        } else {
            self.put(quantity, amount)
        }
    }
}

/// Splits words into areas, and the text of a note. Once a word is none of the areas, the words after it are the text,
/// also those that name an area.
fn areas_and_note(words: &[String]) -> (Vec<&'static str>, String) {
    let area = |word: &String| choose(AREAS, word.trim_end_matches(',')).map(|area| area.value);
    let (mut areas, mut note) = (Vec::new(), Vec::new());
    let mut in_text = false;
    for (place, word) in words.iter().enumerate() {
        let joins = matches!(word.as_str(), "and" | "&" | ",")
            && words
                .get(place + 1)
                .is_some_and(|next| area(next).is_some());
        match area(word) {
            Some(area) => {
                if !areas.contains(&area) {
                    areas.push(area);
                }
                if in_text {
                    note.push(word.as_str());
                }
            }
            None if joins && !areas.is_empty() && !in_text => {}
            None => {
                // Quoted words are a text of their own; a single word begins a sentence.
                in_text |= !word.contains(' ');
                note.push(word.as_str());
            }
        }
    }
    (areas, note.join(" "))
}
