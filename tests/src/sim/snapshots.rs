//! Snapshots on a machine: made by owners, checked by whoever has what they cover, adopted by whoever has not; as the client
//! does.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use journal::batch::{self, Authors, Batch, Encoder, Pushed};
use journal::change::ChangeHash;
use journal::document::Document;
use journal::{Actor, DocumentId};
use protocol::api::{ProblemKind, PutSnapshots, Snapshots};
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, Kind, VerifiedEnvelope};
use protocol::id::{ChainId, EnvelopeHash, Seq, SnapshotHash};
use protocol::judge::ChainTip;
use protocol::role::Role;
use protocol::snapshot::{self, Acknowledgement, Author, Manifest, Snapshot, judge_parts};
use protocol::vector::Vector;
use seal::Keyring;
use store::snapshot::SnapshotState;
use sync::Outgoing;

use super::compare::{Checked, check};
use super::disk::{Chain, Judged, Kept, State};
use super::driver::Around;
use super::ledger::{Covered, Ledger};
use super::machine::Machine;
use super::merge::{retry_held, take};
use super::network::Asker;
use super::pruning::Put;

/// Envelopes that must have come since the last snapshot; fewer than in the client, so that a short history has some.
const AT_LEAST: u64 = 6;
/// The part of those covered before that must have come since.
const SHARE: u64 = 10;
/// Changes in one part; more if there would be too many parts.
const PART: usize = 100;

/// The parts of adopted snapshots, with the chains whose changes each may carry.
pub(crate) type AdoptedParts = BTreeMap<EnvelopeHash, BTreeSet<Actor>>;

/// Returns the parts of all adopted snapshots.
pub(crate) fn adopted(state: &State) -> AdoptedParts {
    let mut parts = AdoptedParts::new();
    let all = state.snapshots.iter();
    for one in all.filter(|one| one.state == SnapshotState::Adopted) {
        let manifest = one.snapshot.manifest();
        let actors = actors(manifest);
        parts.extend(manifest.parts.iter().map(|hash| (*hash, actors.clone())));
    }
    parts
}

/// Returns the chains whose changes the parts of a snapshot may carry.
pub(crate) fn actors(manifest: &Manifest) -> BTreeSet<Actor> {
    let authors = manifest.authors.iter();
    authors.map(|author| Actor(author.chain().0)).collect()
}

/// Returns the newest snapshot that a replica stands by.
fn newest(state: &State) -> Option<&Judged> {
    state.snapshots.iter().rev().find(|one| one.state.is_good())
}

/// Hands no snapshot on any more whose parts do not stand in the own chain, which ends at a place now.
pub(crate) fn forsake(state: &mut State, chain: &ChainId, after: Seq) {
    for one in Arc::make_mut(&mut state.snapshots) {
        let given = matches!(one.state, SnapshotState::Own | SnapshotState::Checked);
        if given && one.snapshot.manifest().has_parts_after(chain, after) {
            one.state = SnapshotState::Overtaken;
        }
    }
}

fn put(state: &mut State, snapshot: Snapshot, is: SnapshotState) {
    let all = Arc::make_mut(&mut state.snapshots);
    match all
        .iter_mut()
        .find(|one| one.snapshot.hash() == snapshot.hash())
    {
        Some(known) => known.state = is,
        None => all.push(Judged {
            snapshot: Arc::new(snapshot),
            state: is,
        }),
    }
}

/// Keeps the acknowledgements of a snapshot that a relay lists: another relay may need them.
fn keep(state: &mut State, snapshot: &SnapshotHash, listed: &Snapshots) {
    let log = Arc::clone(&state.log);
    let all = Arc::make_mut(&mut state.acknowledgements);
    for one in &listed.acknowledgements {
        if one.snapshot == *snapshot && one.verify(&log).is_ok() && !all.contains(one) {
            all.push(one.clone());
        }
    }
}

/// Returns the acknowledgements of a snapshot that are known and still count.
fn known(state: &State, snapshot: &SnapshotHash) -> Vec<Acknowledgement> {
    let all = state.acknowledgements.iter();
    let of = all.filter(|one| one.snapshot == *snapshot && one.verify(&state.log).is_ok());
    of.cloned().collect()
}

/// Opens and reads a part.
pub(crate) fn open(
    part: &VerifiedEnvelope,
    ring: &Keyring,
    actors: &BTreeSet<Actor>,
) -> Result<Batch, String> {
    let header = part.header();
    if header.kind != Kind::Snapshot {
        return Err("it is no part of a snapshot".to_owned());
    }
    let key = ring.get(header.epoch).ok_or("a key is missing")?;
    let content = seal::open(part, key).map_err(|error| error.to_string())?;
    batch::decode(&content.batch.0, &Authors::Listed(actors)).map_err(|error| error.to_string())
}

