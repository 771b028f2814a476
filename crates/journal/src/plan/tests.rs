//! Tests of the plan: its time, limits at their edges, what is due, pairs of doses, and the questions of a check-in.

use jiff::tz::TimeZone;

use super::*;
use crate::entry::{Draft, Entry};
use crate::time::At;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn author(person: &str) -> Author {
    Author {
        person: person.to_owned(),
        device: "laptop".to_owned(),
    }
}

pub(super) fn step(name: &str, from: &str, fields: &[(&str, &str)]) -> Step {
    let kind = planned_kind("medicine").unwrap();
    let fields = fields
        .iter()
        .map(|(name, text)| parse(kind, name, text).unwrap());
    Step {
        kind,
        name: name.to_owned(),
        from: time(from),
        ended: false,
        set: fields.flatten().collect(),
        removed: Vec::new(),
        by: author("Ana"),
    }
}

pub(super) fn plan(steps: &[Step]) -> Plan {
    let items = steps.iter().enumerate().map(|(number, step)| {
        let id = EntryId::mint(number as u64, [0; 10]);
        (step_key(id), step.to_fields().unwrap(), step.by.clone())
    });
    Plan::new(items)
}

pub(super) fn dose(id: u64, at: &str, fields: &[(&str, &str)]) -> Entry {
    let id = EntryId::mint(id, [0; 10]);
    let mut draft = Draft::new("dose", at.parse::<At>().unwrap()).with("medicine", "Amifampridine");
    for (name, text) in fields {
        draft
            .fields
            .extend(crate::validate::parse_field("dose", name, text).unwrap());
    }
    Entry::from_fields(id, &draft.to_fields(id).unwrap())
}

#[test]
fn the_plan_of_a_time_is_what_was_said_until_then() {
    let mut end = step("Amifampridine", "2026-11-20T00:00:00Z", &[]);
    end.ended = true;
    let mut less = step(
        "amifampridine ",
        "2026-11-10T00:00:00Z",
        &[("usual", "15mg")],
    );
    less.removed = vec!["max_single_mg".to_owned()];
    less.by = author("Sam");
    let first = [
        ("strength", "10mg"),
        ("usual", "10mg"),
        ("max-single", "20mg"),
    ];
    // Out of order: how they arrive does not matter.
    let plan = plan(&[
        end,
        less,
        step("Amifampridine", "2026-11-01T00:00:00Z", &first),
    ]);
    let at = |text| plan.medicine("AMIFAMPRIDINE", time(text));
    assert!(at("2026-10-31T23:59:59Z").is_none());
    let early = at("2026-11-05T00:00:00Z").unwrap();
    assert_eq!(early.mg("usual_mg").unwrap().to_string(), "10 mg");
    assert_eq!(early.mg("max_single_mg").unwrap().to_string(), "20 mg");
    assert_eq!(
        (early.limits_at(), early.limits_by()),
        (Some(time("2026-11-01T00:00:00Z")), "Ana")
    );
    let later = at("2026-11-19T00:00:00Z").unwrap();
    assert_eq!(later.mg("usual_mg").unwrap().to_string(), "15 mg");
    assert_eq!(later.mg("strength_mg").unwrap().to_string(), "10 mg");
    assert_eq!(later.mg("max_single_mg"), None);
    assert_eq!(later.by.person, "Sam");
    assert!(at("2026-11-20T00:00:00Z").is_none());
}

#[test]
fn steps_of_two_people_at_once_are_both_kept() {
    let from = "2026-11-01T00:00:00Z";
    let plan = plan(&[
        step("x", from, &[("usual", "10")]),
        step("x", from, &[("max-24h", "80"), ("min-gap", "3h")]),
    ]);
    let thing = plan.medicine("x", time(from)).unwrap();
    assert_eq!(
        words(&thing),
        "usual amount 10 mg, most in 24 h 80 mg, least gap 3 h"
    );
}

