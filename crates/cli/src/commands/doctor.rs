//! Checking a journal on this device, and mending what can be mended.

use client::status::doctor::{Finding, Verdict};
use serde_json::json;

use super::done::Done;
use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::Answer;

/// Checks the journal that is meant. Returns the answer, and the failure that it comes to if something is damaged.
///
/// # Errors
/// [`CommandError`] if it is not clear which journal is meant.
pub(super) fn doctor(
    rebuild: bool,
    session: &Session,
) -> Outcome<(Box<dyn Answer>, Option<CommandError>)> {
    let progress = session.progress("checking");
    let name = session.global.journal.as_deref();
    let found = session.home()?.doctor(name, rebuild, progress.as_ref())?;
    drop(progress);
    let bad = found.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok((told(&found), bad.then(damaged)))
}

fn damaged() -> CommandError {
    CommandError::new(
        "damaged-replica",
        Exit::Damaged,
        "the journal on this device is damaged, and the doctor cannot mend it",
    )
    .hint("move that journal's folder away and keep it: it may hold entries that no relay has")
    .hint("ebb device add    (on another device of yours), then here: ebb join LINK")
}

fn verdict(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Good => "good",
        Verdict::Mended => "mended",
        Verdict::Warning => "warning",
        Verdict::Bad => "bad",
    }
}

fn told(found: &[Finding]) -> Box<dyn Answer> {
    let findings: Vec<_> = found
        .iter()
        .map(|finding| {
            json!({ "check": finding.check, "verdict": verdict(finding), "words": finding.words })
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let document = json!({ "version": version, "system": system, "findings": findings });
    let done = Done::new(document)
        .pair("version", version)
        .pair("system", &system)
        .say(&format!("ebb {version} on {system}"));
    let done = found.iter().fold(done, |done, finding| {
        let verdict = verdict(finding);
        done.pair(finding.check, format!("{verdict}: {}", finding.words))
            .say(&format!(
                "{verdict:8} {:11} {}",
                finding.check, finding.words
            ))
    });
    done.say("This names no person, journal, relay or folder: it can be shown to anyone.")
        .answer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_says_what_was_found_and_what_was_done() {
        let finding = |check, verdict, words: &str| Finding {
            check,
            verdict,
            words: words.to_owned(),
        };
        let answer = told(&[
            finding("files", Verdict::Mended, "1 file was open to others"),
            finding("clock", Verdict::Good, "it is right"),
        ]);
        let text = answer.human().rendered(false);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "mended   files       1 file was open to others",
                "good     clock       it is right",
                "This names no person, journal, relay or folder: it can be shown to anyone.",
            ]
        );
    }
}
