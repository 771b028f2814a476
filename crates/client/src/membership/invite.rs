//! Letting others in: devices of one's own, other people, and the invites that are still open.

use jiff::{SignedDuration, Timestamp};
use protocol::cbor::Bytes;
use protocol::id::{BlobHash, KeyId, PersonId};
use protocol::limits;
use protocol::record::{Approve, Body, Invite, WithdrawInvite};
pub use protocol::role::Role;
use protocol::sign::Signer;
use seal::{InviteLink, InviteSecret, Keyring, seal_name};

use crate::journal::{Journal, StoredLog, load_keys, load_log};
use crate::membership::member::{MemberError, Proposal, current_key};
use crate::os;
use crate::people::{self, Names, UNNAMED};
use crate::relay::RelayClient;

/// For how long an invite is open unless told otherwise.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how long an invite may be open at most.
const OPEN_FOR_MOST: SignedDuration = SignedDuration::from_hours(limits::INVITE_DAYS as i64 * 24);

/// An invite just made.
#[derive(Debug)]
pub struct Invited {
    /// The link. A secret: whoever has it can join.
    pub link: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The invite's fingerprint, to recognise it by.
    pub fingerprint: String,
}

/// With whom to share a journal, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The person's name. A person of that name who was here before is the same person.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// For how long the link works; seven days if not said.
    pub open_for: Option<SignedDuration>,
    /// Whether an owner must approve the device after it has joined.
    pub approve: bool,
}

/// An invite with which a device may still join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInvite {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The person whose device will join.
    pub person: String,
    /// What the device will be able to do.
    pub role: Role,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it has expired, as this device's clock says.
    pub expired: bool,
    /// The name of the device that made it.
    pub by: String,
    /// Whether an owner must approve the device.
    pub approve: bool,
}

/// A device that has joined and waits for an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whose it is, by name.
    pub person: String,
    /// Its fingerprint, to compare with the one that it shows.
    pub fingerprint: String,
    device: KeyId,
}

/// Whom an invite is for.
struct Invitee {
    person: PersonId,
    /// The name to give, if the person is new.
    name: Option<String>,
    role: Role,
    approve: bool,
}

impl Journal {
    /// Invites one more device of this device's person.
    ///
    /// # Errors
    /// [`MemberError`]; exit without effect if the home relay cannot be reached.
    pub async fn add_device(
        &mut self,
        name: Option<&str>,
        open_for: Option<SignedDuration>,
    ) -> Result<Invited, MemberError> {
        if name.is_some_and(|name| name.is_empty() || name.len() > limits::NAME_BYTES) {
            return Err(seal::NameError::Length.into());
        }
        let own = self.own.device;
        self.invite(name, open_for, |stored, _| {
            let device = stored.log.devices().get(&own);
            let device = device.ok_or(MemberError::NotMember)?;
            Ok(Invitee {
                person: device.person,
                name: None,
                role: device.role().ok_or(MemberError::NotMember)?,
                approve: false,
            })
        })
        .await
    }

