//! SQL over envelopes and the tips of their chains.

use std::collections::BTreeMap;

use protocol::id::{ChainId, EnvelopeHash, JournalId, Seq};
use protocol::judge::ChainTip;
use protocol::vector::{Position, Vector};
use rusqlite::{Connection, OptionalExtension, params};

use super::journals::{self, JournalRow};
use super::{length, loaded, loaded_short, stored};
use crate::storage::{
    AppendOutcome, Frontier, LogHead, LogPart, NewEnvelope, Standing, SyncPage, SyncQuery,
};

/// Reads what envelopes are judged against; see [`crate::storage::Storage::standing`].
pub(super) fn standing(
    db: &Connection,
    journal: &JournalRow,
    places: &[(ChainId, Seq)],
) -> rusqlite::Result<Standing> {
    let tips = tips(db, journal.number)?;
    let mut known = BTreeMap::new();
    let mut find = db.prepare_cached(
        "SELECT hash FROM envelopes WHERE journal = ?1 AND chain = ?2 AND seq = ?3",
    )?;
    for (chain, seq) in places {
        let Some(tip) = tips.get(chain).filter(|tip| *seq <= tip.seq) else {
            continue;
        };
        let hash = if tip.seq == *seq {
            Some(tip.hash)
        } else {
            find.query_row(
                params![journal.number, chain.as_bytes(), stored(seq.0)],
                |row| row.get(0).map(EnvelopeHash),
            )
            .optional()?
        };
        known.extend(hash.map(|hash| ((*chain, *seq), hash)));
    }
    Ok(Standing {
        log: journal.head,
        tips,
        known,
    })
}

fn tips(db: &Connection, journal: i64) -> rusqlite::Result<BTreeMap<ChainId, ChainTip>> {
    db.prepare_cached("SELECT chain, seq, hash, head FROM chains WHERE journal = ?1")?
        .query_map([journal], |row| {
            let tip = ChainTip {
                seq: Seq(loaded(row.get(1)?)),
                hash: EnvelopeHash(row.get(2)?),
                head: loaded_short(row.get(3)?),
            };
            Ok((ChainId(row.get(0)?), tip))
        })?
        .collect()
}

