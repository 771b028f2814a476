//! Making a snapshot: when, of what, and its manifest.

use std::collections::HashSet;
use std::path::Path;

use journal::DocumentId;
use journal::batch::{Encoder, Pushed};
use protocol::limits;
use protocol::role::Role;
use protocol::snapshot::{self, Author, Manifest};
use protocol::vector::Vector;
use store::{Reader, StoreError};
use sync::Outgoing;

use crate::journal::{DamagedReplica, LoadError, load_log};
use crate::record::load;
use crate::sync::SyncError;

/// Envelopes that must have come since the last snapshot.
const AT_LEAST: u64 = 64;
/// The part of those covered before that must have come since: all snapshots together then cost about as much again as ten of
/// the last.
const SHARE: u64 = 10;

/// Returns whether it is time for this device to make a snapshot: it is an owner's, what it holds back is at the end of chains, and
/// enough has come since the last one.
pub(crate) fn is_due(reader: &Reader<'_>, path: &Path) -> Result<bool, LoadError> {
    let Some(vector) = covered(reader, reader.vector()?)? else {
        return Ok(false);
    };
    let before = super::newest(reader)?
        .map(|(_, snapshot)| snapshot.manifest().covers.clone())
        .unwrap_or_default();
    let count = |vector: &Vector| vector.0.values().map(|at| at.seq.0).sum::<u64>();
    let before = count(&before);
    let since = count(&vector).saturating_sub(before);
    if since < AT_LEAST.max(before / SHARE) || vector.0.len() > limits::VECTOR_CHAINS {
        return Ok(false);
    }
    let log = load_log(reader, path)?.log;
    Ok(log.role(&reader.own()?.device) == Some(Role::Owner) && !log.is_erased())
}

/// Returns what a snapshot made now covers of what was seen, if that can be told.
fn covered(reader: &Reader<'_>, seen: Vector) -> Result<Option<Vector>, StoreError> {
    let held = reader.held()?.into_iter();
    let held = held.map(|one| (one.chain, one.envelope.seq));
    snapshot::covered(&reader.own()?.chain, seen, held, |chain, seq| {
        Ok(reader.envelope(chain, seq)?.map(|found| found.hash))
    })
}

/// Gathers everything that is in envelopes into batches, each of which fits one. What is recorded and not sealed yet stays out.
pub(crate) fn batches(reader: &Reader<'_>, path: &Path) -> Result<Vec<Vec<u8>>, SyncError> {
    let damaged = || DamagedReplica::Entry {
        path: path.to_owned(),
    };
    let loose: HashSet<Vec<u8>> = reader
        .unsealed()?
        .into_iter()
        .map(|change| change.bytes)
        .collect();
    let mut batches = Vec::new();
    let mut encoder = Encoder::default();
    for name in reader.documents()? {
        let id: DocumentId = name.parse().map_err(|_| damaged())?;
        let document = load(id, &reader.document(&name)?, path)?;
        for (_, change) in document.changes() {
            if loose.contains(&change) {
                continue;
            }
            if matches!(encoder.push(id, &change)?, Pushed::Full) {
                batches.push(std::mem::take(&mut encoder).finish());
                encoder.push(id, &change)?;
            }
        }
    }
    if !encoder.is_empty() {
        batches.push(encoder.finish());
    }
    Ok(batches)
}

/// Describes the snapshot that these envelopes are the parts of; none if they are no snapshot.
pub(crate) fn manifest(
    reader: &Reader<'_>,
    parts: &[Outgoing],
) -> Result<Option<Manifest>, StoreError> {
    let Some(first) = parts.first() else {
        return Ok(None);
    };
    let Some(covers) = covered(reader, first.seen.clone())? else {
        return Ok(None);
    };
    let chains = reader.chains()?.into_iter();
    let authors = chains
        .filter(|(id, _)| covers.0.contains_key(id))
        .map(|(_, chain)| Author {
            device: chain.device,
            salt: chain.salt,
        })
        .collect();
    let parts = parts.iter().map(|part| part.envelope.envelope());
    Ok(Manifest::of(parts, covers, authors))
}
