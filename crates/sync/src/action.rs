//! The vocabulary between a session and its driver: events in, actions out.

use protocol::api::{Append, Appended, LogAppend, LogPage, Problem, SyncAnswer, SyncRequest};
use protocol::envelope::{Kind, VerifiedEnvelope};
use protocol::id::{ChainId, ChainSalt, EnvelopeHash, KeyId, Seq};
use protocol::judge::Refusal;
use protocol::record::VerifiedRecord;
use protocol::role::Role;
use protocol::vector::Vector;
use seal::Content;

/// A request to the relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Answered by [`Event::Synced`].
    Sync(SyncRequest),
    /// Answered by [`Event::LogAppended`]. The records stand already: a relay that refuses them is given the whole log.
    AppendLog(LogAppend),
    /// Answered by [`Event::Appended`].
    Append(Append),
}

/// An envelope that came from the relay, judged and opened.
#[derive(Debug)]
pub struct Incoming {
    /// The envelope.
    pub envelope: VerifiedEnvelope,
    /// The index of the member-log record that it names as head.
    pub head: u32,
    /// What its device might do at that head.
    pub role: Role,
    /// What it carries, or why it must be held: its key is missing, it cannot be opened, or its device had lost the right
    /// to write.
    pub content: Result<Content, String>,
}

/// An own envelope, sealed.
#[derive(Debug)]
pub struct Outgoing {
    /// The envelope.
    pub envelope: VerifiedEnvelope,
    /// The index of the member-log record that it names as head.
    pub head: u32,
    /// The vector that it was sealed with; the next one carries what moved since.
    pub seen: Vector,
    /// The driver's own mark for the changes inside.
    pub mark: u64,
}

/// What the driver must do, in the order given.
#[derive(Debug)]
pub enum Action {
    /// Store verified records and the sealed keys that came with them, durably.
    StoreLog {
        /// The records, in order.
        records: Vec<VerifiedRecord>,
        /// Sealed keys of devices.
        blobs: Vec<Vec<u8>>,
    },
    /// Merge or hold envelopes of one answer, durably, each chain in order. The driver checks batches and documents.
    Merge(Vec<Incoming>),
    /// Keep envelopes that cannot be placed in their chains yet; give them back as [`Event::Waiting`] in a later session.
    Wait {
        /// The envelope's bytes.
        envelope: Vec<u8>,
        /// Its hash.
        hash: EnvelopeHash,
        /// Why.
        reason: String,
    },
    /// Begin a new chain with this salt: the relay has envelopes of the own chain that this replica never sealed. Changes
    /// not sealed yet are recorded again on the new chain.
    StartChain(ChainSalt),
    /// The relay has other envelopes of the own chain after this place: another copy of this device sealed them, and they
    /// count. Keep the own ones from there on apart, and start a new session, in which the others come.
    Yield {
        /// The last place of the own chain that both may have.
        after: Seq,
    },
    /// Give the changes not yet sealed as [`Event::Unsealed`].
    CollectUnsealed,
    /// Store own envelopes durably, if the chain is still where it was, then answer with [`Event::Stored`].
    StoreOwn(Vec<Outgoing>),
    /// Give envelopes of a chain after a place as [`Event::Loaded`], as many as fit one request.
    Load {
        /// The chain.
        chain: ChainId,
        /// The last place the relay has.
        after: Seq,
        /// The last place to give.
        until: Seq,
    },
    /// Send a request, and give its answer as the event named there, or as [`Event::Problem`].
    Send(Request),
    /// Note what the relay acknowledged to hold.
    Acknowledged {
        /// The last envelope of each chain at the relay.
        heads: Vector,
        /// The relay's length of the member log.
        log_length: u32,
    },
    /// Tell the user.
    Warn(Warning),
    /// The session is over.
    Finish(Result<crate::Outcome, Fault>),
}

/// Changes that the driver hands over to be sealed: one batch for one envelope.
#[derive(Debug)]
pub struct Unsealed {
    /// Whether they are the own chain's next changes, or a part of a snapshot.
    pub kind: Kind,
    /// The batch.
    pub batch: Vec<u8>,
    /// The driver's own mark for the changes inside.
    pub mark: u64,
}

/// What the driver reports.
#[derive(Debug)]
pub enum Event {
    /// The answer to [`Request::Sync`].
    Synced(SyncAnswer),
    /// The answer to [`Request::AppendLog`].
    LogAppended(LogPage),
    /// The answer to [`Request::Append`].
    Appended(Appended),
    /// The relay answered a request with a problem.
    Problem(Problem),
    /// The changes not yet sealed; possibly none.
    Unsealed(Vec<Unsealed>),
    /// Whether own envelopes were stored. False: another process sealed first, and the session starts over.
    Stored(bool),
    /// Envelopes of a chain, in order.
    Loaded(Vec<VerifiedEnvelope>),
    /// Envelopes that waited for a place, to be judged again. Given before the first answer.
    Waiting(Vec<Vec<u8>>),
}

