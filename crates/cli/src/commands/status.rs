//! The state of this device: what no relay has yet, relays, devices, and what needs care.

use client::membership::invite::Role;
use client::status::{RelayStatus, SecondCopy, Standing, Status};
use jiff::Zoned;
use serde::Serialize;

use super::instant::Instant;
use super::join::approve;
use super::people::{DeviceJson, state, table};
use super::session::Session;
use super::start::short;
use crate::error::Outcome;
use crate::output::{Answer, Ink, Text, counted, json_line};

/// The state, as it is shown.
#[derive(Serialize)]
struct State {
    journal: String,
    person: String,
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    fingerprint: String,
    /// `member`, `waiting`, `removed`, or `erased` of the whole journal.
    state: &'static str,
    entries: u64,
    unsent: u64,
    received: u64,
    held: u64,
    log_length: u32,
    log_words: String,
    relays: Vec<RelayJson>,
    devices: Vec<DeviceJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_bundle: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<VouchedJson>,
    warnings: Vec<String>,
}

/// Who vouches for what this device knows from a snapshot alone.
#[derive(Serialize)]
struct VouchedJson {
    by: String,
    checked_by: Vec<String>,
}

impl VouchedJson {
    fn words(&self) -> String {
        let checked = match self.checked_by.as_slice() {
            [] => "checked by nobody else".to_owned(),
            by => format!("checked by {}", by.join("; ")),
        };
        format!("vouched for by {}; {checked}", self.by)
    }
}

/// A relay, as it is shown.
#[derive(Serialize)]
struct RelayJson {
    url: String,
    home: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_limit: Option<u64>,
}

impl RelayJson {
    fn new(relay: RelayStatus, now: &Zoned) -> Self {
        Self {
            url: relay.url,
            home: relay.home,
            last_sync: relay.last_sync.map(|at| Instant::new(at, now)),
            last_error: relay.last_error,
            quota_used: relay.quota_used,
            quota_limit: relay.quota_limit,
        }
    }
}

impl State {
    fn new(status: Status, now: &Zoned) -> Self {
        let mut warnings = standing(&status);
        warnings.extend(missing(&status));
        let state = if status.erased {
            "erased"
        } else {
            state(status.standing)
        };
        warnings.extend(status.warnings);
        let (relays, devices) = (status.relays.into_iter(), status.devices.into_iter());
        Self {
            journal: status.journal,
            person: status.person,
            device: status.device,
            role: status.role.map(|role| role.to_string()),
            fingerprint: status.fingerprint,
            state,
            entries: status.entries,
            unsent: status.unsent,
            received: status.received,
            held: status.held,
            log_length: status.log_length,
            log_words: status.log_words,
            relays: relays.map(|relay| RelayJson::new(relay, now)).collect(),
            devices: devices.map(|device| DeviceJson::new(device, now)).collect(),
            last_bundle: status.last_bundle.map(|at| Instant::new(at, now)),
            vouched: status.vouched.map(|vouched| VouchedJson {
                by: vouched.by,
                checked_by: vouched.checked_by,
            }),
            warnings,
        }
    }
}

/// Says what this device cannot do any more, or not yet.
fn standing(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    if status.erased {
        warnings.push("this journal was erased by its owner: it syncs no more. What is here can be read: ebb list".to_owned());
        return warnings;
    }
    match status.standing {
        Standing::Member => {}
        Standing::Waiting => warnings.push(format!(
            "this device waits until an owner lets it in: {}",
            approve(&status.fingerprint)
        )),
        Standing::Removed => warnings.push(
            "this device was removed from the journal: it receives and sends nothing any more. What is here can be read: ebb list"
                .to_owned(),
        ),
    }
    warnings
}

