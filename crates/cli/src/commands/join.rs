//! Joining a journal by a link. The link is a secret: it can come from stdin or a file, and is never shown again.

use serde::Serialize;

use super::session::{self, Session};
use super::start::short;
use super::sync;
use crate::arguments;
use crate::error::{CommandError, Outcome};
use crate::failure::quoted;
use crate::output::{Answer, Ink, Text, json_line};

/// A journal just joined.
#[derive(Serialize)]
struct Arrived {
    journal: String,
    person: String,
    /// None while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    device: String,
    fingerprint: String,
    /// Whether an owner must let this device in first.
    waiting: bool,
    log_length: u32,
    log_words: String,
    sync: sync::Report,
    /// What to know when it is not the only journal here.
    #[serde(skip)]
    several: Option<String>,
}

/// Returns what an owner types to let a device in.
pub(super) fn approve(fingerprint: &str) -> String {
    format!("ebb members approve {fingerprint}    (an owner, on a device that is in)")
}

impl Arrived {
    /// Says that an owner must let this device in.
    fn waiting(&self) -> Text {
        let (journal, fingerprint) = (short(&self.journal), &self.fingerprint);
        let mut text = Text::new();
        text.say(&format!(
            "Asked to join journal {journal}. An owner must let this device in; until then it reads nothing."
        ))
        .line();
        text.say("Fingerprint of this device: ")
            .ink(fingerprint, Ink::Bold)
            .line();
        text.say(
            "Read it to the owner, by voice or side by side. If theirs shows the same, they type:",
        )
        .line();
        text.say(&format!(
            "  ebb members approve {fingerprint} --device {}",
            quoted(&self.device)
        ))
        .line();
        text.say("Then here: ebb sync").line();
        text
    }
}

impl Answer for Arrived {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        let Some(role) = &self.role else {
            return self.waiting();
        };
        let (journal, device) = (short(&self.journal), &self.device);
        text.say(&format!(
            "Joined journal {journal} as {} ({role}), on {device}.",
            self.person
        ))
        .line();
        text.say(&format!(
            "Member log: length {}, head \"{}\".",
            self.log_length, self.log_words
        ));
        text.say(" On your other device, `ebb status` shows the same words.")
            .line();
        text.say(&self.sync.line()).line();
        if let Some(several) = &self.several {
            text.say(several).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let Some(role) = &self.role else {
            return vec![
                pair("journal", self.journal.clone()),
                pair("state", "waiting for an owner".to_owned()),
                pair("fingerprint", self.fingerprint.clone()),
                pair(
                    "next",
                    format!(
                        "ebb members approve {} --device {}    (an owner, on a device that is in); then here: ebb sync",
                        self.fingerprint,
                        quoted(&self.device)
                    ),
                ),
            ];
        };
        vec![
            pair("journal", self.journal.clone()),
            pair("person", self.person.clone()),
            pair("role", role.clone()),
            pair("device", self.device.clone()),
            pair("fingerprint", self.fingerprint.clone()),
            pair("member log records", self.log_length.to_string()),
            pair("member log words", self.log_words.clone()),
            pair("sync", self.sync.line()),
        ]
    }
}

/// Joins a journal.
///
/// # Errors
/// [`CommandError`] if the link does not admit this device, or the relay cannot be reached.
pub(super) fn join(join: &arguments::Join, session: &Session) -> Outcome<Box<dyn Answer>> {
    let link = match (&join.link, &join.link_file) {
        (Some(link), _) if link == "-" => session::stdin_text()?,
        (Some(link), _) => link.clone(),
        (None, Some(path)) => session::file_text(path)?,
        (None, None) => {
            return Err(CommandError::usage("the link is missing").hint("ebb join LINK"));
        }
    };
    let home = session.home()?;
    // The link may name the device; this computer's name is for when neither does.
    let (name, fallback) = (join.name.as_deref(), session.device_name());
    let progress = session.progress("receiving");
    let joined = session.wait(home.join(link.trim(), name, &fallback, progress.as_ref()))?;
    drop(progress);
    let (journal, joined) = joined?;
    let all = home.journals()?.len();
    let about = journal.about()?;
    let several = (all > 1).then(|| {
        format!(
            "This device follows {all} journals now: ebb journals shows them, ebb -j {} means this one.",
            quoted(&about.patient)
        )
    });
    Ok(Box::new(Arrived {
        journal: journal.id().to_string(),
        person: joined.person,
        role: joined.role.map(|role| role.to_string()),
        device: match joined.role {
            Some(_) => about.device,
            // It has no key yet to say its name with: an owner gives it, when letting it in.
            None => name.unwrap_or(&fallback).to_owned(),
        },
        waiting: joined.role.is_none(),
        fingerprint: joined.fingerprint,
        log_length: joined.log_length,
        log_words: joined.words,
        sync: joined.sync.into(),
        several,
    }))
}
