//! The relay's clock: the wall, for proofs and expiry; and one that never goes back, for rates.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What tells the time.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Returns the seconds since the Unix epoch.
    fn now(&self) -> u64;

    /// Returns the time since some fixed moment; it never decreases.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that tests set.
#[cfg(test)]
pub(crate) struct SetClock(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl SetClock {
    /// Starts at a second since the Unix epoch.
    pub(crate) fn at(now: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(now))
    }

    /// Moves forward.
    pub(crate) fn pass(&self, seconds: u64) {
        self.0
            .fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Clock for SetClock {
    fn now(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.now())
    }
}
