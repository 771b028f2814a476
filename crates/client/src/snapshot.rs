//! Snapshots on this device: made by owners, checked by whoever has what they cover, adopted by whoever has not.
//!
//! A snapshot adds nothing for a device that has what it covers: its parts are kept in their chain like any envelope, and are
//! compared with the documents. Only a device that lacks covered envelopes, and cannot get them, takes the parts in.

mod adopt;
mod check;
mod make;

use std::collections::{BTreeMap, BTreeSet};

use journal::Actor;
use journal::batch::{self, Authors, Batch};
use protocol::api::{ProblemKind, PutSnapshots, Snapshots, journal_path};
use protocol::cbor::Bytes;
use protocol::envelope::{Kind, VerifiedEnvelope};
use protocol::id::{ChainId, EnvelopeHash, Seq};
use protocol::log::MemberLog;
use protocol::snapshot::{Acknowledgement, Manifest, Snapshot};
use seal::Keyring;
use store::snapshot::{SnapshotState, StoredSnapshot};
use store::{Reader, StoreError, Writer};

use crate::journal::{Journal, LoadError, load_keys, load_log};
use crate::merge::Obstacle;
use crate::relay::{RelayClient, RelayError};
use crate::sync::{SyncError, SyncReport};
use check::Checked;

pub(crate) use make::{batches, is_due, manifest};

/// The setting that says how often relays are still to be asked for the manifest of parts that came without one.
const UNCHECKED: &str = "snapshots-unchecked";
/// How often they are asked: whoever made the parts may never have handed the manifest over.
const ASKED: u32 = 8;
/// The setting with the hash of the last snapshot handed to a relay, before the relay's origin.
const HANDED: &str = "snapshot-at ";

/// Forgets what was handed to a relay that has lost something: it is handed over once more.
pub(crate) fn forget_handed(writer: &mut Writer<'_>, origin: &str) -> Result<(), StoreError> {
    writer.set_setting(&format!("{HANDED}{origin}"), None)
}

/// Notes that a part of a snapshot has come.
pub(crate) fn note_part(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    writer.set_setting(UNCHECKED, Some(&ASKED.to_string()))
}

/// Returns the chains whose changes the parts of a snapshot may carry.
pub(crate) fn actors(manifest: &Manifest) -> BTreeSet<Actor> {
    let authors = manifest.authors.iter();
    authors.map(|author| Actor(author.chain().0)).collect()
}

/// Hands no snapshot on any more whose parts do not stand in the own chain, which ends at a place now.
pub(crate) fn forsake(
    writer: &mut Writer<'_>,
    chain: &ChainId,
    after: Seq,
) -> Result<(), StoreError> {
    let all = writer.snapshots()?.into_iter();
    for one in all.filter(|one| matches!(one.state, SnapshotState::Own | SnapshotState::Checked)) {
        let Ok(snapshot) = Snapshot::parse(one.bytes.clone()) else {
            continue;
        };
        if snapshot.manifest().has_parts_after(chain, after) {
            writer.put_snapshot(&one.hash, &one.bytes, SnapshotState::Overtaken)?;
        }
    }
    Ok(())
}

/// The parts of adopted snapshots, with the chains whose changes each may carry.
pub(crate) type AdoptedParts = BTreeMap<EnvelopeHash, BTreeSet<Actor>>;

/// Returns the parts of all adopted snapshots.
pub(crate) fn adopted(reader: &Reader<'_>) -> Result<AdoptedParts, StoreError> {
    let mut parts = AdoptedParts::new();
    for one in reader.snapshots()? {
        if one.state != SnapshotState::Adopted {
            continue;
        }
        let Ok(snapshot) = Snapshot::parse(one.bytes) else {
            continue;
        };
        let manifest = snapshot.manifest();
        let actors = actors(manifest);
        parts.extend(manifest.parts.iter().map(|hash| (*hash, actors.clone())));
    }
    Ok(parts)
}

