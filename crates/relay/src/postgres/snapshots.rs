//! SQL over snapshots: their manifests, acknowledgements and parts, and the pruning of what they cover.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use protocol::id::{ChainId, EnvelopeHash, KeyId, Seq, Signature, SnapshotHash};
use protocol::snapshot::{Acknowledgement, Snapshot};
use protocol::vector::Vector;

use super::envelopes;
use super::journals::{self, JournalRow};
use super::rows::{self, PAGE_ROWS, array, fitting, length, number, stored, value};
use crate::storage::{SnapshotChange, SnapshotOutcome, StorageError, StoredSnapshot};

/// Lists the snapshots of a journal, oldest first; see [`crate::storage::Storage::snapshots`].
pub(super) async fn list(
    db: &Transaction<'_>,
    journal: i64,
) -> Result<Vec<StoredSnapshot>, StorageError> {
    let sql = "SELECT s.hash, s.bytes, e.number IS NOT NULL FROM snapshots s LEFT JOIN envelopes e
          ON e.journal = s.journal AND e.chain = s.chain AND e.seq = s.last AND e.hash = s.last_hash
        WHERE s.journal = $1 ORDER BY s.number";
    let mut list = Vec::new();
    for row in rows::all(db, sql, &[&journal]).await? {
        list.push(StoredSnapshot {
            hash: SnapshotHash(array(&row, 0)?),
            bytes: value(&row, 1)?,
            whole: value(&row, 2)?,
            acknowledgements: Vec::new(),
        });
    }
    let sql = "SELECT snapshot, device, signature FROM acknowledgements
        WHERE journal = $1 ORDER BY device";
    for row in rows::all(db, sql, &[&journal]).await? {
        let acknowledgement = Acknowledgement {
            snapshot: SnapshotHash(array(&row, 0)?),
            device: KeyId(array(&row, 1)?),
            signature: Signature(array(&row, 2)?),
        };
        let of = list
            .iter_mut()
            .find(|one| one.hash == acknowledgement.snapshot);
        if let Some(snapshot) = of {
            snapshot.acknowledgements.push(acknowledgement);
        }
    }
    Ok(list)
}

/// Reads parts of a snapshot; see [`crate::storage::Storage::snapshot_parts`].
pub(super) async fn parts(
    db: &Transaction<'_>,
    journal: i64,
    snapshot: &SnapshotHash,
    from: u32,
    bytes: usize,
) -> Result<Option<Vec<Vec<u8>>>, StorageError> {
    if !find(db, journal, snapshot).await? {
        return Ok(None);
    }
    let sql = "SELECT e.number, octet_length(e.bytes) FROM snapshots s JOIN envelopes e
          ON e.journal = s.journal AND e.chain = s.chain AND e.seq BETWEEN s.first + $3 AND s.last
        WHERE s.journal = $1 AND s.hash = $2 ORDER BY e.seq LIMIT $4";
    let (hash, from) = (snapshot.0.as_slice(), i64::from(from));
    let sizes = rows::all(db, sql, &[&journal, &hash, &from, &(PAGE_ROWS + 1)]).await?;
    let (numbers, _) = fitting(&sizes, bytes)?;
    let sql = "SELECT bytes FROM envelopes WHERE number = ANY ($1) ORDER BY seq";
    let parts = rows::all(db, sql, &[&numbers]).await?;
    Ok(Some(journals::first_columns(&parts)?))
}

/// Keeps snapshots and acknowledgements of a journal that is locked; see [`crate::storage::Storage::put_snapshots`].
pub(super) async fn put(
    db: &Transaction<'_>,
    journal: &JournalRow,
    change: &SnapshotChange,
    now: u64,
) -> Result<SnapshotOutcome, StorageError> {
    let mut fresh = Vec::new();
    for snapshot in &change.new {
        if find(db, journal.number, &snapshot.hash()).await? {
            continue;
        }
        if !fits(db, journal.number, snapshot, change.start).await? {
            return Ok(SnapshotOutcome::Unfit);
        }
        fresh.push(snapshot);
    }
    let new: Vec<SnapshotHash> = fresh.iter().map(|snapshot| snapshot.hash()).collect();
    for one in &change.acknowledgements {
        if !new.contains(&one.snapshot) && !find(db, journal.number, &one.snapshot).await? {
            return Ok(SnapshotOutcome::Unfit);
        }
    }
    let added: u64 = fresh.iter().map(|snapshot| length(snapshot.bytes())).sum();
    if journal.used.saturating_add(added) > change.quota {
        return Ok(SnapshotOutcome::OverQuota);
    }
    for snapshot in fresh {
        insert(db, journal.number, snapshot).await?;
        if change.start {
            start(db, journal.number, snapshot).await?;
        }
    }
    for one in &change.acknowledgements {
        let sql = "INSERT INTO acknowledgements (journal, snapshot, device, signature)
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let (snapshot, device) = (one.snapshot.0.as_slice(), one.device.0.as_slice());
        let signature = one.signature.0.as_slice();
        rows::execute(db, sql, &[&journal.number, &snapshot, &device, &signature]).await?;
    }
    let freed = forget(db, journal.number, &change.drop).await?;
    account(db, journal, added, freed, now).await?;
    Ok(SnapshotOutcome::Kept)
}

async fn find(
    db: &Transaction<'_>,
    journal: i64,
    hash: &SnapshotHash,
) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM snapshots WHERE journal = $1 AND hash = $2";
    let row = rows::one(db, sql, &[&journal, &hash.0.as_slice()]).await?;
    Ok(row.is_some())
}

