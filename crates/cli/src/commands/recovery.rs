//! The recovery phrase: made, shown once, and asked for before it counts.
//!
//! The phrase goes to the terminal or to stdout and nowhere else: no error, no log and no `Debug` output has it.

use client::membership::invite::Role;
use client::membership::recovery::{RecoveryPhrase, new_phrase, places};
use client::{Journal, Silent};

use super::done::Done;
use super::session::Session;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, Form, Terminal, Text, talk};
use crate::prompt;

/// How many words are asked for.
const ASKED: usize = 3;
/// In how many columns the words stand.
const COLUMNS: usize = 3;
/// What else stands on the sheet, and what the sheet is for.
const KEEP: [&str; 2] = [
    "Write all of it on paper, and keep it as you keep a passport.",
    "Whoever has the words can open this journal.",
];
const USE: &str = "If every device is lost: ebb recover, on a new one.";

/// Where a phrase is good.
struct Sheet {
    relay: String,
    journal: String,
}

/// Makes a recovery phrase a member, after the words were shown and asked for.
///
/// # Errors
/// [`CommandError`] if this device is none of an owner, the words were not confirmed, or the home relay cannot be reached.
pub(super) fn phrase(session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let sheet = sheet(&journal)?;
    // Words that can never count should not be written down.
    session.wait(journal.sync(&Silent))??;
    let phrase = new_phrase();
    let asked = session.terminal.interactive;
    if asked {
        confirmed(&phrase, &sheet, &session.terminal)?;
    }
    session.wait(journal.enrol_phrase(&phrase))??;
    if asked {
        let document = serde_json::json!({ "enrolled": true });
        let done = Done::new(document).pair("recovery phrase", "enrolled");
        return Ok(done
            .say("The recovery phrase counts from now on. It is not shown again.")
            .next(USE)
            .answer());
    }
    Ok(shown(&phrase, &sheet).answer())
}

/// Returns what stands on the sheet beside the words.
fn sheet(journal: &Journal) -> Outcome<Sheet> {
    let about = journal.about()?;
    if about.role != Some(Role::Owner) {
        let message = "a recovery phrase is that of an owner, and this device is not one";
        return Err(
            CommandError::new("not-permitted", Exit::NotPermitted, message)
                .hint("ebb members    (shows who is an owner)"),
        );
    }
    let relays = journal.relays()?;
    let home = relays.into_iter().find(|relay| relay.home);
    let relay = home
        .ok_or(client::membership::member::MemberError::NoRelay)?
        .url;
    Ok(Sheet {
        relay,
        journal: about.journal,
    })
}

/// Returns the words with their numbers, in columns; read downwards.
fn columns(words: &[&str]) -> Vec<String> {
    let rows = words.len().div_ceil(COLUMNS);
    let cell = |place: usize| {
        let word = words.get(place)?;
        Some(format!("{:>2} {word:<9}", place + 1))
    };
    let row = |row: usize| {
        let cells = (0..COLUMNS).filter_map(|column| cell(column * rows + row));
        format!("  {}", cells.collect::<Vec<_>>().join("   "))
            .trim_end()
            .to_owned()
    };
    (0..rows).map(row).collect()
}

/// Returns the lines of the sheet.
fn lines(phrase: &str, sheet: &Sheet) -> Vec<String> {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let mut lines = vec!["The recovery phrase, shown this once:".to_owned()];
    lines.push(String::new());
    lines.extend(columns(&words));
    lines.push(String::new());
    lines.push(format!("  relay    {}", sheet.relay));
    lines.push(format!("  journal  {}", sheet.journal));
    lines.push(String::new());
    lines.extend(KEEP.map(str::to_owned));
    lines
}

