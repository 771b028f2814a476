//! What stands on the page, before any form: headings, paragraphs, lists, tables and a drawing, in the order of reading.
//!
//! Both forms, HTML and PDF, are made of this and of nothing else, so that neither can say what the other does not. Texts are
//! as people wrote them: each form keeps control characters and markup out in its own way.

use super::drawing::Drawing;

/// The page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    /// Its language, as a BCP 47 tag.
    pub(super) lang: &'static str,
    /// Whose journal, and of which days.
    pub(super) title: String,
    /// On how many days something was logged, by whom, and when the page was made.
    pub(super) lead: String,
    /// The sections.
    pub(super) rows: Vec<Row>,
    /// What the page is, and is not.
    pub(super) foot: String,
}

/// Sections that stand beside each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    /// One over the whole width.
    Whole(Section),
    /// Two, the first of which is read first.
    Halves([Section; 2]),
}

/// A section under a heading.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// Its heading.
    pub(super) heading: String,
    /// What it says.
    pub(super) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    /// Something said.
    Paragraph(String),
    /// A remark that may stand back.
    Remark(String),
    /// Items without an order.
    List(Vec<String>),
    /// Cells under heads; every row has as many as there are heads.
    Table {
        /// The heads of the columns.
        heads: Vec<String>,
        /// The rows.
        rows: Vec<Vec<String>>,
    },
    /// A picture.
    Drawing(Drawing),
}

impl Section {
    /// Makes a section.
    pub(super) fn new(heading: &str, blocks: Vec<Block>) -> Self {
        Self {
            heading: heading.to_owned(),
            blocks,
        }
    }
}

impl Block {
    /// Makes a list, or says that there is nothing to list.
    pub(super) fn list(items: Vec<String>, none: &str) -> Self {
        if items.is_empty() {
            Self::Paragraph(none.to_owned())
        } else {
            Self::List(items)
        }
    }

    /// Makes a table.
    pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self::Table {
            heads: heads.iter().map(|head| (*head).to_owned()).collect(),
            rows,
        }
    }
}
