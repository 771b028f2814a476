//! The member log as it was signed, and sealed keys.

use protocol::id::BlobHash;
use rusqlite::OptionalExtension;

use crate::error::StoreError;
use crate::replica::{Reader, Writer};

impl Reader<'_> {
    /// Returns the records of the member log, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn log_records(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT record FROM log ORDER BY number")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Returns the number of records in the member log.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn log_length(&self) -> Result<u32, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT coalesce(max(number) + 1, 0) FROM log")?
                .query_row([], |row| row.get(0))
        })
    }

    /// Returns a sealed-key blob; none if it is not here.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn blob(&self, hash: &BlobHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT bytes FROM blobs WHERE hash = ?1")?
                .query_row([&hash.0], |row| row.get(0))
                .optional()
        })
    }

    /// Returns all sealed-key blobs, in the order of their hashes.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn blobs(&self) -> Result<Vec<(BlobHash, Vec<u8>)>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT hash, bytes FROM blobs ORDER BY hash")?
                .query_map([], |row| Ok((BlobHash(row.get(0)?), row.get(1)?)))?
                .collect()
        })
    }
}

impl Writer<'_> {
    /// Appends records to the member log.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn append_log(&mut self, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let length = self.log_length()?;
        self.run(|connection| {
            let mut insert =
                connection.prepare_cached("INSERT INTO log (number, record) VALUES (?1, ?2)")?;
            for (number, record) in (length..).zip(records) {
                insert.execute((number, record))?;
            }
            Ok(())
        })
    }

    /// Keeps a sealed-key blob.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_blob(&mut self, hash: &BlobHash, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO blobs (hash, bytes) VALUES (?1, ?2)")?
                .execute((&hash.0, bytes))?;
            Ok(())
        })
    }

    /// Forgets a sealed-key blob.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn remove_blob(&mut self, hash: &BlobHash) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM blobs WHERE hash = ?1")?
                .execute([&hash.0])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::{self, read, write};

    use super::*;

    #[test]
    fn the_log_grows_in_order() {
        let (_folder, mut replica) = sample::replica();
        assert_eq!(read(&replica, |reader| reader.log_length()), 0);
        let records: Vec<Vec<u8>> = (0..5).map(|number| vec![number; 3]).collect();
        write(&mut replica, |writer| writer.append_log(&records[..2]));
        write(&mut replica, |writer| writer.append_log(&records[2..]));
        assert_eq!(read(&replica, |reader| reader.log_length()), 5);
        assert_eq!(read(&replica, |reader| reader.log_records()), records);
    }

    #[test]
    fn blobs_are_found_by_their_hash() {
        let (_folder, mut replica) = sample::replica();
        let hash = BlobHash::of(b"sealed");
        write(&mut replica, |writer| writer.put_blob(&hash, b"sealed"));
        let blob = read(&replica, |reader| reader.blob(&hash));
        assert_eq!(blob.as_deref(), Some(b"sealed".as_slice()));
        assert_eq!(
            read(&replica, |reader| reader.blobs()),
            [(hash, b"sealed".to_vec())]
        );
        write(&mut replica, |writer| writer.remove_blob(&hash));
        assert_eq!(read(&replica, |reader| reader.blob(&hash)), None);
    }
}
