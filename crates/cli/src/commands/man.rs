//! Manual pages, made from the same tree of commands that reads the line.

use std::fs;
use std::path::Path;

use clap_mangen::Man as Page;
use serde_json::json;

use super::done::Done;
use super::plain;
use crate::arguments::{Man, command_of, tree};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::Answer;

/// Prints one page, or writes those of all commands into a folder.
///
/// # Errors
/// [`CommandError`] if there is no such command, or the folder cannot be written.
pub(super) fn man(man: &Man) -> Outcome<Box<dyn Answer>> {
    let mut root = tree();
    root.build();
    let Some(folder) = &man.out else {
        let command = command_of(&mut root, &man.command)?.clone();
        let (_, page) = rendered(command)?;
        return Ok(plain::text("page", page));
    };
    let unwritable = |error: &std::io::Error| {
        let said = format!("{} cannot be written: {error}", folder.display());
        CommandError::new("unwritable", Exit::CouldNot, said)
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
    let mut pages = 0;
    write_all(root, folder, &mut pages, &unwritable)?;
    let out = folder.display().to_string();
    let done = Done::new(json!({ "out": out, "pages": pages }))
        .pair("out", &out)
        .pair("pages", pages)
        .say(&format!("Wrote {pages} pages into {out}."));
    Ok(done
        .next(&format!(
            "To read one: man {}",
            folder.join("ebb.1").display()
        ))
        .answer())
}

/// Writes the page of a command and those of its own commands.
fn write_all(
    command: clap::Command,
    folder: &Path,
    pages: &mut u32,
    unwritable: &dyn Fn(&std::io::Error) -> CommandError,
) -> Outcome<()> {
    let inner: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .cloned()
        .collect();
    let (name, page) = rendered(command)?;
    fs::write(folder.join(name), page).map_err(|error| unwritable(&error))?;
    *pages += 1;
    inner
        .into_iter()
        .try_for_each(|inner| write_all(inner, folder, pages, unwritable))
}

/// Returns the name and the text of a page.
fn rendered(command: clap::Command) -> Outcome<(String, String)> {
    // The summary of `ebb --help` is laid out for a terminal; a page has the list of commands instead.
    let page = Page::new(command).manual("ebb");
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| {
        let said = format!("the page cannot be made: {error}");
        CommandError::new("output", Exit::CouldNot, said)
    })?;
    Ok((
        page.get_filename(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        let line = Man {
            out: Some(folder.path().join("man")),
            command: Vec::new(),
        };
        man(&line).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join("man").join(name)).unwrap();
        assert!(read("ebb.1").contains("ebb\\-dose(1)"));
        for kind in journal::kind::KINDS {
            let page = read(&format!("ebb-{}.1", kind.name));
            for field in kind.fields {
                let flag = field.flag.replace('-', "\\-");
                assert!(page.contains(&flag), "{} {flag}", kind.name);
            }
        }
        assert!(read("ebb-relay-add.1").contains("token\\-file"));
        assert!(read("ebb-plan-medicine.1").contains("max\\-24h"));
        let unknown = man(&Man {
            out: None,
            command: vec!["dance".to_owned()],
        });
        assert_eq!(unknown.err().unwrap().kind, "unknown-command");
    }
}
