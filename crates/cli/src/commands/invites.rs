//! The invites that are still open, and withdrawing one.

use client::membership::invite::OpenInvite;
use jiff::Zoned;
use serde::Serialize;

use super::done::Done;
use super::instant::Instant;
use super::people::table;
use super::session::Session;
use crate::arguments::{Invites, InvitesCommand};
use crate::error::Outcome;
use crate::output::{Answer, Text, json_line};

/// An invite, as it is shown.
#[derive(Serialize)]
struct InviteJson {
    id: String,
    name: String,
    role: String,
    expires_at: Instant,
    expired: bool,
    approve: bool,
    by: String,
}

impl InviteJson {
    fn new(invite: OpenInvite, now: &Zoned) -> Self {
        Self {
            id: invite.fingerprint,
            name: invite.person,
            role: invite.role.to_string(),
            expires_at: Instant::new(invite.expires_at, now),
            expired: invite.expired,
            approve: invite.approve,
            by: invite.by,
        }
    }
}

impl InviteJson {
    fn cells(&self) -> Vec<String> {
        let until = if self.expired { "expired" } else { "until" };
        let approval = if self.approve { "to be approved" } else { "" };
        vec![
            self.id.clone(),
            format!("for {}", self.name),
            self.role.clone(),
            format!("{until} {}", self.expires_at),
            format!("made on {}", self.by),
            approval.to_owned(),
        ]
    }
}

/// The open invites.
struct Open(Vec<InviteJson>);

impl Answer for Open {
    fn json(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        json_line(out, &self.0)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        if self.0.is_empty() {
            text.say("No link is open. To let someone in: ebb share --name NAME --role ROLE")
                .line();
            return text;
        }
        table(
            &mut text,
            &self.0.iter().map(InviteJson::cells).collect::<Vec<_>>(),
        );
        text.say("To make one worthless: ebb invites withdraw ID")
            .line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let line = |invite: &InviteJson| {
            let cells = invite.cells().into_iter().filter(|cell| !cell.is_empty());
            cells.collect::<Vec<_>>().join(", ")
        };
        let invites = self.0.iter();
        invites
            .map(|invite| ("invite".to_owned(), line(invite)))
            .collect()
    }
}

/// Lists the open invites, or withdraws one.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the journal cannot be read, or the invite cannot be withdrawn.
pub(super) fn invites(invites: &Invites, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    match &invites.command {
        None => {
            let now = session.now();
            let open = journal.invites()?.into_iter();
            let open = open.map(|invite| InviteJson::new(invite, &now));
            Ok(Box::new(Open(open.collect())))
        }
        Some(InvitesCommand::Withdraw { id }) => {
            session.wait(journal.withdraw_invite(id))??;
            let done = Done::new(serde_json::json!({ "withdrawn": id })).pair("withdrawn", id);
            let said = format!("The invite {id} is withdrawn: its link lets nobody in any more.");
            Ok(done.say(&said).answer())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instant::noon;
    use super::*;

    #[test]
    fn open_invites_are_shown_with_what_they_give() {
        let invite = |person: &str, expired, approve| {
            let invite = OpenInvite {
                fingerprint: "12ab-34cd-56ef".to_owned(),
                person: person.to_owned(),
                role: client::membership::invite::Role::Contributor,
                expires_at: "2026-11-29T11:40:00Z".parse().unwrap(),
                expired,
                by: "laptop".to_owned(),
                approve,
            };
            InviteJson::new(invite, &noon())
        };
        let open = Open(vec![invite("Sam", false, true), invite("Kim", true, false)]);
        insta::assert_snapshot!(open.human().rendered(false), @r"
          12ab-34cd-56ef  for Sam  contributor  until Sun 29 Nov 12:40    made on laptop  to be approved
          12ab-34cd-56ef  for Kim  contributor  expired Sun 29 Nov 12:40  made on laptop
        To make one worthless: ebb invites withdraw ID
        ");
        insta::assert_snapshot!(Open(Vec::new()).human().rendered(false), @"No link is open. To let someone in: ebb share --name NAME --role ROLE");
        let mut json = Vec::new();
        open.json(&mut json).unwrap();
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"[{"id":"12ab-34cd-56ef","name":"Sam","role":"contributor","expires_at":"2026-11-29T11:40:00Z","expired":false,"approve":true,"by":"laptop"},{"id":"12ab-34cd-56ef","name":"Kim","role":"contributor","expires_at":"2026-11-29T11:40:00Z","expired":true,"approve":false,"by":"laptop"}]"#);
    }
}
