//! Manifests of snapshots: which are sound, who may sign them, and which may be relied on.

use super::story::{Key, Story};
use crate::id::{ChainId, ChainSalt, EnvelopeHash, PersonId, Seq};
use crate::role::Role;
use crate::sign::Signer;
use crate::snapshot::{
    Acknowledgement, Author, Manifest, Snapshot, SnapshotError, covered, is_attested, is_overtaken,
};
use crate::vector::{Position, Vector};

fn author(of: &Key) -> Author {
    Author {
        device: of.key_id(),
        salt: ChainSalt([4; 16]),
    }
}

/// A snapshot by the owner of three envelopes of its own and five of each other device.
fn manifest(story: &Story, others: &[&Key]) -> Manifest {
    let position = |seq| Position {
        seq: Seq(seq),
        hash: EnvelopeHash([7; 32]),
    };
    let own = author(&story.owner);
    let mut authors = vec![own];
    authors.extend(others.iter().map(|key| author(key)));
    authors.sort();
    let covers = authors.iter().map(|author| {
        let seq = if *author == own { 3 } else { 5 };
        (author.chain(), position(seq))
    });
    Manifest {
        journal: story.log.journal(),
        author: own,
        first: Seq(4),
        parts: vec![EnvelopeHash([8; 32])],
        covers: Vector(covers.collect()),
        authors,
        head: story.log.head(),
    }
}

fn with_member() -> (Story, Key) {
    let mut story = Story::new();
    let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
    let member = story.join(&invite, 2);
    (story, member)
}

#[test]
fn a_manifest_travels_and_holds() {
    let (story, member) = with_member();
    let manifest = manifest(&story, &[&member]);
    let made = Snapshot::create(&manifest, &story.owner).unwrap();
    let read = Snapshot::parse(made.bytes().to_vec()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.verify(&story.log).unwrap(), &manifest);
    let other = Story::with_seed(1);
    assert!(matches!(
        read.verify(&other.log),
        Err(SnapshotError::Journal)
    ));
}

/// Something done to a manifest.
type Breach = fn(&mut Manifest);

#[test]
fn what_contradicts_itself_is_no_manifest() {
    let (story, member) = with_member();
    let breaches: [(&str, Breach); 7] = [
        ("no parts", |of| of.parts.clear()),
        ("too many parts", |of| {
            of.parts = vec![EnvelopeHash([8; 32]); crate::limits::SNAPSHOT_PARTS + 1];
        }),
        ("not up to the first part", |of| of.first = Seq(9)),
        ("a chain without its author", |of| {
            of.authors.pop();
        }),
        ("authors out of order", |of| of.authors.reverse()),
        ("an author twice", |of| of.authors.insert(0, of.authors[0])),
        ("a place before the first", |of| {
            for at in of.covers.0.values_mut().filter(|at| at.seq.0 == 5) {
                at.seq = Seq(0);
            }
        }),
    ];
    for (what, breach) in breaches {
        let mut manifest = manifest(&story, &[&member]);
        breach(&mut manifest);
        let made = Snapshot::create(&manifest, &story.owner);
        assert!(matches!(made, Err(SnapshotError::Unsound)), "{what}");
    }
}

#[test]
fn only_an_owner_s_device_makes_one() {
    let (story, member) = with_member();
    let mut by_member = manifest(&story, &[&member]);
    by_member.author = author(&member);
    by_member.first = Seq(6);
    let snapshot = Snapshot::create(&by_member, &member).unwrap();
    assert!(matches!(
        snapshot.verify(&story.log),
        Err(SnapshotError::NotPermitted)
    ));
    // In the owner's name, with another's signature.
    let forged = Snapshot::create(&manifest(&story, &[&member]), &member).unwrap();
    assert!(matches!(
        forged.verify(&story.log),
        Err(SnapshotError::Signature(_))
    ));
}

