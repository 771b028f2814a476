//! The one writer: a thread that commits many writes at once.
//!
//! A caller queues work and waits. The thread takes all that is queued, up to [`GROUP`], runs it in one transaction and
//! commits, so that one sync of the disk serves them all; only then does anyone hear `Ok`. Where processors are scarce it first
//! gives way to whoever is about to queue more. If the transaction fails,
//! each work runs once more alone, so that one failure is not everybody's.

use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::schema::OpenError;
use crate::storage::StorageError;

/// Works committed together, at most.
const GROUP: usize = 256;
/// Works waiting, at most; further callers wait to queue.
const QUEUE: usize = 1_024;

/// Something to write. It may run twice; what it did the first time was rolled back then.
trait Work: Send {
    /// Writes, and keeps the outcome.
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Answers the caller: the outcome if the commit succeeded.
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

struct Job<F, T> {
    work: F,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, StorageError>>,
}

impl<T: Send, F: FnMut(&Connection) -> rusqlite::Result<T> + Send> Work for Job<F, T> {
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.outcome = Some((self.work)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let Self { outcome, reply, .. } = *self;
        let answer = committed.and_then(|()| outcome.ok_or(StorageError::Closed));
        // A caller that no longer waits has lost its connection; the write stands all the same.
        drop(reply.send(answer));
    }
}

/// The way to the writer thread. Dropping it finishes what is queued and closes the connection.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`OpenError::Thread`].
    pub(super) fn start(connection: Connection) -> Result<Self, OpenError> {
        let (queue, works) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(connection, works))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues work, and waits until it is durable.
    ///
    /// # Errors
    /// [`StorageError`]; nothing is written then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            work,
            outcome: None,
            reply,
        };
        let queue = self.queue.as_ref().ok_or(StorageError::Closed)?;
        queue
            .send(Box::new(job))
            .await
            .map_err(|_| StorageError::Closed)?;
        answer.await.map_err(|_| StorageError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has answered nobody; there is nothing more to save.
            drop(thread.join());
        }
    }
}

fn write_all(mut connection: Connection, mut works: mpsc::Receiver<Box<dyn Work>>) {
    while let Some(first) = works.blocking_recv() {
        let mut group = gather(first, &mut works);
        if group.len() == 1 || commit(&mut connection, &mut group).is_err() {
            for mut work in group {
                let committed = commit(&mut connection, std::slice::from_mut(&mut work));
                if let Err(error) = &committed {
                    tracing::warn!(error = %error, "a write failed");
                }
                work.answer(committed.map_err(StorageError::from));
            }
        } else {
            for work in group {
                work.answer(Ok(()));
            }
        }
    }
}

/// Takes what is queued behind the first work, until giving way to others brings no more.
fn gather(first: Box<dyn Work>, works: &mut mpsc::Receiver<Box<dyn Work>>) -> Vec<Box<dyn Work>> {
    let mut group = vec![first];
    loop {
        let before = group.len();
        std::thread::yield_now();
        while group.len() < GROUP
            && let Ok(next) = works.try_recv()
        {
            group.push(next);
        }
        if group.len() == GROUP || group.len() == before {
            return group;
        }
    }
}

fn commit(connection: &mut Connection, group: &mut [Box<dyn Work>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for work in group {
        work.run(&transaction)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc as blocking;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::sqlite::schema::{open_reader, open_writer};

    fn count(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))
            .unwrap()
    }

    fn insert(db: &Connection, number: u8) -> rusqlite::Result<()> {
        let sql = "INSERT INTO tokens (id, hash, created) VALUES (?1, ?2, 0)";
        db.execute(sql, (number.to_string(), [number; 32]))?;
        Ok(())
    }

    fn start(folder: &Path) -> Writer {
        Writer::start(open_writer(&folder.join("relay.sqlite3")).unwrap()).unwrap()
    }

    /// Holds up the writer until the sender is dropped, so that what is queued meanwhile makes one group. Returns when
    /// the writer is at this work alone: what it finds queued as it begins would be in the same group.
    fn hold(writer: &Writer) -> (impl Future + use<'_>, blocking::Sender<()>) {
        let (release, held) = blocking::channel::<()>();
        let (begin, begun) = blocking::channel();
        let mut held = Box::pin(writer.run(move |_| {
            begin.send(()).unwrap();
            // The sender sends nothing; it ends the wait by being dropped.
            assert!(held.recv().is_err());
            Ok(())
        }));
        assert!(held.as_mut().now_or_never().is_none(), "it is held");
        begun.recv().unwrap();
        (held, release)
    }

    #[tokio::test]
    async fn what_is_queued_together_is_committed_together() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        let path = folder.path().join("relay.sqlite3");
        let (held, release) = hold(&writer);
        let writes = join_all((0..30).map(|number| writer.run(move |db| insert(db, number))));
        let seen = writer.run(move |db| Ok((count(db), count(&open_reader(&path)?))));
        let release = async move { drop(release) };
        // Polled in this order: all are queued before the writer goes on.
        let (_, writes, seen, ()) = tokio::join!(biased; held, writes, seen, release);
        assert!(writes.iter().all(Result::is_ok));
        assert_eq!(
            seen.unwrap(),
            (30, 0),
            "seen inside and outside of the transaction"
        );
    }

    #[tokio::test]
    async fn one_failure_is_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        let (held, release) = hold(&writer);
        // The second of two equal numbers fails.
        let numbers = [1, 2, 2, 3];
        let writes = join_all(numbers.map(|number| writer.run(move |db| insert(db, number))));
        let release = async move { drop(release) };
        let (_, writes, ()) = tokio::join!(biased; held, writes, release);
        let done: Vec<bool> = writes.iter().map(Result::is_ok).collect();
        assert_eq!(done, [true, true, false, true]);
        let kept = writer.run(|db| Ok(count(db))).await.unwrap();
        assert_eq!(kept, 3);
    }

    #[tokio::test]
    async fn what_is_answered_is_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        let writes = join_all((0..20).map(|number| writer.run(move |db| insert(db, number))));
        assert!(writes.await.iter().all(Result::is_ok));
        // The files as they are now, with the writer still at work: what a sudden end would leave.
        let copy = tempfile::tempdir().unwrap();
        for file in ["relay.sqlite3", "relay.sqlite3-wal"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        let restored = open_writer(&copy.path().join("relay.sqlite3")).unwrap();
        assert_eq!(count(&restored), 20);
    }

    #[tokio::test]
    async fn what_is_queued_is_finished_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path());
        let (held, release) = hold(&writer);
        let writes = join_all((0..5).map(|number| writer.run(move |db| insert(db, number))));
        let release = async move { drop(release) };
        let (_, writes, ()) = tokio::join!(biased; held, writes, release);
        drop(writer);
        assert!(writes.iter().all(Result::is_ok));
        assert_eq!(
            count(&open_reader(&folder.path().join("relay.sqlite3")).unwrap()),
            5
        );
    }
}
