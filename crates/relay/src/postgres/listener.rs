//! What other relays on the same database have written: `NOTIFY` within each write, `LISTEN` on a connection of its own.
//!
//! Notifications are lost while that connection is down. When it is there again, everyone is told that there may be news.

use std::time::Duration;

use data_encoding::HEXLOWER;
use deadpool_postgres::Transaction;
use futures_util::{StreamExt, stream};
use protocol::id::JournalId;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, NoTls};

use super::address::Address;
use super::copy::SERVING;
use super::rows;
use crate::storage::{Hear, StorageError};

/// Time between two tries to connect.
const AGAIN: Duration = Duration::from_millis(500);

/// A task that listens until this is dropped.
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    /// Starts to listen to all relays but the one named.
    pub(super) fn start(address: Address, node: [u8; 8], hear: Hear) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&address, &node, &hear).await {
                    tracing::warn!(%error, "hears nothing of other relays");
                }
                sleep(AGAIN).await;
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells other relays, once the transaction is committed, that a journal has news.
pub(super) async fn tell(
    db: &Transaction<'_>,
    node: &[u8; 8],
    journal: &JournalId,
) -> Result<(), StorageError> {
    let payload = format!("{}{}", HEXLOWER.encode(node), HEXLOWER.encode(&journal.0));
    rows::all(db, "SELECT pg_notify('ebb_relay', $1)", &[&payload]).await?;
    Ok(())
}

/// Listens until the connection ends.
async fn listen(
    address: &Address,
    node: &[u8; 8],
    hear: &Hear,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = address.config().connect(NoTls).await?;
    let messages = stream::poll_fn(move |context| connection.poll_message(context));
    let mut messages = std::pin::pin!(messages);
    // The lock says to whoever would replace everything that a relay is running.
    let sql = format!("SELECT pg_advisory_lock_shared({SERVING}); LISTEN ebb_relay");
    let mut start = std::pin::pin!(client.batch_execute(&sql));
    let mut started = false;
    loop {
        tokio::select! {
            done = &mut start, if !started => {
                done?;
                started = true;
                hear(None);
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(heard))) => {
                    if let Some((from, journal)) = read(heard.payload())
                        && from != *node
                    {
                        hear(Some(journal));
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}

/// Reads a notification: who wrote, and to which journal. Others may use the same name; what they say is passed over.
fn read(payload: &str) -> Option<([u8; 8], JournalId)> {
    let bytes = HEXLOWER.decode(payload.as_bytes()).ok()?;
    let (node, journal) = bytes.split_first_chunk::<8>()?;
    Some((*node, JournalId(journal.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_a_node_and_a_journal_and_nothing_else() {
        let said = |node: &str, journal: &str| format!("{node}{journal}");
        let journal = "ab".repeat(32);
        let read_back = read(&said("0102030405060708", &journal));
        assert_eq!(
            read_back,
            Some(([1, 2, 3, 4, 5, 6, 7, 8], JournalId([0xab; 32])))
        );
        for other in ["", "hello", &journal, &said(&journal, &journal)] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
