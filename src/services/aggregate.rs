//! `readAggregate`: counts, sums and their kin over the rows that a query finds, as a whole or by group.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::query::{self, Unlimited, clip, nearest};
use super::{Ctx, Item};
use crate::auth::Action;
use crate::db::{Aggregate, Collection, FieldType, Sql};
use crate::error::{Error, Result};

/// Runs `{ aggregate: { count: ["*"], sum: ["price"] }, groupBy?: ["status"], filter?, search?, limit? }`.
///
/// Answers one row per group: `{ status, count: 3, sum: { price: 12.5 } }`, as Directus does.
pub async fn run(ctx: &Ctx, name: &str, raw: &Item) -> Result<Vec<Item>> {
    let collection = ctx.collection(name, Action::Read)?;
    let fields = ctx.granted(Action::Read, &collection)?;
    let mut rest = raw.clone();
    let aggregate = rest.shift_remove("aggregate").unwrap_or_default();
    let groups = match rest.shift_remove("groupBy") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) => names
            .iter()
            .map(|n| n.as_str().map(str::to_owned).ok_or_else(|| Error::query("`groupBy` must be names of fields")))
            .collect::<Result<_>>()?,
        Some(Value::String(csv)) => csv.split(',').map(|n| n.trim().to_owned()).collect(),
        Some(_) => return Err(Error::query("`groupBy` must be an array of fields")),
    };
    for group in &groups {
        let field = query::open_field(&collection, fields, group)?;
        if field.ty == FieldType::Json {
            return Err(Error::query(format!("`{group}` is json and can't be grouped by")).with_field(group.as_str()));
        }
    }
    let parsed = query::parse(&collection, fields, fields, &rest, ctx.core.config.query_limit_max, Unlimited::All)?;
    let wanted = parse(&collection, fields, &aggregate)?;
    let dialect = ctx.core.db.dialect();
    let statement = crate::db::aggregate::aggregate(dialect, &collection, &groups, &wanted, &parsed.query)?;
    let types: Arc<[FieldType]> = groups
        .iter()
        .map(|group| collection.field(group).expect("each group was found to be a field above").ty)
        .chain(wanted.iter().map(|(function, field)| function.result(field.as_deref().and_then(|f| collection.field(f)))))
        .collect();
    let statement: Arc<Sql> = Arc::new(statement);
    let rows = ctx
        .read(move |conn| {
            let (statement, types) = (Arc::clone(&statement), Arc::clone(&types));
            Box::pin(async move { conn.select(&statement, &types).await })
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter();
            let mut out: Item = groups.iter().cloned().zip(cells.by_ref()).collect();
            for ((function, field), value) in wanted.iter().zip(cells) {
                match field {
                    None => {
                        out.insert(function.name().to_owned(), value);
                    }
                    Some(field) => {
                        let slot = out.entry(function.name()).or_insert_with(|| Value::Object(Map::new()));
                        if let Some(map) = slot.as_object_mut() {
                            map.insert(field.clone(), value);
                        }
                    }
                }
            }
            out
        })
        .collect())
}

fn parse(collection: &Collection, fields: &crate::auth::FieldSet, raw: &Value) -> Result<Vec<(Aggregate, Option<String>)>> {
    let object = raw
        .as_object()
        .filter(|o| !o.is_empty())
        .ok_or_else(|| Error::query("`aggregate` must be an object, as in {\"count\": [\"*\"]}"))?;
    let mut wanted = Vec::new();
    for (name, over) in object {
        let function = Aggregate::parse(name).ok_or_else(|| {
            let near = nearest(name, Aggregate::ALL.iter().map(|a| a.name()));
            Error::query(format!("There is no aggregate `{}`{near}", clip(name)))
        })?;
        let over: Vec<&str> = match over {
            Value::String(csv) => csv.split(',').map(str::trim).collect(),
            Value::Array(names) if names.iter().all(Value::is_string) => names.iter().filter_map(Value::as_str).collect(),
            _ => return Err(Error::query(format!("`aggregate.{name}` must be an array of fields"))),
        };
        for field in over {
            if field == "*" {
                if !function.counts_rows() {
                    return Err(Error::query(format!("`aggregate.{name}` needs a field, not `*`")));
                }
                wanted.push((function, None));
                continue;
            }
            let known = query::open_field(collection, fields, field)?;
            if !function.fits(known.ty) {
                return Err(Error::query(format!("`aggregate.{name}` isn't possible on `{field}`: its type is {}", known.ty.name()))
                    .with_field(field));
            }
            wanted.push((function, Some(field.to_owned())));
        }
    }
    Ok(wanted)
}
