//! The journals on this device: whose they are, which is meant, and leaving or erasing one.

use client::membership::invite::Role;
use client::status::{About, Standing};
use client::{Home, JournalSummary};
use serde::Serialize;

use super::done::Done;
use super::people::{state, table};
use super::remove::not_wanted;
use super::renew;
use super::session::Session;
use crate::arguments::{self, JournalsCommand};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure::quoted;
use crate::output::{Answer, Text, json_line, talk, warn};
use crate::prompt;

/// A journal on this device, as it is shown.
#[derive(Serialize)]
struct JournalJson {
    label: String,
    /// Whether it is the one meant when none is named.
    default: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    about: Option<AboutJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What could be read of it.
#[derive(Serialize)]
struct AboutJson {
    journal: String,
    patient: String,
    person: String,
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    state: &'static str,
    unsent: u64,
}

impl From<About> for AboutJson {
    fn from(about: About) -> Self {
        Self {
            journal: about.journal,
            patient: about.patient,
            person: about.person,
            device: about.device,
            role: about.role.map(|role| role.to_string()),
            state: if about.erased {
                "erased"
            } else {
                state(about.standing)
            },
            unsent: about.unsent,
        }
    }
}

impl JournalJson {
    fn read(summary: &JournalSummary, home: &Home, default: bool) -> Self {
        let opened = home.open(Some(&summary.label)).map_err(CommandError::from);
        let about = opened.and_then(|journal| Ok(journal.about()?));
        let problem = about.as_ref().err().map(|error| error.message.clone());
        Self {
            label: summary.label.clone(),
            default,
            about: about.ok().map(AboutJson::from),
            problem,
        }
    }

    fn cells(&self) -> Vec<String> {
        let default = if self.default { "default" } else { "" };
        let Some(about) = &self.about else {
            let problem = self.problem.clone().unwrap_or_default();
            return vec!["?".to_owned(), self.label.clone(), problem];
        };
        let role = match (about.state, &about.role) {
            ("member", Some(role)) => role.as_str(),
            (state, _) => state,
        };
        let unsent = match about.unsent {
            0 => String::new(),
            count => format!("{count} not sent"),
        };
        vec![
            format!("{}'s", about.patient),
            self.label.clone(),
            role.to_owned(),
            format!("as {} on {}", about.person, about.device),
            unsent,
            default.to_owned(),
        ]
    }
}

/// The journals on this device.
struct All(Vec<JournalJson>);

impl Answer for All {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, &self.0)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        table(
            &mut text,
            &self.0.iter().map(JournalJson::cells).collect::<Vec<_>>(),
        );
        match self.0.as_slice() {
            [] => {
                text.say("No journal is on this device. To start one: ebb init; to follow one: ebb join LINK")
                    .line();
            }
            [_] => {}
            [one, ..] => {
                let name = one.about.as_ref().map(|about| about.patient.as_str());
                let name = name.unwrap_or(&one.label);
                text.say(&format!("For one command: ebb -j {}", quoted(name)))
                    .line();
                if !self.0.iter().any(|one| one.default) {
                    text.say(&format!(
                        "For all that name none: ebb journals default {}",
                        quoted(name)
                    ))
                    .line();
                }
            }
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut pairs = Vec::new();
        for one in &self.0 {
            pairs.push(pair("", ""));
            pairs.push(pair("journal", &one.label));
            pairs.push(pair("default", if one.default { "yes" } else { "no" }));
            if let Some(about) = &one.about {
                pairs.push(pair("of", &about.patient));
                pairs.push(pair("person", &about.person));
                pairs.push(pair("device", &about.device));
                pairs.push(pair("role", about.role.as_deref().unwrap_or(about.state)));
                pairs.push(pair("state", about.state));
                pairs.push(pair("not sent yet", &about.unsent.to_string()));
            }
            let problem = one.problem.as_ref();
            pairs.extend(problem.map(|problem| pair("problem", problem)));
        }
        pairs
    }
}

