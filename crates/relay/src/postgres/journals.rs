//! SQL over journals: their logs, sealed keys and members.

use deadpool_postgres::{Client, Transaction};
use protocol::domain::Domain;
use protocol::id::{JournalId, KeyId, RecordHash, SigningKey};
use tokio_postgres::Row;

use super::envelopes;
use super::rows::{self, PAGE_ROWS, array, fitting, length, number, short, stored, value};
use crate::storage::{
    CreateOutcome, JournalEntry, LogChange, LogHead, LogOutcome, LogPart, NewBlob, NewJournal,
    StorageError, TokenId, tables,
};

/// The advisory lock under which journals are created, so that no more are than there may be; the letters of `ebbcreat`.
const CREATING: i64 = 0x6562_6263_7265_6174;

/// A row of the journals' table.
pub(super) struct JournalRow {
    /// The number by which other tables name it.
    pub(super) number: i64,
    /// Where its log ends.
    pub(super) head: LogHead,
    /// The bytes that it takes.
    pub(super) used: u64,
}

fn journal_row(row: &Row) -> Result<JournalRow, StorageError> {
    Ok(JournalRow {
        number: value(row, 0)?,
        head: LogHead {
            length: short(row, 1)?,
            hash: RecordHash(array(row, 2)?),
        },
        used: number(row, 3)?,
    })
}

/// Returns where a journal's log ends, outside of any transaction.
pub(super) async fn head(client: &Client, id: &JournalId) -> Result<Option<LogHead>, StorageError> {
    let sql = "SELECT number, length, head, used FROM journals WHERE id = $1";
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&id.0.as_slice()]).await?;
    row.map(|row| Ok(journal_row(&row)?.head)).transpose()
}

/// Finds a journal.
pub(super) async fn find(
    db: &Transaction<'_>,
    id: &JournalId,
) -> Result<Option<JournalRow>, StorageError> {
    let sql = "SELECT number, length, head, used FROM journals WHERE id = $1";
    let row = rows::one(db, sql, &[&id.0.as_slice()]).await?;
    row.as_ref().map(journal_row).transpose()
}

/// Finds a journal, as it is after all writes before, and holds up other writes to it until the transaction ends.
pub(super) async fn lock(
    db: &Transaction<'_>,
    id: &JournalId,
) -> Result<Option<JournalRow>, StorageError> {
    let sql = "SELECT number, length, head, used FROM journals WHERE id = $1 FOR UPDATE";
    let row = rows::one(db, sql, &[&id.0.as_slice()]).await?;
    row.as_ref().map(journal_row).transpose()
}

/// Reads a part of a log; see [`crate::storage::Storage::log_part`].
pub(super) async fn log_part(
    db: &Transaction<'_>,
    journal: &JournalRow,
    from: u32,
    bytes: usize,
) -> Result<LogPart, StorageError> {
    let from = i64::from(from);
    let sql = "SELECT place, octet_length(bytes) FROM records
        WHERE journal = $1 AND place >= $2 ORDER BY place LIMIT $3";
    let sizes = rows::all(db, sql, &[&journal.number, &from, &(PAGE_ROWS + 1)]).await?;
    let (places, _) = fitting(&sizes, bytes)?;
    let end = places.last().map_or(from, |last| last.saturating_add(1));
    let sql = "SELECT bytes FROM records
        WHERE journal = $1 AND place >= $2 AND place < $3 ORDER BY place";
    let records = rows::all(db, sql, &[&journal.number, &from, &end]).await?;
    let sql = "SELECT bytes FROM blobs
        WHERE journal = $1 AND record >= $2 AND record < $3 AND invite IS NULL
        ORDER BY record, hash";
    let blobs = rows::all(db, sql, &[&journal.number, &from, &end]).await?;
    Ok(LogPart {
        head: journal.head,
        records: first_columns(&records)?,
        blobs: first_columns(&blobs)?,
    })
}

/// Returns the first column of each row, as bytes.
pub(super) fn first_columns(rows: &[Row]) -> Result<Vec<Vec<u8>>, StorageError> {
    rows.iter().map(|row| value(row, 0)).collect()
}

