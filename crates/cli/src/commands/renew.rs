//! Renewing a journal: the way out when nothing else helps.

use client::genesis::NewRelay;
use client::membership::invite::Role;

use super::done::Done;
use super::relay::address;
use super::remove::not_wanted;
use super::session::Session;
use crate::arguments::Renew;
use crate::error::{CommandError, Outcome};
use crate::output::{Answer, Text, talk, warn};
use crate::prompt;

/// Starts a new journal with everything that this one holds.
///
/// # Errors
/// [`CommandError`] if this device is none of an owner, or the relay does not take the new journal.
pub(super) fn renew(renew: &Renew, session: &Session) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    let old = session.open()?;
    if !renew.yes {
        confirmed(session)?;
    }
    let origin = renew.relay.as_deref();
    let origin = origin.map(|typed| address(typed, "ebb journals renew --relay"));
    let token = session.token(&renew.token)?;
    let relay = origin.transpose()?.map(|origin| NewRelay { origin, token });
    let progress = session.progress("carrying over");
    let (new, renewed) = session.wait(home.renew(&old, relay, progress.as_ref()))??;
    drop(progress);
    let (label, before) = (new.label(), old.label());
    home.choose(&new)?;
    let people: Vec<_> = renewed
        .people
        .iter()
        .map(|(name, role)| serde_json::json!({ "name": name, "role": role.to_string() }))
        .collect();
    let document = serde_json::json!({
        "journal": new.id().to_string(),
        "renews": old.id().to_string(),
        "entries": renewed.entries,
        "left": renewed.left,
        "people": people,
    });
    for id in &renewed.left {
        let left = format!(
            "entry {id} has more in it than one change can carry, and stays in the old journal alone: ebb -j {before} show {id}"
        );
        warn(&left, &session.terminal);
    }
    let mut done = Done::new(document)
        .pair("journal", &label)
        .pair("renews", &before)
        .pair("entries", renewed.entries)
        .say(&format!(
            "Journal {label} takes over from {before}, with {} entries. It is the one meant from now on.",
            renewed.entries
        ))
        .say("Nobody else is in it yet, and its relay has nothing of it until a sync.");
    for (name, role) in &renewed.people {
        done = done.next(&invitation(name, *role));
    }
    Ok(done
        .next("Your other devices: ebb device add")
        .next("A new recovery phrase: ebb recovery phrase")
        .next(&format!(
            "The old journal stays as it was; to end it for everybody: ebb -j {before} journals erase"
        ))
        .answer())
}

fn invitation(name: &str, role: Role) -> String {
    format!("{name}: ebb share --name \"{name}\" --role {role}")
}

fn confirmed(session: &Session) -> Outcome<()> {
    let terminal = &session.terminal;
    if !terminal.interactive {
        return Err(CommandError::usage("renewing a journal must be confirmed")
            .remark("nothing was changed")
            .hint("ebb journals renew --yes"));
    }
    let mut text = Text::new();
    text.say("This starts a new journal with new keys and carries every entry over, as it stands now and with its author's name.")
        .line();
    text.say("What entries said before stays in the old journal. Everybody else has to be invited again.")
        .line();
    talk(&text, terminal);
    if prompt::confirm("Renew this journal?", terminal) {
        Ok(())
    } else {
        Err(not_wanted())
    }
}
