//! Reads what people type for a field: `20m`, `1h30`, `10mg`, `0.5g`, `arms,legs`, `yes`.
//!
//! The comma is never a decimal point: `1,000 mg` must not become 1 mg.

use super::{Invalid, Named, check_value, excerpt, known, normal};
use crate::kind::{Choice, Field, Kind, SKIPPED, Shape, Slot, UNABLE, choose};
use crate::time::At;
use crate::value::{Fields, Scalar, Value};

/// Reads the text of one field of an entry of `kind`, found by name or flag, into what is to be stored: one field,
/// or one per part for a field asked part by part (`upper-arms=2,legs=1`), or two for `2/5`. Of an empty text nothing
/// is left to store.
///
/// # Errors
/// [`Invalid`] if the kind or field is unknown, or the text is no valid answer.
pub fn parse_field(kind: &str, name: &str, text: &str) -> Result<Fields, Invalid> {
    parse_of(known(kind)?, name, text)
}

/// Reads the text of one field of a kind that need not be of the table, as [`parse_field`] does.
pub(crate) fn parse_of(kind: &'static Kind, name: &str, text: &str) -> Result<Fields, Invalid> {
    let field = kind.field(name).ok_or_else(|| Invalid::UnknownField {
        kind: kind.name.to_owned(),
        field: name.to_owned(),
    })?;
    let text = text.trim();
    if let Shape::Each { parts, answer } = field.shape {
        return each(field, parts, answer, text);
    }
    let other = field.of.and_then(|other| kind.field(other));
    if let (Some(other), Some((text, of))) = (other, text.split_once('/')) {
        let mut fields = one(field, text.trim())?;
        fields.extend(one(other, of.trim())?);
        return Ok(fields);
    }
    one(field, text)
}

/// Reads the text of a field with one answer.
fn one(field: &'static Field, text: &str) -> Result<Fields, Invalid> {
    let slot = Slot { field, part: None };
    let value = answer(field, &field.shape, text).ok_or_else(|| refused(&slot, text))?;
    let Some(value) = normal(&slot, &value) else {
        return Ok(Fields::new());
    };
    match check_value(&slot, &value) {
        Ok(()) => Ok(Fields::from([(field.name.to_owned(), value)])),
        // What was typed says more than what it came to: `25h`, not 1500.
        Err(Invalid::Value { .. }) => Err(refused(&slot, text)),
        Err(other) => Err(other),
    }
}

/// Reads `part=answer,part=answer`. A part alone says yes, where that is an answer; one word without a part, `skipped`
/// or `unable`, answers for all of them.
fn each(
    field: &'static Field,
    parts: &'static [Choice],
    shape: &'static Shape,
    text: &str,
) -> Result<Fields, Invalid> {
    let mut fields = Fields::new();
    if let Some(state) = state(text) {
        let all = parts.iter().map(|part| field.stored_name(part.value));
        return Ok(all.map(|name| (name, state.clone())).collect());
    }
    for item in items(text) {
        let whole = Slot { field, part: None };
        let refused_item = || refused(&whole, item);
        let (part, text) = match item.split_once('=') {
            Some((part, text)) => (part, text.trim()),
            None if shape.takes_yes() => (item, "yes"),
            None => return Err(refused_item()),
        };
        let part = choose(parts, part).ok_or_else(refused_item)?;
        let slot = Slot {
            field,
            part: Some(part),
        };
        let value = answer(field, shape, text).ok_or_else(|| refused(&slot, text))?;
        check_value(&slot, &value)?;
        fields.insert(field.stored_name(part.value), value);
    }
    Ok(fields)
}

/// Reads one answer: a value of the shape, or a state where a question is asked. A value that reads like a state comes
/// first where values are coded; where they are free text the state does.
fn answer(field: &Field, shape: &Shape, text: &str) -> Option<Value> {
    let state = || state(text).filter(|_| field.asked);
    match shape {
        Shape::Choice(_) => read(field, shape, text).or_else(state),
        _ => state().or_else(|| read(field, shape, text)),
    }
}

/// Reads a value of the shape; nothing if it cannot be one.
fn read(field: &Field, shape: &Shape, text: &str) -> Option<Value> {
    match *shape {
        Shape::Choice(choices) => choose(choices, text).map(|choice| choice.value.into()),
        Shape::Int { max, .. } => {
            let outof = format!("/{max}");
            text.strip_suffix(&outof)
                .unwrap_or(text)
                .trim()
                .parse::<i64>()
                .ok()
                .map(Value::from)
        }
        Shape::Decimal { places, .. } => decimal(text, field.unit, places).map(Value::from),
        Shape::Numbers { places, .. } => items(text)
            .map(|item| decimal(item, field.unit, places).map(Scalar::Float))
            .collect::<Option<Vec<_>>>()
            .filter(|list| !list.is_empty() || text.is_empty())
            .map(Value::List),
        Shape::Minutes { .. } => minutes(text).map(Value::from),
        Shape::Hours { .. } => hours(text).map(Value::from),
        Shape::Choices(choices) => items(text)
            .map(|item| choose(choices, item).map(|choice| Scalar::Text(choice.value.to_owned())))
            .collect::<Option<Vec<_>>>()
            .map(Value::List),
        Shape::Either { number, or } => {
            read(field, number, text).or_else(|| read(field, &Shape::Choice(or), text))
        }
        Shape::Each { .. } => None,
        Shape::Text { .. } => Some(text.into()),
        Shape::Lines { .. } => Some(text.replace("\r\n", "\n").into()),
        Shape::Texts { .. } => Some(Value::List(
            items(text)
                .map(|item| Scalar::Text(item.to_owned()))
                .collect(),
        )),
        Shape::Instant => text.parse::<At>().ok().map(|at| at.to_string().into()),
        Shape::Date => text
            .parse::<jiff::civil::Date>()
            .ok()
            .map(|date| date.to_string().into()),
        Shape::Entry => Some(text.to_lowercase().into()),
    }
}

