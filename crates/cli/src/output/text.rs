//! Text for people, built of plain words and a little ink.
//!
//! Whatever is put in loses its control characters, so that a note from someone else's device cannot move the cursor
//! or recolour a terminal. Ink is never the only bearer of a meaning.

/// How a piece of text is drawn where colour is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Ids and times: less than the rest.
    Dim,
    /// Titles.
    Bold,
    /// The word `warning:`.
    Warn,
    /// The word `error:`.
    Error,
}

impl Ink {
    /// Returns the SGR parameters (ECMA-48 §8.3.117).
    fn parameters(self) -> &'static str {
        match self {
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Warn => "1;33",
            Self::Error => "1;31",
        }
    }
}

/// A text under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pieces: Vec<(String, Option<Ink>)>,
}

impl Text {
    /// Starts an empty text.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds words; their line breaks stay.
    pub(crate) fn say(&mut self, words: &str) -> &mut Self {
        let clean: Vec<String> = words.split('\n').map(journal::words::clean).collect();
        self.pieces.push((clean.join("\n"), None));
        self
    }

    /// Adds words on one line, drawn in ink.
    pub(crate) fn ink(&mut self, words: &str, ink: Ink) -> &mut Self {
        self.pieces.push((journal::words::clean(words), Some(ink)));
        self
    }

    /// Ends the line.
    pub(crate) fn line(&mut self) -> &mut Self {
        self.pieces.push(("\n".to_owned(), None));
        self
    }

    /// Adds one line as it is. For text that this program made and that must arrive unchanged.
    pub(crate) fn raw_line(&mut self, line: &str) -> &mut Self {
        self.pieces.push((format!("{line}\n"), None));
        self
    }

    /// Adds a row of a table: cells filled up with spaces to the widths, the last one as it is.
    pub(crate) fn row(&mut self, cells: &[&str], widths: &[usize]) -> &mut Self {
        let mut row = String::new();
        for (place, cell) in cells.iter().enumerate() {
            let width = widths.get(place).copied().unwrap_or(0);
            let last = place + 1 == cells.len();
            row.push_str(cell);
            if !last {
                let missing = width.saturating_sub(cell.chars().count());
                row.push_str(&" ".repeat(missing + 2));
            }
        }
        self.say(row.trim_end()).line()
    }

    /// Returns the text, with ink if `colour`.
    pub(crate) fn rendered(&self, colour: bool) -> String {
        let draw = |(words, ink): &(String, Option<Ink>)| match ink {
            Some(ink) if colour => format!("\u{1b}[{}m{words}\u{1b}[0m", ink.parameters()),
            _ => words.clone(),
        };
        self.pieces.iter().map(draw).collect()
    }
}

/// Says how many there are of something.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns the width of each column of a table, in characters.
pub(crate) fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    (0..columns).map(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_draw() {
        let mut text = Text::new();
        text.ink("a\u{1b}[31mb", Ink::Dim)
            .say(" c\u{9b}2J\u{7}\u{202e}\td")
            .line();
        assert_eq!(text.rendered(false), "a [31mb c 2J   d\n");
        assert_eq!(text.rendered(true), "\u{1b}[2ma [31mb\u{1b}[0m c 2J   d\n");
    }

    #[test]
    fn rows_line_up() {
        let rows: Vec<Vec<String>> = [["a", "bb", "c"], ["dddd", "é", "f"]]
            .iter()
            .map(|row| row.iter().map(|cell| cell.to_string()).collect())
            .collect();
        let widths = widths(&rows);
        let mut text = Text::new();
        for row in &rows {
            text.row(&row.iter().map(String::as_str).collect::<Vec<_>>(), &widths);
        }
        assert_eq!(text.rendered(false), "a     bb  c\ndddd  é   f\n");
    }
}
