//! Batches that a member with every right may seal and no `ebb` would make: each breaks one rule of `batch.rs` or of merging.
//!
//! Those that Automerge can say are made of an honest change, taken apart and altered; the others are written out byte by
//! byte (`layout`).

use automerge::legacy::{ObjectId, Op, OpId};
use automerge::{Change, ExpandedChange};
use journal::batch::{encode, limits};
use journal::change::{self, NewChange};
use journal::{Actor, DocumentId, EntryId, Fields, Value};

use super::layout::{HUGE, Layout};
use super::writing::{edited, note};
use super::{Outcome, Rogue, now, random_bytes};

impl Rogue {
    /// Makes a batch; `entry` is an id that its items may have.
    pub(super) fn hostile(&self, what: &str, actor: Actor, entry: EntryId) -> Outcome<Vec<u8>> {
        let month = DocumentId::of(entry)?;
        let honest = note(actor, entry)?;
        let changed = |alter: &dyn Fn(&mut ExpandedChange)| batch(month, &altered(&honest, alter)?);
        match what {
            "foreign-actor" => batch(month, &note(Actor(random_bytes()), entry)?.bytes),
            "seq-gap" => changed(&|change| change.seq = 7),
            "seq-zero" => changed(&|change| change.seq = 0),
            "start-late" => changed(&|change| change.start_op = limit_of_counters()),
            "start-32-bits" => changed(&|change| change.start_op = end_of_32_bits()),
            "unknown-object" => self.edit_altered(month, actor, |operation, of| {
                operation.obj = ObjectId::Id(of(99_999));
            }),
            "unknown-predecessor" => self.edit_altered(month, actor, |operation, of| {
                operation.pred = vec![of(99_999)].into();
            }),
            "predecessor-at-the-limit" => self.edit_altered(month, actor, |operation, of| {
                operation.pred = vec![of(limits::MAX_COUNTER)].into();
            }),
            "unknown-dependency" => changed(&|change| {
                change.deps = vec![automerge::ChangeHash(random_bytes())];
            }),
            "wrong-head" => {
                let mut layout = Layout::two_notes(month, actor, entry);
                layout.distinct();
                Ok(layout.bytes())
            }
            "same-id-twice" => Ok(Layout::two_notes(month, actor, entry).bytes()),
            "same-number-twice" => {
                let other = note(
                    actor,
                    EntryId::mint(u64::try_from(entry.unix_ms())?, random_bytes()),
                )?;
                let raw = [honest.bytes.as_slice(), other.bytes.as_slice()];
                Ok(encode(&raw.map(|bytes| (month, bytes)))?)
            }
            "cut-short" => {
                let mut bytes = batch(month, &honest.bytes)?;
                bytes.truncate(bytes.len() / 2);
                Ok(bytes)
            }
            "as-much-as-fits" => as_much_as_fits(month, actor, entry),
            other => match other.strip_prefix("count-of-") {
                Some(counted) => Ok(Layout::claiming(HUGE, counted, month, actor)
                    .ok_or("nothing so called is counted")?),
                None => Err(format!("no batch is called {other}").into()),
            },
        }
    }

    /// Makes an edit of some item of the month, and alters its operations; an operation of the item's maker is named by
    /// its counter.
    fn edit_altered(
        &self,
        month: DocumentId,
        actor: Actor,
        alter: impl Fn(&mut Op, &dyn Fn(u64) -> OpId),
    ) -> Outcome<Vec<u8>> {
        let mut document = self.document(month)?;
        let items = document.items();
        let key = items.first().ok_or("an empty month")?.key.clone();
        let set = Fields::from([("note".to_owned(), Value::from(edited()))]);
        let made = document.update(actor, now(), &key, &set, &[])?;
        let altered = altered(&made.ok_or("no change")?, |change| {
            for operation in &mut change.operations {
                if let ObjectId::Id(OpId(_, maker)) = operation.obj.clone() {
                    alter(operation, &|counter| OpId(counter, maker.clone()));
                }
            }
        });
        batch(month, &altered?)
    }
}

fn batch(month: DocumentId, change: &[u8]) -> Outcome<Vec<u8>> {
    Ok(encode(&[(month, change)])?)
}

fn altered(honest: &NewChange, alter: impl Fn(&mut ExpandedChange)) -> Outcome<Vec<u8>> {
    let mut expanded = Change::from_bytes(honest.bytes.clone())?.decode();
    alter(&mut expanded);
    Ok(Change::from(expanded).raw_bytes().to_vec())
}

fn limit_of_counters() -> std::num::NonZeroU64 {
    std::num::NonZeroU64::MIN.saturating_add(limits::MAX_COUNTER - 2)
}

fn end_of_32_bits() -> std::num::NonZeroU64 {
    std::num::NonZeroU64::MIN.saturating_add(u64::from(u32::MAX) - 2)
}

/// Every limit reached at once, and none passed: what costs a receiver most and is taken in.
fn as_much_as_fits(month: DocumentId, actor: Actor, entry: EntryId) -> Outcome<Vec<u8>> {
    let text = Value::from("x".repeat(200));
    let fields: Fields = (0..limits::MAX_FIELDS - 1)
        .map(|place| (format!("field-{place}"), text.clone()))
        .collect();
    let items = limits::MAX_CHANGE_EXPANDED / (limits::MAX_FIELDS * 220);
    let ms = u64::try_from(entry.unix_ms())?;
    let keys: Vec<String> = (0..items)
        .map(|_| EntryId::mint(ms, random_bytes()).to_string())
        .collect();
    let items: Vec<_> = keys.iter().map(|key| (key.as_str(), &fields)).collect();
    batch(month, &change::create(actor, None, now(), &items)?.bytes)
}
