//! Member-log records, signed whether or not the rules allow them.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::api::{LogAppend, LogPage, journal_path};
use protocol::cbor::Bytes;
use protocol::id::{BlobHash, KeyId, PersonId};
use protocol::log::Device;
use protocol::record::{
    Approve, Body, Erase, Invite, Relays, Remove, SetRole, SignedRecord, WithdrawInvite,
};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::Vector;
use seal::{EpochKey, InviteSecret, seal_name, wrap_key};
use serde_json::{Value, json};

use super::{Line, Outcome, Rogue, now, random, random_bytes};

/// For how long an invite of it is open, in seconds.
const OPEN_FOR: u64 = 24 * 60 * 60;

/// What a record says, and the sealed keys that it names.
type Made = (Body, Vec<Vec<u8>>);

impl Rogue {
    /// Makes a record that follows the log, and sends it to a relay or puts it into a bundle.
    pub(super) fn record(&self, what: &str, line: &Line<'_>) -> Outcome<Value> {
        let (body, blobs) = self.body(what, line)?;
        let time = u64::try_from(now())?;
        let record = SignedRecord::create(&self.keys, self.log.next_place(), time, &body);
        if let Some(path) = line.option("--out") {
            self.bundle(Path::new(path), &[record.bytes().to_vec()], &blobs, &[])?;
            return Ok(json!({ "file": path }));
        }
        let append = LogAppend {
            head: self.log.head(),
            records: vec![Bytes(record.bytes().to_vec())],
            blobs: blobs.into_iter().map(Bytes).collect(),
        };
        let path = journal_path(&self.log.journal(), "log");
        let reply = self.post(line.need("--relay")?, &path, &append)?;
        reply.told(|page: LogPage| json!({ "length": page.length }))
    }

    fn body(&self, what: &str, line: &Line<'_>) -> Outcome<Made> {
        let alone = |body| Ok((body, Vec::new()));
        match what {
            "share" => self.invite(PersonId(random_bytes()), Some("Eve"), Role::Reader),
            "own-device" => {
                let role = self.log.role(&self.id()).unwrap_or(Role::Reader);
                self.invite(self.person()?, None, role)
            }
            "own-owner" => self.invite(self.person()?, None, Role::Owner),
            "withdraw" => {
                let target = line.need("--target")?;
                let invite = named(target, self.log.invites().keys())?;
                alone(Body::WithdrawInvite(WithdrawInvite { invite }))
            }
            "approve" => self.approve(self.target(line)?.0),
            "role" => alone(Body::SetRole(SetRole {
                person: self.target(line)?.1.person,
                role: Role::Contributor,
                frontier: Vector::default(),
            })),
            "remove" => self.remove(self.target(line)?.0),
            "relays" => {
                let urls = line.need("--urls")?.split(',').map(str::to_owned);
                let urls = urls.collect();
                alone(Body::Relays(Relays { urls }))
            }
            "erase" => alone(Body::Erase(Erase {})),
            other => Err(format!("no record is called {other}").into()),
        }
    }

    /// Returns whose device it is; a stranger takes the first person there is.
    fn person(&self) -> Outcome<PersonId> {
        let own = self.log.devices().get(&self.id());
        let first = || self.log.persons().keys().next().copied();
        Ok(own.map(|of| of.person).or_else(first).ok_or("nobody")?)
    }

    fn target(&self, line: &Line<'_>) -> Outcome<(KeyId, &Device)> {
        let id = named(line.need("--target")?, self.log.devices().keys())?;
        let device = self.log.devices().get(&id).ok_or("no device")?;
        Ok((id, device))
    }

    fn invite(&self, person: PersonId, name: Option<&str>, role: Role) -> Outcome<Made> {
        let random = &mut random();
        let pair = InviteSecret::random(random).key_pair();
        let key = self.key(self.log.epoch().number)?;
        let blob = key.seal_to(&pair.key_id(), &pair.kem_key(), random)?;
        let name = name.map(|name| seal_name(name, &person.0, key, random));
        let body = Body::Invite(Invite {
            signing: pair.signing_key(),
            kem: pair.kem_key(),
            person,
            name: name.transpose()?.map(Bytes),
            role,
            expires: u64::try_from(now())? + OPEN_FOR,
            key: Some(BlobHash::of(&blob)),
        });
        Ok((body, vec![blob]))
    }

    fn approve(&self, device: KeyId) -> Outcome<Made> {
        let random = &mut random();
        let key = self.key(self.log.epoch().number)?;
        let keys = &self.log.devices().get(&device).ok_or("no device")?.keys;
        let blob = key.seal_to(&device, &keys.kem, random)?;
        let body = Body::Approve(Approve {
            device,
            name: Bytes(seal_name("let in", &device.0, key, random)?),
            key: BlobHash::of(&blob),
        });
        Ok((body, vec![blob]))
    }

    fn remove(&self, leaving: KeyId) -> Outcome<Made> {
        let random = &mut random();
        let previous = self.key(self.log.epoch().number)?;
        let next = EpochKey::random(previous.number() + 1, random);
        let closing = self.log.invites_of(&[leaving].into());
        let devices = self.log.devices().iter();
        let devices = devices
            .filter(|(id, device)| device.role().is_some() && **id != leaving)
            .map(|(id, device)| (*id, device.keys.kem));
        let invites = self.log.open_invites();
        let invites = invites
            .filter(|(id, entry)| entry.key.is_some() && !closing.contains(id))
            .map(|(id, entry)| (*id, entry.invite.kem));
        let mut blobs = Vec::new();
        let mut seal = |kems: Vec<_>| -> Outcome<BTreeMap<KeyId, BlobHash>> {
            let mut hashes = BTreeMap::new();
            for (id, kem) in kems {
                let blob = next.seal_to(&id, &kem, &mut super::random())?;
                hashes.insert(id, BlobHash::of(&blob));
                blobs.push(blob);
            }
            Ok(hashes)
        };
        let body = Body::Remove(Remove {
            devices: vec![leaving],
            frontier: Vector::default(),
            epoch: next.commitment(),
            previous: Bytes(wrap_key(previous, &next, random)?),
            device_keys: seal(devices.collect())?,
            invite_keys: seal(invites.collect())?,
        });
        Ok((body, blobs))
    }
}

/// Finds the key whose fingerprint this is.
fn named<'a>(fingerprint: &str, mut keys: impl Iterator<Item = &'a KeyId>) -> Outcome<KeyId> {
    let wanted = fingerprint.replace('-', "");
    let found = keys.find(|id| id.to_string().starts_with(&wanted));
    Ok(*found.ok_or_else(|| format!("no key begins with {wanted}"))?)
}
