//! A drawing of lines, bars, dots and labels, before any form; drawn as SVG and as PDF from the same shapes.
//!
//! Lengths are in units of the drawing, from its upper left corner. There are three tones and no colour.

/// A point: to the right, and down.
pub(super) type Point = (f64, f64);

/// The size of a label.
pub(super) const LABEL: f64 = 10.0;
/// The size of a small label.
pub(super) const SMALL: f64 = 8.0;

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawing {
    /// How wide it is.
    pub(super) width: f64,
    /// How high it is.
    pub(super) height: f64,
    /// What it is called.
    pub(super) title: String,
    /// All that it shows, in words.
    pub(super) words: String,
    /// What is drawn, the lowest first.
    pub(super) shapes: Vec<Shape>,
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A thin line of a grid.
    Grid(Point, Point),
    /// A filled bar, by its upper left corner and its lower right one.
    Bar(Point, Point),
    /// A dot.
    Dot(Point),
    /// A line through points; a single point draws nothing.
    Line(Vec<Point>),
    /// A label.
    Label(Label),
}

/// A label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    /// Where it is anchored, on its base line.
    pub(super) at: Point,
    /// What of it lies there.
    pub(super) anchor: Anchor,
    /// How high its letters are: [`LABEL`] or [`SMALL`].
    pub(super) size: f64,
    /// Whether it reads upwards.
    pub(super) upwards: bool,
    /// What it says.
    pub(super) text: String,
}

/// Which part of a label lies where it is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Label {
    /// Makes a label around a point.
    pub(super) fn middle(at: Point, text: impl ToString) -> Self {
        Self {
            at,
            anchor: Anchor::Middle,
            size: LABEL,
            upwards: false,
            text: text.to_string(),
        }
    }
}
