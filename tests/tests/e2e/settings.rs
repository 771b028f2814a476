//! What people expect beside the journal: other names, another zone at home, syncing by itself, manual pages, completions, and
//! a word while there is no second copy.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Answer, Home, text};
use crate::relay::Relay;

/// Returns the people by name, each with the names of the devices.
fn names(home: &Home) -> BTreeMap<String, Vec<String>> {
    let members = home.json(&["members"]);
    let people = members.as_array().expect("people").iter();
    let devices = |person: &Value| {
        let devices = person["devices"].as_array().expect("devices").iter();
        devices.map(|device| text(device, "name")).collect()
    };
    people
        .map(|person| (text(person, "name"), devices(person)))
        .collect()
}

/// Tells whether somebody so called has a device so called.
fn has(home: &Home, person: &str, device: &str) -> bool {
    let names = names(home);
    let devices = names
        .get(person)
        .unwrap_or_else(|| panic!("no {person}: {names:?}"));
    devices.iter().any(|name| name == device)
}

#[test]
fn people_and_devices_are_called_something_else_everywhere() {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let phone = ana.another("phone");
    let share = ["share", "--name", "Sam", "--role", "contributor"];
    let sam = Home::new();
    sam.json(&["join", &text(&ana.json(&share), "link"), "--name", "tablet"]);
    let id = sam.log(&["6"]);
    for home in [&sam, &ana, &phone] {
        home.sync();
    }
    let renamed = ana.json(&["rename", "Anneliese", "Ana"]);
    assert_eq!(
        renamed,
        json!({"renamed": "person", "from": "Anneliese", "to": "Ana"})
    );
    ana.json(&["rename", "sam", "Samuel"]);
    ana.json(&["rename", "Ana, phone", "old phone"]);
    for home in [&ana, &sam, &phone] {
        home.sync();
    }
    for home in [&ana, &sam, &phone] {
        assert!(has(home, "Ana", "old phone") && has(home, "Samuel", "tablet"));
        assert_eq!(names(home).len(), 2);
        let author = home.json(&["show", &id])["author"].clone();
        assert_eq!(author, json!({"person": "Samuel", "device": "tablet"}));
        assert_eq!(
            home.json(&["list", "--by", "samuel"])
                .as_array()
                .map(Vec::len),
            Some(1)
        );
    }
    // What was renamed is found by its new name, and by no other.
    let taken = ana
        .ebb(&["rename", "Samuel", "ana", "--json"])
        .expect_code(1)
        .error();
    assert_eq!(taken["kind"], "name-taken");
    let gone = ana
        .ebb(&["rename", "Sam", "x", "--json"])
        .expect_code(1)
        .error();
    assert_eq!(gone["kind"], "unknown-name");
    ana.ebb(&["rename", "Samuel", " ", "--json"]).expect_code(2);
    let refused = sam
        .ebb(&["rename", "tablet", "mine", "--json"])
        .expect_code(3)
        .error();
    assert_eq!(refused["hints"], json!(["ask Ana to change it"]));
    ana.json(&["role", "Samuel", "reader"]);
    // The names stand when the member log is read anew, and go back with undo.
    ana.json(&["doctor", "--rebuild"]);
    assert!(has(&ana, "Samuel", "tablet"));
    assert_eq!(ana.json(&["undo"])["action"], "rename");
    ana.sync();
    phone.sync();
    for home in [&ana, &phone] {
        assert!(has(home, "Ana", "phone"));
    }
    assert_eq!(ana.json(&["redo"])["action"], "rename");
    assert!(has(&ana, "Ana", "old phone"));
}

