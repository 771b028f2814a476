//! What each record body may do: who may write it, and what it changes.
//!
//! Invariant: a method that returns an error has changed nothing.

use std::collections::BTreeSet;

use super::{
    Device, Epoch, InviteEntry, InviteState, LogError, Loss, MemberLog, Person, Rule, is_origin,
};
use crate::domain::Domain;
use crate::id::{KeyId, PersonId};
use crate::limits;
use crate::record::{self, Approve, Invite, Join, Remove, SetRole};
use crate::role::Role;
use crate::sign::{self, Verifier};

/// Bytes of an encrypted epoch key: nonce, key, tag.
const WRAPPED_KEY_BYTES: usize = 24 + 32 + 16;

impl MemberLog {
    fn role_of(&self, author: KeyId) -> Result<(Role, PersonId), LogError> {
        self.devices
            .get(&author)
            .and_then(|device| device.role().map(|role| (role, device.person)))
            .ok_or(LogError::UnknownAuthor(author))
    }

    pub(super) fn require_owner(&self, author: KeyId) -> Result<(), LogError> {
        match self.role_of(author)? {
            (Role::Owner, _) => Ok(()),
            _ if cfg!(ebb_mutant = "skip-log-rules") => Ok(()),
            _ => Err(Rule::OwnersOnly.into()),
        }
    }

    fn members(&self) -> impl Iterator<Item = (&KeyId, &Device)> {
        self.devices
            .iter()
            .filter(|(_, device)| device.role().is_some())
    }

    pub(super) fn invite(&mut self, author: KeyId, invite: &Invite) -> Result<(), LogError> {
        let (role, person) = self.role_of(author)?;
        let approve = invite.key.is_none();
        if role != Role::Owner && (invite.person != person || invite.role > role || approve) {
            return Err(Rule::OwnDevicesOnly.into());
        }
        if self.persons.contains_key(&invite.person) == invite.name.is_some() {
            return Err(Rule::PersonName.into());
        }
        if let Some(name) = &invite.name {
            check_name(&name.0)?;
        }
        let id = invite.id();
        if self.devices.contains_key(&id) || self.invites.contains_key(&id) {
            return Err(Rule::KnownKeys.into());
        }
        if self.open_invites().count() >= limits::OPEN_INVITES {
            return Err(Rule::OpenInvites.into());
        }
        if let Some(name) = &invite.name {
            let since = self.length();
            let name = name.0.clone();
            self.persons.insert(invite.person, Person { name, since });
        }
        let entry = InviteEntry {
            invite: invite.clone(),
            by: author,
            state: InviteState::Open,
            key: invite.key,
        };
        self.invites.insert(id, entry);
        Ok(())
    }

    pub(super) fn withdraw(&mut self, author: KeyId, invite: KeyId) -> Result<(), LogError> {
        let (role, person) = self.role_of(author)?;
        let entry = self.invites.get_mut(&invite).ok_or(Rule::InviteNotOpen)?;
        if entry.state != InviteState::Open {
            return Err(Rule::InviteNotOpen.into());
        }
        if role != Role::Owner && entry.invite.person != person {
            return Err(Rule::OwnersOnly.into());
        }
        entry.state = InviteState::Withdrawn;
        Ok(())
    }

    pub(super) fn join(&mut self, author: KeyId, time: u64, join: &Join) -> Result<(), LogError> {
        let entry = self
            .invites
            .get(&author)
            .filter(|entry| entry.state == InviteState::Open)
            .ok_or(Rule::InviteNotOpen)?;
        let (person, role) = (entry.invite.person, entry.invite.role);
        if join.key.is_some() != entry.key.is_some() {
            return Err(Rule::SealedKey.into());
        }
        // Who has no key yet has nothing to encrypt a name with.
        match join.key {
            Some(_) => check_name(&join.device.name.0)?,
            None if join.device.name.0.is_empty() => {}
            None => return Err(Rule::NameLength.into()),
        }
        let id = join.device.id();
        if self.devices.contains_key(&id) || self.invites.contains_key(&id) {
            return Err(Rule::KnownKeys.into());
        }
        self.check_room(person)?;
        // A device that waits for an approval has no role yet; the approval will give it one.
        let role = join.key.map(|_| role);
        let epoch = self.epoch().number;
        let device = Device {
            verifier: Verifier::of(&join.device.signing),
            keys: join.device.clone(),
            person,
            invite: Some(author),
            joined: time,
            roles: vec![(self.length(), role)],
            losses: Vec::new(),
            sealed: join.key.map(|key| (epoch, key)).into_iter().collect(),
        };
        self.devices.insert(id, device);
        if let Some(entry) = self.invites.get_mut(&author) {
            entry.state = InviteState::Used(id);
        }
        Ok(())
    }

