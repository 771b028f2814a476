//! An instant in an answer: RFC 3339 in UTC to programs, words to people.

use std::fmt;

use jiff::{Timestamp, Zoned};
use journal::entry::Precision;
use journal::time::{At, when};
use serde::{Serialize, Serializer};

/// An instant, as it is shown to someone for whom it is a certain time.
#[derive(Clone)]
pub(super) struct Instant {
    at: Timestamp,
    words: String,
}

impl Instant {
    /// Puts an instant in words for someone for whom it is `now`.
    pub(super) fn new(at: Timestamp, now: &Zoned) -> Self {
        let offset = now.time_zone().to_offset(at);
        let words = when(&At::new(at, offset, None), Precision::Exact, now);
        Self { at, words }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&rfc_3339(self.at))
    }
}

/// Writes an instant in UTC, to the second.
pub(super) fn rfc_3339(instant: Timestamp) -> String {
    format!("{instant:.0}")
}

#[cfg(test)]
pub(super) fn noon() -> Zoned {
    "2026-11-22T12:00:00+01:00[Europe/Madrid]".parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_their_own_clock_and_programs_utc() {
        let instant = Instant::new("2026-11-21T23:30:00.9Z".parse().unwrap(), &noon());
        assert_eq!(instant.to_string(), "today 00:30");
        let json = serde_json::to_string(&instant).unwrap();
        assert_eq!(json, r#""2026-11-21T23:30:00Z""#);
    }
}