/// Returns the hash of record `place`, if there is one.
pub(super) async fn record_hash(
    db: &Transaction<'_>,
    journal: i64,
    place: u32,
) -> Result<Option<RecordHash>, StorageError> {
    let sql = "SELECT bytes FROM records WHERE journal = $1 AND place = $2";
    let Some(row) = rows::one(db, sql, &[&journal, &i64::from(place)]).await? else {
        return Ok(None);
    };
    let bytes: &[u8] = value(&row, 0)?;
    Ok(Some(RecordHash(Domain::RecordHash.hash(&[bytes]))))
}

/// Finds the sealed key of an invite.
pub(super) async fn invite_blob(
    db: &Transaction<'_>,
    journal: &JournalId,
    invite: &KeyId,
) -> Result<Option<Vec<u8>>, StorageError> {
    let sql = "SELECT bytes FROM blobs
        WHERE journal = (SELECT number FROM journals WHERE id = $1) AND invite = $2 LIMIT 1";
    let (journal, invite) = (journal.0.as_slice(), invite.0.as_slice());
    let row = rows::one(db, sql, &[&journal, &invite]).await?;
    row.map(|row| value(&row, 0)).transpose()
}

/// Creates a journal; see [`crate::storage::Storage::create`].
pub(super) async fn create(
    db: &Transaction<'_>,
    journal: &NewJournal,
    now: u64,
) -> Result<CreateOutcome, StorageError> {
    let NewJournal {
        id,
        log,
        token,
        most,
        most_of_token,
    } = journal;
    rows::execute(db, "SELECT pg_advisory_xact_lock($1)", &[&CREATING]).await?;
    if find(db, id).await?.is_some() || tombstone(db, id).await?.is_some() {
        return Ok(CreateOutcome::Exists);
    }
    // What was erased counts too: else the database could grow without end.
    let sql = "SELECT (SELECT count(*) FROM journals) + (SELECT count(*) FROM erased)";
    let count = rows::one(db, sql, &[]).await?;
    if count.map_or(Ok(0), |row| number(&row, 0))? >= *most {
        return Ok(CreateOutcome::TooMany);
    }
    if let Some(TokenId(token)) = token {
        let sql = "SELECT count(*) FROM journals WHERE token = $1";
        let count = rows::one(db, sql, &[token]).await?;
        if count.map_or(Ok(0), |row| number(&row, 0))? >= *most_of_token {
            return Ok(CreateOutcome::TooManyOfToken);
        }
    }
    if log.erases {
        bury(db, id, log, now).await?;
        return Ok(CreateOutcome::Created);
    }
    let blobs: Vec<&NewBlob> = log.blobs.iter().collect();
    let size = size(&log.records, &blobs);
    if size > log.quota {
        return Ok(CreateOutcome::OverQuota);
    }
    let sql = "INSERT INTO journals (id, length, head, used, created, changed, token)
        VALUES ($1, $2, $3, $4, $5, $5, $6) RETURNING number";
    let (id, head) = (id.0.as_slice(), log.head.hash.0.as_slice());
    let token = token.as_ref().map(|token| &token.0);
    let (length, now) = (i64::from(log.head.length), stored(now));
    let row = rows::one(db, sql, &[&id, &length, &head, &stored(size), &now, &token]).await?;
    if let Some(row) = row {
        write_log(db, value(&row, 0)?, 0, log, &blobs).await?;
    }
    Ok(CreateOutcome::Created)
}

/// Appends to a log; see [`crate::storage::Storage::append_log`].
pub(super) async fn append(
    db: &Transaction<'_>,
    id: &JournalId,
    from: LogHead,
    change: &LogChange,
    now: u64,
) -> Result<LogOutcome, StorageError> {
    let found = lock(db, id).await?;
    let Some(journal) = found.filter(|journal| journal.head == from) else {
        return Ok(LogOutcome::Moved);
    };
    if envelopes::any_beyond(db, journal.number, &change.frontiers).await? {
        return Ok(LogOutcome::BehindFrontier);
    }
    if change.erases {
        erase(db, journal.number).await?;
        bury(db, id, change, now).await?;
        return Ok(LogOutcome::Appended);
    }
    let blobs = missing(db, journal.number, &change.blobs).await?;
    let used = journal.used.saturating_add(size(&change.records, &blobs));
    if used > change.quota {
        return Ok(LogOutcome::OverQuota);
    }
    let sql =
        "UPDATE journals SET length = $2, head = $3, used = $4, changed = $5 WHERE number = $1";
    let (length, head) = (i64::from(change.head.length), change.head.hash.0.as_slice());
    let (used, now) = (stored(used), stored(now));
    rows::execute(db, sql, &[&journal.number, &length, &head, &used, &now]).await?;
    write_log(db, journal.number, from.length, change, &blobs).await?;
    Ok(LogOutcome::Appended)
}

