//! Who asks, as a journal's log says.

use protocol::id::{KeyId, SigningKey};
use protocol::log::{InviteState, MemberLog};
use protocol::role::Role;

/// Who a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A device that is a member.
    Device(Role),
    /// An invite with which a device may join.
    Invite,
    /// An invite that has expired, was used, or was withdrawn.
    ClosedInvite,
}

impl Asker {
    /// Finds whose a key is and the key it signs with; none if the log does not know it, or only knew it once.
    pub(crate) fn find(log: &MemberLog, key: &KeyId, now: u64) -> Option<(Self, SigningKey)> {
        if let Some(device) = log.devices().get(key) {
            return device
                .role()
                .map(|role| (Self::Device(role), device.keys.signing));
        }
        let entry = log.invites().get(key)?;
        let asker = match entry.state {
            InviteState::Open if entry.invite.expires >= now => Self::Invite,
            InviteState::Open | InviteState::Used(_) | InviteState::Withdrawn => Self::ClosedInvite,
        };
        Some((asker, entry.invite.signing))
    }
}
