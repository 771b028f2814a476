//! Where journals live on this device: one folder each, with the replica and the device's secret.
//!
//! `<home>/journals/<journal>/replica.db` and `device.key`. The secret is in a file of its own, mode 0600, never in the
//! replica: a copied replica or a bundle carries no key. A folder appears under its final name only when it is complete,
//! by one rename.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use protocol::id::JournalId;
use seal::{KeyPair, Seed};
use zeroize::Zeroizing;

use crate::error::Family;
use crate::journal::Journal;

/// The first line of a device's secret file.
const SECRET_HEADER: &str =
    "ebb device secret 1: never copy this file to another device, never send it to anyone";

/// The folder that holds every journal of this user on this device.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// A journal on this device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalSummary {
    /// The folder's name: the first sixteen hex digits of the id.
    pub label: String,
    /// The folder.
    pub path: PathBuf,
    /// Whose journal it is: the person who started it, where that was looked up and could be read.
    pub patient: Option<String>,
}

impl fmt::Display for JournalSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.patient {
            Some(patient) => write!(f, "{} ({patient})", self.label),
            None => f.write_str(&self.label),
        }
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none yet.
    #[error("there is no journal on this device yet")]
    NoJournal,
    /// None has this name.
    #[error("there is no journal `{0}` on this device")]
    Unknown(String),
    /// There are several that may be meant.
    #[error("several journals on this device may be meant: {}", listed(.0))]
    Several(Vec<JournalSummary>),
    /// A folder or file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be written or moved.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The device's secret is missing or damaged.
    #[error("the device secret {} is damaged", .path.display())]
    Secret {
        /// The path.
        path: PathBuf,
    },
    /// The replica cannot be opened.
    #[error(transparent)]
    Replica(#[from] store::OpenError),
    /// The replica opened, and is damaged inside.
    #[error(transparent)]
    Damaged(#[from] crate::journal::DamagedReplica),
}

impl OpenError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::NoJournal
            | Self::Unknown(_)
            | Self::Several(_)
            | Self::Io { .. }
            | Self::Write { .. } => Family::CouldNot,
            Self::Secret { .. } | Self::Damaged(_) => Family::Damaged,
            Self::Replica(error) => crate::journal::replica_family(error),
        }
    }
}

