//! Checks of snapshots.

use std::sync::Arc;

use protocol::id::{EnvelopeHash, Seq, SnapshotHash};
use protocol::snapshot::{Acknowledgement, Snapshot};

use super::Place;
use super::made::{ALL, QUOTA, all, append, begin, bytes, judged, length, put, used};
use crate::storage::{AppendOutcome, SnapshotChange, SnapshotOutcome, Storage, StoredSnapshot};
use crate::testing::{Journal, Keys, NOW};

fn keeping(new: &[&Snapshot], acknowledgements: &[&Acknowledgement]) -> SnapshotChange {
    SnapshotChange {
        new: new.iter().map(|&one| one.clone()).collect(),
        acknowledgements: acknowledgements.iter().map(|&one| one.clone()).collect(),
        quota: QUOTA,
        ..SnapshotChange::default()
    }
}

async fn change(store: &dyn Storage, journal: &Journal, change: SnapshotChange) -> SnapshotOutcome {
    let done = store.put_snapshots(journal.id(), change, NOW).await;
    done.unwrap().unwrap()
}

async fn listed(store: &dyn Storage, journal: &Journal) -> Vec<StoredSnapshot> {
    store.snapshots(journal.id()).await.unwrap().unwrap()
}

fn stored(snapshot: &Snapshot, acknowledgements: &[&Acknowledgement]) -> StoredSnapshot {
    StoredSnapshot {
        hash: snapshot.hash(),
        bytes: snapshot.bytes().to_vec(),
        whole: true,
        acknowledgements: acknowledgements.iter().map(|&one| one.clone()).collect(),
    }
}

pub(super) async fn snapshots_kept(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    put(store.as_ref(), &journal, &mut chain, 2).await;
    let (parts, first) = chain.snapshot(&[], 1);
    append(store.as_ref(), &journal, &parts).await;
    let (parts, second) = chain.snapshot(&[], 1);
    append(store.as_ref(), &journal, &parts).await;
    let seen = Acknowledgement::create(&journal.id(), first.hash(), &owner);
    let before = used(store.as_ref(), journal.id()).await.unwrap();
    let size = before + (first.bytes().len() + second.bytes().len()) as u64;
    let mut tight = keeping(&[&first, &second], &[&seen]);
    tight.quota = size - 1;
    let done = change(store.as_ref(), &journal, tight.clone()).await;
    assert_eq!(done, SnapshotOutcome::OverQuota);
    assert_eq!(listed(store.as_ref(), &journal).await, []);
    tight.quota = size;
    // The same again changes nothing.
    for _ in 0..2 {
        let done = change(store.as_ref(), &journal, tight.clone()).await;
        assert_eq!(done, SnapshotOutcome::Kept);
        let expected = [stored(&first, &[&seen]), stored(&second, &[])];
        assert_eq!(listed(store.as_ref(), &journal).await, expected);
        assert_eq!(used(store.as_ref(), journal.id()).await, Some(size));
    }
    let mut drop_first = keeping(&[], &[]);
    drop_first.drop = vec![first.hash()];
    let done = change(store.as_ref(), &journal, drop_first).await;
    assert_eq!(done, SnapshotOutcome::Kept);
    assert_eq!(
        listed(store.as_ref(), &journal).await,
        [stored(&second, &[])]
    );
    let left = before + second.bytes().len() as u64;
    assert_eq!(used(store.as_ref(), journal.id()).await, Some(left));
    let elsewhere = Journal::start(&Keys::of(9)).id();
    let none = store.put_snapshots(elsewhere, keeping(&[], &[]), NOW).await;
    assert_eq!(none.unwrap(), None);
    assert_eq!(store.snapshots(elsewhere).await.unwrap(), None);
}

pub(super) async fn snapshots_fit(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    put(store.as_ref(), &journal, &mut chain, 2).await;
    let (parts, early) = chain.snapshot(&[], 2);
    // Its parts are not here, and then only one of them.
    for parts in [&parts[..0], &parts[..1]] {
        append(store.as_ref(), &journal, parts).await;
        let done = change(store.as_ref(), &journal, keeping(&[&early], &[])).await;
        assert_eq!(done, SnapshotOutcome::Unfit);
    }
    append(store.as_ref(), &journal, &parts[1..]).await;
    // A manifest over another chain's envelopes at places that are taken here.
    let mut forked = journal.chain(&owner);
    for _ in 0..2 {
        forked.seal(7);
    }
    let (_, lying) = forked.snapshot(&[], 2);
    let seen = Acknowledgement::create(&journal.id(), early.hash(), &owner);
    for wrong in [
        keeping(&[&lying], &[]),
        keeping(&[&early, &lying], &[]),
        keeping(&[], &[&seen]),
        SnapshotChange {
            start: true,
            ..keeping(&[&lying], &[])
        },
    ] {
        let done = change(store.as_ref(), &journal, wrong).await;
        assert_eq!(done, SnapshotOutcome::Unfit);
        assert_eq!(listed(store.as_ref(), &journal).await, []);
    }
    let done = change(store.as_ref(), &journal, keeping(&[&early], &[&seen])).await;
    assert_eq!(done, SnapshotOutcome::Kept);
}

