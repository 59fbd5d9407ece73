//! `/api/collections` and `/api/fields`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::error::ApiError;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::Result;
use crate::services::changes::Kind;
use crate::services::{Core, Ctx, collections, fields};

type Answer = Result<Response, ApiError>;

/// The routes of the schema.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/collections", get(list).post(create).patch(update_many))
        .route("/api/collections/{collection}", get(read).patch(update).delete(delete))
        .route("/api/fields", get(all_fields))
        .route("/api/fields/{collection}", get(list_fields).post(create_field).patch(update_fields))
        .route("/api/fields/{collection}/{field}", get(read_field).patch(update_field).delete(delete_field))
}

/// Reads something of the schema that the operation sees.
pub(super) async fn look<T: Send + 'static>(api: &Arc<Api>, call: Call, read: impl Fn(&Ctx) -> Result<T> + Send + Sync) -> Result<T> {
    api.core
        .operate(call.start, |ctx| {
            let seen = read(&ctx);
            async move { seen }
        })
        .await
}

/// Changes the schema, to its end, and waits until the change holds on every host.
pub(super) async fn change<T: Send + 'static, F>(
    api: &Arc<Api>,
    call: &Call,
    work: impl FnOnce(Arc<Core>) -> F + Send + 'static,
) -> Result<T>
where
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (core, lagging) = (Arc::clone(&api.core), call.start.lagging.clone());
    detached(async move {
        let done = work(Arc::clone(&core)).await?;
        core.settle(Kind::Schema, &lagging).await?;
        Ok(done)
    })
    .await
}

async fn list(State(api): App, call: Call) -> Answer {
    Ok(data(look(&api, call, collections::read_all).await?))
}

async fn read(State(api): App, Key(name): Key<String>, call: Call) -> Answer {
    Ok(data(look(&api, call, |ctx| collections::read_one(ctx, &name)).await?))
}

async fn create(State(api): App, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body = call.json()?;
    let made = change(&api, &call, move |core| async move { collections::create(&core, &body).await }).await?;
    Ok((StatusCode::CREATED, data(made)).into_response())
}

async fn update(State(api): App, Key(name): Key<String>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let changed = change(&api, &call, move |core| async move { collections::update(&core, &name, &body).await }).await?;
    Ok(data(changed))
}

async fn update_many(State(api): App, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let changed = change(&api, &call, move |core| async move { collections::update_many(&core, &body).await }).await?;
    Ok(data(changed))
}

async fn delete(State(api): App, Key(name): Key<String>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    change(&api, &call, move |core| async move { collections::delete(&core, &name).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn all_fields(State(api): App, call: Call) -> Answer {
    Ok(data(look(&api, call, fields::read_all).await?))
}

async fn list_fields(State(api): App, Key(collection): Key<String>, call: Call) -> Answer {
    Ok(data(look(&api, call, |ctx| fields::read_collection(ctx, &collection)).await?))
}

async fn read_field(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    Ok(data(look(&api, call, |ctx| fields::read_one(ctx, &collection, &field)).await?))
}

async fn create_field(State(api): App, Key(collection): Key<String>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let made = change(&api, &call, move |core| async move { fields::create(&core, &collection, &body).await }).await?;
    Ok((StatusCode::CREATED, data(made)).into_response())
}

async fn update_fields(State(api): App, Key(collection): Key<String>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let changed = change(&api, &call, move |core| async move { fields::update_many(&core, &collection, &body).await }).await?;
    Ok(data(changed))
}

async fn update_field(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body: Value = call.json()?;
    let changed = change(&api, &call, move |core| async move { fields::update(&core, &collection, &field, &body).await }).await?;
    Ok(data(changed))
}

async fn delete_field(State(api): App, Key((collection, field)): Key<(String, String)>, call: Call) -> Answer {
    collections::may_change(call.who())?;
    change(&api, &call, move |core| async move { fields::delete(&core, &collection, &field).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