#[test]
fn the_zone_at_home_can_be_changed_for_everybody() {
    let relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    let phone = ana.another("phone");
    ana.sync();
    assert_eq!(ana.json(&["zone"]), json!({"zone": "UTC"}));
    let before = ana.log(&["6"]);
    let at = ana.json(&["show", &before])["at"].clone();
    let changed = ana.json(&["zone", "pacific/auckland"]);
    assert_eq!(
        changed,
        json!({"zone": "Pacific/Auckland", "before": "UTC"})
    );
    ana.sync();
    phone.sync();
    for home in [&ana, &phone] {
        assert_eq!(home.json(&["zone"])["zone"], "Pacific/Auckland");
        assert_eq!(home.json(&["show", &before])["at"], at);
    }
    let refused = ana
        .ebb(&["zone", "Madrid", "--json"])
        .expect_code(2)
        .error();
    assert!(text(&refused, "message").starts_with("`Madrid` is not a time zone"));
    assert_eq!(ana.json(&["undo"])["action"], "zone");
    assert_eq!(ana.json(&["zone"]), json!({"zone": "UTC"}));
}

#[test]
fn status_warns_while_there_is_no_second_copy() {
    let home = Home::with_journal();
    let warned = || {
        home.json(&["status"])["warnings"]
            .to_string()
            .contains("no second copy")
    };
    assert!(warned());
    let file = home.path().join("journal.ebb").display().to_string();
    home.json(&["bundle", "export", &file]);
    assert!(!warned(), "a bundle is a second copy");
    assert!(home.json(&["status"]).get("last_bundle").is_some());

    let mut relay = Relay::start();
    let (ana, _) = Home::with_journal_on(&relay);
    relay.stop();
    ana.log(&["6"]);
    ana.ebb(&["sync", "--json"]).expect_code(4);
    let said = ana.json(&["status"])["warnings"].to_string();
    assert!(said.contains("no sync has succeeded yet"), "{said}");
}

/// Runs `ebb` where `systemctl` is a script that notes what it is asked, and ends as told.
#[cfg(unix)]
fn with_systemd(home: &Home, arguments: &[&str], ends: Option<&str>) -> (Answer, Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let folder = home.path().join("bin");
    fs::create_dir_all(&folder).expect("a folder");
    let (script, log) = (folder.join("systemctl"), home.path().join("asked"));
    drop(fs::remove_file(&log));
    match ends {
        Some(ends) => {
            let text = format!("#!/bin/sh\necho \"$@\" >> '{}'\n{ends}\n", log.display());
            fs::write(&script, text).expect("a script");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("chmod");
        }
        None => drop(fs::remove_file(&script)),
    }
    let mut command = home.command(arguments);
    command.env("PATH", &folder).stdout(Stdio::piped());
    let output = command.output().expect("ebb starts");
    let asked = fs::read_to_string(&log).unwrap_or_default();
    (
        Answer::of(output, arguments),
        asked.lines().map(str::to_owned).collect(),
    )
}

