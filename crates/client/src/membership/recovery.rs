//! The recovery phrase: making one, and coming back with it when every device is lost.
//!
//! The phrase is a device on paper with the role of an owner. It joins like any other device, by an invite made and used at
//! once; on a new machine it invites that machine, and nothing else.

use std::fs;
use std::path::Path;

use protocol::api::{self, JournalList, LogAppend, LogPage, journal_path};
use protocol::cbor::Bytes;
use protocol::id::BlobHash;
pub use protocol::id::JournalId;
use protocol::record::{Body, Invite, Relays, SignedRecord};
use protocol::role::Role;
use protocol::sign::Signer;
pub use seal::{InvalidPhrase, RecoveryPhrase};
use seal::{InviteLink, InviteSecret, KeyPair, Seed};

use crate::bundle::{BundleSource, TransferError};
use crate::error::Family;
use crate::home::{self, Home};
use crate::join::{self, JoinError, Joined, Read, append_join, read_as};
use crate::journal::Journal;
use crate::membership::member::{MemberError, current_key};
use crate::os;
use crate::progress::Progress;
use crate::relay::RelayClient;
use crate::sync::SyncReport;

/// The name of a recovery phrase among the devices.
const PHRASE: &str = "recovery phrase";
/// For how long the invite that a phrase makes and uses at once is open, in seconds.
const OPEN_SECONDS: u64 = 600;

/// Draws a recovery phrase, which is worth nothing until [`Journal::enrol_phrase`] has made it a member.
pub fn new_phrase() -> RecoveryPhrase {
    RecoveryPhrase::random(&mut os::random())
}

/// Draws a few different places of a phrase of `words` words, in order: those to ask for, to see that it was written down.
pub fn places<const N: usize>(words: usize) -> [usize; N] {
    assert!(N <= words, "more places than words");
    let mut places: Vec<usize> = Vec::new();
    while places.len() < N {
        let drawn = u64::from_le_bytes(os::random_bytes()) % words as u64;
        let drawn = usize::try_from(drawn).unwrap_or(0);
        if !places.contains(&drawn) {
            places.push(drawn);
        }
    }
    places.sort_unstable();
    std::array::from_fn(|place| places.get(place).copied().unwrap_or(0))
}

impl Journal {
    /// Makes a recovery phrase a member: an owner, of this device's person.
    ///
    /// # Errors
    /// [`JoinError`]; the phrase is worth nothing then.
    pub async fn enrol_phrase(&mut self, phrase: &RecoveryPhrase) -> Result<(), JoinError> {
        let link: InviteLink = self.add_device(None, None).await?.link.parse()?;
        let mut relay = RelayClient::new(&link.relay)?;
        let invite = link.secret.key_pair();
        append_join(&mut relay, &link, &invite, &phrase.key_pair(), PHRASE, true).await?;
        let keys = self.keys()?;
        self.newest(&mut relay, &keys).await?;
        Ok(())
    }
}

impl Home {
    /// Returns the journals on a relay that a recovery phrase opens.
    ///
    /// # Errors
    /// [`JoinError`].
    pub async fn recoverable(
        &self,
        phrase: &RecoveryPhrase,
        origin: &str,
    ) -> Result<Vec<JournalId>, JoinError> {
        let mut relay = RelayClient::new(origin)?;
        let paper = phrase.key_pair();
        let list: JournalList = relay.get(&paper, api::JOURNALS).await?;
        Ok(list.journals)
    }

    /// Lets this machine into a journal with a recovery phrase, as a new device of its person, and syncs.
    ///
    /// # Errors
    /// [`JoinError`].
    pub async fn recover(
        &self,
        phrase: &RecoveryPhrase,
        origin: &str,
        journal: &JournalId,
        device: &str,
        progress: &dyn Progress,
    ) -> Result<(Journal, Joined), JoinError> {
        let paper = phrase.key_pair();
        let link = invite_here(&paper, origin, journal).await?;
        self.join(&link.reveal(), Some(device), device, progress)
            .await
    }
}

impl Home {
    /// Lets this machine into a journal whose relays are gone for good, with a recovery phrase and a bundle. The member log
    /// goes on here, without a relay; `relay add` gives it a new one.
    ///
    /// # Errors
    /// [`RestoreError`]. If the device was made and the envelopes did not come in, `bundle import` goes on.
    pub async fn restore(
        &self,
        phrase: &RecoveryPhrase,
        bundle: &Path,
        device: &str,
        progress: &dyn Progress,
    ) -> Result<(Journal, SyncReport), RestoreError> {
        let source = BundleSource::open(bundle)?;
        let dir = self.journals_dir().join(home::label(&source.journal));
        if dir.exists() {
            return Err(JoinError::Exists.into());
        }
        let restored = extend(source, &phrase.key_pair(), device)?;
        let temporary = self
            .journals_dir()
            .join(format!(".restoring-{}", home::label(&restored.journal)));
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| TransferError::File { path, source }
        };
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(io(&temporary))?;
        }
        home::create_private_dir(&temporary).map_err(io(&temporary))?;
        home::write_secret(&temporary, &restored.seed).map_err(io(&temporary))?;
        let keys = KeyPair::of_device(&restored.seed);
        join::write(&temporary, restored.journal, &keys, &restored.read)?;
        fs::rename(&temporary, &dir).map_err(io(&dir))?;
        home::sync_dir(&self.journals_dir()).map_err(io(&dir))?;
        let mut journal = Journal::open(&dir).map_err(JoinError::from)?;
        let report = journal.import_bundle(bundle, progress).await?;
        Ok((journal, report))
    }
}

