//! What owners and joiners do to the member log: invite, join, remove with a new key, change roles.
//!
//! Each syncs with the home relay first, then proposes one record, as the client does. None is done while the home relay
//! has less of the log than somebody verified: two owners could then make two valid logs, which nothing mends yet.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::LogAppend;
use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::id::{BlobHash, ChainSalt, KeyId, PersonId};
use protocol::log::{InviteState, MemberLog};
use protocol::record::{
    Body, DeviceKeys, Genesis, Invite, Join, Place, Remove, SetRole, SignedRecord, join_proof_parts,
};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::Vector;
use seal::{EpochKey, KeyPair, Keyring, Seed, seal_name, wrap_key};
use store::snapshot::SnapshotState;

use super::disk::{Judged, State};
use super::machine::Machine;
use super::random::Random;
use super::relay::{Relay, Shelf};
use super::world::World;

/// An invite that nobody has used yet.
pub(crate) struct Open {
    /// The machine that made it.
    pub(crate) by: usize,
    secret: [u8; 32],
    person: PersonId,
}

fn device_keys(pair: &KeyPair, key: &EpochKey, random: &mut Random) -> DeviceKeys {
    let name = seal_name("a device", &pair.key_id().0, key, random);
    DeviceKeys {
        signing: pair.signing_key(),
        kem: pair.kem_key(),
        name: Bytes(name.expect("a short name fits")),
        paper: false,
    }
}

fn seal_to(key: &EpochKey, pair: &KeyPair, random: &mut Random) -> Vec<u8> {
    let sealed = key.seal_to(&pair.key_id(), &pair.kem_key(), random);
    sealed.expect("an own key is valid")
}

/// Starts a journal: the first machine, and the relays that have it.
pub(crate) fn start(random: &mut Random) -> (Machine, Vec<Relay>) {
    let (seed, person) = (random.bytes(), PersonId(random.bytes()));
    let pair = KeyPair::of_device(&Seed::from_bytes(seed));
    let key = EpochKey::random(0, random);
    let blob = seal_to(&key, &pair, random);
    let body = Body::Genesis(Genesis {
        person,
        name: Bytes(seal_name("a person", &person.0, &key, random).expect("a short name fits")),
        device: device_keys(&pair, &key, random),
        epoch: key.commitment(),
        key: BlobHash::of(&blob),
        relays: vec![
            "https://home.example".to_owned(),
            "https://other.example".to_owned(),
        ],
    });
    let genesis = SignedRecord::create(&pair, Place::GENESIS, 0, &body);
    let records = vec![genesis.bytes().to_vec()];
    let blobs = BTreeMap::from([(BlobHash::of(&blob), blob)]);
    let log = MemberLog::start(genesis).expect("an own genesis is valid");
    let state = State::new(
        log,
        records.clone(),
        blobs.clone(),
        ChainSalt(random.bytes()),
    );
    let relay = || Relay {
        shelf: Shelf::new(records.clone(), blobs.clone()).ok(),
        ..Relay::default()
    };
    let relays = vec![relay(), relay()];
    (Machine::new(0, seed, person, state), relays)
}

impl World {
    /// Brings a machine to where the home relay is, if the relay has all that anyone verified.
    fn is_newest(&mut self, machine: usize) -> bool {
        if self.machines[machine].running.is_some() || !self.home_is_whole() {
            return false;
        }
        self.sync_through(machine, 0).is_ok()
            && self
                .home()
                .is_some_and(|home| home.log.head() == self.machines[machine].disk.now().log.head())
    }

    /// Whether the home relay's log is the longest one.
    fn home_is_whole(&self) -> bool {
        let length = self.home().map_or(0, |home| home.log.length());
        usize::try_from(length).is_ok_and(|length| length == self.ledger.records.len())
    }

