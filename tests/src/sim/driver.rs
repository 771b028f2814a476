//! Carries out the actions of a session on a machine in memory, in the order given, as the client does over HTTP and SQLite.
//!
//! An action is durable before the next one is taken; the power may go before any of them. A session stands still between
//! two requests, while the rest of the world goes on.

use std::sync::Arc;

use journal::batch::{Encoder, Pushed};
use protocol::api::ProblemKind;
use protocol::envelope::{Kind, VerifiedEnvelope};
use protocol::id::{BlobHash, ChainId, Seq};
use protocol::record::SignedRecord;
use protocol::role::Role;
use protocol::vector::Vector;
use sync::{Action, Event, Known, Outcome, Own, Purpose, Request, Session, Unsealed, Warning};

use super::disk::Loose;
use super::ledger::Ledger;
use super::loss::Loss;
use super::machine::Machine;
use super::merge;
use super::network::{Answer, Asker, Expect, Network};
use super::random::Random;
use super::relay::Shelf;
use super::snapshots;

/// How many sessions a sync may take: each one after the first follows a rebuilding of the replica.
const SESSIONS: u32 = 8;

/// A session under way.
pub(crate) struct Running {
    session: Session<Random>,
    pub(crate) relay: usize,
    sessions: u32,
    /// Whether a snapshot was asked for.
    adopted: bool,
    /// Seals a snapshot, and sends nothing.
    is_snapshot: bool,
    /// The changes of each batch handed to the session.
    marks: Vec<Vec<Arc<Loose>>>,
    /// What the session must still notice.
    expect: Option<Expect>,
    /// What the relay lost, as of its last answer.
    loss: Option<Loss>,
    /// The relay has another log: it is named as that, and given nothing back.
    forked: bool,
}

/// What a machine acts on.
pub(crate) struct Around<'a> {
    pub(crate) network: &'a mut Network,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) random: &'a mut Random,
    pub(crate) now: i64,
    /// In how many of a thousand actions the power goes.
    pub(crate) crashes: usize,
}

/// Whether a session goes on.
enum Next {
    Action,
    Pause,
    Again,
    End(Result<(), String>),
}

impl Machine {
    /// Starts a sync with a relay.
    pub(crate) fn start_sync(&mut self, relay: usize, around: &mut Around<'_>) {
        let adopted = match self.has_nothing() {
            true => self.adopt_from(relay, around),
            false => Ok(false),
        };
        match adopted {
            Ok(adopted) => self.start_session((relay, 1, adopted), Purpose::Exchange, around),
            Err(error) => self.last = Some(Err(error)),
        }
    }

    /// Starts to seal a snapshot.
    pub(crate) fn start_snapshot(&mut self, around: &mut Around<'_>) {
        self.start_session((0, SESSIONS, false), Purpose::Seal, around);
    }

    fn start_session(
        &mut self,
        (relay, sessions, adopted): (usize, u32, bool),
        purpose: Purpose,
        around: &mut Around<'_>,
    ) {
        self.settle(around.now, around.random);
        let state = self.disk.now();
        let known = |(id, chain): (&ChainId, &Arc<super::disk::Chain>)| {
            let (device, tip) = (chain.device, chain.tip);
            (*id, Known { device, tip })
        };
        let replica = sync::Replica {
            log: (*state.log).clone(),
            device: Arc::new(self.key_pair()),
            keys: self.open_ring(),
            chains: state.chains.iter().map(known).collect(),
            own: Own {
                salt: state.salt,
                sealed_vector: state.sealed_vector.clone(),
            },
            acknowledged: state.acknowledged.get(&relay).cloned().unwrap_or_default(),
        };
        let waiting = state.waiting.values().cloned().collect();
        let records = (*state.records).clone();
        self.last = None;
        self.running = Some(Running {
            session: Session::with_purpose(
                purpose,
                replica,
                records,
                waiting,
                around.random.split(),
            ),
            relay,
            sessions,
            adopted,
            is_snapshot: purpose == Purpose::Seal,
            marks: Vec::new(),
            expect: None,
            loss: None,
            forked: false,
        });
    }

