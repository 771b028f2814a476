//! Taking rights away: removing people and devices, and changing roles. Both say plainly what they cannot do.

use client::membership::invite::Role;
use client::membership::removal::{Removal, Removed};

use super::done::Done;
use super::link::{a_role, rights};
use super::session::Session;
use crate::arguments::{Remove, SetRole};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Text, talk};
use crate::prompt;

/// What a removal does.
const FROM_NOW_ON: &str = "They receive nothing that is written from now on, and nothing that they write then comes into the journal.";
/// What no removal can do.
const KEPT: &str = "What they have already, they keep: nothing on their devices can be taken back.";

/// Removes a person or a device.
///
/// # Errors
/// [`CommandError`] if nobody is called so, it is not wanted after all, or the home relay cannot be reached.
pub(super) fn remove(target: &Remove, session: &Session) -> Outcome<Box<dyn Answer>> {
    let how = Removal {
        keep_enrolled: target.keep_enrolled,
        keep_phrase: target.keep_phrase,
    };
    let mut journal = session.open()?;
    if session.terminal.interactive && !target.yes {
        let planned = journal.would_remove(&target.name, how)?;
        let mut text = Text::new();
        for sentence in plan(&planned) {
            text.say(&sentence).line();
        }
        talk(&text, &session.terminal);
        if !prompt::confirm("Remove?", &session.terminal) {
            return Err(not_wanted());
        }
    }
    let removed = session.wait(journal.remove(&target.name, how))??;
    Ok(gone(&removed).answer())
}

/// Makes the error of someone who was asked and said no.
pub(super) fn not_wanted() -> CommandError {
    CommandError::new(
        "not-confirmed",
        Exit::CouldNot,
        "nothing was changed: it was not confirmed",
    )
}

/// Says what will leave.
fn plan(planned: &Removed) -> Vec<String> {
    let mut plan = vec!["This removes:".to_owned()];
    let devices = planned.devices.iter();
    plan.extend(devices.map(|device| {
        let with_it = planned.enrolled.contains(device);
        let why = if with_it {
            "    (let in by a device that goes; --keep-enrolled keeps it)"
        } else {
            ""
        };
        format!("  {device}{why}")
    }));
    if planned.invites > 0 {
        plan.push(format!("  {}", invites(planned.invites)));
    }
    if planned.phrase {
        plan.push(
            "  the recovery phrase, which a removed owner may have seen (--keep-phrase keeps it)"
                .to_owned(),
        );
    }
    plan.push(FROM_NOW_ON.to_owned());
    plan.push(KEPT.to_owned());
    plan
}

fn invites(count: usize) -> String {
    match count {
        1 => "1 open invite".to_owned(),
        _ => format!("{count} open invites"),
    }
}

/// Says what has left.
pub(super) fn gone(removed: &Removed) -> Done {
    let document = serde_json::json!({
        "devices": removed.devices,
        "enrolled": removed.enrolled,
        "invites": removed.invites,
        "phrase": removed.phrase,
    });
    let mut done = Done::new(document);
    done = match removed.devices.as_slice() {
        [] => done.say("Removed."),
        devices => done.say(&format!("Removed: {}.", devices.join("; "))),
    };
    for device in &removed.devices {
        done = done.pair("removed", device);
    }
    if removed.invites > 0 {
        let withdrawn = invites(removed.invites);
        done = done.pair("withdrawn", &withdrawn);
        done = done.say(&format!("Withdrawn with them: {withdrawn}."));
    }
    if !removed.enrolled.is_empty() {
        let with_them = removed.enrolled.join("; ");
        done = done.pair("let in by a removed device", &with_them);
        done = done.say(&format!(
            "Let in by a removed device, and so removed with it: {with_them}. To let someone in again: ebb share"
        ));
    }
    done = done.say(FROM_NOW_ON);
    done = done.say(KEPT);
    if removed.phrase {
        done = done.pair("recovery phrase", "removed");
        done = done.next(
            "The recovery phrase went with them; the old sheet is worthless. Make a new one: ebb recovery phrase",
        );
    }
    done
}