#[test]
fn what_is_no_step_of_this_ebb_is_passed_over() {
    let stored = step("x", "2026-11-01T00:00:00Z", &[("usual", "10")])
        .to_fields()
        .unwrap();
    let key = step_key(EntryId::mint(1, [0; 10]));
    let with = |name: &str, value: Value| {
        let mut fields = stored.clone();
        fields.insert(name.to_owned(), value);
        Plan::new([(key.clone(), fields, author("Ana"))])
            .steps()
            .len()
    };
    assert_eq!(with("unheard_of", 1.into()), 1);
    assert_eq!(with(WITHDRAWN, true.into()), 0);
    assert_eq!(with("kind", "horoscope".into()), 0);
    assert_eq!(with("from", 1.into()), 0);
    assert_eq!(
        Plan::new([("patient".to_owned(), stored, author("Ana"))])
            .steps()
            .len(),
        0
    );
}

#[test]
fn times_are_those_of_a_clock() {
    let kind = planned_kind("medicine").unwrap();
    let said = |text: &str| {
        let mut step = step("x", "2026-11-01T00:00:00Z", &[]);
        match parse(kind, "times", text) {
            Ok(fields) => step.set = fields,
            Err(error) => return error.to_string(),
        }
        match step.to_fields() {
            Ok(fields) => crate::words::plain(&fields["times"]),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(said("16:00, 8:00,08:00"), "08:00, 16:00");
    assert_eq!(
        said("8"),
        "times is 8; it must be times of the clock with commas between, such as 08:00,12:00,16:00"
    );
    for odd in ["24:00", "8:0", "-1:00", "+8:00", ":", "8:60"] {
        assert!(said(odd).starts_with("times is "), "{odd}: {}", said(odd));
    }
}

fn taken(at: &str, mg: f64) -> Taken {
    Taken {
        at: time(at),
        amount: Mg::of(&mg.into()),
    }
}

/// Returns a medicine with limits, and two doses of it.
fn limited() -> (Planned, [Taken; 2]) {
    let limits = [
        ("max-single", "20mg"),
        ("max-24h", "60mg"),
        ("min-gap", "3h"),
    ];
    let medicine = plan(&[step("x", "2026-11-01T00:00:00Z", &limits)])
        .medicine("x", time("2026-11-02T00:00:00Z"))
        .unwrap();
    let others = [
        taken("2026-11-20T08:00:00Z", 20.0),
        taken("2026-11-20T16:00:00Z", 20.0),
    ];
    (medicine, others)
}

#[test]
fn limits_are_compared_over_every_24_hours_that_hold_the_dose() {
    let (medicine, others) = limited();
    let said = |at: &str, mg: f64| passed(&medicine, taken(at, mg), &others);
    assert_eq!(said("2026-11-20T12:00:00Z", 20.0), []);
    // One tenth of a mg above each limit.
    assert_eq!(
        said("2026-11-20T12:00:00Z", 20.1),
        [
            Passed::Single {
                dose: Mg(201),
                limit: Mg(200)
            },
            Passed::Day {
                sum: Mg(601),
                limit: Mg(600),
                at_least: false
            },
        ]
    );
}

#[test]
fn doses_count_up_to_24_hours_and_the_gap_to_both_sides() {
    let (medicine, others) = limited();
    let said = |at: &str, mg: f64| passed(&medicine, taken(at, mg), &others);
    // Exactly 24 hours after the first, that one counts no more; a second before, it does.
    assert_eq!(said("2026-11-21T08:00:00Z", 20.0), []);
    let before = passed(
        &medicine,
        taken("2026-11-21T07:59:59Z", 20.0),
        &[others[0], others[1], taken("2026-11-21T00:00:00Z", 0.1)],
    );
    assert_eq!(
        before,
        [Passed::Day {
            sum: Mg(601),
            limit: Mg(600),
            at_least: false
        }]
    );
    // Logged late: the 24 hours that end with later doses count.
    let late = passed(
        &medicine,
        taken("2026-11-20T02:00:00Z", 20.0),
        &[others[0], others[1], taken("2026-11-21T01:59:59Z", 1.0)],
    );
    assert_eq!(
        late,
        [Passed::Day {
            sum: Mg(610),
            limit: Mg(600),
            at_least: false
        }]
    );
    // The gap counts to both sides, and exactly the least gap is enough.
    assert_eq!(said("2026-11-20T11:00:00Z", 1.0), []);
    assert_eq!(
        said("2026-11-20T10:59:00Z", 1.0),
        [Passed::Gap {
            minutes: 179,
            limit: 180,
            after: false
        }]
    );
    assert_eq!(
        said("2026-11-20T13:30:00Z", 1.0),
        [Passed::Gap {
            minutes: 150,
            limit: 180,
            after: true
        }]
    );
}

#[test]
fn doses_of_unknown_amount_and_medicines_without_limits() {
    let (medicine, others) = limited();
    // What nobody can say counts as at least nothing.
    let unknown = [
        others[0],
        others[1],
        Taken {
            at: time("2026-11-20T20:00:00Z"),
            amount: None,
        },
    ];
    assert_eq!(
        passed(&medicine, taken("2026-11-20T12:00:00Z", 20.5), &unknown)[1],
        Passed::Day {
            sum: Mg(605),
            limit: Mg(600),
            at_least: true
        }
    );
    let free = plan(&[step("x", "2026-11-01T00:00:00Z", &[])])
        .medicine("x", time("2026-11-02T00:00:00Z"))
        .unwrap();
    assert_eq!(
        passed(&free, taken("2026-11-20T12:00:00Z", 9999.0), &others),
        []
    );
}

#[test]
fn planned_doses_without_an_entry_are_due() {
    let home = TimeZone::get("Europe/Madrid").unwrap();
    let mut changed = step(
        "Amifampridine",
        "2026-11-20T11:30:00Z",
        &[("times", "08:00,14:00,20:00")],
    );
    changed.by = author("Sam");
    let plan = plan(&[
        step(
            "Amifampridine",
            "2026-11-01T00:00:00Z",
            &[("times", "08:00,12:00"), ("usual", "10")],
        ),
        changed,
    ]);
    let now = time("2026-11-20T12:00:00Z");
    let said = |doses: &[Entry]| -> Vec<String> {
        due(&plan, doses, now, &home)
            .iter()
            .map(|due| due.at.to_string())
            .collect()
    };
    // At 12:00 in Madrid (11:00 UTC) the first plan stood; from 12:30 on the second.
    let all = [
        "2026-11-20T07:00:00Z",
        "2026-11-20T11:00:00Z",
        "2026-11-20T13:00:00Z",
        "2026-11-20T19:00:00Z",
        "2026-11-21T07:00:00Z",
    ];
    assert_eq!(said(&[]), all);
    let near = dose(1, "2026-11-20T07:40:00Z", &[("amount", "10")]);
    assert_eq!(said(std::slice::from_ref(&near)), all[1..]);
    let skipped = dose(2, "2026-11-20T11:20:00Z", &[("taken", "skipped")]);
    assert_eq!(said(&[near.clone(), skipped]), all[2..]);
    let named = dose(
        3,
        "2026-11-20T11:50:00Z",
        &[
            ("amount", "10"),
            ("planned_at", "2026-11-20T08:00:00+01:00"),
        ],
    );
    assert_eq!(said(&[named]), all[1..]);
    let first = &due(&plan, &[], now, &home)[0];
    assert_eq!(
        (first.medicine.as_str(), first.usual),
        ("Amifampridine", Mg::of(&10.into()))
    );
}

#[test]
fn a_planned_time_that_the_clocks_skip_comes_as_long_after() {
    let home = TimeZone::get("Europe/Madrid").unwrap();
    let plan = plan(&[step("x", "2026-03-01T00:00:00Z", &[("times", "02:30")])]);
    let due = due(&plan, &[], time("2026-03-29T00:00:00Z"), &home);
    let said: Vec<_> = due.iter().map(|due| due.at.to_string()).collect();
    assert_eq!(said, ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"]);
}

#[test]
fn two_people_may_have_logged_one_dose() {
    let ten = [("amount", "10")];
    let mine = dose(1, "2026-11-20T08:00:00Z", &ten);
    let theirs = dose(2, "2026-11-20T08:30:00Z", &ten);
    let found = |theirs: &Entry, by: &str| pairs(&[(&mine, "Ana"), (theirs, by)]).len();
    assert_eq!(
        pairs(&[(&mine, "Ana"), (&theirs, "Sam")]),
        [Pair {
            first: 0,
            second: 1
        }]
    );
    assert_eq!(found(&theirs, "Ana"), 0);
    assert_eq!(found(&dose(2, "2026-11-20T08:30:01Z", &ten), "Sam"), 0);
    assert_eq!(
        found(
            &dose(2, "2026-11-20T08:30:00Z", &[("amount", "10.5")]),
            "Sam"
        ),
        0
    );
    assert_eq!(
        found(
            &dose(
                2,
                "2026-11-20T08:10:00Z",
                &[("amount", "10"), ("taken", "skipped")]
            ),
            "Sam"
        ),
        0
    );
    let id = mine.id.to_string();
    let said = dose(
        2,
        "2026-11-20T08:10:00Z",
        &[("amount", "10"), ("not_same_as", &id)],
    );
    assert_eq!(found(&said, "Sam"), 0);
}

/// Says which questions are asked.
fn asked(plan: &Plan, part: DayPart) -> Vec<String> {
    let things = plan.at(time("2026-11-20T00:00:00Z"));
    let questions = questions(&things, part);
    questions
        .iter()
        .map(|question| question.label().to_owned())
        .collect()
}

#[test]
fn the_morning_asks_about_the_night_and_the_evening_about_the_day() {
    let none = Plan::default();
    assert_eq!(
        asked(&none, DayPart::of(clock("07:30").unwrap())),
        ["quality", "rested", "awakenings", "level", "sort", "areas"]
    );
    assert_eq!(
        asked(&none, DayPart::of(clock("14:00").unwrap())),
        ["level", "sort", "areas"]
    );
    for evening in ["17:00", "23:59", "00:10", "02:59"] {
        assert_eq!(
            asked(&none, DayPart::of(clock(evening).unwrap())),
            ["level", "sort", "areas", "stress", "caffeine", "alcohol"],
            "{evening}"
        );
    }
}

#[test]
fn the_plan_adds_questions_and_takes_them_away() {
    let of = |kind: &str, name: &str, fields: &[(&str, &str)]| {
        let kind = planned_kind(kind).unwrap();
        let fields = fields
            .iter()
            .map(|(name, text)| parse(kind, name, text).unwrap());
        Step {
            kind,
            set: fields.flatten().collect(),
            ..step(name, "2026-11-01T00:00:00Z", &[])
        }
    };
    let plan = plan(&[
        of("ask", "Dry-Mouth", &[("when", "morning")]),
        of("ask", "alcohol", &[("when", "never")]),
        of("ask", "lid droop", &[]),
        of("ask", "sorcery", &[]),
        of("factor", "Weather", &[]),
        of("factor", "visitors", &[("answer", "yes-no")]),
        of("ask", "visitors", &[("when", "morning")]),
    ]);
    assert_eq!(
        asked(&plan, DayPart::Morning),
        [
            "quality",
            "rested",
            "awakenings",
            "level",
            "sort",
            "areas",
            "dry mouth",
            "lid droop",
            "visitors"
        ]
    );
    assert_eq!(
        asked(&plan, DayPart::Evening),
        [
            "level",
            "sort",
            "areas",
            "stress",
            "caffeine",
            "Weather",
            "lid droop"
        ]
    );
    let things = plan.at(time("2026-11-20T00:00:00Z"));
    let keys = |name: &str| question(&things, name).unwrap().keys;
    assert_eq!(keys("weather"), Keys::Number(0, 10));
    assert!(matches!(keys("visitors"), Keys::One([yes, _]) if yes.value == "yes"));
    for name in askable() {
        assert!(question(&[], name).is_some(), "{name}");
    }
}
