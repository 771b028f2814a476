//! Who may import whom: what is not listed is forbidden.
//!
//! Owns the two tables that make the crates' promises build facts. Direct dependencies are read from `cargo metadata`,
//! what a crate reaches in the end from `cargo tree`, both for normal dependencies: what ends up in a program.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Breach, Source};
use crate::failure::Failure;
use crate::{process, workspace};

/// A crate of ours: the crates of ours that it may name, and what it must not reach by any path.
struct Room {
    name: &'static str,
    may_name: &'static [&'static str],
    must_not_reach: &'static [&'static str],
}

/// Everything that opens what was sealed.
const CIPHERS: [&str; 5] = ["aead", "chacha20poly1305", "hpke", "ml-kem", "x-wing"];
/// Everything that talks to a network, a disk or the machine's clock and randomness by design.
const OUTSIDE: [&str; 7] = [
    "axum", "hyper", "mio", "reqwest", "rusqlite", "rustls", "tokio",
];
const RANDOMNESS: &str = "getrandom";
const CRDT: &str = "automerge";

/// The house.
const HOUSE: [Room; 11] = [
    Room {
        name: "protocol",
        may_name: &[],
        must_not_reach: &["aead", "chacha20poly1305", "hpke", CRDT, RANDOMNESS, "jiff"],
    },
    Room {
        name: "journal",
        may_name: &[],
        must_not_reach: &["aead", "ed25519-dalek", "hpke"],
    },
    Room {
        name: "seal",
        may_name: &["protocol"],
        must_not_reach: &[CRDT, RANDOMNESS, "jiff"],
    },
    Room {
        name: "sync",
        may_name: &["seal", "protocol"],
        must_not_reach: &[CRDT, RANDOMNESS, "jiff"],
    },
    Room {
        name: "insights",
        may_name: &["journal"],
        must_not_reach: &["aead", "ed25519-dalek", "hpke"],
    },
    Room {
        name: "store",
        may_name: &["protocol"],
        must_not_reach: &["aead", "hpke", CRDT, "reqwest", "tokio"],
    },
    Room {
        name: "client",
        may_name: &["sync", "seal", "protocol", "store", "journal"],
        must_not_reach: &["clap", "indicatif"],
    },
    Room {
        name: "cli",
        may_name: &["client", "journal", "insights"],
        must_not_reach: &[],
    },
    // The relay cannot decrypt: neither it nor anything below it has a key, a cipher for entries, or a document.
    Room {
        name: "relay",
        may_name: &["protocol"],
        must_not_reach: &[
            "aead",
            "hpke",
            CRDT,
            "ebb-seal",
            "ebb-journal",
            "ebb-sync",
            "ebb-client",
        ],
    },
    Room {
        name: "tests",
        may_name: &[
            "protocol", "journal", "seal", "sync", "insights", "store", "client", "cli", "relay",
        ],
        must_not_reach: &[],
    },
    Room {
        name: "xtask",
        may_name: &[],
        must_not_reach: &[CRDT],
    },
];

/// Crates without IO: these reach nothing of [`OUTSIDE`].
const PURE: [&str; 5] = ["insights", "journal", "protocol", "seal", "sync"];

/// Checks every crate of the workspace.
pub(super) fn check(sources: &[Source]) -> Result<Vec<Breach>, Failure> {
    let metadata = workspace::metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    for package in packages.into_iter().flatten() {
        let name = text(package, "name");
        let manifest = Manifest::find(name, sources);
        seen.insert(short(name).to_owned());
        let Some(room) = HOUSE.iter().find(|room| room.name == short(name)) else {
            breaches.push(manifest.breach(name, format!("`{name}` has no room in the house")));
            continue;
        };
        for dependency in normal_dependencies(package) {
            breaches.extend(named(room, dependency).map(|rule| manifest.breach(dependency, rule)));
        }
        breaches.extend(
            reached(room, &tree(name)?)
                .into_iter()
                .map(|rule| manifest.breach(name, rule)),
        );
    }
    let empty = HOUSE.iter().filter(|room| !seen.contains(room.name));
    breaches.extend(
        empty.map(|room| Breach::new("Cargo.toml", 1, format!("`{}` is missing", room.name))),
    );
    Ok(breaches)
}

