//! What comes from the relay: log records, then envelopes; each verified before anything is done with it.

use std::collections::BTreeMap;

use protocol::api::LogPage;
use protocol::envelope::{Envelope, Kind};
use protocol::id::{BlobHash, ChainId, Seq};
use protocol::judge::{self, ChainTip, Hold, Refusal, Verdict};
use protocol::limits;
use protocol::log::LogError;
use protocol::record::{RecordError, SignedRecord, VerifiedRecord, VerifyError};
use protocol::role::Role;
use protocol::sign::Signer;

use seal::EpochKey;

use crate::action::{Action, Incoming, Warning};
use crate::state::{Known, Replica};

/// Why an envelope beyond the frontier of its device is held.
pub const BEYOND_FRONTIER: &str = "its device had lost the right to write";

/// Why nothing of the relay's member log is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Foreign {
    /// It is not an extension or a prefix of the own one.
    Fork {
        /// The first record known to differ, or one after it.
        at: u32,
    },
    /// It has more records than a log may have.
    TooLarge,
}

/// Takes the relay's part of the member log, and says what to store and to warn of.
///
/// # Errors
/// [`Foreign`]; the own log is unchanged then.
pub(crate) fn take_log(replica: &mut Replica, page: LogPage) -> Result<Vec<Action>, Foreign> {
    let (own_length, own_head) = (replica.log.length(), replica.log.head());
    if page.length == own_length && page.head != own_head {
        return Err(Foreign::Fork {
            at: own_length.saturating_sub(1),
        });
    }
    if page.length < own_length {
        let last = page
            .length
            .checked_sub(1)
            .and_then(|last| replica.log.hash_at(last));
        return if last == Some(page.head) {
            Ok(Vec::new())
        } else {
            Err(Foreign::Fork { at: page.length })
        };
    }
    if page.length > own_length && page.records.is_empty() {
        return Err(Foreign::Fork { at: own_length });
    }
    if page.records.len() > limits::LOG_RECORDS {
        return Err(Foreign::TooLarge);
    }
    let mut records = Vec::new();
    let mut actions = Vec::new();
    for bytes in page.records {
        match append(replica, &bytes.0) {
            Ok(record) => records.push(record),
            Err(LogError::Verify(VerifyError::Record(RecordError::Newer { .. }))) => {
                actions.push(Action::Warn(Warning::NewerLog));
                break;
            }
            Err(LogError::Place) if records.is_empty() => {
                return Err(Foreign::Fork { at: own_length });
            }
            Err(_) => {
                actions.push(Action::Warn(Warning::InvalidLog {
                    used: replica.log.length(),
                }));
                break;
            }
        }
    }
    if !records.is_empty() {
        let small = |blob: &Vec<u8>| blob.len() <= limits::BLOB_BYTES;
        let blobs: Vec<Vec<u8>> = page
            .blobs
            .into_iter()
            .map(|blob| blob.0)
            .filter(small)
            .collect();
        adopt_keys(replica, &blobs);
        actions.insert(0, Action::StoreLog { records, blobs });
    }
    Ok(actions)
}

/// Opens the keys of epochs that came with the log. One that cannot be opened is missing, and what needs it is held.
fn adopt_keys(replica: &mut Replica, blobs: &[Vec<u8>]) {
    let Replica {
        log, keys, device, ..
    } = replica;
    let sealed = log.devices().get(&device.key_id());
    for (number, hash) in sealed.into_iter().flat_map(|device| device.sealed()) {
        let blob = blobs.iter().find(|blob| BlobHash::of(blob) == *hash);
        let (Some(blob), Some(epoch), None) = (blob, log.epoch_of(*number), keys.get(*number))
        else {
            continue;
        };
        if let Ok(key) = EpochKey::open(blob, epoch, device) {
            keys.add(log, key);
        }
    }
}

fn append(replica: &mut Replica, bytes: &[u8]) -> Result<VerifiedRecord, LogError> {
    replica.log.append(SignedRecord::parse(bytes)?)
}

/// What became of the envelopes of one answer.
pub(crate) struct Taken {
    /// Envelopes to merge or hold, in order.
    pub(crate) incoming: Vec<Incoming>,
    /// Envelopes to keep for later, and warnings.
    pub(crate) actions: Vec<Action>,
    /// Whether the own chain has envelopes that this replica never sealed.
    pub(crate) copied: bool,
    /// The last place of the own chain that both this replica and the relay may have, if they differ from there on.
    pub(crate) diverged: Option<Seq>,
}