    /// Carries out actions until an answer has come, the session is over, or the power goes.
    pub(crate) fn advance(&mut self, around: &mut Around<'_>) {
        while let Some(mut running) = self.running.take() {
            if around.random.chance(around.crashes) {
                self.crash();
                return;
            }
            let Some(action) = running.session.poll() else {
                around
                    .ledger
                    .broken
                    .push("a session fell silent".to_owned());
                return;
            };
            let (relay, sessions) = (running.relay, running.sessions);
            match self.carry_out(&mut running, action, around) {
                Next::Action => self.running = Some(running),
                Next::Pause => {
                    self.running = Some(running);
                    return;
                }
                Next::Again if sessions < SESSIONS => {
                    let again = (relay, sessions + 1, running.adopted);
                    self.start_session(again, Purpose::Exchange, around);
                }
                Next::Again => self.last = Some(Err("rebuilt again and again".to_owned())),
                Next::End(result) => self.last = Some(result),
            }
        }
    }

    fn carry_out(
        &mut self,
        running: &mut Running,
        action: Action,
        around: &mut Around<'_>,
    ) -> Next {
        match action {
            Action::StoreLog { records, blobs } => {
                let records = records.iter().map(|record| record.signed().clone());
                self.store_log(&records.collect::<Vec<_>>(), &blobs);
                if super::rebuild::is_due(self.disk.now(), &self.id) {
                    return Next::Again;
                }
            }
            Action::Merge(incoming) => {
                let chain = self.chain();
                let state = self.disk.write();
                let mut chains = incoming.iter().map(|one| one.envelope.header().chain());
                state.copied |= chains.any(|other| other == chain);
                merge::merge(state, &incoming, &self.ring);
                self.disk.commit();
            }
            Action::Wait { envelope, hash, .. } => {
                running.expect = running.expect.filter(|expect| *expect != Expect::Altered);
                self.disk.write().waiting.insert(hash, envelope);
                self.disk.commit();
            }
            Action::StartChain(salt) => self.rebuild(Some(salt), around.now, around.random),
            Action::Yield { after } => {
                self.yield_chain(after);
                return Next::Again;
            }
            Action::CollectUnsealed => {
                let batches = self.collect(running);
                running.session.handle(Event::Unsealed(batches));
            }
            Action::StoreOwn(sealed) => {
                let stored = self.store_own(running, &sealed, around.ledger);
                running.session.handle(Event::Stored(stored));
            }
            Action::Load {
                chain,
                after,
                until,
            } => {
                let loaded = self.load(&chain, after, until);
                if loaded.is_empty() {
                    return self.restart(running, (&chain, after), around);
                }
                running.session.handle(Event::Loaded(loaded));
            }
            Action::Send(request) => {
                missed(running, around.ledger);
                return self.send(running, request, around);
            }
            Action::Acknowledged { heads, .. } => {
                self.disk.write().acknowledged.insert(running.relay, heads);
                self.disk.commit();
            }
            Action::Warn(warning) => self.hear(running, &warning),
            Action::Finish(Ok(outcome)) => {
                finished(running, outcome, around);
                return self.conclude(running, around);
            }
            Action::Finish(Err(fault)) => {
                return Next::End(Err(fault.to_string()));
            }
        }
        Next::Action
    }

    fn hear(&mut self, running: &mut Running, warning: &Warning) {
        if matches!(warning, Warning::RelayLost { .. }) {
            self.disk.write().handed.remove(&running.relay);
            self.disk.commit();
        }
        notice(running, warning);
    }

    /// Does what follows a session that ended well.
    fn conclude(&mut self, running: &mut Running, around: &mut Around<'_>) -> Next {
        if running.is_snapshot || running.forked {
            return Next::End(Ok(()));
        }
        let relay = running.relay;
        if !running.adopted && self.is_behind(relay) {
            running.adopted = true;
            match self.adopt_from(relay, around) {
                Ok(true) => return Next::Again,
                Ok(false) => {}
                Err(error) => return Next::End(Err(error)),
            }
        }
        Next::End(self.exchange_snapshots(relay, around))
    }

    /// Gives a relay that lost what this machine never had the snapshot to go on from.
    fn restart(
        &mut self,
        running: &mut Running,
        lacks: (&ChainId, Seq),
        around: &mut Around<'_>,
    ) -> Next {
        match self.restart_relay(running.relay, lacks, around) {
            Ok(true) => Next::Again,
            Ok(false) => self.conclude(running, around),
            Err(error) => Next::End(Err(error)),
        }
    }

