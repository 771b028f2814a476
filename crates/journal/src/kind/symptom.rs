//! Symptoms other than fatigue and weakness: autonomic, of the eyes, of speech and swallowing, of breathing.
//!
//! One entry says one symptom or several. How severe they are is said in four steps; breathing is asked as yes or no.

use super::code::Concept;
use super::field::{Field, Say};
use super::shape::{Choice, Shape, YES_NO};
use super::{Kind, together};
use crate::validate::Invalid;
use crate::value::Fields;

/// None, mild, moderate, severe.
const SEVERITY: Shape = Shape::Int { min: 0, max: 3 };

static YES_OR_NO: Shape = Shape::Choice(YES_NO);

/// When breathing was hard.
static BREATHING: &[Choice] = &[
    Choice::new("at-rest", "at rest", &["rest", "resting", "sitting"]),
    Choice::new("lying-flat", "lying flat", &["flat", "lying", "lying-down"]),
    Choice::new("talking", "talking", &["speaking"]),
];

/// A symptom, how severe it is.
const fn severity(name: &'static str, label: &'static str, help: &'static str) -> Field {
    Field::new(name, label, help, SEVERITY)
}

pub(super) const SYMPTOM: Kind = Kind {
    fields: &[
        severity("dry_mouth", "dry mouth", "dry mouth, 0 none to 3 severe")
            .flag("dry-mouth")
            .concept(Concept::snomed("87715008", "Dry mouth")),
        severity(
            "constipation",
            "constipation",
            "constipation, 0 none to 3 severe",
        )
        .concept(Concept::snomed("14760008", "Constipation")),
        severity(
            "light_headed",
            "light-headed on standing",
            "light-headed on standing, 0 none to 3 severe",
        )
        .flag("light-headed")
        .synonyms(&["lightheaded", "dizzy", "dizziness"])
        .concept(Concept::snomed("404640003", "Dizziness")),
        severity(
            "sweating",
            "sweating",
            "too much or too little sweat, 0 not at all to 3 severe",
        )
        .synonyms(&["sweat"]),
        severity(
            "blurred_vision",
            "blurred vision",
            "blurred vision, 0 none to 3 severe",
        )
        .flag("blurred-vision")
        .synonyms(&["blurred", "blurry-vision"]),
        severity(
            "lid_droop",
            "lid droop",
            "drooping eyelids, 0 none to 3 severe",
        )
        .flag("lid-droop")
        .synonyms(&["ptosis", "drooping-lids", "droopy-lids", "lids"]),
        severity(
            "double_vision",
            "double vision",
            "double vision, 0 none to 3 severe",
        )
        .flag("double-vision")
        .synonyms(&["diplopia"])
        .concept(Concept::snomed("24982008", "Double vision")),
        severity("speech", "speech", "slurred speech, 0 none to 3 severe")
            .synonyms(&["slurred-speech"]),
        severity("chewing", "chewing", "hard to chew, 0 no to 3 severe").synonyms(&["chew"]),
        severity(
            "swallowing",
            "swallowing",
            "hard to swallow, 0 no to 3 severe",
        )
        .synonyms(&["swallow"])
        .concept(Concept::snomed("40739000", "Dysphagia")),
        severity("choking", "choking", "choking, 0 none to 3 severe").synonyms(&["choke"]),
        Field::new(
            "breathing",
            "breathing hard",
            "when breathing is hard: at-rest, lying-flat, talking; or lying-flat=no",
            Shape::Each {
                parts: BREATHING,
                answer: &YES_OR_NO,
            },
        )
        .flag("breathing")
        .synonyms(&["breath", "breathless", "breathing"])
        .concept(Concept::snomed("267036007", "Dyspnea")),
        Field::text("name", "name", "a symptom of your own").say(Say::Lead),
        Field::new(
            "level",
            "level",
            "how severe it is, 0 none to 3 severe",
            SEVERITY,
        )
        .say(Say::Lead),
    ],
    rule: named_level,
    ..Kind::new(
        "symptom",
        "symptom",
        "A symptom: of the eyes, speech, swallowing, breathing, or an autonomic one.",
        "ebb symptom dry-mouth 2",
    )
};

/// Requires name and level of a symptom of one's own, or neither.
fn named_level(fields: &Fields) -> Result<(), Invalid> {
    together(&SYMPTOM, fields, "name", "level")
}
