//! A request as the handlers want it: who asks, with which query and which body.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Api, cookies};
use crate::auth::Accountability;
use crate::error::{Error, ErrorCode, Result};
use crate::services::changes::Lagging;
use crate::services::operation::Start;
use crate::services::sessions::{Form, Origin};
use crate::services::{Item, query};

/// Largest JSON body in bytes.
const MAX_BODY: usize = 10 << 20;

/// The name of a token in the query. No handler and no extension sees it.
pub const ACCESS_TOKEN: &str = "access_token";

/// The id of a request: taken over from the caller, or made.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// A request, read whole.
pub struct Call {
    /// Who asks, and under which id.
    pub start: Start,
    /// The query string as a query object, without `access_token`.
    pub query: Item,
    /// From where.
    pub origin: Origin,
    /// How they said who they are, to be asked again by what lasts.
    pub credentials: Credentials,
    body: Vec<u8>,
}

impl FromRequest<Arc<Api>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        Upload::from_request(request, api).await?.json()
    }
}

/// A request whose body is of any type, for routes that read more than JSON.
pub struct Upload {
    /// The request.
    pub call: Call,
    /// Its `Content-Type`, empty where there is none.
    pub media: String,
}

impl FromRequest<Arc<Api>> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let origin = origin(&parts);
        let credentials = Credentials::of(api, &parts)?;
        let who = acting(api, &parts, credentials.owner(api).await?, &origin).await?;
        whole(parts, body, who, origin, credentials).await
    }
}

async fn whole(parts: Parts, body: Body, who: Accountability, origin: Origin, credentials: Credentials) -> Result<Upload, ApiError> {
    let mut pairs = pairs(parts.uri.query().unwrap_or_default())?;
    pairs.retain(|(name, _)| name != ACCESS_TOKEN);
    let body = to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Error::new(ErrorCode::PayloadTooLarge, format!("The body is larger than {MAX_BODY} bytes, or it was cut off")))?;
    // A type that isn't text is one that nobody reads.
    let media = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?").to_owned());
    let lagging = parts.extensions.get::<Lagging>().cloned().unwrap_or_default();
    let start = Start { lagging, ..Start::new(Arc::new(who), request_id(&parts)) };
    let call = Call { start, query: query::from_pairs(pairs)?, origin, credentials, body: body.to_vec() };
    Ok(Upload { call, media: media.unwrap_or_default() })
}

/// A request by which somebody signs in or out, or redeems what they got by mail: who they say they are doesn't count, and a token that ran
/// out is no hindrance.
pub struct Visit {
    /// The request, by a caller without credentials.
    pub call: Call,
    /// The refresh token in its cookie.
    pub refresh: Option<String>,
    /// The token of the session in its cookie.
    pub session: Option<String>,
    /// Whether cookies may count for it and be set by it: it comes from the host's own pages, or from no browser.
    pub is_own: bool,
}

impl FromRequest<Arc<Api>> for Visit {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let origin = origin(&parts);
        let who = api.sessions.anonymous().await?.located(origin.ip.as_deref(), origin.user_agent.as_deref());
        let [refresh, session] = [Form::Pair, Form::Session].map(|form| cookies::token(&parts.headers, form));
        let is_own = cookies::count(api, &parts) && cookies::is_own(api, &parts);
        let upload = whole(parts, body, who, origin, Credentials::Nobody).await?;
        Ok(Self { call: upload.json()?, refresh, session, is_own })
    }
}

impl Upload {
    /// The request, if its body is JSON or there is none.
    fn json(self) -> Result<Call, ApiError> {
        let Self { call, media } = self;
        let essence = essence(&media);
        let is_json = media.is_empty() || essence == "application/json" || essence.ends_with("+json");
        if !call.body.is_empty() && !is_json {
            return Err(Error::new(ErrorCode::UnsupportedMediaType, "The body must be JSON: send `Content-Type: application/json`").into());
        }
        Ok(call)
    }
}

/// A media type without its parameters, in lower case.
pub fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Call {
    /// The body as JSON, or 400 with the place of the mistake.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Err(Error::payload("The request needs a JSON body"));
        }
        crate::json::from_bytes(&self.body)
    }

    /// The body as a JSON object.
    pub fn object(&self) -> Result<Item> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            other => Err(Error::payload(format!("The body must be an object, not: {}", query::show(&other)))),
        }
    }

    /// The body as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same, for who needs nothing else.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Whether there is a body.
    pub fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// Who asks.
    pub fn who(&self) -> &Accountability {
        &self.start.who
    }

    /// Refuses whoever isn't an admin.
    pub fn admin(&self, what: &str) -> Result<()> {
        admin(self.who(), what)
    }
}

/// Refuses whoever isn't an admin.
pub fn admin(who: &Accountability, what: &str) -> Result<()> {
    if who.is_admin() { Ok(()) } else { Err(Error::forbidden(format!("Only admins may {what}"))) }
}

