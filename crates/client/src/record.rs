//! Recording: new entries, corrections, deletion and its undoing. Everything is durable when it returns.
//!
//! A new entry loads no document: its change follows the chain's own last change there. A correction loads the entry's
//! month. Either way the change, the chain's new tip and the row of the read model are one transaction.

use std::path::PathBuf;

use jiff::Timestamp;
use journal::change::{self, ChangeHash, CreateError, NewChange, Tip};
use journal::document::{Document, Item, UpdateError};
use journal::entry::{Draft, Edit, Entry, Patch, Status};
use journal::validate::Invalid;
use journal::{Actor, DocumentId, EntryId};
use protocol::id::ChainId;
use store::document::{DocumentParts, StoredTip};
use store::entry::{EntryKey, EntryRow};
use store::{Reader, StoreError, Writer};

use crate::again::{CopiedError, RebuildError};
use crate::error::Family;
use crate::history::undo::{Did, Touched, note};
use crate::home::OpenError;
use crate::journal::{DamagedReplica, Journal, LoadError, store_family};
use crate::os;
use crate::people;
use crate::progress::Progress;
use crate::query::{EntryView, LookupError, ReadError};
use crate::row;

/// The status of a deleted entry.
pub(crate) const DELETED: Status = Status::EnteredInError;
/// The field with an entry's status.
pub(crate) const STATUS: &str = "status";
/// How many entries of the past share one transaction.
const PAST_AT_ONCE: usize = 1_000;
/// How many entries one change carries at most.
pub(crate) const TOGETHER: usize = 200;
/// How many loose parts a document may have before an edit joins them into one.
const MANY_PARTS: usize = 64;

