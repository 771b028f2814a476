//! Every field of every kind: its least and greatest answer, one below, one above, and what is said of them.

use super::*;
use std::collections::BTreeSet;

fn text(bytes: usize) -> Value {
    "x".repeat(bytes).into()
}

fn list(texts: &[&str]) -> Value {
    Value::List(
        texts
            .iter()
            .map(|text| Scalar::Text((*text).to_owned()))
            .collect(),
    )
}

fn float(number: f64) -> Value {
    number.into()
}

/// Checks one answer in an entry that is valid but for it.
fn check(kind: &str, name: &str, value: &Value) -> Result<(), Invalid> {
    let mut fields = match kind {
        "dose" => Fields::from([
            ("medicine".into(), "x".into()),
            ("amount_mg".into(), 10.into()),
        ]),
        "activity" => Fields::from([("what".into(), "x".into())]),
        "fatigue" => Fields::from([("level".into(), 0.into())]),
        "sleep" => Fields::from([("quality".into(), 3.into())]),
        "note" => Fields::from([("note".into(), "x".into())]),
        other => panic!("the test knows no {other}"),
    };
    fields.insert(name.to_owned(), value.clone());
    validate(kind, &fields)
}

const AREAS: &str =
    "legs, hips, upper-arms, shoulders, neck, hands, eyes, speech, swallowing, breathing";
const INSTANT: &str = "a date and time with an offset, such as 2026-11-20T08:00:00+01:00";
const MG: &str = "a number of mg above 0 to 100000, with at most 1 decimal";
const WHEN: &str = "2026-11-20T08:00:00+01:00";

/// Kind, field, what is valid, and what is not with what is said of it after the field's name.
type Case = (&'static str, &'static str, Vec<Value>, Vec<(Value, String)>);

fn whole(kind: &'static str, name: &'static str, min: i64, max: i64, allowed: &str) -> Case {
    let valid = vec![min.into(), max.into(), "skipped".into(), "unable".into()];
    let refused = |value: Value, said: String| (value, format!(" is {said}; it must be {allowed}"));
    let invalid = vec![
        refused((min - 1).into(), (min - 1).to_string()),
        refused((max + 1).into(), (max + 1).to_string()),
        refused(float(min as f64 + 0.5), (min as f64 + 0.5).to_string()),
        refused("many".into(), "many".into()),
        refused(true.into(), "yes".into()),
        refused(Value::List(vec![Scalar::Int(min)]), min.to_string()),
    ];
    (kind, name, valid, invalid)
}

fn coded(kind: &'static str, name: &'static str, values: &[&str]) -> Case {
    let allowed = format!("one of {}", values.join(", "));
    let mut valid: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
    valid.extend(["skipped".into(), "unable".into()]);
    let invalid = ["other", "Final", " "].map(|value| {
        (
            value.into(),
            format!(" is {}; it must be {allowed}", value.trim_end()),
        )
    });
    (kind, name, valid, invalid.to_vec())
}

fn instant(name: &'static str) -> Case {
    let kind = if name == "planned_at" {
        "dose"
    } else {
        "sleep"
    };
    let refused = |said: &'static str| {
        (
            Value::from(said),
            format!(" is {said}; it must be {INSTANT}"),
        )
    };
    let invalid = vec![
        refused("22:30"),
        refused("2026-11-20T08:00:00"),
        refused("2026-11-31T08:00:00+01:00"),
        refused("2026-11-20T08:00:00.5+01:00"),
        (5.into(), format!(" is 5; it must be {INSTANT}")),
    ];
    (
        kind,
        name,
        vec![WHEN.into(), "skipped".into(), "unable".into()],
        invalid,
    )
}

fn line(kind: &'static str, name: &'static str) -> Case {
    let invalid = vec![
        (
            text(201),
            " is at most 200 bytes; this one is 201 bytes".to_owned(),
        ),
        (
            "é".repeat(101).into(),
            " is at most 200 bytes; this one is 202 bytes".to_owned(),
        ),
        (
            "a\nb".into(),
            " holds a control character, U+000A; it must be plain text".to_owned(),
        ),
        (
            "\u{9b}".into(),
            " holds a control character, U+009B; it must be plain text".to_owned(),
        ),
        (
            " ".into(),
            " is empty; it must be one line of at most 200 bytes".to_owned(),
        ),
        (
            5.into(),
            " is 5; it must be one line of at most 200 bytes".to_owned(),
        ),
    ];
    (
        kind,
        name,
        vec![text(1), text(200), "é".repeat(100).into(), "skipped".into()],
        invalid,
    )
}

fn areas(kind: &'static str) -> Case {
    let all: Vec<&str> = AREAS.split(", ").collect();
    let valid = vec![
        list(&["legs"]),
        list(&all),
        "skipped".into(),
        "unable".into(),
    ];
    let refused =
        |value: Value, said: &str| (value, format!(" is {said}; it must be a list of {AREAS}"));
    let invalid = vec![
        refused(list(&[]), ""),
        refused(list(&["elbow"]), "elbow"),
        refused(list(&["arms"]), "arms"),
        refused(list(&["legs", "legs"]), "legs, legs"),
        refused(list(&["skipped"]), "skipped"),
        refused("legs".into(), "legs"),
    ];
    (kind, "areas", valid, invalid)
}

