//! The arithmetic of one night of a sleep diary: time in bed, time asleep, efficiency, and what cannot be.
//!
//! Formulas after Carney et al., "The Consensus Sleep Diary" (Sleep 35(2), 2012), and Reed & Sacco, "Measuring
//! sleep efficiency" (J Clin Sleep Med 12(2), 2016). All of it is self-reported. What was not answered is unknown,
//! never zero; only "woke 0 times" makes the minutes awake in the night zero.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::time::At;
use crate::value::Fields;

/// How [`Night::time_in_bed`] is reckoned, to be named wherever it is shown.
pub const TIB_FORMULA: &str = "TIB = out of bed − in bed";
/// How [`Night::total_sleep_time`] is reckoned, to be named wherever it is shown.
pub const TST_FORMULA: &str =
    "TST = (final waking − tried to sleep) − minutes to fall asleep − minutes awake";
/// How [`Night::efficiency_in_bed`] is reckoned, to be named wherever it is shown.
pub const SE_TIB_FORMULA: &str = "SE(TIB) = TST ÷ TIB";
/// How [`Night::efficiency_of_trying`] is reckoned, to be named wherever it is shown.
pub const SE_DSE_FORMULA: &str =
    "SE(DSE) = TST ÷ (minutes to fall asleep + TST + minutes awake + minutes trying after)";
/// How [`Night::mid_sleep`] is reckoned, to be named wherever it is shown.
pub const MID_SLEEP_FORMULA: &str = "mid-sleep = half-way from falling asleep (tried to sleep + minutes to fall asleep) to the final waking";

/// The longest night that is not refused.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// Nights shorter or longer than this are possible, but a slip of twelve hours is likelier.
const LIKELY: (SignedDuration, SignedDuration) = (
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(16),
);
/// Longer waits between going to bed and trying to sleep, or waking and getting up, are likelier a slip.
const LIKELY_GAP: SignedDuration = SignedDuration::from_hours(6);
const HALF_DAY: SignedDuration = SignedDuration::from_hours(12);

/// What a diary says of one night.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Night {
    /// In bed, tried to sleep, woke for good, out of bed.
    times: [Option<At>; 4],
    latency: Option<SignedDuration>,
    awake: Option<SignedDuration>,
    trying_after: Option<SignedDuration>,
}

/// The fields of [`Night::times`].
const TIMES: [&str; 4] = ["in_bed", "tried_to_sleep", "final_wake", "out_of_bed"];

/// A night that cannot have been.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidNight {
    /// Two of its times are in the wrong order.
    #[error(
        "{} is {later}, which is before {}, {earlier}",
        called(later_field),
        called(earlier_field)
    )]
    Order {
        /// The field that must come first.
        earlier_field: &'static str,
        /// Its time.
        earlier: Box<At>,
        /// The field that must not be before it.
        later_field: &'static str,
        /// Its time.
        later: Box<At>,
    },
    /// It is longer than a day.
    #[error(
        "{} to {} is {}; a night is at most 24 h (is a time 12 hours off, or one before the other?)",
        called(from),
        called(to),
        crate::words::duration(*minutes)
    )]
    TooLong {
        /// The field of its first time.
        from: &'static str,
        /// The field of its last time.
        to: &'static str,
        /// How long it is.
        minutes: i64,
    },
    /// More minutes were spent awake than there were.
    #[error(
        "the minutes to fall asleep and those awake make {}, but from trying to sleep to the final waking it is only {}",
        crate::words::duration(*awake_minutes),
        crate::words::duration(*minutes)
    )]
    NegativeSleep {
        /// Minutes to fall asleep and minutes awake in the night.
        awake_minutes: i64,
        /// Minutes from trying to sleep to the final waking.
        minutes: i64,
    },
}

impl InvalidNight {
    /// Returns the field to look at first.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Order { later_field, .. } => later_field,
            Self::TooLong { from, .. } => from,
            Self::NegativeSleep { .. } => "awake_min",
        }
    }
}

/// A time of a night that is probably twelve hours off; about 1 in 100 online diaries has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// The field.
    pub field: &'static str,
    /// The time as given.
    pub given: At,
    /// The time that would make a likely night.
    pub likely: At,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |at: &At| at.civil().strftime("%H:%M").to_string();
        let (given, likely) = (clock(&self.given), clock(&self.likely));
        write!(
            f,
            "{} is {given}: was it {likely}, 12 hours off?",
            called(self.field)
        )
    }
}

