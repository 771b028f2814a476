//! Snapshots at a relay: kept, attested, pruned by, and started from.

use protocol::api::{
    Appended, JOURNALS, LogPage, ProblemKind, PutSnapshots, SnapshotParts, Snapshots, SyncAnswer,
    SyncRequest,
};
use protocol::cbor::Bytes;
use protocol::snapshot::{Acknowledgement, Snapshot};
use protocol::vector::Vector;

use crate::service::Limits;
use crate::testing::{Bench, Chain, Journal, Keys};

/// A journal of an owner and a member, each with a chain of five envelopes that the relay has.
struct Scene {
    bench: Bench,
    journal: Journal,
    owner: Keys,
    member: Keys,
    own: Chain,
    other: Chain,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let member = bench.join(&mut journal, &owner, 10).await;
        let mut scene = Self {
            own: journal.chain(&owner),
            other: journal.chain(&member),
            bench,
            journal,
            owner,
            member,
        };
        scene.write(5).await;
        scene
    }

    /// Both write so many envelopes.
    async fn write(&mut self, count: usize) {
        for _ in 0..count {
            let (bench, journal) = (&self.bench, &self.journal);
            bench.put(journal, &self.owner, &mut self.own).await;
            bench.put(journal, &self.member, &mut self.other).await;
        }
    }

    /// The owner makes a snapshot and stores its parts.
    async fn snapshot(&mut self, parts: usize) -> Snapshot {
        let (parts, snapshot) = self.own.snapshot(&[&self.other], parts);
        self.store(parts).await;
        snapshot
    }

    async fn store(&self, parts: Vec<Bytes>) {
        let append = self.own.append(parts);
        let path = self.journal.path("envelopes");
        let appended: Appended = self.bench.post(&self.owner, &path, &append).await.message();
        assert_eq!(appended.refused, []);
    }

    async fn put(&self, put: &PutSnapshots) -> crate::testing::Answered {
        let path = self.journal.path("snapshots");
        self.bench.post(&self.member, &path, put).await
    }

    /// The member brings a snapshot and acknowledges it.
    async fn attest(&self, snapshot: &Snapshot) -> Snapshots {
        let put = PutSnapshots {
            acknowledgements: vec![self.acknowledged(snapshot, &self.member)],
            ..brought(snapshot)
        };
        self.put(&put).await.message()
    }

    fn acknowledged(&self, snapshot: &Snapshot, by: &Keys) -> Acknowledgement {
        Acknowledgement::create(&self.journal.id(), snapshot.hash(), by)
    }

    async fn prune(&self) -> Snapshots {
        let path = self.journal.path("prune");
        let nothing = Bytes(Vec::new());
        self.bench
            .post(&self.owner, &path, &nothing)
            .await
            .message()
    }

    /// The member syncs.
    async fn sync(&self, vector: Vector) -> SyncAnswer {
        self.sync_by(&self.member, vector).await
    }

    async fn sync_by(&self, who: &Keys, vector: Vector) -> SyncAnswer {
        let request = SyncRequest {
            log_length: self.journal.log.length(),
            head: self.journal.log.head(),
            vector,
        };
        let path = self.journal.path("sync");
        self.bench.post(who, &path, &request).await.message()
    }
}

fn brought(snapshot: &Snapshot) -> PutSnapshots {
    PutSnapshots {
        snapshots: vec![Bytes(snapshot.bytes().to_vec())],
        ..PutSnapshots::default()
    }
}

#[tokio::test]
async fn a_snapshot_is_listed_with_its_parts_and_who_acknowledged_it() {
    let mut scene = Scene::new().await;
    let (parts, snapshot) = scene.own.snapshot(&[&scene.other], 3);
    let early = scene.put(&brought(&snapshot)).await;
    early.problem(409, ProblemKind::SnapshotUnfit);
    scene.store(parts.clone()).await;
    for _ in 0..2 {
        let listed = scene.attest(&snapshot).await;
        assert_eq!(listed.snapshots, [Bytes(snapshot.bytes().to_vec())]);
        let by = scene.acknowledged(&snapshot, &scene.member);
        assert_eq!(listed.acknowledgements, [by]);
    }
    for from in 0..4 {
        let part = format!("snapshots/{}?from={from}", snapshot.hash());
        let path = scene.journal.path(&part);
        let read: SnapshotParts = scene.bench.get(&scene.member, &path).await.message();
        assert_eq!(read.parts, parts[from..]);
    }
}

#[tokio::test]
async fn what_is_no_owner_s_or_not_what_is_stored_is_refused() {
    let mut scene = Scene::new().await;
    let (_, by_member) = scene.other.snapshot(&[&scene.own], 1);
    let answer = scene.put(&brought(&by_member)).await;
    answer.problem(400, ProblemKind::Malformed);
    // Another chain of the member's than the one that is here.
    let mut forged = scene.journal.chain(&scene.member);
    forged.seal(77);
    let (parts, snapshot) = scene.own.snapshot(&[&forged], 1);
    scene.store(parts).await;
    for start in [false, true] {
        let put = PutSnapshots {
            start,
            ..brought(&snapshot)
        };
        let answer = scene.put(&put).await;
        answer.problem(409, ProblemKind::SnapshotUnfit);
    }
    let unknown = PutSnapshots {
        acknowledgements: vec![scene.acknowledged(&snapshot, &scene.member)],
        ..PutSnapshots::default()
    };
    let answer = scene.put(&unknown).await;
    answer.problem(409, ProblemKind::SnapshotUnfit);
    let mut altered = snapshot.bytes().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let put = PutSnapshots {
        snapshots: vec![Bytes(altered)],
        ..PutSnapshots::default()
    };
    let answer = scene.put(&put).await;
    answer.problem(400, ProblemKind::Malformed);
}

