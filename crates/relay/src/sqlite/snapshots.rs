//! SQL over snapshots: their manifests, acknowledgements and parts, and the pruning of what they cover.

use protocol::api::Acknowledgement;
use protocol::id::{EnvelopeHash, KeyId, Seq, Signature, SnapshotHash};
use protocol::snapshot::Snapshot;
use protocol::vector::Vector;
use rusqlite::{Connection, OptionalExtension, params};

use super::journals::JournalRow;
use super::{length, loaded, stored};
use crate::storage::{SnapshotChange, SnapshotOutcome, StoredSnapshot};

/// Lists the snapshots of a journal, oldest first; see [`crate::storage::Storage::snapshots`].
pub(super) fn list(db: &Connection, journal: i64) -> rusqlite::Result<Vec<StoredSnapshot>> {
    let mut find = db.prepare_cached(
        "SELECT device, signature FROM acknowledgements WHERE journal = ?1 AND snapshot = ?2",
    )?;
    let mut statement = db.prepare_cached(
        "SELECT s.hash, s.bytes, e.number IS NOT NULL FROM snapshots s LEFT JOIN envelopes e
           ON e.journal = s.journal AND e.chain = s.chain AND e.seq = s.last AND e.hash = s.last_hash
         WHERE s.journal = ?1 ORDER BY s.number",
    )?;
    let mut rows = statement.query([journal])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let hash = SnapshotHash(row.get(0)?);
        let acknowledgements = find.query_map(params![journal, hash.as_bytes()], |row| {
            Ok(Acknowledgement {
                snapshot: hash,
                device: KeyId(row.get(0)?),
                signature: Signature(row.get(1)?),
            })
        })?;
        list.push(StoredSnapshot {
            hash,
            bytes: row.get(1)?,
            whole: row.get(2)?,
            acknowledgements: acknowledgements.collect::<Result<_, _>>()?,
        });
    }
    Ok(list)
}

/// Reads parts of a snapshot; see [`crate::storage::Storage::snapshot_parts`].
pub(super) fn parts(
    db: &Connection,
    journal: i64,
    snapshot: &SnapshotHash,
    from: u32,
    bytes: usize,
) -> rusqlite::Result<Option<Vec<Vec<u8>>>> {
    let known = db
        .prepare_cached("SELECT 1 FROM snapshots WHERE journal = ?1 AND hash = ?2")?
        .exists(params![journal, snapshot.as_bytes()])?;
    if !known {
        return Ok(None);
    }
    let mut statement = db.prepare_cached(
        "SELECT e.bytes FROM snapshots s JOIN envelopes e
           ON e.journal = s.journal AND e.chain = s.chain AND e.seq BETWEEN s.first + ?3 AND s.last
         WHERE s.journal = ?1 AND s.hash = ?2 ORDER BY e.seq",
    )?;
    let mut rows = statement.query(params![journal, snapshot.as_bytes(), from])?;
    let (mut parts, mut room) = (Vec::new(), bytes);
    while let Some(row) = rows.next()? {
        let part = row.get_ref(0)?.as_blob()?;
        if !parts.is_empty() && part.len() > room {
            break;
        }
        room = room.saturating_sub(part.len());
        parts.push(part.to_vec());
    }
    Ok(Some(parts))
}

/// Keeps snapshots and acknowledgements; see [`crate::storage::Storage::put_snapshots`].
pub(super) fn put(
    db: &Connection,
    journal: &JournalRow,
    change: &SnapshotChange,
    now: u64,
) -> rusqlite::Result<SnapshotOutcome> {
    let mut fresh = Vec::new();
    for snapshot in &change.new {
        if find(db, journal.number, &snapshot.hash())? {
            continue;
        }
        if !fits(db, journal.number, snapshot, change.start)? {
            return Ok(SnapshotOutcome::Unfit);
        }
        fresh.push(snapshot);
    }
    let new: Vec<SnapshotHash> = fresh.iter().map(|snapshot| snapshot.hash()).collect();
    for one in &change.acknowledgements {
        if !new.contains(&one.snapshot) && !find(db, journal.number, &one.snapshot)? {
            return Ok(SnapshotOutcome::Unfit);
        }
    }
    let added: u64 = fresh.iter().map(|snapshot| length(snapshot.bytes())).sum();
    if journal.used.saturating_add(added) > change.quota {
        return Ok(SnapshotOutcome::OverQuota);
    }
    for snapshot in fresh {
        insert(db, journal.number, snapshot)?;
        if change.start {
            start(db, journal.number, snapshot)?;
        }
    }
    let mut keep = db.prepare_cached(
        "INSERT INTO acknowledgements (journal, snapshot, device, signature) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for one in &change.acknowledgements {
        keep.execute(params![
            journal.number,
            one.snapshot.as_bytes(),
            one.device.as_bytes(),
            one.signature.as_bytes(),
        ])?;
    }
    let freed = forget(db, journal.number, &change.drop)?;
    account(db, journal, added, freed, now)?;
    Ok(SnapshotOutcome::Kept)
}

