//! The questions that are fixed in advance, each with its lag, and the days on which they are answered.
//!
//! *A look every week is many looks*: each answer keeps its 5 %, and yet a false finding turns up at some time in more than one
//! journal of four. So questions are answered anew only when the days with fatigue have reached 30, 60, 120, 240 and so on; in
//! between the answer stays what it was, from the data up to that day. All questions share the day, as their p do.
//!
//! What a dose does within two hours is no question of days: the dose-phase curve shows it, and it is not tested.

use jiff::civil::Date;

use crate::daily::Daily;
use crate::question::{Answers, Draws, Question, Split, Unaskable, ask};
use crate::series::Series;

/// How many days with fatigue the first look takes; each further one takes twice as many.
pub const FIRST_LOOK: usize = 30;
/// The most factors of the person's own that are asked about: those answered on most days.
pub const MOST_OWN: usize = 6;

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Hours slept, and the day after the night.
    SleepTime,
    /// How good the night was, and the day after it.
    SleepQuality,
    /// The day's greatest effort, and the next day.
    EffortNextDay,
    /// The day's greatest effort, and the day after the next.
    EffortSecondDay,
    /// Heat, and the same day.
    Heat,
    /// Stress, and the same day.
    Stress,
    /// Caffeine, and the next day.
    Caffeine,
    /// Alcohol, and the next day.
    Alcohol,
    /// Screens before bed, and the next day.
    Screens,
    /// A factor of the person's own, and the same day.
    Own(String),
}

impl Topic {
    /// Returns its name for programs, in kebab-case; that of an own factor has `own-` before it.
    pub fn name(&self) -> String {
        let name = match self {
            Self::SleepTime => "sleep-time",
            Self::SleepQuality => "sleep-quality",
            Self::EffortNextDay => "effort-next-day",
            Self::EffortSecondDay => "effort-second-day",
            Self::Heat => "heat",
            Self::Stress => "stress",
            Self::Caffeine => "caffeine",
            Self::Alcohol => "alcohol",
            Self::Screens => "screens",
            Self::Own(name) => return format!("own-{}", name.replace(char::is_whitespace, "-")),
        };
        name.to_owned()
    }

    /// Returns how many days later the outcome is looked at.
    pub fn lag(&self) -> usize {
        match self {
            Self::EffortSecondDay => 2,
            Self::EffortNextDay | Self::Caffeine | Self::Alcohol | Self::Screens => 1,
            Self::SleepTime | Self::SleepQuality | Self::Heat | Self::Stress | Self::Own(_) => 0,
        }
    }
}

/// On which data the questions were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How many days with fatigue were taken: 30, 60, 120 and so on.
    pub taken: usize,
    /// The day up to which data were taken.
    pub last: Date,
}

/// What came of all the preset questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// The look that was taken; none before there are [`FIRST_LOOK`] days.
    pub look: Option<Look>,
    /// Days with fatigue so far.
    pub days: usize,
    /// With how many days the questions are answered anew.
    pub next: usize,
    /// What was asked, in the order of `answers`.
    pub topics: Vec<Topic>,
    /// The answers.
    pub answers: Answers,
}

/// Finds the last look that a series of outcomes has reached.
pub fn look(outcome: &Series) -> Option<Look> {
    let taken = std::iter::successors(Some(FIRST_LOOK), |days| days.checked_mul(2))
        .take_while(|days| *days <= outcome.len())
        .last()?;
    let (last, _) = outcome.iter().nth(taken - 1)?;
    Some(Look { taken, last })
}

/// Asks the preset questions of fatigue, and those of the person's own factors, all together.
///
/// # Errors
/// [`Unaskable`] if the draws are too few.
pub fn findings(daily: &Daily, draws: Draws) -> Result<Findings, Unaskable> {
    let look = look(&daily.fatigue);
    let asked = topics(daily);
    let up_to =
        |series: &Series| look.map_or_else(|| series.clone(), |look| series.up_to(look.last));
    let outcome = up_to(&daily.fatigue);
    let factors: Vec<(Series, Split)> = asked
        .iter()
        .map(|topic| factor(topic, daily))
        .map(|(series, split)| (up_to(series), split))
        .collect();
    let questions: Vec<Question<'_>> = asked
        .iter()
        .zip(&factors)
        .map(|(topic, (factor, split))| Question {
            factor,
            split: *split,
            outcome: &outcome,
            lag: topic.lag(),
        })
        .collect();
    Ok(Findings {
        look,
        days: daily.fatigue.len(),
        next: look.map_or(FIRST_LOOK, |look| look.taken.saturating_mul(2)),
        answers: ask(&questions, &daily.changes, draws)?,
        topics: asked,
    })
}

