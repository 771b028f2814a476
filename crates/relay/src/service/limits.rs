//! Every limit that a relay's keeper may set, in one place. What the protocol itself limits is in [`protocol::limits`], and is the
//! same on every relay. README.md has the table of both, with what is answered; a test compares it with the defaults.

use std::time::Duration;

/// What one relay grants to one journal, key, address or crowd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Bytes that a journal may take.
    pub(crate) quota: u64,
    /// Envelopes that a journal's chains may have come to, those counted that were pruned.
    pub(crate) envelopes: u64,
    /// Journals, in all, those counted that were erased.
    pub(crate) journals: u64,
    /// Journals created with one enrolment token.
    pub(crate) journals_per_token: u64,
    /// Requests that a key may make in a minute, and at once.
    pub(crate) requests: u32,
    /// Requests that may come from one address in a minute, and at once.
    pub(crate) requests_per_address: u32,
    /// Event streams of one journal.
    pub(crate) subscribers_per_journal: usize,
    /// Event streams, in all.
    pub(crate) subscribers: usize,
    /// Time between two signs of life on a quiet event stream.
    pub(crate) keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            quota: 256 * 1024 * 1024,
            envelopes: 1_000_000,
            journals: 100_000,
            journals_per_token: 100_000,
            requests: 6_000,
            requests_per_address: 60_000,
            subscribers_per_journal: 60,
            subscribers: 10_000,
            keep_alive: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::limits;

    use super::*;

    #[test]
    fn the_readme_s_table_is_what_is_built_in() {
        let readme = include_str!("../../README.md");
        let built_in = Limits::default();
        for (limit, value) in [
            ("`--quota`", built_in.quota),
            ("`--envelopes`", built_in.envelopes),
            ("`--journals`", built_in.journals),
            ("`--journals-per-token`", built_in.journals_per_token),
            ("`--requests`", built_in.requests.into()),
            (
                "`--requests-per-address`",
                built_in.requests_per_address.into(),
            ),
            (
                "`--subscribers-per-journal`",
                built_in.subscribers_per_journal as u64,
            ),
            ("`--subscribers`", built_in.subscribers as u64),
            ("bytes of a request", limits::REQUEST_BYTES as u64),
            ("bytes of an envelope", limits::ENVELOPE_BYTES as u64),
            ("bytes of a page", limits::PAGE_BYTES as u64),
            ("envelopes in one append", limits::APPEND_ENVELOPES as u64),
            ("chains of a journal", limits::VECTOR_CHAINS as u64),
            ("records of a member log", limits::LOG_RECORDS as u64),
            ("devices of a journal", limits::DEVICES_PER_JOURNAL as u64),
            ("devices of a person", limits::DEVICES_PER_PERSON as u64),
            ("snapshots of a journal", limits::SNAPSHOTS as u64),
        ] {
            let row = format!("| {limit} | {value} |");
            assert!(readme.lines().any(|line| line.starts_with(&row)), "{row}");
        }
    }
}
