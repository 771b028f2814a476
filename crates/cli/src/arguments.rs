//! What can be typed: the commands, their flags, and the options that go with every command.
//!
//! The logging commands are made from the table of kinds (`arguments/kinds.rs`); everything else is declared here. What
//! was typed wrong is put into words in `arguments/wrong.rs`.

mod carrying;
mod kinds;
mod line;
mod looking;
mod planning;
mod settings;
mod sharing;
mod wrong;

use std::ffi::OsString;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use kinds::{EDIT, Typed, WORDS, example};
pub(crate) use line::is_json_asked;
pub(crate) use looking::{PageFormat, PaperSize, Report, Trends};
pub(crate) use planning::{Doses, DosesCommand, PlanChange, PlanLine};
pub(crate) use sharing::{
    Held, HeldCommand, Invites, InvitesCommand, Journals, JournalsCommand, Members, MembersCommand,
    Recover, Recovery, Remove, RoleName, SetRole, Share,
};

pub(crate) use settings::{Man, Rename, Service, Zone};

pub(crate) use carrying::{Bundle, Doctor, Export, Import, Renew};

use crate::error::{CommandError, Outcome};
use crate::output::{Colour, Form};

/// The summary of `ebb --help`: commands in groups, as people look for them.
const HELP: &str = include_str!("arguments/help.txt");

/// The topic of `ebb help` that is no command: what can be logged, with every field, its range, unit and code.
const MANUAL: &str = "kinds";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "ebb", version, about, override_help = HELP)]
#[command(subcommand_required = false, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Every command")]
pub(crate) struct Global {
    /// Print one JSON document.
    #[arg(long, global = true)]
    json: bool,
    /// Print `key: value` lines, for screen readers.
    #[arg(long, global = true, conflicts_with = "json")]
    plain: bool,
    /// Never ask anything.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Use colour or not.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: Colour,
    /// Which journal, where there are several: whose it is, its name, or the start of its id.
    #[arg(short = 'j', long, global = true, value_name = "NAME")]
    pub(crate) journal: Option<String>,
}

