//! Syncing by itself: `ebb sync --watch` as a user service of systemd.
//!
//! Owns the unit file and the calls of `systemctl --user`. A unit is written only where systemd answers, and is taken away
//! again if it cannot be started. Source: systemd.unit(5), systemd.service(5), systemd.syntax(7).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::done::Done;
use super::plain;
use super::session::Session;
use crate::arguments::Service;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{Answer, warn};

/// The program that speaks with systemd.
const SYSTEMCTL: &str = "systemctl";

/// Installs or removes the service.
///
/// # Errors
/// [`CommandError`] if there is no journal, no systemd, or a file cannot be written.
pub(super) fn service(service: &Service, session: &Session) -> Outcome<Box<dyn Answer>> {
    match service {
        Service::Install { print: true } => Ok(plain::text("unit", unit(session)?)),
        Service::Install { print: false } => install(session),
        Service::Remove => remove(session),
    }
}

fn install(session: &Session) -> Outcome<Box<dyn Answer>> {
    let journal = session.open()?;
    if journal.status()?.relays.is_empty() {
        return Err(
            CommandError::new("no-relay", Exit::CouldNot, "this journal has no relay yet")
                .hint("ebb relay add URL --token-file FILE"),
        );
    }
    let (unit, path) = (unit(session)?, path(session)?);
    let name = name(session);
    systemctl(&["daemon-reload"])?;
    let before = fs::read(&path).ok();
    write(&path, unit.as_bytes())?;
    let started =
        systemctl(&["daemon-reload"]).and_then(|()| systemctl(&["enable", "--now", &name]));
    if let Err(error) = started {
        // As it was: no unit that does not run stays behind.
        match before {
            Some(before) => write(&path, &before)?,
            None => fs::remove_file(&path).map_err(|source| unwritable(&path, &source))?,
        }
        return Err(error.remark("the service is not installed").safe());
    }
    let shown = path.display().to_string();
    let done = Done::new(json!({ "installed": name, "path": shown }))
        .pair("installed", &name)
        .pair("path", &shown)
        .say(&format!(
            "{name} is installed and runs: this device syncs by itself while you are logged in."
        ));
    Ok(done
        .next("To see what it says: journalctl --user --unit ebb    To keep it running when you are logged out: loginctl enable-linger")
        .answer())
}

fn remove(session: &Session) -> Outcome<Box<dyn Answer>> {
    let (path, name) = (path(session)?, name(session));
    let is_there = path.exists();
    let done = Done::new(json!({ "removed": is_there, "service": name }))
        .pair("service", &name)
        .pair("removed", if is_there { "yes" } else { "no" });
    if !is_there {
        let said = format!("{name} is not installed.");
        return Ok(done.say(&said).answer());
    }
    if let Err(error) = systemctl(&["disable", "--now", &name]) {
        // A file that systemd does not run can go all the same.
        warn(&error.message, &session.terminal);
    }
    fs::remove_file(&path).map_err(|source| unwritable(&path, &source))?;
    if let Err(error) = systemctl(&["daemon-reload"]) {
        warn(&error.message, &session.terminal);
    }
    let said = format!("{name} is removed: this device syncs when you type ebb sync.");
    Ok(done.say(&said).answer())
}

/// Returns the name of the service: one for each journal that `-j` names.
fn name(session: &Session) -> String {
    match &session.global.journal {
        None => "ebb.service".to_owned(),
        Some(journal) => {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            let journal: String = journal.to_lowercase().chars().map(plain).collect();
            format!("ebb-{journal}.service")
        }
    }
}

/// Returns where the unit belongs: where systemd looks for those that a user makes.
fn path(session: &Session) -> Outcome<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let config = variable("XDG_CONFIG_HOME").filter(absolute);
    let config = config.or_else(|| Some(variable("HOME").filter(absolute)?.join(".config")));
    let config = config.ok_or_else(|| {
        CommandError::new("no-home", Exit::CouldNot, "no home folder is known").hint(PRINT)
    })?;
    Ok(config.join("systemd/user").join(name(session)))
}

/// What to type where systemd cannot be had.
const PRINT: &str = "ebb service install --print    (the unit file, for other ways)";

/// Makes the unit file: this very program, and the folder of journals that it uses now.
fn unit(session: &Session) -> Outcome<String> {
    let program = std::env::current_exe().map_err(|error| {
        let said = format!("it cannot be told where this program is: {error}");
        CommandError::new("no-program", Exit::CouldNot, said)
    })?;
    let mut line = quoted(&program.display().to_string());
    if let Some(journal) = &session.global.journal {
        line += &format!(" -j {}", quoted(journal));
    }
    let home = std::env::var("EBB_HOME")
        .ok()
        .filter(|home| !home.is_empty());
    let home = home.map(|home| std::path::absolute(&home).unwrap_or_else(|_| home.into()));
    let home = home.map_or_else(String::new, |home| {
        let home = format!("EBB_HOME={}", home.display());
        format!("Environment={}\n", quoted(&home).replace("$$", "$"))
    });
    Ok(format!(
        "[Unit]\n\
         Description=ebb syncs the journal\n\
         Documentation=man:ebb-sync(1)\n\
         \n\
         [Service]\n\
         {home}\
         ExecStart={line} sync --watch --no-input\n\
         Restart=on-failure\n\
         RestartSec=60\n\
         NoNewPrivileges=yes\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    ))
}

/// Puts a text in quotes as systemd reads it: no escape, variable or specifier of it means anything.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('%', "%%").replace('$', "$$"))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    written.map_err(|source| unwritable(path, &source))
}

fn unwritable(path: &Path, error: &std::io::Error) -> CommandError {
    let said = format!("{} cannot be written: {error}", path.display());
    CommandError::new("unwritable", Exit::CouldNot, said).hint(PRINT)
}

/// Asks systemd's manager of this user's services to do something.
fn systemctl(arguments: &[&str]) -> Outcome<()> {
    let failed = |why: &str| {
        let said = format!(
            "systemd cannot be asked to {}: {}",
            arguments.join(" "),
            why.trim()
        );
        CommandError::new("no-systemd", Exit::CouldNot, said)
            .hint(PRINT)
            .hint("ebb sync --watch    (stays, in a terminal)")
    };
    let output = Command::new(SYSTEMCTL)
        .arg("--user")
        .args(arguments)
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("it does not say why");
    let plain: String = line.chars().filter(|c| !c.is_control()).collect();
    Err(failed(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_path_means_anything_to_systemd() {
        assert_eq!(quoted(r#"/a b/"c"\%h$X"#), r#""/a b/\"c\"\\%%h$$X""#);
    }
}