/// Stores envelopes; see [`crate::storage::Storage::append`].
pub(super) fn append(
    db: &Connection,
    id: &JournalId,
    log: LogHead,
    envelopes: &[NewEnvelope],
    quota: u64,
    now: u64,
) -> rusqlite::Result<AppendOutcome> {
    let Some(journal) = journals::find(db, id)?.filter(|journal| journal.head == log) else {
        return Ok(AppendOutcome::Moved);
    };
    let sizes = envelopes.iter().map(|envelope| length(&envelope.bytes));
    let used = journal.used.saturating_add(sizes.sum());
    if used > quota {
        return Ok(AppendOutcome::OverQuota);
    }
    // Everything is checked before anything is written: an outcome other than `Stored` leaves no trace.
    if !continues(db, journal.number, envelopes)? {
        return Ok(AppendOutcome::Moved);
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO envelopes (journal, chain, seq, hash, head, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut tips = BTreeMap::new();
    for NewEnvelope {
        chain,
        device,
        tip,
        bytes,
        ..
    } in envelopes
    {
        insert.execute(params![
            journal.number,
            chain.as_bytes(),
            stored(tip.seq.0),
            tip.hash.as_bytes(),
            tip.head,
            bytes,
        ])?;
        tips.insert(chain, (device, tip));
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO chains (journal, chain, device, seq, hash, head)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET seq = ?4, hash = ?5, head = ?6",
    )?;
    for (chain, (device, tip)) in tips {
        upsert.execute(params![
            journal.number,
            chain.as_bytes(),
            device.as_bytes(),
            stored(tip.seq.0),
            tip.hash.as_bytes(),
            tip.head,
        ])?;
    }
    db.prepare_cached("UPDATE journals SET used = ?2, changed = ?3 WHERE number = ?1")?
        .execute(params![journal.number, stored(used), stored(now)])?;
    Ok(AppendOutcome::Stored)
}

/// Returns whether each envelope stands right after the tip of its chain, or after one before it in the list.
fn continues(db: &Connection, journal: i64, envelopes: &[NewEnvelope]) -> rusqlite::Result<bool> {
    let mut find =
        db.prepare_cached("SELECT seq, hash FROM chains WHERE journal = ?1 AND chain = ?2")?;
    let mut ends: BTreeMap<ChainId, Position> = BTreeMap::new();
    for envelope in envelopes {
        let end = match ends.get(&envelope.chain) {
            Some(end) => Some(*end),
            None => find
                .query_row(params![journal, envelope.chain.as_bytes()], |row| {
                    Ok(Position {
                        seq: Seq(loaded(row.get(0)?)),
                        hash: EnvelopeHash(row.get(1)?),
                    })
                })
                .optional()?,
        };
        if !envelope.follows(end) {
            return Ok(false);
        }
        ends.insert(envelope.chain, envelope.tip.position());
    }
    Ok(true)
}

/// Returns whether more of a device is stored than a frontier names.
pub(super) fn any_beyond(
    db: &Connection,
    journal: i64,
    frontiers: &[Frontier],
) -> rusqlite::Result<bool> {
    let mut find = db
        .prepare_cached("SELECT chain, seq, hash FROM chains WHERE journal = ?1 AND device = ?2")?;
    for Frontier { devices, vector } in frontiers {
        for device in devices {
            let mut rows = find.query(params![journal, device.as_bytes()])?;
            while let Some(row) = rows.next()? {
                let last = Position {
                    seq: Seq(loaded(row.get(1)?)),
                    hash: EnvelopeHash(row.get(2)?),
                };
                if !vector.reaches(&ChainId(row.get(0)?), last) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Answers a sync; see [`crate::storage::Storage::sync`].
pub(super) fn sync(
    db: &Connection,
    journal: &JournalRow,
    query: &SyncQuery,
) -> rusqlite::Result<SyncPage> {
    let tips = tips(db, journal.number)?;
    let heads = tips.iter().map(|(chain, tip)| (*chain, tip.position()));
    let heads = Vector(heads.collect());
    let (envelopes, more) = outside(db, journal.number, &tips, query)?;
    Ok(SyncPage {
        log: log_since(db, journal, query)?,
        envelopes,
        more,
        heads,
        used: journal.used,
    })
}

/// Reads the log from the client's end on, if the client's log is a beginning of this one.
fn log_since(
    db: &Connection,
    journal: &JournalRow,
    query: &SyncQuery,
) -> rusqlite::Result<LogPart> {
    let without = LogPart {
        head: journal.head,
        records: Vec::new(),
        blobs: Vec::new(),
    };
    if query.log == journal.head || query.log.length > journal.head.length {
        return Ok(without);
    }
    let Some(last) = query.log.length.checked_sub(1) else {
        return journals::log_part(db, journal, 0, query.page);
    };
    if journals::record_hash(db, journal.number, last)? == Some(query.log.hash) {
        journals::log_part(db, journal, query.log.length, query.page)
    } else {
        Ok(without)
    }
}

/// Reads the envelopes that the vector lacks, in the order in which they came, until the page is full.
fn outside(
    db: &Connection,
    journal: i64,
    tips: &BTreeMap<ChainId, ChainTip>,
    query: &SyncQuery,
) -> rusqlite::Result<(Vec<Vec<u8>>, bool)> {
    // Numbers ascend within a chain. What was pruned is not there to be found.
    let mut first = db.prepare_cached(
        "SELECT number FROM envelopes WHERE journal = ?1 AND chain = ?2 AND seq >= ?3
         ORDER BY seq LIMIT 1",
    )?;
    let mut start: Option<i64> = None;
    for (chain, tip) in tips {
        let seq = query.vector.seq(chain);
        if tip.seq > seq {
            let next = stored(seq.0.saturating_add(1));
            let number: Option<i64> = first
                .query_row(params![journal, chain.as_bytes(), next], |row| row.get(0))
                .optional()?;
            start = start.into_iter().chain(number).min();
        }
    }
    let (mut page, mut room) = (Vec::new(), query.page);
    let Some(start) = start else {
        return Ok((page, false));
    };
    let mut statement = db.prepare_cached(
        "SELECT chain, seq, bytes FROM envelopes WHERE journal = ?1 AND number >= ?2
         ORDER BY number",
    )?;
    let mut rows = statement.query(params![journal, start])?;
    while let Some(row) = rows.next()? {
        let (chain, seq) = (ChainId(row.get(0)?), loaded(row.get(1)?));
        if Seq(seq) <= query.vector.seq(&chain) {
            continue;
        }
        let bytes = row.get_ref(2)?.as_blob()?;
        if !page.is_empty() && bytes.len() > room {
            return Ok((page, true));
        }
        room = room.saturating_sub(bytes.len());
        page.push(bytes.to_vec());
    }
    Ok((page, false))
}
