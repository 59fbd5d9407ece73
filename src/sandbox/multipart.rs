//! `multipart/form-data`, read from and written to bytes. It knows no JS; `web.rs` calls it.

/// One field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub name: String,
    /// Given for files only.
    pub filename: Option<String>,
    /// As it stands in the part; empty if there is none.
    pub content_type: String,
    pub content: &'a [u8],
}

/// The parts of a body, `None` if it isn't well formed. What stands before the first boundary and behind the last is left out.
pub(super) fn read<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let mark = format!("\r\n--{boundary}");
    let mark = mark.as_bytes();
    let mut rest = if body.starts_with(&mark[2..]) { &body[mark.len() - 2..] } else { &body[find(body, mark)? + mark.len()..] };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        rest = rest[blanks..].strip_prefix(b"\r\n")?;
        let (name, filename, content_type, content) = head(rest)?;
        let end = find(content, mark)?;
        parts.push(Part { name, filename, content_type, content: &content[..end] });
        rest = &content[end + mark.len()..];
    }
}

/// The lines above a part and what follows them.
fn head(mut rest: &[u8]) -> Option<(String, Option<String>, String, &[u8])> {
    let mut disposition = None;
    let mut content_type = String::new();
    loop {
        let end = find(rest, b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line.is_empty() {
            let (name, filename) = disposition?;
            return Some((name, filename, content_type, rest));
        }
        let colon = line.iter().position(|b| *b == b':')?;
        let value = line[colon + 1..].trim_ascii();
        if line[..colon].eq_ignore_ascii_case(b"content-disposition") {
            disposition = Some(names(value)?);
        } else if line[..colon].eq_ignore_ascii_case(b"content-type") {
            content_type = String::from_utf8_lossy(value).into_owned();
        }
    }
}

/// `name` and `filename` of a disposition.
fn names(value: &[u8]) -> Option<(String, Option<String>)> {
    let kind = value.get(..b"form-data".len())?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    let mut rest = value[kind.len()..].trim_ascii_start();
    let (mut name, mut filename) = (None, None);
    while let Some(after) = rest.strip_prefix(b";") {
        let after = after.trim_ascii_start();
        let Some(equals) = after.iter().position(|b| *b == b'=') else { break };
        let key = after[..equals].trim_ascii();
        let after = after[equals + 1..].trim_ascii_start();
        let (text, left) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = quoted.iter().position(|b| *b == b'"')?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = after.iter().position(|b| *b == b';').unwrap_or(after.len());
                (after[..end].trim_ascii_end(), &after[end..])
            }
        };
        if key.eq_ignore_ascii_case(b"name") {
            name = Some(unescape(text));
        } else if key.eq_ignore_ascii_case(b"filename") {
            filename = Some(unescape(text));
        }
        rest = left.trim_ascii_start();
    }
    Some((name?, filename))
}

/// Where `needle` first begins.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = hay[from..].iter().position(|b| *b == first) {
        let next = from + at + 1;
        if hay[next..].starts_with(rest) {
            return Some(next - 1);
        }
        from = next;
    }
    None
}

fn unescape(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace("%0A", "\n").replace("%0D", "\r").replace("%22", "\"")
}

fn escape(name: &str) -> String {
    name.replace('\n', "%0A").replace('\r', "%0D").replace('"', "%22")
}

/// Line breaks of any kind as the wire wants them.
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// Writes one part: a file if it has a name as one, else a text.
pub(super) fn write(out: &mut Vec<u8>, boundary: &str, part: &Part<'_>) {
    let mut text = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escape(&with_crlf(&part.name)));
    match &part.filename {
        Some(name) => {
            text.push_str(&format!("; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n", escape(name), part.content_type));
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(part.content);
        }
        None => {
            text.push_str("\r\n\r\n");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(with_crlf(&String::from_utf8_lossy(part.content)).as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of a body.
pub(super) fn finish(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
}

/// Whether the boundary stands around the parts of a body only: a part that holds it would be read as several.
pub(super) fn is_bounded(body: &[u8], boundary: &str, parts: usize) -> bool {
    let mark = format!("--{boundary}");
    body.windows(mark.len()).filter(|window| *window == mark.as_bytes()).count() == parts + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_holds_the_boundary_is_noticed() {
        for (name, content, is_fine) in [("a", "text", true), ("a", "x\r\n--b\r\ny", false), ("a", "--b", false), ("--b", "", false)] {
            let mut body = Vec::new();
            let part = Part { name: name.to_owned(), filename: None, content_type: String::new(), content: content.as_bytes() };
            write(&mut body, "b", &part);
            finish(&mut body, "b");
            assert_eq!(is_bounded(&body, "b", 1), is_fine, "{name} {content}");
        }
    }

    fn text<'a>(name: &str, content: &'a str) -> Part<'a> {
        Part { name: name.into(), filename: None, content_type: String::new(), content: content.as_bytes() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let file =
            Part { name: "a \"b\"\r\nc".into(), filename: Some("ü.bin".into()), content_type: "x/y".into(), content: b"\0\r\n--X\xFF" };
        let mut out = Vec::new();
        write(&mut out, "XY", &file);
        write(&mut out, "XY", &text("t", "one\ntwo"));
        finish(&mut out, "XY");
        assert_eq!(read(&out, "XY"), Some(vec![file, text("t", "one\r\ntwo")]));
    }

    #[test]
    fn a_body_is_read_as_others_write_it() {
        let body = b"preamble\r\n--b  \r\ncontent-disposition:form-data;name=plain ; x=1\r\nX-Other: 1\r\n\r\nv\r\n\
            --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: image/png\r\n\r\n\r\n--b--epilogue";
        let parts = read(body, "b").expect("it is well formed");
        assert_eq!(parts[0], text("plain", "v"));
        assert_eq!((parts[1].filename.as_deref(), parts[1].content_type.as_str(), parts[1].content), (Some(""), "image/png", &b""[..]));
        assert_eq!(read(b"--b--", "b"), Some(vec![]));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for body in [
            &b""[..],
            b"--b",
            b"--b\r\n",
            b"--bc\r\n\r\n",
            b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno end",
            b"--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nv\r\n--b--",
            b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--b--",
            b"--b\r\nContent-Disposition: form-data; other=a\r\n\r\nv\r\n--b--",
            b"--b\r\n\r\nv\r\n--b--",
        ] {
            assert_eq!(read(body, "b"), None, "{}", String::from_utf8_lossy(body));
        }
    }
}