/// Opens and reads a part.
fn open(
    part: &VerifiedEnvelope,
    keys: &Keyring,
    actors: &BTreeSet<Actor>,
) -> Result<Batch, Obstacle> {
    let header = part.header();
    if header.kind != Kind::Snapshot {
        return Err(Obstacle::NotOpened(
            "it is no part of a snapshot".to_owned(),
        ));
    }
    let key = keys.get(header.epoch).ok_or_else(|| {
        Obstacle::NotOpened(format!("the key of epoch {} is missing", header.epoch))
    })?;
    let content = seal::open(part, key).map_err(|error| Obstacle::NotOpened(error.to_string()))?;
    Ok(batch::decode(&content.batch.0, &Authors::Listed(actors))?)
}

/// Returns the acknowledgements of a snapshot that are known here and still count. Those of devices that are no members any more
/// stay out: a relay refuses all if it refuses one.
fn known(
    reader: &Reader<'_>,
    snapshot: &Snapshot,
    log: &MemberLog,
) -> Result<Vec<Acknowledgement>, StoreError> {
    let kept = reader.acknowledgements(&snapshot.hash())?.into_iter();
    Ok(kept
        .map(|(device, signature)| Acknowledgement {
            snapshot: snapshot.hash(),
            device,
            signature,
        })
        .filter(|one| one.verify(log).is_ok())
        .collect())
}

/// Keeps the acknowledgements of a snapshot that a relay lists: another relay may need them.
fn keep(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    listed: &Snapshots,
    log: &MemberLog,
) -> Result<(), StoreError> {
    for one in &listed.acknowledgements {
        if one.snapshot == snapshot.hash() && one.verify(log).is_ok() {
            writer.put_acknowledgement(&one.snapshot, &one.device, &one.signature)?;
        }
    }
    Ok(())
}

/// Returns the newest snapshot that this replica stands by.
fn newest(reader: &Reader<'_>) -> Result<Option<(StoredSnapshot, Snapshot)>, StoreError> {
    newest_of(reader, SnapshotState::is_good)
}

/// Returns the newest snapshot that this replica took in.
pub(crate) fn newest_adopted(reader: &Reader<'_>) -> Result<Option<Snapshot>, StoreError> {
    let newest = newest_of(reader, |state| state == SnapshotState::Adopted)?;
    Ok(newest.map(|(_, snapshot)| snapshot))
}

fn newest_of(
    reader: &Reader<'_>,
    wanted: fn(SnapshotState) -> bool,
) -> Result<Option<(StoredSnapshot, Snapshot)>, StoreError> {
    let stored = reader.snapshots()?.into_iter().rev();
    let mut wanted = stored.filter(|one| wanted(one.state));
    Ok(wanted.find_map(|one| {
        let snapshot = Snapshot::parse(one.bytes.clone()).ok()?;
        Some((one, snapshot))
    }))
}

impl Journal {
    /// Checks the snapshots that came, and hands over to a relay what it should know of them. Says whether something suspicious
    /// was seen.
    pub(crate) async fn exchange_snapshots(
        &mut self,
        relay: &mut RelayClient,
        report: &mut SyncReport,
    ) -> Result<bool, SyncError> {
        let asked = self.replica.read(|reader| reader.setting(UNCHECKED))?;
        let left: u32 = asked.and_then(|count| count.parse().ok()).unwrap_or(0);
        let mut suspicious = false;
        if left > 0 {
            let listed = self.listed_snapshots(relay).await?;
            let open;
            (open, suspicious) = self.check_snapshots(&listed, report)?;
            let again = left.saturating_sub(1);
            let again = (open && again > 0).then(|| again.to_string());
            self.replica
                .write(|writer| writer.set_setting(UNCHECKED, again.as_deref()))?;
        }
        self.hand_over(relay).await?;
        Ok(suspicious)
    }

