//! Reads: query filters, SQL, read filters, and what of it the caller gets. What is read along with it is in `nested.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::event::add_keys;
use super::nested::{Found, Source};
use super::{ItemsService, not_found};
use crate::auth::{Action, FieldSet};
use crate::db::{Collection, FieldType, Filter, Query, sql};
use crate::error::{Error, Result};
use crate::hooks::{HookKind, ItemsEvent};
use crate::services::ctx::Hold;
use crate::services::query::{self, Nested, Parsed, Reader, Unlimited};
use crate::services::runner::Meta;
use crate::services::{Item, select, variables};

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
        let found = self.by_keys(&collection, std::slice::from_ref(&key), raw, hold).await?;
        found.into_iter().next().map(|found| found.item).ok_or_else(|| not_found(&collection, &[key]))
    }

    /// Those of the items with `keys` that are there, each once, in the order of `keys`.
    pub async fn read_many(&self, keys: &[Value], raw: &Item, hold: Hold) -> Result<Vec<Item>> {
        let collection = self.collection(Action::Read)?;
        self.ctx.granted(Action::Read, &collection)?;
        let keys = keys.iter().map(|key| self.key(&collection, key)).collect::<Result<Vec<_>>>()?;
        let found = self.by_keys(&collection, &keys, raw, hold).await?;
        let mut by_key: HashMap<String, Item> = found.into_iter().map(|found| (found.key.to_string(), found.item)).collect();
        Ok(keys.iter().filter_map(|key| by_key.remove(&key.to_string())).collect())
    }

    /// The one item of a singleton collection; where there is none yet, what a new one would begin as.
    pub async fn read_singleton(&self, raw: &Item) -> Result<Item> {
        let collection = self.collection(Action::Read)?;
        let mut raw = raw.clone();
        raw.insert("limit".to_owned(), json!(1));
        let parsed = self.prepare(&collection, &raw, Unlimited::All).await?;
        if let Some(item) = self.run(&collection, &parsed, Hold::No).await?.into_iter().next() {
            return Ok(item);
        }
        let of = |name: &str| collection.field(name).and_then(|field| field.default.clone()).unwrap_or_default();
        Ok(parsed
            .shape
            .outputs
            .into_iter()
            .map(|output| {
                let value = match &output.content {
                    query::Content::Value(crate::db::Operand::Field(name)) => of(name),
                    query::Content::Many(_) | query::Content::Keys(_) => json!([]),
                    _ => Value::Null,
                };
                (output.key, value)
            })
            .collect())
    }

    /// Whether the collection holds one item only.
    pub fn is_singleton(&self) -> bool {
        self.ctx.op.schema.collection(self.name).is_some_and(|collection| collection.singleton)
    }

    /// Whether [`ItemsService::present`] will know what to answer: asked before a write. True where it will read more than the rows
    /// that were written, which may fail.
    pub fn check_presentable(&self, raw: &Item) -> Result<bool> {
        let Some(collection) = self.ctx.op.schema.collection(self.name) else { return Ok(false) };
        match self.ctx.granted(Action::Read, collection) {
            Ok(_) => Ok(!self.presented(collection, raw)?.shape.is_plain()),
            Err(_) => Ok(false),
        }
    }

    fn presented(&self, collection: &Arc<Collection>, raw: &Item) -> Result<Parsed> {
        let shape = raw.iter().filter(|(name, _)| matches!(name.as_str(), "fields" | "alias" | "deep"));
        let shape = Item::from_iter(shape.map(|(name, value)| (name.clone(), value.clone())));
        query::parse(&Reader::of(self.ctx), collection, &shape, self.ctx.core.config.query_limit_max, Unlimited::All)
    }

    /// What the caller gets to see of rows that they just wrote: their fields, through the read hooks.
    ///
    /// Of rows that they may write but not read they get the keys alone.
    pub async fn present(&self, rows: Vec<Item>, raw: &Item) -> Result<Vec<Item>> {
        let collection = self.ctx.collection(self.name, Action::Create).or_else(|_| self.collection(Action::Read))?;
        let pk = collection.primary_key().name.clone();
        let keyed = |key: Value| Item::from_iter([(pk.clone(), key)]);
        let Ok(fields) = self.ctx.granted(Action::Read, &collection) else {
            return Ok(rows.into_iter().map(|mut row| row.shift_remove(&pk).map(keyed).unwrap_or_default()).collect());
        };
        let parsed = self.presented(&collection, raw)?;
        if !parsed.shape.is_plain() || self.ctx.row_rule(Action::Read, &collection).await?.is_some() {
            // More than was written is asked for, or not every row may be seen: they are read as any others.
            let keys: Vec<Value> = rows.into_iter().filter_map(|mut row| row.shift_remove(&pk)).collect();
            let mut parsed = parsed;
            parsed.query.filter = Some(query::keyed(&collection, &keys));
            (parsed.limit, parsed.query.limit) = (Some(keys.len() as u64), None);
            let found = self.level(&collection, &parsed, Source::Whole, Hold::No).await?;
            let mut by_key: HashMap<String, Item> = found.into_iter().map(|row| (row.key.to_string(), row.item)).collect();
            return Ok(keys.into_iter().map(|key| by_key.remove(&key.to_string()).unwrap_or_else(|| keyed(key))).collect());
        }
        let asked: Vec<&str> = parsed.shape.outputs.iter().map(|output| output.key.as_str()).collect();
        // As a read of these fields would have it: hooks and caller see no more than what was asked for.
        let project = |mut row: Item| {
            row.retain(|name, _| *name == pk || asked.contains(&name.as_str()));
            row
        };
        let rows = self.read_hooks(&collection, rows.into_iter().map(project).collect()).await?;
        Ok(rows.into_iter().map(|row| strip(&collection, fields, &asked, row)).collect())
    }

    /// Parses the caller's query, runs the `items.query` hooks over it, and parses what they made of it.
    ///
    /// The caller's own words are held against their rights first; conditions that a hook added may use any field.
    pub(super) async fn prepare(&self, collection: &Arc<Collection>, raw: &Item, unlimited: Unlimited) -> Result<Parsed> {
        let max = self.ctx.core.config.query_limit_max;
        self.ctx.granted(Action::Read, collection)?;
        let raw = resolved_for_caller(self.ctx, query::decoded(raw)?).await?;
        let parsed = query::parse(&Reader::of(self.ctx), collection, &raw, max, unlimited)?;
        match self.query_hooks(collection, &raw).await? {
            None => Ok(parsed),
            Some(raw) => query::parse(&Reader::after_hooks(self.ctx), collection, &raw, max, unlimited),
        }
    }

    /// The same for the query of a nested read, whose words were held against the caller's rights with those of the whole.
    pub(super) async fn prepare_nested(&self, nested: &Nested) -> Result<Option<Parsed>> {
        match self.query_hooks(&nested.hop.to, &nested.raw).await? {
            None => Ok(None),
            Some(raw) => {
                let max = self.ctx.core.config.query_limit_max;
                query::parse_nested(&Reader::after_hooks(self.ctx), nested, &raw, max).map(Some)
            }
        }
    }

    /// What the `items.query` hooks make of a query; `None` where none hears it.
    pub(in crate::services) async fn query_hooks(&self, collection: &Arc<Collection>, raw: &Item) -> Result<Option<Item>> {
        if !self.has_filters(ItemsEvent::Query) {
            return Ok(None);
        }
        let meta = Meta { json: self.meta(ItemsEvent::Query, None), previous: None };
        let answer = self.filter(collection, ItemsEvent::Query, meta, Value::Object(raw.clone())).await?;
        let raw = query::decoded(&answer.as_object().cloned().unwrap_or_default())?;
        Ok(Some(resolved(self.ctx, raw).await?))
    }

    async fn run(&self, collection: &Arc<Collection>, parsed: &Parsed, hold: Hold) -> Result<Vec<Item>> {
        Ok(self.level(collection, parsed, Source::Whole, hold).await?.into_iter().map(|found| found.item).collect())
    }

    /// A read by key is a query like any other: the query hooks hear it, and may narrow it.
    async fn by_keys(&self, collection: &Arc<Collection>, keys: &[Value], raw: &Item, hold: Hold) -> Result<Vec<Found>> {
        const KNOWN: [&str; 6] = ["fields", "filter", "alias", "deep", "lock", "meta"];
        if let Some(name) = raw.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            query::check_parameters(
                raw,
                &["fields", "filter", "sort", "limit", "page", "offset", "search", "meta", "alias", "deep", "lock"],
            )?;
            return Err(Error::query(format!("A read by key takes `fields`, `filter`, `alias` and `deep`, not: {}", query::clip(name))));
        }
        let raw = Item::from_iter(raw.iter().filter(|(name, _)| *name != "lock").map(|(k, v)| (k.clone(), v.clone())));
        let mut parsed = self.prepare(collection, &raw, Unlimited::All).await?;
        parsed.query.filter = Filter::both(Some(query::keyed(collection, keys)), parsed.query.filter.take());
        self.level(collection, &parsed, Source::Whole, hold).await
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
        let filtered_query = Query { sort: Vec::new(), limit: None, offset: 0, ..parsed.query.clone() };
        for (slot, wanted, mut query) in [(0, total, Query::default()), (1, filtered, filtered_query)] {
            if wanted {
                query::hold_query(self.ctx, collection, &mut query).await?;
                let statement = self.ctx.core.db.sql(&sql::count(self.ctx.core.db.dialect(), collection, &query)?);
                let rows = select::run(self.ctx, statement, vec![FieldType::BigInteger]).await?;
                counted[slot] = rows.first().and_then(|row| row.first()).and_then(Value::as_u64);
            }
        }
        let [total, filtered] = counted;
        Ok((total, filtered))
    }

    /// Runs the `items.read` hooks over `rows`, slice by slice, and notes the actions.
    pub(super) async fn read_hooks(&self, collection: &Arc<Collection>, rows: Vec<Item>) -> Result<Vec<Item>> {
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

/// The row as the caller gets it: what they asked for, and what a hook added that is no field of the collection.
pub(super) fn strip(collection: &Collection, granted: &FieldSet, asked: &[&str], mut row: Item) -> Item {
    let mut out = Item::with_capacity(row.len());
    for name in asked {
        if let Some((name, value)) = row.shift_remove_entry(*name) {
            out.insert(name, value);
        }
    }
    let is_field = |name: &str| collection.field(name).is_some() || collection.alias(name).is_some();
    let may_stay = |name: &str| !is_field(name) || (name != collection.primary_key().name && granted.has(name));
    out.extend(row.into_iter().filter(|(name, _)| may_stay(name)));
    out
}

/// The query with its dynamic values in place, as far as the caller may know them.
pub(in crate::services) async fn resolved_for_caller(ctx: &crate::services::Ctx, mut raw: Item) -> Result<Item> {
    for name in ["filter", "deep"] {
        if let Some(value) = raw.get_mut(name) {
            *value = variables::resolve_for_caller(ctx, value).await?;
        }
    }
    Ok(raw)
}

/// The same for what hooks made of it.
async fn resolved(ctx: &crate::services::Ctx, mut raw: Item) -> Result<Item> {
    for name in ["filter", "deep"] {
        if let Some(value) = raw.get_mut(name) {
            *value = variables::resolve(ctx, value).await?;
        }
    }
    Ok(raw)
}
