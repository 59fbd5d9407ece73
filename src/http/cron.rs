//! `/api/cron`: the jobs, their history, and running one by hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::error::ApiError;
use super::items::listed;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::Result;
use crate::services::Item;

type Answer = Result<Response, ApiError>;

/// The routes of the jobs.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/cron", get(list).post(create))
        .route("/api/cron/history", get(history))
        .route("/api/cron/{id}", get(read).patch(update).delete(delete))
        .route("/api/cron/{id}/history", get(history_of))
        .route("/api/cron/{id}/run", post(run))
        .route("/api/cron/{id}/clone", post(clone))
}

async fn list(State(api): App, call: Call) -> Answer {
    Ok(listed(api.cron.list(call.start, &call.query).await?))
}

async fn read(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(api.cron.read(call.start, &id, &call.query).await?))
}

async fn history(State(api): App, call: Call) -> Answer {
    Ok(listed(api.cron.history(call.start, None, &call.query).await?))
}

async fn history_of(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(listed(api.cron.history(call.start, Some(&id), &call.query).await?))
}

async fn create(State(api): App, call: Call) -> Answer {
    let body = call.object()?;
    let row = detached(async move { api.cron.create(call.start, body).await }).await?;
    Ok((StatusCode::CREATED, data(row)).into_response())
}

async fn update(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    let changes = call.object()?;
    Ok(data(detached(async move { api.cron.update(call.start, &id, changes).await }).await?))
}

async fn delete(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    detached(async move { api.cron.delete(call.start, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn run(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(detached(async move { api.cron.run_now(call.start, &id).await }).await?))
}

async fn clone(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    let asked = if call.has_body() { call.object()? } else { Item::new() };
    let row = detached(async move { api.cron.clone_job(call.start, &id, &asked).await }).await?;
    Ok((StatusCode::CREATED, data(row)).into_response())
}
