//! What a plan consists of: the same kind of table as that of the entries, for medicines, exercises and questions.
//!
//! The numbers are the user's own. None is built in, and none is judged.

use super::Kind;
use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use crate::validate::Invalid;
use crate::value::{Fields, Scalar, Value};

/// Everything that can be planned. Plans of other kinds are kept and not shown.
pub static PLANNED: &[Kind] = &[MEDICINE, EXERCISE, FACTOR, TEST, ASK, EMERGENCY];

/// An amount of a medicine, in mg.
const MG: Shape = Shape::Decimal {
    min: 0.0,
    above_min: true,
    max: 100_000.0,
    places: 1,
};

static DAYS: &[Choice] = &[
    Choice::new("mon", "Monday", &["monday"]),
    Choice::new("tue", "Tuesday", &["tuesday"]),
    Choice::new("wed", "Wednesday", &["wednesday"]),
    Choice::new("thu", "Thursday", &["thursday"]),
    Choice::new("fri", "Friday", &["friday"]),
    Choice::new("sat", "Saturday", &["saturday"]),
    Choice::new("sun", "Sunday", &["sunday"]),
];

static ANSWERS: &[Choice] = &[
    Choice::new("0-10", "0 to 10", &["scale", "level"]),
    Choice::new("yes-no", "yes or no", &["yesno", "yes/no"]),
];

static TIMES_OF_DAY: &[Choice] = &[
    Choice::plain("morning"),
    Choice::plain("evening"),
    Choice::new("always", "always", &["both", "daily"]),
    Choice::plain("never"),
];

const MEDICINE: Kind = Kind {
    fields: &[
        Field::new(
            "strength_mg",
            "strength",
            "how much one tablet holds, in mg",
            MG,
        )
        .flag("strength")
        .unit("mg")
        .fact(),
        Field::new(
            "usual_mg",
            "usual amount",
            "how much you usually take at once, in mg",
            MG,
        )
        .flag("usual")
        .unit("mg")
        .fact(),
        Field::text("product", "product", "product or maker").fact(),
        Field::new(
            "times",
            "times",
            "when you take it, by the clock at home: 08:00,12:00,16:00",
            Shape::Texts {
                max_bytes: 5,
                max_items: 24,
            },
        ),
        Field::new(
            "max_single_mg",
            "most at once",
            "your own limit for one dose, in mg",
            MG,
        )
        .flag("max-single")
        .unit("mg")
        .fact(),
        Field::new(
            "max_day_mg",
            "most in 24 h",
            "your own limit for any 24 hours, in mg",
            MG,
        )
        .flag("max-24h")
        .unit("mg")
        .fact(),
        Field::new(
            "min_gap_min",
            "least gap",
            "your own limit for the time between two doses",
            Shape::Minutes { max: 1440 },
        )
        .flag("min-gap")
        .fact(),
        Field::text("limits_by", "limits set by", "who set these limits")
            .flag("limits-by")
            .fact(),
    ],
    rule: clock_times,
    ..Kind::new(
        "medicine",
        "medicine",
        "A medicine you take: how much, when, and your own limits.",
        "ebb plan medicine amifampridine --usual 10mg --times 08:00,12:00,16:00",
    )
};

const EXERCISE: Kind = Kind {
    fields: &[
        Field::new(
            "sets",
            "sets",
            "how many sets",
            Shape::Int { min: 1, max: 100 },
        )
        .fact()
        .say(Say::Counted),
        Field::new(
            "reps",
            "reps",
            "how often in each set",
            Shape::Int { min: 1, max: 1000 },
        )
        .fact()
        .say(Say::Counted),
        Field::new(
            "minutes",
            "minutes",
            "for how long",
            Shape::Minutes { max: 1440 },
        )
        .fact()
        .say(Say::Bare),
        Field::new(
            "days",
            "days",
            "on which days: mon,wed,fri",
            Shape::Choices(DAYS),
        )
        .fact(),
        Field::text(
            "made_with",
            "made with",
            "who made it with you, such as a therapist",
        )
        .flag("made-with")
        .fact(),
    ],
    ..Kind::new(
        "exercise",
        "exercise",
        "An exercise you do, made with a therapist.",
        "ebb plan exercise \"sit to stand\" --sets 2 --reps 8 --days mon,wed,fri",
    )
};

const FACTOR: Kind = Kind {
    fields: &[Field::new(
        "answer",
        "answer",
        "how it is answered: 0-10, or yes-no",
        Shape::Choice(ANSWERS),
    )
    .fact()
    .default("0-10")],
    ..Kind::new(
        "factor",
        "factor",
        "A factor of your own, such as the weather.",
        "ebb plan factor weather --answer 0-10",
    )
};

const TEST: Kind = Kind {
    fields: &[Field::text("unit", "unit", "the unit of its result").fact()],
    ..Kind::new(
        "test",
        "test",
        "A test of your own. Only with someone beside you; stop if you are unsteady.",
        "ebb plan test \"arms up\" --unit s",
    )
};

const ASK: Kind = Kind {
    fields: &[Field::new(
        "when",
        "when",
        "when `ebb check` asks it: morning, evening, always, or never",
        Shape::Choice(TIMES_OF_DAY),
    )
    .fact()
    .default("always")],
    ..Kind::new(
        "ask",
        "question",
        "A question of the check-in: asked, or no longer asked.",
        "ebb plan ask dry-mouth --when evening",
    )
};

const EMERGENCY: Kind = Kind {
    fields: &[Field::new(
        "text",
        "text",
        "what others must know in an emergency, in your own words",
        Shape::Lines {
            max_bytes: 8 * 1024,
        },
    )],
    ..Kind::new(
        "emergency",
        "emergency text",
        "Your own words for an emergency; `ebb emergency` shows them.",
        "ebb plan emergency \"I have LEMS. Call Sam: 555 0100.\"",
    )
};

/// Requires that times are those of a clock, as `08:00`.
fn clock_times(fields: &Fields) -> Result<(), Invalid> {
    let Some(times @ Value::List(list)) = fields.get("times") else {
        return Ok(());
    };
    let is_time = |time: &Scalar| match time {
        Scalar::Text(text) => crate::plan::clock(text).is_some(),
        _ => false,
    };
    if list.iter().all(is_time) {
        Ok(())
    } else {
        let allowed = "times of the clock with commas between, such as 08:00,12:00,16:00";
        Err(Invalid::of(&MEDICINE, "times", times, allowed.to_owned()))
    }
}
