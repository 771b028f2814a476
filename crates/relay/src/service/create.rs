//! Creating a journal from its whole log, and giving back to a relay what it lost of one.

use std::sync::Arc;

use protocol::api::{Create, EnrolmentToken, LogPage};
use protocol::cbor::Bytes;
use protocol::id::JournalId;
use protocol::log::MemberLog;
use protocol::record::SignedRecord;
use sha2::{Digest, Sha256};

use super::change::{self, ChangeRefused, Changed};
use super::log::{self, LogAppended};
use super::logs::head_of;
use super::{Asker, Proof, ProofError, Relay, TRIES};
use crate::storage::{CreateOutcome, NewJournal, StorageError, TokenId};

/// What became of a creation.
#[derive(Debug)]
pub(crate) enum Created {
    /// The journal exists from now on.
    New(LogPage),
    /// The journal existed; it has all records of the request now. The page has those that the request lacked.
    Known(LogPage),
    /// The enrolment token is missing, wrong or revoked.
    WrongToken,
    /// The key is none of the log.
    NotMember,
    /// The key may not do this.
    Barred(Asker),
    /// The journal was erased for good, by this record.
    Erased(Vec<u8>),
    /// The proof does not hold.
    Proof(ProofError),
    /// The relay has another log of this journal.
    Forked,
    /// The records or sealed keys are refused.
    Refused(ChangeRefused),
    /// The journal's quota is used up.
    OverQuota,
    /// The relay has as many journals as it may have.
    TooMany,
    /// As many journals were created with the enrolment token as may be.
    TooManyOfToken,
    /// Others changed the journal again and again.
    Busy,
}

/// Returns the hash by which a store knows a token, and the token's public name.
pub(crate) fn hash_token(token: &EnrolmentToken) -> ([u8; 32], TokenId) {
    let hash: [u8; 32] = Sha256::digest(token.reveal().as_bytes()).into();
    let name = data_encoding::HEXLOWER.encode(hash.first_chunk::<4>().unwrap_or(&[0; 4]));
    (hash, TokenId(name))
}

