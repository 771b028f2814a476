//! News: who waits to hear that a journal has something new.
//!
//! News says only that there is some; a subscriber that is slow hears of many at once, and nothing queues up. Counts are
//! bounded, for one journal and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::JournalId;
use tokio::sync::watch;

/// All who wait.
#[derive(Clone)]
pub(crate) struct News(Arc<Inner>);

struct Inner {
    per_journal: usize,
    in_all: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    journals: HashMap<JournalId, (watch::Sender<()>, usize)>,
    count: usize,
}

/// Too many wait already; how many may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Crowded {
    /// For this journal.
    #[error("this journal has as many event streams as it may have")]
    Journal(usize),
    /// In all.
    #[error("this relay has as many event streams as it may have")]
    Relay(usize),
}

/// One who waits, until dropped.
pub(crate) struct Subscription {
    news: News,
    journal: JournalId,
    changes: watch::Receiver<()>,
}

impl News {
    /// Makes news for a limited crowd.
    pub(crate) fn new(per_journal: usize, in_all: usize) -> Self {
        Self(Arc::new(Inner {
            per_journal,
            in_all,
            waiting: Mutex::default(),
        }))
    }

    /// Tells all who wait for a journal. Call it after what is new is durable.
    pub(crate) fn tell(&self, journal: &JournalId) {
        let waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((sender, _)) = waiting.journals.get(journal) {
            sender.send_replace(());
        }
    }

    /// Tells everyone: something may be new anywhere.
    pub(crate) fn tell_all(&self) {
        let waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (sender, _) in waiting.journals.values() {
            sender.send_replace(());
        }
    }

    /// Returns how many wait.
    pub(crate) fn subscribers(&self) -> usize {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner).count
    }

    /// Waits for a journal's news from now on.
    ///
    /// # Errors
    /// [`Crowded`] if too many do.
    pub(crate) fn subscribe(&self, journal: JournalId) -> Result<Subscription, Crowded> {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.count >= self.0.in_all {
            return Err(Crowded::Relay(self.0.in_all));
        }
        let (sender, count) = waiting
            .journals
            .entry(journal)
            .or_insert_with(|| (watch::Sender::new(()), 0));
        if *count >= self.0.per_journal {
            return Err(Crowded::Journal(self.0.per_journal));
        }
        *count += 1;
        let changes = sender.subscribe();
        waiting.count += 1;
        Ok(Subscription {
            news: self.clone(),
            journal,
            changes,
        })
    }
}

impl Subscription {
    /// Waits until there is news since the last call (or since the subscription).
    pub(crate) async fn next(&mut self) {
        // The sender lives as long as anyone is subscribed.
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let inner = &self.news.0;
        let mut waiting = inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.count -= 1;
        if let Some((_, count)) = waiting.journals.get_mut(&self.journal) {
            *count -= 1;
            if *count == 0 {
                waiting.journals.remove(&self.journal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn news_reaches_its_journal_only_and_many_count_as_one() {
        let news = News::new(2, 3);
        let (one, other) = (JournalId([1; 32]), JournalId([2; 32]));
        let mut first = news.subscribe(one).unwrap();
        let mut second = news.subscribe(other).unwrap();
        assert!(first.next().now_or_never().is_none());
        news.tell(&one);
        news.tell(&one);
        assert!(first.next().now_or_never().is_some());
        assert!(first.next().now_or_never().is_none());
        assert!(second.next().now_or_never().is_none());
    }

    #[test]
    fn the_crowd_is_limited_and_makes_room() {
        let news = News::new(2, 3);
        let (one, other) = (JournalId([1; 32]), JournalId([2; 32]));
        let first = news.subscribe(one).unwrap();
        let _second = news.subscribe(one).unwrap();
        assert_eq!(news.subscribe(one).err(), Some(Crowded::Journal(2)));
        let _third = news.subscribe(other).unwrap();
        assert_eq!(news.subscribe(other).err(), Some(Crowded::Relay(3)));
        drop(first);
        assert!(news.subscribe(one).is_ok());
    }
}
