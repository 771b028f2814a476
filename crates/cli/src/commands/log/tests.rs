//! Tests of logging: what a line becomes, and what is said of one that means nothing.

use super::*;
use crate::arguments;
use crate::output::{Colour, Form};

fn typed(line: &[&str]) -> Outcome<Typed> {
    let line = std::iter::once("ebb")
        .chain(line.iter().copied())
        .map(Into::into)
        .collect();
    match arguments::read(line)?.request {
        arguments::Request::Log(typed) => Ok(typed),
        other => panic!("{other:?}"),
    }
}

fn said(line: &[&str]) -> String {
    let now: Zoned = "2026-11-22T12:00[Europe/Berlin]".parse().unwrap();
    let terminal = Terminal::detect(Form::Human, Colour::Never, true);
    let drafted = typed(line).and_then(|typed| draft(&typed, &now, &terminal));
    let drafted = drafted.and_then(|draft| {
        let kind = draft.kind.clone();
        let checked = journal::validate::validate(&kind, &draft.fields);
        checked
            .map_err(|error| failure::invalid(&error, &kind))
            .map(|()| draft)
    });
    match drafted {
        Ok(draft) => {
            let fields = draft.fields.iter().map(|(name, value)| match value {
                Value::Scalar(journal::Scalar::Text(text)) => format!("{name}={text}"),
                other => format!("{name}={}", journal::words::plain(other)),
            });
            let fields = fields.collect::<Vec<_>>().join("; ");
            format!("{} at {}: {fields}", draft.kind, draft.at)
        }
        Err(error) => format!("{} {}: {error}", error.kind, error.exit as u8),
    }
}

#[test]
fn what_is_typed_becomes_a_draft() {
    let now = "2026-11-22T12:00:00+01:00";
    for (line, expected) in [
        (&["6"][..], format!("fatigue at {now}: level=6")),
        (&["-j", "x", "6", "--json"], format!("fatigue at {now}: level=6")),
        (
            &["6", "arms", "legs", "after the stairs", "--at", "2h ago"],
            "fatigue at 2026-11-22T10:00:00+01:00: areas=upper-arms, legs; level=6; note=after the stairs".into(),
        ),
        (&["6", "arms,", "and", "Legs"], format!("fatigue at {now}: areas=upper-arms, legs; level=6")),
        (&["6/10", "after", "the", "stairs"], format!("fatigue at {now}: level=6; note=after the stairs")),
        (&["6", "after the stairs", "arms"], format!("fatigue at {now}: areas=upper-arms; level=6; note=after the stairs")),
        (&["6", "my", "legs", "hurt"], format!("fatigue at {now}: areas=legs; level=6; note=my legs hurt")),
        (&["fatigue", "skipped"], format!("fatigue at {now}: level=skipped")),
        (
            &["fatigue", "6", "--sort", "weakness", "--area", "upper-arms,shoulders", "--weakness", "upper-arms=2", "--note", "n"],
            format!("fatigue at {now}: areas=upper-arms, shoulders; level=6; note=n; sort=weakness; weakness_upper_arms=2"),
        ),
        (&["6", "legs", "--area", "arms", "--area", "neck"], format!("fatigue at {now}: areas=upper-arms, neck, legs; level=6")),
        (
            &["activity", "walking", "20m", "--effort", "5", "--area", "legs", "--eased", "yes", "--recovery", "45m"],
            format!("activity at {now}: areas=legs; eased=yes; effort=5; minutes=20; recovery_min=45; what=walking"),
        ),
        (&["activity", "climbing", "stairs", "1h30"], format!("activity at {now}: minutes=90; what=climbing stairs")),
        (&["activity", "walking", "20", "min"], format!("activity at {now}: minutes=20; what=walking")),
        (&["activity", "walking", "1h", "30m"], format!("activity at {now}: minutes=90; what=walking")),
        (&["activity", "walking", "45"], format!("activity at {now}: minutes=45; what=walking")),
        (&["dose", "amifampridine", "10mg"], format!("dose at {now}: amount_mg=10; medicine=amifampridine")),
        (&["dose", "IVIG", "brand", "X", "0.5", "g"], format!("dose at {now}: amount_mg=500; medicine=IVIG brand X")),
        (
            &["dose", "x", "--skipped", "--reason", "- out of it"],
            format!("dose at {now}: medicine=x; reason=- out of it; taken=skipped"),
        ),
        (
            &["dose", "x", "10", "--planned-at", "08:00"],
            format!("dose at {now}: amount_mg=10; medicine=x; planned_at=2026-11-22T08:00:00+01:00"),
        ),
        (
            &["sleep", "--bed", "22:30", "--tried", "22:50", "--latency", "20m", "--woke", "2", "--wake", "07:10", "--up", "07:30"],
            "sleep at 2026-11-22T07:30:00+01:00: awakenings=2; final_wake=2026-11-22T07:10:00+01:00; \
             in_bed=2026-11-21T22:30:00+01:00; latency_min=20; out_of_bed=2026-11-22T07:30:00+01:00; \
             tried_to_sleep=2026-11-21T22:50:00+01:00"
                .into(),
        ),
        (
            &["sleep", "--bed", "22:30", "--wake", "07:10", "--at", "2026-11-20 09:00"],
            "sleep at 2026-11-20T09:00:00+01:00: final_wake=2026-11-20T07:10:00+01:00; \
             in_bed=2026-11-19T22:30:00+01:00"
                .into(),
        ),
        (&["note", "slept", "badly"], format!("note at {now}: note=slept badly")),
        (&["note", "--note", "-x"], format!("note at {now}: note=-x")),
    ] {
        assert_eq!(said(line), expected, "{line:?}");
    }
}

