//! `/api/ext`: the door to the routes of extensions.
//!
//! One wildcard route, because which routes there are is the snapshot's business and changes while the host runs. Works on the path as it
//! was sent. Says who asks and whether they may, carries bodies both ways without holding them, and watches whether the client is still
//! there; what a request means is up to the extension.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::sync::oneshot;
use url::Url;

use super::error::ApiError;
use super::request::{ACCESS_TOKEN, Credentials, acting, bearer, in_query, origin, pairs, request_id};
use super::{Api, App, Listening, cookies, ext_headers, no_route};
use crate::auth::{Accountability, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::extensions::route_path;
use crate::extensions::routes::{Access, Found, Route, RouteMethod};
use crate::extensions::{RouteRequest, rate_limit};
use crate::sandbox::{Answer, AnswerBody, AnswerStream, StreamCut};
use crate::services::operation::Start;
use crate::services::sessions::Form;

const PREFIX: &str = "/api/ext";

/// The one route of the routes.
pub fn routes() -> Router<Arc<Api>> {
    let paths = ["", "/", "/{*rest}"];
    paths.iter().fold(Router::new(), |router, path| router.route(&format!("{PREFIX}{path}"), any(ask)))
}

async fn ask(State(api): App, Extension(listening): Extension<Listening>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let set = api.extensions.current();
    let path = parts.uri.path();
    let found = match route_path::split(path.strip_prefix(PREFIX).unwrap_or_default())? {
        Some(segments) => set.routes().find(parts.method.as_str(), &segments),
        None => Found::None,
    };
    let (route, params) = match found {
        Found::Route(route, params) => (Arc::clone(route), params),
        Found::WrongMethod { allow } => return Ok(without_route(&parts.method, &allow)),
        Found::None => return Err(no_route(path).into()),
    };
    let caller = caller(&api, &parts, &route.access).await?;
    admit(&route.access, &caller.who)?;
    if let Some(limit) = route.rate_limit {
        let counted = rate_limit::caller(caller.who.user_id(), caller.who.ip.as_deref());
        api.limiter.take(&route.key(), &counted, limit, Instant::now()).map_err(|wait| {
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let message = format!("Too many requests: try again in {secs} seconds");
            Error::new(ErrorCode::RequestsExceeded, message).with_retry_after(secs)
        })?;
    }
    let isolated = is_isolated(&api, &parts);
    let id = request_id(&parts);
    let is_head = parts.method == Method::HEAD;
    let query = query(&parts, caller.strip_query);
    let query_of = pairs(query.strip_prefix('?').unwrap_or_default())?;
    let method = method(&parts.method, &route.method);
    // A web `Request` of these methods has no body.
    let has_body = !body.is_end_stream() && method != "GET" && method != "HEAD";
    let (presence, gone) = presence();
    let request = RouteRequest {
        url: url(&base(&api, &parts, isolated, &listening), path, &query),
        headers: ext_headers::of_request(&parts.headers, caller.strip_header, &id),
        params: params.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
        // Of a name that comes twice the last counts.
        query: query_of.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
        body: has_body.then(|| pieces(body)),
        method,
        gone,
    };
    let start = Start::new(Arc::new(caller.who), Arc::clone(&id));
    let answer = set.serve(Arc::clone(&route), start, request).await?;
    Ok(respond(answer, &route, &id, is_head, isolated, presence)?)
}

/// The answer where there are routes, none of which takes the method.
fn without_route(method: &Method, allow: &[String]) -> Response {
    // Methods are tokens, so a list of them is a header.
    let allow = HeaderValue::from_str(&allow.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"));
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response();
    }
    let error = Error::new(ErrorCode::MethodNotAllowed, format!("`{method}` isn't possible here"));
    ([(header::ALLOW, allow)], ApiError::from(error)).into_response()
}

/// Who asks, and which of their credentials the extension must not see.
struct Caller {
    who: Accountability,
    strip_header: bool,
    strip_query: bool,
}

async fn caller(api: &Api, parts: &Parts, access: &Access) -> Result<Caller> {
    let (known, strip_header, strip_query) = match access {
        Access::Public => known_in_public(api, parts).await?,
        Access::SignedIn | Access::Permission { .. } => match Credentials::said(parts)? {
            Credentials::Bearer(token) | Credentials::Query(token) => (Some(api.sessions.bearer(&token).await?), true, true),
            Credentials::Cookie(_) | Credentials::Nobody => match session(parts, api) {
                Some(token) => (Some(api.sessions.in_session(&token).await?), true, true),
                None => (None, true, true),
            },
        },
    };
    let who = match known {
        Some(who) => who,
        None => api.sessions.anonymous().await?,
    };
    Ok(Caller { who: acting(api, parts, who, &origin(parts)).await?, strip_header, strip_query })
}

/// The token of a session in a cookie. What a route does is its author's affair, by any method: what may come from another site's page is
/// nobody's request.
fn session(parts: &Parts, api: &Api) -> Option<String> {
    let counts = cookies::count(api, parts) && cookies::is_own(api, parts);
    counts.then(|| cookies::token(&parts.headers, Form::Session)).flatten()
}

/// On a public route a token that isn't ours is nobody's business: webhooks sign with their own. It is left for the extension, and the
/// caller is anonymous. A token of ours that has run out is refused rather than handed over.
async fn known_in_public(api: &Api, parts: &Parts) -> Result<(Option<Accountability>, bool, bool)> {
    let in_header: Vec<String> = parts.headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer).collect();
    let in_query = in_query(parts);
    if in_header.len() > 1 || in_query.len() > 1 {
        // One of ours among them would be handed over.
        return Err(Error::new(ErrorCode::InvalidCredentials, "There is more than one token of a kind: send one"));
    }
    if let Some(token) = in_header.first()
        && let Some(who) = api.sessions.recognise(token).await?
    {
        return Ok((Some(who), true, true));
    }
    let known = match in_query.first() {
        Some(token) => api.sessions.recognise(token).await?,
        None => None,
    };
    let strip_query = known.is_some();
    let known = match (known, session(parts, api)) {
        // One that has ended is no hindrance where everybody may ask.
        (None, Some(token)) => api.sessions.in_session(&token).await.map(Some).or_else(|error| match error.code() {
            ErrorCode::InvalidCredentials => Ok(None),
            _ => Err(error),
        })?,
        (known, _) => known,
    };
    Ok((known, false, strip_query))
}

