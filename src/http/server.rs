//! `/api/server/*` and `/api/health`: whether the host is there, and what it is.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::error::ApiError;
use super::request::{Call, data};
use super::{Api, App};

/// The routes about the host itself.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/health", get(health))
        .route("/api/server/health", get(health))
        .route("/api/server/ping", get(async || "pong"))
        .route("/api/server/info", get(info))
}

/// Whether a path asks only whether the host is there, which is told whatever else doesn't hold.
pub fn is_sign_of_life(path: &str) -> bool {
    matches!(path, "/api/health" | "/api/server/health" | "/api/server/ping")
}

async fn health(State(api): App) -> Response {
    match api.core.db.ping().await {
        Ok(()) => axum::Json(json!({ "status": "ok" })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the database doesn't answer");
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "status": "error", "reason": "the database doesn't answer" })))
                .into_response()
        }
    }
}

/// What a client shows of the host. Which version runs is told to admins, who mend what has become known of one.
async fn info(State(api): App, call: Call) -> Result<Response, ApiError> {
    let mut info = json!({
        "project": { "project_name": "Trellis" },
        "queryLimit": { "default": crate::services::query::DEFAULT_LIMIT, "max": api.core.config.query_limit_max },
    });
    if call.who().is_admin() {
        info["version"] = json!(env!("CARGO_PKG_VERSION"));
    }
    Ok(data(info))
}
