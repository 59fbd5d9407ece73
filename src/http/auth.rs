//! `/api/auth/*` and `/api/users/me`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::items::answered;
use super::request::{Call, data, detached};
use super::{Api, App};
use crate::auth::{Accountability, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::services::Item;
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::operation::Start;
use crate::services::query::show;
use crate::services::sessions::Tokens;

/// What a user may change of themself whatever their policies say.
const OWN_FIELDS: [&str; 4] = ["first_name", "last_name", "email", "password"];

/// `POST /api/auth/login {email, password}`.
pub async fn login(State(api): App, call: Call) -> Result<Response, ApiError> {
    let body = call.object()?;
    json_mode(&body)?;
    let (email, password) = (text(&body, "email")?, text(&body, "password")?);
    Ok(answer(api.sessions.login(&email, &password, call.origin).await?))
}

/// `POST /api/auth/refresh {refresh_token}`.
pub async fn refresh(State(api): App, call: Call) -> Result<Response, ApiError> {
    let body = call.object()?;
    json_mode(&body)?;
    let token = text(&body, "refresh_token")?;
    Ok(answer(api.sessions.refresh(&token, call.origin).await?))
}

/// `POST /api/auth/logout {refresh_token}`.
pub async fn logout(State(api): App, call: Call) -> Result<Response, ApiError> {
    api.sessions.logout(&text(&call.object()?, "refresh_token")?).await?;
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

fn answer(tokens: Tokens) -> Response {
    let expires = u64::try_from(tokens.expires.as_millis()).unwrap_or(u64::MAX);
    data(json!({ "access_token": tokens.access, "refresh_token": tokens.refresh, "expires": expires }))
}

fn json_mode(body: &Item) -> Result<()> {
    match body.get("mode") {
        None | Some(Value::Null) => Ok(()),
        Some(mode) if mode == "json" => Ok(()),
        Some(other) => Err(Error::payload(format!("`mode` must be `json`, not: {}", show(other))).with_field("mode")),
    }
}

fn text(body: &Item, name: &str) -> Result<String> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(Error::payload(format!("`{name}` must be a text, not: {}", show(other.unwrap_or(&Value::Null)))).with_field(name)),
    }
}
