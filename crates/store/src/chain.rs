//! Chains: who writes them, how far they are held here, and what accepted snapshots cover of them.
//!
//! A chain has no gaps from where it became known. Bytes that an accepted snapshot covers may be forgotten; the tip
//! stays.

use protocol::id::{ChainId, ChainSalt, KeyId, Seq};
use protocol::vector::{Position, Vector};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::column::{integer, position};
use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// A chain as far as this replica holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The device that writes it.
    pub device: KeyId,
    /// Its salt.
    pub salt: ChainSalt,
    /// Its last envelope here; none before the first.
    pub tip: Option<Position>,
    /// The number of the member-log record that the last envelope names as head; 0 before the first.
    pub head: u32,
    /// The device whose snapshot made the chain known, if its start was never seen.
    pub vouched_by: Option<KeyId>,
    /// When something new was last heard on it, in milliseconds since 1970, as its device says.
    pub heard_ms: Option<i64>,
}

impl Chain {
    /// Returns the place of the last envelope here; 0 before the first.
    pub fn seq(&self) -> Seq {
        self.tip.map_or(Seq(0), |tip| tip.seq)
    }
}

const CHAIN: &str = "SELECT seq, hash, device, salt, head, vouched_by, heard_ms, id FROM chains";

fn chain(row: &Row<'_>) -> rusqlite::Result<Chain> {
    Ok(Chain {
        tip: position(row, 0)?,
        device: KeyId(row.get(2)?),
        salt: ChainSalt(row.get(3)?),
        head: row.get(4)?,
        vouched_by: row.get::<_, Option<_>>(5)?.map(KeyId),
        heard_ms: row.get(6)?,
    })
}

/// Reads rows of chain, seq and hash.
pub(crate) fn vector(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vector> {
    connection
        .prepare_cached(query)?
        .query_map(parameters, |row| {
            Ok((ChainId(row.get(0)?), position(row, 1)?))
        })?
        .filter_map(|row| match row {
            Ok((chain, position)) => position.map(|position| Ok((chain, position))),
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<_, _>>()
        .map(Vector)
}

impl Reader<'_> {
    /// Returns the tip of every chain that has one here, merged or held.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn vector(&self) -> Result<Vector, StoreError> {
        self.run(|connection| vector(connection, "SELECT id, seq, hash FROM chains", []))
    }

    /// Returns what accepted snapshots cover.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn covered(&self) -> Result<Vector, StoreError> {
        self.run(|connection| vector(connection, "SELECT chain, seq, hash FROM covered", []))
    }

    /// Returns a chain; none if it is not known here.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn chain(&self, id: &ChainId) -> Result<Option<Chain>, StoreError> {
        self.run(|connection| find(connection, id))
    }

    /// Returns all chains known here, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn chains(&self) -> Result<Vec<(ChainId, Chain)>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!("{CHAIN} ORDER BY id"))?
                .query_map([], |row| Ok((ChainId(row.get(7)?), chain(row)?)))?
                .collect()
        })
    }

    /// Returns when a device was last heard, in milliseconds since 1970; none if never.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn last_heard(&self, device: &KeyId) -> Result<Option<i64>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT max(heard_ms) FROM chains WHERE device = ?1")?
                .query_row([&device.0], |row| row.get(0))
        })
    }
}

impl Writer<'_> {
    /// Makes a chain known up to where a snapshot covers it, or moves it there if it is behind. Returns `false`, with
    /// nothing done, if the chain is that far already.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn adopt_chain(&mut self, chain: &Chain) -> Result<bool, StoreError> {
        let id = ChainId::of(&chain.device, &chain.salt);
        if self
            .chain(&id)?
            .is_some_and(|here| here.seq() >= chain.seq())
        {
            return Ok(false);
        }
        self.run(|connection| {
            put(connection, chain)?;
            Ok(true)
        })
    }

    /// Cuts a chain back: forgets its envelopes after a place, which becomes its tip.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn cut_chain(
        &mut self,
        id: &ChainId,
        tip: Option<Position>,
        head: u32,
    ) -> Result<(), StoreError> {
        let seq = integer(tip.map_or(0, |tip| tip.seq.0));
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM envelopes WHERE chain = ?1 AND seq > ?2")?
                .execute((&id.0, seq))?;
            connection
                .prepare_cached("UPDATE chains SET seq = ?2, hash = ?3, head = ?4 WHERE id = ?1")?
                .execute((&id.0, seq, tip.map(|tip| tip.hash.0), head))?;
            Ok(())
        })
    }

    /// Says what accepted snapshots cover, for the chains in `vector`.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_covered(&mut self, vector: &Vector) -> Result<(), StoreError> {
        self.run(|connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO covered (chain, seq, hash) VALUES (?1, ?2, ?3)",
            )?;
            for (chain, position) in &vector.0 {
                insert.execute((&chain.0, integer(position.seq.0), &position.hash.0))?;
            }
            Ok(())
        })
    }

    /// Forgets the bytes of merged envelopes that accepted snapshots cover, and returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn forget_covered(&mut self) -> Result<usize, StoreError> {
        self.run(|connection| {
            connection.execute(
                "DELETE FROM envelopes WHERE reason IS NULL
                 AND seq <= (SELECT covered.seq FROM covered WHERE covered.chain = envelopes.chain)",
                [],
            )
        })
    }
}

