//! Vectors: how far each chain has been seen, merged, or is covered.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::id::{ChainId, EnvelopeHash, Seq};

/// The last envelope known of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Position {
    /// Its place in the chain.
    #[n(0)]
    pub seq: Seq,
    /// Its hash.
    #[n(1)]
    pub hash: EnvelopeHash,
}

/// Chain → last envelope. Chains in order of their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Vector(#[n(0)] pub BTreeMap<ChainId, Position>);

impl Vector {
    /// Returns the last place known of a chain; zero if none is.
    pub fn seq(&self, chain: &ChainId) -> Seq {
        self.0.get(chain).map_or(Seq(0), |position| position.seq)
    }

    /// Returns whether an envelope of a chain is the last one known or before it, as far as its place and hash tell.
    pub fn reaches(&self, chain: &ChainId, position: Position) -> bool {
        self.0.get(chain).is_some_and(|last| {
            position.seq < last.seq || (position.seq == last.seq && position.hash == last.hash)
        })
    }

    /// Returns the part of `self` that differs from `since`: the chains that moved.
    pub fn moved_since(&self, since: &Self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(chain, position)| since.0.get(chain) != Some(position))
                .map(|(chain, position)| (*chain, *position))
                .collect(),
        )
    }
}
