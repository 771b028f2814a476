//! What was used last, by journal: a cache that is bounded in entries and in their weight.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::id::JournalId;

/// Journals in a cache, at most.
const JOURNALS: usize = 512;

/// The cache. Room is made by dropping what was not used longest.
pub(super) struct Recent<V> {
    most: usize,
    entries: Mutex<Entries<V>>,
}

struct Entries<V> {
    journals: HashMap<JournalId, Entry<V>>,
    weight: usize,
    uses: u64,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<V: Clone> Recent<V> {
    /// Makes a cache whose values weigh no more than `most` together, unless one alone does.
    pub(super) fn new(most: usize) -> Self {
        let entries = Entries {
            journals: HashMap::new(),
            weight: 0,
            uses: 0,
        };
        Self {
            most,
            entries: Mutex::new(entries),
        }
    }

    /// Returns what is kept of a journal, which counts as a use.
    pub(super) fn find(&self, journal: &JournalId) -> Option<V> {
        let mut entries = self.entries();
        let now = entries.next_use();
        let entry = entries.journals.get_mut(journal)?;
        entry.used = now;
        Some(entry.value.clone())
    }

    /// Keeps what `choose` makes of the value that is kept already, with its weight; what is kept stays if it makes nothing.
    pub(super) fn keep(
        &self,
        journal: JournalId,
        choose: impl FnOnce(Option<&V>) -> Option<(V, usize)>,
    ) {
        let mut entries = self.entries();
        let known = entries.journals.get(&journal).map(|entry| &entry.value);
        let Some((value, weight)) = choose(known) else {
            return;
        };
        entries.remove(&journal);
        let used = entries.next_use();
        entries.weight += weight;
        let entry = Entry {
            value,
            weight,
            used,
        };
        entries.journals.insert(journal, entry);
        while entries.journals.len() > 1
            && (entries.journals.len() > JOURNALS || entries.weight > self.most)
        {
            let oldest = entries.journals.iter().min_by_key(|(_, entry)| entry.used);
            let Some(journal) = oldest.map(|(journal, _)| *journal) else {
                break;
            };
            entries.remove(&journal);
        }
    }

    /// Drops a value that is true no more.
    pub(super) fn forget(&self, journal: &JournalId) {
        self.entries().remove(journal);
    }

    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Entries<V> {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    fn remove(&mut self, journal: &JournalId) {
        if let Some(entry) = self.journals.remove(journal) {
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(number: usize) -> JournalId {
        let mut id = JournalId([0; 32]);
        id.0[..8].copy_from_slice(&number.to_be_bytes());
        id
    }

    #[test]
    fn what_was_not_used_longest_makes_room() {
        let recent = Recent::new(10);
        for number in 0..3 {
            recent.keep(journal(number), |_| Some((number, 3)));
        }
        assert_eq!(recent.find(&journal(0)), Some(0));
        recent.keep(journal(3), |_| Some((3, 4)));
        let kept: Vec<usize> = (0..4).filter_map(|at| recent.find(&journal(at))).collect();
        assert_eq!(kept, [0, 2, 3]);
        recent.keep(journal(4), |_| Some((4, 11)));
        let kept: Vec<usize> = (0..5).filter_map(|at| recent.find(&journal(at))).collect();
        assert_eq!(kept, [4], "one alone may weigh more");
        recent.forget(&journal(4));
        for number in 0..=JOURNALS {
            recent.keep(journal(number), |_| Some((number, 0)));
        }
        let kept = (0..=JOURNALS).filter_map(|at| recent.find(&journal(at)));
        assert_eq!(kept.count(), JOURNALS);
    }

    #[test]
    fn what_is_kept_decides_what_stays() {
        let recent = Recent::new(10);
        let longer = |new: usize| {
            recent.keep(journal(1), |known| {
                known.is_none_or(|known| *known < new).then_some((new, new))
            });
        };
        longer(2);
        longer(5);
        longer(4);
        assert_eq!(recent.find(&journal(1)), Some(5));
    }
}
