//! Rebuilding a replica's documents from its envelopes, and recording again what could not stand.
//!
//! Needed where changes were merged that may not count: a frontier excludes them, or another copy of this device wrote in
//! the same chain. The documents are built anew from every envelope that counts; what this device's own changes said
//! beyond that is recorded once more, on a new chain. All of it is one transaction: nothing that either side wrote is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use journal::batch::{self, Authors, Batch};
use journal::document::{AgainError, Document};
use journal::{Actor, DocumentId, Fields, Scalar, Value};
use protocol::envelope::{Envelope, Kind, VerifiedEnvelope};
use protocol::id::{ChainId, ChainSalt, KeyId, Seq};
use protocol::log::MemberLog;
use protocol::role::Role;
use protocol::vector::Position;
use seal::{KeyPair, Keyring};
use store::document::LooseChange;
use store::envelope::EnvelopeState;
use store::{Own, Reader, Replica, StoreError, Writer};

use crate::home::OpenError;
use crate::journal::{DamagedReplica, Journal, LoadError, load_keys, load_log};
use crate::merge::{Documents, Obstacle, decode};
use crate::record::{load, store_change, stored_tip};
use crate::snapshot::{self, AdoptedParts};
use crate::sync::SEALED_VECTOR;
use crate::{os, profile, row};

/// The setting that says: another copy of this device wrote in the own chain, and no new one is begun yet. It outlives a
/// crash between the two, after which nothing would say so any more.
pub(crate) const NEW_CHAIN_DUE: &str = "new-chain-due";
/// The field of an entry that names who wrote it first.
pub(crate) const AUTHOR: &str = "author";
/// Why own envelopes are kept apart.
pub(crate) const ANOTHER_COPY: &str =
    "another copy of this device wrote in its place; it was recorded again";
/// The setting with the notice that this replica is a copy.
const COPIED: &str = "copied-notice";
/// The notice.
const COPIED_WORDS: &str = "this replica is a copy, or was restored from a backup: it goes on as a new one, and both keep what they wrote";

/// Why documents cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What an own change said cannot be written again.
    #[error("an entry cannot be recorded again")]
    Again(#[from] AgainError),
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        Self::Load(error.into())
    }
}

impl From<DamagedReplica> for RebuildError {
    fn from(error: DamagedReplica) -> Self {
        Self::Load(error.into())
    }
}

/// What is needed to judge and open envelopes.
pub(crate) struct Context<'a> {
    pub(crate) log: &'a MemberLog,
    pub(crate) keys: &'a Keyring,
    pub(crate) path: &'a Path,
}

/// What rebuilding did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    /// Entries recorded again.
    pub(crate) again: u64,
    /// Whether a new chain was begun.
    pub(crate) new_chain: bool,
}

/// One envelope on its way into the documents.
struct Candidate {
    chain: ChainId,
    seq: Seq,
    batch: Batch,
}

impl Rebuilt {
    /// Says what was recorded again, if anything.
    pub(crate) fn words(&self) -> Option<String> {
        let entries = match self.again {
            0 => return None,
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        };
        Some(format!(
            "{entries} of this device could not stand where they were, and were recorded again"
        ))
    }
}

/// Gives way to another copy of this device: own envelopes after a place are taken out of the chain and kept apart, and a new chain
/// is due. A snapshot that has parts among them is not handed on any more.
pub(crate) fn give_way(writer: &mut Writer<'_>, path: &Path, after: Seq) -> Result<(), LoadError> {
    let damaged = || DamagedReplica::Envelope {
        path: path.to_owned(),
    };
    let log = load_log(writer, path)?.log;
    let chain = writer.own()?.chain;
    for stored in writer.envelopes_after(&chain, after, usize::MAX)? {
        writer.put_waiting(&stored.hash, &stored.bytes, ANOTHER_COPY)?;
    }
    let last = match after {
        Seq(0) => None,
        seq => Some(writer.envelope(&chain, seq)?.ok_or_else(damaged)?),
    };
    let tip = last.as_ref().map(|last| Position {
        seq: last.seq,
        hash: last.hash,
    });
    let head = last
        .and_then(|last| Envelope::parse(last.bytes).ok())
        .and_then(|last| log.index_of(&last.header().head));
    writer.cut_chain(&chain, tip, head.unwrap_or(0))?;
    snapshot::forsake(writer, &chain, after)?;
    writer.set_setting(SEALED_VECTOR, None)?;
    Ok(writer.set_setting(NEW_CHAIN_DUE, Some("yes"))?)
}

