//! Damaged files: whatever bytes a replica's file has, opening, reading and writing end in an answer or in an error of
//! the right family, and never in a panic.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use protocol::id::{BlobHash, ChainId, ChainSalt, EnvelopeHash, JournalId, KeyId, PersonId, Seq};
use protocol::role::Role;
use store::document::StoredTip;
use store::entry::{EntryFilter, EntryKey, EntryRow};
use store::envelope::{EnvelopeState, NextEnvelope, StoredEnvelope};
use store::member::MemberRow;
use store::relay::RelayState;
use store::{Birth, OpenError, Reader, Replica, StoreError, Writer};
use tempfile::TempDir;

const DEVICE: KeyId = KeyId([2; 32]);
const SALT: ChainSalt = ChainSalt([3; 16]);
const OTHER: KeyId = KeyId([4; 32]);

/// The bytes of a replica with some of everything: some hundred pages.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.db");
    let birth = Birth {
        journal: JournalId([1; 32]),
        device: DEVICE,
        salt: SALT,
        zone: "Europe/Berlin".to_owned(),
    };
    let mut replica = Replica::create(&path, &birth).unwrap();
    replica
        .write::<_, StoreError>(|writer| {
            writer.append_log(&[vec![1; 300], vec![2; 300]])?;
            writer.put_blob(&BlobHash([6; 32]), &[7; 1_200])?;
            writer.put_members(&[member()])?;
            writer.put_relay(&RelayState::new("https://relay.example"))?;
            accept(writer, 1, EnvelopeState::Merged)?;
            accept(writer, 2, EnvelopeState::Held("no key yet"))?;
            for number in 0..300 {
                record(writer, number)?;
            }
            let edition = writer.document("2026-11")?.edition;
            writer.put_document("2026-11", &edition, &[8; 20_000])?;
            writer.add_part("2026-11", &[9; 6_000])
        })
        .unwrap();
    drop(replica);
    fs::read(path).unwrap()
});

fn member() -> MemberRow {
    MemberRow {
        device: DEVICE,
        device_name: "laptop".to_owned(),
        person: PersonId([1; 16]),
        person_name: "Ana".to_owned(),
        role: Some(Role::Owner),
        joined: 1_700_000_000,
        paper: false,
    }
}

fn accept(writer: &mut Writer<'_>, seq: u64, state: EnvelopeState<'_>) -> Result<(), StoreError> {
    let envelope = StoredEnvelope {
        seq: Seq(seq),
        hash: EnvelopeHash([seq.to_le_bytes()[0]; 32]),
        bytes: vec![5; 9_000],
    };
    let next = NextEnvelope {
        device: OTHER,
        salt: SALT,
        prev: (seq > 1).then_some(EnvelopeHash([(seq - 1).to_le_bytes()[0]; 32])),
        head: 1,
        envelope: &envelope,
        heard_ms: Some(1),
    };
    writer.accept(&next, state).map(drop)
}

fn record(writer: &mut Writer<'_>, number: u64) -> Result<(), StoreError> {
    let chain = writer.own()?.chain;
    let tip = StoredTip {
        seq: number + 1,
        max_op: number * 7,
        hash: [3; 32],
    };
    writer.record("2026-11", &chain, &[4; 200], &tip, 1)?;
    writer.put_entries(&[EntryRow {
        id: EntryKey((u128::from(number) << 64).to_be_bytes()),
        kind: "fatigue".to_owned(),
        at_ms: number.cast_signed(),
        deleted: false,
        chain,
        changed_ms: 0,
        text: "after the stairs".to_owned(),
        json: "x".repeat(200),
    }])
}

/// Reads all there is.
fn read_all(reader: &Reader<'_>) -> Result<(), StoreError> {
    let own = reader.own()?;
    reader.setting("hints")?;
    reader.log_records()?;
    reader.blobs()?;
    reader.vector()?;
    reader.covered()?;
    for (chain, _) in reader.chains()? {
        reader.envelopes_after(&chain, Seq(0), usize::MAX)?;
    }
    reader.held()?;
    reader.waiting()?;
    reader.unsealed()?;
    reader.unsent_count(None)?;
    for document in reader.documents()? {
        reader.document(&document)?;
        reader.tip(&document, &own.chain)?;
    }
    reader.relays()?;
    reader.members()?;
    let entries = reader.entries(&EntryFilter::default())?;
    let ids: Vec<_> = entries.into_iter().map(|entry| entry.id).collect();
    reader.short_ids(&ids)?;
    reader.ids_with_prefix("0", 10).map(drop)
}

fn write_some(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    record(writer, 500)?;
    accept(writer, 3, EnvelopeState::Merged)?;
    let ids: Vec<_> = writer.unsealed()?.iter().map(|change| change.id).collect();
    writer.remove_loose(&ids)?;
    writer.put_members(&[])?;
    writer.clear_documents()?;
    writer.clear_read_model()
}

/// What using the file came to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Works,
    Damaged,
    Newer,
}

