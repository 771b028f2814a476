//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy knows. Also run as a test.
//!
//! Owns the list of files to look at, and the report. The rules are in its modules: `source` for the text of each Rust
//! file, `house` for what lies where and for manifests, `arrows` for who may import whom.

mod arrows;
mod house;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::{process, workspace};

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    /// Relative to the workspace, with `/`.
    file: String,
    /// From 1.
    line: usize,
    rule: String,
}

impl Breach {
    fn new(file: &str, line: usize, rule: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// A file of the project, with its text.
struct Source {
    /// Relative to the workspace, with `/`.
    file: String,
    text: String,
}

/// Checks every rule, and fails with one line for each breach.
pub(crate) fn run() -> Result<(), Failure> {
    let files = files()?;
    let sources = read(workspace::root(), &files)?;
    let mut breaches = house::check(&files, &sources);
    for source in sources.iter().filter(|source| source.file.ends_with(".rs")) {
        breaches.extend(source::check(&source.file, &source.text));
    }
    breaches.extend(arrows::check(&sources)?);
    breaches.sort();
    if breaches.is_empty() {
        eprintln!("tidy: {} files keep the house rules", files.len());
        Ok(())
    } else {
        let lines = breaches.iter().map(ToString::to_string).collect();
        Err(Failure::Rules(lines))
    }
}

/// Lists the project's files: what git tracks or would add.
fn files() -> Result<Vec<String>, Failure> {
    let mut git = std::process::Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]);
    let list = process::answer(git.current_dir(workspace::root()))?;
    let names = list.split('\0').filter(|name| !name.is_empty());
    let present = names.filter(|name| workspace::root().join(name).exists());
    Ok(present.map(str::to_owned).collect())
}

fn read(root: &Path, files: &[String]) -> Result<Vec<Source>, Failure> {
    let texts = files
        .iter()
        .filter(|file| file.ends_with(".rs") || file.ends_with(".toml"));
    texts
        .map(|file| {
            let path = root.join(file);
            let text = fs::read_to_string(&path).map_err(Failure::file(path))?;
            let file = file.clone();
            Ok(Source { file, text })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_project_keeps_the_house_rules() {
        if let Err(failure) = super::run() {
            panic!("{failure}");
        }
    }
}
