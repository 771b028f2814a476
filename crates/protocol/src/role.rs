//! Roles: what a device may do in a journal.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

/// What a device may do. The order is that of rights: a reader has the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Reads everything, writes nothing.
    #[n(0)]
    Reader,
    /// Writes entries.
    #[n(1)]
    Contributor,
    /// Writes entries and the profile, and says who is a member.
    #[n(2)]
    Owner,
}

/// A text that names no role.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a role: owner, contributor or reader")]
pub struct InvalidRole;

impl Role {
    /// Returns whether a device of this role may write entries.
    pub fn may_write(self) -> bool {
        self >= Self::Contributor
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Contributor => "contributor",
            Self::Owner => "owner",
        })
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match text {
            "reader" => Ok(Self::Reader),
            "contributor" => Ok(Self::Contributor),
            "owner" => Ok(Self::Owner),
            _ => Err(InvalidRole),
        }
    }
}
