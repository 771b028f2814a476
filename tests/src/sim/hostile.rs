//! What hostile members and removed devices try, with all the keys that they have.
//!
//! What the log or a signature gives away is slipped into answers; what only a receiver with keys can see is laid in the
//! home relay's store, as a relay that helps would. Each carries a mark that must never show.

use std::collections::BTreeSet;
use std::sync::Arc;

use journal::batch::encode;
use journal::change::{self, NewChange};
use journal::document::Document;
use journal::{Actor, DocumentId, EntryId, Fields, Scalar, Value};
use protocol::cbor::Bytes;
use protocol::envelope::{Envelope, Header, Kind};
use protocol::id::{ChainId, ChainSalt, EnvelopeHash, KeyId, Seq};
use protocol::record::{Body, Relays, SetRole, SignedRecord};
use protocol::role::Role;
use protocol::snapshot::{Author, Manifest, Snapshot};
use protocol::vector::Vector;
use seal::{Content, VectorPart};

use super::disk::Loose;
use super::ledger::field;
use super::world::World;

/// Envelopes that a relay lays in its store for them in one history. Everybody holds them, and tries them again at every
/// merge: more would only make a long history slow.
pub(crate) const LAID: usize = 24;

/// One attempt: an envelope that is not yet sealed.
struct Attempt {
    kind: Kind,
    device: KeyId,
    salt: ChainSalt,
    seq: u64,
    prev: Option<EnvelopeHash>,
    epoch: u32,
    batch: Vec<u8>,
}

impl World {
    /// Lets a hostile machine try something.
    pub(crate) fn attack(&mut self, machine: usize) {
        let of = &self.machines[machine];
        let removed = self
            .home()
            .is_none_or(|home| home.log.role(&of.id).is_none());
        if removed {
            self.write_on(machine);
            return;
        }
        // Its envelopes name its own head, and are judged there: the home relay may have gone back to an earlier log.
        let role = of.disk.now().log.role(&of.id);
        match (role, self.random.below(8)) {
            (Some(Role::Reader), _) => self.reader_writes(machine),
            (_, 0) => self.foreign_actor(machine),
            (_, 1) => self.forged_signature(machine),
            (_, 2) => self.wrong_epoch(machine),
            (Some(Role::Contributor), 3) => self.profile(machine),
            (Some(Role::Contributor), 4) => self.forged_record(machine),
            (_, 5) => self.altered_batch(machine),
            (_, 6) => self.missing_predecessor(machine),
            (_, 7) => self.gap(machine),
            _ => {}
        }
    }

    fn forbid(&mut self, why: &'static str) -> Fields {
        let mark = self.ledger.mark();
        self.ledger.forbidden.insert(mark, why);
        let mut fields = Fields::new();
        fields.insert(field(mark), Value::Scalar(Scalar::Int(mark)));
        fields
    }

    fn entry(&mut self) -> (DocumentId, String) {
        let unix_ms = u64::try_from(self.now).unwrap_or(0);
        let id = EntryId::mint(unix_ms, self.random.bytes());
        let document = DocumentId::of(id).expect("the simulation is in this century");
        (document, id.to_string())
    }

    /// Makes a change by an actor that creates one item.
    fn item(&mut self, actor: Actor, key: &str, fields: &Fields) -> NewChange {
        let change = change::create(actor, None, self.now / 1000, &[(key, fields)]);
        change.expect("a small item is valid")
    }

    fn attempt(&mut self, machine: usize, batch: Vec<u8>, salt: ChainSalt) -> Attempt {
        let of = &self.machines[machine];
        Attempt {
            kind: Kind::Batch,
            device: of.id,
            salt,
            seq: 1,
            prev: None,
            epoch: of.disk.now().log.epoch().number,
            batch,
        }
    }

    fn seal(&mut self, machine: usize, attempt: Attempt) -> Option<Envelope> {
        let of = &self.machines[machine];
        let log = &of.disk.now().log;
        let header = Header {
            kind: attempt.kind,
            journal: log.journal(),
            device: attempt.device,
            salt: attempt.salt,
            seq: Seq(attempt.seq),
            prev: attempt.prev,
            head: log.head(),
            epoch: attempt.epoch,
            nonce: self.random.bytes(),
        };
        let content = Content {
            seen: VectorPart {
                whole: true,
                chains: Vector::default(),
            },
            batch: Bytes(attempt.batch),
        };
        seal::seal(header, &content, of.ring.get(attempt.epoch)?, &of.keys).ok()
    }

    /// A chain of its own for each attempt: the machine's own one goes on.
    fn fresh_chain(&mut self, machine: usize) -> (ChainSalt, Actor) {
        let salt = ChainSalt(self.random.bytes());
        let chain = ChainId::of(&self.machines[machine].id, &salt);
        (salt, Actor(chain.0))
    }