#[test]
fn doses_infusions_and_factors_take_words() {
    let now = "2026-11-22T12:00:00+01:00";
    for (line, expected) in [
        (
            &["dose", "amifampridine", "skipped", "--reason", "unable"][..],
            format!("dose at {now}: medicine=amifampridine; reason=unable; taken=skipped"),
        ),
        (
            &["dose", "x", "10mg", "with food"],
            format!("dose at {now}: amount_mg=10; medicine=x; note=with food"),
        ),
        (
            &["wearing-off", "legs", "2"],
            format!("wearing-off at {now}: area=legs; level=2"),
        ),
        (
            &["wearing-off", "upper", "arms", "unable"],
            format!("wearing-off at {now}: area=upper-arms; level=unable"),
        ),
        (
            &["infusion", "IVIG", "70g", "--day", "2/5"],
            format!("infusion at {now}: amount_g=70; day=2; of_days=5; product=IVIG"),
        ),
        (
            &["factor", "heat", "31C"],
            format!("factor at {now}: heat=31"),
        ),
        (
            &["factor", "heat", "-3", "°C"],
            format!("factor at {now}: heat=-3"),
        ),
        (&["factor", "heat"], format!("factor at {now}: heat=yes")),
        (
            &["factor", "hot", "bath", "no", "fever"],
            format!("factor at {now}: fever=yes; hot_bath=no"),
        ),
        (
            &["factor", "stress", "6", "screens", "45m"],
            format!("factor at {now}: screens_min=45; stress=6"),
        ),
        (
            &["factor", "stress", "skipped"],
            format!("factor at {now}: stress=skipped"),
        ),
        (
            &["factor", "caffeine", "2", "--last", "15:00"],
            format!("factor at {now}: caffeine=2; caffeine_last=2026-11-21T15:00:00+01:00"),
        ),
        (
            &["factor", "alcohol", "1", "--last", "unable", "two glasses"],
            format!("factor at {now}: alcohol=1; alcohol_last=unable; note=two glasses"),
        ),
        (
            &["factor", "weather", "change", "6", "stress", "2"],
            format!("factor at {now}: name=weather change; stress=2; value=6"),
        ),
        (
            &["factor", "--fever", "--stress", "3"],
            format!("factor at {now}: fever=yes; stress=3"),
        ),
    ] {
        assert_eq!(said(line), expected, "{line:?}");
    }
}

