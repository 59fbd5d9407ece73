//! The path of a request below `/api/ext`, taken apart for the table of routes.
//!
//! Works on the path as it was sent, because an escaped slash belongs into its segment. What a URL parser would see differently than the
//! table of routes is refused: the extension must be asked about the path that was routed. Called by the HTTP door.

use crate::error::{Error, ErrorCode, Result};
use crate::services::query::clip;

/// Longest path in bytes, escapes counted as they were sent.
pub const MAX_PATH: usize = 8 << 10;

/// The segments of `path`, decoded. `None` where there is an empty one, which no route has; one slash at the end is forgiven.
///
/// # Errors
/// `UriTooLong`; `InvalidPath` for a broken escape, for what isn't UTF-8 once decoded, and for the segments `.` and `..` in any spelling.
pub fn split(path: &str) -> Result<Option<Vec<String>>> {
    if path.len() > MAX_PATH {
        return Err(Error::new(ErrorCode::UriTooLong, format!("The path has {} bytes, at most {MAX_PATH} are taken", path.len())));
    }
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Ok((path != "//").then(Vec::new));
    }
    let mut segments = Vec::new();
    for raw in inner.split('/') {
        if raw.is_empty() {
            return Ok(None);
        }
        let text = decode(raw)?;
        if text == "." || text == ".." {
            return Err(invalid(format!(
                "The path holds a segment `{text}`, which is resolved before a request is sent: send the path itself"
            )));
        }
        segments.push(text);
    }
    Ok(Some(segments))
}

/// Undoes the escapes of one segment.
fn decode(raw: &str) -> Result<String> {
    if !raw.contains('%') {
        return Ok(raw.to_owned());
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let pair = after.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let value = pair.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let Some(value) = value else {
            return Err(invalid(format!("A `%` in the path begins an escape and needs two hexadecimal digits after it: {}", clip(raw))));
        };
        bytes.push(value);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid(format!("The path isn't valid UTF-8 once its escapes are undone: {}", clip(raw))))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::InvalidPath, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_text_and_an_escaped_slash_stays_inside() {
        for (path, expected) in [
            ("", Some(vec![])),
            ("/", Some(vec![])),
            ("/a", Some(vec!["a"])),
            ("/a/", Some(vec!["a"])),
            ("/a%2Fb/c", Some(vec!["a/b", "c"])),
            ("/a%20b+c", Some(vec!["a b+c"])),
            ("/%00/%C3%A4/ö", Some(vec!["\0", "ä", "ö"])),
            ("/%2525", Some(vec!["%25"])),
            ("/...", Some(vec!["..."])),
            ("/__proto__/;x=1", Some(vec!["__proto__", ";x=1"])),
            ("//", None),
            ("//a", None),
            ("/a//", None),
            ("/a//b", None),
        ] {
            let split = split(path).expect("readable");
            assert_eq!(split.as_deref().map(|s| s.iter().map(String::as_str).collect::<Vec<_>>()), expected, "{path}");
        }
    }

    #[test]
    fn what_others_would_read_differently_is_refused() {
        for path in ["/a/../b", "/a/./b", "/%2e%2E/b", "/.%2e", "/%2e", "/a/..", "/%", "/%4", "/%zz", "/%+1", "/%ff", "/%c3", "/%ed%a0%80"]
        {
            assert_eq!(split(path).expect_err(path).code(), ErrorCode::InvalidPath, "{path}");
        }
        assert!(split(&format!("/{}", "a".repeat(MAX_PATH - 1))).is_ok());
        assert_eq!(split(&format!("/{}", "a".repeat(MAX_PATH))).expect_err("long").code(), ErrorCode::UriTooLong);
    }
}
