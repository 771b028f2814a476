//! Taking rights away: removing people and devices, and changing roles.
//!
//! Order: a sync with the home relay first, so that everything the others wrote so far counts; then one record that removes,
//! pins the frontier and brings the new key. If the relay has received more meanwhile it says so, and all is done anew.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::ProblemKind;
use protocol::cbor::Bytes;
use protocol::id::{BlobHash, KeyId, PersonId};
use protocol::log::{InviteState, MemberLog};
use protocol::record::{Body, Erase, Remove, SetRole};
use protocol::role::Role;
use protocol::vector::Vector;
use seal::{EpochKey, Keyring, wrap_key};

use crate::journal::{Journal, StoredLog, load_keys, load_log};
use crate::membership::invite::{one_of, person_named};
use crate::membership::member::{MemberError, Proposal, current_key};
use crate::os;
use crate::people::Names;
use crate::progress::Silent;
use crate::sync::SyncError;

/// How often a removal is made anew because a relay received more from whom it concerns.
const TRIES: u32 = 4;

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Keep the devices that the removed ones let in.
    pub keep_enrolled: bool,
    /// The removed owner never saw the recovery phrase: keep it.
    pub keep_phrase: bool,
}

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The devices removed, as `person, device`.
    pub devices: Vec<String>,
    /// Those of them that left only because a removed device had let them in.
    pub enrolled: Vec<String>,
    /// How many open invites were withdrawn with them.
    pub invites: usize,
    /// Whether a recovery phrase was removed with them: a new one is needed.
    pub phrase: bool,
}

/// Who or what is meant by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A person, with all devices.
    Person(PersonId),
    /// One device.
    Device(KeyId),
}

impl Journal {
    /// Removes a person with all devices, or one device, and gives those who stay a new key.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn remove(&mut self, name: &str, how: Removal) -> Result<Removed, MemberError> {
        let own = self.own.device;
        let result = std::cell::RefCell::new(Removed::default());
        self.take_rights(|stored, ring, chains| {
            let log = &stored.log;
            let names = Names::of(stored, ring);
            let target = target(names, name)?;
            let devices = leaving(log, &own, &target, how)?;
            result.replace(described(names, &own, &target, &devices));
            rekey(log, ring, &devices, chains)
        })
        .await?;
        Ok(result.into_inner())
    }

    /// Returns what a removal would do, as this device knows the journal; changes nothing.
    ///
    /// # Errors
    /// [`MemberError`] if nobody or nothing is called so, or this device would remove itself.
    pub fn would_remove(&self, name: &str, how: Removal) -> Result<Removed, MemberError> {
        let (path, keys) = (self.path(), self.keys()?);
        self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            let (log, own) = (&stored.log, &self.own.device);
            let names = Names::of(&stored, &ring);
            let target = target(names, name)?;
            let devices = leaving(log, own, &target, how)?;
            Ok(described(names, own, &target, &devices))
        })
    }

    /// Starts a new epoch without removing anyone.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn rekey(&mut self) -> Result<(), MemberError> {
        self.take_rights(|stored, ring, chains| rekey(&stored.log, ring, &BTreeSet::new(), chains))
            .await
    }

    /// Ends the journal for good, on its home relay and for everybody who syncs with it. What is on devices stays there.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn erase(&mut self) -> Result<(), MemberError> {
        let keys = self.keys()?;
        self.propose(&keys, |_, _| {
            let body = Body::Erase(Erase {});
            let blobs = Vec::new();
            Ok(Proposal { body, blobs })
        })
        .await?;
        Ok(())
    }

    /// Changes what a person may do; returns what they might before.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn set_role(&mut self, name: &str, role: Role) -> Result<Option<Role>, MemberError> {
        let before = std::cell::Cell::new(None);
        self.take_rights(|stored, ring, chains| {
            let log = &stored.log;
            let person = match target(Names::of(stored, ring), name)? {
                Target::Person(person) => person,
                Target::Device(_) => return Err(MemberError::NotAPerson(name.to_owned())),
            };
            let devices: BTreeSet<KeyId> = members(log)
                .filter(|id| log.devices().get(id).is_some_and(|of| of.person == person))
                .collect();
            before.set(devices.iter().filter_map(|id| log.role(id)).max());
            let silenced: BTreeSet<KeyId> = devices
                .into_iter()
                .filter(|id| !role.may_write() && log.role(id).is_some_and(Role::may_write))
                .collect();
            let body = Body::SetRole(SetRole {
                person,
                role,
                frontier: frontier(chains, &silenced),
            });
            let blobs = Vec::new();
            Ok(Proposal { body, blobs })
        })
        .await?;
        Ok(before.get())
    }

    /// Syncs with the home relay, then makes a record that takes rights from devices; again if the relay received more from
    /// them meanwhile. `make` is given how far each device's chains are held here.
    async fn take_rights(
        &mut self,
        make: impl Fn(&StoredLog, &Keyring, &BTreeMap<KeyId, Vector>) -> Result<Proposal, MemberError>,
    ) -> Result<(), MemberError> {
        let keys = self.keys()?;
        for _ in 0..TRIES {
            self.sync_home(&Silent).await.map_err(not_synced)?;
            let mut chains: BTreeMap<KeyId, Vector> = BTreeMap::new();
            for (id, chain) in self.replica.read(|reader| reader.chains())? {
                if let Some(tip) = chain.tip {
                    chains.entry(chain.device).or_default().0.insert(id, tip);
                }
            }
            let made = self
                .propose(&keys, |stored, ring| make(stored, ring, &chains))
                .await;
            match made {
                Err(MemberError::Relay(error))
                    if error.problem() == Some(ProblemKind::BehindFrontier) => {}
                other => return other.map(|_| ()),
            }
        }
        Err(MemberError::Busy)
    }
}

