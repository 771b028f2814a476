//! A small world for tests: a journal of three devices, a relay in memory that can misbehave, and a driver without disk.

use std::collections::BTreeMap;

use protocol::api::{
    Append, Appended, LogPage, Problem, ProblemKind, Quota, SyncAnswer, SyncRequest,
};
use protocol::cbor::Bytes;
use protocol::domain::Domain;
use protocol::envelope::{Envelope, Header, Kind, VerifiedEnvelope};
use protocol::id::{BlobHash, ChainId, ChainSalt, EnvelopeHash, PersonId, RecordHash, Seq};
use protocol::log::MemberLog;
use protocol::record::{
    Body, DeviceKeys, Genesis, Invite, Join, Place, Relays, SignedRecord, join_proof_parts,
};
use protocol::role::Role;
use protocol::sign::Signer;
use protocol::vector::{Position, Vector};
use rand_core::{Infallible, TryCryptoRng, TryRng};
use seal::{Content, EpochKey, KeyPair, Seed, VectorPart};

use crate::{Action, Event, Fault, Own, Replica, Request, Session, Unsealed, Warning};

/// Numbers that are the same in every run.
#[derive(Debug)]
pub(super) struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::try_from(self.try_next_u64()? >> 32).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            *byte = self.try_next_u64()?.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

fn epoch_key() -> EpochKey {
    EpochKey::random(0, &mut Counter(1))
}

fn device_pair(number: u8) -> KeyPair {
    KeyPair::of_device(&Seed::from_bytes([number + 1; 32]))
}

fn keys_of(pair: &KeyPair) -> DeviceKeys {
    DeviceKeys {
        signing: pair.signing_key(),
        kem: pair.kem_key(),
        name: Bytes(vec![1]),
        paper: false,
    }
}

/// The journal's records: an owner with two devices, and a reader.
fn records() -> Vec<SignedRecord> {
    let owner = device_pair(0);
    let genesis = Body::Genesis(Genesis {
        person: PersonId([1; 16]),
        name: Bytes(vec![1]),
        device: keys_of(&owner),
        epoch: epoch_key().commitment(),
        key: BlobHash([0; 32]),
        relays: vec!["http://relay.test".to_owned()],
    });
    let genesis = SignedRecord::create(&owner, Place::GENESIS, 0, &genesis);
    let mut log = MemberLog::start(genesis.clone()).unwrap();
    let mut records = vec![genesis];
    for (number, person, role) in [(1, 1, Role::Owner), (2, 2, Role::Reader)] {
        let invited = KeyPair::of_invite(&Seed::from_bytes([100 + number; 32]));
        let invite = Body::Invite(Invite {
            signing: invited.signing_key(),
            kem: invited.kem_key(),
            person: PersonId([person; 16]),
            name: (person != 1).then(|| Bytes(vec![2])),
            role,
            expires: 1,
            key: Some(BlobHash([0; 32])),
        });
        let invite = SignedRecord::create(&owner, log.next_place(), 0, &invite);
        log.append(invite.clone()).unwrap();
        let pair = device_pair(number);
        let (journal, invite_id, device) = (log.journal(), invited.key_id(), pair.key_id());
        let proof = pair.sign(
            Domain::JoinProof,
            &join_proof_parts(&journal, &invite_id, &device),
        );
        let join = Body::Join(Join {
            device: keys_of(&pair),
            proof,
            key: Some(BlobHash([0; 32])),
        });
        let join = SignedRecord::create(&invited, log.next_place(), 0, &join);
        log.append(join.clone()).unwrap();
        records.extend([invite, join]);
    }
    records
}

fn log_of(records: &[SignedRecord]) -> MemberLog {
    let mut records = records.iter().cloned();
    let mut log = MemberLog::start(records.next().unwrap()).unwrap();
    for record in records {
        log.append(record).unwrap();
    }
    log
}

/// The relay and the owner's key.
pub(super) struct World {
    pub(super) relay: Relay,
    pub(super) owner: KeyPair,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            relay: Relay::new(records()),
            owner: device_pair(0),
        }
    }

    /// A device of the journal: 0 and 1 are the owner's, 2 is the reader's.
    pub(super) fn device(&self, number: u8) -> Device {
        Device {
            number,
            log: records(),
            salt: ChainSalt([number; 16]),
            chains: BTreeMap::new(),
            merged: Vec::new(),
            unsealed: Vec::new(),
            waiting: Vec::new(),
            held: Vec::new(),
            warnings: Vec::new(),
            acknowledged: Vector::default(),
            sealed_vector: Vector::default(),
            keyless: false,
        }
    }
}

