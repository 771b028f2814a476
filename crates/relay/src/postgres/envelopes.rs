//! SQL over envelopes and the tips of their chains.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use protocol::id::{ChainId, EnvelopeHash, JournalId, Seq};
use protocol::judge::ChainTip;
use protocol::vector::{Position, Vector};

use super::journals::{self, JournalRow};
use super::rows::{self, PAGE_ROWS, array, fitting, length, number, short, stored};
use crate::storage::{
    AppendOutcome, Frontier, LogHead, LogPart, NewEnvelope, Standing, StorageError, SyncPage,
    SyncQuery,
};

/// Reads what envelopes are judged against; see [`crate::storage::Storage::standing`].
pub(super) async fn standing(
    db: &Transaction<'_>,
    journal: &JournalRow,
    places: &[(ChainId, Seq)],
) -> Result<Standing, StorageError> {
    let tips = tips(db, journal.number).await?;
    let mut known = BTreeMap::new();
    let mut below = (Vec::new(), Vec::new());
    for (chain, seq) in places {
        match tips.get(chain) {
            // The tip's hash is known even where the envelope was pruned.
            Some(tip) if tip.seq == *seq => {
                known.insert((*chain, *seq), tip.hash);
            }
            Some(tip) if *seq < tip.seq => {
                below.0.push(chain.0.as_slice());
                below.1.push(stored(seq.0));
            }
            _ => {}
        }
    }
    if !below.0.is_empty() {
        for (chain, seq, hash) in hashes(db, journal.number, &below.0, &below.1).await? {
            known.insert((chain, seq), hash);
        }
    }
    Ok(Standing {
        log: journal.head,
        tips,
        known,
    })
}

/// Reads the hashes of the envelopes that are stored at places.
pub(super) async fn hashes(
    db: &Transaction<'_>,
    journal: i64,
    chains: &[&[u8]],
    seqs: &[i64],
) -> Result<Vec<(ChainId, Seq, EnvelopeHash)>, StorageError> {
    let sql =
        "SELECT e.chain, e.seq, e.hash FROM unnest($2::bytea[], $3::bigint[]) AS p (chain, seq)
        JOIN envelopes e ON e.journal = $1 AND e.chain = p.chain AND e.seq = p.seq";
    let mut found = Vec::new();
    for row in rows::all(db, sql, &[&journal, &chains, &seqs]).await? {
        let (chain, seq) = (ChainId(array(&row, 0)?), Seq(number(&row, 1)?));
        found.push((chain, seq, EnvelopeHash(array(&row, 2)?)));
    }
    Ok(found)
}

/// Reads the tips of all chains of a journal.
pub(super) async fn tips(
    db: &Transaction<'_>,
    journal: i64,
) -> Result<BTreeMap<ChainId, ChainTip>, StorageError> {
    let sql = "SELECT chain, seq, hash, head FROM chains WHERE journal = $1";
    let mut tips = BTreeMap::new();
    for row in rows::all(db, sql, &[&journal]).await? {
        let tip = ChainTip {
            seq: Seq(number(&row, 1)?),
            hash: EnvelopeHash(array(&row, 2)?),
            head: short(&row, 3)?,
        };
        tips.insert(ChainId(array(&row, 0)?), tip);
    }
    Ok(tips)
}

/// Stores envelopes; see [`crate::storage::Storage::append`].
pub(super) async fn append(
    db: &Transaction<'_>,
    id: &JournalId,
    log: LogHead,
    envelopes: &[NewEnvelope],
    quota: u64,
    now: u64,
) -> Result<AppendOutcome, StorageError> {
    let found = journals::lock(db, id).await?;
    let Some(journal) = found.filter(|journal| journal.head == log) else {
        return Ok(AppendOutcome::Moved);
    };
    let sizes = envelopes.iter().map(|envelope| length(&envelope.bytes));
    let used = journal.used.saturating_add(sizes.sum());
    if used > quota {
        return Ok(AppendOutcome::OverQuota);
    }
    // Everything is checked before anything is written: an outcome other than `Stored` leaves no trace.
    if !continues(db, journal.number, envelopes).await? {
        return Ok(AppendOutcome::Moved);
    }
    insert(db, journal.number, envelopes).await?;
    let sql = "UPDATE journals SET used = $2, changed = $3 WHERE number = $1";
    rows::execute(db, sql, &[&journal.number, &stored(used), &stored(now)]).await?;
    Ok(AppendOutcome::Stored)
}