fn not_synced(error: SyncError) -> MemberError {
    match error {
        SyncError::Relay(error) => MemberError::Relay(error),
        SyncError::NoRelay => MemberError::NoRelay,
        error => MemberError::Sync(Box::new(error)),
    }
}

/// Says in names what leaves.
fn described(names: Names<'_>, own: &KeyId, target: &Target, devices: &BTreeSet<KeyId>) -> Removed {
    let log = names.log;
    let paper = |id: &KeyId| log.devices().get(id).is_some_and(|of| of.keys.paper);
    let alone = Removal {
        keep_enrolled: true,
        keep_phrase: true,
    };
    let meant = leaving(log, own, target, alone).unwrap_or_default();
    let lasting = || devices.iter().filter(|id| !paper(id));
    let name = |id: &KeyId| names.full(id);
    Removed {
        devices: lasting().map(name).collect(),
        enrolled: lasting()
            .filter(|id| !meant.contains(id))
            .map(name)
            .collect(),
        invites: log.invites_of(devices).len(),
        phrase: devices.iter().any(paper),
    }
}

fn members(log: &MemberLog) -> impl Iterator<Item = KeyId> {
    let devices = log.devices().iter();
    devices
        .filter(|(_, device)| device.role().is_some())
        .map(|(id, _)| *id)
}

/// Finds who or what is meant: a person by name, else a device by name, by `person, device`, or by its fingerprint.
pub(crate) fn target(names: Names<'_>, name: &str) -> Result<Target, MemberError> {
    let log = names.log;
    let present = |id: &KeyId| {
        let device = log.devices().get(id);
        device.is_some_and(|device| device.role().is_some() || device.is_waiting())
    };
    let devices = || log.devices().keys().copied().filter(present);
    if let Some(person) = person_named(names, name)
        && devices().any(|id| log.devices().get(&id).is_some_and(|of| of.person == person))
    {
        return Ok(Target::Person(person));
    }
    let wanted = name.to_lowercase();
    let named = devices().filter(|id| {
        names.device(id).to_lowercase() == wanted || names.full(id).to_lowercase() == wanted
    });
    match named.collect::<Vec<_>>().as_slice() {
        [one] => Ok(Target::Device(*one)),
        [] => one_of(name, devices()).map(Target::Device),
        _ => Err(MemberError::Ambiguous(name.to_owned())),
    }
}

