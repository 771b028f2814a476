//! Completions: what the shell offers for a line that is half typed.
//!
//! Owns which arguments the journal knows values for: medicines, people, ids. The shell calls `ebb` again for each line, as its
//! script says; all of it is read from the replica, and nothing is sent or changed. What cannot be read offers nothing: a half
//! typed line is no place for an error.

use std::ffi::OsString;

use clap::Command;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use client::Journal;
use client::query::Filter;
use jiff::{SignedDuration, Timestamp};
use journal::entry::Status;

use super::entries::words;
use super::session;
use crate::arguments::{self, WORDS};
use crate::error::{CommandError, Exit, Outcome};

/// The variable with which the shell's script calls.
const VARIABLE: &str = "EBB_COMPLETE";
/// How far back entries are offered, and how many.
const RECENT: SignedDuration = SignedDuration::from_hours(24 * 60);
const OFFERED: usize = 50;

/// What the journal knows for an argument.
type Known = fn(&Journal) -> Option<Vec<CompletionCandidate>>;

/// The arguments, by the words of their command, and what the journal knows for them.
const ARGUMENTS: [(&[&str], &str, Known); 25] = [
    (&["show"], "id", standing),
    (&["edit"], "id", standing),
    (&["delete"], "id", standing),
    (&["history"], "id", standing),
    (&["restore"], "id", deleted),
    (&["comment"], WORDS, standing),
    (&["doses", "one"], "id", paired),
    (&["doses", "two"], "id", paired),
    (&["conflicts", "resolve"], "id", standing),
    (&["dose"], WORDS, medicines),
    (&["exercise"], WORDS, |journal| planned(journal, "exercise")),
    (&["plan", "medicine"], "what", medicines),
    (&["plan", "exercise"], "what", |journal| {
        planned(journal, "exercise")
    }),
    (&["plan", "factor"], "what", |journal| {
        planned(journal, "factor")
    }),
    (&["plan", "test"], "what", |journal| {
        planned(journal, "test")
    }),
    (&["list"], "by", people),
    (&["list"], "kind", |_| Some(kinds())),
    (&["role"], "name", people),
    (&["remove"], "name", people_and_devices),
    (&["rename"], "name", people_and_devices),
    (&["members", "approve"], "name", people),
    (&["relay", "remove"], "url", relays),
    (&["relay", "home"], "url", relays),
    (&["relay", "prune"], "url", relays),
    (&["held", "keep"], "id", held),
];

/// Answers the shell's script, if it is what calls. Returns whether it was.
///
/// # Errors
/// [`CommandError`] if the shell is unknown, or stdout cannot be written.
pub(crate) fn answer(line: &[OsString]) -> Outcome<bool> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(tree)
        .var(VARIABLE)
        .try_complete(line.iter().cloned(), here.as_deref())
        .map_err(|error| {
            let said = format!("the line cannot be completed: {error}");
            CommandError::new("completion", Exit::CouldNot, said.trim().to_owned())
        })
}

/// Returns the script that a shell reads at its start.
///
/// # Errors
/// [`CommandError`] if the shell is not one that can complete.
pub(super) fn script(shell: clap_complete::Shell) -> Outcome<String> {
    let failed = |why: String| CommandError::new("completion", Exit::CouldNot, why);
    let name = shell.to_string();
    let shells = Shells::builtins();
    let shell = shells
        .completer(&name)
        .ok_or_else(|| failed(format!("there are no completions for {name}")))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "ebb", "ebb", "ebb", &mut script)
        .map_err(|error| failed(format!("the script cannot be made: {error}")))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Returns the tree of commands, with what the journal knows.
fn tree() -> Command {
    let tree = arguments::tree();
    let tree = ARGUMENTS
        .iter()
        .fold(tree, |tree, (path, argument, known)| {
            let candidates = ArgValueCandidates::new(|| ask(*known));
            with_candidates(tree, path, argument, candidates)
        });
    with_candidates(tree, &[], "journal", ArgValueCandidates::new(journals))
}

fn with_candidates(
    command: Command,
    path: &[&str],
    argument: &str,
    candidates: ArgValueCandidates,
) -> Command {
    match path.split_first() {
        None => in_places(command).mut_arg(argument, |arg| arg.add(candidates)),
        Some((first, rest)) => command.mut_subcommand(first, |inner| {
            with_candidates(inner, rest, argument, candidates)
        }),
    }
}

/// Gives each word its place: an argument that is changed is put behind the others otherwise.
fn in_places(command: Command) -> Command {
    let words: Vec<_> = command
        .get_positionals()
        .map(|word| word.get_id().clone())
        .collect();
    let places = words.into_iter().zip(1..);
    places.fold(command, |command, (word, place)| {
        command.mut_arg(word, |arg| arg.index(place))
    })
}

/// Asks the journal that is meant where none is named.
fn ask(known: Known) -> Vec<CompletionCandidate> {
    let journal = session::home().and_then(|home| home.open(None).ok());
    journal.as_ref().and_then(known).unwrap_or_default()
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    // Shells read the answer line by line.
    let help: String = help
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let help = (!help.is_empty()).then(|| help.into());
    CompletionCandidate::new(value).help(help)
}

