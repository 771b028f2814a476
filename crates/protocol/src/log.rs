//! The member log: who may read and write a journal, at each point of its history.
//!
//! Owns the rules by which one record may follow another (what each body may do is in `log/rules.rs`). The relay and every client run this same code. It keeps the
//! history of roles and epochs, since an envelope is judged at the head that it names. Clocks play no part: an
//! invite's expiry is enforced by the relay and the joiner, not here.
//!
//! Invariants: a log has at least one active owner; `hashes[i]` is the hash of record `i`; nothing is ever removed from
//! the maps, so that what once held can be explained.

mod rules;

use std::collections::BTreeMap;

use crate::id::{
    BlobHash, ChainId, Commitment, JournalId, KeyId, PersonId, RecordHash, SigningKey,
};
use crate::limits;
use crate::record::{
    Body, DeviceKeys, Genesis, Invite, Place, RecordError, SignedRecord, VerifiedRecord,
    VerifyError,
};
use crate::role::Role;
use crate::sign::Verifier;
use crate::vector::{Position, Vector};
use rules::{check_name, check_relays};

/// A person of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The encrypted name.
    pub name: Vec<u8>,
    /// The record that brought the person in.
    pub since: u32,
}

/// A device of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its public keys and encrypted name.
    pub keys: DeviceKeys,
    /// Whose it is.
    pub person: PersonId,
    /// The invite it came by; none for the first device.
    pub invite: Option<KeyId>,
    /// When it joined, as the joiner says; seconds since the Unix epoch.
    pub joined: u64,
    /// The role from each record index on, oldest first; `None` is no membership.
    roles: Vec<(u32, Option<Role>)>,
    /// Every time the device lost the right to write.
    losses: Vec<Loss>,
    /// The epoch keys sealed to the device, by epoch.
    sealed: BTreeMap<u32, BlobHash>,
    /// The signing key of `keys`, read.
    verifier: Verifier,
}

/// The loss of the right to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The record that took it.
    pub since: u32,
    /// The last envelope that counts of each chain; a chain that is not named counts for nothing.
    pub frontier: Vector,
}

impl Device {
    /// Returns what checks its signatures.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Returns the role at the head that is record `index`.
    pub fn role_at(&self, index: u32) -> Option<Role> {
        self.roles
            .iter()
            .rev()
            .find(|(since, _)| *since <= index)
            .and_then(|(_, role)| *role)
    }

    /// Returns the role now.
    pub fn role(&self) -> Option<Role> {
        self.role_at(u32::MAX)
    }

    /// Returns whether the device joined and waits for an owner's approval.
    pub fn is_waiting(&self) -> bool {
        matches!(self.roles.as_slice(), [(_, None)])
    }

    /// Returns the record that removed the device, if one did and none brought it back.
    pub fn removed_at(&self) -> Option<u32> {
        match self.roles.as_slice() {
            [_, .., (index, None)] => Some(*index),
            _ => None,
        }
    }

    /// Returns the epoch keys sealed to the device: each epoch's blob.
    pub fn sealed(&self) -> &BTreeMap<u32, BlobHash> {
        &self.sealed
    }

    /// Returns every loss of the right to write, oldest first.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }
}

/// What became of an invite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InviteState {
    /// A device may join with it.
    Open,
    /// This device joined with it.
    Used(KeyId),
    /// It was withdrawn.
    Withdrawn,
}

/// An invite and its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InviteEntry {
    /// The record's body.
    pub invite: Invite,
    /// The device that made it.
    pub by: KeyId,
    /// What became of it.
    pub state: InviteState,
    /// The current epoch's key, sealed to the invite; none if an owner must approve.
    pub key: Option<BlobHash>,
}

/// The span of one content key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// From 0, without gaps.
    pub number: u32,
    /// Commits to the key.
    pub commitment: Commitment,
    /// The record that started it.
    pub since: u32,
}