impl Relay {
    /// Creates a journal, or appends to it what the request has and the relay lacks. That log stands elsewhere: who lost the
    /// right to write in it has lost it, whatever this relay holds of theirs.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was changed then.
    pub(crate) async fn create(
        &self,
        proof: Proof<'_>,
        token: Option<EnrolmentToken>,
        create: Create,
    ) -> Result<Created, StorageError> {
        let Some(first) = create.records.first() else {
            return Ok(Created::Refused(ChangeRefused::Empty));
        };
        let journal = match SignedRecord::parse(&first.0) {
            Ok(genesis) => JournalId(genesis.hash().0),
            Err(source) => {
                let refused = ChangeRefused::Malformed { index: 0, source };
                return Ok(Created::Refused(refused));
            }
        };
        let create = Arc::new(create);
        let mut proven = false;
        for _ in 0..TRIES {
            let done = match self.log(journal).await? {
                Some(log) => self.restore(proof, &mut proven, &log, &create).await?,
                None => {
                    if let Some(record) = self.storage().tombstone(journal).await? {
                        return Ok(Created::Erased(record));
                    }
                    self.create_new(proof, &mut proven, journal, token.as_ref(), &create)
                        .await?
                }
            };
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Ok(Created::Busy)
    }

    /// Creates a journal; none if it exists by now.
    async fn create_new(
        &self,
        proof: Proof<'_>,
        proven: &mut bool,
        journal: JournalId,
        token: Option<&EnrolmentToken>,
        create: &Arc<Create>,
    ) -> Result<Option<Created>, StorageError> {
        let token = match token {
            Some(token) => self.storage().token(hash_token(token).0).await?,
            None => None,
        };
        if token.is_none() && !self.open {
            return Ok(Some(Created::WrongToken));
        }
        let (now, quota) = (self.now(), self.limits().quota);
        let whole = Arc::clone(create);
        let changed = super::apart(size(create), move || {
            change::start(&whole.records, &whole.blobs, now, quota)
        });
        let Changed { log, change, .. } = match changed.await? {
            Ok(changed) => changed,
            Err(refused) => return Ok(Some(Created::Refused(refused))),
        };
        if let Err(refused) = self.prove_member(proof, proven, &log).await? {
            return Ok(Some(refused));
        }
        let erases = change.erases;
        let new = NewJournal {
            id: journal,
            log: change,
            token,
            most: self.limits().journals,
            most_of_token: self.limits().journals_per_token,
        };
        Ok(match self.storage().create(new, now).await? {
            CreateOutcome::Created => {
                let end = log::end(&log);
                // The relay's keeper may have removed one of this id.
                self.standings.forget(&journal);
                if !erases {
                    self.logs.keep(Arc::new(log));
                }
                tracing::info!(journal = %Short(&journal), "journal created");
                Some(Created::New(end))
            }
            CreateOutcome::Exists => None,
            CreateOutcome::TooMany => Some(Created::TooMany),
            CreateOutcome::TooManyOfToken => Some(Created::TooManyOfToken),
            CreateOutcome::OverQuota => Some(Created::OverQuota),
        })
    }

    /// Appends what the relay lacks of a log that it has the beginning of; none if the stored log moved meanwhile.
    async fn restore(
        &self,
        proof: Proof<'_>,
        proven: &mut bool,
        known: &Arc<MemberLog>,
        create: &Arc<Create>,
    ) -> Result<Option<Created>, StorageError> {
        let Some(shared) = shared(known, &create.records) else {
            return Ok(Some(Created::Forked));
        };
        let (now, quota) = (self.now(), self.limits().quota);
        let before = Asker::find(known, &proof.authorization.key, now).map(|(asker, _)| asker);
        let expiry = log::expiry(before);
        let changed = {
            let (known, create) = (Arc::clone(known), Arc::clone(create));
            super::apart(size(&create), move || {
                let (before, after) = create.records.split_at(shared);
                change::extend(&known, before, after, &create.blobs, expiry, now, quota)
            })
            .await?
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(refused) => return Ok(Some(Created::Refused(refused))),
        };
        let asker = match self.prove_member(proof, proven, &changed.log).await? {
            Ok(asker) => asker,
            Err(refused) => return Ok(Some(refused)),
        };
        let (journal, key) = (known.journal(), proof.authorization.key);
        let nothing = changed.change.records.is_empty() && changed.change.blobs.is_empty();
        let from = u32::try_from(create.records.len()).unwrap_or(u32::MAX);
        if !nothing {
            let erases = changed.change.erases;
            match self.write_log(known, changed).await? {
                None => return Ok(None),
                Some(LogAppended::OverQuota) => return Ok(Some(Created::OverQuota)),
                Some(LogAppended::Done(end)) if erases => return Ok(Some(Created::Known(end))),
                Some(_) => {}
            }
        }
        let page = self.read_log(journal, from, key, asker).await?;
        if page.is_none() {
            self.logs.forget(&journal);
        }
        Ok(page.map(Created::Known))
    }

    /// Checks that a device of the log makes the request, and, unless that is `proven`, that the proof holds and is new.
    async fn prove_member(
        &self,
        proof: Proof<'_>,
        proven: &mut bool,
        log: &MemberLog,
    ) -> Result<Result<Asker, Created>, StorageError> {
        let key = &proof.authorization.key;
        let Some((asker, verifier)) = Asker::find(log, key, self.now()) else {
            return Ok(Err(Created::NotMember));
        };
        if !*proven {
            if let Err(error) = self.check(proof, &verifier) {
                return Ok(Err(Created::Proof(error)));
            }
            if let Err(error) = self.check_new(proof.authorization).await? {
                return Ok(Err(Created::Proof(error)));
            }
            *proven = true;
        }
        Ok(match asker {
            Asker::Device(_) => Ok(asker),
            barred => Err(Created::Barred(barred)),
        })
    }
}

/// Returns how many records of the request the log has; none if they are of another log.
fn shared(log: &MemberLog, records: &[Bytes]) -> Option<usize> {
    let mut shared = 0;
    for (place, record) in (0..head_of(log).length).zip(records) {
        let hash = SignedRecord::parse(&record.0).ok()?.hash();
        if log.hash_at(place) != Some(hash) {
            return None;
        }
        shared += 1;
    }
    Some(shared)
}

fn size(create: &Create) -> usize {
    create.records.iter().map(|record| record.0.len()).sum()
}

/// A journal's id as logs show it: its beginning.
pub(crate) struct Short<'a>(pub(crate) &'a JournalId);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = self.0.0.first_chunk::<4>().unwrap_or(&[0; 4]);
        f.write_str(&data_encoding::HEXLOWER.encode(start))
    }
}