    /// Checks the joining device's own signature over journal, invite and device.
    pub(super) fn check_proof(&self, author: KeyId, join: &Join) -> Result<(), Rule> {
        let id = join.device.id();
        let parts = record::join_proof_parts(&self.journal, &author, &id);
        sign::verify(&join.device.signing, Domain::JoinProof, &parts, &join.proof)
            .map_err(|_| Rule::JoinProof)
    }

    /// Checks that the journal and a person may have one more device. Those that wait count.
    fn check_room(&self, person: PersonId) -> Result<(), Rule> {
        let present = || {
            let devices = self.devices.values();
            devices.filter(|device| device.role().is_some() || device.is_waiting())
        };
        if present().count() >= limits::DEVICES_PER_JOURNAL {
            return Err(Rule::DevicesPerJournal);
        }
        let of_person = present().filter(|device| device.person == person);
        if of_person.count() >= limits::DEVICES_PER_PERSON {
            return Err(Rule::DevicesPerPerson);
        }
        Ok(())
    }

    pub(super) fn approve(&mut self, author: KeyId, approve: &Approve) -> Result<(), LogError> {
        self.require_owner(author)?;
        check_name(&approve.name.0)?;
        let (index, epoch) = (self.length(), self.epoch().number);
        let device = self
            .devices
            .get_mut(&approve.device)
            .filter(|device| device.is_waiting())
            .ok_or(Rule::NotWaiting)?;
        let invite = device.invite.and_then(|invite| self.invites.get(&invite));
        let role = invite.ok_or(Rule::NotWaiting)?.invite.role;
        device.keys.name = approve.name.clone();
        device.roles.push((index, Some(role)));
        device.sealed.insert(epoch, approve.key);
        Ok(())
    }

