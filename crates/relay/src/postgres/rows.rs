//! Statements, and rows as values of ours.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use crate::storage::StorageError;

/// A statement's parameter.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// A column that is not what the schema says.
#[derive(Debug, thiserror::Error)]
#[error("column {0} has a value that no relay has written")]
struct Odd(usize);

/// Runs a statement, and returns all its rows.
pub(super) async fn all(
    db: &Transaction<'_>,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, StorageError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query(&statement, parameters).await?)
}

/// Runs a statement, and returns its row, if it has one.
pub(super) async fn one(
    db: &Transaction<'_>,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Option<Row>, StorageError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_opt(&statement, parameters).await?)
}

/// Runs a statement, and returns how many rows it changed.
pub(super) async fn execute(
    db: &Transaction<'_>,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<u64, StorageError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.execute(&statement, parameters).await?)
}

/// Reads a column.
pub(super) fn value<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StorageError> {
    let damaged = |error| StorageError::Damaged(Box::new(error));
    row.try_get(column).map_err(damaged)
}

/// Reads a column of as many bytes as an id, a hash or a key has.
pub(super) fn array<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], StorageError> {
    let bytes: &[u8] = value(row, column)?;
    let damaged = |_| StorageError::Damaged(Box::new(Odd(column)));
    bytes.try_into().map_err(damaged)
}

/// Reads a number; none that a relay writes is negative.
pub(super) fn number(row: &Row, column: usize) -> Result<u64, StorageError> {
    let number: i64 = value(row, column)?;
    u64::try_from(number).map_err(|_| StorageError::Damaged(Box::new(Odd(column))))
}

/// Reads a 32-bit number.
pub(super) fn short(row: &Row, column: usize) -> Result<u32, StorageError> {
    let number: i64 = value(row, column)?;
    u32::try_from(number).map_err(|_| StorageError::Damaged(Box::new(Odd(column))))
}

/// Returns a number as the database keeps it. Nothing here comes near 2⁶³; what does is a foreign claim, and stays largest.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a length in bytes as the store counts it.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Rows that a page looks at, at most.
pub(super) const PAGE_ROWS: i64 = 4_096;

/// Reads rows of (key, length in bytes), of which there are at most [`PAGE_ROWS`] + 1, and returns the keys of those that fit
/// into `room` (at least one if there is one), and whether there are more.
pub(super) fn fitting(rows: &[Row], mut room: usize) -> Result<(Vec<i64>, bool), StorageError> {
    let mut keys = Vec::new();
    let most = usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
    for row in rows.iter().take(most) {
        let size: i32 = value(row, 1)?;
        let size = usize::try_from(size).unwrap_or(0);
        if !keys.is_empty() && size > room {
            break;
        }
        room = room.saturating_sub(size);
        keys.push(value(row, 0)?);
    }
    let more = keys.len() < rows.len();
    Ok((keys, more))
}
