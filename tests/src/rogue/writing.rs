//! Envelopes, sealed and signed as a device seals and signs, whether or not it may.
//!
//! Each stands first in a chain of its own. One who lost the right to write names the last head at which it had it: its
//! best attempt.

use std::path::Path;

use jiff::tz::TimeZone;
use journal::batch::encode;
use journal::change;
use journal::document::Document;
use journal::entry::Draft;
use journal::time::At;
use journal::{Actor, DocumentId, EntryId, Fields, Value};
use protocol::api::{Append, Appended, journal_path};
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{ChainId, ChainSalt, EnvelopeHash, Seq};
use protocol::vector::Vector;
use rusqlite::{Connection, params};
use seal::{Content, EpochKey, VectorPart};
use serde_json::json;

use super::{Line, Outcome, Rogue, now, random_bytes};

/// A place for one envelope, and the key that it is sealed with.
pub(super) struct Slot<'a> {
    pub(super) header: Header,
    pub(super) actor: Actor,
    key: &'a EpochKey,
    /// The index of the record that the header names.
    head: u32,
}

impl Rogue {
    /// Makes an envelope, and sends it to a relay, into a bundle, or into a relay's database.
    pub(super) fn write(&self, what: &str, line: &Line<'_>) -> Outcome<serde_json::Value> {
        let mut slot = self.slot()?;
        let entry = EntryId::mint(u64::try_from(now() * 1000)?, random_bytes());
        let envelope = match what {
            "entry" => self.sealed(&slot, self.entry(slot.actor, entry)?)?,
            "edit" => self.sealed(&slot, self.edit(slot.actor, line.need("--entry")?)?)?,
            "profile" => self.sealed(&slot, self.profile(slot.actor)?)?,
            "newer" => self.sealed(&slot, self.newer(slot.actor, entry)?)?,
            "newer-format" => self.sealed(&slot, self.newer_format(slot.actor, entry)?)?,
            "gap" => {
                slot.header.seq = Seq(3);
                slot.header.prev = Some(EnvelopeHash(random_bytes()));
                self.sealed(&slot, self.entry(slot.actor, entry)?)?
            }
            "bomb" => {
                // 256 MiB of zeros are a quarter of a megabyte when compressed.
                let plain = vec![0; 256 << 20];
                let header = slot.header.clone();
                let sealed = slot.key.seal_bytes(header, &plain, &self.keys);
                sealed.ok_or("too much")?
            }
            other => self.sealed(&slot, self.hostile(other, slot.actor, entry)?)?,
        };
        let id = entry.to_string();
        let hash = envelope.hash().to_string();
        let bytes = envelope.bytes().len();
        let told = json!({ "entry": id, "hash": hash, "bytes": bytes });
        if let Some(path) = line.option("--out") {
            self.bundle(Path::new(path), &[], &[], &[envelope.bytes().to_vec()])?;
            return Ok(told);
        }
        if let Some(database) = line.option("--database") {
            self.plant(Path::new(database), &slot, &envelope)?;
            return Ok(told);
        }
        let append = Append {
            head: self.log.head(),
            envelopes: vec![Bytes(envelope.bytes().to_vec())],
        };
        let path = journal_path(&self.log.journal(), "envelopes");
        let reply = self.post(line.need("--relay")?, &path, &append)?;
        reply.told(|answer: Appended| {
            let refused = answer.refused.first().map(|refused| refused.reason.clone());
            json!({ "entry": id, "hash": hash, "bytes": bytes, "refused": refused })
        })
    }

