//! The doctor: checks a journal on this device from the files up, and mends what can be mended without losing anything.
//!
//! Permissions are set right, and the read model, which follows from the documents, is made anew where it differs. Nothing
//! else is touched. What it finds names no person, journal, relay or path, so that it can be shown to anyone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::SignedDuration;
use journal::{DocumentId, EntryId};
use protocol::sign::Signer;
use seal::Keyring;
use store::Replica;
use store::entry::{EntryFilter, EntryKey, EntryRow};

use crate::home::{self, Home, OpenError};
use crate::journal::{Journal, LoadError, load_keys, load_log};
use crate::progress::Progress;
use crate::record::load;
use crate::{os, people, row};

/// How long ago the last sync may be before it is worth a word.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How far apart clocks may be, in milliseconds.
const CLOCKS_APART_MS: i64 = 5 * 60_000;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is as it should be.
    Good,
    /// It was not, and is now.
    Mended,
    /// It deserves care.
    Warning,
    /// It is damaged, and the doctor cannot mend it.
    Bad,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `files`, `keys`, `replica`, `members`, `documents`, `read-model`, `clock`, `relays`.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, in words that name nobody.
    pub words: String,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            check,
            verdict,
            words,
        }
    }
}

impl Home {
    /// Checks the journal that is meant, and mends what can be mended; with `rebuild`, the read model is made anew in any
    /// case. What comes later is not checked where what it stands on is damaged.
    ///
    /// # Errors
    /// [`OpenError`] if it is not clear which journal is meant.
    pub fn doctor(
        &self,
        name: Option<&str>,
        rebuild: bool,
        progress: &dyn Progress,
    ) -> Result<Vec<Finding>, OpenError> {
        let dir = self.meant(name)?.path;
        let mut found = vec![permissions(self.root(), &dir)];
        let mut journal = match Journal::open(&dir) {
            Ok(journal) => journal,
            Err(error) => {
                found.push(Finding::new("replica", Verdict::Bad, unopened(&error)));
                return Ok(found);
            }
        };
        found.push(journal.check_keys());
        found.push(journal.check_file());
        if found.iter().all(|finding| finding.verdict != Verdict::Bad) {
            found.push(journal.check_members());
            found.extend(journal.check_documents(rebuild, progress));
        }
        found.push(journal.check_clock());
        found.push(journal.check_relays());
        Ok(found)
    }
}

/// Says why a replica cannot be opened.
fn unopened(error: &OpenError) -> &'static str {
    use store::OpenError as Why;
    match error {
        OpenError::Replica(Why::Missing { .. }) => "the replica is missing",
        OpenError::Replica(Why::Newer { .. }) => {
            "the replica was written by a newer ebb: update ebb"
        }
        OpenError::Replica(Why::Busy { .. }) => "the replica is in use by another program",
        OpenError::Replica(Why::Damaged { .. }) | OpenError::Damaged(_) => "the replica is damaged",
        _ => "the replica cannot be read",
    }
}

/// Checks that only their owner may use the files, and sees to it.
#[cfg(unix)]
fn permissions(root: &Path, dir: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let files = [
        (dir.to_owned(), 0o700),
        (root.join("journals"), 0o700),
        (home::secret_path(dir), 0o600),
        (home::replica_path(dir), 0o600),
    ];
    let (mut mended, mut failed) = (0, 0);
    for (path, wanted) in files {
        let Ok(metadata) = std::fs::metadata(&path) else {
            failed += 1;
            continue;
        };
        if metadata.permissions().mode() & 0o077 == 0 {
            continue;
        }
        match std::fs::set_permissions(&path, std::fs::Permissions::from_mode(wanted)) {
            Ok(()) => mended += 1,
            Err(_) => failed += 1,
        }
    }
    match (mended, failed) {
        (0, 0) => Finding::new("files", Verdict::Good, "only you can read the files"),
        (_, 0) => Finding::new(
            "files",
            Verdict::Mended,
            format!("{mended} files or folders could be read by others; now only by you"),
        ),
        _ => Finding::new(
            "files",
            Verdict::Warning,
            format!("{failed} files or folders are missing, or cannot be made private"),
        ),
    }
}