/// The commands that the table of kinds does not make.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a journal on this device.
    #[command(
        after_help = "Examples:\n  ebb init\n  ebb init --name Ana --relay https://relay.example --token-file token.txt"
    )]
    Init(Init),
    /// Show today: what was logged, and the time since the last dose.
    Today,
    /// List entries, oldest first.
    #[command(
        after_help = "Examples:\n  ebb list --since 7d\n  ebb list --kind dose --since 2026-11-01 --until yesterday\n  ebb list --search stairs"
    )]
    List(List),
    /// Show how the last days went: curves, a calendar, and fatigue by the time since the last dose.
    #[command(after_help = "Examples:\n  ebb trends\n  ebb trends --days 90")]
    Trends(Trends),
    /// Show what went together with fatigue, and how sure that is.
    Insights,
    /// Make the page for an appointment.
    #[command(
        after_help = "An entry tagged `concern` is shown as the top concern; `ebb event visit` marks an appointment.\n\nExamples:\n  ebb report --days 90 --out visit.pdf\n  ebb report --since-last-visit --out visit.html"
    )]
    Report(Report),
    /// Show everything about an entry.
    Show(Id),
    /// Correct an entry.
    #[command(name = EDIT)]
    Edit(Id),
    /// Delete an entry; it can be restored.
    Delete(Id),
    /// Restore a deleted entry.
    Restore(Id),
    /// Show every change of an entry: who, when, and what.
    History(Id),
    /// Show what was changed in two places at once, or settle it.
    #[command(after_help = "Examples:\n  ebb conflicts\n  ebb conflicts resolve a1b2c3")]
    Conflicts(Conflicts),
    /// Take back what was done last on this device; again, what was done before that.
    Undo,
    /// Do again what was undone last.
    Redo,
    /// Check in: a few questions, one key each; any may be skipped.
    #[command(
        after_help = "Not on a terminal, or with --plain, each answer is one line.\n\nExamples:\n  ebb check\n  printf '4\\n2\\n' | ebb check --json"
    )]
    Check,
    /// Show which planned doses are next, and which are not logged.
    Due,
    /// Show doses that two people may have logged twice, or say which they are.
    #[command(
        after_help = "Examples:\n  ebb doses\n  ebb doses one a1b2c3\n  ebb doses two a1b2c3"
    )]
    Doses(Doses),
    /// Add a device of yours.
    #[command(subcommand)]
    Device(Device),
    /// Join a journal by a link.
    #[command(after_help = "Examples:\n  ebb join LINK --name phone\n  ebb join - < link.txt")]
    Join(Join),
    /// Make a link that lets another person in.
    #[command(
        after_help = "Examples:\n  ebb share --name Sam --role contributor\n  ebb share --name \"Dr Weber\" --role reader --expires 2d --approve"
    )]
    Share(Share),
    /// Show who reads and writes this journal, or let in a device that waits.
    #[command(after_help = "Examples:\n  ebb members\n  ebb members approve 12ab-34cd-56ef")]
    Members(Members),
    /// Show the links that still let someone in, or withdraw one.
    #[command(after_help = "Examples:\n  ebb invites\n  ebb invites withdraw 3f2a")]
    Invites(Invites),
    /// Change what a person may do.
    #[command(after_help = "Example:\n  ebb role Sam reader")]
    Role(SetRole),
    /// Give a person or a device another name.
    #[command(
        after_help = "Everybody sees it after a sync, in what was written before too.\n\nExamples:\n  ebb rename Sam Samuel\n  ebb rename \"Ana, old phone\" tablet"
    )]
    Rename(Rename),
    /// Show or change the time zone at home, by which days begin and end.
    #[command(after_help = "Examples:\n  ebb zone\n  ebb zone Europe/Madrid")]
    Zone(Zone),
    /// Remove a person or a device, and give those who stay a new key.
    #[command(
        alias = "revoke",
        after_help = "What was theirs before stays readable to them; nothing written later is.\n\nExamples:\n  ebb remove Sam\n  ebb remove \"Ana, old phone\""
    )]
    Remove(Remove),
    /// Show what was received and is not in the journal, or keep it.
    #[command(after_help = "Examples:\n  ebb held\n  ebb held keep 3f2a")]
    Held(Held),
    /// Make a recovery phrase.
    #[command(subcommand)]
    Recovery(Recovery),
    /// Come back with a recovery phrase, on a new machine.
    #[command(
        after_help = "Examples:\n  ebb recover --relay https://relay.example\n  ebb recover --relay https://relay.example --phrase-file phrase.txt"
    )]
    Recover(Recover),
    /// Show the journals on this device; choose, leave or erase one.
    #[command(
        after_help = "Examples:\n  ebb journals\n  ebb journals default Ana\n  ebb -j Ana journals leave"
    )]
    Journals(Journals),
    /// Write the journal into one encrypted file, or take one in.
    #[command(
        subcommand,
        after_help = "Examples:\n  ebb bundle export /media/usb/journal.ebb\n  ebb bundle import /media/usb/journal.ebb"
    )]
    Bundle(Bundle),
    /// Write the journal in a form that other software reads. It is not encrypted.
    #[command(
        after_help = "Examples:\n  ebb export --format jsonl --out journal.jsonl\n  ebb export --format csv --out tables\n  ebb export --format fhir --out -"
    )]
    Export(Export),
    /// Take in entries from a file. What is here already stays as it is.
    #[command(
        after_help = "Examples:\n  ebb import journal.jsonl --dry-run\n  ebb import diary.csv --kind fatigue --map \"When=at,How tired=level\""
    )]
    Import(Import),
    /// Check the journal on this device, and mend what can be mended.
    #[command(after_help = "Examples:\n  ebb doctor\n  ebb doctor --rebuild")]
    Doctor(Doctor),
    /// Add, list or remove relays, or choose the home relay.
    #[command(subcommand)]
    Relay(Relay),
    /// Send what is new, and receive what others wrote.
    Sync(Sync),
    /// Let this device sync by itself, or stop that.
    #[command(subcommand)]
    Service(Service),
    /// Show the state of this device: what is unsent, relays, devices, warnings.
    Status,
    /// Show when to call for help.
    Emergency,
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  ebb completions bash > ~/.local/share/bash-completion/completions/ebb"
    )]
    Completions(Completions),
    /// Print a manual page, or write those of all commands.
    #[command(
        after_help = "Examples:\n  ebb man | man -l -\n  ebb man dose | man -l -\n  ebb man --out ~/.local/share/man/man1"
    )]
    Man(Man),
    /// Show help for ebb or for a command.
    Help(Help),
}