/// Returns what is asked: always the same, and the own factors that were answered on most days.
fn topics(daily: &Daily) -> Vec<Topic> {
    let mut own: Vec<(&String, &Series)> = daily.own.iter().collect();
    own.sort_by_key(|(_, series)| std::cmp::Reverse(series.len()));
    let own = own.into_iter().take(MOST_OWN);
    let fixed = [
        Topic::SleepTime,
        Topic::SleepQuality,
        Topic::EffortNextDay,
        Topic::EffortSecondDay,
        Topic::Heat,
        Topic::Stress,
        Topic::Caffeine,
        Topic::Alcohol,
        Topic::Screens,
    ];
    fixed
        .into_iter()
        .chain(own.map(|(name, _)| Topic::Own(name.clone())))
        .collect()
}

/// Returns the factor of a topic, and when it counts as there.
fn factor<'a>(topic: &Topic, daily: &'a Daily) -> (&'a Series, Split) {
    let level = |series| (series, Split::AboveMedian);
    match topic {
        Topic::SleepTime => level(&daily.sleep_hours),
        Topic::SleepQuality => level(&daily.sleep_quality),
        Topic::EffortNextDay | Topic::EffortSecondDay => level(&daily.effort),
        // The form in which heat was told on more days.
        Topic::Heat if daily.heat.len() > daily.heat_celsius.len() => {
            (&daily.heat, Split::AtLeast(1.0))
        }
        Topic::Heat => level(&daily.heat_celsius),
        Topic::Stress => level(&daily.stress),
        Topic::Caffeine => level(&daily.caffeine),
        Topic::Alcohol => (&daily.alcohol, Split::AtLeast(1.0)),
        Topic::Screens => level(&daily.screens),
        Topic::Own(name) => match daily.own.get(name) {
            Some(series) if series.iter().all(|(_, value)| value <= 1.0) => {
                (series, Split::AtLeast(1.0))
            }
            Some(series) => level(series),
            None => level(&daily.heat),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Answer;
    use jiff::civil::date;

    fn series(days: i64, value: impl Fn(i64) -> f64) -> Series {
        let day = |number| date(2026, 1, 1) + jiff::Span::new().days(number);
        Series::of((0..days).map(|number| (day(number), value(number)))).unwrap()
    }

    /// Alcohol on some days in no order, and worse fatigue on the day after it.
    fn journal(days: i64) -> Daily {
        let drank = |number: i64| number * number * 7 % 31 % 10 < 4;
        let worse = |number: i64| if drank(number - 1) { 2.0 } else { 0.0 };
        Daily {
            fatigue: series(days, |number| {
                4.0 + (number * number % 11) as f64 / 11.0 + worse(number)
            }),
            alcohol: series(days, |number| f64::from(u8::from(drank(number)))),
            ..Daily::default()
        }
    }

    fn alcohol(findings: &Findings) -> &Answer {
        let place = findings
            .topics
            .iter()
            .position(|topic| *topic == Topic::Alcohol);
        &findings.answers.answers[place.unwrap()]
    }

    #[test]
    fn the_answer_stays_until_the_days_have_doubled() {
        assert_eq!(look(&series(29, |_| 1.0)), None);
        let taken = |days| look(&series(days, |_| 1.0)).map(|look| look.taken);
        assert_eq!(
            [30, 59, 60, 239, 240].map(taken),
            [30, 30, 60, 120, 240].map(Some)
        );
        let at = |days| findings(&journal(days), Draws::default()).unwrap();
        let (now, later, doubled) = (at(60), at(119), at(120));
        assert_eq!(alcohol(&now), alcohol(&later));
        assert_ne!(alcohol(&later), alcohol(&doubled));
        assert_eq!((later.days, later.next, doubled.next), (119, 120, 240));
    }

    #[test]
    fn finds_what_is_there_and_counts_what_was_asked() {
        let found = findings(&journal(60), Draws::default()).unwrap();
        assert!(
            matches!(alcohol(&found), Answer::Compared(compared) if compared.went_together()),
            "{found:?}"
        );
        assert_eq!((found.topics.len(), found.answers.compared()), (9, 1));
        let early = findings(&journal(20), Draws::default()).unwrap();
        assert!(matches!(alcohol(&early), Answer::NotEnough(short) if short.paired == 19));
    }

    #[test]
    fn own_factors_are_asked_about_few_at_a_time() {
        let mut daily = journal(10);
        for number in 0..9 {
            daily
                .own
                .insert(format!("factor {number}"), series(number + 1, |_| 1.0));
        }
        let asked = topics(&daily);
        let own = asked.iter().filter(|topic| matches!(topic, Topic::Own(_)));
        let names: Vec<String> = own.map(Topic::name).collect();
        assert_eq!(names.first().map(String::as_str), Some("own-factor-8"));
        assert_eq!(names.len(), MOST_OWN);
    }
}
