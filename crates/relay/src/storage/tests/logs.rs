//! Checks of member logs and their sealed keys.

use std::sync::Arc;

use futures_util::future::join_all;
use protocol::id::{EnvelopeHash, SigningKey};
use protocol::sign::Signer;
use protocol::vector::Vector;

use super::Place;
use super::made::{
    ALL, begin, blob, bytes, change, grow, head, invite, length, new, put, two, used,
};
use crate::storage::{CreateOutcome, Frontier, LogOutcome};
use crate::testing::{Journal, Keys, NOW};

pub(super) async fn log_grows_from_its_head(place: Arc<dyn Place>) {
    let stores = two(place.as_ref()).await;
    let [one, two] = &stores;
    let (mut journal, owner) = begin(one.as_ref(), 1).await;
    for seed in [10, 20] {
        // Eight callers want to append another record each, at the same place.
        let from = head(&journal);
        let wanted = (0..8).map(|number| {
            let mut wanted = journal.clone();
            invite(&mut wanted, &owner, seed + number);
            wanted
        });
        let wanted: Vec<Journal> = wanted.collect();
        let done = join_all(
            wanted
                .iter()
                .zip(stores.iter().cycle())
                .map(|(log, store)| store.append_log(journal.id(), from, change(log, 1), NOW)),
        )
        .await;
        let done: Vec<LogOutcome> = done.into_iter().map(Result::unwrap).collect();
        let won: Vec<usize> = (0..8)
            .filter(|at| done[*at] == LogOutcome::Appended)
            .collect();
        let lost = done.iter().filter(|done| **done == LogOutcome::Moved);
        assert_eq!((won.len(), lost.count()), (1, 7));
        journal = wanted[won[0]].clone();
        for store in &stores {
            let log = store.log_part(journal.id(), 0, ALL).await.unwrap().unwrap();
            assert_eq!(log.head, head(&journal));
            assert_eq!(log.records, bytes(&journal.records));
        }
    }
    let elsewhere = Journal::start(&Keys::of(7));
    let change = change(&elsewhere, 1);
    let done = two.append_log(elsewhere.id(), head(&elsewhere), change, NOW);
    assert_eq!(done.await.unwrap(), LogOutcome::Moved);
}

pub(super) async fn log_in_pages(place: Arc<dyn Place>) {
    let store = place.open().await;
    let owner = Keys::of(1);
    let mut journal = Journal::start(&owner);
    for seed in 2..6 {
        invite(&mut journal, &owner, seed);
    }
    let mut create = new(&journal);
    let for_invite = Some((Keys::of(2).key_id(), NOW + 60));
    create.log.blobs = vec![
        blob(0, None, b"of the first"),
        blob(1, for_invite, b"of an invite"),
        blob(3, None, b"of the fourth"),
    ];
    let created = store.create(create, NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);
    let records = bytes(&journal.records);
    let part = async |from: u32, room: usize| {
        let part = store.log_part(journal.id(), from, room).await;
        let part = part.unwrap().unwrap();
        assert_eq!(part.head, head(&journal));
        (part.records, part.blobs)
    };
    let [first, fourth] = [b"of the first".to_vec(), b"of the fourth".to_vec()];
    assert_eq!(
        part(0, ALL).await,
        (records.clone(), vec![first.clone(), fourth.clone()])
    );
    assert_eq!(part(0, 0).await, (records[..1].to_vec(), vec![first]));
    let two = records[1].len() + records[2].len();
    assert_eq!(part(1, two).await, (records[1..3].to_vec(), Vec::new()));
    assert_eq!(part(1, two - 1).await, (records[1..2].to_vec(), Vec::new()));
    assert_eq!(part(3, ALL).await, (records[3..].to_vec(), vec![fourth]));
    assert_eq!(part(5, ALL).await, (Vec::new(), Vec::new()));
    assert_eq!(part(900, ALL).await, (Vec::new(), Vec::new()));
}

pub(super) async fn log_within_quota(place: Arc<dyn Place>) {
    let store = place.open().await;
    let owner = Keys::of(1);
    let mut journal = Journal::start(&owner);
    let key = b"sixteen bytes ...";
    let size = length(&journal.records) + key.len() as u64;
    let mut create = new(&journal);
    create.log.blobs = vec![blob(0, None, key)];
    create.log.quota = size - 1;
    let refused = store.create(create.clone(), NOW).await.unwrap();
    assert_eq!(refused, CreateOutcome::OverQuota);
    assert_eq!(store.log_head(journal.id()).await.unwrap(), None);
    create.log.quota = size;
    let created = store.create(create, NOW).await.unwrap();
    assert_eq!(created, CreateOutcome::Created);

    let from = head(&journal);
    invite(&mut journal, &owner, 2);
    let mut log = change(&journal, 1);
    // The first sealed key is kept already, and so costs nothing.
    log.blobs = vec![blob(0, None, key), blob(1, None, key)];
    let size = length(&journal.records) + 2 * key.len() as u64;
    log.quota = size - 1;
    let done = store.append_log(journal.id(), from, log.clone(), NOW).await;
    assert_eq!(done.unwrap(), LogOutcome::OverQuota);
    assert_eq!(store.log_head(journal.id()).await.unwrap(), Some(from));
    log.quota = size;
    let done = store.append_log(journal.id(), from, log, NOW).await;
    assert_eq!(done.unwrap(), LogOutcome::Appended);
    assert_eq!(used(store.as_ref(), journal.id()).await, Some(size));
}