    /// Asks a relay for its snapshots; one that says no has none.
    async fn listed_snapshots(&mut self, relay: &mut RelayClient) -> Result<Snapshots, SyncError> {
        let path = journal_path(&self.own.journal, "snapshots");
        match relay.get(&self.keys()?, &path).await {
            Ok(listed) => Ok(listed),
            Err(RelayError::Problem { .. }) => Ok(Snapshots::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks the snapshots of a list that were not checked before. Returns whether some part still waits for its manifest or
    /// for what it covers, and whether a snapshot says something else than what is here.
    fn check_snapshots(
        &mut self,
        listed: &Snapshots,
        report: &mut SyncReport,
    ) -> Result<(bool, bool), SyncError> {
        let path = self.path();
        let device = self.keys()?;
        let (mut open, mut suspicious) = (true, false);
        for bytes in &listed.snapshots {
            let Ok(snapshot) = Snapshot::parse(bytes.0.clone()) else {
                continue;
            };
            let checked = self.replica.read(|reader| {
                let stored = load_log(reader, &path)?;
                let known = reader.snapshots()?;
                if known.iter().any(|one| one.hash == snapshot.hash()) {
                    return Ok(Checked::Known);
                }
                let keys = load_keys(reader, &stored, &device)?;
                check::check(reader, &snapshot, &stored.log, &keys, &path)
            })?;
            open = matches!(checked, Checked::NotYet);
            let state = match checked {
                Checked::Known | Checked::NotYet => continue,
                Checked::Same => SnapshotState::Checked,
                Checked::Overtaken => SnapshotState::Overtaken,
                Checked::Differs(how) => {
                    suspicious = true;
                    let device = snapshot.manifest().author.device;
                    report.warnings.push(format!(
                        "a snapshot that device {device} made is not used, because it says something else than what is on \
                         this device: {how}; nothing was changed here"
                    ));
                    SnapshotState::Refused
                }
            };
            self.replica.write(|writer| {
                writer.put_snapshot(&snapshot.hash(), snapshot.bytes(), state)?;
                if state == SnapshotState::Checked {
                    writer.put_covered(&snapshot.manifest().covers)?;
                }
                Ok::<_, StoreError>(())
            })?;
        }
        Ok((open, suspicious))
    }

    /// Hands the newest snapshot that this device made or checked over to a relay, with its acknowledgement if it checked it.
    async fn hand_over(&mut self, relay: &mut RelayClient) -> Result<(), SyncError> {
        let setting = format!("{HANDED}{}", relay.origin());
        let found = self.replica.read(|reader| {
            let newest = newest(reader)?;
            let handed = reader.setting(&setting)?;
            Ok::<_, LoadError>(newest.filter(|(one, _)| {
                one.state != SnapshotState::Adopted && handed != Some(one.hash.to_string())
            }))
        })?;
        let Some((stored, snapshot)) = found else {
            return Ok(());
        };
        let keys = self.keys()?;
        let journal = self.own.journal;
        let path = self.path();
        let mut acknowledgements = self.replica.read(|reader| {
            let log = load_log(reader, &path)?.log;
            Ok::<_, LoadError>(known(reader, &snapshot, &log)?)
        })?;
        if stored.state == SnapshotState::Checked {
            acknowledgements.push(Acknowledgement::create(&journal, snapshot.hash(), &keys));
        }
        let put = PutSnapshots {
            snapshots: vec![Bytes(snapshot.bytes().to_vec())],
            acknowledgements,
            start: false,
        };
        let call = journal_path(&journal, "snapshots");
        let listed = match relay.post::<_, Snapshots>(&keys, &call, &put, None).await {
            // One that the relay cannot keep yet, for want of envelopes or room, is offered again by the next sync.
            Err(error)
                if matches!(
                    error.problem(),
                    Some(ProblemKind::SnapshotUnfit | ProblemKind::Full)
                ) =>
            {
                return Ok(());
            }
            answer => answer?,
        };
        let hash = stored.hash.to_string();
        Ok(self.replica.write(|writer| {
            let log = load_log(writer, &path)?.log;
            keep(writer, &snapshot, &listed, &log)?;
            Ok::<_, LoadError>(writer.set_setting(&setting, Some(&hash))?)
        })?)
    }
}
