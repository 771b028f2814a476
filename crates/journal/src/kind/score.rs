//! The total of a questionnaire that was filled in elsewhere. No item of any is known here, only the range of its total.

use super::Kind;
use super::field::{Field, Say};
use super::shape::{Choice, Shape};
use crate::validate::Invalid;
use crate::value::{Fields, Scalar, Value};

static INSTRUMENTS: &[Choice] = &[
    Choice::new("fss", "FSS", &[]),
    Choice::new("mfis", "MFIS", &[]),
    Choice::new(
        "promis-fatigue-t",
        "PROMIS Fatigue T",
        &["promis-fatigue", "promis"],
    ),
    Choice::new(
        "neuro-qol-fatigue-t",
        "Neuro-QoL Fatigue T",
        &["neuro-qol-fatigue", "neuro-qol", "neuroqol"],
    ),
    Choice::new("mg-adl", "MG-ADL", &["mgadl"]),
    Choice::new("mg-qol15", "MG-QOL15", &["mgqol15"]),
    Choice::new("mg-qol15r", "MG-QOL15r", &["mgqol15r"]),
    Choice::new("qmg", "QMG", &[]),
    Choice::new("w-sas", "W-SAS", &["wsas"]),
    Choice::new("sgi", "SGI", &[]),
];

/// The least and the greatest total of each instrument. The FSS is reported as the mean or as the sum of its items; T
/// scores are bounded by their definition (mean 50, standard deviation 10).
pub(crate) static TOTALS: &[(&str, f64, f64)] = &[
    ("fss", 1.0, 63.0),
    ("mfis", 0.0, 84.0),
    ("promis-fatigue-t", 0.0, 100.0),
    ("neuro-qol-fatigue-t", 0.0, 100.0),
    ("mg-adl", 0.0, 24.0),
    ("mg-qol15", 0.0, 60.0),
    ("mg-qol15r", 0.0, 30.0),
    ("qmg", 0.0, 39.0),
    ("w-sas", -3.0, 3.0),
    ("sgi", 1.0, 7.0),
];

pub(super) const SCORE: Kind = Kind {
    fields: &[
        Field::new(
            "instrument",
            "instrument",
            "which questionnaire",
            Shape::Choice(INSTRUMENTS),
        )
        .required()
        .say(Say::Lead),
        Field::new(
            "total",
            "total",
            "its total",
            Shape::Decimal {
                min: -3.0,
                above_min: false,
                max: 100.0,
                places: 2,
            },
        )
        .say(Say::Lead),
        Field::text("version", "version", "which version of it"),
        Field::new(
            "date",
            "filled in",
            "the date on which it was filled in",
            Shape::Date,
        ),
        Field::text("scored_by", "scored by", "who added it up").flag("scored-by"),
    ],
    rule: in_range,
    ..Kind::new(
        "score",
        "score",
        "The total of a questionnaire that was filled in elsewhere.",
        "ebb score FSS 5.2",
    )
};

/// Requires a total, within the range of the instrument.
fn in_range(fields: &Fields) -> Result<(), Invalid> {
    let total = fields
        .get("total")
        .ok_or_else(|| Invalid::missing(&SCORE, "total", None))?;
    let number = match total {
        Value::Scalar(Scalar::Int(whole)) => *whole as f64,
        Value::Scalar(Scalar::Float(number)) => *number,
        _ => return Ok(()),
    };
    let instrument = fields.get("instrument").and_then(Value::as_text);
    let range = TOTALS.iter().find(|(name, ..)| Some(*name) == instrument);
    match range {
        Some((name, min, max)) if !(*min..=*max).contains(&number) => {
            let label = INSTRUMENTS.iter().find(|choice| choice.value == *name);
            let label = label.map_or(*name, |choice| choice.label);
            let allowed = format!("from {min} to {max} for {label}");
            Err(Invalid::of(&SCORE, "total", total, allowed))
        }
        _ => Ok(()),
    }
}
