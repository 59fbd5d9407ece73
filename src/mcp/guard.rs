//! Pages of strangers stay outside: which `Host` and `Origin` a request to this door may name.
//!
//! A page can have its own name resolve to this machine (DNS rebinding) and then asks with the reader's browser from inside the reader's
//! network. It has no token, but a door that anybody's page may knock at is one too many. Browsers tell whose page it is in `Origin`, and
//! under which name the server was asked in `Host`; programs send no `Origin`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use url::{Host, Url};

use crate::error::{Error, Result};
use crate::http::error::ApiError;
use crate::http::{Api, Listening};
use crate::services::query::clip;

/// A request that no stranger's page sent.
pub struct Guarded;

impl FromRequestParts<Arc<Api>> for Guarded {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let is_local = parts.extensions.get::<Listening>().is_some_and(|listening| listening.0.ip().is_loopback());
        let authority = parts.uri.authority().cloned();
        check(&parts.headers, authority, api.core.config.public_url.as_deref(), is_local)?;
        Ok(Self)
    }
}

/// `is_local`: the server listens on this machine alone, so that other names for it are nobody's but `PUBLIC_URL`'s.
fn check(headers: &HeaderMap, authority: Option<Authority>, public_url: Option<&str>, is_local: bool) -> Result<()> {
    let public = public_url.and_then(|url| Url::parse(url).ok());
    let asked = authority.or_else(|| headers.get(header::HOST)?.to_str().ok()?.parse().ok());
    let asked = asked.ok_or_else(|| Error::query("`Host` must name the server"))?;
    let host = Host::parse(asked.host()).map_err(|_| Error::query("`Host` must name the server"))?;
    let is_public = public.as_ref().is_some_and(|url| url.host().is_some_and(|own| own == host));
    if is_local && !is_public && !is_address(&host) && !is_loopback(&host) {
        return Err(refused("Host", asked.as_str()));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let told = origin.to_str().unwrap_or_default();
    // `null` and what isn't an origin parse to nothing, or to an origin that is equal to none.
    let Some(origin) = Url::parse(told).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Err(refused("Origin", told));
    };
    let is_own = public.is_some_and(|url| url.origin() == origin.origin());
    // A page from this very address: no name was resolved on the way. And tools of the person's own machine, asking on that machine.
    let is_same =
        origin.host().is_some_and(|page| is_address(&page) && page == host) && origin.port_or_known_default() == port(&asked, &origin);
    let is_here = origin.host().is_some_and(|page| is_loopback(&page)) && is_loopback(&host);
    if is_own || is_same || is_here { Ok(()) } else { Err(refused("Origin", told)) }
}

fn port(asked: &Authority, origin: &Url) -> Option<u16> {
    asked.port_u16().or_else(|| if origin.scheme() == "https" { Some(443) } else { Some(80) })
}

fn is_address<S>(host: &Host<S>) -> bool {
    matches!(host, Host::Ipv4(_) | Host::Ipv6(_))
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(ip) => IpAddr::V4(*ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).is_loopback(),
        Host::Domain(name) => name.as_ref() == "localhost" || name.as_ref().ends_with(".localhost"),
    }
}

fn refused(header: &str, value: &str) -> Error {
    let help = "MCP is answered under the host of `PUBLIC_URL` and under addresses of this machine, and to pages of those alone";
    Error::forbidden(format!("`{header}` may not be `{}`: {help}", clip(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(host: &str, origin: Option<&str>, public_url: Option<&str>, is_local: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a value"));
        origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().expect("a value")));
        check(&headers, None, public_url, is_local).is_ok()
    }

    #[test]
    fn strangers_names_and_pages_are_kept_out() {
        let public = Some("https://api.example.com/base");
        for (host, origin, public_url, is_local, expected) in [
            ("127.0.0.1:8055", None, None, true, true),
            ("localhost:8055", None, None, true, true),
            ("[::1]:8055", None, None, true, true),
            ("evil.example:8055", None, None, true, false),
            ("api.example.com", None, public, true, true),
            ("API.Example.com:443", None, public, true, true),
            ("evil.example", None, public, true, false),
            ("localhost.evil.example", None, None, true, false),
            // Behind a balancer it has names that nobody told it; programs send no `Origin`.
            ("trellis.internal:8055", None, public, false, true),
            ("trellis.internal:8055", Some("https://api.example.com"), public, false, true),
            ("evil.example:8055", Some("http://evil.example:8055"), None, false, false),
            ("evil.example:8055", Some("http://evil.example:8055"), None, true, false),
            ("api.example.com", Some("https://api.example.com"), public, true, true),
            ("api.example.com", Some("http://api.example.com"), public, true, false),
            ("api.example.com", Some("https://evil.example"), public, true, false),
            ("api.example.com", Some("null"), public, true, false),
            ("127.0.0.1:8055", Some("http://localhost:6274"), None, true, true),
            ("localhost:8055", Some("http://127.0.0.1:8055"), None, true, true),
            ("localhost:8055", Some("http://evil.example"), None, true, false),
            ("10.1.2.3:8055", Some("http://10.1.2.3:8055"), None, false, true),
            ("10.1.2.3:8055", Some("http://10.1.2.3:9000"), None, false, false),
            ("10.1.2.3:8055", Some("http://localhost:3000"), None, false, false),
            ("10.1.2.3:8055", Some("file://"), None, false, false),
        ] {
            assert_eq!(passes(host, origin, public_url, is_local), expected, "{host} {origin:?} {public_url:?} {is_local}");
        }
        assert!(check(&HeaderMap::new(), None, None, false).is_err());
    }
}
