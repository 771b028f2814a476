//! Who asks, as a journal's log says.

use protocol::id::KeyId;
use protocol::log::{InviteEntry, InviteState, MemberLog};
use protocol::role::Role;
use protocol::sign::Verifier;

/// Who a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A device that is a member.
    Device(Role),
    /// A device that joined and waits for an owner's approval.
    Waiting,
    /// A device that the record of this index removed.
    Removed(u32),
    /// An invite with which a device may join.
    Invite,
    /// An invite with which no device may join any more.
    ClosedInvite(Closed),
}

/// Why no device may join with an invite.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Closed {
    /// Its time is over.
    #[error("the invite has expired")]
    Expired,
    /// A device has joined with it.
    #[error("the invite was used")]
    Used,
    /// It was withdrawn.
    #[error("the invite was withdrawn")]
    Withdrawn,
}

impl Closed {
    /// Returns why an invite is closed at the instant `now`, in Unix seconds; none if it is open.
    pub(crate) fn find(invite: &InviteEntry, now: u64) -> Option<Self> {
        match invite.state {
            InviteState::Open if invite.invite.expires >= now => None,
            InviteState::Open => Some(Self::Expired),
            InviteState::Used(_) => Some(Self::Used),
            InviteState::Withdrawn => Some(Self::Withdrawn),
        }
    }
}

impl Asker {
    /// Finds whose a key is, and what checks its signatures; none if the log never knew it.
    pub(crate) fn find(log: &MemberLog, key: &KeyId, now: u64) -> Option<(Self, Verifier)> {
        if let Some(device) = log.devices().get(key) {
            let asker = match (device.role(), device.removed_at()) {
                (Some(role), _) => Self::Device(role),
                (None, Some(record)) => Self::Removed(record),
                (None, None) => Self::Waiting,
            };
            return Some((asker, device.verifier().clone()));
        }
        let entry = log.invites().get(key)?;
        let asker = Closed::find(entry, now).map_or(Self::Invite, Self::ClosedInvite);
        Some((asker, Verifier::of(&entry.invite.signing)))
    }
}