/// Changes what a person may do.
///
/// # Errors
/// [`CommandError`] if nobody is called so, or the home relay cannot be reached.
pub(super) fn role(change: &SetRole, session: &Session) -> Outcome<Box<dyn Answer>> {
    let role = Role::from(change.role);
    let mut journal = session.open()?;
    let before = session.wait(journal.set_role(&change.name, role))??;
    Ok(changed(&change.name, before, role).answer())
}

fn changed(name: &str, before: Option<Role>, role: Role) -> Done {
    let document = serde_json::json!({
        "name": name,
        "role": role.to_string(),
        "before": before.map(|before| before.to_string()),
    });
    let mut done = Done::new(document).pair("name", name).pair("role", role);
    let was = before.filter(|before| *before != role).map(a_role);
    let was = was.map_or_else(String::new, |was| format!(", and was {was}"));
    done = done.say(&format!("{name} is {} now{was}.", a_role(role)));
    done = done.say(&format!("{} {}.", capital(a_role(role)), rights(role)));
    if before.is_some_and(Role::may_write) && !role.may_write() {
        done =
            done.say("What was sent so far stays in the journal; what was not sent yet stays on their device.");
    }
    done
}

fn capital(text: String) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_says_what_it_does_and_what_it_does_not() {
        let removed = Removed {
            devices: vec!["Sam, phone".to_owned(), "Kim, tablet".to_owned()],
            enrolled: vec!["Kim, tablet".to_owned()],
            invites: 1,
            phrase: true,
        };
        insta::assert_snapshot!(plan(&removed).join("\n"), @r"
        This removes:
          Sam, phone
          Kim, tablet    (let in by a device that goes; --keep-enrolled keeps it)
          1 open invite
          the recovery phrase, which a removed owner may have seen (--keep-phrase keeps it)
        They receive nothing that is written from now on, and nothing that they write then comes into the journal.
        What they have already, they keep: nothing on their devices can be taken back.
        ");
        insta::assert_snapshot!(gone(&removed).human().rendered(false), @r"
        Removed: Sam, phone; Kim, tablet.
        Withdrawn with them: 1 open invite.
        Let in by a removed device, and so removed with it: Kim, tablet. To let someone in again: ebb share
        They receive nothing that is written from now on, and nothing that they write then comes into the journal.
        What they have already, they keep: nothing on their devices can be taken back.
        The recovery phrase went with them; the old sheet is worthless. Make a new one: ebb recovery phrase
        ");
        let one = Removed {
            devices: vec!["Ana, phone".to_owned()],
            ..Removed::default()
        };
        insta::assert_snapshot!(gone(&one).human().rendered(false), @r"
        Removed: Ana, phone.
        They receive nothing that is written from now on, and nothing that they write then comes into the journal.
        What they have already, they keep: nothing on their devices can be taken back.
        ");
    }

    #[test]
    fn a_change_of_role_says_what_it_means() {
        let said = |before, role| changed("Sam", before, role).human().rendered(false);
        insta::assert_snapshot!(said(Some(Role::Contributor), Role::Reader), @r"
        Sam is a reader now, and was a contributor.
        A reader reads everything, and writes nothing.
        What was sent so far stays in the journal; what was not sent yet stays on their device.
        ");
        insta::assert_snapshot!(said(Some(Role::Reader), Role::Owner), @r"
        Sam is an owner now, and was a reader.
        An owner reads and writes everything, and lets people in and removes them, you as well.
        ");
        insta::assert_snapshot!(said(Some(Role::Reader), Role::Reader), @r"
        Sam is a reader now.
        A reader reads everything, and writes nothing.
        ");
    }

    #[test]
    fn a_no_changes_nothing() {
        insta::assert_snapshot!(not_wanted(), @"nothing was changed: it was not confirmed");
    }
}
