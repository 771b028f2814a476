//! Envelopes of devices that lost the right to write: what counts, what is held, and what a new right changes.

use super::story::{Key, Story};
use crate::envelope::Envelope;
use crate::id::{ChainId, ChainSalt, EnvelopeHash, PersonId, Seq};
use crate::judge::{ChainTip, Refusal, Verdict, judge};
use crate::record::{Body, Relays};
use crate::role::Role;
use crate::sign::Signer;
use crate::vector::{Position, Vector};

/// A contributor's chain of three envelopes, sealed at one head.
struct Scene {
    story: Story,
    device: Key,
    chain: Vec<Envelope>,
    /// The index of the head.
    head: u32,
}

fn scene() -> Scene {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
    let device = story.join(&invite, 2);
    let mut chain: Vec<Envelope> = Vec::new();
    for seq in 1..=3 {
        let prev = chain.last().map(Envelope::hash);
        chain.push(story.envelope(&device, seq, prev));
    }
    let head = story.log.length() - 1;
    Scene {
        story,
        device,
        chain,
        head,
    }
}

impl Scene {
    fn chain_id(&self) -> ChainId {
        self.chain[0].header().chain()
    }

    /// The frontier that names the chain up to `seq`.
    fn up_to(&self, seq: usize) -> Vector {
        let last = &self.chain[seq - 1];
        let position = Position {
            seq: last.header().seq,
            hash: last.hash(),
        };
        Vector([(self.chain_id(), position)].into())
    }

    fn lose(&mut self, removed: bool, frontier: Vector) {
        let device = self.device.clone();
        if removed {
            self.story.remove(&[&device], frontier);
        } else {
            let body = self.story.role_body(2, Role::Reader, frontier);
            self.story.append(&self.story.owner.clone(), &body);
        }
    }

    /// Judges every envelope after the one before it: `true` for those within all frontiers.
    fn verdicts(&self) -> Vec<bool> {
        let mut tip: Option<ChainTip> = None;
        let mut within = Vec::new();
        for envelope in &self.chain {
            let verdict = judge(envelope.clone(), &self.story.log, tip);
            let (head, accepted) = match verdict {
                Verdict::Accept { head, .. } => (head, true),
                Verdict::Beyond { head, .. } => (head, false),
                other => panic!("{other:?}"),
            };
            within.push(accepted);
            tip = Some(ChainTip {
                seq: envelope.header().seq,
                hash: envelope.hash(),
                head,
            });
        }
        within
    }
}

#[test]
fn what_a_frontier_names_counts_and_what_is_later_does_not() {
    for removed in [true, false] {
        for seq in 1..=3 {
            let mut scene = scene();
            assert_eq!(scene.verdicts(), [true; 3]);
            scene.lose(removed, scene.up_to(seq));
            let expected = [true, seq >= 2, seq >= 3];
            assert_eq!(scene.verdicts(), expected, "removed: {removed}, at {seq}");
        }
    }
}

#[test]
fn a_chain_that_is_not_named_counts_for_nothing() {
    for removed in [true, false] {
        let mut scene = scene();
        let position = *scene.up_to(3).0.values().next().unwrap();
        let other = ChainId::of(&scene.device.key_id(), &ChainSalt([9; 16]));
        scene.lose(removed, Vector([(other, position)].into()));
        assert_eq!(scene.verdicts(), [false; 3]);
    }
}

#[test]
fn another_envelope_at_the_last_place_is_beyond() {
    for removed in [true, false] {
        let mut scene = scene();
        let mut frontier = scene.up_to(2);
        for position in frontier.0.values_mut() {
            position.hash = EnvelopeHash([9; 32]);
        }
        scene.lose(removed, frontier);
        assert_eq!(scene.verdicts(), [true, false, false]);
    }
}

#[test]
fn a_frontier_holds_for_its_own_devices_only() {
    let mut scene = scene();
    scene.lose(true, Vector::default());
    let envelope = scene.story.envelope(&scene.story.owner, 1, None);
    let verdict = judge(envelope, &scene.story.log, None);
    assert!(matches!(verdict, Verdict::Accept { .. }));
}

#[test]
fn at_a_head_after_the_loss_nothing_is_sealed() {
    for (removed, refusal) in [(true, Refusal::NotMember), (false, Refusal::NotPermitted)] {
        let mut scene = scene();
        scene.lose(removed, scene.up_to(3));
        let late = scene.story.envelope(&scene.device, 1, None);
        match judge(late, &scene.story.log, None) {
            Verdict::Refuse(reason) => assert_eq!(reason, refusal),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_new_right_counts_from_there_on_and_brings_nothing_back() {
    let mut scene = scene();
    scene.lose(false, scene.up_to(1));
    let owner = scene.story.owner.clone();
    let body = scene
        .story
        .role_body(2, Role::Contributor, Vector::default());
    scene.story.append(&owner, &body);
    // Sealed with the new right, after envelopes that stay beyond.
    let prev = scene.chain[2].hash();
    let fourth = scene.story.envelope(&scene.device, 4, Some(prev));
    scene.chain.push(fourth);
    assert_eq!(scene.verdicts(), [true, false, false, true]);
    // A second loss has a frontier of its own; both hold.
    scene.lose(true, scene.up_to(4));
    assert_eq!(scene.verdicts(), [true, false, false, true]);
}

#[test]
fn a_later_frontier_may_take_more() {
    let mut scene = scene();
    scene.lose(false, scene.up_to(3));
    let owner = scene.story.owner.clone();
    let body = scene
        .story
        .role_body(2, Role::Contributor, Vector::default());
    scene.story.append(&owner, &body);
    scene.lose(true, scene.up_to(1));
    assert_eq!(scene.verdicts(), [true, false, false]);
}

#[test]
fn an_envelope_is_judged_by_role_and_epoch_at_its_own_head() {
    let mut scene = scene();
    let owner = scene.story.owner.clone();
    let relays = Body::Relays(Relays { urls: Vec::new() });
    scene.story.append(&owner, &relays);
    scene.story.remove(&[], Vector::default());
    // Sealed before the new epoch, under the epoch of then: still good, by a device that is still a member.
    assert_eq!(scene.verdicts(), [true; 3]);
    let log = &scene.story.log;
    let old_head = log.hash_at(scene.head).unwrap();
    for (head, epoch, good) in [
        (old_head, 0, true),
        (old_head, 1, false),
        (log.head(), 1, true),
        (log.head(), 0, false),
    ] {
        let envelope = scene.story.envelope_with(&scene.device, |header| {
            (header.head, header.epoch) = (head, epoch);
        });
        match judge(envelope, log, None) {
            Verdict::Accept { role, .. } => assert!(good && role == Role::Contributor),
            Verdict::Refuse(refusal) => assert!(!good && refusal == Refusal::Epoch),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn beyond_names_the_role_of_then_and_keeps_its_place() {
    let mut scene = scene();
    scene.lose(true, Vector::default());
    let first = scene.chain[0].clone();
    let Verdict::Beyond { head, role, .. } = judge(first.clone(), &scene.story.log, None) else {
        panic!()
    };
    assert_eq!((head, role), (scene.head, Role::Contributor));
    let tip = ChainTip {
        seq: Seq(1),
        hash: first.hash(),
        head,
    };
    let again = judge(first, &scene.story.log, Some(tip));
    assert!(matches!(again, Verdict::Known(_)));
}
