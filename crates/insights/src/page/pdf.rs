//! The page as PDF: one sheet, tagged for reading aloud (PDF/UA-1, ISO 14289-1), its text selectable, in shades of grey.
//!
//! krilla refuses to write what breaks the rules of PDF/UA-1 that a program can know: a title, a language, alternative text, an
//! outline, no glyph without its character. A full page is set smaller until it fits on the sheet.

mod face;
mod flow;
mod paint;

use jiff::civil::Date;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::error::KrillaError;
use krilla::geom::Point;
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::tagging::TagTree;
use krilla::{Document, SerializeSettings};

use super::content::Content;
use face::Typeface;
use flow::{Flow, Part, Placed};
use paint::{Painter, text_of};

/// The margins, in points: 10 mm.
const MARGIN: f32 = 28.35;
/// The base sizes that are tried, in quarters of a point, the largest first. The last has room for far more than a page can say.
const SIZES: std::ops::RangeInclusive<u8> = 16..=40;

/// A size of paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    /// 210 × 297 mm.
    #[default]
    A4,
    /// 8.5 × 11 inches.
    Letter,
}

impl Paper {
    /// Returns its width and height in points.
    fn points(self) -> (f32, f32) {
        match self {
            Self::A4 => (595.28, 841.89),
            Self::Letter => (612.0, 792.0),
        }
    }
}

/// Why no PDF was made.
#[derive(Debug, thiserror::Error)]
pub enum UnwritablePdf {
    /// The fonts or the settings that are part of this program cannot be used.
    #[error("the fonts or the settings in this program are damaged")]
    Program,
    /// It would take more than one sheet.
    #[error("the page does not fit on one sheet")]
    TooLong,
    /// What would be written breaks a rule of PDF or of PDF/UA-1.
    #[error("the PDF would not be accessible")]
    Refused(#[from] KrillaError),
}

/// Writes the page.
pub(super) fn pdf(content: &Content, made: Date, paper: Paper) -> Result<Vec<u8>, UnwritablePdf> {
    let typeface = Typeface::read().ok_or(UnwritablePdf::Program)?;
    let placed = fitted(content, &typeface, paper).ok_or(UnwritablePdf::TooLong)?;
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|_| UnwritablePdf::Program)?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    document.set_metadata(metadata(content, made));
    document.set_outline(outline(&placed));
    let (width, height) = paper.points();
    let sheet = PageSettings::from_wh(width, height).ok_or(UnwritablePdf::Program)?;
    let mut page = document.start_page_with(sheet);
    let mut surface = page.surface();
    let mut painter = Painter {
        surface: &mut surface,
        typeface: &typeface,
        lang: content.lang,
    };
    let mut tags = TagTree::new().with_lang(Some(content.lang.to_owned()));
    for placed in &placed {
        if let Some(node) = painter.draw(placed) {
            tags.push(node);
        }
    }
    surface.finish();
    page.finish();
    document.set_tag_tree(tags);
    Ok(document.finish()?)
}

/// Sets the page as large as it fits on the sheet; `None` if it never does.
fn fitted<'a>(content: &'a Content, typeface: &Typeface, paper: Paper) -> Option<Vec<Placed<'a>>> {
    let (width, height) = paper.points();
    SIZES.rev().find_map(|quarters| {
        let flow = Flow {
            typeface,
            size: f32::from(quarters) / 4.0,
        };
        let (end, placed) = flow.page(content, (MARGIN, MARGIN), width - 2.0 * MARGIN);
        (end <= height - MARGIN).then_some(placed)
    })
}

fn metadata(content: &Content, made: Date) -> Metadata {
    let field = |number: i8| number.unsigned_abs();
    let day = DateTime::new(made.year().unsigned_abs())
        .month(field(made.month()))
        .day(field(made.day()));
    Metadata::new()
        .title(journal::words::clean(&content.title))
        .language(content.lang.to_owned())
        .creator("ebb".to_owned())
        .creation_date(day)
}

/// Makes the outline of the headings.
fn outline(placed: &[Placed<'_>]) -> Outline {
    let mut outline = Outline::new();
    for placed in placed {
        if let Placed::Part(Part::Section, parts) = placed
            && let Some(Placed::Part(Part::Heading, lines)) = parts.first()
            && let Some(Placed::Line(left, base, style, _)) = lines.first()
        {
            let top = Point::from_xy(*left, base - style.size);
            let place = XyzDestination::new(0, top);
            outline.push_child(OutlineNode::new(text_of(lines), place));
        }
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::content::{Block, Row, Section};
    use jiff::civil::date;

    fn content(paragraphs: usize) -> Content {
        let text = "What was said, at some length, in words of many lengths. ".repeat(4);
        let blocks = vec![Block::Paragraph(text); paragraphs];
        Content {
            lang: "en",
            title: "Ana\u{feff}: fatigue \u{1f600} journal".to_owned(),
            lead: "made today".to_owned(),
            rows: vec![Row::Whole(Section::new("Much said", blocks))],
            foot: "no advice".to_owned(),
        }
    }

    fn written(paragraphs: usize) -> Result<Vec<u8>, UnwritablePdf> {
        pdf(&content(paragraphs), date(2026, 11, 26), Paper::A4)
    }

    #[test]
    fn whatever_people_write_makes_an_accessible_page() {
        let file = written(1).unwrap();
        assert!(file.starts_with(b"%PDF-1.7"));
        assert_eq!(file, written(1).unwrap());
        assert_ne!(file, written(2).unwrap());
    }

    #[test]
    fn a_full_page_is_set_smaller_and_one_beyond_all_bounds_is_refused() {
        let typeface = Typeface::read().unwrap();
        let size = |paragraphs| {
            let content = content(paragraphs);
            let placed = fitted(&content, &typeface, Paper::Letter)?;
            match placed.last()? {
                Placed::Part(_, lines) => match lines.first()? {
                    Placed::Line(_, base, style, _) => Some((style.size, *base)),
                    _ => None,
                },
                _ => None,
            }
        };
        let (few, many) = (size(3).unwrap(), size(70).unwrap());
        assert!(many.0 < few.0, "{few:?} {many:?}");
        assert!(many.1 < 792.0 - MARGIN, "{many:?}");
        assert_eq!(size(2000), None);
        assert!(matches!(written(2000), Err(UnwritablePdf::TooLong)));
    }
}
