//! Sealing: own changes gathered into batches, and own envelopes stored.

use data_encoding::HEXLOWER;
use journal::DocumentId;
use journal::batch::{Encoder, Pushed};
use protocol::envelope::Kind;
use protocol::snapshot::Snapshot;
use store::StoreError;
use store::document::LooseId;
use store::snapshot::SnapshotState;
use sync::{Outgoing, Unsealed};

use super::{Driver, SEALED_VECTOR};
use crate::journal::DamagedReplica;
use crate::sync::SyncError;
use crate::{merge, snapshot};

impl Driver<'_> {
    /// Returns what is to be sealed: the parts of a snapshot in a session that sends one, else what was recorded.
    pub(super) fn unsealed(&mut self) -> Result<Vec<Unsealed>, SyncError> {
        match &mut self.snapshot {
            Some(batches) => Ok(parts_of(std::mem::take(batches))),
            None => self.collect(),
        }
    }

    /// Gathers the changes not yet sealed into batches, each of which fits an envelope.
    fn collect(&mut self) -> Result<Vec<Unsealed>, SyncError> {
        let (own, loose) = self
            .replica
            .read(|reader| Ok::<_, StoreError>((reader.own()?, reader.unsealed()?)))?;
        let path = self.replica.path().to_owned();
        let mut batches = Vec::new();
        let mut encoder = Encoder::default();
        let mut ids = Vec::new();
        self.marks.clear();
        for change in loose.into_iter().filter(|change| change.chain == own.chain) {
            let document: DocumentId = change
                .document
                .parse()
                .map_err(|_| DamagedReplica::Entry { path: path.clone() })?;
            if matches!(encoder.push(document, &change.bytes)?, Pushed::Full) {
                let full = std::mem::take(&mut encoder);
                batches.push(self.batch(full, std::mem::take(&mut ids)));
                encoder.push(document, &change.bytes)?;
            }
            ids.push(change.id);
        }
        if !encoder.is_empty() {
            batches.push(self.batch(encoder, ids));
        }
        Ok(batches)
    }

    fn batch(&mut self, encoder: Encoder, ids: Vec<LooseId>) -> Unsealed {
        let mark = u64::try_from(self.marks.len()).unwrap_or(u64::MAX);
        self.marks.push(ids);
        Unsealed {
            kind: Kind::Batch,
            batch: encoder.finish(),
            mark,
        }
    }

    /// Stores own envelopes; false if another process was there first.
    pub(super) fn store_own(&mut self, sealed: &[Outgoing]) -> Result<bool, SyncError> {
        let (marks, keys) = (&self.marks, &self.keys);
        let is_snapshot = self.snapshot.is_some();
        let stored = self.replica.write(|writer| {
            // Read before the parts move the chains.
            let manifest = match is_snapshot {
                true => snapshot::manifest(writer, sealed)?,
                false => None,
            };
            for outgoing in sealed {
                let (envelope, header) = (outgoing.envelope.envelope(), outgoing.envelope.header());
                let stored = merge::stored(envelope);
                let next = merge::next(header, outgoing.head, &stored);
                let mark = usize::try_from(outgoing.mark).unwrap_or(usize::MAX);
                let covers = marks.get(mark).map(Vec::as_slice).unwrap_or_default();
                if !writer.seal_own(&next, covers)? {
                    return Err(NotNext::Other);
                }
                let vector = HEXLOWER.encode(&protocol::cbor::encode(&outgoing.seen));
                writer.set_setting(SEALED_VECTOR, Some(&vector))?;
            }
            let signed = manifest.map(|manifest| Snapshot::create(&manifest, keys));
            // One with too many parts is of no use to anybody; its parts do no harm.
            if let Some(Ok(signed)) = signed {
                writer.put_snapshot(&signed.hash(), signed.bytes(), SnapshotState::Own)?;
                writer.put_covered(&signed.manifest().covers)?;
            }
            Ok(())
        });
        match stored {
            Ok(()) => Ok(true),
            Err(NotNext::Other) => Ok(false),
            Err(NotNext::Store(error)) => Err(error.into()),
        }
    }
}

/// Returns the batches of a snapshot as the session takes them.
fn parts_of(batches: Vec<Vec<u8>>) -> Vec<Unsealed> {
    let unsealed = |batch| Unsealed {
        kind: Kind::Snapshot,
        batch,
        mark: u64::MAX,
    };
    batches.into_iter().map(unsealed).collect()
}

/// Why own envelopes were not stored.
enum NotNext {
    Other,
    Store(StoreError),
}

impl From<StoreError> for NotNext {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
