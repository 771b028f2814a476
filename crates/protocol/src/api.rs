//! The relay's API: paths, messages, and the problems it answers with.
//!
//! Bodies are canonical CBOR (`application/cbor`); errors are JSON (`application/problem+json`, RFC 9457), so that a
//! person with a terminal can read them. What each call does is in README.md and in the relay's OpenAPI document.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::cbor::Bytes;
use crate::id::{JournalId, RecordHash};
use crate::log::MemberLog;
pub use crate::snapshot::Acknowledgement;
use crate::snapshot::{self, Snapshot};
use crate::vector::Vector;

/// The media type of requests and answers.
pub const MEDIA_TYPE: &str = "application/cbor";
/// The media type of errors.
pub const PROBLEM_TYPE: &str = "application/problem+json";
/// The header that carries an enrolment token.
pub const ENROLMENT_HEADER: &str = "ebb-enrolment";

/// The path of the collection of journals.
pub const JOURNALS: &str = "/v1/journals";

/// Returns the path of one journal, or of a part of it: `log`, `sync`, `envelopes`, `snapshots`,
/// `events`.
pub fn journal_path(journal: &JournalId, part: &str) -> String {
    if part.is_empty() {
        format!("{JOURNALS}/{journal}")
    } else {
        format!("{JOURNALS}/{journal}/{part}")
    }
}

/// `POST /v1/journals`: creates a journal, or recreates it on a relay that lost it, from its whole log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Create {
    /// Every record of the log, the genesis first.
    #[n(0)]
    pub records: Vec<Bytes>,
    /// The sealed-key blobs that the records name, as far as the client has them.
    #[n(1)]
    pub blobs: Vec<Bytes>,
}

/// `POST /v1/journals/{journal}/log`: appends records, if the head is still the one named.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct LogAppend {
    /// The head that the first record follows.
    #[n(0)]
    pub head: RecordHash,
    /// The records, in order.
    #[n(1)]
    pub records: Vec<Bytes>,
    /// The sealed-key blobs that the records name.
    #[n(2)]
    pub blobs: Vec<Bytes>,
}

/// The answer to `GET /v1/journals/{journal}/log?from=N`, to a create, and to an append.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct LogPage {
    /// The number of records that the relay has.
    #[n(0)]
    pub length: u32,
    /// The hash of the last.
    #[n(1)]
    pub head: RecordHash,
    /// Records from the index asked for.
    #[n(2)]
    pub records: Vec<Bytes>,
    /// The sealed-key blobs that these records give to devices; for an invite's key, also those sealed to it.
    #[n(3)]
    pub blobs: Vec<Bytes>,
}

/// `POST /v1/journals/{journal}/sync`: asks for everything that the vector lacks.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// The number of records of the client's log.
    #[n(0)]
    pub log_length: u32,
    /// The client's head.
    #[n(1)]
    pub head: RecordHash,
    /// The envelopes that the client has.
    #[n(2)]
    pub vector: Vector,
}

/// The answer to a sync.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SyncAnswer {
    /// The relay's log from the client's length on, if the client's head is the relay's record there; else only its
    /// length and head.
    #[n(0)]
    pub log: LogPage,
    /// Envelopes outside the client's vector, each chain in order; as many as fit a page, at least one.
    #[n(1)]
    pub envelopes: Vec<Bytes>,
    /// Whether the vector lacks more than this page brought.
    #[n(2)]
    pub more: bool,
    /// The last envelope the relay has of each chain.
    #[n(3)]
    pub heads: Vector,
    /// How much the journal may store and stores.
    #[n(4)]
    pub quota: Quota,
}

/// The storage of one journal, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Quota {
    /// In use.
    #[n(0)]
    pub used: u64,
    /// The most that it may use.
    #[n(1)]
    pub limit: u64,
}

/// `POST /v1/journals/{journal}/envelopes`: stores envelopes, each chain in order.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Append {
    /// The client's head; if the relay's log is longer, nothing is stored and the answer is 409.
    #[n(0)]
    pub head: RecordHash,
    /// The envelopes.
    #[n(1)]
    pub envelopes: Vec<Bytes>,
}

/// The answer to an append: everything accepted is durable.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Appended {
    /// The last envelope the relay now has of each chain.
    #[n(0)]
    pub heads: Vector,
    /// The envelopes not stored, by their place in the request.
    #[n(1)]
    pub refused: Vec<Refused>,
}

/// One envelope that the relay did not store.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Refused {
    /// Its place in the request, from 0.
    #[n(0)]
    pub index: u32,
    /// Why, in words.
    #[n(1)]
    pub reason: String,
}

