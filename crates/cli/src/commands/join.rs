//! Joining a journal by a link. The link is a secret: it can come from stdin or a file, and is never shown again.

use client::join::Joined;
use serde::Serialize;

use super::session::{self, Session};
use super::start::short;
use super::sync;
use crate::arguments;
use crate::error::{CommandError, Outcome};
use crate::output::{Answer, Text, json_line};

/// A journal just joined.
#[derive(Serialize)]
struct Arrived {
    journal: String,
    person: String,
    role: String,
    device: String,
    log_length: u32,
    log_words: String,
    sync: sync::Report,
}

impl Answer for Arrived {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        let (journal, device) = (short(&self.journal), &self.device);
        text.say(&format!(
            "Joined journal {journal} as {} ({}), on {device}.",
            self.person, self.role
        ))
        .line();
        text.say(&format!(
            "Member log: {} records, head \"{}\".",
            self.log_length, self.log_words
        ));
        text.say(" On your other device, `ebb status` shows the same words.")
            .line();
        text.say(&self.sync.line()).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        vec![
            pair("journal", self.journal.clone()),
            pair("person", self.person.clone()),
            pair("role", self.role.clone()),
            pair("device", self.device.clone()),
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
    let Joined {
        person,
        role,
        log_length,
        words,
        sync,
        ..
    } = joined;
    let device = journal.status()?.device;
    Ok(Box::new(Arrived {
        journal: journal.id().to_string(),
        person,
        role: role.map(|role| role.to_string()).unwrap_or_default(),
        device,
        log_length,
        log_words: words,
        sync: sync.into(),
    }))
}
