//! `GET /metrics`: what the host counts, for Prometheus. For admins, users with the module key `system:logs`, and whoever has `METRICS_TOKEN`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::request::Credentials;
use super::{Api, App};
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::metrics::Moment;
use crate::services::{deliveries, module_access};

/// What the text is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route of the counters.
pub fn routes() -> Router<Arc<Api>> {
    Router::new().route("/metrics", get(read))
}

async fn read(State(api): App, request: Request) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    may_read(&api, &Credentials::of(&api, &parts)?).await?;
    let text = api.core.metrics.text(&moment(&api).await).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// Whether somebody may read them. The token of the settings needs no database: it is asked when there is none.
async fn may_read(api: &Api, credentials: &Credentials) -> Result<()> {
    if let (Some(token), Credentials::Bearer(given)) = (&api.core.config.metrics_token, credentials)
        && is_same(token, given)
    {
        return Ok(());
    }
    let who = credentials.owner(api).await?;
    if who.is_admin() || who.grants.module(module_access::LOGS).is_some() {
        return Ok(());
    }
    Err(Error::forbidden("Metrics are read by admins, by users with the module key `system:logs`, and with `METRICS_TOKEN`"))
}

/// Compared as hashes, so that neither length nor beginning show in the time.
fn is_same(token: &Secret, given: &str) -> bool {
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    hash(token.reveal()).ct_eq(&hash(given)).into()
}

async fn moment(api: &Api) -> Moment {
    let pool = api.extensions.pool_stats();
    let deliveries = deliveries::by_state(&api.core).await;
    if let Err(error) = &deliveries {
        tracing::warn!(%error, "deliveries could not be counted");
    }
    Moment {
        workers: [("busy", pool.workers.len() - pool.idle), ("idle", pool.idle), ("blank", pool.blank)],
        worker_memory: pool.resident_bytes,
        calls: pool.in_flight,
        database_up: deliveries.is_ok(),
        deliveries: deliveries.unwrap_or_default(),
        connections: api.core.db.connections(),
    }
}
