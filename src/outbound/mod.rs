//! Requests that leave the host: to where the allow-list says, at an address that was checked, within limits of time and size.
//!
//! It knows nothing of JavaScript, of callers and of transactions: `bridge/fetch.rs` asks it in the name of an extension, whose
//! connections nobody else uses. Nothing of the environment (`HTTP_PROXY` and its kin) has a say here.

mod allow;
mod body;
mod connect;
mod headers;
mod network;
mod pool;
mod proxy;
mod resolve;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use allow::{AllowList, MAX_HOST, Target, TargetHost};
pub use proxy::Proxy;

use crate::error::{Error, ErrorCode, Result};
use allow::refused;
use body::{Arriving, Sending};
use connect::Connector;
use pool::{Pools, Sender};

/// Redirects that are followed, as the fetch standard says.
const MAX_REDIRECTS: u32 = 20;
/// Requests of one extension that are under way at once, bodies of their answers included; more wait.
const MAX_OF_ONE: usize = 64;
/// Requests of all extensions that are under way at once. With the credit of its streams each holds at most half a MiB here.
const MAX_OF_ALL: usize = 512;
/// Answers that are being unpacked with Brotli at once: its window takes up to 16 MiB. Past that servers aren't asked for it.
const MAX_BROTLI: usize = 2;

/// What is set from outside.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where requests may go.
    pub allowed: AllowList,
    /// Where they go through.
    pub proxy: Option<Proxy>,
    /// Who resolves names; the machine itself where there are none.
    pub dns_servers: Vec<SocketAddr>,
    /// Certificates in PEM form that are believed besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// Bytes that the body of a request, and of an answer once unpacked, may have.
    pub max_body: u64,
    /// How long a request may take, from its beginning to the last byte of its answer.
    pub timeout: Duration,
}

/// What follows a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// The request that it asks for.
    Follow,
    /// An error.
    Error,
    /// Nothing: it is the answer.
    Manual,
}

/// One request.
pub struct Request {
    /// Where to.
    pub url: Url,
    /// How.
    pub method: Method,
    /// Names and values, each of whose characters is one byte. What only the host may say is left out.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub body: Option<RequestBody>,
    /// What to do about redirects.
    pub redirect: Redirect,
    /// What its maker has to say besides the allow-list, of its URL and of every redirect.
    pub guard: Guard,
}

/// Says why a URL may not be gone to, if it may not.
pub type Guard = Box<dyn Fn(&Url) -> Result<()> + Send + Sync>;

/// The body of a request.
pub struct RequestBody {
    /// Its bytes; an error is why its maker can't go on.
    pub pieces: BoxStream<'static, Result<Bytes, String>>,
    /// How many bytes it has, where that is known before: then it is held whole, and can be sent again after a redirect.
    pub length: Option<u64>,
}

/// An answer whose head has come.
pub struct Response {
    /// Where it came from, after all redirects.
    pub url: Url,
    /// Whether there were any.
    pub redirected: bool,
    /// 200 to 599.
    pub status: u16,
    /// The words behind the status.
    pub status_text: String,
    /// Names and values, one character for each byte.
    pub headers: Vec<(String, String)>,
    /// Its body, unpacked; `None` where there can't be one. Dropping it closes the connection, or leaves it to the next request.
    pub body: Option<BoxStream<'static, Result<Bytes>>>,
}

/// The way out.
pub struct Outbound {
    allowed: AllowList,
    max_body: u64,
    timeout: Duration,
    connector: Connector,
    pools: Arc<Pools>,
    in_flight: Arc<Semaphore>,
    brotli: Arc<Semaphore>,
    /// Each extension's part of what is in flight. Short sections only.
    by_owner: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
}

/// The right to be under way.
struct Permit {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// One hop: the same request may go to several places one after the other.
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: HopBody,
    guard: Guard,
}

