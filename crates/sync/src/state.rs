//! What a session knows of its replica: the member log, the keys, and the tip of every chain.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{ChainId, ChainSalt, EnvelopeHash, KeyId, Seq};
use protocol::judge::ChainTip;
use protocol::log::MemberLog;
use protocol::vector::{Position, Vector};
use seal::{KeyPair, Keyring};

/// What is held of one chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// The device that writes it.
    pub device: KeyId,
    /// Its last envelope held here.
    pub tip: ChainTip,
}

/// The chain that this replica writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// Its salt.
    pub salt: ChainSalt,
    /// The vector as of the last envelope sealed, so that the next carries only what moved.
    pub sealed_vector: Vector,
}

/// The replica's state that a session starts from. The session advances it as its actions are carried out.
#[derive(Debug)]
pub struct Replica {
    /// The member log, verified up to its head.
    pub log: MemberLog,
    /// This device's keys.
    pub device: Arc<KeyPair>,
    /// The epoch keys that this device has.
    pub keys: Keyring,
    /// Every chain of which an envelope is held.
    pub chains: BTreeMap<ChainId, Known>,
    /// The own chain.
    pub own: Own,
    /// What the relay acknowledged to hold when it was last asked; empty for a relay never asked.
    pub acknowledged: Vector,
}

impl Replica {
    /// Returns the vector: the last envelope held of each chain.
    pub fn vector(&self) -> Vector {
        let position = |known: &Known| Position {
            seq: known.tip.seq,
            hash: known.tip.hash,
        };
        Vector(
            self.chains
                .iter()
                .map(|(chain, known)| (*chain, position(known)))
                .collect(),
        )
    }

    /// Returns the current epoch, if its key is missing.
    pub(crate) fn lacks_key(&self) -> Option<u32> {
        let epoch = self.log.epoch().number;
        self.keys.get(epoch).is_none().then_some(epoch)
    }

    /// Returns the own chain's id.
    pub fn own_chain(&self) -> ChainId {
        use protocol::sign::Signer;
        ChainId::of(&self.device.key_id(), &self.own.salt)
    }

    /// Returns the own chain's last envelope; none before the first.
    pub(crate) fn own_tip(&self) -> Option<(Seq, EnvelopeHash)> {
        self.chains
            .get(&self.own_chain())
            .map(|known| (known.tip.seq, known.tip.hash))
    }
}