/// Refuses a text as no answer to the field.
fn refused(slot: &Slot, text: &str) -> Invalid {
    let value = if text.is_empty() {
        "empty".to_owned()
    } else {
        excerpt(text)
    };
    Invalid::Value {
        field: Named::slot(slot),
        value,
        allowed: slot.shape().allowed(slot.field.unit),
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

/// Reads a number, with its unit or without, or in another unit of the same thing: grams where milligrams are asked,
/// Fahrenheit where Celsius is, pounds where kilograms are. What was converted between systems is rounded to `places`.
fn decimal(text: &str, unit: Option<&str>, places: u8) -> Option<f64> {
    let (digits, suffix) = split_unit(text);
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let number = digits.parse::<f64>().ok().filter(|_| plain)?;
    let rounded = |number: f64| {
        let scale = 10f64.powi(i32::from(places));
        (number * scale).round() / scale
    };
    let suffix = suffix.to_lowercase();
    let value = match (suffix.as_str(), unit.unwrap_or_default()) {
        ("mg", "mg") | ("g", "g") | ("s" | "sec" | "\"", "s") | ("kg", "kg") => number,
        ("c" | "°c" | "°", "°C") => number,
        // A thousandth may end a hair beside the number meant.
        ("g", "mg") => (number * 1e9).round() / 1e6,
        ("mg", "g") => (number * 1e3).round() / 1e6,
        ("f" | "°f", "°C") => rounded((number - 32.0) / 1.8),
        ("lb" | "lbs", "kg") => rounded(number * 0.453_592_37),
        ("", _) => number,
        _ => return None,
    };
    Some(value)
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
            ("dose", "reason", "Skipped", "reason=skipped"),
            ("dose", "amount", "10mg", "amount_mg=10"),
            ("dose", "amount_mg", "2.5", "amount_mg=2.5"),
            ("dose", "amount", "0.5g", "amount_mg=500"),
            ("dose", "amount", "0.0035 g", "amount_mg=3.5"),
            ("dose", "taken", "skipped", "taken=skipped"),
            (
                "dose",
                "planned-at",
                "2026-11-20T08:00Z",
                "planned_at=2026-11-20T08:00:00+00:00",
            ),
        ] {
            check(kind, name, text, expected);
        }
    }

    #[test]
    fn reads_units_parts_and_codes() {
        for (kind, name, text, expected) in [
            ("wearing-off", "area", "thighs", "area=legs"),
            ("infusion", "amount", "70g", "amount_g=70"),
            ("infusion", "amount", "500 mg", "amount_g=0.5"),
            ("infusion", "day", "2/5", "day=2 of_days=5"),
            ("infusion", "day", "2", "day=2"),
            ("factor", "heat", "31C", "heat=31"),
            ("factor", "heat", "88F", "heat=31.1"),
            ("factor", "heat", "-3.5 °C", "heat=-3.5"),
            ("factor", "heat", "Y", "heat=yes"),
            ("factor", "heat", "unable", "heat=unable"),
            ("factor", "value", "no", "value=no"),
            ("factor", "value", "7/10", "value=7"),
            ("factor", "screens", "45m", "screens_min=45"),
            (
                "symptom",
                "breathing",
                "lying-flat",
                "breathing_lying_flat=yes",
            ),
            (
                "symptom",
                "breathing",
                "rest=no, talking",
                "breathing_at_rest=no breathing_talking=yes",
            ),
            (
                "symptom",
                "breathing",
                "skipped",
                "breathing_at_rest=skipped breathing_lying_flat=skipped breathing_talking=skipped",
            ),
            ("test", "laps", "12.1, 12.8s,14.0", "laps=12.1, 12.8, 14"),
            ("test", "laps", "unable", "laps=unable"),
            ("test", "grip", "50lb", "grip_kg=22.7"),
            ("test", "test", "chair-stand", "test=chair-stand-30s"),
            (
                "score",
                "instrument",
                "Promis fatigue T",
                "instrument=promis-fatigue-t",
            ),
            ("score", "date", "2026-11-20", "date=2026-11-20"),
            ("question", "state", "open", ""),
            (
                "comment",
                "on",
                "019A9FF6-a47b-7707-8707-070707070707",
                "on=019a9ff6-a47b-7707-8707-070707070707",
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
                "payback after",
                "payback",
                "whole hours from 0 to 72",
                &["1.5h", "4d"],
            ),
            (
                "dose",
                "amount",
                "amount",
                mg,
                &["1,000", "inf", "NaN", "10ml", "mg", "1e3", "0g"],
            ),
            ("sleep", "in bed", "bed", instant, &["22:30", "2026-11-20"]),
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
            &format!("weakness of arms is 4; it must be {number}"),
        );
        for text in ["elbow=1", "legs", "=1"] {
            let allowed = format!("NAME={number}; the names are {areas}");
            check(
                "fatigue",
                "weakness",
                text,
                &format!("weakness is {text}; it must be {allowed}"),
            );
        }
        for (text, value) in [("legs=", "empty"), ("legs=x", "x")] {
            let said = format!("weakness of legs is {value}; it must be {number}");
            check("fatigue", "weakness", text, &said);
        }
        let fields = "level, area, sort, weakness, status, precision, source, note, tag";
        check(
            "fatigue",
            "levl",
            "1",
            &format!("fatigue has no field levl; its fields are {fields}"),
        );
        let kinds = crate::kind::KINDS
            .iter()
            .map(|kind| kind.name)
            .collect::<Vec<_>>()
            .join(", ");
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