async fn insert(
    db: &Transaction<'_>,
    journal: i64,
    envelopes: &[NewEnvelope],
) -> Result<(), StorageError> {
    let sql = "INSERT INTO envelopes (journal, chain, seq, hash, head, bytes)
        SELECT $1, chain, seq, hash, head, bytes
        FROM unnest($2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[])
          WITH ORDINALITY AS e (chain, seq, hash, head, bytes, n) ORDER BY n";
    let of = |part: fn(&NewEnvelope) -> &[u8]| envelopes.iter().map(part).collect::<Vec<_>>();
    let seqs: Vec<i64> = envelopes.iter().map(|one| stored(one.tip.seq.0)).collect();
    let heads: Vec<i64> = envelopes.iter().map(|one| one.tip.head.into()).collect();
    let (chains, hashes) = (of(|one| &one.chain.0), of(|one| &one.tip.hash.0));
    let bytes = of(|one| &one.bytes);
    let parameters: [rows::Parameter<'_>; 6] = [&journal, &chains, &seqs, &hashes, &heads, &bytes];
    rows::execute(db, sql, &parameters).await?;
    let last: BTreeMap<ChainId, &NewEnvelope> =
        envelopes.iter().map(|one| (one.chain, one)).collect();
    for NewEnvelope {
        chain, device, tip, ..
    } in last.into_values()
    {
        let sql = "INSERT INTO chains (journal, chain, device, seq, hash, head)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (journal, chain) DO UPDATE SET seq = $4, hash = $5, head = $6";
        let (seq, head) = (stored(tip.seq.0), i64::from(tip.head));
        let (chain, device) = (chain.0.as_slice(), device.0.as_slice());
        let hash = tip.hash.0.as_slice();
        rows::execute(db, sql, &[&journal, &chain, &device, &seq, &hash, &head]).await?;
    }
    Ok(())
}

/// Returns whether each envelope stands right after the tip of its chain, or after one before it in the list.
async fn continues(
    db: &Transaction<'_>,
    journal: i64,
    envelopes: &[NewEnvelope],
) -> Result<bool, StorageError> {
    let chains: Vec<&[u8]> = envelopes.iter().map(|one| one.chain.0.as_slice()).collect();
    let sql = "SELECT chain, seq, hash FROM chains WHERE journal = $1 AND chain = ANY ($2)";
    let mut ends: BTreeMap<ChainId, Position> = BTreeMap::new();
    for row in rows::all(db, sql, &[&journal, &chains]).await? {
        let end = Position {
            seq: Seq(number(&row, 1)?),
            hash: EnvelopeHash(array(&row, 2)?),
        };
        ends.insert(ChainId(array(&row, 0)?), end);
    }
    for envelope in envelopes {
        let end = ends.insert(envelope.chain, envelope.tip.position());
        if !envelope.follows(end) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns whether more of a device is stored than a frontier names.
pub(super) async fn any_beyond(
    db: &Transaction<'_>,
    journal: i64,
    frontiers: &[Frontier],
) -> Result<bool, StorageError> {
    let sql = "SELECT chain, seq, hash FROM chains WHERE journal = $1 AND device = ANY ($2)";
    for Frontier { devices, vector } in frontiers {
        let devices: Vec<&[u8]> = devices.iter().map(|device| device.0.as_slice()).collect();
        for row in rows::all(db, sql, &[&journal, &devices]).await? {
            let last = Position {
                seq: Seq(number(&row, 1)?),
                hash: EnvelopeHash(array(&row, 2)?),
            };
            if !vector.reaches(&ChainId(array(&row, 0)?), last) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Answers a sync; see [`crate::storage::Storage::sync`].
pub(super) async fn sync(
    db: &Transaction<'_>,
    journal: &JournalRow,
    query: &SyncQuery,
) -> Result<SyncPage, StorageError> {
    let tips = tips(db, journal.number).await?;
    let lacks = tips
        .iter()
        .any(|(chain, tip)| tip.seq > query.vector.seq(chain));
    let (envelopes, more) = if lacks {
        outside(db, journal.number, query).await?
    } else {
        (Vec::new(), false)
    };
    let heads = tips.into_iter().map(|(chain, tip)| (chain, tip.position()));
    Ok(SyncPage {
        log: log_since(db, journal, query).await?,
        envelopes,
        more,
        heads: Vector(heads.collect()),
        used: journal.used,
    })
}

/// Reads the log from the client's end on, if the client's log is a beginning of this one.
async fn log_since(
    db: &Transaction<'_>,
    journal: &JournalRow,
    query: &SyncQuery,
) -> Result<LogPart, StorageError> {
    let without = LogPart {
        head: journal.head,
        records: Vec::new(),
        blobs: Vec::new(),
    };
    if query.log == journal.head || query.log.length > journal.head.length {
        return Ok(without);
    }
    let Some(last) = query.log.length.checked_sub(1) else {
        return journals::log_part(db, journal, 0, query.page).await;
    };
    if journals::record_hash(db, journal.number, last).await? == Some(query.log.hash) {
        journals::log_part(db, journal, query.log.length, query.page).await
    } else {
        Ok(without)
    }
}

/// Reads the envelopes that the vector lacks, in the order in which they came, until the page is full.
async fn outside(
    db: &Transaction<'_>,
    journal: i64,
    query: &SyncQuery,
) -> Result<(Vec<Vec<u8>>, bool), StorageError> {
    // Numbers ascend within a chain, so what the vector has of a chain need not be looked at. What was pruned is not there
    // to be found.
    let sql = "SELECT e.number, octet_length(e.bytes) FROM envelopes e
        LEFT JOIN unnest($2::bytea[], $3::bigint[]) AS v (chain, seq) ON v.chain = e.chain
        WHERE e.journal = $1 AND e.seq > coalesce(v.seq, 0) AND e.number >= (
          SELECT min(first.number) FROM chains c
          LEFT JOIN unnest($2::bytea[], $3::bigint[]) AS v (chain, seq) ON v.chain = c.chain
          CROSS JOIN LATERAL (
            SELECT number FROM envelopes
            WHERE journal = $1 AND chain = c.chain AND seq > coalesce(v.seq, 0)
            ORDER BY seq LIMIT 1) AS first
          WHERE c.journal = $1 AND c.seq > coalesce(v.seq, 0))
        ORDER BY e.number LIMIT $4";
    let vector = query.vector.0.iter();
    let (chains, seqs): (Vec<&[u8]>, Vec<i64>) = vector
        .map(|(chain, at)| (chain.0.as_slice(), stored(at.seq.0)))
        .unzip();
    let most = PAGE_ROWS + 1;
    let sizes = rows::all(db, sql, &[&journal, &chains, &seqs, &most]).await?;
    let (numbers, more) = fitting(&sizes, query.page)?;
    let sql = "SELECT bytes FROM envelopes WHERE number = ANY ($1) ORDER BY number";
    let page = rows::all(db, sql, &[&numbers]).await?;
    Ok((journals::first_columns(&page)?, more))
}
