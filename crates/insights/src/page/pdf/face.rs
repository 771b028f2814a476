//! The embedded typeface: what text looks like as glyphs, and how wide it is.
//!
//! Latin, Greek and Cyrillic, from left to right. A character of another script is shown as U+FFFD; what was written stays in
//! the file for whoever copies or listens to it. Where the fonts come from: `font/README.md` of this crate.

use std::cell::RefCell;
use std::collections::BTreeMap;

use harfrust::{
    Direction, FontRef, GlyphBuffer, ShapePlan, Shaper, ShaperData, UnicodeBuffer, script,
};
use krilla::text::{Font, GlyphId, KrillaGlyph};

static REGULAR: &[u8] = include_bytes!("../../../font/Roboto-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../../../font/Roboto-Bold.ttf");

const REPLACEMENT: char = '\u{fffd}';
/// The glyph of what a font does not have.
const NOT_DEFINED: u32 = 0;

/// A weight of the typeface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// For everything but headings.
    Regular,
    /// For headings.
    Bold,
}

/// The typeface in both weights.
pub(super) struct Typeface {
    regular: Face,
    bold: Face,
}

/// One weight.
pub(super) struct Face {
    bytes: FontRef<'static>,
    shaping: ShaperData,
    /// As it is embedded.
    pub(super) font: Font,
    /// The widths of words that were asked for, at a size of 1.
    widths: RefCell<BTreeMap<String, f32>>,
}

/// Text as glyphs of one face, at a size of 1.
pub(super) struct Run {
    /// What the glyphs show.
    pub(super) shown: String,
    /// What was written, if it could not all be shown.
    pub(super) written: Option<String>,
    /// The glyphs.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// How wide it is.
    pub(super) width: f32,
}

impl Typeface {
    /// Reads the fonts; `None` if they are none.
    pub(super) fn read() -> Option<Self> {
        Some(Self {
            regular: Face::read(REGULAR)?,
            bold: Face::read(BOLD)?,
        })
    }

    /// Returns a weight.
    pub(super) fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

impl Face {
    fn read(bytes: &'static [u8]) -> Option<Self> {
        let font = Font::new(bytes.into(), 0)?;
        let bytes = FontRef::new(bytes).ok()?;
        Some(Self {
            shaping: ShaperData::new(&bytes),
            bytes,
            font,
            widths: RefCell::default(),
        })
    }

    /// Returns how wide a text is, at a size of 1.
    pub(super) fn width(&self, text: &str) -> f32 {
        if let Some(width) = self.widths.borrow().get(text) {
            return *width;
        }
        let width = self.run(text).width;
        self.widths.borrow_mut().insert(text.to_owned(), width);
        width
    }

    /// Makes glyphs of a text.
    pub(super) fn run(&self, text: &str) -> Run {
        // These two are no characters, and must not stand in a PDF.
        let text = journal::words::clean(text).replace(['\u{feff}', '\u{fffe}'], "");
        let shaper = self.shaping.shaper(&self.bytes).build();
        let shaped = shape(&shaper, &text);
        let Some(shown) = replaced(&shaped, &text) else {
            return self.run_of(&shaper, &shaped, text, None);
        };
        let shaped = shape(&shaper, &shown);
        self.run_of(&shaper, &shaped, shown, Some(text))
    }

    fn run_of(
        &self,
        shaper: &Shaper<'_>,
        shaped: &GlyphBuffer,
        shown: String,
        written: Option<String>,
    ) -> Run {
        let em = shaper.units_per_em() as f32;
        let ends = ends(shaped, shown.len());
        let placed = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        let glyphs: Vec<KrillaGlyph> = placed
            .zip(ends)
            .map(|((info, position), end)| {
                KrillaGlyph::new(
                    GlyphId::new(info.glyph_id),
                    position.x_advance as f32 / em,
                    position.x_offset as f32 / em,
                    position.y_offset as f32 / em,
                    position.y_advance as f32 / em,
                    info.cluster as usize..end,
                    None,
                )
            })
            .collect();
        Run {
            width: glyphs.iter().map(|glyph| glyph.x_advance).sum(),
            shown,
            written,
            glyphs,
        }
    }
}

fn shape(shaper: &Shaper<'_>, text: &str) -> GlyphBuffer {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.set_direction(Direction::LeftToRight);
    buffer.set_script(script::LATIN);
    let plan = ShapePlan::new(
        shaper,
        Direction::LeftToRight,
        Some(script::LATIN),
        None,
        &[],
    );
    shaper.shape_with_plan(&plan, buffer, &[])
}

/// Returns, for each glyph, where the characters that it stands for end in the text.
fn ends(shaped: &GlyphBuffer, length: usize) -> Vec<usize> {
    let infos = shaped.glyph_infos();
    let mut ends = vec![length; infos.len()];
    let (mut end, mut cluster) = (length, None);
    for (place, info) in ends.iter_mut().zip(infos).rev() {
        if cluster.is_some_and(|cluster| cluster != info.cluster) {
            end = cluster.map_or(length, |cluster| cluster as usize);
        }
        cluster = Some(info.cluster);
        *place = end;
    }
    ends
}

/// Returns the text with what the font lacks replaced, if it lacks anything.
fn replaced(shaped: &GlyphBuffer, text: &str) -> Option<String> {
    let infos = shaped.glyph_infos();
    let lacking = infos.iter().filter(|info| info.glyph_id == NOT_DEFINED);
    let lacking: Vec<u32> = lacking.map(|info| info.cluster).collect();
    if lacking.is_empty() {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    let ends = ends(shaped, text.len());
    let mut until = 0;
    for (info, end) in infos.iter().zip(ends) {
        let start = info.cluster as usize;
        if start < until {
            continue;
        }
        until = end;
        if lacking.contains(&info.cluster) {
            shown.push(REPLACEMENT);
        } else {
            shown.push_str(text.get(start..end).unwrap_or_default());
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_font_lacks_is_replaced_and_kept() {
        let typeface = Typeface::read().unwrap();
        let face = typeface.face(Weight::Regular);
        let run = face.run("Ana 漢字 Жук ώρα");
        assert_eq!(run.shown, "Ana \u{fffd}\u{fffd} Жук ώρα");
        assert_eq!(run.written.as_deref(), Some("Ana 漢字 Жук ώρα"));
        let whole = face.run("n = 3 · 2 ÷ 1 − 1 – “ok”");
        assert_eq!(whole.written, None);
    }

    #[test]
    fn a_letter_and_its_accent_are_one_place_in_the_text() {
        let typeface = Typeface::read().unwrap();
        let run = typeface.face(Weight::Bold).run("e\u{301}x");
        let last = run.glyphs.last().unwrap();
        assert_eq!(last.text_range, 3..4);
        assert!(run.glyphs.iter().all(|glyph| glyph.text_range.end <= 4));
        assert!(run.glyphs[0].text_range == (0..3), "{:?}", run.glyphs);
    }

    #[test]
    fn width_grows_with_the_text() {
        let typeface = Typeface::read().unwrap();
        let [regular, bold] = [Weight::Regular, Weight::Bold].map(|weight| typeface.face(weight));
        assert!(regular.width("mm") > 1.9 * regular.width("m"));
        assert!(bold.width("fatigue") > regular.width("fatigue"));
        assert_eq!(regular.width(""), 0.0);
    }
}