/// A relay in memory, with faults to switch on.
pub(super) struct Relay {
    log: Vec<SignedRecord>,
    chains: BTreeMap<ChainId, Vec<Vec<u8>>>,
    pub(super) requests: usize,
    pub(super) page: usize,
    pub(super) lose_next_append: bool,
    pub(super) stale_once: bool,
    pub(super) withhold_first: bool,
    pub(super) flip_bit: Option<usize>,
}

impl Relay {
    fn new(log: Vec<SignedRecord>) -> Self {
        Self {
            log,
            chains: BTreeMap::new(),
            requests: 0,
            page: usize::MAX,
            lose_next_append: false,
            stale_once: false,
            withhold_first: false,
            flip_bit: None,
        }
    }

    pub(super) fn problem(kind: ProblemKind) -> Problem {
        Problem {
            kind,
            status: 500,
            detail: "no".to_owned(),
            limit: None,
            time: None,
            record: None,
        }
    }

    pub(super) fn envelopes(&self) -> Vec<Vec<u8>> {
        self.chains.values().flatten().cloned().collect()
    }

    pub(super) fn forget_envelopes(&mut self) {
        self.chains.clear();
    }

    pub(super) fn forget_last_record(&mut self) {
        self.log.pop();
    }

    pub(super) fn log_length(&self) -> usize {
        self.log.len()
    }

    pub(super) fn head(&self) -> RecordHash {
        self.log.last().unwrap().hash()
    }

    /// Replaces all after the second record by another one.
    pub(super) fn fork_log(&mut self, owner: &KeyPair) {
        self.log.truncate(2);
        let log = log_of(&self.log);
        for urls in 0..3 {
            let place = Place {
                index: log.length() + urls,
                ..log.next_place()
            };
            let body = Body::Relays(Relays { urls: Vec::new() });
            self.log.push(SignedRecord::create(owner, place, 0, &body));
        }
    }

    pub(super) fn plant(&mut self, envelope: Envelope) {
        let chain = envelope.header().chain();
        self.chains
            .entry(chain)
            .or_default()
            .push(envelope.bytes().to_vec());
    }

    fn heads(&self) -> Vector {
        let head = |(chain, envelopes): (&ChainId, &Vec<Vec<u8>>)| {
            let last = Envelope::parse(envelopes.last()?.clone()).ok()?;
            Some((
                *chain,
                Position {
                    seq: last.header().seq,
                    hash: last.hash(),
                },
            ))
        };
        Vector(self.chains.iter().filter_map(head).collect())
    }

    fn page_from(&self, from: usize) -> LogPage {
        LogPage {
            length: u32::try_from(self.log.len()).unwrap(),
            head: self.log.last().unwrap().hash(),
            records: self
                .log
                .iter()
                .skip(from)
                .map(|record| Bytes(record.bytes().to_vec()))
                .collect(),
            blobs: Vec::new(),
        }
    }

    pub(super) fn empty_answer(&self) -> SyncAnswer {
        SyncAnswer {
            log: self.page_from(self.log.len()),
            envelopes: Vec::new(),
            more: false,
            heads: self.heads(),
            quota: Quota { used: 0, limit: 1 },
        }
    }

    fn sync(&self, request: &SyncRequest) -> SyncAnswer {
        let lacks = self.chains.iter().flat_map(|(chain, envelopes)| {
            let seen = usize::try_from(request.vector.seq(chain).0).unwrap();
            envelopes
                .iter()
                .skip(seen.max(usize::from(self.withhold_first)))
        });
        let mut envelopes: Vec<Bytes> = lacks.cloned().map(Bytes).collect();
        let more = envelopes.len() > self.page;
        envelopes.truncate(self.page);
        if let (Some(place), Some(first)) = (self.flip_bit, envelopes.first_mut()) {
            first.0[place] ^= 1;
        }
        let from = usize::try_from(request.log_length).unwrap();
        SyncAnswer {
            log: self.page_from(from),
            envelopes,
            more,
            ..self.empty_answer()
        }
    }

