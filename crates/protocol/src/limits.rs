//! Every limit of the protocol, in one place. README.md lists the same table, and a test compares them.

/// Devices that one person may have at a time.
pub const DEVICES_PER_PERSON: usize = 5;
/// Devices that a journal may have at a time.
pub const DEVICES_PER_JOURNAL: usize = 20;
/// Invites that may be open at a time.
pub const OPEN_INVITES: usize = 20;
/// Relays that a journal may list.
pub const RELAYS: usize = 4;
/// Bytes of a relay's URL.
pub const RELAY_URL_BYTES: usize = 256;
/// Bytes of one signed member-log record: a frontier of as many chains as a vector has fits.
pub const RECORD_BYTES: usize = 320 * 1024;
/// Records of one member log.
pub const LOG_RECORDS: usize = 10_000;
/// Bytes of one encrypted name, nonce and padding included.
pub const NAME_SEAL_BYTES: usize = 512;
/// Bytes of a name in clear.
pub const NAME_BYTES: usize = 200;
/// Bytes of one sealed-key blob.
pub const BLOB_BYTES: usize = 2 * 1024;
/// Bytes of one envelope.
pub const ENVELOPE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of an envelope's content after decompression.
pub const CONTENT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of the signed manifest of a snapshot: one that covers as many chains as a vector has fits.
pub const SNAPSHOT_BYTES: usize = 512 * 1024;
/// Parts of one snapshot.
pub const SNAPSHOT_PARTS: usize = 256;
/// Snapshots that a relay keeps of a journal, and messages about them carry.
pub const SNAPSHOTS: usize = 4;
/// Chains in one vector.
pub const VECTOR_CHAINS: usize = 4_096;
/// Envelopes in one append.
pub const APPEND_ENVELOPES: usize = 256;
/// Bytes of one request to a relay.
pub const REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of envelopes in one answer to a sync; at least one envelope is always sent.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one answer from a relay that a client reads.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Seconds by which the clocks of client and relay may differ.
pub const CLOCK_SKEW_SECONDS: u64 = 300;
/// Days for which an invite may stay open.
pub const INVITE_DAYS: u64 = 30;
