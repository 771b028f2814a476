//! Looking at many days: `ebb insights`, `ebb trends` and the page for an appointment.

use serde_json::{Value, json};

use crate::home::{Home, count, text};

/// Writes a report and returns the page.
fn page(home: &Home, more: &[&str]) -> String {
    let file = home.path().join("visit.html");
    let out = file.display().to_string();
    let written = home.json(&[&["report", "--out", &out], more].concat());
    assert_eq!(text(&written, "file"), out);
    std::fs::read_to_string(file).expect("the page is there")
}

#[test]
fn an_empty_journal_has_a_page_that_says_so() {
    let home = Home::with_journal();
    let page = page(&home, &[]);
    for said in [
        "<html lang=\"en\">",
        "Anneliese: fatigue journal",
        "Entries on 0 of 90 days",
        "Nothing was logged on these days.",
        "No dose was logged on these days",
        "that does not say there was none",
        "Not medical advice",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(
        !page.contains("<script") && !page.contains("http"),
        "{page}"
    );
    let insights = home.json(&["insights"]);
    assert_eq!(
        (count(&insights, "asked"), count(&insights, "compared")),
        (9, 0)
    );
    let first = &insights["questions"][0];
    assert_eq!(text(first, "words"), "not enough days yet: 0 of 30");
}

#[test]
fn what_was_skipped_is_never_zero() {
    let home = Home::with_journal();
    home.log(&["fatigue", "--level", "skipped"]);
    home.log(&[
        "dose",
        "amifampridine",
        "--skipped",
        "--reason",
        "out of it",
    ]);
    let report = home.json(&["report", "--days", "7"]);
    assert_eq!(report["dose_phase"], Value::Null);
    assert_eq!(report["stretches"][0]["fatigue"], Value::Null);
    let medicine = &report["medicines"][0];
    assert_eq!(
        (&medicine["skipped"], &medicine["mean_mg"]),
        (&json!(1), &Value::Null)
    );
    let trends = home.json(&["trends", "--days", "7"]);
    assert_eq!(trends["series"][0]["answered"], json!(0));
}

#[test]
fn readings_stand_at_the_time_since_the_last_dose() {
    let home = Home::with_journal();
    home.log(&["dose", "amifampridine", "10mg", "--at", "4h ago"]);
    home.log(&["fatigue", "--level", "2", "--at", "3h ago"]);
    home.log(&["fatigue", "--level", "8", "--weakness", "legs=3"]);
    home.log(&["event", "fall", "on <b>the</b> stairs"]);
    home.log(&["question", "Could <the> dose \"move\"?"]);
    let report = home.json(&["report"]);
    let bins = report["dose_phase"]["fatigue"]["bins"].as_array();
    let bins: Vec<_> = bins.expect("bins").iter().collect();
    let seen: Vec<_> = bins
        .iter()
        .map(|bin| (&bin["minutes"], &bin["readings"]["median"]))
        .collect();
    assert_eq!(
        seen,
        [(&json!(60), &json!(2.0)), (&json!(240), &json!(8.0))]
    );
    let page = page(&home, &["--days", "30"]);
    assert!(
        page.contains("4:00 to 4:30: median 8, quartiles 8 to 8, n = 1"),
        "{page}"
    );
    assert!(
        page.contains("Could &lt;the&gt; dose &quot;move&quot;?"),
        "{page}"
    );
    assert!(page.contains("1 × fall"), "{page}");
    let trends = home.ebb(&["trends"]).expect_code(0).stdout;
    assert!(
        trends.contains("4:00  median  8.0 (8.0–8.0), n = 1"),
        "{trends}"
    );
    assert!(!trends.contains('\u{1b}'), "{trends}");
}

#[test]
fn trends_without_a_reading_after_a_dose_say_so_in_place_of_the_curve() {
    let home = Home::with_journal();
    // The only reading is older than the dose.
    home.log(&["fatigue", "--level", "4", "--at", "3h ago"]);
    home.log(&["dose", "amifampridine", "10mg", "--at", "2h ago"]);
    let trends = home.ebb(&["trends"]).expect_code(0).stdout;
    let last = trends.lines().last().expect("a line");
    assert_eq!(
        last,
        "No fatigue was logged in the 24 h after a dose of amifampridine on these days."
    );
    assert!(!trends.contains("Fatigue by time since"), "{trends}");
}

#[test]
fn a_report_since_the_last_visit_begins_there() {
    let home = Home::with_journal();
    let none = home
        .ebb(&["report", "--since-last-visit", "--json"])
        .expect_code(1);
    assert_eq!(text(&none.error(), "kind"), "no-visit");
    home.log(&["event", "visit", "--at", "10 days ago"]);
    home.log(&["event", "visit"]);
    let report = home.json(&["report", "--since-last-visit"]);
    assert_eq!(count(&report, "days"), 11);
}

#[test]
fn the_page_is_written_in_the_format_that_the_file_names() {
    let home = Home::with_journal();
    home.log(&["fatigue", "--level", "6"]);
    let written = |name: &str, more: &[&str]| {
        let file = home.path().join(name);
        let out = file.display().to_string();
        let told = home.json(&[&["report", "--out", &out], more].concat());
        let bytes = std::fs::read(file).expect("the page is there");
        (text(&told, "format").to_owned(), bytes)
    };
    let (format, pdf) = written("visit.pdf", &["--paper", "letter"]);
    assert_eq!(format, "pdf");
    assert!(pdf.starts_with(b"%PDF-1.7"), "{:?}", pdf.get(..20));
    let (_, again) = written("again.PDF", &["--paper", "letter"]);
    assert_eq!(pdf, again, "the same data give the same page");
    let (format, html) = written("visit", &[]);
    assert_eq!(format, "html");
    assert!(html.starts_with(b"<!DOCTYPE html>"));
    assert!(written("page", &["--format", "pdf"]).1.starts_with(b"%PDF"));
    let stdout = home.ebb(&["report", "--out", "-"]).expect_code(0).stdout;
    assert_eq!(stdout.as_bytes(), html);
}

#[test]
fn a_page_of_no_known_format_is_refused_before_anything_is_read() {
    let home = Home::with_journal();
    let refused = |arguments: &[&str]| home.ebb(arguments).expect_code(2).error();
    let error = refused(&["report", "--out", "visit.docx", "--json"]);
    assert_eq!(
        error["hints"],
        json!(["ebb report --out visit.pdf", "ebb report --out visit.html"])
    );
    let error = refused(&["report", "--out", "visit.html", "--paper", "a4", "--json"]);
    assert_eq!(
        error["hints"],
        json!(["ebb report --paper letter --out visit.pdf"])
    );
    assert!(!home.path().join("visit.docx").exists());
}
