//! Devices that are no members: those that wait for an approval, and those that were removed.

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;
use protocol::api::{JOURNALS, JournalList, LogPage, ProblemKind};
use protocol::record::SignedRecord;
use protocol::role::Role;
use protocol::vector::Vector;

use crate::testing::{Bench, Journal, Keys, NOW, ORIGIN};

/// Removes a device that has written nothing.
async fn remove(bench: &Bench, journal: &mut Journal, owner: &Keys, device: &Keys) {
    let (record, blobs) = journal.remove(owner, &[device], Vector::default());
    bench.tell(journal, owner, record, blobs).await;
}

#[tokio::test]
async fn a_removed_device_reads_the_log_up_to_its_removal_and_no_keys() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let device = bench.join(&mut journal, &owner, 10).await;
    remove(&bench, &mut journal, &owner, &device).await;
    let (length, head) = (journal.log.length(), journal.log.head());
    let after = bench.join(&mut journal, &owner, 20).await;
    for from in 0..7 {
        let path = journal.path(&format!("log?from={from}"));
        let page: LogPage = bench.get(&device, &path).await.message();
        assert_eq!((page.length, page.head), (length, head));
        let known = &journal.records[..4];
        assert_eq!(page.records, known[from.min(4)..]);
        assert_eq!(page.blobs, [], "of no epoch");
    }
    // It learns who removed it; who stays reads on.
    let page: LogPage = bench.get(&device, &journal.path("log")).await.message();
    let last = SignedRecord::parse(&page.records[3].0).unwrap();
    assert_eq!(last.author(), protocol::sign::Signer::key_id(&owner));
    let page: LogPage = bench.get(&after, &journal.path("log")).await.message();
    assert_eq!(page.records, journal.records);
    let list: JournalList = bench.get(&device, JOURNALS).await.message();
    assert_eq!(list.journals, []);
}

#[tokio::test]
async fn a_stolen_name_of_a_removed_device_tells_nothing() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let device = bench.join(&mut journal, &owner, 10).await;
    remove(&bench, &mut journal, &owner, &device).await;
    let request = ("GET", &*journal.path("log"), b"".as_slice());
    let mut forged = bench.sign(&Keys::of(9), request, ORIGIN, NOW);
    forged.key = protocol::sign::Signer::key_id(&device);
    let answer = bench.send(request, Some(&forged), None).await;
    answer.problem(401, ProblemKind::Unauthorized);
}

#[tokio::test]
async fn removal_erases_the_sealed_keys_of_the_invites_that_it_withdraws() {
    let bench = Bench::new().await;
    let (owner, invite) = (Keys::of(1), Keys::of(30));
    let mut journal = bench.journal(&owner).await;
    let second = bench.join_as(&mut journal, &owner, 10, Role::Owner).await;
    let (record, blob) = journal.invite_as(&second, &invite, Role::Reader);
    bench.tell(&mut journal, &second, record, vec![blob]).await;
    remove(&bench, &mut journal, &owner, &second).await;
    let answer = bench.get(&invite, &journal.path("log")).await;
    answer.problem(403, ProblemKind::InviteWithdrawn);
    let id = protocol::sign::Signer::key_id(&invite);
    let kept = crate::storage::Storage::invite_blob(&*bench.store, journal.id(), id).await;
    assert_eq!(kept.unwrap(), None);
}

#[tokio::test]
async fn an_open_invite_that_outlives_a_removal_is_given_the_new_key() {
    let bench = Bench::new().await;
    let (owner, invite) = (Keys::of(1), Keys::of(30));
    let mut journal = bench.journal(&owner).await;
    let device = bench.join(&mut journal, &owner, 10).await;
    let (record, blob) = journal.invite_as(&owner, &invite, Role::Reader);
    bench
        .tell(&mut journal, &owner, record, vec![blob.clone()])
        .await;
    let path = journal.path(&format!("log?from={}", journal.log.length()));
    let page: LogPage = bench.get(&invite, &path).await.message();
    assert_eq!(page.blobs, [blob]);
    remove(&bench, &mut journal, &owner, &device).await;
    let newest = journal.blobs.last().unwrap().clone();
    let path = journal.path(&format!("log?from={}", journal.log.length()));
    let page: LogPage = bench.get(&invite, &path).await.message();
    assert_eq!(page.blobs, [newest]);
}

async fn listen(bench: &Bench, keys: &Keys, journal: &Journal) -> Body {
    let request = ("GET", &*journal.path("events"), b"".as_slice());
    let proof = bench.sign(keys, request, ORIGIN, NOW);
    let response: Response = bench.respond(request, Some(&proof), None).await;
    response.into_body()
}

#[tokio::test]
async fn the_stream_of_a_removed_device_ends() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let device = bench.join(&mut journal, &owner, 10).await;
    let mut gone = listen(&bench, &device, &journal).await;
    let mut stays = listen(&bench, &owner, &journal).await;
    assert!(gone.frame().await.is_some() && stays.frame().await.is_some());
    remove(&bench, &mut journal, &owner, &device).await;
    assert!(gone.frame().await.is_none());
    assert!(stays.frame().await.is_some());
}

#[tokio::test]
async fn a_device_that_waits_reads_the_log_until_it_is_let_in() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let device = bench.join_to_wait(&mut journal, &owner, 10).await;
    let path = journal.path("log");
    let page: LogPage = bench.get(&device, &path).await.message();
    assert_eq!(
        (page.records, page.blobs.len()),
        (journal.records.clone(), 0)
    );
    let answer = bench.get(&device, &journal.path("events")).await;
    let problem = answer.problem(403, ProblemKind::Forbidden);
    assert!(problem.detail.contains("approval"), "{}", problem.detail);

    let from = journal.log.length();
    let (record, blob) = journal.approve(&owner, &device);
    bench
        .tell(&mut journal, &owner, record, vec![blob.clone()])
        .await;
    let path = journal.path(&format!("log?from={from}"));
    let page: LogPage = bench.get(&device, &path).await.message();
    assert_eq!((page.records.len(), page.blobs), (1, vec![blob]));
    let list: JournalList = bench.get(&device, JOURNALS).await.message();
    assert_eq!(list.journals, [journal.id()]);
    let mut chain = journal.chain(&device);
    bench.put(&journal, &device, &mut chain).await;
}

#[tokio::test]
async fn a_device_that_waits_may_be_turned_away() {
    let bench = Bench::new().await;
    let owner = Keys::of(1);
    let mut journal = bench.journal(&owner).await;
    let device = bench.join_to_wait(&mut journal, &owner, 10).await;
    remove(&bench, &mut journal, &owner, &device).await;
    let page: LogPage = bench.get(&device, &journal.path("log")).await.message();
    assert_eq!(
        (page.records, page.blobs.len()),
        (journal.records.clone(), 0)
    );
    let answer = bench.get(&device, &journal.path("events")).await;
    answer.problem(403, ProblemKind::NotAMember);
}
