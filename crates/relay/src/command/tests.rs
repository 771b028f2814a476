//! Commands over a store that holds something: copied, brought back, moved, checked.

use std::ffi::OsString;
use std::path::Path;

use super::failure::Failure;
use super::{config, dispatch};
use crate::sqlite::{CopyError, OpenError, Sqlite};
use crate::storage::tests::fill;
use crate::storage::{JournalEntry, Storage, TokenId};

/// Runs a command as it would be typed.
fn ebb_relay(arguments: &[&str]) -> Result<(), Failure> {
    let arguments = std::iter::once(&"ebb-relay").chain(arguments);
    let arguments: Vec<OsString> = arguments.map(OsString::from).collect();
    dispatch(config::arguments(&arguments)?)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Fills a folder, and returns what is in it.
fn filled(folder: &Path) -> Vec<JournalEntry> {
    block_on(async {
        let store = Sqlite::open(folder).unwrap();
        fill(&store).await;
        let token = TokenId("0badcafe".to_owned());
        store.add_token(token, [1; 32], 5).await.unwrap();
        store.journals().await.unwrap()
    })
}

fn journals(folder: &Path) -> Vec<JournalEntry> {
    block_on(async { Sqlite::open(folder).unwrap().journals().await.unwrap() })
}

/// The paths of a test, as text.
struct Paths {
    folder: tempfile::TempDir,
}

impl Paths {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn a_backup_made_in_use_brings_everything_back() {
    let paths = Paths::new();
    let (data, copy, new) = (paths.path("data"), paths.path("copy"), paths.path("new"));
    let before = filled(Path::new(&data));
    let in_use = Sqlite::open(Path::new(&data)).unwrap();
    ebb_relay(&["backup", &copy, "--data", &data]).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(in_use);
    ebb_relay(&["restore", &copy, "--data", &new]).unwrap();
    assert_eq!(journals(Path::new(&new)), before);
    ebb_relay(&["check", "--data", &new]).unwrap();
    // Neither overwrites anything.
    for again in [
        ["backup", &copy, "--data", &data],
        ["restore", &copy, "--data", &data],
    ] {
        let error = ebb_relay(&again).unwrap_err();
        assert!(matches!(error, Failure::Copy(CopyError::Exists { .. })));
    }
    assert_eq!(journals(Path::new(&data)), before);
    let left: Vec<_> = std::fs::read_dir(paths.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn what_is_damaged_is_not_brought_back() {
    let paths = Paths::new();
    let (data, copy, new) = (paths.path("data"), paths.path("copy"), paths.path("new"));
    filled(Path::new(&data));
    ebb_relay(&["backup", &copy, "--data", &data]).unwrap();
    let whole = std::fs::read(&copy).unwrap();
    let mut holed = whole.clone();
    let middle = whole.len() / 2;
    holed[middle - 2048..middle + 2048].fill(0xff);
    for damaged in [&whole[..whole.len() / 2], &holed, b"no database"] {
        std::fs::write(&copy, damaged).unwrap();
        let error = ebb_relay(&["restore", &copy, "--data", &new]).unwrap_err();
        let (code, kind) = error.kind();
        assert_eq!((code, kind), (5, "damaged"), "{error:?}");
        assert!(!Path::new(&new).join("relay.sqlite3").exists());
    }
    let missing = paths.path("missing");
    let error = ebb_relay(&["restore", &missing, "--data", &new]).unwrap_err();
    assert!(matches!(error, Failure::Open(OpenError::Open { .. })));
}

#[test]
fn check_ends_with_what_is_wrong() {
    let paths = Paths::new();
    let data = paths.path("data");
    filled(Path::new(&data));
    ebb_relay(&["check", "--data", &data]).unwrap();
    let store = Sqlite::open(Path::new(&data)).unwrap();
    block_on(store.damage("UPDATE envelopes SET bytes = x'00'"));
    let error = ebb_relay(&["check", "--data", &data]).unwrap_err();
    assert!(matches!(error, Failure::Wrong(2)), "{error:?}");
    assert_eq!(error.kind(), (5, "damaged"));
}

#[test]
fn a_journal_is_erased_by_its_whole_id_only() {
    let paths = Paths::new();
    let data = paths.path("data");
    let id = filled(Path::new(&data))[0].id.to_string();
    let erase = |id: &str| ebb_relay(&["journals", "erase", id, "--data", &data]);
    assert!(matches!(erase(&id[..8]), Err(Failure::Usage(_))));
    erase(&id).unwrap();
    assert!(matches!(
        erase(&id),
        Err(Failure::NotOneJournal { found: 0, .. })
    ));
    assert_eq!(journals(Path::new(&data)), []);
}

#[test]
fn moving_names_two_engines_and_both_places() {
    let paths = Paths::new();
    let data = paths.path("data");
    let database = "postgres://nobody@127.0.0.1:1/none";
    let places = ["--data", &data, "--database", database];
    for (wrong, places) in [
        (["sqlite", "sqlite"], &places[..]),
        (["sqlite", "postgres"], &places[..2]),
        (["sqlite", "postgres"], &places[2..]),
    ] {
        let [from, to] = wrong;
        let arguments = [&["migrate", "--from", from, "--to", to], places].concat();
        let error = ebb_relay(&arguments).unwrap_err();
        assert_eq!(error.kind(), (2, "usage"), "{error:?}");
    }
}

/// Returns a file of `deploy/`.
fn deployed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn the_settings_and_commands_of_a_service_are_understood() {
    let paths = Paths::new();
    let settings = paths.path("ebb-relay.toml");
    let text = deployed("ebb-relay.toml");
    // What is written out as an alternative must be right, too.
    let alternatives = text.replace("\n# listen =", "\n# other-listen =");
    let alternatives: String = alternatives
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = \"") && !setting.starts_with("other-") => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let unit = deployed("ebb-relay.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let line = line.unwrap().replace("/etc/ebb-relay.toml", &settings);
    let container = deployed("Containerfile");
    let listed = |start: &str| {
        let line = container.lines().find_map(|line| line.strip_prefix(start));
        let words: Vec<String> = serde_json::from_str(line.unwrap()).unwrap();
        words
    };
    let health = listed("HEALTHCHECK --interval=30s --timeout=10s CMD ");
    let started = [listed("ENTRYPOINT "), listed("CMD ")].concat();
    for text in [&text, &alternatives] {
        std::fs::write(&settings, text).unwrap();
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        config::arguments(&words).unwrap();
    }
    for words in [health, started] {
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        config::arguments(&words).unwrap();
    }
}

#[test]
#[ignore = "needs a PostgreSQL: cargo xtask conformance"]
fn postgres_takes_everything_and_gives_it_back() {
    let paths = Paths::new();
    let (data, back) = (paths.path("data"), paths.path("back"));
    let (copy, new) = (paths.path("copy"), paths.path("new"));
    let before = filled(Path::new(&data));
    let database = block_on(crate::postgres::tests::create());
    let migrate = |from, to, data: &str| {
        let places = ["--data", data, "--database", &database];
        ebb_relay(&[&["migrate", "--from", from, "--to", to][..], &places].concat())
    };
    migrate("sqlite", "postgres", &data).unwrap();
    ebb_relay(&["check", "--database", &database]).unwrap();
    let again = migrate("sqlite", "postgres", &data).unwrap_err();
    assert!(matches!(again, Failure::NotEmpty), "{again:?}");
    // It goes on from there: what is stored next is numbered after what came.
    let more = block_on(async {
        let address = database.parse().unwrap();
        let store = crate::postgres::Postgres::open(&address).await.unwrap();
        assert_eq!(store.journals().await.unwrap(), before);
        assert!(store.forget(before[0].id).await.unwrap());
        fill(&store).await;
        store.journals().await.unwrap()
    });
    migrate("postgres", "sqlite", &back).unwrap();
    assert_eq!(journals(Path::new(&back)), more);
    ebb_relay(&["check", "--data", &back]).unwrap();
    ebb_relay(&["backup", &copy, "--database", &database]).unwrap();
    ebb_relay(&["restore", &copy, "--data", &new]).unwrap();
    assert_eq!(journals(Path::new(&new)), more);
    let other = block_on(crate::postgres::tests::create());
    ebb_relay(&["restore", &copy, "--database", &other]).unwrap();
    ebb_relay(&["check", "--database", &other]).unwrap();
}

#[test]
#[ignore = "needs a PostgreSQL: cargo xtask conformance"]
fn postgres_in_use_is_not_replaced() {
    let paths = Paths::new();
    let data = paths.path("data");
    filled(Path::new(&data));
    let database = block_on(crate::postgres::tests::create());
    let places = ["--data", &data, "--database", &database];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = database.parse().unwrap();
    let open = crate::postgres::Postgres::open(&address);
    let serving = runtime.block_on(open).unwrap();
    let (tell, heard) = std::sync::mpsc::channel();
    let inside = runtime.enter();
    serving.listen(Box::new(move |journal| tell.send(journal).unwrap()));
    let first = heard.recv_timeout(std::time::Duration::from_secs(20));
    assert_eq!(first, Ok(None));
    drop(inside);
    let migrate = ["migrate", "--from", "sqlite", "--to", "postgres"];
    let error = ebb_relay(&[&migrate[..], &places].concat()).unwrap_err();
    assert!(matches!(error, Failure::DatabaseInUse), "{error:?}");
}
