//! Who reads and writes the journal, and letting in a device that waits.

use client::membership::invite::Waiting;
use client::status::{Device, Person, Standing};
use jiff::Zoned;
use serde::Serialize;

use super::done::Done;
use super::instant::Instant;
use super::remove::not_wanted;
use super::session::Session;
use crate::arguments::{Members, MembersCommand};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Ink, Text, json_line, widths};
use crate::prompt;

/// A device, as it is shown.
#[derive(Clone, Serialize)]
pub(super) struct DeviceJson {
    name: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// `member`, `waiting` or `removed`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heard: Option<Instant>,
    /// Whether it is a recovery phrase on paper.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paper: bool,
    this: bool,
}

/// A person, as shown.
#[derive(Serialize)]
struct PersonJson {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    devices: Vec<DeviceJson>,
}

impl DeviceJson {
    /// Shows a device to someone for whom it is `now`.
    pub(super) fn new(device: Device, now: &Zoned) -> Self {
        let instant = |at| Instant::new(at, now);
        Self {
            name: device.name,
            fingerprint: device.fingerprint,
            role: device.role.map(|role| role.to_string()),
            state: state(device.standing),
            invited_by: device.invited_by,
            paper: device.paper,
            joined_at: device.joined_at.map(instant),
            last_heard: device.last_heard.map(instant),
            this: device.this,
        }
    }
}

impl PersonJson {
    fn new(person: Person, now: &Zoned) -> Self {
        let devices = person.devices.into_iter();
        Self {
            name: person.name,
            role: person.role.map(|role| role.to_string()),
            devices: devices.map(|device| DeviceJson::new(device, now)).collect(),
        }
    }
}

/// Names a standing.
pub(super) fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Member => "member",
        Standing::Waiting => "waiting",
        Standing::Removed => "removed",
    }
}

impl DeviceJson {
    /// Returns the cells of its row in a table.
    pub(super) fn cells(&self) -> Vec<String> {
        let heard = match (self.this, self.paper, &self.last_heard) {
            (true, ..) => "this device".to_owned(),
            (false, true, _) => "on paper".to_owned(),
            (false, false, Some(heard)) => format!("last heard {heard}"),
            (false, false, None) => "not heard yet".to_owned(),
        };
        vec![
            self.name.clone(),
            self.role.as_deref().unwrap_or(self.state).to_owned(),
            self.fingerprint.clone(),
            heard,
        ]
    }

    /// Returns the cells, and when and by whose invite it joined.
    fn full_cells(&self) -> Vec<String> {
        let mut cells = self.cells();
        let joined = self.joined_at.as_ref();
        let by = self.invited_by.as_ref();
        cells.push(match (joined, by) {
            (Some(at), Some(by)) => format!("joined {at}, invited by {by}"),
            (Some(at), None) => format!("joined {at}"),
            (None, _) => String::new(),
        });
        cells
    }
}

impl PersonJson {
    /// Returns the role, or in what state all of the person's devices are.
    fn standing(&self) -> &str {
        let waiting = |device: &&DeviceJson| device.state == "waiting";
        let state = self.devices.iter().find(waiting).map(|device| device.state);
        let role = self.role.as_deref();
        role.or(state).unwrap_or("removed")
    }

    /// Says how to let in a device that waits.
    fn waiting(&self) -> Option<String> {
        let mut devices = self.devices.iter();
        let device = devices.find(|device| device.state == "waiting")?;
        Some(format!(
            "{} waits. If {}'s device shows the fingerprint {}: ebb members approve {}",
            self.name, self.name, device.fingerprint, device.fingerprint
        ))
    }
}

/// The people of the journal.
struct People(Vec<PersonJson>);

impl Answer for People {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, &self.0)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        for person in &self.0 {
            text.ink(&person.name, Ink::Bold)
                .say(&format!("  {}", person.standing()))
                .line();
            let devices = person.devices.iter();
            table(
                &mut text,
                &devices.map(DeviceJson::full_cells).collect::<Vec<_>>(),
            );
        }
        for waiting in self.0.iter().filter_map(PersonJson::waiting) {
            text.say(&waiting).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut pairs = Vec::new();
        for person in &self.0 {
            pairs.push(pair("", ""));
            pairs.push(pair("person", &person.name));
            pairs.push(pair("role", person.standing()));
            pairs.extend(
                person
                    .devices
                    .iter()
                    .map(|device| pair("device", &device.full_cells().join(", "))),
            );
            let waiting = person.waiting();
            pairs.extend(waiting.map(|waiting| pair("next", &waiting)));
        }
        pairs
    }
}

/// Writes indented rows that line up.
pub(super) fn table(text: &mut Text, rows: &[Vec<String>]) {
    let widths = widths(rows);
    for row in rows {
        text.say("  ")
            .row(&row.iter().map(String::as_str).collect::<Vec<_>>(), &widths);
    }
}

/// Shows the people of the journal, or lets in a device that waits.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read, or the device cannot be let in.
pub(super) fn members(members: &Members, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    match &members.command {
        None => {
            let people = journal.members()?;
            let now = session.now();
            let people = people
                .into_iter()
                .map(|person| PersonJson::new(person, &now));
            Ok(Box::new(People(people.collect())))
        }
        Some(MembersCommand::Approve {
            name,
            fingerprint,
            device,
        }) => {
            let waiting = session.wait(journal.waiting(name))??;
            compare(&waiting, name, fingerprint.as_deref(), session)?;
            let person = &waiting.person;
            let called = device
                .clone()
                .unwrap_or_else(|| format!("{person}'s device"));
            session.wait(journal.approve(&waiting, &called))??;
            let document = serde_json::json!({
                "approved": person, "device": called, "fingerprint": waiting.fingerprint,
            });
            let done = Done::new(document)
                .pair("approved", person)
                .pair("device", &called)
                .pair("fingerprint", &waiting.fingerprint);
            Ok(done
                .say(&format!("{person} is in, on {called}."))
                .next("On that device: ebb sync")
                .answer())
        }
    }
}

