//! Rules on what lies where, and on manifests: the top level, each crate's lints, one list of dependencies, and the
//! pure crates' bans.

use std::collections::BTreeSet;

use super::{Breach, Source};

/// All that may lie at the top.
const TOP_LEVEL: [&str; 11] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "crates",
    "tests",
    "xtask",
];

/// Crates without IO, clock or randomness of their own; each has the same clippy.toml.
const PURE: [&str; 5] = ["insights", "journal", "protocol", "seal", "sync"];

/// Lints that a crate's root switches on, as `[lints] workspace = true` admits no more beside it.
const CAREFUL: &str = "#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]";
const CAREFUL_CRATES: [&str; 4] = ["journal", "protocol", "seal", "sync"];
const QUIET: &str = "#![warn(clippy::print_stdout, clippy::print_stderr)]";
const QUIET_CRATES: [&str; 7] = [
    "client", "insights", "journal", "protocol", "seal", "store", "sync",
];

/// Checks the whole tree.
pub(super) fn check(files: &[String], sources: &[Source]) -> Vec<Breach> {
    let mut breaches = top_level(files);
    for source in sources {
        if source.file.ends_with("/Cargo.toml") && !source.text.contains("\n[workspace]") {
            breaches.extend(manifest(&source.file, &source.text));
        }
        breaches.extend(root_lints(&source.file, &source.text));
    }
    breaches.extend(bans(sources));
    breaches
}

fn top_level(files: &[String]) -> Vec<Breach> {
    let tops: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.split('/').next())
        .collect();
    let expected = BTreeSet::from(TOP_LEVEL);
    let extra = tops.difference(&expected);
    let extra = extra.map(|name| Breach::new(name, 1, "does not belong at the top level"));
    let missing = expected.difference(&tops);
    let missing = missing.map(|name| Breach::new(name, 1, "is missing at the top level"));
    extra.chain(missing).collect()
}

/// Checks that a manifest takes the workspace's lints, and each dependency from the workspace's list.
fn manifest(file: &str, text: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut section = "";
    let mut linted = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section == "[lints]" {
            linted |= line == "workspace = true";
        } else if section.contains("dependencies")
            && line.contains('=')
            && !line.contains("workspace = true")
            && !line.starts_with('#')
        {
            let rule =
                "dependencies are listed once, in the workspace's Cargo.toml: `workspace = true`";
            breaches.push(Breach::new(file, index + 1, rule));
        }
    }
    if !linted {
        breaches.push(Breach::new(
            file,
            1,
            "`[lints] workspace = true` is missing",
        ));
    }
    breaches
}

fn root_lints(file: &str, text: &str) -> Vec<Breach> {
    let Some(name) = crate_of(file, "src/lib.rs") else {
        return Vec::new();
    };
    let wanted = [(CAREFUL, &CAREFUL_CRATES[..]), (QUIET, &QUIET_CRATES[..])];
    let missing = wanted
        .into_iter()
        .filter(|(line, crates)| crates.contains(&name) && !text.contains(line));
    missing
        .map(|(line, _)| Breach::new(file, 1, format!("`{line}` is missing")))
        .collect()
}

/// Checks that every pure crate bans clocks, randomness and IO, all in the same words.
fn bans(sources: &[Source]) -> Vec<Breach> {
    let of = |name: &str| {
        sources
            .iter()
            .find(|source| crate_of(&source.file, "clippy.toml") == Some(name))
    };
    let mut breaches = Vec::new();
    let first = PURE.first().and_then(|name| of(name));
    for name in PURE {
        let file = format!("crates/{name}/clippy.toml");
        match of(name) {
            Some(source) if !source.text.contains("disallowed-methods") => {
                breaches.push(Breach::new(
                    &file,
                    1,
                    "a pure crate bans clocks, randomness and IO",
                ));
            }
            Some(source) if first.is_some_and(|first| first.text != source.text) => {
                breaches.push(Breach::new(
                    &file,
                    1,
                    "differs from the other pure crates' clippy.toml",
                ));
            }
            Some(_) => {}
            None => breaches.push(Breach::new(
                &file,
                1,
                "a pure crate has its own clippy.toml",
            )),
        }
    }
    breaches
}

/// Returns the crate's folder name if `file` is that crate's `inner`.
fn crate_of<'a>(file: &'a str, inner: &str) -> Option<&'a str> {
    file.strip_prefix("crates/")?
        .strip_suffix(inner)?
        .strip_suffix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_takes_lints_and_dependencies_from_the_workspace() {
        let good = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n\n[dependencies]\n# Why.\nserde.workspace = true\n";
        assert_eq!(manifest("crates/x/Cargo.toml", good), []);
        let bad = "[package]\nname = \"x\"\n\n[dev-dependencies]\nserde = \"1\"\n";
        let lines: Vec<usize> = manifest("crates/x/Cargo.toml", bad)
            .iter()
            .map(|breach| breach.line)
            .collect();
        assert_eq!(lines, [5, 1]);
    }

    #[test]
    fn a_stray_or_missing_file_at_the_top_is_named() {
        let mut files: Vec<String> = TOP_LEVEL.iter().map(ToString::to_string).collect();
        assert_eq!(top_level(&files), []);
        files.retain(|file| file != "LICENSE");
        files.push("notes.txt".to_owned());
        let named: Vec<String> = top_level(&files)
            .into_iter()
            .map(|breach| breach.file)
            .collect();
        assert_eq!(named, ["notes.txt", "LICENSE"]);
    }

    #[test]
    fn a_careful_crate_without_its_lints_is_named() {
        assert_eq!(root_lints("crates/seal/src/lib.rs", "//! x\n").len(), 2);
        assert_eq!(root_lints("crates/cli/src/lib.rs", "//! x\n"), []);
        assert_eq!(
            root_lints("crates/seal/src/lib.rs", &format!("{CAREFUL}\n{QUIET}\n")),
            []
        );
    }

    #[test]
    fn the_pure_crates_share_their_bans() {
        let source = |name: &str, text: &str| Source {
            file: format!("crates/{name}/clippy.toml"),
            text: text.to_owned(),
        };
        let mut sources: Vec<Source> = PURE
            .iter()
            .map(|name| source(name, "disallowed-methods = []"))
            .collect();
        assert_eq!(bans(&sources), []);
        sources.pop();
        assert_eq!(bans(&sources).len(), 1);
        sources.push(source("sync", "disallowed-methods = [1]"));
        assert_eq!(bans(&sources).len(), 1);
    }
}
