//! From the engine's stack texts to the author's coordinates: files, lines, columns, code frames.
//!
//! The body of a runtime extension is compiled inside a wrapper whose first line is ours, and TypeScript is compiled as the JavaScript
//! that was made of it: [`Sources`] knows how to come back from there. Frames of our own glue have file names that begin with `trellis:`
//! and are left out.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::failure::Problem;
use super::limits::MAX_STACK_TEXT;
use super::strip::PlaceMap;

/// Begins the file name of every script of ours.
pub(super) const OWN: &str = "trellis:";

/// Characters of a code line in a frame.
const WIDTH: usize = 120;

/// A place in the author's text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u32,
    pub column: u32,
}

/// One text of the author's, and how to come back to it from what was compiled.
#[derive(Debug, Default)]
pub(super) struct SourceText {
    /// The path within the folder. A unit that is one text has none.
    pub file: Option<String>,
    pub text: String,
    /// Lines of ours before the author's first.
    pub wrapper_lines: u32,
    /// Where the pieces of what was compiled come from, if it is another text.
    pub places: Option<PlaceMap>,
    /// Counted when it is first needed.
    pub last_line: OnceCell<u32>,
}

/// The author's texts by the names that their scripts have in the engine's stack texts.
#[derive(Debug, Default)]
pub(super) struct Sources(HashMap<String, SourceText>);

/// Where something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// The path within the folder, if there is a folder.
    pub file: Option<String>,
    pub place: Place,
    /// The lines around it.
    pub frame: String,
}

impl Spot {
    /// The place in words: `file.js:3:7`, or `line 3, column 7` where there is one file only.
    pub(super) fn told(&self) -> String {
        let Place { line, column } = self.place;
        match &self.file {
            Some(file) => format!("{file}:{line}:{column}"),
            None => format!("line {line}, column {column}"),
        }
    }

    /// What is wrong there.
    pub(super) fn problem(spot: Option<Self>, message: String) -> Problem {
        let Some(spot) = spot else { return Problem::general(message) };
        Problem { message, file: spot.file, line: Some(spot.place.line), column: Some(spot.place.column), frame: Some(spot.frame) }
    }
}

impl Sources {
    pub(super) fn add(&mut self, script: String, text: SourceText) {
        self.0.insert(script, text);
    }

    /// The stack in the author's lines, and the innermost place that is the author's: their own file before one of a package.
    pub(super) fn author_stack(&self, raw: &str) -> (String, Option<Spot>) {
        let mut text = String::new();
        let mut spot: Option<(&SourceText, Place)> = None;
        for line in raw.lines() {
            if text.len() > MAX_STACK_TEXT {
                break;
            }
            let Some((before, script, place)) = location(line) else {
                push_line(&mut text, line);
                continue;
            };
            if script.starts_with(OWN) {
                // The built-in through which our glue called the author's code.
                text.truncate(text.strip_suffix("    at apply (native)").map_or(text.len(), |t| t.trim_end().len()));
                continue;
            }
            let Some(source) = self.0.get(script) else {
                push_line(&mut text, line);
                continue;
            };
            let place = source.author(place);
            let is_own = |source: &SourceText| source.file.as_deref().is_none_or(|file| !file.contains("node_modules/"));
            if spot.is_none_or(|(first, _)| !is_own(first) && is_own(source)) {
                spot = Some((source, place));
            }
            let close = if line.ends_with(')') { ")" } else { "" };
            push_line(&mut text, &format!("{before}{script}:{}:{}{close}", place.line, place.column));
        }
        let spot = spot.map(|(source, place)| Spot { file: source.file.clone(), place, frame: code_frame(&source.text, place) });
        (text, spot)
    }
}

impl SourceText {
    fn author(&self, place: Place) -> Place {
        let place = Place { line: place.line.saturating_sub(self.wrapper_lines).max(1), column: place.column };
        let place = self.places.as_ref().map_or(place, |places| places.author(place));
        // An error at the end of the text is reported in the wrapper's last line.
        let last_line = *self.last_line.get_or_init(|| u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX).max(1));
        Place { line: place.line.clamp(1, last_line), column: place.column }
    }
}

fn push_line(text: &mut String, line: &str) {
    if !line.trim().is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
}

