//! The text beside a message that was written in HTML, for readers that don't show any.

/// Elements whose content nobody reads.
const UNREAD: [&str; 4] = ["script", "style", "head", "title"];
/// Elements that begin a line.
const LINES: [&str; 14] = ["p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"];

/// What a reader would see of it, in lines.
pub fn to_text(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        push(&mut out, &rest[..open]);
        rest = &rest[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some(close) = rest.find('>') else { break };
        let tag = &rest[1..close];
        rest = &rest[close + 1..];
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if UNREAD.contains(&name.as_str()) && !tag.starts_with('/') {
            rest = after_end(rest, &name);
        } else if LINES.contains(&name.as_str()) && !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
    push(&mut out, if rest.starts_with('<') { "" } else { rest });
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What follows the end of an element that isn't read.
fn after_end<'h>(html: &'h str, name: &str) -> &'h str {
    let mut from = 0;
    while let Some(at) = html[from..].find("</") {
        let tag = from + at + 2;
        if html[tag..].get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return html[tag..].split_once('>').map_or("", |(_, after)| after);
        }
        from = tag;
    }
    ""
}

/// Adds text with white space as HTML counts it: any of it is one space, at the beginning of a line none.
fn push(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (shown, length) = if c == '&' { entity(rest) } else { (c, c.len_utf8()) };
        let is_break = c.is_ascii_whitespace();
        if !is_break {
            out.push(shown);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
        rest = &rest[length..];
    }
}

/// The character that an entity stands for, and how long it is written; a lone `&` stands for itself.
fn entity(text: &str) -> (char, usize) {
    const NAMED: [(&str, char); 6] = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    let Some(end) = text.bytes().take(12).position(|b| b == b';') else { return ('&', 1) };
    let Some(name) = text.get(1..end) else { return ('&', 1) };
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(|c| !c.is_control());
    let found = match name.strip_prefix('#') {
        Some(digits) => digits.strip_prefix(['x', 'X']).map_or_else(|| number(digits, 10), |hex| number(hex, 16)),
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
    };
    found.map_or(('&', 1), |c| (c, end + 1))
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn what_a_reader_would_see() {
        for (html, text) in [
            ("<h1>Hi</h1><p>Dear <b>Ann</b>,\n  welcome.</p><ul><li>one<li>two</ul>", "Hi\nDear Ann, welcome.\none\ntwo"),
            ("<style>p { color: red }</style><SCRIPT>if (a < b) x()</SCRIPT>a<!-- <p> -->b", "ab"),
            ("1 &lt; 2 &amp;&amp; 3&nbsp;&gt; 2 &#233;&#xe9; &nothing; & &", "1 < 2 && 3 > 2 éé &nothing; & &"),
            ("a <", "a"),
            ("<p", ""),
            ("<script>never ends", ""),
            ("&#0;&#x110000;&;é&", "&#0;&#x110000;&;é&"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }
}
