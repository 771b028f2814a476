//! SQL over enrolment tokens, and over the randoms of requests that must not be taken twice.

use deadpool_postgres::Transaction;
use protocol::id::KeyId;

use super::rows::{self, number, stored, value};
use crate::storage::{REMEMBERED, REMEMBERED_SECONDS, StorageError, TokenEntry, TokenId};

/// Finds a token that is not revoked.
pub(super) async fn find(
    db: &Transaction<'_>,
    hash: &[u8; 32],
) -> Result<Option<TokenId>, StorageError> {
    let sql = "SELECT id FROM tokens WHERE hash = $1 AND revoked IS NULL";
    let row = rows::one(db, sql, &[&hash.as_slice()]).await?;
    row.map(|row| value(&row, 0).map(TokenId)).transpose()
}

/// Keeps a token.
pub(super) async fn add(
    db: &Transaction<'_>,
    id: &TokenId,
    hash: &[u8; 32],
    now: u64,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO tokens (id, hash, created) VALUES ($1, $2, $3)";
    rows::execute(db, sql, &[&id.0, &hash.as_slice(), &stored(now)]).await?;
    Ok(())
}

/// Lists tokens.
pub(super) async fn list(db: &Transaction<'_>) -> Result<Vec<TokenEntry>, StorageError> {
    let sql = "SELECT id, created, revoked, (SELECT count(*) FROM journals WHERE token = tokens.id)
        FROM tokens ORDER BY created, id";
    let mut list = Vec::new();
    for row in rows::all(db, sql, &[]).await? {
        let revoked: Option<i64> = value(&row, 2)?;
        list.push(TokenEntry {
            id: TokenId(value(&row, 0)?),
            created: number(&row, 1)?,
            revoked: revoked.map(|_| number(&row, 2)).transpose()?,
            journals: number(&row, 3)?,
        });
    }
    Ok(list)
}

/// Revokes a token.
pub(super) async fn revoke(
    db: &Transaction<'_>,
    id: &TokenId,
    now: u64,
) -> Result<bool, StorageError> {
    let sql = "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL";
    let changed = rows::execute(db, sql, &[&id.0, &stored(now)]).await?;
    Ok(changed > 0)
}

/// Remembers a random; see [`crate::storage::Storage::remember`].
pub(super) async fn remember(
    db: &Transaction<'_>,
    key: &KeyId,
    random: &[u8; 16],
    now: u64,
) -> Result<bool, StorageError> {
    let too_old = stored(now.saturating_sub(REMEMBERED_SECONDS));
    rows::execute(db, "DELETE FROM seen WHERE time < $1", &[&too_old]).await?;
    let count = rows::one(db, "SELECT count(*) FROM seen", &[]).await?;
    let count = count.map_or(Ok(0), |row| number(&row, 0))?;
    if count >= REMEMBERED {
        return Ok(false);
    }
    let sql = "INSERT INTO seen (key, random, time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let (key, random) = (key.as_bytes().as_slice(), random.as_slice());
    let inserted = rows::execute(db, sql, &[&key, &random, &stored(now)]).await?;
    Ok(inserted > 0)
}
