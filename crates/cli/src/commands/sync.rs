//! Syncing, once or for as long as it is left running, and what it says.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use client::Journal;
use client::sync::{SyncError, SyncReport, WatchEvent};
use serde::Serialize;
use tokio::sync::Notify;

use super::join::approve;
use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Form, Text, is_hung_up, json_line, talk, warn};

/// What a sync did.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    sent: u64,
    received: u64,
    from: BTreeMap<String, u64>,
    restored: u64,
    held: u64,
    bytes_sent: u64,
    bytes_received: u64,
    round_trips: u64,
    warnings: Vec<String>,
}

impl From<SyncReport> for Report {
    fn from(report: SyncReport) -> Self {
        Self {
            sent: report.sent,
            received: report.received,
            from: report.from,
            restored: report.restored,
            held: report.held,
            bytes_sent: report.bytes_sent,
            bytes_received: report.bytes_received,
            round_trips: report.round_trips,
            warnings: report.warnings,
        }
    }
}

impl Report {
    /// Says what happened in one line: `sent 14, received 3 from Sam, up to date`.
    pub(super) fn line(&self) -> String {
        let people: Vec<String> = match self.from.len() {
            1 => self.from.keys().cloned().collect(),
            _ => self
                .from
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect(),
        };
        let from = if people.is_empty() {
            String::new()
        } else {
            format!(" from {}", journal::words::joined(&people))
        };
        let mut line = format!("sent {}, received {}{from}", self.sent, self.received);
        if self.restored > 0 {
            line.push_str(&format!(
                ", the relay lost {0} records, restored {0}",
                self.restored
            ));
        }
        if self.held > 0 {
            line.push_str(&format!(", {} held (ebb held)", self.held));
        }
        line + ", up to date"
    }

    /// Tells whether anything moved.
    fn is_news(&self) -> bool {
        self.sent + self.received + self.restored > 0
    }
}

impl Answer for Report {
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }

    fn human(&self) -> Text {
        let mut text = Text::new();
        text.say(&self.line()).line();
        text
    }

    fn plain(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let mut pairs = vec![
            pair("sent", self.sent.to_string()),
            pair("received", self.received.to_string()),
        ];
        pairs.extend(
            self.from
                .iter()
                .map(|(name, count)| pair("from", format!("{name} {count}"))),
        );
        pairs.push(pair("restored", self.restored.to_string()));
        pairs.push(pair("held", self.held.to_string()));
        pairs
    }
}

/// Syncs once.
///
/// # Errors
/// [`CommandError`] if a relay cannot be reached or refuses, or something suspicious was seen.
pub(super) fn sync(session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let progress = session.progress("syncing");
    let report = session.wait(journal.sync(progress.as_ref()))?;
    drop(progress);
    let report = report.map_err(|error| failed(error, &journal))?;
    let report = Report::from(report);
    for warning in &report.warnings {
        warn(warning, &session.terminal);
    }
    Ok(Box::new(report))
}

/// Syncs whenever something is new, until it is stopped or nobody reads what it says.
///
/// # Errors
/// [`CommandError`] for everything but an unreachable relay, which is waited for.
pub(super) fn watch(session: &Session) -> Outcome<()> {
    let mut journal = session.open()?;
    let unheard = Arc::new(Notify::new());
    let stop = unheard.clone();
    let mut first = true;
    let tell = move |event: WatchEvent| {
        let told = tell(event, first, session);
        first = false;
        if told.is_err() {
            stop.notify_one();
        }
    };
    session
        .wait(async {
            tokio::select! {
                done = journal.watch(tell) => done.map(Ok),
                stopped = stopped() => Ok(stopped),
                () = unheard.notified() => Ok(Ok(())),
            }
        })?
        .map_err(|error| failed(error, &journal))?
}

/// Puts a failed sync into words; of a device that waits, with what the owner types for it.
fn failed(error: SyncError, journal: &Journal) -> CommandError {
    let waiting = matches!(error, SyncError::Waiting);
    let made = CommandError::from(error);
    match journal.about() {
        Ok(about) if waiting => CommandError {
            hints: vec![approve(&about.fingerprint)],
            ..made
        },
        _ => made,
    }
}

/// Waits for the signals that end a program.
async fn stopped() -> Outcome<()> {
    let failed = |error: io::Error| {
        CommandError::new(
            "signals",
            Exit::CouldNot,
            format!("signals cannot be waited for: {error}"),
        )
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(failed),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(failed)
}

/// Says what happened while watching, at once.
fn tell(event: WatchEvent, first: bool, session: &Session) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = match (event, session.terminal.form) {
        (WatchEvent::Synced(report), form) => {
            let report = Report::from(report);
            match form {
                Form::Json => json_line(&mut out, &report),
                _ if first || report.is_news() => {
                    writeln!(out, "{}", journal::words::clean(&report.line()))
                }
                _ => Ok(()),
            }
        }
        (WatchEvent::Offline { reason, retry_in }, Form::Json) => {
            #[derive(Serialize)]
            struct Offline {
                offline: String,
                retry_in_seconds: u64,
            }
            json_line(
                &mut out,
                &Offline {
                    offline: reason,
                    retry_in_seconds: retry_in.as_secs(),
                },
            )
        }
        (WatchEvent::Offline { reason, retry_in }, _) => {
            let words = format!(
                "{reason}; your entries are safe on this device; next try in {} s",
                retry_in.as_secs()
            );
            talk(Text::new().say(&words).line(), &session.terminal);
            Ok(())
        }
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if is_hung_up(&error) => Err(error),
        // A full disk behind a redirection is no reason to stop syncing.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sent: u64, from: &[(&str, u64)]) -> Report {
        let from: BTreeMap<String, u64> = from
            .iter()
            .map(|(name, count)| (name.to_string(), *count))
            .collect();
        let received = from.values().sum();
        SyncReport {
            sent,
            received,
            from,
            ..SyncReport::default()
        }
        .into()
    }

    #[test]
    fn a_sync_is_one_line() {
        assert_eq!(
            report(14, &[("Sam", 3)]).line(),
            "sent 14, received 3 from Sam, up to date"
        );
        assert_eq!(report(0, &[]).line(), "sent 0, received 0, up to date");
        let two = report(1, &[("Ana", 2), ("Sam", 3)]);
        assert_eq!(
            two.line(),
            "sent 1, received 5 from Ana 2 and Sam 3, up to date"
        );
        let healed = Report {
            restored: 4,
            held: 1,
            ..report(0, &[])
        };
        assert_eq!(
            healed.line(),
            "sent 0, received 0, the relay lost 4 records, restored 4, 1 held (ebb held), up to date"
        );
    }
}