    fn current_key<'a>(log: &MemberLog, ring: &'a Keyring) -> Option<&'a EpochKey> {
        ring.get(log.epoch().number)
    }

    /// Proposes a record to the home relay; stores it if the relay took it.
    fn propose(&mut self, machine: usize, body: &Body, blobs: Vec<Vec<u8>>) -> bool {
        let now = self.now;
        let of = &mut self.machines[machine];
        let log = &of.disk.now().log;
        let record = SignedRecord::create(&of.keys, log.next_place(), 0, body);
        let append = LogAppend {
            head: log.head(),
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: blobs.iter().cloned().map(Bytes).collect(),
        };
        let taken = self.network.relays[0].append_log(&of.id, &append, true);
        if taken.is_err() {
            return false;
        }
        self.ledger.records.insert(record.hash());
        // The answer may be lost: the next sync brings the record back.
        if !self.random.chance(100) {
            of.store_log(&[record], &blobs);
            of.settle(now, &mut self.random);
        }
        true
    }

    /// Lets a member invite a device: an owner anyone, others a device of their own.
    pub(crate) fn invite(&mut self, machine: usize, role: Role, own: bool) -> bool {
        if !self.is_newest(machine) {
            return false;
        }
        let secret = self.random.bytes();
        let pair = KeyPair::of_invite(&Seed::from_bytes(secret));
        let of = &self.machines[machine];
        let Some(key) = Self::current_key(&of.disk.now().log, &of.ring) else {
            return false;
        };
        let person = if own {
            of.person
        } else {
            PersonId(self.random.bytes())
        };
        let random = &mut self.random;
        let name = seal_name("a person", &person.0, key, random).expect("a short name fits");
        let blob = seal_to(key, &pair, random);
        let body = Body::Invite(Invite {
            signing: pair.signing_key(),
            kem: pair.kem_key(),
            person,
            name: (!own).then_some(Bytes(name)),
            role,
            expires: u64::MAX,
            key: Some(BlobHash::of(&blob)),
        });
        let made = self.propose(machine, &body, vec![blob]);
        if made {
            self.machines[machine].invites.push(secret);
            let by = machine;
            self.open.push(Open { by, secret, person });
        }
        made
    }

    /// Lets a new machine join with the oldest open invite.
    pub(crate) fn join(&mut self) -> bool {
        if self.open.is_empty() || !self.home_is_whole() {
            return false;
        }
        let Open { secret, person, .. } = self.open.remove(0);
        let invite = KeyPair::of_invite(&Seed::from_bytes(secret));
        let Some(home) = self.home().cloned() else {
            return false;
        };
        let key = home.log.invites().get(&invite.key_id()).and_then(|entry| {
            let blob = entry.key.filter(|_| entry.state == InviteState::Open)?;
            EpochKey::open(home.blobs.get(&blob)?, home.log.epoch(), &invite).ok()
        });
        let Some(key) = key else { return false };
        let seed = self.random.bytes();
        let pair = KeyPair::of_device(&Seed::from_bytes(seed));
        let blob = seal_to(&key, &pair, &mut self.random);
        let ids = (home.log.journal(), invite.key_id(), pair.key_id());
        let parts = join_proof_parts(&ids.0, &ids.1, &ids.2);
        let body = Body::Join(Join {
            device: device_keys(&pair, &key, &mut self.random),
            proof: pair.sign(Domain::JoinProof, &parts),
            key: Some(BlobHash::of(&blob)),
        });
        let record = SignedRecord::create(&invite, home.log.next_place(), 0, &body);
        let append = LogAppend {
            head: home.log.head(),
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: vec![Bytes(blob)],
        };
        let taken = self.network.relays[0].append_log(&invite.key_id(), &append, true);
        if taken.is_err() {
            return false;
        }
        self.ledger.records.insert(record.hash());
        let Some(home) = self.home().cloned() else {
            return false;
        };
        // What devices keep: the keys sealed to devices.
        let page = home.page(0);
        let blobs = page
            .blobs
            .into_iter()
            .map(|blob| (BlobHash::of(&blob.0), blob.0));
        let salt = ChainSalt(self.random.bytes());
        let state = State::new(
            (*home.log).clone(),
            (*home.records).clone(),
            blobs.collect(),
            salt,
        );
        let number = self.machines.len();
        self.machines
            .push(Machine::new(number, seed, person, state));
        true
    }

    /// Whether a machine took in a snapshot that says what a frontier would exclude: it could not be taken out again.
    fn reaches_into_snapshot(&self, frontier: &Vector, silenced: &BTreeSet<KeyId>) -> bool {
        let mut machines = self.machines.iter().filter(|of| !of.gone);
        machines.any(|machine| {
            let snapshots = machine.disk.durable().snapshots.iter();
            let adopted = snapshots.filter(|one| one.state == SnapshotState::Adopted);
            let authors = |one: &Judged| {
                let manifest = one.snapshot.manifest();
                let mut of = manifest
                    .authors
                    .iter()
                    .map(|author| (author, author.chain()));
                of.any(|(author, chain)| {
                    silenced.contains(&author.device)
                        && manifest.covers.seq(&chain) > frontier.seq(&chain)
                })
            };
            adopted.into_iter().any(authors)
        })
    }

    /// Lets an owner remove devices, with what they let in, and gives those who stay a new key.
    pub(crate) fn remove(&mut self, owner: usize, device: Option<KeyId>, transitive: bool) -> bool {
        if !self.is_newest(owner) {
            return false;
        }
        let of = &self.machines[owner];
        let log = of.disk.now().log.clone();
        let mut leaving: BTreeSet<KeyId> = device.into_iter().collect();
        if transitive {
            leaving.extend(enrolled(&log, &leaving, &of.id));
        }
        if leaving.contains(&of.id) {
            return false;
        }
        let frontier = frontier(of.disk.now(), &leaving);
        if self.reaches_into_snapshot(&frontier, &leaving) {
            return false;
        }
        let of = &self.machines[owner];
        let Some(previous) = Self::current_key(&log, &of.ring) else {
            return false;
        };
        let Some((body, blobs)) = rekey(&log, previous, &leaving, frontier, &mut self.random)
        else {
            return false;
        };
        let removed = self.propose(owner, &body, blobs);
        if removed {
            self.excuse_lost();
        }
        removed
    }

    /// Lets an owner change what a person may do.
    pub(crate) fn set_role(&mut self, owner: usize, person: PersonId, role: Role) -> bool {
        if !self.is_newest(owner) || self.machines[owner].person == person {
            return false;
        }
        let of = &self.machines[owner];
        let log = &of.disk.now().log;
        let devices = log.devices().iter();
        let silenced: BTreeSet<KeyId> = devices
            .filter(|(_, device)| device.person == person)
            .filter(|(_, device)| device.role().is_some_and(Role::may_write) && !role.may_write())
            .map(|(id, _)| *id)
            .collect();
        let frontier = frontier(of.disk.now(), &silenced);
        if self.reaches_into_snapshot(&frontier, &silenced) {
            return false;
        }
        let body = Body::SetRole(SetRole {
            person,
            role,
            frontier,
        });
        let changed = self.propose(owner, &body, Vec::new());
        if changed {
            self.excuse_lost();
        }
        changed
    }
}

