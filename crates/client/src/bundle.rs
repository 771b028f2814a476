//! Bundles: the same envelopes as a file, for syncing by hand and for backup.
//!
//! A bundle is read twice: once to see that it is whole, then to take it in, judged like what a relay sends. Exporting seals what
//! no envelope carries yet, since there may be no relay to sync with.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use protocol::api::{LogPage, Quota, SyncAnswer, SyncRequest};
use protocol::bundle::{BundleError, BundleReader, BundleWriter, ItemKind};
use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::envelope::Envelope;
use protocol::id::{JournalId, RecordHash};
use protocol::role::Role;
use protocol::snapshot::Snapshot;
use protocol::vector::{Position, Vector};
use store::StoreError;
use sync::Purpose;

use crate::error::Family;
use crate::journal::{Journal, LoadError, load_log, store_family};
use crate::os;
use crate::progress::Progress;
use crate::sync::{SyncError, SyncReport};

/// The setting with the time of the last bundle, in milliseconds since the Unix epoch.
pub(crate) const LAST_BUNDLE: &str = "last-bundle-ms";
/// About how many bytes of envelopes are read for one chain at a time.
const CHUNK: usize = 4 * 1024 * 1024;

/// Why a bundle cannot be written or taken in. What is recorded here stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file cannot be read or written.
    #[error("{} cannot be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no whole bundle.
    #[error("{}: {source}", .path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BundleError,
    },
    /// The bundle is of another journal.
    #[error("the bundle is of journal {found}, not of this one")]
    OtherJournal {
        /// The bundle's journal.
        found: JournalId,
    },
    /// Sealing, or taking in, did not succeed.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The replica cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TransferError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::File { .. } | Self::OtherJournal { .. } => Family::CouldNot,
            Self::Bundle { source, .. } => match source {
                BundleError::NotABundle | BundleError::Newer(_) | BundleError::Io(_) => {
                    Family::CouldNot
                }
                BundleError::CutShort | BundleError::Altered | BundleError::Item => Family::Damaged,
            },
            Self::Sync(error) => error.family(),
            Self::Store(error) => store_family(error),
        }
    }
}

impl From<LoadError> for TransferError {
    fn from(error: LoadError) -> Self {
        Self::Sync(error.into())
    }
}

/// What a bundle was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Envelopes in it.
    pub envelopes: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Journal {
    /// Writes everything, or what `since` does not have, as a bundle. The file appears when it is whole.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn export_bundle(
        &mut self,
        to: &Path,
        since: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Exported, TransferError> {
        let since = since.map(|path| self.vector_of(path)).transpose()?;
        let path = self.path();
        let log = self.replica.read(|reader| load_log(reader, &path))?.log;
        if log.role(&self.own.device).is_some_and(Role::may_write) {
            self.exchange_file(Purpose::Seal, None, progress).await?;
        }
        let file = |source| TransferError::File {
            path: to.to_owned(),
            source,
        };
        let mut temporary = to.as_os_str().to_owned();
        temporary.push(".part");
        let temporary = PathBuf::from(temporary);
        let out = BufWriter::new(File::create(&temporary).map_err(file)?);
        let writer = BundleWriter::begin(out, &self.own.journal).map_err(file)?;
        let (out, envelopes) = self.write_items(writer, &since.unwrap_or_default(), &file)?;
        let written = out.into_inner().map_err(|error| file(error.into_error()))?;
        written.sync_all().map_err(file)?;
        let bytes = written.metadata().map_err(file)?.len();
        std::fs::rename(&temporary, to).map_err(file)?;
        let now = os::now().as_millisecond().to_string();
        self.replica
            .write(|writer| writer.set_setting(LAST_BUNDLE, Some(&now)))?;
        Ok(Exported { envelopes, bytes })
    }

    fn write_items<W: Write>(
        &self,
        mut writer: BundleWriter<W>,
        since: &Vector,
        file: &impl Fn(std::io::Error) -> TransferError,
    ) -> Result<(W, u64), TransferError> {
        let mut envelopes = 0;
        self.replica.read(|reader| {
            for record in reader.log_records()? {
                writer.item(ItemKind::Record, &record).map_err(file)?;
            }
            for (_, blob) in reader.blobs()? {
                writer.item(ItemKind::Blob, &blob).map_err(file)?;
            }
            for (chain, _) in reader.chains()? {
                let mut after = since.seq(&chain);
                loop {
                    let some = reader.envelopes_after(&chain, after, CHUNK)?;
                    let Some(last) = some.last() else { break };
                    after = last.seq;
                    for envelope in some {
                        writer
                            .item(ItemKind::Envelope, &envelope.bytes)
                            .map_err(file)?;
                        envelopes += 1;
                    }
                }
            }
            for snapshot in reader.snapshots()? {
                if snapshot.state.is_good() {
                    writer
                        .item(ItemKind::Snapshot, &snapshot.bytes)
                        .map_err(file)?;
                }
            }
            Ok::<_, TransferError>(())
        })?;
        Ok((writer.end().map_err(file)?, envelopes))
    }

    /// Takes in a bundle of this journal. Taking it in again adds nothing.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn import_bundle(
        &mut self,
        from: &Path,
        progress: &dyn Progress,
    ) -> Result<SyncReport, TransferError> {
        let source = BundleSource::open(from)?;
        if source.journal != self.own.journal {
            return Err(TransferError::OtherJournal {
                found: source.journal,
            });
        }
        Ok(self
            .exchange_file(Purpose::Import, Some(source), progress)
            .await?)
    }

    /// Returns how far a bundle of this journal goes.
    fn vector_of(&self, path: &Path) -> Result<Vector, TransferError> {
        let source = BundleSource::open(path)?;
        if source.journal != self.own.journal {
            return Err(TransferError::OtherJournal {
                found: source.journal,
            });
        }
        Ok(source.heads())
    }
}

