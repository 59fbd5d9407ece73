//! `/api/items/:collection[/:id]`, and the same over the system's own collections.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::request::{Call, Key, data, detached};
use super::{Api, App};
use crate::error::{Error, ErrorCode, Result};
use crate::services::ctx::Hold;
use crate::services::items::{ItemsService, Listing, as_item};
use crate::services::operation::Start;
use crate::services::query::{clip, decoded, show};
use crate::services::{Ctx, Item, aggregate};

type Answer = Result<Response, ApiError>;

/// The system's collections that have routes, without their prefix.
const SYSTEM: [&str; 7] = ["users", "roles", "user_roles", "policies", "permissions", "access", "extensions"];

/// The routes of the collections that users make.
pub fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(
            "/api/items/{collection}",
            get(async |State(api): App, Key(name): Key<String>, call: Call| list(api, own(name)?, call).await)
                .post(async |State(api): App, Key(name): Key<String>, call: Call| create(api, own(name)?, call).await)
                .patch(async |State(api): App, Key(name): Key<String>, call: Call| update_many(api, own(name)?, call).await)
                .delete(async |State(api): App, Key(name): Key<String>, call: Call| delete_many(api, own(name)?, call).await)
                .fallback(async |State(api): App, Key(name): Key<String>, method: Method, call: Call| {
                    other(api, own(name)?, &method, call).await
                }),
        )
        .route(
            "/api/items/{collection}/{id}",
            get(async |State(api): App, Key((name, id)): Key<(String, String)>, call: Call| read(api, own(name)?, id, call).await)
                .patch(async |State(api): App, Key((name, id)): Key<(String, String)>, call: Call| update(api, own(name)?, id, call).await)
                .put(async |State(api): App, Key((name, id)): Key<(String, String)>, call: Call| replace(api, own(name)?, id, call).await)
                .delete(async |State(api): App, Key((name, id)): Key<(String, String)>, call: Call| {
                    delete(api, own(name)?, id, call).await
                }),
        )
}

/// The routes of one of the system's collections.
pub fn system(name: &'static str) -> Router<Arc<Api>> {
    at(&format!("/api/{name}"), &format!("daas_{name}"))
}

/// Which user has which role.
pub fn user_roles() -> Router<Arc<Api>> {
    at("/api/user-roles", "daas_user_roles")
}

fn at(path: &str, collection: &str) -> Router<Arc<Api>> {
    let name = || -> Arc<str> { Arc::from(collection) };
    let (a, b, c, d) = (name(), name(), name(), name());
    let (e, f, g, h, i) = (name(), name(), name(), name(), name());
    Router::new()
        .route(
            path,
            get(async move |State(api): App, call: Call| list(api, a.to_string(), call).await)
                .post(async move |State(api): App, call: Call| create(api, b.to_string(), call).await)
                .patch(async move |State(api): App, call: Call| update_many(api, c.to_string(), call).await)
                .delete(async move |State(api): App, call: Call| delete_many(api, d.to_string(), call).await)
                .fallback(async move |State(api): App, method: Method, call: Call| other(api, h.to_string(), &method, call).await),
        )
        .route(
            &format!("{path}/{{id}}"),
            get(async move |State(api): App, Key(id): Key<String>, call: Call| read(api, e.to_string(), id, call).await)
                .patch(async move |State(api): App, Key(id): Key<String>, call: Call| update(api, f.to_string(), id, call).await)
                .put(async move |State(api): App, Key(id): Key<String>, call: Call| replace(api, i.to_string(), id, call).await)
                .delete(async move |State(api): App, Key(id): Key<String>, call: Call| delete(api, g.to_string(), id, call).await),
        )
}

