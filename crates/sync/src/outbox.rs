//! What goes to the relay: own changes, sealed once; and every envelope that the relay lacks.

use protocol::envelope::{Header, VerifiedEnvelope};
use protocol::id::{ChainId, KeyId, Seq};
use protocol::judge::ChainTip;
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::Vector;
use rand_core::CryptoRng;
use seal::{Content, VectorPart};

use crate::action::{Fault, Outgoing, Unsealed};
use crate::state::{Known, Replica};

/// Every how many envelopes the whole vector is carried.
const WHOLE_VECTOR_EVERY: u64 = 64;

/// Seals batches of own changes into the next places of the own chain.
///
/// # Errors
/// [`Fault::NotMember`] if this device may not write; [`Fault::NoKey`]; [`Fault::Seal`].
pub(crate) fn seal_batches(
    replica: &mut Replica,
    batches: Vec<Unsealed>,
    random: &mut impl CryptoRng,
) -> Result<Vec<Outgoing>, Fault> {
    let device = replica.device.key_id();
    if !replica.log.role(&device).is_some_and(Role::may_write) {
        return Err(Fault::NotMember);
    }
    batches
        .into_iter()
        .map(|batch| seal_one(replica, device, batch, random))
        .collect()
}

fn seal_one(
    replica: &mut Replica,
    device: KeyId,
    unsealed: Unsealed,
    random: &mut impl CryptoRng,
) -> Result<Outgoing, Fault> {
    let chain = replica.own_chain();
    let previous = replica.own_tip();
    let seq = Seq(previous.map_or(0, |(seq, _)| seq.0) + 1);
    let epoch = replica.log.epoch().number;
    let key = replica.keys.get(epoch).ok_or(Fault::NoKey { epoch })?;
    let mut nonce = [0; 24];
    random.fill_bytes(&mut nonce);
    let header = Header {
        kind: unsealed.kind,
        journal: replica.log.journal(),
        device,
        salt: replica.own.salt,
        seq,
        prev: previous.map(|(_, hash)| hash),
        head: replica.log.head(),
        epoch,
        nonce,
    };
    let vector = replica.vector();
    let whole = seq.0 % WHOLE_VECTOR_EVERY == 1;
    let chains = if whole {
        vector.clone()
    } else {
        vector.moved_since(&replica.own.sealed_vector)
    };
    let content = Content {
        seen: VectorPart { whole, chains },
        batch: protocol::cbor::Bytes(unsealed.batch),
    };
    let envelope = seal::seal(header, &content, key, &replica.device)?;
    let head = replica.log.length().saturating_sub(1);
    let tip = ChainTip {
        seq,
        hash: envelope.hash(),
        head,
    };
    replica.chains.insert(chain, Known { device, tip });
    replica.own.sealed_vector = vector.clone();
    Ok(Outgoing {
        envelope: VerifiedEnvelope::trusted(envelope),
        head,
        seen: vector,
        mark: unsealed.mark,
    })
}

/// Returns the first chain that the relay lacks envelopes of, the last place that it has, and the last that it takes; the own chain comes last,
/// so that what it depends on is there first.
pub(crate) fn lacking(replica: &Replica, relay: &Vector) -> Option<(ChainId, Seq, Seq)> {
    let own = replica.own_chain();
    let behind = |(chain, known): (&ChainId, &Known)| {
        let has = relay.seq(chain);
        let until = counted(replica, chain, known);
        (has < until).then_some((*chain, has, until))
    };
    let others = replica.chains.iter().filter(|(chain, _)| **chain != own);
    let others = others.filter(|_| !cfg!(ebb_mutant = "restore-own-only"));
    others.filter_map(behind).next().or_else(|| {
        replica
            .chains
            .get(&own)
            .and_then(|known| behind((&own, known)))
    })
}

/// Returns the last place of a chain that a relay takes: what is beyond the frontier of its device stays here.
pub(crate) fn counted(replica: &Replica, chain: &ChainId, known: &Known) -> Seq {
    let device = replica.log.devices().get(&known.device);
    let losses = device.into_iter().flat_map(|device| device.losses());
    let frontier = losses
        .filter(|loss| loss.since > known.tip.head)
        .map(|loss| loss.frontier.seq(chain));
    frontier
        .min()
        .map_or(known.tip.seq, |last| last.min(known.tip.seq))
}

/// Returns how many envelopes the relay once acknowledged and now lacks.
pub(crate) fn lost(acknowledged: &Vector, relay: &Vector) -> u64 {
    if cfg!(ebb_mutant = "ignore-loss") {
        return 0;
    }
    acknowledged
        .0
        .iter()
        .map(|(chain, had)| had.seq.0.saturating_sub(relay.seq(chain).0))
        .sum()
}

/// A deliberate bug: what is sent again is sealed anew.
#[cfg(ebb_mutant = "seal-again")]
pub(crate) fn seal_again(
    replica: &Replica,
    envelopes: Vec<VerifiedEnvelope>,
    random: &mut impl CryptoRng,
) -> Vec<VerifiedEnvelope> {
    let own = replica.own_chain();
    let mut again = |envelope: VerifiedEnvelope| {
        let mut header = envelope.header().clone();
        let key = replica.keys.get(header.epoch)?;
        let content = seal::open(&envelope, key).ok()?;
        random.fill_bytes(&mut header.nonce);
        let sealed = seal::seal(header, &content, key, &replica.device).ok()?;
        Some(VerifiedEnvelope::trusted(sealed))
    };
    let envelopes = envelopes.into_iter();
    envelopes
        .map(|one| match one.header().chain() == own {
            true => again(one.clone()).unwrap_or(one),
            false => one,
        })
        .collect()
}
