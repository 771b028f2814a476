//! Which planned doses are next, and which were not logged.
//!
//! Only what the user planned is compared with what was logged: that a dose is late never means that it should be taken.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Mg, Plan, folded};
use crate::entry::Entry;
use crate::time::At;
use crate::value::Value;

/// How far back and ahead planned doses are looked for.
const SPAN: SignedDuration = SignedDuration::from_hours(24);

/// A planned dose that is not logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The medicine.
    pub medicine: String,
    /// When it is planned.
    pub at: Timestamp,
    /// The usual amount, if one is planned.
    pub usual: Option<Mg>,
}

/// Returns the planned doses of the last and the next 24 hours for which none is logged, by time. `doses` are the dose
/// entries of the last 48 hours and later, skipped ones too: a dose that was skipped is logged. Each stands for the
/// planned time it names, else for the one nearest to it.
pub fn due(plan: &Plan, doses: &[Entry], now: Timestamp, home: &TimeZone) -> Vec<Due> {
    let mut all = Vec::new();
    let names: Vec<String> = [now.saturating_sub(SPAN), now.saturating_add(SPAN)]
        .into_iter()
        .map(|time| time.unwrap_or(now))
        .chain([now])
        .flat_map(|time| plan.at(time))
        .filter(|thing| thing.kind.name == "medicine")
        .map(|thing| folded(&thing.name))
        .collect();
    let names: std::collections::BTreeSet<String> = names.into_iter().collect();
    for name in names {
        let mut slots = slots(plan, &name, now, home);
        let mine = doses.iter().filter(|dose| {
            let medicine = dose.fields.get("medicine").and_then(Value::as_text);
            medicine.is_some_and(|medicine| folded(medicine) == name)
        });
        for dose in mine {
            let at = stands_for(dose);
            let gap = |slot: &Slot| slot.due.at.duration_since(at).abs();
            if let Some(slot) = slots.iter_mut().min_by_key(|slot| gap(slot)) {
                slot.logged = true;
            }
        }
        let wanted = |slot: &Slot| !slot.logged && slot.due.at.duration_since(now).abs() <= SPAN;
        all.extend(slots.into_iter().filter(wanted).map(|slot| slot.due));
    }
    all.sort_by(|a, b| (a.at, &a.medicine).cmp(&(b.at, &b.medicine)));
    all
}

/// One planned time.
struct Slot {
    due: Due,
    logged: bool,
}

/// Returns the planned times of a medicine around now, also those somewhat further away, which old doses stand for.
fn slots(plan: &Plan, name: &str, now: Timestamp, home: &TimeZone) -> Vec<Slot> {
    let today = now.to_zoned(home.clone()).date();
    let mut slots = Vec::new();
    let days = (-3..=2).filter_map(|days| today.checked_add(jiff::Span::new().days(days)).ok());
    for day in days {
        let noon = day.at(12, 0, 0, 0).to_zoned(home.clone());
        let around = [day.at(0, 0, 0, 0), day.at(23, 59, 59, 0)];
        let around = around
            .into_iter()
            .filter_map(|time| time.to_zoned(home.clone()).ok());
        let times: std::collections::BTreeSet<_> = around
            .chain(noon)
            .filter_map(|time| plan.medicine(name, time.timestamp()))
            .flat_map(|medicine| medicine.times())
            .collect();
        for time in times {
            // Where a change of the clocks skips the time, it is the one that comes as long after.
            let Ok(zoned) = day.to_datetime(time).to_zoned(home.clone()) else {
                continue;
            };
            let at = zoned.timestamp();
            // The plan of that very time says whether it was planned.
            let Some(medicine) = plan
                .medicine(name, at)
                .filter(|m| m.times().contains(&time))
            else {
                continue;
            };
            slots.push(Slot {
                due: Due {
                    usual: medicine.mg("usual_mg"),
                    medicine: medicine.name,
                    at,
                },
                logged: false,
            });
        }
    }
    slots
}

/// Returns the planned time that a dose names, else its own.
fn stands_for(dose: &Entry) -> Timestamp {
    let planned = dose.fields.get("planned_at").and_then(Value::as_text);
    let planned = planned.and_then(|text| text.parse::<At>().ok());
    planned.map_or(dose.at.instant(), |at| at.instant())
}
