//! Rules on the text of one Rust file: its opening words, sizes, names, and what must not be left behind.
//!
//! Reads lines, not syntax: `cargo fmt` runs first, so a function ends at the next brace of its own indentation.

use super::Breach;

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 600;
const ROOT_NAMES: usize = 20;

/// Words that say "later" or switch a lint off; split, so that this file may name them.
const LEFT_BEHIND: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[", "allow("),
    concat!("#![", "allow("),
];

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 7] = [
    "util", "utils", "helper", "helpers", "common", "manager", "misc",
];

/// Checks one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Breach> {
    let lines: Vec<&str> = text.lines().collect();
    let mut breaches = Vec::new();
    if !lines.first().is_some_and(|line| line.starts_with("//!")) {
        breaches.push(Breach::new(
            file,
            1,
            "a file opens with `//!`: what it owns and what not",
        ));
    }
    breaches.extend(size(file, &lines));
    breaches.extend(nameless_file(file));
    for (index, line) in lines.iter().enumerate() {
        breaches.extend(line_rules(line).map(|rule| Breach::new(file, index + 1, rule)));
        if let Some(length) =
            function_lines(&lines, index).filter(|length| *length > FUNCTION_LINES)
        {
            let rule = format!("a function of {length} lines; at most {FUNCTION_LINES}");
            breaches.push(Breach::new(file, index + 1, rule));
        }
    }
    if file.ends_with("src/lib.rs") {
        breaches.extend(root_names(file, &lines));
    }
    breaches
}

/// Counts a file's lines without its tests. Files that are nothing but tests have no limit.
fn size(file: &str, lines: &[&str]) -> Option<Breach> {
    if file.contains("/tests/") {
        return None;
    }
    let tests = lines.windows(2).position(|pair| {
        matches!(pair, [cfg, module] if *cfg == "#[cfg(test)]" && module.starts_with("mod ") && module.ends_with('{'))
    });
    let count = tests.unwrap_or(lines.len());
    (count > FILE_LINES).then(|| {
        Breach::new(
            file,
            count,
            format!("{count} lines without tests; at most {FILE_LINES}"),
        )
    })
}

fn nameless_file(file: &str) -> Option<Breach> {
    let named = file
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let nameless = named.into_iter().find(|part| NAMELESS.contains(part))?;
    Some(Breach::new(
        file,
        1,
        format!("`{nameless}` does not say what is inside"),
    ))
}