/// The system's collections have routes of their own.
fn own(name: String) -> Result<String> {
    if name.starts_with("daas_cron_") {
        return Err(Error::forbidden(format!("`{}` belongs to the system: use /api/cron", clip(&name))));
    }
    match SYSTEM.iter().find(|short| name.strip_prefix("daas_") == Some(short)) {
        Some(short) => Err(Error::forbidden(format!("`{name}` belongs to the system: use /api/{}", short.replace('_', "-")))),
        None => Ok(name),
    }
}

/// A method that axum has no name for: SEARCH reads like GET, with the query in the body. Any other isn't possible here.
async fn other(api: Arc<Api>, name: String, method: &Method, mut call: Call) -> Answer {
    if method.as_str() != "SEARCH" {
        let refused = ApiError::from(Error::new(ErrorCode::MethodNotAllowed, format!("`{}` isn't possible here", clip(method.as_str()))));
        return Ok(([(header::ALLOW, "GET,HEAD,POST,PATCH,DELETE,SEARCH")], refused).into_response());
    }
    let mut body = if call.has_body() { call.object()? } else { Item::new() };
    match (body.shift_remove("query"), body.shift_remove("keys")) {
        (query @ (None | Some(Value::Object(_) | Value::Null)), None) => {
            call.query = query.and_then(|query| as_item(query).ok()).unwrap_or_default();
            list(api, name, call).await
        }
        (query @ (None | Some(Value::Object(_) | Value::Null)), Some(Value::Array(keys))) => {
            let query = query.and_then(|query| as_item(query).ok()).unwrap_or_default();
            let items = api
                .core
                .operate(call.start, |ctx| {
                    let (name, keys, query) = (&name, &keys, &query);
                    async move { ItemsService::new(&ctx, name).read_many(keys, query, Hold::No).await }
                })
                .await?;
            Ok(data(items))
        }
        _ => Err(Error::payload("The body of a SEARCH must be `{query}`, with the query as an object, or `{keys, query}`").into()),
    }
}

/// What a list answers: items, the one item of a singleton, or groups.
enum Listed {
    Items(Listing),
    One(Item),
    Groups(Vec<Item>),
}

async fn list(api: Arc<Api>, name: String, call: Call) -> Answer {
    let Call { start, query, .. } = call;
    let answered = api
        .core
        .operate(start, |ctx| {
            let (name, query) = (&name, &query);
            async move {
                if query.contains_key("aggregate") || query.contains_key("groupBy") {
                    return aggregate::run(&ctx, name, query).await.map(Listed::Groups);
                }
                let items = ItemsService::new(&ctx, name);
                if items.is_singleton() {
                    return items.read_singleton(query).await.map(Listed::One);
                }
                items.list(query).await.map(Listed::Items)
            }
        })
        .await?;
    Ok(match answered {
        Listed::Items(listing) => listed(listing),
        Listed::One(item) => data(item),
        Listed::Groups(groups) => data(groups),
    })
}

/// `{ "data": [...], "meta": { page, limit, … } }`.
pub fn listed(listing: Listing) -> Response {
    let meta = meta_of(&listing);
    axum::Json(json!({ "data": listing.items, "meta": meta })).into_response()
}

/// `{ page, limit, … }`.
pub fn meta_of(listing: &Listing) -> Value {
    let mut meta = json!({ "page": listing.page, "limit": listing.limit });
    if let Some(total) = listing.total_count {
        meta["total_count"] = json!(total);
    }
    if let Some(count) = listing.filter_count {
        meta["filter_count"] = json!(count);
        meta["total"] = json!(count);
    }
    meta
}

async fn read(api: Arc<Api>, name: String, id: String, call: Call) -> Answer {
    let (key, Call { start, query, .. }) = (json!(id), call);
    let item = api
        .core
        .operate(start, |ctx| {
            let (name, key, query) = (&name, &key, &query);
            async move { ItemsService::new(&ctx, name).read_one(key, query, Hold::No).await }
        })
        .await?;
    Ok(data(item))
}

