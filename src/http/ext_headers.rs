//! Which headers cross between a client and the route of an extension.
//!
//! Pure: names and values in, names and values out. What belongs to the connection or to the host stays with it, both ways; what would
//! make a browser run an extension's HTML with the rights of the host's pages is taken the edge off. Called by [`super::ext`].

use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that speak about one connection (RFC 9110, 7.6.1), whoever sends them.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What no extension may answer: the length, which is counted here; the request's id; and what would reach beyond its own paths, to the
/// whole site in a browser (reports about every request of it included) or to the proxy in front of the host.
const HOST_ONLY: [&str; 10] = [
    "alt-svc",
    "clear-site-data",
    "content-length",
    "nel",
    "report-to",
    "service-worker-allowed",
    "strict-transport-security",
    "x-lighttpd-send-file",
    "x-request-id",
    "x-sendfile",
];
/// The same, by how they begin: nginx takes orders from these.
const HOST_ONLY_PREFIX: &str = "x-accel-";

/// How the names of the host's cookies begin. An extension neither sees them nor sets them.
const HOST_COOKIES: &str = "trellis_";
/// What browsers ask of the cookie whose name begins like this is no part of whose it is.
const COOKIE_PREFIXES: [&str; 2] = ["__host-", "__secure-"];

/// Types that a browser shows as a page, in which scripts run.
const PAGES: [&str; 6] =
    ["text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml", "multipart/x-mixed-replace"];

const REQUEST_ID: &str = "x-request-id";

/// What the extension sees of a request's headers. Bytes beyond ASCII become the characters of that number, as in the web's `Headers`.
///
/// `signed_in` says that `Authorization` carried one of the host's own tokens.
pub fn of_request(headers: &HeaderMap, signed_in: bool, request_id: &str) -> Vec<(String, String)> {
    let mut seen = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.as_str();
        let is_own_token = signed_in && name == header::AUTHORIZATION;
        if HOP_BY_HOP.contains(&name) || is_own_token || name == REQUEST_ID {
            continue;
        }
        let value = latin1(value);
        if name == header::COOKIE {
            let others: Vec<&str> = value.split(';').map(str::trim).filter(|pair| !pair.is_empty() && !is_host_cookie(pair)).collect();
            if !others.is_empty() {
                seen.push((name.to_owned(), others.join("; ")));
            }
            continue;
        }
        seen.push((name.to_owned(), value));
    }
    seen.push((REQUEST_ID.to_owned(), request_id.to_owned()));
    seen
}

/// The headers of an answer, and which ones were left out.
#[derive(Debug, Default)]
pub struct Answered {
    /// What is sent.
    pub headers: HeaderMap,
    /// The names of what isn't, sorted.
    pub dropped: BTreeSet<String>,
}

/// What of an extension's headers is answered.
///
/// `has_body` gives a body without a type one that no browser guesses at. `isolated` says that the request came to an origin that is the
/// extensions' own, where their pages may run scripts.
pub fn of_answer(given: &[(String, String)], has_body: bool, isolated: bool) -> Answered {
    let mut answered = Answered::default();
    for (name, value) in given {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(bytes(value).and_then(|v| HeaderValue::from_bytes(&v).ok()));
        match parsed {
            Some((name, value)) if !is_refused(name.as_str(), &value) => drop(answered.headers.append(name, value)),
            _ => drop(answered.dropped.insert(crate::services::query::clip(name).escape_debug().to_string())),
        }
    }
    let headers = &mut answered.headers;
    if has_body && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !isolated && !headers.contains_key(header::CONTENT_SECURITY_POLICY) && is_page(headers) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    }
    answered
}

fn is_refused(name: &str, value: &HeaderValue) -> bool {
    HOP_BY_HOP.contains(&name)
        || HOST_ONLY.contains(&name)
        || name.starts_with(HOST_ONLY_PREFIX)
        || (name == header::SET_COOKIE && is_host_cookie(&latin1(value)))
}

/// Whether `name=value; …` is a cookie of the host. A cookie without a name is sent back as its bare value, which can look like one.
fn is_host_cookie(cookie: &str) -> bool {
    let pair = cookie.trim_start_matches(|c: char| c.is_whitespace() || c == '=').to_ascii_lowercase();
    let name = COOKIE_PREFIXES.iter().find_map(|prefix| pair.strip_prefix(prefix)).unwrap_or(&pair);
    name.starts_with(HOST_COOKIES)
}