enum HopBody {
    None,
    Whole(Bytes),
    Stream(BoxStream<'static, Result<Bytes, String>>),
    /// It was sent and can't be sent again.
    Gone,
}

impl Outbound {
    /// Reads the certificates. An error names the setting that is wrong.
    pub fn new(options: Options) -> Result<Self> {
        let Options { allowed, proxy, dns_servers, ca_file, max_body, timeout } = options;
        Ok(Self {
            allowed,
            max_body,
            timeout,
            connector: Connector::new(proxy, &dns_servers, ca_file.as_deref())?,
            pools: Arc::default(),
            in_flight: Arc::new(Semaphore::new(MAX_OF_ALL)),
            brotli: Arc::new(Semaphore::new(MAX_BROTLI)),
            by_owner: Mutex::default(),
        })
    }

    /// Where a URL leads, if it may be fetched at all; names nothing and connects to nothing.
    pub fn check(&self, url: &Url) -> Result<Target> {
        self.allowed.check(&mut url.clone())
    }

    /// Sends a request in the name of `owner` and answers with the head of what comes back.
    ///
    /// `FETCH_REFUSED` where a rule is against it, `FETCH_FAILED` where it can't be done, `FETCH_TIMEOUT` and `FETCH_TOO_LARGE` at the limits.
    pub async fn fetch(&self, owner: &str, request: Request) -> Result<Response> {
        let deadline = Instant::now() + self.timeout;
        let Request { mut url, method, headers, body, redirect, guard } = request;
        // Before anything is waited for or taken in.
        self.allowed.check(&mut url)?;
        let headers = headers::outgoing(&headers)?;
        timeout_at(deadline, async {
            let permit = self.permit(owner).await?;
            let body = match body {
                None => HopBody::None,
                Some(RequestBody { pieces, length: Some(length) }) => HopBody::Whole(body::collect(pieces, length, self.max_body).await?),
                Some(RequestBody { pieces, length: None }) => HopBody::Stream(pieces),
            };
            self.follow(owner, Hop { url, method, headers, body, guard }, redirect, deadline, permit).await
        })
        .await
        .unwrap_or_else(|_| Err(self.timed_out()))
    }

    fn timed_out(&self) -> Error {
        let ms = self.timeout.as_millis();
        Error::new(ErrorCode::FetchTimeout, format!("The request took longer than {ms} ms (EXTENSION_FETCH_TIMEOUT_MS)"))
    }

