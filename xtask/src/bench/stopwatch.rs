//! Timing whole processes: one run, and series of runs taken in turn.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::scene::{Home, number, parse, text};

/// One run of a program.
pub(super) struct Lap {
    /// From start to end of the process.
    pub(super) seconds: f64,
    /// The most memory it had at a time.
    pub(super) peak_mib: f64,
    /// What it wrote to stdout.
    pub(super) stdout: String,
}

/// Many runs of the same work.
pub(super) struct Series(Vec<Lap>);

impl Series {
    /// Returns the median time.
    pub(super) fn seconds(&self) -> f64 {
        let mut times: Vec<f64> = self.0.iter().map(|lap| lap.seconds).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Returns the greatest peak.
    pub(super) fn peak_mib(&self) -> f64 {
        self.0.iter().map(|lap| lap.peak_mib).fold(0.0, f64::max)
    }

    /// Returns the last run.
    pub(super) fn last(&self) -> Option<&Lap> {
        self.0.last()
    }
}

/// Starts programs through `measure`, which sees how much memory they took.
pub(super) struct Stopwatch {
    measure: PathBuf,
}

impl Stopwatch {
    /// Uses this build of `measure`.
    pub(super) fn new(measure: &Path) -> Self {
        Self {
            measure: measure.to_owned(),
        }
    }

    /// Runs a program in a home's environment, and fails unless it succeeds.
    pub(super) fn time(&self, home: &Home, command: &Command) -> Result<Lap, Failure> {
        let words: Vec<&OsStr> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .collect();
        let mut measure = Command::new(&self.measure);
        measure.args(words);
        home.enter(&mut measure);
        let line = process::line(command);
        let document = parse(&line, &process::answer(&mut measure)?)?;
        match number(&document, "exit_code") {
            Ok(0.0) => Ok(Lap {
                seconds: number(&document, "seconds")?,
                peak_mib: number(&document, "peak_kib")? / 1024.0,
                stdout: text(&document, "stdout")?,
            }),
            other => {
                let status = other.map_or_else(
                    |_| "a signal".to_owned(),
                    |code| format!("exit code {code}"),
                );
                Err(Failure::Command { line, status })
            }
        }
    }
}

/// One kind of work, to be run again and again.
pub(super) type Work<'a> = &'a mut dyn FnMut() -> Result<Lap, Failure>;

/// Runs each work `rounds` times, all in turn, after one round that does not count.
pub(super) fn interleave<const N: usize>(
    rounds: usize,
    mut works: [Work<'_>; N],
) -> Result<[Series; N], Failure> {
    let mut series = std::array::from_fn(|_| Series(Vec::with_capacity(rounds)));
    for round in 0..=rounds {
        for (work, series) in works.iter_mut().zip(&mut series) {
            let lap = work()?;
            if round > 0 {
                series.0.push(lap);
            }
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lap(seconds: f64) -> Lap {
        Lap {
            seconds,
            peak_mib: seconds,
            stdout: String::new(),
        }
    }

    #[test]
    fn works_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(Vec::new());
        let mut first = 0.0;
        let mut a = || {
            order.borrow_mut().push('a');
            first += 1.0;
            Ok(lap(first))
        };
        let mut b = || {
            order.borrow_mut().push('b');
            Ok(lap(1.0))
        };
        let [a, b] = interleave(3, [&mut a, &mut b]).unwrap();
        assert_eq!(order.into_inner(), ['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
        assert_eq!(
            (a.seconds(), a.peak_mib(), a.last().unwrap().seconds),
            (3.0, 4.0, 4.0)
        );
        assert_eq!(b.seconds(), 1.0);
    }
}
