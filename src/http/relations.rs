//! `/api/relations`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::collections::{change, look};
use super::error::ApiError;
use super::request::{Call, Key, data};
use super::{Api, App};
use crate::services::{collections, relations};

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
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let made = change(&api, &call, move |core| async move { relations::create(&core, &body).await }).await?;
    Ok((StatusCode::CREATED, data(made)).into_response())
}

async fn update(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let changed = change(&api, &call, move |core| async move { relations::update(&core, &collection, &field, &body).await }).await?;
    Ok(data(changed))
}

async fn delete(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    change(&api, &call, move |core| async move { relations::delete(&core, &collection, &field).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