#[test]
fn symptoms_tests_and_texts_take_words() {
    let now = "2026-11-22T12:00:00+01:00";
    for (line, expected) in [
        (
            &["symptom", "dry-mouth", "2"][..],
            format!("symptom at {now}: dry_mouth=2"),
        ),
        (
            &["symptom", "double", "vision", "1", "when reading"],
            format!("symptom at {now}: double_vision=1; note=when reading"),
        ),
        (
            &["symptom", "breathing", "lying-flat"],
            format!("symptom at {now}: breathing_lying_flat=yes"),
        ),
        (
            &["symptom", "breathing", "lying", "flat"],
            format!("symptom at {now}: breathing_lying_flat=yes"),
        ),
        (
            &["symptom", "breathing", "rest=no", "talking", "choking", "0"],
            format!("symptom at {now}: breathing_at_rest=no; breathing_talking=yes; choking=0"),
        ),
        (
            &["symptom", "tremor", "1"],
            format!("symptom at {now}: level=1; name=tremor"),
        ),
        (
            &["test", "3tug", "12.1", "12.8", "14.0", "--aid", "none"],
            format!("test at {now}: aid=none; laps=12.1, 12.8, 14; test=3tug"),
        ),
        (
            &["test", "3tug", "12.1", "--aborted"],
            format!("test at {now}: aborted=yes; laps=12.1; test=3tug"),
        ),
        (
            &["test", "3tug", "unable", "too tired today"],
            format!("test at {now}: laps=unable; note=too tired today; test=3tug"),
        ),
        (
            &["test", "chair-stand", "11"],
            format!("test at {now}: stands=11; test=chair-stand-30s"),
        ),
        (
            &["test", "grip", "23.5kg"],
            format!("test at {now}: grip_kg=23.5; test=grip"),
        ),
        (
            &["test", "stairs", "42", "s"],
            format!("test at {now}: name=stairs; test=other; unit=s; value=42"),
        ),
        (
            &["test", "six minute walk", "310m"],
            format!("test at {now}: name=six minute walk; test=other; unit=m; value=310"),
        ),
    ] {
        assert_eq!(said(line), expected, "{line:?}");
    }
}

#[test]
fn exercises_events_and_texts_take_words() {
    let now = "2026-11-22T12:00:00+01:00";
    for (line, expected) in [
        (
            &[
                "exercise",
                "sit to stand",
                "--sets",
                "2",
                "--reps",
                "8",
                "--effort",
                "4",
            ][..],
            format!("exercise at {now}: effort=4; reps=8; sets=2; what=sit to stand"),
        ),
        (
            &["event", "fall", "in the kitchen"],
            format!("event at {now}: event=fall; note=in the kitchen"),
        ),
        (
            &["event", "new", "medicine", "eye drops"],
            format!("event at {now}: event=new-medicine; note=eye drops"),
        ),
        (
            &["event", "a flat tyre"],
            format!("event at {now}: event=other; note=a flat tyre"),
        ),
        (
            &["score", "FSS", "5.2"],
            format!("score at {now}: instrument=fss; total=5.2"),
        ),
        (
            &["score", "W-SAS", "-1", "--date", "yesterday"],
            format!("score at {now}: date=2026-11-21; instrument=w-sas; total=-1"),
        ),
        (
            &["question", "Could the third dose move?"],
            format!("question at {now}: note=Could the third dose move?"),
        ),
        (
            &["question", "Could it?", "--answer", "yes"],
            format!("question at {now}: answer=yes; note=Could it?; state=answered"),
        ),
    ] {
        assert_eq!(said(line), expected, "{line:?}");
    }
}

