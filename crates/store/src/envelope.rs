//! Envelopes: what is merged, what is held and why, what waits for its place.
//!
//! [`Writer::accept`] and [`Writer::seal_own`] store the next envelope of a chain or nothing.

use protocol::id::{ChainId, ChainSalt, EnvelopeHash, KeyId, Seq};
use protocol::vector::Position;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::chain::{self, Chain};
use crate::column::{integer, number};
use crate::document::{self, LooseId};
use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// An envelope as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEnvelope {
    /// Its place in its chain, from 1.
    pub seq: Seq,
    /// Its hash.
    pub hash: EnvelopeHash,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// An envelope that is kept in its chain and not merged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldEnvelope {
    /// Its chain.
    pub chain: ChainId,
    /// The device that wrote it.
    pub device: KeyId,
    /// The envelope.
    pub envelope: StoredEnvelope,
    /// Why it is not merged, in the caller's words.
    pub reason: String,
}

/// An envelope that has no place in a chain yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingEnvelope {
    /// Its hash.
    pub hash: EnvelopeHash,
    /// Why it waits, in the caller's words.
    pub reason: String,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// Whether an envelope's changes are in the documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EnvelopeState<'a> {
    /// They are, or it has none.
    Merged,
    /// They are not, for this reason in the caller's words.
    Held(&'a str),
}

impl<'a> EnvelopeState<'a> {
    fn reason(self) -> Option<&'a str> {
        match self {
            Self::Merged => None,
            Self::Held(reason) => Some(reason),
        }
    }
}

/// The next envelope of a chain, and what its header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextEnvelope<'a> {
    /// The device.
    pub device: KeyId,
    /// The chain's salt.
    pub salt: ChainSalt,
    /// The envelope before; none at seq 1.
    pub prev: Option<EnvelopeHash>,
    /// The number of the member-log record that it names as head.
    pub head: u32,
    /// The envelope.
    pub envelope: &'a StoredEnvelope,
    /// When its newest change was made, in milliseconds since 1970.
    pub heard_ms: Option<i64>,
}

impl NextEnvelope<'_> {
    fn chain(&self) -> ChainId {
        ChainId::of(&self.device, &self.salt)
    }
}

/// What became of an envelope given to [`Writer::accept`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// It is stored as the chain's tip.
    Stored,
    /// It was here already, or a snapshot covers its place.
    Known,
    /// The chain ends further before it. Nothing is stored.
    Gap {
        /// The next place in the chain.
        next: Seq,
    },
    /// The chain has another envelope at its place, or before it. Nothing is stored.
    Forked {
        /// The envelope of the chain that this one contradicts.
        here: Position,
    },
}

fn envelope(row: &Row<'_>) -> rusqlite::Result<StoredEnvelope> {
    Ok(StoredEnvelope {
        seq: Seq(number(row, 0)?),
        hash: EnvelopeHash(row.get(1)?),
        bytes: row.get(2)?,
    })
}

impl Reader<'_> {
    /// Returns one envelope; none if its bytes are not here.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn envelope(
        &self,
        chain: &ChainId,
        seq: Seq,
    ) -> Result<Option<StoredEnvelope>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, hash, bytes FROM envelopes WHERE chain = ?1 AND seq = ?2",
                )?
                .query_row((&chain.0, integer(seq.0)), envelope)
                .optional()
        })
    }

    /// Returns the envelopes of a chain after a place, in order, until `limit` bytes are reached: the last one may
    /// pass the limit, so that there is always at least one if any is left.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn envelopes_after(
        &self,
        chain: &ChainId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<StoredEnvelope>, StoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, hash, bytes FROM envelopes WHERE chain = ?1 AND seq > ?2 ORDER BY seq",
            )?;
            let mut rows = statement.query((&chain.0, integer(after.0)))?;
            let mut envelopes = Vec::new();
            let mut size = 0;
            while size < limit
                && let Some(row) = rows.next()?
            {
                let envelope = envelope(row)?;
                size += envelope.bytes.len();
                envelopes.push(envelope);
            }
            Ok(envelopes)
        })
    }

    /// Returns the envelopes that are kept and not merged, by chain and place.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn held(&self) -> Result<Vec<HeldEnvelope>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT e.seq, e.hash, e.bytes, e.chain, c.device, e.reason
                     FROM envelopes e JOIN chains c ON c.id = e.chain
                     WHERE e.reason IS NOT NULL ORDER BY e.chain, e.seq",
                )?
                .query_map([], |row| {
                    Ok(HeldEnvelope {
                        chain: ChainId(row.get(3)?),
                        device: KeyId(row.get(4)?),
                        envelope: envelope(row)?,
                        reason: row.get(5)?,
                    })
                })?
                .collect()
        })
    }

    /// Returns the envelopes that have no place in a chain yet, in the order they came.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn waiting(&self) -> Result<Vec<WaitingEnvelope>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT hash, reason, bytes FROM waiting ORDER BY rowid")?
                .query_map([], |row| {
                    Ok(WaitingEnvelope {
                        hash: EnvelopeHash(row.get(0)?),
                        reason: row.get(1)?,
                        bytes: row.get(2)?,
                    })
                })?
                .collect()
        })
    }
}

