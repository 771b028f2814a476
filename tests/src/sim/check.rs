//! The invariants, checked when all is quiet.

use std::collections::BTreeSet;
use std::sync::Arc;

use journal::DocumentId;
use journal::change::ChangeHash;
use journal::document::{Document, Item};
use protocol::envelope::VerifiedEnvelope;
use protocol::id::KeyId;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::role::Role;
use protocol::sign::Signer;
use seal::{EpochKey, KeyPair, Keyring, Seed};

use super::ledger::is_excluded;
use super::world::World;

/// Checks everything.
pub(crate) fn all(world: &mut World) -> Result<(), String> {
    let members = world.members();
    let log = world.home().map(|home| home.log.clone());
    let log = log.ok_or("the home relay has no journal")?;
    for machine in &members {
        same_log(world, *machine, &log)?;
        all_sent(world, *machine)?;
    }
    let mut writers = members.iter().copied();
    let first = writers.find(|machine| {
        let role = world.machines[*machine].role();
        role.is_some_and(Role::may_write)
    });
    let first = first.ok_or("nobody may write")?;
    for machine in &members {
        same_documents(world, first, *machine)?;
        // Of those with equal documents, one speaks for all.
        if *machine == first || is_stranded(world, *machine) {
            everything_owed(world, *machine)?;
        }
    }
    nothing_forged(world, first)?;
    removed_read_nothing(world, &log)
}

fn same_log(world: &World, machine: usize, log: &MemberLog) -> Result<(), String> {
    let own = &world.machines[machine].disk.now().log;
    if own.head() != log.head() {
        return Err(format!(
            "machine {machine} has another member log than the home relay"
        ));
    }
    let known = (0..own.length()).filter_map(|at| own.hash_at(at));
    let forged = known
        .filter(|hash| !world.ledger.records.contains(hash))
        .count();
    if forged == 0 {
        Ok(())
    } else {
        Err(format!(
            "machine {machine} took {forged} forged records for members' own"
        ))
    }
}

/// Nothing stays behind on a device that may send it.
fn all_sent(world: &World, machine: usize) -> Result<(), String> {
    let of = &world.machines[machine];
    if of.is_done() {
        return Ok(());
    }
    let left = of.disk.now().loose.iter();
    let marks: Vec<i64> = left.flat_map(|change| change.marks.clone()).collect();
    Err(format!(
        "machine {machine} never seals what it recorded: marks {marks:?}"
    ))
}

/// Whether a machine may know more than others: it lost the right to write, and keeps in its own view what it wrote.
fn is_stranded(world: &World, machine: usize) -> bool {
    let of = &world.machines[machine];
    of.role() == Some(Role::Reader)
        && of
            .disk
            .now()
            .log
            .devices()
            .get(&of.id)
            .is_some_and(|device| !device.losses().is_empty())
}

fn same_documents(world: &World, first: usize, machine: usize) -> Result<(), String> {
    if is_stranded(world, machine) {
        return Ok(());
    }
    let heads = |machine: usize| -> Vec<(DocumentId, Vec<ChangeHash>)> {
        let documents = &world.machines[machine].disk.now().documents;
        let heads = documents.iter().map(|(id, of)| (*id, of.heads()));
        heads.filter(|(_, heads)| !heads.is_empty()).collect()
    };
    let (one, other) = (heads(first), heads(machine));
    if one == other {
        return Ok(());
    }
    let differing = one.iter().find(|of| !other.contains(of));
    let differing = differing.or_else(|| other.iter().find(|of| !one.contains(of)));
    let name = differing.map(|(id, _)| id.to_string()).unwrap_or_default();
    let held = |machine: usize| {
        let chains = world.machines[machine].disk.now().chains.values();
        let held = chains
            .flat_map(|of| &of.kept)
            .filter_map(|kept| kept.held.clone());
        held.collect::<BTreeSet<_>>()
    };
    let (here, there) = (held(first), held(machine));
    Err(format!(
        "machines {first} and {machine} differ in document {name}; held: {here:?} and {there:?}"
    ))
}

fn everything_owed(world: &World, machine: usize) -> Result<(), String> {
    let state = world.machines[machine].disk.now();
    // What was there when a document had the same heads is still there.
    let unchanged = |(id, of): (&DocumentId, &Arc<Document>)| {
        (world.scanned.get(id) == Some(&of.heads())).then_some(*id)
    };
    let seen: BTreeSet<DocumentId> = state.documents.iter().filter_map(unchanged).collect();
    let entries = world.ledger.entries.iter().filter(|(_, entry)| entry.owed);
    for (mark, entry) in entries.filter(|(_, entry)| !seen.contains(&entry.document)) {
        let item = state
            .documents
            .get(&entry.document)
            .and_then(|of| of.item(&entry.key));
        let value = item.as_ref().and_then(|item| item.fields.get(&entry.field));
        if value.and_then(|value| value.as_int()) == Some(*mark)
            || may_be_held(world, machine, *mark)
        {
            continue;
        }
        let carriers: Vec<_> = world
            .ledger
            .carriers_of(*mark)
            .map(|of| {
                let held = state.is_held(&of.chain, of.seq, &of.hash);
                let excluded = is_excluded(&state.log, of);
                format!(
                    "place {} of {}: held {held:?}, excluded {excluded}",
                    of.seq, of.chain
                )
            })
            .collect();
        return Err(format!(
            "machine {machine} lacks what machine {} recorded: mark {mark} in {} of {}; sent in {carriers:?}",
            entry.by, entry.key, entry.document
        ));
    }
    Ok(())
}