/// Gathers everything that is in envelopes into batches.
pub(crate) fn batches(state: &State) -> Vec<Vec<u8>> {
    let loose: BTreeSet<ChangeHash> = state.loose.iter().map(|change| change.hash).collect();
    let all: Vec<(DocumentId, Vec<u8>)> = state
        .documents
        .iter()
        .flat_map(|(id, document)| {
            let changes = document.changes().into_iter();
            let sealed = changes.filter(|(hash, _)| !loose.contains(hash));
            sealed.map(|(_, change)| (*id, change)).collect::<Vec<_>>()
        })
        .collect();
    let size = PART.max(all.len() / 8);
    let parts = all.chunks(size).map(|part| {
        let mut encoder = Encoder::default();
        for (id, change) in part {
            let pushed = encoder.push(*id, change);
            assert!(matches!(pushed, Ok(Pushed::Taken)), "small changes fit");
        }
        encoder.finish()
    });
    parts.collect()
}

/// Returns what a snapshot made now covers of what was seen, if that can be told.
fn covered(state: &State, own: ChainId, seen: Vector) -> Option<Vector> {
    let held = state.chains.iter().flat_map(|(chain, of)| {
        let places = (1..).map(Seq).zip(&of.kept);
        let held = places.filter(|(_, kept)| kept.held.is_some());
        held.map(|(seq, _)| (*chain, seq))
    });
    let hash_at = |chain: &ChainId, seq: Seq| {
        let place = usize::try_from(seq.0 - 1).unwrap_or(usize::MAX);
        let kept = state.chains.get(chain).and_then(|of| of.kept.get(place));
        let here = kept.filter(|kept| kept.envelope.is_some());
        Ok::<_, Infallible>(here.map(|kept| kept.hash))
    };
    let Ok(covered) = snapshot::covered(&own, seen, held, hash_at);
    covered
}

/// Describes the snapshot that these envelopes are the parts of, before they are kept; and what exactly it covers.
pub(crate) fn manifest(state: &State, parts: &[Outgoing]) -> Option<(Manifest, Covered)> {
    let first = parts.first()?;
    let header = first.envelope.header();
    let covers = covered(state, header.chain(), first.seen.clone())?;
    let (mut authors, mut covered) = (Vec::new(), Covered::new());
    for (id, at) in &covers.0 {
        let of = state.chains.get(id)?;
        authors.push(Author {
            device: of.device,
            salt: of.salt,
        });
        let places = usize::try_from(at.seq.0).ok()?;
        let hashes = of.kept.iter().take(places).map(|kept| kept.hash);
        covered.insert(*id, hashes.collect());
    }
    let parts = parts.iter().map(|part| part.envelope.envelope());
    let manifest = Manifest::of(parts, covers, authors)?;
    Some((manifest, covered))
}

impl Machine {
    fn asker(&self) -> Asker {
        Asker {
            machine: self.number,
            key: self.id,
        }
    }

    /// Whether it is time for this machine to make a snapshot.
    pub(crate) fn is_snapshot_due(&self) -> bool {
        let state = self.disk.now();
        let Some(vector) = covered(state, self.chain(), state.vector()) else {
            return false;
        };
        let before = newest(state).map(|one| one.snapshot.manifest().covers.clone());
        let count = |vector: &Vector| vector.0.values().map(|at| at.seq.0).sum::<u64>();
        let before = before.map_or(0, |before| count(&before));
        let since = count(&vector).saturating_sub(before);
        since >= AT_LEAST.max(before / SHARE) && self.role() == Some(Role::Owner)
    }

    /// Notes the snapshot that was just sealed.
    pub(crate) fn made(&mut self, made: (Manifest, Covered), ledger: &mut Ledger) {
        let (manifest, covered) = made;
        if let Ok(snapshot) = Snapshot::create(&manifest, &self.keys) {
            ledger.covered.insert(snapshot.hash(), Arc::new(covered));
            put(self.disk.write(), snapshot, SnapshotState::Own);
        }
    }

    /// Whether nothing of anybody is here yet.
    pub(crate) fn has_nothing(&self) -> bool {
        self.disk.now().chains.is_empty()
    }

    /// Whether a relay had more, by its last answer, than it gave.
    pub(crate) fn is_behind(&self, relay: usize) -> bool {
        let state = self.disk.now();
        let length = |chain: &ChainId| state.chains.get(chain).map_or(0, |of| of.length());
        let heads = state.acknowledged.get(&relay);
        let mut heads = heads.into_iter().flat_map(|heads| &heads.0);
        heads.any(|(chain, at)| length(chain) < at.seq.0)
    }