impl Night {
    /// Reads a night from the fields of a `sleep` entry; what is absent, skipped or not readable is unknown.
    pub fn of(fields: &Fields) -> Self {
        let at = |name| fields.get(name)?.as_text()?.parse::<At>().ok();
        let minutes = |name| {
            let minutes = fields.get(name)?.as_int()?;
            (0..=1440)
                .contains(&minutes)
                .then(|| SignedDuration::from_mins(minutes))
        };
        let never_woke = fields.get("awakenings").and_then(|n| n.as_int()) == Some(0);
        Self {
            times: TIMES.map(at),
            latency: minutes("latency_min"),
            awake: minutes("awake_min").or(never_woke.then_some(SignedDuration::ZERO)),
            trying_after: minutes("trying_after_min"),
        }
    }

    /// Returns the date the night is keyed by: that of the final waking, or else of getting up.
    pub fn date(&self) -> Option<Date> {
        let [_, _, wake, up] = &self.times;
        wake.as_ref().or(up.as_ref()).map(|at| at.civil().date())
    }

    /// Returns the time in bed ([`TIB_FORMULA`]).
    pub fn time_in_bed(&self) -> Option<SignedDuration> {
        let [bed, _, _, up] = &self.times;
        Some(between(bed.as_ref()?, up.as_ref()?))
    }

    /// Returns the total sleep time ([`TST_FORMULA`]), if every part of it was answered.
    pub fn total_sleep_time(&self) -> Option<SignedDuration> {
        Some(self.trying_to_wake()? - self.latency? - self.awake?)
    }

    /// Returns the share of the time in bed that was sleep ([`SE_TIB_FORMULA`]), 0 to 1.
    pub fn efficiency_in_bed(&self) -> Option<f64> {
        share(self.total_sleep_time()?, self.time_in_bed()?)
    }

    /// Returns the share of the time of trying to sleep that was sleep ([`SE_DSE_FORMULA`]), 0 to 1.
    pub fn efficiency_of_trying(&self) -> Option<f64> {
        let asleep = self.total_sleep_time()?;
        share(
            asleep,
            self.latency? + asleep + self.awake? + self.trying_after?,
        )
    }

    /// Returns mid-sleep ([`MID_SLEEP_FORMULA`]), in minutes from the midnight that begins the night's date, by the clock of
    /// the final waking; below 0 if it was before that midnight.
    pub fn mid_sleep(&self) -> Option<f64> {
        let [_, _, wake, _] = &self.times;
        let woke = wake.as_ref()?.civil().time();
        let woke = woke.duration_since(jiff::civil::Time::midnight());
        let asleep = self.trying_to_wake()? - self.latency?;
        Some((woke.as_secs_f64() - asleep.as_secs_f64() / 2.0) / 60.0)
    }

