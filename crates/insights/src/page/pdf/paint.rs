//! Draws what has its place, and makes the tree of tags by which a PDF is read aloud.
//!
//! Everything drawn is either tagged content with its place in the tree, or decoration that is marked as such.

use std::num::NonZeroU16;

use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect, Transform};
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, BBox, ContentTag, ListNumbering, Node, SpanTag, TableHeaderScope, Tag,
    TagGroup, TagKind,
};

use super::face::{Run, Typeface, Weight};
use super::flow::{Part, Placed, Style};
use crate::page::drawing::{Anchor, Drawing, Label, Shape};

/// Tones, from 0 for black to 255 for white; text that stands back keeps a contrast of more than 4.5 to the paper.
const INK: u8 = 17;
const SOFT: u8 = 85;
const RULE: u8 = 187;
const BAR: u8 = 204;

/// The control points of a quarter of a circle of radius 1, by cubic curves.
const ROUND: f32 = 0.552_285;
const DOT: f32 = 2.6;

/// Draws on one sheet.
pub(super) struct Painter<'a, 'b> {
    pub(super) surface: &'a mut Surface<'b>,
    pub(super) typeface: &'a Typeface,
    pub(super) lang: &'a str,
}

impl Painter<'_, '_> {
    /// Draws, and returns the node of the tree, if it has one.
    pub(super) fn draw(&mut self, placed: &Placed<'_>) -> Option<Node> {
        match placed {
            Placed::Part(part, inner) => {
                let children = inner.iter().filter_map(|inner| self.draw(inner));
                let children = children.collect();
                let tag = self.tag(*part, inner);
                Some(TagGroup::with_children(tag, children).into())
            }
            Placed::Line(left, base, style, text) => Some(self.line(*left, *base, *style, text)),
            Placed::Rule(left, right, y) => {
                let decoration = Artifact::with_kind(ArtifactType::Layout);
                self.surface.start_tagged(ContentTag::Artifact(decoration));
                self.stroke(&[(*left, *y), (*right, *y)], RULE, 0.5);
                self.surface.end_tagged();
                None
            }
            Placed::Drawing(left, top, scale, drawing) => {
                Some(self.drawing((*left, *top), *scale, drawing))
            }
        }
    }

    fn tag(&self, part: Part, inner: &[Placed<'_>]) -> TagKind {
        let heading = |level: NonZeroU16| Tag::Hn(level, Some(text_of(inner))).into();
        match part {
            Part::Title => heading(NonZeroU16::MIN),
            Part::Heading => heading(NonZeroU16::MIN.saturating_add(1)),
            Part::Section => Tag::Section.into(),
            Part::Paragraph => Tag::P.into(),
            Part::List => Tag::L(ListNumbering::Disc).into(),
            Part::Item => Tag::LI.into(),
            Part::Bullet => Tag::Lbl.into(),
            Part::Said => Tag::LBody.into(),
            Part::Table => Tag::Table.into(),
            Part::Head => Tag::THead.into(),
            Part::Body => Tag::TBody.into(),
            Part::TableRow => Tag::TR.into(),
            Part::HeadCell => Tag::TH(TableHeaderScope::Column).into(),
            Part::Cell => Tag::TD.into(),
        }
    }

    fn line(&mut self, left: f32, base: f32, style: Style, text: &str) -> Node {
        let run = self.typeface.face(style.weight).run(text);
        let tag = SpanTag::empty()
            .with_lang(Some(self.lang))
            .with_actual_text(run.written.as_deref());
        let id = self.surface.start_tagged(ContentTag::Span(tag));
        let tone = if style.soft { SOFT } else { INK };
        self.glyphs(&run, (left, base), style.weight, style.size, tone);
        self.surface.end_tagged();
        id.into()
    }

    fn glyphs(&mut self, run: &Run, at: (f32, f32), weight: Weight, size: f32, tone: u8) {
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(fill(tone)));
        let font = self.typeface.face(weight).font.clone();
        let start = Point::from_xy(at.0, at.1);
        self.surface
            .draw_glyphs(start, &run.glyphs, font, &run.shown, size, false);
    }

