//! `/api/services`: custom services.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::error::ApiError;
use super::items::listed;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::{Error, Result};
use crate::services::query::{clip, show};

type Answer = Result<Response, ApiError>;

/// The routes of custom services.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/services", get(list).post(create))
        .route("/api/services/{id}", get(read).patch(update).delete(delete))
        .route("/api/services/{id}/tests", post(test))
}

async fn list(State(api): App, call: Call) -> Answer {
    Ok(listed(api.extensions.custom_services(call.start, &call.query).await?))
}

async fn read(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(api.extensions.custom_service(call.start, &id, &call.query).await?))
}

async fn create(State(api): App, call: Call) -> Answer {
    let body = call.object()?;
    let row = detached(async move { api.extensions.create_custom_service(call.start, body).await }).await?;
    Ok((StatusCode::CREATED, data(row)).into_response())
}

async fn update(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    let changes = call.object()?;
    Ok(data(detached(async move { api.extensions.update_custom_service(call.start, &id, changes).await }).await?))
}

async fn delete(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    detached(async move { api.extensions.delete_custom_service(call.start, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn test(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    if let Some(name) = call.query.keys().find(|name| *name != "test") {
        return Err(Error::query(format!("Tests are run with `test`, the name of one, not with `{}`", clip(name))).into());
    }
    let only = match call.query.get("test") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(other) => return Err(Error::query(format!("`test` must be the name of a test, not: {}", show(other))).into()),
    };
    Ok(data(detached(async move { api.extensions.test_custom_service(call.start, &id, only.as_deref()).await }).await?))
}
