//! Which paths a route answers: text as authors write it, parsed into segments.
//!
//! Knows no method, no request and no table. [`super::routes`] puts patterns into its table, registrations and rows are where they come
//! from. A static segment is text and is held against decoded text: what a client has to escape is written plainly here.

use std::fmt;

use crate::services::query::clip;

/// Most segments of a pattern, base path included: the depth of the table of routes.
pub const MAX_SEGMENTS: usize = 32;
/// Longest pattern in bytes, base path included.
pub const MAX_BYTES: usize = 1_000;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text.
    Static(String),
    /// Any one segment, under this name.
    Param(String),
    /// All that is left, none included, under this name. Last only.
    Rest(String),
}

/// The paths that a route answers, below `/api/ext`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

impl Pattern {
    /// The pattern of a route of a folder: `path` below `base_path`. A missing or a trailing slash of either is forgiven.
    ///
    /// `path` may be `/`. `*rest` matches zero or more segments, so that `/*rest` below `/app` answers `/app` too; `*` alone is named `rest`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn parse(base_path: &str, path: &str) -> Result<Self, String> {
        let mut segments: Vec<Segment> = base(base_path)?.into_iter().map(Segment::Static).collect();
        segments.extend(parse(path)?);
        Self::checked(segments)
    }

    /// The pattern of a row, which has no base path: its first segment is text, so that no row answers for everybody's paths.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub fn parse_row(path: &str) -> Result<Self, String> {
        let segments = parse(path)?;
        match segments.first() {
            Some(Segment::Static(_)) => Self::checked(segments),
            _ => Err(format!("the path must begin with a segment of plain text, such as `/customers/:id`, not: {}", clip(path))),
        }
    }

    fn checked(segments: Vec<Segment>) -> Result<Self, String> {
        if segments.len() > MAX_SEGMENTS {
            return Err(format!("a path may have at most {MAX_SEGMENTS} segments with its base path, this one has {}", segments.len()));
        }
        let pattern = Self { segments };
        let bytes = pattern.to_string().len();
        if bytes > MAX_BYTES {
            return Err(format!("a path may have at most {MAX_BYTES} bytes with its base path, this one has {bytes}"));
        }
        let names: Vec<&str> = pattern.names().collect();
        match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            Some((_, name)) => Err(format!("the name `{name}` stands twice in `{pattern}`: give each parameter a name of its own")),
            None => Ok(pattern),
        }
    }

    /// The steps, from the left.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of the parameters, from the left.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Static(_) => None,
            Segment::Param(name) | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// The pattern without the names of its parameters: two patterns of one shape match the same paths.
    pub fn shape(&self) -> String {
        // No static segment is `:` or `*`, nor holds a slash, so no two shapes have the same text.
        self.segments
            .iter()
            .flat_map(|segment| {
                let text = match segment {
                    Segment::Static(text) => text.as_str(),
                    Segment::Param(_) => ":",
                    Segment::Rest(_) => "*",
                };
                ["/", text]
            })
            .collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Static(text) => write!(f, "/{text}"),
            Segment::Param(name) => write!(f, "/:{name}"),
            Segment::Rest(name) => write!(f, "/*{name}"),
        })
    }
}

/// The one spelling of a base path: `/shop/v1` for `shop/v1/` too.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub fn base_path(text: &str) -> Result<String, String> {
    let segments = base(text)?;
    // Parsing it with a path is what checks the limits.
    Pattern::checked(segments.into_iter().map(Segment::Static).collect()).map(|pattern| pattern.to_string())
}

fn base(text: &str) -> Result<Vec<String>, String> {
    let segments = parse(text)?;
    if segments.is_empty() {
        return Err("a base path needs at least one segment, such as `/stock`".to_owned());
    }
    let plain = |segment| match segment {
        Segment::Static(text) => Ok(text),
        Segment::Param(name) => Err(format!("a base path is plain text: move `:{name}` to the paths of the routes")),
        Segment::Rest(name) => Err(format!("a base path is plain text: move `*{name}` to the paths of the routes")),
    };
    segments.into_iter().map(plain).collect()
}

fn parse(path: &str) -> Result<Vec<Segment>, String> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() && path != "//" {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = inner.split('/').collect();
    let last = parts.len() - 1;
    parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| match part.as_bytes().first() {
            None => Err(format!("there is an empty segment (`//`) in: {}", clip(path))),
            Some(b':') => name(&part[1..], part).map(Segment::Param),
            Some(b'*') if at < last => Err(format!("`{}` matches all that is left, so it must stand last in: {}", clip(part), clip(path))),
            Some(b'*') if part.len() == 1 => Ok(Segment::Rest("rest".to_owned())),
            Some(b'*') => name(&part[1..], part).map(Segment::Rest),
            Some(_) => plain(part).map(|text| Segment::Static(text.to_owned())),
        })
        .collect()
}

