//! Checking what is stored: that logs follow their rules, that envelopes are what their devices signed, that sums are right.
//!
//! Reads through the store, as devices do, and trusts nothing that was checked when it came. What it cannot check is what it
//! cannot read: the content of envelopes.

use std::collections::BTreeMap;

use protocol::envelope::Envelope;
use protocol::id::{ChainId, JournalId};
use protocol::limits;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use protocol::vector::{Position, Vector};

use crate::storage::{Storage, StorageError, SyncQuery};

/// What was looked at, and what is wrong, in words.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Journals looked at.
    pub(crate) journals: u64,
    /// Records whose signatures were checked.
    pub(crate) records: u64,
    /// Envelopes whose signatures were checked.
    pub(crate) envelopes: u64,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
}

/// Checks every journal.
///
/// # Errors
/// [`StorageError`] if the store cannot be read at all.
pub(crate) async fn check(store: &dyn Storage) -> Result<Findings, StorageError> {
    let mut findings = Findings::default();
    for entry in store.journals().await? {
        findings.journals += 1;
        if let Err(what) = check_journal(store, entry.id, &mut findings).await? {
            findings.wrong.push(format!("journal {}: {what}", entry.id));
        }
    }
    Ok(findings)
}

/// What is wrong, in words; one word of it ends the check of a journal.
type Judged<T> = Result<T, String>;

async fn check_journal(
    store: &dyn Storage,
    journal: JournalId,
    findings: &mut Findings,
) -> Result<Judged<()>, StorageError> {
    let log = match check_log(store, journal, findings).await? {
        Ok(log) => log,
        Err(what) => return Ok(Err(what)),
    };
    check_envelopes(store, &log, findings).await
}

async fn check_log(
    store: &dyn Storage,
    journal: JournalId,
    findings: &mut Findings,
) -> Result<Judged<MemberLog>, StorageError> {
    let mut log: Option<MemberLog> = None;
    loop {
        let from = log.as_ref().map_or(0, MemberLog::length);
        let part = store.log_part(journal, from, limits::PAGE_BYTES).await?;
        let Some(part) = part else {
            return Ok(Err("it was removed meanwhile".to_owned()));
        };
        for bytes in &part.records {
            findings.records += 1;
            log = match append(log, bytes) {
                Ok(longer) => Some(longer),
                Err(what) => return Ok(Err(what)),
            };
        }
        let Some(log) = log.as_ref().filter(|_| !part.records.is_empty()) else {
            return Ok(Err("its log ends before its end".to_owned()));
        };
        if log.length() >= part.head.length {
            let same = log.head() == part.head.hash && log.journal() == journal;
            let wrong = "its log is another than it is said to be";
            return Ok(if same {
                Ok(log.clone())
            } else {
                Err(wrong.to_owned())
            });
        }
    }
}

fn append(log: Option<MemberLog>, bytes: &[u8]) -> Judged<MemberLog> {
    let record = SignedRecord::parse(bytes);
    let record = record.map_err(|error| format!("a record cannot be read: {error}"))?;
    let grown = match log {
        None => MemberLog::start(record),
        Some(mut log) => log.append(record).map(|_| log),
    };
    grown.map_err(|error| format!("a record breaks the rules: {error}"))
}

async fn check_envelopes(
    store: &dyn Storage,
    log: &MemberLog,
    findings: &mut Findings,
) -> Result<Judged<()>, StorageError> {
    let mut seen = Vector::default();
    let mut last: BTreeMap<ChainId, Position> = BTreeMap::new();
    loop {
        let query = SyncQuery {
            log: crate::storage::LogHead {
                length: log.length(),
                hash: log.head(),
            },
            vector: seen.clone(),
            page: limits::PAGE_BYTES,
        };
        let Some(page) = store.sync(log.journal(), query).await? else {
            return Ok(Err("it was removed meanwhile".to_owned()));
        };
        for bytes in page.envelopes {
            findings.envelopes += 1;
            let (chain, at) = match check_envelope(bytes, log, &last) {
                Ok(place) => place,
                Err(what) => return Ok(Err(what)),
            };
            last.insert(chain, at);
            seen.0.insert(chain, at);
        }
        if !page.more {
            return Ok(Ok(()));
        }
    }
}

fn check_envelope(
    bytes: Vec<u8>,
    log: &MemberLog,
    last: &BTreeMap<ChainId, Position>,
) -> Judged<(ChainId, Position)> {
    let envelope = Envelope::parse(bytes);
    let envelope = envelope.map_err(|error| format!("an envelope cannot be read: {error}"))?;
    let header = envelope.header();
    let (chain, hash) = (header.chain(), envelope.hash());
    let at = Position {
        seq: header.seq,
        hash,
    };
    if header.journal != log.journal() {
        return Err("an envelope belongs to another journal".to_owned());
    }
    // Where envelopes between were pruned, there is nothing to follow.
    let before = last
        .get(&chain)
        .filter(|before| before.seq.0.checked_add(1) == Some(at.seq.0));
    if before.is_some_and(|before| Some(before.hash) != header.prev) {
        return Err(format!(
            "envelope {} of a chain does not follow the one before it",
            at.seq.0
        ));
    }
    let device = log.devices().get(&header.device);
    let device = device.ok_or("an envelope is of a device that the log does not know")?;
    let verified = envelope.verify(device.verifier());
    verified.map_err(|_| format!("the signature of envelope {} of a chain is wrong", at.seq.0))?;
    Ok((chain, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::fill;
    use crate::testing::{Bench, Keys};

    #[tokio::test]
    async fn what_a_relay_took_is_right() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let device = bench.join(&mut journal, &owner, 10).await;
        for keys in [&owner, &device] {
            let mut chain = journal.chain(keys);
            for _ in 0..3 {
                bench.put(&journal, keys, &mut chain).await;
            }
        }
        let findings = check(bench.store.as_ref()).await.unwrap();
        assert_eq!(findings.wrong, [""; 0]);
        let counts = (findings.journals, findings.records, findings.envelopes);
        assert_eq!(counts, (1, 3, 6));
        assert_eq!(bench.store.inspect().await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn each_kind_of_damage_is_found() {
        for (sql, found) in [
            (
                "UPDATE envelopes SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB)",
                "signature",
            ),
            ("UPDATE envelopes SET bytes = x'00'", "cannot be read"),
            (
                "UPDATE records SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB) WHERE place = 1",
                "breaks the rules",
            ),
            ("DELETE FROM records WHERE place = 1", "ends before"),
            ("UPDATE journals SET head = zeroblob(32)", "another than"),
            ("UPDATE journals SET used = used + 1", "takes other bytes"),
            ("DELETE FROM chains", "beyond the tip"),
        ] {
            let bench = Bench::new().await;
            fill(bench.store.as_ref()).await;
            bench.store.damage(sql).await;
            let mut wrong = check(bench.store.as_ref()).await.unwrap().wrong;
            wrong.extend(bench.store.inspect().await.unwrap());
            let said = wrong.join("\n");
            assert!(said.contains(found), "{sql}: {said}");
        }
    }
}