impl Writer<'_> {
    /// Stores the own next envelope, and takes the loose changes it carries off the list of those not sealed. Does
    /// nothing and returns `false` if it is not the next one of the present own chain, or one of the changes is no
    /// longer loose: another process has sealed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn seal_own(
        &mut self,
        next: &NextEnvelope<'_>,
        covers: &[LooseId],
    ) -> Result<bool, StoreError> {
        let own = self.own()?;
        let Some(present) = self.chain(&own.chain)? else {
            return Ok(false);
        };
        if next.chain() != own.chain || place(next, Some(&present)) != Place::Next {
            return Ok(false);
        }
        self.run(|connection| {
            let Some(actions) = document::actions(connection, &own.chain, covers)? else {
                return Ok(false);
            };
            document::sealed(connection, covers)?;
            insert(connection, next, EnvelopeState::Merged, actions)?;
            Ok(true)
        })
    }

    /// Stores the next envelope of a chain, unless the chain is not that far or has another in its place.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or written.
    pub fn accept(
        &mut self,
        next: &NextEnvelope<'_>,
        state: EnvelopeState<'_>,
    ) -> Result<Accepted, StoreError> {
        let present = self.chain(&next.chain())?;
        let here = match place(next, present.as_ref()) {
            Place::Next => {
                self.run(|connection| insert(connection, next, state, 0))?;
                return Ok(Accepted::Stored);
            }
            Place::Gap(next) => return Ok(Accepted::Gap { next }),
            Place::Forked(here) => return Ok(Accepted::Forked { here }),
            Place::Before => self.hash_at(&next.chain(), next.envelope.seq)?,
        };
        Ok(match here {
            Some(hash) if hash != next.envelope.hash => Accepted::Forked {
                here: Position {
                    seq: next.envelope.seq,
                    hash,
                },
            },
            _ => Accepted::Known,
        })
    }

    fn hash_at(&self, chain: &ChainId, seq: Seq) -> Result<Option<EnvelopeHash>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT hash FROM envelopes WHERE chain = ?1 AND seq = ?2")?
                .query_row((&chain.0, integer(seq.0)), |row| row.get(0))
                .optional()
                .map(|hash| hash.map(EnvelopeHash))
        })
    }

    /// Says whether an envelope's changes are in the documents. Returns `false` if it is not here.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn set_state(
        &mut self,
        chain: &ChainId,
        seq: Seq,
        state: EnvelopeState<'_>,
    ) -> Result<bool, StoreError> {
        self.run(|connection| {
            let changed = connection
                .prepare_cached("UPDATE envelopes SET reason = ?3 WHERE chain = ?1 AND seq = ?2")?
                .execute((&chain.0, integer(seq.0), state.reason()))?;
            Ok(changed > 0)
        })
    }

    /// Keeps an envelope that has no place in a chain yet, or changes the reason.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_waiting(
        &mut self,
        hash: &EnvelopeHash,
        bytes: &[u8],
        reason: &str,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO waiting (hash, bytes, reason) VALUES (?1, ?2, ?3)
                     ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason",
                )?
                .execute((&hash.0, bytes, reason))?;
            Ok(())
        })
    }

    /// Forgets an envelope that waited. Returns `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn remove_waiting(&mut self, hash: &EnvelopeHash) -> Result<bool, StoreError> {
        self.run(|connection| {
            let removed = connection
                .prepare_cached("DELETE FROM waiting WHERE hash = ?1")?
                .execute([&hash.0])?;
            Ok(removed > 0)
        })
    }
}

/// Where an envelope stands to the chain held here.
#[derive(PartialEq, Eq)]
enum Place {
    Before,
    Next,
    Gap(Seq),
    Forked(Position),
}