    /// Takes in the newest snapshot of a relay that may be relied on and covers something that is not here.
    pub(crate) fn adopt_from(
        &mut self,
        relay: usize,
        around: &mut Around<'_>,
    ) -> Result<bool, String> {
        let listed = around
            .network
            .list_snapshots(self.asker(), relay, around.random)
            .ok_or("no list of snapshots")?;
        let log = Arc::clone(&self.disk.now().log);
        for snapshot in listed.relied_on(&log) {
            if !self.wants(snapshot.manifest()) {
                continue;
            }
            let parts = around
                .network
                .parts_of(relay, &snapshot.hash(), around.random)
                .ok_or("no parts of a snapshot")?;
            let hash = snapshot.hash();
            if self.adopt(snapshot, parts, around) {
                keep(self.disk.write(), &hash, &listed);
                self.disk.commit();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn wants(&self, manifest: &Manifest) -> bool {
        let state = self.disk.now();
        let length = |chain: &ChainId| state.chains.get(chain).map_or(0, |of| of.length());
        let mut covered = manifest.covers.0.iter();
        covered.any(|(chain, at)| length(chain) < at.seq.0)
    }

    /// Takes a snapshot in whole, or nothing of it.
    fn adopt(&mut self, snapshot: Snapshot, parts: Vec<Vec<u8>>, around: &mut Around<'_>) -> bool {
        let manifest = snapshot.manifest();
        let log = Arc::clone(&self.disk.now().log);
        let parts: Result<Vec<Envelope>, _> = parts.into_iter().map(Envelope::parse).collect();
        let parts = parts
            .ok()
            .and_then(|parts| judge_parts(manifest, parts, &log));
        let Some(parts) = parts else { return false };
        let actors = actors(manifest);
        let ring = self.open_ring();
        let opened = parts.iter().map(|part| open(part, &ring, &actors));
        let Ok(batches) = opened.collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let is_left = self.is_own_chain_another(manifest);
        let covered = around.ledger.covered.get(&snapshot.hash()).cloned();
        if is_left {
            self.give_way(Seq(0));
        }
        let state = self.disk.write();
        let mut batches = batches.iter().filter(|_| !is_left);
        if batches.any(|batch| take(state, batch, Document::adopt).is_err()) {
            self.disk.crash();
            return false;
        }
        know_chains(state, manifest, covered.as_deref());
        let head = log.index_of(&manifest.head).unwrap_or(0);
        for part in &parts {
            state.keep(part.envelope(), head, None);
        }
        put(state, snapshot, SnapshotState::Adopted);
        retry_held(state, &ring);
        if is_left && !self.rebuild_with(&parts, around) {
            self.disk.crash();
            return false;
        }
        self.disk.commit();
        true
    }

    /// Whether another copy of this machine wrote in the own chain what a snapshot covers there.
    fn is_own_chain_another(&self, manifest: &Manifest) -> bool {
        let own = self.chain();
        manifest.covers.0.get(&own).is_some_and(|covered| {
            let place = usize::try_from(covered.seq.0 - 1).unwrap_or(usize::MAX);
            let of = self.disk.now().chains.get(&own);
            let here = of.and_then(|of| of.kept.get(place));
            here.map(|kept| kept.hash) != Some(covered.hash)
        })
    }

    /// Takes the parts in by building the documents anew, without the own chain that was left. Says whether all could be.
    fn rebuild_with(&mut self, parts: &[VerifiedEnvelope], around: &mut Around<'_>) -> bool {
        self.rebuild_in_place(None, around.now, around.random);
        let state = self.disk.now();
        parts.iter().all(|part| {
            let header = part.header();
            let hash = part.envelope().hash();
            state.is_held(&header.chain(), header.seq.0, &hash) == Some(false)
        })
    }

    /// Checks the snapshots that came, and hands over to a relay what it should know of them.
    pub(crate) fn exchange_snapshots(
        &mut self,
        relay: usize,
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        let left = self.disk.now().unchecked;
        if left > 0 {
            let listed = around
                .network
                .list_snapshots(self.asker(), relay, around.random)
                .ok_or("no list of snapshots")?;
            let open = self.check_snapshots(&listed, around.ledger);
            self.disk.write().unchecked = if open { left - 1 } else { 0 };
            self.disk.commit();
        }
        self.hand_over(relay, around)
    }

    /// Checks the snapshots of a list that were not checked before. Says whether some part still waits for its manifest, or for what it
    /// covers.
    fn check_snapshots(&mut self, listed: &Snapshots, ledger: &mut Ledger) -> bool {
        let ring = self.open_ring();
        let mut open = true;
        for bytes in &listed.snapshots {
            let Ok(snapshot) = Snapshot::parse(bytes.0.clone()) else {
                continue;
            };
            let hash = snapshot.hash();
            let mut judged = self.disk.now().snapshots.iter();
            let is_known = judged.any(|one| one.snapshot.hash() == hash);
            let checked = match is_known {
                true => None,
                false => Some(check(self.disk.now(), self.chain(), &snapshot, &ring)),
            };
            open = matches!(checked, Some(Checked::NotYet));
            let is = match checked {
                None | Some(Checked::NotYet) => continue,
                Some(Checked::Same) => SnapshotState::Checked,
                Some(Checked::Overtaken) => SnapshotState::Overtaken,
                Some(Checked::Differs(how)) => {
                    if ledger.covered.contains_key(&hash) {
                        let number = self.number;
                        ledger.broken.push(format!(
                            "machine {number} finds that an honest snapshot says something else: {how}"
                        ));
                    }
                    SnapshotState::Refused
                }
            };
            if is == SnapshotState::Checked && ledger.lies.contains(&hash) {
                ledger
                    .broken
                    .push("a lying snapshot passed its check".to_owned());
            }
            put(self.disk.write(), snapshot, is);
        }
        open
    }

    /// Hands the newest snapshot that this machine made or checked over to a relay, with its acknowledgement if it checked it.
    fn hand_over(&mut self, relay: usize, around: &mut Around<'_>) -> Result<(), String> {
        let state = self.disk.now();
        let Some(newest) = newest(state) else {
            return Ok(());
        };
        let hash = newest.snapshot.hash();
        if newest.state == SnapshotState::Adopted || state.handed.get(&relay) == Some(&hash) {
            return Ok(());
        }
        let mut acknowledgements = known(state, &hash);
        if newest.state == SnapshotState::Checked {
            let journal = state.log.journal();
            acknowledgements.push(Acknowledgement::create(&journal, hash, &self.keys));
        }
        let put = Put {
            message: PutSnapshots {
                snapshots: vec![Bytes(newest.snapshot.bytes().to_vec())],
                acknowledgements,
                start: false,
            },
            covered: None,
        };
        let asker = self.asker();
        let answer = around
            .network
            .put_snapshots(asker, relay, &put, around.random);
        match answer.ok_or("a snapshot was not handed over")? {
            Ok(listed) => {
                let state = self.disk.write();
                keep(state, &hash, &listed);
                state.handed.insert(relay, hash);
                self.disk.commit();
                Ok(())
            }
            Err(problem) if problem.kind == ProblemKind::SnapshotUnfit => Ok(()),
            Err(problem) => Err(problem.detail),
        }
    }

    /// Gives a relay that lost what a snapshot covers, and that this machine does not have either, the snapshot to go on from.
    pub(crate) fn restart_relay(
        &mut self,
        relay: usize,
        (chain, after): (&ChainId, Seq),
        around: &mut Around<'_>,
    ) -> Result<bool, String> {
        let state = self.disk.now().clone();
        for one in state
            .snapshots
            .iter()
            .rev()
            .filter(|one| one.state.is_good())
        {
            if one.snapshot.manifest().covers.seq(chain) <= after {
                continue;
            }
            let hash = one.snapshot.hash();
            let put = Put {
                message: PutSnapshots {
                    snapshots: vec![Bytes(one.snapshot.bytes().to_vec())],
                    acknowledgements: known(&state, &hash),
                    start: true,
                },
                covered: around.ledger.covered.get(&hash).cloned(),
            };
            let asker = self.asker();
            let answer = around
                .network
                .put_snapshots(asker, relay, &put, around.random);
            if answer.ok_or("a snapshot was not handed over")?.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Takes every chain for known up to what is covered.
fn know_chains(state: &mut State, manifest: &Manifest, covered: Option<&Covered>) {
    for author in &manifest.authors {
        let chain = author.chain();
        let Some(at) = manifest.covers.0.get(&chain) else {
            continue;
        };
        let tip = ChainTip {
            seq: at.seq,
            hash: at.hash,
            head: 0,
        };
        let empty = || Chain {
            device: author.device,
            salt: author.salt,
            tip,
            kept: Vec::new(),
        };
        let of = state
            .chains
            .entry(chain)
            .or_insert_with(|| Arc::new(empty()));
        if of.length() >= at.seq.0 {
            continue;
        }
        let of = Arc::make_mut(of);
        let hashes = covered.and_then(|covered| covered.get(&chain));
        for place in of.length()..at.seq.0 {
            let hash = usize::try_from(place).ok().and_then(|at| hashes?.get(at));
            of.kept.push(Kept {
                hash: hash.copied().unwrap_or(at.hash),
                envelope: None,
                held: None,
                failed_on: None,
            });
        }
        of.tip = tip;
    }
    let is_covered = |bytes: &Vec<u8>| {
        let envelope = Envelope::parse(bytes.clone());
        envelope.is_ok_and(|of| of.header().seq <= manifest.covers.seq(&of.header().chain()))
    };
    state.waiting.retain(|_, bytes| !is_covered(bytes));
}