/// Whether a browser may take the answer for a page. Of several types in one header it believes any, so each counts.
fn is_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        latin1(value).split(',').any(|part| {
            let essence = part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            PAGES.contains(&essence.as_str()) || essence.ends_with("+xml")
        })
    })
}

fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(value: &str) -> Option<Vec<u8>> {
    value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn answered(pairs: &[(&str, &str)], isolated: bool) -> Answered {
        let given: Vec<(String, String)> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        of_answer(&given, true, isolated)
    }

    #[test]
    fn an_extension_sees_what_is_meant_for_it() {
        let mut headers = map(&[
            ("authorization", "Bearer ours"),
            ("connection", "Keep-Alive, X-Real-IP"),
            ("x-real-ip", "10.0.0.1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("cookie", "a=1; trellis_session=s; __Host-trellis_x=y; b=2;c=3"),
            ("content-length", "5"),
            ("x-request-id", "theirs"),
            ("x-hub-signature-256", "sha256=00"),
        ]);
        headers.insert("x-latin", HeaderValue::from_bytes(b"caf\xe9").expect("bytes"));
        headers.append("cookie", HeaderValue::from_static("trellis_a=1"));
        let seen = of_request(&headers, true, "ours");
        let get = |name: &str| seen.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
        for name in ["authorization", "connection", "te", "upgrade"] {
            assert!(get(name).is_empty(), "{name}");
        }
        assert_eq!(get("cookie"), ["a=1; b=2; c=3"]);
        assert_eq!(get("x-real-ip"), ["10.0.0.1"], "a client can't take away what a proxy added");
        assert_eq!(get("x-request-id"), ["ours"]);
        assert_eq!((get("content-length"), get("x-latin")), (vec!["5"], vec!["café"]));
        assert!(of_request(&headers, false, "ours").iter().any(|(_, value)| value == "Bearer ours"));
    }

    #[test]
    fn an_extension_can_t_speak_for_the_host() {
        let answered = answered(
            &[
                ("X-Mine", "caf\u{e9}"),
                ("set-cookie", "a=1; Path=/"),
                ("set-cookie", "b=2"),
                ("Set-Cookie", "trellis_session=evil"),
                ("Set-Cookie", " =trellis_session=evil"),
                ("Set-Cookie", "__Host-Trellis_Session=evil"),
                ("Content-Length", "5"),
                ("Transfer-Encoding", "chunked"),
                ("X-Request-Id", "x"),
                ("Clear-Site-Data", "*"),
                ("Strict-Transport-Security", "max-age=0"),
                ("X-Accel-Redirect", "/etc"),
                ("NEL", "{}"),
                ("x-sendfile", "/etc"),
                ("bad name", "x"),
                ("x-bad", "a\r\nb: c"),
                ("x-wide", "\u{2713}"),
                ("x-content-type-options", "none"),
            ],
            false,
        );
        let dropped: Vec<&str> = answered.dropped.iter().map(String::as_str).collect();
        let expected = [
            "Clear-Site-Data",
            "Content-Length",
            "NEL",
            "Set-Cookie",
            "Strict-Transport-Security",
            "Transfer-Encoding",
            "X-Accel-Redirect",
            "X-Request-Id",
            "bad name",
            "x-bad",
            "x-sendfile",
            "x-wide",
        ];
        assert_eq!(dropped, expected);
        let cookies: Vec<_> = answered.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
        assert_eq!(answered.headers["x-mine"].as_bytes(), b"caf\xe9");
        assert_eq!(answered.headers["x-content-type-options"], "nosniff");
        assert_eq!(answered.headers["content-type"], "application/octet-stream");
    }

    #[test]
    fn pages_are_shut_in_unless_their_author_says_how() {
        let policy = |pairs: &[(&str, &str)], isolated| {
            let answered = answered(pairs, isolated);
            answered.headers.get("content-security-policy").and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        for page in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/atom+xml",
            "application/json, text/html",
            " text/html ;x",
            "multipart/x-mixed-replace; boundary=b",
        ] {
            assert_eq!(policy(&[("content-type", page)], false).as_deref(), Some("sandbox"), "{page}");
            assert_eq!(policy(&[("content-type", page)], true), None, "{page}");
        }
        for plain in ["application/json", "text/plain", "text/css", "application/octet-stream", "text/event-stream"] {
            assert_eq!(policy(&[("content-type", plain)], false), None, "{plain}");
        }
        let own = [("content-type", "text/html"), ("Content-Security-Policy", "default-src 'self'")];
        assert_eq!(policy(&own, false).as_deref(), Some("default-src 'self'"));
        assert!(!of_answer(&[], false, false).headers.contains_key("content-type"));
    }
}