/// Whether a mark is in an envelope that is held, and nobody is left to record it again.
fn may_be_held(world: &World, machine: usize, mark: i64) -> bool {
    let state = world.machines[machine].disk.now();
    world.ledger.carriers_of(mark).any(|of| {
        let writes = state.log.role(&of.device).is_some_and(Role::may_write);
        !writes && state.is_held(&of.chain, of.seq, &of.hash) == Some(true)
    })
}

/// Looks through every document for what nobody honest wrote, and for changes that the log excludes.
fn nothing_forged(world: &mut World, machine: usize) -> Result<(), String> {
    let state = world.machines[machine].disk.now().clone();
    let same_log = world.scanned_log == state.log.length();
    world.scanned_log = state.log.length();
    for (id, document) in &state.documents {
        let heads = document.heads();
        let same = world.scanned.get(id) == Some(&heads);
        if same && same_log {
            continue;
        }
        for (_, tip) in document.tips() {
            let carriers = world.ledger.changes.get(&tip.hash);
            let mut carriers = carriers.into_iter().flatten();
            let counts = carriers.any(|number| {
                let carrier = world.ledger.carriers.get(*number);
                carrier.is_some_and(|carrier| !is_excluded(&state.log, carrier))
            });
            if !counts {
                return Err(format!(
                    "document {id} has a change that no envelope which counts carries"
                ));
            }
        }
        if same {
            continue;
        }
        for item in document.items() {
            known_marks(world, &item)?;
        }
        world.scanned.insert(*id, heads);
    }
    Ok(())
}

fn known_marks(world: &World, item: &Item) -> Result<(), String> {
    for (name, value) in item.fields.iter().filter(|(name, _)| name.starts_with('m')) {
        let Some(mark) = value.as_int() else {
            return Err(format!("{} of {} is no mark", name, item.key));
        };
        if let Some(why) = world.ledger.forbidden.get(&mark) {
            return Err(format!("accepted: {why}"));
        }
        if *name != super::ledger::field(mark) || !world.ledger.entries.contains_key(&mark) {
            return Err(format!("accepted: {name} = {mark}, which nobody wrote"));
        }
    }
    Ok(())
}

/// With all its secrets and all that relays ever had, a removed device opens nothing that was sealed by whoever had verified
/// the removal.
fn removed_read_nothing(world: &World, log: &MemberLog) -> Result<(), String> {
    let Some(home) = world.home() else {
        return Ok(());
    };
    for machine in &world.machines {
        let device = log.devices().get(&machine.id);
        let Some(since) = device.and_then(|device| device.removed_at()) else {
            continue;
        };
        let keys = machine.key_pair();
        let mut ring = Keyring::open(log, &keys, |hash| home.blobs.get(hash).cloned());
        for secret in &machine.invites {
            let pair = KeyPair::of_invite(&Seed::from_bytes(*secret));
            for key in invite_keys(world, log, &pair) {
                ring.add(log, key);
            }
        }
        let after = world.ledger.carriers.iter().zip(&world.ledger.envelopes);
        for (carrier, envelope) in after.filter(|(carrier, _)| carrier.head >= since) {
            let Some(key) = ring.get(envelope.header().epoch) else {
                continue;
            };
            if seal::open(&VerifiedEnvelope::trusted(envelope.clone()), key).is_ok() {
                return Err(format!(
                    "machine {} was removed by record {since}, and reads place {} of {}",
                    machine.number, carrier.seq, carrier.chain
                ));
            }
        }
    }
    Ok(())
}

/// The keys that were ever sealed to an invite.
fn invite_keys(world: &World, log: &MemberLog, pair: &KeyPair) -> Vec<EpochKey> {
    let Some(home) = world.home() else {
        return Vec::new();
    };
    let id: KeyId = pair.key_id();
    let mut keys = Vec::new();
    let mut epoch = 0;
    for bytes in home.records.iter() {
        let Ok(record) = SignedRecord::parse(bytes).and_then(SignedRecord::trusted) else {
            continue;
        };
        let body = record.body();
        epoch += u32::from(matches!(body, protocol::record::Body::Remove(_)));
        for (_, hash) in body.invite_keys().into_iter().filter(|(to, _)| *to == id) {
            let blob = home.blobs.get(&hash);
            let key = blob.zip(log.epoch_of(epoch));
            keys.extend(key.and_then(|(blob, epoch)| EpochKey::open(blob, epoch, pair).ok()));
        }
    }
    keys
}
