//! The proxy of `EXTENSION_HTTP_PROXY`, and the tunnel that it opens for TLS.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::{Target, failed};
use crate::error::Result;

/// How long the head of its answer may be.
const MAX_HEAD: usize = 16 * 1024;

/// A proxy that speaks HTTP.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its password doesn't print.
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || !is_bare {
            return None;
        }
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let [user, password] = [user, password.unwrap_or_default()].map(percent_decoded);
                let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode([&user[..], b":", &password].concat()))).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Some(Self { host: url.host_str()?.to_owned(), port: url.port_or_known_default()?, authorization })
    }

    /// What a request through it proves itself with.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        TcpStream::connect((host, self.port)).await.map_err(|e| failed("The proxy (EXTENSION_HTTP_PROXY) could not be reached", e))
    }

    /// Has it open a tunnel to `target`.
    pub(super) async fn tunnel(&self, target: &Target) -> Result<TcpStream> {
        let mut stream = self.connect().await?;
        let place = format!("{}:{}", target.host, target.port);
        let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            head.extend_from_slice(b"Proxy-Authorization: ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let broken = |e: std::io::Error| failed("The proxy (EXTENSION_HTTP_PROXY) closed the connection", e);
        stream.write_all(&head).await.map_err(broken)?;
        let mut answer = Vec::new();
        // Byte by byte, so that nothing of what follows the head is taken.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_HEAD {
                return Err(failed("The proxy (EXTENSION_HTTP_PROXY) doesn't answer as a proxy does", "a head without an end"));
            }
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        let line = String::from_utf8_lossy(answer.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|status| status.parse::<u16>().ok());
        match status {
            Some(200..=299) => Ok(stream),
            Some(status) => Err(failed(format!("The proxy (EXTENSION_HTTP_PROXY) refused a tunnel with the status {status}"), line)),
            None => Err(failed("The proxy (EXTENSION_HTTP_PROXY) doesn't answer as a proxy does", line)),
        }
    }
}

/// A part of a URL as it was before it was escaped.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_place_that_speaks_http() {
        for good in ["http://proxy:3128", "http://10.0.0.1", "http://[::1]:8080/", "http://us%40er:p%3Ass@proxy:3128"] {
            assert!(Proxy::parse(good).is_some(), "{good}");
        }
        for bad in ["proxy:3128", "https://proxy", "socks5://proxy", "http://proxy/path", "http://proxy?x", ""] {
            assert!(Proxy::parse(bad).is_none(), "{bad}");
        }
        let proxy = Proxy::parse("http://us%40er:p%3Ass@proxy:3128").expect("a proxy");
        assert_eq!(proxy.authorization().map(HeaderValue::as_bytes), Some(format!("Basic {}", STANDARD.encode("us@er:p:ss")).as_bytes()));
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy:3128)");
    }
}
