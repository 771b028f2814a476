//! Every field of every kind, from the table: its least and greatest answer, one below, one above, and what is said.

use super::*;
use crate::kind::sample::{edges, minimal};
use crate::kind::{COMMON, KINDS, SKIPPED, UNABLE};

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

/// Checks one answer in an entry that is valid but for it.
fn check(kind: &str, name: &str, value: &Value) -> Result<(), Invalid> {
    let mut fields = minimal(kind::kind(kind).unwrap());
    fields.insert(name.to_owned(), value.clone());
    validate(kind, &fields)
}

const WHEN: &str = "2026-11-20T08:00:00+01:00";

/// The words that an error about an answer of the shape must hold, beside the field and the value.
fn bounds(shape: &Shape) -> Vec<String> {
    let numbers = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect();
    match *shape {
        Shape::Int { min, max } => numbers(&[min as f64, max as f64]),
        Shape::Minutes { max } | Shape::Hours { max } => numbers(&[0.0, max as f64]),
        Shape::Decimal { min, max, .. } => numbers(&[min, max]),
        Shape::Numbers { max, max_items, .. } => numbers(&[max, max_items as f64]),
        Shape::Choice(choices) | Shape::Choices(choices) => choices
            .iter()
            .map(|choice| choice.value.to_owned())
            .collect(),
        Shape::Either { number, or } => [bounds(number), bounds(&Shape::Choice(or))].concat(),
        Shape::Each { answer, .. } => bounds(answer),
        Shape::Text { max_bytes } | Shape::Lines { max_bytes } => vec![max_bytes.to_string()],
        Shape::Texts { max_bytes, .. } => vec![max_bytes.to_string()],
        Shape::Instant => vec![WHEN.to_owned()],
        Shape::Date => vec!["2026-11-20".to_owned()],
        Shape::Entry => vec!["id of an entry".to_owned()],
    }
}

#[test]
fn every_field_at_its_limits() {
    let (mut valid_count, mut wrong_count) = (0, 0);
    for kind in KINDS {
        for column in kind.columns() {
            let slot = kind.slot(&column.name()).unwrap();
            let (valid, wrong) = edges(&column.shape());
            assert!(!valid.is_empty() && !wrong.is_empty());
            for value in valid {
                assert_eq!(
                    check_value(&slot, &value),
                    Ok(()),
                    "{} {}",
                    kind.name,
                    column.name()
                );
                valid_count += 1;
            }
            for value in wrong {
                let refusal = check(kind.name, &column.name(), &value).unwrap_err();
                let said = refusal.to_string();
                let context = format!("{} {} {value:?}: {said}", kind.name, column.name());
                assert_eq!(refusal.field(), Some(column.field.name), "{context}");
                let label = match column.part {
                    Some(part) => format!("{} of {} ", column.field.label, part.label),
                    None if column.field.name == "note" => "note ".to_owned(),
                    None => format!("{} ", column.field.label),
                };
                assert!(said.contains(&label), "{context}");
                if let Invalid::Value { value: shown, .. } = &refusal {
                    assert!(
                        said.starts_with(&format!("{label}is {shown}; it must be ")),
                        "{context}"
                    );
                    for bound in bounds(&column.shape()) {
                        assert!(said.contains(&bound), "{bound}: {context}");
                    }
                }
                wrong_count += 1;
            }
        }
    }
    assert!(
        valid_count > 200 && wrong_count > 400,
        "{valid_count} {wrong_count}"
    );
}

#[test]
fn every_question_can_be_passed_over_or_be_too_hard_and_nothing_else_can() {
    for kind in KINDS {
        for column in kind.columns() {
            let slot = kind.slot(&column.name()).unwrap();
            for state in [SKIPPED, UNABLE] {
                let said = check_value(&slot, &state.into());
                let is_text =
                    matches!(column.field.shape, Shape::Text { .. } | Shape::Lines { .. });
                let context = format!("{} {} {state}", kind.name, column.name());
                assert_eq!(said.is_ok(), column.field.asked || is_text, "{context}");
                if let Err(refusal) = said {
                    assert!(refusal.to_string().contains(state), "{context}");
                }
                let typed = parse_field(kind.name, column.field.name, &state.to_uppercase());
                if column.field.asked {
                    let read = typed.unwrap();
                    assert_eq!(read.get(&column.name()), Some(&state.into()), "{context}");
                }
            }
        }
    }
    for field in COMMON {
        assert!(!field.asked, "{}", field.name);
    }
}

