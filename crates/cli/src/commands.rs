//! The commands: what each does with a journal, and what it answers.
//!
//! One file per group. Every command returns an [`Answer`] or a [`CommandError`]; only `sync --watch` and an export to
//! stdout print as they go.

mod bundle;
mod check;
pub(crate) mod completing;
mod doctor;
mod done;
mod doses;
mod due;
mod entries;
mod export;
mod held;
mod import;
mod insights;
mod instant;
mod invites;
mod join;
mod journals;
mod link;
mod log;
mod man;
mod mend;
mod past;
mod people;
mod plain;
mod plan;
mod recover;
mod recovery;
mod relay;
mod remove;
mod renew;
mod report;
mod service;
mod session;
mod settings;
mod start;
mod status;
mod sync;
mod today;
mod trends;
mod undo;

use crate::arguments::{Command, Device, Line, Recovery, Request};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, Answer, Terminal};

use session::Session;

/// Does what was asked, and prints the answer.
///
/// # Errors
/// [`CommandError`] of the command, or if stdout cannot be written.
pub(crate) fn run(line: Line, terminal: &Terminal) -> Outcome<()> {
    let session = Session::new(line.global, *terminal);
    let (answer, failure) = match line.request {
        Request::Command(Command::Sync(sync)) if sync.watch => return sync::watch(&session),
        Request::Command(Command::Export(to)) if to.out.as_os_str() == export::STDOUT => {
            return export::to_stdout(&to, &session);
        }
        Request::Command(Command::Report(asked))
            if asked.is_to_stdout() && terminal.form != output::Form::Json =>
        {
            return report::to_stdout(&asked, &session);
        }
        // What the doctor found is told whole, also where it comes to a failure.
        Request::Command(Command::Doctor(asked)) => doctor::doctor(asked.rebuild, &session)?,
        request => (answer(request, &session)?, None),
    };
    output::print(answer.as_ref(), terminal).map_err(|error| {
        CommandError::new(
            "output",
            Exit::CouldNot,
            format!("the answer cannot be written: {error}"),
        )
    })?;
    failure.map_or(Ok(()), Err)
}

fn answer(request: Request, session: &Session) -> Outcome<Box<dyn Answer>> {
    let command = match request {
        Request::Glance => return today::glance(session),
        Request::Log(typed) => return log::log(&typed, session),
        Request::Edit(id, typed) => return mend::edit(&id, &typed, session),
        Request::Plan(line) => return plan::plan(&line, session),
        Request::Text(what, text) => return Ok(plain::text(what, text)),
        Request::Command(command) => command,
    };
    match command {
        Command::Init(init) => start::init(&init, session),
        Command::Today => today::today(session),
        Command::List(list) => entries::list(&list, session),
        Command::Trends(trends) => trends::trends(&trends, session),
        Command::Insights => insights::insights(session),
        Command::Report(report) => report::report(&report, session),
        Command::Show(id) => entries::show(&id.id, session),
        Command::Delete(id) => mend::delete(&id.id, session),
        Command::Restore(id) => mend::restore(&id.id, session),
        Command::History(id) => past::history(&id.id, session),
        Command::Conflicts(conflicts) => past::conflicts(&conflicts, session),
        Command::Undo => undo::undo(session),
        Command::Redo => undo::redo(session),
        Command::Check => check::check(session),
        Command::Due => due::due(session),
        Command::Doses(doses) => doses::doses(&doses, session),
        Command::Device(Device::Add { name, expires }) => {
            link::add_device(name.as_deref(), expires.as_deref(), session)
        }
        Command::Share(share) => link::share(&share, session),
        Command::Join(join) => join::join(&join, session),
        Command::Members(members) => people::members(&members, session),
        Command::Invites(invites) => invites::invites(&invites, session),
        Command::Rename(rename) => settings::rename(&rename, session),
        Command::Zone(zone) => settings::zone(&zone, session),
        Command::Role(change) => remove::role(&change, session),
        Command::Remove(target) => remove::remove(&target, session),
        Command::Held(held) => held::held(&held, session),
        Command::Recovery(Recovery::Phrase) => recovery::phrase(session),
        Command::Recover(request) => recover::recover(&request, session),
        Command::Journals(journals) => journals::journals(&journals, session),
        Command::Bundle(command) => bundle::bundle(&command, session),
        Command::Export(to) => export::export(&to, session),
        Command::Import(from) => import::import(&from, session),
        Command::Relay(command) => relay::relay(&command, session),
        Command::Sync(_) => sync::sync(session),
        Command::Service(service) => service::service(&service, session),
        Command::Status => status::status(session),
        Command::Emergency => Ok(plain::emergency(session)),
        Command::Man(man) => man::man(&man),
        Command::Completions(completions) => plain::completions(completions.shell),
        // These were turned into other requests when the line was read, or done before.
        Command::Edit(_) | Command::Help(_) | Command::Doctor(_) => {
            Err(CommandError::usage("this command needs more words").hint("ebb --help"))
        }
    }
}
