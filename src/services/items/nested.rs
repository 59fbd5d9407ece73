//! One level of a read: its rows, what is read along with them, and the hooks that hear it.
//!
//! Each relation costs one statement per level, whatever the number of rows: the keys of all rows of a level are one parameter. Levels are
//! read downwards and put together upwards, so that hooks get rows as they will be answered. This is the only place that reads items for
//! an answer, so that row rules and limits are held here for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::ItemsService;
use super::read::strip;
use super::veil::{MASK, is_concealed};
use crate::auth::Action;
use crate::db::nested::{Slice, lists};
use crate::db::sql::{Lock, select_values_locked, value_type};
use crate::db::{Collection, Operand, Query, Sort, Sql};
use crate::error::{Error, ErrorCode, Result};
use crate::services::Item;
use crate::services::ctx::Hold;
use crate::services::query::{self, Content, Nested, Output, Parsed};

/// All rows of an answer, nested ones included, are at most so many times `QUERY_LIMIT_MAX`.
const ROWS_FACTOR: u64 = 10;

/// Which rows of a level are meant.
pub(super) enum Source<'s> {
    /// Those that the query finds.
    Whole,
    /// Of those, the lists of parents.
    Lists {
        /// The field that has the parent's value.
        by: &'s str,
        /// These values.
        parents: Vec<Value>,
        /// The order where the query names none.
        order: Option<&'s str>,
    },
}

/// A row that was read.
pub(super) struct Found {
    /// Its key.
    pub key: Value,
    /// The value that it has in common with its parent.
    parent: Value,
    /// What is answered of it.
    pub item: Item,
    /// Rows in it, with itself.
    rows: u64,
}

/// The columns of a statement, each once.
#[derive(Default)]
struct Columns(Vec<Operand>);

impl Columns {
    fn at(&mut self, of: Operand) -> usize {
        self.0.iter().position(|known| *known == of).unwrap_or_else(|| {
            self.0.push(of);
            self.0.len() - 1
        })
    }

    fn field(&mut self, name: &str) -> usize {
        self.at(Operand::Field(name.to_owned()))
    }
}

/// Where in a row the value is that an output is made of: and for many-to-any, where the collection's name is.
struct Place {
    value: usize,
    tag: usize,
}

/// What was read for one output of all rows: by the value that leads there.
enum Along {
    Nothing,
    One(HashMap<String, Found>),
    Many(HashMap<String, Vec<Found>>),
    Any(HashMap<String, HashMap<String, Found>>),
}