fn admit(access: &Access, who: &Accountability) -> Result<()> {
    let is_nobody = matches!(who.who, Who::Anonymous);
    let nobody = || Error::new(ErrorCode::Unauthorized, "This route needs a signed-in caller: send `Authorization: Bearer …`");
    match access {
        Access::Public => Ok(()),
        Access::SignedIn if is_nobody => Err(nobody()),
        Access::SignedIn => Ok(()),
        // What the public policy grants, nobody may do too.
        Access::Permission { collection, action } => {
            who.grants.check(*action, collection).map(drop).map_err(|refused| if is_nobody { nobody() } else { refused })
        }
    }
}

/// The method that the extension sees: a route of `GET` answers `HEAD` as if it were asked for everything.
fn method(asked: &Method, route: &RouteMethod) -> String {
    match route {
        RouteMethod::One(own) => own.clone(),
        RouteMethod::All => asked.as_str().to_owned(),
    }
}

/// `request.url`. A URL parser takes a backslash for a slash, which it wasn't when the route was found.
pub(super) fn url(base: &str, path: &str, query: &str) -> String {
    format!("{base}{}{query}", path.replace('\\', "%5C"))
}

/// The query as it was sent, with its `?`; without tokens of ours.
pub(super) fn query(parts: &Parts, strip: bool) -> String {
    let Some(raw) = parts.uri.query() else { return String::new() };
    let is_token = |part: &&str| pairs(part).is_ok_and(|pairs| pairs.iter().any(|(name, _)| name == ACCESS_TOKEN));
    if !strip || !raw.split('&').any(|part| is_token(&part)) {
        return format!("?{raw}");
    }
    let rest: Vec<&str> = raw.split('&').filter(|part| !is_token(part)).collect();
    if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) }
}

