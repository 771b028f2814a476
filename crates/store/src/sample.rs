//! Replicas for tests: one in a fresh folder, with values that are easy to tell apart.

use protocol::id::{ChainId, ChainSalt, EnvelopeHash, JournalId, KeyId, PersonId, Seq};
use protocol::role::Role;
use tempfile::TempDir;

use crate::document::StoredTip;
use crate::entry::{EntryKey, EntryRow};
use crate::envelope::{NextEnvelope, StoredEnvelope};
use crate::member::MemberRow;
use crate::{Birth, Replica, StoreError, Writer};

pub(crate) const DEVICE: KeyId = KeyId([2; 32]);
pub(crate) const SALT: ChainSalt = ChainSalt([3; 16]);
/// The device of a caregiver, and the salt of its chain.
pub(crate) const OTHER: (KeyId, ChainSalt) = (KeyId([4; 32]), ChainSalt([5; 16]));

pub(crate) fn birth() -> Birth {
    Birth {
        journal: JournalId([1; 32]),
        device: DEVICE,
        salt: SALT,
        zone: "Europe/Berlin".to_owned(),
    }
}

/// A new replica, in a folder that lasts as long as the first value.
pub(crate) fn replica() -> (TempDir, Replica) {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::create(&folder.path().join("replica.db"), &birth()).unwrap();
    (folder, replica)
}

/// Writes, with the error type that tests want.
pub(crate) fn write<T>(
    replica: &mut Replica,
    work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
) -> T {
    replica.write(work).unwrap()
}

/// Reads, with the error type that tests want.
pub(crate) fn read<T>(
    replica: &Replica,
    work: impl FnOnce(&crate::Reader<'_>) -> Result<T, StoreError>,
) -> T {
    replica.read(work).unwrap()
}

pub(crate) fn own_chain() -> ChainId {
    ChainId::of(&DEVICE, &SALT)
}

pub(crate) fn other_chain() -> ChainId {
    ChainId::of(&OTHER.0, &OTHER.1)
}

pub(crate) fn tip(seq: u64) -> StoredTip {
    StoredTip {
        seq,
        max_op: seq * 10,
        hash: [7; 32],
    }
}

pub(crate) fn hash(seq: u64) -> EnvelopeHash {
    let mut hash = [9; 32];
    hash[..8].copy_from_slice(&seq.to_be_bytes());
    EnvelopeHash(hash)
}

/// An envelope whose hash says its place.
pub(crate) fn envelope(seq: u64) -> StoredEnvelope {
    StoredEnvelope {
        seq: Seq(seq),
        hash: hash(seq),
        bytes: format!("envelope {seq}").into_bytes(),
    }
}

/// The next envelope in the chain of a device, following the one whose hash says the place before.
pub(crate) fn next(
    (device, salt): (KeyId, ChainSalt),
    envelope: &StoredEnvelope,
) -> NextEnvelope<'_> {
    NextEnvelope {
        device,
        salt,
        prev: (envelope.seq.0 > 1).then(|| hash(envelope.seq.0 - 1)),
        head: 2,
        envelope,
        heard_ms: Some(envelope.seq.0.cast_signed() * 1_000),
    }
}

pub(crate) fn entry(id: u128, kind: &str, at_ms: i64) -> EntryRow {
    EntryRow {
        id: EntryKey(id.to_be_bytes()),
        kind: kind.to_owned(),
        at_ms,
        deleted: false,
        chain: own_chain(),
        changed_ms: at_ms + 1,
        text: format!("Words of {id}"),
        json: format!("{{\"kind\":\"{kind}\"}}"),
    }
}

pub(crate) fn member(device: KeyId, person: u8, person_name: &str) -> MemberRow {
    MemberRow {
        device,
        device_name: format!("laptop of {person_name}"),
        person: PersonId([person; 16]),
        person_name: person_name.to_owned(),
        role: Some(Role::Contributor),
        joined: 1_700_000_000,
        paper: false,
    }
}
