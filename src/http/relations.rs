//! `/api/relations`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::collections::look;
use super::error::ApiError;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::services::relations;

type Answer = Result<Response, ApiError>;

/// The routes of relations.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/relations", get(list).post(create))
        .route("/api/relations/{collection}", get(list_of))
        .route("/api/relations/{collection}/{field}", get(read).patch(update).delete(delete))
}

async fn list(State(api): App, call: Call) -> Answer {
    Ok(data(look(&api, call, relations::read_all).await?))
}

async fn list_of(State(api): App, Key(collection): Key<String>, call: Call) -> Answer {
    Ok(data(look(&api, call, |ctx| relations::read_collection(ctx, &collection)).await?))
}

async fn read(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    Ok(data(look(&api, call, |ctx| relations::read_one(ctx, &collection, &field)).await?))
}

async fn create(State(api): App, call: Call) -> Answer {
    call.admin("change the schema")?;
    let body: Value = call.json()?;
    let made = detached(async move { relations::create(&api.core, &body).await }).await?;
    Ok((StatusCode::CREATED, data(made)).into_response())
}

async fn update(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    call.admin("change the schema")?;
    let body: Value = call.json()?;
    let changed = detached(async move { relations::update(&api.core, &collection, &field, &body).await }).await?;
    Ok(data(changed))
}

async fn delete(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    call.admin("change the schema")?;
    detached(async move { relations::delete(&api.core, &collection, &field).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