/// A member log, verified up to its head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberLog {
    journal: JournalId,
    hashes: Vec<RecordHash>,
    persons: BTreeMap<PersonId, Person>,
    devices: BTreeMap<KeyId, Device>,
    invites: BTreeMap<KeyId, InviteEntry>,
    epochs: Vec<Epoch>,
    wraps: BTreeMap<u32, Vec<u8>>,
    relays: Vec<String>,
    erased: bool,
}

/// Why a record may not follow. Peer misbehaved, or (when one's own record is refused) the log has moved on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The bytes are no record, or the signature does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The record names another journal, index or previous record.
    #[error("the record does not follow the head of the log")]
    Place,
    /// The author is no member and no open invite.
    #[error("the author {0} is no member")]
    UnknownAuthor(KeyId),
    /// The rules do not allow it.
    #[error("the rules of the member log do not allow it: {0}")]
    Rule(#[from] Rule),
}

impl From<RecordError> for LogError {
    fn from(error: RecordError) -> Self {
        Self::Verify(VerifyError::Record(error))
    }
}

/// The rule that a record breaks.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum Rule {
    /// A genesis anywhere but first, or anything else first.
    #[error("a log starts with its one genesis")]
    Genesis,
    /// The genesis is not signed by the device that it names.
    #[error("a genesis is signed by its own device")]
    GenesisAuthor,
    /// A body that only owners may write.
    #[error("only owners may do this")]
    OwnersOnly,
    /// A member who is not an owner invites someone else, or with more rights than their own.
    #[error("a member may invite only a device of their own, with no more rights")]
    OwnDevicesOnly,
    /// The name is missing for a new person, or present for a known one.
    #[error("a name is given exactly for a new person")]
    PersonName,
    /// Too many devices or open invites for the person.
    #[error("a person has at most {} devices", limits::DEVICES_PER_PERSON)]
    DevicesPerPerson,
    /// Too many devices in the journal.
    #[error("a journal has at most {} devices", limits::DEVICES_PER_JOURNAL)]
    DevicesPerJournal,
    /// Too many open invites.
    #[error("a journal has at most {} open invites", limits::OPEN_INVITES)]
    OpenInvites,
    /// The key pair is already a device or an invite.
    #[error("the keys are already in use")]
    KnownKeys,
    /// The invite is not open.
    #[error("the invite is not open")]
    InviteNotOpen,
    /// The joining device did not sign for this journal and invite.
    #[error("the device's proof does not hold")]
    JoinProof,
    /// The sealed key is present without need, or missing.
    #[error("a sealed key is given exactly where the invite carries one")]
    SealedKey,
    /// Too many relays, one listed twice, or one whose URL is not acceptable.
    #[error(
        "a journal lists at most {} different relays, each an http or https origin",
        limits::RELAYS
    )]
    Relays,
    /// A name longer than the limit, missing, or given to a device that has no key yet.
    #[error("an encrypted name has at most {} bytes", limits::NAME_SEAL_BYTES)]
    NameLength,
    /// The device does not wait for an approval.
    #[error("the device does not wait for an approval")]
    NotWaiting,
    /// The person or the device is no member.
    #[error("it is no member")]
    NotMember,
    /// Nobody would be left who may say who is a member.
    #[error("the last owner cannot be removed or become less")]
    LastOwner,
    /// A device removes itself: it would know the new key.
    #[error("a device cannot remove itself")]
    OwnRemoval,
    /// Devices that are not in ascending order, or a frontier where nobody loses the right to write.
    #[error("the record says more than it may")]
    Excess,
    /// The new key is not sealed to exactly the devices and invites that stay, or is not new.
    #[error("a new key is sealed to exactly those who stay")]
    NewKey,
    /// The journal was erased.
    #[error("the journal was erased")]
    Erased,
    /// The log is full.
    #[error("a log has at most {} records", limits::LOG_RECORDS)]
    Full,
}

impl MemberLog {
    /// Starts a log from its genesis, checking the signature.
    ///
    /// # Errors
    /// [`LogError`] if the record is no valid genesis.
    pub fn start(genesis: SignedRecord) -> Result<Self, LogError> {
        let key = genesis.genesis_key()?.ok_or(Rule::Genesis)?;
        Self::start_verified(&genesis.verify(&key)?)
    }

