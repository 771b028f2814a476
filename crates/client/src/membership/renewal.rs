//! Renewing a journal: the way out when its member log has forked, its keys are feared stolen, or its history must go.
//!
//! An owner starts a new journal and carries every entry over, each with the name of whoever wrote it. What is carried is how
//! each entry stands now: its history, and all keys, are left behind with the old journal, which stays as it is until it is
//! erased or left. The profile of the new journal names the old one.

use std::collections::BTreeSet;

use journal::change;
use journal::document::{AgainError, Document, Item};
use journal::{Actor, DocumentId, Fields, Scalar, Value};
use protocol::role::Role;

use crate::error::Family;
use crate::genesis::{Init, InitError, NewRelay};
use crate::home::Home;
use crate::journal::{DamagedReplica, Journal, LoadError};
use crate::os;
use crate::progress::Progress;
use crate::query::ReadError;
use crate::record::{load, store_change};
use crate::{again, profile, row};

/// The profile's item about the journal itself, and its field with the id of the journal that this one renews.
const JOURNAL: (&str, &str) = ("journal", "renews");
/// How many entries share one change.
const ENTRIES_AT_ONCE: usize = 100;

/// Why a journal cannot be renewed. The old one stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// Only an owner may renew a journal.
    #[error("only an owner may renew a journal")]
    NotOwner,
    /// The new journal cannot be started.
    #[error(transparent)]
    Init(#[from] InitError),
    /// An entry cannot be carried over.
    #[error("an entry cannot be carried over")]
    Change(#[from] change::CreateError),
    /// An item of the profile cannot be carried over.
    #[error("the profile cannot be carried over")]
    Profile(#[from] AgainError),
    /// The old journal cannot be read, or the new one written.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<LoadError> for RenewError {
    fn from(error: LoadError) -> Self {
        Self::Read(error.into())
    }
}

impl From<store::StoreError> for RenewError {
    fn from(error: store::StoreError) -> Self {
        Self::Read(error.into())
    }
}

impl From<DamagedReplica> for RenewError {
    fn from(error: DamagedReplica) -> Self {
        Self::Read(error.into())
    }
}

impl RenewError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::NotOwner => Family::NotPermitted,
            Self::Init(error) => error.family(),
            Self::Change(_) | Self::Profile(_) => Family::CouldNot,
            Self::Read(error) => error.family(),
        }
    }
}

/// What was carried over, and who is to be invited anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Entries carried over, deleted ones included.
    pub entries: u64,
    /// Ids of entries that no change can carry, since somebody has filled them up: they stay in the old journal.
    pub left: Vec<String>,
    /// The other people, and what they might do.
    pub people: Vec<(String, Role)>,
}

/// The documents of the old journal, with the names of their authors filled in.
struct Carried {
    documents: Vec<(DocumentId, Vec<(String, Fields)>)>,
    people: Vec<(String, Role)>,
    init: Init,
}

impl Home {
    /// Starts a new journal with everything that the old one holds. `relay` is where; without one it stays on this device.
    ///
    /// # Errors
    /// [`RenewError`].
    pub async fn renew(
        &self,
        old: &Journal,
        relay: Option<NewRelay>,
        progress: &dyn Progress,
    ) -> Result<(Journal, Renewed), RenewError> {
        let carried = gather(old, relay)?;
        let mut new = self.init_another(&carried.init).await?;
        let mut renewed = Renewed {
            entries: 0,
            left: Vec::new(),
            people: carried.people,
        };
        for (id, items) in &carried.documents {
            for some in items.chunks(ENTRIES_AT_ONCE) {
                let carried = new.carry_all(*id, some, &mut renewed.left)?;
                if *id != DocumentId::Profile {
                    renewed.entries += carried;
                }
            }
            progress.update(renewed.entries, None);
        }
        Ok((new, renewed))
    }
}

