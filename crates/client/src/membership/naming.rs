//! Naming: what people and devices are called after they joined, and the zone at home.
//!
//! All of it lives in the profile, which only owners write: it works with no network, syncs as entries do, and can be undone.
//! A name in the member log stays as it is, for whoever reads the log alone.

use jiff::tz::TimeZone;
use journal::change::NewChange;
use journal::document::AgainError;
use journal::{Actor, DocumentId, Fields};
use protocol::limits;
use seal::NameError;
use store::StoreError;

use crate::error::Family;
use crate::history::undo::{Did, Touched, note};
use crate::home::OpenError;
use crate::journal::{Journal, LoadError, load_keys, load_log};
use crate::membership::member::MemberError;
use crate::membership::removal::{Target, target};
use crate::people::{self, Names};
use crate::plan::require_owner;
use crate::record::{RecordError, load, store_change};
use crate::{os, profile};

/// Why a name or the zone could not be changed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum NamingError {
    /// Nobody and nothing is meant, or the name is none.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Another person, or another device of the same person, is called so.
    #[error("there is a {0} called `{1}` already")]
    Taken(&'static str, String),
    /// The zone is unknown.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// This device may not change it, or it cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<LoadError> for NamingError {
    fn from(error: LoadError) -> Self {
        Self::Member(error.into())
    }
}

impl From<StoreError> for NamingError {
    fn from(error: StoreError) -> Self {
        Self::Member(error.into())
    }
}

impl From<OpenError> for NamingError {
    fn from(error: OpenError) -> Self {
        Self::Member(error.into())
    }
}

impl NamingError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Member(error) => error.family(),
            Self::Taken(..) => Family::CouldNot,
            Self::Zone(_) => Family::Usage,
            Self::Record(error) => error.family(),
        }
    }
}

/// Who or what has a new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Whether it is a person; otherwise a device.
    pub person: bool,
    /// The name before.
    pub from: String,
    /// The name now.
    pub to: String,
}

impl Journal {
    /// Gives a person or a device another name, for everybody and for what was written before.
    ///
    /// # Errors
    /// [`NamingError`]; nothing is changed then.
    pub fn rename(&mut self, whom: &str, to: &str) -> Result<Renamed, NamingError> {
        let (path, keys) = (self.path(), self.keys()?);
        let to: String = to.trim().chars().filter(|c| !c.is_control()).collect();
        if to.is_empty() || to.len() > limits::NAME_BYTES {
            return Err(MemberError::Name(NameError::Length).into());
        }
        let (key, renamed) = self.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let ring = load_keys(reader, &stored, &keys)?;
            let names = Names::of(&stored, &ring);
            let target = target(names, whom)?;
            if is_taken(names, &target, &to) {
                return Err(NamingError::Taken(kind(&target), to.clone()));
            }
            let (key, from) = match &target {
                Target::Person(id) => (people::person_key(id), names.person(id)),
                Target::Device(id) => (people::device_key(id), names.device(id)),
            };
            let person = matches!(target, Target::Person(_));
            let to = to.clone();
            Ok((key, Renamed { person, from, to }))
        })?;
        let name = |name: &str| Fields::from([(profile::NAME.to_owned(), name.into())]);
        let (before, after) = (name(&renamed.from), name(&renamed.to));
        self.change_profile(&key, &before, &after, Did::Rename)?;
        Ok(renamed)
    }

    /// Changes the zone at home, by which days begin and end, for everybody. Returns the one before.
    ///
    /// # Errors
    /// [`NamingError`]; nothing is changed then.
    pub fn set_zone(&mut self, zone: &str) -> Result<String, NamingError> {
        let found = TimeZone::get(zone.trim()).ok();
        let known = found.as_ref().and_then(TimeZone::iana_name);
        let known = known.ok_or_else(|| NamingError::Zone(zone.to_owned()))?;
        let field = |zone: &str| Fields::from([(profile::ZONE.to_owned(), zone.into())]);
        let before = self.own.zone.clone();
        let (old, new) = (field(&before), field(known));
        self.change_profile(profile::PATIENT, &old, &new, Did::Zone)?;
        self.own.zone = known.to_owned();
        Ok(before)
    }

    /// Sets fields of an item of the profile, which is made if there is none; `before` is what an item that is not there says.
    fn change_profile(
        &mut self,
        key: &str,
        before: &Fields,
        set: &Fields,
        did: Did,
    ) -> Result<(), RecordError> {
        self.leave_copied_chain()?;
        let path = self.path();
        self.replica.write(|writer| {
            require_owner(writer)?;
            let id = DocumentId::Profile;
            let mut document = load(id, &writer.document(&id.to_string())?, &path)?;
            let old = document.item(key).map(|item| item.fields);
            let chain = writer.own()?.chain;
            let none = std::collections::BTreeSet::new();
            let time = os::now().as_second();
            let change: Result<Option<NewChange>, AgainError> =
                document.put(Actor(chain.0), time, key, set, &none);
            let Some(change) = change? else {
                return Ok(());
            };
            store_change(writer, id, &chain, &change)?;
            profile::adopt(writer, &document)?;
            let new = document.item(key).map(|item| item.fields);
            let (old, new) = (old.as_ref().unwrap_or(before), new.unwrap_or_default());
            let touched = Touched::changed(id, key, old, &new);
            note(writer, did, touched.as_slice())?;
            Ok(())
        })
    }
}

fn kind(target: &Target) -> &'static str {
    match target {
        Target::Person(_) => "person",
        Target::Device(_) => "device",
    }
}

/// Tells whether another one that could be meant by a name has it already.
fn is_taken(names: Names<'_>, target: &Target, name: &str) -> bool {
    let wanted = name.to_lowercase();
    let log = names.log;
    match target {
        Target::Person(own) => {
            let mut people = log.persons().keys().filter(|id| *id != own);
            people.any(|id| names.person(id).to_lowercase() == wanted)
        }
        Target::Device(own) => {
            let person = log.devices().get(own).map(|device| device.person);
            let same = |person_of: &protocol::id::PersonId| Some(*person_of) == person;
            let mut devices = log.devices().iter();
            devices.any(|(id, device)| {
                id != own && same(&device.person) && names.device(id).to_lowercase() == wanted
            })
        }
    }
}