#[cfg(unix)]
#[test]
fn the_service_is_a_user_unit_that_syncs_and_goes_away_whole() {
    let relay = Relay::start();
    let (home, _) = Home::with_journal_on(&relay);
    let unit = home.path().join(".config/systemd/user/ebb.service");
    let (printed, asked) = with_systemd(&home, &["service", "install", "--print"], Some("exit 0"));
    let printed = printed.expect_code(0).stdout;
    let folder = home.path().display().to_string();
    for line in [
        "ExecStart=\"".to_owned(),
        "\" sync --watch --no-input\n".to_owned(),
        format!("Environment=\"EBB_HOME={folder}\"\n"),
        "WantedBy=default.target\n".to_owned(),
    ] {
        assert!(printed.contains(&line), "{line}: {printed}");
    }
    assert!(
        asked.is_empty() && !unit.exists(),
        "printing changes nothing"
    );

    let (none, _) = with_systemd(&home, &["service", "install", "--json"], None);
    let none = none.expect_code(1).error();
    assert_eq!(none["kind"], "no-systemd", "{none}");
    assert!(
        none["hints"].to_string().contains("ebb sync --watch"),
        "{none}"
    );
    let refuses = "case \"$2\" in enable) echo 'no bus' >&2; exit 1;; esac";
    let (refused, _) = with_systemd(&home, &["service", "install", "--json"], Some(refuses));
    let refused = refused.expect_code(1).error();
    assert!(text(&refused, "message").contains("no bus"), "{refused}");
    assert!(!unit.exists(), "what cannot run is not left behind");

    let install = ["service", "install", "--json"];
    let (installed, asked) = with_systemd(&home, &install, Some("exit 0"));
    assert_eq!(
        installed.expect_code(0).document()["installed"],
        "ebb.service"
    );
    assert_eq!(
        asked,
        [
            "--user daemon-reload",
            "--user daemon-reload",
            "--user enable --now ebb.service"
        ]
    );
    assert_eq!(
        fs::read_to_string(&unit).expect("the unit").trim(),
        printed.trim()
    );
    let remove = ["service", "remove", "--json"];
    let (removed, asked) = with_systemd(&home, &remove, Some("exit 0"));
    assert_eq!(removed.expect_code(0).document()["removed"], true);
    assert_eq!(
        asked,
        ["--user disable --now ebb.service", "--user daemon-reload"]
    );
    assert!(!unit.exists());
    let (removed, asked) = with_systemd(&home, &remove, Some("exit 0"));
    assert_eq!(removed.expect_code(0).document()["removed"], false);
    assert!(asked.is_empty());
    let alone = Home::with_journal();
    let (refused, _) = with_systemd(&alone, &install, Some("exit 0"));
    assert_eq!(refused.expect_code(1).error()["kind"], "no-relay");
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    let page = home.ebb(&["man", "dose"]).expect_code(0).stdout;
    assert!(
        page.contains(".TH") && page.contains("given\\-by"),
        "{page}"
    );
    let folder = home.path().join("man");
    let written = home.json(&["man", "--out", &folder.display().to_string()]);
    let pages = fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(written["pages"], pages);
    for name in [
        "ebb.1",
        "ebb-rename.1",
        "ebb-relay-add.1",
        "ebb-plan-medicine.1",
    ] {
        assert!(folder.join(name).exists(), "{name}");
    }
    home.ebb(&["man", "dance"]).expect_code(2);
}

/// Returns what a shell offers for a line, as fish asks for it.
fn offered(home: &Home, line: &[&str]) -> Vec<String> {
    let mut command = home.command(&[&["--", "ebb"], line].concat());
    let output = command.env("EBB_COMPLETE", "fish").output();
    let answer = Answer::of(output.expect("ebb starts"), line).expect_code(0);
    let lines = answer.stdout.lines();
    let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    lines.map(value).collect()
}

#[test]
fn completions_know_what_the_journal_holds() {
    let home = Home::with_journal();
    let medicine = ["plan", "medicine", "Amifampridine", "--usual", "10mg"];
    home.json(&medicine);
    home.json(&["dose", "pyridostigmine", "60mg"]);
    let id = home.log(&["6", "legs"]);
    let gone = home.log(&["note", "gone"]);
    home.json(&["delete", &gone]);
    let is_of =
        |id: &str, offered: &[String]| offered.iter().any(|one| id.starts_with(one.as_str()));
    let shown = offered(&home, &["show", ""]);
    assert!(is_of(&id, &shown) && !is_of(&gone, &shown), "{shown:?}");
    assert!(is_of(&gone, &offered(&home, &["restore", ""])));
    assert!(is_of(&id, &offered(&home, &["edit", &id[..4]])));
    let medicines = offered(&home, &["dose", ""]);
    for name in ["Amifampridine", "pyridostigmine"] {
        assert!(medicines.contains(&name.to_owned()), "{medicines:?}");
    }
    let people = offered(&home, &["role", "An"]);
    assert_eq!(people, ["Anneliese"]);
    assert!(offered(&home, &["role", "Anneliese", ""]).contains(&"reader".to_owned()));
    assert!(offered(&home, &["fatigue", "--area", "sh"]).contains(&"shoulders".to_owned()));
    assert!(offered(&home, &["list", "--kind", "wear"]).contains(&"wearing-off".to_owned()));
    // Without a journal the commands are offered all the same.
    let empty = Home::new();
    assert!(offered(&empty, &["sta"]).contains(&"status".to_owned()));
    let shown = offered(&empty, &["show", ""]);
    assert!(shown.iter().all(|one| one.starts_with("--")), "{shown:?}");
    let script = home.ebb(&["completions", "bash"]).expect_code(0).stdout;
    assert!(script.contains("EBB_COMPLETE"), "{script}");
}