    fn slip_in(&mut self, envelope: Option<Envelope>) {
        let bytes = envelope.map(|envelope| envelope.bytes().to_vec());
        self.network.planted.extend(bytes);
        if self.network.planted.len() > 12 {
            self.network.planted.remove(0);
        }
    }

    fn lay(&mut self, envelope: Option<Envelope>) -> bool {
        if self.laid >= LAID {
            return false;
        }
        self.laid += 1;
        let shelf = self.network.relays[0].shelf.as_mut();
        let planted = envelope.and_then(|envelope| Some(shelf?.plant(&envelope)));
        planted.unwrap_or(false)
    }

    /// One good item on a chain of its own, as the content of an envelope that is bad.
    fn good(&mut self, machine: usize, why: &'static str) -> Attempt {
        let fields = self.forbid(why);
        let (document, key) = self.entry();
        let (salt, actor) = self.fresh_chain(machine);
        let made = self.item(actor, &key, &fields);
        self.attempt(machine, batch(document, &[&made]), salt)
    }

    fn foreign_actor(&mut self, machine: usize) {
        let fields = self.forbid("a change by a foreign actor");
        let (document, key) = self.entry();
        let foreign = Actor(self.random.bytes());
        let made = self.item(foreign, &key, &fields);
        let (salt, _) = self.fresh_chain(machine);
        let attempt = self.attempt(machine, batch(document, &[&made]), salt);
        let envelope = self.seal(machine, attempt);
        self.lay(envelope);
    }

    fn forged_signature(&mut self, machine: usize) {
        let own = self.machines[machine].id;
        let log = self.machines[machine].disk.now().log.clone();
        let writes = |id: &&KeyId| log.role(id).is_some_and(Role::may_write) && **id != own;
        let victims: Vec<KeyId> = log.devices().keys().filter(writes).copied().collect();
        let Some(victim) = self.random.pick(&victims).copied() else {
            return;
        };
        let fields = self.forbid("an envelope that its device never signed");
        let (document, key) = self.entry();
        let salt = ChainSalt(self.random.bytes());
        let made = self.item(Actor(ChainId::of(&victim, &salt).0), &key, &fields);
        let mut attempt = self.attempt(machine, batch(document, &[&made]), salt);
        attempt.device = victim;
        let envelope = self.seal(machine, attempt);
        self.slip_in(envelope);
    }

    fn reader_writes(&mut self, machine: usize) {
        let attempt = self.good(machine, "an envelope of a reader");
        let envelope = self.seal(machine, attempt);
        self.slip_in(envelope);
    }

    fn wrong_epoch(&mut self, machine: usize) {
        let mut attempt = self.good(machine, "an envelope under the key of an earlier epoch");
        let Some(earlier) = attempt.epoch.checked_sub(1) else {
            return;
        };
        attempt.epoch = earlier;
        let envelope = self.seal(machine, attempt);
        self.slip_in(envelope);
    }

    fn profile(&mut self, machine: usize) {
        let fields = self.forbid("a contributor's change of the profile");
        let (salt, actor) = self.fresh_chain(machine);
        let made = self.item(actor, "medicine-9", &fields);
        let attempt = self.attempt(machine, batch(DocumentId::Profile, &[&made]), salt);
        let envelope = self.seal(machine, attempt);
        self.lay(envelope);
    }

    /// A record that only an owner may write, where the log ends now.
    fn forged_record(&mut self, machine: usize) {
        let Some(home) = self.home() else { return };
        let of = &self.machines[machine];
        let body = if self.ledger.records.len().is_multiple_of(2) {
            let urls = vec!["https://evil.example".to_owned()];
            Body::Relays(Relays { urls })
        } else {
            Body::SetRole(SetRole {
                person: of.person,
                role: Role::Owner,
                frontier: Vector::default(),
            })
        };
        let record = SignedRecord::create(&of.keys, home.log.next_place(), 0, &body);
        self.network.forged = Some(record);
    }

    fn altered_batch(&mut self, machine: usize) {
        let mut attempt = self.good(
            machine,
            "a batch whose changes are not what their hashes say",
        );
        // Not the version, nor what says how long the rest is: the values stand at the end.
        let place = attempt.batch.len() - 1 - self.random.below(2);
        attempt.batch[place] ^= 1;
        let envelope = self.seal(machine, attempt);
        self.lay(envelope);
    }

    fn missing_predecessor(&mut self, machine: usize) {
        let fields = self.forbid("a change without the one that it follows");
        let (document, key) = self.entry();
        let (salt, actor) = self.fresh_chain(machine);
        let mut scratch = Document::empty(document);
        let nothing = BTreeSet::new();
        let mut first = Fields::new();
        first.insert("note".to_owned(), Value::Scalar(Scalar::Int(0)));
        let time = self.now / 1000;
        let made = scratch.put(actor, time, &key, &first, &nothing);
        let edited = scratch.put(actor, time, &key, &fields, &nothing);
        if let (Ok(Some(_)), Ok(Some(edited))) = (made, edited) {
            let attempt = self.attempt(machine, batch(document, &[&edited]), salt);
            let envelope = self.seal(machine, attempt);
            self.lay(envelope);
        }
    }

