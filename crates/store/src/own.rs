//! Who this replica is: its journal, its device, its chain, and small local settings.

use protocol::id::{ChainId, ChainSalt, JournalId, KeyId};
use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// What a replica is created with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Birth {
    /// The journal.
    pub journal: JournalId,
    /// The device whose replica this is.
    pub device: KeyId,
    /// The salt of the device's first chain.
    pub salt: ChainSalt,
    /// The time zone at home, an IANA name.
    pub zone: String,
}

/// Who this replica is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// The journal.
    pub journal: JournalId,
    /// The device whose replica this is.
    pub device: KeyId,
    /// The salt of the device's present chain.
    pub salt: ChainSalt,
    /// The device's present chain, which new changes belong to.
    pub chain: ChainId,
    /// The time zone at home, an IANA name.
    pub zone: String,
    /// The file and machine this incarnation lives on, in the caller's words; a replica that finds itself elsewhere
    /// is a copy. None until it is set.
    pub place: Option<String>,
}

impl Reader<'_> {
    /// Returns who this replica is.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn own(&self) -> Result<Own, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT journal, device, salt, zone, place FROM own")?
                .query_row([], |row| {
                    let device = KeyId(row.get(1)?);
                    let salt = ChainSalt(row.get(2)?);
                    Ok(Own {
                        journal: JournalId(row.get(0)?),
                        device,
                        salt,
                        chain: ChainId::of(&device, &salt),
                        zone: row.get(3)?,
                        place: row.get(4)?,
                    })
                })
        })
    }

    /// Returns a setting of this replica; none if it was never set.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
        })
    }
}

impl Writer<'_> {
    /// Starts a new incarnation: from now on, new changes belong to the chain of this salt, at this place. Loose
    /// changes stay on the chain they were recorded on.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn start_chain(
        &mut self,
        salt: &ChainSalt,
        place: Option<&str>,
    ) -> Result<ChainId, StoreError> {
        let device = self.own()?.device;
        self.run(|connection| {
            connection
                .prepare_cached("UPDATE own SET salt = ?1, place = ?2")?
                .execute((&salt.0, place))?;
            insert_chain(connection, &device, salt)
        })
    }

    /// Says where this incarnation lives.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn set_place(&mut self, place: &str) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute("UPDATE own SET place = ?1", [place])?;
            Ok(())
        })
    }

    /// Changes the time zone at home.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn set_zone(&mut self, zone: &str) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute("UPDATE own SET zone = ?1", [zone])?;
            Ok(())
        })
    }

    /// Sets a setting of this replica, or removes it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn set_setting(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.run(|connection| {
            match value {
                Some(value) => connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)",
                    )?
                    .execute((name, value))?,
                None => connection
                    .prepare_cached("DELETE FROM settings WHERE name = ?1")?
                    .execute([name])?,
            };
            Ok(())
        })
    }
}

/// Writes the one row of a new replica, and its first chain.
pub(crate) fn insert(connection: &Connection, birth: &Birth) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO own (one, journal, device, salt, zone) VALUES (1, ?1, ?2, ?3, ?4)",
        (
            &birth.journal.0,
            &birth.device.0,
            &birth.salt.0,
            &birth.zone,
        ),
    )?;
    insert_chain(connection, &birth.device, &birth.salt)?;
    Ok(())
}

fn insert_chain(
    connection: &Connection,
    device: &KeyId,
    salt: &ChainSalt,
) -> rusqlite::Result<ChainId> {
    let chain = ChainId::of(device, salt);
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO chains (id, device, salt, seq, head) VALUES (?1, ?2, ?3, 0, 0)",
        )?
        .execute((&chain.0, &device.0, &salt.0))?;
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use crate::sample::{self, read, write};

    use super::*;

    #[test]
    fn a_new_replica_says_who_it_is() {
        let (_folder, replica) = sample::replica();
        let own = read(&replica, |reader| reader.own());
        let birth = sample::birth();
        let expected = Own {
            journal: birth.journal,
            device: birth.device,
            salt: birth.salt,
            chain: sample::own_chain(),
            zone: birth.zone,
            place: None,
        };
        assert_eq!(own, expected);
        let chain = read(&replica, |reader| reader.chain(&own.chain)).unwrap();
        assert_eq!((chain.device, chain.tip), (own.device, None));
    }

    #[test]
    fn a_new_incarnation_has_a_chain_of_its_own() {
        let (_folder, mut replica) = sample::replica();
        let salt = ChainSalt([8; 16]);
        let chain = write(&mut replica, |writer| {
            writer.start_chain(&salt, Some("disk 1, file 2"))
        });
        let own = read(&replica, |reader| reader.own());
        assert_eq!(own.chain, chain);
        assert_ne!(chain, sample::own_chain());
        assert_eq!(own.place.as_deref(), Some("disk 1, file 2"));
        assert_eq!(read(&replica, |reader| reader.chains()).len(), 2);
    }

    #[test]
    fn settings_are_set_changed_and_removed() {
        let (_folder, mut replica) = sample::replica();
        let setting = |replica: &_| read(replica, |reader| reader.setting("hints"));
        assert_eq!(setting(&replica), None);
        for value in [Some("on"), Some("off"), None] {
            write(&mut replica, |writer| writer.set_setting("hints", value));
            assert_eq!(setting(&replica).as_deref(), value);
        }
    }
}
