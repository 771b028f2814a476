//! Entries in plain words: what lists show and what is echoed after logging.
//!
//! Derived from the table in `kind`; entries of unknown kinds are said field by field. Text comes from other people's
//! devices, so control characters never get through.

use jiff::SignedDuration;

use crate::entry::Entry;
use crate::id::EntryId;
use crate::kind::{self, Choice, Field, Kind, Lead, Say, Shape, Slot};
use crate::time::At;
use crate::value::{Fields, Scalar, Value};

/// The longest text shown in a summary, in characters.
const EXCERPT_CHARS: usize = 60;

/// Says what an entry is, without its time: `fatigue 6, arms and legs`, `walking 20 min, effort 5`. The note is left
/// out, unless it is all there is.
pub fn words(entry: &Entry) -> String {
    let Some(kind) = kind::kind(&entry.kind) else {
        return unknown(entry);
    };
    let mut front = Vec::new();
    let mut parts = Vec::new();
    let mut done: &[&str] = &[];
    match kind.lead {
        Lead::Label | Lead::Titled => front.push(kind.label.to_owned()),
        Lead::Fields => {}
        Lead::Note => front.push(
            entry
                .note
                .as_deref()
                .map_or(kind.label.to_owned(), shortened),
        ),
        Lead::Derived(derive, replaced) => match derive(&entry.fields) {
            Some(said) => {
                front.push(said);
                done = replaced;
            }
            None => front.push(kind.label.to_owned()),
        },
    }
    let is_said = |field: &&Field| done.contains(&field.name) || is_behind(kind, field, entry);
    for field in kind.fields.iter().filter(|field| !is_said(field)) {
        let Some(said) = answer(field, &entry.fields) else {
            continue;
        };
        let is_state = entry
            .fields
            .get(field.name)
            .is_some_and(|value| field.state(value).is_some());
        match field.say {
            Say::Lead if !is_state => front.push(said),
            Say::Bare if !is_state => parts.push(said),
            Say::Counted if !is_state => parts.push(format!("{said} {}", field.label)),
            Say::Never => {}
            _ if !is_state && matches!(field.shape, Shape::Choice(_)) => {
                parts.push(format!("{}: {said}", field.label));
            }
            _ => parts.push(format!("{} {said}", field.label)),
        }
    }
    if front.is_empty() && parts.is_empty() {
        front.push(kind.label.to_owned());
    }
    let mut front = front.join(" ");
    if let (Lead::Titled, Some(note)) = (kind.lead, &entry.note) {
        front = format!("{front}: {}", shortened(note));
    }
    if !front.is_empty() {
        parts.insert(0, front);
    }
    parts.extend(others(kind, &entry.fields).map(|(name, said)| format!("{name} {said}")));
    parts.join(", ")
}

/// Says everything about an entry but its time and author, line by line: label and answer.
pub fn lines(entry: &Entry) -> Vec<(String, String)> {
    let mut lines = vec![("kind".to_owned(), clean(&entry.kind))];
    let mut line = |label: &str, said: String| lines.push((label.to_owned(), said));
    line("status", entry.status.as_str().to_owned());
    if entry.precision != crate::entry::Precision::Exact {
        line("precision", entry.precision.as_str().to_owned());
    }
    if entry.source != crate::entry::Source::Own {
        line("source", entry.source.as_str().to_owned());
    }
    match kind::kind(&entry.kind) {
        Some(kind) => {
            for field in kind
                .fields
                .iter()
                .filter(|field| !is_behind(kind, field, entry))
            {
                if let Some(said) = answer(field, &entry.fields) {
                    line(field.label, said);
                }
            }
            for (name, said) in others(kind, &entry.fields) {
                line(&name, said);
            }
        }
        None => {
            for (name, value) in &entry.fields {
                line(&clean(name), plain(value));
            }
        }
    }
    if !entry.tags.is_empty() {
        line("tags", clean(&entry.tags.join(", ")));
    }
    if let Some(note) = &entry.note {
        line(
            "note",
            note.lines().map(clean).collect::<Vec<_>>().join("\n"),
        );
    }
    lines
}

/// Says one stored field of an entry of `kind`: its label and its value. Histories and conflicts show fields alone.
pub fn field_words(kind: &str, name: &str, value: &Value) -> (String, String) {
    match kind::kind(kind).and_then(|kind| kind.slot(name)) {
        Some(Slot {
            field,
            part: Some(part),
        }) => (format!("{}, {}", field.label, part.label), plain(value)),
        Some(Slot { field, part: None }) => (field.label.to_owned(), said(field, value)),
        None => (clean(name), plain(value)),
    }
}

/// Says a span: `45 min`, `7 h`, `7 h 5 min`.
pub fn duration(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {} min", minutes.abs()),
    }
}