impl Home {
    /// Names the folder; touches nothing.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn journals_dir(&self) -> PathBuf {
        self.root.join("journals")
    }

    /// Returns the journals on this device, by name.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the folder cannot be read.
    pub fn journals(&self) -> Result<Vec<JournalSummary>, OpenError> {
        let dir = self.journals_dir();
        let io = |source| OpenError::Io {
            path: dir.clone(),
            source,
        };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut journals = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io)?;
            let Ok(label) = entry.file_name().into_string() else {
                continue;
            };
            // A folder that is still being made begins with a dot.
            if !label.starts_with('.') {
                journals.push(JournalSummary {
                    label,
                    path: entry.path(),
                    patient: None,
                });
            }
        }
        journals.sort_by(|a, b| a.label.cmp(&b.label));
        Ok(journals)
    }

    /// Opens a journal: the one named (by its name, the name of its patient, or the start of its id); without a name the
    /// only one, or the one chosen by [`Home::choose`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, name: Option<&str>) -> Result<Journal, OpenError> {
        Journal::open(&self.meant(name)?.path)
    }

    /// Finds the journal that [`Home::open`] would open, and leaves it closed.
    pub(crate) fn meant(&self, name: Option<&str>) -> Result<JournalSummary, OpenError> {
        let all = self.journals()?;
        let meant = match name {
            Some(name) => named(all, name),
            None if all.len() > 1 => {
                let chosen = self.chosen()?;
                let fits = all.iter().find(|one| Some(&one.label) == chosen.as_ref());
                fits.cloned().map_or(all, |one| vec![one])
            }
            None => all,
        };
        match (meant.as_slice(), name) {
            ([journal], _) => Ok(journal.clone()),
            ([], Some(name)) => Err(OpenError::Unknown(name.to_owned())),
            ([], None) => Err(OpenError::NoJournal),
            _ => Err(OpenError::Several(
                meant.into_iter().map(with_patient).collect(),
            )),
        }
    }

    /// Returns the label of the journal that is meant when none is named, if one was chosen.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the choice cannot be read.
    pub fn chosen(&self) -> Result<Option<String>, OpenError> {
        let path = self.chosen_path();
        match fs::read_to_string(&path) {
            Ok(label) => Ok(Some(label.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Chooses the journal that is meant when none is named.
    ///
    /// # Errors
    /// [`OpenError::Write`].
    pub fn choose(&self, journal: &Journal) -> Result<(), OpenError> {
        let path = self.chosen_path();
        let temporary = path.with_extension("new");
        // Written aside and renamed, so that no other process reads half of it.
        let written = fs::write(&temporary, format!("{}\n", journal.label()))
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| OpenError::Write { path, source })
    }

    /// Takes a journal off this device: its folder, with the device's secret, is moved into `left/`, and nothing is
    /// deleted. Returns where it is now.
    ///
    /// # Errors
    /// [`OpenError::Write`]; the journal is where it was then.
    pub fn leave(&self, journal: Journal) -> Result<PathBuf, OpenError> {
        let (label, from) = (journal.label(), journal.dir.clone());
        // Closed before its folder moves.
        drop(journal);
        let left = self.root.join("left");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Write { path, source }
        };
        create_private_dir(&left).map_err(failed(&left))?;
        let numbered = |number: u32| match number {
            1 => left.join(&label),
            _ => left.join(format!("{label}-{number}")),
        };
        let free = (1..).map(numbered).find(|path| !path.exists());
        let to = free.unwrap_or_else(|| left.join(&label));
        fs::rename(&from, &to).map_err(failed(&to))?;
        sync_dir(&left).map_err(failed(&left))?;
        Ok(to)
    }

    fn chosen_path(&self) -> PathBuf {
        self.root.join("default-journal")
    }
}

/// Returns the journals that a name may mean: the one of that very label, else those of a patient of that name, else those
/// whose id begins so.
fn named(all: Vec<JournalSummary>, name: &str) -> Vec<JournalSummary> {
    let label = name.get(..16).unwrap_or(name).to_lowercase();
    if let Some(one) = all.iter().find(|one| one.label == label) {
        return vec![one.clone()];
    }
    let wanted = name.to_lowercase();
    let all: Vec<_> = all.into_iter().map(with_patient).collect();
    let patient = |one: &&JournalSummary| {
        let patient = one.patient.as_ref();
        patient.is_some_and(|patient| patient.to_lowercase() == wanted)
    };
    let of_patient: Vec<_> = all.iter().filter(patient).cloned().collect();
    if !of_patient.is_empty() {
        return of_patient;
    }
    let begins = |one: &JournalSummary| !label.is_empty() && one.label.starts_with(&label);
    all.into_iter().filter(begins).collect()
}

/// Looks up whose journal it is; one that cannot be read stays without.
fn with_patient(summary: JournalSummary) -> JournalSummary {
    let about = Journal::open(&summary.path).ok();
    let about = about.and_then(|journal| journal.about().ok());
    JournalSummary {
        patient: about.map(|about| about.patient),
        ..summary
    }
}

fn listed(journals: &[JournalSummary]) -> String {
    let names: Vec<String> = journals.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// Returns the folder's name for a journal.
pub(crate) fn label(journal: &JournalId) -> String {
    journal.to_string().chars().take(16).collect()
}

/// The replica's file in a journal's folder.
pub(crate) fn replica_path(dir: &Path) -> PathBuf {
    dir.join("replica.db")
}

pub(crate) fn secret_path(dir: &Path) -> PathBuf {
    dir.join("device.key")
}

/// Makes a folder that only its user may enter, with its parents.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Writes the device's secret, durably, readable by its user only.
pub(crate) fn write_secret(dir: &Path, seed: &Seed) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(secret_path(dir))?;
    let text = Zeroizing::new(format!(
        "{SECRET_HEADER}\n{}\n",
        HEXLOWER.encode(seed.reveal())
    ));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_dir(dir)
}

/// Makes new names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(dir)?.sync_all()?;
    Ok(())
}

/// Reads the device's secret, and derives its keys.
pub(crate) fn read_secret(dir: &Path) -> Result<KeyPair, OpenError> {
    let path = secret_path(dir);
    let text = fs::read_to_string(&path)
        .map(Zeroizing::new)
        .map_err(|source| OpenError::Io {
            path: path.clone(),
            source,
        })?;
    let seed = text
        .lines()
        .nth(1)
        .and_then(|line| HEXLOWER.decode(line.as_bytes()).ok());
    let seed = seed.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let seed = seed.filter(|_| text.starts_with(SECRET_HEADER));
    seed.map(|bytes| KeyPair::of_device(&Seed::from_bytes(bytes)))
        .ok_or(OpenError::Secret { path })
}
