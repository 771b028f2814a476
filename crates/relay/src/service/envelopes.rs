//! Storing envelopes: each judged by its own signature and the newest log, never by who brings it.
//!
//! What is judged against may be old by the time of the write, so the write is conditional, and is tried again. Refusals
//! do not depend on that: they are judged against one moment of the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::api::{Append, Appended, Refused};
use protocol::cbor::Bytes;
use protocol::envelope::Envelope;
use protocol::id::{ChainId, EnvelopeHash, JournalId, Seq};
use protocol::judge::{self, ChainTip, Verdict};
use protocol::limits;
use protocol::log::MemberLog;
use protocol::vector::Vector;

use super::{Relay, TRIES};
use crate::storage::{AppendOutcome, LogHead, NewEnvelope, Standing, StorageError};

/// What became of an append.
#[derive(Debug)]
pub(crate) enum Stored {
    /// Every envelope is stored, or refused with its reason.
    Done(Appended),
    /// The client's log is not the relay's; nothing was stored.
    Stale,
    /// The journal is not here, or not any more.
    Missing,
    /// The journal's quota is used up; nothing was stored.
    OverQuota,
    /// The journal has as many envelopes as it may have; nothing was stored.
    TooMany,
    /// Others wrote to the same chains again and again; nothing was stored.
    Busy,
}

/// An envelope that could not be read, in words; or one that could.
type Framed = Result<Envelope, String>;

/// What judging a list of envelopes gives.
struct Judged {
    accepted: Vec<NewEnvelope>,
    refused: Vec<Refused>,
    /// The ends of all chains, as they are once it is stored.
    tips: BTreeMap<ChainId, ChainTip>,
}

impl Relay {
    /// Stores envelopes and tells the journal's subscribers.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was stored then.
    pub(crate) async fn append(
        &self,
        journal: JournalId,
        append: Append,
    ) -> Result<Stored, StorageError> {
        let size = append.envelopes.iter().map(|bytes| bytes.0.len()).sum();
        let head = append.head;
        let framed = super::apart(size, move || frame(append.envelopes)).await?;
        let framed = Arc::new(framed);
        let mut remembered = self.remembered(journal);
        for _ in 0..TRIES {
            let is_fresh = remembered.is_none();
            let standing = match remembered.take() {
                Some(standing) => standing,
                None => match self.storage().standing(journal, places(&framed)).await? {
                    Some(standing) => standing,
                    None => return Ok(Stored::Missing),
                },
            };
            let log_end = standing.log;
            if log_end.hash != head {
                if is_fresh {
                    return Ok(Stored::Stale);
                }
                continue;
            }
            let Some(log) = self.log_at(journal, log_end).await? else {
                continue;
            };
            let envelopes = Arc::clone(&framed);
            let judged = super::apart(size, move || judge_all(&envelopes, &log, standing)).await?;
            let is_plain = !framed.is_empty() && judged.accepted.len() == framed.len();
            if !is_fresh && !is_plain {
                continue;
            }
            if let Some(stored) = self.store(journal, log_end, judged).await? {
                return Ok(stored);
            }
        }
        Ok(Stored::Busy)
    }

    /// Returns what envelopes were last judged against, if it is remembered. Where other relays write too it never is: clients
    /// rely on the heads that they are answered.
    fn remembered(&self, journal: JournalId) -> Option<Standing> {
        if self.storage().is_shared() {
            None
        } else {
            self.standings.find(&journal)
        }
    }