#[test]
fn a_score_is_within_the_range_of_its_instrument() {
    let entry = |instrument: &str, total: f64| {
        Fields::from([
            ("instrument".to_owned(), instrument.into()),
            ("total".to_owned(), total.into()),
        ])
    };
    for (instrument, min, max) in kind::TOTALS {
        for total in [min, max] {
            assert_eq!(
                validate("score", &entry(instrument, *total)),
                Ok(()),
                "{instrument}"
            );
        }
        for total in [min - 0.01, max + 0.01] {
            let said = validate("score", &entry(instrument, total))
                .unwrap_err()
                .to_string();
            assert!(
                said.starts_with(&format!("total is {total}; it must be")),
                "{said}"
            );
            assert!(said.contains(&max.to_string()), "{said}");
        }
    }
    let instruments = kind::kind("score").unwrap().field("instrument").unwrap();
    let coded: Vec<_> = instruments
        .shape
        .choices()
        .unwrap()
        .iter()
        .map(|choice| choice.value)
        .collect();
    let ranged: Vec<_> = kind::TOTALS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(coded, ranged);
    assert_eq!(
        validate("score", &entry("mg-adl", 25.0))
            .unwrap_err()
            .to_string(),
        "total is 25; it must be from 0 to 24 for MG-ADL"
    );
}

#[test]
fn what_is_said_of_each_shape() {
    for (kind, name, value, said) in [
        (
            "fatigue",
            "level",
            11.into(),
            "level is 11; it must be a whole number from 0 to 10",
        ),
        (
            "fatigue",
            "weakness_legs",
            4.into(),
            "weakness of legs is 4; it must be a whole number from 0 to 3",
        ),
        (
            "fatigue",
            "sort",
            "sad".into(),
            "sort is sad; it must be one of tired, after-exertion, weakness",
        ),
        (
            "activity",
            "minutes",
            1441.into(),
            "minutes is 1441; it must be whole minutes from 0 to 1440",
        ),
        (
            "activity",
            "payback_onset_h",
            73.into(),
            "payback after is 73; it must be whole hours from 0 to 72",
        ),
        (
            "dose",
            "amount_mg",
            0.into(),
            "amount is 0; it must be a number of mg above 0 to 100000, with at most 1 decimal",
        ),
        (
            "factor",
            "heat",
            71.into(),
            "heat is 71; it must be a number of °C from -60 to 70, with at most 1 decimal; or yes, no",
        ),
    ] {
        let refused = check(kind, name, &value).unwrap_err();
        assert_eq!(refused.to_string(), said);
    }
}

