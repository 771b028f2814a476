//! The options for limits; what each is for is in [`Limits`].

use clap::Args;

use crate::service::Limits;

/// What the keeper may set.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Options {
    /// Bytes that one journal may take
    #[arg(long, env = "EBB_RELAY_QUOTA", value_name = "BYTES", default_value_t = Limits::default().quota)]
    quota: u64,
    /// Envelopes that one journal may have, those counted that were pruned
    #[arg(long, env = "EBB_RELAY_ENVELOPES", value_name = "NUMBER", default_value_t = Limits::default().envelopes)]
    envelopes: u64,
    /// Journals, in all
    #[arg(long, env = "EBB_RELAY_JOURNALS", value_name = "NUMBER", default_value_t = Limits::default().journals)]
    journals: u64,
    /// Journals created with one enrolment token
    #[arg(long, env = "EBB_RELAY_JOURNALS_PER_TOKEN", value_name = "NUMBER", default_value_t = Limits::default().journals_per_token)]
    journals_per_token: u64,
    /// Requests that one key may make in a minute
    #[arg(long, env = "EBB_RELAY_REQUESTS", value_name = "NUMBER", default_value_t = Limits::default().requests)]
    requests: u32,
    /// Requests that may come from one address in a minute
    #[arg(long, env = "EBB_RELAY_REQUESTS_PER_ADDRESS", value_name = "NUMBER", default_value_t = Limits::default().requests_per_address)]
    requests_per_address: u32,
    /// Event streams of one journal
    #[arg(long, env = "EBB_RELAY_SUBSCRIBERS_PER_JOURNAL", value_name = "NUMBER", default_value_t = Limits::default().subscribers_per_journal)]
    subscribers_per_journal: usize,
    /// Event streams, in all
    #[arg(long, env = "EBB_RELAY_SUBSCRIBERS", value_name = "NUMBER", default_value_t = Limits::default().subscribers)]
    subscribers: usize,
}

impl Options {
    /// Returns the limits.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            quota: self.quota,
            envelopes: self.envelopes,
            journals: self.journals,
            journals_per_token: self.journals_per_token,
            requests: self.requests,
            requests_per_address: self.requests_per_address,
            subscribers_per_journal: self.subscribers_per_journal,
            subscribers: self.subscribers,
            ..Limits::default()
        }
    }
}
