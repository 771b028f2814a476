//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Far more than anything here takes; a test that needs it all has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer, and panics after the limit.
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, ask)
}

/// Does the same with another limit.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        std::thread::yield_now();
    }
}