/// `POST /v1/journals/{journal}/snapshots`: keeps manifests and acknowledgements of snapshots.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct PutSnapshots {
    /// Signed manifests.
    #[n(0)]
    pub snapshots: Vec<Bytes>,
    /// Acknowledgements of these, or of manifests that the relay has.
    #[n(1)]
    pub acknowledgements: Vec<Acknowledgement>,
    /// Whether chains of which the relay has less than a manifest covers start from there: who asks so does not have what is
    /// covered, and so cannot give it back to a relay that lost it.
    #[n(2)]
    pub start: bool,
}

/// The answer to `GET` and `POST /v1/journals/{journal}/snapshots`, and to a prune: the snapshots that the relay has whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Snapshots {
    /// Signed manifests, oldest first.
    #[n(0)]
    pub snapshots: Vec<Bytes>,
    /// Acknowledgements of these.
    #[n(1)]
    pub acknowledgements: Vec<Acknowledgement>,
}

impl Snapshots {
    /// Returns those that may be relied on by what the log and the acknowledgements here say, newest first. Acknowledgements of
    /// devices that are no members any more do not count, nor does a snapshot that a frontier has overtaken.
    pub fn relied_on<'a>(&'a self, log: &'a MemberLog) -> impl Iterator<Item = Snapshot> + 'a {
        self.snapshots.iter().rev().filter_map(|bytes| {
            let snapshot = Snapshot::parse(bytes.0.clone()).ok()?;
            let manifest = snapshot.verify(log).ok()?;
            let of = self.acknowledgements.iter();
            let of = of.filter(|one| one.snapshot == snapshot.hash() && one.verify(log).is_ok());
            let relied = snapshot::is_attested(manifest, of.map(|one| one.device), log)
                && !snapshot::is_overtaken(manifest, log);
            relied.then_some(snapshot)
        })
    }
}

/// The answer to `GET /v1/journals/{journal}/snapshots/{hash}?from=N`: parts of one snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SnapshotParts {
    /// Envelopes from part `N` on (from 0); as many as fit a page, at least one if there is one.
    #[n(0)]
    pub parts: Vec<Bytes>,
}

/// The answer to `GET /v1/journals`: the journals that the asking key is a member of.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct JournalList {
    /// Their ids, in order.
    #[n(0)]
    pub journals: Vec<JournalId>,
}

/// The kinds of problem that a client acts on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// 400: the request is malformed.
    Malformed,
    /// 401: the proof is missing, wrong, or its time is off; `time` carries the relay's.
    Unauthorized,
    /// 403: the key may not do this.
    Forbidden,
    /// 403: the device was removed from the journal. It may read the member log up to the record that removed it.
    NotAMember,
    /// 403: the enrolment token is missing or wrong.
    WrongToken,
    /// 403: the invite has expired.
    InviteExpired,
    /// 403: a device has joined with the invite.
    InviteUsed,
    /// 403: the invite was withdrawn.
    InviteWithdrawn,
    /// 404: the relay does not have this journal.
    UnknownJournal,
    /// 404: no such path. 405: no such method.
    NotFound,
    /// 409: the log has another head; read it, and ask again only if still wanted.
    StaleHead,
    /// 409: the record does not follow the rules of the member log.
    RuleBroken,
    /// 409: the record takes the right to write from a device of which the relay holds more than its frontier names; sync,
    /// and sign again if still wanted.
    BehindFrontier,
    /// 409: the snapshot is not what the relay has: a part is missing, or another envelope stands where it says.
    SnapshotUnfit,
    /// 410: the journal was erased for good; `record` carries the owner's record that did it.
    Erased,
    /// 413: the request is longer than the limit.
    TooLarge,
    /// 429: too many requests; wait as `Retry-After` says.
    TooMany,
    /// 500: the relay failed; nothing was acknowledged.
    Internal,
    /// 503: the relay cannot serve now; nothing was acknowledged.
    Unavailable,
    /// 507: the journal's quota, or the disk, is full.
    Full,
}

/// A problem as the relay answers it (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// What a client acts on.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in words.
    pub detail: String,
    /// The limit that was passed, where one was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u64>,
    /// The relay's time in seconds since the Unix epoch, with a 401.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<u64>,
    /// The signed member-log record that erased the journal, in hex, with a 410.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<String>,
}

/// An enrolment token: whoever has it may create journals on a relay.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentToken(String);

/// A text that is no enrolment token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an enrolment token is 8 to 128 letters, digits, `-` or `_`")]
pub struct InvalidToken;

impl EnrolmentToken {
    /// Returns the secret text, to send or to hash; never to print.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnrolmentToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (8..=128).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentToken(…)")
    }
}