    /// Draws a picture with all its labels as one figure.
    fn drawing(&mut self, (left, top): (f32, f32), scale: f32, drawing: &Drawing) -> Node {
        let (width, height) = (drawing.width as f32, drawing.height as f32);
        let around = Rect::from_xywh(left, top, width * scale, height * scale);
        let words = format!("{}. {}", drawing.title, drawing.words);
        let tag = Tag::Figure(Some(words)).with_bbox(around.map(|around| BBox::new(0, around)));
        let id = self.surface.start_tagged(ContentTag::Other);
        let placing = Transform::from_row(scale, 0.0, 0.0, scale, left, top);
        self.surface.push_transform(&placing);
        for shape in &drawing.shapes {
            self.shape(shape);
        }
        self.surface.pop();
        self.surface.end_tagged();
        TagGroup::with_children(tag, vec![id.into()]).into()
    }

    fn shape(&mut self, shape: &Shape) {
        let near = |(x, y): (f64, f64)| (x as f32, y as f32);
        match shape {
            Shape::Grid(from, to) => self.stroke(&[near(*from), near(*to)], RULE, 0.6),
            Shape::Line(points) => {
                let points: Vec<(f32, f32)> = points.iter().copied().map(near).collect();
                self.stroke(&points, INK, 1.2);
            }
            Shape::Bar(from, to) => {
                let ((left, top), (right, bottom)) = (near(*from), near(*to));
                let mut path = PathBuilder::new();
                if let Some(bar) = Rect::from_ltrb(left, top, right, bottom) {
                    path.push_rect(bar);
                }
                self.fill(path, BAR);
            }
            Shape::Dot(at) => {
                let (x, y) = near(*at);
                self.fill(dot(x, y), INK);
            }
            Shape::Label(label) => self.label(label),
        }
    }

    fn label(&mut self, label: &Label) {
        let (x, y) = (label.at.0 as f32, label.at.1 as f32);
        let size = label.size as f32;
        let run = self.typeface.face(Weight::Regular).run(&label.text);
        let before = match label.anchor {
            Anchor::Middle => run.width * size / 2.0,
            Anchor::End => run.width * size,
        };
        let turned = label.upwards;
        if turned {
            self.surface
                .push_transform(&Transform::from_rotate_at(-90.0, x, y));
        }
        self.glyphs(&run, (x - before, y), Weight::Regular, size, INK);
        if turned {
            self.surface.pop();
        }
    }

    fn stroke(&mut self, points: &[(f32, f32)], tone: u8, width: f32) {
        let mut path = PathBuilder::new();
        for (place, (x, y)) in points.iter().enumerate() {
            if place == 0 {
                path.move_to(*x, *y);
            } else {
                path.line_to(*x, *y);
            }
        }
        let Some(path) = path.finish() else {
            return;
        };
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke {
            paint: luma::Color::new(tone).into(),
            width,
            ..Stroke::default()
        }));
        self.surface.draw_path(&path);
    }

    fn fill(&mut self, path: PathBuilder, tone: u8) {
        let Some(path) = path.finish() else {
            return;
        };
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(fill(tone)));
        self.surface.draw_path(&path);
    }
}

fn fill(tone: u8) -> Fill {
    Fill {
        paint: luma::Color::new(tone).into(),
        ..Fill::default()
    }
}

/// Draws the outline of a dot, a quarter at a time.
fn dot(x: f32, y: f32) -> PathBuilder {
    let (r, c) = (DOT, DOT * ROUND);
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.cubic_to(x + r, y + c, x + c, y + r, x, y + r);
    path.cubic_to(x - c, y + r, x - r, y + c, x - r, y);
    path.cubic_to(x - r, y - c, x - c, y - r, x, y - r);
    path.cubic_to(x + c, y - r, x + r, y - c, x + r, y);
    path.close();
    path
}

/// Returns the text of lines.
pub(super) fn text_of(placed: &[Placed<'_>]) -> String {
    let line = |placed: &Placed<'_>| match placed {
        Placed::Line(_, _, _, text) => journal::words::clean(text),
        _ => String::new(),
    };
    placed.iter().map(line).collect()
}
