//! Statistics of plain numbers, each with the name of its definition.
//!
//! All take the values that were answered; none fills a gap. Checked against NumPy and statsmodels by
//! `tests/conformance/insights.py`.

/// What a number of values is like: shown instead of a bare average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// The lower quartile.
    pub lower: f64,
    /// The upper quartile.
    pub upper: f64,
}

impl Summary {
    /// Summarises values in any order, unless there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self {
            n: sorted.len(),
            mean: mean(&sorted)?,
            median: quantile(&sorted, 0.5)?,
            lower: quantile(&sorted, 0.25)?,
            upper: quantile(&sorted, 0.75)?,
        })
    }

    /// Returns the interquartile range: upper − lower quartile.
    pub fn iqr(&self) -> f64 {
        self.upper - self.lower
    }
}

/// Returns the arithmetic mean, unless there are no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the standard deviation of a sample (÷ n − 1), unless there are fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let center = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    let freedom = values.len() - 1;
    (freedom > 0).then(|| (squares / freedom as f64).sqrt())
}

/// Returns the quantile of definition 7 of Hyndman & Fan ("Sample quantiles in statistical packages", The American
/// Statistician 50(4), 1996), which R, NumPy and spreadsheets take: linear between the order statistics around
/// position `share` × (n − 1), from 0.
///
/// `sorted` is in ascending order, and `share` from 0 to 1. `None` if there are no values, or the share is another.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&share) {
        return None;
    }
    let position = share * sorted.len().checked_sub(1)? as f64;
    let below = position.floor();
    let lower = sorted.get(below as usize)?;
    let upper = sorted.get(position.ceil() as usize)?;
    Some(lower + (upper - lower) * (position - below))
}

/// Returns the values in ascending order.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Returns the autocorrelation of a daily series at a lag of `lag` days, where `None` is a day without a value.
///
/// The mean product of deviations over the pairs of days that both have a value, divided by the variance (÷ n) over all
/// days that have one: Parzen's estimator for series with missing values ("On spectral analysis with missing
/// observations and amplitude modulation", Sankhyā A 25(4), 1963). `None` without a pair, or if nothing varies.
pub fn autocorrelation(days: &[Option<f64>], lag: usize) -> Option<f64> {
    let values: Vec<f64> = days.iter().flatten().copied().collect();
    let center = mean(&values)?;
    let variance = mean(
        &values
            .iter()
            .map(|value| (value - center).powi(2))
            .collect::<Vec<_>>(),
    )?;
    let pairs = days.iter().zip(days.iter().skip(lag));
    let products: Vec<f64> = pairs
        .filter_map(|(one, other)| Some(((*one)? - center) * ((*other)? - center)))
        .collect();
    (variance > 0.0).then_some(mean(&products)? / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_definition_7() {
        let summary = Summary::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((summary.n, summary.mean, summary.median), (4, 2.5, 2.5));
        assert_eq!(
            (summary.lower, summary.upper, summary.iqr()),
            (1.75, 3.25, 1.5)
        );
        assert_eq!(Summary::of([7.0]).unwrap().iqr(), 0.0);
        assert_eq!(Summary::of([]), None);
        assert_eq!(quantile(&[1.0, 2.0], 1.1), None);
        assert_eq!(quantile(&[1.0, 2.0], 1.0), Some(2.0));
    }

    #[test]
    fn a_deviation_takes_two_values() {
        assert_eq!(deviation(&[1.0, 3.0, 5.0]), Some(2.0));
        assert_eq!(deviation(&[4.0, 4.0]), Some(0.0));
        assert_eq!((deviation(&[4.0]), deviation(&[])), (None, None));
    }

    #[test]
    fn autocorrelation_takes_only_days_that_both_have_a_value() {
        let swing = [1.0, -1.0, 1.0, -1.0].map(Some);
        assert_eq!(autocorrelation(&swing, 1), Some(-1.0));
        assert_eq!(autocorrelation(&swing, 2), Some(1.0));
        // Were the gap zero, the estimate would be nearer to it.
        let gap = [Some(1.0), Some(-1.0), None, Some(-1.0), Some(1.0)];
        assert_eq!(autocorrelation(&gap, 1), Some(-1.0));
        assert_eq!(autocorrelation(&swing, 4), None);
        assert_eq!(autocorrelation(&[Some(2.0), Some(2.0)], 1), None);
    }
}
