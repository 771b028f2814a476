//! SQL over the randoms of requests that must not be taken twice.

use protocol::id::KeyId;
use rusqlite::{Connection, params};

use super::{loaded, stored};
use crate::storage::{REMEMBERED, REMEMBERED_SECONDS};

/// Remembers a random; see [`crate::storage::Storage::remember`].
pub(super) fn remember(
    db: &Connection,
    key: &KeyId,
    random: &[u8; 16],
    now: u64,
) -> rusqlite::Result<bool> {
    let too_old = now.saturating_sub(REMEMBERED_SECONDS);
    db.prepare_cached("DELETE FROM seen WHERE time < ?1")?
        .execute([stored(too_old)])?;
    let count: i64 = db
        .prepare_cached("SELECT count(*) FROM seen")?
        .query_row([], |row| row.get(0))?;
    if loaded(count) >= REMEMBERED {
        return Ok(false);
    }
    let inserted = db
        .prepare_cached(
            "INSERT INTO seen (key, random, time) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![key.as_bytes(), random, stored(now)])?;
    Ok(inserted > 0)
}
