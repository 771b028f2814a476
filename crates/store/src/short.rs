//! Short ids: the shortest beginnings of entry ids that mean one entry, as git has them for commits.
//!
//! Deleted entries count, since they can still be named. Ids compare as their bytes, so the two neighbours of an id
//! in that order are the ones that share the most of it.

use rusqlite::{Connection, OptionalExtension};

use crate::entry::EntryKey;
use crate::error::StoreError;
use crate::replica::Reader;

/// The least hex digits of a short id. An id begins with its time in milliseconds (RFC 9562 §5.7): these tell apart what is a
/// quarter of a second apart, so that an id that was shown goes on naming one entry when the next is logged.
const SHORTEST: usize = 10;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::Replica;
    use crate::sample::{self, entry, read, write};

    use super::*;

    const TEXT: &str = "0193a4b2-7c1d-7e8f-9a0b-1c2d3e4f5a6b";
    const ID: u128 = 0x0193_a4b2_7c1d_7e8f_9a0b_1c2d_3e4f_5a6b;

    fn with(ids: &[u128]) -> (tempfile::TempDir, Replica) {
        let (folder, mut replica) = sample::replica();
        let rows: Vec<_> = ids.iter().map(|id| entry(*id, "note", 0)).collect();
        write(&mut replica, |writer| writer.put_entries(&rows));
        (folder, replica)
    }

    fn found(replica: &Replica, prefix: &str) -> Vec<String> {
        let ids = read(replica, |reader| reader.ids_with_prefix(prefix, 3));
        ids.iter().map(EntryKey::to_string).collect()
    }

    fn short(replica: &Replica, id: u128) -> String {
        read(replica, |reader| {
            reader.short_id(&EntryKey(id.to_be_bytes()))
        })
    }

    #[test]
    fn a_beginning_finds_its_id_with_or_without_hyphens() {
        let (_folder, replica) = with(&[ID, 0xffff << 112]);
        for prefix in [
            "",
            "0",
            "0193a4b2",
            "0193a4b2-",
            "0193A4B27C",
            &TEXT[..35],
            TEXT,
        ] {
            assert!(
                found(&replica, prefix).contains(&TEXT.to_owned()),
                "{prefix}"
            );
        }
        for prefix in ["1", "0193a4b3", "x", "0193a4b2 ", "é", &format!("{TEXT}0")] {
            assert_eq!(found(&replica, prefix), [""; 0], "{prefix}");
        }
    }

    #[test]
    fn as_many_ids_are_found_as_asked_for() {
        let ids: Vec<u128> = (0..10).collect();
        let (_folder, replica) = with(&ids);
        assert_eq!(found(&replica, "0000").len(), 3);
    }

    #[test]
    fn short_ids_are_as_long_as_they_must_be() {
        assert_eq!(short(&with(&[ID]).1, ID), "0193a4b2-7c");
        assert_eq!(short(&with(&[]).1, ID), "0193a4b2-7c");
        assert_eq!(short(&with(&[ID, ID + (1 << 96)]).1, ID), "0193a4b2-7c");
        assert_eq!(short(&with(&[ID, ID ^ (1 << 84)]).1, ID), "0193a4b2-7c1");
        assert_eq!(short(&with(&[ID, ID ^ 1]).1, ID), TEXT);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_short_id_is_the_least_that_finds_one(
            ids in prop::collection::btree_set((0_u128..4096, 0_u32..7), 1..40)
        ) {
            let ids: Vec<u128> = ids.iter().map(|(id, shift)| id << (shift * 16)).collect();
            let (_folder, replica) = with(&ids);
            let keys: Vec<_> = ids.iter().map(|id| EntryKey(id.to_be_bytes())).collect();
            let searched = read(&replica, |reader| reader.short_ids(&keys));
            let swept = read(&replica, |reader| {
                reader.run(|connection| sweep(connection, &keys))
            });
            prop_assert_eq!(&searched, &swept);
            for (key, short) in keys.iter().zip(&searched) {
                prop_assert_eq!(found(&replica, short), [key.to_string()]);
                let digits: String = short.chars().filter(|letter| *letter != '-').collect();
                if digits.len() > SHORTEST {
                    prop_assert!(found(&replica, &digits[..digits.len() - 1]).len() > 1);
                }
            }
        }
    }
}
