//! Rows that the host keeps for those who manage extensions: failed runs, saved versions, samples of events.
//!
//! Reading a page of them, the last first, and deleting what is too much in small batches, whatever the table. Knows no extension.

use std::sync::Arc;

use serde_json::Value;

use crate::db::{Collection, Db, FieldType, Filter, Query, Sort, Sql, sql};
use crate::error::{Error, Result};
use crate::services::Item;
use crate::services::items::Listing;
use crate::services::query::{clip, show};

/// Runs a statement that answers rows.
pub(super) async fn select(db: &Db, statement: Sql, types: Vec<FieldType>) -> Result<Vec<Vec<Value>>> {
    let job = Arc::new((statement, types));
    db.read(move |conn| {
        let job = Arc::clone(&job);
        Box::pin(async move { conn.select(&job.0, &job.1).await })
    })
    .await
}

/// Whole rows.
pub(super) async fn find(db: &Db, table: &Collection, query: &Query) -> Result<Vec<Item>> {
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    let statement = db.sql(&sql::select(db.dialect(), table, &names, query)?);
    let rows = select(db, statement, sql::types(table, &names)?).await?;
    Ok(rows.into_iter().map(|row| names.iter().map(|name| (*name).to_owned()).zip(row).collect()).collect())
}

/// How many rows a filter finds.
pub(super) async fn count(db: &Db, table: &Collection, filter: Filter) -> Result<u64> {
    let statement = db.sql(&sql::count(db.dialect(), table, &Query { filter: Some(filter), ..Query::default() })?);
    let count = select(db, statement, vec![FieldType::BigInteger]).await?.into_iter().flatten().next().unwrap_or_default();
    Ok(count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or_default())
}

/// Deletes the rows that a query finds. Answers how many.
pub(super) async fn delete_batch(db: &Db, table: &Collection, query: &Query) -> Result<usize> {
    let dialect = db.dialect();
    let statement = db.sql(&sql::keys(dialect, table, query)?);
    let keys: Vec<Value> = select(db, statement, vec![table.primary_key().ty]).await?.into_iter().flatten().collect();
    if !keys.is_empty() {
        db.write_all(vec![sql::delete_by_keys(dialect, table, &keys, None, &[])?]).await?;
    }
    Ok(keys.len())
}

/// From high to low by these fields.
pub(super) fn descending(fields: &[&str]) -> Vec<Sort> {
    fields.iter().map(|field| Sort::down(*field)).collect()
}

/// Which page of such rows is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Rows on it at most.
    pub limit: u64,
    /// From 1.
    pub page: u64,
}

impl Page {
    /// Reads `limit` (1 to 100) and `page` (from 1) of a query; `what` is asked for with them and with nothing else.
    ///
    /// # Errors
    /// 400 for another parameter or value.
    pub fn parse(query: &Item, what: &str) -> Result<Self> {
        if let Some(name) = query.keys().find(|name| !["limit", "page"].contains(&name.as_str())) {
            return Err(Error::query(format!("{what} are asked for with `limit` and `page`, not with `{}`", clip(name))));
        }
        Ok(Self { limit: number(query, "limit", 25, 100)?, page: number(query, "page", 1, 1_000_000)? })
    }

    /// The rows of this page that `filter` finds, in the order of `sort`.
    pub async fn read(self, db: &Db, table: &Collection, filter: Filter, sort: Vec<Sort>) -> Result<(Vec<Item>, u64)> {
        let offset = self.page.saturating_sub(1).saturating_mul(self.limit).min(i64::MAX.unsigned_abs());
        let query = Query { filter: Some(filter.clone()), sort, limit: Some(self.limit), offset, ..Query::default() };
        Ok((find(db, table, &query).await?, count(db, table, filter).await?))
    }

    /// The same as a list answers it.
    pub fn listing(self, (items, total): (Vec<Item>, u64)) -> Listing {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        Listing { items, page: self.page, limit, total_count: Some(total), filter_count: None }
    }
}

/// A whole number from 1 of a query.
pub(super) fn number(query: &Item, name: &str, default: u64, max: u64) -> Result<u64> {
    match query.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_u64()
            .or_else(|| value.as_str()?.parse().ok())
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| Error::query(format!("`{name}` must be a whole number from 1 to {max}, not: {}", show(value)))),
    }
}
