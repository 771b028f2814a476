//! Merging: from opened envelopes to documents, read model and vector, in one transaction.
//!
//! Each envelope merges whole or is held whole, with the reason. The envelopes of one answer are first tried together, which
//! loads and stores each document once; if one of them cannot be merged, they are done one by one, so that it takes nothing
//! down with it. Held envelopes are tried again whenever something was merged: what they waited for may have come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use journal::batch::{self, Authors, Batch, BatchPart};
use journal::change::Tip;
use journal::document::{Document, MergeError, Merged};
use journal::{Actor, DocumentId};
use protocol::envelope::{Envelope, Header, Kind, VerifiedEnvelope};
use protocol::id::{ChainId, KeyId};
use protocol::log::MemberLog;
use protocol::role::Role;
use protocol::vector::Position;
use seal::{Content, Keyring};
use store::document::{DocumentParts, Edition};
use store::envelope::{Accepted, EnvelopeState, NextEnvelope, StoredEnvelope};
use store::{Replica, Writer};
use sync::Incoming;

use crate::journal::{DamagedReplica, LoadError};
use crate::record::{load, stored_tip};
use crate::{again, os, profile, row, snapshot};

/// What merging did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Changes merged, by the device that wrote them.
    pub(crate) received: BTreeMap<KeyId, u64>,
    /// Why envelopes are held, in words.
    pub(crate) held: Vec<String>,
}

/// Why one envelope cannot be merged now. It is held, with this text as the reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    #[error("{0}")]
    NotOpened(String),
    #[error("its batch is malformed: {0}")]
    Batch(batch::BatchError),
    #[error("its batch has the format {0}, of a newer ebb: update ebb, and it is merged then")]
    Newer(u8),
    #[error("it changes the profile, which only owners may do")]
    Profile,
    #[error("it is a snapshot, and only owners may make one")]
    Snapshot,
    #[error("document {document}: {source}")]
    Merge {
        document: DocumentId,
        source: MergeError,
    },
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<batch::BatchError> for Obstacle {
    fn from(error: batch::BatchError) -> Self {
        match error {
            batch::BatchError::Version(version) => Self::Newer(version),
            error => Self::Batch(error),
        }
    }
}

impl From<store::StoreError> for Obstacle {
    fn from(error: store::StoreError) -> Self {
        Self::Load(error.into())
    }
}

impl From<DamagedReplica> for Obstacle {
    fn from(error: DamagedReplica) -> Self {
        Self::Load(error.into())
    }
}

/// Merges or holds the envelopes of one answer, then tries again what was held.
pub(crate) fn merge(replica: &mut Replica, incoming: &[Incoming]) -> Result<Report, LoadError> {
    let path = replica.path().to_owned();
    match replica.write(|writer| merge_all(writer, incoming, &path)) {
        Ok(report) => return Ok(report),
        Err(Obstacle::Load(error)) => return Err(error),
        Err(_) => {}
    }
    let mut report = Report::default();
    for one in incoming {
        match replica.write(|writer| merge_all(writer, std::slice::from_ref(one), &path)) {
            Ok(merged) => report.add(merged),
            Err(Obstacle::Load(error)) => return Err(error),
            Err(obstacle) => {
                let reason = obstacle.to_string();
                replica.write(|writer| {
                    let own = writer.own()?.chain;
                    accept(writer, one, &own, EnvelopeState::Held(&reason))
                })?;
                report.held.push(reason);
            }
        }
    }
    Ok(report)
}

/// Tries to merge what is held, as long as that brings something.
pub(crate) fn retry_held(
    replica: &mut Replica,
    log: &MemberLog,
    keys: &Keyring,
) -> Result<Report, LoadError> {
    let path = replica.path().to_owned();
    let mut report = Report::default();
    loop {
        let mut progress = false;
        for held in replica.read(|reader| reader.held())? {
            let Ok(envelope) = Envelope::parse(held.envelope.bytes) else {
                continue;
            };
            let envelope = VerifiedEnvelope::trusted(envelope);
            let Some(role) = role_if_free(log, &envelope) else {
                continue;
            };
            let key = keys.get(envelope.header().epoch);
            let Some(Ok(content)) = key.map(|key| seal::open(&envelope, key)) else {
                continue;
            };
            let merged = replica.write(|writer| {
                let mut documents = Documents::new(&path);
                let changes = match envelope.header().kind {
                    Kind::Batch => documents.merge(writer, held.chain, role, &content)?,
                    Kind::Snapshot if role == Role::Owner => {
                        snapshot::note_part(writer)?;
                        0
                    }
                    Kind::Snapshot => return Err(Obstacle::Snapshot),
                };
                documents.store(writer)?;
                writer.set_state(&held.chain, held.envelope.seq, EnvelopeState::Merged)?;
                Ok::<_, Obstacle>(changes)
            });
            match merged {
                Ok(changes) => {
                    *report.received.entry(held.device).or_default() += changes;
                    progress = true;
                }
                Err(Obstacle::Load(error)) => return Err(error),
                Err(_) => {}
            }
        }
        if !progress {
            return Ok(report);
        }
    }
}

