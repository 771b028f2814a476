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
    /// The fonts that are part of this program cannot be read.
    #[error("the fonts in this program are damaged")]
    Fonts,
    /// It would take more than one sheet.
    #[error("the page does not fit on one sheet")]
    TooLong,
    /// What would be written breaks a rule of PDF or of PDF/UA-1.
    #[error("the PDF would not be accessible")]
    Refused(#[from] KrillaError),
}

/// Writes the page.
pub(super) fn pdf(content: &Content, made: Date, paper: Paper) -> Result<Vec<u8>, UnwritablePdf> {
    let typeface = Typeface::read().ok_or(UnwritablePdf::Fonts)?;
    let placed = fitted(content, &typeface, paper).ok_or(UnwritablePdf::TooLong)?;
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .unwrap_or_default();
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    document.set_metadata(metadata(content, made));
    document.set_outline(outline(&placed));
    let (width, height) = paper.points();
    let sheet = PageSettings::from_wh(width, height).unwrap_or_default();
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
