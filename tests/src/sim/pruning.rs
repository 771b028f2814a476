//! A relay's snapshots: which it keeps, which it lists, and what it prunes by them; as the real relay does.

use std::sync::Arc;

use protocol::api::{Problem, ProblemKind, PutSnapshots, Snapshots};
use protocol::cbor::Bytes;
use protocol::id::{ChainId, Seq, SnapshotHash};
use protocol::judge::ChainTip;
use protocol::limits;
use protocol::snapshot::{Acknowledgement, Manifest, Snapshot};

use super::ledger::Covered;
use super::relay::{Placed, Shelf, problem};

/// Snapshots that may be relied on, kept for each journal.
const RELIED_ON: usize = 2;

/// A snapshot as a relay keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    snapshot: Arc<Snapshot>,
    acknowledgements: Vec<Acknowledgement>,
}

/// What a client brings, and the envelopes that each of these snapshots covers, where the simulation knows them.
pub(crate) struct Put {
    pub(crate) message: PutSnapshots,
    pub(crate) covered: Option<Arc<Covered>>,
}

impl Shelf {
    /// Whether the last part of a snapshot is here.
    fn is_whole(&self, manifest: &Manifest) -> bool {
        let last = self.placed(&manifest.author.chain(), manifest.last().0);
        last.is_some_and(|last| last.bytes.is_some() && manifest.parts.last() == Some(&last.hash))
    }

    /// Whether a snapshot that is here whole covers a place.
    pub(crate) fn is_covered(&self, chain: &ChainId, seq: u64) -> bool {
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|one| {
            let manifest = one.snapshot.manifest();
            manifest.covers.seq(chain).0 >= seq && self.is_whole(manifest)
        })
    }

    /// Lists the snapshots that are here whole.
    pub(crate) fn listed(&self) -> Snapshots {
        let mut listed = Snapshots::default();
        for one in self.snapshots.iter() {
            if self.is_whole(one.snapshot.manifest()) {
                listed.snapshots.push(Bytes(one.snapshot.bytes().to_vec()));
                listed.acknowledgements.extend(one.acknowledgements.clone());
            }
        }
        listed
    }

    /// Returns the parts of a snapshot that are here.
    pub(crate) fn parts(&self, hash: &SnapshotHash) -> Vec<Vec<u8>> {
        let of = self
            .snapshots
            .iter()
            .find(|one| one.snapshot.hash() == *hash);
        let places = of.into_iter().flat_map(|one| {
            let manifest = one.snapshot.manifest();
            let chain = manifest.author.chain();
            (manifest.first.0..=manifest.last().0).filter_map(move |seq| self.placed(&chain, seq))
        });
        places
            .filter_map(|placed| placed.bytes.as_ref())
            .map(|bytes| (**bytes).clone())
            .collect()
    }

    /// Keeps snapshots and acknowledgements, all or none.
    pub(crate) fn put(&mut self, put: &Put) -> Result<Snapshots, Problem> {
        let broken = || problem(ProblemKind::RuleBroken);
        let mut new = Vec::new();
        for bytes in &put.message.snapshots {
            let snapshot = Snapshot::parse(bytes.0.clone()).map_err(|_| broken())?;
            snapshot.verify(&self.log).map_err(|_| broken())?;
            if !self
                .snapshots
                .iter()
                .any(|one| one.snapshot.hash() == snapshot.hash())
            {
                new.push(snapshot);
            }
        }
        for one in &put.message.acknowledgements {
            one.verify(&self.log).map_err(|_| broken())?;
        }
        let start = put.message.start;
        if !new
            .iter()
            .all(|snapshot| self.fits(snapshot.manifest(), start))
        {
            return Err(problem(ProblemKind::SnapshotUnfit));
        }
        self.make_room(new.len());
        for snapshot in new {
            if start && let Some(covered) = &put.covered {
                self.start(snapshot.manifest(), covered);
            }
            Arc::make_mut(&mut self.snapshots).push(Stored {
                snapshot: Arc::new(snapshot),
                acknowledgements: Vec::new(),
            });
        }
        for stored in Arc::make_mut(&mut self.snapshots) {
            let hash = stored.snapshot.hash();
            for one in &put.message.acknowledgements {
                if one.snapshot == hash && !stored.acknowledgements.contains(one) {
                    stored.acknowledgements.push(one.clone());
                }
            }
        }
        Ok(self.listed())
    }

    /// Whether what is here agrees with a manifest; where chains may start from it, there may be less.
    fn fits(&self, manifest: &Manifest, start: bool) -> bool {
        manifest.ends().all(|(chain, seq, hash)| {
            if self.length_of(&chain) < seq.0 {
                return start;
            }
            let placed = self.placed(&chain, seq.0);
            let found = placed.filter(|placed| placed.bytes.is_some());
            found.is_none_or(|placed| Some(placed.hash) == hash)
        })
    }

    /// Lets the chains of which less is here than a snapshot covers go on from there.
    fn start(&mut self, manifest: &Manifest, covered: &Covered) {
        for author in &manifest.authors {
            let chain = author.chain();
            let Some(at) = manifest.covers.0.get(&chain) else {
                continue;
            };
            if self.length_of(&chain) >= at.seq.0 {
                continue;
            }
            let tip = ChainTip {
                seq: at.seq,
                hash: at.hash,
                head: 0,
            };
            let row = self.row(chain, author.device, tip);
            let hashes = covered.get(&chain).into_iter().flatten();
            let missing = hashes.skip(row.places.len()).map(|hash| Placed {
                hash: *hash,
                bytes: None,
            });
            row.places.extend(missing);
            row.tip = tip;
        }
    }

    /// Forgets the oldest snapshots beyond the limit, but never the two newest that may be relied on.
    fn make_room(&mut self, added: usize) {
        let needed: Vec<SnapshotHash> = self.relied_on().iter().map(Snapshot::hash).collect();
        let surplus = (self.snapshots.len() + added).saturating_sub(limits::SNAPSHOTS);
        let oldest = self.snapshots.iter().map(|one| one.snapshot.hash());
        let drop: Vec<SnapshotHash> = oldest
            .filter(|hash| !needed.contains(hash))
            .take(surplus)
            .collect();
        Arc::make_mut(&mut self.snapshots).retain(|one| !drop.contains(&one.snapshot.hash()));
    }

    /// Returns the two newest snapshots that may be relied on.
    fn relied_on(&self) -> Vec<Snapshot> {
        let listed = self.listed();
        listed.relied_on(&self.log).take(RELIED_ON).collect()
    }

    /// Forgets what the older of the two newest snapshots covers that may be relied on, but for parts of snapshots. Returns how many
    /// envelopes.
    pub(crate) fn prune(&mut self) -> usize {
        let relied = self.relied_on();
        let Some(older) = relied.get(RELIED_ON - 1) else {
            return 0;
        };
        let parts: Vec<(ChainId, Seq, Seq)> = self
            .snapshots
            .iter()
            .map(|one| {
                let manifest = one.snapshot.manifest();
                (manifest.author.chain(), manifest.first, manifest.last())
            })
            .collect();
        let mut forgotten = 0;
        for (chain, at) in &older.manifest().covers.0 {
            let Some(row) = self.chains.get_mut(chain) else {
                continue;
            };
            for (seq, placed) in (1..=at.seq.0).zip(&mut Arc::make_mut(row).places) {
                let is_part = parts
                    .iter()
                    .any(|(of, first, last)| of == chain && (first.0..=last.0).contains(&seq));
                if !is_part && placed.bytes.take().is_some() {
                    forgotten += 1;
                }
            }
        }
        forgotten
    }
}