fn place(next: &NextEnvelope<'_>, chain: Option<&Chain>) -> Place {
    let tip = chain.and_then(|chain| chain.tip);
    let expected = Seq(tip.map_or(0, |tip| tip.seq.0).saturating_add(1));
    if next.envelope.seq < expected {
        return Place::Before;
    }
    if next.envelope.seq > expected {
        return Place::Gap(expected);
    }
    match tip {
        Some(tip) if next.prev != Some(tip.hash) => Place::Forked(tip),
        _ => Place::Next,
    }
}

fn insert(
    connection: &Connection,
    next: &NextEnvelope<'_>,
    state: EnvelopeState<'_>,
    actions: u64,
) -> rusqlite::Result<()> {
    let envelope = next.envelope;
    connection
        .prepare_cached(
            "INSERT INTO envelopes (chain, seq, hash, bytes, actions, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            &next.chain().0,
            integer(envelope.seq.0),
            &envelope.hash.0,
            &envelope.bytes,
            integer(actions),
            state.reason(),
        ))?;
    chain::put(
        connection,
        &Chain {
            device: next.device,
            salt: next.salt,
            tip: Some(Position {
                seq: envelope.seq,
                hash: envelope.hash,
            }),
            head: next.head,
            vouched_by: None,
            heard_ms: next.heard_ms,
        },
    )
}

#[cfg(test)]
mod tests {
    use crate::Replica;
    use crate::sample::{
        self, DEVICE, OTHER, SALT, envelope, next, other_chain, own_chain, read, tip, write,
    };

    use super::*;

    const OWN: (KeyId, ChainSalt) = (DEVICE, SALT);

    fn accept(replica: &mut Replica, envelope: &StoredEnvelope) -> Accepted {
        write(replica, |writer| {
            writer.accept(&next(OTHER, envelope), EnvelopeState::Merged)
        })
    }

    fn record(replica: &mut Replica, seq: u64) -> LooseId {
        write(replica, |writer| {
            writer.record("2026-11", &own_chain(), b"change", &tip(seq), 1)
        })
    }

    #[test]
    fn only_the_next_envelope_of_a_chain_is_stored() {
        let (_folder, mut replica) = sample::replica();
        assert_eq!(
            accept(&mut replica, &envelope(2)),
            Accepted::Gap { next: Seq(1) }
        );
        assert_eq!(accept(&mut replica, &envelope(1)), Accepted::Stored);
        assert_eq!(accept(&mut replica, &envelope(2)), Accepted::Stored);
        assert_eq!(accept(&mut replica, &envelope(1)), Accepted::Known);
        assert_eq!(accept(&mut replica, &envelope(2)), Accepted::Known);
        let stored = read(&replica, |reader| reader.envelope(&other_chain(), Seq(2)));
        assert_eq!(stored, Some(envelope(2)));
    }

    #[test]
    fn another_envelope_at_a_place_is_a_fork() {
        let (_folder, mut replica) = sample::replica();
        accept(&mut replica, &envelope(1));
        accept(&mut replica, &envelope(2));
        let here = |seq| Accepted::Forked {
            here: Position {
                seq: Seq(seq),
                hash: sample::hash(seq),
            },
        };
        let mut second = envelope(2);
        second.hash = EnvelopeHash([0; 32]);
        assert_eq!(accept(&mut replica, &second), here(2));
        let third = envelope(3);
        let mut after_second = next(OTHER, &third);
        after_second.prev = Some(second.hash);
        let accepted = write(&mut replica, |writer| {
            writer.accept(&after_second, EnvelopeState::Merged)
        });
        assert_eq!(accepted, here(2));
        assert_eq!(
            read(&replica, |reader| reader.vector()).seq(&other_chain()),
            Seq(2)
        );
    }

