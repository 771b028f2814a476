//! Who reads and writes the journal, and the link that lets one more device in.

use client::invite::Invited;
use client::status::{Device, Person};
use jiff::{SignedDuration, Span, Timestamp, Zoned};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Ink, Text, json_line, widths};

/// A device, as it is shown.
#[derive(Clone, Serialize)]
pub(super) struct DeviceJson {
    name: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heard: Option<String>,
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

impl From<Device> for DeviceJson {
    fn from(device: Device) -> Self {
        Self {
            name: device.name,
            fingerprint: device.fingerprint,
            role: device.role.map(|role| role.to_string()),
            joined_at: device.joined_at.map(rfc_3339),
            last_heard: device.last_heard.map(rfc_3339),
            this: device.this,
        }
    }
}

impl From<Person> for PersonJson {
    fn from(person: Person) -> Self {
        Self {
            name: person.name,
            role: person.role.map(|role| role.to_string()),
            devices: person.devices.into_iter().map(DeviceJson::from).collect(),
        }
    }
}

impl DeviceJson {
    /// Returns the cells of its row in a table.
    pub(super) fn cells(&self) -> Vec<String> {
        let role = self.role.as_deref().unwrap_or("removed");
        let heard = match (self.this, &self.last_heard) {
            (true, _) => "this device".to_owned(),
            (false, Some(heard)) => format!("last heard {heard}"),
            (false, None) => "not heard yet".to_owned(),
        };
        vec![
            self.name.clone(),
            role.to_owned(),
            self.fingerprint.clone(),
            heard,
        ]
    }
}

/// Writes an instant in UTC, to the second.
pub(super) fn rfc_3339(instant: Timestamp) -> String {
    format!("{instant:.0}")
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
                .say(&format!(
                    "  {}",
                    person.role.as_deref().unwrap_or("removed")
                ))
                .line();
            let rows: Vec<Vec<String>> = person.devices.iter().map(DeviceJson::cells).collect();
            table(&mut text, &rows);
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut pairs = Vec::new();
        for person in &self.0 {
            pairs.push(pair("", ""));
            pairs.push(pair("person", &person.name));
            pairs.push(pair("role", person.role.as_deref().unwrap_or("removed")));
            pairs.extend(
                person
                    .devices
                    .iter()
                    .map(|device| pair("device", &device.cells().join(", "))),
            );
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

/// Shows the people of the journal.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read.
pub(super) fn members(session: &Session) -> Outcome<Box<dyn Answer>> {
    let people = session.open()?.members()?;
    Ok(Box::new(People(
        people.into_iter().map(PersonJson::from).collect(),
    )))
}

/// A link that lets a device in.
struct Link {
    invited: Invited,
    now: Zoned,
    /// Whether to draw the code that a phone can read.
    drawn: bool,
}

impl Answer for Link {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a> {
            link: &'a str,
            expires_at: String,
            fingerprint: &'a str,
        }
        let Invited {
            link,
            expires_at,
            fingerprint,
        } = &self.invited;
        json_line(
            out,
            &Document {
                link,
                expires_at: rfc_3339(*expires_at),
                fingerprint,
            },
        )
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.raw_line(&self.invited.link);
        if let Some(drawing) = self.drawn.then(|| drawing(&self.invited.link)).flatten() {
            text.line().raw_line(&drawing).line();
        }
        text.say("On the other device: ebb join LINK").line();
        text.say(&format!(
            "It works once, until {}. Fingerprint {}.",
            self.until(),
            self.invited.fingerprint
        ))
        .line();
        text.say("Whoever has this link can join and read everything: show it to nobody else.")
            .line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            pair("link", &self.invited.link),
            pair("works until", &self.until()),
            pair("fingerprint", &self.invited.fingerprint),
            pair("next", "on the other device: ebb join LINK"),
        ]
    }
}

impl Link {
    fn until(&self) -> String {
        let until = self
            .invited
            .expires_at
            .to_zoned(self.now.time_zone().clone());
        until.strftime("%a %-d %b %Y %H:%M").to_string()
    }
}

/// Draws a text as a QR code for a terminal; nothing if it is too long for one.
fn drawing(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Half blocks are drawn in the text's colour: on a dark terminal the light modules must be the drawn ones.
    Some(
        code.render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build(),
    )
}

/// Makes a link for one more device.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the home relay cannot be reached, or the rules do not allow it.
pub(super) fn add_device(
    name: Option<&str>,
    expires: Option<&str>,
    session: &Session,
) -> Outcome<Box<dyn Answer>> {
    let expires = expires
        .map(|span| open_for(span, &session.now()))
        .transpose()?;
    let mut journal = session.open()?;
    let invited = session.wait(journal.add_device(name, expires))??;
    Ok(Box::new(Link {
        invited,
        now: session.now(),
        drawn: session.terminal.drawing,
    }))
}

/// Reads for how long a link works: `7d`, `12h`.
fn open_for(text: &str, now: &Zoned) -> Outcome<SignedDuration> {
    let ends = text
        .parse::<Span>()
        .and_then(|span| now.checked_add(span))
        .map_err(|_| {
            let message = format!("expires is {text}; it must be a span such as 12h or 7d");
            CommandError::new("invalid-value", Exit::Usage, message).hint("--expires 7d")
        })?;
    Ok(now.duration_until(&ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_of_half_blocks() {
        let drawn = drawing("https://relay.example/#abc").unwrap();
        assert!(drawn.chars().all(|c| " ▀▄█\n".contains(c)));
        let lines: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(
            lines.windows(2).all(|pair| pair[0] == pair[1]) && lines.len() > 12,
            "{lines:?}"
        );
        assert_eq!(drawing(&"x".repeat(5000)), None);
    }

    #[test]
    fn a_link_is_shown_with_its_end_and_never_drawn_for_a_pipe() {
        let invited = Invited {
            link: "https://relay.example/j#s".to_owned(),
            expires_at: "2026-11-29T11:40:00Z".parse().unwrap(),
            fingerprint: "12ab-34cd-56ef".to_owned(),
        };
        let link = Link {
            invited,
            now: "2026-11-22T12:00[Europe/Berlin]".parse().unwrap(),
            drawn: false,
        };
        insta::assert_snapshot!(link.human().rendered(false), @r"
        https://relay.example/j#s
        On the other device: ebb join LINK
        It works once, until Sun 29 Nov 2026 12:40. Fingerprint 12ab-34cd-56ef.
        Whoever has this link can join and read everything: show it to nobody else.
        ");
        let mut json = Vec::new();
        link.json(&mut json).unwrap();
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"{"link":"https://relay.example/j#s","expires_at":"2026-11-29T11:40:00Z","fingerprint":"12ab-34cd-56ef"}"#);
    }
}