/// Answers with the phrase itself, for a script or a printer.
fn shown(phrase: &RecoveryPhrase, sheet: &Sheet) -> Done {
    let phrase = phrase.reveal();
    let document = serde_json::json!({
        "phrase": phrase.as_str(),
        "relay": sheet.relay,
        "journal": sheet.journal,
    });
    let mut done = Done::new(document)
        .pair("phrase", phrase.as_str())
        .pair("relay", &sheet.relay)
        .pair("journal", &sheet.journal);
    for line in lines(&phrase, sheet) {
        done = done.say(&line);
    }
    done.next(USE)
}

/// Shows the phrase, takes it off the screen, and asks for some of its words until they are right.
fn confirmed(phrase: &RecoveryPhrase, sheet: &Sheet, terminal: &Terminal) -> Outcome<()> {
    let phrase = phrase.reveal();
    let words: Vec<&str> = phrase.split_whitespace().collect();
    loop {
        show(&lines(&phrase, sheet), &words, terminal);
        let places: [usize; ASKED] = places(words.len());
        let right = places.iter().all(|place| {
            let answer = prompt::ask(&format!("Word {}?", place + 1), terminal);
            let answer = answer.map(|answer| answer.to_lowercase());
            answer.as_deref() == words.get(*place).copied()
        });
        if right {
            return Ok(());
        }
        let again = "That is another word. Show the phrase again?";
        if !prompt::confirm(again, terminal) {
            let message = "the recovery phrase was not confirmed, and is worthless";
            return Err(CommandError::new("not-confirmed", Exit::CouldNot, message)
                .hint("ebb recovery phrase"));
        }
    }
}

/// Shows the sheet until Enter is pressed, then rubs out its lines, so that the words have to come from paper.
fn show(lines: &[String], words: &[&str], terminal: &Terminal) {
    let mut text = Text::new();
    if terminal.form == Form::Plain {
        // One word a line, for whoever listens to it.
        for (place, word) in words.iter().enumerate() {
            text.say(&format!("word {}: {word}", place + 1)).line();
        }
    }
    let skipped = if terminal.form == Form::Plain {
        words.len() / COLUMNS + 3
    } else {
        0
    };
    for line in lines.iter().skip(skipped) {
        text.say(line).line();
    }
    talk(&text, terminal);
    prompt::ask("Press Enter when it is written down.", terminal);
    if terminal.progress {
        // Up over the sheet and the question (CUU), then erase to the end of the screen (ED).
        let mut rub_out = Text::new();
        rub_out.raw_line(&format!("\u{1b}[{}A\u{1b}[J", lines.len() + 1));
        talk(&rub_out, terminal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon art";

    #[test]
    fn the_sheet_has_all_that_is_needed_to_come_back() {
        let sheet = Sheet {
            relay: "https://relay.example".to_owned(),
            journal: "00ff".repeat(8),
        };
        let phrase: RecoveryPhrase = PHRASE.parse().unwrap();
        let done = shown(&phrase, &sheet);
        insta::assert_snapshot!(done.human().rendered(false), @r"
        The recovery phrase, shown this once:

           1 abandon      9 abandon     17 abandon
           2 abandon     10 abandon     18 abandon
           3 abandon     11 abandon     19 abandon
           4 abandon     12 abandon     20 abandon
           5 abandon     13 abandon     21 abandon
           6 abandon     14 abandon     22 abandon
           7 abandon     15 abandon     23 abandon
           8 abandon     16 abandon     24 art

          relay    https://relay.example
          journal  00ff00ff00ff00ff00ff00ff00ff00ff

        Write all of it on paper, and keep it as you keep a passport.
        Whoever has the words can open this journal.
        If every device is lost: ebb recover, on a new one.
        ");
        let mut json = Vec::new();
        done.json(&mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            json["phrase"],
            PHRASE.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        assert!(!format!("{phrase:?}").contains("abandon"));
    }

    #[test]
    fn the_words_asked_for_are_different_ones() {
        for _ in 0..100 {
            let [a, b, c]: [usize; ASKED] = places(24);
            assert!(a < b && b < c && c < 24, "{a} {b} {c}");
        }
    }
}
