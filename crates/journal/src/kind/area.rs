//! The areas of the body that LEMS tires.

use super::shape::Choice;

/// The areas, with what else people call them. In sentences the upper arms are just arms.
pub static AREAS: &[Choice] = &[
    Choice::new("legs", "legs", &["leg", "thigh", "thighs"]),
    Choice::new("hips", "hips", &["hip", "pelvis"]),
    Choice::new("upper-arms", "arms", &["arm", "upper-arm"]),
    Choice::new("shoulders", "shoulders", &["shoulder"]),
    Choice::plain("neck"),
    Choice::new("hands", "hands", &["hand", "fingers"]),
    Choice::new("eyes", "eyes", &["eye", "eyelid", "eyelids", "lids"]),
    Choice::new("speech", "speech", &["speaking", "talking", "voice"]),
    Choice::new("swallowing", "swallowing", &["swallow", "throat"]),
    Choice::new("breathing", "breathing", &["breath"]),
];