/// `ebb init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Your name, as others will see it.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A name for this device [default: the computer's name].
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// The address of a relay to sync through.
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    #[command(flatten)]
    pub(crate) token: Token,
    /// The time zone at home [default: this computer's].
    #[arg(long)]
    pub(crate) zone: Option<String>,
}

/// A relay's enrolment token, from a flag, a file or stdin.
#[derive(Args)]
pub(crate) struct Token {
    /// The relay's enrolment token; `-` reads it from stdin.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// A file with the relay's enrolment token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// `ebb list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// From then on: 7d, 2026-11-01, yesterday, "friday 08:00".
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Until then; a day is meant to its end.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only entries of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only entries of this person.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Only entries with this text in them.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Deleted entries too.
    #[arg(long)]
    pub(crate) deleted: bool,
}

/// `ebb conflicts`
#[derive(Debug, Args)]
pub(crate) struct Conflicts {
    #[command(subcommand)]
    pub(crate) command: Option<ConflictsCommand>,
}

/// `ebb conflicts …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConflictsCommand {
    /// Let the values that are shown stand. (To choose another value, edit the entry.)
    Resolve {
        /// The entry's id, or as much of its beginning as no other shares.
        id: String,
    },
}

/// The id of an entry.
#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The entry's id, or as much of its beginning as no other shares.
    pub(crate) id: String,
}

/// `ebb device`
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Make a link that lets one more device of yours join.
    Add {
        /// A name for the device.
        #[arg(long)]
        name: Option<String>,
        /// For how long the link works, at most 30 days [default: 7d].
        #[arg(long, value_name = "SPAN")]
        expires: Option<String>,
    },
}

/// `ebb join`
#[derive(Args)]
pub(crate) struct Join {
    /// The link; `-` reads it from stdin.
    #[arg(required_unless_present = "link_file", conflicts_with = "link_file")]
    pub(crate) link: Option<String>,
    /// A file with the link.
    #[arg(long, value_name = "FILE")]
    pub(crate) link_file: Option<std::path::PathBuf>,
    /// A name for this device [default: the one in the link, else the computer's].
    #[arg(long, value_name = "DEVICE")]
    pub(crate) name: Option<String>,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Join(…)")
    }
}

/// `ebb relay`
#[derive(Debug, Subcommand)]
pub(crate) enum Relay {
    /// Create the journal on a relay and sync through it.
    Add {
        /// The relay's address.
        url: String,
        #[command(flatten)]
        token: Token,
    },
    /// List the relays of this journal.
    List,
    /// Stop using a relay.
    Remove {
        /// The relay's address.
        url: String,
    },
    /// Make a listed relay the home, where people are let in and removed.
    Home {
        /// The relay's address.
        url: String,
    },
    /// Let a relay forget what snapshots cover, to make room. Nothing is lost: everybody keeps what they have.
    Prune {
        /// The relay's address.
        url: String,
    },
}

/// `ebb sync`
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Stay, and sync whenever something is new.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// `ebb completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// `ebb help`
#[derive(Debug, Args)]
pub(crate) struct Help {
    /// The command.
    pub(crate) command: Vec<String>,
}