fn name(text: &str, part: &str) -> Result<String, String> {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("after `:` or `*` stands a name of letters, digits and `_` that is the whole segment, not: {}", clip(part)))
    }
}

fn plain(part: &str) -> Result<&str, String> {
    let shown = clip(part);
    if part == "." || part == ".." {
        return Err(format!("a segment can't be `{part}`: clients resolve it before they send"));
    }
    if part.trim() != part {
        return Err(format!("a segment can't begin or end with white space: {}", shown.escape_debug()));
    }
    if part.starts_with(['{', '[', '(']) {
        return Err(format!("a parameter is written `:name`, not: {shown}"));
    }
    if let Some(wrong) = part.chars().find(|c| c.is_control() || "*?#\\".contains(*c)) {
        return Err(format!("`{}` can't stand in a segment: {}", wrong.escape_default(), shown.escape_debug()));
    }
    let escaped = part.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit());
    if escaped {
        return Err(format!("a segment is plain text: write the character itself instead of its escape in: {shown}"));
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(base: &str, path: &str) -> String {
        Pattern::parse(base, path).map_or_else(|e| format!("! {e}"), |p| p.to_string())
    }

    #[test]
    fn slashes_are_forgiven_and_names_are_kept() {
        for (base, path, expected) in [
            ("/stock", "/:sku", "/stock/:sku"),
            ("stock/", ":sku/", "/stock/:sku"),
            ("/shop/v1", "/", "/shop/v1"),
            ("/shop", "", "/shop"),
            ("/app", "/*", "/app/*rest"),
            ("/app", "/files/*path", "/app/files/*path"),
            ("/a", "/items:batch/ä ö/__proto__", "/a/items:batch/ä ö/__proto__"),
            ("/a", "/:__proto__/:constructor", "/a/:__proto__/:constructor"),
        ] {
            assert_eq!(shown(base, path), expected);
        }
        assert_eq!(base_path("shop/v1/"), Ok("/shop/v1".to_owned()));
        assert_eq!(Pattern::parse_row("GET").map(|p| p.to_string()), Ok("/GET".to_owned()));
    }

    #[test]
    fn names_don_t_count_for_the_shape_and_text_does() {
        let shape = |path| Pattern::parse("/x", path).expect("a pattern").shape();
        assert_eq!(shape("/:a/*b"), shape("/:c/*"));
        assert_eq!(shape("/:a"), "/x/:");
        assert_ne!(shape("/:a"), shape("/a"));
        assert_ne!(shape("/*a"), shape("/:a"));
    }

    #[test]
    fn each_mistake_says_what_is_allowed() {
        for (base, path, part) in [
            ("", "/a", "at least one segment"),
            ("/", "/a", "at least one segment"),
            ("/:tenant", "/a", "move `:tenant`"),
            ("/a/*", "/b", "move `*rest`"),
            ("/a//b", "/c", "empty segment"),
            ("/a", "//", "empty segment"),
            ("/a", "/b//c", "empty segment"),
            ("/a", "/*rest/b", "must stand last"),
            ("/a", "/:", "letters, digits"),
            ("/a", "/:1st", "letters, digits"),
            ("/a", "/:id?", "letters, digits"),
            ("/a", "/:name.json", "letters, digits"),
            ("/a", "/:ä", "letters, digits"),
            ("/a", "/*a-b", "letters, digits"),
            ("/a", "/{id}", "`:name`"),
            ("/a", "/[id]", "`:name`"),
            ("/a", "/b*", "`*` can't"),
            ("/a", "/b?c=1", "`?` can't"),
            ("/a", "/b#c", "`#` can't"),
            ("/a", "/b\\c", "can't stand"),
            ("/a", "/b\nc", "can't stand"),
            ("/a", "/b/ ", "white space"),
            ("/a", "/a%20b", "plain text"),
            ("/a", "/../b", "can't be `..`"),
            ("/a", "/:id/x/:id", "`id` stands twice"),
            ("/a", "/:rest/*", "`rest` stands twice"),
        ] {
            let message = shown(base, path);
            assert!(message.starts_with("! ") && message.contains(part), "{base} {path:?}: {message}");
        }
        assert!(shown("/a", &"/b".repeat(31)).starts_with("/a/b"));
        assert!(shown("/a", &"/b".repeat(32)).contains("at most 32 segments"));
        assert!(shown("/a", &"b".repeat(1_000)).contains("at most 1000 bytes"));
        for path in ["", "/", "/:id", "/*"] {
            assert!(Pattern::parse_row(path).expect_err("no text").contains("must begin with"), "{path}");
        }
    }
}
