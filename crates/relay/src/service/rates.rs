//! How often a key, or an address, may ask: a token bucket for each, filled evenly over a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Buckets kept before those that are full again are dropped.
const BUCKETS: usize = 4_096;
const MINUTE: Duration = Duration::from_secs(60);

/// The buckets.
pub(super) struct Rates<K> {
    per_minute: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// When the bucket would be full again. Requests that a key has left are what fits between now and a minute from now.
#[derive(Clone, Copy)]
struct Bucket {
    full: Duration,
}

impl<K: Eq + Hash> Rates<K> {
    /// Makes buckets that hold and regain `per_minute` requests.
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of a key, at the time `now` of a clock that never goes back.
    ///
    /// # Errors
    /// The seconds to wait, at least 1, if none is left.
    pub(super) fn take(&self, key: K, now: Duration) -> Result<(), u64> {
        let one = MINUTE / self.per_minute;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS {
            buckets.retain(|_, bucket| bucket.full > now);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { full: now });
        let full = bucket.full.max(now) + one;
        let over = full.saturating_sub(now + MINUTE);
        if over.is_zero() {
            bucket.full = full;
            Ok(())
        } else {
            Err(over.as_secs() + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::KeyId;

    use super::*;

    #[test]
    fn a_key_has_its_share_at_once_and_regains_it_over_a_minute() {
        let rates = Rates::new(60);
        let key = KeyId([1; 32]);
        let start = Duration::from_secs(5);
        for _ in 0..60 {
            assert_eq!(rates.take(key, start), Ok(()));
        }
        assert_eq!(rates.take(key, start), Err(2));
        assert_eq!(rates.take(KeyId([2; 32]), start), Ok(()));
        assert_eq!(rates.take(key, start + Duration::from_secs(1)), Ok(()));
        assert!(rates.take(key, start + Duration::from_secs(1)).is_err());
        assert_eq!(rates.take(key, start + Duration::from_secs(90)), Ok(()));
    }
}
