//! One installation: its keys, its disk, and what its user does offline.

use std::collections::BTreeSet;
use std::sync::Arc;

use journal::document::Document;
use journal::{Actor, DocumentId, EntryId, Fields, Scalar, Value};
use protocol::id::{ChainId, ChainSalt, KeyId, PersonId};
use protocol::role::Role;
use protocol::sign::Signer;
use seal::{KeyPair, Keyring, Seed};

use super::disk::{Disk, Loose, State};
use super::driver::Running;
use super::ledger::{Ledger, field};
use super::random::Random;
use super::rebuild;

/// One installation of ebb.
pub(crate) struct Machine {
    pub(crate) number: usize,
    seed: [u8; 32],
    /// Derived once: that is slow.
    pub(crate) keys: KeyPair,
    pub(crate) id: KeyId,
    pub(crate) person: PersonId,
    pub(crate) disk: Disk,
    pub(crate) backups: Vec<State>,
    pub(crate) running: Option<Running>,
    /// How the last session ended.
    pub(crate) last: Option<Result<(), String>>,
    pub(crate) ring: Keyring,
    /// Also breaks rules, on chains of its own beside.
    pub(crate) hostile: bool,
    /// Thrown away.
    pub(crate) gone: bool,
    /// Counts restores: each life may write what an earlier one wrote.
    pub(crate) life: usize,
    /// Secrets of invites that it made.
    pub(crate) invites: Vec<[u8; 32]>,
}

impl Machine {
    pub(crate) fn new(number: usize, seed: [u8; 32], person: PersonId, state: State) -> Self {
        let keys = KeyPair::of_device(&Seed::from_bytes(seed));
        let mut machine = Self {
            number,
            seed,
            id: keys.key_id(),
            keys,
            person,
            disk: Disk::new(state),
            backups: Vec::new(),
            running: None,
            last: None,
            ring: Keyring::default(),
            hostile: false,
            gone: false,
            life: 0,
            invites: Vec::new(),
        };
        machine.ring = machine.open_ring();
        machine
    }

    /// Copies the whole machine: keys, disk and all.
    pub(crate) fn copy(&self, number: usize) -> Self {
        let state = self.disk.durable().clone();
        Self::new(number, self.seed, self.person, state)
    }

    pub(crate) fn key_pair(&self) -> KeyPair {
        KeyPair::of_device(&Seed::from_bytes(self.seed))
    }

    pub(crate) fn open_ring(&self) -> Keyring {
        let state = self.disk.now();
        Keyring::open(&state.log, &self.keys, |hash| {
            state.blobs.get(hash).cloned()
        })
    }

    /// Returns the role that it has as far as it knows.
    pub(crate) fn role(&self) -> Option<Role> {
        self.disk.now().log.role(&self.id)
    }

    pub(crate) fn chain(&self) -> ChainId {
        ChainId::of(&self.id, &self.disk.now().salt)
    }

    /// The power goes: what was not committed is gone, and so is the session.
    pub(crate) fn crash(&mut self) {
        self.disk.crash();
        self.running = None;
        self.last = Some(Err("crashed".to_owned()));
        self.ring = self.open_ring();
    }

    /// Puts back an earlier state of the disk.
    pub(crate) fn restore(&mut self, state: State) {
        self.disk = Disk::new(state);
        self.life += 1;
        self.crash();
    }

    /// Takes out of the documents what the member log excludes by now, if anything.
    pub(crate) fn settle(&mut self, now: i64, random: &mut Random) {
        if rebuild::is_due(self.disk.now(), &self.id) {
            self.rebuild(None, now, random);
        }
    }

    pub(crate) fn rebuild(&mut self, begin: Option<ChainSalt>, now: i64, random: &mut Random) {
        self.rebuild_in_place(begin, now, random);
        self.disk.commit();
    }

    /// Rebuilds; durable once that is committed.
    pub(crate) fn rebuild_in_place(
        &mut self,
        begin: Option<ChainSalt>,
        now: i64,
        random: &mut Random,
    ) {
        let own = rebuild::Own {
            device: self.id,
            ring: &self.ring,
            time: now / 1000,
        };
        rebuild::rebuild(self.disk.write(), &own, begin, ChainSalt(random.bytes()));
    }

    /// Records an entry, or edits one. `crash`: the power goes before the commit.
    pub(crate) fn write(
        &mut self,
        now: i64,
        crash: bool,
        ledger: &mut Ledger,
        random: &mut Random,
    ) {
        let Some((document, key)) = self.choose(now, random) else {
            return;
        };
        let mark = ledger.mark();
        let mut set = Fields::new();
        set.insert(field(mark), Value::Scalar(Scalar::Int(mark)));
        // A field that others set too.
        set.insert("note".to_owned(), Value::Scalar(Scalar::Int(mark)));
        if random.chance(50) {
            let status = Scalar::Text("entered-in-error".to_owned());
            set.insert("status".to_owned(), Value::Scalar(status));
        }
        let chain = self.chain();
        let state = self.disk.write();
        let mut edited = state.document(document);
        let Ok(Some(change)) = edited.put(Actor(chain.0), now / 1000, &key, &set, &BTreeSet::new())
        else {
            return;
        };
        state.documents.insert(document, Arc::new(edited));
        state.loose.push(Arc::new(Loose {
            chain,
            document,
            bytes: Arc::new(change.bytes),
            hash: change.tip.hash,
            marks: vec![mark],
        }));
        if cfg!(ebb_mutant = "ack-before-commit") {
            ledger.owe(mark, document, &key, self.number);
        }
        if crash {
            self.crash();
            return;
        }
        self.disk.commit();
        ledger.owe(mark, document, &key, self.number);
    }

    /// Chooses what to write to: a new entry, a known one, or the profile, for an owner.
    fn choose(&self, now: i64, random: &mut Random) -> Option<(DocumentId, String)> {
        if self.role() == Some(Role::Owner) && random.chance(30) {
            let key = format!("medicine-{}", random.below(4));
            return Some((DocumentId::Profile, key));
        }
        if random.chance(350)
            && let Some(known) = self.known(random)
        {
            return Some(known);
        }
        let unix_ms = u64::try_from(now).unwrap_or(0);
        let id = EntryId::mint(unix_ms, random.bytes());
        Some((DocumentId::of(id).ok()?, id.to_string()))
    }

    /// Chooses an entry of the last months.
    fn known(&self, random: &mut Random) -> Option<(DocumentId, String)> {
        let documents = &self.disk.now().documents;
        let months: Vec<&Arc<Document>> = documents.values().rev().take(2).collect();
        let document = random.pick(&months)?;
        let items = document.items();
        let item = random.pick(&items)?;
        (document.id() != DocumentId::Profile).then(|| (document.id(), item.key.clone()))
    }
}
