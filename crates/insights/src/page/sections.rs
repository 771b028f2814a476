//! The sections of the page, in the order in which they are read.

use super::content::{Block, Row, Section};
use super::texts::{Texts, fill};
use super::{chart, clock, cut, name, number};
use crate::preset::Topic;
use crate::question::Answer;
use crate::report::{Medicine, Report, Stretch};
use crate::statistics::Summary;
use crate::words;

/// How many medicines have a row of their own, and how many symptoms and findings are shown.
const MOST_MEDICINES: usize = 5;
const MOST_SYMPTOMS: usize = 6;
const MOST_FINDINGS: usize = 2;

/// Says on how many days something was logged, and by whom.
pub(super) fn coverage(report: &Report, texts: &Texts) -> String {
    let days = [report.coverage.answered, report.coverage.days].map(|days| days.to_string());
    let logged = fill(texts.days_logged, &[&days[0], &days[1]]);
    let share = |(person, count): &(String, usize)| {
        let percent = 100.0 * *count as f64 / report.entries.max(1) as f64;
        format!("{} {percent:.0} %", name(person))
    };
    let authors: Vec<String> = report.authors.iter().take(4).map(share).collect();
    if authors.is_empty() {
        return format!("{logged} · {}", texts.nothing);
    }
    format!(
        "{logged} · {}",
        fill(texts.logged_by, &[&authors.join(", ")])
    )
}

/// Makes all sections.
pub(super) fn all(report: &Report, texts: &Texts) -> Vec<Row> {
    let section = Section::new;
    vec![
        Row::Halves([
            section(texts.questions, questions(report, texts)),
            section(texts.safety, safety(report, texts)),
        ]),
        Row::Whole(section(texts.phase, phase(report, texts))),
        Row::Whole(section(texts.doses, doses(report, texts))),
        Row::Whole(section(texts.change, change(report, texts))),
        Row::Halves([
            section(texts.walks, walks(report, texts)),
            section(texts.sleep, sleep(report, texts)),
        ]),
        Row::Halves([
            section(texts.symptoms, symptoms(report, texts)),
            section(texts.together, together(report, texts)),
        ]),
    ]
}

/// Says what matters most to the person first, and once, also where it is a question.
fn questions(report: &Report, texts: &Texts) -> Vec<Block> {
    let concern = report.concern.as_ref();
    let others = report
        .questions
        .iter()
        .filter(|text| Some(*text) != concern);
    let asked: Vec<String> = others.map(|text| cut(text)).collect();
    let Some(concern) = concern else {
        return vec![Block::list(asked, texts.no_questions)];
    };
    let concern = format!("{}: {}", texts.concern, cut(concern));
    let asked = (!asked.is_empty()).then_some(Block::List(asked));
    [Some(Block::Paragraph(concern)), asked]
        .into_iter()
        .flatten()
        .collect()
}

fn safety(report: &Report, texts: &Texts) -> Vec<Block> {
    let event = |(what, count, last): &(String, usize, jiff::civil::Date)| {
        fill(texts.last, &[&count.to_string(), what, &last.to_string()])
    };
    let events: Vec<String> = report.safety.iter().map(event).collect();
    let (hard, asked) = report.breathing;
    let breathing = fill(texts.breathing, &[&hard.to_string(), &asked.to_string()]);
    let breathing = (asked > 0).then_some(breathing);
    if events.is_empty() {
        let none = Some(texts.no_safety.to_owned());
        let said = [none, breathing].into_iter().flatten();
        return said.map(Block::Paragraph).collect();
    }
    vec![Block::List(events.into_iter().chain(breathing).collect())]
}

fn phase(report: &Report, texts: &Texts) -> Vec<Block> {
    let Some(phase) = &report.phase else {
        return vec![Block::Paragraph(texts.no_phase.to_owned())];
    };
    let left_out: usize = [&phase.fatigue, &phase.weakness]
        .map(|curve| curve.before + curve.beyond)
        .iter()
        .sum();
    let medicine = name(&phase.medicine);
    let empty = phase.fatigue.bins.is_empty() && phase.weakness.bins.is_empty();
    let (shown, first) = if empty {
        (None, texts.no_readings)
    } else {
        (
            Some(Block::Drawing(chart::chart(phase, texts))),
            texts.phase_of,
        )
    };
    let mut said = vec![fill(first, &[&medicine])];
    if left_out > 0 {
        said.push(fill(texts.left_out, &[&left_out.to_string()]));
    }
    let worn: usize = phase
        .wearing_off
        .bins
        .iter()
        .map(|bin| bin.readings.n)
        .sum();
    if worn > 0 {
        said.push(fill(texts.wearing_off, &[&worn.to_string()]));
    }
    let said = said.join(" ");
    match shown {
        Some(drawing) => vec![drawing, Block::Remark(said)],
        None => vec![Block::Paragraph(said)],
    }
}