/// Why a journal cannot be restored from a bundle.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The bundle cannot be read or taken in.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The phrase does not open this journal, or the new device cannot be made.
    #[error(transparent)]
    Join(#[from] JoinError),
}

impl From<MemberError> for RestoreError {
    fn from(error: MemberError) -> Self {
        Self::Join(error.into())
    }
}

impl RestoreError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Transfer(error) => error.family(),
            Self::Join(error) => error.family(),
        }
    }
}

/// A member log that goes on with a new device.
struct Restored {
    journal: JournalId,
    seed: Seed,
    read: Read,
}

/// Goes on with a bundle's member log: no relay, an invite by the phrase, and a new device that uses it.
fn extend(source: BundleSource, paper: &KeyPair, device: &str) -> Result<Restored, RestoreError> {
    let random = &mut os::random();
    let mut read = join::read(source.journal, "the bundle", source.records, source.blobs)?;
    let own = read.log.devices().get(&paper.key_id());
    let person = own.ok_or(MemberError::NotMember)?.person;
    let ring = read.keys(paper);
    let key = current_key(&read.log, &ring)?;
    let secret = InviteSecret::random(random);
    let invite = secret.key_pair();
    let for_invite = key
        .seal_to(&invite.key_id(), &invite.kem_key(), random)
        .map_err(MemberError::from)?;
    let now = os::unix_seconds();
    if !read.log.relays().is_empty() {
        let nowhere = Body::Relays(Relays { urls: Vec::new() });
        read.extend(paper, &nowhere, now)?;
    }
    let body = Body::Invite(Invite {
        signing: invite.signing_key(),
        kem: invite.kem_key(),
        person,
        name: None,
        role: Role::Owner,
        expires: now.saturating_add(OPEN_SECONDS),
        key: Some(BlobHash::of(&for_invite)),
    });
    read.extend(paper, &body, now)?;
    read.page.blobs.push(Bytes(for_invite));
    let seed = Seed::random(random);
    let keys = KeyPair::of_device(&seed);
    let entry = read.log.invites().get(&invite.key_id());
    let entry = entry.ok_or(MemberError::NotMember)?.clone();
    let (made, blob) = join::describe_device(&read, &entry, &invite, &keys, device, false)?;
    let record = join::make_join(
        &read.log,
        made,
        blob.as_deref(),
        &source.journal,
        &invite,
        &keys,
    )?;
    read.push(record)?;
    read.page.blobs.extend(blob.map(Bytes));
    Ok(Restored {
        journal: source.journal,
        seed,
        read,
    })
}

/// Opens an invite, signed by the phrase.
async fn invite_here(
    paper: &KeyPair,
    origin: &str,
    journal: &JournalId,
) -> Result<InviteLink, JoinError> {
    let mut relay = RelayClient::new(origin)?;
    let secret = InviteSecret::random(&mut os::random());
    let link = InviteLink {
        relay: origin.to_owned(),
        journal: *journal,
        secret,
        device_name: None,
    };
    let read = read_as(&mut relay, &link, paper).await?;
    let log = &read.log;
    let own = log.devices().get(&paper.key_id());
    let own = own.ok_or(MemberError::NotMember)?;
    let ring = read.keys(paper);
    let pair = link.secret.key_pair();
    let key = current_key(log, &ring)?;
    let blob = key
        .seal_to(&pair.key_id(), &pair.kem_key(), &mut os::random())
        .map_err(MemberError::from)?;
    let now = os::unix_seconds();
    let body = Body::Invite(Invite {
        signing: pair.signing_key(),
        kem: pair.kem_key(),
        person: own.person,
        name: None,
        role: Role::Owner,
        expires: now.saturating_add(OPEN_SECONDS),
        key: Some(BlobHash::of(&blob)),
    });
    let record = SignedRecord::create(paper, log.next_place(), now, &body);
    let append = LogAppend {
        head: log.head(),
        records: vec![Bytes(record.bytes().to_vec())],
        blobs: vec![Bytes(blob)],
    };
    let path = journal_path(journal, "log");
    relay
        .post::<_, LogPage>(paper, &path, &append, None)
        .await?;
    Ok(link)
}
