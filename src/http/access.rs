//! What callers are told about their own rights: `/api/permissions/me`, `/api/policies/me/globals`, `/api/roles/me`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::request::{Call, Key, data};
use super::{Api, App};
use crate::services::rights;

type Answer = Result<Response, ApiError>;

/// The routes.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/permissions/me", get(permissions))
        .route(
            "/api/permissions/me/{collection}",
            get(async |state: App, Key(name): Key<String>, call: Call| item(state, name, None, call).await),
        )
        .route(
            "/api/permissions/me/{collection}/{id}",
            get(async |state: App, Key((name, id)): Key<(String, String)>, call: Call| item(state, name, Some(json!(id)), call).await),
        )
        .route("/api/policies/me/globals", get(globals))
        .route("/api/roles/me", get(roles))
}

async fn permissions(State(api): App, call: Call) -> Answer {
    Ok(data(api.core.operate(call.start, |ctx| async move { Ok(rights::everywhere(&ctx)) }).await?))
}

async fn item(State(api): App, name: String, key: Option<Value>, call: Call) -> Answer {
    let told = api
        .core
        .operate(call.start, |ctx| {
            let (name, key) = (&name, key.as_ref());
            async move { rights::of_item(&ctx, name, key).await }
        })
        .await?;
    Ok(data(told))
}

async fn globals(State(api): App, call: Call) -> Answer {
    Ok(data(api.core.operate(call.start, |ctx| async move { Ok(rights::globals(&ctx)) }).await?))
}

async fn roles(State(api): App, call: Call) -> Answer {
    let Call { start, query, .. } = call;
    let roles = api
        .core
        .operate(start, |ctx| {
            let query = &query;
            async move { rights::roles(&ctx, query).await }
        })
        .await?;
    Ok(data(roles))
}
