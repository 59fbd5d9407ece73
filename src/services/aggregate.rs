//! Counts, sums and their kin over the rows that a query finds, as a whole or by group: `aggregate` and `groupBy`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::items::{ItemsService, resolved_for_caller};
use super::query::{self, Function, Path, Reader, Unlimited, clip, nearest, texts};
use super::{Ctx, Item, select};
use crate::auth::Action;
use crate::db::aggregate::{GroupSort, aggregate};
use crate::db::sql::value_type;
use crate::db::{Aggregate, Collection, FieldType, Operand, Query};
use crate::error::{Error, ErrorCode, Result};

/// Values that one query may group by or compute.
const MAX_VALUES: usize = 64;
/// What such a query may name.
const PARAMETERS: [&str; 8] = ["aggregate", "groupBy", "filter", "search", "sort", "limit", "page", "offset"];

/// A query for groups that fits its collection and its caller.
pub struct Parsed {
    /// Name in the answer and value of what is grouped by.
    groups: Vec<(String, Operand)>,
    /// What is computed, of which field; `None` is the rows.
    wanted: Vec<(Aggregate, Option<String>)>,
    sort: Vec<GroupSort>,
    query: Query,
    /// Groups at most; `None` is all.
    limit: Option<u64>,
}

/// Runs `{ aggregate: { count: ["*"], sum: ["price"] }, groupBy?: ["status", "year(at)"], filter?, search?, sort?, limit? }`.
///
/// Answers one row per group: `{ status, at_year, count: 3, sum: { price: 12.5 } }`, as Directus does.
///
/// # Errors
/// As a read; `QueryTooLarge` for more groups than `QUERY_LIMIT_MAX` where no limit is named.
pub async fn run(ctx: &Ctx, name: &str, raw: &Item) -> Result<Vec<Item>> {
    let collection = ctx.collection(name, Action::Read)?;
    ctx.granted(Action::Read, &collection)?;
    let max = ctx.core.config.query_limit_max;
    let raw = resolved_for_caller(ctx, query::decoded(raw)?).await?;
    let mut parsed = parse(&Reader::of(ctx), &collection, &raw, max)?;
    if let Some(raw) = ItemsService::new(ctx, name).query_hooks(&collection, &raw).await? {
        parsed = parse(&Reader::after_hooks(ctx), &collection, &raw, max)?;
    }
    let Parsed { groups, wanted, sort, mut query, limit } = parsed;
    query::hold_query(ctx, &collection, &mut query).await?;
    let values: Vec<Operand> = groups.iter().map(|(_, value)| value.clone()).collect();
    let statement = aggregate(ctx.core.db.dialect(), &collection, &values, &wanted, &sort, &query)?;
    let mut types = values.iter().map(|value| value_type(&collection, value)).collect::<Result<Vec<FieldType>>>()?;
    types.extend(wanted.iter().map(|(function, field)| function.result(field.as_deref().and_then(|f| collection.field(f)))));
    let rows = select::run(ctx, statement, types).await?;
    if limit.is_none() && rows.len() as u64 > max {
        let message = format!("There are more than {max} groups (`QUERY_LIMIT_MAX`): name a `limit`, or narrow the filter");
        return Err(Error::new(ErrorCode::QueryTooLarge, message));
    }
    Ok(rows.into_iter().map(|row| answer(&groups, &wanted, row)).collect())
}

fn answer(groups: &[(String, Operand)], wanted: &[(Aggregate, Option<String>)], row: Vec<Value>) -> Item {
    let mut cells = row.into_iter();
    let mut out: Item = groups.iter().map(|(name, _)| name.clone()).zip(cells.by_ref()).collect();
    for ((function, field), value) in wanted.iter().zip(cells) {
        match field {
            None => drop(out.insert(function.name().to_owned(), value)),
            Some(field) => {
                let slot = out.entry(function.name()).or_insert_with(|| Value::Object(Map::new()));
                if let Some(map) = slot.as_object_mut() {
                    map.insert(field.clone(), value);
                }
            }
        }
    }
    out
}

/// Parses `raw`. What it computes must be the caller's to read, whoever names it.
///
/// # Errors
/// As [`query::parse`].
pub fn parse(reader: &Reader<'_>, collection: &Arc<Collection>, raw: &Item, max: u64) -> Result<Parsed> {
    // The client of Directus names no fields by an empty list.
    let of_items = ["fields", "deep", "alias"];
    let is_empty = |value: &Value| match value {
        Value::Array(names) => names.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        other => other.is_null(),
    };
    let mut raw = raw.clone();
    raw.retain(|name, value| !(of_items.contains(&name.as_str()) && is_empty(value)));
    let raw = &raw;
    query::check_parameters(raw, &PARAMETERS).map_err(|error| match raw.keys().find(|name| of_items.contains(&name.as_str())) {
        Some(name) => Error::query(format!("`{name}` isn't possible with `aggregate` or `groupBy`: groups have no fields of items")),
        None => error,
    })?;
    let groups = parse_groups(reader, collection, raw.get("groupBy"))?;
    let wanted = parse_wanted(reader, collection, raw.get("aggregate"))?;
    if groups.is_empty() && wanted.is_empty() {
        return Err(Error::query("`aggregate` must be an object, as in {\"count\": [\"*\"]}"));
    }
    if groups.len() + wanted.len() > MAX_VALUES {
        return Err(Error::query(format!("`aggregate` and `groupBy` name more than {MAX_VALUES} values")));
    }
    let sort = parse_sort(&groups, &wanted, raw.get("sort"))?;
    let conditions = query::parse_conditions(reader, collection, raw, max, Unlimited::All)?;
    Ok(Parsed { groups, wanted, sort, query: conditions.query, limit: conditions.limit })
}