/// Gathers every device that leaves: the target's, what those let in, and the recovery phrase of a leaving owner. This
/// device, and what it let in itself, stays.
fn leaving(
    log: &MemberLog,
    own: &KeyId,
    target: &Target,
    how: Removal,
) -> Result<BTreeSet<KeyId>, MemberError> {
    let present = |id: &KeyId| {
        let device = log.devices().get(id);
        device.is_some_and(|device| device.role().is_some() || device.is_waiting())
    };
    let mut leaving: BTreeSet<KeyId> = match target {
        Target::Device(device) => BTreeSet::from([*device]),
        Target::Person(person) => {
            let devices = log.devices().iter();
            let theirs = devices.filter(|(id, device)| device.person == *person && present(id));
            theirs.map(|(id, _)| *id).collect()
        }
    };
    if leaving.contains(own) {
        return Err(MemberError::OwnRemoval);
    }
    if !how.keep_enrolled {
        loop {
            let enrolled: Vec<KeyId> = enrolled_by(log, &leaving)
                .filter(|id| id != own && present(id) && !leaving.contains(id))
                .collect();
            if enrolled.is_empty() {
                break;
            }
            leaving.extend(enrolled);
        }
    }
    let owner = |id: &KeyId| log.role(id) == Some(Role::Owner);
    if !how.keep_phrase && leaving.iter().any(owner) {
        let papers = log.devices().iter();
        let papers = papers.filter(|(id, device)| device.keys.paper && present(id));
        leaving.extend(papers.map(|(id, _)| *id));
    }
    Ok(leaving)
}

/// Returns the devices that joined by invites of these.
fn enrolled_by<'a>(
    log: &'a MemberLog,
    devices: &'a BTreeSet<KeyId>,
) -> impl Iterator<Item = KeyId> + 'a {
    let invites = log.invites().values();
    invites
        .filter(|entry| devices.contains(&entry.by))
        .filter_map(|entry| match entry.state {
            InviteState::Used(device) => Some(device),
            InviteState::Open | InviteState::Withdrawn => None,
        })
}

/// Joins how far the chains of devices are held here.
fn frontier(chains: &BTreeMap<KeyId, Vector>, devices: &BTreeSet<KeyId>) -> Vector {
    let of = devices.iter().filter_map(|id| chains.get(id));
    Vector(of.flat_map(|vector| vector.0.clone()).collect())
}

/// Makes the record that removes devices and brings a new key to all who stay.
fn rekey(
    log: &MemberLog,
    ring: &Keyring,
    leaving: &BTreeSet<KeyId>,
    chains: &BTreeMap<KeyId, Vector>,
) -> Result<Proposal, MemberError> {
    let random = &mut os::random();
    let previous = current_key(log, ring)?;
    let next = EpochKey::random(previous.number() + 1, random);
    let mut blobs = Vec::new();
    let mut device_keys = BTreeMap::new();
    for id in members(log).filter(|id| !leaving.contains(id)) {
        let Some(device) = log.devices().get(&id) else {
            continue;
        };
        let blob = next.seal_to(&id, &device.keys.kem, random)?;
        device_keys.insert(id, BlobHash::of(&blob));
        blobs.push(blob);
    }
    let closing = log.invites_of(leaving);
    let mut invite_keys = BTreeMap::new();
    for (id, entry) in log.open_invites() {
        if entry.key.is_some() && !closing.contains(id) {
            let blob = next.seal_to(id, &entry.invite.kem, random)?;
            invite_keys.insert(*id, BlobHash::of(&blob));
            blobs.push(blob);
        }
    }
    let body = Body::Remove(Remove {
        devices: leaving.iter().copied().collect(),
        frontier: frontier(chains, leaving),
        epoch: next.commitment(),
        previous: Bytes(wrap_key(previous, &next, random)?),
        device_keys,
        invite_keys,
    });
    Ok(Proposal { body, blobs })
}