/// Returns whether what is stored agrees with a manifest: the covered envelopes and the parts are here, or, where chains may
/// start from it, what is here is none other.
async fn fits(
    db: &Transaction<'_>,
    journal: i64,
    snapshot: &Snapshot,
    start: bool,
) -> Result<bool, StorageError> {
    let claims: Vec<(ChainId, Seq, Option<EnvelopeHash>)> = snapshot.manifest().ends().collect();
    let (chains, seqs): (Vec<&[u8]>, Vec<i64>) = claims
        .iter()
        .map(|(chain, seq, _)| (chain.0.as_slice(), stored(seq.0)))
        .unzip();
    let tips = envelopes::tips(db, journal).await?;
    let here = envelopes::hashes(db, journal, &chains, &seqs).await?;
    let here: BTreeMap<(ChainId, Seq), EnvelopeHash> = here
        .into_iter()
        .map(|(chain, seq, hash)| ((chain, seq), hash))
        .collect();
    Ok(claims.into_iter().all(|(chain, seq, hash)| {
        let tip = tips.get(&chain).map_or(Seq(0), |tip| tip.seq);
        if tip < seq {
            return start;
        }
        // What was pruned cannot be compared: an earlier snapshot that fitted covers it.
        let found = here.get(&(chain, seq)).copied();
        found.is_none() || found == hash
    }))
}

async fn insert(
    db: &Transaction<'_>,
    journal: i64,
    snapshot: &Snapshot,
) -> Result<(), StorageError> {
    let manifest = snapshot.manifest();
    let last = manifest.parts.last().map(|hash| hash.0.as_slice());
    let sql = "INSERT INTO snapshots (journal, hash, chain, first, last, last_hash, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (hash, chain) = (snapshot.hash(), manifest.author.chain());
    let parameters: [rows::Parameter<'_>; 7] = [
        &journal,
        &hash.0.as_slice(),
        &chain.0.as_slice(),
        &stored(manifest.first.0),
        &stored(manifest.last().0),
        &last.unwrap_or_default(),
        &snapshot.bytes(),
    ];
    rows::execute(db, sql, &parameters).await?;
    Ok(())
}

/// Lets the chains of which less is here than a snapshot covers go on from there.
async fn start(
    db: &Transaction<'_>,
    journal: i64,
    snapshot: &Snapshot,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO chains AS c (journal, chain, device, seq, hash, head)
        VALUES ($1, $2, $3, $4, $5, 0)
        ON CONFLICT (journal, chain) DO UPDATE SET seq = $4, hash = $5 WHERE c.seq < $4";
    let manifest = snapshot.manifest();
    for author in &manifest.authors {
        let chain = author.chain();
        let Some(at) = manifest.covers.0.get(&chain) else {
            continue;
        };
        let (chain, device) = (chain.0.as_slice(), author.device.0.as_slice());
        let (seq, hash) = (stored(at.seq.0), at.hash.0.as_slice());
        rows::execute(db, sql, &[&journal, &chain, &device, &seq, &hash]).await?;
    }
    Ok(())
}

/// Forgets manifests with their acknowledgements, and returns their bytes.
async fn forget(
    db: &Transaction<'_>,
    journal: i64,
    drop: &[SnapshotHash],
) -> Result<u64, StorageError> {
    let hashes: Vec<&[u8]> = drop.iter().map(|hash| hash.0.as_slice()).collect();
    let sql = "DELETE FROM acknowledgements WHERE journal = $1 AND snapshot = ANY ($2)";
    rows::execute(db, sql, &[&journal, &hashes]).await?;
    let sql = "WITH gone AS (
          DELETE FROM snapshots WHERE journal = $1 AND hash = ANY ($2)
          RETURNING octet_length(bytes) AS size)
        SELECT coalesce(sum(size), 0) FROM gone";
    let row = rows::one(db, sql, &[&journal, &hashes]).await?;
    row.map_or(Ok(0), |row| number(&row, 0))
}

/// Forgets envelopes of a journal that is locked, and that a snapshot covers; see [`crate::storage::Storage::prune`].
pub(super) async fn prune(
    db: &Transaction<'_>,
    journal: &JournalRow,
    covers: &Vector,
    drop: &[SnapshotHash],
    now: u64,
) -> Result<u64, StorageError> {
    let mut freed = forget(db, journal.number, drop).await?;
    let sql = "WITH gone AS (
          DELETE FROM envelopes e USING unnest($2::bytea[], $3::bigint[]) AS v (chain, seq)
          WHERE e.journal = $1 AND e.chain = v.chain AND e.seq <= v.seq
            AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.journal = $1 AND s.chain = e.chain
                            AND e.seq BETWEEN s.first AND s.last)
          RETURNING octet_length(e.bytes) AS size)
        SELECT coalesce(sum(size), 0) FROM gone";
    let (chains, seqs): (Vec<&[u8]>, Vec<i64>) = covers
        .0
        .iter()
        .map(|(chain, at)| (chain.0.as_slice(), stored(at.seq.0)))
        .unzip();
    let row = rows::one(db, sql, &[&journal.number, &chains, &seqs]).await?;
    freed += row.map_or(Ok(0), |row| number(&row, 0))?;
    account(db, journal, 0, freed, now).await?;
    Ok(freed)
}

async fn account(
    db: &Transaction<'_>,
    journal: &JournalRow,
    added: u64,
    freed: u64,
    now: u64,
) -> Result<(), StorageError> {
    let used = journal.used.saturating_add(added).saturating_sub(freed);
    let sql = "UPDATE journals SET used = $2, changed = $3 WHERE number = $1";
    rows::execute(db, sql, &[&journal.number, &stored(used), &stored(now)]).await?;
    Ok(())
}