    fn append(&mut self, append: &Append) -> Result<Appended, Problem> {
        if std::mem::take(&mut self.stale_once) {
            return Err(Self::problem(ProblemKind::StaleHead));
        }
        for bytes in &append.envelopes {
            let envelope = Envelope::parse(bytes.0.clone()).unwrap();
            let chain = self.chains.entry(envelope.header().chain()).or_default();
            if envelope.header().seq.0 == u64::try_from(chain.len()).unwrap() + 1 {
                chain.push(bytes.0.clone());
            }
        }
        Ok(Appended {
            heads: self.heads(),
            refused: Vec::new(),
        })
    }

    /// Answers a request; none if the answer is lost on the way.
    fn answer(&mut self, request: Request) -> Option<Event> {
        self.requests += 1;
        Some(match request {
            Request::Sync(sync) => Event::Synced(self.sync(&sync)),
            Request::AppendLog(append) => {
                let records = append
                    .records
                    .iter()
                    .map(|record| SignedRecord::parse(&record.0).unwrap());
                self.log.extend(records);
                Event::LogAppended(self.page_from(self.log.len()))
            }
            Request::Append(_) if std::mem::take(&mut self.lose_next_append) => return None,
            Request::Append(append) => match self.append(&append) {
                Ok(appended) => Event::Appended(appended),
                Err(problem) => Event::Problem(problem),
            },
        })
    }
}

/// A device whose disk is memory: what a driver does, at its smallest.
pub(super) struct Device {
    number: u8,
    log: Vec<SignedRecord>,
    salt: ChainSalt,
    chains: BTreeMap<ChainId, (crate::Known, Vec<Vec<u8>>)>,
    merged: Vec<String>,
    unsealed: Vec<String>,
    pub(super) waiting: Vec<Vec<u8>>,
    pub(super) held: Vec<String>,
    pub(super) warnings: Vec<Warning>,
    acknowledged: Vector,
    sealed_vector: Vector,
    /// Whether no relay has given it a key.
    pub(super) keyless: bool,
}

impl Device {
    pub(super) fn keys(&self) -> KeyPair {
        device_pair(self.number)
    }

    pub(super) fn record(&mut self, text: &str) {
        self.unsealed.push(text.to_owned());
    }

    /// The batches merged and written here, in the order of their text.
    pub(super) fn batches(&self) -> Vec<String> {
        let mut batches = self.merged.clone();
        batches.sort_by_key(|text| {
            ["one", "two", "three"]
                .iter()
                .position(|known| known == text)
        });
        batches
    }

    pub(super) fn log_length(&self) -> usize {
        self.log.len()
    }

    pub(super) fn own_envelopes(&self) -> Vec<Vec<u8>> {
        let chain = ChainId::of(&self.keys().key_id(), &self.salt);
        self.chains
            .get(&chain)
            .map(|(_, envelopes)| envelopes.clone())
            .unwrap_or_default()
    }

    pub(super) fn copy(&self, world: &World) -> Self {
        Self {
            log: self.log.clone(),
            chains: self.chains.clone(),
            merged: self.merged.clone(),
            acknowledged: self.acknowledged.clone(),
            sealed_vector: self.sealed_vector.clone(),
            ..world.device(self.number)
        }
    }

    fn replica(&self) -> Replica {
        Replica {
            log: log_of(&self.log),
            device: std::sync::Arc::new(self.keys()),
            keys: match self.keyless {
                true => seal::Keyring::default(),
                false => seal::Keyring::from_key(&log_of(&self.log), epoch_key()),
            },
            chains: self
                .chains
                .iter()
                .map(|(chain, (known, _))| (*chain, *known))
                .collect(),
            own: Own {
                salt: self.salt,
                sealed_vector: self.sealed_vector.clone(),
            },
            acknowledged: self.acknowledged.clone(),
        }
    }

    pub(super) fn session(&mut self) -> Session<Counter> {
        let records = self
            .log
            .iter()
            .map(|record| record.bytes().to_vec())
            .collect();
        let random =
            Counter(u64::from(self.number) + 99 + u64::try_from(self.merged.len()).unwrap());
        Session::start(
            self.replica(),
            records,
            std::mem::take(&mut self.waiting),
            random,
        )
    }

    /// Seals a batch as a client that ignores its role would.
    pub(super) fn seal_regardless(&mut self, text: &str) -> Envelope {
        let head = self.log.last().unwrap().hash();
        self.seal_at(head, text)
    }

