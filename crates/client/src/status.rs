//! The state of this device and of the journal's people, from the replica alone.

pub mod doctor;

use jiff::Timestamp;
use protocol::id::{KeyId, PersonId};
use protocol::log::MemberLog;
use protocol::role::Role;
use store::member::MemberRow;
use store::{Reader, StoreError};

use crate::bundle::LAST_BUNDLE;
use crate::journal::{DamagedReplica, Journal, LoadError, load_log};
use crate::people;
use crate::query::ReadError;
use crate::sync::RECEIVED;

/// A person of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The most that any of the person's devices may do; none if none is a member any more.
    pub role: Option<Role>,
    /// The devices, by when they joined.
    pub devices: Vec<Device>,
}

/// A device of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name.
    pub name: String,
    /// The start of its id, to compare by eye.
    pub fingerprint: String,
    /// What it may do; none if it is no member any more.
    pub role: Option<Role>,
    /// When it joined, as it said.
    pub joined_at: Option<Timestamp>,
    /// When something new was last received from it; for this device, when it last recorded something that was sealed.
    pub last_heard: Option<Timestamp>,
    /// Whether it is in.
    pub standing: Standing,
    /// Whose invite it came by, as `person, device`; none for the first device.
    pub invited_by: Option<String>,
    /// Whether it is a recovery phrase on paper.
    pub paper: bool,
    /// Whether it is this one.
    pub this: bool,
}

/// Whether a device is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is a member.
    Member,
    /// It has joined, and waits for an owner to approve it.
    Waiting,
    /// It was a member once.
    Removed,
}

/// A journal on this device in a few words: whose it is, and what this device is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The journal's id.
    pub journal: String,
    /// The person who started it.
    pub patient: String,
    /// Whose device this is.
    pub person: String,
    /// Its name.
    pub device: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it is in.
    pub standing: Standing,
    /// Whether an owner has erased the journal.
    pub erased: bool,
    /// Own changes that no relay has yet.
    pub unsent: u64,
}

/// What this device knows of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// Its origin.
    pub url: String,
    /// Whether it is the home relay.
    pub home: bool,
    /// When a sync with it last succeeded.
    pub last_sync: Option<Timestamp>,
    /// Why the last one failed, if it did.
    pub last_error: Option<String>,
    /// Bytes that the journal uses there.
    pub quota_used: Option<u64>,
    /// Bytes that it may use.
    pub quota_limit: Option<u64>,
}

/// A snapshot that this device goes on from: what it covers is known from it alone, in part or whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Whose device made it, as `person, device`.
    pub by: String,
    /// Whose devices checked it, as `person, device`.
    pub checked_by: Vec<String>,
}

/// Whether a journal is anywhere but on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondCopy {
    /// It has no relay and no other device, and no bundle was written.
    None,
    /// It has a relay, and no sync has succeeded yet.
    NotYet,
    /// It is somewhere else too, as it was then.
    There,
}

/// The state of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The journal's id.
    pub journal: String,
    /// Whose device this is.
    pub person: String,
    /// Its name.
    pub device: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it is in.
    pub standing: Standing,
    /// Whether an owner has erased the journal.
    pub erased: bool,
    /// Whether a recovery phrase is a member.
    pub phrase: bool,
    /// Entries that stand.
    pub entries: u64,
    /// Own changes that no relay has yet.
    pub unsent: u64,
    /// Changes of others ever received.
    pub received: u64,
    /// Envelopes that are kept and not merged.
    pub held: u64,
    /// The number of records of the member log.
    pub log_length: u32,
    /// The head of the member log in four words, to compare with another device's.
    pub log_words: String,
    /// The relays.
    pub relays: Vec<RelayStatus>,
    /// The devices of all people.
    pub devices: Vec<Device>,
    /// Who vouches for what this device knows from a snapshot alone; none if there is nothing such.
    pub vouched: Option<Vouched>,
    /// When a bundle was last written here.
    pub last_bundle: Option<Timestamp>,
    /// Whether the journal is anywhere else too.
    pub second_copy: SecondCopy,
    /// What the user should know, in words.
    pub warnings: Vec<String>,
}

