//! Documents in parts, the tips of chains in them, and the changes that no envelope carries yet.
//!
//! A document is its base, then its parts, then its loose changes that are not in the base. Recording appends a loose
//! change and touches nothing else; folding replaces the base with all of it. A loose change that is folded stays on
//! the list of those to be sealed.

use protocol::id::ChainId;
use rusqlite::{Connection, OptionalExtension};

use crate::column::{integer, number};
use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// The number of a loose change: greater than that of any change recorded before, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LooseId(pub i64);

/// A change that no envelope carries yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LooseChange {
    /// Its number.
    pub id: LooseId,
    /// The document it belongs to.
    pub document: String,
    /// The own chain it was recorded on.
    pub chain: ChainId,
    /// How many actions of the user it carries: one, except for an import.
    pub actions: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Which state of a document was read. [`Writer::put_document`] replaces exactly that. The default is a document that
/// does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Edition {
    number: i64,
    part: i64,
    loose: i64,
}

/// A document as it is stored; all of it, in the order in which it is to be loaded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DocumentParts {
    /// The saved document, if there is one.
    pub base: Option<Vec<u8>>,
    /// What has to be applied to it: received parts, then own changes.
    pub changes: Vec<Vec<u8>>,
    /// Which state this is.
    pub edition: Edition,
}

/// The last change of a chain in a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredTip {
    /// The change's number in the document's chain.
    pub seq: u64,
    /// The greatest operation counter in the change.
    pub max_op: u64,
    /// The change's hash.
    pub hash: [u8; 32],
}

impl Reader<'_> {
    /// Returns the changes that no envelope carries yet, in the order of recording.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn unsealed(&self) -> Result<Vec<LooseChange>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT number, document, chain, actions, bytes FROM loose ORDER BY number",
                )?
                .query_map([], |row| {
                    Ok(LooseChange {
                        id: LooseId(row.get(0)?),
                        document: row.get(1)?,
                        chain: ChainId(row.get(2)?),
                        actions: row.get(3)?,
                        bytes: row.get(4)?,
                    })
                })?
                .collect()
        })
    }

    /// Returns the number of the user's actions that no envelope carries yet.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn unsealed_count(&self) -> Result<u64, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT coalesce(sum(actions), 0) FROM loose")?
                .query_row([], |row| number(row, 0))
        })
    }

    /// Returns a document as it is stored; empty if there is none of that name.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn document(&self, name: &str) -> Result<DocumentParts, StoreError> {
        self.run(|connection| {
            let mut parts = DocumentParts::default();
            let base = connection
                .prepare_cached("SELECT edition, base FROM documents WHERE name = ?1")?
                .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((edition, base)) = base else {
                return Ok(parts);
            };
            parts.base = base;
            parts.edition = Edition {
                number: edition,
                part: read_changes(
                    connection,
                    "SELECT number, bytes FROM parts WHERE document = ?1 ORDER BY number",
                    name,
                    &mut parts.changes,
                )?,
                loose: read_changes(
                    connection,
                    "SELECT number, bytes FROM loose WHERE document = ?1 AND folded = 0 ORDER BY number",
                    name,
                    &mut parts.changes,
                )?,
            };
            Ok(parts)
        })
    }

    /// Returns the names of all documents, in order.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn documents(&self) -> Result<Vec<String>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT name FROM documents WHERE base IS NOT NULL
                     OR EXISTS (SELECT 1 FROM parts WHERE document = name)
                     OR EXISTS (SELECT 1 FROM loose WHERE document = name AND folded = 0)
                     ORDER BY name",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Returns the last change of a chain in a document; none if it has none there.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn tip(&self, document: &str, chain: &ChainId) -> Result<Option<StoredTip>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, max_op, hash FROM tips WHERE document = ?1 AND chain = ?2",
                )?
                .query_row((document, &chain.0), |row| {
                    Ok(StoredTip {
                        seq: number(row, 0)?,
                        max_op: number(row, 1)?,
                        hash: row.get(2)?,
                    })
                })
                .optional()
        })
    }
}

