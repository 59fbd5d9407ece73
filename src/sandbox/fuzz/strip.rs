//! TypeScript that is taken off, and the places in what is left.

use super::super::strip::{place_at, strip as take_off};
use super::super::trace::{Place, code_frame};

/// Longest text: nesting is bounded with it, which the parser follows by recursion.
const MAX_TEXT: usize = 2_048;

/// Strips a text and asks for the author's place of every line.
///
/// # Panics
/// Where a place lies outside of the text.
pub(crate) fn strip(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(MAX_TEXT)]).into_owned();
    let lines = u32::try_from(text.split(['\n', '\r', '\u{2028}', '\u{2029}']).count()).unwrap_or(u32::MAX);
    match take_off("index.ts", &text) {
        Ok((code, places)) => {
            for line in 1..=u32::try_from(code.lines().count()).unwrap_or(0) {
                for column in [1, 2, 40, u32::MAX] {
                    let place = places.author(Place { line, column });
                    assert!(place.line >= 1 && place.column >= 1);
                    drop(code_frame(&text, place));
                }
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
            }
        }
    }
    for offset in [0, 1, text.len() / 2, text.len(), usize::MAX] {
        let place = place_at(&text, offset);
        assert!((1..=lines).contains(&place.line));
        drop(code_frame(&text, place));
    }
}