/// Why an entry could not be recorded or changed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A field is unknown or out of range.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// This device's clock is so far off that no entry can be dated.
    #[error("the clock of this device is far off; an entry cannot be dated")]
    Clock,
    /// This device may only read.
    #[error("this device may read this journal, not write in it")]
    ReadOnly,
    /// An owner has ended the journal.
    #[error("this journal was erased by its owner; what is on this device can still be read")]
    Erased,
    /// This device may write entries, and not change the profile.
    #[error("only an owner of this journal may change its plan, names and zone")]
    NotOwner,
    /// No entry has this id.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The change cannot be made.
    #[error("the entry cannot be written")]
    Create(#[from] CreateError),
    /// The correction cannot be made.
    #[error("the correction cannot be written")]
    Update(#[from] UpdateError),
    /// An entry of a copied replica cannot be recorded again.
    #[error("an entry cannot be recorded again")]
    Again(#[from] journal::document::AgainError),
    /// The device's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] OpenError),
    /// The replica is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedReplica),
    /// The replica cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RecordError {
    /// Returns the family of the failure.
    pub fn family(&self) -> Family {
        match self {
            Self::Invalid(_) => Family::Usage,
            Self::ReadOnly | Self::NotOwner | Self::Erased => Family::NotPermitted,
            Self::Clock | Self::Create(_) | Self::Update(_) | Self::Again(_) => Family::CouldNot,
            Self::Secret(error) => error.family(),
            Self::Lookup(error) => error.family(),
            Self::Damaged(_) => Family::Damaged,
            Self::Store(error) => store_family(error),
        }
    }
}

impl From<CopiedError> for RecordError {
    fn from(error: CopiedError) -> Self {
        match error {
            CopiedError::Secret(error) => Self::Secret(error),
            CopiedError::Store(error)
            | CopiedError::Rebuild(RebuildError::Load(LoadError::Store(error))) => {
                Self::Store(error)
            }
            CopiedError::Rebuild(RebuildError::Load(LoadError::Damaged(error))) => {
                Self::Damaged(error)
            }
            CopiedError::Rebuild(RebuildError::Again(error)) => Self::Again(error),
        }
    }
}

impl From<ReadError> for RecordError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl Journal {
    /// Records an entry, durably.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is recorded then.
    pub fn record(&mut self, draft: &Draft) -> Result<EntryView, RecordError> {
        let mut views = self.record_all(std::slice::from_ref(draft))?;
        views.pop().ok_or(RecordError::Clock)
    }

    /// Records entries, durably, as one action that can be undone.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is recorded then.
    pub fn record_all(&mut self, drafts: &[Draft]) -> Result<Vec<EntryView>, RecordError> {
        self.leave_copied_chain()?;
        let path = self.path();
        self.replica.write(|writer| {
            require_writer(writer)?;
            let own = writer.own()?;
            let mut ids = Vec::new();
            let mut touched = Vec::new();
            for draft in drafts {
                let row = record_one(writer, &own.chain, draft, os::now())?;
                let id = EntryId::from_bytes(row.id.0).map_err(|_| RecordError::Clock)?;
                let document = DocumentId::of(id).map_err(|_| RecordError::Clock)?;
                touched.push(Touched::logged(id, document));
                ids.push(id);
                writer.put_entries(&[row])?;
            }
            note(writer, Did::Log, &touched)?;
            let views = ids.into_iter().map(|id| EntryView::read(writer, &path, id));
            Ok(views.collect::<Result<_, _>>()?)
        })
    }

    /// Records entries of the past, each as an action of its own and with an id of its own time, so that each lands in
    /// its own month. Many share one transaction: after a crash the first so many are there.
    ///
    /// # Errors
    /// [`RecordError`]; the transactions before stay.
    pub fn record_past(
        &mut self,
        drafts: &[Draft],
        progress: &dyn Progress,
    ) -> Result<(), RecordError> {
        self.leave_copied_chain()?;
        let total = u64::try_from(drafts.len()).ok();
        let mut done = 0;
        for some in drafts.chunks(PAST_AT_ONCE) {
            self.replica.write(|writer| {
                require_writer(writer)?;
                let own = writer.own()?;
                let rows: Vec<_> = some
                    .iter()
                    .map(|draft| record_one(writer, &own.chain, draft, draft.at.instant()))
                    .collect::<Result<_, _>>()?;
                Ok::<_, RecordError>(writer.put_entries(&rows)?)
            })?;
            done += u64::try_from(some.len()).unwrap_or(0);
            progress.update(done, total);
        }
        Ok(())
    }

    /// Corrects an entry, durably. Says what the entry is afterwards, also if nothing had to be changed.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn edit(&mut self, id: &str, patch: &Patch) -> Result<EntryView, RecordError> {
        self.change(id, Did::Edit, |_, item, id| patch.edit(id, &item.fields))
    }

    /// Returns what an entry would be after a correction; changes nothing.
    ///
    /// # Errors
    /// [`RecordError`], as [`Journal::edit`] has it.
    pub fn edited(&self, id: &str, patch: &Patch) -> Result<Entry, RecordError> {
        let path = self.path();
        self.replica.read(|reader| {
            let id = crate::query::resolve(reader, &path, id)?;
            let unknown = || LookupError::Unknown(id.to_string());
            let listed = reader.entry(&EntryKey(*id.as_bytes()))?;
            let listed = listed.ok_or_else(unknown)?;
            let damaged = || DamagedReplica::Entry { path: path.clone() };
            let mut fields = row::fields_of(&listed.json).ok_or_else(damaged)?;
            patch.edit(id, &fields)?.apply(&mut fields);
            Ok(Entry::from_fields(id, &fields))
        })
    }

    /// Deletes an entry: it is marked as entered in error, and can be restored.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn delete(&mut self, id: &str) -> Result<EntryView, RecordError> {
        let patch = Patch::status(DELETED);
        self.change(id, Did::Delete, |_, item, id| patch.edit(id, &item.fields))
    }

    /// Restores a deleted entry to the status it had before. One that is not deleted stays as it is.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is changed then.
    pub fn restore(&mut self, id: &str) -> Result<EntryView, RecordError> {
        self.change(id, Did::Restore, |document, item, id| {
            match item.fields.get(STATUS) {
                Some(status) if *status == DELETED.as_str().into() => {
                    Patch::status(before_deletion(document, &item.key)).edit(id, &item.fields)
                }
                _ => Ok(Edit::default()),
            }
        })
    }

    /// Changes an entry as `edit` decides, given its document and what it is now; notes what was done.
    pub(crate) fn change(
        &mut self,
        id: &str,
        did: Did,
        edit: impl Fn(&Document, &Item, EntryId) -> Result<Edit, Invalid>,
    ) -> Result<EntryView, RecordError> {
        self.leave_copied_chain()?;
        let path = self.path();
        self.replica.write(|writer| {
            require_writer(writer)?;
            let id = crate::query::resolve(writer, &path, id)?;
            let key = id.to_string();
            let unknown = || LookupError::Unknown(key.clone());
            let document = DocumentId::of(id).map_err(|_| unknown())?;
            let name = document.to_string();
            let parts = writer.document(&name)?;
            let mut loaded = load(document, &parts, &path)?;
            if parts.changes.len() > MANY_PARTS {
                writer.put_document(&name, &parts.edition, &loaded.save())?;
            }
            let item = loaded.item(&key).ok_or_else(unknown)?;
            let Edit { set, remove } = edit(&loaded, &item, id)?;
            let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
            let own = writer.own()?;
            let now = os::now();
            let change = loaded.update(Actor(own.chain.0), now.as_second(), &key, &set, &remove)?;
            if let Some(change) = change {
                store_change(writer, document, &own.chain, &change)?;
                let after = loaded.item(&key).ok_or_else(unknown)?;
                let row = row::row(&after, now.as_millisecond());
                writer.put_entries(row.as_slice())?;
                // Where nothing else is shown than before, there is nothing to take back.
                let touched = Touched::changed(document, &key, &item.fields, &after.fields);
                if let Some(touched) = touched {
                    note(writer, did, &[touched])?;
                }
            }
            Ok(EntryView::read(writer, &path, id)?)
        })
    }
}

