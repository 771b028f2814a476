//! Losing the right to write: what the relay holds must be within the frontier, except where that can no longer be changed.

use protocol::api::{Append, Appended, JOURNALS, LogPage, ProblemKind, SyncAnswer, SyncRequest};
use protocol::id::{ChainSalt, EnvelopeHash, Seq};
use protocol::record::{Body, Relays};
use protocol::role::Role;
use protocol::vector::Vector;

use crate::http::Origins;
use crate::service::Limits;
use crate::testing::{Bench, Chain, Journal, Keys, ORIGIN};

/// A relay, and a journal of an owner and a contributor, whose chain has two envelopes there.
struct Scene {
    bench: Bench,
    journal: Journal,
    owner: Keys,
    device: Keys,
    chain: Chain,
}

async fn scene() -> Scene {
    scene_at(Bench::new().await, &[ORIGIN]).await
}

async fn scene_at(bench: Bench, relays: &[&str]) -> Scene {
    let owner = Keys::of(1);
    let mut journal = Journal::start_at(&owner, relays);
    let _: LogPage = bench
        .post(&owner, JOURNALS, &journal.create())
        .await
        .message();
    let device = bench.join(&mut journal, &owner, 10).await;
    let mut chain = journal.chain(&device);
    for _ in 0..2 {
        bench.put(&journal, &device, &mut chain).await;
    }
    Scene {
        bench,
        journal,
        owner,
        device,
        chain,
    }
}

/// Which record takes the right to write.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Removal,
    Demotion,
}

const LOSSES: [Loss; 2] = [Loss::Removal, Loss::Demotion];

impl Scene {
    /// Asks the relay for a loss with this frontier, on a copy of the journal.
    async fn lose(&self, loss: Loss, frontier: Vector) -> (crate::testing::Answered, Journal) {
        let mut journal = self.journal.clone();
        let (owner, device) = (&self.owner, &self.device);
        let append = match loss {
            Loss::Removal => {
                let (record, blobs) = journal.remove(owner, &[device], frontier);
                journal.append_with(record, blobs)
            }
            Loss::Demotion => {
                let record = journal.set_role(owner, device, Role::Reader, frontier);
                journal.append(record, None)
            }
        };
        let answer = self.bench.post(owner, &journal.path("log"), &append).await;
        (answer, journal)
    }

    async fn refuses(&self, frontier: &Vector, why: &str) {
        for loss in LOSSES {
            let (answer, _) = self.lose(loss, frontier.clone()).await;
            let problem = answer.problem(409, ProblemKind::BehindFrontier);
            assert!(problem.detail.contains("frontier"), "{loss:?}: {why}");
            let page: LogPage = self
                .bench
                .get(&self.owner, &self.journal.path("log"))
                .await
                .message();
            assert_eq!(page.head, self.journal.log.head(), "{loss:?}: {why}");
        }
    }

    async fn accepts(self, loss: Loss, frontier: Vector) -> (Bench, Journal) {
        let (answer, journal) = self.lose(loss, frontier).await;
        let page: LogPage = answer.message();
        assert_eq!(page.head, journal.log.head(), "{loss:?}");
        (self.bench, journal)
    }
}

#[tokio::test]
async fn a_frontier_short_of_what_the_relay_holds_is_refused() {
    let mut scene = scene().await;
    let whole = scene.chain.vector();
    scene
        .refuses(&Vector::default(), "the chain is not named")
        .await;
    let mut short = whole.clone();
    for position in short.0.values_mut() {
        position.seq = Seq(1);
    }
    scene.refuses(&short, "an envelope more").await;
    let mut other = whole.clone();
    for position in other.0.values_mut() {
        position.hash = EnvelopeHash([9; 32]);
    }
    scene
        .refuses(&other, "another envelope at that place")
        .await;
    let mut second = scene.journal.chain(&scene.device);
    second.salt = ChainSalt([6; 16]);
    scene
        .bench
        .put(&scene.journal, &scene.device, &mut second)
        .await;
    scene.refuses(&whole, "a second chain").await;
    // An envelope that comes between the owner's last look and the record.
    let mut both = whole.clone();
    both.0.extend(second.vector().0);
    scene
        .bench
        .put(&scene.journal, &scene.device, &mut scene.chain)
        .await;
    scene.refuses(&both, "an envelope that came since").await;
}

#[tokio::test]
async fn a_frontier_that_names_all_or_more_is_accepted() {
    for loss in LOSSES {
        let exact = scene().await;
        let frontier = exact.chain.vector();
        exact.accepts(loss, frontier).await;
        // The owner has from elsewhere what this relay has not yet; it is stored when someone brings it.
        let mut ahead = scene().await;
        let third = ahead.chain.seal(50);
        let append = Append {
            envelopes: vec![third],
            ..ahead.chain.append(Vec::new())
        };
        let (frontier, owner) = (ahead.chain.vector(), ahead.owner.clone());
        let beyond = ahead.chain.seal(50);
        let (bench, journal) = ahead.accepts(loss, frontier).await;
        let path = journal.path("envelopes");
        let append = Append {
            head: journal.log.head(),
            ..append
        };
        let appended: Appended = bench.post(&owner, &path, &append).await.message();
        assert_eq!(appended.refused, [], "{loss:?}");
        let append = Append {
            envelopes: vec![beyond],
            ..append
        };
        let appended: Appended = bench.post(&owner, &path, &append).await.message();
        assert_eq!(
            appended.refused[0].reason,
            "its device lost the right to write before this was seen"
        );
    }
}

