//! One journal on this device, open.
//!
//! Owns the replica's handle and what every operation starts from: who this device is, where its folder is, and the zone at
//! home. Recording is in `record.rs`, reading in `query.rs`, membership in `member.rs`, sync in `sync.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use protocol::id::JournalId;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::sign::Signer;
use seal::{KeyPair, Keyring};
use store::{Own, Reader, Replica, StoreError};

use crate::error::Family;
use crate::home::{self, OpenError};
use crate::people::{self, Given};

/// A journal on this device.
#[derive(Debug)]
pub struct Journal {
    pub(crate) dir: PathBuf,
    pub(crate) replica: Replica,
    pub(crate) own: Own,
    /// This device's keys, once they were needed: deriving them takes longer than most reads.
    keys: OnceLock<Arc<KeyPair>>,
}

/// The replica opened, and what it holds cannot be right.
#[derive(Debug, thiserror::Error)]
pub enum DamagedReplica {
    /// The replica's member log is not a valid one.
    #[error("the replica {} is damaged: its member log is not valid", .path.display())]
    Log {
        /// The replica.
        path: PathBuf,
    },
    /// A document cannot be loaded.
    #[error("the replica {} is damaged", .path.display())]
    Document {
        /// The replica.
        path: PathBuf,
        /// Which document.
        #[source]
        source: Box<journal::document::DamagedDocument>,
    },
    /// A row of the read model cannot be read.
    #[error("the replica {} is damaged: an entry cannot be read", .path.display())]
    Entry {
        /// The replica.
        path: PathBuf,
    },
    /// An own envelope cannot be read.
    #[error("the replica {} is damaged: an envelope cannot be read", .path.display())]
    Envelope {
        /// The replica.
        path: PathBuf,
    },
}

/// Returns the family of a failure to open a replica.
pub(crate) fn replica_family(error: &store::OpenError) -> Family {
    match error {
        store::OpenError::Missing { .. } | store::OpenError::Damaged { .. } => Family::Damaged,
        store::OpenError::Newer { .. }
        | store::OpenError::Busy { .. }
        | store::OpenError::Io { .. } => Family::CouldNot,
    }
}

/// Returns the family of a failure of an open replica.
pub(crate) fn store_family(error: &StoreError) -> Family {
    match error {
        StoreError::Damaged { .. } => Family::Damaged,
        StoreError::Busy { .. } | StoreError::Full { .. } | StoreError::Io { .. } => {
            Family::CouldNot
        }
    }
}

impl Journal {
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let replica = Replica::open(&home::replica_path(dir))?;
        Self::with(dir, replica)
    }

    pub(crate) fn with(dir: &Path, replica: Replica) -> Result<Self, OpenError> {
        let own = replica
            .read(|reader| reader.own())
            .map_err(|error| match error {
                StoreError::Damaged { path, detail } => store::OpenError::Damaged { path, detail },
                StoreError::Busy { path } | StoreError::Full { path } => {
                    store::OpenError::Busy { path }
                }
                StoreError::Io { path, source } => store::OpenError::Io { path, source },
            })?;
        Ok(Self {
            dir: dir.to_owned(),
            replica,
            own,
            keys: OnceLock::new(),
        })
    }

    /// Returns the journal's id.
    pub fn id(&self) -> JournalId {
        self.own.journal
    }

    /// Returns the journal's name on this device: the first sixteen hex digits of its id.
    pub fn label(&self) -> String {
        home::label(&self.own.journal)
    }

    /// Returns the zone at home, by which days begin and end.
    pub fn zone(&self) -> TimeZone {
        zone(&self.own.zone)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.replica.path().to_owned()
    }

    /// Returns this device's keys; the first call reads its secret and derives them.
    pub(crate) fn keys(&self) -> Result<Arc<KeyPair>, OpenError> {
        if let Some(keys) = self.keys.get() {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(home::read_secret(&self.dir)?);
        Ok(Arc::clone(self.keys.get_or_init(|| keys)))
    }
}

/// Returns the zone of a name; UTC if this system does not know it.
pub(crate) fn zone(name: &str) -> TimeZone {
    crate::zone::by_name(name).unwrap_or(TimeZone::UTC)
}

/// The member log as stored, its records' bytes, and the names given later than it has them.
pub(crate) struct StoredLog {
    pub(crate) log: MemberLog,
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) given: Given,
}

/// Builds the member log from the records that this replica verified before it stored them.
pub(crate) fn load_log(reader: &Reader<'_>, path: &Path) -> Result<StoredLog, LoadError> {
    let records = reader.log_records()?;
    let damaged = || DamagedReplica::Log {
        path: path.to_owned(),
    };
    let mut log: Option<MemberLog> = None;
    for bytes in &records {
        let record = SignedRecord::parse(bytes).and_then(SignedRecord::trusted);
        let record = record.map_err(|_| damaged())?;
        match &mut log {
            None => log = Some(MemberLog::start_verified(&record).map_err(|_| damaged())?),
            Some(log) => log.append_verified(&record).map_err(|_| damaged())?,
        }
    }
    Ok(StoredLog {
        log: log.ok_or_else(damaged)?,
        records,
        given: people::given(reader)?,
    })
}

/// Opens the epoch keys that this device can reach.
pub(crate) fn load_keys(
    reader: &Reader<'_>,
    stored: &StoredLog,
    keys: &KeyPair,
) -> Result<Keyring, LoadError> {
    let device = stored.log.devices().get(&keys.key_id());
    let mut blobs = BTreeMap::new();
    for hash in device
        .into_iter()
        .flat_map(|device| device.sealed().values())
    {
        if let Some(blob) = reader.blob(hash)? {
            blobs.insert(*hash, blob);
        }
    }
    Ok(Keyring::open(&stored.log, keys, |hash| {
        blobs.get(hash).cloned()
    }))
}

/// Why something stored cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
}