    fn gap(&mut self, machine: usize) {
        if self.laid >= LAID {
            return;
        }
        let mut attempt = self.good(machine, "an envelope beyond a gap in its chain");
        attempt.seq = 3;
        attempt.prev = Some(EnvelopeHash(self.random.bytes()));
        let envelope = self.seal(machine, attempt);
        self.slip_in(envelope);
    }

    /// An owner makes up a snapshot, which nobody else has acknowledged; relays list it all the same.
    pub(crate) fn lie(&mut self) {
        let mut owners = self.members();
        owners.retain(|at| self.machines[*at].role() == Some(Role::Owner));
        let Some(owner) = self.random.pick(&owners).copied() else {
            return;
        };
        let state = self.machines[owner].disk.now();
        let (log, covers) = (Arc::clone(&state.log), state.vector());
        let mut authors: Vec<Author> = state
            .chains
            .values()
            .map(|of| Author {
                device: of.device,
                salt: of.salt,
            })
            .collect();
        authors.sort();
        let Some(victim) = covers.0.keys().next().copied() else {
            return;
        };
        let fields = self.forbid("a snapshot that nobody checked");
        let (document, key) = self.entry();
        let made = self.item(Actor(victim.0), &key, &fields);
        let (salt, _) = self.fresh_chain(owner);
        let mut attempt = self.attempt(owner, batch(document, &[&made]), salt);
        attempt.kind = Kind::Snapshot;
        let Some(part) = self.seal(owner, attempt) else {
            return;
        };
        let of = &self.machines[owner];
        let manifest = Manifest {
            journal: log.journal(),
            author: Author {
                device: of.id,
                salt,
            },
            first: Seq(1),
            parts: vec![part.hash()],
            covers,
            authors,
            head: log.head(),
        };
        let Ok(lie) = Snapshot::create(&manifest, &of.keys) else {
            return;
        };
        self.ledger.lies.insert(lie.hash());
        self.network.lies.push(Bytes(lie.bytes().to_vec()));
        let part = part.bytes().to_vec();
        self.network.lying_parts.insert(lie.hash(), part);
    }

    /// A removed device goes on in its own chain, and the relay lets it. What it writes may only come back if somebody
    /// who may write records it again.
    fn write_on(&mut self, machine: usize) {
        let of = &self.machines[machine];
        let state = of.disk.now();
        let chain = of.chain();
        let tip = state.chains.get(&chain).map(|of| of.tip);
        let (seq, prev) = (tip.map_or(1, |tip| tip.seq.0 + 1), tip.map(|tip| tip.hash));
        let (salt, epoch) = (state.salt, state.log.epoch().number);
        let head = state.log.length().saturating_sub(1);
        let mark = self.ledger.mark();
        let mut fields = Fields::new();
        fields.insert(field(mark), Value::Scalar(Scalar::Int(mark)));
        let (document, key) = self.entry();
        let mut scratch = self.machines[machine].disk.now().document(document);
        let put = scratch.put(
            Actor(chain.0),
            self.now / 1000,
            &key,
            &fields,
            &BTreeSet::new(),
        );
        let Ok(Some(made)) = put else { return };
        let attempt = Attempt {
            kind: Kind::Batch,
            device: self.machines[machine].id,
            salt,
            seq,
            prev,
            epoch,
            batch: batch(document, &[&made]),
        };
        let Some(envelope) = self.seal(machine, attempt) else {
            return;
        };
        let by = self.machines[machine].number;
        self.ledger.owe(mark, document, &key, by);
        if let Some(entry) = self.ledger.entries.get_mut(&mark) {
            entry.owed = false;
        }
        let loose = Arc::new(Loose {
            chain,
            document,
            bytes: Arc::new(Vec::new()),
            hash: made.tip.hash,
            marks: vec![mark],
        });
        if self.lay(Some(envelope.clone())) {
            self.ledger.sealed(&envelope, head, &[loose]);
            let disk = &mut self.machines[machine].disk;
            disk.write().documents.insert(document, Arc::new(scratch));
            disk.write().keep(&envelope, head, None);
            disk.commit();
        }
    }
}

fn batch(document: DocumentId, changes: &[&NewChange]) -> Vec<u8> {
    let changes: Vec<_> = changes
        .iter()
        .map(|one| (document, one.bytes.as_slice()))
        .collect();
    encode(&changes).expect("own changes can be encoded")
}
