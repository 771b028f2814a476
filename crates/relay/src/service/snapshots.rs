//! Snapshots: which to keep, which may be relied on, and what they make free.
//!
//! A relay can open no part, so it believes a snapshot only as far as others do: it prunes by one that another member has
//! acknowledged (or that nobody else could), and keeps two such, so that one that turns out to be of no use is not the only one.

use protocol::api::{PutSnapshots, Snapshots};
use protocol::cbor::Bytes;
use protocol::id::{JournalId, SnapshotHash};
use protocol::limits;
use protocol::log::MemberLog;
use protocol::snapshot::{Snapshot, SnapshotError};

use super::Relay;
use crate::storage::{SnapshotChange, SnapshotOutcome, StorageError, StoredSnapshot};

/// Snapshots that may be relied on, kept for each journal.
const RELIED_ON: usize = 2;

/// What became of snapshots.
#[derive(Debug)]
pub(crate) enum SnapshotsKept {
    /// They are kept, durably. These are those that the relay has whole now.
    Done(Snapshots),
    /// One that is malformed, or that its maker had no right to.
    Refused(SnapshotError),
    /// What is stored here is not what a manifest says.
    Unfit,
    /// The journal is not here, or not any more.
    Missing,
    /// The journal's quota is used up.
    OverQuota,
}

impl Relay {
    /// Lists the snapshots that are here whole; none if the journal is not here.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn snapshots(
        &self,
        journal: JournalId,
    ) -> Result<Option<Snapshots>, StorageError> {
        Ok(self.storage().snapshots(journal).await?.map(listed))
    }

    /// Keeps manifests and acknowledgements.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was kept then.
    pub(crate) async fn put_snapshots(
        &self,
        journal: JournalId,
        put: PutSnapshots,
    ) -> Result<SnapshotsKept, StorageError> {
        let Some(log) = self.log(journal).await? else {
            return Ok(SnapshotsKept::Missing);
        };
        let change = match verified(&log, put) {
            Ok(change) => change,
            Err(error) => return Ok(SnapshotsKept::Refused(error)),
        };
        let Some(stored) = self.storage().snapshots(journal).await? else {
            return Ok(SnapshotsKept::Missing);
        };
        let quota = self.limits().quota;
        let drop = superfluous(&log, &stored, &change);
        let change = SnapshotChange {
            drop,
            quota,
            ..change
        };
        match self
            .storage()
            .put_snapshots(journal, change, self.now())
            .await?
        {
            None => Ok(SnapshotsKept::Missing),
            Some(SnapshotOutcome::Unfit) => Ok(SnapshotsKept::Unfit),
            Some(SnapshotOutcome::OverQuota) => Ok(SnapshotsKept::OverQuota),
            Some(SnapshotOutcome::Kept) => {
                // Chains may have begun, or go on elsewhere.
                self.standings.forget(&journal);
                self.news().tell(&journal);
                let listed = self.snapshots(journal).await?;
                Ok(listed.map_or(SnapshotsKept::Missing, SnapshotsKept::Done))
            }
        }
    }

    /// Forgets what the older of the two newest snapshots covers that may be relied on, and returns how many bytes that made
    /// free: none if there are no two.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn prune(&self, journal: JournalId) -> Result<u64, StorageError> {
        let (Some(log), Some(stored)) = (
            self.log(journal).await?,
            self.storage().snapshots(journal).await?,
        ) else {
            return Ok(0);
        };
        let relied = relied_on(&log, &stored);
        let Some(older) = relied.get(RELIED_ON - 1) else {
            return Ok(0);
        };
        let covers = older.manifest().covers.clone();
        self.storage()
            .prune(journal, covers, Vec::new(), self.now())
            .await
    }
}

/// Reads and verifies what a client brings.
fn verified(log: &MemberLog, put: PutSnapshots) -> Result<SnapshotChange, SnapshotError> {
    let mut new = Vec::new();
    for bytes in put.snapshots {
        let snapshot = Snapshot::parse(bytes.0)?;
        snapshot.verify(log)?;
        new.push(snapshot);
    }
    for acknowledgement in &put.acknowledgements {
        acknowledgement.verify(log)?;
    }
    Ok(SnapshotChange {
        new,
        acknowledgements: put.acknowledgements,
        start: put.start,
        ..SnapshotChange::default()
    })
}

fn listed(stored: Vec<StoredSnapshot>) -> Snapshots {
    let mut listed = Snapshots::default();
    for one in stored.into_iter().filter(|one| one.whole) {
        listed.snapshots.push(Bytes(one.bytes));
        listed.acknowledgements.extend(one.acknowledgements);
    }
    listed
}

/// Returns the snapshots here that may be relied on, newest first, as clients judge it.
fn relied_on(log: &MemberLog, stored: &[StoredSnapshot]) -> Vec<Snapshot> {
    listed(stored.to_vec()).relied_on(log).collect()
}

/// Returns the snapshots to forget so that no more than [`limits::SNAPSHOTS`] are kept: the oldest, but never the two newest that
/// may be relied on.
fn superfluous(
    log: &MemberLog,
    stored: &[StoredSnapshot],
    change: &SnapshotChange,
) -> Vec<SnapshotHash> {
    let is_known = |new: &&Snapshot| stored.iter().all(|one| one.hash != new.hash());
    let added = change.new.iter().filter(is_known).count();
    let surplus = (stored.len() + added).saturating_sub(limits::SNAPSHOTS);
    if surplus == 0 {
        return Vec::new();
    }
    let relied = relied_on(log, stored).into_iter().take(RELIED_ON);
    let needed: Vec<SnapshotHash> = relied.map(|snapshot| snapshot.hash()).collect();
    let droppable = stored.iter().map(|one| one.hash);
    droppable
        .filter(|hash| !needed.contains(hash))
        .take(surplus)
        .collect()
}
