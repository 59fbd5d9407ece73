//! Create, update, replace, upsert, delete: which rows are meant and what is to become of them. `plan` makes steps of it, `change` runs them.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::event::Hidden;
use super::lookup::Known;
use super::plan::{Draft, Work};
use super::rules::distinct;
use super::{ItemsService, parse_key, veil};
use crate::auth::Action;
use crate::db::{Collection, Filter, Special};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::ItemsEvent;
use crate::services::Item;
use crate::services::query::{self, Reader, Unlimited, clip};
use crate::services::runner::Meta;

impl ItemsService<'_> {
    /// Inserts `items` and answers the rows as they are now. All or none.
    pub async fn create(&self, items: Vec<Item>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Create)?;
        self.ctx.granted(Action::Create, &collection)?;
        self.check_many(items.len())?;
        if collection.singleton && (items.len() > 1 || self.the_key().await?.is_some()) {
            return Err(Error::new(ErrorCode::Conflict, format!("`{}` holds one item: change it without a key", collection.name)));
        }
        self.write(items.into_iter().map(|item| Draft::root(&collection, Work::Create(item))).collect()).await
    }

    /// Changes the items with `keys` and answers the rows as they are now. All or none; 404 where one is missing.
    pub async fn update(&self, keys: Vec<Value>, data: Item) -> Result<Vec<Item>> {
        self.update_batch(vec![(keys, data)]).await
    }

    /// Several updates as one: each with its keys and its changes.
    pub async fn update_batch(&self, changes: Vec<(Vec<Value>, Item)>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Update)?;
        self.ctx.granted(Action::Update, &collection)?;
        let mut drafts = Vec::with_capacity(changes.len());
        for (keys, data) in changes {
            drafts.push(Draft::root(&collection, Work::Update(self.distinct_keys(&collection, keys)?, data)));
        }
        self.write(drafts).await
    }

    /// Several updates as one: rows with their keys in them.
    pub async fn update_rows(&self, rows: Vec<Item>) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Update)?;
        self.ctx.granted(Action::Update, &collection)?;
        self.check_many(rows.len())?;
        let pk = collection.primary_key().name.clone();
        let with_key = |mut row: Item| {
            let key =
                row.shift_remove(&pk).ok_or_else(|| Error::payload(format!("each item needs its key `{pk}`")).with_field(pk.clone()))?;
            Ok((vec![key], row))
        };
        self.update_batch(rows.into_iter().map(with_key).collect::<Result<_>>()?).await
    }

    /// Gives an item these values and no others: what the caller may set and leaves out gets its default, or null. What the host fills in by
    /// itself stays, and so does the key.
    pub async fn replace(&self, key: Value, mut item: Item) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Update)?;
        let granted = self.ctx.granted(Action::Update, &collection)?;
        let pk = &collection.primary_key().name;
        let key = parse_key(&collection, &key)?;
        if let Some(named) = item.shift_remove(pk)
            && parse_key(&collection, &named)? != key
        {
            return Err(Error::payload(format!("`{pk}` isn't the key in the path")).with_field(pk.clone()));
        }
        let own = |special: &Special| {
            use Special::{DateCreated, DateUpdated, RoleCreated, UserCreated, UserUpdated, Uuid};
            matches!(special, Uuid | DateCreated | DateUpdated | UserCreated | UserUpdated | RoleCreated)
        };
        for field in collection.fields.iter().filter(|f| f.name != *pk && granted.has(&f.name) && !f.special.iter().any(own)) {
            if !item.contains_key(&field.name) {
                item.insert(field.name.clone(), field.default.clone().unwrap_or_default());
            }
        }
        self.update(vec![key], item).await
    }

    /// Removes the items with `keys`. All or none; 404 where one is missing. Answers the keys that went.
    pub async fn delete(&self, keys: Vec<Value>) -> Result<Vec<Value>> {
        let collection = self.collection(Action::Delete)?;
        self.ctx.granted(Action::Delete, &collection)?;
        let keys = self.distinct_keys(&collection, keys)?;
        if keys.is_empty() {
            return Ok(keys);
        }
        let plan = self.plan(vec![Draft::root(&collection, Work::Delete(keys))]).await?;
        let kept = plan.steps.first().map(|step| step.keys.clone()).unwrap_or_default();
        self.apply(plan).await?;
        Ok(kept)
    }

    /// Inserts or changes each of `items`, by whether its key is there already. Answers the rows, in the order of `items`.
    pub async fn upsert(&self, items: Vec<Item>) -> Result<Vec<Item>> {
        // Whether it exists is told to who may at least one of the two.
        let collection = match self.collection(Action::Update) {
            Ok(collection) => collection,
            Err(refused) => self.collection(Action::Create).map_err(|_| refused)?,
        };
        self.check_many(items.len())?;
        let pk = collection.primary_key().name.clone();
        let mut keys = Vec::with_capacity(items.len());
        for item in &items {
            keys.push(item.get(&pk).filter(|key| !key.is_null()).map(|key| parse_key(&collection, key)).transpose()?);
        }
        let mut known = Known::new(self.ctx);
        known.name(&collection.name, Action::Update, keys.iter().flatten().cloned());
        known.look_up_named().await?;
        let mut drafts = Vec::with_capacity(items.len());
        for (mut item, key) in items.into_iter().zip(keys) {
            let work = match key.filter(|key| known.is_there(&collection.name, key)) {
                Some(key) => {
                    item.shift_remove(&pk);
                    Work::Update(vec![key], item)
                }
                None => Work::Create(item),
            };
            let action = if matches!(work, Work::Create(_)) { Action::Create } else { Action::Update };
            self.collection(action)?;
            self.ctx.granted(action, &collection)?;
            // The capability that the call was asked for is that to change.
            if action == Action::Create {
                self.ctx.reaches(&collection.name, action)?;
            }
            drafts.push(Draft::root(&collection, work));
        }
        self.write(drafts).await
    }

    async fn write(&self, drafts: Vec<Draft>) -> Result<Vec<Item>> {
        let drafts: Vec<Draft> =
            drafts.into_iter().filter(|draft| !matches!(&draft.work, Work::Update(keys, _) if keys.is_empty())).collect();
        let plan = self.plan(drafts).await?;
        Ok(self.apply(plan).await?.into_iter().flatten().collect())
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
        self.ctx.granted(Action::Read, &collection)?;
        let max = self.ctx.core.config.query_limit_max;
        let parsed = query::parse(&Reader::of(self.ctx), &collection, &query::decoded(raw)?, max, Unlimited::All)?;
        if parsed.limit.is_none() && parsed.query.search.is_none() && !parsed.query.filter.as_ref().is_some_and(Filter::narrows) {
            return Err(Error::payload("This would touch every item: name a filter with a condition, a search or a limit"));
        }
        self.keys_by_query(raw).await
    }

    /// Runs the hooks over a row, and answers it twice: as it is to be written, and as hooks may see it.
    pub(super) async fn filter_row(
        &self,
        collection: &Arc<Collection>,
        event: ItemsEvent,
        meta: Meta,
        mut item: Item,
    ) -> Result<(Item, Value)> {
        let schema = Arc::clone(&self.ctx.op.schema);
        let hidden = Hidden::new(veil::veil(&schema, collection, &mut item));
        let seen = self.filter_veiled(collection, event, meta, Value::Object(item), &hidden).await?;
        let Value::Object(mut row) = seen.clone() else { return Err(Error::internal("a filter's answer was checked to be an object")) };
        veil::unveil(&schema, collection, &mut row, &hidden.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok((row, seen))
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
        distinct(collection, keys)
    }
}

/// An object out of a JSON value, or 400 saying what was there instead.
pub fn as_item(value: Value) -> Result<Item> {
    match value {
        Value::Object(item) => Ok(item),
        other => Err(Error::payload(format!("an item must be an object, not: {}", clip(&query::show(&other))))),
    }
}
