//! SQL over journals: their logs, sealed keys and members.

use protocol::domain::Domain;
use protocol::id::{JournalId, KeyId, RecordHash, SigningKey};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{envelopes, length, loaded, loaded_short, stored};
use crate::storage::{
    CreateOutcome, JournalEntry, LogChange, LogHead, LogOutcome, LogPart, NewBlob, NewJournal,
    TokenId, tables,
};

/// A row of the journals' table.
pub(super) struct JournalRow {
    /// The number by which other tables name it.
    pub(super) number: i64,
    /// Where its log ends.
    pub(super) head: LogHead,
    /// The bytes that it takes.
    pub(super) used: u64,
}

/// Finds a journal.
pub(super) fn find(db: &Connection, id: &JournalId) -> rusqlite::Result<Option<JournalRow>> {
    db.prepare_cached("SELECT number, length, head, used FROM journals WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok(JournalRow {
                number: row.get(0)?,
                head: LogHead {
                    length: loaded_short(row.get(1)?),
                    hash: RecordHash(row.get(2)?),
                },
                used: loaded(row.get(3)?),
            })
        })
        .optional()
}

/// Reads a part of a log; see [`crate::storage::Storage::log_part`].
pub(super) fn log_part(
    db: &Connection,
    journal: &JournalRow,
    from: u32,
    bytes: usize,
) -> rusqlite::Result<LogPart> {
    let mut part = LogPart {
        head: journal.head,
        records: Vec::new(),
        blobs: Vec::new(),
    };
    let mut room = bytes;
    let mut end = i64::from(from);
    let mut statement = db.prepare_cached(
        "SELECT bytes FROM records WHERE journal = ?1 AND place >= ?2 ORDER BY place",
    )?;
    let mut rows = statement.query(params![journal.number, from])?;
    while let Some(row) = rows.next()? {
        let record: Vec<u8> = row.get(0)?;
        if !part.records.is_empty() && record.len() > room {
            break;
        }
        room = room.saturating_sub(record.len());
        part.records.push(record);
        end += 1;
    }
    part.blobs = db
        .prepare_cached(
            "SELECT bytes FROM blobs
             WHERE journal = ?1 AND record >= ?2 AND record < ?3 AND invite IS NULL ORDER BY record",
        )?
        .query_map(params![journal.number, from, end], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(part)
}

/// Returns the hash of record `place`, if there is one.
pub(super) fn record_hash(
    db: &Connection,
    journal: i64,
    place: u32,
) -> rusqlite::Result<Option<RecordHash>> {
    let bytes = db
        .prepare_cached("SELECT bytes FROM records WHERE journal = ?1 AND place = ?2")?
        .query_row(params![journal, place], |row| row.get(0))
        .optional()?;
    Ok(bytes.map(|bytes: Vec<u8>| RecordHash(Domain::RecordHash.hash(&[&bytes]))))
}

/// Finds the sealed key of an invite.
pub(super) fn invite_blob(
    db: &Connection,
    journal: &JournalId,
    invite: &KeyId,
) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(
        "SELECT bytes FROM blobs
         WHERE journal = (SELECT number FROM journals WHERE id = ?1) AND invite = ?2",
    )?
    .query_row([journal.as_bytes(), invite.as_bytes()], |row| row.get(0))
    .optional()
}

