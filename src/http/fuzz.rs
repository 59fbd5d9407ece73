//! What fuzzing does with the head of a request to a route, and with the headers of its answer.
//!
//! Each function takes any bytes and panics where something doesn't hold. Compiled for tests and fuzzing only.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use url::Url;

use super::ext::{origin_of, query};
use super::request::{ACCESS_TOKEN, Credentials, in_query, pairs};
use super::{ext, ext_headers};
use crate::extensions::route_path;
use crate::services::query::from_pairs;

const MAX_INPUT: usize = 8_192;

/// A path with a query, as it stands in the first line of a request. The extension sees the path that was routed, and none of our tokens.
///
/// # Panics
/// Where it sees something else.
pub(crate) fn targets(data: &[u8]) {
    let Ok(uri) = Uri::try_from(&data[..data.len().min(MAX_INPUT)]) else { return };
    let Ok(request) = Request::builder().uri(uri).body(()) else { return };
    let (parts, ()) = request.into_parts();
    let asked = parts.uri.query().unwrap_or_default();
    drop(Credentials::said(&parts));
    if let Ok(read) = pairs(asked) {
        drop(from_pairs(read));
    }
    let path = parts.uri.path();
    if !path.starts_with('/') {
        return;
    }
    let Ok(Some(segments)) = route_path::split(path) else { return };
    for strip in [false, true] {
        let query = query(&parts, strip);
        let text = ext::url("http://host.test", path, &query);
        let url = Url::parse(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((url.host_str(), url.port(), url.fragment()), (Some("host.test"), None, None), "{text:?}");
        assert_eq!(route_path::split(url.path()).ok().flatten().as_ref(), Some(&segments), "{text:?}");
        let seen: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        if strip {
            assert!(seen.iter().all(|(name, _)| name != ACCESS_TOKEN), "{text:?}");
            // Nothing else is lost on the way.
            let ours = pairs(asked).unwrap_or_default().into_iter().filter(|(name, _)| name != ACCESS_TOKEN);
            assert!(ours.eq(seen), "{text:?}");
        } else {
            assert_eq!(seen.iter().filter(|(name, _)| name == ACCESS_TOKEN).count(), in_query(&parts).len(), "{text:?}");
        }
    }
}

/// Lines `name:value`, first a host: as the headers of a request, and as those of an answer.
///
/// # Panics
/// Where something crosses that belongs to the host.
pub(crate) fn headers(data: &[u8]) {
    let data = &data[..data.len().min(MAX_INPUT)];
    let mut lines = data.split(|b| *b == b'\n');
    let host = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    if let Some(origin) = origin_of("http", &host) {
        assert_eq!(Url::parse(&origin).map(|url| url.origin().ascii_serialization()).as_ref(), Ok(&origin), "{host:?}");
        assert!(!origin.contains('@'), "{host:?}");
    }
    let given: Vec<(&[u8], &[u8])> =
        lines.filter_map(|line| line.iter().position(|b| *b == b':').map(|at| (&line[..at], &line[at + 1..]))).take(100).collect();
    let mut asked = HeaderMap::new();
    for (name, value) in &given {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            asked.append(name, value);
        }
    }
    let seen = ext_headers::of_request(&asked, true, "ours");
    assert_eq!(seen.iter().filter(|(name, _)| name == "x-request-id").map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["ours"]);
    for (name, value) in &seen {
        assert!(!["authorization", "connection", "transfer-encoding", "upgrade"].contains(&name.as_str()));
        assert!(name != "cookie" || !value.split(';').any(|pair| pair.trim().to_ascii_lowercase().starts_with("trellis_")), "{value:?}");
    }
    let answer: Vec<(String, String)> = given
        .iter()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    for isolated in [false, true] {
        let sent = ext_headers::of_answer(&answer, true, isolated).headers;
        for name in ["content-length", "transfer-encoding", "connection", "x-request-id", "x-accel-redirect", "strict-transport-security"] {
            assert!(!sent.contains_key(name), "{name}");
        }
        assert!(sent.contains_key(header::CONTENT_TYPE) && sent.contains_key(header::X_CONTENT_TYPE_OPTIONS));
        for cookie in sent.get_all(header::SET_COOKIE) {
            let text = String::from_utf8_lossy(cookie.as_bytes()).trim().to_ascii_lowercase();
            assert!(!text.starts_with("trellis_") && !text.starts_with("__host-trellis_"), "{text:?}");
        }
        let html = sent.get_all(header::CONTENT_TYPE).iter().any(|kind| {
            let kind = kind.as_bytes().to_ascii_lowercase();
            kind.strip_prefix(b"text/html").is_some_and(|rest| matches!(rest.trim_ascii_start(), [] | [b';' | b',', ..]))
        });
        assert!(!html || isolated || sent.contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
