//! Times as typed, against the times meant.

use super::*;

/// Noon of a Sunday in Berlin, in winter time.
const NOON: &str = "2026-11-22T12:00[Europe/Berlin]";

fn at(text: &str, now: &str, future: bool) -> String {
    match read(text, &now.parse().unwrap(), future) {
        Ok(at) => at.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn reads_what_people_type_and_prefers_the_past() {
    for (text, expected) in [
        ("now", "2026-11-22T12:00:00+01:00"),
        ("11:30", "2026-11-22T11:30:00+01:00"),
        ("9:05", "2026-11-22T09:05:00+01:00"),
        ("12:00", "2026-11-22T12:00:00+01:00"),
        ("12:05", "2026-11-22T12:05:00+01:00"),
        ("12:06", "2026-11-21T12:06:00+01:00"),
        ("14:30", "2026-11-21T14:30:00+01:00"),
        ("14:30:15", "2026-11-21T14:30:15+01:00"),
        ("7pm", "2026-11-21T19:00:00+01:00"),
        ("7:30 PM", "2026-11-21T19:30:00+01:00"),
        ("12am", "2026-11-22T00:00:00+01:00"),
        ("noon", "2026-11-22T12:00:00+01:00"),
        ("at 11:30", "2026-11-22T11:30:00+01:00"),
        ("today 08:00", "2026-11-22T08:00:00+01:00"),
        ("yesterday 22:30", "2026-11-21T22:30:00+01:00"),
        ("Yesterday at 7pm", "2026-11-21T19:00:00+01:00"),
        ("2h ago", "2026-11-22T10:00:00+01:00"),
        ("1h30 ago", "2026-11-22T10:30:00+01:00"),
        ("90 min ago", "2026-11-22T10:30:00+01:00"),
        ("2 hours ago", "2026-11-22T10:00:00+01:00"),
        ("an hour ago", "2026-11-22T11:00:00+01:00"),
        ("3 days ago", "2026-11-19T12:00:00+01:00"),
        ("1 week ago", "2026-11-15T12:00:00+01:00"),
        ("2026-11-20 08:00", "2026-11-20T08:00:00+01:00"),
        ("2026-11-20T08:00", "2026-11-20T08:00:00+01:00"),
        ("2026-11-20 08:00:59", "2026-11-20T08:00:59+01:00"),
        ("2026-11-20T08:00:00+01:00", "2026-11-20T08:00:00+01:00"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20 08:00:00-05:00", "2026-11-20T08:00:00-05:00"),
        ("friday 20:00", "2026-11-20T20:00:00+01:00"),
        ("last fri 20:00", "2026-11-20T20:00:00+01:00"),
        ("sunday 08:00", "2026-11-22T08:00:00+01:00"),
        ("sunday 18:00", "2026-11-15T18:00:00+01:00"),
        ("last sunday 08:00", "2026-11-15T08:00:00+01:00"),
        ("Fri 20 Nov 08:00", "2026-11-20T08:00:00+01:00"),
        ("20 nov 08:00", "2026-11-20T08:00:00+01:00"),
        ("Nov 20, 2025, 8am", "2025-11-20T08:00:00+01:00"),
        ("24 dec 20:00", "2025-12-24T20:00:00+01:00"),
        ("29 feb 20:00", "2024-02-29T20:00:00+01:00"),
    ] {
        assert_eq!(at(text, NOON, false), expected, "{text}");
    }
}

#[test]
fn refuses_what_is_no_time() {
    let not = |text: &str| format!("error: \"{text}\" is not a time; a time is {EXAMPLES}");
    for text in [
        "",
        "soon",
        "7",
        "2h",
        "14",
        "1430",
        "14:3",
        "5 ago",
        "ago",
        "2 parsecs ago",
        "2h ago ago",
        "-2h",
        "P1D ago",
        "2026-11 08:00",
        "2026-1-2 08:00",
        "20 20 08:00",
        "nov 08:00",
        "20 nov nov 08:00",
        "é 08:00",
        "08:00 friday",
        "25:99 ago",
        "2026-11-20T08:00:00+99:00",
        "next friday 08:00",
        "5 minutes 08:00",
    ] {
        assert_eq!(at(text, NOON, false), not(text));
    }
    for text in [
        "25:99",
        "24:00",
        "12:60",
        "13pm",
        "0am",
        "2026-02-30 10:00",
        "2026-13-01 10:00",
        "30 feb 10:00",
    ] {
        assert_eq!(
            at(text, NOON, false),
            format!("error: \"{text}\" is on no clock or calendar")
        );
    }
    for text in ["yesterday", "2026-11-20", "friday"] {
        let expected = format!("error: \"{text}\" is a day; the time of day is missing");
        assert_eq!(at(text, NOON, false), expected);
    }
}

#[test]
fn a_time_ahead_needs_a_word() {
    for (text, expected) in [
        ("2026-11-22 12:05", "2026-11-22T12:05:00+01:00"),
        (
            "2026-11-22 12:06",
            "error: 2026-11-22T12:06:00+01:00 is 6 min ahead; what is recorded has happened",
        ),
        (
            "tomorrow 08:00",
            "error: 2026-11-23T08:00:00+01:00 is 20 h ahead; what is recorded has happened",
        ),
        (
            "2026-11-22T12:10:00Z",
            "error: 2026-11-22T12:10:00+00:00 is 1 h 10 min ahead; what is recorded has happened",
        ),
        (
            "2099-01-01 08:00",
            "error: 2099-01-01T08:00:00+01:00 is 26337 days ahead; what is recorded has happened",
        ),
    ] {
        assert_eq!(at(text, NOON, false), expected, "{text}");
    }
    assert_eq!(
        at("tomorrow 08:00", NOON, true),
        "2026-11-23T08:00:00+01:00"
    );
    assert_eq!(at("14:30", NOON, true), "2026-11-22T14:30:00+01:00");
    assert_eq!(at("friday 20:00", NOON, true), "2026-11-27T20:00:00+01:00");
}

#[test]
fn a_time_that_never_was_or_came_twice_is_refused_with_both_readings() {
    for (text, now, expected) in [
        (
            "2026-03-29 02:30",
            NOON,
            "error: 2026-03-29T02:30:00 does not exist: the clocks went forward; \
             2026-03-29T01:30:00+01:00 and 2026-03-29T03:30:00+02:00 do",
        ),
        (
            "2026-10-25 02:30",
            NOON,
            "error: 2026-10-25T02:30:00 came twice: the clocks went back; \
             it is 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
        ),
        (
            "02:30",
            "2026-10-25T09:00[Europe/Berlin]",
            "error: 2026-10-25T02:30:00 came twice: the clocks went back; \
             it is 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
        ),
        (
            "2026-03-08 02:30",
            "2026-11-22T12:00[America/New_York]",
            "error: 2026-03-08T02:30:00 does not exist: the clocks went forward; \
             2026-03-08T01:30:00-05:00 and 2026-03-08T03:30:00-04:00 do",
        ),
        (
            "2026-11-01 01:30",
            "2026-11-22T12:00[America/New_York]",
            "error: 2026-11-01T01:30:00 came twice: the clocks went back; \
             it is 2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00",
        ),
    ] {
        assert_eq!(at(text, now, false), expected, "{text}");
    }
    assert_eq!(
        at("2026-10-25T02:30:00+01:00", NOON, false),
        "2026-10-25T02:30:00+01:00"
    );
}

#[test]
fn around_a_change_of_the_clocks_the_past_decides() {
    let night = "2026-10-25T02:45:00+02:00[Europe/Berlin]";
    // Only the first 02:30 is past; the second will be.
    assert_eq!(at("02:30", night, false), "2026-10-25T02:30:00+02:00");
    // Elapsed time counts hours, days keep the clock.
    let morning = "2026-10-25T09:00:00+01:00[Europe/Berlin]";
    assert_eq!(at("7h ago", morning, false), "2026-10-25T02:00:00+01:00");
    assert_eq!(at("1 day ago", morning, false), "2026-10-24T09:00:00+02:00");
    // Before the gap of that night, 02:30 is yesterday's; after it, there is none today.
    assert_eq!(
        at("02:30", "2026-03-29T01:00[Europe/Berlin]", false),
        "2026-03-28T02:30:00+01:00"
    );
    assert!(at("02:30", "2026-03-29T09:00[Europe/Berlin]", false).contains("does not exist"));
    assert_eq!(
        at("02:30", "2026-03-30T01:00[Europe/Berlin]", false),
        at("2026-03-29 02:30", NOON, false)
    );
}

#[test]
fn a_time_typed_with_the_offset_of_the_zone_here_has_its_name() {
    let now = NOON.parse().unwrap();
    let zone = |text: &str| read(text, &now, false).unwrap().zone().map(str::to_owned);
    assert_eq!(
        zone("2026-11-20T08:00:00+01:00").as_deref(),
        Some("Europe/Berlin")
    );
    assert_eq!(zone("2026-11-20T08:00:00+02:00"), None);
    assert_eq!(
        zone("2026-11-20T08:00:00-05:00[America/New_York]").as_deref(),
        Some("America/New_York")
    );
}

#[test]
fn bounds_of_lists_are_spans_days_and_times() {
    let now: Zoned = NOON.parse().unwrap();
    let bound = |text: &str, which| match read_bound(text, &now, which) {
        Ok(instant) => instant.to_string(),
        Err(error) => error.to_string(),
    };
    for (text, since, until) in [
        ("7d", "2026-11-15T11:00:00Z", "2026-11-15T11:00:01Z"),
        ("12h", "2026-11-21T23:00:00Z", "2026-11-21T23:00:01Z"),
        ("7 days ago", "2026-11-15T11:00:00Z", "2026-11-15T11:00:01Z"),
        ("today", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
        ("2026-11-01", "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
        ("friday", "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z"),
        (
            "2026-11-20 08:00",
            "2026-11-20T07:00:00Z",
            "2026-11-20T07:00:01Z",
        ),
        (
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:01Z",
        ),
    ] {
        assert_eq!(bound(text, Bound::Since), since, "{text}");
        assert_eq!(bound(text, Bound::Until), until, "{text}");
    }
    assert!(bound("whenever", Bound::Since).contains("is not a time"));
}

#[test]
fn no_text_panics() {
    let now: Zoned = NOON.parse().unwrap();
    for text in [
        "é",
        "Té",
        "T",
        "\u{7f}T10:00",
        "999999999999 days ago",
        "9999-12-31 23:59",
        "0000-01-01 00:00",
        "ß 10:00",
        "İpm",
    ] {
        let _either = read(text, &now, true);
        let _either = read_bound(text, &now, Bound::Until);
    }
}