fn find(connection: &Connection, id: &ChainId) -> rusqlite::Result<Option<Chain>> {
    connection
        .prepare_cached(&format!("{CHAIN} WHERE id = ?1"))?
        .query_row([&id.0], chain)
        .optional()
}

/// Moves a chain's tip. What only a snapshot or an earlier envelope told stays as it is.
pub(crate) fn put(connection: &Connection, chain: &Chain) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO chains (id, device, salt, seq, hash, head, vouched_by, heard_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET
               seq = excluded.seq, hash = excluded.hash, head = excluded.head,
               vouched_by = coalesce(excluded.vouched_by, vouched_by),
               heard_ms = max(coalesce(heard_ms, excluded.heard_ms), coalesce(excluded.heard_ms, heard_ms))",
        )?
        .execute((
            &ChainId::of(&chain.device, &chain.salt).0,
            &chain.device.0,
            &chain.salt.0,
            integer(chain.seq().0),
            chain.tip.map(|tip| tip.hash.0),
            chain.head,
            chain.vouched_by.map(|device| device.0),
            chain.heard_ms,
        ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::id::EnvelopeHash;

    use crate::envelope::EnvelopeState;
    use crate::sample::{self, OTHER, envelope, next, other_chain, read, write};

    use super::*;

    fn position(seq: u64) -> Position {
        Position {
            seq: Seq(seq),
            hash: sample::hash(seq),
        }
    }

    fn accept(writer: &mut Writer<'_>, last: u64) -> Result<(), StoreError> {
        for seq in 1..=last {
            writer.accept(&next(OTHER, &envelope(seq)), EnvelopeState::Merged)?;
        }
        Ok(())
    }

    #[test]
    fn the_vector_names_chains_with_envelopes_only() {
        let (_folder, mut replica) = sample::replica();
        assert_eq!(read(&replica, |reader| reader.vector()), Vector::default());
        write(&mut replica, |writer| accept(writer, 3));
        let expected = Vector([(other_chain(), position(3))].into());
        assert_eq!(read(&replica, |reader| reader.vector()), expected);
        let heard = read(&replica, |reader| reader.last_heard(&OTHER.0));
        assert_eq!(heard, Some(3_000));
        assert_eq!(
            read(&replica, |reader| reader.last_heard(&sample::DEVICE)),
            None
        );
    }

    #[test]
    fn a_chain_that_was_cut_grows_again_from_there() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            accept(writer, 4)?;
            writer.cut_chain(&other_chain(), Some(position(2)), 1)
        });
        let chain = read(&replica, |reader| reader.chain(&other_chain())).unwrap();
        assert_eq!((chain.tip, chain.head), (Some(position(2)), 1));
        let left = read(&replica, |reader| {
            reader.envelopes_after(&other_chain(), Seq(0), usize::MAX)
        });
        assert_eq!(left, [envelope(1), envelope(2)]);
        let mut third = envelope(3);
        third.hash = EnvelopeHash([1; 32]);
        write(&mut replica, |writer| {
            writer.accept(&next(OTHER, &third), EnvelopeState::Merged)
        });
        assert_eq!(
            read(&replica, |reader| reader.vector()).seq(&other_chain()),
            Seq(3)
        );
    }

    #[test]
    fn a_snapshot_makes_a_chain_known_and_moves_it_only_forward() {
        let (_folder, mut replica) = sample::replica();
        let adopted = Chain {
            device: OTHER.0,
            salt: OTHER.1,
            tip: Some(position(7)),
            head: 3,
            vouched_by: Some(sample::DEVICE),
            heard_ms: None,
        };
        assert!(write(&mut replica, |writer| writer.adopt_chain(&adopted)));
        assert!(!write(&mut replica, |writer| writer.adopt_chain(&adopted)));
        write(&mut replica, |writer| {
            writer.accept(&next(OTHER, &envelope(8)), EnvelopeState::Merged)
        });
        let chain = read(&replica, |reader| reader.chain(&other_chain())).unwrap();
        assert_eq!(chain.tip, Some(position(8)));
        assert_eq!(chain.vouched_by, Some(sample::DEVICE));
        assert_eq!(chain.heard_ms, Some(8_000));
    }

    #[test]
    fn covered_bytes_are_forgotten_and_the_tip_and_what_is_held_stay() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            accept(writer, 4)?;
            writer.set_state(&other_chain(), Seq(2), EnvelopeState::Held("no key"))?;
            writer.put_covered(&Vector([(other_chain(), position(3))].into()))
        });
        assert_eq!(write(&mut replica, |writer| writer.forget_covered()), 2);
        let left = read(&replica, |reader| {
            reader.envelopes_after(&other_chain(), Seq(0), usize::MAX)
        });
        assert_eq!(left, [envelope(2), envelope(4)]);
        assert_eq!(
            read(&replica, |reader| reader.vector()).seq(&other_chain()),
            Seq(4)
        );
        assert_eq!(
            read(&replica, |reader| reader.covered()).seq(&other_chain()),
            Seq(3)
        );
    }

    #[test]
    fn seqs_keep_all_their_bits() {
        let (_folder, mut replica) = sample::replica();
        let vector = Vector([(other_chain(), position(u64::MAX))].into());
        write(&mut replica, |writer| writer.put_covered(&vector));
        assert_eq!(read(&replica, |reader| reader.covered()), vector);
    }
}
