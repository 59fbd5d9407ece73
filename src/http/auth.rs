//! `/api/auth/*`, `/api/users/invite` and `/api/users/me`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::items::answered;
use super::request::{Call, Visit, data, detached};
use super::{Api, App, cookies};
use crate::auth::{Accountability, Who};
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::services::Item;
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::operation::Start;
use crate::services::query::show;
use crate::services::sessions::{Form, Tokens};

/// What a user may change of themself whatever their policies say.
const OWN_FIELDS: [&str; 4] = ["first_name", "last_name", "email", "password"];

/// How a sign-in is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Both tokens in the body.
    Json,
    /// The refresh token in a cookie, the access token in the body.
    Cookie,
    /// A session, in a cookie.
    Session,
}

impl Mode {
    /// What the body says.
    ///
    /// # Errors
    /// 400 for a mode that isn't one; 403 for one with cookies where those don't count.
    fn of(body: &Item, visit: &Visit) -> Result<Self> {
        let mode = match body.get("mode") {
            None | Some(Value::Null) => Self::Json,
            Some(mode) if mode == "json" => Self::Json,
            Some(mode) if mode == "cookie" => Self::Cookie,
            Some(mode) if mode == "session" => Self::Session,
            Some(other) => {
                let message = format!("`mode` must be `json`, `cookie` or `session`, not: {}", show(other));
                return Err(Error::payload(message).with_field("mode"));
            }
        };
        if mode != Self::Json && !visit.is_own {
            let message = "Cookies are for the server's own pages: this request comes from another origin. Use the mode `json`";
            return Err(Error::forbidden(message).with_field("mode"));
        }
        Ok(mode)
    }

    fn form(self) -> Form {
        match self {
            Self::Json | Self::Cookie => Form::Pair,
            Self::Session => Form::Session,
        }
    }

    /// The token that is to be refreshed or ended; `None` where its cookie is gone.
    fn secret(self, body: &Item, visit: &Visit) -> Result<Option<String>> {
        match self {
            Self::Json => text(body, "refresh_token").map(Some),
            Self::Cookie => Ok(visit.refresh.clone()),
            Self::Session => Ok(visit.session.clone()),
        }
    }

    fn answer(self, config: &Config, tokens: &Tokens) -> Result<Response> {
        let mut told = Item::new();
        told.extend(tokens.access.as_ref().map(|access| ("access_token".to_owned(), json!(access))));
        if self == Self::Json {
            told.insert("refresh_token".to_owned(), json!(tokens.secret));
        }
        told.insert("expires".to_owned(), json!(u64::try_from(tokens.expires.as_millis()).unwrap_or(u64::MAX)));
        let mut response = data(told);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self != Self::Json {
            headers.insert(header::SET_COOKIE, cookies::set(config, self.form(), tokens)?);
        }
        Ok(response)
    }
}

/// `POST /api/auth/login {email, password, mode?}`.
pub async fn login(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let body = visit.call.object()?;
    let mode = Mode::of(&body, &visit)?;
    let (email, password) = (text(&body, "email")?, text(&body, "password")?);
    let Call { start, origin, .. } = visit.call;
    let core = Arc::clone(&api.core);
    let tokens = detached(async move { api.sessions.login(start, &email, &password, mode.form(), origin).await }).await?;
    Ok(mode.answer(&core.config, &tokens)?)
}

/// `POST /api/auth/refresh {refresh_token, mode?}`.
pub async fn refresh(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let body = visit.call.object()?;
    let mode = Mode::of(&body, &visit)?;
    let Some(secret) = mode.secret(&body, &visit)? else {
        return Err(Error::new(ErrorCode::InvalidCredentials, "There is no cookie of a sign-in: sign in again").into());
    };
    let core = Arc::clone(&api.core);
    let tokens = detached(async move { api.sessions.refresh(&secret, mode.form(), visit.call.origin).await }).await?;
    Ok(mode.answer(&core.config, &tokens)?)
}