    /// Begins a chain at the newest head that gives it the right to write, or at the newest there is.
    fn slot(&self) -> Outcome<Slot<'_>> {
        let device = self.log.devices().get(&self.id());
        let newest = self.log.length() - 1;
        let writes = |head: &u32| {
            let role = device.and_then(|device| device.role_at(*head));
            role.is_some_and(protocol::role::Role::may_write)
        };
        let head = (0..=newest).rev().find(writes).unwrap_or(newest);
        let epoch = self.log.epoch_at(head).ok_or("no epoch")?.number;
        let salt = ChainSalt(random_bytes());
        let header = Header {
            kind: Kind::Batch,
            journal: self.log.journal(),
            device: self.id(),
            salt,
            seq: Seq(1),
            prev: None,
            head: self.log.hash_at(head).ok_or("no head")?,
            epoch,
            nonce: random_bytes(),
        };
        Ok(Slot {
            actor: Actor(ChainId::of(&self.id(), &salt).0),
            key: self.key(epoch)?,
            header,
            head,
        })
    }

    fn sealed(&self, slot: &Slot<'_>, batch: Vec<u8>) -> Outcome<Envelope> {
        let content = Content {
            seen: VectorPart {
                whole: true,
                chains: Vector::default(),
            },
            batch: Bytes(batch),
        };
        let header = slot.header.clone();
        Ok(seal::seal(header, &content, slot.key, &self.keys)?)
    }

    fn entry(&self, actor: Actor, id: EntryId) -> Outcome<Vec<u8>> {
        let made = note(actor, id)?;
        Ok(encode(&[(DocumentId::of(id)?, &made.bytes)])?)
    }

    fn edit(&self, actor: Actor, id: &str) -> Outcome<Vec<u8>> {
        let id: EntryId = id.parse()?;
        let of = DocumentId::of(id)?;
        let set = Fields::from([("note".to_owned(), Value::from(edited()))]);
        let made = self
            .document(of)?
            .update(actor, now(), &id.to_string(), &set, &[])?;
        Ok(encode(&[(of, &made.ok_or("no change")?.bytes)])?)
    }

    fn profile(&self, actor: Actor) -> Outcome<Vec<u8>> {
        let of = DocumentId::Profile;
        let set = Fields::from([("remark".to_owned(), Value::from(edited()))]);
        let made = self
            .document(of)?
            .update(actor, now(), "patient", &set, &[])?;
        Ok(encode(&[(of, &made.ok_or("no change")?.bytes)])?)
    }

    /// Loads a document of the home whose log it uses.
    pub(super) fn document(&self, id: DocumentId) -> Outcome<Document> {
        let parts = self
            .replica
            .read(|reader| reader.document(&id.to_string()))?;
        let changes = parts.changes.iter().map(Vec::as_slice);
        Ok(Document::load(id, parts.base.as_deref(), changes)?)
    }

    /// Puts an envelope into the database of a relay that is not running, as a relay that helps would.
    fn plant(&self, database: &Path, slot: &Slot<'_>, envelope: &Envelope) -> Outcome<()> {
        let relay = Connection::open(database)?;
        let journal: i64 = relay.query_row("SELECT number FROM journals", [], |row| row.get(0))?;
        let (chain, seq) = (slot.header.chain(), i64::try_from(slot.header.seq.0)?);
        let (hash, head) = (envelope.hash().0, slot.head);
        relay.execute(
            "INSERT INTO envelopes (journal, chain, seq, hash, head, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![journal, chain.0, seq, hash, head, envelope.bytes()],
        )?;
        relay.execute(
            "INSERT INTO chains (journal, chain, device, seq, hash, head) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![journal, chain.0, slot.header.device.0, seq, hash, head],
        )?;
        Ok(())
    }
}

/// Returns words that no value has yet.
pub(super) fn edited() -> String {
    format!("edited by a rogue, {}", u64::from_ne_bytes(random_bytes()))
}

/// Makes a change that creates a note.
pub(super) fn note(actor: Actor, id: EntryId) -> Outcome<change::NewChange> {
    let at = At::in_zone(
        jiff::Timestamp::from_millisecond(id.unix_ms())?,
        &TimeZone::UTC,
    );
    let fields = Draft::new("note", at)
        .with("note", "written by a rogue")
        .to_fields(id)?;
    Ok(change::create(
        actor,
        None,
        now(),
        &[(&id.to_string(), &fields)],
    )?)
}