async fn create(api: Arc<Api>, name: String, call: Call) -> Answer {
    let body = call.json()?;
    let many = body.is_array();
    let items = as_items(body)?;
    let mut rows = write(api, name, call.start, call.query, move |items_of| {
        let items = items.clone();
        Box::pin(async move { items_of.create(items).await })
    })
    .await?;
    let body = if many { json!(rows) } else { json!(rows.pop()) };
    Ok((StatusCode::CREATED, data(body)).into_response())
}

/// One item, or an array of them.
pub fn as_items(body: Value) -> Result<Vec<Item>> {
    match body {
        Value::Array(items) => items.into_iter().map(as_item).collect(),
        one => Ok(vec![as_item(one)?]),
    }
}

/// `PUT`: the item as sent, with defaults or null for what is left out.
async fn replace(api: Arc<Api>, name: String, id: String, call: Call) -> Answer {
    let item = call.object()?;
    let mut rows = write(api, name, call.start, call.query, move |items_of| {
        let (key, item) = (json!(id), item.clone());
        Box::pin(async move { items_of.replace(key, item).await })
    })
    .await?;
    Ok(data(rows.pop()))
}

async fn update(api: Arc<Api>, name: String, id: String, call: Call) -> Answer {
    let changes = call.object()?;
    let mut rows = write(api, name, call.start, call.query, move |items_of| {
        let (key, changes) = (json!(id), changes.clone());
        Box::pin(async move { items_of.update(vec![key], changes).await })
    })
    .await?;
    Ok(data(rows.pop()))
}

/// `{ keys, data }`, `{ query, data }`, or an array of rows with their keys. What holds one item takes its changes as they are.
async fn update_many(api: Arc<Api>, name: String, call: Call) -> Answer {
    if api.core.schema().collection(&name).is_some_and(|collection| collection.singleton) {
        let changes = call.object()?;
        let mut rows = write(api, name, call.start, call.query, move |items_of| {
            let changes = changes.clone();
            Box::pin(async move { items_of.write_singleton(changes).await })
        })
        .await?;
        return Ok(data(rows.pop()));
    }
    let change = Change::parse(call.json()?)?;
    Ok(data(changed(api, name, call.start, call.query, change).await?))
}

/// Makes a change as one operation, and answers what the caller gets to see of the rows.
pub async fn changed(api: Arc<Api>, name: String, start: Start, query: Item, change: Change) -> Result<Vec<Item>> {
    write(api, name, start, query, move |items_of| {
        let change = change.clone();
        Box::pin(async move {
            match change {
                Change::Keys(keys, data) => items_of.update(keys, data).await,
                Change::Query(query, data) => {
                    let keys = items_of.keys_by_narrow_query(&query).await?;
                    items_of.update(keys, data).await
                }
                Change::Rows(rows) => items_of.update_rows(rows).await,
            }
        })
    })
    .await
}

/// Which rows are changed, and how.
#[derive(Clone)]
pub enum Change {
    /// Those with these keys get this.
    Keys(Vec<Value>, Item),
    /// Those that this finds get this.
    Query(Item, Item),
    /// Each, by the key in it, gets what else is in it.
    Rows(Vec<Item>),
}

impl Change {
    /// Reads `{ keys, data }`, `{ query, data }`, or an array of rows with their keys.
    pub fn parse(body: Value) -> Result<Self> {
        let mut object = match body {
            Value::Array(rows) => return Ok(Self::Rows(rows.into_iter().map(as_item).collect::<Result<_>>()?)),
            Value::Object(object) => object,
            other => {
                return Err(Error::payload(format!(
                    "The body must be `{{keys, data}}`, `{{query, data}}` or an array of items, not: {}",
                    show(&other)
                )));
            }
        };
        let data = as_item(object.shift_remove("data").ok_or_else(|| Error::payload("The body needs `data`, and `keys` or `query`"))?)?;
        match (object.shift_remove("keys"), object.shift_remove("query")) {
            (Some(Value::Array(keys)), None) => Ok(Self::Keys(keys, data)),
            (None, Some(Value::Object(query))) => Ok(Self::Query(query, data)),
            (Some(other), None) => Err(Error::payload(format!("`keys` must be an array, not: {}", show(&other)))),
            (None, Some(other)) => Err(Error::payload(format!("`query` must be an object, not: {}", show(&other)))),
            _ => Err(Error::payload("The body needs either `keys` or `query`")),
        }
    }
}

