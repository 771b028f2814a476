//! The logging commands, made from the table of kinds: one command a kind, one flag a field.
//!
//! Owns only what the table cannot say: short cuts, and how a line is taken apart. Words without a flag are read in
//! `words`. The values themselves are read and checked by `journal`.

mod coded;
mod words;

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, ArgMatches, Command};
use journal::kind::{COMMON, Field, KINDS, Kind, Shape};

use crate::error::{CommandError, Outcome};
use coded::Coded;
pub(crate) use words::WORDS;

/// The command that corrects an entry: its flags are those of all kinds.
pub(crate) const EDIT: &str = "edit";

/// What was typed for an entry: fields as text, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The kind; none for a correction.
    pub(crate) kind: Option<String>,
    /// Fields as typed: by name for a new entry, by flag for a correction, whose entry decides which field that is.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// When it happened, as typed.
    pub(crate) at: Option<String>,
    /// Whether it may lie ahead.
    pub(crate) future: bool,
}

/// The arguments that are not flags of fields.
const AT: &str = "at";
const FUTURE: &str = "future";
const LAST: &str = "last";

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

/// What a field says about another that was not typed.
const IMPLIED: &[(&str, &str, &str)] = &[("answer", "state", "answered")];

/// The drinks of which a line can say when the last one was.
const DRINKS: &[(&str, &str)] = &[("caffeine", "caffeine_last"), ("alcohol", "alcohol_last")];

/// Returns a line that logs an entry of the kind.
pub(crate) fn example(kind: &str) -> &'static str {
    journal::kind::kind(kind).map_or("ebb --help", |kind| kind.example)
}

/// Returns the commands of all kinds.
pub(super) fn commands() -> impl Iterator<Item = Command> {
    KINDS.iter().map(command)
}

/// Returns the command of the kind of that name, if there is one.
pub(super) fn command_of(name: &str) -> Option<Command> {
    journal::kind::kind(name).map(command)
}

/// Adds the flags of all kinds, each once; one that several kinds have means the field of the entry's kind.
pub(super) fn with_every_flag(mut command: Command) -> Command {
    let all = || {
        let own = KINDS.iter().flat_map(|kind| kind.fields).chain(COMMON);
        own.filter(|field| field.name != "status")
    };
    let mut seen = BTreeSet::new();
    let flags: BTreeSet<&str> = all().map(|field| field.flag).collect();
    for field in all().filter(|field| seen.insert(field.flag)) {
        let same: Vec<&Field> = all().filter(|other| other.flag == field.flag).collect();
        command = command.arg(flag(field, &same, &flags));
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
        "A field is removed by an empty value. Any question takes `skipped` or `unable` for an answer.\n\nExamples:\n  \
         ebb edit a1b2c3 --level 5\n  ebb edit a1b2c3 --at \"yesterday 22:30\" --note \"\"",
    )
}

fn command(kind: &'static Kind) -> Command {
    let asked = kind.fields.iter().any(|field| field.asked);
    let states = if asked {
        "Any question takes `skipped` or `unable` for an answer.\n\n"
    } else {
        ""
    };
    let command = Command::new(kind.name)
        .about(kind.help)
        .after_help(format!("{states}Example:\n  {}", kind.example));
    let command = words::with_words(command, kind);
    let fields = || {
        let own = kind.fields.iter().chain(COMMON);
        own.filter(|field| field.name != "status")
    };
    let flags: BTreeSet<&str> = fields().map(|field| field.flag).collect();
    let command = command.args(fields().map(|field| flag(field, &[field], &flags)));
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
    let last = Arg::new(LAST)
        .long(LAST)
        .value_name("TIME")
        .help("When the last drink was, of the kind of drink on this line");
    let command = if has_drinks(kind) {
        command.arg(last)
    } else {
        command
    };
    time_flags(command.args(short_cuts))
}

