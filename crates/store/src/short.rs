//! Short ids: the shortest beginnings of entry ids that mean one entry, as git has them for commits.
//!
//! Deleted entries count, since they can still be named. Ids compare as their bytes, so the two neighbours of an id
//! in that order are the ones that share the most of it.

use rusqlite::{Connection, OptionalExtension};

use crate::entry::EntryKey;
use crate::error::StoreError;
use crate::replica::Reader;

/// The least hex digits of a short id.
const SHORTEST: usize = 4;
/// The hex digits of an id.
const DIGITS: usize = 32;
/// With more ids than this to shorten, reading all ids once is cheaper than two searches for each.
const FEW: usize = 500;

impl Reader<'_> {
    /// Returns the ids that begin with hex digits, in order, at most `limit` of them. Hyphens and case do not matter;
    /// what is no beginning of an id begins none.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn ids_with_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<EntryKey>, StoreError> {
        let Some((least, greatest)) = range(prefix) else {
            return Ok(Vec::new());
        };
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM entries WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
                )?
                .query_map(
                    (
                        least.to_be_bytes(),
                        greatest.to_be_bytes(),
                        i64::try_from(limit).unwrap_or(i64::MAX),
                    ),
                    |row| row.get(0).map(EntryKey),
                )?
                .collect()
        })
    }

    /// Returns the short id of each of these ids, whether or not there is an entry of that id.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn short_ids(&self, ids: &[EntryKey]) -> Result<Vec<String>, StoreError> {
        self.run(|connection| {
            if ids.len() <= FEW {
                ids.iter().map(|id| search(connection, id)).collect()
            } else {
                sweep(connection, ids)
            }
        })
    }

    /// Returns the short id of an id, whether or not there is an entry of that id.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn short_id(&self, id: &EntryKey) -> Result<String, StoreError> {
        self.run(|connection| search(connection, id))
    }
}

/// Shortens one id by looking for its neighbours.
fn search(connection: &Connection, id: &EntryKey) -> rusqlite::Result<String> {
    let neighbour = |query: &str| {
        connection
            .prepare_cached(query)?
            .query_row([&id.0], |row| row.get(0).map(EntryKey))
            .optional()
    };
    let before = neighbour("SELECT id FROM entries WHERE id < ?1 ORDER BY id DESC LIMIT 1")?;
    let after = neighbour("SELECT id FROM entries WHERE id > ?1 ORDER BY id LIMIT 1")?;
    Ok(shorten(id, [before, after].into_iter().flatten()))
}

/// Shortens many ids by reading all.
fn sweep(connection: &Connection, ids: &[EntryKey]) -> rusqlite::Result<Vec<String>> {
    // The index by time holds every id on the fewest pages.
    let mut all: Vec<EntryKey> = connection
        .prepare_cached("SELECT id FROM entries INDEXED BY entries_by_at")?
        .query_map([], |row| row.get(0).map(EntryKey))?
        .collect::<Result<_, _>>()?;
    all.sort_unstable();
    let short = |id: &EntryKey| {
        let before = all.partition_point(|other| other < id).checked_sub(1);
        let after = all.partition_point(|other| other <= id);
        let neighbours = before.and_then(|place| all.get(place)).into_iter();
        shorten(id, neighbours.chain(all.get(after)).copied())
    };
    Ok(ids.iter().map(short).collect())
}

/// Returns the shortest beginning of `id` that none of its neighbours shares.
fn shorten(id: &EntryKey, neighbours: impl Iterator<Item = EntryKey>) -> String {
    let shared = neighbours.map(|other| shared_digits(id, &other)).max();
    let digits = shared.map_or(SHORTEST, |shared| (shared + 1).clamp(SHORTEST, DIGITS));
    let hyphens = [8, 12, 16, 20]
        .iter()
        .filter(|place| digits > **place)
        .count();
    id.to_string().chars().take(digits + hyphens).collect()
}

fn shared_digits(one: &EntryKey, other: &EntryKey) -> usize {
    let differing = u128::from_be_bytes(one.0) ^ u128::from_be_bytes(other.0);
    differing.leading_zeros() as usize / 4
}

/// Returns the least and the greatest id that begin with these hex digits; none if no id can.
fn range(prefix: &str) -> Option<(u128, u128)> {
    let digits: String = prefix.chars().filter(|letter| *letter != '-').collect();
    if digits.len() > DIGITS || !digits.chars().all(|letter| letter.is_ascii_hexdigit()) {
        return None;
    }
    let least = u128::from_str_radix(&format!("{digits:0<DIGITS$}"), 16).ok()?;
    let greatest = u128::from_str_radix(&format!("{digits:f<DIGITS$}"), 16).ok()?;
    Some((least, greatest))
}
