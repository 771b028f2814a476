//! The session's state machine: which step follows which.
//!
//! ask → take log, take envelopes → (more? ask again) → collect and seal own changes → store → upload what the relay
//! lacks → done. A relay whose member log has moved on meanwhile (409) starts it over, a bounded number of times.

use std::collections::VecDeque;

use protocol::api::{
    Append, Appended, LogAppend, LogPage, Problem, ProblemKind, SyncAnswer, SyncRequest,
};
use protocol::cbor::Bytes;
use protocol::envelope::{Header, VerifiedEnvelope};
use protocol::id::{ChainSalt, Seq};
use protocol::limits;
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::Vector;
use rand_core::CryptoRng;

use crate::action::{Action, Event, Fault, Nonsense, Request, Unsealed, Warning};
use crate::inbox::Foreign;
use crate::state::Replica;
use crate::{inbox, outbox};

/// How often a session starts over before it gives up.
const ROUNDS: u32 = 4;

/// How a session ended well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Envelopes uploaded that the relay had once acknowledged, or that others wrote.
    pub restored: u64,
}

/// What the session waits for.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Step {
    Answer,
    LogAppended,
    Unsealed,
    Stored,
    Loaded,
    Appended,
    Over,
}

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// An exchange with a relay.
    Exchange,
    /// Taking in what a bundle holds: nothing is sealed or sent.
    Import,
    /// Sealing what is not sealed yet, for a bundle: nothing is asked or sent.
    Seal,
}

/// One exchange with one relay, or one half of an exchange by bundles.
#[derive(Debug)]
pub struct Session<R> {
    purpose: Purpose,
    replica: Replica,
    records: Vec<Vec<u8>>,
    random: R,
    step: Step,
    rounds: u32,
    waiting: Vec<Vec<u8>>,
    relay: Vector,
    relay_log: u32,
    in_flight: u64,
    restored: u64,
    /// Whether the relay has another member log.
    forked: bool,
    actions: VecDeque<Action>,
}

impl<R: CryptoRng> Session<R> {
    /// Starts a session: the first action is the question. `records` are the bytes of the member log in `replica`, which
    /// the relay may have lost; `waiting` are the envelopes kept for later by an earlier session.
    pub fn start(
        replica: Replica,
        records: Vec<Vec<u8>>,
        waiting: Vec<Vec<u8>>,
        random: R,
    ) -> Self {
        Self::with_purpose(Purpose::Exchange, replica, records, waiting, random)
    }

    /// Starts a session for a purpose. One that imports asks like any other: its driver answers out of the bundle.
    pub fn with_purpose(
        purpose: Purpose,
        replica: Replica,
        records: Vec<Vec<u8>>,
        waiting: Vec<Vec<u8>>,
        random: R,
    ) -> Self {
        let mut session = Self {
            purpose,
            replica,
            records,
            random,
            step: Step::Answer,
            rounds: 1,
            waiting,
            relay: Vector::default(),
            relay_log: 0,
            in_flight: 0,
            restored: 0,
            forked: false,
            actions: VecDeque::new(),
        };
        match purpose {
            Purpose::Exchange | Purpose::Import => session.ask(),
            Purpose::Seal => session.collect(),
        }
        session
    }

    /// Takes the next action. Call again until there is none; then an event is due, unless the last was
    /// [`Action::Finish`].
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes in what the driver reports. Call [`Self::poll`] next.
    pub fn handle(&mut self, event: Event) {
        let result = match (self.step, event) {
            (Step::Answer, Event::Synced(answer)) => self.synced(answer),
            (Step::LogAppended, Event::LogAppended(page)) => self.log_appended(page),
            (Step::Unsealed, Event::Unsealed(batches)) => self.unsealed(batches),
            (Step::Stored, Event::Stored(true)) => {
                self.upload();
                Ok(())
            }
            (Step::Stored, Event::Stored(false)) => Err(Fault::Busy),
            (Step::Loaded, Event::Loaded(envelopes)) => self.loaded(envelopes),
            (Step::Appended, Event::Appended(appended)) => self.appended(appended),
            (Step::LogAppended | Step::Appended, Event::Problem(problem)) => self.problem(problem),
            (Step::Answer, Event::Problem(problem)) => Err(Fault::Problem(problem)),
            _ => Err(Fault::Unexpected),
        };
        if let Err(fault) = result {
            self.finish(Err(fault));
        }
    }

    fn ask(&mut self) {
        self.step = Step::Answer;
        self.actions
            .push_back(Action::Send(Request::Sync(SyncRequest {
                log_length: self.replica.log.length(),
                head: self.replica.log.head(),
                vector: self.replica.vector(),
            })));
    }

