//! Answers of every shape, made from the table, for tests: plain ones, and those at the edge of what is valid.

use super::{Kind, SKIPPED, Shape, UNABLE};
use crate::value::{Fields, Scalar, Value};

/// The id of some entry.
const ID: &str = "019a9ff6-a47b-7707-8707-070707070707";

/// Answers by name that the kinds' own rules ask for, where those made by shape would not do.
const RULED: &[(&str, &str, &str)] = &[
    ("test", "test", "3tug"),
    ("score", "instrument", "fss"),
    ("infusion", "day", "2/5"),
];

/// Returns the fields that an entry of the kind cannot be without.
pub(crate) fn minimal(kind: &Kind) -> Fields {
    let mut fields = Fields::new();
    let mut put = |typed: &[(&str, &str)]| {
        for (name, text) in typed {
            fields.extend(crate::validate::parse_field(kind.name, name, text).unwrap());
        }
    };
    match kind.name {
        "fatigue" => put(&[("level", "0")]),
        "activity" | "exercise" => put(&[("what", "x")]),
        "dose" => put(&[("medicine", "x"), ("amount", "10")]),
        "wearing-off" => put(&[("area", "legs")]),
        "infusion" => put(&[("product", "x")]),
        "sleep" => put(&[("quality", "3")]),
        "factor" => put(&[("stress", "0")]),
        "symptom" => put(&[("choking", "0")]),
        "test" => put(&[("test", "3tug"), ("laps", "1,2,3")]),
        "event" => put(&[("event", "fall")]),
        "score" => put(&[("instrument", "fss"), ("total", "5.2")]),
        "question" | "note" => put(&[("note", "x")]),
        "comment" => put(&[("note", "x"), ("on", ID)]),
        other => panic!("no sample of {other}"),
    }
    fields
}

/// Returns entries of the kind, each with an answer to everything: values, and `skipped` or `unable` where asked.
pub(crate) fn variants(kind: &Kind) -> Vec<(&'static str, Fields)> {
    let state = |state: &'static str| {
        let mut fields = minimal(kind);
        let columns = kind
            .columns()
            .into_iter()
            .filter(|column| column.field.asked);
        for column in columns {
            let is_state = column.field.state(&state.into()).is_some();
            if is_state && !fields.contains_key(column.field.name) {
                fields.insert(column.name(), state.into());
            }
        }
        (state, fields)
    };
    let mut all = minimal(kind);
    for (place, column) in kind.columns().iter().enumerate() {
        if column.field.name != "status" {
            all.insert(column.name(), plain(&column.shape(), place));
        }
    }
    for (_, name, text) in RULED.iter().filter(|(ruled, ..)| *ruled == kind.name) {
        all.extend(crate::validate::parse_field(kind.name, name, text).unwrap());
    }
    vec![("values", all), state(SKIPPED), state(UNABLE)]
}

/// Returns a valid answer of the shape; instants follow each other by `place`.
fn plain(shape: &Shape, place: usize) -> Value {
    match *shape {
        Shape::Int { max, .. } => max.into(),
        Shape::Decimal { .. } => 2.5.into(),
        Shape::Numbers { max_items, .. } => Value::List(vec![Scalar::Float(12.5); max_items]),
        Shape::Minutes { .. } | Shape::Hours { .. } => 1.into(),
        Shape::Choice(choices) => choices.last().unwrap().value.into(),
        Shape::Choices(choices) => list(choices.iter().map(|choice| choice.value).rev()),
        Shape::Either { number, .. } => plain(number, place),
        Shape::Each { .. } => panic!("its parts have answers"),
        Shape::Text { .. } | Shape::Lines { .. } => "é, ö".into(),
        Shape::Texts { .. } => list(["a", "b c"].into_iter()),
        Shape::Instant => format!("2026-11-20T{place:02}:00:00+01:00").into(),
        Shape::Date => "2026-11-20".into(),
        Shape::Entry => ID.into(),
    }
}