fn doses(report: &Report, texts: &Texts) -> Vec<Block> {
    if report.medicines.is_empty() {
        return vec![Block::Paragraph(texts.no_doses.to_owned())];
    }
    let mg = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let all_days = report.period.days().to_string();
    let row = |medicine: &Medicine| {
        let late = medicine.late_minutes.as_ref().map_or_else(
            || texts.no_plan.to_owned(),
            |late| fill(texts.late, &[&number(late.median), &late.n.to_string()]),
        );
        let times: Vec<String> = medicine
            .usual_times
            .iter()
            .take(6)
            .map(|at| clock(*at))
            .collect();
        let days = medicine.days.to_string();
        vec![
            name(&medicine.name),
            fill(texts.mg_days, &[&mg(medicine.mean_mg), &days, &all_days]),
            mg(medicine.largest_24h_mg),
            times.join(" "),
            late,
            medicine.skipped.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = report
        .medicines
        .iter()
        .take(MOST_MEDICINES)
        .map(row)
        .collect();
    let mut blocks = vec![Block::table(&texts.dose_heads, rows)];
    let more: Vec<String> = report
        .medicines
        .iter()
        .skip(MOST_MEDICINES)
        .map(|other| name(&other.name))
        .collect();
    if !more.is_empty() {
        let said = fill(
            texts.more_medicines,
            &[&more.len().to_string(), &more.join(", ")],
        );
        blocks.push(Block::Paragraph(cut(&said)));
    }
    blocks
}

fn change(report: &Report, texts: &Texts) -> Vec<Block> {
    let row = |stretch: &Stretch| {
        let days = stretch.period;
        let (first, last) = (days.first().to_string(), days.last().to_string());
        let said = |summary: &Option<Summary>| {
            summary.as_ref().map_or_else(
                || texts.not_answered.to_owned(),
                |is| {
                    let [median, lower, upper] = [is.median, is.lower, is.upper].map(number);
                    let (n, of) = (is.n.to_string(), days.days().to_string());
                    fill(texts.summary, &[&median, &lower, &upper, &n, &of])
                },
            )
        };
        let before = if stretch.earlier { texts.before } else { "" };
        vec![
            format!("{before}{}", fill(texts.to, &[&first, &last])),
            said(&stretch.fatigue),
            said(&stretch.weakness),
        ]
    };
    let rows = report.stretches.iter().map(row).collect();
    vec![Block::table(&texts.change_heads, rows)]
}

fn walks(report: &Report, texts: &Texts) -> Vec<Block> {
    if report.walks.is_empty() {
        return vec![Block::Paragraph(texts.no_walks.to_owned())];
    }
    let unknown = || "–".to_owned();
    let rows: Vec<Vec<String>> = report
        .walks
        .iter()
        .map(|walk| {
            let change = walk.change.map(|percent| {
                let sign = if percent > 0.0 { "+" } else { "" };
                format!("{sign}{} %", number(percent))
            });
            vec![
                walk.day.to_string(),
                format!("{} ({})", number(walk.laps.sum()), number(walk.laps.mean())),
                format!("{:.2}", walk.laps.last_to_first()),
                change.unwrap_or_else(unknown),
                walk.since_dose
                    .map_or_else(unknown, |minutes| format!("{minutes} min")),
            ]
        })
        .collect();
    vec![
        Block::table(&texts.walk_heads, rows),
        Block::Remark(texts.walk_note.to_owned()),
    ]
}

fn sleep(report: &Report, texts: &Texts) -> Vec<Block> {
    let sleep = &report.sleep;
    let mut lines = Vec::new();
    if let Some(hours) = sleep.hours {
        let [median, lower, upper] = [hours.median, hours.lower, hours.upper].map(number);
        lines.push(fill(
            texts.slept,
            &[&median, &lower, &upper, &hours.n.to_string()],
        ));
    }
    if let Some(hours) = sleep.bed {
        let [median, lower, upper] = [hours.median, hours.lower, hours.upper].map(number);
        lines.push(fill(
            texts.bed,
            &[&median, &lower, &upper, &hours.n.to_string()],
        ));
    }
    for (text, share) in [(texts.in_bed, sleep.in_bed), (texts.trying, sleep.trying)] {
        if let Some(share) = share {
            let percent = format!("{:.0}", 100.0 * share.median);
            lines.push(fill(text, &[&percent, &share.n.to_string()]));
        }
    }
    if let Some(waking) = sleep.waking {
        let [median, lower, upper] =
            [waking.median, waking.lower, waking.upper].map(|at| clock(at as i64));
        lines.push(fill(texts.waking, &[&median, &lower, &upper]));
    }
    if let (Some(middle), Some(minutes)) = (sleep.middle, sleep.regularity) {
        let at = clock((middle.median as i64).rem_euclid(24 * 60));
        let (minutes, n) = (format!("{minutes:.0}"), middle.n.to_string());
        lines.push(fill(texts.regularity, &[&minutes, &at, &n]));
    }
    vec![Block::list(lines, texts.no_sleep)]
}

fn symptoms(report: &Report, texts: &Texts) -> Vec<Block> {
    let line = |(what, bad, days): &(String, usize, usize)| {
        fill(
            texts.symptom_days,
            &[&name(what), &bad.to_string(), &days.to_string()],
        )
    };
    let lines: Vec<String> = report
        .symptoms
        .iter()
        .take(MOST_SYMPTOMS)
        .map(line)
        .collect();
    vec![Block::list(lines, texts.no_symptoms)]
}

fn together(report: &Report, texts: &Texts) -> Vec<Block> {
    let findings = &report.findings;
    let asked = findings.topics.iter().zip(&findings.answers.answers);
    let mut found: Vec<(f64, String)> = asked
        .filter_map(|(topic, answer)| match answer {
            Answer::Compared(compared) if compared.went_together() => {
                let topic = match topic {
                    Topic::Own(own) => Topic::Own(name(own)),
                    fixed => fixed.clone(),
                };
                Some((compared.adjusted_p, words::finding(&topic, answer)))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let found: Vec<String> = found
        .into_iter()
        .take(MOST_FINDINGS)
        .map(|(_, said)| said)
        .collect();
    let asked = format!(
        "{}. {}",
        words::asked(&findings.answers),
        words::looked(findings)
    );
    vec![Block::list(found, texts.none_found), Block::Remark(asked)]
}
