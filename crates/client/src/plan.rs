//! The plan of a journal: reading it, changing it, and what it says of doses.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use journal::document::{Document, Item};
use journal::entry::{Author, Draft, Patch};
use journal::plan::{self, Due, Passed, Plan, Planned, Step, Taken};
use journal::{Actor, DocumentId, EntryId, Value};
use protocol::id::ChainId;
use protocol::role::Role;
use store::plan::PlanRow;
use store::{Reader, StoreError, Writer};

use crate::history::undo::{Did, Touched, note};
use crate::journal::{DamagedReplica, Journal};
use crate::os;
use crate::query::{EntryView, Filter, ReadError};
use crate::record::{RecordError, load, stored_tip};
use crate::row;

/// The span over which a dose is compared with others.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How far back doses can stand for planned times of the last day.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// A dose that passes limits of the user's own.
#[derive(Clone, Debug)]
pub struct OverLimit {
    /// The medicine, as it was planned at the time of the dose.
    pub medicine: Planned,
    /// The limits that it passes.
    pub passed: Vec<Passed>,
    /// Whether two of the doses that count may be one.
    pub doubtful: bool,
}

/// Two doses that may be one.
#[derive(Clone, Debug, PartialEq)]
pub struct DosePair {
    /// The earlier one.
    pub first: EntryView,
    /// The later one.
    pub second: EntryView,
}

impl Journal {
    /// Returns the plan.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn plan(&self) -> Result<Plan, ReadError> {
        let path = self.path();
        self.replica.read(|reader| {
            let authors = reader.authors()?;
            let mut items = Vec::new();
            for row in reader.plan()? {
                let damaged = || DamagedReplica::Entry { path: path.clone() };
                let fields = row::fields_of(&row.json).ok_or_else(damaged)?;
                items.push((row.key, fields, author(authors.get(&row.chain))));
            }
            Ok(Plan::new(items))
        })
    }

    /// Adds a step to the plan, durably.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then. Only owners change the plan.
    pub fn change_plan(&mut self, step: &Step) -> Result<(), RecordError> {
        self.leave_copied_chain()?;
        let path = self.path();
        self.replica.write(|writer| {
            require_owner(writer)?;
            let fields = step.to_fields()?;
            let now = os::now();
            let unix_ms = u64::try_from(now.as_millisecond()).map_err(|_| RecordError::Clock)?;
            let key = plan::step_key(EntryId::mint(unix_ms, os::random_bytes()));
            let name = DocumentId::Profile.to_string();
            let mut profile = load(DocumentId::Profile, &writer.document(&name)?, &path)?;
            let chain = writer.own()?.chain;
            let none = std::collections::BTreeSet::new();
            let change = profile.put(Actor(chain.0), now.as_second(), &key, &fields, &none)?;
            if let Some(change) = change {
                writer.record(&name, &chain, &change.bytes, &stored_tip(&change.tip), 1)?;
                adopt(writer, &profile)?;
                note(writer, Did::Plan, &[Touched::planned(key)])?;
            }
            Ok(())
        })
    }

    /// Returns what limits a dose would pass, if it passes any of the plan of its time. One that is in the journal already,
    /// as `itself`, is not counted twice.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn over_limit(
        &self,
        dose: &Draft,
        itself: Option<EntryId>,
    ) -> Result<Option<OverLimit>, ReadError> {
        let at = dose.at.instant();
        let text = |name: &str| dose.fields.get(name).and_then(Value::as_text);
        let medicine = text("medicine").map(|name| self.plan().map(|plan| plan.medicine(name, at)));
        let Some(medicine) = medicine.transpose()?.flatten() else {
            return Ok(None);
        };
        if text("taken") == Some("skipped") {
            return Ok(None);
        }
        let filter = Filter {
            since: at.checked_sub(DAY).ok(),
            until: at.checked_add(DAY).ok(),
            kind: Some("dose".to_owned()),
            ..Filter::default()
        };
        let mut doses = self.entries(&filter)?;
        doses.retain(|dose| {
            Some(dose.entry.id) != itself
                && is_of(dose, &medicine.name)
                && !crate::query::is_skipped(&dose.entry)
        });
        let amount = |fields: &journal::Fields| fields.get("amount_mg").and_then(plan::Mg::of);
        let others: Vec<Taken> = doses
            .iter()
            .map(|dose| Taken {
                at: dose.entry.at.instant(),
                amount: amount(&dose.entry.fields),
            })
            .collect();
        let taken = Taken {
            at,
            amount: amount(&dose.fields),
        };
        let passed = plan::passed(&medicine, taken, &others);
        Ok((!passed.is_empty()).then(|| OverLimit {
            doubtful: !pairs_of(doses).is_empty(),
            medicine,
            passed,
        }))
    }

    /// Returns the planned doses of the last and the next 24 hours for which none is logged, by time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn due(&self, now: Timestamp) -> Result<Vec<Due>, ReadError> {
        let plan = self.plan()?;
        let filter = Filter {
            since: now.checked_sub(LOOK_BACK).ok(),
            kind: Some("dose".to_owned()),
            ..Filter::default()
        };
        let doses = self.entries(&filter)?.into_iter().map(|view| view.entry);
        Ok(plan::due(
            &plan,
            &doses.collect::<Vec<_>>(),
            now,
            &self.zone(),
        ))
    }

    /// Returns the doses since a time that may be one, logged by two people; all of them without a time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn dose_pairs(&self, since: Option<Timestamp>) -> Result<Vec<DosePair>, ReadError> {
        let filter = Filter {
            since,
            kind: Some("dose".to_owned()),
            ..Filter::default()
        };
        Ok(pairs_of(self.entries(&filter)?))
    }

    /// Says that two doses are not the same.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn keep_both(&mut self, pair: &DosePair) -> Result<EntryView, RecordError> {
        let other = pair.first.entry.id.to_string();
        let patch = Patch {
            set: journal::Fields::from([(plan::NOT_SAME.to_owned(), other.into())]),
            ..Patch::default()
        };
        self.edit(&pair.second.entry.id.to_string(), &patch)
    }
}

