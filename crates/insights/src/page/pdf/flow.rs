//! Where everything of the page goes on a sheet: lines are broken, tables get their columns, sections stand beside each other.
//!
//! Lengths are in points, from the upper left corner of the sheet. Sizes follow from one base size, so that a full page can be
//! set smaller until it fits. Nothing is drawn here.

use super::face::{Typeface, Weight};
use crate::page::content::{Block, Content, Row, Section};
use crate::page::drawing::Drawing;

/// From one line to the next, in sizes of the letters.
const LEADING: f32 = 1.26;
/// From the top of a line to its base line, in sizes of the letters.
const BASELINE: f32 = 0.98;
/// Between two columns of the page, and between two columns of a table, in base sizes.
const GUTTER: f32 = 1.8;
const CELLS: f32 = 0.9;
/// How far the items of a list are set in, in base sizes.
const INDENT: f32 = 0.9;
const BULLET: &str = "•";

/// How text is set: its weight, its size in base sizes, and whether it stands back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) soft: bool,
}

const fn style(weight: Weight, size: f32, soft: bool) -> Style {
    Style { weight, size, soft }
}

const TITLE: Style = style(Weight::Bold, 1.4, false);
const HEADING: Style = style(Weight::Bold, 1.05, false);
const BODY: Style = style(Weight::Regular, 1.0, false);
const REMARK: Style = style(Weight::Regular, 0.9, true);
const CELL: Style = style(Weight::Regular, 0.95, false);
const HEAD: Style = style(Weight::Regular, 0.95, true);

/// What a part of the page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Title,
    Section,
    Heading,
    Paragraph,
    List,
    Item,
    Bullet,
    Said,
    Table,
    Head,
    Body,
    TableRow,
    HeadCell,
    Cell,
}

/// Something in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Placed<'a> {
    /// A part, and what it is made of.
    Part(Part, Vec<Placed<'a>>),
    /// A line of text, by the left end of its base line; its style has its size in points.
    Line(f32, f32, Style, String),
    /// A rule under a heading, from left to right.
    Rule(f32, f32, f32),
    /// A drawing, by its upper left corner, and how many points its unit has.
    Drawing(f32, f32, f32, &'a Drawing),
}

/// A column that is filled from the top.
#[derive(Clone, Copy, Debug)]
struct Column {
    left: f32,
    width: f32,
    y: f32,
}

/// Sets pages in one base size.
pub(super) struct Flow<'a> {
    pub(super) typeface: &'a Typeface,
    /// The base size.
    pub(super) size: f32,
}