#[test]
fn no_flipped_bit_and_no_cut_holds() {
    let (story, member) = with_member();
    let bytes = Snapshot::create(&manifest(&story, &[&member]), &story.owner)
        .unwrap()
        .bytes()
        .to_vec();
    let holds = |bytes: Vec<u8>| {
        Snapshot::parse(bytes).is_ok_and(|snapshot| snapshot.verify(&story.log).is_ok())
    };
    assert!(holds(bytes.clone()));
    for place in 0..bytes.len() {
        assert!(!holds(bytes[..place].to_vec()));
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[place] ^= 1 << bit;
            assert!(!holds(altered), "bit {bit} of byte {place}");
        }
    }
}

#[test]
fn another_member_s_signature_makes_it_reliable() {
    let (mut story, member) = with_member();
    let manifest = manifest(&story, &[&member]);
    let snapshot = Snapshot::create(&manifest, &story.owner).unwrap();
    let by = |key: &Key| Acknowledgement::create(&manifest.journal, snapshot.hash(), key);
    let relied = |story: &Story, keys: &[&Key]| {
        let valid = keys.iter().map(|key| by(key));
        let valid = valid.filter(|one| one.verify(&story.log).is_ok());
        is_attested(&manifest, valid.map(|one| one.device), &story.log)
    };
    assert!(!relied(&story, &[]));
    assert!(
        !relied(&story, &[&story.owner.clone()]),
        "not the maker's own"
    );
    assert!(!relied(&story, &[&Key::new(77)]), "nor a stranger's");
    assert!(relied(&story, &[&member]));
    let mut stolen = by(&member);
    stolen.device = story.owner.key_id();
    assert!(stolen.verify(&story.log).is_err());
    story.remove(&[&member], Vector::default());
    assert!(!relied(&story, &[&member]), "nor one's who was removed");
}

#[test]
fn an_only_device_s_snapshot_stays_reliable_when_others_join() {
    let mut story = Story::new();
    let alone = manifest(&story, &[]);
    assert!(is_attested(&alone, [], &story.log));
    let invite = story.invite(1, PersonId([2; 16]), Role::Contributor);
    story.join(&invite, 2);
    assert!(is_attested(&alone, [], &story.log));
    let later = manifest(&story, &[]);
    assert!(!is_attested(&later, [], &story.log));
}

#[test]
fn a_removal_that_its_maker_did_not_know_overtakes_it() {
    let (mut story, member) = with_member();
    let before = manifest(&story, &[&member]);
    let chain = author(&member).chain();
    let frontier = |seq| {
        let hash = EnvelopeHash([7; 32]);
        let seq = Seq(seq);
        Vector([(chain, Position { seq, hash })].into())
    };
    for (last, overtaken) in [(4, true), (5, false), (6, false)] {
        let mut story = Story {
            owner: story.owner.clone(),
            log: story.log.clone(),
        };
        story.remove(&[&member], frontier(last));
        assert_eq!(is_overtaken(&before, &story.log), overtaken, "{last}");
    }
    story.remove(&[&member], frontier(4));
    let after = manifest(&story, &[&member]);
    assert!(!is_overtaken(&after, &story.log), "its maker knew");
}

#[test]
fn a_snapshot_covers_each_chain_up_to_the_first_envelope_that_is_held() {
    let chain = |number| ChainId([number; 16]);
    let at = |seq: u64| Position {
        seq: Seq(seq),
        hash: EnvelopeHash([7; 32]),
    };
    let seen = || Vector([(chain(1), at(4)), (chain(2), at(6)), (chain(3), at(2))].into());
    let of = |own, held: &[(u8, u64)], known: bool| {
        let held = held.iter().map(|(of, seq)| (chain(*of), Seq(*seq)));
        let hash_at = |_: &ChainId, seq: Seq| Ok::<_, ()>(known.then(|| at(seq.0).hash));
        covered(&chain(own), seen(), held, hash_at).unwrap()
    };
    assert_eq!(of(1, &[], true), Some(seen()));
    let held = [(2, 5), (2, 6), (3, 1), (3, 2)];
    let expected = Vector([(chain(1), at(4)), (chain(2), at(4))].into());
    assert_eq!(of(1, &held, true), Some(expected));
    assert_eq!(of(1, &held, false), None, "what is before is not known");
    assert_eq!(of(1, &[(2, 5)], true), None, "the sixth is merged");
    assert_eq!(of(2, &held, true), None, "its own chain");
}