fn minutes(kind: &'static str, name: &'static str, max: i64) -> Case {
    whole(
        kind,
        name,
        0,
        max,
        &format!("whole minutes from 0 to {max}"),
    )
}

fn number(kind: &'static str, name: &'static str, min: i64, max: i64) -> Case {
    whole(
        kind,
        name,
        min,
        max,
        &format!("a whole number from {min} to {max}"),
    )
}

fn amount() -> Case {
    let valid = [0.1, 2.5, 99_999.9].map(float).into_iter();
    let valid = valid
        .chain([1.into(), 100_000.into(), "unable".into()])
        .collect();
    let refused = |value: Value, said: &str| (value, format!(" is {said}; it must be {MG}"));
    let invalid = vec![
        refused(0.into(), "0"),
        refused(float(0.05), "0.05"),
        refused((-1).into(), "-1"),
        refused(float(100_000.1), "100000.1"),
        refused(100_001.into(), "100001"),
        refused(i64::MAX.into(), "9223372036854775807"),
        refused(float(2.55), "2.55"),
        refused(float(f64::NAN), "NaN"),
        refused(float(f64::INFINITY), "inf"),
        refused("10mg".into(), "10mg"),
    ];
    ("dose", "amount_mg", valid, invalid)
}

fn cases() -> Vec<Case> {
    vec![
        number("fatigue", "level", 0, 10),
        coded("fatigue", "sort", &["tired", "after-exertion", "weakness"]),
        areas("fatigue"),
        line("activity", "what"),
        minutes("activity", "minutes", 1440),
        number("activity", "effort", 0, 10),
        areas("activity"),
        coded("activity", "eased", &["yes", "no", "unsure"]),
        whole(
            "activity",
            "payback_onset_h",
            0,
            72,
            "whole hours from 0 to 72",
        ),
        minutes("activity", "recovery_min", 10_080),
        line("dose", "medicine"),
        amount(),
        line("dose", "product"),
        coded("dose", "taken", &["taken", "partial", "skipped"]),
        line("dose", "reason"),
        instant("planned_at"),
        line("dose", "given_by"),
        instant("in_bed"),
        instant("tried_to_sleep"),
        minutes("sleep", "latency_min", 1440),
        number("sleep", "awakenings", 0, 50),
        minutes("sleep", "awake_min", 1440),
        instant("final_wake"),
        minutes("sleep", "trying_after_min", 1440),
        instant("out_of_bed"),
        number("sleep", "quality", 1, 5),
        number("sleep", "rested", 1, 5),
        number("sleep", "naps", 0, 20),
        minutes("sleep", "nap_min", 1440),
        minutes("sleep", "screens_last_hour_min", 60),
        instant("last_caffeine"),
        instant("last_alcohol"),
        coded("note", "status", &["final", "amended", "entered-in-error"]),
        coded("note", "precision", &["exact", "approx", "day-part"]),
        coded("note", "source", &["self", "caregiver", "device"]),
    ]
}

#[test]
fn every_field_at_its_limits() {
    for (kind, name, valid, invalid) in cases() {
        for value in valid {
            assert_eq!(check(kind, name, &value), Ok(()), "{kind} {name} {value:?}");
        }
        for (value, said) in invalid {
            let refusal = check(kind, name, &value).unwrap_err();
            assert_eq!(refusal.to_string(), format!("{name}{said}"));
            assert_eq!(refusal.field(), Some(name));
        }
    }
}

#[test]
fn weakness_is_asked_per_area() {
    for area in AREAS.split(", ") {
        let stored = format!("weakness_{}", area.replace('-', "_"));
        for value in [0.into(), 3.into(), "skipped".into(), "unable".into()] {
            assert_eq!(check("fatigue", &stored, &value), Ok(()), "{stored}");
        }
        for value in [-1, 4] {
            let refusal = check("fatigue", &stored, &value.into()).unwrap_err();
            assert_eq!(
                refusal.to_string(),
                format!("weakness of {area} is {value}; it must be a whole number from 0 to 3")
            );
        }
    }
    for unknown in ["weakness", "weakness_elbow", "weakness_upper-arms"] {
        let refusal = check("fatigue", unknown, &1.into()).unwrap_err();
        assert!(refusal.to_string().starts_with(&format!(
            "fatigue has no field {unknown}; its fields are level,"
        )));
    }
}

#[test]
fn no_field_goes_untested() {
    let tested: BTreeSet<_> = cases()
        .iter()
        .map(|(kind, name, ..)| (*kind, *name))
        .collect();
    for kind in kind::KINDS {
        for field in kind.fields.iter().filter(|field| field.name != "weakness") {
            assert!(
                tested.contains(&(kind.name, field.name)),
                "{} {}",
                kind.name,
                field.name
            );
        }
    }
    for field in kind::COMMON
        .iter()
        .filter(|field| !["note", "tags"].contains(&field.name))
    {
        assert!(tested.contains(&("note", field.name)), "{}", field.name);
    }
}