/// Records one entry whose id is of the instant `when`, loading no document; returns its row for the read model.
fn record_one(
    writer: &mut Writer<'_>,
    chain: &ChainId,
    draft: &Draft,
    when: Timestamp,
) -> Result<EntryRow, RecordError> {
    let unix_ms = u64::try_from(when.as_millisecond()).map_err(|_| RecordError::Clock)?;
    let id = EntryId::mint(unix_ms, os::random_bytes());
    let document = DocumentId::of(id).map_err(|_| RecordError::Clock)?;
    let fields = draft.to_fields(id)?;
    let tip = writer.tip(&document.to_string(), chain)?.map(tip);
    let key = id.to_string();
    let items = [(key.as_str(), &fields)];
    let change = change::create(Actor(chain.0), tip.as_ref(), when.as_second(), &items)?;
    store_change(writer, document, chain, &change)?;
    Ok(row::row_of(id, &fields, *chain, when.as_millisecond()))
}

/// Returns the last status an entry had before it was deleted.
fn before_deletion(document: &Document, key: &str) -> Status {
    let statuses = document.history(key).into_iter().rev();
    let statuses = statuses.filter_map(|revision| revision.set.get(STATUS).cloned());
    let amended = |status| status == Status::Amended.as_str().into();
    let before = statuses
        .into_iter()
        .find(|status| *status != DELETED.as_str().into());
    if before.is_some_and(amended) {
        Status::Amended
    } else {
        Status::Final
    }
}

/// Refuses to write on a device whose role, as far as it knows, does not allow it.
pub(crate) fn require_writer(reader: &Reader<'_>) -> Result<(), RecordError> {
    let own = reader.own()?;
    if reader.setting(people::ERASED)?.is_some() {
        return Err(RecordError::Erased);
    }
    let row = reader
        .members()?
        .into_iter()
        .find(|member| member.device == own.device);
    match row.and_then(|member| member.role) {
        Some(role) if role.may_write() => Ok(()),
        _ => Err(RecordError::ReadOnly),
    }
}

/// Stores an own change: as a part of its document, as an action to be sealed, and as the chain's last there. A change
/// of the profile is no action that people count.
pub(crate) fn store_change(
    writer: &mut Writer<'_>,
    document: DocumentId,
    chain: &ChainId,
    change: &NewChange,
) -> Result<(), StoreError> {
    let tip = stored_tip(&change.tip);
    let actions = u32::from(document != DocumentId::Profile);
    writer.record(&document.to_string(), chain, &change.bytes, &tip, actions)?;
    Ok(())
}

pub(crate) fn stored_tip(tip: &Tip) -> StoredTip {
    StoredTip {
        seq: tip.seq,
        max_op: tip.max_op,
        hash: tip.hash.0,
    }
}

pub(crate) fn tip(stored: StoredTip) -> Tip {
    Tip {
        seq: stored.seq,
        max_op: stored.max_op,
        hash: ChangeHash(stored.hash),
    }
}

/// Loads a document from its parts.
pub(crate) fn load(
    id: DocumentId,
    parts: &DocumentParts,
    path: &std::path::Path,
) -> Result<Document, DamagedReplica> {
    let changes = parts.changes.iter().map(Vec::as_slice);
    Document::load(id, parts.base.as_deref(), changes).map_err(|source| DamagedReplica::Document {
        path: PathBuf::from(path),
        source: Box::new(source),
    })
}