impl Writer<'_> {
    /// Records a change of the given own chain in a document, and makes it the chain's last one there. `actions` is
    /// how many actions of the user it carries.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn record(
        &mut self,
        document: &str,
        chain: &ChainId,
        bytes: &[u8],
        tip: &StoredTip,
        actions: u32,
    ) -> Result<LooseId, StoreError> {
        let id = self.run(|connection| {
            create(connection, document)?;
            connection
                .prepare_cached(
                    "INSERT INTO loose (document, chain, actions, folded, bytes)
                     VALUES (?1, ?2, ?3, 0, ?4)",
                )?
                .execute((document, &chain.0, actions, bytes))?;
            Ok(LooseId(connection.last_insert_rowid()))
        })?;
        self.put_tip(document, chain, tip)?;
        Ok(id)
    }

    /// Takes loose changes off the list without sealing them: they have been recorded again on another chain. Those
    /// that a base holds stay in it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn remove_loose(&mut self, ids: &[LooseId]) -> Result<(), StoreError> {
        self.run(|connection| {
            let mut bump = connection.prepare_cached(
                "UPDATE documents SET edition = edition + 1
                 WHERE name = (SELECT document FROM loose WHERE number = ?1)",
            )?;
            let mut delete = connection.prepare_cached("DELETE FROM loose WHERE number = ?1")?;
            for id in ids {
                bump.execute([id.0])?;
                delete.execute([id.0])?;
            }
            Ok(())
        })
    }

    /// Appends a received part to a document.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn add_part(&mut self, document: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(|connection| {
            create(connection, document)?;
            connection
                .prepare_cached("INSERT INTO parts (document, bytes) VALUES (?1, ?2)")?
                .execute((document, bytes))?;
            Ok(())
        })
    }

    /// Replaces what was read of a document as `edition` with a new base that contains all of it; changes recorded
    /// since stay beside it. Does nothing and returns `false` if another base was put, or something was taken out of
    /// the document, since.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_document(
        &mut self,
        name: &str,
        edition: &Edition,
        base: &[u8],
    ) -> Result<bool, StoreError> {
        self.run(|connection| {
            create(connection, name)?;
            let replaced = connection
                .prepare_cached(
                    "UPDATE documents SET base = ?1, edition = edition + 1
                     WHERE name = ?2 AND edition = ?3",
                )?
                .execute((base, name, edition.number))?;
            if replaced == 0 {
                return Ok(false);
            }
            connection
                .prepare_cached("DELETE FROM parts WHERE document = ?1 AND number <= ?2")?
                .execute((name, edition.part))?;
            connection
                .prepare_cached(
                    "UPDATE loose SET folded = 1
                     WHERE document = ?1 AND folded = 0 AND number <= ?2",
                )?
                .execute((name, edition.loose))?;
            Ok(true)
        })
    }

    /// Sets the last change of a chain in a document.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_tip(
        &mut self,
        document: &str,
        chain: &ChainId,
        tip: &StoredTip,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO tips (document, chain, seq, max_op, hash)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((
                    document,
                    &chain.0,
                    integer(tip.seq),
                    integer(tip.max_op),
                    &tip.hash,
                ))?;
            Ok(())
        })
    }

    /// Forgets all documents and tips, to rebuild them from envelopes. Loose changes, which are in no envelope, stay
    /// to be sealed, and are parts of their documents again.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn clear_documents(&mut self) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute_batch(
                "DELETE FROM parts; DELETE FROM tips; UPDATE loose SET folded = 0;
                 UPDATE documents SET base = NULL, edition = edition + 1;",
            )
        })
    }
}

/// Appends the bytes of changes to `changes`, and returns the number of the last; 0 if there is none.
fn read_changes(
    connection: &Connection,
    query: &str,
    document: &str,
    changes: &mut Vec<Vec<u8>>,
) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([document])?;
    let mut last = 0;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        changes.push(row.get(1)?);
    }
    Ok(last)
}

fn create(connection: &Connection, document: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO documents (name, edition) VALUES (?1, 0)")?
        .execute([document])?;
    Ok(())
}

/// Counts the actions in loose changes; none if one of them is not loose or not of this chain.
pub(crate) fn actions(
    connection: &Connection,
    chain: &ChainId,
    ids: &[LooseId],
) -> rusqlite::Result<Option<u64>> {
    let mut find =
        connection.prepare_cached("SELECT actions FROM loose WHERE number = ?1 AND chain = ?2")?;
    let mut sum = 0;
    for id in ids {
        let actions: Option<u32> = find
            .query_row((id.0, &chain.0), |row| row.get(0))
            .optional()?;
        let Some(actions) = actions else {
            return Ok(None);
        };
        sum += u64::from(actions);
    }
    Ok(Some(sum))
}