/// Returns whether something is merged that a frontier excludes, or a new chain is due.
pub(crate) fn is_due(replica: &Replica) -> Result<bool, LoadError> {
    let path = replica.path().to_owned();
    replica.read(|reader| {
        let stored = load_log(reader, &path)?;
        let keys = Keyring::default();
        let context = Context {
            log: &stored.log,
            keys: &keys,
            path: &path,
        };
        context.is_rebuild_due(reader)
    })
}

/// Rebuilds a replica's documents; see [`Context::rebuild`].
pub(crate) fn rebuild(
    replica: &mut Replica,
    device: &KeyPair,
    begin: Option<ChainSalt>,
) -> Result<Rebuilt, RebuildError> {
    let path = replica.path().to_owned();
    replica.write(|writer| {
        let stored = load_log(writer, &path)?;
        let keys = load_keys(writer, &stored, device)?;
        let context = Context {
            log: &stored.log,
            keys: &keys,
            path: &path,
        };
        let rebuilt = context.rebuild(writer, begin)?;
        if rebuilt.new_chain {
            writer.set_setting(SEALED_VECTOR, None)?;
        }
        Ok(rebuilt)
    })
}

impl Journal {
    /// Begins a new chain if the replica is a copy, or a restored backup: the other copy may go on writing in the old one.
    pub(crate) fn leave_copied_chain(&mut self) -> Result<(), CopiedError> {
        let here = os::place(&self.path());
        if self.own.place.as_ref().is_none_or(|place| *place == here) {
            return Ok(());
        }
        let keys = self.keys()?;
        rebuild(
            &mut self.replica,
            &keys,
            Some(ChainSalt(os::random_bytes())),
        )?;
        self.replica
            .write(|writer| writer.set_setting(COPIED, Some(COPIED_WORDS)))?;
        self.own = self.replica.read(|reader| reader.own())?;
        Ok(())
    }

    /// Takes the notice that this replica is a copy, if it found so since it was last told.
    pub(crate) fn take_copied_notice(&mut self) -> Result<Option<String>, StoreError> {
        let notice = self.replica.read(|reader| reader.setting(COPIED))?;
        if notice.is_some() {
            self.replica
                .write(|writer| writer.set_setting(COPIED, None))?;
        }
        Ok(notice)
    }
}