    #[test]
    fn held_envelopes_are_listed_with_their_reason_until_merged() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.accept(
                &next(OTHER, &envelope(1)),
                EnvelopeState::Held("no key yet"),
            )
        });
        let held = read(&replica, |reader| reader.held());
        let expected = HeldEnvelope {
            chain: other_chain(),
            device: OTHER.0,
            envelope: envelope(1),
            reason: "no key yet".to_owned(),
        };
        assert_eq!(held, [expected]);
        let merge = |writer: &mut Writer<'_>, seq| {
            writer.set_state(&other_chain(), Seq(seq), EnvelopeState::Merged)
        };
        assert!(write(&mut replica, |writer| merge(writer, 1)));
        assert!(!write(&mut replica, |writer| merge(writer, 2)));
        assert_eq!(read(&replica, |reader| reader.held()), []);
    }

    #[test]
    fn pages_of_envelopes_have_at_least_one() {
        let (_folder, mut replica) = sample::replica();
        for seq in 1..=4 {
            accept(&mut replica, &envelope(seq));
        }
        let page = |after, limit| {
            let page = read(&replica, |reader| {
                reader.envelopes_after(&other_chain(), Seq(after), limit)
            });
            page.iter()
                .map(|envelope| envelope.seq.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(page(0, 1), [1]);
        assert_eq!(page(1, envelope(2).bytes.len() + 1), [2, 3]);
        assert_eq!(page(1, usize::MAX), [2, 3, 4]);
        assert_eq!(page(4, usize::MAX), [0; 0]);
    }

    #[test]
    fn waiting_envelopes_come_back_in_order_and_go() {
        let (_folder, mut replica) = sample::replica();
        let hashes = [EnvelopeHash([9; 32]), EnvelopeHash([1; 32])];
        write(&mut replica, |writer| {
            writer.put_waiting(&hashes[0], b"one", "a gap")?;
            writer.put_waiting(&hashes[1], b"two", "a gap")?;
            writer.put_waiting(&hashes[0], b"one", "no log")
        });
        let waiting = read(&replica, |reader| reader.waiting());
        let reasons: Vec<_> = waiting
            .iter()
            .map(|envelope| (envelope.hash, envelope.reason.as_str()))
            .collect();
        assert_eq!(reasons, [(hashes[0], "no log"), (hashes[1], "a gap")]);
        assert!(write(&mut replica, |writer| writer.remove_waiting(&hashes[0])));
        assert!(!write(&mut replica, |writer| writer.remove_waiting(&hashes[0])));
        assert_eq!(read(&replica, |reader| reader.waiting()).len(), 1);
    }

    #[test]
    fn sealing_takes_changes_off_the_list_and_keeps_them_in_their_document() {
        let (_folder, mut replica) = sample::replica();
        let ids = [record(&mut replica, 1), record(&mut replica, 2)];
        let later = record(&mut replica, 3);
        let sealed = write(&mut replica, |writer| {
            writer.seal_own(&next(OWN, &envelope(1)), &ids)
        });
        assert!(sealed);
        let unsealed = read(&replica, |reader| reader.unsealed());
        assert_eq!(
            unsealed.iter().map(|change| change.id).collect::<Vec<_>>(),
            [later]
        );
        let document = read(&replica, |reader| reader.document("2026-11"));
        assert_eq!(document.changes.len(), 3);
        assert_eq!(
            read(&replica, |reader| reader.vector()).seq(&own_chain()),
            Seq(1)
        );
    }

    #[test]
    fn of_two_that_seal_the_same_changes_one_does() {
        let (folder, mut one) = sample::replica();
        let mut two = Replica::open(&folder.path().join("replica.db")).unwrap();
        let ids = [record(&mut one, 1)];
        let mut rival = envelope(1);
        rival.bytes = b"sealed by the other".to_vec();
        rival.hash = EnvelopeHash([1; 32]);
        let seal = |replica: &mut Replica, envelope: &StoredEnvelope| {
            write(replica, |writer| {
                writer.seal_own(&next(OWN, envelope), &ids)
            })
        };
        assert!(seal(&mut two, &rival));
        assert!(!seal(&mut one, &envelope(1)));
        // Nor does it do as the next envelope: the changes are not loose any more.
        let mut second = envelope(2);
        let mut following = next(OWN, &second);
        following.prev = Some(rival.hash);
        assert!(!write(&mut one, |writer| writer.seal_own(&following, &ids)));
        second = read(&one, |reader| reader.envelope(&own_chain(), Seq(1))).unwrap();
        assert_eq!(second, rival);
        assert_eq!(
            read(&one, |reader| reader.vector()).seq(&own_chain()),
            Seq(1)
        );
    }

    #[test]
    fn an_earlier_incarnation_seals_nothing() {
        let (_folder, mut replica) = sample::replica();
        let ids = [record(&mut replica, 1)];
        let salt = ChainSalt([8; 16]);
        write(&mut replica, |writer| writer.start_chain(&salt, None));
        let first = envelope(1);
        for chain in [OWN, (DEVICE, salt)] {
            let sealed = write(&mut replica, |writer| {
                writer.seal_own(&next(chain, &first), &ids)
            });
            assert!(!sealed, "a change of the old chain in {chain:?}");
        }
        assert_eq!(read(&replica, |reader| reader.unsealed_count()), 1);
    }
}
