//! How far the difference could lie from what was seen, as days resemble their neighbours: the moving-block bootstrap.
//!
//! Künsch, "The jackknife and the bootstrap for general stationary observations" (Annals of Statistics 17(3), 1989): each
//! span is rebuilt at its own length from overlapping blocks of its days, factor and outcome together, holes included,
//! and the difference within spans is taken anew. The interval is that of the percentiles of those differences.
//!
//! **Length of a block.** Politis & White, "Automatic block-length selection for the dependent bootstrap" (Econometric
//! Reviews 23(1), 2004; corrected 28(4), 2009) for overlapping blocks, with a first-order autoregression put in:
//! (√6 ρ ÷ (1 − ρ²))^⅔ × days^⅓, rounded up, at least 1 and at most a quarter of the days. ρ is the autocorrelation at
//! one day of what each day adds to the difference, and none if negative.

use std::ops::Range;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::contrast::{Moments, SIDES, difference};
use crate::grid::Pairs;
use crate::statistics::{autocorrelation, quantile, sorted};

/// The share of the resampled differences inside the interval.
const LEVEL: f64 = 0.95;
/// No interval if a larger share of the resampled journals has no day on one of the sides.
const MOST_UNDEFINED: f64 = 0.05;
/// The autocorrelation is taken to be at most this, or blocks would be endless.
const STRONGEST: f64 = 0.97;

/// An interval of the difference, in the outcome's unit; not corrected for the number of questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The share of the resampled differences inside: 0.95.
    pub level: f64,
    /// Days in a block.
    pub block: usize,
}

/// Resamples the difference `replicates` times. `None` if there are none, or too many of them have no difference: the
/// days with the factor, or without, lie too close together to tell.
pub(crate) fn interval(
    pairs: &Pairs,
    spans: &[Range<usize>],
    replicates: usize,
    seed: u64,
) -> Option<Interval> {
    let block = block_length(&pairs.influence(spans));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut differences = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        let mut rebuilt = Vec::with_capacity(spans.len());
        for span in spans {
            let mut sums = [Moments::default(); SIDES];
            let mut missing = span.len();
            let length = block.min(missing);
            while missing > 0 {
                let start = span.start + random.random_range(0..=span.len() - length);
                let taken = length.min(missing);
                pairs.add(&mut sums, start..start + taken);
                missing -= taken;
            }
            rebuilt.push(sums);
        }
        differences.extend(difference(&rebuilt));
    }
    let undefined = (replicates - differences.len()) as f64;
    if undefined > MOST_UNDEFINED * replicates as f64 {
        return None;
    }
    let differences = sorted(differences);
    let tail = (1.0 - LEVEL) / 2.0;
    Some(Interval {
        low: quantile(&differences, tail)?,
        high: quantile(&differences, 1.0 - tail)?,
        level: LEVEL,
        block,
    })
}

/// Returns the length of a block, in days.
fn block_length(influence: &[Option<f64>]) -> usize {
    let rho = autocorrelation(influence, 1)
        .unwrap_or(0.0)
        .clamp(0.0, STRONGEST);
    let days = influence.len() as f64;
    let length = (6.0_f64.sqrt() * rho / (1.0 - rho * rho)).powf(2.0 / 3.0) * days.cbrt();
    (length.ceil() as usize).clamp(1, (influence.len() / 4).max(1))
}