/// Something suspicious that does not end the session. Each is shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The relay sent bytes that are no envelope.
    #[error("the relay sent something that is no envelope; it was not used")]
    Garbage,
    /// The relay sent an envelope that is forged, altered, or breaks the rules.
    #[error("an envelope of device {device} was refused: {refusal}")]
    Refused {
        /// The device that it claims.
        device: KeyId,
        /// Why.
        refusal: Refusal,
    },
    /// There are two envelopes for one place of a chain.
    #[error(
        "device {device} has two different envelopes at place {seq} of one chain; the first is kept"
    )]
    TwoAtOnePlace {
        /// The device.
        device: KeyId,
        /// The place.
        seq: Seq,
    },
    /// An envelope of a member cannot be opened.
    #[error("an envelope of device {device} cannot be opened, and is held: {reason}")]
    CannotOpen {
        /// The device.
        device: KeyId,
        /// Why.
        reason: String,
    },
    /// The relay has another member log than this replica. Peer misbehaved, or two owners changed it at once. The branch
    /// verified first stays; what was written before the fork, or on that branch, is still taken.
    #[error(
        "the relay's member log is not the one this device verified: it has forked at or before record {at}; nothing is sent there, what names the other log waits, and nobody's membership can be changed there until an owner starts over (ebb journals renew)"
    )]
    Forked {
        /// The first record known to differ, or one after it.
        at: u32,
    },
    /// The key of the current epoch never came.
    #[error(
        "this device has no key of epoch {epoch}, which no relay gave it yet: what was written under it waits, nothing can be sent, and the key is asked for again at the next sync"
    )]
    NoKey {
        /// The epoch.
        epoch: u32,
    },
    /// A device went on writing after it had lost the right to.
    #[error(
        "device {device} wrote after it had lost the right to; that is held, and shown by `ebb held`"
    )]
    BeyondFrontier {
        /// The device.
        device: KeyId,
    },
    /// The member log has records that break its rules; the valid part is used.
    #[error(
        "the relay's member log has records that break its rules; only the {used} valid ones are used"
    )]
    InvalidLog {
        /// The number of records used.
        used: u32,
    },
    /// The member log has a record of a newer ebb.
    #[error(
        "the member log has a record that only a newer ebb can read; this device can read but not write until it is updated"
    )]
    NewerLog,
    /// The relay lost what it had acknowledged; it was sent again.
    #[error("the relay lost {lost} envelopes that it once had; they were sent again")]
    RelayLost {
        /// How many.
        lost: u64,
    },
    /// The relay did not store an envelope.
    #[error("the relay did not store an envelope: {reason}")]
    NotStored {
        /// The relay's reason.
        reason: String,
    },
    /// This device may only read, and has changes from when it might write.
    #[error("this device may only read: {count} of its changes cannot be sent, and stay on it")]
    ReadOnly {
        /// How many batches.
        count: u64,
    },
    /// The replica was copied or restored: its chain went on elsewhere.
    #[error(
        "this replica was copied or restored from a backup: another copy went on writing; this one continues as a new one"
    )]
    Copied,
}

impl Warning {
    /// Returns whether data are damaged or someone tampered with them (exit code 5), rather than merely behind.
    pub fn is_suspicious(&self) -> bool {
        !matches!(
            self,
            Self::NewerLog
                | Self::RelayLost { .. }
                | Self::NotStored { .. }
                | Self::Copied
                | Self::ReadOnly { .. }
                | Self::BeyondFrontier { .. }
        )
    }
}

/// Why a session could not finish. Nothing local is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The relay's answer contradicts itself or its question. Peer misbehaved.
    #[error("the relay's answer makes no sense: {0}")]
    Nonsense(Nonsense),
    /// The relay answered with a problem.
    #[error("the relay answered: {}", .0.detail)]
    Problem(Problem),
    /// This device may not write, and the log says so.
    #[error("this device is no longer a member of the journal")]
    NotMember,
    /// The state here changed again and again while the session ran.
    #[error("the journal kept changing during the sync")]
    Busy,
    /// The key of the current epoch is missing, so nothing can be sealed.
    #[error("the key of epoch {epoch} is missing")]
    NoKey {
        /// The epoch.
        epoch: u32,
    },
    /// A batch of own changes does not fit an envelope. Caller misused.
    #[error(transparent)]
    Seal(#[from] seal::SealError),
    /// An event came that the session did not ask for. Caller misused.
    #[error("the driver reported what was not asked for")]
    Unexpected,
}

/// How a relay's answer makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// It says that there is more, and brings nothing new.
    #[error("it promises more and brings nothing")]
    NoProgress,
    /// It brings more than the limits allow.
    #[error("it is larger than the protocol allows")]
    TooLarge,
    /// It brings log records that do not start where asked.
    #[error("its member-log records do not fit the question")]
    LogPage,
}
