//! From the engine's stack texts to the author's coordinates: lines, columns, code frames.
//!
//! The body of a runtime extension is compiled inside a wrapper whose first line is ours, so the author's line is the engine's minus
//! one. Frames of our own glue have file names that begin with `trellis:` and are left out.

use super::limits::MAX_STACK_TEXT;

/// Begins the file name of every script of ours.
pub(super) const OWN: &str = "trellis:";

/// Lines of the wrapper before the author's first.
const WRAPPER_LINES: u32 = 1;

/// Characters of a code line in a frame.
const WIDTH: usize = 120;

/// A place in the author's text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u32,
    pub column: u32,
}

/// The stack in the author's lines, and the innermost place that is the author's.
pub(super) fn author_stack(raw: &str, file: &str, code: &str) -> (String, Option<Place>) {
    let last_line = u32::try_from(code.lines().count()).unwrap_or(u32::MAX).max(1);
    let mut text = String::new();
    let mut first = None;
    for line in raw.lines() {
        if text.len() > MAX_STACK_TEXT {
            break;
        }
        let Some((before, name, place)) = location(line) else {
            push_line(&mut text, line);
            continue;
        };
        if name.starts_with(OWN) {
            // The built-in through which our glue called the author's code.
            text.truncate(text.strip_suffix("    at apply (native)").map_or(text.len(), |t| t.trim_end().len()));
            continue;
        }
        if name != file {
            push_line(&mut text, line);
            continue;
        }
        // An error at the end of the text is reported in the wrapper's last line.
        let place = Place { line: place.line.saturating_sub(WRAPPER_LINES).clamp(1, last_line), column: place.column };
        first.get_or_insert(place);
        let close = if line.ends_with(')') { ")" } else { "" };
        push_line(&mut text, &format!("{before}{name}:{}:{}{close}", place.line, place.column));
    }
    (text, first)
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
    let lines: Vec<&str> = code.lines().collect();
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

/// A name that can stand in the engine's stack texts and be found again.
pub(super) fn file_name(unit: &str) -> String {
    let cleaned: String = unit.chars().filter(|c| !c.is_control() && !matches!(c, '(' | ')' | ':')).take(80).collect();
    if cleaned.is_empty() { "extension".into() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_moved_to_the_authors_lines_and_ours_left_out() {
        let raw = "    at total (Order total:4:11)\n    at map (native)\n    at <anonymous> (Order total:2:5)\n    at apply (native)\n    at run (trellis:run:9:1)\n";
        let (text, first) = author_stack(raw, "Order total", "a\nb\nc\nd");
        assert_eq!(text, "    at total (Order total:3:11)\n    at map (native)\n    at <anonymous> (Order total:1:5)");
        assert_eq!(first, Some(Place { line: 3, column: 11 }));
    }

    #[test]
    fn a_syntax_error_has_its_place_without_parentheses() {
        let (_, first) = author_stack("    at my ext:3:9\n", "my ext", "a\nb");
        assert_eq!(first, Some(Place { line: 2, column: 9 }));
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        let frame = code_frame("const a = 1;\na.b.c();\nreturn a;", Place { line: 2, column: 4 });
        assert_eq!(frame, "  1 | const a = 1;\n> 2 | a.b.c();\n    |    ^\n  3 | return a;");
    }
}
