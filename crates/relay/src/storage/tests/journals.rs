//! Checks of journals as wholes: created, erased, forgotten, listed.

use std::sync::Arc;

use futures_util::future::join_all;
use protocol::sign::Signer;

use super::Place;
use super::made::{all, append, begin, blob, change, grow, head, length, new, put, two, used};
use crate::storage::{
    AppendOutcome, CreateOutcome, JournalEntry, LogOutcome, SnapshotChange, Storage, TokenId,
};
use crate::testing::{Journal, Keys, NOW};

pub(super) async fn created_once(place: Arc<dyn Place>) {
    let [one, two] = two(place.as_ref()).await;
    let owner = Keys::of(1);
    let journal = Journal::start(&owner);
    let both = join_all([&one, &two].map(|store| store.create(new(&journal), NOW))).await;
    let mut both: Vec<CreateOutcome> = both.into_iter().map(Result::unwrap).collect();
    both.sort_by_key(|outcome| *outcome == CreateOutcome::Exists);
    assert_eq!(both, [CreateOutcome::Created, CreateOutcome::Exists]);
    let mut chain = journal.chain(&owner);
    put(one.as_ref(), &journal, &mut chain, 2).await;
    let before = one.journals().await.unwrap();
    let again = one.create(new(&journal), NOW + 1).await.unwrap();
    assert_eq!(again, CreateOutcome::Exists);
    assert_eq!(one.journals().await.unwrap(), before);
}

pub(super) async fn created_up_to_the_most(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    begin(store.as_ref(), 2).await;
    erase(store.as_ref(), &mut journal, &owner).await;
    let third = Journal::start(&Keys::of(3));
    let mut create = new(&third);
    create.most = 2;
    let refused = store.create(create.clone(), NOW).await.unwrap();
    assert_eq!(refused, CreateOutcome::TooMany);
    assert_eq!(store.log_head(third.id()).await.unwrap(), None);
    create.most = 3;
    let created = store.create(create, NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);

    let [few, other] = ["aaaa", "bbbb"].map(|name| TokenId(name.to_owned()));
    store.add_token(few.clone(), [1; 32], NOW).await.unwrap();
    store.add_token(other.clone(), [2; 32], NOW).await.unwrap();
    for (seed, token, outcome) in [
        (4, &few, CreateOutcome::Created),
        (5, &few, CreateOutcome::TooManyOfToken),
        (5, &other, CreateOutcome::Created),
    ] {
        let mut create = new(&Journal::start(&Keys::of(seed)));
        create.token = Some(token.clone());
        create.most_of_token = 1;
        assert_eq!(store.create(create, NOW).await.unwrap(), outcome);
    }
}

async fn erase(store: &dyn Storage, journal: &mut Journal, owner: &Keys) -> Vec<u8> {
    let from = head(journal);
    journal.append(journal.erase(owner), None);
    let change = change(journal, 1);
    let record = change.records[0].clone();
    let done = store.append_log(journal.id(), from, change, NOW).await;
    assert_eq!(done.unwrap(), LogOutcome::Appended);
    record
}

/// Fills a journal with everything that may belong to one.
async fn full(store: &dyn Storage, seed: u8) -> (Journal, Keys) {
    let (mut journal, owner) = begin(store, seed).await;
    let from = head(&journal);
    let invited = Keys::of(seed + 1);
    super::made::invite(&mut journal, &owner, seed + 1);
    let mut log = change(&journal, 1);
    log.blobs = vec![
        blob(1, Some((invited.key_id(), NOW + 60)), b"for the invite"),
        blob(1, None, b"for a device"),
    ];
    let done = store.append_log(journal.id(), from, log, NOW).await;
    assert_eq!(done.unwrap(), LogOutcome::Appended);
    let mut chain = journal.chain(&owner);
    put(store, &journal, &mut chain, 2).await;
    let (parts, snapshot) = chain.snapshot(&[], 1);
    assert_eq!(append(store, &journal, &parts).await, AppendOutcome::Stored);
    let acknowledgement =
        protocol::snapshot::Acknowledgement::create(&journal.id(), snapshot.hash(), &owner);
    let change = SnapshotChange {
        new: vec![snapshot],
        acknowledgements: vec![acknowledgement],
        quota: super::made::QUOTA,
        ..SnapshotChange::default()
    };
    let kept = store.put_snapshots(journal.id(), change, NOW).await;
    assert_eq!(kept.unwrap(), Some(crate::storage::SnapshotOutcome::Kept));
    (journal, owner)
}

