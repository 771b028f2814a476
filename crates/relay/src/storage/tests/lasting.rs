//! Checks of every call: durable, atomic, seen by all.

use std::sync::Arc;

use protocol::vector::Vector;

use super::Place;
use super::made::{ALL, all, append, begin, bytes, grow, head, put, sync, two, used};
use crate::storage::{AppendOutcome, LogOutcome, Storage, TokenId};
use crate::testing::{Keys, NOW};

pub(super) async fn durable(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    grow(store.as_ref(), &mut journal, &owner, 2).await;
    let mut chain = journal.chain(&owner);
    let envelopes = put(store.as_ref(), &journal, &mut chain, 3).await;
    let token = TokenId("abcd".to_owned());
    store.add_token(token.clone(), [7; 32], NOW).await.unwrap();
    let before = store.journals().await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.journals().await.unwrap(), before);
    let log = store.log_part(journal.id(), 0, ALL).await.unwrap().unwrap();
    assert_eq!(
        (log.head, log.records),
        (head(&journal), bytes(&journal.records))
    );
    assert_eq!(all(store.as_ref(), &journal).await, bytes(&envelopes));
    assert_eq!(store.token([7; 32]).await.unwrap(), Some(token));
    // It goes on from there.
    put(store.as_ref(), &journal, &mut chain, 1).await;
}

pub(super) async fn atomic(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    put(store.as_ref(), &journal, &mut chain, 1).await;
    let before = store.journals().await.unwrap();
    // The first of these could follow, the second not.
    let [next, _, gap] = [chain.seal(10), chain.seal(10), chain.seal(10)];
    let done = append(store.as_ref(), &journal, &[next.clone(), gap]).await;
    assert_eq!(done, AppendOutcome::Moved);
    let stale = head(&journal);
    grow(store.as_ref(), &mut journal, &owner, 2).await;
    let grown = store.journals().await.unwrap();
    let mut other = journal.clone();
    super::made::invite(&mut other, &owner, 3);
    let change = super::made::change(&other, 1);
    let done = store.append_log(journal.id(), stale, change, NOW).await;
    assert_eq!(done.unwrap(), LogOutcome::Moved);
    assert_eq!(store.journals().await.unwrap(), grown);
    assert_eq!(grown[0].envelopes, before[0].envelopes);
    assert_eq!(
        append(store.as_ref(), &journal, &[next]).await,
        AppendOutcome::Stored
    );
}

pub(super) async fn seen_by_all(place: Arc<dyn Place>) {
    let [one, two] = two(place.as_ref()).await;
    let (mut journal, owner) = begin(one.as_ref(), 1).await;
    grow(two.as_ref(), &mut journal, &owner, 2).await;
    assert_eq!(
        one.log_head(journal.id()).await.unwrap(),
        Some(head(&journal))
    );
    let mut chain = journal.chain(&owner);
    let mut stored = Vec::new();
    for store in [&one, &two, &one, &two] {
        stored.extend(put(store.as_ref(), &journal, &mut chain, 1).await);
        for store in [&one, &two] {
            let page = sync(store.as_ref(), &journal, Vector::default(), ALL).await;
            assert_eq!(page.envelopes, bytes(&stored));
            assert_eq!(page.heads, chain.vector());
        }
    }
    assert_eq!(
        used(one.as_ref(), journal.id()).await,
        used(two.as_ref(), journal.id()).await
    );
    let device = protocol::sign::Signer::key_id(&Keys::of(1));
    assert_eq!(two.journals_of(device).await.unwrap().len(), 1);
}

pub(super) async fn probed(place: Arc<dyn Place>) {
    let [one, two] = two(place.as_ref()).await;
    for store in [&one, &two, &one] {
        let store: &dyn Storage = store.as_ref();
        store.probe().await.unwrap();
    }
}
