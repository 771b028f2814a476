//! Held envelopes: what is kept and not merged, and keeping what it says after all.
//!
//! Keeping records the entries again as this device's own, naming their first author. What an envelope says that the journal
//! says already is not shown: somebody else has kept it.

use std::collections::{BTreeMap, BTreeSet};

use journal::batch::{self, Authors};
use journal::document::Document;
use journal::{Actor, DocumentId};
use protocol::envelope::{Envelope, VerifiedEnvelope};
use protocol::id::ChainId;
use seal::Keyring;
use store::envelope::HeldEnvelope;
use store::{Reader, StoreError};

use crate::again::{Again, RebuildError, record_again};
use crate::error::Family;
use crate::home::OpenError;
use crate::journal::{DamagedReplica, Journal, LoadError, load_keys, load_log, store_family};
use crate::people::{self, Names};
use crate::record::{load, require_writer};

/// How many hex digits of its hash name a held envelope.
const ID_DIGITS: usize = 12;

/// An envelope that is kept and not merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What to name it by.
    pub id: String,
    /// Who wrote it.
    pub person: String,
    /// On which device.
    pub device: String,
    /// Why it is not merged.
    pub reason: String,
    /// The entries in it that the journal does not have like that; none if it cannot be opened.
    pub entries: Option<Vec<String>>,
}

/// Why a held envelope cannot be shown or kept. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// No held envelope is called so.
    #[error("nothing is held under `{0}`")]
    NoSuch(String),
    /// It cannot be opened or read, so there is nothing to record.
    #[error("`{0}` cannot be opened: {1}")]
    Closed(String, String),
    /// This device may only read.
    #[error("this device may read this journal, not write in it")]
    ReadOnly,
    /// An entry in it cannot be written.
    #[error("an entry in it cannot be written")]
    Again(#[from] journal::document::AgainError),
    /// The device's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] OpenError),
    /// The replica is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
    /// The replica cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HeldError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::NoSuch(_) | Self::Closed(..) | Self::Again(_) => Family::CouldNot,
            Self::ReadOnly => Family::NotPermitted,
            Self::Secret(error) => error.family(),
            Self::Damaged(_) => Family::Damaged,
            Self::Store(error) => store_family(error),
        }
    }
}

impl From<LoadError> for HeldError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl From<RebuildError> for HeldError {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Load(error) => error.into(),
            RebuildError::Again(error) => Self::Again(error),
        }
    }
}

/// What a held envelope says that the journal does not.
struct Opened {
    /// The documents as they stand.
    present: BTreeMap<DocumentId, Document>,
    news: Vec<Again>,
}

impl Journal {
    /// Returns what is held and says something that the journal does not.
    ///
    /// # Errors
    /// [`HeldError`].
    pub fn held(&self) -> Result<Vec<Held>, HeldError> {
        let (path, keys) = (self.path(), self.keys()?);
        self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            let all = reader.held()?;
            let mut shown = Vec::new();
            for held in &all {
                let opened = open(reader, &all, held, &ring, &path)?;
                let entries = opened.ok().map(|opened| {
                    let keys = opened.news.into_iter().map(|item| item.key);
                    keys.collect::<Vec<_>>()
                });
                if entries.as_ref().is_some_and(Vec::is_empty) {
                    continue;
                }
                let names = Names::of(&stored, &ring);
                let device = names.device(&held.device);
                let person = stored.log.devices().get(&held.device).map(|of| of.person);
                let person = person.map(|id| names.person(&id));
                shown.push(Held {
                    id: id(held),
                    person: person.unwrap_or_else(|| people::UNNAMED.to_owned()),
                    device,
                    reason: held.reason.clone(),
                    entries,
                });
            }
            Ok(shown)
        })
    }

    /// Records what a held envelope says again, as entries of this device that name their first author; returns how many.
    ///
    /// # Errors
    /// [`HeldError`].
    pub fn keep_held(&mut self, name: &str) -> Result<u64, HeldError> {
        let (path, keys) = (self.path(), self.keys()?);
        self.replica.write(|writer| {
            require_writer(writer).map_err(|_| HeldError::ReadOnly)?;
            let stored = load_log(writer, &path)?;
            let ring = load_keys(writer, &stored, &keys)?;
            let all = writer.held()?;
            let wanted = name.to_lowercase();
            let found = all
                .iter()
                .find(|held| !wanted.is_empty() && id(held).starts_with(&wanted));
            let held = found.ok_or_else(|| HeldError::NoSuch(name.to_owned()))?;
            let opened = open(writer, &all, held, &ring, &path)?;
            let mut opened = opened.map_err(|why| HeldError::Closed(name.to_owned(), why))?;
            Ok(record_again(writer, opened.news, &mut opened.present)?)
        })
    }
}

