//! The randoms of requests that must not be taken twice.
//!
//! A request's time is accepted within [`limits::CLOCK_SKEW_SECONDS`] either way, so a random is remembered for twice
//! that: until then, time itself refuses the request. Memory is bounded; when it is full, new requests of this kind are
//! refused rather than old ones forgotten.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use protocol::id::KeyId;
use protocol::limits;

/// Seconds for which a random is remembered.
const SECONDS: u64 = 2 * limits::CLOCK_SKEW_SECONDS;
/// Randoms remembered, at most: 160 a second, for all that time.
const MOST: usize = 100_000;

type Random = (KeyId, [u8; 16]);

/// The memory.
#[derive(Default)]
pub(super) struct Seen(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    set: HashSet<Random>,
    order: VecDeque<(u64, Random)>,
}

impl Seen {
    /// Returns whether this random was not seen before, and remembers it.
    pub(super) fn is_new(&self, key: KeyId, random: [u8; 16], now: u64) -> bool {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((time, oldest)) = memory.order.front().copied()
            && time.saturating_add(SECONDS) < now
        {
            memory.order.pop_front();
            memory.set.remove(&oldest);
        }
        if memory.order.len() >= MOST || !memory.set.insert((key, random)) {
            return false;
        }
        memory.order.push_back((now, (key, random)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_is_new_once_and_forgotten_when_time_refuses_it_anyway() {
        let seen = Seen::default();
        let (key, random) = (KeyId([1; 32]), [2; 16]);
        assert!(seen.is_new(key, random, 1_000));
        assert!(!seen.is_new(key, random, 1_000));
        assert!(!seen.is_new(key, random, 1_000 + SECONDS));
        assert!(seen.is_new(KeyId([3; 32]), random, 1_000));
        assert!(seen.is_new(key, random, 1_001 + SECONDS));
    }
}
