//! What came of a question, in plain words. All prose of this crate is here.
//!
//! Things *went together*; nothing here says that one made the other, and nothing says what to do. Numbers that people
//! read are rounded to one decimal place.

use crate::bootstrap::Interval;
use crate::presence::Presence;
use crate::preset::{FIRST_LOOK, Findings, Topic};
use crate::question::{Answer, Answers, Comparison, LEAST_PAIRED, LEAST_SIDE, Shortage};

/// How the two sides of a question and its outcome are called.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The days with the factor, after "on": "days with alcohol".
    pub with: &'a str,
    /// The days without it: "days without".
    pub without: &'a str,
    /// The outcome, as a subject: "fatigue the next day".
    pub outcome: &'a str,
    /// The unit of the outcome, in the plural: "points".
    pub unit: &'a str,
}

/// Says what came of a question.
pub fn answer(answer: &Answer, names: Names<'_>) -> String {
    match answer {
        Answer::NotEnough(short) => shortage(*short),
        Answer::Compared(comparison) => compared(comparison, names),
    }
}

/// Returns how the sides and the outcome of a preset question are called: the days with it, and those without.
pub fn sides(topic: &Topic) -> (String, &'static str) {
    let (with, without) = match topic {
        Topic::SleepTime => (
            "days after longer sleep than usual",
            "after shorter or usual sleep",
        ),
        Topic::SleepQuality => (
            "days after a better night than usual",
            "after another night",
        ),
        Topic::EffortNextDay | Topic::EffortSecondDay => {
            ("days after greater effort than usual", "after less")
        }
        Topic::Heat => ("hotter days", "other days"),
        Topic::Stress => ("days with more stress than usual", "with less"),
        Topic::Caffeine => ("days after more caffeine than usual", "after less"),
        Topic::Alcohol => ("days after alcohol", "after none"),
        Topic::Screens => (
            "days after more screen time than usual before bed",
            "after less",
        ),
        Topic::Own(name) => return (format!("days with (more) {name}"), "without or with less"),
    };
    (with.to_owned(), without)
}

/// Returns what a preset question is called.
pub fn title(topic: &Topic) -> String {
    let title = match topic {
        Topic::SleepTime => "hours slept, and fatigue on the day after the night",
        Topic::SleepQuality => "how good the night was, and fatigue on the day after it",
        Topic::EffortNextDay => "the day's greatest effort, and fatigue the next day",
        Topic::EffortSecondDay => "the day's greatest effort, and fatigue two days later",
        Topic::Heat => "heat, and fatigue the same day",
        Topic::Stress => "stress, and fatigue the same day",
        Topic::Caffeine => "caffeine, and fatigue the next day",
        Topic::Alcohol => "alcohol, and fatigue the next day",
        Topic::Screens => "screens before bed, and fatigue the next day",
        Topic::Own(name) => return format!("{name}, and fatigue the same day"),
    };
    title.to_owned()
}

/// Says what came of a preset question; of one without a clear pattern also how little that means.
pub fn finding(topic: &Topic, said: &Answer) -> String {
    let (with, without) = sides(topic);
    let names = Names {
        with: &with,
        without,
        outcome: "fatigue",
        unit: "points",
    };
    let words = answer(said, names);
    match said {
        Answer::Compared(comparison) if !comparison.went_together() => {
            let (with, without) = comparison.days();
            format!("{words}. {}", how_little(with + without))
        }
        _ => words,
    }
}

/// Says what "no clear pattern" is worth: from the shares of true effects of 1.5 points that are found (README.md).
fn how_little(days: usize) -> &'static str {
    match days {
        ..60 => {
            "After so few days that means very little: most true differences, even of 1.5 points, stay unseen"
        }
        60..120 => {
            "A true difference of 1.5 points still stays unseen in about one journal of four, a smaller one more often"
        }
        _ => "A true difference of 1.5 points would mostly have been seen, a smaller one not",
    }
}

/// Says on which data the questions were answered, and when they are answered anew.
pub fn looked(findings: &Findings) -> String {
    let (days, next) = (findings.days, findings.next);
    match findings.look {
        None => format!(
            "Nothing is compared before there are {FIRST_LOOK} days with fatigue; there are {days}."
        ),
        Some(look) => format!(
            "Answered from the first {} days with fatigue, up to {}; there are {days} now. Answered anew at {next}, as looking \
             again and again finds things by luck.",
            look.taken, look.last
        ),
    }
}

/// Says how many spans the days were compared within.
pub fn split(spans: usize) -> String {
    format!("Compared only within the {spans} spans between treatment changes.")
}

/// Says how a series of fatigue was on the days beside a day without one, if there are such days and others.
pub fn gaps(presence: &Presence) -> Option<String> {
    let (beside, others) = (presence.with?, presence.without?);
    Some(format!(
        "Beside days without a check-in fatigue was {} on average ({} days), on other days {} ({}): nothing fills the gaps.",
        round(beside.mean),
        beside.n,
        round(others.mean),
        others.n
    ))
}

