//! Two doses that look like one: the same medicine and amount, close together, logged by two people.
//!
//! Both are kept and both count until somebody says which it is. That they are two is said on the later one, which then
//! names the other; that they are one is said by deleting one of them.

use jiff::SignedDuration;

use super::{Mg, folded};
use crate::entry::Entry;
use crate::value::Value;

/// How close two doses of one medicine lie that may be one. Two people who log the same dose do so from memory.
const CLOSE: SignedDuration = SignedDuration::from_mins(30);

/// The field of a dose that names another it is not the same as.
pub const NOT_SAME: &str = "not_same_as";

/// Two doses that may be one, by their places in the list they were found in: the earlier one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The earlier one.
    pub first: usize,
    /// The later one.
    pub second: usize,
}

/// Returns the pairs of doses that may be one. `doses` are dose entries by time, each with the name of its author.
pub fn pairs(doses: &[(&Entry, &str)]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (second, (later, by)) in doses.iter().enumerate() {
        for (first, (earlier, other)) in doses.iter().enumerate().take(second).rev() {
            let gap = later.at.instant().duration_since(earlier.at.instant());
            if gap > CLOSE {
                break;
            }
            if by != other && looks_same(earlier, later) {
                pairs.push(Pair { first, second });
            }
        }
    }
    pairs
}

/// Tells whether two doses are of one medicine and amount, taken, and not said to be two.
fn looks_same(one: &Entry, other: &Entry) -> bool {
    let text = |dose: &Entry, name: &str| {
        let text = dose.fields.get(name).and_then(Value::as_text);
        text.map(folded)
    };
    let amount = |dose: &Entry| dose.fields.get("amount_mg").and_then(Mg::of);
    let is_taken = |dose: &Entry| text(dose, "taken").as_deref() != Some("skipped");
    let names = |dose: &Entry, other: &Entry| text(dose, NOT_SAME) == Some(other.id.to_string());
    text(one, "medicine") == text(other, "medicine")
        && amount(one) == amount(other)
        && is_taken(one)
        && is_taken(other)
        && !names(one, other)
        && !names(other, one)
}
