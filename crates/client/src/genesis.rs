//! Starting a journal: the genesis record, the first replica, and the journal on its relay.
//!
//! Order: secret and replica are on disk in a folder that does not count yet; then the relay, if one was named, accepts the
//! journal; then the folder gets its name. A failure in between leaves no half journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use journal::change::{self, CreateError as ChangeError};
use journal::{Actor, DocumentId, Fields};
use protocol::api::{self, Create, EnrolmentToken, LogPage};
use protocol::cbor::Bytes;
use protocol::id::{BlobHash, ChainSalt, PersonId};
use protocol::log::{LogError, MemberLog, is_origin};
use protocol::record::{Body, DeviceKeys, Genesis, Place, SignedRecord};
use protocol::sign::Signer;
use seal::{EpochKey, KeyPair, Keyring, NameError, Seed, seal_name};
use store::relay::RelayState;
use store::{Birth, CreateError, Replica, StoreError};

use crate::error::Family;
use crate::home::{self, Home, OpenError};
use crate::journal::{Journal, replica_family, store_family};
use crate::record::store_change;
use crate::relay::{RelayClient, RelayError};
use crate::{os, people, profile};

/// What a new journal starts with.
#[derive(Debug)]
pub struct Init {
    /// The person's name.
    pub name: String,
    /// The device's name.
    pub device: String,
    /// The zone at home, an IANA name.
    pub zone: String,
    /// The first relay, if there is one already.
    pub relay: Option<NewRelay>,
}

/// A relay to create the journal on.
#[derive(Debug)]
pub struct NewRelay {
    /// Its origin, such as `https://relay.example`.
    pub origin: String,
    /// Its enrolment token; none for a relay that is open to all.
    pub token: Option<String>,
}