/// Lists the journals on this device, chooses the one that is meant, leaves one, or erases one.
///
/// # Errors
/// [`CommandError`] if a journal cannot be read, or what was asked was not confirmed or is not permitted.
pub(super) fn journals(
    journals: &arguments::Journals,
    session: &Session,
) -> Outcome<Box<dyn Answer>> {
    match &journals.command {
        None => list(session),
        Some(JournalsCommand::Default { name }) => choose(name, session),
        Some(JournalsCommand::Renew(request)) => renew::renew(request, session),
        Some(JournalsCommand::Erase { yes }) => erase(*yes, session),
        Some(JournalsCommand::Leave { yes }) => leave(*yes, session),
    }
}

fn list(session: &Session) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    let (all, chosen) = (home.journals()?, home.chosen()?);
    let default = |one: &JournalSummary| all.len() == 1 || chosen.as_ref() == Some(&one.label);
    let shown = all
        .iter()
        .map(|one| JournalJson::read(one, &home, default(one)));
    Ok(Box::new(All(shown.collect())))
}

fn choose(name: &str, session: &Session) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    let journal = home.open(Some(name))?;
    home.choose(&journal)?;
    let (label, patient) = (journal.label(), journal.about()?.patient);
    let document = serde_json::json!({ "default": label, "patient": patient });
    let done = Done::new(document)
        .pair("default", &label)
        .pair("of", &patient);
    let said = format!("Commands that name no journal mean {patient}'s ({label}) from now on.");
    Ok(done.say(&said).answer())
}

fn erase(yes: bool, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let (label, about) = (journal.label(), journal.about()?);
    if about.role != Some(Role::Owner) {
        let message = "only an owner may erase a journal";
        return Err(
            CommandError::new("not-permitted", Exit::NotPermitted, message)
                .hint("ebb journals leave    (takes it off this device only)"),
        );
    }
    if !yes {
        let terminal = &session.terminal;
        if !terminal.interactive {
            return Err(unconfirmed_erase());
        }
        let mut text = Text::new();
        text.say(&format!("This ends {}'s journal {label} for everybody: its relays delete it, and nobody can sync it any more.", about.patient)).line();
        text.say("What is on people's devices stays there, and can be read and exported.")
            .line();
        talk(&text, terminal);
        let typed = prompt::ask(&format!("To erase it, type {label}:"), terminal);
        if typed.as_deref() != Some(label.as_str()) {
            return Err(not_wanted());
        }
    }
    session.wait(journal.erase())??;
    // The other relays of the journal learn of it by a sync, which then fails because the journal is erased.
    match session.wait(journal.sync(&client::Silent))? {
        Ok(_) | Err(client::sync::SyncError::Erased) => {}
        Err(error) => {
            let error = CommandError::from(error);
            let not_all = format!(
                "not every relay knows it yet ({}); the next ebb sync of any member tells them",
                error.message
            );
            warn(&not_all, &session.terminal);
        }
    }
    let done = Done::new(serde_json::json!({ "erased": label })).pair("erased", &label);
    Ok(done
        .say(&format!(
            "The journal {label} is erased. What is on this device can still be read."
        ))
        .next("To take it off this device as well: ebb journals leave")
        .answer())
}

fn unconfirmed_erase() -> CommandError {
    CommandError::usage("erasing a journal must be confirmed")
        .remark("nothing was changed")
        .hint("ebb journals erase --yes    (it cannot be undone)")
}

fn leave(yes: bool, session: &Session) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    let journal = session.open()?;
    let (label, about) = (journal.label(), journal.about()?);
    if !yes && about.unsent > 0 {
        let can_send = about.standing == Standing::Member && !about.erased;
        return Err(unsent(about.unsent, can_send));
    }
    if !yes && session.terminal.interactive {
        let question = format!("Take {}'s journal {label} off this device?", about.patient);
        if !prompt::confirm(&question, &session.terminal) {
            return Err(not_wanted());
        }
    }
    let path = home.leave(journal)?.display().to_string();
    let document = serde_json::json!({
        "left": label,
        "path": path,
        "fingerprint": about.fingerprint,
    });
    let mut done = Done::new(document)
        .pair("left", &label)
        .pair("kept in", &path);
    done = done.say(&format!(
        "{}'s journal {label} is no longer in use on this device.",
        about.patient
    ));
    done = done.say(&format!(
        "Nothing was deleted: its entries and this device's key are in {path}"
    ));
    if about.standing == Standing::Member && !about.erased {
        done = done.next(&format!(
            "This device is still a member. An owner can remove it: ebb remove {}",
            about.fingerprint
        ));
    }
    Ok(done.answer())
}