/// Says a value as it is, without knowing its field; long text is cut short.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Scalar(scalar) => plain_scalar(scalar),
        Value::List(list) => list.iter().map(plain_scalar).collect::<Vec<_>>().join(", "),
    }
}

/// Joins with commas and a last `and`.
pub fn joined(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Replaces what would garble a terminal: control characters, and marks that turn the direction of text.
pub fn clean(text: &str) -> String {
    let garbles =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if garbles(c) { ' ' } else { c })
        .collect()
}

/// Says an entry of a kind this ebb does not know.
fn unknown(entry: &Entry) -> String {
    let fields = entry
        .fields
        .iter()
        .map(|(name, value)| format!("{} {}", clean(name), plain(value)));
    let fields = fields.collect::<Vec<_>>().join(", ");
    let kind = shortened(&entry.kind);
    match (fields.is_empty(), &entry.note) {
        (false, _) => format!("{kind}: {fields}"),
        (true, Some(note)) => format!("{kind}: {}", shortened(note)),
        (true, None) => kind,
    }
}

/// Says the fields that the kind does not have, by name.
fn others(kind: &'static Kind, fields: &Fields) -> impl Iterator<Item = (String, String)> {
    let known = |name: &str| kind.fields.iter().any(|field| field.slot(name).is_some());
    fields
        .iter()
        .filter(move |(name, _)| !known(name))
        .map(|(name, value)| (clean(name), plain(value)))
}

/// Tells whether a field is said with another: the 5 of `2 of 5`.
fn is_behind(kind: &Kind, field: &Field, entry: &Entry) -> bool {
    let mut fields = kind.fields.iter();
    fields.any(|before| before.of == Some(field.name) && entry.fields.contains_key(before.name))
}

/// Says the answer to one field, if there is one.
fn answer(field: &'static Field, fields: &Fields) -> Option<String> {
    if let Shape::Each { parts, answer } = field.shape {
        let said = |part: &Choice| {
            let value = fields.get(&field.stored_name(part.value))?;
            match answer.takes_yes() && value.as_text() == Some("yes") {
                true => Some(part.label.to_owned()),
                false => Some(format!("{} {}", part.label, plain(value))),
            }
        };
        let all: Vec<String> = parts.iter().filter_map(said).collect();
        return (!all.is_empty()).then(|| joined(&all));
    }
    let said_alone = said(field, fields.get(field.name)?);
    match field.of.and_then(|of| fields.get(of)) {
        Some(of) => Some(format!("{said_alone} of {}", plain(of))),
        None => Some(said_alone),
    }
}

/// Says one answer to a field; one that is not of its shape, as it is.
pub(crate) fn said(field: &Field, value: &Value) -> String {
    shaped(&field.shape, field.unit, value)
}

/// Says a value of a shape, in a unit.
fn shaped(shape: &Shape, unit: Option<&str>, value: &Value) -> String {
    let unit_words = || unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    match (*shape, value) {
        (Shape::Minutes { .. }, Value::Scalar(Scalar::Int(minutes))) => duration(*minutes),
        (Shape::Hours { .. }, Value::Scalar(Scalar::Int(hours))) => format!("{hours} h"),
        (
            Shape::Int { .. } | Shape::Decimal { .. },
            Value::Scalar(Scalar::Int(_) | Scalar::Float(_)),
        )
        | (Shape::Numbers { .. }, Value::List(_)) => format!("{}{}", plain(value), unit_words()),
        (Shape::Choice(choices), Value::Scalar(scalar)) => labelled(choices, scalar),
        (Shape::Either { or, .. }, Value::Scalar(scalar @ Scalar::Text(_))) => labelled(or, scalar),
        (Shape::Either { number, .. }, _) => shaped(number, unit, value),
        (Shape::Choices(choices), Value::List(list)) => {
            let items: Vec<_> = list
                .iter()
                .map(|scalar| labelled(choices, scalar))
                .collect();
            joined(&items)
        }
        (Shape::Instant, Value::Scalar(Scalar::Text(text))) => match text.parse::<At>() {
            Ok(at) => at.civil().strftime("%H:%M").to_string(),
            Err(_) => plain(value),
        },
        // The beginning of an id says as much as people ever type of one.
        (Shape::Entry, Value::Scalar(Scalar::Text(text))) if text.parse::<EntryId>().is_ok() => {
            format!("on {}", text.get(..13).unwrap_or(text))
        }
        _ => plain(value),
    }
}

/// Says a coded value by its label.
fn labelled(choices: &[Choice], scalar: &Scalar) -> String {
    let known = choices
        .iter()
        .find(|c| matches!(scalar, Scalar::Text(text) if text == c.value));
    known.map_or_else(|| plain_scalar(scalar), |choice| choice.label.to_owned())
}