    fn send(&mut self, running: &mut Running, request: Request, around: &mut Around<'_>) -> Next {
        let asker = Asker {
            machine: self.number,
            key: self.id,
        };
        if let Request::Append(append) = &request {
            for bytes in &append.envelopes {
                let envelope = protocol::envelope::Envelope::parse(bytes.0.clone());
                let chain = self.chain();
                let own = |one: &protocol::envelope::Envelope| one.header().chain() == chain;
                if let Some(envelope) = envelope.ok().filter(own) {
                    around.ledger.sent(self.number, self.life, &envelope);
                }
            }
        }
        let request = self.with_blobs(request);
        let answer = around
            .network
            .send(asker, running.relay, request, around.random);
        match answer {
            Answer::Event(event, due) => {
                // Another log is named once, and not read any further.
                let read = |expect: &Expect| !running.forked || *expect == Expect::Altered;
                running.expect = due.expect.filter(read);
                if matches!(event, Event::Synced(_)) {
                    let relay = &around.network.relays[running.relay];
                    let loss = (due.is_now && !running.forked)
                        .then(|| Loss::of(self.disk.now(), running.relay, relay));
                    running.loss = loss.flatten();
                }
                running.session.handle(event);
                Next::Pause
            }
            Answer::Problem(problem) if problem.kind == ProblemKind::StaleHead => {
                running.session.handle(Event::Problem(problem));
                Next::Pause
            }
            Answer::Problem(problem) if problem.kind == ProblemKind::UnknownJournal => {
                // Any member may create the journal again where it was lost.
                let state = self.disk.now();
                let shelf = Shelf::new((*state.records).clone(), (*state.blobs).clone());
                around.network.relays[running.relay].shelf = shelf.ok();
                Next::End(Err("created the journal again".to_owned()))
            }
            Answer::Problem(problem) => Next::End(Err(problem.detail)),
            Answer::Lost => Next::End(Err("no answer".to_owned())),
        }
    }

    /// Adds to records for a relay that lost them the sealed keys that they give to devices.
    fn with_blobs(&self, request: Request) -> Request {
        let Request::AppendLog(mut append) = request else {
            return request;
        };
        for bytes in &append.records {
            let record = SignedRecord::parse(&bytes.0).and_then(SignedRecord::trusted);
            for (_, hash) in record.iter().flat_map(|record| record.body().device_keys()) {
                let blob = self.disk.now().blobs.get(&hash).cloned();
                append.blobs.extend(blob.map(protocol::cbor::Bytes));
            }
        }
        Request::AppendLog(append)
    }

    /// Stores verified records, and the sealed keys that they give to devices.
    pub(crate) fn store_log(&mut self, records: &[SignedRecord], blobs: &[Vec<u8>]) {
        let state = self.disk.write();
        let mut named = std::collections::BTreeSet::new();
        for signed in records {
            let Ok(record) = signed.clone().trusted() else {
                continue;
            };
            if Arc::make_mut(&mut state.log)
                .append_verified(&record)
                .is_err()
            {
                continue;
            }
            Arc::make_mut(&mut state.records).push(signed.bytes().to_vec());
            named.extend(
                record
                    .body()
                    .device_keys()
                    .into_iter()
                    .map(|(_, hash)| hash),
            );
        }
        let of = blobs.iter().map(|blob| (BlobHash::of(blob), blob.clone()));
        Arc::make_mut(&mut state.blobs).extend(of.filter(|(hash, _)| named.contains(hash)));
        self.disk.commit();
        self.ring = self.open_ring();
    }

    fn yield_chain(&mut self, after: Seq) {
        self.give_way(after);
        self.disk.commit();
    }

    /// Takes own envelopes after a place out of the chain, and keeps them apart; durable once that is committed.
    pub(crate) fn give_way(&mut self, after: Seq) {
        let chain = self.chain();
        let keep = usize::try_from(after.0).unwrap_or(usize::MAX);
        let state = self.disk.write();
        if let Some(mut of) = state.chains.remove(&chain) {
            let whole = Arc::make_mut(&mut of);
            // The client keeps what it cuts off, and never looks at it again.
            whole.kept.truncate(keep);
            if let Some(last) = whole.kept.last() {
                let envelope = last.envelope.as_ref();
                let head = envelope.and_then(|of| state.log.index_of(&of.header().head));
                whole.tip.seq = Seq(whole.length());
                whole.tip.hash = last.hash;
                whole.tip.head = head.unwrap_or(0);
                state.chains.insert(chain, of);
            }
        }
        snapshots::forsake(state, &chain, after);
        state.sealed_vector = Vector::default();
        state.copied = true;
    }

    /// Gathers everything into the parts of a snapshot.
    fn parts(&self) -> Vec<Unsealed> {
        let unsealed = |batch| Unsealed {
            kind: Kind::Snapshot,
            batch,
            mark: u64::MAX,
        };
        let batches = snapshots::batches(self.disk.now()).into_iter();
        batches.map(unsealed).collect()
    }

