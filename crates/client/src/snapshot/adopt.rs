//! Adopting a snapshot: a device that lacks what it covers takes the parts in, and goes on from there.
//!
//! One transaction: the parts are merged into whatever is here, so that entries of this device that nobody has yet stay; each
//! chain counts as known up to what is covered; and the replica remembers who vouched for that.

use std::collections::BTreeSet;
use std::path::Path;

use journal::batch::Batch;
use protocol::api::{PutSnapshots, SnapshotParts, Snapshots, journal_path};
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, VerifiedEnvelope};
use protocol::id::{ChainId, EnvelopeHash, Seq};
use protocol::log::MemberLog;
use protocol::snapshot::{self, Manifest, Snapshot};
use protocol::vector::Vector;
use seal::{KeyPair, Keyring};
use store::chain::Chain;
use store::envelope::EnvelopeState;
use store::snapshot::SnapshotState;
use store::{Reader, Replica, StoreError, Writer};

use super::{actors, open};
use crate::again::{self, RebuildError, Rebuilt};
use crate::journal::{Journal, LoadError, load_keys, load_log};
use crate::merge::{self, Documents, Obstacle, next, stored};
use crate::relay::{RelayClient, RelayError};
use crate::sync::{SyncError, SyncReport};

/// What a replica knows that decides on a snapshot.
struct Here {
    log: MemberLog,
    keys: Keyring,
    vector: Vector,
}

impl Here {
    fn read(replica: &Replica, device: &KeyPair) -> Result<Self, LoadError> {
        let path = replica.path().to_owned();
        replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            Ok(Self {
                keys: load_keys(reader, &stored, device)?,
                log: stored.log,
                vector: reader.vector()?,
            })
        })
    }

    /// Returns whether a snapshot covers something that is not here.
    fn wants(&self, manifest: &Manifest) -> bool {
        let lacks = |chain: &ChainId, seq: Seq| self.vector.seq(chain) < seq;
        let mut covered = manifest.covers.0.iter();
        covered.any(|(chain, at)| lacks(chain, at.seq))
    }
}

impl Journal {
    /// Returns whether nothing of anybody is here yet.
    pub(crate) fn has_nothing(&self) -> Result<bool, StoreError> {
        let vector = self.replica.read(|reader| reader.vector())?;
        Ok(vector.0.is_empty())
    }

    /// Returns whether a relay had more, by its last answer, than it gave.
    pub(crate) fn is_behind(&self, origin: &str) -> Result<bool, StoreError> {
        self.replica.read(|reader| {
            let vector = reader.vector()?;
            let state = reader.relay(origin)?;
            let heads = state.map(|state| state.heads).unwrap_or_default();
            let mut heads = heads.0.iter();
            Ok(heads.any(|(chain, at)| vector.seq(chain) < at.seq))
        })
    }

