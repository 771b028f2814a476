//! Reads what people type for a field: `20m`, `1h30`, `10mg`, `0.5g`, `arms,legs`, `yes`.
//!
//! The comma is never a decimal point: `1,000 mg` must not become 1 mg.

use super::{Invalid, check_value, excerpt, known, normal};
use crate::kind::{Choice, Field, SKIPPED, Shape, Slot, UNABLE, choose};
use crate::time::At;
use crate::value::{Fields, Scalar, Value};

/// Reads the text of one field of an entry of `kind`, found by name or flag, into what is to be stored: one field,
/// or one per area for a field asked per area (`upper-arms=2,legs=1`). Of an empty text nothing is left to store.
///
/// # Errors
/// [`Invalid`] if the kind or field is unknown, or the text is no valid answer.
pub fn parse_field(kind: &str, name: &str, text: &str) -> Result<Fields, Invalid> {
    let kind = known(kind)?;
    let field = kind.field(name).ok_or_else(|| Invalid::UnknownField {
        kind: kind.name.to_owned(),
        field: name.to_owned(),
    })?;
    let text = text.trim();
    if let Shape::PerArea { areas, .. } = field.shape {
        return per_area(field, areas, text);
    }
    let value = read(field, text).ok_or_else(|| refused(field, text))?;
    let Some(value) = normal(field, &value) else {
        return Ok(Fields::new());
    };
    match check_value(&Slot { field, area: None }, &value) {
        Ok(()) => Ok(Fields::from([(field.name.to_owned(), value)])),
        // What was typed says more than what it came to: `25h`, not 1500.
        Err(Invalid::Value { .. }) => Err(refused(field, text)),
        Err(other) => Err(other),
    }
}

/// Reads `area=number,area=number`.
fn per_area(
    field: &'static Field,
    areas: &'static [Choice],
    text: &str,
) -> Result<Fields, Invalid> {
    let mut fields = Fields::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let refused = || refused(field, part);
        let (area, answer) = part.split_once('=').ok_or_else(refused)?;
        let area = choose(areas, area).ok_or_else(refused)?;
        let value = state(answer.trim())
            .or_else(|| answer.trim().parse::<i64>().ok().map(Value::from))
            .ok_or_else(refused)?;
        check_value(
            &Slot {
                field,
                area: Some(area),
            },
            &value,
        )?;
        fields.insert(field.stored_name(area.value), value);
    }
    Ok(fields)
}

/// Reads one answer as the field's shape asks; nothing if it cannot be one.
fn read(field: &Field, text: &str) -> Option<Value> {
    // A value that reads like a state, or free text, comes first.
    let is_text = matches!(
        field.shape,
        Shape::Text { .. } | Shape::Lines { .. } | Shape::Texts { .. }
    );
    let named = |choices| choose(choices, text).map(|choice| Value::from(choice.value));
    match field.shape {
        Shape::Choice(choices) => named(choices).or_else(|| state(text)),
        _ if !is_text && state(text).is_some() => state(text),
        Shape::Int { max, .. } => {
            let outof = format!("/{max}");
            text.strip_suffix(&outof)
                .unwrap_or(text)
                .trim()
                .parse::<i64>()
                .ok()
                .map(Value::from)
        }
        Shape::Decimal { .. } => decimal(text, field.unit),
        Shape::Minutes { .. } => minutes(text).map(Value::from),
        Shape::Hours { .. } => hours(text).map(Value::from),
        Shape::Choices(choices) => items(text)
            .map(|item| choose(choices, item).map(|choice| Scalar::Text(choice.value.to_owned())))
            .collect::<Option<Vec<_>>>()
            .map(Value::List),
        Shape::PerArea { .. } => None,
        Shape::Text { .. } => Some(text.into()),
        Shape::Lines { .. } => Some(text.replace("\r\n", "\n").into()),
        Shape::Texts { .. } => Some(Value::List(
            items(text)
                .map(|item| Scalar::Text(item.to_owned()))
                .collect(),
        )),
        Shape::Instant => text.parse::<At>().ok().map(|at| at.to_string().into()),
    }
}

/// Refuses a text as no answer to the field.
fn refused(field: &Field, text: &str) -> Invalid {
    let value = if text.is_empty() {
        "empty".to_owned()
    } else {
        excerpt(text)
    };
    Invalid::Value {
        field: field.name.to_owned(),
        value,
        allowed: field.allowed(),
    }
}