    /// Stores what was judged; none if it must be judged again.
    async fn store(
        &self,
        journal: JournalId,
        log: LogHead,
        judged: Judged,
    ) -> Result<Option<Stored>, StorageError> {
        let Judged {
            accepted,
            refused,
            tips,
        } = judged;
        // What was pruned counts: chains keep its places.
        let count: u64 = tips.values().map(|tip| tip.seq.0).sum();
        let heads = tips.iter().map(|(chain, tip)| (*chain, tip.position()));
        let done = Stored::Done(Appended {
            heads: Vector(heads.collect()),
            refused,
        });
        if accepted.is_empty() {
            return Ok(Some(done));
        }
        if count > self.limits().envelopes {
            return Ok(Some(Stored::TooMany));
        }
        let quota = self.limits().quota;
        let outcome = self
            .storage()
            .append(journal, log, accepted, quota, self.now())
            .await?;
        match outcome {
            AppendOutcome::Stored => {
                let known = BTreeMap::new();
                self.standings.keep(journal, Standing { log, tips, known });
                self.news().tell(&journal);
                Ok(Some(done))
            }
            AppendOutcome::OverQuota => {
                let pruned = self.prune(journal).await?;
                Ok((pruned == 0).then_some(Stored::OverQuota))
            }
            AppendOutcome::Moved => {
                self.standings.forget(&journal);
                Ok(None)
            }
        }
    }
}

fn places(framed: &[Framed]) -> Vec<(ChainId, Seq)> {
    let headers = framed.iter().flatten().map(Envelope::header);
    headers.map(|header| (header.chain(), header.seq)).collect()
}

fn frame(envelopes: Vec<Bytes>) -> Vec<Framed> {
    envelopes
        .into_iter()
        .map(|bytes| Envelope::parse(bytes.0).map_err(|error| error.to_string()))
        .collect()
}

/// Judges envelopes in their order; each may follow one before it in the list.
fn judge_all(envelopes: &[Framed], log: &MemberLog, standing: Standing) -> Judged {
    let Standing {
        mut tips,
        mut known,
        ..
    } = standing;
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (index, framed) in (0..).zip(envelopes) {
        match judge_one(framed, log, &tips, &known) {
            Ok(Some(envelope)) => {
                known.insert((envelope.chain, envelope.tip.seq), envelope.tip.hash);
                tips.insert(envelope.chain, envelope.tip);
                accepted.push(envelope);
            }
            Ok(None) => {}
            Err(reason) => refused.push(Refused { index, reason }),
        }
    }
    Judged {
        accepted,
        refused,
        tips,
    }
}

/// Judges one envelope: to store, stored already (`None`), or refused with the reason in words.
fn judge_one(
    framed: &Framed,
    log: &MemberLog,
    tips: &BTreeMap<ChainId, ChainTip>,
    known: &BTreeMap<(ChainId, Seq), EnvelopeHash>,
) -> Result<Option<NewEnvelope>, String> {
    let envelope = framed.clone()?;
    let (chain, seq) = (envelope.header().chain(), envelope.header().seq);
    let (device, prev) = (envelope.header().device, envelope.header().prev);
    let tip = tips.get(&chain).copied();
    if tip.is_none() && tips.len() >= limits::VECTOR_CHAINS {
        return Err(format!(
            "a journal has at most {} chains",
            limits::VECTOR_CHAINS
        ));
    }
    match judge::judge(envelope, log, tip) {
        Verdict::Accept { envelope, head, .. } => {
            let hash = envelope.envelope().hash();
            Ok(Some(NewEnvelope {
                chain,
                device,
                prev,
                tip: ChainTip { seq, hash, head },
                bytes: envelope.envelope().bytes().to_vec(),
            }))
        }
        Verdict::Known(envelope) => {
            // One that is not found was pruned: it need not be stored again.
            let here = known.get(&(chain, seq));
            if here.is_none_or(|here| *here == envelope.envelope().hash()) {
                Ok(None)
            } else {
                Err("another envelope holds this place in its chain".to_owned())
            }
        }
        Verdict::Beyond { .. } => {
            Err("its device lost the right to write before this was seen".to_owned())
        }
        Verdict::Hold(hold) => Err(hold.to_string()),
        Verdict::Refuse(refusal) => Err(refusal.to_string()),
    }
}