fn id(held: &HeldEnvelope) -> String {
    let hash = held.envelope.hash.to_string();
    hash.chars().take(ID_DIGITS).collect()
}

/// Opens a held envelope on top of the documents and of what is held before it in its chain; in words why it cannot be.
fn open(
    reader: &Reader<'_>,
    all: &[HeldEnvelope],
    held: &HeldEnvelope,
    ring: &Keyring,
    path: &std::path::Path,
) -> Result<Result<Opened, String>, LoadError> {
    let before = |other: &&HeldEnvelope| {
        other.chain == held.chain && other.envelope.seq <= held.envelope.seq
    };
    let mut present = BTreeMap::new();
    let mut scratch: BTreeMap<DocumentId, Document> = BTreeMap::new();
    for one in all.iter().filter(before) {
        let batch = match decode(one, ring) {
            Ok(batch) => batch,
            Err(why) => return Ok(Err(why)),
        };
        for (id, part) in &batch.documents {
            // A contributor's profile never counts.
            if *id == DocumentId::Profile {
                continue;
            }
            if !scratch.contains_key(id) {
                let document = load(*id, &reader.document(&id.to_string())?, path)?;
                present.insert(*id, document.clone());
                scratch.insert(*id, document);
            }
            let merged = scratch.get_mut(id).map(|document| document.merge(part));
            if let Some(Err(error)) = merged {
                return Ok(Err(error.to_string()));
            }
        }
    }
    let own = touched(held, ring);
    let news = news(&present, &scratch, held.chain, &own);
    Ok(Ok(Opened { present, news }))
}

fn decode(held: &HeldEnvelope, ring: &Keyring) -> Result<batch::Batch, String> {
    let envelope = Envelope::parse(held.envelope.bytes.clone());
    let envelope = VerifiedEnvelope::trusted(envelope.map_err(|error| error.to_string())?);
    let epoch = envelope.header().epoch;
    let key = ring.get(epoch);
    let key = key.ok_or_else(|| format!("the key of epoch {epoch} is missing"))?;
    let content = seal::open(&envelope, key).map_err(|error| error.to_string())?;
    let authors = Authors::One(Actor(held.chain.0));
    batch::decode(&content.batch.0, &authors).map_err(|error| error.to_string())
}

/// Returns the documents that an envelope itself changes.
fn touched(held: &HeldEnvelope, ring: &Keyring) -> BTreeSet<DocumentId> {
    let batch = decode(held, ring);
    batch.map_or_else(
        |_| BTreeSet::new(),
        |batch| batch.documents.into_keys().collect(),
    )
}

/// Returns what the chain says in the scratch documents and the present ones do not say.
fn news(
    present: &BTreeMap<DocumentId, Document>,
    scratch: &BTreeMap<DocumentId, Document>,
    chain: ChainId,
    touched: &BTreeSet<DocumentId>,
) -> Vec<Again> {
    let chains = BTreeSet::from([Actor(chain.0)]);
    let mut news = Vec::new();
    let pairs = scratch.iter().filter(|(id, _)| touched.contains(id));
    for (id, with) in pairs {
        let Some(without) = present.get(id) else {
            continue;
        };
        for (key, lost) in with.lost_to(without, &chains) {
            let now = without.item(&key);
            let said = now.as_ref().is_some_and(|item| {
                let set = lost.set.iter();
                let mut set = set.map(|(name, value)| item.fields.get(name) == Some(value));
                let mut removed = lost.removed.iter();
                set.all(|said| said) && removed.all(|name| !item.fields.contains_key(name))
            });
            if said {
                continue;
            }
            news.push(Again {
                document: *id,
                key,
                set: lost.set,
                removed: lost.removed,
                maker: now.is_none().then_some(chain),
            });
        }
    }
    news
}