/// Returns the least and greatest answers of the shape, and those next to them that are not valid.
pub(crate) fn edges(shape: &Shape) -> (Vec<Value>, Vec<Value>) {
    let whole = |min: i64, max: i64| {
        let valid = vec![min.into(), max.into()];
        let half = (min as f64 + 0.5).into();
        let wrong = vec![(min - 1).into(), (max + 1).into(), half, true.into()];
        (valid, wrong)
    };
    match *shape {
        Shape::Int { min, max } => whole(min, max),
        Shape::Minutes { max } | Shape::Hours { max } => whole(0, max),
        Shape::Decimal { .. } | Shape::Numbers { .. } => fractions(shape),
        Shape::Choice(choices) => {
            let valid = choices.iter().map(|choice| choice.value.into()).collect();
            (
                valid,
                vec!["other than these".into(), 5.into(), true.into()],
            )
        }
        Shape::Choices(choices) => {
            let names = || choices.iter().map(|choice| choice.value);
            let first = choices.first().unwrap().value;
            let valid = vec![list(names()), list([first].into_iter())];
            let twice = list([first, first].into_iter());
            (
                valid,
                vec![twice, list(["elbow"].into_iter()), first.into()],
            )
        }
        Shape::Either { number, or } => {
            let (mut valid, mut wrong) = edges(number);
            valid.extend(edges(&Shape::Choice(or)).0);
            wrong.push("other than these".into());
            (valid, wrong)
        }
        Shape::Each { answer, .. } => edges(answer),
        Shape::Text { max_bytes } => text(max_bytes, "a\nb"),
        Shape::Lines { max_bytes } => text(max_bytes, "a\rb"),
        Shape::Texts {
            max_bytes,
            max_items,
        } => {
            let numbered = |count: usize| (0..count).map(|n| Scalar::Text(n.to_string())).collect();
            let one = |bytes: usize| Value::List(vec![Scalar::Text("x".repeat(bytes))]);
            let valid = vec![Value::List(numbered(max_items)), one(max_bytes)];
            (
                valid,
                vec![Value::List(numbered(max_items + 1)), one(max_bytes + 1)],
            )
        }
        Shape::Instant => {
            let wrong = ["22:30", "2026-11-20T08:00:00", "2026-11-31T08:00:00+01:00"];
            (
                vec!["2026-11-20T08:00:00+01:00".into()],
                wrong.map(Value::from).to_vec(),
            )
        }
        Shape::Date => {
            let wrong = ["2026-11-31", "20.11.2026", "today"].map(Value::from);
            (vec!["2026-11-20".into()], wrong.to_vec())
        }
        Shape::Entry => (vec![ID.into()], vec!["019a".into(), 5.into()]),
    }
}

/// The edges of shapes of numbers with decimals.
fn fractions(shape: &Shape) -> (Vec<Value>, Vec<Value>) {
    match *shape {
        Shape::Decimal {
            min,
            above_min,
            max,
            places,
        } => {
            let step = 10f64.powi(-i32::from(places));
            let (least, below) = if above_min {
                (min + step, min)
            } else {
                (min, min - step)
            };
            let wrong = [
                below,
                max + step,
                least + step / 2.0,
                f64::NAN,
                f64::INFINITY,
            ];
            let (valid, mut wrong) = (
                [least, max].map(Value::from),
                wrong.map(Value::from).to_vec(),
            );
            wrong.push(i64::MAX.into());
            (valid.to_vec(), wrong)
        }
        Shape::Numbers {
            max,
            places,
            max_items,
        } => {
            let step = 10f64.powi(-i32::from(places));
            let of =
                |numbers: Vec<f64>| Value::List(numbers.into_iter().map(Scalar::Float).collect());
            let valid = vec![of(vec![step]), of(vec![max; max_items])];
            let long = of(vec![max; max_items + 1]);
            let wrong = vec![
                of(vec![]),
                of(vec![0.0]),
                of(vec![max + step]),
                long,
                1.into(),
            ];
            (valid, wrong)
        }
        _ => panic!("no decimals"),
    }
}

/// Texts of the most bytes, and one more; and one with a character that may not be in it.
fn text(max_bytes: usize, garbled: &str) -> (Vec<Value>, Vec<Value>) {
    let valid = vec!["x".into(), "é".repeat(max_bytes / 2).into()];
    let wrong = [
        "x".repeat(max_bytes + 1),
        garbled.to_owned(),
        " ".to_owned(),
    ];
    let mut wrong: Vec<Value> = wrong.map(Value::from).to_vec();
    wrong.push(5.into());
    (valid, wrong)
}

/// A list of texts.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::List(texts.map(|text| Scalar::Text(text.to_owned())).collect())
}
