//! Checks of envelopes.

use std::sync::Arc;

use futures_util::future::join_all;
use protocol::id::{EnvelopeHash, Seq};
use protocol::vector::Vector;

use super::Place;
use super::made::{
    ALL, QUOTA, all, append, begin, bytes, grow, head, judged, length, put, sync, two, used,
};
use crate::storage::{AppendOutcome, LogHead, SyncQuery};
use crate::testing::{Chain, NOW};

pub(super) async fn chains_have_no_gaps(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    let [one, two, three, four] = std::array::from_fn(|_| chain.seal(10));
    for wrong in [
        vec![two.clone()],
        vec![one.clone(), three.clone()],
        vec![one.clone(), one.clone()],
    ] {
        let done = append(store.as_ref(), &journal, &wrong).await;
        assert_eq!(done, AppendOutcome::Moved);
        assert_eq!(all(store.as_ref(), &journal).await.len(), 0);
    }
    let done = append(store.as_ref(), &journal, &[one.clone(), two.clone()]).await;
    assert_eq!(done, AppendOutcome::Stored);
    for taken in [&one, &two, &four] {
        let done = append(store.as_ref(), &journal, std::slice::from_ref(taken)).await;
        assert_eq!(done, AppendOutcome::Moved);
    }
    let mut elsewhere = judged(&journal, std::slice::from_ref(&three));
    elsewhere[0].prev = Some(EnvelopeHash([1; 32]));
    let (id, end) = (journal.id(), head(&journal));
    let done = store.append(id, end, elsewhere, QUOTA, NOW).await;
    assert_eq!(done.unwrap(), AppendOutcome::Moved);
    let stale = head(&journal);
    let late = judged(&journal, std::slice::from_ref(&three));
    grow(store.as_ref(), &mut journal, &owner, 2).await;
    let done = store.append(journal.id(), stale, late, QUOTA, NOW).await;
    assert_eq!(done.unwrap(), AppendOutcome::Moved);
    let done = append(store.as_ref(), &journal, &[three.clone(), four.clone()]).await;
    assert_eq!(done, AppendOutcome::Stored);
    let stored = all(store.as_ref(), &journal).await;
    assert_eq!(stored, bytes(&[one, two, three, four]));
}

pub(super) async fn one_place_one_envelope(place: Arc<dyn Place>) {
    let stores = two(place.as_ref()).await;
    let (journal, owner) = begin(stores[0].as_ref(), 1).await;
    let (other, neighbour) = begin(stores[1].as_ref(), 2).await;
    let mut acknowledged = Vec::new();
    let mut beside = other.chain(&neighbour);
    let mut stored_beside = Vec::new();
    let mut chain = journal.chain(&owner);
    for _ in 0..6 {
        // Eight callers want to store the same next envelope, while another journal is written to.
        let envelope = chain.seal(100);
        let next = beside.seal(100);
        let callers = join_all(
            stores
                .iter()
                .cycle()
                .take(8)
                .map(|store| append(store.as_ref(), &journal, std::slice::from_ref(&envelope))),
        );
        let neighbours = append(stores[0].as_ref(), &other, std::slice::from_ref(&next));
        let (done, beside) = tokio::join!(callers, neighbours);
        let stored = done.iter().filter(|done| **done == AppendOutcome::Stored);
        let moved = done.iter().filter(|done| **done == AppendOutcome::Moved);
        assert_eq!((stored.count(), moved.count()), (1, 7));
        assert_eq!(beside, AppendOutcome::Stored);
        acknowledged.push(envelope);
        stored_beside.push(next);
    }
    drop(stores);
    let store = place.open().await;
    assert_eq!(all(store.as_ref(), &journal).await, bytes(&acknowledged));
    assert_eq!(all(store.as_ref(), &other).await, bytes(&stored_beside));
}

pub(super) async fn envelopes_within_quota(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    let envelopes = [chain.seal(100), chain.seal(100)];
    let quota = length(&journal.records) + length(&envelopes);
    let (id, log) = (journal.id(), head(&journal));
    let two = judged(&journal, &envelopes);
    let done = store.append(id, log, two.clone(), quota - 1, NOW).await;
    assert_eq!(done.unwrap(), AppendOutcome::OverQuota);
    assert_eq!(all(store.as_ref(), &journal).await.len(), 0);
    let done = store.append(id, log, two, quota, NOW).await;
    assert_eq!(done.unwrap(), AppendOutcome::Stored);
    assert_eq!(used(store.as_ref(), id).await, Some(quota));
    let third = judged(&journal, &[chain.seal(0)]);
    let done = store.append(id, log, third, quota, NOW).await;
    assert_eq!(done.unwrap(), AppendOutcome::OverQuota);
}

