//! Snapshots: what a set of envelopes covers, who vouches for it, and who checked it.
//!
//! The parts of a snapshot are envelopes of kind 2, one after the other in the chain of the owner's device that made them. The
//! *manifest* here says which they are and what they cover; an *acknowledgement* is another member's signature that its own
//! envelopes say the same. Both travel beside the envelopes. A relay prunes by them, and a device that has none of the covered
//! envelopes starts from them.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::domain::Domain;
use crate::envelope::{Envelope, Kind, VerifiedEnvelope};
use crate::id::{
    ChainId, ChainSalt, EnvelopeHash, JournalId, KeyId, RecordHash, Seq, Signature, SnapshotHash,
};
use crate::judge::{self, ChainTip, Verdict};
use crate::limits;
use crate::log::MemberLog;
use crate::role::Role;
use crate::sign::{self, BadSignature, Signer};
use crate::vector::{Position, Vector};

/// The device and the salt that a chain's id derives from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Author {
    /// The device that writes the chain.
    #[n(0)]
    pub device: KeyId,
    /// The chain's salt.
    #[n(1)]
    pub salt: ChainSalt,
}

impl Author {
    /// Returns the chain.
    pub fn chain(&self) -> ChainId {
        ChainId::of(&self.device, &self.salt)
    }
}

/// What a snapshot is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Manifest {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// The chain that the parts are in.
    #[n(1)]
    pub author: Author,
    /// The place of the first part in that chain.
    #[n(2)]
    pub first: Seq,
    /// The parts, in order.
    #[n(3)]
    pub parts: Vec<EnvelopeHash>,
    /// What the parts say the same as: every envelope of each chain up to here.
    #[n(4)]
    pub covers: Vector,
    /// Device and salt of each chain that is covered, ascending.
    #[n(5)]
    pub authors: Vec<Author>,
    /// The head of the member log that its maker had verified, and that every part names.
    #[n(6)]
    pub head: RecordHash,
}

impl Manifest {
    /// Describes a snapshot by its parts, in order; none without any.
    pub fn of<'a>(
        parts: impl IntoIterator<Item = &'a Envelope>,
        covers: Vector,
        mut authors: Vec<Author>,
    ) -> Option<Self> {
        let mut parts = parts.into_iter().peekable();
        let header = parts.peek()?.header();
        authors.sort();
        Some(Self {
            journal: header.journal,
            author: Author {
                device: header.device,
                salt: header.salt,
            },
            first: header.seq,
            head: header.head,
            parts: parts.map(Envelope::hash).collect(),
            covers,
            authors,
        })
    }

    /// Returns whether a part stands after a place of a chain.
    pub fn has_parts_after(&self, chain: &ChainId, after: Seq) -> bool {
        self.author.chain() == *chain && self.last() > after
    }

    /// Returns what a store must have: the last place covered of each chain, and that of the parts, each with its hash.
    pub fn ends(&self) -> impl Iterator<Item = (ChainId, Seq, Option<EnvelopeHash>)> {
        let covered = self.covers.0.iter();
        let covered = covered.map(|(chain, at)| (*chain, at.seq, Some(at.hash)));
        let last = (self.author.chain(), self.last(), self.parts.last().copied());
        covered.chain([last])
    }

    /// Returns the place of the last part.
    pub fn last(&self) -> Seq {
        let parts = u64::try_from(self.parts.len()).unwrap_or(u64::MAX);
        Seq(self.first.0.saturating_add(parts).saturating_sub(1))
    }

    /// Returns whether it fits itself: parts within the limits, authors that are exactly the chains covered, and the own chain
    /// covered up to the first part.
    fn is_sound(&self) -> bool {
        let chains: BTreeSet<ChainId> = self.authors.iter().map(Author::chain).collect();
        let before = self.first.0.checked_sub(1);
        (1..=limits::SNAPSHOT_PARTS).contains(&self.parts.len())
            && self.covers.0.len() <= limits::VECTOR_CHAINS
            && self.authors.is_sorted_by(|a, b| a < b)
            && chains.iter().eq(self.covers.0.keys())
            && before == Some(self.covers.seq(&self.author.chain()).0)
            && self
                .first
                .0
                .checked_add(limits::SNAPSHOT_PARTS as u64)
                .is_some()
            && self.covers.0.values().all(|position| position.seq.0 > 0)
    }
}