pub(super) async fn snapshot_parts_in_pages(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    put(store.as_ref(), &journal, &mut chain, 2).await;
    let (parts, snapshot) = chain.snapshot(&[], 4);
    append(store.as_ref(), &journal, &parts).await;
    put(store.as_ref(), &journal, &mut chain, 1).await;
    change(store.as_ref(), &journal, keeping(&[&snapshot], &[])).await;
    let each = parts[0].0.len();
    for (from, room, expected) in [
        (0, ALL, 0..4),
        (1, ALL, 1..4),
        (0, 0, 0..1),
        (2, each, 2..3),
        (0, 3 * each, 0..3),
        (4, ALL, 4..4),
        (u32::MAX, ALL, 4..4),
    ] {
        let found = store.snapshot_parts(journal.id(), snapshot.hash(), from, room);
        assert_eq!(
            found.await.unwrap(),
            Some(bytes(&parts[expected])),
            "{from} {room}"
        );
    }
    let unknown = store.snapshot_parts(journal.id(), SnapshotHash([1; 32]), 0, ALL);
    assert_eq!(unknown.await.unwrap(), None);
}

pub(super) async fn chains_start_from_snapshots(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    // Elsewhere there were three envelopes, which this store never gets.
    let mut chain = journal.chain(&owner);
    for _ in 0..3 {
        chain.seal(50);
    }
    let covered = chain.vector();
    let (parts, snapshot) = chain.snapshot(&[], 2);
    assert_eq!(
        append(store.as_ref(), &journal, &parts).await,
        AppendOutcome::Moved
    );
    let without = change(store.as_ref(), &journal, keeping(&[&snapshot], &[])).await;
    assert_eq!(without, SnapshotOutcome::Unfit);
    let mut start = keeping(&[&snapshot], &[]);
    start.start = true;
    let done = change(store.as_ref(), &journal, start).await;
    assert_eq!(done, SnapshotOutcome::Kept);
    let list = listed(store.as_ref(), &journal).await;
    assert_eq!((list.len(), list[0].whole), (1, false));
    let (id, at) = covered.0.first_key_value().unwrap();
    let standing = store.standing(journal.id(), vec![(*id, Seq(3))]).await;
    let standing = standing.unwrap().unwrap();
    assert_eq!(standing.tips[id].seq, at.seq);
    assert_eq!(standing.known[&(*id, Seq(3))], at.hash);
    assert_eq!(
        append(store.as_ref(), &journal, &parts).await,
        AppendOutcome::Stored
    );
    assert!(listed(store.as_ref(), &journal).await[0].whole);
    assert_eq!(all(store.as_ref(), &journal).await, bytes(&parts));
}

pub(super) async fn pruned(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    let first = put(store.as_ref(), &journal, &mut chain, 2).await;
    let (old_parts, old) = chain.snapshot(&[], 1);
    append(store.as_ref(), &journal, &old_parts).await;
    let second = put(store.as_ref(), &journal, &mut chain, 2).await;
    let (new_parts, new) = chain.snapshot(&[], 2);
    append(store.as_ref(), &journal, &new_parts).await;
    let third = put(store.as_ref(), &journal, &mut chain, 1).await;
    change(store.as_ref(), &journal, keeping(&[&old, &new], &[])).await;
    let before = used(store.as_ref(), journal.id()).await.unwrap();
    let tip = chain.vector();

    let covers = new.manifest().covers.clone();
    let prune = async |drop| {
        let freed = store.prune(journal.id(), covers.clone(), drop, NOW).await;
        freed.unwrap()
    };
    let freed = prune(Vec::new()).await;
    assert_eq!(freed, length(&first) + length(&second));
    let left = [&old_parts[..], &new_parts, &third].concat();
    assert_eq!(all(store.as_ref(), &journal).await, bytes(&left));
    let freed = prune(vec![old.hash()]).await;
    assert_eq!(freed, old.bytes().len() as u64 + length(&old_parts));
    let left = [&new_parts[..], &third].concat();
    assert_eq!(all(store.as_ref(), &journal).await, bytes(&left));
    assert_eq!(prune(Vec::new()).await, 0);
    let gone = length(&first) + length(&second) + length(&old_parts);
    let gone = gone + old.bytes().len() as u64;
    assert_eq!(
        used(store.as_ref(), journal.id()).await,
        Some(before - gone)
    );

    // What was pruned is known no more, but the chain goes on where it was.
    let id = *tip.0.first_key_value().unwrap().0;
    let standing = store.standing(journal.id(), vec![(id, Seq(1))]).await;
    let standing = standing.unwrap().unwrap();
    assert_eq!(standing.known.get(&(id, Seq(1))), None::<&EnvelopeHash>);
    assert_eq!(
        standing.tips[&id].hash,
        judged(&journal, &third)[0].tip.hash
    );
    put(store.as_ref(), &journal, &mut chain, 1).await;
}