/// Says one scalar as it is.
fn plain_scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Null => "nothing".to_owned(),
        Scalar::Bool(true) => "yes".to_owned(),
        Scalar::Bool(false) => "no".to_owned(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Text(text) => shortened(text),
        Scalar::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Scalar::Timestamp(ms) => jiff::Timestamp::UNIX_EPOCH
            .checked_add(SignedDuration::from_millis(*ms))
            .map_or_else(|_| format!("{ms} ms"), |instant| instant.to_string()),
    }
}

/// Cuts a text short, on one line.
fn shortened(text: &str) -> String {
    let clean = clean(text.trim_end());
    match clean.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", clean.get(..end).unwrap_or_default()),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::test_entry;

    /// Checks what is said of an entry typed as `kind; flag=text; flag=text`.
    fn says(typed: &str, expected: &str) {
        let mut parts = typed.split("; ");
        let kind = parts.next().unwrap();
        let flags: Vec<_> = parts.map(|part| part.split_once('=').unwrap()).collect();
        assert_eq!(words(&test_entry(kind, &flags)), expected, "{typed}");
    }

    #[test]
    fn says_check_ins() {
        says("fatigue; level=0", "fatigue 0");
        says(
            "fatigue; level=6; area=arms,legs",
            "fatigue 6, arms and legs",
        );
        says(
            "fatigue; level=6; area=legs,hips,neck",
            "fatigue 6, legs, hips and neck",
        );
        says(
            "fatigue; level=skipped; sort=tired",
            "fatigue, level skipped, tired despite sleep",
        );
        says("fatigue; level=3; sort=unable", "fatigue 3, sort unable");
        says("fatigue; area=unable", "fatigue, areas unable");
        says(
            "fatigue; weakness=arms=2,legs=1; sort=after-exertion",
            "fatigue, after exertion, weakness legs 1 and arms 2",
        );
    }

    #[test]
    fn says_doses_and_activities() {
        says(
            "dose; medicine=amifampridine; amount=10mg",
            "amifampridine 10 mg",
        );
        says(
            "dose; medicine=IVIG; taken=skipped; reason=out of it",
            "IVIG, skipped, reason out of it",
        );
        says(
            "dose; medicine=x; amount=2.5; product=Y; planned-at=2026-11-20T08:00+01:00; given-by=Sam",
            "x 2.5 mg, Y, planned for 08:00, given by Sam",
        );
        says(
            "activity; what=walking; minutes=20m; effort=5",
            "walking 20 min, effort 5",
        );
        says(
            "activity; what=chores; minutes=1h30; area=arms; eased=yes; payback=24h; recovery=2h",
            "chores 1 h 30 min, arms, eased after the first moves: yes, payback after 24 h, recovery 2 h",
        );
        says(
            "activity; what=x; eased=skipped",
            "x, eased after the first moves skipped",
        );
    }

    #[test]
    fn says_nights_and_notes() {
        let night = "sleep; bed=2026-11-20T22:30+01:00; tried=2026-11-20T22:50+01:00; woke=2; awake=25m; \
                     wake=2026-11-21T06:40+01:00; quality=3";
        says(
            &format!("{night}; latency=20m"),
            "slept 7 h 5 min (self-reported), quality 3",
        );
        says(
            night,
            "night, in bed 22:30, tried to sleep 22:50, awakenings 2, awake for 25 min, woke for good 06:40, \
             quality 3",
        );
        says("note; note=first line\nsecond", "first line second");
    }

    #[test]
    fn says_infusions_and_wearing_off() {
        says("wearing-off; area=thighs; level=2", "wearing off legs 2");
        says(
            "wearing-off; area=legs; level=unable",
            "wearing off legs, level unable",
        );
        says(
            "infusion; product=IVIG; amount=70g; day=2/5; reaction=a headache",
            "IVIG 70 g, day 2 of 5, reaction a headache",
        );
        says(
            "infusion; product=IVIG; of-days=5",
            "IVIG, days of the course 5",
        );
    }

    #[test]
    fn says_factors_and_symptoms() {
        says("factor; heat=31C", "heat 31 °C");
        says("factor; heat=yes; hot-bath=no", "heat yes, hot bath: no");
        says(
            "factor; stress=6; screens=45m",
            "stress 6, screens before bed 45 min",
        );
        says(
            "factor; caffeine=2; caffeine-last=2026-11-20T15:00+01:00",
            "caffeine 2, last caffeine 15:00",
        );
        says(
            "factor; name=weather; value=6; fever=skipped",
            "weather 6, fever skipped",
        );
        says(
            "symptom; dry-mouth=2; double-vision=1",
            "dry mouth 2, double vision 1",
        );
        says("symptom; breathing=lying-flat", "breathing hard lying flat");
        says(
            "symptom; breathing=rest=no,talking",
            "breathing hard at rest no and talking",
        );
        says("symptom; name=tremor; level=1", "tremor 1");
    }

    #[test]
    fn says_tests_and_exercises() {
        says(
            "test; test=3tug; laps=12.1,12.8,14; aid=none; arms=no",
            "3TUG 12.1, 12.8, 14.0 s (sum 38.9 s, lap 3 ÷ lap 1 = 1.16), no aid, arms used: no",
        );
        says(
            "test; test=3tug; laps=12.1; aborted=yes; aid=unable",
            "3TUG 12.1 s, aid unable, aborted: yes",
        );
        says("test; test=3tug; laps=unable", "test 3TUG, laps unable");
        says(
            "test; test=chair-stand; stands=11",
            "11 chair stands in 30 s",
        );
        says("test; test=grip; grip=23.5", "grip 23.5 kg");
        says(
            "test; test=other; name=stairs; value=42; unit=s",
            "stairs 42 s",
        );
        says(
            "exercise; what=sit to stand; sets=2; reps=8; effort=4; as-planned=yes",
            "sit to stand, 2 sets, 8 reps, effort 4, as planned: yes",
        );
    }

    #[test]
    fn says_events_scores_and_what_is_written() {
        says("event; event=fell; note=in the kitchen", "fall");
        says("event; event=other; note=a flat tyre", "event");
        says(
            "score; instrument=FSS; total=5.2; version=9 items; date=2026-11-20",
            "FSS 5.2, version 9 items, filled in 2026-11-20",
        );
        says("question; note=Could it move?", "question: Could it move?");
        says(
            "question; note=Could it move?; state=answered; answer=by an hour",
            "question: Could it move?, answered, answer by an hour",
        );
        says(
            "comment; on=019a9ff6-a47b-7707-8707-070707070707; note=much better by noon",
            "comment on 019a9ff6-a47b: much better by noon",
        );
    }

    #[test]
    fn says_one_field_alone() {
        let said = |kind, name, value: Value| {
            let (label, said) = field_words(kind, name, &value);
            format!("{label}: {said}")
        };
        assert_eq!(
            said("fatigue", "weakness_upper_arms", 2.into()),
            "weakness, arms: 2"
        );
        assert_eq!(
            said("activity", "recovery_min", 90.into()),
            "recovery: 1 h 30 min"
        );
        assert_eq!(
            said("activity", "recovery_min", "x\u{7}".into()),
            "recovery: x "
        );
        assert_eq!(
            said("fatigue", "status", "entered-in-error".into()),
            "status: entered in error"
        );
        assert_eq!(said("mood", "a\u{7}", true.into()), "a : yes");
    }

    #[test]
    fn says_unknown_kinds_and_fields_as_they_are() {
        let mut entry = test_entry("fatigue", &[("level", "6")]);
        entry.fields.insert("aura".to_owned(), true.into());
        entry.fields.insert("weakness_jaw".to_owned(), 1.into());
        assert_eq!(words(&entry), "fatigue 6, aura yes, weakness_jaw 1");
        entry.kind = "mood".to_owned();
        assert_eq!(words(&entry), "mood: aura yes, level 6, weakness_jaw 1");
        entry.fields.clear();
        assert_eq!(words(&entry), "mood");
        entry.note = Some("n".to_owned());
        assert_eq!(words(&entry), "mood: n");
    }

    #[test]
    fn foreign_text_cannot_garble_a_terminal() {
        let mut entry = test_entry("dose", &[("medicine", "x"), ("amount", "1")]);
        entry
            .fields
            .insert("medicine".to_owned(), "\u{1b}[2Jx\u{202e}y".into());
        entry.fields.insert("a\nb".to_owned(), "\u{9b}31m".into());
        entry.note = Some("\u{7}one\ntwo".to_owned());
        let said = format!(
            "{}{}",
            words(&entry),
            lines(&entry).last().unwrap().1.replace('\n', "")
        );
        assert!(
            !said.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{said:?}"
        );
        assert!(said.ends_with(" onetwo"));
        entry
            .fields
            .insert("medicine".to_owned(), "é".repeat(61).into());
        assert!(words(&entry).starts_with(&format!("{}… 1 mg", "é".repeat(60))));
    }

    #[test]
    fn lists_every_answer() {
        let entry = test_entry(
            "activity",
            &[
                ("what", "stairs"),
                ("eased", "no"),
                ("source", "caregiver"),
                ("tag", "a,b"),
                ("note", "x\ny"),
            ],
        );
        let said: Vec<String> = lines(&entry)
            .iter()
            .map(|(label, said)| format!("{label}: {said}"))
            .collect();
        assert_eq!(
            said,
            [
                "kind: activity",
                "status: final",
                "source: caregiver",
                "what: stairs",
                "eased after the first moves: no",
                "tags: a, b",
                "note: x\ny"
            ]
        );
    }
}
