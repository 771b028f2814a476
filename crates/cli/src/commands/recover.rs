//! Coming back with a recovery phrase, and removing what was lost.

use std::io::IsTerminal;
use std::path::Path;

use client::Journal;
use client::join::JoinError;
use client::membership::member::MemberError;
use client::membership::recovery::{InvalidPhrase, JournalId, RecoveryPhrase};
use client::membership::removal::{Removal, Removed};
use client::status::{Device, Standing};

use super::done::Done;
use super::relay::address;
use super::remove::gone;
use super::session::{self, Session};
use super::sync;
use crate::arguments;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Text, talk};
use crate::prompt;

/// Lets this machine in with a recovery phrase, and names the devices that may be lost.
///
/// # Errors
/// [`CommandError`] if the phrase is none or opens nothing, or the relay cannot be reached.
pub(super) fn recover(request: &arguments::Recover, session: &Session) -> Outcome<Box<dyn Answer>> {
    if let Some(bundle) = &request.bundle {
        return restore(bundle, request, session);
    }
    let home = session.home()?;
    let origin = origin(request, session)?;
    let phrase = read_phrase(request, session)?;
    let found = session
        .wait(home.recoverable(&phrase, &origin))?
        .map_err(failed)?;
    let id = meant(found, request.journal.as_deref(), session)?;
    let device = request
        .name
        .clone()
        .unwrap_or_else(|| session.device_name());
    let progress = session.progress("receiving");
    let recovered =
        session.wait(home.recover(&phrase, &origin, &id, &device, progress.as_ref()))?;
    drop((progress, phrase));
    let (mut journal, joined) = recovered.map_err(failed)?;
    let others = others(&journal)?;
    let sync = sync::Report::from(joined.sync);
    let document = serde_json::json!({
        "journal": journal.id().to_string(),
        "person": joined.person,
        "device": journal.about()?.device,
        "sync": sync,
        "other_devices": others.iter().map(|other| serde_json::json!({
            "name": other.name, "fingerprint": other.fingerprint,
        })).collect::<Vec<_>>(),
    });
    let mut done = Done::new(document)
        .pair("journal", journal.id())
        .pair("person", &joined.person)
        .pair("sync", sync.line());
    let welcome = format!(
        "Welcome back, {}. This device is in journal {}.",
        joined.person,
        journal.label()
    );
    if session.terminal.interactive {
        talk(Text::new().say(&welcome).line(), &session.terminal);
        offer(&mut journal, &others, session)?;
        done = done.say(&sync.line());
    } else {
        done = done.say(&welcome).say(&sync.line());
        for other in &others {
            let planned = journal.would_remove(&other.fingerprint, Removal::default())?;
            done = done.next(&hint(other, &planned));
        }
    }
    Ok(done.answer())
}

/// Puts a failure into words. There is no link that anyone could be asked for.
fn failed(error: JoinError) -> CommandError {
    match error {
        JoinError::Member(MemberError::Relay(error)) => {
            CommandError::from(error).remark("nothing has changed; the recovery phrase still works")
        }
        error => error.into(),
    }
}

/// Comes back out of a bundle: the relays are gone for good.
fn restore(
    bundle: &Path,
    request: &arguments::Recover,
    session: &Session,
) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    let phrase = read_phrase(request, session)?;
    let device = request
        .name
        .clone()
        .unwrap_or_else(|| session.device_name());
    let progress = session.progress("reading");
    let restored = session.wait(home.restore(&phrase, bundle, &device, progress.as_ref()))?;
    drop((progress, phrase));
    let (journal, report) = restored?;
    let sync = sync::Report::from(report);
    let line = sync.line();
    let document = serde_json::json!({
        "journal": journal.id().to_string(),
        "device": journal.about()?.device,
        "sync": sync,
    });
    Ok(Done::new(document)
        .pair("journal", journal.id())
        .pair("bundle", &line)
        .say(&format!("This device is in journal {}.", journal.label()))
        .say(&line)
        .say("The journal has no relay now. If the old one comes back after all, do not sync with it from other devices: there would be two member logs.")
        .next("A new relay: ebb relay add URL --token-file FILE")
        .answer())
}

