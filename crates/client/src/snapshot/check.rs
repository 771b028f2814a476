//! Checking a snapshot: whether it says the same as what is held here.
//!
//! Both ways: every change of the parts is in the documents, and every change of the documents that is in no part came in an
//! envelope after what is covered, or is not sealed yet.

use std::collections::BTreeMap;
use std::path::Path;

use journal::batch::{self, Authors};
use journal::{Actor, DocumentId};
use protocol::envelope::{Envelope, Kind, VerifiedEnvelope};
use protocol::id::{ChainId, Seq};
use protocol::log::MemberLog;
use protocol::snapshot::{self, Manifest, Snapshot};
use seal::Keyring;
use store::Reader;

use crate::journal::{DamagedReplica, LoadError};
use crate::merge::Obstacle;
use crate::record::load;

/// What checking a snapshot came to.
#[derive(Debug)]
pub(super) enum Checked {
    /// It was checked before.
    Known,
    /// It says the same.
    Same,
    /// It says something else, in words.
    Differs(String),
    /// What it covers, its parts, or what came after are not all here.
    NotYet,
    /// It covers what does not count any more.
    Overtaken,
}

/// How many changes of each chain each document has.
type Counts = BTreeMap<(DocumentId, Actor), u64>;

/// Checks a snapshot against the replica.
pub(super) fn check(
    reader: &Reader<'_>,
    snapshot: &Snapshot,
    log: &MemberLog,
    keys: &Keyring,
    path: &Path,
) -> Result<Checked, LoadError> {
    let manifest = match snapshot.verify(log) {
        Ok(manifest) => manifest,
        Err(snapshot::SnapshotError::UnknownHead) => return Ok(Checked::NotYet),
        Err(error) => return Ok(Checked::Differs(error.to_string())),
    };
    if snapshot::is_overtaken(manifest, log) {
        return Ok(Checked::Overtaken);
    }
    if let Some(other) = compare_covered(reader, manifest)? {
        return Ok(other);
    }
    let Some(parts) = parts(reader, manifest)? else {
        return Ok(Checked::NotYet);
    };
    let actors = super::actors(manifest);
    let mut in_parts = Counts::new();
    for part in &parts {
        let batch = match super::open(part, keys, &actors) {
            Ok(batch) => batch,
            Err(Obstacle::Load(error)) => return Err(error),
            Err(obstacle) => return Ok(Checked::Differs(obstacle.to_string())),
        };
        for (id, part) in &batch.documents {
            // Each part adds to what the one before left; since nothing may be new, the document stays as it is.
            let mut document = load(*id, &reader.document(&id.to_string())?, path)?;
            match document.merge(part) {
                Ok(merged) if merged.changes == 0 => {}
                Ok(_) => return Ok(Checked::Differs(format!("{id} has more in it"))),
                Err(error) => return Ok(Checked::Differs(format!("{id}: {error}"))),
            }
            for (actor, count) in part.authors() {
                *in_parts.entry((*id, actor)).or_default() += count;
            }
        }
    }
    compare_rest(reader, manifest, &in_parts, keys, path)
}

/// Compares what is covered with the envelopes here: not all may be here, or another may stand at the end of a chain.
fn compare_covered(reader: &Reader<'_>, manifest: &Manifest) -> Result<Option<Checked>, LoadError> {
    let vector = reader.vector()?;
    let own = reader.own()?.chain;
    for (chain, at) in &manifest.covers.0 {
        if vector.seq(chain) < at.seq {
            return Ok(Some(Checked::NotYet));
        }
        let here = match vector.0.get(chain).filter(|tip| tip.seq == at.seq) {
            Some(tip) => Some(tip.hash),
            None => reader.envelope(chain, at.seq)?.map(|found| found.hash),
        };
        if here.is_some_and(|here| here != at.hash) {
            if *chain == own {
                // Another copy of this device wrote there: this one gives way to it first.
                return Ok(Some(Checked::NotYet));
            }
            let how = "it covers an envelope that is another one here";
            return Ok(Some(Checked::Differs(how.to_owned())));
        }
    }
    Ok(None)
}