/// The origin of `host` as browsers write it, if it is one.
pub(super) fn origin_of(scheme: &str, host: &str) -> Option<String> {
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (is_bare && url.username().is_empty() && url.password().is_none()).then(|| url.origin().ascii_serialization())
}

fn host(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(|a| a.as_str()).or_else(|| parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()))
}

/// Whether the request came to the extensions' own origin.
pub(super) fn is_isolated(api: &Api, parts: &Parts) -> bool {
    api.core.config.extension_origin.as_deref().is_some_and(|own| {
        let scheme = own.split_once("://").map_or("http", |(scheme, _)| scheme);
        host(parts).and_then(|host| origin_of(scheme, host)).is_some_and(|asked| asked == own)
    })
}

/// What stands before the path in `request.url`.
fn base(api: &Api, parts: &Parts, isolated: bool, listening: &Listening) -> String {
    let config = &api.core.config;
    let own = config.extension_origin.as_ref().filter(|_| isolated).or(config.public_url.as_ref());
    own.cloned().or_else(|| origin_of("http", host(parts)?)).unwrap_or_else(|| format!("http://{}", listening.0))
}

fn pieces(body: Body) -> BoxStream<'static, Result<Bytes, String>> {
    body.into_data_stream().map_err(|_| "the client stopped sending".to_owned()).boxed()
}

/// Shows that the client is there, for as long as it lives.
struct Presence(Option<oneshot::Sender<()>>);

/// A presence, and what resolves when it is dropped. What is [`Presence::fulfilled`] never resolves it.
fn presence() -> (Presence, BoxFuture<'static, ()>) {
    let (here, left) = oneshot::channel();
    let gone = async move {
        if left.await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    (Presence(Some(here)), Box::pin(gone))
}

impl Presence {
    /// The client has all that it came for.
    fn fulfilled(&mut self) {
        if let Some(here) = self.0.take() {
            // Nobody listens where the run has ended.
            let _ = here.send(());
        }
    }
}

/// A streaming answer with the presence of who reads it.
struct Outflow {
    pieces: AnswerStream,
    presence: Presence,
}

impl Stream for Outflow {
    type Item = Result<Bytes, StreamCut>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.pieces.poll_next_unpin(cx);
        if matches!(next, Poll::Ready(None)) {
            self.presence.fulfilled();
        }
        next
    }
}

/// The answer on its way out. That one to `HEAD` goes without its body, but with its length if that is known, is the router's doing.
fn respond(answer: Answer, route: &Route, id: &str, is_head: bool, isolated: bool, mut presence: Presence) -> Result<Response> {
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| (200..600).contains(&status.as_u16())).ok_or_else(|| {
        let detail =
            format!("the route `{} {}` answered the status {}, which must be 200 to 599", route.method, route.pattern, answer.status);
        Error::new(ErrorCode::ExtensionFailed, "An extension failed").with_detail(detail)
    })?;
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let length = match &answer.body {
        AnswerBody::Whole(bytes) => Some(bytes.len()),
        AnswerBody::Stream(_) => None,
    };
    let crossed = ext_headers::of_answer(&answer.headers, !has_none && length != Some(0), isolated);
    if !crossed.dropped.is_empty() {
        let names: Vec<&str> = crossed.dropped.iter().map(String::as_str).collect();
        tracing::warn!(
            extension = route.extension_name,
            request = id,
            headers = names.join(", "),
            "headers that an extension can't set were left out"
        );
    }
    if length.is_some() {
        presence.fulfilled();
    }
    let body = match answer.body {
        // What was left out here has a length that isn't 0, and isn't known.
        _ if status == StatusCode::NOT_MODIFIED || (is_head && length == Some(0)) => {
            Body::from_stream(stream::empty::<Result<Bytes, StreamCut>>())
        }
        // Nobody reads a stream then: its run is told so.
        _ if has_none => Body::empty(),
        AnswerBody::Whole(bytes) => Body::from(bytes),
        AnswerBody::Stream(pieces) => Body::from_stream(Outflow { pieces, presence }),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = crossed.headers;
    Ok(response)
}