/// Says how to remove a device, and how to keep those whom it let in.
fn hint(other: &Device, planned: &Removed) -> String {
    let (name, fingerprint) = (&other.name, &other.fingerprint);
    if planned.enrolled.is_empty() {
        return format!("If {name} is lost: ebb remove {fingerprint}");
    }
    let enrolled = planned.enrolled.join("; ");
    format!(
        "If {name} is lost: ebb remove {fingerprint} --keep-enrolled    (without the flag, those whom it let in go as well: {enrolled})"
    )
}

/// Returns the address of the relay, as given or asked for.
fn origin(request: &arguments::Recover, session: &Session) -> Outcome<String> {
    let asked = || {
        let question = "The relay's address, as the sheet says?";
        let terminal = &session.terminal;
        terminal
            .interactive
            .then(|| prompt::ask(question, terminal))
            .flatten()
    };
    let typed = request.relay.clone().or_else(asked);
    let typed = typed.ok_or_else(|| {
        CommandError::usage("the relay's address is missing")
            .hint("ebb recover --relay https://relay.example")
    })?;
    address(&typed, "ebb recover --relay")
}

/// Reads the phrase from its file, from whoever sits here, or from stdin; never from the command line, which others see.
fn read_phrase(request: &arguments::Recover, session: &Session) -> Outcome<RecoveryPhrase> {
    let text = match &request.phrase_file {
        Some(path) if path.as_os_str() == "-" => session::stdin_text()?,
        Some(path) => session::file_text(path)?,
        None if session.terminal.interactive => {
            prompt::ask("The recovery phrase, all 24 words?", &session.terminal).unwrap_or_default()
        }
        None if !std::io::stdin().is_terminal() => session::stdin_text()?,
        None => {
            return Err(CommandError::usage("the recovery phrase is missing")
                .hint("ebb recover --relay URL --phrase-file FILE"));
        }
    };
    words_only(&text).parse().map_err(invalid)
}

/// Leaves out the numbers that stand on the sheet.
fn words_only(text: &str) -> String {
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
    text.split_whitespace()
        .filter(is_word)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Puts what is wrong with a phrase into words, without any of it.
fn invalid(error: InvalidPhrase) -> CommandError {
    CommandError::new("invalid-phrase", Exit::Usage, error.to_string())
        .hint("ebb recover --phrase-file FILE    (the 24 words, with spaces between)")
}

/// Returns the journal that is meant among those that the phrase opens.
fn meant(found: Vec<JournalId>, named: Option<&str>, session: &Session) -> Outcome<JournalId> {
    let begins = |id: &JournalId| {
        let wanted = named.unwrap_or_default().to_lowercase();
        id.to_string().starts_with(&wanted)
    };
    let found: Vec<JournalId> = found.into_iter().filter(begins).collect();
    match found.as_slice() {
        [] => Err(opens_nothing()),
        [one] => Ok(*one),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let terminal = &session.terminal;
            let question = "The phrase opens several journals:";
            let chosen = terminal
                .interactive
                .then(|| prompt::choose(question, &names, terminal))
                .flatten();
            let chosen = chosen.and_then(|place| several.get(place));
            chosen.copied().ok_or_else(|| ambiguous(&names))
        }
    }
}

fn opens_nothing() -> CommandError {
    let message = "the recovery phrase opens no such journal on this relay";
    CommandError::new("unknown-phrase", Exit::NotPermitted, message)
        .remark("it may be that of another relay, or it was removed")
        .hint(
            "ebb recover --relay URL    (the one on the sheet, or another of the journal's relays)",
        )
}

fn ambiguous(names: &[String]) -> CommandError {
    let message = "the recovery phrase opens several journals";
    let error = CommandError::new("several-journals", Exit::CouldNot, message);
    names.iter().fold(error, |error, name| {
        error.hint(format!("ebb recover --journal {name}"))
    })
}

/// Returns the other devices of this device's person.
fn others(journal: &Journal) -> Outcome<Vec<Device>> {
    let people = journal.members()?;
    let own = |device: &Device| device.this;
    let person = people.into_iter().find(|one| one.devices.iter().any(own));
    let devices = person.map(|person| person.devices).unwrap_or_default();
    let other =
        |device: &Device| !device.this && !device.paper && device.standing != Standing::Removed;
    Ok(devices.into_iter().filter(other).collect())
}