/// Gathers, transitively, the members that joined by invites of these; not `spared`.
fn enrolled(log: &MemberLog, by: &BTreeSet<KeyId>, spared: &KeyId) -> BTreeSet<KeyId> {
    let mut all = by.clone();
    loop {
        let invites = log.invites().values();
        let used = invites.filter_map(|entry| match entry.state {
            InviteState::Used(id) if all.contains(&entry.by) => Some(id),
            _ => None,
        });
        let more: BTreeSet<KeyId> = used
            .filter(|id| id != spared && log.role(id).is_some() && !all.contains(id))
            .collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Joins how far the chains of devices are held here.
fn frontier(state: &State, devices: &BTreeSet<KeyId>) -> Vector {
    let mut vector = state.vector();
    vector.0.retain(|chain, _| {
        let of = state.chains.get(chain);
        of.is_some_and(|of| devices.contains(&of.device))
    });
    vector
}

/// Makes the record that removes devices and brings a new key to all who stay.
fn rekey(
    log: &MemberLog,
    previous: &EpochKey,
    leaving: &BTreeSet<KeyId>,
    frontier: Vector,
    random: &mut Random,
) -> Option<(Body, Vec<Vec<u8>>)> {
    let next = EpochKey::random(previous.number() + 1, random);
    let mut blobs = Vec::new();
    let mut device_keys = BTreeMap::new();
    for (id, device) in log.devices() {
        if device.role().is_some() && !leaving.contains(id) {
            let blob = next.seal_to(id, &device.keys.kem, random).ok()?;
            device_keys.insert(*id, BlobHash::of(&blob));
            blobs.push(blob);
        }
    }
    let closing = log.invites_of(leaving);
    let mut invite_keys = BTreeMap::new();
    for (id, entry) in log.open_invites() {
        if entry.key.is_some() && !closing.contains(id) {
            let blob = next.seal_to(id, &entry.invite.kem, random).ok()?;
            invite_keys.insert(*id, BlobHash::of(&blob));
            blobs.push(blob);
        }
    }
    let body = Body::Remove(Remove {
        devices: leaving.iter().copied().collect(),
        frontier,
        epoch: next.commitment(),
        previous: Bytes(wrap_key(previous, &next, random).ok()?),
        device_keys,
        invite_keys,
    });
    Some((body, blobs))
}
