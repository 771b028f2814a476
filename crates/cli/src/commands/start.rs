//! Starting a journal on this device.

use client::genesis::{Init, InitError, NewRelay};
use client::zone;
use serde::Serialize;

use super::relay::address;
use super::session::Session;
use crate::arguments;
use crate::error::Outcome;
use crate::output::{Answer, Text, json_line};
use crate::prompt;

/// The name of someone who gives none.
const NO_NAME: &str = "me";

/// A journal just started.
#[derive(Serialize)]
struct Started {
    journal: String,
    person: String,
    device: String,
    zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<String>,
}

impl Answer for Started {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say(&format!(
            "Journal {} started for {}, on {}.",
            short(&self.journal),
            self.person,
            self.device
        ))
        .line();
        match &self.relay {
            Some(relay) => text
                .say(&format!("It syncs through {relay}: ebb sync"))
                .line(),
            None => text
                .say("It is on this device only; to sync: ebb relay add URL --token-file FILE")
                .line(),
        };
        text.say("Log how tired you are, 0 to 10: ebb 6").line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut pairs = vec![
            pair("journal", &self.journal),
            pair("person", &self.person),
            pair("device", &self.device),
            pair("zone", &self.zone),
        ];
        pairs.extend(self.relay.as_deref().map(|relay| pair("relay", relay)));
        pairs
    }
}

/// Returns the part of a journal's id that its folder is named by.
pub(super) fn short(journal: &str) -> &str {
    journal.get(..16).unwrap_or(journal)
}

/// Starts a journal.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if there is one already, or it cannot be written, or the relay does not take it.
pub(super) fn init(init: &arguments::Init, session: &Session) -> Outcome<Box<dyn Answer>> {
    let home = session.home()?;
    if !home.journals()?.is_empty() {
        return Err(InitError::Exists.into());
    }
    let relay = init
        .relay
        .as_deref()
        .map(|typed| address(typed, "ebb init --relay"));
    let relay = relay.transpose()?;
    let token = session.token(&init.token)?;
    let asked = || {
        let question = format!("Your name, as others will see it? [{NO_NAME}]");
        session
            .terminal
            .interactive
            .then(|| prompt::ask(&question, &session.terminal))
            .flatten()
    };
    let person = init
        .name
        .clone()
        .or_else(asked)
        .unwrap_or_else(|| NO_NAME.to_owned());
    let here = || zone::of_this_device().and_then(|zone| zone.iana_name().map(str::to_owned));
    let request = Init {
        name: person.clone(),
        device: init.device.clone().unwrap_or_else(|| session.device_name()),
        zone: init
            .zone
            .clone()
            .or_else(here)
            .unwrap_or_else(|| "UTC".to_owned()),
        relay: relay.clone().map(|origin| NewRelay { origin, token }),
    };
    let journal = session.wait(home.init(&request))??;
    let (device, zone) = (request.device, request.zone);
    Ok(Box::new(Started {
        journal: journal.id().to_string(),
        person,
        device,
        zone,
        relay,
    }))
}