/// Checks one dependency that a crate's manifest names.
fn named(room: &Room, dependency: &str) -> Option<String> {
    let ours = HOUSE.iter().any(|other| other.name == short(dependency));
    if ours && !room.may_name.contains(&short(dependency)) {
        return Some(format!(
            "`{}` must not import `{}`",
            room.name,
            short(dependency)
        ));
    }
    if CIPHERS.contains(&dependency) && room.name != "seal" {
        return Some(format!(
            "`{}` names the cipher `{dependency}`; only `seal` may",
            room.name
        ));
    }
    if dependency == CRDT && !["journal", "tests"].contains(&room.name) {
        return Some(format!(
            "`{}` names `{CRDT}`; only `journal` may",
            room.name
        ));
    }
    (dependency == RANDOMNESS && PURE.contains(&room.name)).then(|| {
        format!(
            "`{}` takes randomness as an argument, not from `{RANDOMNESS}`",
            room.name
        )
    })
}

/// Checks everything that a crate reaches, by whatever path.
fn reached(room: &Room, tree: &BTreeSet<String>) -> Vec<String> {
    let outside = OUTSIDE.iter().filter(|_| PURE.contains(&room.name));
    let forbidden = room.must_not_reach.iter().chain(outside);
    let found = forbidden.filter(|name| tree.contains(**name));
    found
        .map(|name| {
            let package = if room.name == "xtask" {
                "xtask".to_owned()
            } else {
                format!("ebb-{}", room.name)
            };
            format!(
                "`{}` must not reach `{name}`: see `cargo tree -e normal -p {package} -i {name}`",
                room.name
            )
        })
        .collect()
}

/// Returns the names of all packages that end up in a crate.
fn tree(package: &str) -> Result<BTreeSet<String>, Failure> {
    let options = [
        "--edges", "normal", "--target", "all", "--prefix", "none", "--format", "{p}",
    ];
    let mut command = workspace::cargo(&["tree", "--locked", "--package", package]);
    let lines = process::answer(command.args(options))?;
    let names = lines
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

fn normal_dependencies(package: &Value) -> Vec<&str> {
    let all = package
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let normal = all.filter(|dependency| dependency.get("kind").is_none_or(Value::is_null));
    normal.map(|dependency| text(dependency, "name")).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the folder name of a package of ours, and any other name as it is.
fn short(package: &str) -> &str {
    package.strip_prefix("ebb-").unwrap_or(package)
}

/// A crate's manifest, to say in which line a forbidden dependency stands.
struct Manifest<'a> {
    file: String,
    text: &'a str,
}

impl<'a> Manifest<'a> {
    fn find(package: &str, sources: &'a [Source]) -> Self {
        let name = format!("name = \"{package}\"");
        let found = sources.iter().find(|source| {
            source.file.ends_with("Cargo.toml") && source.text.lines().any(|line| line == name)
        });
        match found {
            Some(source) => Self {
                file: source.file.clone(),
                text: &source.text,
            },
            None => Self {
                file: "Cargo.toml".to_owned(),
                text: "",
            },
        }
    }

    fn breach(&self, dependency: &str, rule: String) -> Breach {
        let begins = |line: &str| {
            let rest = line
                .strip_prefix(dependency)
                .or_else(|| line.strip_prefix(short(dependency)));
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let line = self
            .text
            .lines()
            .position(begins)
            .map_or(1, |index| index + 1);
        Breach::new(&self.file, line, rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> &'static Room {
        HOUSE.iter().find(|room| room.name == name).unwrap()
    }

    #[test]
    fn an_arrow_that_is_not_listed_is_forbidden() {
        assert_eq!(named(room("client"), "ebb-store"), None);
        assert_eq!(
            named(room("relay"), "ebb-seal").unwrap(),
            "`relay` must not import `seal`"
        );
        assert_eq!(
            named(room("cli"), "ebb-protocol").unwrap(),
            "`cli` must not import `protocol`"
        );
    }

    #[test]
    fn only_seal_names_a_cipher_and_only_journal_the_crdt() {
        assert_eq!(named(room("seal"), "hpke"), None);
        assert!(named(room("client"), "hpke").is_some());
        assert_eq!(named(room("journal"), "automerge"), None);
        assert!(named(room("client"), "automerge").is_some());
        assert!(named(room("seal"), "getrandom").is_some());
    }

    #[test]
    fn what_is_reached_by_any_path_counts() {
        let tree = BTreeSet::from(["serde", "ebb-seal", "tokio"].map(str::to_owned));
        assert_eq!(reached(room("relay"), &tree).len(), 1);
        assert_eq!(reached(room("sync"), &tree).len(), 1);
        assert_eq!(reached(room("cli"), &tree).len(), 0);
    }

    #[test]
    fn a_breach_names_the_line_of_the_dependency() {
        let manifest = Manifest {
            file: "crates/x/Cargo.toml".to_owned(),
            text: "[dependencies]\na.workspace = true\nseal.workspace = true\n",
        };
        assert_eq!(
            manifest.breach("ebb-seal", "no".to_owned()).to_string(),
            "crates/x/Cargo.toml:3: no"
        );
    }
}