/// Makes sure that whoever approves has seen the fingerprint that the device shows: it was typed in full, or is shown and
/// confirmed.
fn compare(waiting: &Waiting, name: &str, typed: Option<&str>, session: &Session) -> Outcome<()> {
    let bare = |text: &str| text.replace(['-', ' '], "").to_lowercase();
    let (person, fingerprint) = (&waiting.person, &waiting.fingerprint);
    let is = |text: &str| bare(text) == bare(fingerprint);
    match typed {
        Some(typed) if is(typed) => Ok(()),
        Some(typed) => Err(other_device(person, typed, fingerprint)),
        None if is(name) => Ok(()),
        None if session.terminal.interactive => {
            let question = format!(
                "A device of {person} waits. It must show the fingerprint {fingerprint} itself, read to you by voice or side by side. Does it?"
            );
            if prompt::confirm(&question, &session.terminal) {
                Ok(())
            } else {
                Err(not_wanted())
            }
        }
        None => Err(not_compared(person, fingerprint)),
    }
}

/// Makes the error of a device that shows another fingerprint.
fn other_device(person: &str, typed: &str, fingerprint: &str) -> CommandError {
    CommandError::new(
        "wrong-fingerprint",
        Exit::NotPermitted,
        format!("the device of {person} that waits has the fingerprint {fingerprint}, not {typed}"),
    )
    .remark("nobody was let in: somebody else may have used the link")
    .hint("ebb members    (shows who waits)")
    .hint(format!(
        "ebb remove {fingerprint}    (turns that device away)"
    ))
}

/// Makes the error of an approval without a look at the fingerprint, where nobody can be asked.
fn not_compared(person: &str, fingerprint: &str) -> CommandError {
    CommandError::usage(format!(
        "the fingerprint must be compared first: the device of {person} that waits has {fingerprint}"
    ))
    .hint(format!(
        "ebb members approve {fingerprint}    (if {person}'s device shows the same)"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::instant::noon;
    use super::*;

    fn device(name: &str, standing: Standing, by: Option<&str>) -> Device {
        Device {
            name: name.to_owned(),
            fingerprint: "12ab-34cd-56ef".to_owned(),
            role: (standing == Standing::Member)
                .then_some(client::membership::invite::Role::Reader),
            joined_at: Some("2026-11-20T08:00:00Z".parse().unwrap()),
            last_heard: None,
            standing,
            invited_by: by.map(str::to_owned),
            paper: false,
            this: by.is_none(),
        }
    }

    fn person(name: &str, devices: Vec<Device>) -> PersonJson {
        let role = devices.iter().filter_map(|device| device.role).max();
        let person = Person {
            name: name.to_owned(),
            role,
            devices,
        };
        PersonJson::new(person, &noon())
    }

    #[test]
    fn a_fingerprint_is_compared_before_anyone_is_let_in() {
        insta::assert_snapshot!(not_compared("Sam", "12ab-34cd-56ef"), @r"
        the fingerprint must be compared first: the device of Sam that waits has 12ab-34cd-56ef
        try: ebb members approve 12ab-34cd-56ef    (if Sam's device shows the same)
        ");
        insta::assert_snapshot!(other_device("Sam", "12ab-34cd-0000", "12ab-34cd-56ef"), @r"
        the device of Sam that waits has the fingerprint 12ab-34cd-56ef, not 12ab-34cd-0000
        nobody was let in: somebody else may have used the link
        try: ebb members    (shows who waits)
        try: ebb remove 12ab-34cd-56ef    (turns that device away)
        ");
    }

    #[test]
    fn people_are_shown_with_how_they_came_and_who_waits() {
        let by = Some("Ana, laptop");
        let people = People(vec![
            person("Ana", vec![device("laptop", Standing::Member, None)]),
            person("Sam", vec![device("phone", Standing::Waiting, by)]),
            person("Kim", vec![device("tablet", Standing::Removed, by)]),
        ]);
        insta::assert_snapshot!(people.human().rendered(false), @r"
        Ana  reader
          laptop  reader  12ab-34cd-56ef  this device  joined Fri 20 Nov 09:00
        Sam  waiting
          phone  waiting  12ab-34cd-56ef  not heard yet  joined Fri 20 Nov 09:00, invited by Ana, laptop
        Kim  removed
          tablet  removed  12ab-34cd-56ef  not heard yet  joined Fri 20 Nov 09:00, invited by Ana, laptop
        Sam waits. If Sam's device shows the fingerprint 12ab-34cd-56ef: ebb members approve 12ab-34cd-56ef
        ");
        let mut json = Vec::new();
        people.json(&mut json).unwrap();
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"[{"name":"Ana","role":"reader","devices":[{"name":"laptop","fingerprint":"12ab-34cd-56ef","role":"reader","state":"member","joined_at":"2026-11-20T08:00:00Z","this":true}]},{"name":"Sam","devices":[{"name":"phone","fingerprint":"12ab-34cd-56ef","state":"waiting","joined_at":"2026-11-20T08:00:00Z","invited_by":"Ana, laptop","this":false}]},{"name":"Kim","devices":[{"name":"tablet","fingerprint":"12ab-34cd-56ef","state":"removed","joined_at":"2026-11-20T08:00:00Z","invited_by":"Ana, laptop","this":false}]}]"#);
    }
}
