//! What a relay lost of what it had acknowledged: what a session with it must notice, and mend.
//!
//! Counted by code of its own, from what the relay really has at the moment of its answer. A session must name the loss
//! before it asks for anything more, and give back what its replica still has, unless the relay refuses something or loses
//! more meanwhile.

use protocol::id::{ChainId, EnvelopeHash};
use sync::{Outcome, Warning};

use super::disk::State;
use super::ledger::{Carrier, is_excluded};
use super::relay::Relay;

/// What a relay lacks that it once acknowledged to a machine.
pub(crate) struct Loss {
    /// How many envelopes.
    count: u64,
    /// Those that the machine has, and that count: chain, place, hash.
    mendable: Vec<(ChainId, u64, EnvelopeHash)>,
    /// How often the relay had lost something by then.
    losses: usize,
    noticed: bool,
    /// The relay refused something, after which the session does not go on.
    refused: bool,
}

impl Loss {
    /// Compares what relay `number` has with what it acknowledged; `None` if it has all of it.
    pub(crate) fn of(state: &State, number: usize, relay: &Relay) -> Option<Self> {
        let shelf = relay.shelf.as_ref()?;
        let mut loss = Self {
            count: 0,
            mendable: Vec::new(),
            losses: relay.losses,
            noticed: false,
            refused: false,
        };
        for (chain, had) in &state.acknowledged.get(&number)?.0 {
            for seq in shelf.length_of(chain) + 1..=had.seq.0 {
                loss.count += 1;
                loss.mendable.extend(held(state, chain, seq));
            }
        }
        (loss.count > 0).then_some(loss)
    }

    /// Takes a warning of the session.
    pub(crate) fn hear(&mut self, warning: &Warning) {
        match warning {
            Warning::RelayLost { lost } => self.noticed |= *lost == self.count,
            Warning::NotStored { .. } => self.refused = true,
            _ => {}
        }
    }

    /// Says what the session should have noticed by now.
    pub(crate) fn missed(&self) -> Option<String> {
        let count = self.count;
        (!self.noticed).then(|| {
            format!("a session did not notice that the relay lost {count} envelopes that it had acknowledged")
        })
    }

    /// Says what the session should have mended at its end. `alone`: nobody else synced meanwhile.
    pub(crate) fn unmended(&self, relay: &Relay, outcome: Outcome, alone: bool) -> Option<String> {
        let shelf = relay.shelf.as_ref()?;
        if self.refused || relay.losses != self.losses {
            return None;
        }
        let is_back =
            |(chain, seq, hash): &&(ChainId, u64, EnvelopeHash)| shelf.has(chain, *seq, hash);
        let (due, back) = (
            self.mendable.len(),
            self.mendable.iter().filter(is_back).count(),
        );
        if back < due {
            return Some(format!(
                "a session gave back {back} of {due} envelopes that the relay had lost"
            ));
        }
        let told = outcome.restored;
        (alone && usize::try_from(told).is_ok_and(|told| told < due))
            .then(|| format!("a session gave back {due} envelopes, and tells of {told}"))
    }
}

/// Returns an envelope that is kept at a place, if a relay takes it.
fn held(state: &State, chain: &ChainId, seq: u64) -> Option<(ChainId, u64, EnvelopeHash)> {
    let of = state.chains.get(chain)?;
    let at = usize::try_from(seq).ok()?.checked_sub(1)?;
    let envelope = of.kept.get(at)?.envelope.as_ref()?;
    let carrier = Carrier {
        device: of.device,
        chain: *chain,
        seq,
        hash: envelope.hash(),
        head: state.log.index_of(&envelope.header().head)?,
    };
    (!is_excluded(&state.log, &carrier)).then_some((*chain, seq, carrier.hash))
}