#[test]
fn a_note_is_at_most_8_kib() {
    assert_eq!(check("note", "note", &text(8192)), Ok(()));
    assert_eq!(check("note", "note", &"a\n\tb".into()), Ok(()));
    for (value, said) in [
        (
            text(8193),
            "a note is at most 8 KiB; this one is 8193 bytes",
        ),
        (
            text(100_000),
            "a note is at most 8 KiB; this one is 100000 bytes",
        ),
        (
            "a\rb".into(),
            "note holds a control character, U+000D; it must be plain text",
        ),
        (
            "\u{1b}[2J".into(),
            "note holds a control character, U+001B; it must be plain text",
        ),
        (
            "\n".into(),
            "note is empty; it must be text of at most 8192 bytes",
        ),
        (
            true.into(),
            "note is yes; it must be text of at most 8192 bytes",
        ),
    ] {
        let refusal = check("note", "note", &value).unwrap_err();
        assert_eq!(
            (refusal.to_string().as_str(), refusal.field()),
            (said, Some("note"))
        );
    }
}

#[test]
fn tags_are_at_most_20_of_at_most_200_bytes() {
    let numbered = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let tags = |count| {
        list(
            &numbered(count)
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(check("note", "tags", &tags(20)), Ok(()));
    assert_eq!(
        check("note", "tags", &list(&["x".repeat(200).as_str()])),
        Ok(())
    );
    let allowed = "it must be at most 20 texts of at most 200 bytes each";
    for (value, said) in [
        (tags(21), "tags are at most 20; these are 21".to_owned()),
        (
            list(&["x".repeat(201).as_str()]),
            "tags is at most 200 bytes; this one is 201 bytes".to_owned(),
        ),
        (list(&["a", "a"]), format!("tags is a, a; {allowed}")),
        (list(&[""]), format!("tags is empty; {allowed}")),
        ("a".into(), format!("tags is a; {allowed}")),
        (
            list(&["a\nb"]),
            "tags holds a control character, U+000A; it must be plain text".to_owned(),
        ),
    ] {
        assert_eq!(check("note", "tags", &value).unwrap_err().to_string(), said);
    }
}

#[test]
fn what_a_kind_needs() {
    let none = Fields::new();
    let just = |name: &str, value: Value| Fields::from([(name.to_owned(), value)]);
    for (kind, fields, said) in [
        (
            "fatigue",
            none.clone(),
            "a fatigue entry needs at least one of level, areas, sort, weakness",
        ),
        (
            "fatigue",
            just("note", "x".into()),
            "a fatigue entry needs at least one of level, areas, sort, weakness",
        ),
        ("activity", none.clone(), "an activity entry needs what"),
        (
            "activity",
            just("effort", 5.into()),
            "an activity entry needs what",
        ),
        ("dose", none.clone(), "a dose entry needs medicine"),
        (
            "dose",
            just("medicine", "x".into()),
            "a dose entry needs amount_mg, unless it was skipped",
        ),
        ("note", none.clone(), "a note entry needs note"),
        (
            "mood\u{7}",
            none.clone(),
            "unknown kind mood ; the kinds are fatigue, activity, dose, sleep, note",
        ),
    ] {
        assert_eq!(validate(kind, &fields).unwrap_err().to_string(), said);
    }
    assert!(
        validate("sleep", &none)
            .unwrap_err()
            .to_string()
            .starts_with("a sleep entry needs at least one of in_bed,")
    );
    assert_eq!(
        validate("fatigue", &just("level", "skipped".into())),
        Ok(())
    );
    assert_eq!(
        validate("fatigue", &just("weakness_legs", 0.into())),
        Ok(())
    );
    let mut skipped = just("medicine", "x".into());
    skipped.insert("taken".into(), "skipped".into());
    assert_eq!(validate("dose", &skipped), Ok(()));
}

#[test]
fn an_impossible_night_is_refused_and_a_doubtful_one_asked_about() {
    let night = |bed: &str, up: &str| {
        Fields::from([
            ("in_bed".to_owned(), bed.into()),
            ("out_of_bed".to_owned(), up.into()),
        ])
    };
    let backwards = validate("sleep", &night("2026-11-20T22:30:00+01:00", WHEN)).unwrap_err();
    assert_eq!(backwards.field(), Some("out_of_bed"));
    let doubtful = night("2026-11-19T10:30:00+01:00", WHEN);
    assert_eq!(validate("sleep", &doubtful), Ok(()));
    let asked: Vec<_> = warnings("sleep", &doubtful)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(asked, ["in_bed is 10:30: was it 22:30, 12 hours off?"]);
    assert_eq!(
        warnings("sleep", &night("2026-11-19T22:30:00+01:00", WHEN)),
        []
    );
    assert_eq!(warnings("fatigue", &doubtful), []);
}

#[test]
fn a_long_value_is_cut_short_in_what_is_said() {
    let said = check("fatigue", "level", &text(100_000))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        format!(
            "level is {}…; it must be a whole number from 0 to 10",
            "x".repeat(60)
        )
    );
}