/// A bundle, read whole, that answers like a relay.
pub(crate) struct BundleSource {
    pub(crate) journal: JournalId,
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) snapshots: Vec<Snapshot>,
}

impl BundleSource {
    /// Reads a bundle and makes sure that it is whole.
    pub(crate) fn open(path: &Path) -> Result<Self, TransferError> {
        let wrong = |source| TransferError::Bundle {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(|source| TransferError::File {
            path: path.to_owned(),
            source,
        })?;
        let mut reader = BundleReader::begin(BufReader::new(file)).map_err(wrong)?;
        let mut source = Self {
            journal: reader.journal(),
            records: Vec::new(),
            blobs: Vec::new(),
            envelopes: Vec::new(),
            snapshots: Vec::new(),
        };
        while let Some((kind, bytes)) = reader.next_item().map_err(wrong)? {
            match kind {
                ItemKind::Record => source.records.push(bytes),
                ItemKind::Blob => source.blobs.push(bytes),
                ItemKind::Envelope => {
                    let envelope = Envelope::parse(bytes).map_err(|_| wrong(BundleError::Item))?;
                    source.envelopes.push(envelope);
                }
                ItemKind::Snapshot => {
                    let snapshot = Snapshot::parse(bytes).map_err(|_| wrong(BundleError::Item))?;
                    source.snapshots.push(snapshot);
                }
            }
        }
        Ok(source)
    }

    /// Returns how far the bundle goes.
    pub(crate) fn heads(&self) -> Vector {
        let mut vector = Vector::default();
        for envelope in &self.envelopes {
            let position = Position {
                seq: envelope.header().seq,
                hash: envelope.hash(),
            };
            let chain = envelope.header().chain();
            let last = vector.0.entry(chain).or_insert(position);
            if last.seq < position.seq {
                *last = position;
            }
        }
        vector
    }

    /// Answers a sync as a relay would that holds this bundle.
    pub(crate) fn answer(&self, request: &SyncRequest) -> SyncAnswer {
        let last = self.records.last().map(Vec::as_slice).unwrap_or_default();
        let from = usize::try_from(request.log_length).unwrap_or(usize::MAX);
        let new = self.records.get(from..).unwrap_or_default();
        let missing = |envelope: &Envelope| {
            let header = envelope.header();
            header.seq > request.vector.seq(&header.chain())
        };
        let envelopes = self.envelopes.iter().filter(|envelope| missing(envelope));
        SyncAnswer {
            log: LogPage {
                length: u32::try_from(self.records.len()).unwrap_or(u32::MAX),
                head: RecordHash(Domain::RecordHash.hash(&[last])),
                records: new.iter().cloned().map(Bytes).collect(),
                blobs: self.blobs.iter().cloned().map(Bytes).collect(),
            },
            envelopes: envelopes
                .map(|envelope| Bytes(envelope.bytes().to_vec()))
                .collect(),
            more: false,
            heads: Vector::default(),
            quota: Quota { used: 0, limit: 0 },
        }
    }
}
