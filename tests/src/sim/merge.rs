//! Merging what a session opened, as the client does: each envelope whole, or held whole with the reason.

use std::sync::Arc;

use journal::batch::{self, Authors};
use journal::{Actor, DocumentId};
use protocol::envelope::VerifiedEnvelope;
use protocol::id::ChainId;
use protocol::log::MemberLog;
use protocol::role::Role;
use protocol::vector::Position;
use seal::{Content, Keyring};
use sync::Incoming;

use super::disk::State;

/// Merges or holds envelopes, then tries again what is held.
pub(crate) fn merge(state: &mut State, incoming: &[Incoming], ring: &Keyring) {
    for one in incoming {
        let chain = one.envelope.header().chain();
        let merged = match &one.content {
            Ok(content) => merge_content(state, chain, one.role, content),
            Err(reason) => Err(reason.clone()),
        };
        state.keep(one.envelope.envelope(), one.head, merged.err());
    }
    retry_held(state, ring);
}

fn retry_held(state: &mut State, ring: &Keyring) {
    loop {
        let mut progress = false;
        let held: Vec<_> = state
            .chains
            .iter()
            .flat_map(|(chain, of)| {
                let kept = of.kept.iter().enumerate();
                let held = kept.filter(|(_, kept)| kept.held.is_some());
                held.map(|(at, kept)| (*chain, at, Arc::clone(&kept.envelope)))
            })
            .collect();
        for (chain, at, envelope) in held {
            let envelope = VerifiedEnvelope::trusted((*envelope).clone());
            let Some(role) = role_if_free(&state.log, &envelope) else {
                continue;
            };
            let key = ring.get(envelope.header().epoch);
            let Some(Ok(content)) = key.map(|key| seal::open(&envelope, key)) else {
                continue;
            };
            if merge_content(state, chain, role, &content).is_ok() {
                set_held(state, &chain, at, None);
                progress = true;
            }
        }
        if !progress {
            return;
        }
    }
}

/// Notes whether a kept envelope is merged, and why not.
pub(crate) fn set_held(state: &mut State, chain: &ChainId, at: usize, held: Option<String>) {
    if let Some(of) = state.chains.get_mut(chain)
        && of.kept.get(at).is_some_and(|kept| kept.held != held)
        && let Some(kept) = Arc::make_mut(of).kept.get_mut(at)
    {
        kept.held = held;
    }
}

fn role_if_free(log: &MemberLog, envelope: &VerifiedEnvelope) -> Option<Role> {
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

/// Merges the batch of one envelope whole, or nothing of it.
pub(crate) fn merge_content(
    state: &mut State,
    chain: ChainId,
    role: Role,
    content: &Content,
) -> Result<(), String> {
    let batch = batch::decode(&content.batch.0, &Authors::One(Actor(chain.0)))
        .map_err(|error| error.to_string())?;
    let profile = batch.documents.contains_key(&DocumentId::Profile);
    if profile && role != Role::Owner && !cfg!(ebb_mutant = "profile-by-anyone") {
        return Err("it changes the profile, which only owners may do".to_owned());
    }
    let mut merged = Vec::new();
    for (id, part) in &batch.documents {
        let mut document = state.document(*id);
        document.merge(part).map_err(|error| error.to_string())?;
        merged.push((*id, Arc::new(document)));
    }
    state.documents.extend(merged);
    Ok(())
}
