//! What checks store: real records and envelopes, as changes that the service has judged.

use std::sync::Arc;

use protocol::cbor::Bytes;
use protocol::envelope::Envelope;
use protocol::id::{BlobHash, JournalId, KeyId, SigningKey};
use protocol::judge::ChainTip;
use protocol::vector::Vector;

use crate::storage::{
    AppendOutcome, CreateOutcome, LogChange, LogHead, LogOutcome, NewBlob, NewEnvelope, NewJournal,
    Storage, SyncPage, SyncQuery,
};
use crate::testing::{Chain, Journal, Keys, NOW};

/// More than anything here takes.
pub(super) const QUOTA: u64 = 1 << 30;
/// More bytes than any page here has.
pub(super) const ALL: usize = 1 << 30;

/// Returns where a journal's log ends.
pub(super) fn head(journal: &Journal) -> LogHead {
    LogHead {
        length: journal.log.length(),
        hash: journal.log.head(),
    }
}

/// Returns the change that appends the last `records` records of a journal, with the members that it has now.
pub(super) fn change(journal: &Journal, records: usize) -> LogChange {
    let first = journal.records.len() - records;
    let members = journal.log.devices().iter();
    let members = members.filter(|(_, device)| device.role().is_some());
    LogChange {
        records: bytes(&journal.records[first..]),
        blobs: Vec::new(),
        closed: Vec::new(),
        members: members
            .map(|(id, device)| (*id, device.keys.signing))
            .collect::<Vec<(KeyId, SigningKey)>>(),
        head: head(journal),
        frontiers: Vec::new(),
        erases: journal.log.is_erased(),
        quota: QUOTA,
    }
}

/// Returns a sealed key of the record of an index.
pub(super) fn blob(record: u32, invite: Option<(KeyId, u64)>, bytes: &[u8]) -> NewBlob {
    NewBlob {
        hash: BlobHash::of(bytes),
        record,
        invite,
        bytes: bytes.to_vec(),
    }
}

/// Returns the message that creates a journal as it is.
pub(super) fn new(journal: &Journal) -> NewJournal {
    NewJournal {
        id: journal.id(),
        log: change(journal, journal.records.len()),
        token: None,
        most: 1_000,
        most_of_token: 1_000,
    }
}

/// Starts a journal of the owner of a number, and creates it.
pub(super) async fn begin(store: &dyn Storage, seed: u8) -> (Journal, Keys) {
    let owner = Keys::of(seed);
    let journal = Journal::start(&owner);
    let created = store.create(new(&journal), NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);
    (journal, owner)
}

/// Appends one more record, an invite, to a journal here and in a store.
pub(super) async fn grow(store: &dyn Storage, journal: &mut Journal, owner: &Keys, seed: u8) {
    let from = head(journal);
    invite(journal, owner, seed);
    let done = store
        .append_log(journal.id(), from, change(journal, 1), NOW)
        .await;
    assert_eq!(done.unwrap(), LogOutcome::Appended);
}

/// Appends an invite to a journal here.
pub(super) fn invite(journal: &mut Journal, owner: &Keys, seed: u8) {
    let (record, _) = journal.invite(owner, &Keys::of(seed), NOW + 60);
    journal.append(record, None);
}

/// Returns envelopes as judged.
pub(super) fn judged(journal: &Journal, envelopes: &[Bytes]) -> Vec<NewEnvelope> {
    let judged = envelopes.iter().map(|bytes| {
        let envelope = Envelope::parse(bytes.0.clone()).unwrap();
        let header = envelope.header();
        NewEnvelope {
            chain: header.chain(),
            device: header.device,
            prev: header.prev,
            tip: ChainTip {
                seq: header.seq,
                hash: envelope.hash(),
                head: journal.log.index_of(&header.head).unwrap(),
            },
            bytes: bytes.0.clone(),
        }
    });
    judged.collect()
}

/// Stores envelopes.
pub(super) async fn append(
    store: &dyn Storage,
    journal: &Journal,
    envelopes: &[Bytes],
) -> AppendOutcome {
    let envelopes = judged(journal, envelopes);
    let (id, head) = (journal.id(), head(journal));
    let done = store.append(id, head, envelopes, QUOTA, NOW).await;
    done.unwrap()
}

/// Stores `count` envelopes of a chain, and returns them.
pub(super) async fn put(
    store: &dyn Storage,
    journal: &Journal,
    chain: &mut Chain,
    count: usize,
) -> Vec<Bytes> {
    let envelopes: Vec<Bytes> = (0..count).map(|_| chain.seal(100)).collect();
    let done = append(store, journal, &envelopes).await;
    assert_eq!(done, AppendOutcome::Stored);
    envelopes
}

/// Syncs one who knows the whole log.
pub(super) async fn sync(
    store: &dyn Storage,
    journal: &Journal,
    vector: Vector,
    page: usize,
) -> SyncPage {
    let query = SyncQuery {
        log: head(journal),
        vector,
        page,
    };
    store.sync(journal.id(), query).await.unwrap().unwrap()
}

/// Returns everything that is stored of a journal's envelopes.
pub(super) async fn all(store: &dyn Storage, journal: &Journal) -> Vec<Vec<u8>> {
    sync(store, journal, Vector::default(), ALL).await.envelopes
}

/// Returns the bytes that a journal takes, as the list of journals says; none if it is not there.
pub(super) async fn used(store: &dyn Storage, journal: JournalId) -> Option<u64> {
    let journals = store.journals().await.unwrap();
    let entry = journals.iter().find(|entry| entry.id == journal)?;
    Some(entry.bytes)
}

/// Returns the bytes of byte strings.
pub(super) fn bytes(strings: &[Bytes]) -> Vec<Vec<u8>> {
    strings.iter().map(|bytes| bytes.0.clone()).collect()
}

/// Returns the sum of lengths.
pub(super) fn length(strings: &[Bytes]) -> u64 {
    strings.iter().map(|bytes| bytes.0.len() as u64).sum()
}

/// Opens two stores on the same data.
pub(super) async fn two(place: &dyn super::Place) -> [Arc<dyn Storage>; 2] {
    [place.open().await, place.open().await]
}
