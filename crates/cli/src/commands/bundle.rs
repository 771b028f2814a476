//! Bundles: a journal as one encrypted file, to sync by hand and to keep.

use std::path::Path;

use client::bundle::Exported;

use super::done::Done;
use super::session::Session;
use super::sync;
use crate::arguments::Bundle;
use crate::error::Outcome;
use crate::output::Answer;

/// Writes or takes in a bundle.
///
/// # Errors
/// [`CommandError`](crate::CommandError) if the file cannot be used, or is no whole bundle of this journal.
pub(super) fn bundle(bundle: &Bundle, session: &Session) -> Outcome<Box<dyn Answer>> {
    match bundle {
        Bundle::Export { file, since_bundle } => export(file, since_bundle.as_deref(), session),
        Bundle::Import { file } => import(file, session),
    }
}

fn export(file: &Path, since: Option<&Path>, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let progress = session.progress("writing");
    let exported = session.wait(journal.export_bundle(file, since, progress.as_ref()))??;
    drop(progress);
    Ok(written(file, exported))
}

fn written(file: &Path, exported: Exported) -> Box<dyn Answer> {
    let Exported { envelopes, bytes } = exported;
    let path = file.display().to_string();
    let document = serde_json::json!({ "file": path, "envelopes": envelopes, "bytes": bytes });
    Done::new(document)
        .pair("file", &path)
        .pair("envelopes", envelopes)
        .pair("bytes", bytes)
        .say(&format!(
            "Wrote {path}: {envelopes} envelopes, {bytes} bytes."
        ))
        .say("It is encrypted: only this journal's devices, or the recovery phrase, can open it.")
        .next("On the other device: ebb bundle import FILE")
        .answer()
}

fn import(file: &Path, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let progress = session.progress("reading");
    let report = session.wait(journal.import_bundle(file, progress.as_ref()))??;
    drop(progress);
    let report = sync::Report::from(report);
    let line = report.line();
    let document = serde_json::json!(report);
    Ok(Done::new(document)
        .pair("bundle", &line)
        .say(&line)
        .answer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_written_says_who_can_open_it() {
        let exported = Exported {
            envelopes: 3,
            bytes: 2048,
        };
        let answer = written(Path::new("backup.ebb"), exported);
        insta::assert_snapshot!(answer.human().rendered(false), @r"
        Wrote backup.ebb: 3 envelopes, 2048 bytes.
        It is encrypted: only this journal's devices, or the recovery phrase, can open it.
        On the other device: ebb bundle import FILE
        ");
    }
}