/// The names and values of a query string, decoded.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>> {
    serde_urlencoded::from_str(query).map_err(|e| Error::query(format!("The query string can't be read: {e}")))
}

/// How a caller says who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By a token in `Authorization`.
    Bearer(String),
    /// By a token in the query. It counts where there is no `Authorization`.
    Query(String),
    /// By the token of a session in a cookie. It counts where there is nothing else.
    Cookie(String),
    /// Not at all.
    Nobody,
}

impl Credentials {
    /// What the head of a request says.
    ///
    /// # Errors
    /// `InvalidCredentials` for an `Authorization` of another form, `Forbidden` for a cookie with what may come from another site's page.
    pub fn of(api: &Api, parts: &Parts) -> Result<Self> {
        let said = Self::said(parts)?;
        if !matches!(said, Self::Nobody) || !cookies::count(api, parts) {
            return Ok(said);
        }
        let Some(token) = cookies::token(&parts.headers, Form::Session) else { return Ok(said) };
        cookies::admit(api, parts)?;
        Ok(Self::Cookie(token))
    }

    /// The same without cookies.
    ///
    /// # Errors
    /// `InvalidCredentials` for an `Authorization` of another form.
    pub fn said(parts: &Parts) -> Result<Self> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let malformed = || Error::new(ErrorCode::InvalidCredentials, "`Authorization` must be `Bearer` and a token");
            return bearer(value).map(Self::Bearer).ok_or_else(malformed);
        }
        Ok(in_query(parts).pop().map_or(Self::Nobody, Self::Query))
    }

    /// Whose they are now.
    ///
    /// # Errors
    /// `TokenExpired` and `InvalidCredentials` for a token that stands for nobody.
    pub async fn owner(&self, api: &Api) -> Result<Accountability> {
        match self {
            Self::Bearer(token) | Self::Query(token) => api.sessions.bearer(token).await,
            Self::Cookie(token) => api.sessions.in_session(token).await,
            Self::Nobody => api.sessions.anonymous().await,
        }
    }
}

/// The token of an `Authorization: Bearer …`.
pub fn bearer(value: &HeaderValue) -> Option<String> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim().to_owned())
}

/// The tokens of the query. Of several the last counts.
pub fn in_query(parts: &Parts) -> Vec<String> {
    let pairs = pairs(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    pairs.into_iter().filter(|(name, _)| name == ACCESS_TOKEN).map(|(_, token)| token).collect()
}

/// The id that `around` gave the request.
pub fn request_id(parts: &Parts) -> Arc<str> {
    parts.extensions.get::<RequestId>().map_or_else(|| Arc::from(""), |id| Arc::clone(&id.0))
}

/// From where a request comes.
pub fn origin(parts: &Parts) -> Origin {
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(|v| v.chars().take(255).collect());
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    Origin { ip: peer.map(|ConnectInfo(address)| address.ip().to_string()), user_agent }
}

/// In whose name somebody acts who may.
const ON_BEHALF_OF: &str = "x-on-behalf-of";

/// Somebody, there, and in whose name.
///
/// # Errors
/// `Forbidden` for who may not act in the name of others, `InvalidPayload` where `X-On-Behalf-Of` names no active user.
pub async fn acting(api: &Api, parts: &Parts, who: Accountability, origin: &Origin) -> Result<Accountability> {
    let mut who = who.located(origin.ip.as_deref(), origin.user_agent.as_deref());
    if let Some(named) = parts.headers.get(ON_BEHALF_OF) {
        if !who.is_admin() && !who.grants.delegate {
            return Err(Error::forbidden("You may not act in the name of others: `X-On-Behalf-Of` needs a policy with `delegate_access`"));
        }
        let id = named.to_str().ok().and_then(|id| uuid::Uuid::try_parse(id.trim()).ok()).map(|id| id.to_string());
        let user = match id {
            Some(id) => api.core.directory.user(&id).await?,
            None => None,
        };
        let user = user.ok_or_else(|| Error::payload("`X-On-Behalf-Of` must be the key of an active user"))?;
        who.on_behalf_of = Some(Arc::from(user.id.as_str()));
    }
    Ok(who)
}

/// A path parameter that is taken as text, whatever it is. One that isn't UTF-8 is refused.
pub struct Key<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send> axum::extract::FromRequestParts<Arc<Api>> for Key<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, api).await {
            Ok(Path(key)) => Ok(Self(key)),
            Err(_) => Err(Error::new(ErrorCode::InvalidId, "The path isn't valid UTF-8").into()),
        }
    }
}

/// Runs a write to its end, also when the client stops waiting: what follows a commit must follow it.
pub async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal(format!("a request's task ended: {error}"))),
    }
}

/// `{ "data": … }`.
pub fn data(value: impl serde::Serialize) -> Response {
    axum::Json(json!({ "data": value })).into_response()
}
