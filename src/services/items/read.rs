//! Reads: query filters, SQL, read filters, and what of it the caller gets.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::event::add_keys;
use super::{ItemsService, not_found, object, special};
use crate::auth::{Action, FieldSet};
use crate::db::sql::Lock;
use crate::db::{Collection, FieldType, Filter, Query, sql};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::{HookKind, ItemsEvent};
use crate::services::Item;
use crate::services::ctx::Hold;
use crate::services::query::{self, Parsed, Unlimited};
use crate::services::runner::Meta;

/// Rows that one call of an `items.read` hook gets at most.
const SLICE_ROWS: usize = 1_000;
/// Bytes of JSON that one call of an `items.read` hook gets at most.
const SLICE_BYTES: usize = 4 << 20;

/// A list, with the counts that were asked for.
#[derive(Debug)]
pub struct Listing {
    /// The rows.
    pub items: Vec<Item>,
    /// The page, from 1.
    pub page: u64,
    /// Rows per page; -1 is all.
    pub limit: i64,
    /// All rows of the collection.
    pub total_count: Option<u64>,
    /// The rows that filter and search let through.
    pub filter_count: Option<u64>,
}

impl ItemsService<'_> {
    /// A page of rows, for a list.
    pub async fn list(&self, raw: &Item) -> Result<Listing> {
        let collection = self.collection(Action::Read)?;
        let parsed = self.prepare(&collection, raw, Unlimited::Page).await?;
        let items = self.run(&collection, &parsed, Hold::No).await?;
        let (total_count, filter_count) = self.counts(&collection, &parsed, parsed.counts.total, parsed.counts.filter).await?;
        let limit = parsed.limit.map_or(-1, |limit| limit as i64);
        Ok(Listing { items, page: parsed.page, limit, total_count, filter_count })
    }

    /// The rows that `raw` finds: all of them where it names no limit, and an error past `QUERY_LIMIT_MAX`.
    pub async fn read_all(&self, raw: &Item) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Read)?;
        let parsed = self.prepare(&collection, raw, Unlimited::All).await?;
        self.run(&collection, &parsed, Hold::No).await
    }

    /// The same, with the number of rows that the filter lets through.
    pub async fn read_with_count(&self, raw: &Item) -> Result<(Vec<Item>, u64)> {
        let collection = self.collection(Action::Read)?;
        let parsed = self.prepare(&collection, raw, Unlimited::All).await?;
        let items = self.run(&collection, &parsed, Hold::No).await?;
        let (_, count) = self.counts(&collection, &parsed, false, true).await?;
        Ok((items, count.unwrap_or_default()))
    }

    /// The item with `key`, or 404.
    pub async fn read_one(&self, key: &Value, raw: &Item, hold: Hold) -> Result<Item> {
        let collection = self.collection(Action::Read)?;
        self.ctx.granted(Action::Read, &collection)?;
        let key = self.key(&collection, key)?;
        let found = self.by_keys(&collection, vec![key.clone()], raw, hold).await?;
        found.into_iter().next().ok_or_else(|| not_found(&collection, &[key]))
    }

    /// Those of the items with `keys` that are there, each once, in the order of `keys`.
    pub async fn read_many(&self, keys: &[Value], raw: &Item, hold: Hold) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Read)?;
        self.ctx.granted(Action::Read, &collection)?;
        let keys = keys.iter().map(|key| self.key(&collection, key)).collect::<Result<Vec<_>>>()?;
        let found = self.by_keys_with_pk(&collection, keys.clone(), raw, hold).await?;
        let mut by_key: HashMap<String, Item> = found.into_iter().map(|(key, item)| (key.to_string(), item)).collect();
        Ok(keys.iter().filter_map(|key| by_key.remove(&key.to_string())).collect())
    }

    /// Whether [`ItemsService::present`] will know what to answer: asked before a write.
    pub fn check_presentable(&self, raw: &Item) -> Result<()> {
        let Some(collection) = self.ctx.op.schema.collection(self.name) else { return Ok(()) };
        match self.ctx.granted(Action::Read, collection) {
            Ok(fields) => self.presented(collection, fields, raw).map(drop),
            Err(_) => Ok(()),
        }
    }

    fn presented(&self, collection: &Collection, fields: &FieldSet, raw: &Item) -> Result<Parsed> {
        let shape = Item::from_iter(raw.get("fields").map(|f| ("fields".to_owned(), f.clone())));
        query::parse(collection, fields, fields, &shape, self.ctx.core.config.query_limit_max, Unlimited::All)
    }

    /// What the caller gets to see of rows that they just wrote: their fields, through the read hooks.
    ///
    /// A caller who may write but not read gets the keys alone.
    pub async fn present(&self, rows: Vec<Item>, raw: &Item) -> Result<Vec<Item>> {
        let collection = self.ctx.collection(self.name, Action::Create).or_else(|_| self.collection(Action::Read))?;
        let pk = collection.primary_key().name.clone();
        let Ok(fields) = self.ctx.granted(Action::Read, &collection) else {
            return Ok(rows
                .into_iter()
                .map(|mut row| row.shift_remove(&pk).map(|key| Item::from_iter([(pk.clone(), key)])).unwrap_or_default())
                .collect());
        };
        let parsed = self.presented(&collection, fields, raw)?;
        // As a read of these fields would have it: hooks and caller see no more than what was asked for.
        let project = |mut row: Item| {
            row.retain(|name, _| *name == pk || parsed.fields.contains(name));
            row
        };
        let rows = self.read_hooks(&collection, rows.into_iter().map(project).collect()).await?;
        Ok(rows.into_iter().map(|row| strip(&collection, fields, &parsed.fields, row)).collect())
    }

    /// Parses the caller's query, runs the `items.query` hooks over it, and parses what they made of it.
    ///
    /// The caller's own words are held against their rights first; conditions that a hook added may use any field.
    async fn prepare(&self, collection: &Arc<Collection>, raw: &Item, unlimited: Unlimited) -> Result<Parsed> {
        let max = self.ctx.core.config.query_limit_max;
        let fields = self.ctx.granted(Action::Read, collection)?;
        let parsed = query::parse(collection, fields, fields, raw, max, unlimited)?;
        if !self.has_filters(ItemsEvent::Query) {
            return Ok(parsed);
        }
        let meta = Meta { json: self.meta(ItemsEvent::Query, None), previous: None };
        let answer = self.filter(collection, ItemsEvent::Query, meta, Value::Object(raw.clone())).await?;
        let raw = answer.as_object().cloned().unwrap_or_default();
        let mut changed = query::parse(collection, &FieldSet::All, &FieldSet::All, &raw, max, unlimited)?;
        changed.fields.retain(|name| fields.has(name));
        if let FieldSet::Some(names) = fields {
            changed.query.search_fields = Some(names.iter().cloned().collect());
        }
        Ok(changed)
    }

    async fn run(&self, collection: &Arc<Collection>, parsed: &Parsed, hold: Hold) -> Result<Vec<Item>> {
        Ok(self.run_with_pk(collection, parsed, hold).await?.into_iter().map(|(_, item)| item).collect())
    }

    async fn run_with_pk(&self, collection: &Arc<Collection>, parsed: &Parsed, hold: Hold) -> Result<Vec<(Value, Item)>> {
        let pk = collection.primary_key().name.as_str();
        let max = self.ctx.core.config.query_limit_max;
        let mut names: Vec<&str> = parsed.fields.iter().map(String::as_str).collect();
        if !names.contains(&pk) {
            names.push(pk);
        }
        let rows = self.rows(collection, &names, &parsed.query, hold).await?;
        if parsed.limit.is_none() && rows.len() as u64 > max {
            let message =
                format!("More than {max} items of `{}` match (`QUERY_LIMIT_MAX`): name a `limit`, or narrow the filter", collection.name);
            return Err(Error::new(ErrorCode::QueryTooLarge, message));
        }
        let rows = self.read_hooks(collection, rows).await?;
        let fields = self.ctx.granted(Action::Read, collection)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let key = row.get(pk).cloned().unwrap_or_default();
                (key, strip(collection, fields, &parsed.fields, row))
            })
            .collect())
    }

    async fn by_keys(&self, collection: &Arc<Collection>, keys: Vec<Value>, raw: &Item, hold: Hold) -> Result<Vec<Item>> {
        Ok(self.by_keys_with_pk(collection, keys, raw, hold).await?.into_iter().map(|(_, item)| item).collect())
    }

    /// A read by key is a query like any other: the query hooks hear it, and may narrow it.
    async fn by_keys_with_pk(&self, collection: &Arc<Collection>, keys: Vec<Value>, raw: &Item, hold: Hold) -> Result<Vec<(Value, Item)>> {
        for name in raw.keys() {
            if !matches!(name.as_str(), "fields" | "filter" | "lock" | "meta") {
                return Err(Error::query(format!("A read by key takes `fields` and `filter`, not: {}", query::clip(name))));
            }
        }
        let raw = Item::from_iter(raw.iter().filter(|(name, _)| *name != "lock").map(|(k, v)| (k.clone(), v.clone())));
        let mut parsed = self.prepare(collection, &raw, Unlimited::All).await?;
        let own = query::by_keys(collection, &keys).filter;
        parsed.query.filter = match (own, parsed.query.filter.take()) {
            (Some(own), Some(more)) => Some(Filter::And(vec![own, more])),
            (own, more) => own.or(more),
        };
        self.run_with_pk(collection, &parsed, hold).await
    }

    async fn rows(&self, collection: &Arc<Collection>, names: &[&str], query: &Query, hold: Hold) -> Result<Vec<Item>> {
        let dialect = self.ctx.core.db.dialect();
        let lock = if hold == Hold::Lock { Lock::Wait } else { Lock::None };
        let sql = Arc::new(sql::select_locked(dialect, collection, names, query, lock)?);
        let types: Arc<[_]> =
            names.iter().map(|name| collection.field(name).expect("the parser answers names of fields only").ty).collect();
        let rows = self
            .ctx
            .read_as(hold, move |conn| {
                let (sql, types) = (Arc::clone(&sql), Arc::clone(&types));
                Box::pin(async move { conn.select(&sql, &types).await })
            })
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let mut item = object(names.iter().copied(), row);
                special::mask(collection, &mut item);
                item
            })
            .collect())
    }

    /// Counts past the hooks' reach: `items.query` has had its say in `parsed`.
    async fn counts(
        &self,
        collection: &Arc<Collection>,
        parsed: &Parsed,
        total: bool,
        filtered: bool,
    ) -> Result<(Option<u64>, Option<u64>)> {
        let mut counted = [None, None];
        let filtered_query = Query {
            filter: parsed.query.filter.clone(),
            search: parsed.query.search.clone(),
            search_fields: parsed.query.search_fields.clone(),
            ..Query::default()
        };
        for (slot, wanted, query) in [(0, total, Query::default()), (1, filtered, filtered_query)] {
            if wanted {
                let sql = Arc::new(self.ctx.core.db.sql(&sql::count(self.ctx.core.db.dialect(), collection, &query)?));
                let rows = self
                    .ctx
                    .read(move |conn| {
                        let sql = Arc::clone(&sql);
                        Box::pin(async move { conn.select(&sql, &[FieldType::BigInteger]).await })
                    })
                    .await?;
                counted[slot] = rows.first().and_then(|row| row.first()).and_then(Value::as_u64);
            }
        }
        let [total, filtered] = counted;
        Ok((total, filtered))
    }

    /// Runs the `items.read` hooks over `rows`, slice by slice, and notes the actions.
    async fn read_hooks(&self, collection: &Arc<Collection>, rows: Vec<Item>) -> Result<Vec<Item>> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let pk = collection.primary_key().name.clone();
        let rows = if self.has_filters(ItemsEvent::Read) {
            let mut seen = Vec::with_capacity(rows.len());
            for slice in slices(rows) {
                let meta = Meta { json: self.meta(ItemsEvent::Read, None), previous: None };
                let payload = Value::Array(slice.into_iter().map(Value::Object).collect());
                if let Value::Array(answered) = self.filter(collection, ItemsEvent::Read, meta, payload).await? {
                    seen.extend(answered.into_iter().filter_map(|row| match row {
                        Value::Object(row) => Some(row),
                        _ => None,
                    }));
                }
            }
            seen
        } else {
            rows
        };
        self.note_read(&pk, &rows);
        Ok(rows)
    }

    fn note_read(&self, pk: &str, rows: &[Item]) {
        if !self.ctx.emit || self.ctx.op.snapshot.hooks().matching(HookKind::Action, ItemsEvent::Read, self.name).is_empty() {
            return;
        }
        let mut meta = self.meta(ItemsEvent::Read, None);
        meta.insert("payload".to_owned(), json!(rows));
        add_keys(&mut meta, &rows.iter().filter_map(|row| row.get(pk).cloned()).collect::<Vec<_>>());
        let hooks = self.actions(ItemsEvent::Read).best_effort.into_iter().filter(|hook| self.ctx.hears_reads(hook, self.name));
        self.ctx.op.after().best_effort.extend(hooks.map(|hook| (hook, self.ctx.clone(), meta.clone())));
    }
}