async fn delete(api: Arc<Api>, name: String, id: String, call: Call) -> Answer {
    removed(api, name, call.start, Doomed::Keys(vec![json!(id)])).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `{ keys }`, `{ query }`, an array of keys, or `?filter=`. A bare DELETE of everything is refused.
async fn delete_many(api: Arc<Api>, name: String, call: Call) -> Answer {
    let nothing =
        || Error::payload("A DELETE needs an array of keys, `{keys}` or `{query}` in its body, or `?filter=`: it never deletes everything");
    let doomed = if call.has_body() {
        match call.json()? {
            Value::Array(keys) => Doomed::Keys(keys),
            Value::Object(mut object) => match (object.shift_remove("keys"), object.shift_remove("query")) {
                (Some(Value::Array(keys)), None) => Doomed::Keys(keys),
                (None, Some(Value::Object(query))) => Doomed::Query(query),
                _ => return Err(nothing().into()),
            },
            _ => return Err(nothing().into()),
        }
    } else if call.query.contains_key("filter") {
        Doomed::Query(call.query.clone())
    } else {
        return Err(nothing().into());
    };
    removed(api, name, call.start, doomed).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Which rows are deleted.
#[derive(Clone)]
pub enum Doomed {
    /// Those with these keys.
    Keys(Vec<Value>),
    /// Those that this finds.
    Query(Item),
}

/// Deletes rows as one operation, and answers the keys that went.
pub async fn removed(api: Arc<Api>, name: String, start: Start, doomed: Doomed) -> Result<Vec<Value>> {
    detached(async move {
        api.core
            .operate(start, |ctx| {
                let (name, doomed) = (&name, doomed.clone());
                async move {
                    let items = ItemsService::new(&ctx, name);
                    let keys = match doomed {
                        Doomed::Keys(keys) => keys,
                        Doomed::Query(query) => items.keys_by_narrow_query(&query).await?,
                    };
                    items.delete(keys).await
                }
            })
            .await
    })
    .await
}

/// Runs a write as one operation, to its end, and answers what the caller gets to see of the rows.
///
/// What the answer is to hold is checked before anything is written; where read hooks may refuse it, they run before the commit.
pub async fn write<F>(api: Arc<Api>, name: String, start: Start, query: Item, work: F) -> Result<Vec<Item>>
where
    F: for<'a> Fn(ItemsService<'a>) -> futures_util::future::BoxFuture<'a, Result<Vec<Item>>> + Send + Sync + 'static,
{
    detached(async move {
        api.core
            .operate(start, |ctx| {
                let (name, query, work) = (&name, &query, &work);
                async move { answered(&ctx, name, query, work).await }
            })
            .await
    })
    .await
}

/// The operation of [`write()`], for whoever has a context already.
pub async fn answered<F>(ctx: &Ctx, name: &str, query: &Item, work: &F) -> Result<Vec<Item>>
where
    F: for<'a> Fn(ItemsService<'a>) -> futures_util::future::BoxFuture<'a, Result<Vec<Item>>>,
{
    let query = &decoded(query)?;
    let reads_more = ItemsService::new(ctx, name).check_presentable(query)?;
    let ctx = if reads_more || ctx.has_read_filters(name) { ctx.joining() } else { ctx.clone() };
    let items = ItemsService::new(&ctx, name);
    let rows = work(items.clone()).await?;
    items.present(rows, query).await
}