fn find(db: &Connection, journal: i64, hash: &SnapshotHash) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM snapshots WHERE journal = ?1 AND hash = ?2")?
        .exists(params![journal, hash.as_bytes()])
}

/// Returns whether what is stored agrees with a manifest: the covered envelopes and the parts are here, or, where chains may
/// start from it, what is here is none other.
fn fits(db: &Connection, journal: i64, snapshot: &Snapshot, start: bool) -> rusqlite::Result<bool> {
    let mut tip = db.prepare_cached("SELECT seq FROM chains WHERE journal = ?1 AND chain = ?2")?;
    let mut at = db.prepare_cached(
        "SELECT hash FROM envelopes WHERE journal = ?1 AND chain = ?2 AND seq = ?3",
    )?;
    for (chain, seq, hash) in snapshot.manifest().ends() {
        let here = tip
            .query_row(params![journal, chain.as_bytes()], |row| row.get(0))
            .optional()?
            .map_or(0, loaded);
        if here < seq.0 {
            if start {
                continue;
            }
            return Ok(false);
        }
        let found = at
            .query_row(params![journal, chain.as_bytes(), stored(seq.0)], |row| {
                row.get(0).map(EnvelopeHash)
            })
            .optional()?;
        // What was pruned cannot be compared: an earlier snapshot that fitted covers it.
        if found.is_some() && found != hash {
            return Ok(false);
        }
    }
    Ok(true)
}

fn insert(db: &Connection, journal: i64, snapshot: &Snapshot) -> rusqlite::Result<()> {
    let manifest = snapshot.manifest();
    let last = manifest.parts.last().map(|hash| hash.as_bytes().as_slice());
    db.prepare_cached(
        "INSERT INTO snapshots (journal, hash, chain, first, last, last_hash, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        journal,
        snapshot.hash().as_bytes(),
        manifest.author.chain().as_bytes(),
        stored(manifest.first.0),
        stored(manifest.last().0),
        last.unwrap_or_default(),
        snapshot.bytes(),
    ])?;
    Ok(())
}

/// Lets the chains of which less is here than a snapshot covers go on from there.
fn start(db: &Connection, journal: i64, snapshot: &Snapshot) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO chains (journal, chain, device, seq, hash, head) VALUES (?1, ?2, ?3, ?4, ?5, 0)
         ON CONFLICT DO UPDATE SET seq = ?4, hash = ?5 WHERE seq < ?4",
    )?;
    let manifest = snapshot.manifest();
    for author in &manifest.authors {
        let chain = author.chain();
        let Some(at) = manifest.covers.0.get(&chain) else {
            continue;
        };
        upsert.execute(params![
            journal,
            chain.as_bytes(),
            author.device.as_bytes(),
            stored(at.seq.0),
            at.hash.as_bytes(),
        ])?;
    }
    Ok(())
}

/// Forgets manifests with their acknowledgements, and returns their bytes.
fn forget(db: &Connection, journal: i64, drop: &[SnapshotHash]) -> rusqlite::Result<u64> {
    let mut freed = 0;
    for hash in drop {
        db.prepare_cached("DELETE FROM acknowledgements WHERE journal = ?1 AND snapshot = ?2")?
            .execute(params![journal, hash.as_bytes()])?;
        freed += db
            .prepare_cached(
                "DELETE FROM snapshots WHERE journal = ?1 AND hash = ?2 RETURNING length(bytes)",
            )?
            .query_row(params![journal, hash.as_bytes()], |row| row.get(0))
            .optional()?
            .map_or(0, loaded);
    }
    Ok(freed)
}

/// Forgets envelopes that a snapshot covers; see [`crate::storage::Storage::prune`].
pub(super) fn prune(
    db: &Connection,
    journal: &JournalRow,
    covers: &Vector,
    drop: &[SnapshotHash],
    now: u64,
) -> rusqlite::Result<u64> {
    let mut freed = forget(db, journal.number, drop)?;
    let mut delete = db.prepare_cached(
        "DELETE FROM envelopes WHERE journal = ?1 AND chain = ?2 AND seq <= ?3
           AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.journal = ?1 AND s.chain = ?2
                           AND envelopes.seq BETWEEN s.first AND s.last)
         RETURNING length(bytes)",
    )?;
    for (chain, at) in &covers.0 {
        let Seq(last) = at.seq;
        let mut rows = delete.query(params![journal.number, chain.as_bytes(), stored(last)])?;
        while let Some(row) = rows.next()? {
            freed += loaded(row.get(0)?);
        }
    }
    account(db, journal, 0, freed, now)?;
    Ok(freed)
}

fn account(
    db: &Connection,
    journal: &JournalRow,
    added: u64,
    freed: u64,
    now: u64,
) -> rusqlite::Result<()> {
    let used = journal.used.saturating_add(added).saturating_sub(freed);
    db.prepare_cached("UPDATE journals SET used = ?2, changed = ?3 WHERE number = ?1")?
        .execute(params![journal.number, stored(used), stored(now)])?;
    Ok(())
}
