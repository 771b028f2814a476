//! The dose-phase chart: two panels over one axis of time, readable in greyscale, with its numbers in words.

use super::drawing::{Anchor, Drawing, Label, Point, SMALL, Shape};
use super::texts::{Texts, fill};
use super::{clock, number};
use crate::clock::DosePhase;
use crate::phase::{BIN_MINUTES, Bin, Curve};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 8.0;
/// The shortest axis, in minutes.
const LEAST_MINUTES: i64 = 360;
/// The share of a half hour's width that its bar takes.
const BAR: f64 = 0.7;

/// One panel: where it lies, its scale, and what is drawn.
struct Panel<'a> {
    top: f64,
    height: f64,
    most: u8,
    step: usize,
    label: &'a str,
    curve: &'a Curve,
}

impl Panel<'_> {
    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / f64::from(self.most))
    }
}

/// Draws both curves.
pub(super) fn chart(phase: &DosePhase, texts: &Texts) -> Drawing {
    let panels = [
        Panel {
            top: 8.0,
            height: 104.0,
            most: 10,
            step: 5,
            label: texts.fatigue_axis,
            curve: &phase.fatigue,
        },
        Panel {
            top: 136.0,
            height: 52.0,
            most: 3,
            step: 1,
            label: texts.weakness_axis,
            curve: &phase.weakness,
        },
    ];
    let last = panels
        .iter()
        .filter_map(|panel| panel.curve.bins.last())
        .map(|bin| bin.minutes + BIN_MINUTES)
        .fold(LEAST_MINUTES, i64::max);
    let x = |minutes: i64| LEFT + (WIDTH - LEFT - RIGHT) * minutes as f64 / last as f64;
    let mut shapes = Vec::new();
    for panel in &panels {
        frame(&mut shapes, panel);
        marks(&mut shapes, panel, x);
    }
    let every = if last > 720 { 120 } else { 60 };
    for minutes in (0..=last).step_by(every) {
        let hour = Label::middle((x(minutes), 214.0), minutes / 60);
        shapes.push(Shape::Label(hour));
    }
    let axis = Label::middle((x(last / 2), 227.0), texts.hours_axis);
    shapes.push(Shape::Label(axis));
    Drawing {
        width: WIDTH,
        height: HEIGHT,
        title: texts.phase.to_owned(),
        words: panels
            .iter()
            .map(|panel| words(panel, texts))
            .collect::<Vec<_>>()
            .join(" "),
        shapes,
    }
}

fn frame(shapes: &mut Vec<Shape>, panel: &Panel<'_>) {
    for value in (0..=panel.most).step_by(panel.step) {
        let y = panel.y(f64::from(value));
        shapes.push(Shape::Grid((LEFT, y), (WIDTH - RIGHT, y)));
        shapes.push(Shape::Label(Label {
            anchor: Anchor::End,
            ..Label::middle((LEFT - 5.0, y + 3.0), value)
        }));
    }
    let middle = (14.0, panel.top + panel.height / 2.0);
    shapes.push(Shape::Label(Label {
        upwards: true,
        ..Label::middle(middle, panel.label)
    }));
}

/// Draws the half hours, and the line through their medians. A half hour without readings is a gap, which no line crosses.
fn marks(shapes: &mut Vec<Shape>, panel: &Panel<'_>, x: impl Fn(i64) -> f64) {
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let mut dots = Vec::new();
    let mut ended = None;
    for bin in &panel.curve.bins {
        let readings = &bin.readings;
        let (left, middle) = (x(bin.minutes), x(bin.minutes + BIN_MINUTES / 2));
        let half = (middle - left) * BAR;
        // A bar of no height would not be seen.
        let (upper, lower) = (panel.y(readings.upper) - 0.5, panel.y(readings.lower) + 0.5);
        shapes.push(Shape::Bar((middle - half, upper), (middle + half, lower)));
        let median = (middle, panel.y(readings.median));
        match lines.last_mut().filter(|_| ended == Some(bin.minutes)) {
            Some(line) => line.push(median),
            None => lines.push(vec![median]),
        }
        dots.push(Shape::Dot(median));
        let below = (middle, panel.top + panel.height + 11.0);
        dots.push(Shape::Label(Label {
            size: SMALL,
            ..Label::middle(below, readings.n)
        }));
        ended = Some(bin.minutes + BIN_MINUTES);
    }
    shapes.extend(lines.into_iter().map(Shape::Line));
    shapes.append(&mut dots);
}

/// Says the numbers of a panel.
fn words(panel: &Panel<'_>, texts: &Texts) -> String {
    let bin = |bin: &Bin| {
        let readings = &bin.readings;
        let [median, lower, upper] = [readings.median, readings.lower, readings.upper].map(number);
        let (from, to) = (clock(bin.minutes), clock(bin.minutes + BIN_MINUTES));
        fill(
            texts.bin,
            &[&from, &to, &median, &lower, &upper, &readings.n.to_string()],
        )
    };
    if panel.curve.bins.is_empty() {
        return format!("{}: {}.", panel.label, texts.not_answered);
    }
    let bins: Vec<String> = panel.curve.bins.iter().map(bin).collect();
    fill(texts.readings, &[panel.label, &bins.join("; ")])
}
