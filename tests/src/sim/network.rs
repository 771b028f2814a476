//! The network and the relays behind it, as an adversary who owns both would run them.
//!
//! Requests and answers get lost, come late or again; answers are reordered, cut, altered and forged. What must be noticed
//! is noted with the answer as an [`Expect`], and the driver reports if the session said nothing. Never shown: two valid
//! logs to two devices (see `sim.rs`).

use std::collections::BTreeMap;

use protocol::api::{Problem, Snapshots, SyncAnswer};
use protocol::cbor::Bytes;
use protocol::id::{KeyId, RecordHash, Signature, SnapshotHash};
use protocol::record::SignedRecord;
use protocol::snapshot::{Acknowledgement, Snapshot};
use sync::{Event, Request};

use super::pruning::Put;
use super::random::Random;
use super::relay::Relay;

/// Something in an answer that a session must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expect {
    /// An envelope was altered.
    Altered,
    /// The end of the log is another one than the asker's.
    Fork,
    /// The log goes on with a record that its rules do not allow.
    ForgedRecord,
}

/// What a session must notice in an answer.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Due {
    pub(crate) expect: Option<Expect>,
    /// It says how the relay stands now, and nothing more is to come.
    pub(crate) is_now: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) machine: usize,
    pub(crate) key: KeyId,
}

/// What came back.
pub(crate) enum Answer {
    Event(Event, Due),
    Problem(Problem),
    /// Nothing: the request or the answer was lost.
    Lost,
}

/// The network.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) relays: Vec<Relay>,
    /// Whether anything goes wrong.
    pub(crate) faulty: bool,
    /// Envelopes that break the rules, to be slipped into answers.
    pub(crate) planted: Vec<Vec<u8>>,
    /// Manifests that no relay would take, to be slipped into lists.
    pub(crate) lies: Vec<Bytes>,
    /// The parts of these, one each.
    pub(crate) lying_parts: BTreeMap<SnapshotHash, Vec<u8>>,
    /// A record that breaks the rules.
    pub(crate) forged: Option<SignedRecord>,
    /// Answers of before, by machine and relay.
    old: BTreeMap<(usize, usize), Vec<SyncAnswer>>,
    late: Vec<(usize, KeyId, Request)>,
}

impl Network {
    pub(crate) fn new(relays: Vec<Relay>) -> Self {
        Self {
            relays,
            ..Self::default()
        }
    }

    /// Sends a request to a relay.
    pub(crate) fn send(
        &mut self,
        from: Asker,
        to: usize,
        request: Request,
        random: &mut Random,
    ) -> Answer {
        if self.faulty && random.chance(30) {
            if random.chance(500) {
                self.late.push((to, from.key, request));
            }
            return Answer::Lost;
        }
        let page = if self.faulty {
            2 + random.below(30)
        } else {
            200
        };
        let event = match self.ask(from, to, request, page, random) {
            Ok(answer) => answer,
            Err(problem) => return Answer::Problem(problem),
        };
        if self.faulty && random.chance(30) {
            return Answer::Lost;
        }
        Answer::Event(event.0, event.1)
    }

    fn ask(
        &mut self,
        from: Asker,
        to: usize,
        request: Request,
        page: usize,
        random: &mut Random,
    ) -> Result<(Event, Due), Problem> {
        let relay = &mut self.relays[to];
        Ok(match request {
            Request::Sync(sync) => {
                let answer = relay.sync(&from.key, &sync, page)?;
                let mut due = Due {
                    expect: None,
                    is_now: !answer.more,
                };
                if !self.faulty {
                    return Ok((Event::Synced(answer), due));
                }
                let old = self.old.entry((from.machine, to)).or_default();
                old.push(answer.clone());
                if old.len() > 6 {
                    old.remove(0);
                }
                if random.chance(25)
                    && let Some(before) = random.pick(old)
                {
                    return Ok((Event::Synced(before.clone()), Due::default()));
                }
                let end = (sync.log_length, sync.head);
                let (answer, expect) = self.spoil(answer, end, random);
                due.expect = expect;
                (Event::Synced(answer), due)
            }
            Request::AppendLog(append) => {
                let page = relay.append_log(&from.key, &append, false)?;
                (Event::LogAppended(page), Due::default())
            }
            Request::Append(append) => {
                let appended = relay.append(&from.key, &append)?;
                (Event::Appended(appended), Due::default())
            }
        })
    }

    /// Lists a relay's snapshots, as the adversary would have it; `None` if nothing came back.
    pub(crate) fn list_snapshots(
        &mut self,
        from: Asker,
        to: usize,
        random: &mut Random,
    ) -> Option<Snapshots> {
        if self.faulty && random.chance(30) {
            return None;
        }
        let shelf = self.relays[to].open(&from.key);
        let mut listed = shelf.map(|shelf| shelf.listed()).unwrap_or_default();
        if !self.faulty {
            return Some(listed);
        }
        listed.snapshots.extend(self.lies.iter().cloned());
        let count = listed.snapshots.len();
        match random.below(100) {
            0..=4 => listed.acknowledgements.clear(),
            5..=9 if count > 0 => drop(listed.snapshots.remove(random.below(count))),
            10..=14 => listed.snapshots.reverse(),
            15..=19 if count > 0 => {
                let one = &mut listed.snapshots[random.below(count)].0;
                let place = random.below(one.len());
                one[place] ^= 1 << random.below(8);
            }
            20..=49 => {
                // In the asker's own name, and in nobody's.
                let hashes = listed.snapshots.iter();
                let hashes = hashes.filter_map(|one| Snapshot::parse(one.0.clone()).ok());
                let forged = hashes.map(|one| Acknowledgement {
                    snapshot: one.hash(),
                    device: from.key,
                    signature: Signature([1; 64]),
                });
                listed.acknowledgements.extend(forged.collect::<Vec<_>>());
            }
            _ => {}
        }
        Some(listed)
    }

