//! SQL over enrolment tokens.

use rusqlite::{Connection, OptionalExtension, params};

use super::{loaded, stored};
use crate::storage::{TokenEntry, TokenId};

/// Finds a token that is not revoked.
pub(super) fn find(db: &Connection, hash: &[u8; 32]) -> rusqlite::Result<Option<TokenId>> {
    db.prepare_cached("SELECT id FROM tokens WHERE hash = ?1 AND revoked IS NULL")?
        .query_row([hash], |row| Ok(TokenId(row.get(0)?)))
        .optional()
}

/// Keeps a token.
pub(super) fn add(
    db: &Connection,
    id: &TokenId,
    hash: &[u8; 32],
    now: u64,
) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO tokens (id, hash, created) VALUES (?1, ?2, ?3)")?
        .execute(params![id.0, hash, stored(now)])?;
    Ok(())
}

/// Lists tokens.
pub(super) fn list(db: &Connection) -> rusqlite::Result<Vec<TokenEntry>> {
    db.prepare_cached(
        "SELECT id, created, revoked, (SELECT count(*) FROM journals WHERE token = tokens.id)
         FROM tokens ORDER BY created, id",
    )?
    .query_map([], |row| {
        Ok(TokenEntry {
            id: TokenId(row.get(0)?),
            created: loaded(row.get(1)?),
            revoked: row.get::<_, Option<i64>>(2)?.map(loaded),
            journals: loaded(row.get(3)?),
        })
    })?
    .collect()
}

/// Revokes a token.
pub(super) fn revoke(db: &Connection, id: &TokenId, now: u64) -> rusqlite::Result<bool> {
    let changed = db
        .prepare_cached("UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL")?
        .execute(params![id.0, stored(now)])?;
    Ok(changed > 0)
}
