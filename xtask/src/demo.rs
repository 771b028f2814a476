//! `cargo xtask demo`: two devices, one relay, one journal, before your eyes.
//!
//! Plays in a temporary folder with a real relay on loopback, and leaves nothing behind. Fails if anything shown does
//! not hold: an exit code, the equality of the two journals, or a readable word in what the relay keeps.

use std::path::Path;

use crate::binaries::Binaries;
use crate::failure::Failure;
use crate::process;
use crate::scene::{Home, Relay, text};

/// What is logged on each device while the relay is down.
const LAPTOP: [&[&str]; 3] = [
    &["6", "arms", "legs", "after the stairs"],
    &["dose", "amifampridine", "10mg"],
    &["note", "slept badly, rain all night"],
];
const PHONE: [&[&str]; 3] = [
    &[
        "activity", "walking", "20m", "--effort", "5", "--area", "legs",
    ],
    &["4", "hands", "better after lunch"],
    &["note", "ask about the third dose"],
];

/// Words that stand in the journal, in the names of people and devices, and in the kinds of entries. Long enough not to
/// turn up in random bytes.
const SECRETS: [&str; 11] = [
    "after the stairs",
    "amifampridine",
    "slept badly",
    "walking",
    "better after lunch",
    "third dose",
    "Anneliese",
    "ask about",
    "rain all night",
    "Phone in the bag",
    "fatigue",
];

/// The exit code of "the relay is not reachable, local data is safe".
const UNREACHABLE: i32 = 4;

/// Plays the whole story.
pub(crate) fn run() -> Result<(), Failure> {
    let binaries = Binaries::debug()?;
    let folder = tempfile::tempdir().map_err(Failure::file("a temporary folder"))?;
    let mut story = Story::begin(&binaries, folder.path())?;
    story.log_while_the_relay_is_down()?;
    story.sync_both()?;
    story.compare()?;
    story.search_the_relay()?;
    println!("\nDone. Nothing of this stays on your machine.");
    Ok(())
}

struct Story {
    laptop: Home,
    phone: Home,
    relay: Relay,
    chapter: usize,
}

impl Story {
    fn begin(binaries: &Binaries, folder: &Path) -> Result<Self, Failure> {
        let ebb = binaries.path("ebb")?;
        let mut story = Self {
            laptop: Home::new(ebb, folder.join("laptop"))?,
            phone: Home::new(ebb, folder.join("phone"))?,
            relay: Relay::start(binaries.path("ebb-relay")?, folder.join("relay"))?,
            chapter: 0,
        };
        story.say(&format!(
            "A relay is running on {}. It keeps what it is given and can read none of it.",
            story.relay.url()
        ));

        story.say("The laptop begins a journal.");
        let (url, token) = (story.relay.url(), story.relay.token());
        let init = [
            "init",
            "--name",
            "Anneliese",
            "--relay",
            url,
            "--token",
            token,
        ];
        let journal = text(&story.laptop.json(&init)?, "journal")?;
        println!("   $ ebb init --name Anneliese --relay {url} --token …\n   journal {journal}");

        story.say("It makes a link, and the phone joins with it.");
        let link = text(
            &story
                .laptop
                .json(&["device", "add", "--name", "Phone in the bag"])?,
            "link",
        )?;
        println!(
            "   $ ebb device add --name \"Phone in the bag\"\n   {}…",
            link.chars().take(48).collect::<String>()
        );
        story.phone.json(&["join", &link])?;
        println!("   $ ebb join LINK");
        Ok(story)
    }

    fn log_while_the_relay_is_down(&mut self) -> Result<(), Failure> {
        self.relay.stop()?;
        self.say("The relay is stopped. Both devices log all the same.");
        for (name, home, commands) in [
            ("laptop", &self.laptop, LAPTOP),
            ("phone", &self.phone, PHONE),
        ] {
            for arguments in commands {
                show(name, home, arguments)?;
            }
        }
        self.say("A sync now says so and loses nothing.");
        let mut sync = self.laptop.ebb(&["sync"]);
        let output = process::output(&mut sync)?;
        println!("   laptop $ ebb sync");
        print_indented(&String::from_utf8_lossy(&output.stderr));
        match output.status.code() {
            Some(UNREACHABLE) => println!("   exit code {UNREACHABLE}"),
            _ => {
                return Err(Failure::Mismatch(format!(
                    "the sync ended with {}, not exit code {UNREACHABLE}",
                    output.status
                )));
            }
        }
        Ok(())
    }