#[tokio::test]
async fn pruning_needs_two_snapshots_that_another_member_has_checked() {
    let mut scene = Scene::new().await;
    let first = scene.snapshot(2).await;
    scene.attest(&first).await;
    scene.write(5).await;
    let second = scene.snapshot(2).await;
    let _: Snapshots = scene.put(&brought(&second)).await.message();
    scene.prune().await;
    let all = scene.sync(Vector::default()).await.envelopes.len();
    assert_eq!(all, 24, "nothing is pruned by one");
    scene.attest(&second).await;
    let before = scene.sync(Vector::default()).await;
    let left = scene.prune().await;
    assert_eq!(left.snapshots.len(), 2);
    let after = scene.sync(Vector::default()).await;
    assert_eq!(after.envelopes.len(), 14, "what the first covers is gone");
    assert_eq!(after.heads, before.heads);
    assert!(after.quota.used < before.quota.used);
    // Who has what the first covers goes on from there; and both snapshots still have their parts.
    let following = scene.sync(first.manifest().covers.clone()).await;
    assert_eq!(following.envelopes.len(), 14);
    for snapshot in [&first, &second] {
        let path = format!("snapshots/{}", snapshot.hash());
        let path = scene.journal.path(&path);
        let read: SnapshotParts = scene.bench.get(&scene.member, &path).await.message();
        assert_eq!(read.parts.len(), 2);
    }
    // What was pruned need not be stored again, and the chains go on.
    scene.write(1).await;
}

#[tokio::test]
async fn an_owner_s_own_acknowledgement_counts_for_nothing() {
    let mut scene = Scene::new().await;
    for _ in 0..2 {
        let snapshot = scene.snapshot(1).await;
        let put = PutSnapshots {
            acknowledgements: vec![scene.acknowledged(&snapshot, &scene.owner)],
            ..brought(&snapshot)
        };
        let _: Snapshots = scene.put(&put).await.message();
    }
    scene.prune().await;
    assert_eq!(scene.sync(Vector::default()).await.envelopes.len(), 12);
}

#[tokio::test]
async fn what_only_a_removed_member_acknowledged_prunes_nothing() {
    let mut scene = Scene::new().await;
    let mut newest = Vector::default();
    for _ in 0..2 {
        let snapshot = scene.snapshot(1).await;
        scene.attest(&snapshot).await;
        newest = snapshot.manifest().covers.clone();
    }
    let (record, blobs) = scene.journal.remove(&scene.owner, &[&scene.member], newest);
    let (bench, journal) = (&scene.bench, &mut scene.journal);
    bench.tell(journal, &scene.owner, record, blobs).await;
    scene.prune().await;
    let left = scene.sync_by(&scene.owner, Vector::default()).await;
    assert_eq!(left.envelopes.len(), 12, "no client would start from them");
}

#[tokio::test]
async fn of_many_snapshots_the_two_that_may_be_relied_on_stay() {
    let mut scene = Scene::new().await;
    let relied = [scene.snapshot(1).await, scene.snapshot(1).await];
    for snapshot in &relied {
        scene.attest(snapshot).await;
    }
    for _ in 0..6 {
        let snapshot = scene.snapshot(1).await;
        let listed: Snapshots = scene.put(&brought(&snapshot)).await.message();
        assert!(listed.snapshots.len() <= protocol::limits::SNAPSHOTS);
        for kept in &relied {
            assert!(listed.snapshots.contains(&Bytes(kept.bytes().to_vec())));
        }
        assert!(listed.snapshots.contains(&Bytes(snapshot.bytes().to_vec())));
    }
}

#[tokio::test]
async fn a_relay_that_lost_everything_starts_from_a_snapshot() {
    let mut scene = Scene::new().await;
    let (parts, snapshot) = scene.own.snapshot(&[&scene.other], 2);
    let wiped = Bench::new().await;
    let _: LogPage = wiped
        .post(&scene.member, JOURNALS, &scene.journal.create())
        .await
        .message();
    let put = PutSnapshots {
        start: true,
        ..brought(&snapshot)
    };
    let snapshots = scene.journal.path("snapshots");
    let listed: Snapshots = wiped.post(&scene.member, &snapshots, &put).await.message();
    assert_eq!(listed.snapshots, [], "its parts are not here");
    let append = scene.own.append(parts);
    let envelopes = scene.journal.path("envelopes");
    let appended: Appended = wiped
        .post(&scene.member, &envelopes, &append)
        .await
        .message();
    assert_eq!(appended.refused, []);
    let listed: Snapshots = wiped.get(&scene.member, &snapshots).await.message();
    assert_eq!(listed.snapshots.len(), 1);
    wiped
        .put(&scene.journal, &scene.member, &mut scene.other)
        .await;
    wiped
        .put(&scene.journal, &scene.owner, &mut scene.own)
        .await;
}

#[tokio::test]
async fn a_journal_whose_quota_is_used_up_is_pruned() {
    let limits = Limits {
        quota: 30_000,
        ..Limits::default()
    };
    let mut scene = Scene::with(limits).await;
    for _ in 0..12 {
        let snapshot = scene.snapshot(1).await;
        scene.attest(&snapshot).await;
        scene.write(5).await;
    }
    let used = scene.sync(Vector::default()).await.quota.used;
    assert!(used <= 30_000, "{used}");
}
