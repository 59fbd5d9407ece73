//! The cookies of sign-ins: what they are called, how they are set, and which requests they count for.
//!
//! A browser sends cookies along whoever wrote the page that asks, so a cookie counts only where the host's own pages can be told from those of
//! others. It is never sent with what other sites' forms and scripts ask for (`SameSite=Lax`), and beyond that whatever isn't a plain read must
//! come from the host's own origin by what the browser says of it. Callers that say neither `Origin` nor `Sec-Fetch-Site` are no browsers.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::Api;
use super::ext::is_isolated;
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::services::sessions::{Form, Tokens};

/// Carries a refresh token, to `/api/auth` only. The name's beginning keeps it from extensions (`ext_headers`).
const REFRESH: &str = "trellis_refresh_token";
/// Carries a session.
const SESSION: &str = "trellis_session_token";

const FETCH_SITE: &str = "sec-fetch-site";

fn name(form: Form) -> &'static str {
    match form {
        Form::Pair => REFRESH,
        Form::Session => SESSION,
    }
}

/// The token that a request carries in a cookie. Of several of the name, which paths and domains can make, none is trusted.
pub fn token(headers: &HeaderMap, form: Form) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut own = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(own, _)| *own == name(form)).map(|(_, value)| value);
    match (own.next(), own.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.to_owned()),
        _ => None,
    }
}

/// `Set-Cookie` for what a sign-in gave.
pub fn set(config: &Config, form: Form, tokens: &Tokens) -> Result<HeaderValue> {
    header_of(config, form, &tokens.secret, tokens.life.as_secs())
}

/// `Set-Cookie` that takes it away.
pub fn clear(config: &Config, form: Form) -> Result<HeaderValue> {
    header_of(config, form, "", 0)
}

fn header_of(config: &Config, form: Form, value: &str, max_age: u64) -> Result<HeaderValue> {
    let own = config.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    let before = own.as_ref().map_or("", |url| url.path().trim_end_matches('/'));
    // What would be an attribute of its own, or a path that browsers read differently.
    let before = if before.contains([';', ',', '%']) { None } else { Some(before) };
    let path = match (before, form) {
        (Some(before), Form::Pair) => format!("{before}/api/auth"),
        (Some(before), Form::Session) => format!("{before}/api"),
        (None, _) => "/".to_owned(),
    };
    let secure = if config.cookie_secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}", name(form));
    HeaderValue::from_str(&text).map_err(|e| Error::internal(format!("a cookie: {e}")))
}

/// Whether a request's cookies count at all: not at the origin where pages of extensions run.
pub fn count(api: &Api, parts: &Parts) -> bool {
    !is_isolated(api, parts)
}

/// Refuses what a page of another site may have made a browser send. Plain reads pass: what they answer, no other site can read.
///
/// # Errors
/// `Forbidden`.
pub fn admit(api: &Api, parts: &Parts) -> Result<()> {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    if is_read || is_own(api, parts) {
        return Ok(());
    }
    let message = "A sign-in by cookie changes things from the server's own pages only: this request comes from another origin";
    Err(Error::new(ErrorCode::Forbidden, message))
}

/// Whether a request comes from the host's own pages, or from no browser.
pub fn is_own(api: &Api, parts: &Parts) -> bool {
    let all = |name: &str| parts.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>();
    match (&all(header::ORIGIN.as_str())[..], &all(FETCH_SITE)[..]) {
        ([origin], _) => {
            is_own_origin(api.core.config.public_url.as_deref(), &parts.headers, parts.uri.authority().map(|a| a.as_str()), origin)
        }
        // By hand (`none`): a link that was typed or bookmarked.
        ([], [site]) => matches!(*site, "same-origin" | "none"),
        ([], []) => true,
        _ => false,
    }
}

/// An origin that is `PUBLIC_URL`'s, or that of the host that was asked.
fn is_own_origin(public_url: Option<&str>, headers: &HeaderMap, authority: Option<&str>, origin: &str) -> bool {
    let Some(origin) = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else { return false };
    let same = |other: &str| Url::parse(other).is_ok_and(|other| other.origin() == origin.origin());
    let asked = authority.or_else(|| headers.get(header::HOST)?.to_str().ok());
    // A proxy may have taken HTTPS off, so the scheme of what was asked is whichever the browser speaks.
    public_url.is_some_and(same) || asked.is_some_and(|host| same(&format!("{}://{host}", origin.scheme())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_if_it_is_alone() {
        let read = |cookies: &[&str]| {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(header::COOKIE, HeaderValue::from_str(cookie).expect("a header"));
            }
            token(&headers, Form::Session)
        };
        assert_eq!(read(&["a=b; trellis_session_token=x"]).as_deref(), Some("x"));
        assert_eq!(read(&["a=b", "trellis_session_token=x=y"]).as_deref(), Some("x=y"));
        for other in [
            &["trellis_session_token=x; trellis_session_token=y"][..],
            &["trellis_session_token=x", "trellis_session_token=x"],
            &["trellis_session_token="],
            &["Trellis_session_token=x"],
            &["xtrellis_session_token=x; trellis_refresh_token=y"],
            &["trellis_session_token"],
            &[],
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_origin_is_the_hosts_own_or_it_is_not() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example.com:8055"));
        let own = |origin| is_own_origin(Some("https://www.example.com/base"), &headers, None, origin);
        assert!(own("https://www.example.com") && own("http://api.example.com:8055") && own("https://api.example.com:8055"));
        for other in [
            "null",
            "",
            "https://www.example.com.evil.example",
            "https://www.example.com:444",
            "http://www.example.com",
            "http://api.example.com",
            "file://",
            "https://example.com",
        ] {
            assert!(!own(other), "{other}");
        }
    }
}