/// Returns the parts, if all are here.
fn parts(
    reader: &Reader<'_>,
    manifest: &Manifest,
) -> Result<Option<Vec<VerifiedEnvelope>>, LoadError> {
    let chain = manifest.author.chain();
    let mut parts = Vec::new();
    for (seq, hash) in (manifest.first.0..).zip(&manifest.parts) {
        let stored = reader.envelope(&chain, Seq(seq))?;
        let Some(stored) = stored.filter(|stored| stored.hash == *hash) else {
            return Ok(None);
        };
        let Ok(envelope) = Envelope::parse(stored.bytes) else {
            return Ok(None);
        };
        parts.push(VerifiedEnvelope::trusted(envelope));
    }
    Ok(Some(parts))
}

/// Compares what the documents have beyond the parts with what came in later envelopes.
fn compare_rest(
    reader: &Reader<'_>,
    manifest: &Manifest,
    in_parts: &Counts,
    keys: &Keyring,
    path: &Path,
) -> Result<Checked, LoadError> {
    let mut beyond = Counts::new();
    for name in reader.documents()? {
        let id: DocumentId = name.parse().map_err(|_| DamagedReplica::Entry {
            path: path.to_owned(),
        })?;
        let document = load(id, &reader.document(&name)?, path)?;
        for (actor, tip) in document.tips() {
            let covered = in_parts.get(&(id, actor)).copied().unwrap_or(0);
            if tip.seq > covered {
                beyond.insert((id, actor), tip.seq - covered);
            }
        }
    }
    let Some(later) = later(reader, manifest, keys)? else {
        return Ok(Checked::NotYet);
    };
    for ((id, actor), count) in beyond {
        if later.get(&(id, actor)) != Some(&count) {
            return Ok(Checked::Differs(format!("{id} has less in it")));
        }
    }
    Ok(Checked::Same)
}