    fn synced(&mut self, answer: SyncAnswer) -> Result<(), Fault> {
        let before = (self.replica.log.length(), self.replica.vector());
        let (log_length, page) = (answer.log.length, answer.log);
        for record in &page.records {
            self.records.push(record.0.clone());
        }
        match inbox::take_log(&mut self.replica, page) {
            Ok(actions) => self.actions.extend(actions),
            Err(Foreign::TooLarge) => return Err(Fault::Nonsense(Nonsense::TooLarge)),
            Err(Foreign::Fork { at }) => self.note_fork(at),
        }
        self.records
            .truncate(usize::try_from(self.replica.log.length()).unwrap_or(usize::MAX));
        let mut envelopes = std::mem::take(&mut self.waiting);
        envelopes.extend(answer.envelopes.into_iter().map(|envelope| envelope.0));
        let taken = inbox::take_envelopes(&mut self.replica, envelopes);
        let diverged = || self.diverged_at(&answer.heads, answer.more);
        if let Some(after) = taken.diverged.or_else(diverged) {
            return self.yield_chain(after);
        }
        if !taken.incoming.is_empty() {
            self.actions.push_back(Action::Merge(taken.incoming));
        }
        let waits = |action: &Action| matches!(action, Action::Wait { .. });
        // A relay with another log may have nothing more that can be placed here. Nor has one that gives what comes after a gap:
        // what is between is gone there, and a snapshot may have it.
        let may_stall = self.forked || taken.actions.iter().any(waits);
        self.actions.extend(taken.actions);
        if taken.copied {
            self.start_chain();
        }
        let progress = before != (self.replica.log.length(), self.replica.vector());
        if answer.more && progress {
            self.ask();
            return Ok(());
        }
        if answer.more && !may_stall {
            return Err(Fault::Nonsense(Nonsense::NoProgress));
        }
        if let Some(epoch) = self.replica.lacks_key() {
            self.actions
                .push_back(Action::Warn(Warning::NoKey { epoch }));
        }
        if self.purpose == Purpose::Import || self.forked {
            self.finish(Ok(Outcome::default()));
            return Ok(());
        }
        self.relay = answer.heads;
        self.relay_log = log_length;
        self.note_losses();
        if self.relay_log < self.replica.log.length() {
            self.append_log();
        } else {
            self.collect();
        }
        Ok(())
    }

    /// Returns the last place that may be shared, if the relay's head of the own chain is another one than this replica's, or
    /// stands beyond all that it gives: another copy of this device wrote there, and the relay pruned it.
    fn diverged_at(&self, heads: &Vector, more: bool) -> Option<Seq> {
        let head = heads.0.get(&self.replica.own_chain())?;
        let tip = self.replica.own_tip();
        let seq = tip.map_or(Seq(0), |(seq, _)| seq);
        if head.seq > seq {
            return (!more && !self.forked).then_some(seq);
        }
        let differs = head.seq == seq && tip.is_some_and(|(_, hash)| hash != head.hash);
        differs.then(|| Seq(seq.0.saturating_sub(1)))
    }

    /// Returns the last place that may be shared, if the own envelope after the relay's head of the own chain does not
    /// follow it: both copies of this device sealed, and this one more.
    fn diverged_before(&self, next: &Header) -> Option<Seq> {
        let chain = self.replica.own_chain();
        let head = self.relay.0.get(&chain)?;
        let follows = next.chain() != chain || next.prev == Some(head.hash);
        (!follows).then(|| Seq(head.seq.0.saturating_sub(1)))
    }

    /// Gives way to another copy of this device, as far as the relay never acknowledged what this replica sealed.
    fn yield_chain(&mut self, shared: Seq) -> Result<(), Fault> {
        let acknowledged = self.replica.acknowledged.seq(&self.replica.own_chain());
        let after = shared.min(acknowledged);
        self.actions.push_back(Action::Yield { after });
        self.step = Step::Over;
        Ok(())
    }

    fn start_chain(&mut self) {
        let mut salt = ChainSalt([0; 16]);
        self.random.fill_bytes(&mut salt.0);
        if cfg!(ebb_mutant = "reuse-chain") {
            salt = self.replica.own.salt;
        }
        self.replica.own.salt = salt;
        self.replica.own.sealed_vector = Vector::default();
        self.actions.push_back(Action::Warn(Warning::Copied));
        self.actions.push_back(Action::StartChain(salt));
    }

    /// Goes on without the relay's log. Every envelope is still judged by the own one; nothing is sent to a relay that
    /// judges by another.
    fn note_fork(&mut self, at: u32) {
        if !self.forked {
            self.actions.push_back(Action::Warn(Warning::Forked { at }));
        }
        self.forked = true;
    }

    fn note_losses(&mut self) {
        let lost = outbox::lost(&self.replica.acknowledged, &self.relay);
        if lost > 0 {
            self.actions
                .push_back(Action::Warn(Warning::RelayLost { lost }));
        }
    }

    fn append_log(&mut self) {
        self.step = Step::LogAppended;
        let from = usize::try_from(self.relay_log).unwrap_or(usize::MAX);
        let head = self
            .relay_log
            .checked_sub(1)
            .and_then(|last| self.replica.log.hash_at(last));
        let records = self.records.get(from..).unwrap_or_default();
        self.actions
            .push_back(Action::Send(Request::AppendLog(LogAppend {
                head: head.unwrap_or_else(|| self.replica.log.head()),
                records: records.iter().cloned().map(Bytes).collect(),
                blobs: Vec::new(),
            })));
    }