    fn sync_both(&mut self) -> Result<(), Failure> {
        self.relay.restart()?;
        self.say("The relay is back. Each device syncs twice.");
        for _ in 0..2 {
            show("laptop", &self.laptop, &["sync"])?;
            show("phone", &self.phone, &["sync"])?;
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), Failure> {
        self.say("Both journals now:");
        show("laptop", &self.laptop, &["list"])?;
        show("phone", &self.phone, &["list"])?;
        let list = ["list", "--json"];
        let laptop = process::answer(&mut self.laptop.ebb(&list))?;
        let phone = process::answer(&mut self.phone.ebb(&list))?;
        if laptop != phone {
            return Err(Failure::Mismatch(format!(
                "the journals differ:\n{laptop}\n{phone}"
            )));
        }
        let entries = self.laptop.json(&["list"])?.as_array().map_or(0, Vec::len);
        let logged = LAPTOP.len() + PHONE.len();
        if entries != logged {
            return Err(Failure::Mismatch(format!(
                "{entries} entries where {logged} were logged"
            )));
        }
        println!(
            "   `ebb list --json` is the same on both, byte for byte: {entries} entries, {} bytes",
            laptop.len()
        );
        Ok(())
    }

    fn search_the_relay(&mut self) -> Result<(), Failure> {
        self.relay.stop()?;
        self.say("What the relay holds:");
        let files = self.relay.files()?;
        for (name, bytes) in &files {
            println!("   {name}: {} bytes", bytes.len());
            if let Some(word) = SECRETS.iter().find(|word| contains(bytes, word)) {
                return Err(Failure::Mismatch(format!(
                    "the relay's file {name} has \"{word}\" in clear"
                )));
            }
        }
        let (name, bytes, start) = files
            .iter()
            .map(|(name, bytes)| (name, bytes, densest(bytes)))
            .max_by_key(|(_, bytes, start)| variety(bytes, *start))
            .ok_or_else(|| Failure::Mismatch("the relay keeps no file".to_owned()))?;
        println!("   an excerpt of {name}:");
        print_bytes(bytes, start);
        println!(
            "   none of {} words of the journal is in there: {}",
            SECRETS.len(),
            SECRETS.join(", ")
        );
        Ok(())
    }

    fn say(&mut self, what: &str) {
        self.chapter += 1;
        println!("\n{}. {what}", self.chapter);
    }
}

/// Runs a command on a device, and shows it with its answer.
fn show(device: &str, home: &Home, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = home.ebb(arguments);
    println!("   {device} $ {}", process::line(&command));
    print_indented(&process::answer(&mut command)?);
    Ok(())
}

fn print_indented(text: &str) {
    for line in text.lines() {
        println!("     {line}");
    }
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Bytes of the excerpt.
const EXCERPT: usize = 128;

/// Returns where the most varied excerpt begins: what is encrypted looks like noise.
fn densest(bytes: &[u8]) -> usize {
    let starts = (0..bytes.len()).step_by(EXCERPT);
    starts
        .max_by_key(|start| variety(bytes, *start))
        .unwrap_or(0)
}

fn variety(bytes: &[u8], start: usize) -> usize {
    let excerpt: std::collections::BTreeSet<&u8> = bytes.iter().skip(start).take(EXCERPT).collect();
    excerpt.len()
}

fn print_bytes(bytes: &[u8], start: usize) {
    let excerpt: Vec<u8> = bytes.iter().skip(start).take(EXCERPT).copied().collect();
    for (row, chunk) in excerpt.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let printable = |byte: &u8| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let text: String = chunk.iter().map(printable).collect();
        println!(
            "     {:08x}  {:<47}  {text}",
            start + row * 16,
            hex.join(" ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_word_in_any_case_and_only_whole() {
        assert!(contains(b"\0\x01FATIGUE\xff", "fatigue"));
        assert!(!contains(b"\0\x01FATIGU\xffE", "fatigue"));
        assert!(!contains(b"", "fatigue"));
    }

    #[test]
    fn the_excerpt_is_taken_where_bytes_vary() {
        let mut bytes = vec![0; 4 * EXCERPT];
        for (byte, value) in bytes.iter_mut().skip(2 * EXCERPT).zip(0..100) {
            *byte = value;
        }
        assert_eq!(densest(&bytes), 2 * EXCERPT);
    }
}