    async fn permit(&self, owner: &str) -> Result<Permit> {
        let own = {
            let mut all = self.by_owner.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody waits for or holds a part of can be made again.
            all.retain(|name, own| &**name == owner || Arc::strong_count(own) > 1);
            Arc::clone(all.entry(Arc::from(owner)).or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_ONE))))
        };
        let own = own.acquire_owned().await.map_err(Error::internal)?;
        let all = Arc::clone(&self.in_flight).acquire_owned().await.map_err(Error::internal)?;
        Ok(Permit { _own: own, _all: all })
    }

    async fn follow(&self, owner: &str, mut hop: Hop, redirect: Redirect, deadline: Instant, permit: Permit) -> Result<Response> {
        let mut redirects = 0;
        loop {
            // Again for each hop: what a server answers is no better than what an extension asks.
            let target = self.allowed.check(&mut hop.url)?;
            (hop.guard)(&hop.url)?;
            let (answer, sender) = self.send(owner, &target, &mut hop).await?;
            let location = next(&hop.url, answer.status(), answer.headers())?;
            let Some(location) = location.filter(|_| redirect != Redirect::Manual) else {
                return self.response(hop, answer, sender, redirects > 0, deadline, permit);
            };
            if redirect == Redirect::Error {
                return Err(Error::new(ErrorCode::FetchFailed, "The server answered with a redirect, and `redirect` is \"error\""));
            }
            redirects += 1;
            if redirects > MAX_REDIRECTS {
                return Err(Error::new(ErrorCode::FetchFailed, format!("There were more than {MAX_REDIRECTS} redirects")));
            }
            hop.redirect(answer.status(), location)?;
        }
    }

    /// One request and the head of its answer.
    async fn send(&self, owner: &str, target: &Target, hop: &mut Hop) -> Result<(http::Response<hyper::body::Incoming>, Sender)> {
        let offer_brotli = self.brotli.available_permits() > 0;
        let mut headers = headers::complete(&hop.headers, target, offer_brotli);
        let through = self.connector.absolute_form(target);
        if let Some(proxy) = through.and_then(Proxy::authorization) {
            headers.insert(header::PROXY_AUTHORIZATION, proxy.clone());
        }
        let uri = match through {
            // The fragment stays at home.
            Some(_) => hop.url[..url::Position::AfterQuery].to_owned(),
            None => hop.url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        };
        let body = match std::mem::replace(&mut hop.body, HopBody::Gone) {
            HopBody::None => {
                hop.body = HopBody::None;
                if matches!(hop.method, Method::POST | Method::PUT | Method::PATCH) {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
                }
                Sending::none()
            }
            HopBody::Whole(bytes) => {
                hop.body = HopBody::Whole(bytes.clone());
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                Sending::whole(bytes)
            }
            HopBody::Stream(pieces) => Sending::stream(pieces, self.max_body),
            HopBody::Gone => return Err(cannot_repeat()),
        };
        let trouble = body.trouble();
        let mut request = http::Request::builder()
            .method(hop.method.clone())
            .uri(uri)
            .body(body)
            .map_err(|e| Error::new(ErrorCode::FetchFailed, "The request can't be written").with_detail(e.to_string()))?;
        *request.headers_mut() = headers;
        let answered = pool::send(&self.pools, &self.connector, owner, target, request).await;
        // What went wrong with the body is more to the point than that the connection ended over it.
        answered.map_err(|error| trouble.take().unwrap_or(error))
    }

    fn response(
        &self,
        hop: Hop,
        answer: http::Response<hyper::body::Incoming>,
        sender: Sender,
        redirected: bool,
        deadline: Instant,
        permit: Permit,
    ) -> Result<Response> {
        let (mut head, body) = answer.into_parts();
        let status = head.status.as_u16();
        if !(200..600).contains(&status) {
            return Err(Error::new(ErrorCode::FetchFailed, format!("The server answered with the status {status}, which ends no request")));
        }
        let reason = head.extensions.get::<hyper::ext::ReasonPhrase>().map(|reason| headers::text(reason.as_bytes()));
        let is_empty = hop.method == Method::HEAD || matches!(status, 204 | 205 | 304);
        let arriving = Arriving { body, keep: Some(sender), deadline, timed_out: self.timed_out(), max: self.max_body, permit };
        let body = arriving.unpacked(&mut head.headers, is_empty, &self.brotli)?;
        Ok(Response {
            url: hop.url,
            redirected,
            status,
            status_text: reason.or_else(|| head.status.canonical_reason().map(str::to_owned)).unwrap_or_default(),
            headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), headers::text(value.as_bytes()))).collect(),
            body,
        })
    }
}

/// Where an answer sends on to, if it is a redirect that says so.
fn next(from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(header::LOCATION) else { return Ok(None) };
    let text = String::from_utf8_lossy(location.as_bytes());
    let mut url = from.join(&text).map_err(|_| Error::new(ErrorCode::FetchFailed, "The server redirects to what is no URL"))?;
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    Ok(Some(url))
}

fn cannot_repeat() -> Error {
    Error::new(ErrorCode::FetchFailed, "The server redirects, and a streamed body can't be sent twice: give the whole body at once")
}

impl Hop {
    /// Turns the request into the one that a redirect asks for.
    fn redirect(&mut self, status: StatusCode, to: Url) -> Result<()> {
        let becomes_get = match status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => !matches!(self.method, Method::GET | Method::HEAD),
            _ => false,
        };
        if becomes_get {
            (self.method, self.body) = (Method::GET, HopBody::None);
            headers::drop_content(&mut self.headers);
        } else if matches!(self.body, HopBody::Gone) {
            return Err(cannot_repeat());
        }
        if self.url.origin() != to.origin() {
            headers::drop_credentials(&mut self.headers);
        }
        self.url = to;
        Ok(())
    }
}

/// A failure on the way, with what the machine says about it for the log.
fn failed(message: impl Into<String>, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::FetchFailed, message).with_detail(detail.to_string())
}
