//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Far more than anything here takes; a test that needs it all has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer, and panics after the limit.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}");
        std::thread::yield_now();
    }
}