fn parse_groups(reader: &Reader<'_>, collection: &Collection, value: Option<&Value>) -> Result<Vec<(String, Operand)>> {
    let asked = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => texts(value, "groupBy")?,
    };
    let fields = reader.sight.readable(collection)?;
    let mut groups: Vec<(String, Operand)> = Vec::new();
    for name in &asked {
        let path = Path::parse(name)?;
        if !path.steps.is_empty() {
            return Err(Error::query(format!("`{}` can't be grouped by: groups go by fields of `{}` itself", clip(name), collection.name)));
        }
        let group = match path.function {
            Some(Function::Count) => return Err(Error::query(format!("`{}` can't be grouped by", clip(name)))),
            Some(Function::Part(part)) => {
                let field = query::open_field(collection, fields, path.field)?;
                if !part.fits(field.ty) {
                    let message = format!("`{}` isn't possible: the type of `{}` is {}", clip(name), field.name, field.ty.name());
                    return Err(Error::query(message).with_field(&field.name));
                }
                (format!("{}_{}", field.name, part.name()), Operand::Part(part, field.name.clone()))
            }
            None => {
                let field = query::open_field(collection, fields, path.field)?;
                if field.ty == FieldType::Json {
                    return Err(Error::query(format!("`{}` is json and can't be grouped by", field.name)).with_field(&field.name));
                }
                (field.name.clone(), Operand::Field(field.name.clone()))
            }
        };
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}

fn parse_wanted(reader: &Reader<'_>, collection: &Collection, value: Option<&Value>) -> Result<Vec<(Aggregate, Option<String>)>> {
    let fields = reader.sight.readable(collection)?;
    let mut wanted: Vec<(Aggregate, Option<String>)> = Vec::new();
    for (name, over) in query::object(value, "aggregate")?.unwrap_or_default() {
        let function = Aggregate::parse(&name).ok_or_else(|| {
            let near = nearest(&name, Aggregate::ALL.iter().map(|a| a.name()));
            Error::query(format!("There is no aggregate `{}`{near}", clip(&name)))
        })?;
        let over = texts(&over, &format!("aggregate.{name}"))?;
        if over.is_empty() {
            return Err(Error::query(format!("`aggregate.{name}` must name a field")));
        }
        if over.len() > 1 && over.iter().any(|field| field == "*") {
            return Err(Error::query(format!("`aggregate.{name}` takes `*` or fields, not both")));
        }
        for field in over {
            let value = if field == "*" {
                if !function.counts_rows() {
                    return Err(Error::query(format!("`aggregate.{name}` needs a field, not `*`")));
                }
                (function, None)
            } else {
                let known = query::open_field(collection, fields, &field)?;
                if !function.fits(known.ty) {
                    let message = format!("`aggregate.{name}` isn't possible on `{field}`: its type is {}", known.ty.name());
                    return Err(Error::query(message).with_field(field));
                }
                (function, Some(field))
            };
            if !wanted.contains(&value) {
                wanted.push(value);
            }
        }
    }
    Ok(wanted)
}

/// Groups stand in the order of what they are answered with: `status`, `at_year` or `year(at)`, `count`, `sum.price`.
fn parse_sort(groups: &[(String, Operand)], wanted: &[(Aggregate, Option<String>)], value: Option<&Value>) -> Result<Vec<GroupSort>> {
    let asked = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => texts(value, "sort")?,
    };
    let named = |(function, field): &(Aggregate, Option<String>)| match field {
        None => function.name().to_owned(),
        Some(field) => format!("{}.{field}", function.name()),
    };
    let names: Vec<String> = groups.iter().map(|(name, _)| name.clone()).chain(wanted.iter().map(named)).collect();
    let mut sort: Vec<GroupSort> = Vec::new();
    for name in &asked {
        let (descending, name) = name.strip_prefix('-').map_or((false, name.as_str()), |name| (true, name));
        let of_function = |at: &usize| match &groups[*at].1 {
            Operand::Part(part, field) => format!("{}({field})", part.name()) == name,
            _ => false,
        };
        let by = names.iter().position(|known| known == name).or_else(|| (0..groups.len()).find(of_function)).ok_or_else(|| {
            let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let near = nearest(name, names.iter().map(String::as_str));
            Error::query(format!("Groups can't be sorted by `{}`{near}; they have {}", clip(name), known.join(", ")))
        })?;
        if !sort.iter().any(|known| known.by == by) {
            sort.push(GroupSort { by, descending });
        }
    }
    Ok(sort)
}