pub(super) async fn standing_of_one_moment(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    let first = put(store.as_ref(), &journal, &mut chain, 3).await;
    grow(store.as_ref(), &mut journal, &owner, 2).await;
    chain.head = journal.log.head();
    let second = put(store.as_ref(), &journal, &mut chain, 1).await;
    let envelopes = judged(&journal, &[first, second].concat());
    let id = envelopes[0].chain;
    let mut unknown = id;
    unknown.0[0] ^= 1;
    let places = [(id, 1), (id, 3), (id, 4), (id, 5), (unknown, 1)];
    let places = places.map(|(chain, seq)| (chain, Seq(seq)));
    let standing = store.standing(journal.id(), places.to_vec()).await;
    let standing = standing.unwrap().unwrap();
    assert_eq!(standing.log, head(&journal));
    assert_eq!(
        standing.tips.into_iter().collect::<Vec<_>>(),
        [(id, envelopes[3].tip)]
    );
    assert_eq!(envelopes[3].tip.head, 1);
    let known = [(1, 0), (3, 2), (4, 3)].map(|(seq, at): (u64, usize)| {
        let hash: EnvelopeHash = envelopes[at].tip.hash;
        ((id, Seq(seq)), hash)
    });
    assert_eq!(standing.known.into_iter().collect::<Vec<_>>(), known);
    let elsewhere = crate::testing::Journal::start(&crate::testing::Keys::of(9)).id();
    assert_eq!(store.standing(elsewhere, Vec::new()).await.unwrap(), None);
}

pub(super) async fn synced_in_order(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (journal, owner) = begin(store.as_ref(), 1).await;
    let mut one = journal.chain(&owner);
    let mut two: Chain = journal.chain(&owner);
    two.salt.0[0] ^= 1;
    let mut stored = Vec::new();
    let mut vectors = vec![Vector::default()];
    for _ in 0..4 {
        for chain in [&mut one, &mut two] {
            stored.extend(put(store.as_ref(), &journal, chain, 1).await);
        }
        let mut vector = one.vector();
        vector.0.extend(two.vector().0);
        vectors.push(vector);
    }
    let heads = vectors[4].clone();
    let page = sync(store.as_ref(), &journal, Vector::default(), ALL).await;
    assert_eq!(page.envelopes, bytes(&stored));
    assert_eq!((page.more, &page.heads), (false, &heads));
    assert_eq!(page.used, length(&journal.records) + length(&stored));
    for (round, vector) in vectors.iter().enumerate() {
        let page = sync(store.as_ref(), &journal, vector.clone(), ALL).await;
        assert_eq!(page.envelopes, bytes(&stored[round * 2..]));
    }
    // One who has all of one chain and nothing of the other.
    let page = sync(store.as_ref(), &journal, one.vector(), ALL).await;
    let others: Vec<_> = stored.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(page.envelopes, bytes(&others));
    // Who claims more than there is gets what there is of the rest.
    let mut ahead = one.vector();
    ahead.0.values_mut().for_each(|at| at.seq.0 = u64::MAX);
    let page = sync(store.as_ref(), &journal, ahead, ALL).await;
    assert_eq!(page.envelopes, bytes(&others));

    let each = stored[0].0.len();
    for (room, expected) in [(0, 1), (1, 1), (each, 1), (3 * each, 3), (8 * each, 8)] {
        let page = sync(store.as_ref(), &journal, Vector::default(), room).await;
        assert_eq!(page.envelopes, bytes(&stored[..expected]), "{room}");
        assert_eq!((page.more, &page.heads), (expected < 8, &heads));
    }
}

pub(super) async fn synced_with_log(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    let genesis = head(&journal);
    for seed in 2..5 {
        grow(store.as_ref(), &mut journal, &owner, seed).await;
    }
    let end = head(&journal);
    let records = bytes(&journal.records);
    let ask = async |log: LogHead, page| {
        let vector = Vector::default();
        let query = SyncQuery { log, vector, page };
        let page = store.sync(journal.id(), query).await.unwrap().unwrap();
        assert_eq!(page.log.head, end);
        page.log.records
    };
    let nothing = LogHead {
        length: 0,
        ..genesis
    };
    assert_eq!(ask(nothing, ALL).await, records);
    assert_eq!(ask(genesis, ALL).await, records[1..]);
    assert_eq!(ask(genesis, 0).await, records[1..2]);
    assert_eq!(ask(end, ALL).await, records[..0]);
    let other = LogHead {
        length: 2,
        ..genesis
    };
    assert_eq!(ask(other, ALL).await, records[..0]);
    let ahead = LogHead { length: 99, ..end };
    assert_eq!(ask(ahead, ALL).await, records[..0]);
}