/// Creates a journal; see [`crate::storage::Storage::create`].
pub(super) fn create(
    db: &Connection,
    journal: &NewJournal,
    now: u64,
) -> rusqlite::Result<CreateOutcome> {
    let NewJournal {
        id,
        log,
        token,
        most,
        most_of_token,
    } = journal;
    if find(db, id)?.is_some() || tombstone(db, id)?.is_some() {
        return Ok(CreateOutcome::Exists);
    }
    // What was erased counts too: else the file could grow without end.
    let count: i64 = db
        .prepare_cached("SELECT (SELECT count(*) FROM journals) + (SELECT count(*) FROM erased)")?
        .query_row([], |row| row.get(0))?;
    if loaded(count) >= *most {
        return Ok(CreateOutcome::TooMany);
    }
    if let Some(TokenId(token)) = token {
        let count: i64 = db
            .prepare_cached("SELECT count(*) FROM journals WHERE token = ?1")?
            .query_row([token], |row| row.get(0))?;
        if loaded(count) >= *most_of_token {
            return Ok(CreateOutcome::TooManyOfToken);
        }
    }
    if log.erases {
        bury(db, id, log, now)?;
        return Ok(CreateOutcome::Created);
    }
    let size = size(&log.records, &log.blobs.iter().collect::<Vec<_>>());
    if size > log.quota {
        return Ok(CreateOutcome::OverQuota);
    }
    db.prepare_cached(
        "INSERT INTO journals (id, length, head, used, created, changed, token)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
    )?
    .execute(params![
        id.as_bytes(),
        log.head.length,
        log.head.hash.as_bytes(),
        stored(size),
        stored(now),
        token.as_ref().map(|token| &token.0),
    ])?;
    let number = db.last_insert_rowid();
    write_log(db, number, 0, log, &log.blobs.iter().collect::<Vec<_>>())?;
    Ok(CreateOutcome::Created)
}

/// Appends to a log; see [`crate::storage::Storage::append_log`].
pub(super) fn append(
    db: &Connection,
    id: &JournalId,
    from: LogHead,
    change: &LogChange,
    now: u64,
) -> rusqlite::Result<LogOutcome> {
    let Some(journal) = find(db, id)?.filter(|journal| journal.head == from) else {
        return Ok(LogOutcome::Moved);
    };
    if envelopes::any_beyond(db, journal.number, &change.frontiers)? {
        return Ok(LogOutcome::BehindFrontier);
    }
    if change.erases {
        erase(db, journal.number)?;
        bury(db, id, change, now)?;
        return Ok(LogOutcome::Appended);
    }
    let blobs = missing(db, journal.number, &change.blobs)?;
    let used = journal.used.saturating_add(size(&change.records, &blobs));
    if used > change.quota {
        return Ok(LogOutcome::OverQuota);
    }
    db.prepare_cached(
        "UPDATE journals SET length = ?2, head = ?3, used = ?4, changed = ?5 WHERE number = ?1",
    )?
    .execute(params![
        journal.number,
        change.head.length,
        change.head.hash.as_bytes(),
        stored(used),
        stored(now),
    ])?;
    write_log(db, journal.number, from.length, change, &blobs)?;
    Ok(LogOutcome::Appended)
}

/// Deletes everything of a journal.
fn erase(db: &Connection, journal: i64) -> rusqlite::Result<()> {
    for table in tables::of_a_journal() {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE journal = ?1"))?
            .execute([journal])?;
    }
    db.prepare_cached("DELETE FROM journals WHERE number = ?1")?
        .execute([journal])?;
    Ok(())
}

/// Removes a journal; see [`crate::storage::Storage::forget`].
pub(super) fn forget(db: &Connection, id: &JournalId) -> rusqlite::Result<bool> {
    let Some(journal) = find(db, id)? else {
        return Ok(false);
    };
    erase(db, journal.number)?;
    Ok(true)
}

/// Keeps the record that erased a journal.
fn bury(db: &Connection, id: &JournalId, log: &LogChange, now: u64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO erased (id, record, erased) VALUES (?1, ?2, ?3)")?
        .execute(params![id.as_bytes(), log.records.last(), stored(now)])?;
    Ok(())
}

/// Finds the record that erased a journal.
pub(super) fn tombstone(db: &Connection, id: &JournalId) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT record FROM erased WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()
}

fn size(records: &[Vec<u8>], blobs: &[&NewBlob]) -> u64 {
    let records = records.iter().map(|record| length(record));
    let blobs = blobs.iter().map(|blob| length(&blob.bytes));
    records.chain(blobs).sum()
}

/// Returns the sealed keys that are not kept yet.
fn missing<'a>(
    db: &Connection,
    journal: i64,
    blobs: &'a [NewBlob],
) -> rusqlite::Result<Vec<&'a NewBlob>> {
    let mut find =
        db.prepare_cached("SELECT 1 FROM blobs WHERE journal = ?1 AND record = ?2 AND hash = ?3")?;
    let mut missing = Vec::new();
    for blob in blobs {
        if !find.exists(params![journal, blob.record, blob.hash.as_bytes()])? {
            missing.push(blob);
        }
    }
    Ok(missing)
}

