//! One reading statement of items, in the circumstances of a call: what all reads of this layer come down to.

use std::sync::Arc;

use serde_json::Value;

use super::Ctx;
use crate::db::{Collection, FieldType, Query, Sql, sql};
use crate::error::Result;

/// The values of `fields` of the rows that `query` selects. Knows no rights: whoever calls has put them into `query`.
pub async fn select(ctx: &Ctx, collection: &Collection, fields: &[&str], query: &Query) -> Result<Vec<Vec<Value>>> {
    let statement = ctx.core.db.sql(&sql::select(ctx.core.db.dialect(), collection, fields, query)?);
    run(ctx, statement, sql::types(collection, fields)?).await
}

/// The rows that `statement` answers, whose columns have these types.
pub async fn run(ctx: &Ctx, statement: Sql, types: Vec<FieldType>) -> Result<Vec<Vec<Value>>> {
    let (statement, types): (_, Arc<[FieldType]>) = (Arc::new(statement), types.into());
    ctx.read(move |conn| {
        let (statement, types) = (Arc::clone(&statement), Arc::clone(&types));
        Box::pin(async move { conn.select(&statement, &types).await })
    })
    .await
}