/// Checks that nothing of a journal is answered any more.
async fn is_gone(store: &dyn Storage, journal: &Journal, owner: &Keys) {
    let id = journal.id();
    assert_eq!(store.log_head(id).await.unwrap(), None);
    assert_eq!(store.log_part(id, 0, 1).await.unwrap(), None);
    assert_eq!(store.standing(id, Vec::new()).await.unwrap(), None);
    assert_eq!(store.snapshots(id).await.unwrap(), None);
    for seed in 0..20 {
        let invite = Keys::of(seed).key_id();
        assert_eq!(store.invite_blob(id, invite).await.unwrap(), None);
    }
    assert_eq!(store.journals_of(owner.key_id()).await.unwrap(), []);
    assert_eq!(used(store, id).await, None);
    let mut chain = journal.chain(owner);
    let envelope = chain.seal(10);
    assert_eq!(
        append(store, journal, &[envelope]).await,
        AppendOutcome::Moved
    );
}

pub(super) async fn erased_for_good(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = full(store.as_ref(), 1).await;
    let (other, _) = full(store.as_ref(), 5).await;
    let kept = all(store.as_ref(), &other).await;
    let before = journal.clone();
    assert_eq!(store.tombstone(journal.id()).await.unwrap(), None);
    let record = erase(store.as_ref(), &mut journal, &owner).await;
    is_gone(store.as_ref(), &before, &owner).await;
    assert_eq!(
        store.tombstone(journal.id()).await.unwrap(),
        Some(record.clone())
    );
    let again = store.create(new(&before), NOW).await.unwrap();
    assert_eq!(again, CreateOutcome::Exists);
    let list = store.journals().await.unwrap();
    assert_eq!(
        list.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [other.id()]
    );
    assert_eq!(all(store.as_ref(), &other).await, kept);
    drop(store);
    let store = place.open().await;
    assert_eq!(store.tombstone(journal.id()).await.unwrap(), Some(record));

    // A log that ends the journal may also come whole, to a relay that never had it.
    let owner = Keys::of(9);
    let mut ended = Journal::start(&owner);
    ended.append(ended.erase(&owner), None);
    let created = store.create(new(&ended), NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);
    assert_eq!(store.log_head(ended.id()).await.unwrap(), None);
    assert_eq!(
        store.tombstone(ended.id()).await.unwrap(),
        ended.records.last().map(|record| record.0.clone())
    );
}

pub(super) async fn forgotten_by_keeper(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = full(store.as_ref(), 1).await;
    let (other, _) = full(store.as_ref(), 5).await;
    assert!(store.forget(journal.id()).await.unwrap());
    assert!(!store.forget(journal.id()).await.unwrap());
    is_gone(store.as_ref(), &journal, &owner).await;
    assert_eq!(store.tombstone(journal.id()).await.unwrap(), None);
    assert_eq!(all(store.as_ref(), &other).await.len(), 3);
    let again = store.create(new(&journal), NOW).await.unwrap();
    assert_eq!(again, CreateOutcome::Created);
    assert_eq!(all(store.as_ref(), &journal).await.len(), 0);
}

pub(super) async fn journals_listed(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut first, owner) = begin(store.as_ref(), 1).await;
    let (second, _) = begin(store.as_ref(), 2).await;
    grow(store.as_ref(), &mut first, &owner, 3).await;
    let mut chain = first.chain(&owner);
    let envelopes = [chain.seal(10), chain.seal(20)];
    let judged = super::made::judged(&first, &envelopes);
    let done = store.append(
        first.id(),
        head(&first),
        judged,
        super::made::QUOTA,
        NOW + 5,
    );
    assert_eq!(done.await.unwrap(), AppendOutcome::Stored);
    let mut expected = [
        JournalEntry {
            id: first.id(),
            created: NOW,
            changed: NOW + 5,
            records: 2,
            devices: 1,
            chains: 1,
            envelopes: 2,
            bytes: length(&first.records) + length(&envelopes),
        },
        JournalEntry {
            id: second.id(),
            created: NOW,
            changed: NOW,
            records: 1,
            devices: 1,
            chains: 0,
            envelopes: 0,
            bytes: length(&second.records),
        },
    ];
    expected.sort_by_key(|entry| entry.id);
    assert_eq!(store.journals().await.unwrap(), expected);
}
