//! Snapshots: their signed manifests, and what this replica makes of each.

use protocol::id::{KeyId, Signature, SnapshotHash};

use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// What a replica makes of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotState {
    /// This device made it.
    Own,
    /// What is held here says the same.
    Checked,
    /// What it covers is known from it alone, in part or whole.
    Adopted,
    /// What is held here says otherwise.
    Refused,
    /// It covers what does not count any more.
    Overtaken,
}

impl SnapshotState {
    const ALL: [Self; 5] = [
        Self::Own,
        Self::Checked,
        Self::Adopted,
        Self::Refused,
        Self::Overtaken,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Checked => "checked",
            Self::Adopted => "adopted",
            Self::Refused => "refused",
            Self::Overtaken => "overtaken",
        }
    }

    /// Returns whether this replica stands by it.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Own | Self::Checked | Self::Adopted)
    }
}

/// A snapshot as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSnapshot {
    /// Its hash.
    pub hash: SnapshotHash,
    /// Its signed manifest.
    pub bytes: Vec<u8>,
    /// What this replica makes of it.
    pub state: SnapshotState,
}

impl Reader<'_> {
    /// Returns all snapshots, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn snapshots(&self) -> Result<Vec<StoredSnapshot>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT hash, bytes, state FROM snapshots ORDER BY number")?
                .query_map([], |row| {
                    let word: String = row.get(2)?;
                    let known = SnapshotState::ALL.into_iter();
                    let state = known.into_iter().find(|state| state.word() == word);
                    Ok(StoredSnapshot {
                        hash: SnapshotHash(row.get(0)?),
                        bytes: row.get(1)?,
                        state: state.ok_or(rusqlite::Error::InvalidQuery)?,
                    })
                })?
                .collect()
        })
    }
}

impl Reader<'_> {
    /// Returns who acknowledged a snapshot, with the signatures, in the order of the devices.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn acknowledgements(
        &self,
        snapshot: &SnapshotHash,
    ) -> Result<Vec<(KeyId, Signature)>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT device, signature FROM acknowledgements WHERE snapshot = ?1 ORDER BY device",
                )?
                .query_map([&snapshot.0], |row| {
                    Ok((KeyId(row.get(0)?), Signature(row.get(1)?)))
                })?
                .collect()
        })
    }
}

impl Writer<'_> {
    /// Keeps a device's acknowledgement of a snapshot.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_acknowledgement(
        &mut self,
        snapshot: &SnapshotHash,
        device: &KeyId,
        signature: &Signature,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO acknowledgements (snapshot, device, signature) VALUES (?1, ?2, ?3)",
                )?
                .execute((&snapshot.0, &device.0, &signature.0))?;
            Ok(())
        })
    }

    /// Keeps a snapshot, or says anew what this replica makes of it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_snapshot(
        &mut self,
        hash: &SnapshotHash,
        bytes: &[u8],
        state: SnapshotState,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO snapshots (hash, bytes, state) VALUES (?1, ?2, ?3)
                     ON CONFLICT (hash) DO UPDATE SET state = excluded.state",
                )?
                .execute((&hash.0, bytes, state.word()))?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::{self, read, write};

    use super::*;

    #[test]
    fn each_device_acknowledges_a_snapshot_once() {
        let (_folder, mut replica) = sample::replica();
        let hash = SnapshotHash([1; 32]);
        for (device, signature) in [(2, 3), (1, 4), (2, 5)] {
            write(&mut replica, |writer| {
                let (device, signature) = (KeyId([device; 32]), Signature([signature; 64]));
                writer.put_acknowledgement(&hash, &device, &signature)
            });
        }
        let kept = read(&replica, |reader| reader.acknowledgements(&hash));
        let expected = [(1, 4), (2, 5)]
            .map(|(device, signature)| (KeyId([device; 32]), Signature([signature; 64])));
        assert_eq!(kept, expected);
    }

    #[test]
    fn snapshots_are_kept_in_order_and_their_state_changes() {
        let (_folder, mut replica) = sample::replica();
        for (number, state) in (0..).zip(SnapshotState::ALL) {
            let hash = SnapshotHash([9 - number; 32]);
            write(&mut replica, |writer| {
                writer.put_snapshot(&hash, &[number], SnapshotState::Own)?;
                writer.put_snapshot(&hash, b"other", state)
            });
        }
        let kept = read(&replica, |reader| reader.snapshots());
        let states: Vec<_> = kept.iter().map(|one| one.state).collect();
        assert_eq!(states, SnapshotState::ALL);
        assert!(
            kept.iter()
                .zip(0..)
                .all(|(one, number)| one.bytes == [number])
        );
    }
}