/// Splits `    at name (file:3:7)` or `    at file:3:7` into what stands before the file, the file and the place.
fn location(line: &str) -> Option<(&str, &str, Place)> {
    let inner = line.strip_suffix(')').unwrap_or(line);
    let (rest, column) = inner.rsplit_once(':')?;
    let (rest, line_number) = rest.rsplit_once(':')?;
    let place = Place { line: line_number.parse().ok()?, column: column.parse().ok()? };
    // A file name of ours holds no parenthesis, so the last one opens the location.
    let at = match rest.rfind(" (") {
        Some(at) if line.ends_with(')') => at + 2,
        _ => rest.find("at ").map_or(0, |at| at + 3),
    };
    Some((&rest[..at], &rest[at..], place))
}

/// Two lines before and one after, the place marked below its column.
pub(super) fn code_frame(code: &str, place: Place) -> String {
    // Only as far as the place: bundles are long.
    let lines: Vec<&str> = code.lines().take((place.line as usize).saturating_add(1)).collect();
    let at = (place.line as usize).clamp(1, lines.len().max(1));
    let (from, to) = (at.saturating_sub(2).max(1), (at + 1).min(lines.len().max(1)));
    let digits = to.to_string().len();
    let column = (place.column as usize).max(1);
    let skip = column.saturating_sub(WIDTH - 20);
    let mut frame = String::new();
    for number in from..=to {
        let text: String = lines.get(number - 1).unwrap_or(&"").chars().skip(skip).take(WIDTH).map(visible).collect();
        let mark = if number == at { '>' } else { ' ' };
        frame.push_str(format!("{mark} {number:>digits$} | {text}").trim_end());
        frame.push('\n');
        if number == at {
            frame.push_str(&format!("  {:digits$} | {:caret$}^\n", "", "", caret = (column - 1).saturating_sub(skip).min(WIDTH)));
        }
    }
    frame.truncate(frame.trim_end().len());
    frame
}

/// One column wide, whatever it was.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The name of a unit's script, or of one of its modules: one that can stand in the engine's stack texts and be found again.
pub(super) fn script_name(unit: &str, path: Option<&str>) -> String {
    let clean = |text: &str, max| text.chars().filter(|c| !c.is_control() && !matches!(c, '(' | ')' | ':')).take(max).collect::<String>();
    let unit = clean(unit, 80);
    let unit = if unit.is_empty() { "extension".to_owned() } else { unit };
    let Some(path) = path else { return unit };
    // Two files never have one name.
    let mut script = format!("{unit}/");
    for c in path.chars() {
        if c.is_control() || matches!(c, '(' | ')' | ':' | '%') {
            script.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            script.push(c);
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(script: &str, text: &str) -> Sources {
        let mut sources = Sources::default();
        sources.add(script.to_owned(), SourceText { text: text.to_owned(), wrapper_lines: 1, ..SourceText::default() });
        sources
    }

    #[test]
    fn the_authors_own_file_comes_before_one_of_a_package() {
        let mut sources = Sources::default();
        for file in ["index.mjs", "node_modules/p/i.js"] {
            sources
                .add(format!("x/{file}"), SourceText { file: Some(file.to_owned()), text: "a\nb\nc".to_owned(), ..SourceText::default() });
        }
        let (text, spot) = sources.author_stack("    at deep (x/node_modules/p/i.js:1:1)\n    at <anonymous> (x/index.mjs:3:2)\n");
        assert!(text.starts_with("    at deep (x/node_modules/p/i.js:1:1)"), "{text}");
        assert_eq!(spot.map(|s| (s.file, s.place)), Some((Some("index.mjs".to_owned()), Place { line: 3, column: 2 })));
    }

    #[test]
    fn frames_are_moved_to_the_authors_lines_and_ours_left_out() {
        let raw = "    at total (Order total:4:11)\n    at map (native)\n    at <anonymous> (Order total:2:5)\n    at apply (native)\n    at run (trellis:run:9:1)\n";
        let (text, spot) = sources("Order total", "a\nb\nc\nd").author_stack(raw);
        assert_eq!(text, "    at total (Order total:3:11)\n    at map (native)\n    at <anonymous> (Order total:1:5)");
        assert_eq!(spot.map(|s| s.place), Some(Place { line: 3, column: 11 }));
    }

    #[test]
    fn a_syntax_error_has_its_place_without_parentheses() {
        let (_, spot) = sources("my ext", "a\nb").author_stack("    at my ext:3:9\n");
        assert_eq!(spot.map(|s| s.place), Some(Place { line: 2, column: 9 }));
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        let frame = code_frame("const a = 1;\na.b.c();\nreturn a;", Place { line: 2, column: 4 });
        assert_eq!(frame, "  1 | const a = 1;\n> 2 | a.b.c();\n    |    ^\n  3 | return a;");
    }
}