/// Deletes everything of a journal.
async fn erase(db: &Transaction<'_>, journal: i64) -> Result<(), StorageError> {
    for table in tables::of_a_journal() {
        let sql = format!("DELETE FROM {table} WHERE journal = $1");
        rows::execute(db, &sql, &[&journal]).await?;
    }
    rows::execute(db, "DELETE FROM journals WHERE number = $1", &[&journal]).await?;
    Ok(())
}

/// Removes a journal; see [`crate::storage::Storage::forget`].
pub(super) async fn forget(db: &Transaction<'_>, id: &JournalId) -> Result<bool, StorageError> {
    let Some(journal) = lock(db, id).await? else {
        return Ok(false);
    };
    erase(db, journal.number).await?;
    Ok(true)
}

/// Keeps the record that erased a journal.
async fn bury(
    db: &Transaction<'_>,
    id: &JournalId,
    log: &LogChange,
    now: u64,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO erased (id, record, erased) VALUES ($1, $2, $3)";
    let record = log.records.last();
    rows::execute(db, sql, &[&id.0.as_slice(), &record, &stored(now)]).await?;
    Ok(())
}

/// Finds the record that erased a journal.
pub(super) async fn tombstone(
    db: &Transaction<'_>,
    id: &JournalId,
) -> Result<Option<Vec<u8>>, StorageError> {
    let sql = "SELECT record FROM erased WHERE id = $1";
    let row = rows::one(db, sql, &[&id.0.as_slice()]).await?;
    row.map(|row| value(&row, 0)).transpose()
}

fn size(records: &[Vec<u8>], blobs: &[&NewBlob]) -> u64 {
    let records = records.iter().map(|record| length(record));
    let blobs = blobs.iter().map(|blob| length(&blob.bytes));
    records.chain(blobs).sum()
}

/// Returns the sealed keys that are not kept yet.
async fn missing<'a>(
    db: &Transaction<'_>,
    journal: i64,
    blobs: &'a [NewBlob],
) -> Result<Vec<&'a NewBlob>, StorageError> {
    let mut missing = Vec::new();
    for blob in blobs {
        let sql = "SELECT 1 FROM blobs WHERE journal = $1 AND record = $2 AND hash = $3";
        let (record, hash) = (i64::from(blob.record), blob.hash.0.as_slice());
        let found = rows::one(db, sql, &[&journal, &record, &hash]).await?;
        if found.is_none() {
            missing.push(blob);
        }
    }
    Ok(missing)
}

