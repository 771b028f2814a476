//! What the relay asks of a store, and what a store promises.
//!
//! Every call is one transaction: atomic, durable once it is answered, and ordered. Conditions (`from`, frontiers, the tips that
//! envelopes continue) are checked inside the transaction, so that several relays may share one store. A store checks no
//! signature and no rule: it keeps what [`crate::service`] has judged.
//!
//! Outcomes that callers expect are `Ok` values; a [`StorageError`] means that nothing is known to be written.
#![doc = include_str!("storage/guarantees.md")]

pub(crate) mod tables;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use futures_util::future::BoxFuture;
use protocol::id::{
    BlobHash, ChainId, EnvelopeHash, JournalId, KeyId, RecordHash, Seq, SigningKey, SnapshotHash,
};
use protocol::judge::ChainTip;
use protocol::limits;
use protocol::snapshot::{Acknowledgement, Snapshot};
use protocol::vector::{Position, Vector};

/// The answer of a store, later.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The disk is full.
    #[error("the disk is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The data cannot be read or written now.
    #[error("the data cannot be read or written")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored is not what this program wrote.
    #[error("the data is damaged")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
}

/// Where a member log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogHead {
    /// The number of records.
    pub(crate) length: u32,
    /// The hash of the last.
    pub(crate) hash: RecordHash,
}

/// Consecutive records of a log, with sealed keys that they name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogPart {
    /// Where the whole log ends.
    pub(crate) head: LogHead,
    /// The records, from the index asked for.
    pub(crate) records: Vec<Vec<u8>>,
    /// The sealed keys that these records give to devices.
    pub(crate) blobs: Vec<Vec<u8>>,
}

/// A sealed key to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewBlob {
    /// Its hash, which `record` names.
    pub(crate) hash: BlobHash,
    /// The index of the record.
    pub(crate) record: u32,
    /// The invite it is sealed to, with the second since the Unix epoch from which it may no longer be kept; none if it
    /// is sealed to a device.
    pub(crate) invite: Option<(KeyId, u64)>,
    /// The blob.
    pub(crate) bytes: Vec<u8>,
}

/// What may be kept of the devices that a record takes the right to write from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frontier {
    /// The devices.
    pub(crate) devices: BTreeSet<KeyId>,
    /// The last envelope of each of their chains; a chain that is not named has none.
    pub(crate) vector: Vector,
}

/// Records to append to a log, and what follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogChange {
    /// The records, in order.
    pub(crate) records: Vec<Vec<u8>>,
    /// The sealed keys that came with them.
    pub(crate) blobs: Vec<NewBlob>,
    /// Invites whose sealed keys of before are erased, before the new ones are kept.
    pub(crate) closed: Vec<KeyId>,
    /// The devices that are members from here on.
    pub(crate) members: Vec<(KeyId, SigningKey)>,
    /// Where the log ends from here on.
    pub(crate) head: LogHead,
    /// The frontiers beyond which nothing may be stored yet.
    pub(crate) frontiers: Vec<Frontier>,
    /// Whether the last record ends the journal: then that record is kept and nothing else, whatever the quota.
    pub(crate) erases: bool,
    /// The most bytes that the journal may take.
    pub(crate) quota: u64,
}

/// What became of a journal's creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreateOutcome {
    /// It exists from now on.
    Created,
    /// It existed already, or was erased; nothing was changed.
    Exists,
    /// The store has as many journals as it may have.
    TooMany,
    /// As many journals were created with the token as may be.
    TooManyOfToken,
    /// The log is larger than the journal's quota.
    OverQuota,
}

/// What became of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogOutcome {
    /// They are part of the log.
    Appended,
    /// The log no longer ends where the caller thought.
    Moved,
    /// More of a device is stored than one of the change's frontiers names.
    BehindFrontier,
    /// They would exceed the journal's quota.
    OverQuota,
}

/// An envelope to append, judged already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewEnvelope {
    /// Its chain.
    pub(crate) chain: ChainId,
    /// The device whose chain that is.
    pub(crate) device: KeyId,
    /// The hash of the envelope before it in the chain; none if it is the first.
    pub(crate) prev: Option<EnvelopeHash>,
    /// The tip of the chain once it is stored.
    pub(crate) tip: ChainTip,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl NewEnvelope {
    /// Returns whether it stands right after the end of its chain; none is that of a chain of which nothing is stored.
    pub(crate) fn follows(&self, end: Option<Position>) -> bool {
        let before = end.map_or(0, |end| end.seq.0);
        self.tip.seq.0 == before.saturating_add(1) && self.prev == end.map(|end| end.hash)
    }
}

/// What became of envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AppendOutcome {
    /// All are stored.
    Stored,
    /// The log or a chain no longer ends where the caller thought: judge again.
    Moved,
    /// They would exceed the journal's quota.
    OverQuota,
}

