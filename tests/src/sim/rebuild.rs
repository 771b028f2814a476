//! Rebuilding a replica's documents from its envelopes, and recording again what could not stand, as the client does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::batch::{self, Authors, Batch};
use journal::document::Document;
use journal::{Actor, DocumentId, Fields, Scalar, Value};
use protocol::envelope::{Envelope, Kind, VerifiedEnvelope};
use protocol::id::{ChainId, ChainSalt, KeyId};
use protocol::role::Role;
use protocol::vector::{Position, Vector};
use seal::Keyring;

use super::disk::{Loose, State};
use super::merge::{decode, set_held, take};
use super::snapshots::{AdoptedParts, adopted};

/// Whose replica is rebuilt, and when.
pub(crate) struct Own<'a> {
    pub(crate) device: KeyId,
    pub(crate) ring: &'a Keyring,
    pub(crate) time: i64,
}

struct Candidate {
    chain: ChainId,
    at: usize,
    batch: Batch,
}

/// What is to be recorded again of one item.
struct Again {
    document: DocumentId,
    key: String,
    set: Fields,
    removed: BTreeSet<String>,
    foreign: bool,
}

/// Returns whether something is merged that a frontier excludes.
pub(crate) fn is_due(state: &State, own: &KeyId) -> bool {
    state.copied || is_excluding(state, own)
}

fn is_excluding(state: &State, own: &KeyId) -> bool {
    state.chains.iter().any(|(id, chain)| {
        let device = state.log.devices().get(&chain.device);
        let losses = device.into_iter().flat_map(|device| device.losses());
        // Up to the first frontier, nothing is excluded.
        let Some(first) = losses.map(|loss| loss.frontier.seq(id).0).min() else {
            return false;
        };
        let before = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut after = chain.kept.iter().skip(before);
        after.any(|kept| {
            let envelope = kept.envelope.as_ref().filter(|_| kept.held.is_none());
            envelope.is_some_and(|envelope| is_excluded(state, own, envelope))
        })
    })
}

fn is_excluded(state: &State, own: &KeyId, envelope: &Envelope) -> bool {
    let header = envelope.header();
    let Some(head) = state.log.index_of(&header.head) else {
        return false;
    };
    let position = Position {
        seq: header.seq,
        hash: envelope.hash(),
    };
    let silenced = !state.log.role(own).is_some_and(Role::may_write);
    !(silenced && header.device == *own)
        && state
            .log
            .is_beyond_frontier(&header.device, &header.chain(), position, head)
}

/// Rebuilds all documents, and records again what own changes said that do not stand. With `begin`, a new chain is begun in
/// any case; `fresh` is the salt of one that turns out to be needed.
pub(crate) fn rebuild(
    state: &mut State,
    own: &Own<'_>,
    begin: Option<ChainSalt>,
    fresh: ChainSalt,
) {
    let begin = begin.or(std::mem::take(&mut state.copied).then_some(fresh));
    state.copied = false;
    let before = std::mem::take(&mut state.documents);
    merge_envelopes(state, own);
    let sealed = state.documents.clone();
    let present = ChainId::of(&own.device, &state.salt);
    let mine = state
        .chains
        .iter()
        .filter(|(_, of)| of.device == own.device);
    let chains: BTreeSet<Actor> = mine
        .map(|(id, _)| Actor(id.0))
        .chain([Actor(present.0)])
        .collect();
    let loose = std::mem::take(&mut state.loose);
    if begin.is_none() {
        state.loose = apply_loose(state, loose);
    }
    let mut again = lost(&before, state, &chains);
    if begin.is_some() || !again.is_empty() {
        // Nothing is ever sealed again on the chain that is left: what was not sealed yet moves to the new one.
        state.loose.clear();
        state.documents = sealed;
        again = lost(&before, state, &chains);
        state.salt = begin.unwrap_or(fresh);
        state.sealed_vector = Vector::default();
    }
    record_again(state, own, again);
}