    /// Seals a batch on a chain of its own, as if the member log ended with that record.
    pub(super) fn seal_at(&self, head: RecordHash, text: &str) -> Envelope {
        let header = Header {
            kind: Kind::Batch,
            journal: log_of(&self.log).journal(),
            device: self.keys().key_id(),
            salt: ChainSalt([77; 16]),
            seq: Seq(1),
            prev: None,
            head,
            epoch: 0,
            nonce: [0; 24],
        };
        let seen = VectorPart {
            whole: true,
            chains: Vector::default(),
        };
        let content = Content {
            seen,
            batch: Bytes(text.as_bytes().to_vec()),
        };
        seal::seal(header, &content, &epoch_key(), &self.keys()).unwrap()
    }

    fn keep(&mut self, envelope: &VerifiedEnvelope, head: u32) {
        let header = envelope.header();
        let hash: EnvelopeHash = envelope.envelope().hash();
        let tip = protocol::judge::ChainTip {
            seq: header.seq,
            hash,
            head,
        };
        let known = crate::Known {
            device: header.device,
            tip,
        };
        let (at, envelopes) = self
            .chains
            .entry(header.chain())
            .or_insert((known, Vec::new()));
        *at = known;
        envelopes.push(envelope.envelope().bytes().to_vec());
    }

    /// Cuts the own chain back, records again what was in the envelopes cut off, and begins a new chain, as a client does.
    fn cut(&mut self, after: Seq) {
        let own = ChainId::of(&self.keys().key_id(), &self.salt);
        self.salt.0[0] = self.salt.0[0].wrapping_add(100);
        let Some((_, mut envelopes)) = self.chains.remove(&own) else {
            return;
        };
        for bytes in envelopes.split_off(usize::try_from(after.0).unwrap()) {
            let envelope = VerifiedEnvelope::trusted(Envelope::parse(bytes).unwrap());
            let content = seal::open(&envelope, &epoch_key()).unwrap();
            self.unsealed
                .push(String::from_utf8(content.batch.0).unwrap());
        }
        for bytes in envelopes {
            let envelope = VerifiedEnvelope::trusted(Envelope::parse(bytes).unwrap());
            self.keep(&envelope, 0);
        }
    }

    /// Runs one session to its end; returns what it restored. A lost answer is a problem of the network.
    pub(super) fn sync(&mut self, relay: &mut Relay) -> Result<u64, Fault> {
        let mut session = self.session();
        loop {
            match session.poll().expect("a session asks or finishes") {
                Action::StoreLog { records, .. } => {
                    self.log
                        .extend(records.iter().map(|record| record.signed().clone()));
                }
                Action::Merge(incoming) => {
                    for one in incoming {
                        self.keep(&one.envelope, one.head);
                        match one.content {
                            Ok(content) => self
                                .merged
                                .push(String::from_utf8(content.batch.0).unwrap()),
                            Err(reason) => self.held.push(reason),
                        }
                    }
                }
                Action::Wait { envelope, .. } => self.waiting.push(envelope),
                Action::StartChain(salt) => self.salt = salt,
                Action::Yield { after } => {
                    self.cut(after);
                    return self.sync(relay);
                }
                Action::CollectUnsealed => {
                    let batches = self.unsealed.iter().map(|text| text.as_bytes().to_vec());
                    let batches = batches
                        .map(|batch| Unsealed {
                            kind: Kind::Batch,
                            batch,
                            mark: 0,
                        })
                        .collect();
                    session.handle(Event::Unsealed(batches));
                }
                Action::StoreOwn(sealed) => {
                    for outgoing in &sealed {
                        self.keep(&outgoing.envelope, outgoing.head);
                        self.sealed_vector = outgoing.seen.clone();
                    }
                    self.merged.append(&mut self.unsealed);
                    session.handle(Event::Stored(true));
                }
                Action::Load {
                    chain,
                    after,
                    until,
                } => {
                    let [after, until] = [after, until].map(|seq| usize::try_from(seq.0).unwrap());
                    let envelopes = &self.chains[&chain].1[after..until];
                    let envelopes = envelopes.iter().cloned();
                    let parsed = envelopes.map(|bytes| Envelope::parse(bytes).unwrap());
                    session.handle(Event::Loaded(
                        parsed.map(VerifiedEnvelope::trusted).collect(),
                    ));
                }
                Action::Send(request) => match relay.answer(request) {
                    Some(event) => session.handle(event),
                    None => return Err(Fault::Problem(Relay::problem(ProblemKind::Unavailable))),
                },
                Action::Acknowledged { heads, .. } => self.acknowledged = heads,
                Action::Warn(warning) => self.warnings.push(warning),
                Action::Finish(result) => return result.map(|outcome| outcome.restored),
            }
        }
    }
}
