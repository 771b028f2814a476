//! How far apart the days with and the days without something are, in points, within one person.
//!
//! Of outcomes whose straight drift within each span was taken out (`grid`). The difference is taken inside each span between treatment changes, so that what a change brought is not counted as
//! the factor's: it is the coefficient of "with" in the least-squares fit of the outcome on "with" and one level per
//! span. Its standard error lets each side have its own variance, pooled over spans. With one span this is Welch's t
//! ("The generalization of 'Student's' problem when several different population variances are involved", Biometrika
//! 34, 1947), with the degrees of freedom of Satterthwaite (Biometrics Bulletin 2(6), 1946).

/// The days with the factor, and those without.
pub(crate) const SIDES: usize = 2;
/// The place of the days without.
pub(crate) const WITHOUT: usize = 0;
/// The place of the days with.
pub(crate) const WITH: usize = 1;

/// Sums over the days of one side in one span, of values measured from any fixed point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) n: usize,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.squares += value * value;
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }

    /// Sum of squared deviations from the mean.
    fn deviations(&self) -> f64 {
        (self.squares - self.sum * self.sum / self.n as f64).max(0.0)
    }
}

/// The two sides of one span, those without first.
pub(crate) type Sides = [Moments; SIDES];

/// A difference within the person, and how sure its size is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// Mean of the days with − mean of the days without, in the outcome's unit, the drift within each span taken out.
    /// Spans weigh n(with) × n(without) ÷ (n(with) + n(without)).
    pub difference: f64,
    /// Its standard error, as if days were independent: only a yardstick, since they are not.
    pub error: f64,
    /// Difference ÷ standard error; infinite if neither side varies.
    pub t: f64,
    /// Welch and Satterthwaite's degrees of freedom; no number if neither side varies.
    pub freedom: f64,
}

/// Tells how much a span weighs; one without days on both sides says nothing.
pub(crate) fn weight(sides: &Sides) -> f64 {
    let [without, with] = sides.map(|side| side.n as f64);
    if without * with > 0.0 {
        with * without / (with + without)
    } else {
        0.0
    }
}

/// Returns the difference alone, if any span has both sides.
pub(crate) fn difference(spans: &[Sides]) -> Option<f64> {
    let mut total = 0.0;
    let mut weighted = 0.0;
    for sides in spans {
        let weight = weight(sides);
        if weight > 0.0 {
            total += weight;
            weighted += weight * (sides[WITH].mean() - sides[WITHOUT].mean());
        }
    }
    (total > 0.0).then(|| weighted / total)
}

impl Contrast {
    /// Compares the sides, if any span has both, and each has a span with two days.
    pub(crate) fn of(spans: &[Sides]) -> Option<Self> {
        let difference = difference(spans)?;
        let mut total = 0.0;
        let mut freedom = [0.0; SIDES];
        let mut deviations = [0.0; SIDES];
        let mut weights = [0.0; SIDES];
        for sides in spans {
            let weight = weight(sides);
            if weight == 0.0 {
                continue;
            }
            total += weight;
            for (place, side) in sides.iter().enumerate() {
                freedom[place] += side.n as f64 - 1.0;
                deviations[place] += side.deviations();
                weights[place] += weight * weight / side.n as f64;
            }
        }
        if freedom.contains(&0.0) {
            return None;
        }
        let part =
            |place: usize| weights[place] * deviations[place] / freedom[place] / (total * total);
        let parts = [part(WITHOUT), part(WITH)];
        let variance = parts[WITHOUT] + parts[WITH];
        let satterthwaite =
            parts[WITHOUT].powi(2) / freedom[WITHOUT] + parts[WITH].powi(2) / freedom[WITH];
        Some(Self {
            difference,
            error: variance.sqrt(),
            t: if difference == 0.0 {
                0.0
            } else {
                difference / variance.sqrt()
            },
            freedom: variance * variance / satterthwaite,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        for value in values {
            moments.add(*value);
        }
        moments
    }

    #[test]
    fn one_span_is_welch() {
        let contrast = Contrast::of(&[[side(&[1.0, 2.0, 3.0]), side(&[4.0, 6.0])]]).unwrap();
        // Variances 1 and 2: 1/3 + 2/2.
        assert_eq!(contrast.difference, 3.0);
        assert!((contrast.error - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((contrast.freedom - (16.0 / 9.0) / (1.0 / 18.0 + 1.0)).abs() < 1e-12);
    }

    #[test]
    fn a_change_of_level_between_spans_is_not_the_factors() {
        let before = [side(&[1.0, 1.5, 0.5]), side(&[2.0])];
        let after = [side(&[6.0]), side(&[7.0, 7.5, 6.5])];
        let contrast = Contrast::of(&[before, after]).unwrap();
        assert!((contrast.difference - 1.0).abs() < 1e-12);
        let one_sided = [side(&[100.0, 101.0]), side(&[])];
        assert_eq!(Contrast::of(&[before, after, one_sided]), Some(contrast));
    }

    #[test]
    fn says_nothing_of_what_it_cannot_know() {
        assert_eq!(Contrast::of(&[]), None);
        assert_eq!(Contrast::of(&[[side(&[1.0, 2.0]), side(&[])]]), None);
        assert_eq!(Contrast::of(&[[side(&[1.0, 2.0]), side(&[3.0])]]), None);
        let same = Contrast::of(&[[side(&[1.0, 1.0]), side(&[1.0, 1.0])]]).unwrap();
        assert_eq!((same.difference, same.t), (0.0, 0.0));
        let apart = Contrast::of(&[[side(&[1.0, 1.0]), side(&[2.0, 2.0])]]).unwrap();
        assert_eq!((apart.difference, apart.t), (1.0, f64::INFINITY));
    }
}