impl ItemsService<'_> {
    /// Reads the rows that are meant, with all that belongs to them.
    pub(super) fn level<'a>(
        &'a self,
        collection: &'a Arc<Collection>,
        parsed: &'a Parsed,
        source: Source<'a>,
        hold: Hold,
    ) -> BoxFuture<'a, Result<Vec<Found>>> {
        Box::pin(async move {
            let outputs = &parsed.shape.outputs;
            let mut columns = Columns::default();
            let places: Vec<Place> = outputs.iter().map(|output| place(&mut columns, output)).collect();
            let key = columns.field(&collection.primary_key().name);
            let parent = match &source {
                Source::Whole => key,
                Source::Lists { by, .. } => columns.field(by),
            };
            let mut columns = columns.0;
            query::hold(self.ctx, columns.iter_mut()).await?;
            let rows = self.rows(collection, &columns, parsed, source, hold).await?;

            let mut along = Vec::with_capacity(outputs.len());
            for (output, place) in outputs.iter().zip(&places) {
                along.push(self.along(&output.content, place, &rows).await?);
            }
            let budget = self.ctx.core.config.query_limit_max.saturating_mul(ROWS_FACTOR);
            let mut total = 0;
            let mut items = Vec::with_capacity(rows.len());
            // By the row's key: its parent's value and the rows in it, which hooks don't see.
            let mut apart = HashMap::with_capacity(rows.len());
            let pk = &collection.primary_key().name;
            for mut row in rows {
                let mut item = Item::with_capacity(outputs.len() + 1);
                let mut size = 1;
                for ((output, place), along) in outputs.iter().zip(&places).zip(&along) {
                    let value = attached(collection, output, place, along, &row, &mut size);
                    total_within(total + size, budget)?;
                    item.insert(output.key.clone(), value);
                }
                total += size;
                total_within(total, budget)?;
                let (row_key, row_parent) = (row[key].clone(), std::mem::take(&mut row[parent]));
                let row_parent = if parent == key { row_key.clone() } else { row_parent };
                // Under its own name, whatever an alias says: hooks find the key there.
                item.insert(pk.clone(), row_key.clone());
                apart.insert(row_key.to_string(), (row_parent, size));
                items.push(item);
            }
            let items = self.read_hooks(collection, items).await?;
            let fields = self.ctx.granted(Action::Read, collection)?;
            let asked: Vec<&str> = outputs.iter().map(|output| output.key.as_str()).collect();
            Ok(items
                .into_iter()
                .filter_map(|item| {
                    let key = item.get(pk).cloned().unwrap_or_default();
                    let (parent, rows) = apart.remove(&key.to_string())?;
                    Some(Found { key, parent, item: strip(collection, fields, &asked, item), rows })
                })
                .collect())
        })
    }

    /// The values of the rows, from the database.
    async fn rows(
        &self,
        collection: &Arc<Collection>,
        columns: &[Operand],
        parsed: &Parsed,
        source: Source<'_>,
        hold: Hold,
    ) -> Result<Vec<Vec<Value>>> {
        let (dialect, max) = (self.ctx.core.db.dialect(), self.ctx.core.config.query_limit_max);
        let mut query = parsed.query.clone();
        query::hold_query(self.ctx, collection, &mut query).await?;
        let is_all = matches!(source, Source::Lists { .. }) || parsed.limit.is_none();
        let statement: Sql = match source {
            Source::Whole => {
                let lock = if hold == Hold::Lock { Lock::Wait } else { Lock::None };
                select_values_locked(dialect, collection, columns, &query, lock)?
            }
            Source::Lists { by, parents, order } => {
                let each = Slice { offset: query.offset, limit: parsed.limit };
                let sort = match order.filter(|_| query.sort.is_empty()) {
                    Some(order) => vec![Sort::up(order)],
                    None => query.sort,
                };
                let query = Query { sort, offset: 0, limit: Some(max + 1), ..query };
                lists(dialect, collection, columns, by, &parents, each, &query)?
            }
        };
        let types: Arc<[_]> = columns.iter().map(|of| value_type(collection, of)).collect::<Result<Vec<_>>>()?.into();
        let statement = Arc::new(statement);
        let rows = self
            .ctx
            .read_as(hold, move |conn| {
                let (statement, types) = (Arc::clone(&statement), Arc::clone(&types));
                Box::pin(async move { conn.select(&statement, &types).await })
            })
            .await?;
        if is_all && rows.len() as u64 > max {
            let message =
                format!("More than {max} items of `{}` match (`QUERY_LIMIT_MAX`): name a `limit`, or narrow the filter", collection.name);
            return Err(Error::new(ErrorCode::QueryTooLarge, message));
        }
        Ok(rows)
    }

    /// Reads what all rows of a level need for one output.
    async fn along(&self, content: &Content, place: &Place, rows: &[Vec<Value>]) -> Result<Along> {
        Ok(match content {
            Content::Value(_) => Along::Nothing,
            Content::One(nested) => {
                let found = self.below(nested, distinct(rows.iter().map(|row| &row[place.value]))).await?;
                Along::One(found.into_iter().map(|found| (plain(&found.parent), found)).collect())
            }
            Content::Many(nested) | Content::Keys(nested) => {
                let mut lists: HashMap<String, Vec<Found>> = HashMap::new();
                for found in self.below(nested, distinct(rows.iter().map(|row| &row[place.value]))).await? {
                    lists.entry(plain(&found.parent)).or_default().push(found);
                }
                Along::Many(lists)
            }
            Content::Any { reads, .. } => {
                let mut any = HashMap::with_capacity(reads.len());
                for nested in reads {
                    let to = nested.hop.to.name.as_str();
                    let ty = nested.hop.to.primary_key().ty;
                    // Keys of all collections are kept as texts: what can't be a key of this one leads nowhere.
                    let keys = rows.iter().filter(|row| row[place.tag] == to).filter_map(|row| ty.canonical(&row[place.value]).ok());
                    let keys: Vec<Value> = keys.collect();
                    let found = self.below(nested, distinct(keys.iter())).await?;
                    any.insert(to.to_owned(), found.into_iter().map(|found| (plain(&found.parent), found)).collect());
                }
                Along::Any(any)
            }
        })
    }

    /// The related items of these values, through the hooks of their collection.
    async fn below(&self, nested: &Nested, parents: Vec<Value>) -> Result<Vec<Found>> {
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        let items = ItemsService::new(self.ctx, &nested.hop.to.name);
        let changed = items.prepare_nested(nested).await?;
        let parsed = changed.as_ref().unwrap_or(&nested.parsed);
        let source = Source::Lists { by: &nested.hop.there, parents, order: nested.order.as_deref() };
        items.level(&nested.hop.to, parsed, source, Hold::No).await
    }
}

fn place(columns: &mut Columns, output: &Output) -> Place {
    let value = match &output.content {
        Content::Value(of) => columns.at(of.clone()),
        Content::One(nested) | Content::Many(nested) | Content::Keys(nested) => columns.field(&nested.hop.here),
        Content::Any { field, .. } => columns.field(field),
    };
    let tag = match &output.content {
        Content::Any { tag, .. } => columns.field(tag),
        _ => value,
    };
    Place { value, tag }
}

/// The value of one output of one row; adds to `size` the rows that are in it.
fn attached(collection: &Collection, output: &Output, place: &Place, along: &Along, row: &[Value], size: &mut u64) -> Value {
    let value = &row[place.value];
    let mut one = |found: &Found| {
        *size += found.rows;
        Value::Object(found.item.clone())
    };
    match along {
        Along::Nothing => match &output.content {
            Content::Value(Operand::Field(name)) if !value.is_null() && collection.field(name).is_some_and(is_concealed) => json!(MASK),
            _ => value.clone(),
        },
        Along::One(found) => found.get(&plain(value)).map_or(Value::Null, one),
        Along::Many(lists) => {
            let list = lists.get(&plain(value)).map(Vec::as_slice).unwrap_or_default();
            let keys_only = matches!(output.content, Content::Keys(_));
            list.iter().map(|found| if keys_only { found.key.clone() } else { one(found) }).collect()
        }
        Along::Any(any) => match row[place.tag].as_str().and_then(|to| any.get(to)) {
            Some(found) => found.get(&plain(value)).map_or(Value::Null, one),
            // Of a collection that wasn't asked for: the key.
            None => value.clone(),
        },
    }
}

fn total_within(total: u64, budget: u64) -> Result<()> {
    if total <= budget {
        return Ok(());
    }
    let message = format!("The answer would hold more than {budget} items, related ones included: name a `limit`, also in `deep`");
    Err(Error::new(ErrorCode::QueryTooLarge, message))
}

/// A key as text, so that one kept as text and one kept as a number can be the same.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values without repetitions and nulls.
fn distinct<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    values.filter(|value| !value.is_null() && seen.insert(plain(value))).cloned().collect()
}
