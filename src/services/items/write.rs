//! Create, update, delete, and what is made of them.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::change::Step;
use super::event::Hidden;
use super::special::{self, Occasion};
use super::{ItemsService, not_found, parse_key};
use crate::auth::Action;
use crate::db::{Collection, Filter, sql};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::ItemsEvent;
use crate::services::Item;
use crate::services::access::{check_complete, check_input, check_not_emptied, check_values};
use crate::services::query::{self, Unlimited, clip};
use crate::services::runner::{Meta, Previous};

impl ItemsService<'_> {
    /// Inserts `items` and answers the rows as they are now. All or none.
    pub async fn create(&self, items: Vec<Item>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Create)?;
        let rows = self.inserts(&collection, items).await?;
        Ok(self.apply(&collection, rows).await?.into_iter().flatten().collect())
    }

    /// Changes the items with `keys` and answers the rows as they are now. All or none; 404 where one is missing.
    pub async fn update(&self, keys: Vec<Value>, data: Item) -> Result<Vec<Item>> {
        self.update_batch(vec![(keys, data)]).await
    }

    /// Several updates as one: each with its keys and its changes.
    pub async fn update_batch(&self, changes: Vec<(Vec<Value>, Item)>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Update)?;
        let steps = self.updates(&collection, changes).await?;
        Ok(self.apply(&collection, steps).await?.into_iter().flatten().collect())
    }

    /// Several updates as one: rows with their keys in them.
    pub async fn update_rows(&self, rows: Vec<Item>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Update)?;
        self.ctx.granted(Action::Update, &collection)?;
        let pk = collection.primary_key().name.clone();
        let with_key = |mut row: Item| {
            let key =
                row.shift_remove(&pk).ok_or_else(|| Error::payload(format!("each item needs its key `{pk}`")).with_field(pk.clone()))?;
            Ok((vec![key], row))
        };
        self.update_batch(rows.into_iter().map(with_key).collect::<Result<_>>()?).await
    }

    /// Removes the items with `keys`. All or none; 404 where one is missing. Answers the keys that went.
    pub async fn delete(&self, keys: Vec<Value>) -> Result<Vec<Value>> {
        let collection = self.collection(Action::Delete)?;
        self.ctx.granted(Action::Delete, &collection)?;
        let keys = self.distinct_keys(&collection, keys)?;
        let mut kept = keys.clone();
        if self.has_filters(ItemsEvent::Delete) {
            self.require(&collection, &keys).await?;
            let meta = self.write_meta(ItemsEvent::Delete, &keys);
            let answer = self.filter(&collection, ItemsEvent::Delete, meta, Value::Array(keys)).await?;
            kept = self.distinct_keys(&collection, answer.as_array().cloned().unwrap_or_default())?;
        }
        if kept.is_empty() {
            return Ok(kept);
        }
        let sql = sql::delete_by_keys(self.ctx.core.db.dialect(), &collection, &kept, None, &names(&collection))?;
        let step = Step { event: ItemsEvent::Delete, sql, payload: json!(kept), keys: kept.clone(), explicit_key: None };
        self.apply(&collection, vec![step]).await?;
        Ok(kept)
    }

    /// Inserts or changes each of `items`, by whether its key is there already. Answers the keys, in the order of `items`.
    pub async fn upsert(&self, items: Vec<Item>) -> Result<Vec<Value>> {
        let update = self.collection(Action::Update)?;
        self.ctx.granted(Action::Update, &update)?;
        let pk = update.primary_key().name.clone();
        let named = items.iter().filter_map(|item| item.get(&pk)).filter(|key| !key.is_null()).cloned().collect();
        let there = self.existing(&update, &self.distinct_keys(&update, named)?).await?;
        let (mut steps, mut order) = (Vec::new(), Vec::new());
        for item in items {
            let key = match item.get(&pk).filter(|key| !key.is_null()) {
                Some(key) => Some(parse_key(&update, key)?),
                None => None,
            };
            match key.filter(|key| there.contains(key)) {
                Some(key) => {
                    let mut data = item;
                    data.shift_remove(&pk);
                    steps.extend(self.updates(&update, vec![(vec![key.clone()], data)]).await?);
                    order.push(Some(key));
                }
                None => {
                    let create = self.collection(Action::Create)?;
                    steps.extend(self.inserts(&create, vec![item]).await?);
                    order.push(None);
                }
            }
        }
        let rows = self.apply(&update, steps).await?;
        let answered = rows.into_iter().map(|step| step.into_iter().next().and_then(|mut row| row.shift_remove(&pk)));
        order
            .into_iter()
            .zip(answered)
            .map(|(known, made)| known.or(made).ok_or_else(|| Error::internal("an upsert answered no key")))
            .collect()
    }

    /// The keys that `raw` finds, for `updateByQuery` and `deleteByQuery`: all of them or an error.
    pub async fn keys_by_query(&self, raw: &Item) -> Result<Vec<Value>> {
        let pk = self.ctx.collection(self.name, Action::Read)?.primary_key().name.clone();
        let mut raw = raw.clone();
        raw.insert("fields".to_owned(), json!([pk]));
        Ok(self.read_all(&raw).await?.into_iter().filter_map(|mut row| row.shift_remove(&pk)).collect())
    }

    /// The same for a write that must say which rows it means: a condition, a search or a limit.
    pub async fn keys_by_narrow_query(&self, raw: &Item) -> Result<Vec<Value>> {
        let collection = self.ctx.collection(self.name, Action::Read)?;
        let fields = self.ctx.granted(Action::Read, &collection)?;
        let max = self.ctx.core.config.query_limit_max;
        let parsed = query::parse(&collection, fields, fields, raw, max, Unlimited::All)?;
        if parsed.limit.is_none() && parsed.query.search.is_none() && !parsed.query.filter.as_ref().is_some_and(Filter::narrows) {
            return Err(Error::payload("This would touch every item: name a filter with a condition, a search or a limit"));
        }
        self.keys_by_query(raw).await
    }

    /// Steps 1 to 4 for new rows.
    async fn inserts(&self, collection: &Arc<Collection>, items: Vec<Item>) -> Result<Vec<Step>> {
        let (ctx, dialect) = (self.ctx, self.ctx.core.db.dialect());
        let granted = ctx.granted(Action::Create, collection)?;
        self.check_many(items.len())?;
        for item in &items {
            check_input(collection, dialect, granted, item)?;
        }
        let mut steps = Vec::with_capacity(items.len());
        for item in items {
            let meta = Meta { json: self.meta(ItemsEvent::Create, None), previous: None };
            let (mut row, payload) = self.filter_row(collection, ItemsEvent::Create, meta, item).await?;
            special::fill(ctx, collection, Occasion::Create, &mut row).await?;
            check_values(collection, dialect, &row)?;
            check_complete(collection, &row)?;
            let sql = sql::insert(dialect, collection, &row, &names(collection))?;
            let explicit_key = row.shift_remove(&collection.primary_key().name).filter(|key| !key.is_null());
            steps.push(Step { event: ItemsEvent::Create, sql, keys: Vec::new(), payload, explicit_key });
        }
        Ok(steps)
    }

    /// Steps 1 to 4 for changes.
    async fn updates(&self, collection: &Arc<Collection>, changes: Vec<(Vec<Value>, Item)>) -> Result<Vec<Step>> {
        let (ctx, dialect) = (self.ctx, self.ctx.core.db.dialect());
        let granted = ctx.granted(Action::Update, collection)?;
        for (_, data) in &changes {
            check_input(collection, dialect, granted, data)?;
        }
        let mut steps = Vec::with_capacity(changes.len());
        for (keys, data) in changes {
            let keys = self.distinct_keys(collection, keys)?;
            if keys.is_empty() {
                continue;
            }
            if self.has_filters(ItemsEvent::Update) {
                self.require(collection, &keys).await?;
            }
            let meta = self.write_meta(ItemsEvent::Update, &keys);
            let (mut row, payload) = self.filter_row(collection, ItemsEvent::Update, meta, data).await?;
            special::fill(ctx, collection, Occasion::Update, &mut row).await?;
            check_values(collection, dialect, &row)?;
            check_not_emptied(collection, &row)?;
            let pk = &collection.primary_key().name;
            if row.contains_key(pk) && keys.len() > 1 {
                return Err(
                    Error::payload(format!("`{pk}` in `{}` can be changed for one item at a time", collection.name)).with_field(pk.clone())
                );
            }
            let sql = sql::update_by_keys(dialect, collection, &keys, None, &row, &names(collection))?;
            steps.push(Step { event: ItemsEvent::Update, sql, keys, payload, explicit_key: None });
        }
        Ok(steps)
    }

    /// Runs the hooks over a row, and answers it twice: as it is to be written, and as hooks may see it.
    async fn filter_row(&self, collection: &Collection, event: ItemsEvent, meta: Meta, mut item: Item) -> Result<(Item, Value)> {
        let hidden = Hidden::new(special::veil(collection, &mut item));
        let seen = self.filter_veiled(collection, event, meta, Value::Object(item), &hidden).await?;
        let Value::Object(mut row) = seen.clone() else { return Err(Error::internal("a filter's answer was checked to be an object")) };
        special::unveil(&mut row, hidden.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok((row, seen))
    }

    fn write_meta(&self, event: ItemsEvent, keys: &[Value]) -> Meta {
        Meta { json: self.meta(event, Some(keys)), previous: Some(Previous { collection: self.name.to_owned(), keys: keys.into() }) }
    }

    /// One call writes so many items at most, or as many as one read may answer where that is more: its transaction must end in time.
    fn check_many(&self, count: usize) -> Result<()> {
        const AT_ONCE: u64 = 10_000;
        let max = self.ctx.core.config.query_limit_max.max(AT_ONCE);
        if count as u64 > max {
            let message = format!("{count} items at once are more than {max}: send them in parts");
            return Err(Error::new(ErrorCode::QueryTooLarge, message));
        }
        Ok(())
    }

    fn distinct_keys(&self, collection: &Collection, keys: Vec<Value>) -> Result<Vec<Value>> {
        self.check_many(keys.len())?;
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        let mut distinct = Vec::with_capacity(keys.len());
        for key in keys {
            let key = self.key(collection, &key)?;
            if seen.insert(key.to_string()) {
                distinct.push(key);
            }
        }
        Ok(distinct)
    }

    /// 404 before any JavaScript runs.
    async fn require(&self, collection: &Arc<Collection>, keys: &[Value]) -> Result<()> {
        if self.existing(collection, keys).await?.len() == keys.len() { Ok(()) } else { Err(not_found(collection, keys)) }
    }

    async fn existing(&self, collection: &Arc<Collection>, keys: &[Value]) -> Result<Vec<Value>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pk = collection.primary_key();
        let query = query::by_keys(collection, keys);
        let (sql, ty) = (Arc::new(self.ctx.core.db.sql(&sql::select(self.ctx.core.db.dialect(), collection, &[&pk.name], &query)?)), pk.ty);
        let rows = self
            .ctx
            .read(move |conn| {
                let sql = Arc::clone(&sql);
                Box::pin(async move { conn.select(&sql, &[ty]).await })
            })
            .await?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// Every field: what a statement answers of the rows that it touched.
fn names(collection: &Collection) -> Vec<&str> {
    collection.fields.iter().map(|f| f.name.as_str()).collect()
}

/// An object out of a JSON value, or 400 saying what was there instead.
pub fn as_item(value: Value) -> Result<Item> {
    match value {
        Value::Object(item) => Ok(item),
        other => Err(Error::payload(format!("an item must be an object, not: {}", clip(&query::show(&other))))),
    }
}
