//! Healing what a relay lost or keeps back: the whole member log given again, and this device's key asked for again.
//!
//! A sealed key travels only with the record that names it. A relay that gave the record and not the key is asked once more
//! at the start of every session, and so is every other relay, and every bundle, until one of them has it.

use protocol::api::{self, Create, LogPage};
use protocol::cbor::Bytes;
use protocol::id::BlobHash;
use protocol::record::SignedRecord;
use protocol::sign::Signer;
use seal::KeyPair;
use store::{Reader, Replica, StoreError};

use super::SyncError;
use crate::journal::{Journal, LoadError, StoredLog, load_keys, load_log};
use crate::membership::member::read_log;
use crate::merge::{self, Report};
use crate::people;
use crate::relay::RelayClient;

/// The sealed key of the current epoch, if the replica lacks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MissingKey {
    hash: BlobHash,
    /// The record that names it.
    record: u32,
}

/// Gathers a whole member log with the sealed keys that are here, as a relay takes it that lost some of it.
pub(crate) fn whole_log(reader: &Reader<'_>, stored: &StoredLog) -> Result<Create, StoreError> {
    let blobs = reader.blobs()?.into_iter();
    Ok(Create {
        records: stored.records.iter().cloned().map(Bytes).collect(),
        blobs: blobs.map(|(_, blob)| Bytes(blob)).collect(),
    })
}

/// Gives a relay its whole log back, when it refuses records that stand: set back to an older state, it may hold envelopes
/// that a record of that log excludes, and would never take the record for a new one.
pub(super) async fn give_back(
    replica: &Replica,
    relay: &mut RelayClient,
    keys: &KeyPair,
) -> Result<LogPage, SyncError> {
    let path = replica.path().to_owned();
    let create = replica.read(|reader| {
        let stored = load_log(reader, &path)?;
        Ok::<_, LoadError>(whole_log(reader, &stored)?)
    })?;
    Ok(relay.post(keys, api::JOURNALS, &create, None).await?)
}

impl Journal {
    /// Asks a relay for this device's key, if that is missing; returns what could be merged with it.
    pub(super) async fn ask_for_key(
        &mut self,
        relay: &mut RelayClient,
    ) -> Result<Report, SyncError> {
        let keys = self.keys()?;
        let Some(missing) = self.missing_key(&keys)? else {
            return Ok(Report::default());
        };
        match read_log(relay, &keys, &self.own.journal, missing.record).await {
            Ok(page) => {
                let blobs: Vec<_> = page.blobs.into_iter().map(|blob| blob.0).collect();
                Ok(self.take_key(&keys, missing, &blobs)?)
            }
            Err(error) => Err(self.explained(relay, error.into()).await?),
        }
    }

    /// Takes this device's key out of sealed keys that came in another way, if it is missing.
    pub(super) fn find_key(&mut self, blobs: &[Vec<u8>]) -> Result<Report, SyncError> {
        let keys = self.keys()?;
        match self.missing_key(&keys)? {
            Some(missing) => Ok(self.take_key(&keys, missing, blobs)?),
            None => Ok(Report::default()),
        }
    }

    /// Returns the sealed key of the current epoch if a record names it and it is not here. Those of earlier epochs follow
    /// from it.
    fn missing_key(&self, keys: &KeyPair) -> Result<Option<MissingKey>, LoadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let epoch = stored.log.epoch().number;
            let device = stored.log.devices().get(&keys.key_id());
            let hash = device.and_then(|device| device.sealed().get(&epoch).copied());
            let Some(hash) = hash else { return Ok(None) };
            if reader.blob(&hash)?.is_some() {
                return Ok(None);
            }
            let names = |bytes: &Vec<u8>| {
                let record = SignedRecord::parse(bytes).and_then(SignedRecord::trusted);
                let given = record.iter().flat_map(|record| record.body().device_keys());
                given.into_iter().any(|(_, named)| named == hash)
            };
            let place = stored.records.iter().position(names);
            let record = place.and_then(|place| u32::try_from(place).ok());
            Ok(record.map(|record| MissingKey { hash, record }))
        })
    }

    /// Stores the missing key if it is among these, and merges what was held for want of it.
    fn take_key(
        &mut self,
        keys: &KeyPair,
        missing: MissingKey,
        blobs: &[Vec<u8>],
    ) -> Result<Report, LoadError> {
        let is_it = |blob: &&Vec<u8>| BlobHash::of(blob) == missing.hash;
        let Some(blob) = blobs.iter().find(is_it) else {
            return Ok(Report::default());
        };
        let path = self.path();
        let (log, ring) = self.replica.write(|writer| {
            writer.put_blob(&missing.hash, blob)?;
            let stored = load_log(writer, &path)?;
            let ring = load_keys(writer, &stored, keys)?;
            people::refresh(writer, &stored.log, &ring)?;
            Ok::<_, LoadError>((stored.log, ring))
        })?;
        merge::retry_held(&mut self.replica, &log, &ring)
    }
}