/// Bytes that are no manifest or no acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Longer than [`limits::SNAPSHOT_BYTES`], or too short for a signature.
    #[error("{length} bytes are no manifest of a snapshot")]
    Length {
        /// The length found.
        length: usize,
    },
    /// Not canonical CBOR of a manifest.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// What it says contradicts itself.
    #[error("the manifest of a snapshot contradicts itself")]
    Unsound,
    /// It is for another journal.
    #[error("it is for another journal")]
    Journal,
    /// It names a member-log record that is not known here.
    #[error("it names a member-log record not known here")]
    UnknownHead,
    /// Its device was no owner's at the head that it names, or is no member's now who acknowledges it.
    #[error("its device has no right to this")]
    NotPermitted,
    /// Its signature does not hold.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// A manifest with its signature, not yet checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    bytes: Vec<u8>,
    manifest: Manifest,
    hash: SnapshotHash,
}

impl Snapshot {
    /// Signs a manifest.
    ///
    /// # Errors
    /// [`SnapshotError::Length`] or [`SnapshotError::Unsound`]. Caller misused.
    pub fn create(manifest: &Manifest, signer: &dyn Signer) -> Result<Self, SnapshotError> {
        let mut bytes = cbor::encode(manifest);
        let signature = signer.sign(Domain::SnapshotSignature, &[&bytes]);
        bytes.extend_from_slice(&signature.0);
        Self::parse(bytes)
    }

    /// Reads a manifest. Unverified, what it says is a claim.
    ///
    /// # Errors
    /// [`SnapshotError`], of which signature, member and journal are left to [`Self::verify`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        let length = bytes.len();
        let payload = bytes
            .split_last_chunk::<{ Signature::LENGTH }>()
            .map(|(payload, _)| payload)
            .filter(|payload| !payload.is_empty() && length <= limits::SNAPSHOT_BYTES)
            .ok_or(SnapshotError::Length { length })?;
        let manifest: Manifest = cbor::decode(payload)?;
        if !manifest.is_sound() {
            return Err(SnapshotError::Unsound);
        }
        let hash = SnapshotHash(Domain::SnapshotHash.hash(&[&bytes]));
        Ok(Self {
            bytes,
            manifest,
            hash,
        })
    }

    /// Checks journal, head, that the device was an owner's then, and the signature.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn verify(&self, log: &MemberLog) -> Result<&Manifest, SnapshotError> {
        if self.manifest.journal != log.journal() {
            return Err(SnapshotError::Journal);
        }
        let head = log.index_of(&self.manifest.head);
        let head = head.ok_or(SnapshotError::UnknownHead)?;
        let device = log.devices().get(&self.manifest.author.device);
        let device = device
            .filter(|device| device.role_at(head) == Some(Role::Owner) && !device.keys.paper)
            .ok_or(SnapshotError::NotPermitted)?;
        let (payload, signature) = self
            .bytes
            .split_last_chunk::<{ Signature::LENGTH }>()
            .ok_or(BadSignature)?;
        sign::verify(
            &device.keys.signing,
            Domain::SnapshotSignature,
            &[payload],
            &Signature(*signature),
        )?;
        Ok(&self.manifest)
    }

    /// Returns what it claims.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the hash of all its bytes.
    pub fn hash(&self) -> SnapshotHash {
        self.hash
    }

    /// Returns the bytes as they travel.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A member's signature that what it holds says the same as a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Acknowledgement {
    /// The snapshot.
    #[n(0)]
    pub snapshot: SnapshotHash,
    /// The device that checked it.
    #[n(1)]
    pub device: KeyId,
    /// Its signature over journal and snapshot.
    #[n(2)]
    pub signature: Signature,
}

impl Acknowledgement {
    /// Signs for a snapshot.
    pub fn create(journal: &JournalId, snapshot: SnapshotHash, signer: &dyn Signer) -> Self {
        Self {
            snapshot,
            device: signer.key_id(),
            signature: signer.sign(Domain::SnapshotAcknowledgement, &[&journal.0, &snapshot.0]),
        }
    }

    /// Checks that a member signed it.
    ///
    /// # Errors
    /// [`SnapshotError::NotPermitted`], [`SnapshotError::Signature`].
    pub fn verify(&self, log: &MemberLog) -> Result<(), SnapshotError> {
        let device = log.devices().get(&self.device);
        let device = device
            .filter(|device| !device.keys.paper && device.role().is_some())
            .ok_or(SnapshotError::NotPermitted)?;
        sign::verify(
            &device.keys.signing,
            Domain::SnapshotAcknowledgement,
            &[&log.journal().0, &self.snapshot.0],
            &self.signature,
        )?;
        Ok(())
    }
}

