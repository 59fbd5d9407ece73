//! `services.items(collection, options)`: every method of the items service.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::{Error, Result};
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::{Ctx, Item, aggregate};

macro_rules! method {
    ($name:literal, $action:literal, $run:ident) => {
        Method {
            name: concat!("items.", $name),
            writes: !matches!($action.as_bytes(), b"read"),
            capability: |call| capability(call, $action),
            run: |ctx, call| async move { $run(ctx, call).await.map(Some) }.boxed(),
        }
    };
}

pub(super) const SERVICE: Service = Service {
    name: "items",
    js: include_str!("items.js"),
    methods: &[
        method!("readByQuery", "read", read_by_query),
        method!("readByQueryWithCount", "read", read_by_query_with_count),
        method!("readOne", "read", read_one),
        method!("readMany", "read", read_many),
        method!("readAggregate", "read", read_aggregate),
        method!("getKeysByQuery", "read", get_keys_by_query),
        method!("createOne", "create", create_one),
        method!("createMany", "create", create_many),
        method!("updateOne", "update", update_one),
        method!("updateMany", "update", update_many),
        method!("updateByQuery", "update", update_by_query),
        method!("updateBatch", "update", update_batch),
        method!("upsertOne", "update", upsert_one),
        method!("upsertMany", "update", upsert_many),
        method!("deleteOne", "delete", delete_one),
        method!("deleteMany", "delete", delete_many),
        method!("deleteByQuery", "delete", delete_by_query),
    ],
};

fn capability(call: &Call, action: &str) -> Option<String> {
    Some(format!("items:{}:{action}", call.scope.collection.as_deref().unwrap_or_default()))
}

fn service<'a>(ctx: &'a Ctx, call: &'a Call) -> Result<ItemsService<'a>> {
    Ok(ItemsService::new(ctx, call.collection()?))
}

async fn read_by_query(ctx: &Ctx, call: &Call) -> Result<Value> {
    Ok(json!(service(ctx, call)?.read_all(&call.object(0, "query")?).await?))
}

async fn read_by_query_with_count(ctx: &Ctx, call: &Call) -> Result<Value> {
    let (items, count) = service(ctx, call)?.read_with_count(&call.object(0, "query")?).await?;
    Ok(json!({ "items": items, "count": count }))
}

async fn read_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    let (query, hold) = (call.object(1, "query")?, hold(ctx, call, 2)?);
    Ok(json!(service(ctx, call)?.read_one(call.arg(0), &query, hold).await?))
}

async fn read_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    let (query, hold) = (call.object(1, "query")?, hold(ctx, call, 2)?);
    Ok(json!(service(ctx, call)?.read_many(&call.list(0, "keys")?, &query, hold).await?))
}

/// `{ lock: true }` stands in the query, or in options behind it.
fn hold(ctx: &Ctx, call: &Call, options: usize) -> Result<Hold> {
    let asked = [options - 1, options].into_iter().any(|at| call.arg(at).get("lock") == Some(&Value::Bool(true)));
    match (asked, ctx.joins()) {
        (false, _) => Ok(Hold::No),
        (true, true) => Ok(Hold::Lock),
        (true, false) => Err(Error::query("`lock` needs a transaction to hold it: use it in a filter, or inside `services.transaction()`")),
    }
}

async fn read_aggregate(ctx: &Ctx, call: &Call) -> Result<Value> {
    Ok(json!(aggregate::run(ctx, call.collection()?, &call.object(0, "query")?).await?))
}

async fn get_keys_by_query(ctx: &Ctx, call: &Call) -> Result<Value> {
    Ok(json!(service(ctx, call)?.keys_by_query(&call.object(0, "query")?).await?))
}

async fn create_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.create(vec![call.item(0, "data")?]).await?;
    Ok(keys(ctx, call, rows)?.into_iter().next().unwrap_or_default())
}

async fn create_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.create(call.items(0, "data")?).await?;
    Ok(Value::Array(keys(ctx, call, rows)?))
}

async fn update_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.update(vec![call.arg(0).clone()], call.item(1, "data")?).await?;
    Ok(keys(ctx, call, rows)?.into_iter().next().unwrap_or_default())
}

async fn update_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.update(call.list(0, "keys")?, call.item(1, "data")?).await?;
    Ok(Value::Array(keys(ctx, call, rows)?))
}

async fn update_by_query(ctx: &Ctx, call: &Call) -> Result<Value> {
    let items = service(ctx, call)?;
    let found = items.keys_by_query(&call.object(0, "query")?).await?;
    items.update(found.clone(), call.item(1, "data")?).await?;
    Ok(json!(found))
}

async fn update_batch(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.update_rows(call.items(0, "rows")?).await?;
    Ok(Value::Array(keys(ctx, call, rows)?))
}

async fn upsert_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.upsert(vec![call.item(0, "data")?]).await?;
    Ok(keys(ctx, call, rows)?.into_iter().next().unwrap_or_default())
}

async fn upsert_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    let rows = service(ctx, call)?.upsert(call.items(0, "data")?).await?;
    Ok(Value::Array(keys(ctx, call, rows)?))
}

async fn delete_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    let gone = service(ctx, call)?.delete(vec![call.arg(0).clone()]).await?;
    Ok(gone.into_iter().next().unwrap_or_default())
}

async fn delete_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    Ok(json!(service(ctx, call)?.delete(call.list(0, "keys")?).await?))
}

async fn delete_by_query(ctx: &Ctx, call: &Call) -> Result<Value> {
    let items = service(ctx, call)?;
    let found = items.keys_by_narrow_query(&call.object(0, "query")?).await?;
    Ok(json!(items.delete(found).await?))
}

fn keys(ctx: &Ctx, call: &Call, rows: Vec<Item>) -> Result<Vec<Value>> {
    let pk =
        &ctx.op.schema.collection(call.collection()?).ok_or_else(|| Error::internal("a written collection is gone"))?.primary_key().name;
    Ok(rows.into_iter().filter_map(|mut row| row.shift_remove(pk)).collect())
}