    /// Checks that the night can have been.
    ///
    /// # Errors
    /// [`InvalidNight`] if its times are out of order, it is longer than 24 h, or its sleep would be negative.
    pub fn check(&self) -> Result<(), InvalidNight> {
        let given: Vec<(&'static str, &At)> = self.given().collect();
        for ((earlier_field, earlier), (later_field, later)) in
            given.iter().zip(given.iter().skip(1))
        {
            if earlier.instant() > later.instant() {
                return Err(InvalidNight::Order {
                    earlier_field,
                    earlier: Box::new((*earlier).clone()),
                    later_field,
                    later: Box::new((*later).clone()),
                });
            }
        }
        if let (Some((from, first)), Some((to, last))) = (given.first(), given.last()) {
            let length = between(first, last);
            if length > LONGEST {
                return Err(InvalidNight::TooLong {
                    from,
                    to,
                    minutes: length.as_mins(),
                });
            }
        }
        // What was not answered is at least zero, so this much was awake for certain.
        let awake = self.latency.unwrap_or_default() + self.awake.unwrap_or_default();
        match self.trying_to_wake() {
            Some(span) if span < awake => Err(InvalidNight::NegativeSleep {
                awake_minutes: awake.as_mins(),
                minutes: span.as_mins(),
            }),
            _ => Ok(()),
        }
    }

    /// Returns a time that is probably twelve hours off: the night is unlikely, and with that time (or both times of
    /// the evening, or both of the morning) moved by twelve hours it is likely; most of all if it then ends in the
    /// morning.
    pub fn slip(&self) -> Option<Slip> {
        if self.is_likely() {
            return None;
        }
        const MOVED: [&[usize]; 6] = [&[0], &[1], &[2], &[3], &[0, 1], &[2, 3]];
        let moves = MOVED
            .into_iter()
            .flat_map(|moved| [(moved, HALF_DAY), (moved, -HALF_DAY)]);
        let likely: Vec<Self> = moves
            .filter_map(|(moved, by)| self.moved(moved, by))
            .filter(Self::is_likely)
            .collect();
        let other = likely
            .iter()
            .find(|night| night.ends_in_the_morning())
            .or(likely.first())?;
        let changed = |((_, given), (_, likely)): &((_, &At), (_, &At))| given != likely;
        let ((field, given), (_, likely)) = self.given().zip(other.given()).find(changed)?;
        Some(Slip {
            field,
            given: given.clone(),
            likely: likely.clone(),
        })
    }

    /// Returns the night with some of its times moved, if it has any of them.
    fn moved(&self, indices: &[usize], by: SignedDuration) -> Option<Self> {
        let mut night = self.clone();
        for (index, time) in night.times.iter_mut().enumerate() {
            if let Some(time) = time.as_mut().filter(|_| indices.contains(&index)) {
                let instant = time.instant().checked_add(by).ok()?;
                *time = At::new(instant, time.offset(), time.zone().map(str::to_owned));
            }
        }
        (night != *self).then_some(night)
    }

    /// Tells whether its last time is of a morning.
    fn ends_in_the_morning(&self) -> bool {
        self.given()
            .last()
            .is_some_and(|(_, at)| (3..13).contains(&at.civil().hour()))
    }

    /// Tells whether the night is in order and of a usual length; one without both ends always is.
    fn is_likely(&self) -> bool {
        let [bed, tried, wake, up] = &self.times;
        let (Some(start), Some(end)) = (
            bed.as_ref().or(tried.as_ref()),
            up.as_ref().or(wake.as_ref()),
        ) else {
            return true;
        };
        let gap = |from: &Option<At>, to: &Option<At>| match (from, to) {
            (Some(from), Some(to)) => between(from, to),
            _ => SignedDuration::ZERO,
        };
        let (shortest, longest) = LIKELY;
        self.check().is_ok()
            && (shortest..=longest).contains(&between(start, end))
            && gap(bed, tried) <= LIKELY_GAP
            && gap(wake, up) <= LIKELY_GAP
    }

    /// Returns the time from trying to sleep to the final waking.
    fn trying_to_wake(&self) -> Option<SignedDuration> {
        let [_, tried, wake, _] = &self.times;
        Some(between(tried.as_ref()?, wake.as_ref()?))
    }

    /// Iterates over the times that were given.
    fn given(&self) -> impl Iterator<Item = (&'static str, &At)> {
        TIMES
            .into_iter()
            .zip(&self.times)
            .filter_map(|(name, at)| Some((name, at.as_ref()?)))
    }
}

/// Returns what people call a field of a night.
fn called(name: &str) -> &str {
    let field = super::sleep::SLEEP
        .fields
        .iter()
        .find(|field| field.name == name);
    field.map_or(name, |field| field.label)
}

/// Returns the time from one instant to another.
fn between(from: &At, to: &At) -> SignedDuration {
    to.instant().duration_since(from.instant())
}

/// Divides, unless by nothing.
fn share(part: SignedDuration, whole: SignedDuration) -> Option<f64> {
    (whole > SignedDuration::ZERO).then(|| part.as_secs_f64() / whole.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn night(fields: &[(&str, &str)]) -> Night {
        let value = |text: &str| {
            text.parse::<i64>()
                .map_or_else(|_| text.into(), Value::from)
        };
        Night::of(
            &fields
                .iter()
                .map(|(name, text)| (name.to_string(), value(text)))
                .collect(),
        )
    }

    const EVENING: [(&str, &str); 4] = [
        ("in_bed", "2026-11-20T22:30:00+01:00"),
        ("tried_to_sleep", "2026-11-20T22:50:00+01:00"),
        ("final_wake", "2026-11-21T07:10:00+01:00"),
        ("out_of_bed", "2026-11-21T07:30:00+01:00"),
    ];

    fn with(more: &[(&str, &str)]) -> Night {
        night(&[&EVENING, more].concat())
    }

    #[test]
    fn reckons_by_the_named_formulas() {
        let all = with(&[
            ("latency_min", "20"),
            ("awake_min", "25"),
            ("trying_after_min", "10"),
        ]);
        assert_eq!(all.time_in_bed(), Some(SignedDuration::from_mins(540)));
        assert_eq!(all.total_sleep_time(), Some(SignedDuration::from_mins(455)));
        assert_eq!(all.efficiency_in_bed(), Some(455.0 / 540.0));
        assert_eq!(all.efficiency_of_trying(), Some(455.0 / 510.0));
        assert_eq!(all.date(), Some(jiff::civil::date(2026, 11, 21)));
        // Asleep from 23:10 to 7:10.
        assert_eq!(all.mid_sleep(), Some(190.0));
        assert_eq!((all.check(), all.slip()), (Ok(()), None));
    }

    #[test]
    fn mid_sleep_may_lie_before_midnight() {
        let early = night(&[
            ("tried_to_sleep", "2026-11-20T20:00:00+01:00"),
            ("latency_min", "0"),
            ("final_wake", "2026-11-21T02:00:00+01:00"),
        ]);
        assert_eq!(early.mid_sleep(), Some(-60.0));
        let unknown = night(&[
            ("tried_to_sleep", "2026-11-20T20:00:00+01:00"),
            ("final_wake", "2026-11-21T02:00:00+01:00"),
        ]);
        assert_eq!(unknown.mid_sleep(), None);
    }

    #[test]
    fn missing_is_never_zero() {
        assert_eq!(with(&[("latency_min", "20")]).total_sleep_time(), None);
        assert_eq!(
            with(&[("awake_min", "20"), ("latency_min", "skipped")]).total_sleep_time(),
            None
        );
        let undisturbed = with(&[("latency_min", "20"), ("awakenings", "0")]);
        assert_eq!(
            undisturbed.total_sleep_time(),
            Some(SignedDuration::from_mins(480))
        );
        assert_eq!(
            with(&[("latency_min", "20"), ("awake_min", "0")]).efficiency_of_trying(),
            None
        );
        assert_eq!(night(&[("quality", "3")]).check(), Ok(()));
        assert_eq!(night(&[("quality", "3")]).slip(), None);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let backwards = night(&[
            ("tried_to_sleep", "2026-11-20T22:50:00+01:00"),
            ("out_of_bed", "2026-11-20T22:49:59+01:00"),
        ]);
        assert_eq!(
            backwards.check().unwrap_err().to_string(),
            "out of bed is 2026-11-20T22:49:59+01:00, which is before tried to sleep, \
             2026-11-20T22:50:00+01:00"
        );
        let hours = |last| {
            night(&[
                ("in_bed", "2026-11-20T22:30:00+01:00"),
                ("out_of_bed", last),
            ])
        };
        assert_eq!(hours("2026-11-21T22:30:00+01:00").check(), Ok(()));
        assert_eq!(
            hours("2026-11-21T22:31:00+01:00")
                .check()
                .unwrap_err()
                .to_string(),
            "in bed to out of bed is 24 h 1 min; a night is at most 24 h (is a time 12 hours off, or one \
             before the other?)"
        );
        assert_eq!(
            with(&[("latency_min", "250"), ("awake_min", "250")]).check(),
            Ok(())
        );
        assert_eq!(
            with(&[("latency_min", "250"), ("awake_min", "251")])
                .check()
                .unwrap_err()
                .to_string(),
            "the minutes to fall asleep and those awake make 8 h 21 min, but from trying to sleep to the final waking it is only 8 h 20 min"
        );
        assert!(with(&[("latency_min", "501")]).check().is_err());
    }

    #[test]
    fn reckons_by_instants_across_a_change_of_the_clocks() {
        let night = night(&[
            ("in_bed", "2026-10-24T23:00:00+02:00"),
            ("out_of_bed", "2026-10-25T07:00:00+01:00"),
        ]);
        assert_eq!(night.time_in_bed(), Some(SignedDuration::from_hours(9)));
    }

    #[test]
    fn asks_about_a_slip_of_twelve_hours() {
        for (field, clock, question) in [
            (
                "in_bed",
                "2026-11-20T10:30:00+01:00",
                "in bed is 10:30: was it 22:30, 12 hours off?",
            ),
            (
                "tried_to_sleep",
                "2026-11-20T10:50:00+01:00",
                "tried to sleep is 10:50: was it 22:50, 12 hours off?",
            ),
            (
                "final_wake",
                "2026-11-20T19:10:00+01:00",
                "woke for good is 19:10: was it 07:10, 12 hours off?",
            ),
            (
                "out_of_bed",
                "2026-11-21T19:30:00+01:00",
                "out of bed is 19:30: was it 07:30, 12 hours off?",
            ),
        ] {
            let given = EVENING.map(|(name, at)| (name, if name == field { clock } else { at }));
            assert_eq!(night(&given).slip().unwrap().to_string(), question);
        }
        let both = night(&[
            ("in_bed", "2026-11-20T10:30:00+01:00"),
            ("tried_to_sleep", "2026-11-20T10:50:00+01:00"),
            ("out_of_bed", "2026-11-21T07:30:00+01:00"),
        ]);
        assert_eq!(both.check(), Ok(()));
        assert_eq!(both.slip().unwrap().field, "in_bed");
        let long_but_likely = night(&[
            ("in_bed", "2026-11-20T17:00:00+01:00"),
            ("out_of_bed", "2026-11-21T08:00:00+01:00"),
        ]);
        assert_eq!(long_but_likely.slip(), None);
    }
}
