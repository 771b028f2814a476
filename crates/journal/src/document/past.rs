//! What a change could know: the causal past, as one number per chain.
//!
//! A chain's changes form a line: each has the one before in its past. So a past is, for each chain, how many of its
//! changes are in it. Kept for every change of a document, shared where a change adds nothing from other chains.

use std::collections::HashMap;
use std::rc::Rc;

use automerge::Automerge;

use super::merge::Hostile;
use crate::Actor;
use crate::change::{ChangeHash, OpRef, actor};

/// Most numbers kept for all pasts of a document together: 32 MiB. A hundred thousand changes that each join the changes
/// of eighty chains; a month of any household is far below.
const MAX_CELLS: usize = 8 << 20;

/// The changes of a document, and of the part of a batch that is being merged.
pub(super) struct Past {
    actors: HashMap<Actor, usize>,
    /// For each actor its changes, in order of their sequence numbers.
    chains: Vec<Vec<Node>>,
    /// None for those whose hashes only Automerge will find.
    hashes: Vec<Option<ChangeHash>>,
    index: HashMap<ChangeHash, Node>,
    places: Vec<Place>,
    cells: usize,
}

/// A change, by its index: those of the document first, in the document's order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(super) struct Node(u32);

impl Node {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a change stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) author: Actor,
    chain: usize,
    pub(super) seq: u64,
    pub(super) start: u64,
    pub(super) max_op: u64,
    /// By chain, how many changes of others are in the past. Not kept up for the own chain.
    others: Rc<[u32]>,
}

impl Past {
    /// Reads the changes of a document.
    pub(super) fn of(document: &Automerge) -> Result<Self, Hostile> {
        let mut past = Self {
            actors: HashMap::new(),
            chains: Vec::new(),
            hashes: Vec::new(),
            index: HashMap::new(),
            places: Vec::new(),
            cells: 0,
        };
        for change in document.get_changes_meta(&[]) {
            let author = actor(&change.actor).map_err(|_| Hostile::Document)?;
            let deps = change.deps.iter().map(|dep| past.find(&(*dep).into()));
            let deps = deps.collect::<Option<Vec<_>>>().ok_or(Hostile::Document)?;
            let mut place = past.place(author, &deps)?;
            place.max_op = change.max_op;
            if place.seq != change.seq || place.start != change.start_op {
                return Err(Hostile::Document);
            }
            past.push(place, Some(change.hash.into()));
        }
        Ok(past)
    }

    /// Returns the number of changes.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the change with that hash.
    pub(super) fn find(&self, hash: &ChangeHash) -> Option<Node> {
        self.index.get(hash).copied()
    }

    /// Returns a change's hash, if it is known.
    pub(super) fn hash(&self, node: Node) -> Option<ChangeHash> {
        self.hashes.get(node.index()).copied().flatten()
    }

    /// Returns where a change by `author` stands that depends on `deps`. Its `max_op` is for the caller to set.
    pub(super) fn place(&mut self, author: Actor, deps: &[Node]) -> Result<Place, Hostile> {
        let chain = self.chain(author);
        let places = deps.iter().filter_map(|dep| self.places.get(dep.index()));
        let start = 1 + places.clone().map(|place| place.max_op).max().unwrap_or(0);
        if let ([_], Some(own)) = (deps, places.clone().find(|place| place.chain == chain)) {
            let others = Rc::clone(&own.others);
            return Ok(Place {
                author,
                chain,
                seq: own.seq + 1,
                start,
                max_op: start,
                others,
            });
        }
        let mut known = vec![0; self.chains.len()];
        for place in places {
            for (known, other) in known.iter_mut().zip(place.others.iter()) {
                *known = (*known).max(*other);
            }
            if let Some(known) = known.get_mut(place.chain) {
                *known = (*known).max(place.seq as u32);
            }
        }
        self.cells += known.len();
        if self.cells > MAX_CELLS {
            return Err(Hostile::Tangled);
        }
        let seq = 1 + u64::from(known.get(chain).copied().unwrap_or(0));
        Ok(Place {
            author,
            chain,
            seq,
            start,
            max_op: start,
            others: known.into(),
        })
    }

    /// Adds a change at its place.
    pub(super) fn push(&mut self, place: Place, hash: Option<ChangeHash>) -> Node {
        let node = Node(self.places.len() as u32);
        if let Some(chain) = self.chains.get_mut(place.chain) {
            chain.push(node);
        }
        self.places.push(place);
        self.hashes.push(hash);
        self.index.extend(hash.map(|hash| (hash, node)));
        node
    }

    /// Returns the change that stands at a place already.
    pub(super) fn at(&self, place: &Place) -> Option<Node> {
        let index = usize::try_from(place.seq.checked_sub(1)?).ok()?;
        self.chains.get(place.chain)?.get(index).copied()
    }

    /// Returns the change that holds an operation, and where it stands, if it is in the past of a change at `place`.
    pub(super) fn holder(&self, operation: OpRef, place: &Place) -> Option<(Node, &Place)> {
        let chain = *self.actors.get(&operation.actor)?;
        let nodes = self.chains.get(chain)?;
        let known = if chain == place.chain {
            place.seq - 1
        } else {
            u64::from(place.others.get(chain).copied().unwrap_or(0))
        };
        let known = nodes.get(..usize::try_from(known).ok()?)?;
        let start = |node: &Node| self.places.get(node.index()).map_or(0, |place| place.start);
        let after = known.partition_point(|node| start(node) <= operation.counter);
        let node = *known.get(after.checked_sub(1)?)?;
        let holder = self.places.get(node.index())?;
        (operation.counter <= holder.max_op).then_some((node, holder))
    }

    fn chain(&mut self, actor: Actor) -> usize {
        let next = self.chains.len();
        let chain = *self.actors.entry(actor).or_insert(next);
        if chain == next {
            self.chains.push(Vec::new());
        }
        chain
    }
}
