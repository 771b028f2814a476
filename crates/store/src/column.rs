//! Columns: how integers that SQLite has no type for are stored and read.
//!
//! Unsigned 64-bit numbers keep their bits, so that nothing a peer says is lost or refused here.

use protocol::id::{EnvelopeHash, Seq};
use protocol::vector::Position;
use rusqlite::Row;
use rusqlite::types::Type;

/// Returns what SQLite stores for a number of 64 bits.
pub(crate) fn integer(number: u64) -> i64 {
    number.cast_signed()
}

/// Reads a number of 64 bits.
pub(crate) fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(i64::cast_unsigned)
}

/// Reads a seq followed by a hash; none where there is no hash.
pub(crate) fn position(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Position>> {
    let seq = Seq(number(row, index)?);
    let hash: Option<[u8; 32]> = row.get(index + 1)?;
    Ok(hash.map(|hash| Position {
        seq,
        hash: EnvelopeHash(hash),
    }))
}

/// Returns the error for a text column that holds none of its words.
pub(crate) fn unknown_word(
    index: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}
