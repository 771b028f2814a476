//! `ebb plan …`, made from the table of what can be planned: one command a kind of thing, one flag a field.

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Subcommand};
use journal::kind::{Kind, PLANNED};

use super::kinds;

/// The command.
pub(crate) const PLAN: &str = "plan";

const NAME: &str = "what";
const FROM: &str = "from";
const STOP: &str = "stop";
const AT: &str = "at";
const HISTORY: &str = "history";
/// The kind of which there is one, and whose words are its text.
const EMERGENCY: &str = "emergency";
/// The field with them.
const TEXT: &str = "text";

/// What was typed behind `ebb plan`.
#[derive(Clone, Debug)]
pub(crate) enum PlanLine {
    /// Show the plan, as it is or as it was then.
    Show(Option<String>),
    /// Show every step of it, or of one thing.
    History(Option<String>),
    /// Change one thing.
    Change(PlanChange),
}

/// A change of one thing of the plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanChange {
    /// What kind of thing.
    pub(crate) kind: &'static Kind,
    /// Its name.
    pub(crate) name: String,
    /// Fields as typed; an empty text or `none` takes a field away.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Whether it ends.
    pub(crate) stop: bool,
    /// From when on, as typed.
    pub(crate) from: Option<String>,
}

/// `ebb doses`
#[derive(Debug, Args)]
pub(crate) struct Doses {
    #[command(subcommand)]
    pub(crate) command: Option<DosesCommand>,
}

/// `ebb doses …`
#[derive(Debug, Subcommand)]
pub(crate) enum DosesCommand {
    /// It was one dose: delete this entry of it, and keep the other.
    One {
        /// The id of the entry that goes, or as much of its beginning as no other shares.
        id: String,
    },
    /// They are two doses: keep both.
    Two {
        /// The id of one of them, or as much of its beginning as no other shares.
        id: String,
    },
}

/// Returns the command.
pub(super) fn command() -> Command {
    let history = Command::new(HISTORY)
        .about("Show every change of the plan: who, when, and what")
        .arg(words("The name of one thing of the plan").required(false));
    Command::new(PLAN)
        .about("Show or change the plan: medicines, your own limits, exercises, questions")
        .after_help(
            "What is changed counts from now on; entries from before are read with the plan of their time.\n\nExamples:\n  \
             ebb plan\n  ebb plan medicine amifampridine --usual 10mg --times 08:00,12:00,16:00\n  \
             ebb plan medicine amifampridine --max-single 20mg --max-24h 80mg --limits-by \"Dr Weber\"\n  \
             ebb plan ask dry-mouth --when evening",
        )
        .arg(
            Arg::new(AT)
                .long(AT)
                .value_name("TIME")
                .help("The plan of then: 2026-11-01, yesterday"),
        )
        .args_conflicts_with_subcommands(true)
        .subcommands(PLANNED.iter().map(of_kind))
        .subcommand(history)
}

fn words(help: &'static str) -> Arg {
    Arg::new(NAME)
        .value_name("NAME")
        .help(help)
        .num_args(1..)
        .required(true)
}

fn of_kind(kind: &'static Kind) -> Command {
    let flags: BTreeSet<&str> = kind.fields.iter().map(|field| field.flag).collect();
    let is_text = kind.name == EMERGENCY;
    let fields = kind
        .fields
        .iter()
        .filter(|field| !is_text || field.name != TEXT);
    let words = if is_text {
        words("The text; `-` reads it from stdin")
            .value_name("TEXT")
            .required(false)
    } else {
        words("What it is called")
    };
    Command::new(kind.name)
        .about(kind.help)
        .after_help(format!(
            "A field is taken away by `none`.\n\nExample:\n  {}",
            kind.example
        ))
        .arg(words)
        .args(fields.map(|field| kinds::flag(field, &[field], &flags)))
        .arg(
            Arg::new(STOP)
                .long(STOP)
                .action(ArgAction::SetTrue)
                .help("Take it out of the plan; what was logged stays"),
        )
        .arg(
            Arg::new(FROM)
                .long(FROM)
                .value_name("TIME")
                .help("From when on: 2026-11-01, yesterday, \"friday 08:00\" [default: now]"),
        )
}

impl PlanLine {
    /// Takes what was typed.
    pub(super) fn read(matches: &ArgMatches) -> Self {
        let text = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned();
        let name = |matches: &ArgMatches| {
            let words = matches.get_many::<String>(NAME);
            let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
            words.join(" ")
        };
        let Some((command, sub)) = matches.subcommand() else {
            return Self::Show(text(matches, AT));
        };
        let Some(kind) = journal::plan::planned_kind(command) else {
            let name = Some(name(sub)).filter(|name| !name.is_empty());
            return Self::History(name);
        };
        let is_text = kind.name == EMERGENCY;
        let mut fields = Vec::new();
        for field in kind
            .fields
            .iter()
            .filter(|field| !is_text || field.name != TEXT)
        {
            let values = sub.get_many::<String>(field.flag);
            let values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
            if !values.is_empty() {
                fields.push((field.name, values.join(",")));
            }
        }
        let mut name = name(sub);
        if is_text {
            if !name.is_empty() {
                fields.push((TEXT, name));
            }
            name = EMERGENCY.to_owned();
        }
        Self::Change(PlanChange {
            kind,
            name,
            fields,
            stop: sub.get_flag(STOP),
            from: text(sub, FROM),
        })
    }
}