/// Reads `skipped` or `unable`.
fn state(text: &str) -> Option<Value> {
    let text = text.to_lowercase();
    [SKIPPED, UNABLE]
        .into_iter()
        .find(|state| *state == text)
        .map(Value::from)
}

/// Splits at commas; empty items do not count.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// Reads a number, with its unit or without; grams where milligrams are asked.
fn decimal(text: &str, unit: Option<&str>) -> Option<Value> {
    let (digits, suffix) = split_unit(text);
    let scale = match (suffix, unit) {
        ("", _) => 1.0,
        (suffix, Some(unit)) if suffix == unit => 1.0,
        ("g", Some("mg")) => 1000.0,
        _ => return None,
    };
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let number = digits.parse::<f64>().ok().filter(|_| plain)? * scale;
    // Grams times a thousand may end a hair beside the number meant.
    Some(Value::from((number * 1e6).round() / 1e6))
}

/// Reads a span in minutes: `20`, `20m`, `1h`, `1h30`, `1h 30m`, `1:30`, `1.5h`.
fn minutes(text: &str) -> Option<i64> {
    let text = text.to_lowercase().replace(' ', "");
    let Some((hours, rest)) = text.split_once([':', 'h']) else {
        return whole(&text, &["", "m", "min", "mins", "minute", "minutes"]);
    };
    let rest = ["ours", "our", "rs", "r"]
        .iter()
        .find_map(|tail| rest.strip_prefix(tail))
        .unwrap_or(rest);
    let rest = if rest.is_empty() {
        0
    } else {
        whole(rest, &["", "m", "min"])?
    };
    if let Some((hours, fraction)) = hours.split_once('.') {
        let hours: f64 = format!("{}.{}", digits(hours)?, digits(fraction)?)
            .parse()
            .ok()?;
        let minutes = hours * 60.0;
        return (rest == 0 && minutes.fract() == 0.0 && minutes < 1e9).then_some(minutes as i64);
    }
    let minutes = digits(hours)?
        .parse::<i64>()
        .ok()?
        .checked_mul(60)?
        .checked_add(rest)?;
    (rest < 60).then_some(minutes)
}

/// Reads a span in hours: `24`, `24h`, `2d`.
fn hours(text: &str) -> Option<i64> {
    let text = text.to_lowercase();
    whole(&text, &["", "h", "hr", "hour", "hours"])
        .or_else(|| whole(&text, &["d", "day", "days"])?.checked_mul(24))
}

/// Reads digits with one of the units.
fn whole(text: &str, units: &[&str]) -> Option<i64> {
    let (number, unit) = split_unit(text);
    let number = digits(number).filter(|_| units.contains(&unit))?;
    number.parse().ok()
}