    /// Gathers what is to be sealed into batches.
    fn collect(&mut self, running: &mut Running) -> Vec<Unsealed> {
        if running.is_snapshot {
            return self.parts();
        }
        let chain = self.chain();
        let loose = self.disk.now().loose.iter();
        let mut batches = Vec::new();
        running.marks.clear();
        let own: Vec<_> = loose
            .filter(|change| change.chain == chain)
            .cloned()
            .collect();
        for part in own.chunks(12) {
            let mut encoder = Encoder::default();
            let fits = part.iter().all(|change| {
                let pushed = encoder.push(change.document, &change.bytes);
                matches!(pushed, Ok(Pushed::Taken))
            });
            assert!(fits, "a dozen small changes fit a batch");
            let mark = u64::try_from(running.marks.len()).unwrap_or(u64::MAX);
            running.marks.push(part.to_vec());
            batches.push(Unsealed {
                kind: Kind::Batch,
                batch: encoder.finish(),
                mark,
            });
        }
        batches
    }

    /// Stores own envelopes; false if the chain is not where it was.
    fn store_own(
        &mut self,
        running: &Running,
        sealed: &[sync::Outgoing],
        ledger: &mut Ledger,
    ) -> bool {
        // Read before the parts move the chains.
        let made = snapshots::manifest(self.disk.now(), sealed).filter(|_| running.is_snapshot);
        let state = self.disk.write();
        for outgoing in sealed {
            if !state.keep(outgoing.envelope.envelope(), outgoing.head, None) {
                self.disk.crash();
                return false;
            }
            let mark = usize::try_from(outgoing.mark).unwrap_or(usize::MAX);
            let covers = running
                .marks
                .get(mark)
                .map(Vec::as_slice)
                .unwrap_or_default();
            state
                .loose
                .retain(|loose| !covers.iter().any(|of| Arc::ptr_eq(of, loose)));
            state.sealed_vector = outgoing.seen.clone();
            ledger.sealed(outgoing.envelope.envelope(), outgoing.head, covers);
        }
        if let Some(made) = made {
            self.made(made, ledger);
        }
        self.disk.commit();
        true
    }

    fn load(&self, chain: &ChainId, after: Seq, until: Seq) -> Vec<VerifiedEnvelope> {
        let [after, until] = [after, until].map(|seq| usize::try_from(seq.0).unwrap_or(usize::MAX));
        let of = self.disk.now().chains.get(chain);
        let kept = of
            .and_then(|of| of.kept.get(after..until))
            .unwrap_or_default();
        kept.iter()
            .take(20)
            .map_while(|kept| kept.envelope.as_ref())
            .map(|envelope| VerifiedEnvelope::trusted((**envelope).clone()))
            .collect()
    }

    /// Whether everything that it may send is in envelopes.
    pub(crate) fn is_done(&self) -> bool {
        self.disk.now().loose.is_empty() || !self.role().is_some_and(Role::may_write)
    }
}

/// Takes a warning for the notice that was due.
fn notice(running: &mut Running, warning: &Warning) {
    if let Some(loss) = &mut running.loss {
        loss.hear(warning);
    }
    if matches!(warning, Warning::Forked { .. }) {
        // Nothing is given to a relay with another log, nor asked what it lost.
        (running.forked, running.loss) = (true, None);
    }
    let noticed = match running.expect {
        Some(Expect::Altered) => matches!(warning, Warning::Refused { .. } | Warning::Garbage),
        // One that does not even follow the own log looks like another log.
        Some(Expect::ForgedRecord) => {
            matches!(warning, Warning::InvalidLog { .. } | Warning::Forked { .. })
        }
        Some(Expect::Fork) => matches!(warning, Warning::Forked { .. }),
        None => false,
    };
    if noticed {
        running.expect = None;
    }
}

/// Reports what a session that ended well should have noticed, or given back to the relay, and did not.
fn finished(running: &mut Running, outcome: Outcome, around: &mut Around<'_>) {
    missed(running, around.ledger);
    let relay = &around.network.relays[running.relay];
    // Only a sync that runs through at once has the world for itself, and no crash.
    let alone = around.crashes == 0;
    let loss = running.loss.as_ref();
    let unmended = loss.and_then(|loss| loss.unmended(relay, outcome, alone));
    around.ledger.broken.extend(unmended);
}

/// Reports what a session should have noticed and did not.
fn missed(running: &mut Running, ledger: &mut Ledger) {
    if let Some(expect) = running.expect.take() {
        ledger
            .broken
            .push(format!("a session did not notice: {expect:?}"));
    }
    let loss = running.loss.as_ref();
    ledger.broken.extend(loss.and_then(Loss::missed));
}