    pub(super) fn set_role(&mut self, author: KeyId, change: &SetRole) -> Result<(), LogError> {
        self.require_owner(author)?;
        let index = self.length();
        let moved: BTreeSet<KeyId> = self
            .members()
            .filter(|(_, device)| device.person == change.person)
            .map(|(id, _)| *id)
            .collect();
        if moved.is_empty() {
            return Err(Rule::NotMember.into());
        }
        let (mut lowered, mut silenced) = (false, false);
        for device in moved.iter().filter_map(|id| self.devices.get(id)) {
            let before = device.role();
            lowered |= before > Some(change.role);
            silenced |= before.is_some_and(Role::may_write) && !change.role.may_write();
        }
        if !silenced && !change.frontier.0.is_empty() {
            return Err(Rule::Excess.into());
        }
        if change.role != Role::Owner {
            self.check_owner_beside(&moved)?;
        }
        for id in &moved {
            let Some(device) = self.devices.get_mut(id) else {
                continue;
            };
            if device.role().is_some_and(Role::may_write) && !change.role.may_write() {
                device.losses.push(Loss {
                    since: index,
                    frontier: change.frontier.clone(),
                });
            }
            device.roles.push((index, Some(change.role)));
        }
        if lowered {
            self.withdraw_invites_of(&moved);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, author: KeyId, removal: &Remove) -> Result<(), LogError> {
        self.require_owner(author)?;
        let removed: BTreeSet<KeyId> = removal.devices.iter().copied().collect();
        if !removal.devices.is_sorted_by(|a, b| a < b)
            || (removed.is_empty() && !removal.frontier.0.is_empty())
        {
            return Err(Rule::Excess.into());
        }
        if removed.contains(&author) {
            return Err(Rule::OwnRemoval.into());
        }
        let present = |device: &Device| device.role().is_some() || device.is_waiting();
        if !removed
            .iter()
            .all(|id| self.devices.get(id).is_some_and(present))
        {
            return Err(Rule::NotMember.into());
        }
        self.check_owner_beside(&removed)?;
        self.check_new_key(removal, &removed)?;
        let (index, epoch) = (self.length(), self.epoch().number + 1);
        for id in &removed {
            let Some(device) = self.devices.get_mut(id) else {
                continue;
            };
            device.losses.push(Loss {
                since: index,
                frontier: removal.frontier.clone(),
            });
            device.roles.push((index, None));
        }
        self.withdraw_invites_of(&removed);
        for (id, key) in &removal.device_keys {
            if let Some(device) = self.devices.get_mut(id) {
                device.sealed.insert(epoch, *key);
            }
        }
        for (id, key) in &removal.invite_keys {
            if let Some(entry) = self.invites.get_mut(id) {
                entry.key = Some(*key);
            }
        }
        self.epochs.push(Epoch {
            number: epoch,
            commitment: removal.epoch,
            since: index,
        });
        self.wraps.insert(epoch, removal.previous.0.clone());
        Ok(())
    }

    /// Checks that an owner is left when these devices are none any more.
    fn check_owner_beside(&self, devices: &BTreeSet<KeyId>) -> Result<(), Rule> {
        let owner = |(id, device): (&KeyId, &Device)| {
            device.role() == Some(Role::Owner) && !devices.contains(id)
        };
        if self.members().any(owner) {
            Ok(())
        } else {
            Err(Rule::LastOwner)
        }
    }

    /// Checks that the new key goes to exactly those who stay when `removed` are gone.
    fn check_new_key(&self, removal: &Remove, removed: &BTreeSet<KeyId>) -> Result<(), Rule> {
        let devices = self.members().map(|(id, _)| id);
        let staying = devices.filter(|id| !removed.contains(id));
        let closing = self.invites_of(removed);
        let open = self
            .open_invites()
            .filter(|(id, entry)| entry.key.is_some() && !closing.contains(id))
            .map(|(id, _)| id);
        let known = self
            .epochs
            .iter()
            .any(|epoch| epoch.commitment == removal.epoch);
        if !known
            && removal.previous.0.len() == WRAPPED_KEY_BYTES
            && staying.eq(removal.device_keys.keys())
            && open.eq(removal.invite_keys.keys())
        {
            Ok(())
        } else {
            Err(Rule::NewKey)
        }
    }

    /// Returns the open invites that these devices made, or that are for the people they belong to.
    pub fn invites_of(&self, devices: &BTreeSet<KeyId>) -> BTreeSet<KeyId> {
        if cfg!(ebb_mutant = "keep-invites") {
            return BTreeSet::new();
        }
        let people: BTreeSet<PersonId> = devices
            .iter()
            .filter_map(|id| self.devices.get(id))
            .map(|device| device.person)
            .collect();
        self.open_invites()
            .filter(|(_, entry)| {
                devices.contains(&entry.by) || people.contains(&entry.invite.person)
            })
            .map(|(id, _)| *id)
            .collect()
    }

    fn withdraw_invites_of(&mut self, devices: &BTreeSet<KeyId>) {
        for id in self.invites_of(devices) {
            if let Some(entry) = self.invites.get_mut(&id) {
                entry.state = InviteState::Withdrawn;
            }
        }
    }
}

/// Checks that an encrypted name is there and within its limit.
pub(super) fn check_name(name: &[u8]) -> Result<(), Rule> {
    if (1..=limits::NAME_SEAL_BYTES).contains(&name.len()) {
        Ok(())
    } else {
        Err(Rule::NameLength)
    }
}

/// Checks a list of relays: few, different, each an origin as [`is_origin`] says.
pub(super) fn check_relays(urls: &[String]) -> Result<(), Rule> {
    let distinct: BTreeSet<_> = urls.iter().collect();
    if urls.len() <= limits::RELAYS
        && distinct.len() == urls.len()
        && urls.iter().all(|url| is_origin(url))
    {
        Ok(())
    } else {
        Err(Rule::Relays)
    }
}
