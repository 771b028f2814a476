//! The link that lets one more device in: another of one's own, or the first of another person.

use client::membership::invite::{Invited, Role, Share};
use jiff::{SignedDuration, Span, Zoned};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use super::instant::rfc_3339;
use super::session::Session;
use crate::arguments::{self, RoleName};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure::quoted;
use crate::output::{Answer, Text, json_line};

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Contributor => Self::Contributor,
            RoleName::Reader => Self::Reader,
        }
    }
}

/// Says what a role lets someone do.
pub(super) fn rights(role: Role) -> &'static str {
    match role {
        Role::Owner => {
            "reads and writes everything, and lets people in and removes them, you as well"
        }
        Role::Contributor => "reads everything, and writes entries",
        Role::Reader => "reads everything, and writes nothing",
    }
}

/// Says a role with its article.
pub(super) fn a_role(role: Role) -> String {
    let article = if role == Role::Owner { "an" } else { "a" };
    format!("{article} {role}")
}

/// A link that lets a device in.
struct Link {
    invited: Invited,
    /// Whom it lets in, if it is another person.
    share: Option<Share>,
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
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            role: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            approve: Option<bool>,
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
                name: self.share.as_ref().map(|share| share.name.as_str()),
                role: self.share.as_ref().map(|share| share.role.to_string()),
                approve: self.share.as_ref().map(|share| share.approve),
            },
        )
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.raw_line(&self.invited.link);
        if let Some(drawing) = self.drawn.then(|| drawing(&self.invited.link)).flatten() {
            text.line().raw_line(&drawing).line();
        }
        text.say(&format!(
            "On {} device: ebb join LINK",
            self.share
                .as_ref()
                .map_or("the other".to_owned(), |share| format!("{}'s", share.name))
        ))
        .line();
        text.say(&format!(
            "It works once, until {}. Fingerprint {}.",
            self.until(),
            self.invited.fingerprint
        ))
        .line();
        for sentence in self.meaning() {
            text.say(&sentence).line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut pairs = vec![
            pair("link", &self.invited.link),
            pair("works until", &self.until()),
            pair("fingerprint", &self.invited.fingerprint),
        ];
        if let Some(share) = &self.share {
            pairs.push(pair("name", &share.name));
            pairs.push(pair("role", &share.role.to_string()));
        }
        pairs.push(pair("next", "on the other device: ebb join LINK"));
        let meaning = self.meaning();
        pairs.extend(meaning.iter().map(|sentence| pair("note", sentence)));
        pairs
    }
}

impl Link {
    /// Says what the link gives to whoever has it.
    fn meaning(&self) -> Vec<String> {
        const CARE: &str = "show it to nobody else";
        let Some(share) = &self.share else {
            return vec![format!(
                "Whoever has this link can join and read everything: {CARE}."
            )];
        };
        let (name, role) = (&share.name, share.role);
        let mut meaning = vec![format!(
            "{name} will be {}: {}, from the first entry on.",
            a_role(role),
            rights(role)
        )];
        meaning.push(if share.approve {
            format!(
                "The device then waits. Compare its fingerprint with {name}, and let it in: ebb members approve {}",
                quoted(name)
            )
        } else {
            format!("Whoever uses this link first is let in as {name}: {CARE}.")
        });
        meaning
    }

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
        share: None,
        now: session.now(),
        drawn: session.terminal.drawing,
    }))
}

/// Makes a link for another person.
///
/// # Errors
/// [`CommandError`] if the home relay cannot be reached, or this device is none of an owner.
pub(super) fn share(share: &arguments::Share, session: &Session) -> Outcome<Box<dyn Answer>> {
    let open_for = share
        .expires
        .as_deref()
        .map(|span| open_for(span, &session.now()))
        .transpose()?;
    let share = Share {
        name: share.name.trim().to_owned(),
        role: share.role.into(),
        open_for,
        approve: share.approve,
    };
    let mut journal = session.open()?;
    let invited = session.wait(journal.share(&share))??;
    Ok(Box::new(Link {
        invited,
        share: Some(share),
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
            share: None,
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

    #[test]
    fn a_shared_link_says_what_it_lets_someone_do() {
        let shown = |role, approve| {
            let link = Link {
                invited: Invited {
                    link: "https://relay.example/j#s".to_owned(),
                    expires_at: "2026-11-29T11:40:00Z".parse().unwrap(),
                    fingerprint: "12ab-34cd-56ef".to_owned(),
                },
                share: Some(Share {
                    name: "Sam".to_owned(),
                    role,
                    open_for: None,
                    approve,
                }),
                now: "2026-11-22T12:00[Europe/Berlin]".parse().unwrap(),
                drawn: false,
            };
            let mut json = Vec::new();
            link.json(&mut json).unwrap();
            let json = String::from_utf8(json).unwrap();
            format!("{}{json}", link.human().rendered(false))
        };
        insta::assert_snapshot!(shown(Role::Reader, false), @r#"
        https://relay.example/j#s
        On Sam's device: ebb join LINK
        It works once, until Sun 29 Nov 2026 12:40. Fingerprint 12ab-34cd-56ef.
        Sam will be a reader: reads everything, and writes nothing, from the first entry on.
        Whoever uses this link first is let in as Sam: show it to nobody else.
        {"link":"https://relay.example/j#s","expires_at":"2026-11-29T11:40:00Z","fingerprint":"12ab-34cd-56ef","name":"Sam","role":"reader","approve":false}
        "#);
        insta::assert_snapshot!(shown(Role::Owner, true), @r#"
        https://relay.example/j#s
        On Sam's device: ebb join LINK
        It works once, until Sun 29 Nov 2026 12:40. Fingerprint 12ab-34cd-56ef.
        Sam will be an owner: reads and writes everything, and lets people in and removes them, you as well, from the first entry on.
        The device then waits. Compare its fingerprint with Sam, and let it in: ebb members approve Sam
        {"link":"https://relay.example/j#s","expires_at":"2026-11-29T11:40:00Z","fingerprint":"12ab-34cd-56ef","name":"Sam","role":"owner","approve":true}
        "#);
    }
}