    /// Returns the parts of a snapshot; `None` if nothing came back.
    pub(crate) fn parts_of(
        &mut self,
        to: usize,
        snapshot: &SnapshotHash,
        random: &mut Random,
    ) -> Option<Vec<Vec<u8>>> {
        if self.faulty && random.chance(30) {
            return None;
        }
        let shelf = self.relays[to].shelf.as_ref();
        let mut parts = shelf.map(|shelf| shelf.parts(snapshot)).unwrap_or_default();
        if parts.is_empty() {
            parts.extend(self.lying_parts.get(snapshot).cloned());
        }
        let count = parts.len();
        if self.faulty && count > 0 && random.chance(100) {
            let one = random.below(count);
            if random.chance(500) {
                parts.remove(one);
            } else {
                let place = random.below(parts[one].len());
                parts[one][place] ^= 1 << random.below(8);
            }
        }
        Some(parts)
    }

    /// Hands snapshots to a relay; `None` if no answer came back.
    pub(crate) fn put_snapshots(
        &mut self,
        from: Asker,
        to: usize,
        put: &Put,
        random: &mut Random,
    ) -> Option<Result<Snapshots, Problem>> {
        if self.faulty && random.chance(30) {
            return None;
        }
        let shelf = self.relays[to].open(&from.key);
        let answer = shelf.and_then(|shelf| shelf.put(put));
        (!(self.faulty && random.chance(30))).then_some(answer)
    }

    /// Delivers a request whose sender gave it up long ago.
    pub(crate) fn deliver_late(&mut self, random: &mut Random) {
        if self.late.is_empty() {
            return;
        }
        let at = random.below(self.late.len());
        let (to, key, request) = self.late.swap_remove(at);
        let relay = &mut self.relays[to];
        // Whatever comes of it, nobody hears.
        match request {
            Request::Sync(_) => {}
            Request::AppendLog(append) => drop(relay.append_log(&key, &append, false)),
            Request::Append(append) => drop(relay.append(&key, &append)),
        }
    }

    /// Forgets what is under way and what was said before.
    pub(crate) fn calm(&mut self) {
        self.old.clear();
        self.late.clear();
        self.planted.clear();
        self.lies.clear();
        self.lying_parts.clear();
        self.forged = None;
    }

    fn spoil(
        &self,
        mut answer: SyncAnswer,
        asked: (u32, RecordHash),
        random: &mut Random,
    ) -> (SyncAnswer, Option<Expect>) {
        let mut expect = None;
        let count = answer.envelopes.len();
        match random.below(100) {
            0..=4 if count > 0 => {
                let one = &mut answer.envelopes[random.below(count)].0;
                let place = random.below(one.len());
                one[place] ^= 1 << random.below(8);
                expect = Some(Expect::Altered);
            }
            5..=7 if count > 0 => {
                answer.envelopes.remove(random.below(count));
            }
            8..=11 if count > 1 => {
                for place in (1..count).rev() {
                    answer.envelopes.swap(place, random.below(place + 1));
                }
            }
            12..=13 if count > 0 => {
                let again = answer.envelopes[random.below(count)].clone();
                answer.envelopes.insert(random.below(count), again);
            }
            14 => {
                answer.log.records.clear();
                answer.log.length = asked.0;
                answer.log.head = RecordHash(random.bytes());
                expect = Some(Expect::Fork);
            }
            15..=19 => {
                // The log's news are hidden.
                answer.log.records.clear();
                answer.log.blobs.clear();
                (answer.log.length, answer.log.head) = asked;
            }
            20 if !answer.log.records.is_empty() => {
                let records = answer.log.records.len();
                let one = &mut answer.log.records[random.below(records)].0;
                let place = random.below(one.len());
                one[place] ^= 1 << random.below(8);
            }
            21..=24 => expect = self.forge(&mut answer),
            25..=49 => {
                let planted = random.pick(&self.planted);
                answer.envelopes.extend(planted.cloned().map(Bytes));
            }
            _ => {}
        }
        (answer, expect)
    }

    /// Lets the log go on with the forged record, if that fits its end.
    fn forge(&self, answer: &mut SyncAnswer) -> Option<Expect> {
        let forged = self.forged.as_ref()?;
        let place = forged.clone().trusted().ok()?.place();
        if place.index != answer.log.length || place.prev != Some(answer.log.head) {
            return None;
        }
        answer.log.records.push(Bytes(forged.bytes().to_vec()));
        answer.log.length += 1;
        answer.log.head = forged.hash();
        Some(Expect::ForgedRecord)
    }
}