/// Asks about each other device whether it is lost, and removes those that are.
fn offer(journal: &mut Journal, others: &[Device], session: &Session) -> Outcome<()> {
    for other in others {
        let question = format!(
            "Is {} ({}) lost? Then remove it, so that whoever has it reads nothing new.",
            other.name, other.fingerprint
        );
        if prompt::confirm(&question, &session.terminal) {
            let planned = journal.would_remove(&other.fingerprint, Removal::default())?;
            let how = Removal {
                keep_enrolled: !planned.enrolled.is_empty() && keep(&planned, session),
                ..Removal::default()
            };
            let removed = session.wait(journal.remove(&other.fingerprint, how))??;
            talk(&gone(&removed).human(), &session.terminal);
        } else {
            let later = format!("To remove it later: ebb remove {}", other.fingerprint);
            talk(Text::new().say(&later).line(), &session.terminal);
        }
    }
    Ok(())
}

/// Asks whether those whom a lost device let in may stay.
fn keep(planned: &Removed, session: &Session) -> bool {
    let mut text = Text::new();
    text.say("It let these in:").line();
    for device in &planned.enrolled {
        text.say(&format!("  {device}")).line();
    }
    talk(&text, &session.terminal);
    let question = "Do you know them all, and shall they stay?";
    prompt::confirm(question, &session.terminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_device_can_go_without_those_whom_it_let_in() {
        let lost = Device {
            name: "laptop".to_owned(),
            fingerprint: "12ab-34cd-56ef".to_owned(),
            role: None,
            joined_at: None,
            last_heard: None,
            standing: Standing::Member,
            invited_by: None,
            paper: false,
            this: false,
        };
        let mut planned = Removed::default();
        insta::assert_snapshot!(hint(&lost, &planned), @"If laptop is lost: ebb remove 12ab-34cd-56ef");
        planned.enrolled.push("Sam, phone".to_owned());
        insta::assert_snapshot!(hint(&lost, &planned), @"If laptop is lost: ebb remove 12ab-34cd-56ef --keep-enrolled    (without the flag, those whom it let in go as well: Sam, phone)");
    }

    #[test]
    fn the_sheet_can_be_typed_with_its_numbers() {
        assert_eq!(words_only(" 1 abandon\n2. art\t 3) zoo"), "abandon art zoo");
    }

    #[test]
    fn a_wrong_phrase_is_not_repeated() {
        let wrong = |text: &str| {
            let error = words_only(text).parse::<RecoveryPhrase>().map(drop);
            invalid(error.unwrap_err())
        };
        insta::assert_snapshot!(wrong("abandon art"), @r"
        a recovery phrase has 24 words; this one has 2
        try: ebb recover --phrase-file FILE    (the 24 words, with spaces between)
        ");
        let unknown = wrong(&"secretword ".repeat(24));
        assert!(!unknown.json().contains("secretword"));
        insta::assert_snapshot!(unknown, @r"
        word 1 of the recovery phrase is not in the list of words
        try: ebb recover --phrase-file FILE    (the 24 words, with spaces between)
        ");
        insta::assert_snapshot!(wrong(&"abandon ".repeat(24)), @r"
        a word of the recovery phrase is wrong, or two are exchanged
        try: ebb recover --phrase-file FILE    (the 24 words, with spaces between)
        ");
    }

    #[test]
    fn a_phrase_that_opens_nothing_or_several_says_what_to_type() {
        insta::assert_snapshot!(opens_nothing(), @r"
        the recovery phrase opens no such journal on this relay
        it may be that of another relay, or it was removed
        try: ebb recover --relay URL    (the one on the sheet, or another of the journal's relays)
        ");
        insta::assert_snapshot!(ambiguous(&["aa".to_owned(), "bb".to_owned()]), @r"
        the recovery phrase opens several journals
        try: ebb recover --journal aa
        try: ebb recover --journal bb
        ");
    }
}
