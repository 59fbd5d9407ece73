//! The text log, so that no text of an extension, a client or a database can pass for a line of the log itself.
//!
//! What an event says may have line breaks: an error with its code frame is meant to be read as such. Continued lines are indented, so
//! a line that begins at the margin is the log's. Used by `main.rs` only; the JSON format escapes by itself.

use std::io::{self, Write};

/// Before each continued line of an event.
const INDENT: &str = "    ";

/// Writes events to `inner`, each given whole and ended by a line break.
#[derive(Debug)]
pub struct Indented<W>(pub W);

impl<W: Write> Write for Indented<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        if body.contains(is_misleading) {
            // At once: what another thread writes must not come between.
            let mut shown = shown(body);
            shown.push('\n');
            self.0.write_all(shown.as_bytes())?;
        } else {
            self.0.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether a character can move the cursor or begin a line. Colours are the log's own: in texts their escapes are shown as such already.
fn is_misleading(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\u{1b}'
}

fn shown(body: &str) -> String {
    let mut out = String::with_capacity(body.len() + 64);
    for c in body.chars() {
        match c {
            '\n' => {
                out.push('\n');
                out.push_str(INDENT);
            }
            c if is_misleading(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(events: &[&str]) -> String {
        let mut log = Indented(Vec::new());
        for event in events {
            log.write_all(event.as_bytes()).expect("memory takes everything");
        }
        String::from_utf8(log.0).expect("text stays text")
    }

    #[test]
    fn only_an_event_begins_at_the_margin() {
        let forged = "WARN it failed\n2026-01-01T00:00:00Z ERROR all is lost\r\x0b\u{85}over\n";
        let log = written(&["INFO hello\n", forged, "INFO \tbye\n"]);
        assert_eq!(log, "INFO hello\nWARN it failed\n    2026-01-01T00:00:00Z ERROR all is lost\\r\\u{b}\\u{85}over\nINFO \tbye\n");
    }
}
