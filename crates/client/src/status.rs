//! The state of this device and of the journal's people, from the replica alone.

use jiff::Timestamp;
use protocol::id::{KeyId, PersonId};
use protocol::role::Role;
use store::member::MemberRow;

use crate::journal::{Journal, LoadError, load_log};
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
    /// Whether it is this one.
    pub this: bool,
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

/// The state of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The journal's id.
    pub journal: String,
    /// Whose device this is.
    pub person: String,
    /// Its name.
    pub device: String,
    /// What it may do.
    pub role: Option<Role>,
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
        self.replica.read(|reader| {
            let own = reader.own()?.device;
            reader
                .members()?
                .into_iter()
                .map(|row| {
                    let last_heard = reader.last_heard(&row.device)?;
                    let device = device(&row, &own, last_heard);
                    Ok((row, device))
                })
                .collect()
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
                person: String::new(),
                device: String::new(),
                role: None,
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
                warnings: Vec::new(),
            })
        })?;
        if let Some((row, device)) = this {
            status.person = row.person_name;
            status.device = row.device_name;
            status.role = device.role;
        }
        status.devices = devices.into_iter().map(|(_, device)| device).collect();
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

fn device(row: &MemberRow, own: &KeyId, last_heard: Option<i64>) -> Device {
    Device {
        name: row.device_name.clone(),
        fingerprint: people::fingerprint(&row.device),
        role: row.role,
        joined_at: i64::try_from(row.joined)
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok()),
        last_heard: last_heard.and_then(instant),
        this: row.device == *own,
    }
}

fn instant(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

fn warnings(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    let others = status
        .devices
        .iter()
        .any(|device| !device.this && device.role.is_some());
    if status.relays.is_empty() && !others {
        warnings.push(
            "there is no second copy of this journal: no relay, and no other device".to_owned(),
        );
    } else if !status.relays.is_empty()
        && status.relays.iter().all(|relay| relay.last_sync.is_none())
    {
        warnings
            .push("no sync has succeeded yet: there is no second copy of this journal".to_owned());
    }
    for relay in &status.relays {
        if let Some(error) = &relay.last_error {
            warnings.push(format!("the last sync with {} failed: {error}", relay.url));
        }
    }
    if status.held > 0 {
        warnings.push(format!("{} envelopes are kept and not merged", status.held));
    }
    warnings
}