/// Says what the findings are, and are not.
pub const CAUTION: &str = "Things that went together; none is shown to have caused another. A finding that comes and goes was luck.";

/// Says how many questions were asked, as that is what every p is corrected for.
pub fn asked(answers: &Answers) -> String {
    let (asked, compared) = (answers.answers.len(), answers.compared());
    let questions = if asked == 1 { "question" } else { "questions" };
    format!("{asked} {questions} asked, {compared} with days enough")
}

fn shortage(short: Shortage) -> String {
    let (have, need, of) = if short.paired < LEAST_PAIRED {
        (short.paired, LEAST_PAIRED, "")
    } else if short.with < LEAST_SIDE {
        (short.with, LEAST_SIDE, " with it")
    } else {
        (short.without, LEAST_SIDE, " without it")
    };
    format!("not enough days yet: {have} of {need}{of}")
}

fn compared(comparison: &Comparison, names: Names<'_>) -> String {
    let verdict = if comparison.went_together() {
        "went together"
    } else {
        "no clear pattern"
    };
    let difference = comparison.contrast.difference;
    let size = round(difference.abs());
    let direction = if difference > 0.0 { "higher" } else { "lower" };
    let Names {
        with,
        without,
        outcome,
        unit,
    } = names;
    let (more, than) = if size == "0.0" {
        ("the same".to_owned(), "as")
    } else {
        (format!("{size} {unit} {direction}"), "than")
    };
    let (days_with, days_without) = comparison.days();
    let interval = comparison.interval.map(interval).unwrap_or_default();
    format!(
        "{verdict}: {outcome} was {more} on {days_with} {with} {than} on {days_without} {without} \
         ({interval}adjusted p {:.3})",
        comparison.adjusted_p
    )
}

fn interval(interval: Interval) -> String {
    let Interval {
        low, high, level, ..
    } = interval;
    format!(
        "{:.0} % interval {} to {}; ",
        100.0 * level,
        round(low),
        round(high)
    )
}

/// Rounds to one decimal place; zero has no sign.
fn round(value: f64) -> String {
    let text = format!("{value:.1}");
    if text == "-0.0" {
        "0.0".to_owned()
    } else {
        text.replace('-', "−")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contrast::Contrast;
    use crate::question::{SideDays, SpanDays};

    const NAMES: Names<'static> = Names {
        with: "days with alcohol",
        without: "days without",
        outcome: "fatigue the next day",
        unit: "points",
    };

    fn comparison(difference: f64, adjusted_p: f64) -> Comparison {
        let side = |days, mean| SideDays {
            days,
            mean: Some(mean),
        };
        Comparison {
            contrast: Contrast {
                difference,
                error: 0.4,
                t: difference / 0.4,
                freedom: 40.0,
            },
            interval: Some(Interval {
                low: -0.04,
                high: 2.04,
                level: 0.95,
                block: 3,
            }),
            adjusted_p,
            spans: vec![SpanDays {
                with: side(34, 6.0),
                without: side(56, 4.8),
            }],
        }
    }

    fn said(difference: f64, adjusted_p: f64) -> String {
        answer(&Answer::Compared(comparison(difference, adjusted_p)), NAMES)
    }

    #[test]
    fn says_what_went_together_and_what_did_not() {
        assert_eq!(
            said(1.21, 0.05),
            "went together: fatigue the next day was 1.2 points higher on 34 days with alcohol than on 56 days without \
             (95 % interval 0.0 to 2.0; adjusted p 0.050)"
        );
        assert!(said(-1.21, 0.051).starts_with(
            "no clear pattern: fatigue the next day was 1.2 points lower on 34 days with alcohol than on"
        ));
        assert!(
            said(-0.04, 1.0)
                .contains(" was the same on 34 days with alcohol as on 56 days without ")
        );
    }

    #[test]
    fn says_how_many_days_are_missing() {
        let short = |paired, with, without| {
            answer(
                &Answer::NotEnough(Shortage {
                    paired,
                    with,
                    without,
                }),
                NAMES,
            )
        };
        assert_eq!(short(12, 3, 9), "not enough days yet: 12 of 30");
        assert_eq!(short(40, 4, 36), "not enough days yet: 4 of 10 with it");
        assert_eq!(short(40, 32, 8), "not enough days yet: 8 of 10 without it");
    }

    #[test]
    fn says_how_many_questions_were_asked() {
        let none = Answer::NotEnough(Shortage {
            paired: 0,
            with: 0,
            without: 0,
        });
        let answers = vec![none, Answer::Compared(comparison(1.0, 0.5))];
        let said = asked(&Answers {
            answers,
            spans: Vec::new(),
            turns: None,
        });
        assert_eq!(said, "2 questions asked, 1 with days enough");
    }
}
