//! Tests the rolling 24 hours, the gap between doses and lateness against an independent calculation, over the clock changes
//! of hand-written tables: 24 hours are 24 hours, whatever the clock on the wall shows.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::tests::{dose, plan, step};
use super::{Mg, Passed, Plan, Planned, Taken, due, passed};
use crate::time::clocks::{CLOCKS, Clock, DAY, HOUR, YEAR, civil};
use crate::time::{At, NotOneTime};

/// A dose as it is logged: seconds from a change of the clock by the wall, which of two readings, tenths of a mg.
type Logged = (i64, bool, i64);

fn logged() -> impl Strategy<Value = Logged> {
    // To the half-minute, so that many stand exactly 24 hours apart.
    (-3200..3200i64, any::<bool>(), 5..=300i64).prop_map(|(half, later, tenths)| {
        let wall = if half % 3 == 0 {
            half / 120 * 3600
        } else {
            half * 30
        };
        (wall, later, tenths)
    })
}

/// Reads a time of the wall as `ebb` does, and returns the second that the table gives for it; none if it never was.
fn instant(clock: &Clock, local: i64, later: bool) -> Option<(Timestamp, i64)> {
    let read = match At::from_civil(civil(local), &clock.zone()) {
        Ok(at) => at,
        Err(NotOneTime::Twice { first, second, .. }) => *(if later { second } else { first }),
        Err(_) => return None,
    };
    let all = clock.instants(local);
    let expected = if later { all.last() } else { all.first() };
    Some((read.instant(), *expected?))
}

fn medicine(day: &str, gap: &str) -> Planned {
    let limits = [("max-24h", day), ("min-gap", gap)];
    let plan: Plan = plan(&[step("x", "2026-01-01T00:00:00Z", &limits)]);
    plan.medicine("x", Timestamp::MAX).unwrap()
}

/// The most in any 24 hours that hold the first dose, in tenths of a mg: each span that begins with a dose is added up.
fn fullest(doses: &[(i64, i64)]) -> i64 {
    let own = doses[0].0;
    let begins = doses.iter().map(|dose| dose.0);
    let spans = begins.filter(|begin| *begin <= own && own < begin + DAY);
    let sum = |begin: i64| {
        let inside = doses
            .iter()
            .filter(|dose| dose.0 >= begin && dose.0 < begin + DAY);
        inside.map(|dose| dose.1).sum::<i64>()
    };
    spans.map(sum).max().unwrap()
}

proptest! {
    #[test]
    fn what_a_dose_comes_to_is_what_the_table_says(
        place in (0..4usize, 0..2usize),
        doses in prop::collection::vec(logged(), 1..12),
        limit in 1..60i64,
        gap in 1..600i64,
    ) {
        let clock = &CLOCKS[place.0];
        let wall = clock.changes()[place.1].0 + clock.first;
        let read: Vec<_> = doses
            .iter()
            .filter_map(|(by, later, tenths)| {
                let (at, second) = instant(clock, wall + by, *later)?;
                Some((at, second, *tenths))
            })
            .collect();
        prop_assume!(!read.is_empty());
        for (at, second, _) in &read {
            prop_assert_eq!(at.as_second(), *second);
        }
        let taken = |(at, _, tenths): &(Timestamp, i64, i64)| Taken { at: *at, amount: Some(Mg(*tenths)) };
        let others: Vec<Taken> = read[1..].iter().map(taken).collect();
        let medicine = medicine(&format!("{limit}mg"), &format!("{gap}m"));
        let found = passed(&medicine, taken(&read[0]), &others);
        let plain: Vec<(i64, i64)> = read.iter().map(|(_, second, tenths)| (*second, *tenths)).collect();
        let most = fullest(&plain);
        let day = found.iter().find_map(|one| match one {
            Passed::Day { sum, .. } => Some(sum.0),
            _ => None,
        });
        prop_assert_eq!(day, (most > limit * 10).then_some(most));
        let nearest = plain[1..].iter().map(|other| (other.0 - plain[0].0).abs() / 60).min();
        let near = found.iter().find_map(|one| match one {
            Passed::Gap { minutes, .. } => Some(*minutes),
            _ => None,
        });
        prop_assert_eq!(near, nearest.filter(|minutes| *minutes < gap));
    }

    #[test]
    fn a_planned_time_is_late_by_what_the_table_says(
        place in (0..4usize, 0..2usize),
        after in -26 * 60..26 * 60i64,
        minute in 0..1440i64,
    ) {
        let clock = &CLOCKS[place.0];
        let now = clock.changes()[place.1].0 + after * 60;
        let time = format!("{:02}:{:02}", minute / 60, minute % 60);
        let plan = plan(&[step("x", "2026-01-01T00:00:00Z", &[("usual", "10"), ("times", &time)])]);
        let at = Timestamp::from_second(now).unwrap();
        let due = due(&plan, &[], at, &clock.zone());
        // The second readings of a repeated hour, and the hour that is left out, are the zone's own matter; here only
        // times that the day has once.
        let today = clock.day(now);
        let once = (today - 2..=today + 2).filter_map(|day| {
            match clock.instants(day * DAY + minute * 60).as_slice() {
                [one] => Some(*one),
                _ => None,
            }
        });
        for second in once.filter(|second| (now - DAY..=now).contains(second) && *second > YEAR) {
            let found = due.iter().filter(|due| due.at.as_second() == second).count();
            prop_assert_eq!(found, 1, "{} {}", clock.name, second);
        }
    }
}

#[test]
fn a_day_with_25_hours_has_room_for_a_dose_more() {
    // 24 hours by the sun lie between 08:00 before the change and 07:00 after it.
    let clock = &CLOCKS[0];
    let wall = clock.changes()[1].0 + clock.first;
    let eight = wall - 18 * HOUR;
    let before = instant(clock, eight, false).unwrap();
    for (later, counts) in [(23 * HOUR, false), (23 * HOUR - 60, true)] {
        let (at, _) = instant(clock, eight + later, false).unwrap();
        let of = |at| Taken {
            at,
            amount: Some(Mg(100)),
        };
        let found = passed(&medicine("15mg", "1m"), of(at), &[of(before.0)]);
        assert_eq!(!found.is_empty(), counts, "{later}: {found:?}");
    }
    let far = SignedDuration::from_hours(24);
    let dose = dose(1, "2026-10-24T08:00:00+02:00", &[("amount", "10")]);
    assert_eq!(
        dose.at.instant() + far,
        "2026-10-25T07:00:00+01:00".parse::<Timestamp>().unwrap()
    );
}