    /// Invites another person.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn share(&mut self, share: &Share) -> Result<Invited, MemberError> {
        if share.name.is_empty() || share.name.len() > limits::NAME_BYTES {
            return Err(seal::NameError::Length.into());
        }
        self.invite(None, share.open_for, |stored, ring| {
            let known = person_named(Names::of(stored, ring), &share.name);
            Ok(Invitee {
                person: known.unwrap_or_else(|| PersonId(os::random_bytes())),
                name: known.is_none().then(|| share.name.clone()),
                role: share.role,
                approve: share.approve,
            })
        })
        .await
    }

    async fn invite(
        &mut self,
        device_name: Option<&str>,
        open_for: Option<SignedDuration>,
        whom: impl Fn(&StoredLog, &Keyring) -> Result<Invitee, MemberError>,
    ) -> Result<Invited, MemberError> {
        let keys = self.keys()?;
        let secret = InviteSecret::random(&mut os::random());
        let pair = secret.key_pair();
        let expires = expiry(open_for)?;
        let home = self.propose(&keys, |stored, ring| {
            let whom = whom(stored, ring)?;
            let key = current_key(&stored.log, ring)?;
            let random = &mut os::random();
            let blob = key.seal_to(&pair.key_id(), &pair.kem_key(), random)?;
            let name = whom.name.as_deref();
            let name = name.map(|name| seal_name(name, &whom.person.0, key, random));
            let body = Body::Invite(Invite {
                signing: pair.signing_key(),
                kem: pair.kem_key(),
                person: whom.person,
                name: name.transpose()?.map(Bytes),
                role: whom.role,
                expires,
                key: (!whom.approve).then(|| BlobHash::of(&blob)),
            });
            let blobs = if whom.approve { Vec::new() } else { vec![blob] };
            Ok(Proposal { body, blobs })
        });
        let relay = home.await?;
        let link = InviteLink {
            relay,
            journal: self.own.journal,
            secret,
            device_name: device_name.map(str::to_owned),
        };
        Ok(Invited {
            link: link.reveal(),
            expires_at: instant(expires),
            fingerprint: people::fingerprint(&pair.key_id()),
        })
    }

    /// Returns the invites with which a device may still join, as this device knows them.
    ///
    /// # Errors
    /// [`MemberError`] if the replica cannot be read.
    pub fn invites(&self) -> Result<Vec<OpenInvite>, MemberError> {
        let (path, keys) = (self.path(), self.keys()?);
        let (stored, ring) = self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            Ok::<_, crate::journal::LoadError>((stored, ring))
        })?;
        let names = Names::of(&stored, &ring);
        let invites = stored.log.open_invites().map(|(id, entry)| {
            let invite = &entry.invite;
            OpenInvite {
                fingerprint: people::fingerprint(id),
                person: names.person(&invite.person),
                role: invite.role,
                expires_at: instant(invite.expires),
                expired: invite.expires < os::unix_seconds(),
                by: names.device(&entry.by),
                approve: entry.key.is_none(),
            }
        });
        Ok(invites.collect())
    }

    /// Withdraws an open invite, named by its fingerprint or the start of it.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn withdraw_invite(&mut self, fingerprint: &str) -> Result<(), MemberError> {
        let keys = self.keys()?;
        self.propose(&keys, |stored, _| {
            let open = stored.log.open_invites().map(|(id, _)| *id);
            let invite = one_of(fingerprint, open)?;
            let body = Body::WithdrawInvite(WithdrawInvite { invite });
            let blobs = Vec::new();
            Ok(Proposal { body, blobs })
        })
        .await?;
        Ok(())
    }

    /// Finds the device that waits and is meant, by its person or its fingerprint, in the newest log of the home relay.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn waiting(&mut self, whom: &str) -> Result<Waiting, MemberError> {
        let (path, keys) = (self.path(), self.keys()?);
        let log = self.replica.read(|reader| load_log(reader, &path))?.log;
        let home = log.relays().first().ok_or(MemberError::NoRelay)?;
        let mut relay = RelayClient::new(home)?;
        let (stored, ring) = self.newest(&mut relay, &keys).await?;
        let log = &stored.log;
        let waiting = || {
            let devices = log.devices().iter();
            devices.filter(|(_, device)| device.is_waiting())
        };
        let names = Names::of(&stored, &ring);
        let person = person_named(names, whom);
        let named = waiting().filter(|(_, device)| Some(device.person) == person);
        let named: Vec<KeyId> = named.map(|(id, _)| *id).collect();
        let device = match named.as_slice() {
            [one] => *one,
            [] => one_of(whom, waiting().map(|(id, _)| *id))?,
            _ => return Err(MemberError::Ambiguous(whom.to_owned())),
        };
        let found = log.devices().get(&device).ok_or(MemberError::NotMember)?;
        Ok(Waiting {
            person: names.person(&found.person),
            fingerprint: people::fingerprint(&device),
            device,
        })
    }

    /// Lets in a device that waits, under a name.
    ///
    /// # Errors
    /// [`MemberError`]; nothing is changed then.
    pub async fn approve(&mut self, waiting: &Waiting, name: &str) -> Result<(), MemberError> {
        let keys = self.keys()?;
        let id = waiting.device;
        self.propose(&keys, |stored, ring| {
            let device = stored.log.devices().get(&id);
            let device = device.ok_or(MemberError::NotMember)?;
            let key = current_key(&stored.log, ring)?;
            let random = &mut os::random();
            let blob = key.seal_to(&id, &device.keys.kem, random)?;
            let sealed = seal_name(name, &id.0, key, random)?;
            let body = Body::Approve(Approve {
                device: id,
                name: Bytes(sealed),
                key: BlobHash::of(&blob),
            });
            let blobs = vec![blob];
            Ok(Proposal { body, blobs })
        })
        .await?;
        Ok(())
    }
}

/// Finds a person by name, whatever its case.
pub(crate) fn person_named(names: Names<'_>, name: &str) -> Option<PersonId> {
    let wanted = name.to_lowercase();
    let people = names.log.persons().keys().copied();
    let name = |id: &PersonId| names.person(id);
    people
        .into_iter()
        .find(|id| name(id) != UNNAMED && name(id).to_lowercase() == wanted)
}

/// Finds the one key whose fingerprint begins so.
pub(crate) fn one_of(
    fingerprint: &str,
    keys: impl Iterator<Item = KeyId>,
) -> Result<KeyId, MemberError> {
    let wanted = fingerprint.replace('-', "").to_lowercase();
    let fits = |id: &KeyId| !wanted.is_empty() && id.to_string().starts_with(&wanted);
    let mut found = keys.filter(fits);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(MemberError::NoSuch(fingerprint.to_owned())),
        (Some(_), Some(_)) => Err(MemberError::Ambiguous(fingerprint.to_owned())),
    }
}

/// Returns when an invite made now expires, in Unix seconds.
fn expiry(open_for: Option<SignedDuration>) -> Result<u64, MemberError> {
    let open_for = open_for.unwrap_or(OPEN_FOR);
    if !(SignedDuration::from_secs(1)..=OPEN_FOR_MOST).contains(&open_for) {
        return Err(MemberError::OpenFor);
    }
    let seconds = u64::try_from(open_for.as_secs()).map_err(|_| MemberError::OpenFor)?;
    Ok(os::unix_seconds().saturating_add(seconds))
}

fn instant(seconds: u64) -> Timestamp {
    let instant = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.unwrap_or(Timestamp::MAX)
}