/// Returns what an envelope's device might do at the head it names, unless it is beyond the device's frontier.
pub(crate) fn role_if_free(log: &MemberLog, envelope: &VerifiedEnvelope) -> Option<Role> {
    let header = envelope.header();
    let head = log.index_of(&header.head)?;
    let position = Position {
        seq: header.seq,
        hash: envelope.envelope().hash(),
    };
    if log.is_beyond_frontier(&header.device, &header.chain(), position, head) {
        return None;
    }
    log.devices().get(&header.device)?.role_at(head)
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        for (device, changes) in other.received {
            *self.received.entry(device).or_default() += changes;
        }
        self.held.extend(other.held);
    }
}

fn merge_all(
    writer: &mut Writer<'_>,
    incoming: &[Incoming],
    path: &Path,
) -> Result<Report, Obstacle> {
    let mut report = Report::default();
    let own = writer.own()?.chain;
    let mut documents = Documents::new(path);
    for one in incoming {
        let content = one
            .content
            .as_ref()
            .map_err(|reason| Obstacle::NotOpened(reason.clone()))?;
        let header = one.envelope.header();
        if header.kind == Kind::Snapshot {
            // It says nothing new to who has what it covers.
            snapshot::note_part(writer)?;
        } else {
            let changes = documents.merge(writer, header.chain(), one.role, content)?;
            *report.received.entry(header.device).or_default() += changes;
        }
        accept(writer, one, &own, EnvelopeState::Merged)?;
    }
    documents.store(writer)?;
    Ok(report)
}

/// Returns an envelope as a replica stores it.
pub(crate) fn stored(envelope: &Envelope) -> StoredEnvelope {
    StoredEnvelope {
        seq: envelope.header().seq,
        hash: envelope.hash(),
        bytes: envelope.bytes().to_vec(),
    }
}

/// Returns an envelope as the next of its chain, heard now. `head` is the index of the record that it names as head.
pub(crate) fn next<'a>(
    header: &Header,
    head: u32,
    envelope: &'a StoredEnvelope,
) -> NextEnvelope<'a> {
    NextEnvelope {
        device: header.device,
        salt: header.salt,
        prev: header.prev,
        head,
        envelope,
        heard_ms: Some(os::now().as_millisecond()),
    }
}

fn accept(
    writer: &mut Writer<'_>,
    one: &Incoming,
    own: &ChainId,
    state: EnvelopeState<'_>,
) -> Result<(), store::StoreError> {
    let header = one.envelope.header();
    let stored = stored(one.envelope.envelope());
    let next = next(header, one.head, &stored);
    if header.chain() == *own {
        writer.set_setting(again::NEW_CHAIN_DUE, Some("yes"))?;
    }
    // The session judged it to be the next of its chain, and holds the lock under which nobody else extends chains; a
    // chain that has it already, or has another there, keeps what it has.
    let accepted = writer.accept(&next, state)?;
    writer.remove_waiting(&stored.hash)?;
    debug_assert!(matches!(accepted, Accepted::Stored), "{accepted:?}");
    Ok(())
}

/// Returns how many changes of entries a batch has.
pub(crate) fn entry_changes(batch: &Batch) -> u64 {
    let entries = batch
        .documents
        .values()
        .filter(|part| part.document() != DocumentId::Profile);
    let changes: usize = entries.map(BatchPart::len).sum();
    u64::try_from(changes).unwrap_or(u64::MAX)
}

/// The documents that a merge works on, loaded once, and stored once at its end.
pub(crate) struct Documents<'a> {
    path: &'a Path,
    /// Whether they start empty, to be rebuilt, instead of as they are stored.
    afresh: bool,
    open: BTreeMap<DocumentId, OpenDocument>,
}

#[derive(Clone)]
struct OpenDocument {
    document: Document,
    edition: Edition,
    saved: Option<Vec<u8>>,
    touched: BTreeSet<String>,
    tips: BTreeMap<Actor, Tip>,
}