/// Opens, reads, checks and writes a file of these bytes.
fn using(bytes: &[u8]) -> Found {
    let (_folder, path) = file(bytes);
    let mut replica = match Replica::open(&path) {
        Ok(replica) => replica,
        Err(OpenError::Damaged { .. }) => return Found::Damaged,
        Err(OpenError::Newer { .. }) => return Found::Newer,
        Err(error) => panic!("{error:?}"),
    };
    let read = replica.read(read_all);
    let checked = replica.check();
    let complaints = checked.as_ref().is_ok_and(|lines| !lines.is_empty());
    let written = replica.write(write_some);
    let mut found = if complaints {
        Found::Damaged
    } else {
        Found::Works
    };
    for error in [read.err(), checked.err(), written.err()]
        .into_iter()
        .flatten()
    {
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
        found = Found::Damaged;
    }
    found
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.db");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_whole_file_works() {
    assert_eq!(using(&WHOLE), Found::Works);
}

#[test]
fn no_file_is_missing_and_not_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Replica::open(&folder.path().join("replica.db"));
    assert!(
        matches!(opened, Err(OpenError::Missing { .. })),
        "{opened:?}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_is_no_replica() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Replica::open(folder.path());
    assert!(matches!(opened, Err(OpenError::Io { .. })), "{opened:?}");
}

#[test]
fn no_bytes_and_other_bytes_are_damaged() {
    assert_eq!(using(b""), Found::Damaged);
    assert_eq!(using(b"SQLite format 3\0"), Found::Damaged);
    assert_eq!(using(&[0; 4_096]), Found::Damaged);
    assert_eq!(using(&[0xa5; 100_000]), Found::Damaged);
}

#[test]
fn a_garbage_header_is_damaged() {
    let mut bytes = WHOLE.clone();
    bytes[..100].fill(0xa5);
    assert_eq!(using(&bytes), Found::Damaged);
}

#[test]
fn a_truncated_file_is_damaged() {
    for part in [1, 2, 3] {
        assert_eq!(
            using(&WHOLE[..WHOLE.len() * part / 4]),
            Found::Damaged,
            "{part} / 4"
        );
    }
}

/// Pages of bare bytes begin with the number of the page that follows, whose first byte is zero here: what those hold
/// is opaque, and checked by whoever knows its hash.
#[test]
fn a_zeroed_page_of_a_table_or_an_index_is_noticed() {
    let pages = (1..WHOLE.len() / 4_096).filter(|page| WHOLE[page * 4_096] != 0);
    let mut seen = 0;
    for page in pages {
        let mut bytes = WHOLE.clone();
        bytes[page * 4_096..(page + 1) * 4_096].fill(0);
        assert_eq!(using(&bytes), Found::Damaged, "page {page}");
        seen += 1;
    }
    assert!(seen > 40, "{seen} pages");
}

#[test]
fn an_impossible_column_is_damaged() {
    let (_folder, path) = file(&WHOLE);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("UPDATE own SET device = x'00'", [])
        .unwrap();
    drop(connection);
    let own = Replica::open(&path).unwrap().read(|reader| reader.own());
    assert!(matches!(own, Err(StoreError::Damaged { .. })), "{own:?}");
}

#[test]
fn a_replica_without_its_row_is_damaged() {
    let (_folder, path) = file(&WHOLE);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("DELETE FROM own", []).unwrap();
    drop(connection);
    let mut replica = Replica::open(&path).unwrap();
    let own = replica.read(|reader| reader.own());
    assert!(matches!(own, Err(StoreError::Damaged { .. })), "{own:?}");
    let started: Result<ChainId, StoreError> =
        replica.write(|writer| writer.start_chain(&SALT, None));
    assert!(
        matches!(started, Err(StoreError::Damaged { .. })),
        "{started:?}"
    );
}

#[test]
fn a_page_damaged_while_open_is_damage_and_not_a_panic() {
    let (_folder, path) = file(&WHOLE);
    let mut replica = Replica::open(&path).unwrap();
    let mut bytes = WHOLE.clone();
    bytes[4_096..].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let read = replica.read(read_all);
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    let written = replica.write(write_some);
    assert!(
        matches!(written, Err(StoreError::Damaged { .. })),
        "{written:?}"
    );
}

/// Flips bits, except in the byte that asks older programs to leave a file read-only: that is an answer of its own.
fn flip(flips: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = WHOLE.clone();
    for (place, bits) in flips.iter().filter(|(place, _)| *place != 18) {
        bytes[*place] ^= bits;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn flipped_bits_never_panic(
        flips in prop::collection::vec((0..WHOLE.len(), 1_u8..=255), 1..12)
    ) {
        using(&flip(&flips));
    }

    #[test]
    fn flipped_bits_in_header_and_schema_never_panic(
        flips in prop::collection::vec((0_usize..4_096, 1_u8..=255), 1..4)
    ) {
        using(&flip(&flips));
    }
}
