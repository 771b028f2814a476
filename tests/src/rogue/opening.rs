//! Opening whatever can be opened: the keys that a device reaches by any way, tried on every envelope.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::envelope::{Envelope, VerifiedEnvelope};
use protocol::id::BlobHash;
use protocol::log::{Epoch, MemberLog};
use rusqlite::Connection;
use seal::{EpochKey, KeyPair, Keyring};
use serde_json::{Value, json};

use super::{Outcome, Rogue, read_log};

/// Opens the epoch keys that were sealed to a device, and what they lead back to.
pub(super) fn ring(log: &MemberLog, keys: &KeyPair, blobs: &[Vec<u8>]) -> Keyring {
    let by_hash: BTreeMap<BlobHash, &Vec<u8>> = blobs
        .iter()
        .map(|blob| (BlobHash::of(blob), blob))
        .collect();
    Keyring::open(log, keys, |hash| {
        by_hash.get(hash).map(|blob| blob.to_vec())
    })
}

impl Rogue {
    /// Tries every key on every envelope of a relay's database, whatever epoch either says it belongs to.
    pub(super) fn decrypt(&self, database: &Path) -> Outcome<Value> {
        let relay = Connection::open(database)?;
        let records = column(&relay, "SELECT bytes FROM records ORDER BY place")?;
        let log = read_log(&records)?;
        let mut blobs = column(&relay, "SELECT bytes FROM blobs")?;
        blobs.extend(self.blobs.iter().cloned());
        let (keys, tried) = self.every_key(&log, &blobs);
        let mut told = Vec::new();
        for bytes in column(&relay, "SELECT bytes FROM envelopes ORDER BY number")? {
            let envelope = VerifiedEnvelope::trusted(Envelope::parse(bytes)?);
            let opened = keys.iter().any(|key| key.decrypts(&envelope));
            told.push(json!({
                "hash": envelope.envelope().hash().to_string(),
                "epoch": envelope.header().epoch,
                "opened": opened,
            }));
        }
        let epochs: Vec<u32> = keys.iter().map(EpochKey::number).collect();
        Ok(json!({ "envelopes": told, "keys": epochs, "blobs": blobs.len(), "tried": tried }))
    }

    /// Opens every sealed key for every epoch, then every wrapped key with every key so found, until nothing new opens.
    /// Returns the keys, and how many attempts that took.
    fn every_key(&self, log: &MemberLog, blobs: &[Vec<u8>]) -> (Vec<EpochKey>, u64) {
        let epochs: Vec<Epoch> = (0..).map_while(|number| log.epoch_of(number)).collect();
        let mut keys: Vec<EpochKey> = Vec::new();
        let mut tried = 0;
        let known = |keys: &[EpochKey], key: &EpochKey| {
            keys.iter()
                .any(|known| known.commitment() == key.commitment())
        };
        for epoch in &epochs {
            for blob in blobs {
                tried += 1;
                if let Ok(key) = EpochKey::open(blob, *epoch, &self.keys)
                    && !known(&keys, &key)
                {
                    keys.push(key);
                }
            }
        }
        loop {
            let mut found = Vec::new();
            for key in &keys {
                for wrapped in epochs.iter().filter_map(|of| log.wrapped_key(of.number)) {
                    for epoch in &epochs {
                        tried += 1;
                        let opened = key.unwraps(wrapped, *epoch);
                        found.extend(opened.filter(|opened| !known(&keys, opened)));
                    }
                }
            }
            if found.is_empty() {
                return (keys, tried);
            }
            keys.extend(found);
        }
    }
}

fn column(relay: &Connection, query: &str) -> Outcome<Vec<Vec<u8>>> {
    let mut statement = relay.prepare(query)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