    /// Starts a log from a genesis verified before.
    ///
    /// # Errors
    /// [`LogError`] if the record is no valid genesis.
    pub fn start_verified(record: &VerifiedRecord) -> Result<Self, LogError> {
        let Body::Genesis(genesis) = record.body() else {
            return Err(Rule::Genesis.into());
        };
        if record.place() != Place::GENESIS {
            return Err(LogError::Place);
        }
        let Genesis {
            person,
            name,
            device,
            epoch,
            key,
            relays,
        } = genesis;
        let id = device.id();
        if record.frame().author != id {
            return Err(Rule::GenesisAuthor.into());
        }
        check_name(&name.0)?;
        check_name(&device.name.0)?;
        check_relays(relays)?;
        let hash = record.signed().hash();
        let first = Device {
            verifier: Verifier::of(&device.signing),
            keys: device.clone(),
            person: *person,
            invite: None,
            joined: record.frame().time,
            roles: vec![(0, Some(Role::Owner))],
            losses: Vec::new(),
            sealed: BTreeMap::from([(0, *key)]),
        };
        Ok(Self {
            journal: JournalId(hash.0),
            hashes: vec![hash],
            persons: BTreeMap::from([(
                *person,
                Person {
                    name: name.0.clone(),
                    since: 0,
                },
            )]),
            devices: BTreeMap::from([(id, first)]),
            invites: BTreeMap::new(),
            epochs: vec![Epoch {
                number: 0,
                commitment: *epoch,
                since: 0,
            }],
            wraps: BTreeMap::new(),
            relays: relays.clone(),
            erased: false,
        })
    }

    /// Checks a record's signature and rules, and appends it.
    ///
    /// # Errors
    /// [`LogError`]; the log is unchanged then.
    pub fn append(&mut self, record: SignedRecord) -> Result<VerifiedRecord, LogError> {
        let author = record.author();
        let key = self
            .signing_key(&author)
            .ok_or(LogError::UnknownAuthor(author))?;
        let record = record.verify(&key)?;
        if let Body::Join(join) = record.body() {
            self.check_proof(author, join)?;
        }
        self.append_verified(&record)?;
        Ok(record)
    }

    /// Appends a record whose signatures were verified before (this replica stored it then).
    ///
    /// # Errors
    /// [`LogError`] if the rules do not allow it; the log is unchanged then.
    pub fn append_verified(&mut self, record: &VerifiedRecord) -> Result<(), LogError> {
        if record.place() != self.next_place() {
            return Err(LogError::Place);
        }
        if self.erased {
            return Err(Rule::Erased.into());
        }
        if self.hashes.len() >= limits::LOG_RECORDS {
            return Err(Rule::Full.into());
        }
        let (author, time) = (record.frame().author, record.frame().time);
        match record.body() {
            Body::Genesis(_) => return Err(Rule::Genesis.into()),
            Body::Invite(invite) => self.invite(author, invite)?,
            Body::WithdrawInvite(body) => self.withdraw(author, body.invite)?,
            Body::Join(join) => self.join(author, time, join)?,
            Body::Relays(relays) => {
                self.require_owner(author)?;
                check_relays(&relays.urls)?;
                self.relays.clone_from(&relays.urls);
            }
            Body::Approve(approve) => self.approve(author, approve)?,
            Body::SetRole(change) => self.set_role(author, change)?,
            Body::Remove(removal) => self.remove(author, removal)?,
            Body::Erase(_) => {
                self.require_owner(author)?;
                self.erased = true;
            }
        }
        self.hashes.push(record.signed().hash());
        Ok(())
    }

    /// Returns the key with which a member or an open invite signs.
    pub fn signing_key(&self, id: &KeyId) -> Option<SigningKey> {
        if let Some(device) = self.devices.get(id) {
            return device.role().map(|_| device.keys.signing);
        }
        self.invites
            .get(id)
            .filter(|entry| entry.state == InviteState::Open)
            .map(|entry| entry.invite.signing)
    }
}