/// Judges and opens envelopes, advancing the tips of their chains. Envelopes that wait for a place are tried again as
/// long as others make room for them.
pub(crate) fn take_envelopes(replica: &mut Replica, envelopes: Vec<Vec<u8>>) -> Taken {
    let mut taken = Taken {
        incoming: Vec::new(),
        actions: Vec::new(),
        copied: false,
        diverged: None,
    };
    let mut waiting: BTreeMap<_, (Envelope, Hold)> = BTreeMap::new();
    for bytes in envelopes {
        match Envelope::parse(bytes) {
            Ok(envelope) => {
                if let Some((envelope, hold)) = take(replica, envelope, &mut taken) {
                    let header = envelope.header();
                    waiting.insert(
                        (header.chain(), header.seq, envelope.hash()),
                        (envelope, hold),
                    );
                }
            }
            Err(_) => taken.actions.push(Action::Warn(Warning::Garbage)),
        }
    }
    for (_, (envelope, _)) in std::mem::take(&mut waiting) {
        if let Some((envelope, hold)) = take(replica, envelope, &mut taken) {
            let (hash, reason) = (envelope.hash(), hold.to_string());
            let envelope = envelope.bytes().to_vec();
            taken.actions.push(Action::Wait {
                envelope,
                hash,
                reason,
            });
        }
    }
    taken
}

/// Takes one envelope; gives it back if it must wait.
fn take(replica: &mut Replica, envelope: Envelope, taken: &mut Taken) -> Option<(Envelope, Hold)> {
    let chain = envelope.header().chain();
    let device = envelope.header().device;
    let tip = replica.chains.get(&chain).map(|known| known.tip);
    // A copy is needed only where the envelope must wait; most are accepted, and are not copied.
    let waits = may_wait(replica, &envelope, tip).then(|| envelope.clone());
    match judge::judge(envelope, &replica.log, tip) {
        Verdict::Accept {
            envelope,
            head,
            role,
        } => {
            let content = open(replica, &envelope, role);
            let epoch = envelope.envelope().header().epoch;
            let explained = replica.keys.get(epoch).is_none() && replica.lacks_key().is_some();
            if let Err(reason) = &content
                && !explained
            {
                let reason = reason.clone();
                taken
                    .actions
                    .push(Action::Warn(Warning::CannotOpen { device, reason }));
            }
            let incoming = Incoming {
                envelope,
                head,
                role,
                content,
            };
            place(replica, taken, incoming);
            None
        }
        Verdict::Beyond {
            envelope,
            head,
            role,
        } => {
            taken
                .actions
                .push(Action::Warn(Warning::BeyondFrontier { device }));
            let incoming = Incoming {
                envelope,
                head,
                role,
                content: Err(BEYOND_FRONTIER.to_owned()),
            };
            place(replica, taken, incoming);
            None
        }
        Verdict::Known(envelope) => {
            note_known(replica, chain, &envelope, taken);
            None
        }
        Verdict::Hold(hold) => waits.map(|envelope| (envelope, hold)),
        Verdict::Refuse(Refusal::Chain) if chain == replica.own_chain() => {
            // Another copy of this device wrote here: the envelope before its own is not the one of this replica.
            let before = tip.map_or(0, |tip| tip.seq.0).saturating_sub(1);
            taken.diverged = Some(Seq(before));
            None
        }
        Verdict::Refuse(refusal) => {
            taken
                .actions
                .push(Action::Warn(Warning::Refused { device, refusal }));
            None
        }
    }
}

/// Puts an envelope at the end of its chain.
fn place(replica: &mut Replica, taken: &mut Taken, incoming: Incoming) {
    let header = incoming.envelope.header();
    let (chain, device) = (header.chain(), header.device);
    taken.copied |= chain == replica.own_chain();
    let tip = ChainTip {
        seq: header.seq,
        hash: incoming.envelope.envelope().hash(),
        head: incoming.head,
    };
    replica.chains.insert(chain, Known { device, tip });
    taken.incoming.push(incoming);
}

/// Returns whether an envelope can turn out to wait: its head is unknown, or it leaves a gap in its chain.
fn may_wait(replica: &Replica, envelope: &Envelope, tip: Option<ChainTip>) -> bool {
    let next = tip.map_or(0, |tip| tip.seq.0).saturating_add(1);
    envelope.header().seq.0 > next || replica.log.index_of(&envelope.header().head).is_none()
}

/// Compares an envelope at or below the tip of its chain with what is known of that place: the tip's hash.
fn note_known(
    replica: &Replica,
    chain: ChainId,
    envelope: &protocol::envelope::VerifiedEnvelope,
    taken: &mut Taken,
) {
    let header = envelope.header();
    let Some(known) = replica.chains.get(&chain) else {
        return;
    };
    if header.seq == known.tip.seq && envelope.envelope().hash() != known.tip.hash {
        if chain == replica.own_chain() {
            taken.diverged = Some(Seq(header.seq.0.saturating_sub(1)));
            return;
        }
        let (device, seq) = (header.device, header.seq);
        taken
            .actions
            .push(Action::Warn(Warning::TwoAtOnePlace { device, seq }));
    }
}

fn open(
    replica: &Replica,
    envelope: &protocol::envelope::VerifiedEnvelope,
    role: Role,
) -> Result<seal::Content, String> {
    if envelope.header().kind == Kind::Snapshot && role != Role::Owner {
        return Err("it is a snapshot, and only owners may make one".to_owned());
    }
    let epoch = envelope.header().epoch;
    let key = replica
        .keys
        .get(epoch)
        .ok_or_else(|| format!("the key of epoch {epoch} is missing"))?;
    seal::open(envelope, key).map_err(|error| error.to_string())
}