/// Checks what must stand in no line.
fn line_rules(line: &str) -> impl Iterator<Item = String> {
    let left = LEFT_BEHIND.iter().filter(|word| line.contains(**word));
    let left = left.map(|word| format!("`{word}` must not be left behind"));
    let words = declaration(line);
    let getter = words.strip_prefix("fn get_").map(|rest| {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        format!("`get_{name}`: name it by what it returns")
    });
    let module = words.strip_prefix("mod ").and_then(|rest| {
        let name = rest.trim_end_matches([';', '{', ' ']);
        NAMELESS
            .contains(&name)
            .then(|| format!("`mod {name}` does not say what is inside"))
    });
    left.chain(getter)
        .chain(module)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Strips what may stand before `fn` and `mod`.
fn declaration(line: &str) -> &str {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub(") {
        rest = after.split_once(") ").map_or(rest, |(_, rest)| rest);
    }
    for word in ["pub ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest
}

/// Returns the length of the function that begins at `start`, if one does.
fn function_lines(lines: &[&str], start: usize) -> Option<usize> {
    let first = lines.get(start)?;
    if !declaration(first).starts_with("fn ") {
        return None;
    }
    if first.ends_with(';') || first.ends_with('}') {
        return Some(1);
    }
    let indent = indentation(first);
    let rest = lines.get(start + 1..)?.iter();
    let ends =
        |line: &&str| indentation(line) == indent && (line.trim() == "}" || line.ends_with(';'));
    rest.clone().position(ends).map(|length| length + 2)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Counts the names that a crate offers at its root.
fn root_names(file: &str, lines: &[&str]) -> Option<Breach> {
    let mut count = 0;
    let mut statement = String::new();
    for line in lines
        .iter()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        if statement.is_empty() && !line.starts_with("pub ") {
            continue;
        }
        statement.push_str(line);
        if !statement.starts_with("pub use ") {
            count += 1;
            statement.clear();
        } else if line.ends_with(';') {
            count += leaves(&statement);
            statement.clear();
        }
    }
    (count > ROOT_NAMES).then(|| {
        Breach::new(
            file,
            1,
            format!("{count} names at the crate's root; at most {ROOT_NAMES}"),
        )
    })
}

/// Counts the names of a `use` tree: each ends at a comma, a closing brace, or the end, unless a brace just closed.
fn leaves(tree: &str) -> usize {
    let mut count = 0;
    let mut name = false;
    for character in tree.chars().filter(|character| !character.is_whitespace()) {
        match character {
            ',' | '}' | ';' => {
                count += usize::from(name);
                name = false;
            }
            '{' => name = false,
            _ => name = true,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(file: &str, text: &str) -> Vec<String> {
        let breaches = check(file, text);
        breaches.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn accepts_a_small_documented_file() {
        let text = "//! Owns nothing.\n\nfn forget(target: u8) -> u8 {\n    target\n}\n";
        assert_eq!(rules("crates/x/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn names_file_line_and_rule() {
        let text = "use std::fs;\n// LATER\npub(crate) async fn get_it() {}\nmod utils;\n"
            .replace("LATER", LEFT_BEHIND[0]);
        assert_eq!(
            rules("crates/x/src/helpers/a.rs", &text),
            [
                "crates/x/src/helpers/a.rs:1: a file opens with `//!`: what it owns and what not",
                "crates/x/src/helpers/a.rs:1: `helpers` does not say what is inside",
                &format!(
                    "crates/x/src/helpers/a.rs:2: `{}` must not be left behind",
                    LEFT_BEHIND[0]
                ),
                "crates/x/src/helpers/a.rs:3: `get_it`: name it by what it returns",
                "crates/x/src/helpers/a.rs:4: `mod utils` does not say what is inside",
            ]
        );
    }

    #[test]
    fn counts_functions_from_signature_to_brace() {
        let body = |lines: usize| {
            format!(
                "//! x\n    fn long(\n    ) {{\n{}    }}\n",
                "        x();\n".repeat(lines)
            )
        };
        assert_eq!(rules("a.rs", &body(67)), [""; 0]);
        assert_eq!(
            rules("a.rs", &body(68)),
            ["a.rs:2: a function of 71 lines; at most 70"]
        );
    }

    #[test]
    fn a_declaration_without_a_body_is_no_long_function() {
        let text = format!(
            "//! x\n    fn declared(\n        &self,\n    );\n{}",
            "// x\n".repeat(90)
        );
        assert_eq!(rules("a.rs", &text), [""; 0]);
    }

    #[test]
    fn counts_a_file_without_its_tests() {
        let tests = "#[cfg(test)]\nmod tests {\n}\n";
        let text = format!("//! x\n{}{tests}", "// x\n".repeat(599));
        assert_eq!(rules("src/a.rs", &text), [""; 0]);
        let text = format!("//! x\n{}{tests}", "// x\n".repeat(600));
        assert_eq!(
            rules("src/a.rs", &text),
            ["src/a.rs:601: 601 lines without tests; at most 600"]
        );
    }

    #[test]
    fn counts_each_name_of_a_use_tree() {
        assert_eq!(leaves("pub use a::b;"), 1);
        assert_eq!(leaves("pub use a::{b, c::{d, e}, f as g,};"), 4);
        let text = format!(
            "//! x\npub use a::{{\n{}}};\npub mod one;\n",
            "    a,\n".repeat(20)
        );
        assert_eq!(
            rules("crates/x/src/lib.rs", &text),
            ["crates/x/src/lib.rs:1: 21 names at the crate's root; at most 20"]
        );
    }
}