/// What a log says.
impl MemberLog {
    /// Returns the journal's id.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// Returns the number of records.
    pub fn length(&self) -> u32 {
        u32::try_from(self.hashes.len()).unwrap_or(u32::MAX)
    }

    /// Returns the hash of the last record.
    pub fn head(&self) -> RecordHash {
        self.hashes
            .last()
            .copied()
            .unwrap_or(RecordHash(self.journal.0))
    }

    /// Returns where the next record stands.
    pub fn next_place(&self) -> Place {
        Place {
            journal: Some(self.journal),
            index: self.length(),
            prev: Some(self.head()),
        }
    }

    /// Returns the index of a record, if the log has it.
    pub fn index_of(&self, hash: &RecordHash) -> Option<u32> {
        // Envelopes name recent heads: search from the end.
        let index = self.hashes.iter().rposition(|known| known == hash)?;
        u32::try_from(index).ok()
    }

    /// Returns the hash of record `index`.
    pub fn hash_at(&self, index: u32) -> Option<RecordHash> {
        self.hashes.get(usize::try_from(index).ok()?).copied()
    }

    /// Returns the epoch at the head that is record `index`.
    pub fn epoch_at(&self, index: u32) -> Option<Epoch> {
        self.epochs
            .iter()
            .rev()
            .find(|epoch| epoch.since <= index)
            .copied()
    }

    /// Returns the current epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch_at(u32::MAX).unwrap_or(Epoch {
            number: 0,
            commitment: Commitment([0; 32]),
            since: 0,
        })
    }

    /// Returns all persons ever named.
    pub fn persons(&self) -> &BTreeMap<PersonId, Person> {
        &self.persons
    }

    /// Returns all devices that ever joined.
    pub fn devices(&self) -> &BTreeMap<KeyId, Device> {
        &self.devices
    }

    /// Returns all invites ever made.
    pub fn invites(&self) -> &BTreeMap<KeyId, InviteEntry> {
        &self.invites
    }

    /// Returns the invites with which a device may still join.
    pub fn open_invites(&self) -> impl Iterator<Item = (&KeyId, &InviteEntry)> {
        self.invites
            .iter()
            .filter(|(_, entry)| entry.state == InviteState::Open)
    }

    /// Returns the relays; the first is the home relay.
    pub fn relays(&self) -> &[String] {
        &self.relays
    }

    /// Returns the role a device has now; none if it is no member.
    pub fn role(&self, device: &KeyId) -> Option<Role> {
        self.devices.get(device).and_then(Device::role)
    }

    /// Returns an epoch by its number.
    pub fn epoch_of(&self, number: u32) -> Option<Epoch> {
        self.epochs.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns the key of the epoch before `number`, encrypted under that epoch's own; none for the first.
    pub fn wrapped_key(&self, number: u32) -> Option<&[u8]> {
        self.wraps.get(&number).map(Vec::as_slice)
    }

    /// Returns whether an owner has ended the journal for good.
    pub fn is_erased(&self) -> bool {
        self.erased
    }

    /// Returns whether a device lost the right to write, in a record after `head`, before it had written this envelope
    /// as far as whoever took the right had seen.
    pub fn is_beyond_frontier(
        &self,
        device: &KeyId,
        chain: &ChainId,
        position: Position,
        head: u32,
    ) -> bool {
        let Some(device) = self.devices.get(device) else {
            return false;
        };
        if cfg!(ebb_mutant = "ignore-frontier") {
            return false;
        }
        device
            .losses
            .iter()
            .filter(|loss| loss.since > head)
            .any(|loss| !loss.frontier.reaches(chain, position))
    }
}

/// Returns whether a text is a relay's origin as logs and signatures carry it: `http://` or `https://`, then a host with
/// an optional port, in lower case, with no path and no closing slash.
pub fn is_origin(url: &str) -> bool {
    let Some(authority) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return false;
    };
    !authority.is_empty()
        && url.len() <= limits::RELAY_URL_BYTES
        && authority.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]_".contains(&byte)
        })
}