#[test]
fn each_bad_value_is_named_with_its_range_and_what_to_type() {
    insta::assert_snapshot!(said(&["11"]), @r"
    invalid-value 2: level is 11; it must be a whole number from 0 to 10
    try: ebb 6 arms legs
    ");
    insta::assert_snapshot!(said(&["6.5"]), @r"
    invalid-value 2: level is 6.5; it must be a whole number from 0 to 10
    try: ebb 6 arms legs
    ");
    insta::assert_snapshot!(said(&["-1"]), @r"
    invalid-value 2: level is -1; it must be a whole number from 0 to 10
    try: ebb 6 arms legs
    ");
    insta::assert_snapshot!(said(&["6", "--level", "7"]), @r"
    usage 2: level is given twice
    try: ebb 6 arms legs
    ");
    insta::assert_snapshot!(said(&["activity", "walking", "20kg"]), @r"
    invalid-value 2: minutes is 20kg; it must be whole minutes from 0 to 1440
    try: ebb activity walking 20m --effort 5
    ");
    insta::assert_snapshot!(said(&["activity", "walking", "20m", "--effort", "-1"]), @r"
    invalid-value 2: effort is -1; it must be a whole number from 0 to 10
    try: ebb activity walking 20m --effort 5
    ");
    insta::assert_snapshot!(said(&["dose", "x", "1,000"]), @r"
    invalid-value 2: amount is 1,000; it must be a number of mg above 0 to 100000, with at most 1 decimal
    try: ebb dose amifampridine 10mg
    ");
    insta::assert_snapshot!(said(&["dose", "x", "10mg", "--skipped", "--taken", "partial"]), @r"
    usage 2: the argument '--skipped' cannot be used with '--taken <WHICH>'
    try: ebb dose --help
    ");
    insta::assert_snapshot!(said(&["fatigue", "6", "--weakness", "arms=4"]), @r"
    invalid-value 2: weakness of arms is 4; it must be a whole number from 0 to 3
    try: ebb 6 arms legs
    ");
    insta::assert_snapshot!(said(&["fatigue", "6", "--area", "elbow"]), @r"
    invalid-value 2: areas is elbow; it must be a list of legs, hips, upper-arms, shoulders, neck, hands, eyes, speech, swallowing, breathing
    try: ebb 6 arms legs
    ");
}

#[test]
fn each_line_of_words_that_means_nothing_is_named_with_what_to_type() {
    insta::assert_snapshot!(said(&["factor", "stres", "6"]), @r#"
    unknown-field 2: there is no factor "stres"; is it stress?
    try: ebb factor stress 6
    try: ebb factor --name "stres" --value 6    (if it is a name of your own)
    "#);
    insta::assert_snapshot!(said(&["symptom", "diplopa", "2"]), @r#"
    unknown-field 2: there is no symptom "diplopa"; is it double-vision?
    try: ebb symptom double-vision 2
    try: ebb symptom --name "diplopa" --level 2    (if it is a name of your own)
    "#);
    insta::assert_snapshot!(said(&["factor", "weather"]), @r"
    missing-field 2: a factor entry needs value (how much of it, 0 to 10, or yes or no)
    try: ebb factor stress 6
    ");
    insta::assert_snapshot!(said(&["factor", "stress"]), @r#"
    usage 2: how much is missing after "stress"
    try: ebb factor stress 2
    "#);
    insta::assert_snapshot!(said(&["factor", "stress", "6", "--last", "15:00"]), @r"
    usage 2: --last goes with one drink, caffeine or alcohol
    try: ebb factor caffeine 2 --last 15:00
    try: ebb factor --caffeine 2 --caffeine-last 15:00 --alcohol 1 --alcohol-last 21:00
    ");
    insta::assert_snapshot!(said(&["symptom", "dry-mouth", "4"]), @r"
    invalid-value 2: dry mouth is 4; it must be a whole number from 0 to 3
    try: ebb symptom dry-mouth 2
    ");
    insta::assert_snapshot!(said(&["symptom", "breathing", "running"]), @r"
    invalid-value 2: breathing hard is running; it must be NAME=one of yes, no; the names are at-rest, lying-flat, talking
    try: ebb symptom dry-mouth 2
    ");
    insta::assert_snapshot!(said(&["test", "3tug", "12.1", "12.8"]), @r"
    invalid-value 2: laps is 12.1, 12.8; it must be 3 laps, unless it was stopped early (--aborted yes)
    try: ebb test 3tug 12.1 12.8 14.0 --aid none
    ");
    insta::assert_snapshot!(said(&["test", "chair-stand"]), @r"
    missing-field 2: a test entry needs stands (how many chair stands in 30 seconds), unless it was stopped early
    try: ebb test 3tug 12.1 12.8 14.0 --aid none
    ");
}

#[test]
fn each_value_that_does_not_fit_the_rest_is_named_with_what_to_type() {
    insta::assert_snapshot!(said(&["infusion", "IVIG", "70g", "--day", "6/5"]), @r"
    invalid-value 2: day is 6; it must be at most 5, the days of the course
    try: ebb infusion IVIG 70g --day 2/5
    ");
    insta::assert_snapshot!(said(&["wearing-off", "elbow", "2"]), @r"
    invalid-value 2: area is elbow; it must be one of legs, hips, upper-arms, shoulders, neck, hands, eyes, speech, swallowing, breathing
    try: ebb wearing-off legs 2
    ");
    insta::assert_snapshot!(said(&["wearing-off", "2"]), @r"
    missing-field 2: a wearing-off entry needs area (where the medicine wears off)
    try: ebb wearing-off legs 2
    ");
    insta::assert_snapshot!(said(&["score", "Borg", "12"]), @r"
    invalid-value 2: instrument is Borg; it must be one of fss, mfis, promis-fatigue-t, neuro-qol-fatigue-t, mg-adl, mg-qol15, mg-qol15r, qmg, w-sas, sgi
    try: ebb score FSS 5.2
    ");
    insta::assert_snapshot!(said(&["score", "MG-ADL", "25"]), @r"
    invalid-value 2: total is 25; it must be from 0 to 24 for MG-ADL
    try: ebb score FSS 5.2
    ");
    insta::assert_snapshot!(said(&["score", "FSS", "5", "--date", "soon"]), @r"
    invalid-value 2: date is soon; it must be a date such as 2026-11-20
    try: --date 2026-11-20
    try: --date yesterday
    ");
    insta::assert_snapshot!(said(&["event"]), @r#"
    missing-field 2: an event entry needs event (what happened)
    try: ebb event fall "in the kitchen"
    "#);
    insta::assert_snapshot!(said(&["question"]), @r#"
    missing-field 2: a question entry needs its text
    try: ebb question "Could the third dose move?"
    "#);
    insta::assert_snapshot!(said(&["6", "--precision", "skipped"]), @r"
    invalid-value 2: precision is skipped; it must be one of exact, approx, day-part
    try: ebb 6 arms legs
    ");
}

#[test]
fn each_bad_time_is_named_with_what_to_type() {
    insta::assert_snapshot!(said(&["fatigue", "6", "--at", "25:99"]), @r#"
    invalid-time 2: "25:99" is on no clock or calendar
    try: ebb 6 arms legs --at 14:30
    try: ebb 6 arms legs --at "yesterday 22:30"
    "#);
    insta::assert_snapshot!(said(&["6", "--at", "2026-02-30 10:00"]), @r#"
    invalid-time 2: "2026-02-30 10:00" is on no clock or calendar
    try: ebb 6 arms legs --at 14:30
    try: ebb 6 arms legs --at "yesterday 22:30"
    "#);
    insta::assert_snapshot!(said(&["6", "--at", "tomorrow 10:00"]), @r"
    invalid-time 2: 2026-11-23T10:00:00+01:00 is 22 h ahead; what is recorded has happened
    try: ebb 6 arms legs --at 2026-11-23T10:00:00+01:00 --future    (if it is meant)
    ");
    insta::assert_snapshot!(said(&["6", "--at", "2026-10-25 02:30"]), @r"
    invalid-time 2: 2026-10-25T02:30:00 came twice: the clocks went back; it is 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00
    try: ebb 6 arms legs --at 2026-10-25T02:30:00+02:00
    try: ebb 6 arms legs --at 2026-10-25T02:30:00+01:00
    ");
    insta::assert_snapshot!(said(&["6", "--at", "2026-03-29 02:30"]), @r"
    invalid-time 2: 2026-03-29T02:30:00 does not exist: the clocks went forward; 2026-03-29T01:30:00+01:00 and 2026-03-29T03:30:00+02:00 do
    try: ebb 6 arms legs --at 2026-03-29T01:30:00+01:00
    try: ebb 6 arms legs --at 2026-03-29T03:30:00+02:00
    ");
    insta::assert_snapshot!(said(&["6", "--at", "yesterday"]), @r#"
    invalid-time 2: "yesterday" is a day; the time of day is missing
    try: ebb 6 arms legs --at "yesterday 22:30"
    "#);
    insta::assert_snapshot!(said(&["sleep", "--bed", "25:00"]), @r#"
    invalid-time 2: in bed: "25:00" is on no clock or calendar
    try: ebb sleep --bed 14:30
    try: ebb sleep --bed "yesterday 22:30"
    "#);
    insta::assert_snapshot!(said(&["note", &"x".repeat(100_000)]), @r#"
    too-long 2: a note is at most 8 KiB; this one is 100000 bytes
    try: several shorter notes: ebb note "…"
    "#);
}