fn unsent(count: u64, can_send: bool) -> CommandError {
    let message = match count {
        1 => "1 change made on this device is on no relay yet".to_owned(),
        _ => format!("{count} changes made on this device are on no relay yet"),
    };
    let error = CommandError::new("unsent", Exit::CouldNot, message).remark("nothing was changed");
    let error = if can_send {
        error.hint("ebb sync")
    } else {
        error
    };
    error.hint("ebb journals leave --yes    (they stay in the folder that is kept aside)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(label: &str, patient: &str, default: bool, unsent: u64) -> JournalJson {
        let about = About {
            journal: label.repeat(2),
            patient: patient.to_owned(),
            person: "Kim".to_owned(),
            device: "laptop".to_owned(),
            fingerprint: "12ab-34cd-56ef".to_owned(),
            role: Some(Role::Contributor),
            standing: Standing::Member,
            erased: false,
            unsent,
        };
        JournalJson {
            label: label.to_owned(),
            default,
            about: Some(about.into()),
            problem: None,
        }
    }

    #[test]
    fn several_journals_are_told_apart_by_whose_they_are() {
        let damaged = JournalJson {
            label: "ee00ee00ee00ee00".to_owned(),
            default: false,
            about: None,
            problem: Some("the device secret is damaged".to_owned()),
        };
        let (ana, ben) = ("aa00aa00aa00aa00", "bb00bb00bb00bb00");
        let all = All(vec![
            one(ana, "Ana", false, 0),
            one(ben, "Ben", false, 2),
            damaged,
        ]);
        insta::assert_snapshot!(all.human().rendered(false), @r#"
          Ana's  aa00aa00aa00aa00  contributor                   as Kim on laptop
          Ben's  bb00bb00bb00bb00  contributor                   as Kim on laptop  2 not sent
          ?      ee00ee00ee00ee00  the device secret is damaged
        For one command: ebb -j Ana
        For all that name none: ebb journals default Ana
        "#);
        let chosen = All(vec![one(ana, "Ana", true, 0), one(ben, "Ben", false, 0)]);
        insta::assert_snapshot!(chosen.human().rendered(false), @r#"
          Ana's  aa00aa00aa00aa00  contributor  as Kim on laptop    default
          Ben's  bb00bb00bb00bb00  contributor  as Kim on laptop
        For one command: ebb -j Ana
        "#);
        let mut json = Vec::new();
        chosen.json(&mut json).unwrap();
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"[{"label":"aa00aa00aa00aa00","default":true,"journal":"aa00aa00aa00aa00aa00aa00aa00aa00","patient":"Ana","person":"Kim","device":"laptop","role":"contributor","state":"member","unsent":0},{"label":"bb00bb00bb00bb00","default":false,"journal":"bb00bb00bb00bb00bb00bb00bb00bb00","patient":"Ben","person":"Kim","device":"laptop","role":"contributor","state":"member","unsent":0}]"#);
        insta::assert_snapshot!(All(Vec::new()).human().rendered(false), @"No journal is on this device. To start one: ebb init; to follow one: ebb join LINK");
    }

    #[test]
    fn what_is_not_confirmed_says_how_to() {
        insta::assert_snapshot!(unconfirmed_erase(), @r"
        erasing a journal must be confirmed
        nothing was changed
        try: ebb journals erase --yes    (it cannot be undone)
        ");
        insta::assert_snapshot!(unsent(3, true), @r"
        3 changes made on this device are on no relay yet
        nothing was changed
        try: ebb sync
        try: ebb journals leave --yes    (they stay in the folder that is kept aside)
        ");
        insta::assert_snapshot!(unsent(1, false), @r"
        1 change made on this device is on no relay yet
        nothing was changed
        try: ebb journals leave --yes    (they stay in the folder that is kept aside)
        ");
    }
}
