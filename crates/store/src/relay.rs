//! Relays: what each has acknowledged, and how the last sync with it went. Which relays a journal has, and which is
//! home, is the member log's to say.

use protocol::id::KeyId;
use protocol::vector::Vector;
use rusqlite::{Connection, OptionalExtension};

use crate::chain;
use crate::column::{integer, number};
use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// What is known of a relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayState {
    /// Its address.
    pub url: String,
    /// The envelopes it has acknowledged, by chain.
    pub heads: Vector,
    /// The length of the member log it has acknowledged.
    pub log_length: u32,
    /// When a sync with it last ended well, in milliseconds since 1970.
    pub last_sync_ms: Option<i64>,
    /// Why the last sync failed; none if it ended well.
    pub last_error: Option<String>,
    /// The space it gives the journal.
    pub quota: Option<StoredQuota>,
}

impl RelayState {
    /// Returns a relay of which nothing is known but its address.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            heads: Vector::default(),
            log_length: 0,
            last_sync_ms: None,
            last_error: None,
            quota: None,
        }
    }
}

/// The space a relay gives the journal, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredQuota {
    /// In use.
    pub used: u64,
    /// At most.
    pub limit: u64,
}

const RELAY: &str = "SELECT url, log_length, last_sync_ms, last_error, quota_used, quota_limit \
                     FROM relays";

fn relay(connection: &Connection, row: &rusqlite::Row<'_>) -> rusqlite::Result<RelayState> {
    let url: String = row.get(0)?;
    let quota = match (row.get::<_, Option<i64>>(4)?, row.get::<_, Option<i64>>(5)?) {
        (Some(_), Some(_)) => Some(StoredQuota {
            used: number(row, 4)?,
            limit: number(row, 5)?,
        }),
        _ => None,
    };
    Ok(RelayState {
        heads: heads(connection, &url)?,
        url,
        log_length: row.get(1)?,
        last_sync_ms: row.get(2)?,
        last_error: row.get(3)?,
        quota,
    })
}

fn heads(connection: &Connection, url: &str) -> rusqlite::Result<Vector> {
    chain::vector(
        connection,
        "SELECT chain, seq, hash FROM relay_heads WHERE url = ?1",
        [url],
    )
}

impl Reader<'_> {
    /// Returns all relays of which something is known, in the order of their addresses.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn relays(&self) -> Result<Vec<RelayState>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!("{RELAY} ORDER BY url"))?
                .query_map([], |row| relay(connection, row))?
                .collect()
        })
    }

    /// Returns what is known of a relay; none if nothing is.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn relay(&self, url: &str) -> Result<Option<RelayState>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!("{RELAY} WHERE url = ?1"))?
                .query_row([url], |row| relay(connection, row))
                .optional()
        })
    }

    /// Returns the number of the user's actions recorded here that the given relay (or, with none given, every relay)
    /// has not acknowledged: those not sealed, and those in own envelopes above its heads.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn unsent_count(&self, relay: Option<&str>) -> Result<u64, StoreError> {
        let KeyId(device) = self.own()?.device;
        let unsealed = self.unsealed_count()?;
        let sealed = self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT coalesce(sum(e.actions), 0) FROM chains c JOIN envelopes e
                     ON e.chain = c.id AND e.seq > coalesce(
                       (SELECT max(h.seq) FROM relay_heads h
                        WHERE h.chain = c.id AND h.url = coalesce(?2, h.url)), 0)
                     WHERE c.device = ?1",
                )?
                .query_row((&device, relay), |row| number(row, 0))
        })?;
        Ok(unsealed.saturating_add(sealed))
    }
}

impl Writer<'_> {
    /// Keeps what is known of a relay, in place of what was.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn put_relay(&mut self, state: &RelayState) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO relays
                     (url, log_length, last_sync_ms, last_error, quota_used, quota_limit)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute((
                    &state.url,
                    state.log_length,
                    state.last_sync_ms,
                    &state.last_error,
                    state.quota.map(|quota| integer(quota.used)),
                    state.quota.map(|quota| integer(quota.limit)),
                ))?;
            put_heads(connection, &state.url, &state.heads)
        })
    }

    /// Forgets a relay.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn remove_relay(&mut self, url: &str) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute("DELETE FROM relays WHERE url = ?1", [url])?;
            connection.execute("DELETE FROM relay_heads WHERE url = ?1", [url])?;
            Ok(())
        })
    }
}

