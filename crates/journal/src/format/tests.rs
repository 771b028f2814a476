//! Every kind through every form, and what a file cannot bring.

use jiff::tz::TimeZone;

use super::fhir::{Fhir, Style};
use super::table::{self, Mapping, Reading, UnreadableTable, write_table};
use super::*;
use crate::entry::{Author, Entry, id_and_at};
use crate::kind::{KINDS, sample};
use crate::plan::Mg;
use crate::value::Scalar;

fn sam() -> Author {
    Author {
        person: "Sam".into(),
        device: "old phone".into(),
    }
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// Every variant of every kind as an entry.
fn entries() -> Vec<Entry> {
    let (_, at) = id_and_at();
    let mut entries = Vec::new();
    for kind in KINDS {
        for (_, fields) in sample::variants(kind) {
            let ms = u64::try_from(at.instant().as_millisecond()).unwrap();
            let number = u8::try_from(entries.len() % 256).unwrap();
            let high = u8::try_from(entries.len() / 256).unwrap();
            let id = EntryId::mint(ms, [number, high, 7, 7, 7, 7, 7, 7, 7, 7]);
            let mut draft = Draft::new(kind.name, at.clone());
            draft.fields = fields;
            draft.author = Some(sam());
            entries.push(Entry::from_fields(id, &draft.to_fields(id).unwrap()));
        }
    }
    entries
}

/// Reads a table back.
fn read(bytes: &[u8], mapping: &Mapping) -> Vec<Result<Given, Refused>> {
    let madrid = TimeZone::get("Europe/Madrid").unwrap();
    let rows = table::read_table(bytes, mapping, &madrid).unwrap().rows;
    rows.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_row_is_known_by_its_line_whatever_stands_between_its_cells() {
    let mapping = Mapping {
        columns: BTreeMap::from([
            ("at".to_owned(), "at".to_owned()),
            ("n".to_owned(), "note".to_owned()),
        ]),
        kind: Some("note".to_owned()),
    };
    let csv = b"at;n;more, or less\n2026-11-01 08:00;\"a\nb\";1\nsoon;x\n2026-11-02 08:00;\xff\n2026-11-03;c\n";
    let read = table::read_table(csv, &mapping, &TimeZone::UTC).unwrap();
    assert_eq!(read.ignored, ["more, or less"]);
    let seen: Vec<(u64, bool)> = read
        .rows
        .iter()
        .map(|(line, row)| (*line, row.is_ok()))
        .collect();
    assert_eq!(seen, [(2, true), (4, false), (5, false), (6, true)]);
}

#[test]
fn a_table_of_every_kind_comes_back_with_every_answer() {
    let all = entries();
    for kind in KINDS {
        let of_kind: Vec<_> = all
            .iter()
            .filter(|entry| entry.kind == kind.name)
            .map(|entry| (entry, entry.author.as_ref().unwrap()))
            .collect();
        let table = write_table(Some(kind), of_kind.clone()).unwrap();
        let given = read(&table, &Mapping::default());
        assert_eq!(given.len(), of_kind.len());
        let mut intake = Intake::new(now());
        for ((entry, _), given) in of_kind.iter().zip(given) {
            let (id, fields) = intake.take(1, &given.unwrap()).unwrap();
            assert_eq!(Entry::from_fields(id, &fields), **entry, "{}", kind.name);
        }
    }
}

#[test]
fn a_table_keeps_what_has_no_column() {
    let (id, at) = id_and_at();
    let mut draft = Draft::new("mood", at);
    draft.author = Some(sam());
    draft.fields = Fields::from([
        (
            "aura".to_owned(),
            Value::List(vec![Scalar::Null, Scalar::Float(2.0)]),
        ),
        ("status".to_owned(), "amended".into()),
        (
            "tags".to_owned(),
            Value::List(vec![
                Scalar::Text("a;b\\".into()),
                Scalar::Text("say \"ah\"\n".trim().into()),
            ]),
        ),
    ]);
    let entry = Entry::from_fields(id, &draft.to_fields_kept(id).unwrap());
    let table = write_table(None, [(&entry, &sam())]).unwrap();
    let text = String::from_utf8(table.clone()).unwrap();
    assert!(text.contains("a\\;b\\\\;"), "{text}");
    assert!(text.contains("\"{\"\"aura\"\":[null,2.0]}\"\r\n"), "{text}");
    let given = read(&table, &Mapping::default()).remove(0).unwrap();
    let (id, fields) = Intake::new(now()).take(2, &given).unwrap();
    assert_eq!(Entry::from_fields(id, &fields), entry);
}

#[test]
fn another_table_is_read_through_a_mapping() {
    let mapping = Mapping {
        columns: BTreeMap::from([
            ("When".to_owned(), "date".to_owned()),
            ("Clock".to_owned(), "time".to_owned()),
            ("How tired".to_owned(), "level".to_owned()),
            ("Where".to_owned(), "area".to_owned()),
        ]),
        kind: Some("fatigue".to_owned()),
    };
    let csv = "When,Clock,How tired,Where,Mood\n\
        2026-11-01,08:30,6,\"arms,legs\",fine\n\
        2026-11-02,,skipped,,\n\
        2026-11-03,08:30,11,,\n\
        2026-03-29,02:30,5,,\n\
        ,08:30,5,,\n\
        2026-11-01,08:30,6,\"arms,legs\",again\n";
    let rows = read(csv.as_bytes(), &mapping);
    let first = rows[0].as_ref().unwrap();
    assert_eq!(first.draft.at.to_string(), "2026-11-01T08:30:00+01:00");
    assert_eq!(first.draft.fields["level"], 6.into());
    let second = &rows[1].as_ref().unwrap().draft;
    assert_eq!(second.fields["precision"], "day-part".into());
    let refusal = |place: usize| rows[place].as_ref().unwrap_err().to_string();
    assert_eq!(
        refusal(2),
        "level is 11; it must be a whole number from 0 to 10"
    );
    assert!(refusal(3).contains("02:30"), "{}", refusal(3));
    assert_eq!(refusal(4), "at is empty");
    let ids = |rows: &[Result<Given, Refused>]| -> Vec<EntryId> {
        let mut intake = Intake::new(now());
        let good = rows.iter().flatten();
        good.map(|given| intake.take(1, given).unwrap().0).collect()
    };
    let (once, twice) = (ids(&rows), ids(&read(csv.as_bytes(), &mapping)));
    assert_eq!(once, twice, "the same file brings the same ids");
    assert_ne!(
        once[0], once[2],
        "a row that is there twice was meant twice"
    );
    assert_eq!(once[0].unix_ms(), first.draft.at.instant().as_millisecond());
}

#[test]
fn a_table_that_cannot_be_read_says_why() {
    let header = ["When", "Level"].map(str::to_owned);
    let of = |columns: &[(&str, &str)], kind: Option<&str>| -> UnreadableTable {
        let mapping = Mapping {
            columns: columns
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect(),
            kind: kind.map(str::to_owned),
        };
        Reading::of(&header, &mapping, &TimeZone::UTC).unwrap_err()
    };
    assert_eq!(
        of(&[], None).to_string(),
        "its columns are not those of ebb: When, Level"
    );
    assert_eq!(
        of(&[("Wann", "at")], Some("fatigue")).to_string(),
        "it has no column `Wann`; it has When, Level"
    );
    assert_eq!(of(&[("When", "at")], None), UnreadableTable::NoKind);
    assert_eq!(
        of(&[("Level", "level")], Some("fatigue")),
        UnreadableTable::NoTime
    );
    let field = of(&[("When", "at"), ("Level", "mood")], Some("fatigue"));
    assert!(matches!(
        field,
        UnreadableTable::Field(Invalid::UnknownField { .. })
    ));
}

#[test]
fn rows_that_cannot_be_entries_are_refused() {
    let line =
        |json: &str| read_json_line(json).and_then(|given| Intake::new(now()).take(1, &given));
    let (id, _) = id_and_at();
    let with = |rest: &str| {
        line(&format!(
            "{{\"id\":\"{id}\",\"kind\":\"fatigue\",\"at\":\"2026-11-20T08:00:00+01:00\",{rest}}}"
        ))
    };
    assert!(with("\"level\":6").is_ok());
    assert!(
        with("\"level\":6,\"new\":[1]").is_ok(),
        "a field of a newer ebb"
    );
    let said = |rest: &str| with(rest).unwrap_err().to_string();
    assert_eq!(
        said("\"level\":11"),
        "level is 11; it must be a whole number from 0 to 10"
    );
    assert!(
        said("\"offset\":1").contains("offset"),
        "{}",
        said("\"offset\":1")
    );
    let long = format!("\"level\":6,\"new\":\"{}\"", "x".repeat(70_000));
    assert_eq!(with(&long), Err(Refused::Item(InvalidItem::TextTooLong)));
    assert!(matches!(line("{"), Err(Refused::Malformed(_))));
    let at = "\"kind\":\"note\",\"note\":\"x\",\"at\":\"2026-11-20T08:00:00Z\"}";
    let old = EntryId::mint(1, [7; 10]);
    let far = EntryId::mint(
        u64::try_from(now().as_millisecond()).unwrap() + 90_000_000,
        [7; 10],
    );
    for id in [old, far] {
        assert_eq!(line(&format!("{{\"id\":\"{id}\",{at}")), Err(Refused::Id));
    }
    let given = read_json_line(&format!("{{\"id\":\"{id}\",{at}")).unwrap();
    let mut intake = Intake::new(now());
    intake.take(1, &given).unwrap();
    assert_eq!(intake.take(5, &given), Err(Refused::Twice { line: 1 }));
}

#[test]
fn a_night_goes_out_and_comes_back() {
    let json = serde_json::json!({
        "header": {
            "uuid": "not one of ours",
            "schema_id": { "namespace": "omh", "name": "sleep-episode", "version": "1.1" },
            "modality": "sensed",
        },
        "body": {
            "effective_time_frame": { "time_interval": {
                "start_date_time": "2026-11-19T23:00:00+01:00",
                "duration": { "value": 7.5, "unit": "h" },
            } },
            "latency_to_sleep_onset": { "value": 1190, "unit": "sec" },
            "wake_after_sleep_onset": { "value": 10, "unit": "min" },
            "number_of_awakenings": 2,
        },
    });
    let given = point::read_data_point(&json).unwrap();
    assert_eq!(given.draft.at.to_string(), "2026-11-20T06:30:00+01:00");
    assert_eq!(given.draft.fields["latency_min"], 20.into());
    let tried = given.draft.fields["tried_to_sleep"].as_text();
    assert_eq!(
        tried,
        Some("2026-11-19T22:40:00+01:00"),
        "an episode begins with sleep"
    );
    let (id, fields) = Intake::new(now()).take(1, &given).unwrap();
    let entry = Entry::from_fields(id, &fields);
    let out = point::data_point(&entry, None).unwrap();
    assert_eq!(
        out["body"]["total_sleep_time"],
        serde_json::json!({"value": 440, "unit": "min"})
    );
    let (ours, theirs) = (
        &out["body"]["effective_time_frame"]["time_interval"]["start_date_time"],
        &json["body"]["effective_time_frame"]["time_interval"]["start_date_time"],
    );
    assert_eq!(ours, theirs);
    assert_eq!(
        out["body"]["sleep_efficiency_percentage"],
        serde_json::json!({"value": 97.8, "unit": "%"})
    );
    let again = point::read_data_point(&out).unwrap();
    assert_eq!(again.id, Some(id));
    let mut nap = json.clone();
    nap["body"]["is_main_sleep"] = false.into();
    assert!(point::read_data_point(&nap).is_err());
    nap["header"]["schema_id"]["name"] = "heart-rate".into();
    assert_eq!(
        point::read_data_point(&nap).unwrap_err().to_string(),
        "it is a `heart-rate`, not a `sleep-episode` or a `single-medication-dose-taken`"
    );
}

#[test]
fn a_dose_goes_out_and_comes_back() {
    let (id, at) = id_and_at();
    let entry = |draft: Draft| Entry::from_fields(id, &draft.to_fields(id).unwrap());
    let dose = Draft::new("dose", at)
        .with("medicine", "Amifampridine")
        .with("amount_mg", 7.5);
    let partial = dose.clone().with("taken", "partial").with("reason", "ill");
    for dose in [&dose, &partial] {
        let strength = Mg::of(&10.into());
        let out = point::data_point(&entry(dose.clone()), strength).unwrap();
        assert_eq!(
            out["body"]["dose"],
            serde_json::json!({"value": 7.5, "unit": "mg"})
        );
        assert_eq!(out["body"]["medication"]["strength"][0]["value"], 10);
        let mut read = point::read_data_point(&out).unwrap();
        assert_eq!(read.id, Some(id));
        // The zone's name has no place there.
        read.draft.at = dose.at.clone();
        assert_eq!(read.draft, *dose);
    }
    let of = |draft: Draft| point::data_point(&entry(draft), None);
    let skipped = Draft::new("dose", dose.at.clone()).with("medicine", "x");
    assert_eq!(of(skipped.clone().with("taken", "skipped")), None);
    assert_eq!(of(skipped.with("amount_mg", "unable")), None);
    let mut other = of(dose).unwrap();
    assert_eq!(
        other["body"]["medication"]["strength"],
        serde_json::json!([])
    );
    other["body"]["dose"] = serde_json::json!({"value": 0.01, "unit": "g"});
    let read = point::read_data_point(&other).unwrap();
    assert_eq!(read.draft.fields["amount_mg"], 10.0.into());
    other["body"]["dose"]["unit"] = "tablet".into();
    let refused = point::read_data_point(&other).unwrap_err().to_string();
    assert_eq!(refused, "its dose is in `tablet`, and not in mg");
}

#[test]
fn every_answer_is_in_its_resource() {
    let fhir = Fhir::new(Style::Bundle, "journal", "Ana");
    for entry in entries() {
        let resource = fhir.entry(&entry, &sam());
        let text = resource.to_string();
        for value in entry.fields.values() {
            if let Value::Scalar(Scalar::Float(number)) = value {
                assert!(text.contains(&number.to_string()), "{number} in {text}");
            }
        }
        let status = resource["status"].as_str().unwrap();
        assert!(
            ["final", "completed", "not-done"].contains(&status),
            "{status}"
        );
        assert_eq!(fhir::full_url(&resource), format!("urn:uuid:{}", entry.id));
    }
    let (id, at) = id_and_at();
    let skipped = Draft::new("fatigue", at).with("level", "skipped");
    let entry = Entry::from_fields(id, &skipped.to_fields(id).unwrap());
    let resource = fhir.entry(&entry, &sam());
    let level = &resource["component"][0];
    assert_eq!(
        level["dataAbsentReason"]["coding"][0]["code"],
        "asked-declined"
    );
    assert_eq!(level.get("valueInteger"), None, "missing is never zero");
}
