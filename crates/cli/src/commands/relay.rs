//! The relays of the journal: adding, listing, removing, and choosing the home.

use client::membership::relays::{ListedRelay, Moved};
use client::{Journal, Silent};
use serde::Serialize;

use super::session::Session;
use crate::arguments::Relay;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Text, json_line, warn};

/// A relay, as it is shown.
#[derive(Serialize)]
struct RelayJson {
    url: String,
    home: bool,
}

/// The relays, after something was done.
struct Relays {
    relays: Vec<RelayJson>,
    /// What was done, and to which.
    done: Option<(&'static str, String)>,
}

impl Answer for Relays {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        match &self.done {
            None => json_line(out, &self.relays),
            Some((what, url)) => json_line(
                out,
                &serde_json::json!({ *what: url, "relays": self.relays }),
            ),
        }
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if let Some((what, url)) = &self.done {
            let done = match *what {
                "home" => format!("{url} is the home relay now."),
                "pruned" => {
                    format!("{url} has forgotten what two checked snapshots cover, if it has two.")
                }
                what => format!("{url} {what}."),
            };
            text.say(&done).line();
            if *what == "added" {
                text.say("To send what is here: ebb sync").line();
            }
            return text;
        }
        if self.relays.is_empty() {
            text.say("No relay: this journal is on this device only. To sync: ebb relay add URL")
                .line();
        }
        for relay in &self.relays {
            text.say(&format!(
                "{}{}",
                relay.url,
                if relay.home { "  (home)" } else { "" }
            ))
            .line();
        }
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let done = self
            .done
            .iter()
            .map(|(what, url)| ((*what).to_owned(), url.clone()));
        let relays = self.relays.iter().map(|relay| {
            (
                if relay.home { "home relay" } else { "relay" }.to_owned(),
                relay.url.clone(),
            )
        });
        done.chain(relays).collect()
    }
}

impl From<ListedRelay> for RelayJson {
    fn from(relay: ListedRelay) -> Self {
        Self {
            url: relay.url,
            home: relay.home,
        }
    }
}

/// Adds, lists or removes relays.
///
/// # Errors
/// [`CommandError`] if the address is none, the relay refuses, or the home relay cannot be reached.
pub(super) fn relay(command: &Relay, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let done = match command {
        Relay::List => None,
        Relay::Add { url, token } => {
            let (url, token) = (address(url, "ebb relay add")?, session.token(token)?);
            session.wait(journal.add_relay(&url, token.as_deref()))??;
            Some(("added", url))
        }
        Relay::Remove { url } => {
            let url = address(url, "ebb relay remove")?;
            session.wait(journal.remove_relay(&url))??;
            Some(("removed", url))
        }
        Relay::Home { url } => {
            let url = address(url, "ebb relay home")?;
            let moved = session.wait(journal.move_home(&url))??;
            settle(&mut journal, moved, session)?;
            Some(("home", url))
        }
        Relay::Prune { url } => {
            let url = address(url, "ebb relay prune")?;
            session.wait(journal.prune_relay(&url))??;
            Some(("pruned", url))
        }
    };
    let relays = journal.relays()?.into_iter().map(RelayJson::from).collect();
    Ok(Box::new(Relays { relays, done }))
}

/// Brings the other relays up to date after the home was moved, and warns of what may be lost.
fn settle(journal: &mut Journal, moved: Moved, session: &Session) -> Outcome<()> {
    if moved == Moved::WithoutOld {
        let lost = "the old home relay could not be asked: whom it let in or removed since this device's last sync with it is not known here. Take it off the list, or its member log stays behind: ebb relay remove URL";
        warn(lost, &session.terminal);
    }
    if moved != Moved::WasHome
        && let Err(error) = session.wait(journal.sync(&Silent))?
    {
        let message = CommandError::from(error).message;
        let later = format!("the sync with every relay is left to the next ebb sync: {message}");
        warn(&later, &session.terminal);
    }
    Ok(())
}

/// Brings a relay's address into its one form: scheme and host in lower case, no closing slash, no default port. `command`
/// is the line up to the address, for hints.
///
/// # Errors
/// [`CommandError`] if it is no `http` or `https` address of a host alone.
pub(super) fn address(typed: &str, command: &str) -> Outcome<String> {
    let url = typed.trim().to_ascii_lowercase();
    let url = url.trim_end_matches('/');
    let refused = |why: &str| {
        // What stands behind the host may be a secret: the link of an invite, or a password.
        CommandError::new(
            "invalid-address",
            Exit::Usage,
            format!("that is not the address of a relay: {why}"),
        )
        .hint(format!("{command} https://relay.example"))
    };
    let (scheme, host) = url
        .split_once("://")
        .ok_or_else(|| refused("it begins with https:// or http://"))?;
    let default = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Err(refused("it begins with https:// or http://")),
    };
    if host.contains(['/', '?', '#', '@']) {
        return Err(refused(
            "it is a host, with a port if it needs one, and nothing behind it",
        ));
    }
    let host = host.strip_suffix(default).unwrap_or(host);
    if host.is_empty()
        || !host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    {
        return Err(refused("its host is a name or a number"));
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (typed, expected) in [
            ("https://relay.example", "https://relay.example"),
            (" HTTPS://Relay.Example:443/ ", "https://relay.example"),
            ("http://127.0.0.1:8787//", "http://127.0.0.1:8787"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(
                address(typed, "ebb relay add").unwrap(),
                expected,
                "{typed}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_not_repeated() {
        for typed in [
            "relay.example",
            "ftp://secret",
            "https://",
            "https://a/secret",
            "https://x#secret",
            "https://u:secret@x",
            "https://sécret",
        ] {
            let error = address(typed, "ebb relay add").unwrap_err();
            assert_eq!(error.exit, Exit::Usage);
            assert!(!error.to_string().contains("cret"), "{error}");
        }
    }
}
