//! `services.fetch(input, init)`: a call with streams, made by the session. Here is what of it is a rule of the invocation: how many there
//! may be, that none leaves while a transaction is open, and what a dry run answers instead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use url::Url;

use super::session::call_error;
use super::{Call, Service};
use crate::error::{Error, ErrorCode, Result};
use crate::outbound::{Guard, MAX_HOST, Redirect, Request, RequestBody, Response};
use crate::sandbox::{Streamed, Upload};
use crate::services::query::clip;
use crate::services::{Core, Ctx};

pub(super) const SERVICE: Service = Service { name: "fetch", js: include_str!("fetch.js"), methods: &[] };

/// The one call that it makes.
pub(super) const OPEN: &str = "fetch.open";

/// Answers of a dry run, taken instead of the world's.
#[derive(Debug, Clone, Default)]
pub struct Mocks {
    mocks: Vec<Mock>,
    /// What no mock answers is fetched for real.
    pub allow_fetch: bool,
}

/// One of them: `{ match, status?, headers?, body? }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mock {
    /// `https://api.example.com/*`, with a method before it or not.
    r#match: String,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    /// A text goes as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
}

impl Mocks {
    /// Reads the `mocks` of a test.
    pub fn parse(value: Value, allow_fetch: bool) -> Result<Self> {
        let mocks: Vec<Mock> = match value {
            Value::Null => Vec::new(),
            value => serde_json::from_value(value).map_err(|e| {
                Error::payload(format!("`mocks` must be an array of `{{ match, status?, headers?, body? }}`: {e}")).with_field("mocks")
            })?,
        };
        if let Some(mock) = mocks.iter().find(|mock| mock.status.is_some_and(|status| !(200..600).contains(&status))) {
            let message = format!("`mocks`: `{}` has a status that is not from 200 to 599", clip(&mock.r#match));
            return Err(Error::payload(message).with_field("mocks"));
        }
        Ok(Self { mocks, allow_fetch })
    }

    fn answer(&self, method: &str, url: &str) -> Option<&Mock> {
        self.mocks.iter().find(|mock| mock.fits(method, url))
    }
}

impl Mock {
    /// `*` stands for any text.
    fn fits(&self, method: &str, url: &str) -> bool {
        let pattern = match self.r#match.split_once(' ') {
            Some((own, pattern)) if own.eq_ignore_ascii_case(method) => pattern.trim(),
            Some(_) => return false,
            None => self.r#match.as_str(),
        };
        let mut parts = pattern.split('*');
        let Some(mut rest) = parts.next().and_then(|first| url.strip_prefix(first)) else { return false };
        let parts: Vec<&str> = parts.collect();
        let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
        for part in between {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    fn respond(&self, url: &Url) -> (Value, Option<Bytes>) {
        let (body, default) = match &self.body {
            Value::Null => (None, None),
            Value::String(text) => (Some(Bytes::from(text.clone())), Some("text/plain;charset=UTF-8")),
            other => (Some(Bytes::from(other.to_string())), Some("application/json")),
        };
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        if let Some(default) = default.filter(|_| !headers.iter().any(|(name, _)| name == "content-type")) {
            headers.push(("content-type".to_owned(), default.to_owned()));
        }
        let status = self.status.unwrap_or(200);
        let body = body.filter(|_| !matches!(status, 204 | 205 | 304));
        (head(url, false, status, "", &headers, body.is_some()), body)
    }
}

/// The fetches of one invocation.
#[derive(Default)]
pub(super) struct Fetches {
    made: AtomicU32,
    /// Whose connections they use, and what a dry run answers; set once, before the code runs.
    pub(super) owner: OnceLock<Arc<str>>,
    pub(super) mocks: OnceLock<Mocks>,
}

/// What the code asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    redirect: String,
    body: Option<BodyHead>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyHead {
    length: Option<u64>,
}

/// What a fetch needs to know of its invocation.
pub(super) struct Around<'a> {
    pub core: &'a Arc<Core>,
    /// The operation that it is part of, if it is part of one.
    pub joined: Option<&'a Ctx>,
    /// Whether a transaction is open.
    pub is_held: bool,
    /// Whether nothing of it may stay.
    pub is_dry_run: bool,
}

impl Fetches {
    /// The capability that a request to a URL needs: its host, with a port that isn't the usual one.
    pub(super) fn capability(url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        // A dot at its end makes no other host of it.
        let host = host.strip_suffix('.').unwrap_or(host);
        url.port().map_or_else(|| format!("fetch:{host}"), |port| format!("fetch:{host}:{port}"))
    }

    /// Answers one call.
    ///
    /// `guard` says whether the extension may go to a URL; a redirect asks it again.
    pub(super) async fn open(&self, around: Around<'_>, call: &Call, body: Upload, guard: Guard) -> Result<Streamed> {
        let head: Head = serde_json::from_value(call.arg(0).clone()).map_err(|e| Error::payload(format!("fetch: {e}")))?;
        if around.is_held {
            let message = "`fetch` can't wait for a server while a transaction is open: do this before the first write";
            return Err(Error::new(ErrorCode::TransactionOpen, message));
        }
        let max = around.core.config.fetch_max;
        if self.made.fetch_add(1, Ordering::Relaxed) >= max {
            return Err(Error::new(ErrorCode::FetchRefused, format!("A call may fetch {max} times (EXTENSION_FETCH_MAX)")));
        }
        let url = Url::parse(&head.url).map_err(|_| Error::payload(format!("fetch: `{}` is no URL", clip(&head.url))))?;
        if url.host_str().is_some_and(|host| host.len() > MAX_HOST) {
            return Err(Error::new(ErrorCode::FetchRefused, format!("The host of the URL has more than {MAX_HOST} characters")));
        }
        guard(&url)?;
        if around.is_dry_run {
            let mocks = self.mocks.get();
            if let Some(mock) = mocks.and_then(|mocks| mocks.answer(&head.method, &head.url)) {
                let (value, body) = mock.respond(&url);
                let body = body.map(|bytes| futures_util::stream::iter([Ok(bytes)]).boxed());
                return Ok(Streamed { value: to_raw_value(&value).ok(), body });
            }
            if !mocks.is_some_and(|mocks| mocks.allow_fetch) {
                let message =
                    format!("`{} {}` is recorded and not sent: give a mock for it, or `allowFetch`", clip(&head.method), clip(&head.url));
                return Err(Error::new(ErrorCode::FetchRecorded, message));
            }
        }
        around.core.outbound.check(&url)?;
        // From here on somebody outside may hear of it: the operation can't be run again as if nothing had happened.
        if let Some(ctx) = around.joined {
            ctx.op.note_reached_out();
        }
        let method = head.method.parse().map_err(|_| Error::payload(format!("fetch: `{}` is no method", clip(&head.method))))?;
        let redirect = match head.redirect.as_str() {
            "follow" => Redirect::Follow,
            "error" => Redirect::Error,
            "manual" => Redirect::Manual,
            other => return Err(Error::payload(format!("fetch: `redirect` is follow, error or manual, not: {}", clip(other)))),
        };
        let body = head.body.map(|BodyHead { length }| RequestBody { pieces: body.boxed(), length });
        let owner = self.owner.get().map_or("", |owner| owner);
        let answer = around.core.outbound.fetch(owner, Request { url, method, headers: head.headers, body, redirect, guard }).await?;
        let Response { url, redirected, status, status_text, headers, body } = answer;
        let value = self::head(&url, redirected, status, &status_text, &headers, body.is_some());
        let body = body.map(|body| body.map(|piece| piece.map_err(|error| Box::new(call_error(&error)))).boxed());
        Ok(Streamed { value: Some(to_raw_value(&value).map_err(Error::internal)?), body })
    }
}

/// The head of an answer, as JavaScript reads it.
fn head(url: &Url, redirected: bool, status: u16, status_text: &str, headers: &[(String, String)], has_body: bool) -> Value {
    // A response knows no fragment of its URL.
    let url = &url[..url::Position::AfterQuery];
    json!({ "url": url, "redirected": redirected, "status": status, "statusText": status_text, "headers": headers, "hasBody": has_body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mocks(value: Value) -> Mocks {
        Mocks::parse(value, false).expect("mocks")
    }

    #[test]
    fn a_mock_fits_a_url_with_stars_for_any_text_and_a_method_before_it() {
        let all = mocks(json!([
            { "match": "https://a.example/one" },
            { "match": "POST https://a.example/two*" },
            { "match": "https://*.example/x?*=1" },
            { "match": "*" },
        ]));
        let which = |method: &str, url: &str| all.mocks.iter().position(|mock| mock.fits(method, url));
        assert_eq!(which("GET", "https://a.example/one"), Some(0));
        assert_eq!(which("GET", "https://a.example/one/more"), Some(3));
        assert_eq!(which("POST", "https://a.example/two/three"), Some(1));
        assert_eq!(which("GET", "https://a.example/two"), Some(3));
        assert_eq!(which("GET", "https://b.c.example/x?n=1"), Some(2));
        assert_eq!(which("GET", "https://b.c.example/x?n=12"), Some(3));
        assert!(mocks(json!(null)).answer("GET", "https://a.example/").is_none());
    }

    #[test]
    fn mocks_that_cannot_be_read_are_refused() {
        for bad in [json!({}), json!([{ "status": 200 }]), json!([{ "match": "*", "status": 100 }]), json!([{ "match": "*", "other": 1 }])]
        {
            assert!(Mocks::parse(bad.clone(), false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mock_answers_text_as_text_and_data_as_json() {
        let url = Url::parse("https://a.example/#part").expect("a URL");
        let (head, body) = mocks(json!([{ "match": "*", "status": 201, "body": { "a": 1 } }])).mocks[0].respond(&url);
        assert_eq!(
            (head["status"].as_u64(), head["headers"][0][1].as_str(), head["url"].as_str()),
            (Some(201), Some("application/json"), Some("https://a.example/"))
        );
        assert_eq!(body.as_deref(), Some(&b"{\"a\":1}"[..]));
        let (head, body) = mocks(json!([{ "match": "*", "status": 204, "body": "x" }])).mocks[0].respond(&url);
        assert_eq!((head["hasBody"].as_bool(), body), (Some(false), None));
    }
}
