//! Checks of enrolment tokens and of randoms.

use std::sync::Arc;

use futures_util::future::join_all;
use protocol::id::KeyId;

use super::Place;
use super::made::{new, two};
use crate::storage::{CreateOutcome, REMEMBERED_SECONDS, TokenEntry, TokenId};
use crate::testing::{Journal, Keys, NOW};

pub(super) async fn tokens_valid_until_revoked(place: Arc<dyn Place>) {
    let [one, two] = two(place.as_ref()).await;
    let [first, second] = ["bbbb", "aaaa"].map(|name| TokenId(name.to_owned()));
    one.add_token(first.clone(), [1; 32], NOW).await.unwrap();
    two.add_token(second.clone(), [2; 32], NOW + 1)
        .await
        .unwrap();
    assert_eq!(two.token([1; 32]).await.unwrap(), Some(first.clone()));
    assert_eq!(one.token([3; 32]).await.unwrap(), None);
    let mut create = new(&Journal::start(&Keys::of(1)));
    create.token = Some(first.clone());
    let created = one.create(create, NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);
    assert!(one.revoke_token(first.clone(), NOW + 2).await.unwrap());
    assert!(!two.revoke_token(first.clone(), NOW + 3).await.unwrap());
    assert_eq!(two.token([1; 32]).await.unwrap(), None);
    assert_eq!(two.token([2; 32]).await.unwrap(), Some(second.clone()));
    let expected = [
        TokenEntry {
            id: first,
            created: NOW,
            revoked: Some(NOW + 2),
            journals: 1,
        },
        TokenEntry {
            id: second,
            created: NOW + 1,
            revoked: None,
            journals: 0,
        },
    ];
    assert_eq!(two.tokens().await.unwrap(), expected);
}

pub(super) async fn randoms_taken_once(place: Arc<dyn Place>) {
    let stores = two(place.as_ref()).await;
    let (key, random) = (KeyId([1; 32]), [2; 16]);
    let callers = stores.iter().cycle().take(8);
    let taken = join_all(callers.map(|store| store.remember(key, random, NOW))).await;
    let taken: Vec<bool> = taken.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.iter().filter(|new| **new).count(), 1);
    drop(stores);
    let store = place.open().await;
    let remember = async |key, random, now| store.remember(key, random, now).await.unwrap();
    assert!(!remember(key, random, NOW).await);
    assert!(!remember(key, random, NOW + REMEMBERED_SECONDS).await);
    assert!(remember(KeyId([3; 32]), random, NOW).await);
    assert!(remember(key, [4; 16], NOW).await);
    assert!(remember(key, random, NOW + REMEMBERED_SECONDS + 1).await);
}