/// What envelopes are judged against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Where the log ends.
    pub(crate) log: LogHead,
    /// The tip of every chain.
    pub(crate) tips: BTreeMap<ChainId, ChainTip>,
    /// The hashes stored at the places asked for.
    pub(crate) known: BTreeMap<(ChainId, Seq), EnvelopeHash>,
}

/// What a sync asks of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SyncQuery {
    /// Where the client's log ends.
    pub(crate) log: LogHead,
    /// The envelopes that the client has.
    pub(crate) vector: Vector,
    /// The most bytes of records, and of envelopes; one envelope is always answered.
    pub(crate) page: usize,
}

/// What a sync answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SyncPage {
    /// The log from the client's end on; without records if the client's log is another.
    pub(crate) log: LogPart,
    /// Envelopes outside the client's vector, in the order in which they were stored.
    pub(crate) envelopes: Vec<Vec<u8>>,
    /// Whether there are more.
    pub(crate) more: bool,
    /// The last envelope of every chain.
    pub(crate) heads: Vector,
    /// The bytes that the journal takes.
    pub(crate) used: u64,
}

/// Snapshots to keep and to forget, judged already.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SnapshotChange {
    /// Manifests to keep; those that are kept already stay as they are.
    pub(crate) new: Vec<Snapshot>,
    /// Acknowledgements of these, or of manifests that are kept already.
    pub(crate) acknowledgements: Vec<Acknowledgement>,
    /// Manifests to forget.
    pub(crate) drop: Vec<SnapshotHash>,
    /// Whether chains of which less is stored than a new manifest covers go on from there.
    pub(crate) start: bool,
    /// The most bytes that the journal may take.
    pub(crate) quota: u64,
}

/// What became of snapshots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SnapshotOutcome {
    /// They are kept.
    Kept,
    /// What is stored is not what a manifest says, or an acknowledgement is of none that is kept.
    Unfit,
    /// They would exceed the journal's quota.
    OverQuota,
}

/// A snapshot as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredSnapshot {
    /// Its hash.
    pub(crate) hash: SnapshotHash,
    /// Its signed manifest.
    pub(crate) bytes: Vec<u8>,
    /// Whether its parts are stored.
    pub(crate) whole: bool,
    /// Who acknowledged it.
    pub(crate) acknowledgements: Vec<Acknowledgement>,
}

/// The public name of an enrolment token: eight hex digits of its hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TokenId(pub(crate) String);

/// An enrolment token as the store knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TokenEntry {
    /// Its public name.
    pub(crate) id: TokenId,
    /// When it was made; seconds since the Unix epoch.
    pub(crate) created: u64,
    /// When it was revoked, if it was.
    pub(crate) revoked: Option<u64>,
    /// The journals created with it.
    pub(crate) journals: u64,
}

/// A journal as the relay's keeper sees it: sizes and times only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct JournalEntry {
    /// Its id.
    pub(crate) id: JournalId,
    /// When it was created here; seconds since the Unix epoch.
    pub(crate) created: u64,
    /// When something was last appended.
    pub(crate) changed: u64,
    /// The records of its member log.
    pub(crate) records: u32,
    /// The devices that are members.
    pub(crate) devices: u32,
    /// Its chains.
    pub(crate) chains: u32,
    /// Its envelopes.
    pub(crate) envelopes: u64,
    /// The bytes that it takes.
    pub(crate) bytes: u64,
}

/// A new journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewJournal {
    /// Its id.
    pub(crate) id: JournalId,
    /// Its log.
    pub(crate) log: LogChange,
    /// The token it is created with; none on an open relay.
    pub(crate) token: Option<TokenId>,
    /// The most journals that the store may have, those counted that were erased.
    pub(crate) most: u64,
    /// The most journals that the store may have with the same token.
    pub(crate) most_of_token: u64,
}

/// Seconds for which a store remembers a random: a request's time is accepted within [`limits::CLOCK_SKEW_SECONDS`] either way,
/// so that after twice that, time itself refuses the request.
pub(crate) const REMEMBERED_SECONDS: u64 = 2 * limits::CLOCK_SKEW_SECONDS;
/// Randoms that a store remembers, at most: 160 a second, for all that time.
pub(crate) const REMEMBERED: u64 = 100_000;

/// Who hears that another relay on the same store has written: to the journal named, or, if none is, to any.
pub(crate) type Hear = Box<dyn Fn(Option<JournalId>) + Send + Sync>;