fn write_log(
    db: &Connection,
    journal: i64,
    from: u32,
    log: &LogChange,
    blobs: &[&NewBlob],
) -> rusqlite::Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO records (journal, place, bytes) VALUES (?1, ?2, ?3)")?;
    for (place, record) in (i64::from(from)..).zip(&log.records) {
        insert.execute(params![journal, place, record])?;
    }
    for invite in &log.closed {
        erase_blobs(
            db,
            "WHERE journal = ?1 AND invite = ?2",
            params![journal, invite.as_bytes()],
        )?;
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO blobs (journal, record, hash, invite, expires, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for blob in blobs {
        let (invite, expires) = blob.invite.unzip();
        insert.execute(params![
            journal,
            blob.record,
            blob.hash.as_bytes(),
            invite.as_ref().map(KeyId::as_bytes),
            expires.map(stored),
            blob.bytes,
        ])?;
    }
    db.prepare_cached("DELETE FROM members WHERE journal = ?1")?
        .execute([journal])?;
    let mut insert =
        db.prepare_cached("INSERT INTO members (device, journal, signing) VALUES (?1, ?2, ?3)")?;
    for (device, signing) in &log.members {
        insert.execute(params![device.as_bytes(), journal, signing.as_bytes()])?;
    }
    Ok(())
}

fn erase_blobs(
    db: &Connection,
    which: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<u64> {
    let mut erased = 0;
    let mut statement = db.prepare_cached(&format!(
        "DELETE FROM blobs {which} RETURNING journal, length(bytes)"
    ))?;
    let rows: Vec<(i64, i64)> = statement
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (journal, bytes) in rows {
        db.prepare_cached("UPDATE journals SET used = max(0, used - ?2) WHERE number = ?1")?
            .execute([journal, bytes])?;
        erased += 1;
    }
    Ok(erased)
}

/// Returns whether a sealed key of an expired invite is still kept.
pub(super) fn any_expired(db: &Connection, now: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM blobs WHERE expires < ?1 LIMIT 1")?
        .exists([stored(now)])
}

/// Erases the sealed keys of expired invites.
pub(super) fn erase_expired(db: &Connection, now: u64) -> rusqlite::Result<u64> {
    erase_blobs(db, "WHERE expires < ?1", params![stored(now)])
}

/// Finds the journals of a device; see [`crate::storage::Storage::journals_of`].
pub(super) fn of_device(
    db: &Connection,
    device: &KeyId,
) -> rusqlite::Result<Vec<(JournalId, SigningKey)>> {
    db.prepare_cached(
        "SELECT journals.id, members.signing FROM members
         JOIN journals ON journals.number = members.journal
         WHERE members.device = ?1 ORDER BY journals.id",
    )?
    .query_map([device.as_bytes()], |row| {
        Ok((JournalId(row.get(0)?), SigningKey(row.get(1)?)))
    })?
    .collect()
}

/// Lists journals; see [`crate::storage::Storage::journals`].
pub(super) fn list(db: &Connection) -> rusqlite::Result<Vec<JournalEntry>> {
    db.prepare_cached(
        "SELECT id, created, changed, length, used,
           (SELECT count(*) FROM members WHERE journal = number),
           (SELECT count(*) FROM chains WHERE journal = number),
           (SELECT coalesce(sum(seq), 0) FROM chains WHERE journal = number)
         FROM journals ORDER BY id",
    )?
    .query_map([], entry)?
    .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<JournalEntry> {
    Ok(JournalEntry {
        id: JournalId(row.get(0)?),
        created: loaded(row.get(1)?),
        changed: loaded(row.get(2)?),
        records: loaded_short(row.get(3)?),
        bytes: loaded(row.get(4)?),
        devices: loaded_short(row.get(5)?),
        chains: loaded_short(row.get(6)?),
        envelopes: loaded(row.get(7)?),
    })
}
