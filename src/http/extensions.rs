//! `/api/extensions`: the rows, and what can be done with them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use super::error::ApiError;
use super::etag::{Expected, tagged};
use super::extension_logs::logs;
use super::items::listed;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::Result;
use crate::extensions::{Change, TestRequest, version_of};
use crate::services::Item;

type Answer = Result<Response, ApiError>;

/// The routes of extension management.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/extensions", get(list).post(create))
        .route("/api/extensions/test", post(test))
        .route("/api/extensions/types.d.ts", get(types))
        .route("/api/extensions/{id}", get(read).patch(update).delete(delete))
        .route("/api/extensions/{id}/runs", get(runs))
        .route("/api/extensions/{id}/logs", get(logs))
        .route("/api/extensions/{id}/secrets", get(secrets))
        .route("/api/extensions/{id}/secrets/{name}", put(set_secret).delete(delete_secret))
        .route("/api/extensions/{id}/activate", post(activate))
        .route("/api/extensions/{id}/deactivate", post(deactivate))
        .route("/api/extensions/{id}/confirm", post(confirm))
        .route("/api/extensions/{id}/decline", post(decline))
        .route("/api/extensions/{id}/clone", post(clone))
        .route("/api/extensions/{id}/history", get(history))
        .route("/api/extensions/{id}/rollback", post(rollback))
}

async fn list(State(api): App, call: Call) -> Answer {
    Ok(listed(api.extensions.list(call.start, &call.query).await?))
}

async fn read(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    let (row, version) = api.extensions.read(call.start, &id, &call.query).await?;
    let answer = data(row);
    Ok(match version {
        Some(version) => tagged(answer, &version),
        None => answer,
    })
}

/// The live collections as TypeScript, for the editor of whoever writes an extension.
async fn types(State(api): App, call: Call) -> Answer {
    let text = api.extensions.types(call.start).await?;
    let kind = [(header::CONTENT_TYPE, "application/typescript; charset=utf-8"), (header::CACHE_CONTROL, "private, no-cache")];
    Ok((kind, text).into_response())
}

async fn runs(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(listed(api.extensions.failed_runs(call.start, &id, &call.query).await?))
}

async fn history(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(listed(api.extensions.history(call.start, &id, &call.query).await?))
}

async fn secrets(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(api.extensions.secrets(call.start, &id).await?))
}

async fn set_secret(State(api): App, Key((id, name)): Key<(String, String)>, call: Call) -> Answer {
    let body = call.object()?;
    Ok(data(detached(async move { api.extensions.set_secret(call.start, &id, &name, &body).await }).await?))
}

async fn delete_secret(State(api): App, Key((id, name)): Key<(String, String)>, call: Call) -> Answer {
    detached(async move { api.extensions.delete_secret(call.start, &id, &name).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn create(State(api): App, call: Call) -> Answer {
    api.extensions.admit(call.who())?;
    let body = call.object()?;
    let row = detached(async move { api.extensions.create(call.start, body).await }).await?;
    Ok((StatusCode::CREATED, saved(row)).into_response())
}

async fn update(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    api.extensions.admit(call.who())?;
    let changes = call.object()?;
    Ok(saved(detached(async move { api.extensions.update(call.start, &id, changes, Change::Update, &expected).await }).await?))
}

async fn activate(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    Ok(saved(detached(async move { api.extensions.activate(call.start, &id, &expected).await }).await?))
}

async fn deactivate(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    Ok(saved(detached(async move { api.extensions.deactivate(call.start, &id, &expected).await }).await?))
}

async fn confirm(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    Ok(saved(detached(async move { api.extensions.confirm(call.start, &id, &expected).await }).await?))
}

async fn decline(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    Ok(saved(detached(async move { api.extensions.decline(call.start, &id, &expected).await }).await?))
}

async fn rollback(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    api.extensions.admit(call.who())?;
    let body = call.object()?;
    Ok(saved(detached(async move { api.extensions.rollback(call.start, &id, &body, &expected).await }).await?))
}

async fn clone(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    api.extensions.admit(call.who())?;
    let body = if call.has_body() { call.object()? } else { Item::new() };
    let row = detached(async move { api.extensions.duplicate(call.start, &id, &body).await }).await?;
    Ok((StatusCode::CREATED, saved(row)).into_response())
}

async fn delete(State(api): App, Key(id): Key<String>, Expected(expected): Expected, call: Call) -> Answer {
    detached(async move { api.extensions.delete(call.start, &id, &expected).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A row that was just saved, with its version.
fn saved(row: Item) -> Response {
    let version = version_of(&row);
    tagged(data(row), &version)
}

async fn test(State(api): App, call: Call) -> Answer {
    api.extensions.admit(call.who())?;
    let request = TestRequest::parse(call.json()?)?;
    Ok(data(detached(async move { api.extensions.test(call.start, request).await }).await?))
}