    /// Takes in the newest snapshot of a relay that may be relied on and covers something that is not here, if there is one.
    /// Says whether one was taken in.
    pub(crate) async fn adopt_from_relay(
        &mut self,
        relay: &mut RelayClient,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let listed = self.listed_snapshots(relay).await?;
        if listed.snapshots.is_empty() {
            return Ok(false);
        }
        let device = self.keys()?;
        let here = Here::read(&self.replica, &device)?;
        for snapshot in listed.relied_on(&here.log) {
            if !here.wants(snapshot.manifest()) {
                continue;
            }
            let parts = self.fetch(relay, &snapshot).await?;
            if self.adopt(&here, &snapshot, parts, report)? {
                self.replica
                    .write(|writer| super::keep(writer, &snapshot, &listed, &here.log))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in a snapshot of a bundle. There is nobody to ask for more than it has, so its maker's signature is enough.
    pub(crate) fn adopt_from_bundle(
        &mut self,
        snapshots: &[Snapshot],
        envelopes: &[Envelope],
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let device = self.keys()?;
        let here = Here::read(&self.replica, &device)?;
        for snapshot in snapshots.iter().rev() {
            let manifest = snapshot.manifest();
            let counts =
                snapshot.verify(&here.log).is_ok() && !snapshot::is_overtaken(manifest, &here.log);
            if !counts || !here.wants(manifest) {
                continue;
            }
            let part =
                |hash: &EnvelopeHash| envelopes.iter().find(|envelope| envelope.hash() == *hash);
            let parts: Option<Vec<_>> = manifest
                .parts
                .iter()
                .map(|hash| part(hash).cloned())
                .collect();
            if let Some(parts) = parts
                && self.adopt(&here, snapshot, parts, report)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn fetch(
        &mut self,
        relay: &mut RelayClient,
        snapshot: &Snapshot,
    ) -> Result<Vec<Envelope>, SyncError> {
        let device = self.keys()?;
        let mut parts = Vec::new();
        while parts.len() < snapshot.manifest().parts.len() {
            let part = format!("snapshots/{}?from={}", snapshot.hash(), parts.len());
            let path = journal_path(&self.own.journal, &part);
            let page: SnapshotParts = relay.get(&device, &path).await?;
            if page.parts.is_empty() {
                break;
            }
            for bytes in page.parts {
                let Ok(envelope) = Envelope::parse(bytes.0) else {
                    return Ok(Vec::new());
                };
                parts.push(envelope);
            }
        }
        Ok(parts)
    }

    /// Takes a snapshot in whole, or nothing of it.
    fn adopt(
        &mut self,
        here: &Here,
        snapshot: &Snapshot,
        parts: Vec<Envelope>,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let manifest = snapshot.manifest();
        let Some(parts) = snapshot::judge_parts(manifest, parts, &here.log) else {
            return Ok(false);
        };
        let path = self.path();
        let adopted = self.replica.write(|writer| {
            let is_left = is_own_chain_another(writer, manifest)?;
            let batches = open_all(here, manifest, &parts)?;
            if is_left {
                again::give_way(writer, &path, Seq(0))?;
            } else {
                merge_parts(writer, &batches, &path)?;
            }
            know_chains(writer, manifest)?;
            keep_parts(writer, here, manifest, &parts)?;
            writer.put_snapshot(&snapshot.hash(), snapshot.bytes(), SnapshotState::Adopted)?;
            let rebuilt = match is_left {
                true => rebuild_with(writer, here, &parts, &path)?,
                false => Rebuilt::default(),
            };
            let received: u64 = batches.iter().map(merge::entry_changes).sum();
            Ok::<_, Obstacle>((received, rebuilt))
        });
        match adopted {
            Ok((received, rebuilt)) => {
                self.own = self.replica.read(|reader| reader.own())?;
                // What was held for want of something that the snapshot brought.
                let freed = merge::retry_held(&mut self.replica, &here.log, &here.keys)?;
                report.received += received + freed.received.values().sum::<u64>();
                report.warnings.extend(rebuilt.words());
                Ok(true)
            }
            Err(Obstacle::Load(error)) => Err(error.into()),
            Err(obstacle) => {
                report.warnings.push(format!(
                    "a snapshot of the journal cannot be used, and was left alone: {obstacle}"
                ));
                Ok(false)
            }
        }
    }

    /// Gives a relay that lost what a snapshot covers, and that this device does not have either, the snapshot to go on from.
    /// Says whether the relay took one.
    pub(crate) async fn restart_relay(
        replica: &Replica,
        relay: &mut RelayClient,
        device: &KeyPair,
        chain: &ChainId,
        after: Seq,
    ) -> Result<bool, SyncError> {
        let path = replica.path().to_owned();
        let (log, stored) = replica.read(|reader| {
            Ok::<_, LoadError>((load_log(reader, &path)?.log, reader.snapshots()?))
        })?;
        for one in stored.into_iter().rev().filter(|one| one.state.is_good()) {
            let Ok(snapshot) = Snapshot::parse(one.bytes) else {
                continue;
            };
            let manifest = snapshot.manifest();
            if manifest.covers.seq(chain) <= after {
                continue;
            }
            let put = PutSnapshots {
                snapshots: vec![Bytes(snapshot.bytes().to_vec())],
                acknowledgements: replica.read(|reader| super::known(reader, &snapshot, &log))?,
                start: true,
            };
            let path = journal_path(&manifest.journal, "snapshots");
            match relay.post::<_, Snapshots>(device, &path, &put, None).await {
                Ok(_) => return Ok(true),
                Err(RelayError::Problem { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }
}

/// Returns whether another copy of this device wrote in the own chain what a snapshot covers there: then this one cannot go on in it.
fn is_own_chain_another(reader: &Reader<'_>, manifest: &Manifest) -> Result<bool, StoreError> {
    let own = reader.own()?.chain;
    let Some(covered) = manifest.covers.0.get(&own) else {
        return Ok(false);
    };
    let tip = reader.chain(&own)?.and_then(|chain| chain.tip);
    let here = match tip.filter(|tip| tip.seq == covered.seq) {
        Some(tip) => Some(tip.hash),
        None => reader.envelope(&own, covered.seq)?.map(|found| found.hash),
    };
    Ok(here != Some(covered.hash))
}

fn open_all(
    here: &Here,
    manifest: &Manifest,
    parts: &[VerifiedEnvelope],
) -> Result<Vec<Batch>, Obstacle> {
    let actors = actors(manifest);
    let opened = parts.iter().map(|part| open(part, &here.keys, &actors));
    opened.collect()
}

fn merge_parts(writer: &mut Writer<'_>, batches: &[Batch], path: &Path) -> Result<(), Obstacle> {
    let mut documents = Documents::new(path);
    for batch in batches {
        documents.adopt(writer, batch)?;
    }
    documents.store(writer)
}

/// Takes the parts in by building the documents anew, without the own chain that was left: what its changes said beyond the
/// snapshot is recorded again on a new one.
fn rebuild_with(
    writer: &mut Writer<'_>,
    here: &Here,
    parts: &[VerifiedEnvelope],
    path: &Path,
) -> Result<Rebuilt, Obstacle> {
    let context = again::Context {
        log: &here.log,
        keys: &here.keys,
        path,
    };
    let rebuilt = context.rebuild(writer, None).map_err(|error| match error {
        RebuildError::Load(error) => Obstacle::Load(error),
        RebuildError::Again(_) => Obstacle::NotOpened(error.to_string()),
    })?;
    let parts: BTreeSet<EnvelopeHash> = parts.iter().map(|part| part.envelope().hash()).collect();
    let mut held = writer.held()?.into_iter();
    match held.find(|held| parts.contains(&held.envelope.hash)) {
        Some(held) => Err(Obstacle::NotOpened(held.reason)),
        None => Ok(rebuilt),
    }
}

/// Takes every chain for known up to what is covered.
fn know_chains(writer: &mut Writer<'_>, manifest: &Manifest) -> Result<(), StoreError> {
    for author in &manifest.authors {
        let chain = author.chain();
        writer.adopt_chain(&Chain {
            device: author.device,
            salt: author.salt,
            tip: manifest.covers.0.get(&chain).copied(),
            head: 0,
            vouched_by: Some(manifest.author.device),
            heard_ms: None,
        })?;
    }
    writer.put_covered(&manifest.covers)
}

/// Keeps the parts in their chain; those that are there already stay.
fn keep_parts(
    writer: &mut Writer<'_>,
    here: &Here,
    manifest: &Manifest,
    parts: &[VerifiedEnvelope],
) -> Result<(), StoreError> {
    let head = here.log.index_of(&manifest.head).unwrap_or(0);
    for part in parts {
        let stored = stored(part.envelope());
        let next = next(part.header(), head, &stored);
        writer.accept(&next, EnvelopeState::Merged)?;
    }
    Ok(())
}