impl From<LoadError> for ReadError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            LoadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl Journal {
    /// Returns the people of the journal with their devices, by when they joined.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn members(&self) -> Result<Vec<Person>, ReadError> {
        let mut people: Vec<(PersonId, Person)> = Vec::new();
        for (row, device) in self.devices()? {
            let place = people
                .iter()
                .position(|(id, _)| *id == row.person)
                .unwrap_or(people.len());
            if place == people.len() {
                let person = Person {
                    name: row.person_name,
                    role: None,
                    devices: Vec::new(),
                };
                people.push((row.person, person));
            }
            if let Some((_, person)) = people.get_mut(place) {
                person.role = person.role.max(device.role);
                person.devices.push(device);
            }
        }
        Ok(people.into_iter().map(|(_, person)| person).collect())
    }

    fn devices(&self) -> Result<Vec<(MemberRow, Device)>, ReadError> {
        let path = self.path();
        self.replica
            .read(|reader| Ok(devices(reader, &load_log(reader, &path)?.log)?))
    }

    /// Returns what this journal is in a few words.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn about(&self) -> Result<About, ReadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let log = load_log(reader, &path)?.log;
            let devices = devices(reader, &log)?;
            let first = |row: &MemberRow| {
                let device = log.devices().get(&row.device);
                device.is_some_and(|device| device.invite.is_none())
            };
            let first = devices.iter().find(|(row, _)| first(row));
            let patient = first.map_or(people::UNNAMED, |(row, _)| row.person_name.as_str());
            let this = devices.iter().find(|(_, device)| device.this);
            let (row, device) = this.ok_or_else(|| DamagedReplica::Log { path: path.clone() })?;
            Ok(About {
                journal: self.own.journal.to_string(),
                patient: patient.to_owned(),
                person: row.person_name.clone(),
                device: row.device_name.clone(),
                fingerprint: device.fingerprint.clone(),
                role: device.role,
                standing: device.standing,
                erased: log.is_erased(),
                unsent: reader.unsent_count(None)?,
            })
        })
    }

    /// Returns the state of this device.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn status(&self) -> Result<Status, ReadError> {
        let path = self.path();
        let devices = self.devices()?;
        let this = devices.iter().find(|(_, device)| device.this).cloned();
        let (row, device) = this.ok_or_else(|| DamagedReplica::Log { path: path.clone() })?;
        let mut status = self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let states = reader.relays()?;
            let relays = stored.log.relays().iter().enumerate().map(|(place, url)| {
                let state = states.iter().find(|state| state.url == *url);
                let quota = state.and_then(|state| state.quota);
                RelayStatus {
                    url: url.clone(),
                    home: place == 0,
                    last_sync: state.and_then(|state| instant(self.last_sync_ms(state)?)),
                    last_error: state.and_then(|state| state.last_error.clone()),
                    quota_used: quota.map(|quota| quota.used),
                    quota_limit: quota.map(|quota| quota.limit),
                }
            });
            Ok::<_, LoadError>(Status {
                journal: self.own.journal.to_string(),
                person: row.person_name,
                device: row.device_name,
                fingerprint: device.fingerprint,
                role: device.role,
                standing: device.standing,
                erased: stored.log.is_erased(),
                phrase: devices
                    .iter()
                    .any(|(row, device)| row.paper && device.role.is_some()),
                entries: reader.entry_count(false)?,
                unsent: reader.unsent_count(None)?,
                received: reader
                    .setting(RECEIVED)?
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0),
                held: reader.held()?.len().try_into().unwrap_or(u64::MAX),
                log_length: stored.log.length(),
                log_words: people::head_in_words(&stored.log),
                relays: relays.collect(),
                devices: Vec::new(),
                vouched: vouched(reader)?,
                last_bundle: reader
                    .setting(LAST_BUNDLE)?
                    .and_then(|ms| instant(ms.parse().ok()?)),
                second_copy: SecondCopy::None,
                warnings: Vec::new(),
            })
        })?;
        status.devices = devices.into_iter().map(|(_, device)| device).collect();
        status.second_copy = second_copy(&status);
        status.warnings = warnings(&status);
        Ok(status)
    }

    /// Returns when a sync last succeeded with any relay.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn last_sync(&self) -> Result<Option<Timestamp>, ReadError> {
        let relays = self.replica.read(|reader| reader.relays())?;
        Ok(relays
            .iter()
            .filter_map(|relay| instant(self.last_sync_ms(relay)?))
            .max())
    }
}

/// Says who made and who checked the newest snapshot that was adopted here.
fn vouched(reader: &Reader<'_>) -> Result<Option<Vouched>, StoreError> {
    let Some(snapshot) = crate::snapshot::newest_adopted(reader)? else {
        return Ok(None);
    };
    let rows = reader.members()?;
    let named = |id: &KeyId| {
        let row = rows.iter().find(|row| row.device == *id);
        row.map_or_else(
            || people::fingerprint(id),
            |row| format!("{}, {}", row.person_name, row.device_name),
        )
    };
    let checked = reader.acknowledgements(&snapshot.hash())?;
    Ok(Some(Vouched {
        by: named(&snapshot.manifest().author.device),
        checked_by: checked.iter().map(|(device, _)| named(device)).collect(),
    }))
}

/// Reads the devices of all people, by when they joined.
fn devices(reader: &Reader<'_>, log: &MemberLog) -> Result<Vec<(MemberRow, Device)>, StoreError> {
    let own = reader.own()?.device;
    let rows = reader.members()?;
    let named = |id: &KeyId| {
        let row = rows.iter().find(|row| row.device == *id);
        row.map(|row| format!("{}, {}", row.person_name, row.device_name))
    };
    let inviter = |row: &MemberRow| {
        let invite = log.devices().get(&row.device)?.invite?;
        named(&log.invites().get(&invite)?.by)
    };
    let device = |row: &MemberRow| {
        let waiting = log.devices().get(&row.device).map(|of| of.is_waiting());
        Ok(Device {
            name: row.device_name.clone(),
            fingerprint: people::fingerprint(&row.device),
            role: row.role,
            joined_at: i64::try_from(row.joined)
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            last_heard: reader.last_heard(&row.device)?.and_then(instant),
            standing: match (row.role, waiting) {
                (Some(_), _) => Standing::Member,
                (None, Some(true)) => Standing::Waiting,
                (None, _) => Standing::Removed,
            },
            invited_by: inviter(row),
            paper: row.paper,
            this: row.device == own,
        })
    };
    let devices = rows.iter().map(|row| Ok((row.clone(), device(row)?)));
    devices.collect()
}

fn instant(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

fn second_copy(status: &Status) -> SecondCopy {
    let others = |device: &Device| !device.this && !device.paper && device.role.is_some();
    let synced = status.relays.iter().any(|relay| relay.last_sync.is_some());
    if status.last_bundle.is_some() || synced {
        SecondCopy::There
    } else if !status.relays.is_empty() {
        SecondCopy::NotYet
    } else if status.devices.iter().any(others) {
        SecondCopy::There
    } else {
        SecondCopy::None
    }
}

fn warnings(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    for relay in &status.relays {
        if let Some(error) = &relay.last_error {
            warnings.push(format!("the last sync with {} failed: {error}", relay.url));
        }
    }
    warnings
}