impl Flow<'_> {
    /// Sets a page of this width with its upper left corner at a point; returns where it ends, and what is on it.
    pub(super) fn page<'a>(
        &self,
        content: &'a Content,
        (left, top): (f32, f32),
        width: f32,
    ) -> (f32, Vec<Placed<'a>>) {
        let mut column = Column {
            left,
            width,
            y: top,
        };
        let title = self.lines(&content.title, TITLE, &mut column);
        let mut placed = vec![Placed::Part(Part::Title, title)];
        placed.push(self.paragraph(&content.lead, REMARK, &mut column));
        for row in &content.rows {
            placed.append(&mut self.row(row, &mut column));
        }
        column.y += 0.7 * self.size;
        placed.push(self.paragraph(&content.foot, REMARK, &mut column));
        (column.y, placed)
    }

    fn row<'a>(&self, row: &'a Row, column: &mut Column) -> Vec<Placed<'a>> {
        match row {
            Row::Whole(section) => vec![self.section(section, column)],
            Row::Halves([one, other]) => {
                let gutter = GUTTER * self.size;
                let width = (column.width - gutter) / 2.0;
                let mut first = Column { width, ..*column };
                let mut second = Column {
                    left: column.left + width + gutter,
                    ..first
                };
                let sections = vec![
                    self.section(one, &mut first),
                    self.section(other, &mut second),
                ];
                column.y = first.y.max(second.y);
                sections
            }
        }
    }

    fn section<'a>(&self, section: &'a Section, column: &mut Column) -> Placed<'a> {
        column.y += 0.65 * self.size;
        let heading = self.lines(&section.heading, HEADING, column);
        let right = column.left + column.width;
        let rule = Placed::Rule(column.left, right, column.y);
        column.y += 0.25 * self.size;
        let mut parts = vec![Placed::Part(Part::Heading, heading), rule];
        parts.extend(section.blocks.iter().map(|block| self.block(block, column)));
        Placed::Part(Part::Section, parts)
    }

    fn block<'a>(&self, block: &'a Block, column: &mut Column) -> Placed<'a> {
        match block {
            Block::Paragraph(text) => self.paragraph(text, BODY, column),
            Block::Remark(text) => self.paragraph(text, REMARK, column),
            Block::List(items) => {
                let items = items.iter().map(|item| self.item(item, column));
                Placed::Part(Part::List, items.collect())
            }
            Block::Table { heads, rows } => self.table(heads, rows, column),
            Block::Drawing(drawing) => {
                let scale = column.width / drawing.width as f32;
                let placed = Placed::Drawing(column.left, column.y, scale, drawing);
                column.y += scale * drawing.height as f32;
                placed
            }
        }
    }

    fn paragraph<'a>(&self, text: &str, style: Style, column: &mut Column) -> Placed<'a> {
        Placed::Part(Part::Paragraph, self.lines(text, style, column))
    }

    fn item<'a>(&self, text: &str, column: &mut Column) -> Placed<'a> {
        let indent = INDENT * self.size;
        let mut margin = *column;
        let bullet = self.lines(BULLET, BODY, &mut margin);
        let mut inner = Column {
            left: column.left + indent,
            width: column.width - indent,
            y: column.y,
        };
        let said = self.lines(text, BODY, &mut inner);
        column.y = inner.y;
        let parts = vec![
            Placed::Part(Part::Bullet, bullet),
            Placed::Part(Part::Said, said),
        ];
        Placed::Part(Part::Item, parts)
    }

    fn table<'a>(&self, heads: &[String], rows: &[Vec<String>], column: &mut Column) -> Placed<'a> {
        let widths = self.widths(heads, rows, column.width);
        let head = self.table_row(heads, &widths, (Part::HeadCell, HEAD), column);
        let rows = rows
            .iter()
            .map(|row| self.table_row(row, &widths, (Part::Cell, CELL), column));
        let body = Placed::Part(Part::Body, rows.collect());
        Placed::Part(
            Part::Table,
            vec![Placed::Part(Part::Head, vec![head]), body],
        )
    }

    fn table_row<'a>(
        &self,
        cells: &[String],
        widths: &[f32],
        (part, style): (Part, Style),
        column: &mut Column,
    ) -> Placed<'a> {
        let (top, mut left) = (column.y, column.left);
        let mut placed = Vec::new();
        for (text, width) in cells.iter().zip(widths) {
            let mut cell = Column {
                left,
                width: *width,
                y: top,
            };
            placed.push(Placed::Part(part, self.lines(text, style, &mut cell)));
            column.y = column.y.max(cell.y);
            left += width + CELLS * self.size;
        }
        Placed::Part(Part::TableRow, placed)
    }

    /// Returns the widths of a table's columns: each as wide as its longest cell if all fit, else something between its
    /// longest word and its longest cell, as browsers do it (CSS 2.2, 17.5.2.2).
    fn widths(&self, heads: &[String], rows: &[Vec<String>], whole: f32) -> Vec<f32> {
        let gaps = CELLS * self.size * heads.len().saturating_sub(1) as f32;
        let size = CELL.size * self.size;
        // A hair more than measured, as sums of rounded widths must not break a line.
        let wide = |text: &str| size * self.typeface.face(CELL.weight).width(text) + 0.1;
        let cells = |place: usize| {
            let below = rows.iter().filter_map(move |row| row.get(place));
            heads.get(place).into_iter().chain(below)
        };
        let of = |place: usize| {
            let longest = cells(place).map(|text| wide(text)).fold(0.0, f32::max);
            let words = cells(place).flat_map(|text| text.split(' '));
            (words.map(wide).fold(0.0, f32::max), longest)
        };
        let wanted: Vec<(f32, f32)> = (0..heads.len()).map(of).collect();
        let (least, most) = wanted
            .iter()
            .fold((0.0, 0.0), |(least, most), (word, cell)| {
                (least + word, most + cell)
            });
        let room = (whole - gaps).max(0.0);
        let width = |(word, cell): (f32, f32)| {
            if most <= room {
                cell + (room - most) / heads.len() as f32
            } else if least >= room {
                word * room / least
            } else {
                word + (cell - word) * (room - least) / (most - least)
            }
        };
        wanted.into_iter().map(width).collect()
    }

    /// Sets a text as lines, and moves the column on.
    fn lines<'a>(&self, text: &str, style: Style, column: &mut Column) -> Vec<Placed<'a>> {
        let size = style.size * self.size;
        let broken = self.broken(text, style.weight, column.width / size);
        let last = broken.len().saturating_sub(1);
        let mut placed = Vec::new();
        for (place, mut line) in broken.into_iter().enumerate() {
            // Words are parted by a space in the file, also where a line ends.
            if place < last {
                line.push(' ');
            }
            let style = Style { size, ..style };
            let base = column.y + BASELINE * size;
            placed.push(Placed::Line(column.left, base, style, line));
            column.y += LEADING * size;
        }
        placed
    }

    /// Breaks a text into lines, at most so wide at a size of 1; a word that is wider is broken anywhere.
    fn broken(&self, text: &str, weight: Weight, most: f32) -> Vec<String> {
        let face = self.typeface.face(weight);
        let space = face.width(" ");
        let mut lines: Vec<String> = Vec::new();
        let (mut line, mut taken) = (String::new(), 0.0);
        for word in text.split_whitespace() {
            let width = face.width(word);
            if !line.is_empty() && taken + space + width > most {
                lines.push(std::mem::take(&mut line));
                taken = 0.0;
            }
            if !line.is_empty() {
                line.push(' ');
                taken += space;
            }
            if width <= most {
                line.push_str(word);
                taken += width;
                continue;
            }
            for c in word.chars() {
                let width = face.width(c.encode_utf8(&mut [0; 4]));
                if !line.is_empty() && taken + width > most {
                    lines.push(std::mem::take(&mut line));
                    taken = 0.0;
                }
                line.push(c);
                taken += width;
            }
        }
        lines.push(line);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_flow(check: impl Fn(&Flow<'_>)) {
        let typeface = Typeface::read().unwrap();
        check(&Flow {
            typeface: &typeface,
            size: 10.0,
        });
    }

    #[test]
    fn lines_are_no_wider_than_their_column_and_lose_no_word() {
        with_flow(|flow| {
            let text = "Could the third dose of the day move to the early afternoon?";
            let lines = flow.broken(text, Weight::Regular, 9.0);
            assert!(lines.len() > 2, "{lines:?}");
            assert_eq!(lines.join(" "), text);
            let face = flow.typeface.face(Weight::Regular);
            assert!(
                lines.iter().all(|line| face.width(line) <= 9.05),
                "{lines:?}"
            );
        });
    }

    #[test]
    fn a_word_without_end_is_broken_anywhere() {
        with_flow(|flow| {
            let lines = flow.broken(&"m".repeat(40), Weight::Regular, 5.0);
            assert!(lines.len() > 3, "{lines:?}");
            assert_eq!(lines.concat(), "m".repeat(40));
            assert_eq!(flow.broken("", Weight::Regular, 5.0), [""]);
        });
    }

    #[test]
    fn columns_share_the_whole_width() {
        with_flow(|flow| {
            let cells = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let heads: Vec<String> = cells(&["Day", "Change"]);
            let short = [cells(&["1", "2"])];
            let long = [cells(&["1", &"a long story, told at length ".repeat(9)])];
            let endless = [cells(&["1", &"m".repeat(90)])];
            for rows in [&short, &long, &endless] {
                let widths = flow.widths(&heads, rows, 200.0);
                let whole: f32 = widths.iter().sum::<f32>() + CELLS * 10.0;
                assert!((whole - 200.0).abs() < 0.01, "{widths:?}");
                assert!(widths.iter().all(|width| *width > 0.0), "{widths:?}");
            }
        });
    }
}