/// Reads the batch of an envelope, and checks that its device might write what is in it.
pub(crate) fn decode(chain: ChainId, role: Role, content: &Content) -> Result<Batch, Obstacle> {
    let batch = batch::decode(&content.batch.0, &Authors::One(Actor(chain.0)))?;
    if !batch.may_come_from(role == Role::Owner) {
        return Err(Obstacle::Profile);
    }
    Ok(batch)
}

impl<'a> Documents<'a> {
    pub(crate) fn new(path: &'a Path) -> Self {
        Self {
            path,
            afresh: false,
            open: BTreeMap::new(),
        }
    }

    /// Starts with empty documents, whatever is stored.
    pub(crate) fn afresh(path: &'a Path) -> Self {
        Self {
            afresh: true,
            ..Self::new(path)
        }
    }

    /// Merges a batch whole, or nothing of it.
    pub(crate) fn merge_whole(
        &mut self,
        writer: &Writer<'_>,
        batch: &Batch,
    ) -> Result<(), Obstacle> {
        let ids = batch.documents.keys();
        let before: Vec<_> = ids.map(|id| (*id, self.open.get(id).cloned())).collect();
        let merged = self.apply(writer, batch);
        if merged.is_err() {
            for (id, document) in before {
                match document {
                    Some(document) => self.open.insert(id, document),
                    None => self.open.remove(&id),
                };
            }
        }
        merged.map(|_| ())
    }

    /// Returns the documents, each as it is now.
    pub(crate) fn finish(self) -> BTreeMap<DocumentId, Document> {
        let open = self.open.into_iter();
        open.map(|(id, open)| (id, open.document)).collect()
    }

    /// Merges the batch of one envelope, and returns the number of its changes of entries.
    fn merge(
        &mut self,
        writer: &Writer<'_>,
        chain: ChainId,
        role: Role,
        content: &Content,
    ) -> Result<u64, Obstacle> {
        let batch = decode(chain, role, content)?;
        self.apply(writer, &batch)
    }

    /// Merges a batch that is decoded and allowed, and returns the number of its changes of entries.
    fn apply(&mut self, writer: &Writer<'_>, batch: &Batch) -> Result<u64, Obstacle> {
        self.take(writer, batch, Document::merge)?;
        Ok(entry_changes(batch))
    }

    /// Takes in a part of a snapshot.
    pub(crate) fn adopt(&mut self, writer: &Writer<'_>, batch: &Batch) -> Result<(), Obstacle> {
        self.take(writer, batch, Document::adopt)
    }

    fn take(
        &mut self,
        writer: &Writer<'_>,
        batch: &Batch,
        into: fn(&mut Document, &BatchPart) -> Result<Merged, MergeError>,
    ) -> Result<(), Obstacle> {
        for (id, part) in &batch.documents {
            let open = self.open(writer, *id)?;
            let merged = into(&mut open.document, part).map_err(|source| Obstacle::Merge {
                document: *id,
                source,
            })?;
            open.saved = Some(merged.saved);
            open.touched.extend(merged.touched);
            open.tips.extend(merged.tips);
        }
        Ok(())
    }

    fn open(&mut self, writer: &Writer<'_>, id: DocumentId) -> Result<&mut OpenDocument, Obstacle> {
        use std::collections::btree_map::Entry;
        match self.open.entry(id) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let parts = if self.afresh {
                    DocumentParts::default()
                } else {
                    writer.document(&id.to_string())?
                };
                let document = load(id, &parts, self.path)?;
                Ok(place.insert(OpenDocument {
                    document,
                    edition: parts.edition,
                    saved: None,
                    touched: BTreeSet::new(),
                    tips: BTreeMap::new(),
                }))
            }
        }
    }

    /// Stores every document merged into, its tips, and the rows of the entries that moved.
    pub(crate) fn store(self, writer: &mut Writer<'_>) -> Result<(), Obstacle> {
        let now = os::now().as_millisecond();
        for (id, open) in self.open {
            let Some(saved) = open.saved else { continue };
            let name = id.to_string();
            writer.put_document(&name, &open.edition, &saved)?;
            for (actor, tip) in &open.tips {
                writer.put_tip(&name, &ChainId(actor.0), &stored_tip(tip))?;
            }
            if id == DocumentId::Profile {
                profile::adopt(writer, &open.document)?;
                continue;
            }
            let rows: Vec<_> = open
                .touched
                .iter()
                .filter_map(|key| row::row(&open.document.item(key)?, now))
                .collect();
            writer.put_entries(&rows)?;
        }
        Ok(())
    }
}
