//! What a journal is set to: names of people and devices, and the zone at home.

use client::Journal;
use client::membership::naming::NamingError;
use serde_json::json;

use super::done::Done;
use super::session::Session;
use crate::arguments::{Rename, Zone};
use crate::error::{CommandError, Exit, Outcome};
use crate::failure;
use crate::output::Answer;

/// Gives a person or a device another name.
///
/// # Errors
/// [`CommandError`] if nobody or nothing is called so, the name is taken, or this device may not.
pub(super) fn rename(rename: &Rename, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let renamed = journal
        .rename(&rename.name, &rename.to)
        .map_err(|error| failed(error, session, &journal))?;
    let what = if renamed.person { "person" } else { "device" };
    let (from, to) = (&renamed.from, &renamed.to);
    let done = Done::new(json!({ "renamed": what, "from": from, "to": to }))
        .pair("renamed", what)
        .pair("from", from)
        .pair("to", to)
        .say(&format!(
            "{from} is called {to} from now on, in what was written before too."
        ));
    Ok(done
        .next("Others see it after a sync: ebb sync    To take it back: ebb undo")
        .answer())
}

/// Shows or changes the zone at home.
///
/// # Errors
/// [`CommandError`] if there is no such zone, or this device may not.
pub(super) fn zone(zone: &Zone, session: &Session) -> Outcome<Box<dyn Answer>> {
    let mut journal = session.open()?;
    let Some(to) = &zone.zone else {
        let zone = journal.zone();
        let name = zone.iana_name().unwrap_or("UTC");
        let done = Done::new(json!({ "zone": name })).pair("zone", name);
        return Ok(done
            .say(&format!("Days begin and end by the zone {name}."))
            .say("To change it: ebb zone Europe/Madrid")
            .answer());
    };
    let before = journal
        .set_zone(to)
        .map_err(|error| failed(error, session, &journal))?;
    let zone = journal.zone();
    let name = zone.iana_name().unwrap_or("UTC");
    let done = Done::new(json!({ "zone": name, "before": before }))
        .pair("zone", name)
        .pair("before", &before)
        .say(&format!(
            "Days begin and end by the zone {name} from now on; it was {before}."
        ));
    Ok(done
        .next("What was logged keeps its times. To take it back: ebb undo")
        .answer())
}

/// Says why a name or the zone could not be changed.
fn failed(error: NamingError, session: &Session, journal: &Journal) -> CommandError {
    match error {
        NamingError::Member(error) => error.into(),
        NamingError::Record(error) => failure::record(error, "", &session.now(), journal),
        NamingError::Taken(..) => {
            CommandError::new("name-taken", Exit::CouldNot, error.to_string()).hint("ebb members")
        }
        NamingError::Zone(_) => CommandError::new("invalid-value", Exit::Usage, error.to_string())
            .remark("a zone has the name that the IANA database gives it, mostly a city's")
            .hint("ebb zone Europe/Madrid"),
    }
}
