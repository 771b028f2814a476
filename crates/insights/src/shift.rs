//! Whether differences as large arise when the outcomes are turned against the factors: circular-shift max-T.
//!
//! The outcomes of a span are turned as a ring: each turn keeps how one day resembles the next, in the factors and in the
//! outcomes, and undoes only which met which. One turn moves all outcomes against all factors at once, holes included.
//! The adjusted p of a question is the share of turns, the recorded order among them, in which the largest |t| over *all*
//! questions reaches its own: Westfall & Young, *Resampling-Based Multiple Testing* (1993), single-step max-T. As the
//! recorded order counts, p is never 0 (Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9(1), 2010), and never below 1 ÷
//! turns.
//!
//! A ring has no beginning, so turning is only fair to what does not drift (Harris, "Nonsense correlations in
//! neuroscience", bioRxiv 2020.11.29.402719); hence outcomes come here without their drift (`grid`). What wanders in other
//! ways, such as a change that nobody recorded, is not guarded against: the README shows how often that errs.

use std::ops::Range;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::contrast::Contrast;
use crate::grid::Pairs;

/// Two |t| nearer than this, relatively, are equal: a turn that repeats the recorded pairs in another order of adding up
/// reaches them.
const ROUNDING: f64 = 1e-9;

/// How many turns there were, the recorded order among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// Every one that there is.
    All(usize),
    /// The recorded order, and so many drawn at random less one.
    Drawn(usize),
}

impl Turns {
    /// Returns the number.
    pub fn count(self) -> usize {
        let (Self::All(count) | Self::Drawn(count)) = self;
        count
    }
}

/// Returns the adjusted p of each observed |t|, and over how many turns. Takes every turn if there are at most `most`, and
/// else draws `most`.
pub(crate) fn adjusted(
    questions: &[Pairs],
    observed: &[f64],
    spans: &[Range<usize>],
    most: usize,
    seed: u64,
) -> (Vec<f64>, Turns) {
    let turns = spans
        .iter()
        .try_fold(1_usize, |product, span| product.checked_mul(span.len()))
        .filter(|all| *all <= most)
        .map_or(Turns::Drawn(most.max(1)), Turns::All);
    let mut reached = vec![1_usize; observed.len()];
    let mut count = |turn: &[usize]| {
        let largest = questions
            .iter()
            .filter_map(|pairs| Contrast::of(&pairs.turned(spans, turn)))
            .map(|contrast| contrast.t.abs())
            .fold(0.0, f64::max);
        for (reached, observed) in reached.iter_mut().zip(observed) {
            *reached += usize::from(largest >= observed.abs() * (1.0 - ROUNDING));
        }
    };
    match turns {
        Turns::All(all) => (1..all).for_each(|index| count(&nth(spans, index))),
        Turns::Drawn(drawn) => {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            for _ in 1..drawn {
                let turn = spans.iter().map(|span| random.random_range(0..span.len()));
                count(&turn.collect::<Vec<_>>());
            }
        }
    }
    let share = |reached: usize| reached as f64 / turns.count() as f64;
    (reached.into_iter().map(share).collect(), turns)
}

/// Returns the turn of each span in the `index`th of all combinations; the 0th is the recorded order.
fn nth(spans: &[Range<usize>], index: usize) -> Vec<usize> {
    let mut rest = index;
    let digit = |span: &Range<usize>| {
        let turn = rest % span.len();
        rest /= span.len();
        turn
    };
    spans.iter().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn counts_through_every_combination_once() {
        let spans = [0..2, 2..5];
        let all: BTreeSet<_> = (0..6).map(|index| nth(&spans, index)).collect();
        assert_eq!(all.len(), 6);
        assert_eq!(nth(&spans, 0), [0, 0]);
        assert_eq!(nth(&spans, 5), [1, 2]);
    }
}
