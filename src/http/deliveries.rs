//! `/api/deliveries`: what is owed to action hooks.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::error::ApiError;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::Result;
use crate::services::Item;
use crate::services::deliveries::{Bulk, Deliveries};

type Answer = Result<Response, ApiError>;

/// The routes of the outbox.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/deliveries", get(list))
        .route("/api/deliveries/replay", post(replay_all))
        .route("/api/deliveries/discard", post(discard_all))
        .route("/api/deliveries/{id}", get(read).delete(discard))
        .route("/api/deliveries/{id}/replay", post(replay))
}

async fn list(State(api): App, call: Call) -> Answer {
    let page = Deliveries::new(&api.core, call.who())?.list(&call.query).await?;
    let listing = page.listing;
    let meta = json!({ "page": listing.page, "limit": listing.limit, "filter_count": listing.filter_count, "counts": page.counts });
    Ok(axum::Json(json!({ "data": listing.items, "meta": meta })).into_response())
}

async fn read(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(Deliveries::new(&api.core, call.who())?.one(&id).await?))
}

async fn replay(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    Ok(data(detached(async move { Deliveries::new(&api.core, call.who())?.replay(&id).await }).await?))
}

async fn discard(State(api): App, Key(id): Key<String>, call: Call) -> Answer {
    detached(async move { Deliveries::new(&api.core, call.who())?.discard(&id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn replay_all(State(api): App, call: Call) -> Answer {
    let body = body(&call)?;
    let Bulk { done, left } = detached(async move { Deliveries::new(&api.core, call.who())?.replay_all(&body).await }).await?;
    Ok(data(json!({ "replayed": done, "left": left })))
}

async fn discard_all(State(api): App, call: Call) -> Answer {
    let body = body(&call)?;
    let Bulk { done, left } = detached(async move { Deliveries::new(&api.core, call.who())?.discard_all(&body).await }).await?;
    Ok(data(json!({ "discarded": done, "left": left })))
}

/// Who may not is told that, whatever they sent.
fn body(call: &Call) -> Result<Item> {
    call.admin("manage deliveries")?;
    call.object()
}