#[tokio::test]
async fn who_loses_nothing_is_not_held_back() {
    let scene = scene().await;
    let (mut journal, owner) = (scene.journal.clone(), &scene.owner);
    // Another role that may write, and a new key for everybody: no frontier, although envelopes are there.
    let record = journal.set_role(owner, &scene.device, Role::Owner, Vector::default());
    scene
        .bench
        .tell(&mut journal, owner, record, Vec::new())
        .await;
    let (record, blobs) = journal.remove(owner, &[], Vector::default());
    scene.bench.tell(&mut journal, owner, record, blobs).await;
}

#[tokio::test]
async fn of_envelopes_and_removal_at_once_nothing_is_lost_between() {
    for _ in 0..10 {
        let mut scene = scene().await;
        let frontier = scene.chain.vector();
        let third = scene.chain.seal(50);
        let append = scene.chain.append(vec![third]);
        let path = scene.journal.path("envelopes");
        let (removal, stored) = tokio::join!(
            scene.lose(Loss::Removal, frontier),
            scene.bench.post(&scene.device, &path, &append),
        );
        // Whichever came first, the other hears of it: never both.
        let removed = removal.0.status.is_success();
        assert_ne!(removed, stored.status.is_success());
        if removed {
            assert!([403, 409].contains(&stored.status.as_u16()));
        } else {
            removal.0.problem(409, ProblemKind::BehindFrontier);
        }
    }
}

#[tokio::test]
async fn a_relay_that_is_not_the_home_relay_takes_what_was_decided_there() {
    let elsewhere = "https://home.example";
    for loss in LOSSES {
        let scene = scene_at(Bench::new().await, &[elsewhere, ORIGIN]).await;
        let owner = scene.owner.clone();
        let envelopes = 2;
        let (bench, journal) = scene.accepts(loss, Vector::default()).await;
        // What was stored beyond the frontier is still served: clients judge.
        let request = SyncRequest {
            log_length: journal.log.length(),
            head: journal.log.head(),
            vector: Vector::default(),
        };
        let answer = bench.post(&owner, &journal.path("sync"), &request).await;
        assert_eq!(answer.message::<SyncAnswer>().envelopes.len(), envelopes);
    }
}

#[tokio::test]
async fn any_name_of_a_relay_makes_it_the_home_relay() {
    let second = "https://second.example".to_owned();
    let origins = Origins::Named(vec![ORIGIN.to_owned(), second.clone()]);
    let bench = Bench::known_as(Limits::default(), origins).await;
    let scene = scene_at(bench, &[&second]).await;
    scene
        .refuses(&Vector::default(), "listed by its other name")
        .await;
}

#[tokio::test]
async fn without_a_listed_relay_the_frontier_counts() {
    let scene = scene_at(Bench::new().await, &[]).await;
    scene
        .refuses(&Vector::default(), "nobody knows the home relay")
        .await;
}

#[tokio::test]
async fn the_home_relay_is_the_one_listed_before_the_record() {
    let mut scene = scene().await;
    let (owner, device) = (scene.owner.clone(), scene.device.clone());
    let path = scene.journal.path("log");
    // In one request: the home moves away, and then somebody is removed there.
    let away = Body::Relays(Relays {
        urls: vec!["https://home.example".to_owned()],
    });
    let moved = scene.journal.next(&owner, &away);
    let mut append = scene.journal.append(moved, None);
    let (record, blobs) = scene.journal.remove(&owner, &[&device], Vector::default());
    let removal = scene.journal.append_with(record, blobs);
    append.records.extend(removal.records);
    append.blobs.extend(removal.blobs);
    let page: LogPage = scene.bench.post(&owner, &path, &append).await.message();
    assert_eq!(page.head, scene.journal.log.head());
}

#[tokio::test]
async fn a_log_that_stands_is_taken_whole_by_the_home_relay_too() {
    let mut scene = scene().await;
    let (owner, device) = (scene.owner.clone(), scene.device.clone());
    // The relay was set back to an older state, and the removed device wrote on. Nobody can sign that removal anew.
    let (record, blobs) = scene.journal.remove(&owner, &[&device], Vector::default());
    let append = scene.journal.append_with(record, blobs);
    let answer = scene
        .bench
        .post(&owner, &scene.journal.path("log"), &append)
        .await;
    answer.problem(409, ProblemKind::BehindFrontier);
    let answer = scene
        .bench
        .post(&owner, JOURNALS, &scene.journal.create())
        .await;
    let page: LogPage = answer.message();
    assert_eq!(page.head, scene.journal.log.head());
}