/// Returns the text if it is nothing but digits, at least one.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// Splits a number from the unit behind it.
fn split_unit(text: &str) -> (&str, &str) {
    let unit = text
        .find(|c: char| c.is_alphabetic() || c == '°' || c == '%')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    (number.trim(), unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, name: &str, text: &str, expected: &str) {
        let said = match parse_field(kind, name, text) {
            Ok(fields) => fields
                .iter()
                .map(|(name, value)| format!("{name}={}", crate::words::plain(value)))
                .collect::<Vec<_>>()
                .join(" "),
            Err(invalid) => invalid.to_string(),
        };
        assert_eq!(said, expected, "{kind} {name} {text:?}");
    }

    #[test]
    fn reads_what_people_type() {
        for (kind, name, text, expected) in [
            ("fatigue", "level", "6", "level=6"),
            ("fatigue", "level", " 6/10 ", "level=6"),
            ("fatigue", "level", "skipped", "level=skipped"),
            ("fatigue", "level", "Unable", "level=unable"),
            (
                "fatigue",
                "area",
                "arms, Thighs,legs",
                "areas=upper-arms, legs",
            ),
            ("fatigue", "areas", "Upper Arms", "areas=upper-arms"),
            ("fatigue", "sort", "after exertion", "sort=after-exertion"),
            (
                "fatigue",
                "weakness",
                "arms=2, legs=0",
                "weakness_legs=0 weakness_upper_arms=2",
            ),
            (
                "fatigue",
                "weakness",
                "neck=skipped",
                "weakness_neck=skipped",
            ),
            ("fatigue", "note", "a\r\nb\n", "note=a b"),
            ("fatigue", "note", "  ", ""),
            ("fatigue", "tag", "a, b,,a", "tags=a, b"),
            ("fatigue", "precision", "about", "precision=approx"),
            ("fatigue", "precision", "exact", ""),
            ("activity", "minutes", "20m", "minutes=20"),
            ("activity", "minutes", "20 min", "minutes=20"),
            ("activity", "minutes", "1h30", "minutes=90"),
            ("activity", "minutes", "1h 30m", "minutes=90"),
            ("activity", "minutes", "1:30", "minutes=90"),
            ("activity", "minutes", "1.5h", "minutes=90"),
            ("activity", "minutes", "2h", "minutes=120"),
            ("activity", "minutes", "2 hours", "minutes=120"),
            ("activity", "recovery", "45m", "recovery_min=45"),
            ("activity", "payback", "2d", "payback_onset_h=48"),
            ("activity", "payback", "24h", "payback_onset_h=24"),
            ("activity", "eased", "Y", "eased=yes"),
            ("activity", "what", "skipped", "what=skipped"),
            ("dose", "amount", "10mg", "amount_mg=10"),
            ("dose", "amount_mg", "2.5", "amount_mg=2.5"),
            ("dose", "amount", "0.5g", "amount_mg=500"),
            ("dose", "amount", "0.0035 g", "amount_mg=3.5"),
            ("dose", "taken", "skipped", "taken=skipped"),
            (
                "dose",
                "planned",
                "2026-11-20T08:00Z",
                "planned_at=2026-11-20T08:00:00+00:00",
            ),
        ] {
            check(kind, name, text, expected);
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let mg = "a number of mg above 0 to 100000, with at most 1 decimal";
        let instant = "a date and time with an offset, such as 2026-11-20T08:00:00+01:00";
        let minutes = [
            "1h60",
            "1.51h",
            "25h",
            "h",
            "20kg",
            "-5m",
            "1h-5",
            "1habc30",
            "99999999999999999h",
            "1e3",
        ];
        for (kind, field, flag, allowed, texts) in [
            (
                "fatigue",
                "level",
                "level",
                "a whole number from 0 to 10",
                &["11", "6.5", "6/5"][..],
            ),
            (
                "activity",
                "minutes",
                "minutes",
                "whole minutes from 0 to 1440",
                &minutes,
            ),
            (
                "activity",
                "payback_onset_h",
                "payback",
                "whole hours from 0 to 72",
                &["1.5h", "4d"],
            ),
            (
                "dose",
                "amount_mg",
                "amount",
                mg,
                &["1,000", "inf", "NaN", "10ml", "mg", "1e3", "0g"],
            ),
            ("sleep", "in_bed", "bed", instant, &["22:30", "2026-11-20"]),
        ] {
            for text in texts {
                check(
                    kind,
                    flag,
                    text,
                    &format!("{field} is {text}; it must be {allowed}"),
                );
            }
            check(
                kind,
                flag,
                " ",
                &format!("{field} is empty; it must be {allowed}"),
            );
        }
    }

    #[test]
    fn refuses_what_the_table_does_not_know() {
        let areas =
            "legs, hips, upper-arms, shoulders, neck, hands, eyes, speech, swallowing, breathing";
        check(
            "fatigue",
            "area",
            "arms,elbow",
            &format!("areas is arms,elbow; it must be a list of {areas}"),
        );
        let number = "a whole number from 0 to 3";
        check(
            "fatigue",
            "weakness",
            "arms=4",
            &format!("weakness of upper-arms is 4; it must be {number}"),
        );
        for text in ["elbow=1", "legs", "legs=", "=1", "legs=x"] {
            let allowed = format!("an area and {number}; the areas are {areas}");
            check(
                "fatigue",
                "weakness",
                text,
                &format!("weakness is {text}; it must be {allowed}"),
            );
        }
        let fields = "level, areas, sort, weakness, status, precision, source, note, tags";
        check(
            "fatigue",
            "levl",
            "1",
            &format!("fatigue has no field levl; its fields are {fields}"),
        );
        let kinds = "fatigue, activity, dose, sleep, note";
        check(
            "mood",
            "level",
            "1",
            &format!("unknown kind mood; the kinds are {kinds}"),
        );
        check(
            "note",
            "note",
            &"x".repeat(100_000),
            "a note is at most 8 KiB; this one is 100000 bytes",
        );
    }
}
