//! The golden vectors of the protocol: made here, where the secrets are, and kept as
//! `crates/protocol/vectors/protocol.json`, which an independent script reproduces.
//!
//! The test fails if a byte moves. `EBB_WRITE_VECTORS=1 cargo test -p ebb-seal vectors` writes the file anew, which is
//! right only together with a new protocol version.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use protocol::cbor::{self, Bytes};
use protocol::domain::Domain;
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{ChainId, ChainSalt, EnvelopeHash, Seq};
use protocol::request::{Authorization, Request};
use protocol::sign::{Signer, Verifier};
use protocol::snapshot::{Acknowledgement, Author, Manifest, Snapshot};
use protocol::vector::{Position, Vector};
use serde_json::{Value, json};

use crate::testing::{FixedRandom, Sequel, Story};
use crate::{
    Content, InviteLink, InviteSecret, KeyPair, RecoveryPhrase, Seed, VectorPart, open, seal,
    seal_name,
};

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn keys() -> Value {
    let of = |domain: &str, pair: &KeyPair, seed: [u8; 32]| {
        json!({
            "info": domain,
            "seed": hex(&seed),
            "signing_key": pair.signing_key().to_string(),
            "kem_key": pair.kem_key().to_string(),
            "key_id": pair.key_id().to_string(),
        })
    };
    let seed = [1; 32];
    json!([
        of(
            Domain::DeviceKeys.prefix(),
            &KeyPair::of_device(&Seed::from_bytes(seed)),
            seed
        ),
        of(
            Domain::InviteKeys.prefix(),
            &KeyPair::of_invite(&Seed::from_bytes(seed)),
            seed
        ),
        of(
            Domain::RecoveryKeys.prefix(),
            &KeyPair::of_recovery(&Seed::from_bytes(seed)),
            seed
        ),
    ])
}

/// A log with a record of every kind but `relays`.
fn member_log() -> Value {
    let mut sequel = Sequel::tell();
    sequel.erase();
    let records = sequel
        .records
        .iter()
        .zip(&sequel.signers)
        .map(|(record, signer)| {
            let (payload, signature) = record.bytes().split_last_chunk::<64>().unwrap();
            json!({
                "payload": hex(payload),
                "signature": hex(signature),
                "signing_key": signer.to_string(),
                "hash": record.hash().to_string(),
            })
        });
    json!({ "journal": sequel.log.journal().to_string(), "records": records.collect::<Vec<_>>() })
}

/// Each epoch's key as it is encrypted under the next, in the records of [`member_log`].
fn key_wraps() -> Value {
    let sequel = Sequel::tell();
    let wraps = sequel.keys.windows(2).map(|pair| {
        let [previous, next] = pair else { panic!() };
        json!({
            "epoch": next.number(),
            "key": hex(next.bytes()),
            "previous_key": hex(previous.bytes()),
            "previous_commitment": previous.commitment().to_string(),
            "wrapped": hex(sequel.log.wrapped_key(next.number()).unwrap()),
        })
    });
    wraps.collect()
}

fn recovery() -> Value {
    let phrase = RecoveryPhrase::random(&mut FixedRandom::new("recovery"));
    let pair = phrase.key_pair();
    json!({
        "phrase": phrase.reveal().as_str(),
        "signing_key": pair.signing_key().to_string(),
        "kem_key": pair.kem_key().to_string(),
        "key_id": pair.key_id().to_string(),
    })
}

fn epoch(story: &Story) -> Value {
    json!({
        "number": story.key.number(),
        "key": hex(story.key.bytes()),
        "commitment": story.key.commitment().to_string(),
        "recipient_seed": hex(&[1; 32]),
        "recipient": story.owner.key_id().to_string(),
        "blob": hex(&story.owner_blob),
        "blob_hash": protocol::id::BlobHash::of(&story.owner_blob).to_string(),
    })
}

fn name(story: &Story) -> Value {
    let subject = [3; 16];
    let sealed = seal_name("Ana", &subject, &story.key, &mut FixedRandom::new("name")).unwrap();
    json!({ "name": "Ana", "subject": hex(&subject), "sealed": hex(&sealed) })
}