/// Why a copied replica cannot begin its own chain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopiedError {
    #[error(transparent)]
    Secret(#[from] OpenError),
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Context<'_> {
    /// Returns whether something is merged that a frontier excludes, or a new chain is due.
    pub(crate) fn is_rebuild_due(&self, reader: &Reader<'_>) -> Result<bool, LoadError> {
        if reader.setting(NEW_CHAIN_DUE)?.is_some() {
            return Ok(true);
        }
        let own = reader.own()?;
        let held: BTreeSet<(ChainId, Seq)> = reader
            .held()?
            .into_iter()
            .map(|held| (held.chain, held.envelope.seq))
            .collect();
        for (chain, of) in reader.chains()? {
            let device = self.log.devices().get(&of.device);
            let Some(device) = device.filter(|device| !device.losses().is_empty()) else {
                continue;
            };
            let first = device.losses().iter().map(|loss| loss.frontier.seq(&chain));
            let after = Seq(first.min().unwrap_or(Seq(0)).0.saturating_sub(1));
            for envelope in reader.envelopes_after(&chain, after, usize::MAX)? {
                if !held.contains(&(chain, envelope.seq))
                    && let Ok(envelope) = Envelope::parse(envelope.bytes)
                    && self.is_excluded(&own, &envelope)
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Returns whether an envelope is beyond the frontier of its device. A device that may not write keeps what it wrote
    /// itself in its own view: nobody else shows it.
    fn is_excluded(&self, own: &Own, envelope: &Envelope) -> bool {
        let header = envelope.header();
        let Some(head) = self.log.index_of(&header.head) else {
            return false;
        };
        let position = Position {
            seq: header.seq,
            hash: envelope.hash(),
        };
        let silenced = !self.log.role(&own.device).is_some_and(Role::may_write);
        let (device, chain) = (header.device, header.chain());
        !(silenced && device == own.device)
            && self.log.is_beyond_frontier(&device, &chain, position, head)
    }

    /// Rebuilds all documents from the envelopes, and records again what own changes said that do not stand: on a new
    /// chain, to which own changes that are in no envelope move too. With `begin`, one is begun in any case.
    pub(crate) fn rebuild(
        &self,
        writer: &mut Writer<'_>,
        begin: Option<ChainSalt>,
    ) -> Result<Rebuilt, RebuildError> {
        let due = writer.setting(NEW_CHAIN_DUE)?.is_some();
        let begin = begin.or_else(|| due.then(|| ChainSalt(os::random_bytes())));
        writer.set_setting(NEW_CHAIN_DUE, None)?;
        let own = writer.own()?;
        let before = self.stored(writer)?;
        let mut documents = Documents::afresh(self.path);
        self.merge_envelopes(writer, &own, &mut documents)?;
        let sealed = documents.finish();
        let chains: BTreeSet<Actor> = writer
            .chains()?
            .into_iter()
            .filter(|(_, chain)| chain.device == own.device)
            .map(|(id, _)| Actor(id.0))
            .chain([Actor(own.chain.0)])
            .collect();
        let loose = writer.unsealed()?;
        let mut after = sealed.clone();
        if begin.is_none() {
            writer.remove_loose(&apply_loose(&mut after, &loose))?;
        }
        let mut lost = self.lost(&before, &after, &chains);
        let new_chain = begin.is_some() || !lost.is_empty();
        if new_chain {
            // Nothing is ever sealed again on the chain that is left: what was not sealed yet moves to the new one.
            let all: Vec<_> = loose.iter().map(|change| change.id).collect();
            writer.remove_loose(&all)?;
            after = sealed;
            lost = self.lost(&before, &after, &chains);
        }
        store_all(writer, &before, &after)?;
        if new_chain {
            let salt = begin.unwrap_or(ChainSalt(os::random_bytes()));
            writer.start_chain(&salt, Some(&os::place(self.path)))?;
        }
        let again = record_again(writer, lost, &mut after)?;
        Ok(Rebuilt { again, new_chain })
    }

    fn stored(&self, reader: &Reader<'_>) -> Result<BTreeMap<DocumentId, Document>, LoadError> {
        let mut documents = BTreeMap::new();
        for name in reader.documents()? {
            let damaged = || DamagedReplica::Entry {
                path: self.path.to_owned(),
            };
            let id: DocumentId = name.parse().map_err(|_| damaged())?;
            documents.insert(id, load(id, &reader.document(&name)?, self.path)?);
        }
        Ok(documents)
    }

    /// Merges every envelope that counts, in whatever order its dependencies allow, and notes which could not be.
    fn merge_envelopes(
        &self,
        writer: &mut Writer<'_>,
        own: &Own,
        documents: &mut Documents<'_>,
    ) -> Result<(), LoadError> {
        let adopted = snapshot::adopted(writer)?;
        let mut left = Vec::new();
        for (chain, _) in writer.chains()? {
            for stored in writer.envelopes_after(&chain, Seq(0), usize::MAX)? {
                let seq = stored.seq;
                let Ok(envelope) = Envelope::parse(stored.bytes) else {
                    return Err(DamagedReplica::Envelope {
                        path: self.path.to_owned(),
                    }
                    .into());
                };
                match self.candidate(own, envelope, &adopted) {
                    Ok(Some(candidate)) => left.push((candidate, String::new())),
                    Ok(None) => {}
                    Err(reason) => {
                        writer.set_state(&chain, seq, EnvelopeState::Held(&reason))?;
                    }
                }
            }
        }
        loop {
            let count = left.len();
            let mut still = Vec::new();
            for (one, _) in left {
                let Candidate {
                    chain,
                    seq,
                    ref batch,
                } = one;
                match documents.merge_whole(writer, batch) {
                    Ok(()) => {
                        writer.set_state(&chain, seq, EnvelopeState::Merged)?;
                    }
                    Err(Obstacle::Load(error)) => return Err(error),
                    Err(obstacle) => still.push((one, obstacle.to_string())),
                }
            }
            left = still;
            if left.len() == count {
                break;
            }
        }
        for (one, reason) in left {
            writer.set_state(&one.chain, one.seq, EnvelopeState::Held(&reason))?;
        }
        Ok(())
    }

    /// Opens an envelope, or says why it does not count. A part of a snapshot adds something only if it was adopted.
    fn candidate(
        &self,
        own: &Own,
        envelope: Envelope,
        adopted: &AdoptedParts,
    ) -> Result<Option<Candidate>, String> {
        if self.is_excluded(own, &envelope) {
            return Err(sync::BEYOND_FRONTIER.to_owned());
        }
        let actors = adopted.get(&envelope.hash());
        if envelope.header().kind == Kind::Snapshot && actors.is_none() {
            return Ok(None);
        }
        let envelope = VerifiedEnvelope::trusted(envelope);
        let header = envelope.header();
        let head = self.log.index_of(&header.head);
        let role = head.and_then(|head| self.log.devices().get(&header.device)?.role_at(head));
        let role = role.ok_or_else(|| "its device was no member then".to_owned())?;
        let key = self.keys.get(header.epoch);
        let key = key.ok_or_else(|| format!("the key of epoch {} is missing", header.epoch))?;
        let content = seal::open(&envelope, key).map_err(|error| error.to_string())?;
        let (chain, seq) = (header.chain(), header.seq);
        let batch = match actors {
            Some(actors) => batch::decode(&content.batch.0, &Authors::Listed(actors))
                .map_err(|error| Obstacle::from(error).to_string())?,
            None => decode(chain, role, &content).map_err(|error| error.to_string())?,
        };
        Ok(Some(Candidate { chain, seq, batch }))
    }

    /// Gathers what own changes said that is not in the documents any more.
    fn lost(
        &self,
        before: &BTreeMap<DocumentId, Document>,
        after: &BTreeMap<DocumentId, Document>,
        chains: &BTreeSet<Actor>,
    ) -> Vec<Again> {
        let mut all = Vec::new();
        for (id, old) in before {
            let empty = Document::empty(*id);
            let new = after.get(id).unwrap_or(&empty);
            for (key, lost) in old.lost_to(new, chains) {
                let whole = old.item(&key).filter(|_| new.item(&key).is_none());
                let (set, maker) = match whole {
                    // Whoever made the item does not count: all that it says is taken over, with its author's name.
                    Some(item) => {
                        let foreign = !chains.contains(&item.created_by);
                        let maker = foreign.then_some(ChainId(item.created_by.0));
                        (item.fields, maker)
                    }
                    None => (lost.set, None),
                };
                all.push(Again {
                    document: *id,
                    key,
                    set,
                    removed: lost.removed,
                    maker,
                });
            }
        }
        all
    }
}

/// What is to be recorded again of one item.
pub(crate) struct Again {
    pub(crate) document: DocumentId,
    pub(crate) key: String,
    pub(crate) set: Fields,
    pub(crate) removed: BTreeSet<String>,
    /// The chain whose device is to be named as the author.
    pub(crate) maker: Option<ChainId>,
}

/// Records items again on the present chain; returns how many there were to record.
pub(crate) fn record_again(
    writer: &mut Writer<'_>,
    items: Vec<Again>,
    documents: &mut BTreeMap<DocumentId, Document>,
) -> Result<u64, RebuildError> {
    let own = writer.own()?;
    let now = os::now();
    let authors = authors(writer)?;
    let mut count = 0;
    for mut item in items {
        let document = documents
            .entry(item.document)
            .or_insert_with(|| Document::empty(item.document));
        if let Some(names) = item.maker.and_then(|chain| authors.get(&chain)) {
            item.set
                .entry(AUTHOR.to_owned())
                .or_insert_with(|| names.clone());
        }
        let actor = Actor(own.chain.0);
        let change = document.put(actor, now.as_second(), &item.key, &item.set, &item.removed)?;
        let Some(change) = change else { continue };
        store_change(writer, item.document, &own.chain, &change)?;
        if item.document == DocumentId::Profile {
            profile::adopt(writer, document)?;
        } else {
            let row = document
                .item(&item.key)
                .and_then(|item| row::row(&item, now.as_millisecond()));
            writer.put_entries(row.as_slice())?;
        }
        count += 1;
    }
    Ok(count)
}

/// Returns the names by which entries call the author behind each chain.
pub(crate) fn authors(reader: &Reader<'_>) -> Result<BTreeMap<ChainId, Value>, StoreError> {
    let names: BTreeMap<KeyId, Value> = reader
        .members()?
        .into_iter()
        .map(|member| {
            let names = [member.person_name, member.device_name];
            (member.device, Value::List(names.map(Scalar::Text).to_vec()))
        })
        .collect();
    let chains = reader.chains()?.into_iter();
    Ok(chains
        .filter_map(|(id, chain)| Some((id, names.get(&chain.device)?.clone())))
        .collect())
}

/// Adds changes that no envelope carries to the documents that they fit, and returns those that fit none.
fn apply_loose(
    documents: &mut BTreeMap<DocumentId, Document>,
    loose: &[LooseChange],
) -> Vec<store::document::LooseId> {
    let mut lost = Vec::new();
    let mut by_document: BTreeMap<&str, Vec<&LooseChange>> = BTreeMap::new();
    for change in loose {
        by_document
            .entry(&change.document)
            .or_default()
            .push(change);
    }
    for (name, changes) in by_document {
        let Ok(id) = name.parse::<DocumentId>() else {
            lost.extend(changes.iter().map(|change| change.id));
            continue;
        };
        let base = documents.get(&id).map(Document::save);
        let with = |base: &Option<Vec<u8>>, changes: &[&LooseChange]| {
            let bytes = changes.iter().map(|change| change.bytes.as_slice());
            Document::load(id, base.as_deref(), bytes)
        };
        if let Ok(all) = with(&base, &changes) {
            documents.insert(id, all);
            continue;
        }
        for change in changes {
            let base = documents.get(&id).map(Document::save);
            match with(&base, &[change]) {
                Ok(document) => {
                    documents.insert(id, document);
                }
                Err(_) => lost.push(change.id),
            }
        }
    }
    lost
}

/// Stores rebuilt documents, their tips, and the read model, in place of all that was there.
fn store_all(
    writer: &mut Writer<'_>,
    before: &BTreeMap<DocumentId, Document>,
    after: &BTreeMap<DocumentId, Document>,
) -> Result<(), StoreError> {
    let now = os::now().as_millisecond();
    writer.clear_documents()?;
    for (id, document) in after {
        let name = id.to_string();
        let edition = writer.document(&name)?.edition;
        writer.put_document(&name, &edition, &document.save())?;
        for (actor, tip) in document.tips() {
            writer.put_tip(&name, &ChainId(actor.0), &stored_tip(&tip))?;
        }
    }
    let months = |documents: &BTreeMap<DocumentId, Document>| {
        let months = documents
            .iter()
            .filter(|(id, _)| **id != DocumentId::Profile);
        let items = months.flat_map(|(_, document)| document.items());
        items.collect::<Vec<_>>()
    };
    let rows: Vec<_> = months(after)
        .iter()
        .filter_map(|item| row::row(item, now))
        .collect();
    let kept: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
    for gone in months(before).iter().filter_map(|item| row::row(item, now)) {
        if !kept.contains(&gone.id) {
            writer.remove_entry(&gone.id)?;
        }
    }
    writer.put_entries(&rows)?;
    match after.get(&DocumentId::Profile) {
        Some(profile) => profile::adopt(writer, profile),
        None => Ok(()),
    }
}
