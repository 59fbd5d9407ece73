//! `/api/settings`: what admins set while the host runs.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use super::error::ApiError;
use super::request::{Call, data, detached};
use super::{Api, App};
use crate::error::Result;
use crate::services::{Item, mail};

type Answer = Result<Response, ApiError>;

/// The routes of the settings.
pub fn routes() -> Router<Arc<Api>> {
    Router::new().route("/api/settings/smtp", get(read).patch(update)).route("/api/settings/smtp/test", post(test))
}

async fn read(State(api): App, call: Call) -> Answer {
    Ok(data(mail::read_settings(&api.core, call.who()).await?))
}

async fn update(State(api): App, call: Call) -> Answer {
    let changes = call.object()?;
    Ok(data(detached(async move { mail::update_settings(&api.core, call.who(), changes).await }).await?))
}

async fn test(State(api): App, call: Call) -> Answer {
    let asked = if call.has_body() { call.object()? } else { Item::new() };
    Ok(data(detached(async move { mail::test(&api.core, call.who(), &asked).await }).await?))
}
