//! Checking a snapshot: whether it says the same as what a machine has; as the client does.

use std::collections::BTreeMap;

use journal::batch::{self, Authors};
use journal::{Actor, DocumentId};
use protocol::envelope::{Kind, VerifiedEnvelope};
use protocol::id::ChainId;
use protocol::snapshot::{Manifest, Snapshot, SnapshotError, is_overtaken};
use seal::Keyring;

use super::disk::State;
use super::snapshots::{actors, open};

/// How many changes of each chain each document has.
type Counts = BTreeMap<(DocumentId, Actor), u64>;

/// What checking a snapshot came to.
pub(crate) enum Checked {
    Same,
    Differs(String),
    NotYet,
    Overtaken,
}

/// Checks a snapshot against a replica that writes in the chain `own`.
pub(crate) fn check(state: &State, own: ChainId, snapshot: &Snapshot, ring: &Keyring) -> Checked {
    let manifest = match snapshot.verify(&state.log) {
        Ok(manifest) => manifest,
        Err(SnapshotError::UnknownHead) => return Checked::NotYet,
        Err(error) => return Checked::Differs(error.to_string()),
    };
    if is_overtaken(manifest, &state.log) {
        return Checked::Overtaken;
    }
    for (chain, at) in &manifest.covers.0 {
        let place = usize::try_from(at.seq.0 - 1).unwrap_or(usize::MAX);
        match state.chains.get(chain).and_then(|of| of.kept.get(place)) {
            None => return Checked::NotYet,
            // Another copy of this machine wrote there: this one gives way to it first.
            Some(kept) if kept.hash != at.hash && *chain == own => return Checked::NotYet,
            Some(kept) if kept.hash != at.hash => {
                return Checked::Differs("it covers another envelope".to_owned());
            }
            Some(_) => {}
        }
    }
    if lacks_later(state, manifest) {
        return Checked::NotYet;
    }
    let Some(parts) = parts(state, manifest) else {
        return Checked::NotYet;
    };
    match compare(state, manifest, &parts, ring) {
        Ok(()) => Checked::Same,
        Err(how) => Checked::Differs(how),
    }
}

/// Whether an envelope after what is covered is known here from another snapshot alone: what it said cannot be told apart.
fn lacks_later(state: &State, manifest: &Manifest) -> bool {
    state.chains.iter().any(|(chain, of)| {
        let after = usize::try_from(manifest.covers.seq(chain).0).unwrap_or(usize::MAX);
        let mut later = of.kept.iter().skip(after);
        later.any(|kept| kept.envelope.is_none())
    })
}

/// Returns the parts, if all are here.
fn parts(state: &State, manifest: &Manifest) -> Option<Vec<VerifiedEnvelope>> {
    let of = state.chains.get(&manifest.author.chain())?;
    let first = usize::try_from(manifest.first.0).ok()?.checked_sub(1)?;
    let parts = manifest.parts.iter().zip(first..).map(|(hash, at)| {
        let kept = of.kept.get(at).filter(|kept| kept.hash == *hash)?;
        let envelope = kept.envelope.as_ref()?;
        Some(VerifiedEnvelope::trusted((**envelope).clone()))
    });
    parts.collect()
}

/// Compares both ways: what the parts say with the documents, and what the documents have beyond with later envelopes.
fn compare(
    state: &State,
    manifest: &Manifest,
    parts: &[VerifiedEnvelope],
    ring: &Keyring,
) -> Result<(), String> {
    let actors = actors(manifest);
    let mut in_parts = Counts::new();
    for part in parts {
        for (id, part) in &open(part, ring, &actors)?.documents {
            let merged = state.document(*id).merge(part);
            let merged = merged.map_err(|error| format!("{id}: {error}"))?;
            if merged.changes > 0 {
                return Err(format!("{id} has more in it"));
            }
            for (actor, count) in part.authors() {
                *in_parts.entry((*id, actor)).or_default() += count;
            }
        }
    }
    let later = later(state, manifest, ring);
    for (id, document) in &state.documents {
        for (actor, tip) in document.tips() {
            let place = (*id, actor);
            let covered = in_parts.get(&place).copied().unwrap_or(0);
            if tip.seq > covered && later.get(&place) != Some(&(tip.seq - covered)) {
                return Err(format!("{id} has less in it"));
            }
        }
    }
    Ok(())
}

/// Counts the changes that are merged here and came after what a snapshot covers, or are not sealed yet.
fn later(state: &State, manifest: &Manifest, ring: &Keyring) -> Counts {
    let mut counts = Counts::new();
    for (chain, of) in &state.chains {
        let after = usize::try_from(manifest.covers.seq(chain).0).unwrap_or(usize::MAX);
        let merged = of
            .kept
            .iter()
            .skip(after)
            .filter(|kept| kept.held.is_none());
        for envelope in merged.filter_map(|kept| kept.envelope.as_ref()) {
            if envelope.header().kind == Kind::Snapshot {
                continue;
            }
            let envelope = VerifiedEnvelope::trusted((**envelope).clone());
            let key = ring.get(envelope.header().epoch);
            let Some(Ok(content)) = key.map(|key| seal::open(&envelope, key)) else {
                continue;
            };
            let actor = Actor(chain.0);
            let Ok(batch) = batch::decode(&content.batch.0, &Authors::One(actor)) else {
                continue;
            };
            for (id, part) in &batch.documents {
                let count = u64::try_from(part.len()).unwrap_or(u64::MAX);
                *counts.entry((*id, actor)).or_default() += count;
            }
        }
    }
    for change in &state.loose {
        let place = (change.document, Actor(change.chain.0));
        *counts.entry(place).or_default() += 1;
    }
    counts
}