/// What was typed, understood.
#[derive(Debug)]
pub(crate) struct Line {
    /// The options of every command.
    pub(crate) global: Global,
    /// What to do.
    pub(crate) request: Request,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Request {
    /// Nothing was asked: today at a glance.
    Glance,
    /// Log an entry of a kind.
    Log(Typed),
    /// Correct an entry.
    Edit(String, Typed),
    /// Show or change the plan.
    Plan(PlanLine),
    /// Another command.
    Command(Command),
    /// Print a text that was asked for: help, or the version.
    Text(&'static str, String),
}

impl Global {
    /// Returns the form of the answer.
    pub(crate) fn form(&self) -> Form {
        match (self.json, self.plain) {
            (true, _) => Form::Json,
            (false, true) => Form::Plain,
            (false, false) => Form::Human,
        }
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// [`CommandError`] of wrong usage, with what to type instead.
pub(crate) fn read(arguments: Vec<OsString>) -> Outcome<Line> {
    let line = line::prepare(arguments);
    let part = line.word.as_deref().and_then(part);
    let matches = part.and_then(|part| part.try_get_matches_from(&line.arguments).ok());
    // What is wrong, or asks for help, is told by the whole.
    let matches = match matches.map_or_else(|| tree().try_get_matches_from(&line.arguments), Ok) {
        Ok(matches) => matches,
        Err(error) => return wrong::told(&error, &line).map(|text| asked(&line, text)),
    };
    understand(&matches).map_err(|error| wrong::unexpected(&error))?
}

/// Returns the part of the tree that a command needs: what is typed often should be quick. None for a word that is no command, and
/// for a command that is about others.
fn part(word: &str) -> Option<clap::Command> {
    let only = Cli::global_only();
    if let Some(kind) = kinds::command_of(word) {
        return Some(only.subcommand(kind));
    }
    if matches!(word, EDIT | planning::PLAN | "help") {
        return None;
    }
    let derived = Cli::command();
    let command = derived.find_subcommand(word)?;
    Some(only.subcommand(command.clone()))
}

/// Returns the whole tree of commands.
pub(crate) fn tree() -> clap::Command {
    Cli::command()
        .subcommands(kinds::commands())
        .subcommand(planning::command())
        .mut_subcommand(EDIT, kinds::with_every_flag)
}

impl Cli {
    /// Returns the root with the options of every command and no commands.
    fn global_only() -> clap::Command {
        let root = clap::Command::new("ebb").version(env!("CARGO_PKG_VERSION"));
        Global::augment_args(root).disable_help_subcommand(true)
    }
}

fn understand(matches: &ArgMatches) -> Result<Outcome<Line>, clap::Error> {
    let global = Global::from_arg_matches(matches)?;
    let kind = matches
        .subcommand()
        .and_then(|(name, sub)| Some((journal::kind::kind(name)?, sub)));
    if let Some((kind, sub)) = kind {
        return Ok(Typed::logged(kind, sub).map(|typed| Line {
            global,
            request: Request::Log(typed),
        }));
    }
    let request = match matches.subcommand() {
        Some((EDIT, sub)) => Request::Edit(Id::from_arg_matches(sub)?.id, Typed::corrected(sub)),
        Some((planning::PLAN, sub)) => Request::Plan(PlanLine::read(sub)),
        _ => Cli::from_arg_matches(matches)?
            .command
            .map_or(Request::Glance, Request::Command),
    };
    if let Request::Command(Command::Help(help)) = &request {
        return Ok(help_for(&help.command).map(|text| Line {
            global,
            request: Request::Text("help", text),
        }));
    }
    Ok(Ok(Line { global, request }))
}

/// Makes the line of someone who asked for help or the version, whatever else stands on it.
fn asked(line: &line::Prepared, (what, text): (&'static str, String)) -> Line {
    let global = Global {
        json: line.json,
        plain: false,
        no_input: true,
        color: Colour::Auto,
        journal: None,
    };
    Line {
        global,
        request: Request::Text(what, text),
    }
}

/// Returns the help for a command given by its words; for ebb itself without.
fn help_for(words: &[String]) -> Outcome<String> {
    if words == [MANUAL] {
        return Ok(journal::kind::manual());
    }
    let mut command = tree();
    command.build();
    Ok(command_of(&mut command, words)?.render_help().to_string())
}

/// Finds a command by its words.
///
/// # Errors
/// [`CommandError`] if there is none.
pub(crate) fn command_of<'a>(
    root: &'a mut clap::Command,
    words: &[String],
) -> Outcome<&'a mut clap::Command> {
    words.iter().try_fold(root, |found, word| {
        found.find_subcommand_mut(word).ok_or_else(|| {
            let said = format!("there is no command \"{}\"", words.join(" "));
            CommandError::new("unknown-command", crate::error::Exit::Usage, said).hint("ebb --help")
        })
    })
}

#[cfg(test)]
mod tests;