    fn log_appended(&mut self, page: LogPage) -> Result<(), Fault> {
        if page.length < self.replica.log.length() {
            return Err(Fault::Nonsense(Nonsense::LogPage));
        }
        self.relay_log = page.length;
        self.collect();
        Ok(())
    }

    fn collect(&mut self) {
        self.step = Step::Unsealed;
        self.actions.push_back(Action::CollectUnsealed);
    }

    fn unsealed(&mut self, batches: Vec<Unsealed>) -> Result<(), Fault> {
        if batches.is_empty() {
            self.upload();
            return Ok(());
        }
        let device = self.replica.device.key_id();
        if self.replica.log.role(&device) == Some(Role::Reader) {
            let count = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.actions
                .push_back(Action::Warn(Warning::ReadOnly { count }));
            self.upload();
            return Ok(());
        }
        if self.purpose == Purpose::Exchange && self.replica.lacks_key().is_some() {
            // Said already; the changes wait for the key, and everything else goes on.
            self.upload();
            return Ok(());
        }
        let sealed = outbox::seal_batches(&mut self.replica, batches, &mut self.random)?;
        self.step = Step::Stored;
        self.actions.push_back(Action::StoreOwn(sealed));
        Ok(())
    }

    fn upload(&mut self) {
        if self.purpose == Purpose::Seal {
            self.finish(Ok(Outcome::default()));
            return;
        }
        match outbox::lacking(&self.replica, &self.relay) {
            Some((chain, after, until)) => {
                self.step = Step::Loaded;
                self.actions.push_back(Action::Load {
                    chain,
                    after,
                    until,
                });
            }
            None => {
                let (heads, log_length) = (self.acknowledged(), self.relay_log);
                self.actions
                    .push_back(Action::Acknowledged { heads, log_length });
                self.finish(Ok(Outcome {
                    restored: self.restored,
                }));
            }
        }
    }

    /// Returns the relay's heads, as far as they acknowledge what this replica has. Another copy of this device may have
    /// written the relay's end of the own chain: that acknowledges nothing.
    fn acknowledged(&self) -> Vector {
        let mut heads = self.relay.clone();
        let chain = self.replica.own_chain();
        let end = heads.0.get(&chain).map(|head| (head.seq, head.hash));
        if end != self.replica.own_tip() {
            heads.0.remove(&chain);
            let before = self.replica.acknowledged.0.get(&chain);
            heads.0.extend(before.map(|before| (chain, *before)));
        }
        heads
    }

    fn loaded(&mut self, envelopes: Vec<VerifiedEnvelope>) -> Result<(), Fault> {
        let first = envelopes.first().ok_or(Fault::Unexpected)?;
        if let Some(after) = self.diverged_before(first.header()) {
            return self.yield_chain(after);
        }
        let own = self.replica.own_chain();
        self.in_flight = envelopes
            .iter()
            .filter(|envelope| {
                let (chain, seq) = (envelope.header().chain(), envelope.header().seq);
                chain != own || seq <= self.replica.acknowledged.seq(&chain)
            })
            .count()
            .try_into()
            .unwrap_or(u64::MAX);
        self.step = Step::Appended;
        #[cfg(ebb_mutant = "seal-again")]
        let envelopes = outbox::seal_again(&self.replica, envelopes, &mut self.random);
        let envelopes = envelopes
            .iter()
            .map(|envelope| envelope.envelope().bytes().to_vec());
        self.actions.push_back(Action::Send(Request::Append(Append {
            head: self.replica.log.head(),
            envelopes: envelopes
                .map(Bytes)
                .take(limits::APPEND_ENVELOPES)
                .collect(),
        })));
        Ok(())
    }

    fn appended(&mut self, appended: Appended) -> Result<(), Fault> {
        let progress = appended.heads != self.relay;
        for refused in &appended.refused {
            let reason = refused.reason.chars().take(200).collect();
            self.actions
                .push_back(Action::Warn(Warning::NotStored { reason }));
        }
        self.relay = appended.heads;
        if appended.refused.is_empty() && progress {
            self.restored += self.in_flight;
            self.upload();
            return Ok(());
        }
        if !progress && appended.refused.is_empty() {
            return Err(Fault::Nonsense(Nonsense::NoProgress));
        }
        // What a relay refuses once it refuses again: the rest of this session would only repeat it.
        let (heads, log_length) = (self.acknowledged(), self.relay_log);
        self.actions
            .push_back(Action::Acknowledged { heads, log_length });
        self.finish(Ok(Outcome {
            restored: self.restored,
        }));
        Ok(())
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Fault> {
        if problem.kind != ProblemKind::StaleHead {
            return Err(Fault::Problem(problem));
        }
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(Fault::Busy);
        }
        self.ask();
        Ok(())
    }

    fn finish(&mut self, result: Result<Outcome, Fault>) {
        self.step = Step::Over;
        self.actions.push_back(Action::Finish(result));
    }
}