/// Counts the changes that are merged here and came after what a snapshot covers, or are not sealed yet. `None` if one of those
/// places is known here from another snapshot alone: what it said cannot be told from what is missing in this one.
fn later(
    reader: &Reader<'_>,
    manifest: &Manifest,
    keys: &Keyring,
) -> Result<Option<Counts>, LoadError> {
    let mut counts = Counts::new();
    let held: Vec<(ChainId, Seq)> = reader
        .held()?
        .into_iter()
        .map(|held| (held.chain, held.envelope.seq))
        .collect();
    for (chain, tip) in reader.vector()?.0 {
        let after = manifest.covers.seq(&chain);
        let kept = reader.envelopes_after(&chain, after, usize::MAX)?;
        if (after.0 + 1..=tip.seq.0).ne(kept.iter().map(|stored| stored.seq.0)) {
            return Ok(None);
        }
        for stored in kept {
            if held.contains(&(chain, stored.seq)) {
                continue;
            }
            let Ok(envelope) = Envelope::parse(stored.bytes) else {
                continue;
            };
            if envelope.header().kind == Kind::Snapshot {
                continue;
            }
            let envelope = VerifiedEnvelope::trusted(envelope);
            let key = keys.get(envelope.header().epoch);
            let Some(Ok(content)) = key.map(|key| seal::open(&envelope, key)) else {
                continue;
            };
            let author = Authors::One(Actor(chain.0));
            let Ok(batch) = batch::decode(&content.batch.0, &author) else {
                continue;
            };
            for (id, part) in &batch.documents {
                let count = u64::try_from(part.len()).unwrap_or(u64::MAX);
                *counts.entry((*id, Actor(chain.0))).or_default() += count;
            }
        }
    }
    for change in reader.unsealed()? {
        if let Ok(id) = change.document.parse() {
            *counts.entry((id, Actor(change.chain.0))).or_default() += 1;
        }
    }
    Ok(Some(counts))
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use journal::batch::Encoder;
    use journal::change;
    use journal::entry::Draft;
    use journal::time::At;
    use tempfile::TempDir;

    use super::*;
    use crate::genesis::Init;
    use crate::journal::{Journal, load_keys, load_log};
    use crate::record::tip;
    use crate::snapshot::batches;
    use crate::{Home, Silent};

    /// A change with its document.
    type Change = (DocumentId, Vec<u8>);

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    }

    fn record(journal: &mut Journal, levels: std::ops::Range<i64>) {
        let at = At::in_zone(Timestamp::now(), &TimeZone::UTC);
        let drafts: Vec<Draft> = levels
            .map(|level| Draft::new("fatigue", at.clone()).with("level", level))
            .collect();
        journal.record_past(&drafts, &Silent).unwrap();
    }

    /// A journal with five entries in an envelope, and their changes.
    fn journal() -> (TempDir, Journal, Vec<Change>) {
        let folder = tempfile::tempdir().unwrap();
        let init = Init {
            name: "Ana".to_owned(),
            device: "laptop".to_owned(),
            zone: "UTC".to_owned(),
            relay: None,
        };
        let mut journal = wait(Home::at(folder.path()).init(&init)).unwrap();
        record(&mut journal, 0..5);
        let bundle = folder.path().join("bundle");
        wait(journal.export_bundle(&bundle, None, &Silent)).unwrap();
        let path = journal.path();
        let changes = journal.replica.read(|reader| {
            let mut changes = Vec::new();
            for name in reader.documents()? {
                let id: DocumentId = name.parse().unwrap();
                let document = load(id, &reader.document(&name)?, &path)?;
                let of = document.changes().into_iter();
                changes.extend(of.map(|(_, change)| (id, change)));
            }
            Ok::<_, LoadError>(changes)
        });
        (folder, journal, changes.unwrap())
    }

    /// Makes a snapshot of these changes, and checks it against the journal.
    fn checked(journal: &mut Journal, changes: &[Change]) -> Checked {
        let mut encoder = Encoder::default();
        for (id, change) in changes {
            encoder.push(*id, change).unwrap();
        }
        assert!(wait(journal.seal_snapshot(vec![encoder.finish()], &Silent)).unwrap());
        let (path, device) = (journal.path(), journal.keys().unwrap());
        let checked = journal.replica.read(|reader| {
            let stored = load_log(reader, &path)?;
            let keys = load_keys(reader, &stored, &device)?;
            let made = reader.snapshots()?.pop().unwrap();
            let snapshot = Snapshot::parse(made.bytes).unwrap();
            check(reader, &snapshot, &stored.log, &keys, &path)
        });
        checked.unwrap()
    }

    #[test]
    fn what_says_the_same_passes_also_when_more_has_come_since() {
        let (_folder, mut journal, changes) = journal();
        assert!(matches!(checked(&mut journal, &changes), Checked::Same));
        let path = journal.path();
        record(&mut journal, 5..8);
        let made = journal
            .replica
            .read(|reader| batches(reader, &path))
            .unwrap();
        assert!(wait(journal.seal_snapshot(made, &Silent)).unwrap());
        assert!(matches!(checked(&mut journal, &changes), Checked::Same));
    }

    #[test]
    fn what_leaves_an_entry_out_differs() {
        let (_folder, mut journal, changes) = journal();
        let short = &changes[..changes.len() - 1];
        let Checked::Differs(how) = checked(&mut journal, short) else {
            panic!("a change less is not the same");
        };
        assert!(how.contains("less"), "{how}");
    }

    #[test]
    fn what_adds_an_entry_differs() {
        let (_folder, mut journal, mut changes) = journal();
        let id = changes.last().unwrap().0;
        let last = journal.replica.read(|reader| {
            let chain = reader.own()?.chain;
            Ok::<_, LoadError>((chain, reader.tip(&id.to_string(), &chain)?.map(tip)))
        });
        let (chain, last) = last.unwrap();
        let fields = [("level".to_owned(), 9.into())].into();
        let time = Timestamp::now().as_second();
        let made = change::create(Actor(chain.0), last.as_ref(), time, &[("made-up", &fields)]);
        changes.push((id, made.unwrap().bytes));
        let Checked::Differs(how) = checked(&mut journal, &changes) else {
            panic!("a change more is not the same");
        };
        assert!(how.contains("more"), "{how}");
    }
}
