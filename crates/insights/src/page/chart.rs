//! The dose-phase chart as inline SVG: two panels over one axis of time, readable in greyscale, with its numbers in words.

use super::texts::{Texts, fill};
use super::{clock, escaped, number};
use crate::clock::DosePhase;
use crate::phase::{BIN_MINUTES, Bin, Curve};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 8.0;
/// The shortest axis, in minutes.
const LEAST_MINUTES: i64 = 360;

/// One panel: where it lies, its scale, and what is drawn.
struct Panel<'a> {
    top: f64,
    height: f64,
    most: f64,
    step: i32,
    label: &'a str,
    curve: &'a Curve,
}

impl Panel<'_> {
    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.most)
    }
}

/// Draws both curves.
pub(super) fn chart(phase: &DosePhase, texts: &Texts) -> String {
    let panels = [
        Panel {
            top: 8.0,
            height: 104.0,
            most: 10.0,
            step: 5,
            label: texts.fatigue_axis,
            curve: &phase.fatigue,
        },
        Panel {
            top: 136.0,
            height: 52.0,
            most: 3.0,
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
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} 230\" role=\"img\" aria-labelledby=\"phase-title phase-words\">\
         <title id=\"phase-title\">{}</title><desc id=\"phase-words\">{}</desc>",
        escaped(texts.phase),
        escaped(
            &panels
                .iter()
                .map(|panel| words(panel, texts))
                .collect::<Vec<_>>()
                .join(" ")
        )
    );
    let x = |minutes: f64| LEFT + (WIDTH - LEFT - RIGHT) * minutes / last as f64;
    for panel in &panels {
        frame(&mut svg, panel);
        // A half hour without readings is a gap, which no line crosses.
        let mut path = String::new();
        let mut ended = None;
        for bin in &panel.curve.bins {
            let middle = x((bin.minutes + BIN_MINUTES / 2) as f64);
            let verb = if ended == Some(bin.minutes) { 'L' } else { 'M' };
            let y = panel.y(bin.readings.median);
            path.push_str(&format!("{verb}{middle:.1} {y:.1}"));
            ended = Some(bin.minutes + BIN_MINUTES);
            mark(&mut svg, panel, bin, (x(bin.minutes as f64), middle));
        }
        svg.push_str(&format!("<path class=\"line\" d=\"{path}\"/>"));
    }
    let every = if last > 720 { 120 } else { 60 };
    for minutes in (0..=last).step_by(every) {
        let hour = minutes / 60;
        svg.push_str(&format!(
            "<text class=\"mid\" x=\"{:.1}\" y=\"214\">{hour}</text>",
            x(minutes as f64)
        ));
    }
    svg.push_str(&format!(
        "<text class=\"mid\" x=\"{:.1}\" y=\"227\">{}</text></svg>",
        x(last as f64 / 2.0),
        escaped(texts.hours_axis)
    ));
    svg
}

fn frame(svg: &mut String, panel: &Panel<'_>) {
    let right = WIDTH - RIGHT;
    for value in (0..=panel.most as i32).step_by(usize::try_from(panel.step).unwrap_or(1)) {
        let y = panel.y(f64::from(value));
        svg.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{value}</text>",
            LEFT - 5.0,
            y + 3.0
        ));
    }
    let middle = panel.top + panel.height / 2.0;
    svg.push_str(&format!(
        "<text class=\"mid\" transform=\"rotate(-90 14 {middle:.1})\" x=\"14\" y=\"{middle:.1}\">{}</text>",
        escaped(panel.label)
    ));
}

fn mark(svg: &mut String, panel: &Panel<'_>, bin: &Bin, (left, middle): (f64, f64)) {
    let readings = &bin.readings;
    let (upper, lower) = (panel.y(readings.upper), panel.y(readings.lower));
    let width = 2.0 * (middle - left) * 0.7;
    svg.push_str(&format!(
        "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>\
         <circle class=\"dot\" cx=\"{middle:.1}\" cy=\"{:.1}\" r=\"2.6\"/>\
         <text class=\"n\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
        middle - width / 2.0,
        upper - 0.5,
        lower - upper + 1.0,
        panel.y(readings.median),
        panel.top + panel.height + 11.0,
        readings.n
    ));
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