/// Takes changes off the list of loose ones, now that an envelope carries them. Those not in a base become parts.
pub(crate) fn sealed(connection: &Connection, ids: &[LooseId]) -> rusqlite::Result<()> {
    let mut keep = connection.prepare_cached(
        "INSERT INTO parts (document, bytes)
         SELECT document, bytes FROM loose WHERE number = ?1 AND folded = 0",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM loose WHERE number = ?1")?;
    for id in ids {
        keep.execute([id.0])?;
        delete.execute([id.0])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Replica;
    use crate::sample::{self, own_chain, read, tip, write};

    use super::*;

    fn record(replica: &mut Replica, document: &str, bytes: &[u8]) -> LooseId {
        write(replica, |writer| {
            writer.record(document, &own_chain(), bytes, &tip(1), 2)
        })
    }

    fn document(replica: &Replica, name: &str) -> DocumentParts {
        read(replica, |reader| reader.document(name))
    }

    fn put(replica: &mut Replica, name: &str, edition: &Edition, base: &[u8]) -> bool {
        write(replica, |writer| writer.put_document(name, edition, base))
    }

    #[test]
    fn recording_keeps_the_change_its_order_and_the_tip() {
        let (_folder, mut replica) = sample::replica();
        assert_eq!(document(&replica, "2026-11"), DocumentParts::default());
        record(&mut replica, "2026-11", b"a");
        record(&mut replica, "profile", b"b");
        record(&mut replica, "2026-11", b"c");
        let unsealed = read(&replica, |reader| reader.unsealed());
        let bytes: Vec<_> = unsealed
            .iter()
            .map(|change| change.bytes.as_slice())
            .collect();
        assert_eq!(bytes, [b"a", b"b", b"c"]);
        assert_eq!(read(&replica, |reader| reader.unsealed_count()), 6);
        assert_eq!(document(&replica, "2026-11").changes, [b"a", b"c"]);
        assert_eq!(
            read(&replica, |reader| reader.documents()),
            ["2026-11", "profile"]
        );
        let found = read(&replica, |reader| reader.tip("2026-11", &own_chain()));
        assert_eq!(found, Some(tip(1)));
        let none = read(&replica, |reader| reader.tip("2026-12", &own_chain()));
        assert_eq!(none, None);
    }

    #[test]
    fn a_new_base_takes_in_what_was_read_and_no_more() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| writer.add_part("2026-11", b"part"));
        record(&mut replica, "2026-11", b"a");
        let read_first = document(&replica, "2026-11");
        assert_eq!(read_first.changes, [b"part".to_vec(), b"a".to_vec()]);
        record(&mut replica, "2026-11", b"b");
        assert!(put(&mut replica, "2026-11", &read_first.edition, b"part a"));
        let now = document(&replica, "2026-11");
        assert_eq!(now.base.as_deref(), Some(b"part a".as_slice()));
        assert_eq!(now.changes, [b"b"]);
        assert_eq!(read(&replica, |reader| reader.unsealed()).len(), 2);
    }

    #[test]
    fn a_base_made_from_what_is_gone_is_not_put() {
        let (_folder, mut replica) = sample::replica();
        let id = record(&mut replica, "2026-11", b"a");
        let old = document(&replica, "2026-11").edition;
        assert!(put(&mut replica, "2026-11", &old, b"a"));
        assert!(!put(&mut replica, "2026-11", &old, b"another"));
        let old = document(&replica, "2026-11").edition;
        write(&mut replica, |writer| writer.remove_loose(&[id]));
        assert!(!put(&mut replica, "2026-11", &old, b"another"));
        let old = document(&replica, "2026-11").edition;
        write(&mut replica, |writer| writer.clear_documents());
        assert!(!put(&mut replica, "2026-11", &old, b"another"));
    }

    #[test]
    fn a_first_base_does_not_swallow_a_change_recorded_meanwhile() {
        let (_folder, mut replica) = sample::replica();
        let absent = document(&replica, "2026-11").edition;
        record(&mut replica, "2026-11", b"a");
        assert!(put(&mut replica, "2026-11", &absent, b"received"));
        assert_eq!(document(&replica, "2026-11").changes, [b"a"]);
    }

    #[test]
    fn the_number_of_a_change_is_never_used_again() {
        let (_folder, mut replica) = sample::replica();
        let first = record(&mut replica, "2026-11", b"a");
        write(&mut replica, |writer| writer.remove_loose(&[first]));
        assert!(record(&mut replica, "2026-11", b"b") > first);
    }

    #[test]
    fn what_is_in_no_envelope_survives_clearing_documents() {
        let (_folder, mut replica) = sample::replica();
        record(&mut replica, "2026-11", b"a");
        let edition = document(&replica, "2026-11").edition;
        put(&mut replica, "2026-11", &edition, b"a");
        write(&mut replica, |writer| writer.add_part("2026-10", b"part"));
        write(&mut replica, |writer| writer.clear_documents());
        assert_eq!(read(&replica, |reader| reader.documents()), ["2026-11"]);
        let left = document(&replica, "2026-11");
        assert_eq!((left.base, left.changes), (None, vec![b"a".to_vec()]));
        let found = read(&replica, |reader| reader.tip("2026-11", &own_chain()));
        assert_eq!(found, None);
    }
}