/// Cuts rows into slices of at most [`SLICE_ROWS`] rows and about [`SLICE_BYTES`] bytes.
fn slices(rows: Vec<Item>) -> Vec<Vec<Item>> {
    let (mut slices, mut current, mut bytes) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        let size = weight(&row);
        if !current.is_empty() && (current.len() == SLICE_ROWS || bytes + size > SLICE_BYTES) {
            slices.push(std::mem::take(&mut current));
            bytes = 0;
        }
        bytes += size;
        current.push(row);
    }
    slices.push(current);
    slices
}

/// About how many bytes of JSON a row is.
fn weight(row: &Item) -> usize {
    row.iter()
        .map(|(name, value)| {
            name.len()
                + 4
                + match value {
                    Value::String(text) => text.len(),
                    Value::Array(_) | Value::Object(_) => value.to_string().len(),
                    _ => 8,
                }
        })
        .sum()
}

/// The row as the caller gets it: the fields that they asked for, and what a hook added that is no field of the collection.
fn strip(collection: &Collection, granted: &FieldSet, asked: &[String], mut row: Item) -> Item {
    let mut out = Item::with_capacity(row.len());
    for name in asked {
        if let Some((name, value)) = row.shift_remove_entry(name) {
            out.insert(name, value);
        }
    }
    out.extend(
        row.into_iter()
            .filter(|(name, _)| collection.field(name).is_none() || (name != &collection.primary_key().name && granted.has(name))),
    );
    out
}
