//! What envelopes are judged against, in memory: a bounded cache over what the store answers.
//!
//! It saves a read for each append. What is remembered may be a moment old, so it serves only where nothing goes wrong: whatever
//! it would refuse or take for known is judged again by what the store answers, and the write has the condition that log and
//! chains still end as remembered. A chain only grows, so of two ends the longer is kept.

use std::sync::Arc;

use protocol::id::JournalId;

use super::recent::Recent;
use crate::storage::Standing;

/// Chains of all journals in the cache, at most: about two megabytes.
const CHAINS: usize = 16_384;

/// The cache.
pub(super) struct Standings(Recent<Arc<Standing>>);

impl Default for Standings {
    fn default() -> Self {
        Self(Recent::new(CHAINS))
    }
}

impl Standings {
    pub(super) fn find(&self, journal: &JournalId) -> Option<Standing> {
        self.0.find(journal).map(Arc::unwrap_or_clone)
    }

    /// Remembers what was stored, beside what others stored meanwhile.
    pub(super) fn keep(&self, journal: JournalId, stored: Standing) {
        self.0.keep(journal, |known| {
            let mut newest = stored;
            if let Some(known) = known {
                if known.log.length > newest.log.length {
                    newest.log = known.log;
                }
                for (chain, tip) in &known.tips {
                    let end = newest.tips.entry(*chain).or_insert(*tip);
                    if end.seq < tip.seq {
                        *end = *tip;
                    }
                }
            }
            let weight = newest.tips.len();
            Some((Arc::new(newest), weight))
        });
    }

    /// Drops what is true no more.
    pub(super) fn forget(&self, journal: &JournalId) {
        self.0.forget(journal);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::id::{ChainId, EnvelopeHash, RecordHash, Seq};
    use protocol::judge::ChainTip;

    use super::*;
    use crate::storage::LogHead;

    const JOURNAL: JournalId = JournalId([1; 32]);

    fn standing(length: u32, tips: &[(u8, u64)]) -> Standing {
        let tips = tips.iter().map(|(chain, seq)| {
            let tip = ChainTip {
                seq: Seq(*seq),
                hash: EnvelopeHash([u8::try_from(*seq).unwrap(); 32]),
                head: 0,
            };
            (ChainId([*chain; 16]), tip)
        });
        let hash = RecordHash([u8::try_from(length).unwrap(); 32]);
        Standing {
            log: LogHead { length, hash },
            tips: tips.collect(),
            known: BTreeMap::new(),
        }
    }

    #[test]
    fn of_two_ends_the_longer_is_remembered() {
        let standings = Standings::default();
        standings.keep(JOURNAL, standing(2, &[(1, 5), (2, 1)]));
        standings.keep(JOURNAL, standing(1, &[(1, 4), (2, 2), (3, 1)]));
        let newest = standing(2, &[(1, 5), (2, 2), (3, 1)]);
        assert_eq!(standings.find(&JOURNAL), Some(newest));
        standings.forget(&JOURNAL);
        assert_eq!(standings.find(&JOURNAL), None);
    }
}