fn envelope(story: &Story) -> Value {
    let salt = ChainSalt([5; 16]);
    let device = story.owner.key_id();
    let header = Header {
        kind: Kind::Batch,
        journal: story.log.journal(),
        device,
        salt,
        seq: Seq(2),
        prev: Some(EnvelopeHash([7; 32])),
        head: story.log.head(),
        epoch: 0,
        nonce: [9; 24],
    };
    let position = Position {
        seq: Seq(1),
        hash: EnvelopeHash([7; 32]),
    };
    let chains = Vector([(ChainId::of(&device, &salt), position)].into());
    let content = Content {
        seen: VectorPart {
            whole: false,
            chains,
        },
        batch: Bytes(b"a batch, in the journal's own encoding".repeat(4)),
    };
    let sealed = seal(header.clone(), &content, &story.key, &story.owner).unwrap();
    json!({
        "device": device.to_string(),
        "salt": salt.to_string(),
        "chain": header.chain().to_string(),
        "header": hex(&header.to_bytes()),
        "content": hex(&cbor::encode(&content)),
        "key": hex(story.key.bytes()),
        "signing_key": story.owner.signing_key().to_string(),
        "bytes": hex(sealed.bytes()),
        "hash": sealed.hash().to_string(),
    })
}

fn snapshot(story: &Story) -> Value {
    let author = Author {
        device: story.owner.key_id(),
        salt: ChainSalt([5; 16]),
    };
    let before = Position {
        seq: Seq(2),
        hash: EnvelopeHash([7; 32]),
    };
    let manifest = Manifest {
        journal: story.log.journal(),
        author,
        first: Seq(3),
        parts: vec![EnvelopeHash([8; 32]), EnvelopeHash([9; 32])],
        covers: Vector([(author.chain(), before)].into()),
        authors: vec![author],
        head: story.log.head(),
    };
    let snapshot = Snapshot::create(&manifest, &story.owner).unwrap();
    let by = Acknowledgement::create(&manifest.journal, snapshot.hash(), &story.owner);
    json!({
        "journal": manifest.journal.to_string(),
        "bytes": hex(snapshot.bytes()),
        "hash": snapshot.hash().to_string(),
        "signing_key": story.owner.signing_key().to_string(),
        "acknowledgement": hex(&cbor::encode(&by)),
    })
}

fn request(story: &Story) -> Value {
    let request = Request {
        method: "POST",
        path: "/v1/journals?x=1",
        body: b"body",
    };
    let proof = Authorization::create(
        &story.owner,
        "https://relay.example",
        request,
        1_780_000_000,
        [4; 16],
    );
    json!({
        "origin": "https://relay.example",
        "method": request.method,
        "path": request.path,
        "body": hex(request.body),
        "time": 1_780_000_000,
        "random": hex(&[4; 16]),
        "signing_key": story.owner.signing_key().to_string(),
        "authorization": proof.to_string(),
    })
}

fn invite(story: &Story) -> Value {
    let secret = InviteSecret::random(&mut FixedRandom::new("invite"));
    let key_id = secret.key_pair().key_id().to_string();
    let link = InviteLink {
        relay: "https://relay.example".to_owned(),
        journal: story.log.journal(),
        secret,
        device_name: Some("phone".to_owned()),
    };
    json!({ "link": link.reveal(), "journal": link.journal.to_string(), "key_id": key_id })
}

/// Checks the kept envelope by opening it, since DEFLATE has many encodings of one content, and compressors and
/// processors differ in the one they choose. Everything else is compared to the letter.
fn check_envelope(story: &Story, kept: &mut Value, made: &mut Value) {
    let take = |envelope: &mut Value, name| {
        let text = envelope.as_object_mut().and_then(|map| map.remove(name));
        text.unwrap().as_str().unwrap().to_owned()
    };
    let bytes = HEXLOWER.decode(take(kept, "bytes").as_bytes()).unwrap();
    let envelope = Envelope::parse(bytes).unwrap();
    assert_eq!(envelope.hash().to_string(), take(kept, "hash"));
    assert_eq!(
        Some(&*hex(&envelope.header().to_bytes())),
        kept["header"].as_str()
    );
    let envelope = envelope
        .verify(&Verifier::of(&story.owner.signing_key()))
        .unwrap();
    let content = open(&envelope, &story.key).unwrap();
    assert_eq!(
        Some(&*hex(&cbor::encode(&content))),
        kept["content"].as_str()
    );
    take(made, "bytes");
    take(made, "hash");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test reads the file it compares with, and writes it when asked"
)]
fn golden_vectors_are_what_this_version_makes() {
    let story = Story::tell();
    let mut made = json!({
        "keys": keys(),
        "member_log": member_log(),
        "epoch": epoch(&story),
        "key_wrap": key_wraps(),
        "recovery": recovery(),
        "name": name(&story),
        "envelope": envelope(&story),
        "snapshot": snapshot(&story),
        "request": request(&story),
        "invite": invite(&story),
    });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors/protocol.json");
    if std::env::var_os("EBB_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    check_envelope(&story, &mut kept["envelope"], &mut made["envelope"]);
    for (name, made) in made.as_object().unwrap() {
        assert_eq!(&kept[name], made, "the golden vector {name} moved");
    }
}
