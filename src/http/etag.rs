//! `ETag` and `If-Match`: versions of what is stored, on their way in and out. What a version is, and what follows, the services know.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::error::ApiError;
use crate::error::{Error, Result};
use crate::services::precondition::IfMatch;

/// For which version a request is to hold, by its `If-Match`.
pub struct Expected(pub IfMatch);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let lines = parts.headers.get_all(header::IF_MATCH).iter();
        Ok(Self(if_match(lines.map(HeaderValue::as_bytes))?))
    }
}

/// An answer that names the version of what it shows, as a strong tag.
pub fn tagged(mut response: Response, version: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Reads the lines of `If-Match`, which together are one list. Only strong tags are versions: a weak one matches nothing.
fn if_match<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Result<IfMatch> {
    let wrong = || Error::query("`If-Match` must be `*`, or tags in double quotes with commas between, as `ETag` gives them");
    let (mut said, mut any, mut versions) = (false, false, Vec::new());
    for line in lines {
        said = true;
        let mut rest = line.trim_ascii();
        if rest == b"*" {
            any = true;
            continue;
        }
        while !rest.is_empty() {
            let is_weak = rest.starts_with(b"W/");
            let quoted = rest[if is_weak { 2 } else { 0 }..].strip_prefix(b"\"").ok_or_else(wrong)?;
            let end = quoted.iter().position(|byte| *byte == b'"').ok_or_else(wrong)?;
            if !is_weak && let Ok(tag) = std::str::from_utf8(&quoted[..end]) {
                versions.push(tag.to_owned());
            }
            rest = quoted[end + 1..].trim_ascii_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix(b",").ok_or_else(wrong)?.trim_ascii_start();
            }
        }
    }
    Ok(match (said, any) {
        (false, _) => IfMatch::Unsaid,
        (true, true) => IfMatch::Any,
        (true, false) => IfMatch::Versions(versions),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<IfMatch> {
        if_match(lines.iter().map(|line| line.as_bytes()))
    }

    fn versions(names: &[&str]) -> IfMatch {
        IfMatch::Versions(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn every_form_of_the_header_is_understood() {
        for (lines, expected) in [
            (&[][..], IfMatch::Unsaid),
            (&["*"], IfMatch::Any),
            (&[" * "], IfMatch::Any),
            (&["\"a\""], versions(&["a"])),
            (&["\"a\", \"b\",\"c\""], versions(&["a", "b", "c"])),
            (&["\"a\"", "\"b\""], versions(&["a", "b"])),
            (&["\"a,b\" , \"c\""], versions(&["a,b", "c"])),
            (&["W/\"a\""], versions(&[])),
            (&["W/\"a\", \"b\""], versions(&["b"])),
            (&["\"\""], versions(&[""])),
            (&[""], versions(&[])),
        ] {
            assert_eq!(read(lines).ok(), Some(expected), "{lines:?}");
        }
        for wrong in ["a", "\"a", "a\"", "\"a\" \"b\"", "W/a", "w/\"a\"", "*, \"a\"", "\"a\",, \"b\"", ",", "W/"] {
            let error = read(&[wrong]).err().map(|error| error.class());
            assert_eq!(error, Some(400), "{wrong}");
        }
    }
}
