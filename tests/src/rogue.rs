//! A client that keeps to no rule: what `bin/rogue.rs` does.
//!
//! Owns the keys, the log and the documents that an attacker works with, and where what it makes goes. `records` makes
//! member-log records, `writing` envelopes, `hostile` and `layout` the batches that no encoder makes, `newer` what a
//! later ebb may write, `asking` speaks HTTP, `opening` tries keys. Nothing here is checked before it is sent: that is the others' part.

mod asking;
mod hostile;
mod layout;
mod newer;
mod opening;
mod records;
mod writing;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use getrandom::SysRng;
use protocol::bundle::{BundleWriter, ItemKind};
use protocol::id::KeyId;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::sign::Signer;
use rand_core::{Rng, UnwrapErr};
use seal::{EpochKey, KeyPair, Keyring, Seed};
use serde_json::Value;
use store::Replica;

/// Whatever goes wrong ends the attempt, in words.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Does what the command line says, and returns what is to be printed.
///
/// # Errors
/// What went wrong here. That a relay refuses is an answer, not an error.
pub fn run(arguments: &[String]) -> Outcome<Value> {
    let line = Line(arguments);
    let rogue = Rogue::open(&line)?;
    match (line.word(0), line.word(1)) {
        (Some("ask"), Some(what)) => rogue.ask(what, &line),
        (Some("record"), Some(what)) => rogue.record(what, &line),
        (Some("write"), Some(what)) => rogue.write(what, &line),
        (Some("decrypt"), _) => rogue.decrypt(Path::new(line.need("--database")?)),
        _ => Err("ask, record, write or decrypt, and what".into()),
    }
}

/// The command line: words first, then options with a value each.
struct Line<'a>(&'a [String]);

impl Line<'_> {
    fn word(&self, place: usize) -> Option<&str> {
        let word = self.0.get(place)?;
        (!word.starts_with("--")).then_some(word.as_str())
    }

    fn option(&self, name: &str) -> Option<&str> {
        let place = self.0.iter().position(|word| word == name)?;
        self.0.get(place + 1).map(String::as_str)
    }

    fn need(&self, name: &str) -> Outcome<&str> {
        self.option(name)
            .ok_or_else(|| format!("{name} is missing").into())
    }
}

/// An attacker: keys of its own, and everything else that anybody has.
struct Rogue {
    keys: KeyPair,
    log: MemberLog,
    records: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
    /// The epoch keys that its own keys open.
    ring: Keyring,
    /// For the epochs whose keys it lacks, some that it made up.
    made_up: BTreeMap<u32, EpochKey>,
    replica: Replica,
}

impl Rogue {
    fn open(line: &Line<'_>) -> Outcome<Self> {
        let home = Path::new(line.need("--home")?);
        let keys = match file(home, "device.key") {
            Some(path) => device_keys(&path)?,
            None => KeyPair::of_device(&Seed::random(&mut random())),
        };
        let log_of = line.option("--log-of").map_or(home, Path::new);
        let path = file(log_of, "replica.db").ok_or("no replica")?;
        let replica = Replica::open(&path)?;
        let (records, blobs) = replica
            .read(|reader| Ok::<_, store::StoreError>((reader.log_records()?, reader.blobs()?)))?;
        let blobs: Vec<Vec<u8>> = blobs.into_iter().map(|(_, blob)| blob).collect();
        let log = read_log(&records)?;
        let ring = opening::ring(&log, &keys, &blobs);
        let lacking = (0..=log.epoch().number).filter(|epoch| ring.get(*epoch).is_none());
        let made_up = lacking
            .map(|epoch| (epoch, EpochKey::random(epoch, &mut random())))
            .collect();
        Ok(Self {
            keys,
            log,
            records,
            blobs,
            ring,
            made_up,
            replica,
        })
    }

    /// Returns its own id.
    fn id(&self) -> KeyId {
        self.keys.key_id()
    }

    /// Returns the key of an epoch; a key that it made up if it has none.
    fn key(&self, epoch: u32) -> Outcome<&EpochKey> {
        let known = self.ring.get(epoch).or_else(|| self.made_up.get(&epoch));
        Ok(known.ok_or("no such epoch")?)
    }

    /// Writes a bundle of the log, with more records behind it, and of envelopes.
    fn bundle(
        &self,
        path: &Path,
        more: &[Vec<u8>],
        blobs: &[Vec<u8>],
        envelopes: &[Vec<u8>],
    ) -> Outcome<()> {
        let mut writer = BundleWriter::begin(File::create(path)?, &self.log.journal())?;
        for record in self.records.iter().chain(more) {
            writer.item(ItemKind::Record, record)?;
        }
        for blob in self.blobs.iter().chain(blobs) {
            writer.item(ItemKind::Blob, blob)?;
        }
        for envelope in envelopes {
            writer.item(ItemKind::Envelope, envelope)?;
        }
        writer.end()?;
        Ok(())
    }
}

/// Returns the operating system's randomness.
fn random() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random().fill_bytes(&mut bytes);
    bytes
}

/// Returns the seconds since the Unix epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Finds a file of the one journal in a home.
fn file(home: &Path, name: &str) -> Option<PathBuf> {
    let journals = fs::read_dir(home.join("journals")).ok()?;
    let mut paths = journals.flatten().map(|entry| entry.path().join(name));
    paths.find(|path| path.exists())
}

/// Reads a device's secret: the second line of its file, in hex.
fn device_keys(path: &Path) -> Outcome<KeyPair> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().nth(1).ok_or("no secret")?;
    let bytes = HEXLOWER.decode(line.as_bytes())?;
    let seed: [u8; 32] = bytes.try_into().map_err(|_| "a secret has 32 bytes")?;
    Ok(KeyPair::of_device(&Seed::from_bytes(seed)))
}

fn read_log(records: &[Vec<u8>]) -> Outcome<MemberLog> {
    let (first, rest) = records.split_first().ok_or("an empty log")?;
    let mut log = MemberLog::start(SignedRecord::parse(first)?)?;
    for record in rest {
        log.append(SignedRecord::parse(record)?)?;
    }
    Ok(log)
}