/// A store. See the module's documentation for what every call promises.
pub(crate) trait Storage: Send + Sync + 'static {
    /// Returns whether other relays may write to the same store while this one runs.
    fn is_shared(&self) -> bool;

    /// Tells, until the store is dropped, what other relays on the same store have written, soon after it is durable. A store
    /// that is not shared never tells.
    fn listen(&self, hear: Hear);

    /// Returns where a journal's log ends; none if the journal is not here.
    fn log_head(&self, journal: JournalId) -> Answer<'_, Option<LogHead>>;

    /// Returns at most `bytes` of records from index `from` on (at least one if there is one), and the sealed keys that
    /// they give to devices.
    fn log_part(&self, journal: JournalId, from: u32, bytes: usize) -> Answer<'_, Option<LogPart>>;

    /// Returns the sealed key of an invite, if it is kept.
    fn invite_blob(&self, journal: JournalId, invite: KeyId) -> Answer<'_, Option<Vec<u8>>>;

    /// Returns the record that erased a journal; none if it was not erased.
    fn tombstone(&self, journal: JournalId) -> Answer<'_, Option<Vec<u8>>>;

    /// Creates a journal at `now`. One that was erased stays erased.
    fn create(&self, journal: NewJournal, now: u64) -> Answer<'_, CreateOutcome>;

    /// Appends to a log that ends at `from`. A change that erases leaves of the journal only its last record, and nothing
    /// of the rest in the store's files.
    fn append_log(
        &self,
        journal: JournalId,
        from: LogHead,
        change: LogChange,
        now: u64,
    ) -> Answer<'_, LogOutcome>;

    /// Returns the journals that a device is a member of, in order of their ids, with its signing key.
    fn journals_of(&self, device: KeyId) -> Answer<'_, Vec<(JournalId, SigningKey)>>;

    /// Returns what envelopes at `places` are judged against; none if the journal is not here.
    fn standing(
        &self,
        journal: JournalId,
        places: Vec<(ChainId, Seq)>,
    ) -> Answer<'_, Option<Standing>>;

    /// Stores envelopes, each of which continues its chain, if the log still ends at `log`.
    fn append(
        &self,
        journal: JournalId,
        log: LogHead,
        envelopes: Vec<NewEnvelope>,
        quota: u64,
        now: u64,
    ) -> Answer<'_, AppendOutcome>;

    /// Answers a sync from one moment of the journal; none if the journal is not here.
    fn sync(&self, journal: JournalId, query: SyncQuery) -> Answer<'_, Option<SyncPage>>;

    /// Lists the snapshots of a journal in the order in which they came; none if the journal is not here.
    fn snapshots(&self, journal: JournalId) -> Answer<'_, Option<Vec<StoredSnapshot>>>;

    /// Returns at most `bytes` of a snapshot's parts from the one numbered `from` on (at least one if there is one); none if the
    /// snapshot is not here.
    fn snapshot_parts(
        &self,
        journal: JournalId,
        snapshot: SnapshotHash,
        from: u32,
        bytes: usize,
    ) -> Answer<'_, Option<Vec<Vec<u8>>>>;

    /// Keeps and forgets snapshots, if the journal's envelopes are what they say; none if the journal is not here.
    fn put_snapshots(
        &self,
        journal: JournalId,
        change: SnapshotChange,
        now: u64,
    ) -> Answer<'_, Option<SnapshotOutcome>>;

    /// Forgets the envelopes in `covers`, but for the parts of snapshots that stay, and the manifests in `drop`; returns how
    /// many bytes that made free. The tips of chains stay.
    fn prune(
        &self,
        journal: JournalId,
        covers: Vector,
        drop: Vec<SnapshotHash>,
        now: u64,
    ) -> Answer<'_, u64>;

    /// Erases the sealed keys of invites that have expired at `now`, and returns how many. Finishes what an erasure could
    /// not overwrite at once.
    fn sweep(&self, now: u64) -> Answer<'_, u64>;

    /// Remembers a random of a key at `now`, for [`REMEMBERED_SECONDS`], and returns whether it is new. It is not if
    /// [`REMEMBERED`] are remembered already.
    fn remember(&self, key: KeyId, random: [u8; 16], now: u64) -> Answer<'_, bool>;

    /// Removes a journal with all that belongs to it, as its keeper may, and returns whether it was here. No record says so, and
    /// it may be created again.
    fn forget(&self, journal: JournalId) -> Answer<'_, bool>;

    /// Writes, durably: whether the store can acknowledge anything now.
    fn probe(&self) -> Answer<'_, ()>;

    /// Returns the public name of a token that is not revoked, by its SHA-256 hash.
    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<TokenId>>;

    /// Keeps a token's hash.
    fn add_token(&self, id: TokenId, hash: [u8; 32], now: u64) -> Answer<'_, ()>;

    /// Lists all tokens ever made, oldest first.
    fn tokens(&self) -> Answer<'_, Vec<TokenEntry>>;

    /// Revokes a token, and returns whether there was one to revoke.
    fn revoke_token(&self, id: TokenId, now: u64) -> Answer<'_, bool>;

    /// Lists all journals, in order of their ids.
    fn journals(&self) -> Answer<'_, Vec<JournalEntry>>;
}