/// Checks that the files are there.
#[cfg(not(unix))]
fn permissions(_root: &Path, dir: &Path) -> Finding {
    let there = [home::secret_path(dir), home::replica_path(dir)];
    match there.iter().all(|path| path.exists()) {
        true => Finding::new("files", Verdict::Good, "the files are there"),
        false => Finding::new("files", Verdict::Warning, "a file is missing"),
    }
}

impl Journal {
    fn check_keys(&self) -> Finding {
        let bad = |words: &str| Finding::new("keys", Verdict::Bad, words);
        let keys = match self.keys() {
            Ok(keys) => keys,
            Err(_) => return bad("the device's secret is missing or damaged"),
        };
        if keys.key_id() != self.own.device {
            return bad("the device's secret is that of another device");
        }
        let path = self.path();
        let opened = self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            let epoch = stored.log.epoch().number;
            Ok::<_, LoadError>(ring.get(epoch).is_some())
        });
        match opened {
            Ok(true) => Finding::new(
                "keys",
                Verdict::Good,
                "the secret is this device's, and opens the newest key",
            ),
            Ok(false) => Finding::new(
                "keys",
                Verdict::Warning,
                "this device cannot open the newest key: it is no member, or has not synced since",
            ),
            Err(_) => bad("the keys cannot be read"),
        }
    }

    fn check_file(&self) -> Finding {
        match self.replica.check() {
            Ok(wrong) if wrong.is_empty() => Finding::new(
                "replica",
                Verdict::Good,
                "every page of the replica is whole",
            ),
            Ok(wrong) => Finding::new(
                "replica",
                Verdict::Bad,
                format!("{} places of the replica are damaged", wrong.len()),
            ),
            Err(_) => Finding::new("replica", Verdict::Bad, "the replica cannot be checked"),
        }
    }

    fn check_members(&self) -> Finding {
        let path = self.path();
        match self.replica.read(|reader| load_log(reader, &path)) {
            Ok(stored) => Finding::new(
                "members",
                Verdict::Good,
                format!(
                    "{} records of the member log are valid",
                    stored.log.length()
                ),
            ),
            Err(_) => Finding::new("members", Verdict::Bad, "the member log is not valid"),
        }
    }

    /// Checks that every document loads, and that the read model says what they say.
    fn check_documents(&mut self, rebuild: bool, progress: &dyn Progress) -> Vec<Finding> {
        let path = self.path();
        let read = match documents(&self.replica, &path, progress) {
            Ok(read) => read,
            Err(words) => return vec![Finding::new("documents", Verdict::Bad, words)],
        };
        let words = format!(
            "{} documents load; {} entries",
            read.documents,
            read.rows.len()
        );
        let first = match read.misplaced {
            0 => Finding::new("documents", Verdict::Good, words),
            count => Finding::new(
                "documents",
                Verdict::Warning,
                format!(
                    "{words}; {count} items whose id is not of their month are kept and not shown"
                ),
            ),
        };
        vec![first, self.check_read_model(&read.rows, rebuild)]
    }

    fn check_read_model(&mut self, rows: &[EntryRow], rebuild: bool) -> Finding {
        let finding = |verdict, words: String| Finding::new("read-model", verdict, words);
        let different = match self.replica.read(|reader| {
            let all = EntryFilter {
                with_deleted: true,
                ..EntryFilter::default()
            };
            reader.entries(&all)
        }) {
            Ok(listed) => {
                let mut listed: BTreeMap<EntryKey, _> =
                    listed.into_iter().map(|entry| (entry.id, entry)).collect();
                let differs = |row: &&EntryRow| {
                    listed.remove(&row.id).is_none_or(|entry| {
                        (
                            entry.kind,
                            entry.at_ms,
                            entry.deleted,
                            entry.chain,
                            entry.json,
                        ) != (
                            row.kind.clone(),
                            row.at_ms,
                            row.deleted,
                            row.chain,
                            row.json.clone(),
                        )
                    })
                };
                let different = rows.iter().filter(differs).count();
                different + listed.len()
            }
            Err(_) => rows.len(),
        };
        if different == 0 && !rebuild {
            return finding(
                Verdict::Good,
                "lists and searches say what the documents say".to_owned(),
            );
        }
        let written = self.write_read_model(rows);
        match (written, different) {
            (Ok(()), 0) => finding(
                Verdict::Good,
                "made anew, as asked; it was right before".to_owned(),
            ),
            (Ok(()), different) => finding(
                Verdict::Mended,
                format!(
                    "{different} entries were listed otherwise than the documents say; made anew"
                ),
            ),
            (Err(_), _) => finding(
                Verdict::Bad,
                "it differs from the documents, and cannot be written".to_owned(),
            ),
        }
    }

    /// Makes the read model anew: entries from the documents, and people from the member log.
    fn write_read_model(&mut self, rows: &[EntryRow]) -> Result<(), LoadError> {
        let path = self.path();
        // Without the secret the names of people stay closed; the check of the keys has said so.
        let keys = self.keys().ok();
        self.replica.write(|writer| {
            let stored = load_log(writer, &path)?;
            let ring = match &keys {
                Some(keys) => load_keys(writer, &stored, keys)?,
                None => Keyring::default(),
            };
            writer.clear_read_model()?;
            people::refresh(writer, &stored.log, &ring)?;
            Ok(writer.put_entries(rows)?)
        })
    }

    fn check_clock(&self) -> Finding {
        let all = EntryFilter {
            with_deleted: true,
            ..EntryFilter::default()
        };
        let mut latest = i64::MIN;
        let read = self.replica.read(|reader| {
            reader.each_entry(&all, |entry| {
                if let Ok(id) = EntryId::from_bytes(entry.id.0) {
                    latest = latest.max(id.unix_ms());
                }
                ControlFlow::Continue(())
            })
        });
        let finding = |verdict, words: &str| Finding::new("clock", verdict, words);
        if read.is_err() {
            return finding(
                Verdict::Warning,
                "the entries cannot be read to compare it with",
            );
        }
        if latest > os::now().as_millisecond() + CLOCKS_APART_MS {
            return finding(
                Verdict::Warning,
                "entries were recorded later than it is now by this device's clock: it, or another device's, is wrong",
            );
        }
        finding(Verdict::Good, "no entry was recorded later than it is now")
    }

    fn check_relays(&self) -> Finding {
        let Ok(status) = self.status() else {
            return Finding::new(
                "relays",
                Verdict::Bad,
                "the state of this device cannot be read",
            );
        };
        if status.relays.is_empty() {
            return Finding::new(
                "relays",
                Verdict::Warning,
                "no relay: there may be no second copy",
            );
        }
        let now = os::now();
        let count = |wanted: &dyn Fn(&super::RelayStatus) -> bool| {
            status.relays.iter().filter(|relay| wanted(relay)).count()
        };
        let failing = count(&|relay| relay.last_error.is_some());
        let recent = |relay: &super::RelayStatus| {
            relay
                .last_sync
                .is_some_and(|last| now.duration_since(last) < LONG_AGO)
        };
        let stale = count(&|relay| !recent(relay));
        let words = format!(
            "{} relays; the last sync failed with {failing}; no sync for a week with {stale}; {} unsent",
            status.relays.len(),
            status.unsent
        );
        let verdict = match failing + stale {
            0 => Verdict::Good,
            _ => Verdict::Warning,
        };
        Finding::new("relays", verdict, words)
    }
}

/// What the documents say.
#[derive(Default)]
struct Said {
    documents: u64,
    misplaced: u64,
    rows: Vec<EntryRow>,
}

/// Loads every document; says which cannot be, by its month.
fn documents(replica: &Replica, path: &Path, progress: &dyn Progress) -> Result<Said, String> {
    let unreadable = |_| "the documents cannot be read".to_owned();
    let names = replica
        .read(|reader| reader.documents())
        .map_err(unreadable)?;
    let total = u64::try_from(names.len()).ok();
    let now = os::now().as_millisecond();
    let mut said = Said::default();
    for name in names {
        let id: DocumentId = name
            .parse()
            .map_err(|_| "a document has no name of ours".to_owned())?;
        let parts = replica
            .read(|reader| reader.document(&name))
            .map_err(unreadable)?;
        let document =
            load(id, &parts, path).map_err(|_| format!("the document {name} is damaged"))?;
        said.documents += 1;
        progress.update(said.documents, total);
        if id == DocumentId::Profile {
            continue;
        }
        for item in document.items() {
            match row::row(&item, now) {
                Some(row) => said.rows.push(row),
                None => said.misplaced += 1,
            }
        }
    }
    Ok(said)
}
