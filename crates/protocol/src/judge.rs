//! The judgement of an envelope: the order of checks, and what each failure means.
//!
//! signature → head known → role at head → epoch of head → chain → frontier. (Decryption, batch and scratch apply follow
//! where there are keys.) The relay and every client run this same code; a relay refuses
//! what a client would hold, since it has the newest log. An envelope is judged by its own signature and the log,
//! never by who uploads it.

use crate::envelope::{Envelope, VerifiedEnvelope};
use crate::id::{EnvelopeHash, Seq};
use crate::log::MemberLog;
use crate::role::Role;
use crate::vector::Position;

/// What is known of the chain an envelope claims to continue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainTip {
    /// The last place.
    pub seq: Seq,
    /// The last envelope's hash.
    pub hash: EnvelopeHash,
    /// The index of the record that the last envelope named as head.
    pub head: u32,
}

impl ChainTip {
    /// Returns the last place, with its hash.
    pub fn position(&self) -> Position {
        Position {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

/// What becomes of an envelope whose frame is read.
#[derive(Debug)]
pub enum Verdict {
    /// It is next in its chain, signed by a device that might write then.
    Accept {
        /// The envelope, verified.
        envelope: VerifiedEnvelope,
        /// The index of the record that it names as head.
        head: u32,
        /// What its device might do then.
        role: Role,
    },
    /// It is next in its chain, but its device lost the right to write before this was seen by whoever took it: it keeps
    /// its place, and is held, not merged.
    Beyond {
        /// The envelope, verified.
        envelope: VerifiedEnvelope,
        /// The index of the record that it names as head.
        head: u32,
        /// What its device might do then.
        role: Role,
    },
    /// It cannot be judged or merged yet; keep it and judge again later.
    Hold(Hold),
    /// It is at or below the tip of its chain: known already if the hash is, else a second envelope for one place.
    Known(VerifiedEnvelope),
    /// It is wrong for ever.
    Refuse(Refusal),
}

/// Why an envelope must wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Hold {
    /// It names a member-log record that is not known here.
    #[error("it names a member-log record not known here")]
    UnknownHead,
    /// Envelopes before it are missing.
    #[error("envelopes before it in its chain are missing")]
    Gap,
}

/// Why an envelope is refused. Peer misbehaved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another journal.
    #[error("it belongs to another journal")]
    Journal,
    /// Its signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The device was no member at the head that it names.
    #[error("its device was no member then")]
    NotMember,
    /// The device might not write at the head that it names.
    #[error("its device might not write then")]
    NotPermitted,
    /// The epoch is not that of the head that it names.
    #[error("its epoch is not that of the member log it names")]
    Epoch,
    /// The head it names is older than the one its predecessor names.
    #[error("it names an older member log than the envelope before it")]
    OlderHead,
    /// It does not name the hash of the envelope before it.
    #[error("it does not follow the envelope before it")]
    Chain,
}

/// Judges an envelope by the log and what is known of its chain.
pub fn judge(envelope: Envelope, log: &MemberLog, tip: Option<ChainTip>) -> Verdict {
    let header = envelope.header();
    if header.journal != log.journal() {
        return Verdict::Refuse(Refusal::Journal);
    }
    let head = log.index_of(&header.head);
    let Some(device) = log.devices().get(&header.device) else {
        return match head {
            None => Verdict::Hold(Hold::UnknownHead),
            Some(_) => Verdict::Refuse(Refusal::NotMember),
        };
    };
    let Ok(envelope) = envelope.verify(device.verifier()) else {
        return Verdict::Refuse(Refusal::Signature);
    };
    let header = envelope.header();
    let Some(head) = head else {
        return Verdict::Hold(Hold::UnknownHead);
    };
    let role = match device.role_at(head) {
        None => return Verdict::Refuse(Refusal::NotMember),
        Some(role)
            if (!role.may_write() || device.keys.paper) && !cfg!(ebb_mutant = "readers-write") =>
        {
            return Verdict::Refuse(Refusal::NotPermitted);
        }
        Some(role) => role,
    };
    if log
        .epoch_at(head)
        .is_none_or(|epoch| epoch.number != header.epoch)
        && !cfg!(ebb_mutant = "skip-epoch")
    {
        return Verdict::Refuse(Refusal::Epoch);
    }
    let known = tip.map_or(Seq(0), |tip| tip.seq);
    if header.seq <= known {
        return Verdict::Known(envelope);
    }
    if header.seq.0 != known.0 + 1 {
        return Verdict::Hold(Hold::Gap);
    }
    if let Some(tip) = tip {
        if header.prev != Some(tip.hash) {
            return Verdict::Refuse(Refusal::Chain);
        }
        if head < tip.head {
            return Verdict::Refuse(Refusal::OlderHead);
        }
    }
    let position = Position {
        seq: header.seq,
        hash: envelope.envelope().hash(),
    };
    let (device, chain) = (header.device, header.chain());
    if log.is_beyond_frontier(&device, &chain, position, head) {
        return Verdict::Beyond {
            envelope,
            head,
            role,
        };
    }
    Verdict::Accept {
        envelope,
        head,
        role,
    }
}