/// Why a journal could not be started.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a journal on this device already.
    #[error("there is a journal on this device already")]
    Exists,
    /// The relay's address is not one.
    #[error(
        "`{0}` is not the address of a relay; it is `https://host`, with a port if it needs one"
    )]
    Origin(String),
    /// The token is not one.
    #[error(transparent)]
    Token(#[from] api::InvalidToken),
    /// A name is empty or too long.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The zone is unknown.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// The keys just made do not work together. Never seen.
    #[error("the journal's first record is not valid")]
    Genesis(#[from] LogError),
    /// The first key could not be sealed. Never seen.
    #[error("the journal's first key cannot be sealed")]
    Key(#[from] seal::KeyError),
    /// The profile's first change cannot be made: the clock of this device is far off.
    #[error("the profile cannot be written")]
    Profile(#[from] ChangeError),
    /// A folder or file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The replica cannot be created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The replica cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The replica just made cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The relay did not take the journal.
    #[error(transparent)]
    Relay(#[from] RelayError),
}

impl InitError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Exists | Self::Genesis(_) | Self::Key(_) | Self::Profile(_) | Self::Io { .. } => {
                Family::CouldNot
            }
            Self::Origin(_) | Self::Token(_) | Self::Name(_) | Self::Zone(_) => Family::Usage,
            Self::Create(CreateError::Exists { .. }) => Family::CouldNot,
            Self::Create(CreateError::Open(error)) => replica_family(error),
            Self::Store(error) => store_family(error),
            Self::Open(error) => error.family(),
            Self::Relay(error) => error.family(),
        }
    }
}

/// What was made for the genesis, before anything is written.
struct Start {
    seed: Seed,
    keys: KeyPair,
    record: SignedRecord,
    log: MemberLog,
    blob: Vec<u8>,
    ring: Keyring,
}

impl Home {
    /// Starts a journal on this device, and on a relay if one is named.
    ///
    /// # Errors
    /// [`InitError`]; nothing is left behind on this device then.
    pub async fn init(&self, init: &Init) -> Result<Journal, InitError> {
        if !self.journals()?.is_empty() {
            return Err(InitError::Exists);
        }
        self.init_another(init).await
    }

    /// Starts a journal beside those that are here.
    pub(crate) async fn init_another(&self, init: &Init) -> Result<Journal, InitError> {
        if jiff::tz::TimeZone::get(&init.zone).is_err() {
            return Err(InitError::Zone(init.zone.clone()));
        }
        let token = check_relay(init)?;
        let start = begin(init)?;
        let temporary = self
            .journals_dir()
            .join(format!(".new-{}", home::label(&start.log.journal())));
        let made = write(&temporary, init, &start);
        let made = match (made, &init.relay) {
            (Ok(()), Some(relay)) => create_on(&relay.origin, token.as_ref(), &start).await,
            (made, _) => made,
        };
        if let Err(error) = made {
            // The folder holds no entry yet; if it cannot be removed it stays hidden and unused.
            let _unused = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        let dir = self.journals_dir().join(home::label(&start.log.journal()));
        let io = |source| InitError::Io {
            path: dir.clone(),
            source,
        };
        fs::rename(&temporary, &dir).map_err(io)?;
        home::sync_dir(&self.journals_dir()).map_err(io)?;
        Ok(Journal::open(&dir)?)
    }
}

fn check_relay(init: &Init) -> Result<Option<EnrolmentToken>, InitError> {
    let Some(relay) = &init.relay else {
        return Ok(None);
    };
    if !is_origin(&relay.origin) {
        return Err(InitError::Origin(relay.origin.clone()));
    }
    Ok(relay.token.as_deref().map(str::parse).transpose()?)
}

fn begin(init: &Init) -> Result<Start, InitError> {
    let random = &mut os::random();
    let seed = Seed::random(random);
    let keys = KeyPair::of_device(&seed);
    let epoch = EpochKey::random(0, random);
    let person = PersonId(os::random_bytes());
    let blob = epoch.seal_to(&keys.key_id(), &keys.kem_key(), random)?;
    let device = DeviceKeys {
        signing: keys.signing_key(),
        kem: keys.kem_key(),
        name: Bytes(seal_name(&init.device, &keys.key_id().0, &epoch, random)?),
        paper: false,
    };
    let genesis = Body::Genesis(Genesis {
        person,
        name: Bytes(seal_name(&init.name, &person.0, &epoch, random)?),
        device,
        epoch: epoch.commitment(),
        key: BlobHash::of(&blob),
        relays: init
            .relay
            .iter()
            .map(|relay| relay.origin.clone())
            .collect(),
    });
    let record = SignedRecord::create(&keys, Place::GENESIS, os::unix_seconds(), &genesis);
    let log = MemberLog::start(record.clone())?;
    let ring = Keyring::from_key(&log, epoch);
    Ok(Start {
        seed,
        keys,
        record,
        log,
        blob,
        ring,
    })
}

/// Writes secret and replica into a folder, with the profile as the journal's first change.
fn write(dir: &Path, init: &Init, start: &Start) -> Result<(), InitError> {
    let io = |source| InitError::Io {
        path: dir.to_owned(),
        source,
    };
    home::create_private_dir(dir).map_err(io)?;
    home::write_secret(dir, &start.seed).map_err(io)?;
    let birth = Birth {
        journal: start.log.journal(),
        device: start.keys.key_id(),
        salt: ChainSalt(os::random_bytes()),
        zone: init.zone.clone(),
    };
    let mut replica = Replica::create(&home::replica_path(dir), &birth)?;
    let own = replica.read(|reader| reader.own())?;
    let fields = Fields::from([(profile::ZONE.to_owned(), init.zone.as_str().into())]);
    let time = i64::try_from(os::unix_seconds()).unwrap_or(0);
    let actor = Actor(own.chain.0);
    let change = change::create(actor, None, time, &[(profile::PATIENT, &fields)])?;
    replica.write(|writer| {
        writer.set_place(&os::place(&home::replica_path(dir)))?;
        writer.append_log(&[start.record.bytes().to_vec()])?;
        writer.put_blob(&BlobHash::of(&start.blob), &start.blob)?;
        store_change(writer, DocumentId::Profile, &own.chain, &change)?;
        if let Some(relay) = &init.relay {
            writer.put_relay(&RelayState::new(&relay.origin))?;
        }
        people::refresh(writer, &start.log, &start.ring)
    })?;
    Ok(())
}

async fn create_on(
    origin: &str,
    token: Option<&EnrolmentToken>,
    start: &Start,
) -> Result<(), InitError> {
    let mut relay = RelayClient::new(origin)?;
    let create = Create {
        records: vec![Bytes(start.record.bytes().to_vec())],
        blobs: vec![Bytes(start.blob.clone())],
    };
    let page: LogPage = relay
        .post(&start.keys, api::JOURNALS, &create, token)
        .await?;
    if page.head != start.log.head() {
        return Err(relay
            .garbage("it did not take the journal's first record".to_owned())
            .into());
    }
    Ok(())
}
