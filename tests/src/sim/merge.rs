//! Merging what a session opened, as the client does: each envelope whole, or held whole with the reason.

use std::sync::Arc;

use journal::Actor;
use journal::batch::{self, Authors, Batch, BatchPart};
use journal::document::{Document, MergeError, Merged};
use protocol::envelope::{Kind, VerifiedEnvelope};
use protocol::id::ChainId;
use protocol::log::MemberLog;
use protocol::role::Role;
use protocol::vector::Position;
use seal::{Content, Keyring};
use sync::Incoming;

use super::disk::{Heads, Kept, State};

/// How often relays are asked for the manifest of parts that came without one.
const ASKED: u32 = 8;

/// Why an envelope cannot be merged.
pub(crate) struct Obstacle {
    pub(crate) reason: String,
    /// The documents that it is for; none if they do not matter.
    documents: Heads,
}

impl Obstacle {
    fn new(reason: impl ToString, documents: Heads) -> Self {
        let reason = reason.to_string();
        Self { reason, documents }
    }
}

/// Merges or holds envelopes, then tries again what is held.
pub(crate) fn merge(state: &mut State, incoming: &[Incoming], ring: &Keyring) {
    for one in incoming {
        let chain = one.envelope.header().chain();
        let merged = match &one.content {
            Ok(_) if one.envelope.header().kind == Kind::Snapshot => {
                // It says nothing new to who has what it covers.
                state.unchecked = ASKED;
                Ok(())
            }
            Ok(content) => merge_content(state, chain, one.role, content),
            Err(reason) => Err(Obstacle::new(reason, Vec::new())),
        };
        let held = merged.err().map(|obstacle| obstacle.reason);
        state.keep(one.envelope.envelope(), one.head, held);
    }
    retry_held(state, ring);
}

/// Tries to merge what is held, as long as that brings something.
pub(crate) fn retry_held(state: &mut State, ring: &Keyring) {
    loop {
        let mut progress = false;
        let held: Vec<_> = state
            .chains
            .iter()
            .flat_map(|(chain, of)| {
                let kept = of.kept.iter().enumerate();
                let held = kept.filter(|(_, kept)| kept.held.is_some() && may_merge(state, kept));
                held.filter_map(|(at, kept)| {
                    Some((*chain, at, Arc::clone(kept.envelope.as_ref()?)))
                })
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
            let merged = match (envelope.header().kind, role) {
                (Kind::Batch, _) => merge_content(state, chain, role, &content),
                (Kind::Snapshot, Role::Owner) => {
                    state.unchecked = ASKED;
                    Ok(())
                }
                (Kind::Snapshot, _) => continue,
            };
            match merged {
                Ok(()) => {
                    set_held(state, &chain, at, None);
                    progress = true;
                }
                Err(obstacle) => {
                    let kept = kept_mut(state, &chain, at);
                    kept.expect("it is kept").failed_on = Some(obstacle.documents);
                }
            }
        }
        if !progress {
            return;
        }
    }
}

/// Whether anything moved since it could not be merged.
fn may_merge(state: &State, kept: &Kept) -> bool {
    let failed_on = kept.failed_on.as_ref();
    failed_on.is_none_or(|before| state.heads(before.iter().map(|(id, _)| *id)) != *before)
}

fn kept_mut<'a>(state: &'a mut State, chain: &ChainId, at: usize) -> Option<&'a mut Kept> {
    let of = state.chains.get_mut(chain)?;
    Arc::make_mut(of).kept.get_mut(at)
}

/// Notes whether a kept envelope is merged, and why not.
pub(crate) fn set_held(state: &mut State, chain: &ChainId, at: usize, held: Option<String>) {
    let kept = state.chains.get(chain).and_then(|of| of.kept.get(at));
    if kept.is_some_and(|kept| kept.held != held)
        && let Some(kept) = kept_mut(state, chain, at)
    {
        kept.held = held;
        kept.failed_on = None;
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

/// Reads the batch of an envelope, and checks that its device might write what is in it.
pub(crate) fn decode(chain: ChainId, role: Role, content: &Content) -> Result<Batch, Obstacle> {
    let batch = batch::decode(&content.batch.0, &Authors::One(Actor(chain.0)))
        .map_err(|error| Obstacle::new(error, Vec::new()))?;
    if !batch.may_come_from(role == Role::Owner) {
        let reason = "it changes the profile, which only owners may do";
        return Err(Obstacle::new(reason, Vec::new()));
    }
    Ok(batch)
}

fn merge_content(
    state: &mut State,
    chain: ChainId,
    role: Role,
    content: &Content,
) -> Result<(), Obstacle> {
    let batch = decode(chain, role, content)?;
    take(state, &batch, Document::merge)
}

/// Takes a batch into the documents whole, or nothing of it.
pub(crate) fn take(
    state: &mut State,
    batch: &Batch,
    into: fn(&mut Document, &BatchPart) -> Result<Merged, MergeError>,
) -> Result<(), Obstacle> {
    let obstacle =
        |state: &State, error| Obstacle::new(error, state.heads(batch.documents.keys().copied()));
    let mut merged = Vec::new();
    for (id, part) in &batch.documents {
        let mut document = state.document(*id);
        let done = into(&mut document, part);
        done.map_err(|error| obstacle(state, error))?;
        merged.push((*id, Arc::new(document)));
    }
    state.documents.extend(merged);
    Ok(())
}