/// Returns whether a snapshot may be relied on in place of what it covers: another device than its author's has acknowledged it,
/// or there was no other device that could when it was made.
pub fn is_attested(
    manifest: &Manifest,
    acknowledged_by: impl IntoIterator<Item = KeyId>,
    log: &MemberLog,
) -> bool {
    let author = manifest.author.device;
    let head = log.index_of(&manifest.head);
    let alone = head.is_some_and(|head| {
        let mut others = log.devices().iter().filter(|(id, _)| **id != author);
        others.all(|(_, device)| device.keys.paper || device.role_at(head).is_none())
    });
    alone
        || cfg!(ebb_mutant = "adopt-unattested")
        || acknowledged_by.into_iter().any(|device| device != author)
}

/// Returns what a snapshot made in the chain `own` covers of what was seen: each chain up to the first envelope that is held back.
/// `held` names those in order, and `hash_at` tells which envelope is at a place. `None` if something after a held one is merged,
/// what is before it is not known, or it is of the own chain: then it cannot be told.
///
/// # Errors
/// Those of `hash_at`.
pub fn covered<E>(
    own: &ChainId,
    mut seen: Vector,
    held: impl IntoIterator<Item = (ChainId, Seq)>,
    mut hash_at: impl FnMut(&ChainId, Seq) -> Result<Option<EnvelopeHash>, E>,
) -> Result<Option<Vector>, E> {
    let mut tails: BTreeMap<ChainId, (Seq, u64)> = BTreeMap::new();
    for (chain, first) in held {
        let (_, count) = tails.entry(chain).or_insert((first, 0));
        *count += 1;
    }
    for (chain, (first, count)) in tails {
        let before = Seq(first.0.saturating_sub(1));
        if chain == *own || before.0.saturating_add(count) != seen.seq(&chain).0 {
            return Ok(None);
        }
        seen.0.remove(&chain);
        if before > Seq(0) {
            let Some(hash) = hash_at(&chain, before)? else {
                return Ok(None);
            };
            seen.0.insert(chain, Position { seq: before, hash });
        }
    }
    Ok(Some(seen))
}

/// Judges the envelopes that are said to be a snapshot's parts, as any envelopes are judged: next to one another in their chain, by
/// an owner's device at the head that they name. `None` if they are not exactly its parts.
pub fn judge_parts(
    manifest: &Manifest,
    parts: Vec<Envelope>,
    log: &MemberLog,
) -> Option<Vec<VerifiedEnvelope>> {
    let chain = manifest.author.chain();
    let head = log.index_of(&manifest.head)?;
    let before = manifest.covers.0.get(&chain);
    let mut tip = before.map(|at| ChainTip {
        seq: at.seq,
        hash: at.hash,
        head: 0,
    });
    let mut judged = Vec::new();
    for (part, hash) in parts.into_iter().zip(&manifest.parts) {
        let header = part.header();
        let fits = part.hash() == *hash
            && header.kind == Kind::Snapshot
            && header.chain() == chain
            && header.head == manifest.head;
        let (seq, hash) = (header.seq, *hash);
        let Verdict::Accept { envelope, role, .. } = judge::judge(part, log, tip) else {
            return None;
        };
        if !fits || role != Role::Owner {
            return None;
        }
        tip = Some(ChainTip { seq, hash, head });
        judged.push(envelope);
    }
    (judged.len() == manifest.parts.len()).then_some(judged)
}

/// Returns whether a snapshot covers something that a frontier excludes of which its maker did not know yet: it is not to be
/// relied on.
pub fn is_overtaken(manifest: &Manifest, log: &MemberLog) -> bool {
    let head = log.index_of(&manifest.head);
    manifest.authors.iter().any(|author| {
        let chain = author.chain();
        let covered = manifest.covers.seq(&chain);
        let device = log.devices().get(&author.device);
        let losses = device.into_iter().flat_map(|device| device.losses());
        let mut later = losses.filter(|loss| head.is_none_or(|head| loss.since > head));
        later.any(|loss| loss.frontier.seq(&chain) < covered)
    })
}