fn journals() -> Vec<CompletionCandidate> {
    let journals = session::home().and_then(|home| home.journals().ok());
    let journals = journals.unwrap_or_default().into_iter();
    journals.map(|one| candidate(&one.label, "")).collect()
}

/// Returns the last entries that stand, or that were deleted; newest first.
fn recent(journal: &Journal, are_deleted: bool) -> Option<Vec<CompletionCandidate>> {
    let filter = Filter {
        since: Timestamp::now().checked_sub(RECENT).ok(),
        deleted: are_deleted,
        ..Filter::default()
    };
    let entries = journal.entries(&filter).ok()?.into_iter().rev();
    let is_deleted = |status| status == Status::EnteredInError;
    let entries = entries.filter(|view| is_deleted(view.entry.status) == are_deleted);
    let offered = entries
        .take(OFFERED)
        .enumerate()
        .map(|(place, view)| candidate(&view.short_id, &words(&view)).display_order(Some(place)));
    Some(offered.collect())
}

fn standing(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    recent(journal, false)
}

fn deleted(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    recent(journal, true)
}

fn paired(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let pairs = journal.dose_pairs(None).ok()?.into_iter();
    let views = pairs.flat_map(|pair| [pair.first, pair.second]);
    Some(
        views
            .map(|view| candidate(&view.short_id, &words(&view)))
            .collect(),
    )
}

fn planned(journal: &Journal, kind: &str) -> Option<Vec<CompletionCandidate>> {
    let things = journal.plan().ok()?.at(Timestamp::now()).into_iter();
    let things = things.filter(|thing| thing.kind.name == kind);
    let said = |thing: &journal::plan::Planned| journal::plan::words(thing);
    Some(
        things
            .map(|thing| candidate(&thing.name, &said(&thing)))
            .collect(),
    )
}

/// Returns the medicines of the plan, and those of the last doses.
fn medicines(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let mut offered = planned(journal, "medicine")?;
    let filter = Filter {
        since: Timestamp::now().checked_sub(RECENT).ok(),
        kind: Some("dose".to_owned()),
        ..Filter::default()
    };
    for view in journal.entries(&filter).ok()? {
        let name = view.entry.fields.get("medicine");
        let Some(name) = name.and_then(journal::Value::as_text) else {
            continue;
        };
        let is_same = |one: &CompletionCandidate| one.get_value().eq_ignore_ascii_case(name);
        if !offered.iter().any(is_same) {
            offered.push(candidate(name, ""));
        }
    }
    Some(offered)
}

fn people(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let people = journal.members().ok()?.into_iter();
    let role = |person: &client::status::Person| {
        person
            .role
            .map_or_else(String::new, |role| role.to_string())
    };
    Some(
        people
            .map(|person| candidate(&person.name, &role(&person)))
            .collect(),
    )
}

fn people_and_devices(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let mut offered = people(journal)?;
    for person in journal.members().ok()? {
        let devices = person.devices.iter();
        let name = |device: &client::status::Device| format!("{}, {}", person.name, device.name);
        offered.extend(devices.map(|device| candidate(&name(device), &device.fingerprint)));
    }
    Some(offered)
}

fn relays(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let relays = journal.status().ok()?.relays.into_iter();
    Some(relays.map(|relay| candidate(&relay.url, "")).collect())
}

fn held(journal: &Journal) -> Option<Vec<CompletionCandidate>> {
    let held = journal.held().ok()?.into_iter();
    Some(held.map(|one| candidate(&one.id, &one.reason)).collect())
}

fn kinds() -> Vec<CompletionCandidate> {
    let kinds = journal::kind::KINDS.iter();
    kinds.map(|kind| candidate(kind.name, kind.help)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::engine::complete;

    fn offered(line: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        let found = complete(&mut tree(), words, line.len() - 1, None).unwrap();
        let values = found.iter().map(|one| one.get_value().to_string_lossy());
        values.map(|value| value.into_owned()).collect()
    }

    #[test]
    fn completions_know_the_logging_commands() {
        let commands = offered(&["ebb", ""]);
        for kind in journal::kind::KINDS {
            assert!(commands.contains(&kind.name.to_owned()), "{}", kind.name);
            let flags = offered(&["ebb", kind.name, "--"]);
            for field in kind.fields {
                let flag = format!("--{}", field.flag);
                assert!(flags.contains(&flag), "{} {flag}", kind.name);
            }
        }
        assert!(offered(&["ebb", "fatigue", "--sort", ""]).contains(&"weakness".to_owned()));
        assert!(offered(&["ebb", "fatigue", "--area", "sh"]).contains(&"shoulders".to_owned()));
        assert!(offered(&["ebb", "event", ""]).contains(&"fall".to_owned()));
    }

    #[test]
    fn every_shell_has_a_script_that_calls_back() {
        use clap::ValueEnum;
        for shell in clap_complete::Shell::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
    }
}