/// Says what should be done before it is too late.
fn missing(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    if status.held > 0 {
        let held = status.held;
        warnings.push(format!(
            "{held} received {} held and not in the journal: ebb held",
            if held == 1 {
                "envelope is"
            } else {
                "envelopes are"
            }
        ));
    }
    let no_copy = match status.second_copy {
        SecondCopy::There => None,
        SecondCopy::None => Some(
            "there is no second copy of this journal: no relay, no other device, no bundle. To make one: ebb bundle export FILE, or ebb relay add URL",
        ),
        SecondCopy::NotYet => {
            Some("no sync has succeeded yet, so there is no second copy of this journal: ebb sync")
        }
    };
    warnings.extend(no_copy.map(str::to_owned));
    let owner = status.role == Some(Role::Owner) && !status.erased;
    if owner && !status.relays.is_empty() && !status.phrase {
        warnings.push("there is no recovery phrase: if every device of yours is lost, so is the way into this journal: ebb recovery phrase".to_owned());
    }
    warnings
}

impl RelayJson {
    fn cells(&self) -> Vec<String> {
        let sync = self
            .last_sync
            .as_ref()
            .map_or("never synced".to_owned(), |sync| format!("synced {sync}"));
        let quota = match (self.quota_used, self.quota_limit) {
            (Some(used), Some(limit)) => format!("{} of {} used", size(used), size(limit)),
            _ => String::new(),
        };
        let error = self
            .last_error
            .as_ref()
            .map(|error| format!("last failure: {error}"));
        let home = if self.home { "home" } else { "" };
        vec![
            self.url.clone(),
            home.to_owned(),
            sync,
            quota,
            error.unwrap_or_default(),
        ]
    }
}

/// Says a number of bytes.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

impl Answer for State {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        let role = self.role.as_deref().unwrap_or(self.state);
        text.say(&format!(
            "Journal {}: {} on {}, {role}",
            short(&self.journal),
            self.person,
            self.device
        ))
        .line();
        let (entries, unsent, received) = (self.entries, self.unsent, self.received);
        text.say(&format!(
            "{}; {} not sent yet, {received} received{}",
            counted(entries, "entry", "entries"),
            counted(unsent, "change", "changes"),
            match self.held {
                0 => String::new(),
                held => format!(", {held} held"),
            }
        ))
        .line();
        text.say(&format!(
            "Member log: length {}, head \"{}\"",
            self.log_length, self.log_words
        ))
        .line();
        if let Some(vouched) = &self.vouched {
            text.say(&format!(
                "Earlier entries are known from a snapshot, {}",
                vouched.words()
            ))
            .line();
        }
        text.ink("Relays", Ink::Bold).line();
        if self.relays.is_empty() {
            text.say("  none").line();
        }
        table(
            &mut text,
            &self.relays.iter().map(RelayJson::cells).collect::<Vec<_>>(),
        );
        text.ink("Devices", Ink::Bold).line();
        table(
            &mut text,
            &self
                .devices
                .iter()
                .map(DeviceJson::cells)
                .collect::<Vec<_>>(),
        );
        for warning in &self.warnings {
            text.ink("warning:", Ink::Warn).say(" ").say(warning).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let present = |cells: Vec<String>| {
            cells
                .into_iter()
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut pairs = vec![
            pair("journal", self.journal.clone()),
            pair("person", self.person.clone()),
            pair("device", self.device.clone()),
            pair(
                "role",
                self.role.clone().unwrap_or_else(|| self.state.to_owned()),
            ),
            pair("state", self.state.to_owned()),
            pair("fingerprint", self.fingerprint.clone()),
            pair("entries", self.entries.to_string()),
            pair("not sent yet", self.unsent.to_string()),
            pair("received", self.received.to_string()),
            pair("held", self.held.to_string()),
            pair("member log records", self.log_length.to_string()),
            pair("member log words", self.log_words.clone()),
        ];
        let vouched = self.vouched.iter();
        pairs.extend(vouched.map(|vouched| pair("snapshot", vouched.words())));
        pairs.extend(
            self.relays
                .iter()
                .map(|relay| pair("relay", present(relay.cells()))),
        );
        pairs.extend(
            self.devices
                .iter()
                .map(|device| pair("device", present(device.cells()))),
        );
        pairs.extend(
            self.warnings
                .iter()
                .map(|warning| pair("warning", warning.clone())),
        );
        pairs
    }
}

/// Shows the state of this device.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read.
pub(super) fn status(session: &Session) -> Outcome<Box<dyn Answer>> {
    let status = session.open()?.status()?;
    Ok(Box::new(State::new(status, &session.now())))
}
