//! What was received and is not in the journal, and keeping it.

use client::membership::held::Held;
use serde::Serialize;

use super::done::Done;
use super::session::Session;
use crate::arguments::{self, HeldCommand};
use crate::error::Outcome;
use crate::output::{Answer, Text, json_line};

/// A held envelope, as it is shown.
#[derive(Serialize)]
struct HeldJson {
    id: String,
    person: String,
    device: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<String>>,
}

impl From<Held> for HeldJson {
    fn from(held: Held) -> Self {
        Self {
            id: held.id,
            person: held.person,
            device: held.device,
            reason: held.reason,
            entries: held.entries,
        }
    }
}

impl HeldJson {
    fn content(&self) -> String {
        match &self.entries {
            None => "cannot be opened".to_owned(),
            Some(entries) if entries.len() == 1 => "1 entry".to_owned(),
            Some(entries) => format!("{} entries", entries.len()),
        }
    }
}

/// What is held.
struct Aside(Vec<HeldJson>);

impl Answer for Aside {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, &self.0)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.0.is_empty() {
            text.say("Nothing is held: all that was received is in the journal.")
                .line();
            return text;
        }
        for held in &self.0 {
            text.say(&format!(
                "{}  {}, {}: {}; {}",
                held.id,
                held.person,
                held.device,
                held.content(),
                held.reason
            ))
            .line();
        }
        if self.0.iter().any(|held| held.entries.is_some()) {
            text.say("To record one in the journal, under its author's name: ebb held keep ID")
                .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let mut pairs = Vec::new();
        for held in &self.0 {
            pairs.push(pair("", String::new()));
            pairs.push(pair("held", held.id.clone()));
            pairs.push(pair("person", held.person.clone()));
            pairs.push(pair("device", held.device.clone()));
            pairs.push(pair("reason", held.reason.clone()));
            pairs.push(pair("content", held.content()));
        }
        pairs
    }
}

/// Shows what is held, or keeps some of it.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if nothing is held so, or this device may not write.
pub(super) fn held(held: &arguments::Held, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    match &held.command {
        None => {
            let held = journal.held()?.into_iter().map(HeldJson::from);
            Ok(Box::new(Aside(held.collect())))
        }
        Some(HeldCommand::Keep { id }) => {
            let kept = journal.keep_held(id)?;
            let done = Done::new(serde_json::json!({ "kept": kept })).pair("kept", kept);
            let entries = if kept == 1 { "1 entry" } else { "entries" };
            let said = match kept {
                0 => "The journal says all of it already.".to_owned(),
                1 => format!("{entries} is in the journal now."),
                _ => format!("{kept} {entries} are in the journal now."),
            };
            Ok(done.say(&said).next("To send it: ebb sync").answer())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_shown_with_its_reason() {
        let held = |entries: Option<Vec<String>>| {
            HeldJson::from(Held {
                id: "3f2a11bc90de".to_owned(),
                person: "Sam".to_owned(),
                device: "phone".to_owned(),
                reason: "written after its author was removed".to_owned(),
                entries,
            })
        };
        let aside = Aside(vec![held(Some(vec!["a".to_owned()])), held(None)]);
        insta::assert_snapshot!(aside.human().rendered(false), @r"
        3f2a11bc90de  Sam, phone: 1 entry; written after its author was removed
        3f2a11bc90de  Sam, phone: cannot be opened; written after its author was removed
        To record one in the journal, under its author's name: ebb held keep ID
        ");
        insta::assert_snapshot!(Aside(Vec::new()).human().rendered(false), @"Nothing is held: all that was received is in the journal.");
    }
}