/// Writes the heads that moved, and forgets those of chains that are gone.
fn put_heads(connection: &Connection, url: &str, new: &Vector) -> rusqlite::Result<()> {
    let old = heads(connection, url)?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO relay_heads (url, chain, seq, hash) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (chain, position) in &new.moved_since(&old).0 {
        insert.execute((url, &chain.0, integer(position.seq.0), &position.hash.0))?;
    }
    let mut delete =
        connection.prepare_cached("DELETE FROM relay_heads WHERE url = ?1 AND chain = ?2")?;
    for chain in old.0.keys().filter(|chain| !new.0.contains_key(chain)) {
        delete.execute((url, &chain.0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::id::{ChainId, Seq};
    use protocol::vector::Position;

    use crate::Replica;
    use crate::sample::{self, DEVICE, SALT, envelope, next, own_chain, read, tip, write};

    use super::*;

    const HOME: &str = "https://relay.example";
    const SECOND: &str = "https://second.example";

    fn state(url: &str, heads: &[(ChainId, u64)]) -> RelayState {
        let position = |seq| Position {
            seq: Seq(seq),
            hash: sample::hash(seq),
        };
        RelayState {
            heads: Vector(
                heads
                    .iter()
                    .map(|(chain, seq)| (*chain, position(*seq)))
                    .collect(),
            ),
            log_length: 3,
            last_sync_ms: Some(5),
            quota: Some(StoredQuota {
                used: 1,
                limit: u64::MAX,
            }),
            ..RelayState::new(url)
        }
    }

    #[test]
    fn relays_are_kept_replaced_and_forgotten() {
        let (_folder, mut replica) = sample::replica();
        let other = sample::other_chain();
        let mut second = state(SECOND, &[(own_chain(), 1), (other, 2)]);
        write(&mut replica, |writer| {
            writer.put_relay(&second)?;
            writer.put_relay(&RelayState::new(HOME))
        });
        assert_eq!(
            read(&replica, |reader| reader.relays()),
            [RelayState::new(HOME), second.clone()]
        );
        second = state(SECOND, &[(other, 3)]);
        second.last_error = Some("refused".to_owned());
        second.quota = None;
        write(&mut replica, |writer| {
            writer.put_relay(&second)?;
            writer.remove_relay(HOME)
        });
        assert_eq!(read(&replica, |reader| reader.relays()), [second]);
        assert_eq!(read(&replica, |reader| reader.relay(HOME)), None);
    }

    #[test]
    fn unsent_is_what_a_relay_has_not_acknowledged() {
        let (_folder, mut replica) = sample::replica();
        let unsent = |replica: &Replica, relay| read(replica, |reader| reader.unsent_count(relay));
        for (seq, actions) in [(1, 1), (2, 10)] {
            write(&mut replica, |writer| {
                let id = writer.record("2026-11", &own_chain(), b"a", &tip(seq), actions)?;
                writer.seal_own(&next((DEVICE, SALT), &envelope(seq)), &[id])
            });
        }
        write(&mut replica, |writer| {
            writer.record("2026-11", &own_chain(), b"a", &tip(3), 100)
        });
        assert_eq!(unsent(&replica, None), 111);
        write(&mut replica, |writer| {
            writer.put_relay(&state(HOME, &[(own_chain(), 1)]))?;
            writer.put_relay(&state(SECOND, &[(own_chain(), 2)]))
        });
        assert_eq!(unsent(&replica, Some(HOME)), 110);
        assert_eq!(unsent(&replica, Some(SECOND)), 100);
        assert_eq!(unsent(&replica, Some("https://third.example")), 111);
        assert_eq!(unsent(&replica, None), 100);
    }
}