/// Tells whether entries of the kind count drinks.
fn has_drinks(kind: &Kind) -> bool {
    DRINKS.iter().all(|(drink, last)| {
        [drink, last]
            .iter()
            .all(|name| kind.fields.iter().any(|f| f.name == **name))
    })
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

/// Makes the flag of a field, or of the fields of several kinds that share it. `taken` are the flags that its other names
/// must not be.
pub(super) fn flag(field: &'static Field, same: &[&Field], taken: &BTreeSet<&str>) -> Arg {
    let any = |is: fn(&Shape) -> bool| same.iter().any(|field| is(&field.shape));
    let repeats = any(|shape| {
        matches!(
            shape,
            Shape::Choices(_) | Shape::Each { .. } | Shape::Texts { .. } | Shape::Numbers { .. }
        )
    });
    let is_text = any(Shape::is_text);
    let mut helps: Vec<&str> = Vec::new();
    for field in same {
        if !helps.contains(&field.help) {
            helps.push(field.help);
        }
    }
    let mut arg = Arg::new(field.flag)
        .long(field.flag)
        .help(helps.join("; or "))
        .value_name(value_name(&field.shape))
        .action(if repeats {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
        .allow_negative_numbers(!is_text)
        .allow_hyphen_values(is_text);
    let choices: Vec<_> = same
        .iter()
        .filter_map(|field| field.shape.choices())
        .collect();
    // A part of what is asked part by part is a word of its own only where it says yes.
    let is_word = match field.shape {
        Shape::Each { answer, .. } => answer.takes_yes(),
        _ => true,
    };
    if let ([choices], true) = (choices.as_slice(), is_word) {
        arg = arg.value_parser(Coded::of(choices));
    }
    if same.iter().all(|field| field.shape.takes_yes()) {
        arg = arg.num_args(0..=1).default_missing_value("yes");
    }
    // Who reads JSON knows a field by its stored name.
    if field.name == field.flag || taken.contains(field.name) {
        arg
    } else {
        arg.alias(field.name)
    }
}

fn value_name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Int { .. } | Shape::Decimal { .. } => "NUMBER",
        Shape::Numbers { .. } => "NUMBERS",
        Shape::Minutes { .. } | Shape::Hours { .. } => "DURATION",
        Shape::Choice(_) => "WHICH",
        Shape::Either { .. } => "NUMBER|WHICH",
        Shape::Choices(_) => "LIST",
        Shape::Each { .. } => "NAME=ANSWER",
        Shape::Text { .. } | Shape::Lines { .. } => "TEXT",
        Shape::Texts { .. } => "WORDS",
        Shape::Instant => "TIME",
        Shape::Date => "DATE",
        Shape::Entry => "ID",
    }
}

impl Typed {
    /// Takes what was typed for a new entry.
    ///
    /// # Errors
    /// [`CommandError`] if a field was given twice, or words stand where they mean nothing.
    pub(super) fn logged(kind: &'static Kind, matches: &ArgMatches) -> Outcome<Self> {
        let mut typed = Self {
            kind: Some(kind.name.to_owned()),
            ..Self::default()
        };
        typed.take_flags(kind.fields.iter().map(|field| (field, field.name)), matches);
        typed.take_words(kind, matches)?;
        typed.take_last(kind, matches)?;
        Ok(typed)
    }

    /// Takes the flags typed for a correction.
    pub(super) fn corrected(matches: &ArgMatches) -> Self {
        let mut typed = Self::default();
        let fields = KINDS.iter().flat_map(|kind| kind.fields);
        typed.take_flags(fields.map(|field| (field, field.flag)), matches);
        typed
    }

    /// Takes what stands behind flags, and calls each field by the name that goes with it.
    fn take_flags(
        &mut self,
        fields: impl Iterator<Item = (&'static Field, &'static str)>,
        matches: &ArgMatches,
    ) {
        for (field, name) in fields.chain(COMMON.iter().map(|field| (field, field.name))) {
            let values = matches.try_get_many::<String>(field.flag).ok().flatten();
            let values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
            if !values.is_empty() && !self.has(name) {
                self.fields.push((name, values.join(",")));
            }
        }
        for (name, field, value, _) in SHORT_CUTS {
            if matches.try_get_one::<bool>(name).ok().flatten() == Some(&true) && !self.has(field) {
                self.fields.push((*field, (*value).to_owned()));
            }
        }
        for (said, field, value) in IMPLIED {
            let is_said = self
                .fields
                .iter()
                .any(|(name, text)| name == said && !text.is_empty());
            if is_said && !self.has(field) {
                self.fields.push((*field, (*value).to_owned()));
            }
        }
        self.at = matches.get_one::<String>(AT).cloned();
        self.future = matches.get_flag(FUTURE);
    }

    /// Takes `--last TIME`, of the drink that the line counts.
    fn take_last(&mut self, kind: &Kind, matches: &ArgMatches) -> Outcome<()> {
        let last = matches.try_get_one::<String>(LAST).ok().flatten();
        let Some(time) = last.filter(|_| has_drinks(kind)) else {
            return Ok(());
        };
        let drinks: Vec<_> = DRINKS.iter().filter(|(drink, _)| self.has(drink)).collect();
        match drinks.as_slice() {
            [(_, last)] => self.put(last, time.clone()),
            _ => Err(CommandError::usage("--last goes with one drink, caffeine or alcohol")
                .hint("ebb factor caffeine 2 --last 15:00")
                .hint("ebb factor --caffeine 2 --caffeine-last 15:00 --alcohol 1 --alcohol-last 21:00")),
        }
    }

    /// Tells whether a field was typed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| *field == name)
    }

    fn put(&mut self, name: &'static str, value: String) -> Outcome<()> {
        if self.has(name) {
            let kind = self.kind.as_deref().unwrap_or_default();
            let label = journal::kind::kind(kind).and_then(|kind| kind.field(name));
            let label = label.map_or(name, |field| field.label);
            return Err(CommandError::usage(format!("{label} is given twice")).hint(example(kind)));
        }
        self.fields.push((name, value));
        Ok(())
    }
}