pub(super) async fn invite_keys_go(place: Arc<dyn Place>) {
    let store = place.open().await;
    let owner = Keys::of(1);
    let [soon, late, closed] = [2, 3, 4].map(|seed| Keys::of(seed).key_id());
    let mut journal = Journal::start(&owner);
    for seed in 2..5 {
        invite(&mut journal, &owner, seed);
    }
    let mut create = new(&journal);
    create.log.blobs = vec![
        blob(0, None, b"of a device"),
        blob(1, Some((soon, NOW + 10)), b"soon"),
        blob(2, Some((late, NOW + 90)), b"late."),
        blob(3, Some((closed, NOW + 90)), b"closed"),
    ];
    store.create(create, NOW).await.unwrap();
    let id = journal.id();
    let of = async |invite| store.invite_blob(id, invite).await.unwrap();
    assert_eq!(of(soon).await, Some(b"soon".to_vec()));
    assert_eq!(of(late).await, Some(b"late.".to_vec()));
    assert_eq!(of(owner.key_id()).await, None);
    let before = used(store.as_ref(), id).await.unwrap();

    assert_eq!(store.sweep(NOW + 10).await.unwrap(), 0);
    assert_eq!(store.sweep(NOW + 11).await.unwrap(), 1);
    assert_eq!(store.sweep(NOW + 11).await.unwrap(), 0);
    assert_eq!(of(soon).await, None);
    assert_eq!(of(late).await, Some(b"late.".to_vec()));
    assert_eq!(used(store.as_ref(), id).await, Some(before - 4));

    let from = head(&journal);
    invite(&mut journal, &owner, 5);
    let mut log = change(&journal, 1);
    log.closed = vec![closed, late];
    // A new key for an invite replaces the one before.
    log.blobs = vec![blob(4, Some((late, NOW + 90)), b"again")];
    let grown = log.records[0].len() as u64;
    let done = store.append_log(id, from, log, NOW).await.unwrap();
    assert_eq!(done, LogOutcome::Appended);
    assert_eq!(of(closed).await, None);
    assert_eq!(of(late).await, Some(b"again".to_vec()));
    assert_eq!(used(store.as_ref(), id).await, Some(before - 4 - 6 + grown));
    let log = store.log_part(id, 0, ALL).await.unwrap().unwrap();
    assert_eq!(log.blobs, [b"of a device".to_vec()]);
}

pub(super) async fn frontiers_hold(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut journal, owner) = begin(store.as_ref(), 1).await;
    let mut chain = journal.chain(&owner);
    put(store.as_ref(), &journal, &mut chain, 1).await;
    let behind = chain.vector();
    put(store.as_ref(), &journal, &mut chain, 1).await;
    let exact = chain.vector();
    let mut forked = exact.clone();
    forked
        .0
        .values_mut()
        .for_each(|at| at.hash = EnvelopeHash([1; 32]));
    let mut ahead = exact.clone();
    ahead.0.values_mut().for_each(|at| at.seq.0 += 1);

    let refuses = [Vector::default(), behind, forked];
    for (vector, outcome) in refuses
        .map(|vector| (vector, LogOutcome::BehindFrontier))
        .into_iter()
        .chain([exact, ahead].map(|vector| (vector, LogOutcome::Appended)))
    {
        let from = head(&journal);
        let before = journal.clone();
        invite(&mut journal, &owner, 2 + u8::try_from(from.length).unwrap());
        let mut log = change(&journal, 1);
        let devices = [owner.key_id(), Keys::of(9).key_id()];
        log.frontiers = vec![Frontier {
            devices: devices.into(),
            vector,
        }];
        let done = store.append_log(journal.id(), from, log, NOW).await;
        assert_eq!(done.unwrap(), outcome);
        if outcome != LogOutcome::Appended {
            journal = before;
        }
        let end = store.log_head(journal.id()).await.unwrap();
        assert_eq!(end, Some(head(&journal)));
    }
}

pub(super) async fn members_found(place: Arc<dyn Place>) {
    let store = place.open().await;
    let (mut first, owner) = begin(store.as_ref(), 1).await;
    let device = Keys::of(8).key_id();
    let signing = SigningKey([8; 32]);
    let (second, _) = begin(store.as_ref(), 2).await;
    assert_eq!(store.journals_of(device).await.unwrap(), []);
    let mut expected = Vec::new();
    for journal in [&first, &second] {
        let from = head(journal);
        let mut log = change(journal, 0);
        log.members.push((device, signing));
        let done = store.append_log(journal.id(), from, log, NOW).await;
        assert_eq!(done.unwrap(), LogOutcome::Appended);
        expected.push((journal.id(), signing));
    }
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(store.journals_of(device).await.unwrap(), expected);
    grow(store.as_ref(), &mut first, &owner, 4).await;
    expected.retain(|(id, _)| *id == second.id());
    assert_eq!(store.journals_of(device).await.unwrap(), expected);
}