#[test]
fn what_is_said_of_each_shape_of_text_and_time() {
    for (kind, name, value, said) in [
        (
            "test",
            "laps",
            Value::List(vec![Scalar::Float(600.1)]),
            "laps is 600.1; it must be 1 to 3 numbers in s, each above 0 to 600, with at most 1 decimal",
        ),
        (
            "symptom",
            "breathing_lying_flat",
            1.into(),
            "breathing hard of lying flat is 1; it must be one of yes, no",
        ),
        (
            "score",
            "date",
            "soon".into(),
            "filled in is soon; it must be a date such as 2026-11-20",
        ),
        (
            "comment",
            "on",
            "a1".into(),
            "on is a1; it must be the id of an entry",
        ),
        (
            "sleep",
            "in_bed",
            "22:30".into(),
            "in bed is 22:30; it must be a date and time with an offset, such as 2026-11-20T08:00:00+01:00",
        ),
        (
            "dose",
            "reason",
            text(201),
            "reason is at most 200 bytes; this one is 201 bytes",
        ),
        (
            "note",
            "tags",
            list(&["a", "a"]),
            "tags is a, a; it must be at most 20 texts of at most 200 bytes each",
        ),
    ] {
        assert_eq!(check(kind, name, &value).unwrap_err().to_string(), said);
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

/// Takes out what stands in parentheses.
fn without_help(said: &str) -> String {
    let Some((before, rest)) = said.split_once(" (") else {
        return said.to_owned();
    };
    let (_, after) = rest.split_once(')').unwrap();
    format!("{before}{after}")
}

/// Says what an entry of these answers needs beside them.
fn needs(kind: &str, typed: &[(&str, &str)]) -> String {
    let mut fields = Fields::new();
    for (name, text) in typed {
        fields.extend(parse_field(kind, name, text).unwrap());
    }
    match validate(kind, &fields) {
        Ok(()) => "nothing".to_owned(),
        Err(invalid @ Invalid::Missing { .. }) => without_help(&invalid.to_string()),
        Err(invalid) => invalid.to_string(),
    }
}

#[test]
fn what_a_kind_needs() {
    let none = validate("dose", &Fields::new()).unwrap_err().to_string();
    assert_eq!(none, "a dose entry needs medicine (which medicine)");
    let sorts = "a fatigue entry needs at least one of level, areas, sort, weakness";
    for (kind, typed, said) in [
        ("fatigue", &[][..], sorts),
        ("fatigue", &[("note", "x")], sorts),
        ("fatigue", &[("level", "skipped")], "nothing"),
        ("fatigue", &[("weakness", "legs=0")], "nothing"),
        ("activity", &[], "an activity entry needs what"),
        (
            "activity",
            &[("effort", "5")],
            "an activity entry needs what",
        ),
        ("dose", &[], "a dose entry needs medicine"),
        (
            "dose",
            &[("medicine", "x")],
            "a dose entry needs amount, unless it was skipped",
        ),
        (
            "dose",
            &[("medicine", "x"), ("taken", "skipped")],
            "nothing",
        ),
        (
            "dose",
            &[("medicine", "x"), ("amount", "unable")],
            "nothing",
        ),
        (
            "wearing-off",
            &[("level", "2")],
            "a wearing-off entry needs area",
        ),
        (
            "infusion",
            &[("amount", "70g")],
            "an infusion entry needs product",
        ),
        (
            "infusion",
            &[("product", "x"), ("day", "6/5")],
            "day is 6; it must be at most 5, the days of the course",
        ),
        ("factor", &[("value", "6")], "a factor entry needs name"),
        ("factor", &[("name", "x")], "a factor entry needs value"),
        ("symptom", &[("name", "x")], "a symptom entry needs level"),
    ] {
        assert_eq!(needs(kind, typed), said, "{kind} {typed:?}");
    }
}

#[test]
fn what_tests_and_texts_need() {
    for (kind, typed, said) in [
        (
            "test",
            &[("test", "3tug")][..],
            "a test entry needs laps, unless it was stopped early",
        ),
        (
            "test",
            &[("test", "3tug"), ("laps", "12.1,12.8")],
            "laps is 12.1, 12.8; it must be 3 laps, unless it was stopped early (--aborted yes)",
        ),
        (
            "test",
            &[("test", "3tug"), ("laps", "12.1"), ("aborted", "yes")],
            "nothing",
        ),
        ("test", &[("test", "3tug"), ("laps", "unable")], "nothing"),
        (
            "test",
            &[("test", "chair-stand")],
            "a test entry needs stands, unless it was stopped early",
        ),
        (
            "test",
            &[("test", "grip")],
            "a test entry needs grip, unless it was stopped early",
        ),
        (
            "test",
            &[("test", "other")],
            "a test entry needs name, unless it was stopped early",
        ),
        ("exercise", &[("sets", "2")], "an exercise entry needs what"),
        ("event", &[("note", "x")], "an event entry needs event"),
        (
            "event",
            &[("event", "other")],
            "an event entry needs its text",
        ),
        (
            "score",
            &[("instrument", "FSS")],
            "a score entry needs total",
        ),
        (
            "question",
            &[("answer", "x")],
            "a question entry needs its text",
        ),
        ("question", &[("note", "x")], "nothing"),
        ("note", &[], "a note entry needs its text"),
        ("comment", &[("note", "x")], "a comment entry needs on"),
    ] {
        assert_eq!(needs(kind, typed), said, "{kind} {typed:?}");
    }
    assert!(needs("sleep", &[]).starts_with("a sleep entry needs at least one of in bed,"));
    let unknown = validate("mood\u{7}", &Fields::new())
        .unwrap_err()
        .to_string();
    assert!(unknown.starts_with("unknown kind mood ; the kinds are fatigue, activity, dose,"));
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
    assert_eq!(asked, ["in bed is 10:30: was it 22:30, 12 hours off?"]);
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