async fn write_log(
    db: &Transaction<'_>,
    journal: i64,
    from: u32,
    log: &LogChange,
    blobs: &[&NewBlob],
) -> Result<(), StorageError> {
    let sql = "INSERT INTO records (journal, place, bytes)
        SELECT $1, $2 + n - 1, bytes FROM unnest($3::bytea[]) WITH ORDINALITY AS r (bytes, n)";
    rows::execute(db, sql, &[&journal, &i64::from(from), &log.records]).await?;
    if !log.closed.is_empty() {
        let closed: Vec<&[u8]> = log.closed.iter().map(|key| key.0.as_slice()).collect();
        let sql = "WITH gone AS (
              DELETE FROM blobs WHERE journal = $1 AND invite = ANY ($2)
              RETURNING octet_length(bytes) AS size)
            UPDATE journals SET used = greatest(0, used - (SELECT coalesce(sum(size), 0) FROM gone))
            WHERE number = $1";
        rows::execute(db, sql, &[&journal, &closed]).await?;
    }
    for blob in blobs {
        let sql = "INSERT INTO blobs (journal, record, hash, invite, expires, bytes)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let (record, hash) = (i64::from(blob.record), blob.hash.0.as_slice());
        let invite = blob.invite.as_ref().map(|(key, _)| key.0.as_slice());
        let expires = blob.invite.as_ref().map(|(_, expires)| stored(*expires));
        let parameters: [rows::Parameter<'_>; 6] =
            [&journal, &record, &hash, &invite, &expires, &blob.bytes];
        rows::execute(db, sql, &parameters).await?;
    }
    rows::execute(db, "DELETE FROM members WHERE journal = $1", &[&journal]).await?;
    let members = log.members.iter();
    let (devices, keys): (Vec<&[u8]>, Vec<&[u8]>) = members
        .map(|(device, signing)| (device.0.as_slice(), signing.0.as_slice()))
        .unzip();
    let sql = "INSERT INTO members (journal, device, signing)
        SELECT $1, device, signing FROM unnest($2::bytea[], $3::bytea[]) AS m (device, signing)";
    rows::execute(db, sql, &[&journal, &devices, &keys]).await?;
    Ok(())
}

/// Lists, outside of any transaction, the journals that still keep a sealed key of an expired invite.
pub(super) async fn expired(client: &Client, now: u64) -> Result<Vec<i64>, StorageError> {
    let sql = "SELECT DISTINCT journal FROM blobs WHERE expires < $1";
    let statement = client.prepare_cached(sql).await?;
    let found = client.query(&statement, &[&stored(now)]).await?;
    found.iter().map(|row| value(row, 0)).collect()
}

/// Erases the sealed keys of a journal's expired invites, and returns how many.
pub(super) async fn erase_expired(
    db: &Transaction<'_>,
    journal: i64,
    now: u64,
) -> Result<u64, StorageError> {
    let sql = "SELECT 1 FROM journals WHERE number = $1 FOR UPDATE";
    rows::one(db, sql, &[&journal]).await?;
    let sql = "WITH gone AS (
          DELETE FROM blobs WHERE journal = $1 AND expires < $2
          RETURNING octet_length(bytes) AS size),
        freed AS (
          UPDATE journals SET used = greatest(0, used - (SELECT coalesce(sum(size), 0) FROM gone))
          WHERE number = $1)
        SELECT count(*) FROM gone";
    let row = rows::one(db, sql, &[&journal, &stored(now)]).await?;
    row.map_or(Ok(0), |row| number(&row, 0))
}

/// Finds the journals of a device; see [`crate::storage::Storage::journals_of`].
pub(super) async fn of_device(
    db: &Transaction<'_>,
    device: &KeyId,
) -> Result<Vec<(JournalId, SigningKey)>, StorageError> {
    let sql = "SELECT journals.id, members.signing FROM members
        JOIN journals ON journals.number = members.journal
        WHERE members.device = $1 ORDER BY journals.id";
    let found = rows::all(db, sql, &[&device.0.as_slice()]).await?;
    let pair = |row: &Row| Ok((JournalId(array(row, 0)?), SigningKey(array(row, 1)?)));
    found.iter().map(pair).collect()
}

/// Lists journals; see [`crate::storage::Storage::journals`].
pub(super) async fn list(db: &Transaction<'_>) -> Result<Vec<JournalEntry>, StorageError> {
    let sql = "SELECT id, created, changed, length, used,
          (SELECT count(*) FROM members WHERE journal = number),
          (SELECT count(*) FROM chains WHERE journal = number),
          (SELECT coalesce(sum(seq), 0)::bigint FROM chains WHERE journal = number)
        FROM journals ORDER BY id";
    rows::all(db, sql, &[]).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<JournalEntry, StorageError> {
    Ok(JournalEntry {
        id: JournalId(array(row, 0)?),
        created: number(row, 1)?,
        changed: number(row, 2)?,
        records: short(row, 3)?,
        bytes: number(row, 4)?,
        devices: short(row, 5)?,
        chains: short(row, 6)?,
        envelopes: number(row, 7)?,
    })
}