fn is_of(dose: &EntryView, medicine: &str) -> bool {
    let name = dose.entry.fields.get("medicine").and_then(Value::as_text);
    name.is_some_and(|name| name.trim().to_lowercase() == medicine.trim().to_lowercase())
}

fn pairs_of(doses: Vec<EntryView>) -> Vec<DosePair> {
    let known: Vec<_> = doses
        .iter()
        .map(|dose| (&dose.entry, dose.author.person.as_str()))
        .collect();
    let pairs = plan::pairs(&known).into_iter().filter_map(|pair| {
        Some(DosePair {
            first: doses.get(pair.first)?.clone(),
            second: doses.get(pair.second)?.clone(),
        })
    });
    pairs.collect()
}

fn author(of: Option<&Arc<store::member::Author>>) -> Author {
    let unknown = || "unknown".to_owned();
    Author {
        person: of.map_or_else(unknown, |author| author.person_name.clone()),
        device: of.map_or_else(unknown, |author| author.device_name.clone()),
    }
}

/// Refuses to change the profile on a device whose role, as far as it knows, is not that of an owner: nobody would take
/// the change.
pub(crate) fn require_owner(reader: &Reader<'_>) -> Result<(), RecordError> {
    crate::record::require_writer(reader)?;
    let device = reader.own()?.device;
    let members = reader.members()?.into_iter();
    let mut own = members.filter(|member| member.device == device);
    if own.any(|member| member.role == Some(Role::Owner)) {
        Ok(())
    } else {
        Err(RecordError::NotOwner)
    }
}

/// Takes the steps of the profile into the read model.
pub(crate) fn adopt(writer: &mut Writer<'_>, profile: &Document) -> Result<(), StoreError> {
    let items = profile.items().into_iter();
    let row = |item: Item| PlanRow {
        chain: ChainId(item.created_by.0),
        json: row::fields_to_json(&item.fields).to_string(),
        key: item.key,
    };
    let rows: Vec<PlanRow> = items
        .filter(|item| plan::is_step_key(&item.key))
        .map(row)
        .collect();
    writer.put_plan(&rows)
}
