//! Headers of requests and answers: which of them an extension may set, and what a redirect takes away.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Target, refused};
use crate::error::Result;

/// Headers that only the host sets: they say where a request goes, how it is framed and what may come back. A request that is handed on
/// has them, so they are left out and not refused, as the fetch standard has it.
const OF_THE_HOST: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How many bytes all headers of a request may have.
const MAX_HEADERS: usize = 64 * 1024;

/// How the host calls itself where an extension doesn't.
const USER_AGENT: &str = concat!("trellis/", env!("CARGO_PKG_VERSION"));

/// What an extension set, without what only the host may say.
pub(super) fn outgoing(given: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut size = 0;
    // What `Connection` names is between two neighbours only.
    let hops: Vec<String> = given
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    for (name, value) in given {
        size += name.len() + value.len();
        if size > MAX_HEADERS {
            return Err(refused(format!("The headers of the request have more than {MAX_HEADERS} bytes")));
        }
        let lower = name.to_ascii_lowercase();
        if OF_THE_HOST.contains(&lower.as_str()) || hops.contains(&lower) {
            continue;
        }
        let name = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| refused("A header has a name that it can't have"))?;
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        headers.append(&name, value.ok_or_else(|| refused(format!("The header `{name}` has a value that it can't have")))?);
    }
    Ok(headers)
}

/// The headers of one hop: what the extension set and what the host says.
pub(super) fn complete(given: &HeaderMap, target: &Target, offer_brotli: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    let default = if target.tls { 443 } else { 80 };
    let host = if target.port == default { target.host.to_string() } else { format!("{}:{}", target.host, target.port) };
    // A host that was parsed as one is made of visible characters.
    headers.insert(header::HOST, HeaderValue::from_str(&host).unwrap_or_else(|_| HeaderValue::from_static("")));
    headers.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    let encodings = match (headers.contains_key(header::RANGE), offer_brotli) {
        // A part of something packed can't be unpacked.
        (true, _) => "identity",
        (false, true) => "gzip, deflate, br",
        (false, false) => "gzip, deflate",
    };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings));
    headers
}

/// A request that becomes a GET has no body to describe.
pub(super) fn drop_content(headers: &mut HeaderMap) {
    for name in [header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION, header::CONTENT_TYPE] {
        headers.remove(name);
    }
}

/// What proves somebody to one server is none of another's business.
pub(super) fn drop_credentials(headers: &mut HeaderMap) {
    for name in ["authorization", "cookie", "cookie2", "x-api-key", "x-auth-token", "x-csrf-token"] {
        headers.remove(name);
    }
}

/// One character for each byte, as JavaScript has header values.
pub(super) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_frames_a_request_is_the_hosts() {
        let given = pairs(&[
            ("Host", "internal"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close, X-Mine"),
            ("X-Mine", "1"),
            ("Upgrade", "h2c"),
            ("TE", "trailers"),
            ("Expect", "100-continue"),
            ("Proxy-Authorization", "Basic x"),
            ("Accept-Encoding", "zstd"),
            ("Cookie", "a=1"),
            ("X-Other", "2"),
        ]);
        let headers = outgoing(&given).expect("they are left out");
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["cookie", "x-other"]);
    }

    #[test]
    fn what_would_end_a_line_is_refused() {
        for (name, value) in [("x", "a\r\nhost: b"), ("x", "a\nb"), ("x", "a\0b"), ("x y", "1"), ("x:", "1"), ("", "1"), ("x", "\u{100}")] {
            assert!(outgoing(&pairs(&[(name, value)])).is_err(), "{name:?}: {value:?}");
        }
        assert!(outgoing(&pairs(&[("x", &"y".repeat(MAX_HEADERS))])).is_err());
        let latin = outgoing(&pairs(&[("x", "\u{e9}")])).expect("one byte");
        assert_eq!(latin.get("x").map(HeaderValue::as_bytes), Some(&b"\xe9"[..]));
    }
}