/// `POST /api/auth/logout {refresh_token, mode?}`.
pub async fn logout(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let body = visit.call.object()?;
    let mode = Mode::of(&body, &visit)?;
    let core = Arc::clone(&api.core);
    if let Some(secret) = mode.secret(&body, &visit)? {
        detached(async move { api.sessions.logout(visit.call.start, &secret, mode.form()).await }).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if mode != Mode::Json {
        response.headers_mut().insert(header::SET_COOKIE, cookies::clear(&core.config, mode.form())?);
    }
    Ok(response)
}

/// `POST /api/auth/password/request {email, reset_url?}`: the answer is the same whoever that is.
pub async fn request_password(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let body = visit.call.object()?;
    let (email, page) = (text(&body, "email")?, optional_text(&body, "reset_url")?);
    api.accounts.request_reset(visit.call.start, &email, page.as_deref())?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The token from a mail, and the password that comes with it.
fn chosen(visit: &Visit) -> Result<(String, String)> {
    let body = visit.call.object()?;
    Ok((text(&body, "token")?, text(&body, "password")?))
}

/// `POST /api/auth/password/reset {token, password}`.
pub async fn reset_password(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let (token, password) = chosen(&visit)?;
    detached(async move { api.accounts.reset(visit.call.start, &token, &password).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/users/invite {email, role?, invite_url?}`.
pub async fn invite(State(api): App, call: Call) -> Result<Response, ApiError> {
    let body = call.object()?;
    let emails = match body.get("email") {
        Some(Value::Array(all)) => {
            all.iter().map(|one| Item::from_iter([("email".to_owned(), one.clone())])).map(|one| text(&one, "email")).collect()
        }
        _ => text(&body, "email").map(|one| vec![one]),
    }?;
    let role = body.get("role").filter(|role| !role.is_null()).cloned();
    let page = optional_text(&body, "invite_url")?;
    detached(async move { api.accounts.invite(call.start, &emails, role.as_ref(), page.as_deref()).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/users/invite/accept {token, password}`.
pub async fn accept_invite(State(api): App, visit: Visit) -> Result<Response, ApiError> {
    let (token, password) = chosen(&visit)?;
    detached(async move { api.accounts.accept_invite(visit.call.start, &token, &password).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /api/users/me`: always readable by the user it is about.
pub async fn read_me(State(api): App, call: Call) -> Result<Response, ApiError> {
    let id = me(&call)?;
    let Call { start, mut query, .. } = call;
    // What everybody may do for themself is reading, not searching.
    query.retain(|name, _| name == "fields");
    Ok(data(myself(&api, start, &id, &query).await?))
}

/// The row of a user as they may read it themself.
pub async fn myself(api: &Api, start: Start, id: &Value, query: &Item) -> Result<Item> {
    let own = !leads_on(query);
    api.core
        .operate(start, |ctx| async move {
            let ctx = ctx.with(own, true);
            ItemsService::new(&ctx, "daas_users").read_one(id, query, Hold::No).await
        })
        .await
}

/// `PATCH /api/users/me`: the caller's own name, address and password; anything else as their policies say.
pub async fn update_me(State(api): App, call: Call) -> Result<Response, ApiError> {
    let (id, changes) = (me(&call)?, call.object()?);
    let Call { start, mut query, .. } = call;
    query.retain(|name, _| name == "fields");
    let own = changes.keys().all(|key| OWN_FIELDS.contains(&key.as_str())) && !leads_on(&query);
    let rows = detached(async move {
        api.core
            .operate(start, |ctx| {
                let (id, changes, query) = (id.clone(), changes.clone(), &query);
                async move {
                    answered(&ctx.with(own, true), "daas_users", query, &|users| {
                        let (id, changes) = (id.clone(), changes.clone());
                        Box::pin(async move { users.update(vec![id], changes).await })
                    })
                    .await
                }
            })
            .await
    })
    .await?;
    Ok(data(rows.into_iter().next()))
}

/// Whether `fields` names anything but fields of the user: what relations lead to is read by the caller's policies alone.
fn leads_on(query: &Item) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains(['.', ':', '(']),
            Value::Array(items) => items.iter().any(any),
            Value::Object(members) => members.values().any(any),
            _ => false,
        }
    }
    query.get("fields").is_some_and(any)
}

fn me(call: &Call) -> Result<Value> {
    key_of(call.who())
}

/// The key of a signed-in caller.
pub fn key_of(who: &Accountability) -> Result<Value> {
    match &who.who {
        Who::User(user) => Ok(json!(user.id)),
        Who::System | Who::Anonymous => Err(Error::new(ErrorCode::Unauthorized, "Sign in first: there is nobody behind this request")),
    }
}

fn text(body: &Item, name: &str) -> Result<String> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(Error::payload(format!("`{name}` must be a text, not: {}", show(other.unwrap_or(&Value::Null)))).with_field(name)),
    }
}

fn optional_text(body: &Item, name: &str) -> Result<Option<String>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(body, name).map(Some),
    }
}
