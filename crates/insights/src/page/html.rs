//! The page as one self-contained HTML file: no script, no network, one sheet of A4 or Letter when printed.
//!
//! Whatever people wrote is escaped. Meaning is never in colour alone, and the picture has its numbers in words.

use super::content::{Block, Content, Row, Section};
use super::drawing::{Anchor, Drawing, Label, SMALL, Shape};

/// The style of the page.
const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub(super) fn html(content: &Content) -> String {
    let title = escaped(&content.title);
    let rows: String = content.rows.iter().map(row).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"soft\">{}</p>\n{rows}</main>\n<footer><p><small>{}</small></p></footer>\n</body>\n</html>\n",
        content.lang,
        escaped(&content.lead),
        escaped(&content.foot)
    )
}

/// Escapes text for HTML, in elements and in attributes; control characters become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in journal::words::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn row(row: &Row) -> String {
    match row {
        Row::Whole(whole) => section(whole),
        Row::Halves(halves) => {
            let halves: String = halves.iter().map(section).collect();
            format!("<div class=\"two\">\n{halves}</div>\n")
        }
    }
}

fn section(section: &Section) -> String {
    let blocks: String = section.blocks.iter().map(block).collect();
    format!(
        "<section><h2>{}</h2>{blocks}</section>\n",
        escaped(&section.heading)
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => format!("<p>{}</p>", escaped(text)),
        Block::Remark(text) => format!("<p class=\"soft\">{}</p>", escaped(text)),
        Block::List(items) => {
            let item = |item: &String| format!("<li>{}</li>", escaped(item));
            format!("<ul>{}</ul>", items.iter().map(item).collect::<String>())
        }
        Block::Table { heads, rows } => table(heads, rows),
        Block::Drawing(drawing) => svg(drawing),
    }
}

fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let cell = |text: &String| format!("<td>{}</td>", escaped(text));
    let head = |text: &String| format!("<th scope=\"col\">{}</th>", escaped(text));
    let heads: String = heads.iter().map(head).collect();
    let row = |row: &Vec<String>| format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>());
    let rows: String = rows.iter().map(row).collect();
    format!("<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>")
}

fn svg(drawing: &Drawing) -> String {
    let Drawing { width, height, .. } = drawing;
    let shapes: String = drawing.shapes.iter().map(shape).collect();
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"drawing-title drawing-words\">\
         <title id=\"drawing-title\">{}</title><desc id=\"drawing-words\">{}</desc>{shapes}</svg>",
        escaped(&drawing.title),
        escaped(&drawing.words)
    )
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Grid((x1, y1), (x2, y2)) => format!(
            "<line class=\"grid\" x1=\"{x1:.1}\" x2=\"{x2:.1}\" y1=\"{y1:.1}\" y2=\"{y2:.1}\"/>"
        ),
        Shape::Bar((left, top), (right, bottom)) => format!(
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            right - left,
            bottom - top
        ),
        Shape::Dot((x, y)) => {
            format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>")
        }
        Shape::Line(points) => {
            let points: Vec<String> = points
                .iter()
                .map(|(x, y)| format!("{x:.1} {y:.1}"))
                .collect();
            format!("<path class=\"line\" d=\"M{}\"/>", points.join("L"))
        }
        Shape::Label(label) => labelled(label),
    }
}

fn labelled(label: &Label) -> String {
    let (x, y) = label.at;
    let class = match label.anchor {
        Anchor::Middle if label.size == SMALL => "n",
        Anchor::Middle => "mid",
        Anchor::End => "end",
    };
    let turned = if label.upwards {
        format!(" transform=\"rotate(-90 {x} {y:.1})\"")
    } else {
        String::new()
    };
    format!(
        "<text class=\"{class}\"{turned} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(&label.text)
    )
}
