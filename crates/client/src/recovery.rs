//! The recovery phrase: making one, and coming back with it when every device is lost.
//!
//! The phrase is a device on paper with the role of an owner. It joins like any other device, by an invite made and used at
//! once; on a new machine it invites that machine, and nothing else.

use protocol::api::{self, JournalList, LogAppend, LogPage, journal_path};
use protocol::cbor::Bytes;
use protocol::id::BlobHash;
pub use protocol::id::JournalId;
use protocol::record::{Body, Invite, SignedRecord};
use protocol::role::Role;
use protocol::sign::Signer;
pub use seal::{InvalidPhrase, RecoveryPhrase};
use seal::{InviteLink, InviteSecret, KeyPair, Keyring};

use crate::home::Home;
use crate::join::{JoinError, Joined, append_join, read_as};
use crate::journal::Journal;
use crate::member::{MemberError, current_key};
use crate::os;
use crate::progress::Progress;
use crate::relay::RelayClient;

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
    let ring = Keyring::open(log, paper, |hash| {
        let blobs = read.page.blobs.iter();
        let mut found = blobs.filter(|blob| BlobHash::of(&blob.0) == *hash);
        found.next().map(|blob| blob.0.clone())
    });
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
