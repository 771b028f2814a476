//! Writing the journal in forms that other software reads.

use std::io::{self, Write};
use std::path::Path;

use client::transfer::Exported;

use super::done::Done;
use super::session::Session;
use crate::arguments::Export;
use crate::error::Outcome;
use crate::output::Answer;

/// The name that stands for stdout.
pub(super) const STDOUT: &str = "-";

/// Exports into a file or folder.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if it cannot be written.
pub(super) fn export(export: &Export, session: &Session) -> Outcome<Box<dyn Answer>> {
    let journal = session.open()?;
    let exported = journal.export(export.format.into(), &export.out)?;
    Ok(written(&export.out, export.format.name(), exported))
}

/// Exports to stdout, where nothing else is written then.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if it cannot be written; that nobody reads any more is no error.
pub(super) fn to_stdout(export: &Export, session: &Session) -> Outcome<()> {
    let journal = session.open()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = journal.export_to(export.format.into(), &mut out);
    match written.and_then(|_| Ok(out.flush()?)) {
        Err(client::transfer::ExportError::Write(error))
            if error.kind() == io::ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        other => Ok(other?),
    }
}

fn written(to: &Path, format: &str, exported: Exported) -> Box<dyn Answer> {
    let path = to.display().to_string();
    let Exported {
        written,
        left_out,
        files,
    } = exported;
    let what = match format {
        "automerge" => "documents",
        _ => "entries",
    };
    let document = serde_json::json!({
        "out": path, "format": format, what: written, "left_out": left_out, "files": files,
    });
    let mut done = Done::new(document)
        .pair("out", &path)
        .pair("format", format)
        .pair(what, written)
        .pair("left out", left_out)
        .pair("files", files)
        .say(&format!("Wrote {path}: {written} {what}."));
    if left_out > 0 {
        done = done.say(&format!(
            "{left_out} entries are left out: this format has no place for them."
        ));
    }
    done.say("It is not encrypted: whoever has it can read it.")
        .answer()
}