fn merge_envelopes(state: &mut State, own: &Own<'_>) {
    let adopted = adopted(state);
    let mut left = Vec::new();
    let chains: Vec<_> = state
        .chains
        .iter()
        .map(|(id, of)| (*id, Arc::clone(of)))
        .collect();
    for (chain, of) in chains {
        for (at, kept) in of.kept.iter().enumerate() {
            let Some(envelope) = &kept.envelope else {
                continue;
            };
            match candidate(state, own, (chain, at), envelope, &adopted) {
                Ok(candidate) => left.extend(candidate),
                Err(reason) => set_held(state, &chain, at, Some(reason)),
            }
        }
    }
    loop {
        let count = left.len();
        let mut still = Vec::new();
        for one in left {
            match take(state, &one.batch, Document::merge) {
                Ok(()) => set_held(state, &one.chain, one.at, None),
                Err(obstacle) => {
                    set_held(state, &one.chain, one.at, Some(obstacle.reason));
                    still.push(one);
                }
            }
        }
        left = still;
        if left.len() == count {
            return;
        }
    }
}

/// Opens an envelope, or says why it does not count. A part of a snapshot adds something only if it was adopted.
fn candidate(
    state: &State,
    own: &Own<'_>,
    (chain, at): (ChainId, usize),
    envelope: &Envelope,
    adopted: &AdoptedParts,
) -> Result<Option<Candidate>, String> {
    if is_excluded(state, &own.device, envelope) {
        return Err(sync::BEYOND_FRONTIER.to_owned());
    }
    let actors = adopted.get(&envelope.hash());
    if envelope.header().kind == Kind::Snapshot && actors.is_none() {
        return Ok(None);
    }
    let envelope = VerifiedEnvelope::trusted(envelope.clone());
    let header = envelope.header();
    let head = state.log.index_of(&header.head);
    let role = head.and_then(|head| state.log.devices().get(&header.device)?.role_at(head));
    let role = role.ok_or_else(|| "its device was no member then".to_owned())?;
    let key = own.ring.get(header.epoch).ok_or("a key is missing")?;
    let content = seal::open(&envelope, key).map_err(|error| error.to_string())?;
    let batch = match actors {
        Some(actors) => batch::decode(&content.batch.0, &Authors::Listed(actors))
            .map_err(|error| error.to_string())?,
        None => decode(chain, role, &content).map_err(|obstacle| obstacle.reason)?,
    };
    Ok(Some(Candidate { chain, at, batch }))
}

/// Adds changes that no envelope carries to the documents that they fit; returns those that stay.
fn apply_loose(state: &mut State, loose: Vec<Arc<Loose>>) -> Vec<Arc<Loose>> {
    let mut stay = Vec::new();
    for change in loose {
        let base = state.documents.get(&change.document).map(|of| of.save());
        let bytes = [change.bytes.as_slice()];
        if let Ok(document) = Document::load(change.document, base.as_deref(), bytes) {
            state.documents.insert(change.document, Arc::new(document));
            stay.push(change);
        }
    }
    stay
}

fn lost(
    before: &BTreeMap<DocumentId, Arc<Document>>,
    state: &State,
    chains: &BTreeSet<Actor>,
) -> Vec<Again> {
    let mut all = Vec::new();
    for (id, old) in before {
        let new = state.document(*id);
        if old.heads() == new.heads() {
            continue;
        }
        for (key, lost) in old.lost_to(&new, chains) {
            let whole = old.item(&key).filter(|_| new.item(&key).is_none());
            let foreign = whole
                .as_ref()
                .is_some_and(|item| !chains.contains(&item.created_by));
            all.push(Again {
                document: *id,
                key,
                set: whole.map_or(lost.set, |item| item.fields),
                removed: lost.removed,
                foreign,
            });
        }
    }
    all
}

fn record_again(state: &mut State, own: &Own<'_>, items: Vec<Again>) {
    let chain = ChainId::of(&own.device, &state.salt);
    for mut item in items {
        if item.foreign {
            let author = Value::Scalar(Scalar::Text("its first author".to_owned()));
            item.set.entry("author".to_owned()).or_insert(author);
        }
        let mut document = state.document(item.document);
        let actor = Actor(chain.0);
        let change = document.put(actor, own.time, &item.key, &item.set, &item.removed);
        let Ok(Some(change)) = change else { continue };
        state.documents.insert(item.document, Arc::new(document));
        state.loose.push(Arc::new(Loose {
            chain,
            document: item.document,
            bytes: Arc::new(change.bytes),
            hash: change.tip.hash,
            marks: marks(&item.set),
        }));
    }
}

/// Returns the marks among fields.
pub(crate) fn marks(fields: &Fields) -> Vec<i64> {
    let marked = fields.iter().filter(|(name, _)| name.starts_with('m'));
    marked.filter_map(|(_, value)| value.as_int()).collect()
}