impl Journal {
    /// Records items of another journal as they stand, in as few changes as can carry them; returns how many it recorded, and
    /// adds those that none can carry to `left`.
    fn carry_all(
        &mut self,
        id: DocumentId,
        items: &[(String, Fields)],
        left: &mut Vec<String>,
    ) -> Result<u64, RenewError> {
        match self.carry(id, items) {
            Ok(()) => Ok(u64::try_from(items.len()).unwrap_or(0)),
            Err(RenewError::Change(_) | RenewError::Profile(_)) => match items {
                [] => Ok(0),
                [(key, _)] => {
                    left.push(key.clone());
                    Ok(0)
                }
                many => {
                    let (first, second) = many.split_at(many.len() / 2);
                    let before = self.carry_all(id, first, left)?;
                    Ok(before + self.carry_all(id, second, left)?)
                }
            },
            Err(error) => Err(error),
        }
    }

    /// Records items of another journal as they stand, in one change.
    fn carry(&mut self, id: DocumentId, items: &[(String, Fields)]) -> Result<(), RenewError> {
        let path = self.path();
        self.replica.write(|writer| {
            let own = writer.own()?;
            let name = id.to_string();
            let mut document = load(id, &writer.document(&name)?, &path)?;
            let now = os::now();
            let actor = Actor(own.chain.0);
            if id == DocumentId::Profile {
                // The new journal has some of the items already.
                for (key, fields) in items {
                    let none = BTreeSet::new();
                    let change = document.put(actor, now.as_second(), key, fields, &none)?;
                    if let Some(change) = change {
                        store_change(writer, id, &own.chain, &change)?;
                    }
                }
                profile::adopt(writer, &document)?;
                return Ok(());
            }
            let borrowed: Vec<_> = items
                .iter()
                .map(|(key, fields)| (key.as_str(), fields))
                .collect();
            let tip = document.tips().remove(&actor);
            let change = change::create(actor, tip.as_ref(), now.as_second(), &borrowed)?;
            store_change(writer, id, &own.chain, &change)?;
            document = load(id, &writer.document(&name)?, &path)?;
            let rows: Vec<_> = borrowed
                .iter()
                .filter_map(|(key, _)| row::row(&document.item(key)?, now.as_millisecond()))
                .collect();
            writer.put_entries(&rows)?;
            Ok(())
        })
    }
}

fn gather(old: &Journal, relay: Option<NewRelay>) -> Result<Carried, RenewError> {
    let path = old.path();
    let status = old.status()?;
    if status.role != Some(Role::Owner) {
        return Err(RenewError::NotOwner);
    }
    let people = old.members()?.into_iter();
    let people = people
        .filter(|person| person.name != status.person)
        .filter_map(|person| Some((person.name, person.role?)))
        .collect();
    let documents = old.replica.read(|reader| {
        let authors = again::authors(reader)?;
        let mut documents = Vec::new();
        for name in reader.documents()? {
            let damaged = || DamagedReplica::Entry { path: path.clone() };
            let id: DocumentId = name.parse().map_err(|_| damaged())?;
            let document: Document = load(id, &reader.document(&name)?, &path)?;
            let vouched = |item: Item| {
                let mut fields = item.fields;
                if id != DocumentId::Profile
                    && let Some(names) = authors.get(&protocol::id::ChainId(item.created_by.0))
                {
                    fields
                        .entry(again::AUTHOR.to_owned())
                        .or_insert_with(|| names.clone());
                }
                (item.key, fields)
            };
            // Names are of people and devices of the old log; the new one begins with what they are called now.
            let items = document.items().into_iter();
            let items = items.filter(|item| !crate::people::is_name_key(&item.key));
            documents.push((id, items.map(vouched).collect()));
        }
        Ok::<Vec<(DocumentId, Vec<(String, Fields)>)>, RenewError>(documents)
    })?;
    let renews = Value::Scalar(Scalar::Text(old.id().to_string()));
    let pointer = Fields::from([(JOURNAL.1.to_owned(), renews)]);
    let mut documents = documents;
    documents.push((DocumentId::Profile, vec![(JOURNAL.0.to_owned(), pointer)]));
    Ok(Carried {
        documents,
        people,
        init: Init {
            name: status.person,
            device: status.device,
            zone: old.own.zone.clone(),
            relay,
        },
    })
}
